local neap = require "neap"
local check = require "spec.support.check"
local message, near = check.message, check.near_table

describe("other names of operations", function()

  it("are functions of neap, of neap.nn.functional and methods, and compute",
  function()
    local x, m = neap.tensor{-1.7, 0.5}, neap.tensor{{1, 2}, {3, 4}}
    local cases = {
      absolute = {{1.7, 0.5}, x}, negative = {{1.7, -0.5}, x},
      multiply = {{-3.4, 1}, x, 2}, subtract = {{-2.7, -0.5}, x, 1},
      divide = {{-0.85, 0.25}, x, 2}, true_divide = {{-0.85, 0.25}, x, 2},
      clip = {{-1, 0.5}, x, -1, 1}, fix = {{-1, 0}, x},
      arccos = {{1.0471976}, neap.tensor{0.5}},
      arcsin = {{0.5235988}, neap.tensor{0.5}},
      arctan = {{0.7853982}, neap.tensor{1}},
      arctan2 = {{0.4636476}, neap.tensor{1}, neap.tensor{2}},
      arccosh = {{1.3169579}, neap.tensor{2}},
      arcsinh = {{0.8813736}, neap.tensor{1}},
      arctanh = {{0.5493061}, neap.tensor{0.5}},
      greater = {{{0, 0}, {1, 1}}, m, 2},
      greater_equal = {{{0, 1}, {1, 1}}, m, 2},
      less = {{{1, 0}, {0, 0}}, m, 2},
      less_equal = {{{1, 1}, {0, 0}}, m, 2},
      not_equal = {{{1, 0}, {1, 1}}, m, 2},
      swapaxes = {{{1, 3}, {2, 4}}, m, 1, 2},
      swapdims = {{{1, 3}, {2, 4}}, m, 1, 2},
      moveaxis = {{{1, 3}, {2, 4}}, m, 1, 2},
      concat = {{-1.7, 0.5, -1.7, 0.5}, {x, x}},
      concatenate = {{-1.7, 0.5, -1.7, 0.5}, {x, x}},
      ger = {{{3, 4}, {6, 8}}, neap.tensor{1, 2}, neap.tensor{3, 4}}
    }
    for name, case in pairs(cases) do
      local f = neap[name]
      assert.equal(f, neap.Tensor[name], name)
      assert.equal(f, neap.nn.functional[name], name)
      local ok, why = pcall(near, case[1], f(table.unpack(case, 2)))
      assert.is_true(ok, name .. ": " .. tostring(why))
    end
  end)

  it("are there in place where the operation is", function()
    local x = neap.tensor{-1.5, 2}
    assert.equal(x, x:absolute_())
    assert.same({1.5, 2}, x:totable())
    x:multiply_(2):subtract_(1):negative_():clip_(-2.5, 0):divide_(2)
    assert.same({-1, -1.25}, x:totable())
    assert.same({-1, -1}, x:fix_():totable())
    near({-math.pi / 2, -math.pi / 2}, x:arcsin_())
    assert.is_nil(neap.Tensor.concat_)
  end)

  it("are refused without a tensor, naming the function", function()
    assert.matches("flipud: expected a tensor, not number",
                   message(neap.flipud, 1))
    assert.matches("take: expected a tensor, not table",
                   message(neap.take, neap.ones(2), {1}))
    assert.matches("addr: expected a tensor, not nil",
                   message(neap.addr, neap.ones(2, 2), neap.ones(2)))
    assert.equal(neap.trace, neap.Tensor.trace)
    assert.equal(neap.trace, neap.nn.functional.trace)
  end)

end)
