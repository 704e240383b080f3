local neap = require "neap"
local check = require "spec.support.check"
local message, f64, ids = check.message, check.f64, check.ids

describe("products", function()

  it("powers of matrices", function()
    local m = neap.tensor{{1, 1}, {1, 0}}
    assert.same({{89, 55}, {55, 34}}, m:matrix_power(10):totable())
    assert.same({{1, 0}, {0, 1}}, m:matrix_power(0):totable())
    assert.same({{1, 1}, {1, 0}}, m:matrix_power(1):totable())
    assert.same({{{2, 1}, {1, 1}}, {{4, 0}, {0, 9}}},
                neap.stack{m, neap.tensor{{2, 0}, {0, 3}}}:matrix_power(2)
                :totable())
    for _, k in ipairs{-1, 0.5} do
      assert.matches("matrix_power: k must be a whole number from 0 on",
                     message(m.matrix_power, m, k))
    end
    assert.is_true(neap.gradcheck(function(x) return x:matrix_power(5) end,
                                  {f64{{0.5, 1}, {-1, 0.25}}}))
  end)

  it("outer products added", function()
    local v, z = neap.tensor{1, 2}, neap.tensor{3, 4}
    assert.same({{4, 5}, {7, 9}}, neap.ones(2, 2):addr(v, z):totable())
    assert.same({{32, 42}, {62, 82}},
                neap.addr(neap.ones(2, 2), v, z, {beta = 2, alpha = 10})
                :totable())
  end)

  it("powers of a vector as columns", function()
    local v = neap.tensor{1, 2, 3}
    assert.same({{1, 1, 1}, {4, 2, 1}, {9, 3, 1}}, v:vander():totable())
    assert.same({{1, 1}, {1, 2}, {1, 3}}, v:vander(2, true):totable())
    assert.equal("int64", ids{1, 2}:vander().dtype)
  end)

  it("of rows", function()
    local m = neap.tensor{{1, 2}, {3, 4}}
    assert.same({17, 39}, m:inner(neap.tensor{5, 6}):totable())
    assert.same({{17, 23}, {39, 53}},
                m:inner(neap.tensor{{5, 6}, {7, 8}}):totable())
    assert.equal(11, neap.inner(m[1], m[2]):item())
    assert.same({{2, 4}, {6, 8}}, neap.tensor(2):inner(m):totable())
  end)

  it("of vectors in space", function()
    local a = neap.tensor{{1, 2, 3}, {0, 1, 0}}
    local b = neap.tensor{{4, 5, 6}, {2, 0, 1}}
    local expected = {{-3, 6, -3}, {1, 0, -2}}
    assert.same(expected, a:cross(b):totable())
    assert.same(expected, a.T:cross(b.T, 1).T:totable())
    assert.matches("cross: dimension 1 has size 2, expected 3",
                   message(a.cross, a, b, 1))
    assert.is_true(neap.gradcheck(neap.cross, {a:to "float64",
                                               b:to "float64"}))
  end)

end)
