-- Wrong calls of operations and the sentences they are answered with: some
-- are made from the descriptor of each operation, some are its own.

local neap = require "neap"
local misuse = {}

-- Something right for each kind of field.
local right = {
  int = function() return 1 end, number = function() return 0.5 end,
  bool = function() return false end, ints = function() return {2, 2} end,
  list = function() return {1} end, dim = function() return 1 end,
  dims = function() return {1} end, index = function() return 1 end,
  text = function() return "ij->ij" end
}

-- What must be given, in the order of a call: {name, kind} with the kind
-- "input" or that of a field; and how many may be given.
local function items_of(op)
  local kinds, required, given, mark = {}, {}, {}, {}
  for _, field in ipairs(op.fields) do
    if field.kind ~= "base" and field.kind ~= "draw" then
      kinds[field.name] = field.kind
      required[field.name] = field.required
    end
  end
  for name, sign in op.inputs:gmatch "([%w_]+)([?*]?)" do mark[name] = sign end
  if op.call then
    for name in op.call:gmatch "%S+" do given[#given + 1] = name end
  else
    for name in op.inputs:gmatch "%S+" do given[#given + 1] = name end
    for _, field in ipairs(op.fields) do
      if kinds[field.name] then given[#given + 1] = field.name end
    end
  end
  local items = {}
  for _, name in ipairs(given) do
    local bare = name:gsub("[?*]", "")
    local kind = mark[bare] and "input" or kinds[bare]
    if (mark[bare] and mark[bare] ~= "?") or required[bare] then
      items[#items + 1] = {name = bare, kind = kind, list = mark[bare] == "*"}
    end
  end
  return items, #given
end

local function arguments(items)
  local args = {}
  for i, item in ipairs(items) do
    if item.kind == "input" then
      args[i] = item.list and {neap.ones(2, 2)} or neap.ones(2, 2)
    else args[i] = right[item.kind]() end
  end
  return args
end

--- Cases of an operation: {name = {function, part of the sentence}}.
function misuse.of(op)
  local f = op.initialiser and neap.nn.init[op.name .. "_"]
            or neap[op.name]
  local items, most = items_of(op)
  local cases, first = {}, items[1]

  cases["which option it does not know"] = {function()
    local args = arguments(items)
    args[#args + 1] = {nonsense = 1}
    f(table.unpack(args))
  end, "no option 'nonsense'"}

  if first then
    if not op.initialiser then
      cases["what is missing"] = {function() f() end, "is missing"}
    end
    cases["what came instead of the first argument"] = {function()
      local args = arguments(items)
      args[1] = print
      f(table.unpack(args))
    end, first.list and "must be a list of tensors" or
         op.initialiser and "" or first.name .. " must be"}
  else
    cases["that an option has the wrong type"] = {function()
      f{2, dtype = 5}
    end, "dtype must be a string, not a number"}
  end

  cases["that there are too many arguments"] = {function()
    local args = arguments(items)
    for i = #args + 1, most + 12 do args[i] = true end
    f(table.unpack(args))
  end, ""}

  if first and first.kind == "input" and not op.anytype then
    cases["that a type is for storage only"] = {function()
      local args = arguments(items)
      local half = neap.ones(2, 2):to("float16")
      args[1] = first.list and {half} or half
      f(table.unpack(args))
    end, "storage only"}
  end
  for name, case in pairs(misuse[op.name] or {}) do cases[name] = case end
  return cases
end

return misuse
