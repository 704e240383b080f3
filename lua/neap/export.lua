--- Models for hosts without Lua: recorded graphs, and plans that run them.

local neap = require "neap"
local fail = neap._fail
local options = require "neap.options"
local json = require "neap.json"
local Module = neap.nn.Module

local declared = {
  {"inputs", "table", help = "names of the inputs"},
  {"allow_numbers", "boolean", default = false},
  {"fold", "boolean", default = false},
  {"check", "boolean", default = true}
}

-- Tensors in tables of tables, in their order.
local function flatten(value, list)
  if neap.is_tensor(value) then list[#list + 1] = value
  elseif type(value) == "table" and not neap.nn.is_module(value) then
    for _, entry in ipairs(value) do flatten(entry, list) end
  end
  return list
end

-- The same arguments with other tensors in their places.
local function replaced(value, with)
  if neap.is_tensor(value) then return with[value] end
  if type(value) ~= "table" or getmetatable(value) then return value end
  local copy = {}
  for key, entry in pairs(value) do copy[key] = replaced(entry, with) end
  return copy
end

-- A table with string keys only, at the end.
local function is_options(value)
  if type(value) ~= "table" or neap.is_tensor(value) or
     getmetatable(value) then return false end
  return #value == 0 and next(value) ~= nil
end

local function results_of(...)
  local list = flatten(table.pack(...), {})
  if #list == 0 then fail("export: the model gives no tensor") end
  return list
end

-- Calls the module with copies of the tensors among its arguments, in row
-- order; makes(t) makes them.
local function called(self, arguments, makes)
  local with, given = {}, {}
  for i, x in ipairs(flatten(arguments, {})) do
    with[x] = with[x] or makes(x)
    given[i] = with[x]
  end
  local copies = {}
  for i = 1, arguments.n do
    local value = arguments[i]
    copies[i] = replaced(value, with)
    if type(value) == "table" and value.reset then value:reset() end
  end
  return given, function()
    return results_of(self(table.unpack(copies, 1, arguments.n)))
  end
end

local function same(x) return x:detach():clone() end

-- Other numbers of the same kind: of the same size, in another order.
local function other(x)
  local flat = x:detach():reshape(-1)
  local n = flat:numel()
  if n == 0 then return flat:view(x.shape) end
  local y = flat:flip(1)
  if x.dtype:find "float" then y = y * 0.75 + 0.1 end
  return y:contiguous():view(x.shape)
end

local function record(self, arguments, names, o)
  local given, call = called(self, arguments, same)
  neap._trace_begin(given, o.allow_numbers)
  local ok, results = pcall(call)
  if not ok then
    neap._trace_cancel()
    error(results, 0)
  end
  for i = 1, #given do names[i] = names[i] or (i == 1 and "x" or "x" .. i) end
  local tensor_names, tensors = self:_tensors()
  local done, graph, constants = pcall(neap._trace_end, results, names,
                                       tensor_names, tensors, o.fold)
  neap._trace_cancel()
  if not done then error(graph, 0) end
  return {graph = graph, constants = constants, given = given,
          results = results}
end

local function examples(state, given, results)
  for i, x in ipairs(given) do
    state["neap.example.x" .. i] = x:detach():clone()
  end
  for i, y in ipairs(results) do
    state["neap.example.y" .. i] = y:detach():clone()
  end
end

-- The largest number of y, and the largest difference.
local function difference(y, made)
  if y:numel() == 0 then return 0, 0 end
  return y:abs():max():item(), (made - y):abs():max():item()
end

-- Numbers that the program read, or that other functions made, would be
-- those of the example for ever: another input must give what it gives.
local function compare(self, path, arguments)
  local given, call = called(self, arguments, other)
  local plan = neap.plan(path, table.unpack(given))
  local made, want = table.pack(plan(table.unpack(given))), call()
  for i, y in ipairs(want) do
    local scale, worst = difference(y:to("float64"), made[i]:to("float64"))
    if not (worst <= 1e-3 * scale + 1e-6) and worst == worst then
      fail("export: for another input the recorded graph gives something " ..
           "else (result %d differs by %.3g): what the model does depends " ..
           "on numbers of its input", i, worst)
    end
  end
end

local function export(self, path, arguments, o)
  local state, names = {}, o.inputs or {}
  local made = record(self, arguments, names, o)
  for name, t in pairs(self:state_dict()) do
    if not o.fold or made.graph:find('"' .. name .. '"', 1, true) then
      state[name] = t
    end
  end
  for name, t in pairs(made.constants) do state[name] = t end
  examples(state, made.given, made.results)
  local metadata = {
    ["neap.version"] = neap._VERSION, ["neap.graph"] = made.graph,
    ["neap.index_base"] = "1"}
  local ok, tree = pcall(self._description, self)
  if ok and not o.fold then metadata["neap.module"] = json.encode(tree) end
  local fresh = path .. ".new"        -- a file stands only if it is right
  neap.save(fresh, state, metadata)
  local good, why = pcall(function()
    if o.check then compare(self, fresh, arguments) end
  end)
  if good then good, why = os.rename(fresh, path) end
  if not good then
    os.remove(fresh)
    error(why, 0)
  end
end

--- Writes a file that runs without Lua: what the model computes for these
-- inputs is recorded as a graph of operations; neap.h runs it for inputs of
-- the same shapes. The module is called in eval mode. What the program does
-- with Lua numbers is recorded as it came out: reading a number that depends
-- on an input is an error (unless the last argument has allow_numbers =
-- true). After writing, the file is run with another input and compared
-- (check = false leaves that out). The example and its results are in the
-- file, for hosts to check. With fold = true batch normalisation becomes part
-- of the weights before it: faster and smaller, results differ in their last
-- bits, and the file can only run (nn.load does not read it).
-- @param path the file
-- @param ... inputs, as in a call; options {inputs = {"x", ...}, ...}
function Module:export(path, ...)
  neap._check_path("export", path)
  local arguments, given = table.pack(...), nil
  if is_options(arguments[arguments.n]) then
    given = arguments[arguments.n]
    arguments[arguments.n] = nil
    arguments.n = arguments.n - 1
  end
  local o = options.read("export", given, declared)
  if #flatten(arguments, {}) == 0 then
    fail("export: an example of the input is needed, such as " ..
         "net:export(path, neap.zeros(1, 784))")
  end
  local modes = {}
  for _, module in ipairs(self:modules()) do
    modes[module] = module.training
  end
  self:eval()
  local ok, why = pcall(neap.no_grad, export, self, path, arguments, o)
  for module, training in pairs(modes) do module.training = training end
  if not ok then fail((tostring(why):gsub("^[^%s:]+:%d+: ", ""))) end
  return self
end

--- A model file as a plan, as hosts run it: for inputs like these, or as it
-- was recorded. `plan(x, ...)` gives its results; recurrent layers go on
-- where the last call ended, until plan:reset(). Fewer rows than the plan was
-- made for (places of the first dimension) take the time of fewer rows, if
-- rows do not meet in the model. `plan:give(x, ...)`,
-- `plan:step(seconds)` (true when it is done) and `plan:results()` do the
-- same bit by bit; `plan:state()` and `plan:restore(state)` go back in time;
-- `plan:info()` has its bytes.
function neap.plan(path, ...)
  neap._check_path("plan", path)
  return neap._plan(path, flatten(table.pack(...), {}))
end

--- Runs the examples in a model file: how many there are, and the largest
-- difference, relative to the largest number of a result.
function neap.check_model(path)
  neap._check_path("check_model", path)
  return neap._check_model(path)
end

return Module
