local neap = require "neap"
local check = require "spec.support.check"
local message = check.message

local nan, inf = 0/0, math.huge

local function ids(data) return neap.tensor(data, {dtype = "int64"}) end
local function f64(data) return neap.tensor(data, {dtype = "float64"}) end

-- Fails unless a tensor has the shape and nearly the elements of a table.
local function near(expected, got)
  check.near(neap.tensor(expected, {dtype = "float64"}), got, 1e-5, 1e-6)
end

local function tables(list)
  local out = {}
  for i, x in ipairs(list) do out[i] = x:totable() end
  return out
end

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

describe("shapes and types of other tensors", function()
  local x

  before_each(function()
    x = neap.arange(6):to("float32"):reshape(2, 3)
  end)

  it("are taken by expand_as, reshape_as, view_as and type_as", function()
    assert.same({{1, 2, 3}, {1, 2, 3}},
                neap.tensor{1, 2, 3}:expand_as(x):totable())
    assert.matches("x is 2x3 and cannot be expanded to 2",
                   message(x.expand_as, x, neap.ones(2)))
    local tall = neap.zeros(3, 2)
    assert.same({{1, 2}, {3, 4}, {5, 6}}, x:reshape_as(tall):totable())
    assert.same({{1, 4}, {2, 5}, {3, 6}},
                x.T:reshape_as(tall):totable())
    local v = x:view_as(tall)
    v[1] = 9
    assert.same({9, 9, 3}, x[1]:totable())
    assert.matches("without a copy",
                   message(function() x.T:view_as(neap.zeros(6)) end))
    assert.equal("int64", x:type_as(neap.arange(2)).dtype)
  end)

  it("are made of all elements by ravel, of sizes by broadcast_to", function()
    assert.same({1, 2, 3, 4, 5, 6}, x:ravel():totable())
    assert.same({5}, neap.tensor(5):ravel():totable())
    local y = neap.tensor{1, 2}
    assert.same({{1, 2}, {1, 2}}, y:broadcast_to(2, 2):totable())
    assert.same({{1, 2}, {1, 2}}, neap.broadcast_to(y, {2, 2}):totable())
  end)

  it("are made common by broadcast_tensors", function()
    local a = neap.tensor{1, 2}
    local b = neap.tensor{{3}, {4}, {5}}
    local expected = {{{1, 2}, {1, 2}, {1, 2}}, {{3, 3}, {4, 4}, {5, 5}}}
    assert.same(expected, tables(neap.broadcast_tensors(a, b)))
    assert.same(expected, tables(neap.broadcast_tensors{a, b}))
    assert.matches("broadcast_tensors: sizes 2 and 3 do not fit",
                   message(neap.broadcast_tensors, a, x))
    assert.matches("broadcast_tensors: expected a list of tensors",
                   message(neap.broadcast_tensors))
  end)

  it("get one, two or three dimensions at least", function()
    local shapes = {{1}, {2}, {2, 3}, {1, 1}, {1, 2}, {2, 3}, {1, 1, 1},
                    {1, 2, 1}, {2, 3, 1}}
    local n = 0
    for _, f in ipairs{neap.atleast_1d, neap.atleast_2d, neap.atleast_3d} do
      for _, t in ipairs{neap.tensor(1), neap.ones(2), x} do
        n = n + 1
        assert.same(shapes[n], f(t).shape)
      end
    end
    assert.same({1, 1, 1, 2}, neap.ones(1, 1, 1, 2):atleast_3d().shape)
  end)

end)

