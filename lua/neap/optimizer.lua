--- Optimisers: what is written in Lua of neap.optim.

local neap = require "neap"
local methods = neap._optim_methods
local handle_meta = neap._optim_meta
neap._optim_methods, neap._optim_meta = nil, nil

--- One update of all parameters that have a gradient. With a closure,
-- calls it first (it computes the loss and the gradients) and returns its
-- result.
function methods:step(closure)
  local loss
  if closure then
    loss = neap.enable_grad(closure)
  end
  self:_step()
  return loss
end

--- State and options: `state[i]` holds `step` and the state tensors of the
-- i-th parameter, `param_groups[g]` the options and the numbers of its
-- parameters.
function methods:state_dict()
  local dict, at = {state = {}, param_groups = {}}, 0
  for g, group in ipairs(self.param_groups) do
    local copy = {params = {}}
    for _, name in ipairs(self:_options()) do
      copy[name] = group[name]
    end
    for i = 1, #group.params do
      at = at + 1
      copy.params[i] = at
      local step, slots = self:_state(at)
      if step > 0 then
        slots.step = step
        dict.state[at] = slots
      end
    end
    dict.param_groups[g] = copy
  end
  return dict
end

-- Fails unless a state_dict fits this optimiser; nothing is changed.
local function check_state(self, dict)
  local groups = type(dict) == "table" and dict.param_groups
  if type(groups) ~= "table" or type(dict.state) ~= "table" then
    error("load_state_dict: expected a table with state and param_groups", 3)
  elseif #groups ~= #self.param_groups then
    error(("load_state_dict: the state has %d groups, the optimiser %d")
          :format(#groups, #self.param_groups), 3)
  end
  for g, group in ipairs(self.param_groups) do
    local params, given = group.params, groups[g].params
    if type(given) ~= "table" or #given ~= #params then
      error(("load_state_dict: group %d has %d parameters, expected %d")
            :format(g, #(given or {}), #params), 3)
    end
    for i, p in ipairs(params) do
      local shape = table.concat(p.shape, "x")
      for name, t in pairs(dict.state[given[i]] or {}) do
        if neap.is_tensor(t) and table.concat(t.shape, "x") ~= shape then
          error(("load_state_dict: %s of parameter %d is %s, expected %s")
                :format(name, i, table.concat(t.shape, "x"), shape), 3)
        end
      end
    end
  end
end

--- Takes over a state_dict; its tensors are copied and take the type of
-- their parameters. Everything is checked before anything changes.
function methods:load_state_dict(dict)
  check_state(self, dict)
  local at = 0
  for g, group in ipairs(self.param_groups) do
    local given = dict.param_groups[g]
    for _, name in ipairs(self:_options()) do
      if given[name] ~= nil then group[name] = given[name] end
    end
    for i = 1, #given.params do
      at = at + 1
      local state = dict.state[given.params[i]]
      if state then self:_set_state(at, state.step, state)
      else self:_set_state(at, 0, {}) end
    end
  end
end

handle_meta.__newindex = function(_, key)
  neap._fail("an optimiser has no field '%s' to assign; options are those " ..
             "of its groups: opt.param_groups[1].lr = 0.1", tostring(key))
end

local function option_text(value)
  if type(value) ~= "table" then return tostring(value) end
  return ("{%s}"):format(table.concat(value, ", "))
end

-- Adam(lr=0.001, betas={0.9, 0.999}, ...; 4 parameters), a line a group
handle_meta.__tostring = function(self)
  local lines = {}
  for g, group in ipairs(self.param_groups) do
    local parts = {}
    for i, name in ipairs(self:_options()) do
      parts[i] = ("%s=%s"):format(name, option_text(group[name]))
    end
    lines[g] = ("%s(%s; %d parameters)"):format(
      self.name, table.concat(parts, ", "), #group.params)
  end
  return table.concat(lines, "\n")
end

return neap.optim
