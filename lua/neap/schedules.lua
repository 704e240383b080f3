--- Learning-rate schedules: neap.optim.lr_scheduler.
--
--     local schedule = optim.lr_scheduler.CosineAnnealingLR(opt, {T_max = 10})
--     for epoch = 1, 10 do
--       train(opt)
--       schedule:step()
--     end
--
-- A schedule sets the rates of all groups when it is made, and again at each
-- `step()`: after an epoch, or after a batch, whatever its options count.
-- The rate of a group at the start (`lr`, or `initial_lr` where a schedule
-- was there before) is what it works from. `get_last_lr()` gives the rates;
-- `state_dict()` and `load_state_dict(state)` save and go on.

local neap = require "neap"
local fail = neap._fail
local options = require "neap.options"
local schedules = {}

local Schedule = {}
Schedule.__index = Schedule

local function check_optimizer(who, optimizer)
  local kind = type(optimizer)
  if kind ~= "userdata" and kind ~= "table" or
     not optimizer.param_groups then
    fail("%s: expected an optimiser, not a %s", who,
         neap.is_tensor(optimizer) and "tensor" or kind)
  end
end

-- The rates that the groups start from, noted in them.
local function base_rates(optimizer)
  local list = {}
  for g, group in ipairs(optimizer.param_groups) do
    group.initial_lr = group.initial_lr or group.lr
    list[g] = group.initial_lr
  end
  return list
end

-- Sets the rates of the present step.
local function apply(self)
  for g, group in ipairs(self.optimizer.param_groups) do
    group.lr = self:rate(self.last_epoch, self.base_lrs[g], g)
  end
  if self.momentum then
    local value = self:momentum(self.last_epoch)
    for _, group in ipairs(self.optimizer.param_groups) do
      if value and group.betas then group.betas = {value, group.betas[2]}
      elseif value then group.momentum = value end
    end
  end
end

--- The next step: counts it and sets the rates.
function Schedule:step()
  self.last_epoch = self.last_epoch + 1
  apply(self)
end

--- The rates that are in force, one for each group.
function Schedule:get_last_lr()
  local list = {}
  for g, group in ipairs(self.optimizer.param_groups) do list[g] = group.lr
  end
  return list
end

local function plain(self)
  local state = {last_epoch = self.last_epoch, base_lrs = {}}
  for g, rate in ipairs(self.base_lrs) do state.base_lrs[g] = rate end
  return state
end

--- Where the schedule is, as plain data.
function Schedule:state_dict() return plain(self) end

