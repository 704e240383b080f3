local neap = require "neap"
local check = require "spec.support.check"
local message, leaf = check.message, check.leaf

local function line_above()
  return debug.getinfo(2, "l").currentline - 1
end

describe("detect_anomaly", function()
  local here = "spec/grad/anomaly_spec.lua:"

  it("names the line of the operation whose gradient is NaN", function()
    local w = leaf{0, 2}
    local line
    local why = message(neap.detect_anomaly, function()
      local y = w * w
      line = line_above()
      y:sqrt():sum():backward()
    end)
    assert.matches("NaN in the gradient of input x of 'mul', recorded at",
                   why, 1, true)
    assert.matches(here .. line, why, 1, true)
    assert.is_nil(why:find("first NaN", 1, true))
  end)

  it("names where the first NaN of the forward pass was made", function()
    local w = leaf{-1, 2}
    local first, last
    local why = message(neap.detect_anomaly, function()
      local y = w:log()
      first = line_above()
      local z = y * 2
      z = z * z
      last = line_above()
      z:sum():backward()
    end)
    assert.matches("of 'mul', recorded at [^;]*" .. here .. last .. ";", why)
    assert.matches("the first NaN of the forward pass came from 'log' at ",
                   why, 1, true)
    assert.matches(here .. first .. "$", why)
  end)

  it("is off again afterwards, however it ends", function()
    local function makes_nan()
      local w = leaf{0}
      local y = (w * w):sqrt()
      y:backward()
      return w.grad:item()
    end
    assert.is_false(pcall(neap.detect_anomaly, makes_nan))
    local v = makes_nan()
    assert.is_true(v ~= v)
    assert.equal(7, neap.detect_anomaly(function(x) return x + 3 end, 4))
    assert.is_false(neap.set_detect_anomaly(false))
    do
      local _ <close> = neap.detect_anomaly()
      assert.matches("NaN in the gradient", message(makes_nan))
      neap.detect_anomaly(function() end)
      assert.matches("NaN in the gradient", message(makes_nan))
    end
    assert.is_false(neap.set_detect_anomaly(false))
    pcall(function()
      local _ <close> = neap.detect_anomaly()
      error "out"
    end)
    assert.is_false(neap.set_detect_anomaly(false))
  end)

  it("says nothing where there is no NaN", function()
    local w = leaf{1, 2}
    neap.detect_anomaly(function() (w:exp() * w):sum():backward() end)
    assert.near(2 * math.exp(1), w.grad[1], 1e-5)
  end)

end)
