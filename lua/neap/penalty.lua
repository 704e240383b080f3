--- Penalties on weights: optim.L1, optim.L2, optim.ElasticNet.
--
--     local penalty = optim.ElasticNet{l1 = 1e-5, l2 = 1e-4}
--     loss = loss_of(net(x), y) + penalty(net)        -- a value with gradient
--
--     loss:backward()
--     penalty:add_gradients(net)     -- the same in one pass over each weight
--
--     penalty = optim.L1{l1 = 1e-4, proximal = true}
--     opt:step()
--     penalty:step(opt)              -- weights below lr * l1 become 0
--
-- The penalty is l1 sum |w| + l2 sum w^2. Steps along the gradient of |w|
-- hover around 0; a proximal step makes exact zeros. Parameters of fewer
-- than two dimensions (biases, factors of norms) are left out, unless
-- `bias = true`.

local neap = require "neap"
local fail = neap._fail
local options = require "neap.options"
local optim = neap.optim

local Penalty = {}
Penalty.__index = Penalty

-- The parameters that are meant, of a module or a list.
local function parameters_of(self, who, given)
  if neap.nn.is_module(given) then given = given:parameters() end
  if type(given) ~= "table" then
    fail("%s: expected a module or a list of parameters, not %s", who,
         neap.is_tensor(given) and "a tensor" or type(given))
  end
  local list = {}
  for i, p in ipairs(given) do
    if not neap.is_tensor(p) then
      fail("%s: parameter %d is a %s, not a tensor", who, i, type(p))
    end
    if self.bias or p.ndim >= 2 then list[#list + 1] = p end
  end
  return list
end

local function add(total, value)
  return total and total + value or value
end

--- The value, as a tensor of no dimensions with a gradient.
function Penalty:__call(given)
  local total
  for _, p in ipairs(parameters_of(self, self.name, given)) do
    local flat = p:reshape(-1)
    if self.l1 > 0 then total = add(total, flat:norm(1) * self.l1) end
    if self.l2 > 0 then total = add(total, flat:dot(flat) * self.l2) end
  end
  return total or neap.zeros{}
end

--- Adds the penalty's gradient to that of each parameter which has one.
function Penalty:add_gradients(given)
  neap.no_grad(function()
    for _, p in ipairs(parameters_of(self, "add_gradients", given)) do
      if p.grad then
        p.grad:elastic_slope_(p, {l1 = self.l1, l2 = self.l2})
      end
    end
  end)
end

--- A proximal step for all parameters of an optimiser, as long as its
-- learning rates: after opt:step().
function Penalty:step(optimizer)
  local groups = (type(optimizer) == "userdata" or
                  type(optimizer) == "table") and optimizer.param_groups
  if not groups then fail("%s: step expects an optimiser", self.name) end
  neap.no_grad(function()
    for _, group in ipairs(groups) do
      local o = {l1 = self.l1 * group.lr, l2 = self.l2 * group.lr}
      for _, p in ipairs(parameters_of(self, "step", group.params)) do
        if p.requires_grad then p:elastic_shrink_(o) end
      end
    end
  end)
end

-- A constructor: the options it takes beside those of all.
local function define(name, factors)
  optim[name] = function(given)
    if type(given) == "number" and #factors == 1 then
      given = {[factors[1]] = given}
    end
    local declared = {{"bias", "boolean", default = false},
                      {"proximal", "boolean", default = false}}
    for _, factor in ipairs(factors) do
      table.insert(declared, {factor, "number", required = true, least = 0})
    end
    local self = options.read(name, given, declared)
    self.name, self.l1, self.l2 = name, self.l1 or 0, self.l2 or 0
    return setmetatable(self, Penalty)
  end
end

define("L1", {"l1"})
define("L2", {"l2"})
define("ElasticNet", {"l1", "l2"})

--- Scales the rows of weights (all that leads to one unit) whose norm is
-- above `max_norm` down to it (Srivastava et al. 2014, section 5.1); after
-- opt:step(). Options: p (2), dim (1), bias (false).
function neap.nn.utils.max_norm_(given, max_norm, o)
  o = options.read("max_norm_", o, {
    {"p", "number", default = 2, least = 0}, {"dim", "integer", default = 1},
    {"bias", "boolean", default = false}})
  if type(max_norm) ~= "number" or max_norm < 0 then
    fail("max_norm_: expected a number of 0 or more, not %s",
         type(max_norm) == "number" and max_norm or type(max_norm))
  end
  neap.no_grad(function()
    for _, w in ipairs(parameters_of(o, "max_norm_", given)) do
      w:copy_(w:renorm(o.p, o.dim, max_norm))
    end
  end)
end

return Penalty
