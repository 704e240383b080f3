--- Optimisers: what is written in Lua of neap.optim.

local neap = require "neap"
local methods = neap._optim_methods
neap._optim_methods = nil

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

--- Takes over a state_dict; its tensors are copied and take the type of
-- their parameters.
function methods:load_state_dict(dict)
  if #dict.param_groups ~= #self.param_groups then
    error(("load_state_dict: the state has %d groups, the optimiser %d")
          :format(#dict.param_groups, #self.param_groups), 2)
  end
  for g, group in ipairs(self.param_groups) do
    local given = dict.param_groups[g]
    if #given.params ~= #group.params then
      error(("load_state_dict: group %d has %d parameters, expected %d")
            :format(g, #given.params, #group.params), 2)
    end
  end
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

return neap.optim
