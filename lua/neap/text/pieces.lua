--- Text cut into characters or words.

local neap = require "neap"
local fail = neap._fail
local pieces = {}

local function check(who, s)
  if type(s) ~= "string" then
    fail("%s: expected a string, not %s", who,
         neap.is_tensor(s) and "a tensor" or type(s))
  end
end

--- The characters of a string in UTF-8, as a list. A byte that belongs to
-- no character is a piece of its own, so that nothing is lost: the pieces
-- put together are the string again.
function pieces.chars(s)
  check("chars", s)
  local list, n, at = {}, 0, 1
  while at <= #s do
    local _, bad = utf8.len(s, at)
    for c in s:sub(at, (bad or #s + 1) - 1):gmatch(utf8.charpattern) do
      n = n + 1
      list[n] = c
    end
    if bad then
      n = n + 1
      list[n] = s:sub(bad, bad)
    end
    at = (bad or #s) + 1
  end
  return list
end

--- The words of a string, as a list: runs of letters, digits, "'" and bytes
-- beyond ASCII; any other character that is no space is a word of its own.
function pieces.words(s)
  check("words", s)
  local list = {}
  for word in s:gmatch "[%w'\x80-\xff]+" do list[#list + 1] = word end
  if not s:find "[^%w'%s\x80-\xff]" then return list end
  list = {}
  for word, mark in s:gmatch "([%w'\x80-\xff]*)([^%w'\x80-\xff]?)" do
    if word ~= "" then list[#list + 1] = word end
    if mark:find "%S" then list[#list + 1] = mark end
  end
  return list
end

return pieces