describe("tensors put together and taken apart", function()
  local a, b, m

  before_each(function()
    a, b = neap.tensor{1, 2}, neap.tensor{3, 4}
    m = neap.tensor{{1, 2}, {3, 4}}
  end)

  it("make grids in both orders", function()
    local v = {neap.tensor{1, 2}, neap.tensor{3, 4, 5}}
    assert.same({{{1, 1, 1}, {2, 2, 2}}, {{3, 4, 5}, {3, 4, 5}}},
                tables(neap.meshgrid(v)))
    local xy = {{{1, 2}, {1, 2}, {1, 2}}, {{3, 3}, {4, 4}, {5, 5}}}
    assert.same(xy, tables(neap.meshgrid(v[1], v[2], {indexing = "xy"})))
    v.indexing = "xy"
    assert.same(xy, tables(neap.meshgrid(v)))
    assert.matches("indexing must be one of ij xy, not 'yx'",
                   message(neap.meshgrid, {a}, {indexing = "yx"}))
  end)

  it("lie side by side, below and behind each other", function()
    assert.same({1, 2, 3, 4}, neap.hstack(a, b):totable())
    assert.same({{1, 2, 1, 2}, {3, 4, 3, 4}}, neap.hstack{m, m}:totable())
    assert.same({{1, 2}, {3, 4}}, neap.vstack(a, b):totable())
    assert.same({{1, 2}, {3, 4}, {3, 4}}, neap.vstack(m, b):totable())
    assert.same({{{1, 3}, {2, 4}}}, neap.dstack(a, b):totable())
    assert.same({{1, 3}, {2, 4}}, neap.column_stack(a, b):totable())
    assert.same({{1, 1, 2}, {2, 3, 4}}, neap.column_stack(a, m):totable())
    assert.matches("hstack: expected a list of tensors",
                   message(neap.hstack, {}))
    assert.matches("vstack: expected a tensor, not number",
                   message(neap.vstack, {a, 2}))
  end)

  it("lie along a diagonal", function()
    assert.same({{1, 2, 0, 0}, {3, 4, 0, 0}, {0, 0, 1, 2}},
                neap.block_diag(m, a):totable())
    assert.same({{5, 0}, {0, 6}},
                neap.block_diag{neap.tensor(5), neap.tensor{6}}:totable())
  end)

  it("give all combinations", function()
    assert.same({{1, 3}, {1, 4}, {2, 3}, {2, 4}},
                neap.cartesian_prod(a, b):totable())
    assert.same({1, 2}, neap.cartesian_prod(a):totable())
    assert.same({8, 3}, neap.cartesian_prod(a, b, a).shape)
  end)

  it("are cut into nearly equal parts, or before positions", function()
    local x = neap.arange(7)
    assert.same({{1, 2, 3}, {4, 5}, {6, 7}}, tables(x:tensor_split(3)))
    assert.same({{1, 2}, {3, 4}, {5, 6, 7}}, tables(x:tensor_split{3, 5}))
    assert.same({{{1}, {3}}, {{2}, {4}}}, tables(m:tensor_split(2, 2)))
    assert.same({{1}, {2}, {}}, tables(a:tensor_split(3)))
  end)

  it("are turned over and around", function()
    assert.same({{2, 1}, {4, 3}}, m:fliplr():totable())
    assert.same({{3, 4}, {1, 2}}, m:flipud():totable())
    assert.same({{2, 4}, {1, 3}}, m:rot90():totable())
    assert.same({{4, 3}, {2, 1}}, m:rot90(2):totable())
    assert.same({{3, 1}, {4, 2}}, m:rot90(-1):totable())
    assert.same({{3, 1}, {4, 2}}, m:rot90(1, {2, 1}):totable())
    assert.same({{1, 2}, {3, 4}}, m:rot90(4):totable())
    assert.same({{3, 6}, {2, 5}, {1, 4}},
                neap.arange(6):reshape(2, 3):rot90():totable())
    assert.matches("fliplr: x has 1 dimensions, expected two or more",
                   message(a.fliplr, a))
    assert.matches("rot90: x has 1 dimensions", message(a.rot90, a))
  end)

  it("repeat their slices, each as often as a tensor says", function()
    assert.same({1, 1, 2, 2}, a:repeat_interleave(2):totable())
    assert.same({{1, 2}, {1, 2}, {3, 4}, {3, 4}},
                m:repeat_interleave(2, {dim = 1}):totable())
    assert.same({{1, 2}, {3, 4}, {3, 4}},
                m:repeat_interleave(ids{1, 2}, 1):totable())
    assert.same({{2, 2}, {4, 4}},
                neap.repeat_interleave(m, ids{0, 2}, 2):totable())
    assert.same({1, 2, 2, 2, 4},
                m:repeat_interleave(ids{1, 3, 0, 1}):totable())
    assert.same({0}, a:repeat_interleave(ids{0, 0}).shape)
  end)

end)

