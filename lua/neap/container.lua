--- Containers: what is written in Lua of layers that are made of layers.

local neap = require "neap"
local fail = neap._fail
local nn = neap.nn

-- The same as in C, for branches with layers that are written in Lua: each
-- may yield.
local function in_turn(self, x)
  for _, child in ipairs(self:children()) do x = child(x) end
  return x
end

-- The forward of a container: in C, unless there are layers in Lua.
local function define(class, in_lua)
  local in_c = class.forward
  function class:forward(...)
    if not self:_foreign() then return in_c(self, ...) end
    return in_lua(self, ...)
  end
end

define(nn.Residual, function(self, x) return x + in_turn(self, x) end)

local merges = {
  cat = function(self, results) return neap.cat(results, self.dim) end,
  sum = function(_, results)
    local y = results[1]
    for i = 2, #results do y = y + results[i] end
    return y
  end,
  mul = function(_, results)
    local y = results[1]
    for i = 2, #results do y = y * results[i] end
    return y
  end
}

define(nn.Parallel, function(self, x)
  local results = {}
  for i, child in ipairs(self:children()) do results[i] = child(x) end
  if #results == 0 then return x end
  return merges[self.merge](self, results)
end)

local ModuleDict = nn.ModuleDict
local empty = ModuleDict.init

--- ModuleDict{encoder = ..., decoder = ...}: modules by name, in the order
-- of their names; or a list {{name, module}, ...}, which keeps its order.
-- More may be assigned later. `named_children()` iterates.
function ModuleDict:init(given)
  empty(self)
  if given ~= nil and type(given) ~= "table" then
    fail("ModuleDict: expected a table of modules, not %s", type(given))
  end
  local list = {table.unpack(given or {})}
  local names = {}
  for name in pairs(given or {}) do
    if type(name) == "string" then names[#names + 1] = name
    elseif math.type(name) ~= "integer" then
      fail("ModuleDict: the key %s is no name", tostring(name))
    end
  end
  table.sort(names)
  for _, name in ipairs(names) do list[#list + 1] = {name, given[name]} end
  for i, pair in ipairs(list) do
    local name, module
    if type(pair) == "table" then name, module = pair[1], pair[2] end
    if type(name) ~= "string" or not nn.is_module(module) then
      fail("ModuleDict: entry %s is no module with a name",
           type(name) == "string" and ("'%s'"):format(name) or tostring(i))
    elseif nn.Module[name] or name == "training" or name:find "^_" then
      fail("ModuleDict: '%s' is a method of modules; choose another name",
           name)
    end
    self[name] = module
  end
end

--- Lambda(f): a function as a layer. A file cannot hold it: a class of
-- your own, nn.Module:extend, can be saved.
local Lambda = nn.Module:extend "Lambda"
nn.Lambda = Lambda

function Lambda:init(f)
  if type(f) ~= "function" then
    fail("Lambda: expected a function, not %s",
         neap.is_tensor(f) and "a tensor" or type(f))
  end
  self.f = f
end

function Lambda:forward(...) return self.f(...) end

return nn
