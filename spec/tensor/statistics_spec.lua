local neap = require "neap"
local check = require "spec.support.check"
local f64, near, tables = check.f64, check.near_table, check.tables

local nan = 0/0

describe("statistics", function()
  local x

  before_each(function()
    x = neap.arange(6):to("float32"):reshape(2, 3)
  end)

  it("come in pairs", function()
    local low, high = x:aminmax()
    assert.same({1, 6}, {low:item(), high:item()})
    low, high = x:aminmax{dim = 1, keepdim = true}
    assert.same({{{1, 2, 3}}, {{4, 5, 6}}}, tables{low, high})
    local s, m = x:std_mean()
    near(1.8708287, s)
    near(3.5, m)
    s, m = x:std_mean(1, false, true)
    near({{1.5, 1.5, 1.5}}, s)
    near({{2.5, 3.5, 4.5}}, m)
    s, m = x:var_mean{dim = 2, unbiased = false, keepdim = true}
    near({{2 / 3}, {2 / 3}}, s)
    near({{2}, {5}}, m)
    s, m = x:var_mean(2)
    near({1, 1}, s)
    near({2, 5}, m)
  end)

  it("leave NaN out", function()
    local y = neap.tensor{{1, nan, 3}, {nan, nan, 8}}
    assert.equal(12, y:nansum():item())
    assert.same({4, 8}, y:nansum(2):totable())
    assert.equal(4, y:nanmean():item())
    assert.same({2, 8}, y:nanmean(2):totable())
    assert.same({{1}, {3}, {8}}, neap.tensor{{1}, {3}, {8}}
                :nanmean{dim = 2, keepdim = true}:totable())
    near({nan, 2}, neap.tensor{{nan, nan}, {1, 3}}:nanmean(2))
    assert.equal(3, y:nanmedian():item())
    local values, at = neap.tensor{{1, nan, 3}, {4, 5, 6}}:nanmedian(2)
    assert.same({{1, 5}, {1, 2}}, tables{values, at})
    values, at = y:nanmedian(-1, true)
    assert.same({{{1}, {8}}, {{1}, {3}}}, tables{values, at})
    values = neap.tensor{{nan, 2}, {nan, 3}, {nan, 1}}:nanmedian(1)
    near({nan, 2}, values)
  end)

  it("that leave NaN out carry gradients", function()
    local y = f64{{1, nan, 3}, {4, nan, 8}}
    local w = y:clone():requires_grad_()
    w:nanmean():backward()
    assert.same({{0.25, 0, 0.25}, {0.25, 0, 0.25}}, w.grad:totable())
    local at = y:isnan()
    assert.is_true(neap.gradcheck(function(v)
      return neap.where(at, nan, v):nanmean(2)
    end, {f64{{1, 2, 3}, {4, 5, 8}}}))
  end)

  it("relate rows: covariance and correlation", function()
    local y = neap.tensor{{1, 2, 4}, {3, 1, 0}}
    near({{7 / 3, -13 / 6}, {-13 / 6, 7 / 3}}, y:cov())
    near({{14 / 9, -13 / 9}, {-13 / 9, 14 / 9}}, y:cov{correction = 0})
    near(7 / 3, y[1]:cov())
    near({{1, -13 / 14}, {-13 / 14, 1}}, y:corrcoef())
    near(1, y[1]:corrcoef())
    assert.is_true(neap.gradcheck(neap.cov, {f64{{1, 2, 4}, {3, 1, 0}}}))
    assert.is_true(neap.gradcheck(neap.corrcoef, {f64{{1, 2, 4}, {3, 1, 0}}}))
  end)

end)

describe("differences and areas", function()

  it("of neighbours, several times, along a dimension", function()
    local y = neap.tensor{{1, 2, 4}, {3, 5, 6}}
    assert.same({{1, 2}, {2, 1}}, y:diff():totable())
    assert.same({{1}, {-1}}, y:diff(2):totable())
    assert.same({{2, 3, 2}}, y:diff(1, 1):totable())
    assert.same({2, 0}, y:diff(3).shape)
  end)

  it("by trapezoids, with places and with a distance", function()
    local y = neap.tensor{{1, 2, 4}, {3, 5, 6}}
    near({7.5, 15}, y:trapezoid(neap.tensor{0, 1, 3}))
    near({2.25, 4.75}, y:trapezoid(0.5))
    near({4.5, 9.5}, y:trapezoid())
    near({2, 3.5, 5}, y:trapezoid(1, 1))
    near({7.5, 7}, y:trapezoid(neap.tensor{{0, 1, 3}, {0, 0.375, 1.375}}))
    assert.is_true(neap.gradcheck(neap.trapezoid, {
      f64{{1, 2, 4}, {3, 5, 6}}, f64{0, 1, 3}
    }))
  end)

  it("as a norm and between all pairs of rows", function()
    assert.equal(5, neap.dist(neap.tensor{1, 2}, neap.tensor{4, 6}):item())
    assert.equal(7, neap.dist(neap.tensor{1, 2}, neap.tensor{4, 6}, 1)
                    :item())
    local rows = {{0, 0}, {3, 4}, {6, 9}}
    near({5, math.sqrt(117), math.sqrt(34)}, neap.tensor(rows):pdist())
    near({7, 15, 8}, neap.tensor(rows):pdist(1))
    assert.same({0}, neap.ones(1, 2):pdist().shape)
    assert.is_true(neap.gradcheck(neap.pdist, {f64(rows)}))
    assert.is_true(neap.gradcheck(function(v) return v:pdist(3) end,
                                  {f64{{0, 0.5}, {3, 4}, {6, 9}}}))
  end)

end)
