--- optim.LBFGS: limited-memory BFGS (Nocedal and Wright 2006, algorithms 7.4
-- and 7.5), for few parameters and whole data sets.
--
--     local opt = optim.LBFGS(params, {line_search_fn = "strong_wolfe"})
--     opt:step(function()
--       opt:zero_grad()
--       local loss = f()
--       loss:backward()
--       return loss
--     end)
--
-- A step calls the function several times. Options: lr (1), max_iter (20)
-- iterations a step, max_eval (5/4 of it) calls, tolerance_grad (1e-7),
-- tolerance_change (1e-9), history_size (100), line_search_fn (none, or
-- "strong_wolfe", which finds the length of each step).

local neap = require "neap"
local fail = neap._fail
local options = require "neap.options"
local linesearch = require "neap.linesearch"

local LBFGS = {}
LBFGS.__index = LBFGS

local declared = {
  {"lr", "number", default = 1, least = 0},
  {"max_iter", "integer", default = 20, least = 1},
  {"max_eval", "integer", least = 1},
  {"tolerance_grad", "number", default = 1e-7, least = 0},
  {"tolerance_change", "number", default = 1e-9, least = 0},
  {"history_size", "integer", default = 100, least = 1},
  {"line_search_fn", "string", choices = {"strong_wolfe"}}
}

local function new(params, given)
  if neap.nn.is_module(params) then
    fail("LBFGS: expected a list of parameters, as net:parameters() gives it")
  elseif type(params) ~= "table" or #params == 0 then
    fail("LBFGS: expected a list of parameters")
  end
  for i, p in ipairs(params) do
    if not neap.is_tensor(p) or not p.is_leaf then
      fail("LBFGS: parameter %d is %s, expected a tensor that is a leaf (one "
           .. "group of parameters is all it takes)", i,
           neap.is_tensor(p) and "computed from others" or "a " .. type(p))
    end
  end
  local group = options.read("LBFGS", given, declared)
  group.max_eval = group.max_eval or group.max_iter * 5 // 4
  group.params = params
  return setmetatable({param_groups = {group}, name = "LBFGS",
                       state = {n_iter = 0, func_evals = 0, y = {}, s = {},
                                rho = {}}}, LBFGS)
end

function LBFGS:zero_grad()
  for _, p in ipairs(self.param_groups[1].params) do p.grad = nil end
end

-- All gradients as one vector.
local function flat_gradient(self)
  local parts = {}
  for i, p in ipairs(self.param_groups[1].params) do
    parts[i] = (p.grad or neap.zeros_like(p)):detach():reshape(-1)
  end
  return neap.cat(parts)
end

-- Parameters = x + t d, for a list x of their values.
local function place(self, x, t, d)
  local at = 1
  for i, p in ipairs(self.param_groups[1].params) do
    local n = p:numel()
    p:copy_(x[i] + d[{{at, at + n - 1}}]:reshape(p.shape) * t)
    at = at + n
  end
end

local function values_of(self)
  local list = {}
  for i, p in ipairs(self.param_groups[1].params) do
    list[i] = p:detach():clone()
  end
  return list
end

local function dot(a, b) return a:dot(b):item() end
local function largest(v) return v:abs():max():item() end

-- What the function says at the present place: {f =, g =}.
local function evaluate(self, closure)
  local loss = neap.enable_grad(closure)
  local f = neap.is_tensor(loss) and loss:item() or loss
  if type(f) ~= "number" then
    fail("LBFGS: the function gave %s, expected the loss", type(f))
  end
  self.state.func_evals = self.state.func_evals + 1
  return {f = f, g = flat_gradient(self)}, loss
end

-- The direction -H g from the last differences (algorithm 7.4).
local function two_loops(state, g)
  local q, alpha = -g, {}
  for i = #state.s, 1, -1 do
    alpha[i] = dot(state.s[i], q) * state.rho[i]
    q = q - state.y[i] * alpha[i]
  end
  q = q * state.scale
  for i = 1, #state.s do
    local beta = dot(state.y[i], q) * state.rho[i]
    q = q + state.s[i] * (alpha[i] - beta)
  end
  return q
end

