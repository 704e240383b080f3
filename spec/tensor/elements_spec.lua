local neap = require "neap"
local check = require "spec.support.check"
local message, f64, ids = check.message, check.f64, check.ids
local near = check.near_table

local nan, inf = 0/0, math.huge

describe("functions of elements", function()

  it("xlogy is 0 where x is 0", function()
    near({0, 0.6931472, 2.1972246},
         neap.tensor{0, 1, 2}:xlogy(neap.tensor{0, 2, 3}))
    near({0, 0.6931472}, neap.tensor{0, 1}:xlogy(2))
    near({nan}, neap.tensor{1}:xlogy(neap.tensor{nan}))
    assert.is_true(neap.gradcheck(neap.xlogy, {f64{0.5, 2}, f64{2, 3}}))
    local x = neap.tensor({0, 2}, {requires_grad = true})
    local y = neap.tensor({0, 4}, {requires_grad = true})
    x:xlogy(y):sum():backward()
    assert.same({0, 0.5}, y.grad:totable())
  end)

  it("where takes the mask first, or x and then the mask", function()
    local x, mask = neap.tensor{1, 2}, neap.tensor{true, false}
    assert.same({1, 0}, neap.where(mask, x, 0):totable())
    assert.same({1, 0}, x:where(mask, 0):totable())
    assert.same({1, 0}, mask:where(x, 0):totable())
  end)

  it("heaviside is a value at 0", function()
    local x = neap.tensor{-1, 0, 2}
    assert.same({0, 0.5, 1}, x:heaviside(0.5):totable())
    assert.same({0, 8, 1}, x:heaviside(neap.tensor{7, 8, 9}):totable())
  end)

  it("fmax and fmin give the other where one is NaN", function()
    local x, y = neap.tensor{1, nan, 3, nan}, neap.tensor{2, 5, nan, nan}
    near({2, 5, 3, nan}, x:fmax(y))
    near({1, 5, 3, nan}, x:fmin(y))
  end)

  it("turn degrees into radians and back", function()
    near({math.pi, math.pi / 2}, neap.tensor{180, 90}:deg2rad())
    near({180, 90}, neap.tensor{math.pi, math.pi / 2}:rad2deg())
  end)

  it("raise in double precision", function()
    local y = neap.arange(3):float_power(2)
    assert.equal("float64", y.dtype)
    assert.same({1, 4, 9}, y:totable())
    assert.same({1, 2, 9},
                neap.tensor{1, 4, 3}:float_power(neap.tensor{5, 0.5, 2})
                :totable())
  end)

  it("find infinity by its sign", function()
    local x = neap.tensor{1, inf, -inf, nan}
    assert.same({false, true, false, false}, x:isposinf():totable())
    assert.same({false, false, true, false}, x:isneginf():totable())
  end)

  it("sort along the first dimension", function()
    assert.same({{1, 0}, {3, 2}},
                neap.tensor{{3, 0}, {1, 2}}:msort():totable())
    assert.equal(1, select("#", neap.msort(neap.ones(2))))
  end)

end)

describe("Lua functions of elements", function()

  it("make a new tensor, or change one in place", function()
    local x = neap.arange(4):to("float32"):reshape(2, 2)
    local y = x:map(function(v) return v * v + 0.5 end)
    assert.same({{1.5, 4.5}, {9.5, 16.5}}, y:totable())
    assert.same({{1, 2}, {3, 4}}, x:totable())
    assert.same({2, 4}, ids{1, 2}:map(function(v) return 2 * v end)
                        :totable())
    assert.same({false, true}, neap.tensor{true, false}
                :map(function(v) return not v end):totable())
    assert.equal(-3, neap.tensor(3):map(function(v) return -v end):item())
    assert.equal(x, x:apply_(function(v) return -v end))
    assert.same({{-1, -2}, {-3, -4}}, x:totable())
    x.T:apply_(function(v) return v > -3 and 0 or v end)
    assert.same({{0, 0}, {-3, -4}}, x:totable())
  end)

  it("are refused where gradients are recorded", function()
    local w = neap.tensor({1, 2}, {requires_grad = true})
    local why = message(w.map, w, math.sqrt)
    assert.matches("map: a Lua function has no gradient; use x:detach%(%)",
                   why)
    assert.matches("neap.autograd.Function", why)
    assert.matches("apply_: a Lua function has no gradient",
                   message(w.apply_, w, math.sqrt))
    assert.same({1, 2}, w:detach():map(function(v) return v end):totable())
    neap.no_grad(function() w:apply_(function(v) return v + 1 end) end)
    assert.same({2, 3}, w:totable())
    assert.matches("map: expected a tensor, not table",
                   message(neap.Tensor.map, {}, math.sqrt))
  end)

end)

describe("comparisons of whole tensors", function()

  it("say what is close and what is equal", function()
    local x = neap.tensor{1, 2}
    assert.is_true(x:allclose(neap.tensor{1, 2.00001}))
    assert.is_false(x:allclose(neap.tensor{1, 2.1}))
    assert.is_true(x:allclose(neap.tensor{1, 2.1}, 0.1))
    assert.is_true(x:allclose(neap.tensor{1, 2.1}, {rtol = 0, atol = 0.2}))
    assert.is_false(neap.allclose(neap.tensor{nan}, neap.tensor{nan}))
    assert.is_true(neap.allclose(neap.tensor{nan}, neap.tensor{nan},
                                 {equal_nan = true}))
    assert.is_true(x:equal(neap.tensor{1, 2}))
    assert.is_false(x:equal(neap.tensor{1, 3}))
    assert.is_false(x:equal(neap.tensor{{1, 2}}))
    assert.is_false(x:equal(neap.tensor{1, 2, 3}))
    assert.is_true(neap.equal(neap.zeros(0), neap.zeros(0)))
    assert.is_false(neap.equal(neap.tensor{nan}, neap.tensor{nan}))
  end)

end)
