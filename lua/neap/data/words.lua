--- Words and the numbers that stand for them, from 1.

local neap = require "neap"
local words = {}

--- A list of words as an int64 tensor of numbers, and the different words
-- in the order of their numbers: sorted, so that equal sets of words have
-- equal numbers.
function words.numbered(list)
  local numbers, known, ids = {}, {}, {}
  for _, word in ipairs(list) do
    if not numbers[word] then known[#known + 1] = word end
    numbers[word] = true
  end
  table.sort(known)
  for i, word in ipairs(known) do numbers[word] = i end
  for i, word in ipairs(list) do ids[i] = numbers[word] end
  return neap.tensor(ids, {dtype = "int64"}), known
end

--- The numbers that words have in one list as those they have in another.
-- A word that is not there gets 0; the first one is the second result.
function words.renumbered(ids, own, known)
  local numbers, map, unknown = {}, {}, nil
  for i, word in ipairs(known) do numbers[word] = i end
  for i, word in ipairs(own) do
    map[i] = numbers[word] or 0
    unknown = unknown or not numbers[word] and word or nil
  end
  if #map == 0 then return ids end
  return neap.tensor(map, {dtype = "int64"}):index_select(1, ids), unknown
end

return words
