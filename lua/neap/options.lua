--- Options of functions written in Lua: declared once, then read, checked
-- and explained from that.
--
-- A declaration is a list of {name, kind, default =, least =, most =,
-- choices =, help =}; a kind is "integer", "number", "boolean", "string",
-- "table", "function", "tensor" or "any", or several: "number|table".

local neap = require "neap"
local fail = neap._fail
local options = {}

local function is_kind(value, kind)
  if kind == "any" then return true
  elseif kind == "integer" then return math.type(value) == "integer"
  elseif kind == "tensor" then return neap.is_tensor(value)
  elseif kind == "table" then
    return type(value) == "table" or type(value) == "userdata"
  end
  return type(value) == kind
end

local function is_one_of(value, kinds)
  for kind in kinds:gmatch "%a+" do
    if is_kind(value, kind) then return true end
  end
  return false
end

local articles = {integer = "an integer"}

local function wanted(o)
  if o.choices then return "one of " .. table.concat(o.choices, ", ") end
  local names = {}
  for kind in o[2]:gmatch "%a+" do
    names[#names + 1] = articles[kind] or "a " .. kind
  end
  local text = table.concat(names, " or ")
  if o.least and o.most then
    text = ("%s from %s to %s"):format(text, o.least, o.most)
  elseif o.least then text = ("%s of at least %s"):format(text, o.least)
  elseif o.most then text = ("%s of at most %s"):format(text, o.most)
  end
  return text
end

local function is_choice(value, choices)
  for _, choice in ipairs(choices) do
    if value == choice then return true end
  end
  return false
end

local kinds = {integer = true, number = true, boolean = true, string = true,
               table = true, ["function"] = true, tensor = true, any = true}
local keys = {default = true, least = true, most = true, choices = true,
              help = true, required = true, positional = true}

-- What is wrong with one declaration, or nil.
local function flaw(o)
  if type(o) ~= "table" or type(o[1]) ~= "string" then
    return "expected {name, kind, default =, ...}"
  elseif type(o[2]) ~= "string" then
    return ("option %s has no kind"):format(o[1])
  end
  for kind in o[2]:gmatch "[^|]+" do
    if not kinds[kind] then
      return ("option %s has the kind '%s', expected integer, number, " ..
              "boolean, string, table, function, tensor or any")
             :format(o[1], kind)
    end
  end
  for key in pairs(o) do
    if math.type(key) ~= "integer" and not keys[key] then
      return ("option %s has the key '%s', which means nothing")
             :format(o[1], tostring(key))
    end
  end
  return o.default ~= nil and options.complaint(o, o.default) or nil
end

--- Fails if a list of declarations is none: for lists that users write.
function options.check(who, declared)
  if type(declared) ~= "table" or #declared == 0 and next(declared) then
    fail("%s: expected a list of options {{name, kind, ...}, ...}", who)
  end
  for _, o in ipairs(declared) do
    local text = flaw(o)
    if text then fail("%s: %s", who, text) end
  end
end

--- What is wrong with a value of an option, or nil.
function options.complaint(o, value)
  local number = type(value) == "number"
  local good = is_one_of(value, o[2])
  if good and o.choices and type(value) == "string" then
    good = is_choice(value, o.choices)
  end
  if good and number and o.least then good = value >= o.least end
  if good and number and o.most then good = value <= o.most end
  if good then return nil end
  if neap.is_tensor(value) then value = "a tensor"
  elseif type(value) == "table" then value = "a table"
  elseif type(value) == "string" then value = ("%q"):format(value)
  end
  return ("%s is %s, expected %s"):format(o[1], tostring(value), wanted(o))
end

--- "; did you mean 'shuffle'?" and the like, or "".
function options.near(name, declared)
  local names = {}
  for i, o in ipairs(declared) do names[i] = o[1] end
  local near = neap._nearest(table.concat(names, " "), tostring(name))
  if near then return ("; did you mean '%s'?"):format(near) end
  return "; there is " .. table.concat(names, ", ")
end

--- A table with all declared options: those given, else their defaults.
-- @param who the function, for messages
-- @param given table of options, or nil
-- @param declared list of declarations
function options.read(who, given, declared)
  local known, out = {}, {}
  if given ~= nil and (type(given) ~= "table" or neap.is_tensor(given)) then
    local first = declared[1] and declared[1][1] or "name"
    fail("%s: options are a table such as {%s = ...}, not a %s", who, first,
         neap.is_tensor(given) and "tensor" or type(given))
  end
  for _, o in ipairs(declared) do
    known[o[1]] = o
    out[o[1]] = o.default
  end
  for name, value in pairs(given or {}) do
    local o = known[name]
    if not o and math.type(name) == "integer" then
      fail("%s: options have names, as in {%s = ...}; entry %d has none",
           who, declared[1] and declared[1][1] or "name", name)
    elseif not o then
      fail("%s: no option '%s'%s",
           who, tostring(name), options.near(name, declared))
    end
    local complaint = options.complaint(o, value)
    if complaint then fail(who .. ": " .. complaint) end
    out[name] = value
  end
  for _, o in ipairs(declared) do
    if o.required and out[o[1]] == nil then
      fail("%s: the option %s is missing (%s)", who, o[1], wanted(o))
    end
  end
  return out
end

return options
