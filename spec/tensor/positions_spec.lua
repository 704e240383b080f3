local neap = require "neap"
local check = require "spec.support.check"
local message, f64, ids = check.message, check.f64, check.ids

describe("elements at positions", function()
  local x

  before_each(function()
    x = neap.arange(6):to("float32"):reshape(2, 3)
  end)

  it("are taken in row order", function()
    assert.same({{6, 1}}, x:take(ids{{6, 1}}):totable())
    assert.same({4, 2}, x.T:take(ids{2, 3}):totable())
    assert.matches("is 7, but", message(x.take, x, ids{7}))
  end)

  it("are taken along a dimension with an index that broadcasts", function()
    assert.same({{3}, {4}}, x:take_along_dim(ids{{3}, {1}}, 2):totable())
    assert.same({{3, 1}, {6, 4}}, x:take_along_dim(ids{{3, 1}}, -1):totable())
    assert.same({{4, 2, 3}}, x:take_along_dim(ids{{2, 1, 1}}, 1):totable())
    assert.same({6, 1}, x:take_along_dim(ids{{6}, {1}}):totable())
    assert.matches("x has 2 dimensions, but index 1",
                   message(x.take_along_dim, x, ids{1}, 1))
    assert.matches("no dimension 3 in a tensor of 2 dimensions",
                   message(x.take_along_dim, x, ids{{1}}, 3))
    assert.is_true(neap.gradcheck(function(v)
      return v:take_along_dim(ids{{3, 1, 3}}, 2)
    end, {x:to "float64"}))
  end)

  it("are put, the last of a position or all added", function()
    local at = {ids{1, 2}, ids{2, 3}}
    assert.same({{1, 10, 3}, {4, 5, 20}},
                x:index_put(at, neap.tensor{10, 20}):totable())
    local twice = {ids{1, 1}, ids{2, 2}}
    assert.same({{1, 32, 3}, {4, 5, 6}},
                x:index_put(twice, neap.tensor{10, 20}, true):totable())
    assert.same({{1, 4, 3}, {4, 5, 6}},
                x:index_put(twice, 1, true):totable())
    assert.same({{7, 7, 7}, {4, 5, 6}},
                x:index_put({x:lt(4)}, 7):totable())
    assert.same({1, 2, 3}, x[1]:totable())
    assert.equal(x, x:index_put_(at, 0))
    assert.same({{1, 0, 3}, {4, 5, 0}}, x:totable())
    x:index_put_({ids{1}}, neap.tensor{{1, 1, 1}}, true)
    assert.same({2, 1, 4}, x[1]:totable())
    assert.matches("shapes 2 and 3 do not fit",
                   message(x.index_put, x, at, neap.ones(3)))
  end)

  it("that are put carry gradients of both", function()
    local at = {ids{1, 2, 1}, ids{2, 3, 2}}
    assert.is_true(neap.gradcheck(function(v, values)
      return v:index_put({ids{1, 2}, ids{2, 3}}, values)
    end, {x:to "float64", f64{7, 8}}))
    assert.is_true(neap.gradcheck(function(v, values)
      return v:index_put(at, values, true)
    end, {x:to "float64", f64{7, 8, 9}}))
  end)

  it("are found: intervals, members, those that differ from 0", function()
    local v, limits = neap.tensor{0, 1, 1.5, 3, 9}, neap.tensor{1, 2, 3}
    assert.same({1, 1, 2, 3, 4}, v:bucketize(limits):totable())
    assert.same({1, 2, 2, 4, 4},
                v:bucketize(limits, {right = true}):totable())
    assert.same({{false, true, false}, {false, false, true}},
                x:isin(neap.tensor{{2, 6}}):totable())
    assert.is_true(neap.tensor(3):isin(neap.tensor{1, 3}):item())
    assert.same({{1, 2}, {2, 1}},
                neap.tensor{{0, 5}, {-1, 0}}:argwhere():totable())
  end)

  it("that are equal neighbours become one", function()
    local v = neap.tensor{1, 1, 2, 2, 3, 1, 1}
    local values, went, counts = v:unique_consecutive{return_inverse = true,
                                                      return_counts = true}
    assert.same({1, 2, 3, 1}, values:totable())
    assert.same({1, 1, 2, 2, 3, 4, 4}, went:totable())
    assert.same({2, 2, 1, 2}, counts:totable())
    assert.equal(1, select("#", v:unique_consecutive()))
    local _, n = v:unique_consecutive{return_counts = true}
    assert.same({2, 2, 1, 2}, n:totable())
    assert.same({0}, neap.zeros(0):unique_consecutive().shape)
    assert.same({5}, neap.tensor{{5, 5}}:unique_consecutive():totable())
  end)

end)
