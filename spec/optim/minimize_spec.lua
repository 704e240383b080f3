local neap = require "neap"
local check = require "spec.support.check"
local optim, message = neap.optim, check.message

local f64 = check.f64

local function rosenbrock(x)
  return (1 - x[1]) ^ 2 + 100 * (x[2] - x[1] ^ 2) ^ 2
end

-- Many valleys: the least one at 0 (Rastrigin).
local function rastrigin(x)
  local sum = 10 * #x
  for _, v in ipairs(x:totable()) do
    sum = sum + v * v - 10 * math.cos(2 * math.pi * v)
  end
  return sum
end

describe("minimize", function()

  for _, method in ipairs{"lbfgs", "cg", "nelder-mead", "cma-es"} do
    it("finds the end of a curved valley by " .. method, function()
      local start = f64{-1.2, 1}
      local r = optim.minimize(rosenbrock, start, {
        method = method, generator = neap.generator(3)})
      check.near(f64{1, 1}, r.x, 1e-5, 1e-5)
      assert.is_true(r.success, r.message)
      assert.is_true(r.f < 1e-10 and r.n_eval > r.n_iter)
      assert.same({-1.2, 1}, start:totable())
    end)

    it("takes any shape and stops when told, by " .. method, function()
      local goal = f64{{1, 2}, {3, 4}}
      local function f(x) return ((x - goal) ^ 2):sum() end
      local r = optim.minimize(f, f64{{0, 0}, {0, 0}},
                               {method = method, sigma = 1,
                                generator = neap.generator(1)})
      check.near(goal, r.x, 1e-4, 1e-4)
      r = optim.minimize(f, f64{{0, 0}, {0, 0}}, {
        method = method, max_iter = 1, generator = neap.generator(1)})
      assert.is_false(r.success and r.f > 1e-6)
      assert.equal(1, r.n_iter)
    end)
  end

  it("finds the least of many valleys by cma-es", function()
    local found = 0
    for seed = 1, 5 do
      local r = optim.minimize(rastrigin, f64{3.2, -2.1, 1.4}, {
        method = "cma-es", sigma = 3, population = 100,
        generator = neap.generator(seed)})
      if r.f < 1e-8 then found = found + 1 end
    end
    assert.is_true(found >= 4, found)
  end)

  it("stays where the value is not finite", function()
    for _, method in ipairs{"nelder-mead", "cma-es"} do
      local r = optim.minimize(function(x)
        local v = x:item()
        return v < 0 and 0 / 0 or (v - 1) ^ 2
      end, f64{0.1}, {method = method, generator = neap.generator(1)})
      assert.near(1, r.x:item(), 1e-4)
    end
  end)

  it("says what it wants", function()
    assert.matches("expected a function, not a number",
                   message(optim.minimize, 1, f64{1}))
    assert.matches("expected a tensor of real numbers to start from, not a",
                   message(optim.minimize, print, {1}))
    assert.matches("the function gave a number; gradients need a tensor",
                   message(optim.minimize, function() return 1 end, f64{1}))
    assert.matches("the function gave a nil, expected a number",
                   message(optim.minimize, function() end, f64{1},
                           {method = "nelder-mead"}))
    assert.matches("method is \"bfgs\", expected one of lbfgs, cg",
                   message(optim.minimize, print, f64{1}, {method = "bfgs"}))
  end)

end)
