--- JSON: writing plain Lua data. Reading is done in C, with its checks.

local neap = require "neap"
local json = {}

local escapes = {['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n",
                 ["\r"] = "\\r", ["\t"] = "\\t"}

local function quote(s)
  return '"' .. s:gsub('[%c"\\]', function(c)
    return escapes[c] or ("\\u%04x"):format(c:byte())
  end) .. '"'
end

local encode

-- Keys sorted, so that equal data makes equal files.
local function encode_object(t)
  local keys, out = {}, {}
  for key in pairs(t) do keys[#keys + 1] = tostring(key) end
  table.sort(keys)
  for i, key in ipairs(keys) do
    local value = t[key]
    if value == nil then value = t[math.tointeger(tonumber(key))] end
    out[i] = quote(key) .. ":" .. encode(value)
  end
  return "{" .. table.concat(out, ",") .. "}"
end

local function encode_array(t)
  local out = {}
  for i, value in ipairs(t) do out[i] = encode(value) end
  return "[" .. table.concat(out, ",") .. "]"
end

local function is_array(t)
  local n = 0
  for _ in pairs(t) do n = n + 1 end
  return n == #t and n > 0
end

function encode(value)
  local kind = type(value)
  if kind == "string" then return quote(value)
  elseif kind == "boolean" then return tostring(value)
  elseif math.type(value) == "integer" then return ("%d"):format(value)
  elseif kind == "number" then
    if value ~= value or value == math.huge or value == -math.huge then
      error("a file cannot hold the number " .. value, 0)
    end
    return (("%.17g"):format(value):gsub(",", "."))
  elseif kind == "table" then
    return is_array(value) and encode_array(value) or encode_object(value)
  end
  error("a file cannot hold a " .. kind, 0)
end

--- A table of numbers, strings, booleans and tables as JSON. Integer keys
-- of tables that are not lists become strings.
json.encode = encode

--- JSON as Lua values; null becomes the value `null` (nil). `what` names
-- the text in messages.
function json.decode(text, what, null)
  return neap._json_decode(text, what, null)
end

return json
