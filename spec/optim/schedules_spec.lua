local neap = require "neap"
local check = require "spec.support.check"
local optim, message = neap.optim, check.message
local schedulers = optim.lr_scheduler

local function optimizer(options)
  local w = neap.zeros({1}, {requires_grad = true})
  return optim.SGD({w}, options or {lr = 0.1, momentum = 0.9})
end

-- Options that each schedule is tried with.
local samples = {
  StepLR = {step_size = 3}, MultiStepLR = {milestones = {2, 5}},
  ExponentialLR = {gamma = 0.9}, ConstantLR = {}, LinearLR = {},
  PolynomialLR = {power = 2}, CosineAnnealingLR = {T_max = 6},
  CosineAnnealingWarmRestarts = {T_0 = 3, T_mult = 2},
  LambdaLR = {lr_lambda = function(t) return 1 / (1 + t) end},
  OneCycleLR = {max_lr = 1, total_steps = 12},
  CyclicLR = {base_lr = 0.1, max_lr = 1, step_size_up = 3,
              mode = "exp_range", gamma = 0.9},
  SequentialLR = {}, ChainedScheduler = {}, ReduceLROnPlateau = {patience = 1}
}

local function made(name, opt)
  local options = samples[name]
  if name == "SequentialLR" or name == "ChainedScheduler" then
    options = {schedulers = {schedulers.LinearLR(opt, {total_iters = 4}),
                             schedulers.ExponentialLR(opt, {gamma = 0.5})}}
    if name == "SequentialLR" then options.milestones = {4} end
  end
  return schedulers[name](opt, options)
end

describe("schedules", function()

  it("all have a sample", function()
    for name in pairs(schedulers) do assert.is_table(samples[name], name) end
  end)

  for name in pairs(samples) do
    it(name .. " goes on from a saved state with the same rates", function()
      local function run(interrupted)
        local opt = optimizer()
        local schedule, rates = made(name, opt), {}
        for step = 1, 11 do
          if step == 6 and interrupted then
            local state = schedule:state_dict()
            opt = optimizer()
            schedule = made(name, opt)
            schedule:load_state_dict(state)
          end
          rates[step] = {schedule:get_last_lr()[1],
                         opt.param_groups[1].momentum}
          schedule:step(name == "ReduceLROnPlateau" and 1 or nil)
        end
        return rates
      end
      assert.same(run(false), run(true))
    end)
  end

  it("chain by multiplying", function()
    local opt = optimizer{lr = 8}
    local chained = made("ChainedScheduler", opt)
    assert.near(8 / 3, opt.param_groups[1].lr, 1e-12)
    for _ = 1, 4 do chained:step() end
    assert.near(8 / 16, opt.param_groups[1].lr, 1e-12)
  end)

  it("cycle the first of betas where there is no momentum", function()
    local w = neap.zeros({1}, {requires_grad = true})
    local opt = optim.Adam({w})
    local schedule = schedulers.OneCycleLR(opt, {max_lr = 1, epochs = 2,
                                                 steps_per_epoch = 10})
    assert.same({0.95, 0.999}, opt.param_groups[1].betas)
    for _ = 1, 5 do schedule:step() end
    assert.near(0.85, opt.param_groups[1].betas[1], 1e-12)
    assert.near(1, opt.param_groups[1].lr, 1e-12)
    for _ = 1, 15 do schedule:step() end
    assert.matches("OneCycleLR: step 21, but the cycle has 20",
                   message(schedule.step, schedule))
  end)

  it("wait for progress that stops", function()
    local opt = optimizer{lr = 1}
    local plateau = schedulers.ReduceLROnPlateau(opt, {patience = 1,
                                                       factor = 0.5})
    local rates = {}
    for i, loss in ipairs{5, 4, 4, 4, 4, neap.tensor(3), 3, 3} do
      plateau:step(loss)
      rates[i] = opt.param_groups[1].lr
    end
    assert.same({1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.25}, rates)
    assert.matches("step expects the value that is watched, not nil",
                   message(plateau.step, plateau))
  end)

  it("say what they cannot do", function()
    local opt = optimizer()
    assert.matches("StepLR: expected an optimiser, not a number",
                   message(schedulers.StepLR, 5, {step_size = 1}))
    assert.matches("StepLR: the option step_size is missing",
                   message(schedulers.StepLR, opt))
    assert.matches("OneCycleLR: expected total_steps, or epochs and",
                   message(schedulers.OneCycleLR, opt, {max_lr = 1}))
    assert.matches("2 milestones for 1 schedules, expected one less",
                   message(schedulers.SequentialLR, opt, {
                     schedulers = {schedulers.ConstantLR(opt)},
                     milestones = {1, 2}}))
    assert.matches("schedule 1 belongs to another optimiser",
                   message(schedulers.ChainedScheduler, opt, {
                     schedulers = {schedulers.ConstantLR(optimizer())}}))
    assert.matches("schedule 1 is a number, expected one such as LinearLR",
                   message(schedulers.ChainedScheduler, opt,
                           {schedulers = {5}}))
    local schedule = schedulers.ConstantLR(opt)
    assert.matches("expected what state_dict gave, with 1 groups",
                   message(schedule.load_state_dict, schedule, {}))
    assert.matches("lr_lambda has no function for group 1",
                   message(schedulers.LambdaLR, opt, {lr_lambda = {}}))
  end)

end)