local function check_state(self, state)
  if type(state) ~= "table" or math.type(state.last_epoch) ~= "integer" or
     type(state.base_lrs) ~= "table" or
     #state.base_lrs ~= #self.base_lrs then
    fail("load_state_dict: expected what state_dict gave, with %d groups",
         #self.base_lrs)
  end
end

--- Goes on where a state was taken.
function Schedule:load_state_dict(state)
  check_state(self, state)
  self.last_epoch = state.last_epoch
  self.base_lrs = {table.unpack(state.base_lrs)}
  apply(self)
  return self
end

-- A constructor. `rate(o, t, base, group)` is the rate at step t; `prepare`
-- may complete the options; `momentum(o, t)`.
local function define(name, declared, rate, prepare, momentum)
  schedules[name] = function(optimizer, given)
    check_optimizer(name, optimizer)
    local o = options.read(name, given, declared)
    if prepare then prepare(o, optimizer) end
    local self = setmetatable({optimizer = optimizer, options = o,
                               name = name, last_epoch = 0}, Schedule)
    self.base_lrs = base_rates(optimizer)
    function self.rate(_, t, base, g) return rate(o, t, base, g) end
    if momentum and o.cycle_momentum then
      function self.momentum(_, t) return momentum(o, t) end
    end
    apply(self)
    return self
  end
end

--- StepLR{step_size, gamma = 0.1}: gamma times as much every step_size.
define("StepLR", {{"step_size", "integer", required = true, least = 1},
                  {"gamma", "number", default = 0.1}},
  function(o, t, base) return base * o.gamma ^ (t // o.step_size) end)

--- MultiStepLR{milestones, gamma = 0.1}: gamma times as much at each.
define("MultiStepLR", {{"milestones", "table", required = true},
                       {"gamma", "number", default = 0.1}},
  function(o, t, base)
    local passed = 0
    for _, m in ipairs(o.milestones) do passed = passed + (t >= m and 1 or 0)
    end
    return base * o.gamma ^ passed
  end)

--- ExponentialLR{gamma}: gamma times as much at every step.
define("ExponentialLR", {{"gamma", "number", required = true}},
  function(o, t, base) return base * o.gamma ^ t end)

--- ConstantLR{factor = 1/3, total_iters = 5}: factor times as much until
-- then.
define("ConstantLR", {{"factor", "number", default = 1 / 3},
                      {"total_iters", "integer", default = 5, least = 0}},
  function(o, t, base) return t < o.total_iters and base * o.factor or base
  end)

--- LinearLR{start_factor = 1/3, end_factor = 1, total_iters = 5}: a factor
-- that goes evenly from one to the other: warm-up.
define("LinearLR", {{"start_factor", "number", default = 1 / 3},
                    {"end_factor", "number", default = 1},
                    {"total_iters", "integer", default = 5, least = 1}},
  function(o, t, base)
    local share = math.min(t, o.total_iters) / o.total_iters
    return base * (o.start_factor + (o.end_factor - o.start_factor) * share)
  end)

--- PolynomialLR{total_iters = 5, power = 1}: to 0 as (1 - t / total)^power.
define("PolynomialLR", {{"total_iters", "integer", default = 5, least = 1},
                        {"power", "number", default = 1}},
  function(o, t, base)
    return base * (1 - math.min(t, o.total_iters) / o.total_iters) ^ o.power
  end)

-- Half a cosine from 1 to 0, for a share from 0 to 1.
local function half_cosine(share) return (1 + math.cos(math.pi * share)) / 2
end

--- CosineAnnealingLR{T_max, eta_min = 0}: half a cosine from the rate to
-- eta_min, and back after T_max (Loshchilov and Hutter 2017).
define("CosineAnnealingLR", {{"T_max", "integer", required = true, least = 1},
                             {"eta_min", "number", default = 0}},
  function(o, t, base)
    return o.eta_min + (base - o.eta_min) * half_cosine(t / o.T_max)
  end)

--- CosineAnnealingWarmRestarts{T_0, T_mult = 1, eta_min = 0}: the same from
-- the start again after T_0 steps, then T_0 T_mult, ...
define("CosineAnnealingWarmRestarts",
  {{"T_0", "integer", required = true, least = 1},
   {"T_mult", "integer", default = 1, least = 1},
   {"eta_min", "number", default = 0}},
  function(o, t, base)
    local length = o.T_0
    if o.T_mult == 1 then t = t % length end
    while t >= length do t, length = t - length, length * o.T_mult end
    return o.eta_min + (base - o.eta_min) * half_cosine(t / length)
  end)

--- LambdaLR{lr_lambda}: times what a function gives for the step, from 0
-- (or a list of functions, one for each group).
define("LambdaLR", {{"lr_lambda", "function|table", required = true}},
  function(o, t, base, g)
    local f = type(o.lr_lambda) == "table" and o.lr_lambda[g] or o.lr_lambda
    if type(f) ~= "function" then
      fail("LambdaLR: lr_lambda has no function for group %d", g)
    end
    return base * f(t)
  end)

local anneal = {
  cos = function(from, to, share)
    return to + (from - to) * half_cosine(share)
  end,
  linear = function(from, to, share) return from + (to - from) * share end
}

local momentum_options = {
  {"cycle_momentum", "boolean", default = true},
  {"base_momentum", "number", default = 0.85},
  {"max_momentum", "number", default = 0.95}
}

local function with_momentum(declared, base, max)
  local list = {table.unpack(declared)}
  for _, o in ipairs(momentum_options) do
    local copy = {table.unpack(o)}
    copy.default = o.default
    list[#list + 1] = copy
  end
  list[#list - 1].default, list[#list].default = base, max
  return list
end

-- The phases of a cycle: where each ends, and from which to which value.
local function phases(o)
  local up = o.pct_start * o.total_steps - 1
  if o.three_phase then
    return {{up, "low", "high"}, {2 * up, "high", "low"},
            {o.total_steps - 1, "low", "end"}}
  end
  return {{up, "low", "high"}, {o.total_steps - 1, "high", "end"}}
end

-- The value at step t, of a table {low =, high =, ["end"] =}.
local function one_cycle(o, t, values)
  if t > o.total_steps then
    fail("OneCycleLR: step %d, but the cycle has %d", t, o.total_steps)
  end
  local list, start = phases(o), 0
  for i, phase in ipairs(list) do
    if t <= phase[1] or i == #list then
      local share = (t - start) / (phase[1] - start)
      return anneal[o.anneal_strategy](values[phase[2]], values[phase[3]],
                                       share)
    end
    start = phase[1]
  end
end

--- OneCycleLR{max_lr, total_steps or epochs and steps_per_epoch, pct_start =
-- 0.3, anneal_strategy = "cos", cycle_momentum = true, base_momentum = 0.85,
-- max_momentum = 0.95, div_factor = 25, final_div_factor = 1e4, three_phase
-- = false}: up to max_lr and down again, once, by steps of batches; momentum
-- (or the first of betas) the other way (Smith and Topin 2019).
define("OneCycleLR", with_momentum({
  {"max_lr", "number", required = true},
  {"total_steps", "integer", least = 1}, {"epochs", "integer", least = 1},
  {"steps_per_epoch", "integer", least = 1},
  {"pct_start", "number", default = 0.3, least = 0, most = 1},
  {"anneal_strategy", "string", default = "cos", choices = {"cos", "linear"}},
  {"div_factor", "number", default = 25},
  {"final_div_factor", "number", default = 1e4},
  {"three_phase", "boolean", default = false}}, 0.85, 0.95),
  function(o, t)
    local low = o.max_lr / o.div_factor
    return one_cycle(o, t, {low = low, high = o.max_lr,
                            ["end"] = low / o.final_div_factor})
  end,
  function(o)
    if not o.total_steps and not (o.epochs and o.steps_per_epoch) then
      fail("OneCycleLR: expected total_steps, or epochs and steps_per_epoch")
    end
    o.total_steps = o.total_steps or o.epochs * o.steps_per_epoch
  end,
  function(o, t)
    return one_cycle(o, t, {low = o.max_momentum, high = o.base_momentum,
                            ["end"] = o.max_momentum})
  end)

-- How high step t is in its cycle, from 0 to 1, times the cycle's factor.
local function triangle(o, t)
  local down = o.step_size_down or o.step_size_up
  local total = o.step_size_up + down
  local cycle = t // total + 1
  local x, turn = 1 + t / total - cycle, o.step_size_up / total
  local height = x <= turn and x / turn or (x - 1) / (turn - 1)
  if o.mode == "triangular2" then return height / 2 ^ (cycle - 1) end
  return o.mode == "exp_range" and height * o.gamma ^ t or height
end

--- CyclicLR{base_lr, max_lr, step_size_up = 2000, step_size_down, mode =
-- "triangular" | "triangular2" | "exp_range", gamma = 1, cycle_momentum =
-- true, base_momentum = 0.8, max_momentum = 0.9}: up and down again and
-- again, by steps of batches (Smith 2017).
define("CyclicLR", with_momentum({
  {"base_lr", "number", required = true},
  {"max_lr", "number", required = true},
  {"step_size_up", "integer", default = 2000, least = 1},
  {"step_size_down", "integer", least = 1},
  {"mode", "string", default = "triangular",
   choices = {"triangular", "triangular2", "exp_range"}},
  {"gamma", "number", default = 1}}, 0.8, 0.9),
  function(o, t) return o.base_lr + (o.max_lr - o.base_lr) * triangle(o, t)
  end, nil,
  function(o, t)
    return o.max_momentum - (o.max_momentum - o.base_momentum) *
           triangle(o, t)
  end)

-- A schedule is asked for rates and sets none.
local function check_schedules(who, list, optimizer)
  for i, schedule in ipairs(list) do
    if getmetatable(schedule) ~= Schedule then
      fail("%s: schedule %d is a %s, expected one such as LinearLR", who, i,
           type(schedule))
    elseif not rawequal(schedule.optimizer, optimizer) then
      fail("%s: schedule %d belongs to another optimiser", who, i)
    end
  end
end

--- SequentialLR{schedulers, milestones}: one schedule after the other; each
-- counts from 0 at its milestone.
define("SequentialLR", {{"schedulers", "table", required = true},
                        {"milestones", "table", required = true}},
  function(o, t, base, g)
    local k = 1
    while o.milestones[k] and t >= o.milestones[k] do k = k + 1 end
    local start = o.milestones[k - 1] or 0
    return o.schedulers[k]:rate(t - start, base, g)
  end,
  function(o, optimizer)
    check_schedules("SequentialLR", o.schedulers, optimizer)
    if #o.schedulers == 0 or #o.milestones ~= #o.schedulers - 1 then
      fail("SequentialLR: %d milestones for %d schedules, expected one less",
           #o.milestones, #o.schedulers)
    end
  end)

--- ChainedScheduler{schedulers}: the product of all factors.
define("ChainedScheduler", {{"schedulers", "table", required = true}},
  function(o, t, base, g)
    local rate = base
    for _, schedule in ipairs(o.schedulers) do
      rate = base == 0 and 0 or rate * schedule:rate(t, base, g) / base
    end
    return rate
  end,
  function(o, optimizer)
    check_schedules("ChainedScheduler", o.schedulers, optimizer)
  end)

--- ReduceLROnPlateau{mode = "min", factor = 0.1, patience = 10, threshold =
-- 1e-4, threshold_mode = "rel", cooldown = 0, min_lr = 0, eps = 1e-8}:
-- factor times as much when `step(metric)` saw no progress more than
-- `patience` times in a row.
local Plateau = setmetatable({}, {__index = Schedule})
Plateau.__index = Plateau

local plateau_options = {
  {"mode", "string", default = "min", choices = {"min", "max"}},
  {"factor", "number", default = 0.1, least = 0, most = 1},
  {"patience", "integer", default = 10, least = 0},
  {"threshold", "number", default = 1e-4},
  {"threshold_mode", "string", default = "rel", choices = {"rel", "abs"}},
  {"cooldown", "integer", default = 0, least = 0},
  {"min_lr", "number", default = 0}, {"eps", "number", default = 1e-8}
}

local kept = {"last_epoch", "best", "bad", "waiting"}

function schedules.ReduceLROnPlateau(optimizer, given)
  check_optimizer("ReduceLROnPlateau", optimizer)
  local o = options.read("ReduceLROnPlateau", given, plateau_options)
  return setmetatable({optimizer = optimizer, options = o, last_epoch = 0,
                       name = "ReduceLROnPlateau", bad = 0, waiting = 0,
                       best = o.mode == "min" and math.huge or -math.huge},
                      Plateau)
end

local function is_better(o, a, best)
  local sign = o.mode == "min" and 1 or -1
  if o.threshold_mode == "abs" then
    return sign * a < sign * best - o.threshold
  elseif best - best ~= 0 then return sign * a < sign * best end
  return sign * a < sign * best * (1 - sign * o.threshold)
end

function Plateau:step(metric)
  if neap.is_tensor(metric) then metric = metric:item() end
  if type(metric) ~= "number" then
    fail("ReduceLROnPlateau: step expects the value that is watched, not %s",
         type(metric))
  end
  local o = self.options
  self.last_epoch = self.last_epoch + 1
  if is_better(o, metric, self.best) then self.best, self.bad = metric, 0
  else self.bad = self.bad + 1 end
  if self.waiting > 0 then self.waiting, self.bad = self.waiting - 1, 0 end
  if self.bad <= o.patience then return end
  for _, group in ipairs(self.optimizer.param_groups) do
    local rate = math.max(group.lr * o.factor, o.min_lr)
    if group.lr - rate > o.eps then group.lr = rate end
  end
  self.waiting, self.bad = o.cooldown, 0
end

function Plateau:state_dict()
  local state = {lrs = self:get_last_lr()}
  for _, name in ipairs(kept) do state[name] = self[name] end
  return state
end

function Plateau:load_state_dict(state)
  if type(state) ~= "table" or type(state.lrs) ~= "table" or
     #state.lrs ~= #self.optimizer.param_groups then
    fail("load_state_dict: expected what state_dict gave")
  end
  for _, name in ipairs(kept) do self[name] = state[name] end
  for g, group in ipairs(self.optimizer.param_groups) do
    group.lr = state.lrs[g]
  end
  return self
end

return schedules
