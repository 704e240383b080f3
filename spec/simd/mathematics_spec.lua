local neap = require "neap"
local check = require "spec.support.check"

-- Functions, where they are tried (evenly, and close to 0), and the largest
-- error allowed in units of the last place, for float32 and float64. gelu is
-- tried where the result is not a difference of nearly equal numbers.
local functions = {
  {"exp", -87, 88, 1.5, 1.5}, {"log", 1e-30, 100, 1.5, 1.5},
  {"tanh", -9, 9.001, 3, 3}, {"erf", -6, 6, 6, 2},
  {"sin", -7000, 7000, 3.5, 2}, {"cos", -7000, 7000, 2.5, 2},
  {"expm1", -17, 80, 3, 3}, {"log1p", -0.99, 100, 3, 3},
  {"sigmoid", -80, 80, 4, 4}, {"gelu", -1, 20, 5, 5}
}

-- Arguments of a function: even ones, and ones of all sizes.
local function arguments(from, to, dtype)
  local even = neap.linspace(from, to, 100001, {dtype = "float64"})
  local sizes = neap.logspace(-30, 0, 20001, {dtype = "float64"})
  local near = neap.cat{sizes, -sizes}
  near = near[near:ge(from) & near:le(to)]
  return neap.cat{even, near}:to(dtype)
end

describe("vector mathematics", function()
  local lines = {}
  for _, case in ipairs(functions) do
    for k, dtype in ipairs{"float32", "float64"} do
      local name, from, to, most = case[1], case[2], case[3], case[3 + k]
      it(("%s is within %g ulp in %s"):format(name, most, dtype), function()
        check.each_cpu(function(cpu)
          local x = arguments(from, to, dtype)
          local worst, at = neap._test.ulp(name, x, neap[name](x))
          lines[#lines + 1] = ("%-8s %-8s %-7s %6.2f ulp at %.9g")
                              :format(name, dtype, cpu, worst, at)
          assert.is_true(worst <= most, ("%g ulp at %.17g"):format(worst, at))
        end)
      end)
    end
  end

  it("prints its largest errors", function()
    print("\n" .. table.concat(lines, "\n"))
    assert.equal(#functions * 2 * #check.cpus, #lines)
  end)

  it("reduces large angles as the C library does", function()
    check.each_cpu(function()
      for _, x in ipairs{1e6, 1e15, -3e22, 2^40 + 0.5} do
        local y = neap.tensor({x}, {dtype = "float64"})
        assert.near(math.sin(x), y:sin()[1], 1e-15)
        assert.near(math.cos(x), y:cos()[1], 1e-15)
      end
      local y = neap.tensor{math.huge}:sin()[1]
      assert.is_true(y ~= y)
    end)
  end)

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
