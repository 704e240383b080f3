--- Clipping gradients: nn.utils.clip_grad_norm_, nn.utils.clip_grad_value_.

local neap = require "neap"
local fail = neap._fail
local options = require "neap.options"

local utils = neap.nn.utils or {}
neap.nn.utils = utils

-- Gradients that are there, of a list of parameters or one of them.
local function gradients(who, parameters)
  if neap.is_tensor(parameters) then parameters = {parameters} end
  local list = {}
  for i, p in ipairs(parameters) do
    if not neap.is_tensor(p) then
      fail("%s: parameter %d is a %s, not a tensor", who, i, type(p))
    end
    list[#list + 1] = p._grad_part       -- of rows only what is there
  end
  return list
end

-- (sum |g|^p)^(1 / p) over all elements; the largest for p = infinity
local function total_norm(grads, p)
  local total = 0
  for _, g in ipairs(grads) do
    local norm = g:norm(p):item()
    if p == math.huge then
      total = (norm > total or norm ~= norm) and norm or total
    else total = total + norm ^ p end
  end
  return p == math.huge and total or total ^ (1 / p)
end

--- Scales all gradients by one factor so that their norm, taken as of one
-- vector, is at most `max_norm`: g max_norm / (norm + 1e-6) (Pascanu,
-- Mikolov and Bengio 2013). Options: norm_type (2; math.huge: the largest
-- element), error_if_nonfinite (false).
-- @return the norm before
function utils.clip_grad_norm_(parameters, max_norm, given)
  local o = options.read("clip_grad_norm_", given, {
    {"norm_type", "number", default = 2, least = 0},
    {"error_if_nonfinite", "boolean", default = false}})
  if type(max_norm) ~= "number" then
    fail("clip_grad_norm_: max_norm is a %s, not a number", type(max_norm))
  end
  return neap.no_grad(function()
    local grads = gradients("clip_grad_norm_", parameters)
    local total = total_norm(grads, o.norm_type)
    if o.error_if_nonfinite and total - total ~= 0 then
      fail("clip_grad_norm_: the norm of the gradients is %s", total)
    end
    local factor = max_norm / (total + 1e-6)
    if factor < 1 or factor ~= factor then
      for _, g in ipairs(grads) do g:mul_(factor) end
    end
    return total
  end)
end

--- Moves every element of the gradients into [-value, value].
function utils.clip_grad_value_(parameters, value)
  if type(value) ~= "number" then
    fail("clip_grad_value_: expected a number, not %s", type(value))
  end
  neap.no_grad(function()
    for _, g in ipairs(gradients("clip_grad_value_", parameters)) do
      g:clamp_(-value, value)
    end
  end)
end

return utils
