--- optim.Adafactor: steps as Adam's, with the mean square of a matrix of
-- gradients kept as its rows' and columns' means alone, so that the state is
-- small (Shazeer and Stern 2018, algorithms 4 to 6).
--
-- Options: lr (none: relative steps, min(1e-2, 1 / sqrt(t)), times the size
-- of the parameter), eps ({1e-30, 1e-3}: added to squares; least size of a
-- parameter), clip_threshold (1: largest root mean square of a step, before
-- lr), decay_rate (-0.8), beta1 (none: no momentum), weight_decay (0, beside
-- the step), scale_parameter (true), warmup_init (false: relative steps
-- begin at 1e-6 t).

local neap = require "neap"
local fail = neap._fail
local options = require "neap.options"

local Adafactor = {}
Adafactor.__index = Adafactor

local declared = {
  {"lr", "number", least = 0}, {"eps", "table", default = {1e-30, 1e-3}},
  {"clip_threshold", "number", default = 1, least = 0},
  {"decay_rate", "number", default = -0.8, most = 0},
  {"beta1", "number", least = 0, most = 1},
  {"weight_decay", "number", default = 0, least = 0},
  {"scale_parameter", "boolean", default = true},
  {"warmup_init", "boolean", default = false}
}

local function new(params, given)
  if type(params) ~= "table" or #params == 0 then
    fail("Adafactor: expected a list of parameters, as net:parameters() " ..
         "gives it")
  end
  for i, p in ipairs(params) do
    if not neap.is_tensor(p) or not p.is_leaf or
       not p:is_floating_point() then
      fail("Adafactor: parameter %d is no leaf of real numbers", i)
    end
  end
  local group = options.read("Adafactor", given, declared)
  group.params = params
  return setmetatable({param_groups = {group}, name = "Adafactor",
                       state = {}}, Adafactor)
end

function Adafactor:zero_grad()
  for _, p in ipairs(self.param_groups[1].params) do p.grad = nil end
end

local function rms(t) return (t * t):mean():sqrt():item() end

-- How long a step is, before its own size.
local function rate_of(o, p, step)
  local rate = o.lr
  if not rate then
    local most = o.warmup_init and 1e-6 * step or 1e-2
    rate = math.min(most, 1 / math.sqrt(step))
  end
  return o.scale_parameter and rate * math.max(o.eps[2], rms(p)) or rate
end

-- 1 / sqrt of the mean square of gradients, kept as rows' and columns'
-- means: v_ij = r_i c_j / mean(r).
local function factored(state, square, decay)
  local rows, columns = square:mean(-1), square:mean(-2)
  state.row = state.row and state.row * decay + rows * (1 - decay) or rows
  state.column = state.column and
                 state.column * decay + columns * (1 - decay) or columns
  local r = state.row / state.row:mean{dim = -1, keepdim = true}
  return (r:unsqueeze(-1) * state.column:unsqueeze(-2)):rsqrt()
end

local function whole(state, square, decay)
  state.square = state.square and
                 state.square * decay + square * (1 - decay) or square
  return state.square:rsqrt()
end

local function update(o, state, p, g)
  state.step = (state.step or 0) + 1
  local decay = 1 - state.step ^ o.decay_rate      -- 0 at the first step
  local square = g * g + o.eps[1]
  local inverse = (p.ndim >= 2 and factored or whole)(state, square, decay)
  local u = g * inverse
  u = u * (rate_of(o, p, state.step) /
           math.max(1, rms(u) / o.clip_threshold))
  if o.beta1 then
    state.mean = state.mean and state.mean * o.beta1 + u * (1 - o.beta1) or
                 u * (1 - o.beta1)
    u = state.mean
  end
  if o.weight_decay > 0 then
    p:mul_(1 - o.weight_decay * rate_of(o, p, state.step))
  end
  p:sub_(u)
end

--- One update of all parameters that have a gradient; see optimizer:step.
function Adafactor:step(closure)
  local loss = closure and neap.enable_grad(closure)
  local o = self.param_groups[1]
  neap.no_grad(function()
    for i, p in ipairs(o.params) do
      if p.grad and p:numel() > 0 then
        self.state[i] = self.state[i] or {}
        update(o, self.state[i], p, p.grad:detach())
      end
    end
  end)
  return loss
end

local function copied(state)
  local copy = {}
  for i, values in pairs(state) do
    copy[i] = {}
    for name, value in pairs(values) do
      copy[i][name] = neap.is_tensor(value) and value:clone() or value
    end
  end
  return copy
end

function Adafactor:state_dict()
  local group = {params = {}}
  for name, value in pairs(self.param_groups[1]) do
    if name ~= "params" then group[name] = value end
  end
  for i = 1, #self.param_groups[1].params do group.params[i] = i end
  return {state = copied(self.state), param_groups = {group}}
end

function Adafactor:load_state_dict(dict)
  local own = self.param_groups[1]
  local group = type(dict) == "table" and type(dict.state) == "table" and
                type(dict.param_groups) == "table" and dict.param_groups[1]
  if not group or #group.params ~= #own.params then
    fail("load_state_dict: expected what state_dict gave for %d parameters",
         #own.params)
  end
  for _, o in ipairs(declared) do own[o[1]] = group[o[1]] end
  self.state = copied(dict.state)
end

neap.optim.Adafactor = new
return new
