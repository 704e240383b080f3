--- Modules: what is written in Lua of neap.nn.

local neap = require "neap"
local json = require "neap.json"
local nn = neap.nn
local Module = nn.Module

local module_meta = neap._module_meta
neap._module_meta = nil

--- True if a value is a module.
function nn.is_module(value)
  return getmetatable(value) == module_meta.__metatable
end

-- What a module has already: its modules and tensors, as a set.
local function registered(self)
  local set = {}
  local _, modules = self:_modules()
  local _, tensors = self:_tensors()
  for _, module in ipairs(modules) do set[module] = true end
  for _, t in ipairs(tensors) do set[t] = true end
  return set
end

-- A module or parameter in a plain table (or in one inside it) that is not
-- among those known; and its key.
local function forgotten(value, known, depth)
  for key, item in pairs(value) do
    local learned = nn.is_module(item) or neap.is_tensor(item) and
                    item.is_leaf and item.requires_grad
    if learned and not known[item] then return item, key end
    if type(item) == "table" and getmetatable(item) == nil and depth < 4 then
      local found, name = forgotten(item, known, depth + 1)
      if found then return found, name end
    end
  end
end

-- Modules that were put into a plain table after it was assigned: a list
-- of them becomes a ModuleList, as it would have on assignment.
local function adopt_table(self, key, value)
  local found, name = forgotten(value, registered(self), 1)
  if not found then return end
  local all = #value > 0
  for _, item in ipairs(value) do all = all and nn.is_module(item) end
  if all then
    self[key] = value
    return
  end
  neap._fail("%s: the table '%s' holds a %s under '%s', which would be " ..
             "neither trained nor saved; assign it to self, or put modules " ..
             "into nn.ModuleList or nn.ModuleDict", (self:_options()), key,
             nn.is_module(found) and "module" or "parameter",
             tostring(name))
end