-- Notes what the last step of d t changed.
local function remember(state, g, most)
  local y, s = g - state.last_g, state.d * state.t
  local ys = dot(y, s)
  if ys <= 1e-10 then return end
  if #state.s == most then
    for _, list in ipairs{state.s, state.y, state.rho} do
      table.remove(list, 1)
    end
  end
  table.insert(state.s, s)
  table.insert(state.y, y)
  table.insert(state.rho, 1 / ys)
  state.scale = ys / dot(y, y)
end

-- A step along d that satisfies the strong Wolfe conditions.
local function line_search(self, closure, now, d, t, slope)
  local x, size = values_of(self), largest(d)
  local change = self.param_groups[1].tolerance_change
  local function at(step)
    place(self, x, step, d)
    local point = evaluate(self, closure)
    point.t, point.slope = step, dot(point.g, d)
    return point
  end
  local start = {t = 0, f = now.f, g = now.g, slope = slope}
  local point = linesearch(at, start, t,
                           function(width) return width * size < change end)
  place(self, x, point.t, d)
  return point, point.t
end

-- One iteration: gives the new {f, g}, or nil where none is possible.
local function iterate(self, closure, now, last)
  local o, state = self.param_groups[1], self.state
  state.n_iter = state.n_iter + 1
  if state.n_iter == 1 then state.d = -now.g
  else
    remember(state, now.g, o.history_size)
    state.d = state.scale and two_loops(state, now.g) or -now.g
  end
  state.last_g = now.g
  state.t = o.lr
  if state.n_iter == 1 then
    state.t = math.min(1, 1 / now.g:abs():sum():item()) * o.lr
  end
  local slope = dot(now.g, state.d)
  if slope > -o.tolerance_change then return nil end
  if o.line_search_fn then
    local point
    point, state.t = line_search(self, closure, now, state.d, state.t, slope)
    return point
  end
  place(self, values_of(self), state.t, state.d)
  return last and now or (evaluate(self, closure))
end

--- Several iterations; `closure` computes the loss and the gradients and
-- returns the loss. Gives the loss before them.
function LBFGS:step(closure)
  if type(closure) ~= "function" then
    fail("LBFGS: step expects a function that computes the loss and the " ..
         "gradients and returns the loss")
  end
  local o, state = self.param_groups[1], self.state
  return neap.no_grad(function()
    local before = state.func_evals
    local now, loss = evaluate(self, closure)
    if largest(now.g) <= o.tolerance_grad then return loss end
    for k = 1, o.max_iter do
      local new_point = iterate(self, closure, now, k == o.max_iter)
      if not new_point then break end
      local change = math.abs(new_point.f - now.f)
      now = new_point
      if state.func_evals - before >= o.max_eval or
         largest(now.g) <= o.tolerance_grad or
         largest(state.d) * state.t <= o.tolerance_change or
         change < o.tolerance_change then break end
    end
    return loss
  end)
end

local kept = {"n_iter", "func_evals", "t", "scale", "d", "last_g"}

-- Lists and tensors of a state, copied.
local function copy_state(from)
  local to = {}
  for _, name in ipairs(kept) do
    local value = from[name]
    to[name] = neap.is_tensor(value) and value:clone() or value
  end
  for _, name in ipairs{"s", "y", "rho"} do
    to[name] = {}
    for i, value in ipairs(from[name]) do
      to[name][i] = neap.is_tensor(value) and value:clone() or value
    end
  end
  return to
end

function LBFGS:state_dict()
  local group = {params = {}}
  for name, value in pairs(self.param_groups[1]) do
    if name ~= "params" then group[name] = value end
  end
  for i = 1, #self.param_groups[1].params do group.params[i] = i end
  return {state = {copy_state(self.state)}, param_groups = {group}}
end

function LBFGS:load_state_dict(dict)
  local state = type(dict) == "table" and type(dict.state) == "table" and
                dict.state[1]
  local group = state and dict.param_groups and dict.param_groups[1]
  local own = self.param_groups[1]
  if not group or #group.params ~= #own.params or not state.n_iter then
    fail("load_state_dict: expected what state_dict gave for %d parameters",
         #own.params)
  end
  for name, value in pairs(group) do
    if name ~= "params" then own[name] = value end
  end
  self.state = copy_state(state)
end

neap.optim.LBFGS = new
return new
