local neap = require "neap"
local check = require "spec.support.check"

-- The largest error in units of the last place, against Lua's (the C
-- library's) functions on the same float64 arguments.
local function worst_ulp(name, f, from, to, dtype)
  local n, worst = 4001, 0
  local xs = {}
  for i = 1, n do xs[i] = from + (to - from) * (i - 1) / (n - 1) end
  local x = neap.tensor(xs, {dtype = dtype})
  local y, given = neap[name](x):totable(), x:totable()
  local eps = dtype == "float64" and 2^-53 or 2^-24
  for i = 1, n do
    local exact = f(given[i])
    if exact ~= 0 and math.abs(exact) > (dtype == "float64" and 1e-300
                                         or 1e-37) then
      local ulp = math.abs(y[i] - exact) / (math.abs(exact) * eps * 2)
      if ulp > worst then worst = ulp end
    end
  end
  return worst
end

local function tanh(x)
  if math.abs(x) > 2 then
    local e = math.exp(-2 * math.abs(x))
    local y = (1 - e) / (1 + e)
    return x < 0 and -y or y
  end
  local y = 0                       -- Lambert's continued fraction
  for k = 41, 1, -2 do y = x * x / (k + y) end
  return y / x
end
local function sigmoid(x) return 1 / (1 + math.exp(-x)) end

describe("vector mathematics", function()
  for _, dtype in ipairs{"float32", "float64"} do
    for name, case in pairs{
      exp = {math.exp, -80, 80, 2}, log = {math.log, 1e-3, 50, 2},
      tanh = {tanh, -9, 9.001, 3}, sigmoid = {sigmoid, -30, 30, 4}
    } do
      it(("%s is within %g ulp in %s"):format(name, case[4], dtype),
      function()
        check.each_cpu(function()
          local worst = worst_ulp(name, case[1], case[2], case[3], dtype)
          assert.is_true(worst <= case[4], ("%g ulp"):format(worst))
        end)
      end)
    end
  end

  it("has the right limits", function()
    check.each_cpu(function()
      for _, dtype in ipairs{"float32", "float64"} do
        local function at(name, x)
          return neap[name](neap.tensor({x, x, x}, {dtype = dtype}))[2]
        end
        local inf, nan = math.huge, 0/0
        assert.equal(inf, at("exp", 1000))
        assert.equal(0, at("exp", -1000))
        assert.equal(inf, at("exp", inf))
        assert.equal(0, at("exp", -inf))
        assert.equal(-inf, at("log", 0))
        assert.equal(inf, at("log", inf))
        assert.equal(1, at("tanh", 100))
        assert.equal(-1, at("tanh", -inf))
        assert.equal(0, at("sigmoid", -inf))
        assert.equal(1, at("sigmoid", inf))
        for _, name in ipairs{"exp", "log", "tanh", "sigmoid", "relu",
                              "sqrt", "neg"} do
          local y = at(name, nan)
          assert.is_true(y ~= y, name)
        end
        local y = at("log", -1)
        assert.is_true(y ~= y)
        assert.is_true(at("sigmoid", -80) > 0)
        -- subnormal numbers in and out
        local tiny = dtype == "float32" and 1e-40 or 1e-310
        assert.near(math.log(tiny), at("log", tiny), 1e-4)
        assert.is_true(at("exp", dtype == "float32" and -100 or -740) > 0)
        assert.equal(tiny > 0, at("tanh", tiny) > 0)
      end
    end)
  end)

  it("adds a million numbers without losing them", function()
    check.each_cpu(function()
      local x = neap.full({1000003}, 0.1)
      local exact = 1000003 * neap.tensor(0.1):item()
      assert.near(exact, x:sum():item(), exact * 1e-6)
      local columns = neap.full({100003, 3}, 0.1):sum(1)
      assert.near(100003 * neap.tensor(0.1):item(), columns[2], 0.02)
    end)
  end)

  it("keeps softmax finite for large and equal logits", function()
    check.each_cpu(function()
      local x = neap.tensor{{1e4, -1e4, 0}, {88, 89, 90}}
      local y = x:softmax(2)
      assert.same({1, 0, 0}, y[1]:totable())
      assert.near(1, y[2]:sum():item(), 1e-6)
      assert.same({-1000, 0}, neap.tensor{0, 1000}:log_softmax(1):totable())
    end)
  end)
end)

describe("our own matrix product", function()
  it("gives an element the same bits however rows and columns are cut",
  function()
    neap.set_deterministic(true)
    check.each_cpu(function()
      for _, dtype in ipairs{"float32", "float64"} do
        local g = neap.generator(9)
        local a = neap.randn({37, 411}, {dtype = dtype, generator = g})
        local b = neap.randn({411, 83}, {dtype = dtype, generator = g})
        local whole = a:matmul(b)
        for _, part in ipairs{{1, 1, 1, 83}, {5, 9, 17, 70}, {37, 37, 83, 83},
                              {2, 34, 33, 64}} do
          local piece = a[{{part[1], part[2]}}]:matmul(
                          b[{{}, {part[3], part[4]}}])
          assert.same(whole[{{part[1], part[2]}, {part[3], part[4]}}]
                      :totable(), piece:totable())
        end
        local flipped = b:transpose(1, 2):contiguous()
        assert.same(whole:totable(),
                    a:matmul(flipped:transpose(1, 2)):totable())
      end
    end)
    neap.set_deterministic(neap.info().deterministic and false)
  end)
end)
