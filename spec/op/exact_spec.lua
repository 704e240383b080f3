local neap = require "neap"
local message = require("spec.support.check").message

describe("lerp", function()

  it("is exact at both ends, however far apart they are", function()
    local x, stop = neap.tensor{1e8, 0, -3e20}, neap.tensor{1, 2, 1e-7}
    assert.same(x:totable(), x:lerp(stop, 0):totable())
    assert.same(stop:totable(), x:lerp(stop, 1):totable())
  end)

end)


describe("sinc", function()

  it("has the same gradient in float32 as in float64, also near 0",
  function()
    local slopes = {}
    for _, dtype in ipairs{"float32", "float64"} do
      local x = neap.tensor({1e-6, 1e-4, -1e-3, 1e-2, -0.1, 0.24, 0.26, 1.5},
                            {requires_grad = true, dtype = dtype})
      x:sinc():sum():backward()
      slopes[#slopes + 1] = x.grad:to("float64")
    end
    local off = ((slopes[1] - slopes[2]) / slopes[2]):abs():max():item()
    assert.is_true(off < 1e-6, off)
  end)

  it("has a gradient on both sides of where its series ends", function()
    local x = neap.tensor({0.0299, -0.0301, 0.001},
                          {requires_grad = true, dtype = "float64"})
    assert(neap.gradcheck(function(v) return v:sinc() end, {x}))
  end)

end)


describe("masked_fill", function()

  it("takes a value of one element in any shape, and keeps its own",
  function()
    local y = neap.tensor{1, 2}:masked_fill(neap.tensor{true, false},
                                            neap.full({1, 1}, 7))
    assert.same({7, 2}, y:totable())
  end)

end)


describe("unflatten", function()

  it("finds a size among no elements", function()
    assert.same({0, 2, 3}, neap.zeros(0, 6):unflatten(2, {-1, 3}).shape)
  end)

  it("says what a dimension cannot become", function()
    assert.matches("6 elements along dim, and cannot become 4x4", message(
      function() neap.zeros(2, 6):unflatten(2, {4, 4}) end), 1, true)
  end)

end)