local function new_instance(class, ...)
  local self = Module._construct(class, ...)
  local tables = {}
  for key, value in pairs(self:_fields()) do
    if type(value) == "table" and key ~= "_arguments" and
       getmetatable(value) == nil then
      tables[#tables + 1] = {key, value}
    end
  end
  for _, item in ipairs(tables) do adopt_table(self, item[1], item[2]) end
  return self
end

local classes = {}          -- of this state, by name: those that extend

--- A class of layers: `local Block = nn.Module:extend "Block"`, with
-- `Block:init(...)` and `Block:forward(x)`. The name is how files find it.
function Module:extend(name)
  if type(name) ~= "string" or name == "" then
    error("extend: expected a name, as in nn.Module:extend \"Block\"", 2)
  elseif #name > 63 then
    error("extend: the name of a class has at most 63 bytes", 2)
  elseif rawget(nn, name) then
    error(("extend: nn.%s is there already, and files could not tell the " ..
           "two apart; choose another name"):format(name), 2)
  end
  local class = setmetatable({_name = name},
                             {__index = self, __call = new_instance})
  classes[name] = class
  return class
end

function Module:eval() return self:train(false) end

-- A list without what appears a second time (shared parameters).
local function unique(names, values, kinds, kind)
  local seen, list, paths = {}, {}, {}
  for i, value in ipairs(values) do
    if (not kind or kinds[i] == kind) and not seen[value] then
      seen[value] = true
      list[#list + 1] = value
      paths[#paths + 1] = names[i]
    end
  end
  return list, paths
end

local function iterate(list, paths)
  local i = 0
  return function()
    i = i + 1
    if list[i] then return paths[i], list[i] end
  end
end

--- A list of all parameters, each once.
function Module:parameters()
  local names, values, kinds = self:_tensors()
  return (unique(names, values, kinds, "parameter"))
end

--- How many numbers the parameters hold, each once.
function Module:num_parameters()
  local n = 0
  for _, p in ipairs(self:parameters()) do n = n + p:numel() end
  return n
end

--- Iterates over name, parameter.
function Module:named_parameters()
  local names, values, kinds = self:_tensors()
  return iterate(unique(names, values, kinds, "parameter"))
end

--- A list of all buffers, each once.
function Module:buffers()
  local names, values, kinds = self:_tensors()
  return (unique(names, values, kinds, "buffer"))
end

--- Iterates over name, buffer.
function Module:named_buffers()
  local names, values, kinds = self:_tensors()
  return iterate(unique(names, values, kinds, "buffer"))
end

--- A list of the modules one level below.
function Module:children()
  local _, values = self:_children()
  return values
end

--- Iterates over name, module of the level below.
function Module:named_children()
  local names, values = self:_children()
  return iterate(values, names)
end

--- A list of this module and all below it, each once.
function Module:modules()
  local names, values = self:_modules()
  return (unique(names, values))
end

--- Iterates over name, module; this one is named "".
function Module:named_modules()
  return iterate(unique(self:_modules()))
end

--- Calls f(module) for all below it, then for itself.
function Module:apply(f)
  for _, child in ipairs(self:children()) do child:apply(f) end
  f(self)
  return self
end

function Module:zero_grad()
  for _, p in ipairs(self:parameters()) do p.grad = nil end
end

--- Freezes (false) or thaws all parameters.
function Module:requires_grad_(on)
  for _, p in ipairs(self:parameters()) do p.requires_grad = on ~= false end
  return self
end

--- All parameters and buffers by name: the tensors themselves, no copies.
function Module:state_dict()
  local names, values = self:_tensors()
  local state = {}
  for i, name in ipairs(names) do state[name] = values[i] end
  return state
end

local function shape_text(t) return table.concat(t.shape, "x") end

-- The first ten of a sorted list, and how many there are.
local function some(list)
  table.sort(list)
  local text = table.concat(list, ", ", 1, math.min(#list, 10))
  if #list > 10 then text = text .. (", ... (%d in all)"):format(#list) end
  return text
end

local function compare_states(own, given)
  local missing, left, shapes = {}, {}, {}
  for name, t in pairs(own) do
    local other = given[name]
    if other == nil then missing[#missing + 1] = name
    elseif not neap.is_tensor(other) then
      error(("load_state_dict: '%s' is a %s, not a tensor")
            :format(name, type(other)), 3)
    elseif shape_text(t) ~= shape_text(other) then
      shapes[#shapes + 1] = ("%s is %s, expected %s")
        :format(name, shape_text(other), shape_text(t))
    end
  end
  for name in pairs(given) do
    if own[name] == nil then left[#left + 1] = name end
  end
  return missing, left, shapes
end

--- Copies tensors by name into this module. Everything is compared first:
-- what is missing, left over or of another shape is an error that lists it,
-- and nothing is loaded. With `strict = false` names may be missing or left
-- over.
function Module:load_state_dict(given, options)
  if neap._is_metadata(options) then options = nil end   -- of neap.load
  for key in pairs(options or {}) do
    if key ~= "strict" then
      error(("load_state_dict: no option '%s'; there is strict")
            :format(tostring(key)), 2)
    end
  end
  local strict = not options or options.strict ~= false
  local own = self:state_dict()
  local missing, left, shapes = compare_states(own, given)
  local complaints = {}
  if strict and #missing > 0 then
    complaints[#complaints + 1] = "missing: " .. some(missing)
  end
  if strict and #left > 0 then
    complaints[#complaints + 1] = "left over: " .. some(left)
  end
  if #shapes > 0 then
    complaints[#complaints + 1] = "mis-shaped: " .. some(shapes)
  end
  if #complaints > 0 then
    error("load_state_dict: nothing was loaded; " ..
          table.concat(complaints, "; "), 2)
  end
  neap.no_grad(function()
    for name, t in pairs(own) do
      if given[name] then t:copy_(given[name]) end
    end
  end)
  return self
end

-- Constructor arguments as plain data for a file. Modules among them are
-- tables with the key "neap.class", or "neap.same" with the path of one
-- that was described before.
local CLASS, SAME = "neap.class", "neap.same"
local describe

local function join(path, name)
  return path == "" and tostring(name) or path .. "." .. name
end

-- For a copy in memory: a tensor of its own; others are shared.
local function copied(value)
  if not neap.is_tensor(value) then return value end
  local t = value:detach():clone()
  if value.is_leaf and value.requires_grad then return nn.Parameter(t) end
  return t
end

local function has_methods(value)
  local meta = getmetatable(value)
  return type(meta) == "table" and rawget(meta, "__index") ~= nil
end

local function describe_value(value, context, label, where)
  local kind = type(value)
  if context.live and not nn.is_module(value) and
     (kind ~= "table" or getmetatable(value) ~= nil) then
    return copied(value)
  elseif kind == "table" and has_methods(value) then
    error(("save: argument %s of %s is an object, %s; a file holds plain " ..
           "data, such as its state_dict()"):format(where, label,
           (tostring(value):gsub("^table: .*", "of a class"))), 0)
  elseif kind == "table" then
    local copy = {}
    context.depth = (context.depth or 0) + 1
    if context.depth > 100 then
      error(("save: argument %s of %s refers to itself"):format(where, label),
            0)
    end
    for key, item in pairs(value) do
      if type(key) ~= "string" and math.type(key) ~= "integer" then
        error(("save: %s has the key %s in argument %s, which a file cannot "
               .. "hold"):format(label, tostring(key), where), 0)
      end
      copy[key] = describe_value(item, context, label, where)
    end
    context.depth = context.depth - 1
    return copy
  elseif kind == "number" and value - value ~= 0 then
    error(("save: argument %s of %s is %s, which a file cannot hold")
          :format(where, label, value), 0)
  elseif kind == "number" or kind == "string" or kind == "boolean" then
    return value
  elseif nn.is_module(value) then
    return describe(value, context, context.paths[value] or "")
  end
  error(("save: argument %s of %s is a %s; a file holds numbers, strings, " ..
         "booleans, tables and modules"):format(where, label, kind), 0)
end

-- context.live: what a file cannot hold stays as it is
-- context.paths: the first path of each module; context.done: those that
-- were described
function describe(module, context, path)
  if context.done[module] then return {[SAME] = context.done[module]} end
  context.done[module] = path
  local name, options, tensors = module:_options()
  local out = {[CLASS] = name, path = path}
  local label = path == "" and name or ("%s (%s)"):format(path, name)
  local arguments = module._arguments
  if arguments then
    out.arguments = {n = arguments.n}
    for i = 1, arguments.n do
      if arguments[i] ~= nil then
        out.arguments[tostring(i)] =
          describe_value(arguments[i], context, label, i)
      end
    end
  elseif not module:_is_container() then
    out.options, out.tensors = options, {}
    for key in pairs(tensors) do table.insert(out.tensors, key) end
  else
    out.options, out.modules = options, {}
    local names, children = module:_children()
    for i, child in ipairs(children) do
      out.modules[i] = describe(child, context, join(path, names[i]))
    end
    if name == "ModuleDict" then out.names = names end
  end
  return out
end

-- Names of tensors that are another one's second name: {second, first}.
local function tied_names(module)
  local names, values = module:_tensors()
  local first, tied, state = {}, {}, {}
  for i, t in ipairs(values) do
    if first[t] then tied[#tied + 1] = {names[i], first[t]}
    else
      first[t] = names[i]
      state[names[i]] = t
    end
  end
  return tied, state
end

-- The tree of a module, the parameters that are computed of others, and
-- names that are second ones; and all tensors by name.
local function described(module, live)
  local context = {paths = {}, done = {}, live = live}
  local computed = {}
  for path, child in module:named_modules() do
    context.paths[child] = path
    for _, r in ipairs(child:_reparams()) do
      r.path = path
      computed[#computed + 1] = r
    end
  end
  local tied, state = tied_names(module)
  return {tree = describe(module, context, ""), tied = tied,
          computed = computed}, state
end

-- The tree of a module as plain data, for a file.
function Module:_description() return (described(self)) end

--- Saves the layer tree and all parameters and buffers in one file of
-- data. A layer written in Lua is kept as the name of its class and the
-- arguments of its constructor. What is shared is written once and shared
-- again after loading.
function Module:save(path)
  neap._check_path("save", path)
  local ok, description, state = pcall(described, self)
  if not ok then error(description, 2) end
  neap.save(path, state, {
    ["neap.version"] = neap._VERSION,
    ["neap.module"] = json.encode(description)
  })
end

local build

local function build_value(value, context)
  if type(value) ~= "table" or getmetatable(value) then return value end
  if value[CLASS] or value[SAME] then return build(value, context) end
  local copy = {}
  for key, item in pairs(value) do
    copy[math.tointeger(tonumber(key)) or key] = build_value(item, context)
  end
  return copy
end

-- Transforms are called "data.Log" and load when a file needs one.
local function class_named(name)
  if tostring(name):find "^data%." then require "neap.data" end
  if tostring(name):find "^model%." then require "neap.model" end
  local class = classes[name] or nn[name]
  if type(class) == "table" and class._layer then return class end
  error(("the model has a layer of class '%s', which is not known here: " ..
         "require the file that defines it (nn.Module:extend \"%s\")")
        :format(tostring(name), tostring(name)), 0)
end

-- context.state: tensors of the file; context.made: modules by path
function build(tree, context)
  if tree[SAME] then
    return context.made[tree[SAME]] or
           error("the model refers to a module that is not there", 0)
  end
  local class = class_named(tree[CLASS])
  local module
  if tree.arguments then
    local arguments = build_value(tree.arguments, context)
    module = class(table.unpack(arguments, 1, arguments.n or 0))
  elseif tree.modules then
    local modules = tree.options or {}
    for i, child in ipairs(tree.modules) do
      local made = build(child, context)
      modules[i] = tree.names and {tree.names[i], made} or made
    end
    module = class(modules)
  else
    local options = tree.options or {}
    for _, key in ipairs(tree.tensors or {}) do
      options[key] = context.state[join(tree.path, key)]
    end
    module = class(options)
  end
  context.made[tree.path or ""] = module
  return module
end

local function child_named(module, name)
  local names, children = module:_children()
  for i, own in ipairs(names) do
    if own == name then return children[i] end
  end
  error(("the model has no '%s'"):format(name), 0)
end

-- The module at a path, and the one that holds the tensor of a path, with
-- the tensor's name there.
local function module_at(module, path)
  for name in path:gmatch "[^.]+" do module = child_named(module, name) end
  return module
end

local function holder(module, path)
  local parent, name = path:match "^(.*)%.([^.]+)$"
  return module_at(module, parent or ""), name or path
end

local function tie(module, tied, state)
  for _, pair in ipairs(tied) do
    state[pair[1]] = state[pair[2]]
    local to, to_name = holder(module, pair[1])
    local from, from_name = holder(module, pair[2])
    if not rawequal(to[to_name], from[from_name]) then
      to[to_name] = from[from_name]
    end
  end
end

-- A parameter that is computed of others, unless init made it so.
local function compute_again(module, r)
  for _, own in ipairs(module:_reparams()) do
    if own.name == r.name then return end
  end
  module:_reparametrize(r.kind, r.name, r.dim, r.iterations, r.eps)
end

-- The module of a description {tree =, tied =, computed =} with tensors by
-- name.
local function restore(description, state)
  local module = build(description.tree, {state = state, made = {}})
  for _, r in ipairs(description.computed or {}) do
    compute_again(module_at(module, r.path), r)
  end
  tie(module, description.tied or {}, state)
  for name, p in module:named_parameters() do
    if state[name] and state[name].dtype ~= p.dtype then
      module:to(state[name].dtype)
      break
    end
  end
  return module:load_state_dict(state)
end

--- A copy that shares nothing with this module, but what is shared inside
-- is shared in the copy. A layer written in Lua is made again from the
-- arguments of its constructor.
function Module:clone()
  local ok, result = pcall(function()
    local copy = restore(described(self, true))
    local _, modules = self:_modules()
    local _, copies = copy:_modules()
    for i, module in ipairs(modules) do
      copies[i].training = module.training
    end
    local _, own = self:_tensors()
    local _, others = copy:_tensors()
    for i, t in ipairs(own) do
      if t.is_leaf then others[i].requires_grad = t.requires_grad end
    end
    return copy
  end)
  if not ok then error("clone: " .. tostring(result), 2) end
  return result
end

local function read_description(text, path)
  local description = neap._json_decode(text, path)
  if type(description) ~= "table" or type(description.tree) ~= "table" then
    error("neap.module is not a layer tree", 0)
  end
  return description
end

--- Builds the module that `module:save(path)` wrote. It is in training
-- mode, as a new one: call `:eval()` before using it.
function nn.load(path)
  neap._check_path("load", path)
  local state, metadata = neap.load(path)
  local text = metadata["neap.module"]
  if not text then
    error(("load: %s holds tensors but no module; use neap.load and " ..
           "load_state_dict"):format(path), 2)
  end
  for name in pairs(state) do       -- what net:export put beside the module
    if name:find "^neap%." then state[name] = nil end
  end
  local ok, result = pcall(function()
    return restore(read_description(text, path), state)
  end)
  if not ok then error(("load: %s: %s"):format(path, result), 2) end
  return result
end

-- What stands in the parentheses of a layer: its options, or what a layer
-- written in Lua says by `extra_repr`.
local function details(module, options, names)
  if module.extra_repr then return module:extra_repr() end
  local parts = {}
  for _, name in ipairs(names or {}) do
    local value = options[name]
    if type(value) == "table" then
      value = ("{%s}"):format(table.concat(value, ", "))
    end
    if value ~= nil then
      parts[#parts + 1] = ("%s=%s"):format(name, value)
    end
  end
  return table.concat(parts, ", ")
end

-- Children as the program reaches them: [1] or .fc
local function reached(name)
  local i = math.tointeger(tonumber(name))
  return i and ("[%d]"):format(i + 1) or "." .. name
end

-- One line for a layer, a block for a tree.
local function print_module(module, indent)
  local name, options, _, order = module:_options()
  local lines = {name .. "(" .. details(module, options, order)}
  local names, children = module:_children()
  if #children == 0 then return lines[1] .. ")" end
  for i, child in ipairs(children) do
    lines[#lines + 1] = ("%s  %s %s")
      :format(indent, reached(names[i]), print_module(child, indent .. "  "))
  end
  return table.concat(lines, "\n") .. "\n" .. indent .. ")"
end

module_meta.__tostring = function(m) return print_module(m, "") end

return nn
