--- Words and the numbers that stand for them, from 1.

local neap = require "neap"
local fail = neap._fail
local words = {}

--- A list of words as an int64 tensor of numbers, and the different words
-- in the order of their numbers: sorted, so that equal sets of words have
-- equal numbers.
function words.numbered(who, list)
  local numbers, known, ids = {}, {}, {}
  for i, word in ipairs(list) do
    if type(word) ~= "string" then
      fail("%s: value %d is a %s among words", who, i, type(word))
    end
    if not numbers[word] then known[#known + 1] = word end
    numbers[word] = true
  end
  table.sort(known)
  for i, word in ipairs(known) do numbers[word] = i end
  for i, word in ipairs(list) do ids[i] = numbers[word] end
  return neap.tensor(ids, {dtype = "int64"}), known
end

--- The numbers that words have in one list as those they have in another.
-- A word that is not there gets 0; the first one that is met is the second
-- result.
function words.renumbered(ids, own, known)
  local numbers, map = {}, {}
  for i, word in ipairs(known) do numbers[word] = i end
  for i, word in ipairs(own) do map[i] = numbers[word] or 0 end
  if #map == 0 then return ids end
  local out = neap.tensor(map, {dtype = "int64"}):index_select(1, ids)
  local at = out:eq(0):nonzero()
  return out, #at > 0 and own[ids[at[1]:item()]] or nil
end

return words
