local neap = require "neap"
local check = require "spec.support.check"
local nn, F, message, ids = neap.nn, neap.nn.functional, check.message,
                            check.ids

describe("an Embedding", function()

  it("gives a vector for each number, in any shape", function()
    local e = nn.Embedding(5, 3)
    assert.same({2, 2, 3}, e(ids{{1, 2}, {5, 2}}).shape)
    assert.same(e.weight[5]:totable(), e(ids{5})[1]:totable())
    assert.same({3}, e(ids(4)).shape)
    assert.same({0, 3}, e(neap.zeros{0, dtype = "int64"}).shape)
    assert.matches("Embedding: x%[2%] is 6, but embeddings are 1 to 5",
                   message(e, ids{1, 6}))
    assert.matches("x%[1%] is %-1, but embeddings are", message(e, ids{-1}))
    assert.matches("Embedding: x is float32, expected integers",
                   message(e, neap.ones(2)))
  end)

  it("starts with mean 0 and variance 1, its padding with 0", function()
    neap.manual_seed(1)
    local w = nn.Embedding(400, 100, {padding_idx = -1}).weight
    assert.near(0, w:mean():item(), 0.02)
    assert.near(1, w[{{1, -2}}]:std():item(), 0.02)
    assert.equal(0, w[400]:abs():sum():item())
    assert.matches("padding_idx: position 6 is outside the 5 embeddings",
                   message(nn.Embedding, 5, 3, {padding_idx = 6}))
  end)

  it("adds the gradients of equal numbers, none for the padding", function()
    for _, dtype in ipairs{"float32", "float64"} do
      local e = nn.Embedding(600, 2, {padding_idx = 2}):to(dtype)
      e(ids{{1, 2, 600}, {600, 600, 2}}):sum():backward()
      local sums = e.weight.grad:sum(2)
      assert.same({2, 0, 6}, {sums[1], sums[2], sums[600]})
      assert.equal(8, sums:sum():item())
    end
  end)

  it("takes vectors that were learned elsewhere", function()
    local w = neap.randn({4, 2}, {dtype = "float64"})
    local e = nn.Embedding.from_pretrained(w, {padding_idx = 1})
    assert.same(w:totable(), e.weight:totable())
    assert.is_false(e.weight.requires_grad)
    assert.equal("float64", e(ids{1}).dtype)
    e = nn.Embedding.from_pretrained(w, {freeze = false})
    assert.is_true(e.weight.requires_grad)
    assert.matches("expected a tensor %(embeddings, size%), not 3",
                   message(nn.Embedding.from_pretrained, neap.ones(3)))
    assert.matches("Embedding: no option 'size'",
                   message(nn.Embedding.from_pretrained, w, {size = 1}))
  end)

  it("survives each failing request for memory", function()
    check.out_of_memory(function()
      local e = nn.Embedding(4, 3, {padding_idx = 1, max_norm = 1})
      e(ids{2, 3}):sum():backward()
    end)
  end)

  it("may divide gradients by how often a batch has a number", function()
    local e = nn.Embedding(3, 1, {scale_grad_by_freq = true})
    local y = e(ids{1, 3, 3, 3})
    y:backward(neap.tensor{{1}, {2}, {4}, {9}})
    assert.same({{1}, {0}, {5}}, e.weight.grad:totable())
    local w = neap.randn({3, 2}, {dtype = "float64", requires_grad = true})
    assert.is_true(neap.gradgradcheck(function(x)
      return F.embedding(ids{1, 3, 3}, x ^ 2, {scale_grad_by_freq = false,
                                               padding_idx = 2})
    end, {w}))
  end)

  it("keeps the norms of what is used below a limit", function()
    local e = nn.Embedding(3, 4, {max_norm = 0.5})
    local before = e.weight[3]:clone()
    local y = e(ids{1, 2})
    check.near(neap.tensor{0.5, 0.5}, y:norm(2, 2):detach(), 1e-5, 1e-5)
    assert.same(before:totable(), e.weight[3]:totable())
    y:sum():backward()
    assert.same({1, 1, 1, 1}, e.weight.grad[1]:totable())
    local w = neap.tensor{{0.5, 0.2}, {3, 4}}
    check.near(neap.tensor{{0.4, 0.16}, {0.3, 0.4}},
               F.embedding_renorm(w, ids{1, 2}, {max_norm = 0.4,
                                                 norm_type = math.huge}),
               1e-6, 1e-6)
    assert.matches("max_norm is %-1 and norm_type 2, expected 0 or more",
                   message(nn.Embedding, 2, 2, {max_norm = -1}))
    local b = nn.EmbeddingBag(3, 4, {max_norm = 0.1})
    before = b.weight:clone()
    assert.matches("offsets belong", message(b, ids{1, 2}))
    assert.same(before:totable(), b.weight:totable())
  end)

end)


