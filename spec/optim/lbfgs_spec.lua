local neap = require "neap"
local check = require "spec.support.check"
local optim, message = neap.optim, check.message

local function rosenbrock(x)
  return (1 - x[1]) ^ 2 + 100 * (x[2] - x[1] ^ 2) ^ 2
end

local function start()
  return neap.tensor({-1.2, 1}, {dtype = "float64", requires_grad = true})
end

local function closure(opt, f)
  return function()
    opt:zero_grad()
    local loss = f()
    loss:backward()
    return loss
  end
end

describe("LBFGS", function()

  it("finds the end of Rosenbrock's valley", function()
    local x = start()
    local opt = optim.LBFGS({x}, {line_search_fn = "strong_wolfe",
                                  max_iter = 100,
                                  tolerance_change = 1e-16})
    local first = opt:step(closure(opt, function() return rosenbrock(x) end))
    assert.near(24.2, first:item(), 1e-9)
    check.near(neap.tensor({1, 1}, {dtype = "float64"}), x:detach(), 1e-6,
               1e-6)
    assert.is_true(opt.state.func_evals < 80, opt.state.func_evals)
  end)

  it("takes several parameters, and those without a gradient", function()
    local a = neap.ones({2, 2}, {dtype = "float64", requires_grad = true})
    local b = neap.ones({3}, {dtype = "float64", requires_grad = true})
    local unused = neap.ones({1}, {dtype = "float64", requires_grad = true})
    local opt = optim.LBFGS({a, b, unused}, {lr = 0.5})
    local function f() return ((a - 3) ^ 2):sum() + ((b + 2) ^ 4):sum() end
    for _ = 1, 10 do opt:step(closure(opt, f)) end
    check.near(neap.full({2, 2}, 3, {dtype = "float64"}), a:detach(), 1e-4,
               1e-4)
    assert.near(-2, b[1]:item(), 0.05)
    assert.same({1}, unused:totable())
  end)

  it("goes on from a saved state with the same numbers", function()
    local function run(interrupted)
      local x = start()
      local opt = optim.LBFGS({x}, {max_iter = 3, lr = 0.1,
                                    history_size = 2})
      for step = 1, 6 do
        if step == 4 and interrupted then
          local state = opt:state_dict()
          opt = optim.LBFGS({x})
          opt:load_state_dict(state)
        end
        opt:step(closure(opt, function() return rosenbrock(x) end))
      end
      return x:totable()
    end
    assert.same(run(false), run(true))
  end)

  it("stands a loss that is not finite, and a gradient of zero", function()
    local x = start()
    local opt = optim.LBFGS({x}, {line_search_fn = "strong_wolfe"})
    opt:step(closure(opt, function() return (x * (0 / 0)):sum() end))
    local y = neap.zeros({2}, {requires_grad = true})
    opt = optim.LBFGS({y})
    opt:step(closure(opt, function() return (y * y):sum() end))
    assert.same({0, 0}, y:totable())
    assert.equal(1, opt.state.func_evals)
  end)

  it("says what it wants", function()
    local x = start()
    local opt = optim.LBFGS({x})
    assert.matches("step expects a function that computes the loss",
                   message(opt.step, opt))
    assert.matches("the function gave nil, expected the loss",
                   message(opt.step, opt, function() end))
    assert.matches("expected a list of parameters, as net:parameters",
                   message(optim.LBFGS, neap.nn.Linear(1, 1)))
    assert.matches("parameter 1 is computed from others",
                   message(optim.LBFGS, {x * 2}))
    assert.matches("line_search_fn is \"wolfe\", expected one of strong",
                   message(optim.LBFGS, {x}, {line_search_fn = "wolfe"}))
    assert.matches("expected what state_dict gave for 1 parameters",
                   message(opt.load_state_dict, opt, {}))
  end)

end)
