local neap = require "neap"
local check = require "spec.support.check"
local message, f64, ids = check.message, check.f64, check.ids
local tables = check.tables

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