describe("an EmbeddingBag", function()
  local function bag(options)
    local b = nn.EmbeddingBag(4, 2, options)
    neap.no_grad(function()
      b.weight:copy_(neap.tensor{{1, 10}, {2, 20}, {3, -5}, {4, 40}})
    end)
    return b
  end

  it("adds, averages or takes the largest of its rows", function()
    local x = ids{{1, 3}, {4, 4}}
    assert.same({{2, 2.5}, {4, 40}}, bag()(x):totable())
    assert.same({{4, 5}, {8, 80}}, bag{mode = "sum"}(x):totable())
    assert.same({{3, 10}, {4, 40}}, bag{mode = "max"}(x):totable())
  end)

  it("takes bags by offsets, empty ones too, and weights", function()
    local x, offsets = ids{1, 3, 4}, ids{1, 3, 3}
    assert.same({{2, 2.5}, {0, 0}, {4, 40}}, bag()(x, offsets):totable())
    assert.same({{3, 10}, {0, 0}, {4, 40}},
                bag{mode = "max"}(x, offsets):totable())
    assert.same({{2, 2.5}, {4, 40}}, bag{include_last_offset = true}(
                x, ids{1, 3, 4}):totable())
    local s = bag{mode = "sum"}
    local weights = neap.tensor({0.5, 2, 1}, {requires_grad = true})
    local y = s(x, offsets, weights)
    assert.same({{6.5, -5}, {0, 0}, {4, 40}}, y:totable())
    y:sum():backward()
    assert.same({11, -2, 44}, weights.grad:totable())
  end)

  it("may have no bags, and numbers behind the last", function()
    local x, none = ids{1, 3, 4}, neap.zeros{0, dtype = "int64"}
    for _, mode in ipairs{"sum", "mean", "max"} do
      assert.same({0, 2}, bag{mode = mode}(x, none).shape)
      local ends = bag{mode = mode, include_last_offset = true}
      assert.same({0, 2}, ends(x, ids{1}).shape)
      assert.same({{1, 10}}, ends(x, ids{1, 2}):totable())
      assert.matches("offsets is 0, expected one dimension",
                     message(ends, x, none))
      assert.matches("offsets is 2x2, expected one dimension",
                     message(ends, x, ids{{1, 2}, {2, 3}}))
      assert.matches("offsets is float32, expected integers",
                     message(ends, x, neap.ones(2)))
    end
  end)

  it("does not count its padding", function()
    local x = ids{{1, 4}, {4, 4}}
    for mode, want in pairs{mean = {{1, 10}, {0, 0}},
                            max = {{1, 10}, {0, 0}}} do
      assert.same(want, bag{mode = mode, padding_idx = 4}(x):totable())
    end
  end)

  it("says what does not fit", function()
    local b = bag()
    assert.matches("offsets belong to an x of one dimension",
                   message(b, ids{1, 2}))
    assert.matches("offsets%[2%] is 9, expected a rising place of x",
                   message(b, ids{1, 2}, ids{1, 9}))
    assert.matches("first offset must be the first place of x",
                   message(b, ids{1, 2}, ids{2}))
    assert.matches("per_sample_weights belong to mode sum",
                   message(b, ids{1, 2}, ids{1}, neap.ones(2)))
    assert.matches("x%[1%] is 5, but embeddings are 1 to 4",
                   message(b, ids{{5, 1}}))
  end)

end)