describe("diagonals and triangles", function()

  it("are made of vectors and taken of matrices", function()
    local m = neap.tensor{{1, 2}, {3, 4}}
    assert.same({{1, 0}, {0, 2}}, neap.tensor{1, 2}:diag():totable())
    assert.same({{0, 0, 0}, {1, 0, 0}, {0, 2, 0}},
                neap.diag(neap.tensor{1, 2}, -1):totable())
    assert.same({1, 4}, m:diag():totable())
    assert.same({2}, m:diag(1):totable())
    assert.same({{{0, 1, 0}, {0, 0, 2}, {0, 0, 0}},
                 {{0, 3, 0}, {0, 0, 4}, {0, 0, 0}}},
                m:diag_embed(1):totable())
    assert.equal("int64", ids{1}:diag_embed().dtype)
    assert.equal(5, m:trace():item())
    assert.equal(6, ids{{1, 2, 3}, {4, 5, 6}}:trace():item())
  end)

  it("are refused of other shapes", function()
    assert.matches("diag: x has 3 dimensions, expected 1 or 2",
                   message(neap.diag, neap.ones(1, 1, 1)))
    assert.matches("diag_embed: x has no dimensions, expected one or more",
                   message(neap.diag_embed, neap.tensor(1)))
    assert.matches("trace: x has 1 dimensions, expected 2",
                   message(neap.trace, neap.ones(3)))
  end)

  it("have positions that count from 1", function()
    assert.same({{1, 2, 2}, {1, 1, 2}}, neap.tril_indices(2, 3):totable())
    assert.same({{2, 3, 3}, {1, 1, 2}}, neap.tril_indices(3, 3, -1):totable())
    assert.same({{1, 1, 1, 2, 2, 3}, {1, 2, 3, 2, 3, 3}},
                neap.triu_indices(3):totable())
    assert.same({{1, 1, 2}, {2, 3, 3}}, neap.triu_indices(3, 3, 1):totable())
    assert.same({2, 0}, neap.triu_indices(2, 2, 2).shape)
    assert.equal("int64", neap.tril_indices(2).dtype)
  end)

  it("carry gradients", function()
    assert.is_true(neap.gradcheck(neap.diag_embed, {f64{{1, 2}, {3, 4}}}))
    assert.is_true(neap.gradcheck(function(x) return x:diag_embed(-1) end,
                                  {f64{1, 2, 3}}))
    assert.is_true(neap.gradcheck(neap.trace, {f64{{1, 2}, {3, 4}}}))
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

describe("new tensors in the type of another", function()

  it("take sizes as a list or one by one", function()
    local x = neap.ones({1}, {dtype = "float64"})
    local z = x:new_zeros(2, 3)
    assert.equal("float64", z.dtype)
    assert.same({{0, 0, 0}, {0, 0, 0}}, z:totable())
    z = ids{1}:new_ones{2}
    assert.equal("int64", z.dtype)
    assert.same({1, 1}, z:totable())
    z = x:new_empty({4})
    assert.equal("float64", z.dtype)
    assert.same({4}, z.shape)
    z = ids{1}:new_full({2}, 7)
    assert.equal("int64", z.dtype)
    assert.same({7, 7}, z:totable())
  end)

  it("take data, and options after it", function()
    local x = neap.ones({1}, {dtype = "float64"})
    assert.equal("float64", x:new_tensor{1, 2}.dtype)
    assert.same({1, 2}, x:new_tensor({1, 2}):totable())
    assert.equal("int32", x:new_tensor({1}, {dtype = "int32"}).dtype)
    assert.equal("int32", x:new_zeros({2}, {dtype = "int32"}).dtype)
    local w = x:new_ones(2, {requires_grad = true})
    assert.is_true(w.requires_grad)
    assert.equal("float64", w.dtype)
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

describe("operators", function()

  it("divide and leave rests like Lua", function()
    for _, pair in ipairs{{-7, 2}, {7, -2}, {7, 3}, {-7, -3}} do
      local a, b = pair[1], pair[2]
      for _, f in ipairs{neap.tensor, ids} do
        local x, y = f{a}, f{b}
        assert.same({a // b}, (x // y):totable())
        assert.same({a % b}, (x % y):totable())
        assert.same({a // b}, (x // b):totable())
        assert.same({a % b}, (a % y):totable())
      end
    end
    assert.equal("int64", (ids{7} // 2).dtype)
    assert.matches("integers cannot be divided by 0",
                   message(function() return (ids{7} // 0) end))
  end)

  it("raise to powers from both sides", function()
    assert.same({4, 9}, (neap.tensor{2, 3} ^ 2):totable())
    assert.same({4, 8}, (2 ^ neap.tensor{2, 3}):totable())
    assert.same({4, 27}, (neap.tensor{2, 3} ^ neap.tensor{2, 3}):totable())
    assert.same({-1, 2}, (-neap.tensor{1, -2}):totable())
  end)

  it("work on bits and on truth", function()
    local x = ids{5, 6}
    assert.same({1, 2}, (x & 3):totable())
    assert.same({13, 14}, (8 | x):totable())
    assert.same({4, 7}, (x ~ 1):totable())
    assert.same({10, 12}, (x << 1):totable())
    assert.same({2, 3}, (x >> 1):totable())
    assert.same({32, 64}, (1 << x):totable())
    assert.same({-6, -7}, (~x):totable())
    local p, q = neap.tensor{true, true, false}, neap.tensor{true, false,
                                                             false}
    assert.same({true, false, false}, (p & q):totable())
    assert.same({true, true, false}, (p | q):totable())
    assert.same({false, true, false}, (p ~ q):totable())
    assert.same({false, false, true}, (~p):totable())
    assert.matches("bitwise_and: x is float32, expected integers or bool",
                   message(function() return (neap.tensor{1.5} & 1) end))
    assert.matches("bitwise_not: x is float32",
                   message(function() return (~neap.tensor{1.5}) end))
  end)

  it("transpose: T all dimensions, mT the last two", function()
    local x = neap.arange(6):reshape(1, 2, 3)
    assert.same({3, 2, 1}, x.T.shape)
    assert.same({{{1}, {4}}, {{2}, {5}}, {{3}, {6}}}, x.T:totable())
    assert.same({{{1, 4}, {2, 5}, {3, 6}}}, x.mT:totable())
    assert.same({1, 2}, neap.tensor{1, 2}.T:totable())
    assert.matches("mT: the tensor has 1 dimensions, expected two or more",
                   message(function() return neap.ones(2).mT.shape end))
    x.mT:fill_(0)
    assert.equal(0, x:sum():item())
  end)

end)

describe("random numbers", function()
  local g
  local n = 20000

  before_each(function() g = neap.generator(7) end)

  it("are even in an interval", function()
    local x = neap.zeros(n):uniform_(-2, 4, {generator = g})
    assert.near(1, x:mean():item(), 0.06)
    assert.near(3, x:var():item(), 0.12)
    assert.is_true(x:amin():item() >= -2 and x:amax():item() < 4)
    assert.near(0.25, x:lt(-0.5):to("float32"):mean():item(), 0.02)
    local u = neap.rand(n, {generator = g})
    assert.is_true(u:amin():item() >= 0 and u:amax():item() < 1)
    assert.near(0.5, u:mean():item(), 0.02)
  end)

  it("are normal", function()
    local x = neap.zeros({n}, {dtype = "float64"})
              :normal_(3, 2, {generator = g})
    assert.near(3, x:mean():item(), 0.07)
    assert.near(2, x:std():item(), 0.06)
    local z = (x - 3) / 2
    assert.near(0.6827, z:abs():lt(1):to("float32"):mean():item(), 0.02)
    assert.near(0.0455, z:abs():gt(2):to("float32"):mean():item(), 0.01)
    assert.near(0, (z ^ 3):mean():item(), 0.1)
    assert.near(0, neap.randn(n, {generator = g}):mean():item(), 0.04)
  end)

  it("are 1 with a probability", function()
    local x = neap.zeros(n):bernoulli(0.3, {generator = g})
    assert.near(0.3, x:mean():item(), 0.02)
    assert.is_true((x:eq(0) | x:eq(1)):all():item())
    local p = neap.tensor{0, 0.25, 1}:expand(n, 3)
    local rates = p:bernoulli{generator = g}:mean(1)
    assert.equal(0, rates[1])
    assert.near(0.25, rates[2], 0.02)
    assert.equal(1, rates[3])
    assert.matches("a probability is 2, expected 0 to 1",
                   message(neap.bernoulli, neap.tensor{2}))
  end)

  it("are exponential", function()
    local x = neap.zeros(n):exponential_(2, {generator = g})
    assert.is_true(x:amin():item() >= 0)
    assert.is_true(x:isfinite():all():item())
    assert.near(0.5, x:mean():item(), 0.02)
    assert.near(0.3679, x:gt(0.5):to("float32"):mean():item(), 0.02)
    assert.matches("lambd is 0, expected more than 0",
                   message(x.exponential_, x, 0))
  end)

  it("are positions by weight, again and again", function()
    local at = neap.tensor{1, 2, 0, 5}:multinomial(n, true, {generator = g})
    assert.same({n}, at.shape)
    assert.equal("int64", at.dtype)
    local shares = {0.125, 0.25, 0, 0.625}
    for i, share in ipairs(shares) do
      assert.near(share, at:eq(i):to("float32"):mean():item(), 0.02)
    end
    assert.is_false(at:eq(3):any():item())
  end)

  it("are positions by weight, each once", function()
    local rows = neap.tensor{1, 0, 3}:expand(4000, 3)
    local at = rows:multinomial(2, {generator = g})
    assert.same({4000, 2}, at.shape)
    assert.is_true(at:sum(2):eq(4):all():item())
    assert.is_true((at:eq(1) | at:eq(3)):all():item())
    assert.near(0.75, at[{{}, 1}]:eq(3):to("float32"):mean():item(), 0.03)
    local all = neap.ones(50):multinomial(50, {generator = g})
    local sorted = all:sort()
    assert.same(neap.arange(50):totable(), sorted:totable())
    for _, case in ipairs{
      {{1, 2}, 3, "3 samples without replacement from 2 weights"},
      {{1, -2}, 1, "a weight is %-2, expected 0 or more"},
      {{0, 2}, 2, "a row has 1 weights above 0, but 2 are needed"}
    } do
      local w = neap.tensor(case[1])
      assert.matches(case[3], message(w.multinomial, w, case[2]))
    end
  end)

  it("are whole between two ends, both reached", function()
    local x = neap.randint(-2, 3, {n}, {generator = g})
    assert.equal("int64", x.dtype)
    assert.equal(-2, x:amin():item())
    assert.equal(3, x:amax():item())
    for v = -2, 3 do
      assert.near(1 / 6, x:eq(v):to("float32"):mean():item(), 0.02)
    end
    assert.same({5, 5}, neap.randint(5, 5, {2}):totable())
    assert.matches("from 3 to 1 is empty", message(neap.randint, 3, 1, {2}))
  end)

  it("are all positions in random order", function()
    local p = neap.randperm(1000, {generator = g})
    assert.is_false(p:equal(neap.arange(1000)))
    local sorted = p:sort()
    assert.is_true(sorted:equal(neap.arange(1000)))
    local first = 0
    for _ = 1, 600 do
      if neap.randperm(3, {generator = g})[1] == 1 then first = first + 1 end
    end
    assert.near(200, first, 50)
    assert.same({}, neap.randperm(0):totable())
  end)

  it("are the same for a seed, others for others", function()
    local draws = {
      function(o) return neap.rand(50, o) end,
      function(o) return neap.randn(50, o) end,
      function(o) return neap.randint(1, 1000000, {50}, o) end,
      function(o) return neap.randperm(50, o) end,
      function(o) return neap.zeros(50):uniform_(0, 1, o) end,
      function(o) return neap.zeros(50):normal_(0, 1, o) end,
      function(o) return neap.zeros(50):exponential_(1, o) end,
      function(o) return neap.full({50}, 0.5):bernoulli(o) end,
      function(o) return neap.ones(50):multinomial(50, true, o) end,
      function(o) return neap.ones(50):multinomial(50, o) end
    }
    for i, draw in ipairs(draws) do
      local own = neap.generator(3)
      local x, later = draw{generator = own}, draw{generator = own}
      assert.is_true(x:equal(draw{generator = neap.generator(3)}), i)
      assert.is_false(x:equal(draw{generator = neap.generator(4)}), i)
      assert.is_false(x:equal(later), i)
    end
  end)

  it("go on from a state, the context's own and a generator's", function()
    neap.manual_seed(5)
    local state = neap.get_rng_state()
    local x = neap.rand(9)
    neap.set_rng_state(state)
    assert.is_true(x:equal(neap.rand(9)))
    neap.manual_seed(5)
    neap.rand(9, {generator = g})
    assert.is_true(x:equal(neap.rand(9)))
    state = g:get_state()
    x = neap.rand(9, {generator = g})
    g:set_state(state)
    assert.is_true(x:equal(neap.rand(9, {generator = g})))
    g:manual_seed(7)
    assert.is_true(neap.rand(9, {generator = g})
                   :equal(neap.rand(9, {generator = neap.generator(7)})))
    assert.matches("generator must come from neap.generator",
                   message(neap.rand, 2, {generator = 3}))
  end)

  it("of Lua come from a generator too", function()
    local low, high = 9, 0
    for _ = 1, 500 do
      local u, k, v = g:random(), g:random(3), g:random(-1, 1)
      assert.is_true(u >= 0 and u < 1)
      assert.is_true(k >= 1 and k <= 3 and math.type(k) == "integer")
      low, high = math.min(low, v), math.max(high, v)
    end
    assert.same({-1, 1}, {low, high})
    assert.matches("the interval is empty", message(g.random, g, 2, 1))
  end)

end)

describe("results that go into a given tensor", function()

  it("are that tensor", function()
    local x, out = neap.tensor{1, 2}, neap.zeros(2)
    assert.equal(out, neap.add(x, neap.tensor{3, 4}, {out = out}))
    assert.same({4, 6}, out:totable())
    assert.equal(out, x:exp{out = out})
    near({2.7182818, 7.3890561}, out)
    local part = neap.zeros(2, 2)
    neap.mul(x, 2, {out = part[2]})
    assert.same({{0, 0}, {2, 4}}, part:totable())
    neap.mul(neap.tensor{{1, 2}, {3, 4}}, 10, {out = part.T})
    assert.same({{10, 30}, {20, 40}}, part:totable())
  end)

  it("are right where the tensor shares memory with an input", function()
    local x = neap.arange(6):to "float32"
    neap.cumsum(x[{{1, 5}}], 1, {out = x[{{2, 6}}]})
    assert.same({1, 1, 3, 6, 10, 15}, x:totable())
    local m = neap.tensor{{1, 2}, {3, 4}}
    neap.matmul(m, m, {out = m})
    assert.same({{7, 10}, {15, 22}}, m:totable())
    m = neap.tensor{{1, 2}, {3, 4}}
    neap.add(m, m.T, {out = m})
    assert.same({{2, 5}, {5, 8}}, m:totable())
    m = neap.tensor{{1, 2}, {1, 2}}
    neap.softmax(m, 2, {out = m.T})
    near({{0.2689414, 0.2689414}, {0.7310586, 0.7310586}}, m)
  end)

  it("are refused where they do not fit", function()
    local x = neap.tensor{1, 2}
    for _, case in ipairs{
      {neap.zeros(3), "the result is 2, but out, which it would replace, " ..
                      "is 3"},
      {ids{0, 0}, "the result is float32, but out, which it would replace, " ..
                  "is int64"},
      {neap.zeros(1):expand(2), "out is expanded"},
      {3, "out must be a tensor, not number"}
    } do
      assert.matches(case[2], message(neap.add, x, 1, {out = case[1]}))
    end
    assert.matches("the result is a view of x and cannot go into 'out'",
                   message(neap.transpose, neap.ones(1, 2), 1, 2,
                           {out = neap.zeros(2, 1)}))
    assert.matches("there are 2 results; 'out' takes one",
                   message(neap.sort, x, {out = x}))
    assert.same({1, 2}, x:totable())
  end)

  it("are refused where gradients are recorded", function()
    local w = neap.tensor({1, 2}, {requires_grad = true})
    local out = neap.zeros(2)
    local why = "'out' cannot be used where gradients are recorded"
    assert.matches(why, message(neap.add, w, 1, {out = out}))
    assert.matches(why, message(neap.add, out, 1, {out = w}))
    assert.same({0, 0}, out:totable())
    neap.no_grad(neap.add, w, 1, {out = out})
    assert.same({2, 3}, out:totable())
    assert.is_false(out.requires_grad)
  end)

  it("count as changes in place", function()
    local w = neap.tensor({1, 2}, {requires_grad = true})
    local x = neap.tensor{3, 4}
    local y = w * x
    neap.add(x, 1, {out = x})
    assert.matches("'mul' needs its input",
                   message(function() y:sum():backward() end))
  end)

end)

describe("tensors as text", function()

  after_each(function() neap.set_printoptions() end)

  local function shown(data, ...)
    return tostring(neap.is_tensor(data) and data or neap.tensor(data, ...))
  end

  it("have as many digits as needed, and columns aligned", function()
    assert.equal("{1, 2} [float32 2]", shown{1, 2})
    assert.equal("{   1.00,   10.50, -100.25} [float32 3]",
                 shown{1, 10.5, -100.25})
    assert.equal("{{ 1, 20},\n {-3,  4}}\n[float32 2x2]",
                 shown{{1, 20}, {-3, 4}})
    assert.equal("{0.3333} [float64 1]", shown(f64{1 / 3}))
    assert.equal("{-5, 10} [int64 2]", shown(ids{-5, 10}))
    assert.equal("{ true, false} [bool 2]", shown{true, false})
    assert.equal("{{{1, 2},\n  {3, 4}},\n\n {{5, 6},\n  {7, 8}}}\n" ..
                 "[int64 2x2x2]", shown(neap.arange(8):reshape(2, 2, 2)))
  end)

  it("of no dimensions and no elements", function()
    assert.equal("2.5 [float32 ()]", shown(2.5))
    assert.equal("7 [int64 ()]", shown(ids(7)))
    assert.equal("{} [float32 0]", shown{})
    assert.equal("{}\n[float32 0x3]", shown(neap.zeros(0, 3)))
    assert.equal("{{},\n {}}\n[float32 2x0]", shown(neap.zeros(2, 0)))
  end)

  it("show NaN, infinity and signs of zero", function()
    assert.equal("{ 1.5,  nan,  inf, -inf} [float32 4]",
                 shown{1.5, nan, inf, -inf})
    assert.equal("{nan} [float32 1]", shown{nan})
    assert.equal("{-0,  1} [float32 2]", shown{-0.0, 1})
  end)

  it("have exponents when numbers are far from 1", function()
    assert.equal("{1.0000e-05, 1.0000e+00} [float32 2]", shown{1e-5, 1})
    assert.equal("{1.0000e+08,        nan} [float32 2]", shown{1e8, nan})
    assert.equal("{99999999,        1} [float64 2]", shown(f64{99999999, 1}))
    neap.set_printoptions{sci_mode = true, precision = 2}
    assert.equal("{1.00e+00, 2.00e+01} [float32 2]", shown{1, 20})
    neap.set_printoptions{sci_mode = false}
    assert.equal("{100000000.0,         0.5} [float64 2]",
                 shown(f64{1e8, 0.5}))
    neap.set_printoptions{sci_mode = "auto"}
    assert.equal("{1.00e+08, 5.00e-01} [float64 2]", shown(f64{1e8, 0.5}))
  end)

  it("mark what wants a gradient", function()
    local w = neap.tensor({1, 2}, {requires_grad = true})
    assert.equal("{1, 2} [float32 2, requires_grad]", tostring(w))
    assert.equal("{2, 4} [float32 2, requires_grad]", tostring(w * 2))
    assert.equal("{1, 2} [float32 2]", tostring(w:detach()))
  end)

  it("are shortened to their ends when they are long", function()
    assert.equal("{   1,    2,    3, ..., 1999, 2000, 2001} [int64 2001]",
                 shown(neap.arange(2001)))
    assert.is_nil(shown(neap.arange(1000)):find("...", 1, true))
    neap.set_printoptions{threshold = 5, edgeitems = 1}
    assert.equal("{1, ..., 6} [int64 6]", shown(neap.arange(6)))
    assert.equal("{1, 2, 3, 4, 5} [int64 5]", shown(neap.arange(5)))
    assert.equal("{{ 1, ...,  4},\n ...\n {13, ..., 16}}\n[int64 4x4]",
                 shown(neap.arange(16):reshape(4, 4)))
    assert.equal("{1, ..., 9} [int64 9]",
                 shown(ids{1, 1000, 1000, 1, 1, 1, 1, 1, 9}))
  end)

  it("are broken into lines that are not too long", function()
    neap.set_printoptions{linewidth = 20}
    assert.equal("{ 1,  2,  3,  4,  5,\n  6,  7,  8,  9, 10,\n 11, 12} " ..
                 "[int64 12]", shown(neap.arange(12)))
    neap.set_printoptions{linewidth = 25}
    assert.equal("{{ 1,  2,  3,  4,  5,  6,\n   7,  8,  9},\n" ..
                 " {10, 11, 12, 13, 14, 15,\n  16, 17, 18}}\n[int64 2x9]",
                 shown(neap.arange(18):reshape(2, 9)))
  end)

  it("have options that stay until they are set again", function()
    neap.set_printoptions{precision = 1}
    neap.set_printoptions{edgeitems = 2}
    assert.equal("{0.3} [float64 1]", shown(f64{1 / 3}))
    neap.set_printoptions()
    assert.equal("{0.3333} [float64 1]", shown(f64{1 / 3}))
    assert.matches("set_printoptions: no option 'precison'; did you mean " ..
                   "'precision'", message(neap.set_printoptions,
                                          {precison = 2}))
    assert.is_false(pcall(neap.set_printoptions, 3))
  end)

end)

describe("unusual arguments of tensor functions", function()

  local x = neap.tensor{{1, 2, 3}, {4, 5, 6}}

  it("trapezoid takes places along any dimension", function()
    local y = neap.tensor{{1, 2}, {3, 4}, {5, 7}}
    near({10, 14}, y:trapezoid(neap.tensor{0, 1, 3}, 1))
    near({3, 7, 12}, y:trapezoid(neap.tensor{0, 2}, 2))
  end)

  it("xlogy of 0 and NaN is NaN", function()
    local y = neap.tensor{0}:xlogy(neap.tensor{nan}):item()
    assert.is_true(y ~= y)
  end)

  it("new_zeros takes options in its sizes and leaves them alone", function()
    assert.equal("int64", x:new_zeros{2, dtype = "int64"}.dtype)
    local options = {requires_grad = true}
    assert.equal("float64", f64{1}:new_zeros(2, options).dtype)
    f64{1}:new_tensor({1}, options)
    assert.same({requires_grad = true}, options)
  end)

  it("repeat_interleave checks a tensor of repeats", function()
    near({{1, 2, 3}, {4, 5, 6}, {4, 5, 6}},
         x:repeat_interleave(ids{1, 2}, {dim = 1}))
    near({{1, 2, 3}, {1, 2, 3}, {4, 5, 6}, {4, 5, 6}},
         x:repeat_interleave(ids{2}, 1))
    assert.equal("repeat_interleave: repeats must not be negative",
                 message(x.repeat_interleave, x, ids{-1, 2}, 1))
    assert.equal("repeat_interleave: 3 repeats for 2 slices",
                 message(x.repeat_interleave, x, ids{1, 2, 1}, 1))
    assert.equal("repeat_interleave: repeats is float32 of 1 dimensions, " ..
                 "expected a vector of integers",
                 message(x.repeat_interleave, x, neap.tensor{1, 2}, 1))
  end)

  it("tensor_split takes positions beyond the end, and no part of 0",
  function()
    assert.same({{1}, {2, 3, 4}, {}},
                tables(neap.arange(4):tensor_split{2, 9}))
    for _, cuts in ipairs{0, -1, 2.5} do
      assert.equal("tensor_split: expected a number of parts from 1 on, or " ..
                   "a list of positions", message(x.tensor_split, x, cuts))
    end
  end)

  it("diff of too few elements is empty", function()
    assert.same({0}, neap.tensor{1}:diff(2).shape)
    assert.same({2, 0}, x:diff(3).shape)
  end)

  it("nanmedian of no rows is empty", function()
    assert.same({0}, neap.zeros(0, 3):nanmedian(2).shape)
  end)

  it("matrix_power gives a new tensor", function()
    local m = neap.tensor{{1, 2}, {3, 4}}
    m:matrix_power(1):zero_()
    near({{1, 2}, {3, 4}}, m)
  end)

  it("zero_ and fill_diagonal_ change in place", function()
    local m = neap.ones(2, 2)
    assert.equal(m, m:fill_diagonal_(5))
    near({{5, 1}, {1, 5}}, m)
    assert.equal(m, m:zero_())
    near({{0, 0}, {0, 0}}, m)
  end)

  it("options that are not there are refused", function()
    assert.equal("cov: no option 'corection'; there is correction ",
                 message(x.cov, x, {corection = 0}))
    assert.equal("unique_consecutive: no option 'dim'; there is " ..
                 "return_inverse return_counts ",
                 message(x.unique_consecutive, x, {dim = 1}))
  end)

  it("map refuses what is no function, and what gives no number", function()
    assert.equal("map: expected a function, not number",
                 message(x.map, x, 3))
    assert.equal("apply_: the function gave nil for element 1, expected a " ..
                 "number", message(x.apply_, x, function() end))
  end)

  it("set_printoptions names all options and changes none of a table",
  function()
    local options = {sci_mode = true}
    neap.set_printoptions(options)
    neap.set_printoptions()
    assert.same({sci_mode = true}, options)
    assert.matches("precision threshold edgeitems linewidth sci_mode",
                   message(neap.set_printoptions, {foo = 1}))
    neap.set_printoptions{linewidth = 20}
    local text = tostring(neap.arange(7))
    neap.set_printoptions()
    assert.equal("{1, 2, 3, 4, 5, 6,\n 7} [int64 7]", text)
  end)

  it("errors name the line of the caller", function()
    local function user()
      neap.trace(neap.tensor{1})
    end
    local line = debug.getinfo(user, "S").linedefined + 1
    local _, err = pcall(user)
    assert.matches(":" .. line .. ": trace: x has 1 dimensions", err)
  end)

end)
