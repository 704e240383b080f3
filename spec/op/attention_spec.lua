local neap = require "neap"
local check = require "spec.support.check"
local F, message = neap.nn.functional, check.message
local attend = F.scaled_dot_product_attention

local function scores(q, k, v, mask)
  local z = q:matmul(k:transpose(-2, -1)) / math.sqrt(q.shape[q.ndim])
  if mask then z = z:masked_fill(mask:logical_not(), -math.huge) end
  return z:softmax(-1):matmul(v)
end

describe("attention", function()

  before_each(function() neap.manual_seed(4) end)

  it("is the softmax of scores times values, over many tiles", function()
    check.each_cpu(function()
      for _, dtype in ipairs{"float32", "float64"} do
        local tolerance = dtype == "float32" and 1e-5 or 1e-13
        for _, sizes in ipairs{{1, 1, 1}, {64, 128, 16}, {65, 129, 17},
                               {200, 300, 33}} do
          local function new(n)
            return neap.randn({2, n, sizes[3]}, {dtype = dtype,
                                                 requires_grad = true})
          end
          local q, k, v = new(sizes[1]), new(sizes[2]), new(sizes[2])
          local w = neap.randn({2, sizes[1], sizes[3]}, {dtype = dtype})
          for _, causal in ipairs{false, true} do
            local mask = causal and neap.ones(sizes[1], sizes[2]):tril()
                                                                :gt(0)
            local y = attend(q, k, v, {is_causal = causal})
            local z = scores(q, k, v, mask or nil)
            check.near(z, y, 0, tolerance)
            local a = neap.grad((y * w):sum(), {q, k, v})
            local b = neap.grad((z * w):sum(), {q, k, v})
            for i = 1, 3 do check.near(b[i], a[i], 0, tolerance * 10) end
          end
        end
      end
    end)
  end)

  it("stays finite for scores of any size", function()
    local q = neap.full({2, 4}, 1e4)
    local k = neap.tensor{{1e4, 1e4, 1e4, 1e4}, {-1e4, 0, 0, 0}}
    local v = neap.tensor{{1, 2}, {3, 4}}
    assert.same({{1, 2}, {1, 2}}, attend(q, k, v):totable())
    assert.same({{3, 4}, {3, 4}}, attend(-q, k, v):totable())
  end)

  it("gives 0 where a query sees nothing, with gradients of 0", function()
    local function new(...)
      return neap.randn({...}, {requires_grad = true})
    end
    local q, k, v = new(3, 4), new(5, 4), new(5, 2)
    local mask = neap.ones{3, 5, dtype = "bool"}
    mask[2] = false
    local y = attend(q, k, v, mask)
    assert.same({0, 0}, y[2]:totable())
    y:sum():backward()
    assert.same({0, 0, 0, 0}, q.grad[2]:totable())
    for _, t in ipairs{q, k, v} do
      assert.is_true(t.grad:isfinite():all():item())
    end
  end)

  it("drops weights, the same in the gradient, and keeps the mean",
  function()
    local q, k = neap.zeros(200, 4), neap.zeros(300, 4)
    local v = neap.ones{300, 2, requires_grad = true}
    local y = attend(q, k, v, {dropout_p = 0.25})
    assert.near(1, y:mean():item(), 0.01)
    assert.is_true(y:std(1):min():item() > 0.01)
    y:sum():backward()
    assert.near(y:sum():item(), v.grad:sum():item(), 0.05)
    local function again()
      return attend(q, k, v, {dropout_p = 0.25,
                              generator = neap.generator(9)}):totable()
    end
    assert.same(again(), again())
    assert.matches("no second derivative", message(function()
      local z = neap.randn({3, 2}, {requires_grad = true})
      local out = attend(z, z, z, {dropout_p = 0.5}):sum()
      neap.grad(out, z, {create_graph = true})
    end))
  end)

  it("has the same bits with any number of threads", function()
    local q, k = neap.randn(6, 150, 24), neap.randn(6, 220, 24)
    local function run(threads)
      local before = neap.get_num_threads()
      neap.set_num_threads(threads)
      local a, b = q:clone():requires_grad_(), k:clone():requires_grad_()
      local y = attend(a, b, b)
      y:sum():backward()
      neap.set_num_threads(before)
      return {y:totable(), a.grad:totable(), b.grad:totable()}
    end
    assert.same(run(1), run(3))
  end)

  it("keeps no matrix of all scores", function()
    local q = neap.randn({1, 2000, 8}, {requires_grad = true})
    local before = neap.memory().used
    local y = attend(q, q, q, {is_causal = true})
    assert.is_true(neap.memory().used - before < 2000 * 100)
    y:sum():backward()
  end)

  it("says what does not fit", function()
    local q, k = neap.ones(2, 3, 4), neap.ones(2, 5, 4)
    local function says(text, ...)
      assert.matches(text, message(attend, ...), 1, true)
    end
    says("q is 2x3x4, k is 2x5x3, v is 2x5x3: expected (..., queries, size)",
         q, neap.ones(2, 5, 3), neap.ones(2, 5, 3))
    says("q is 2x3x4 and k is 3x5x4: dimension 1 differs", q,
         neap.ones(3, 5, 4), neap.ones(3, 5, 4))
    says("q is float32, k is float64", q, k:to("float64"), k:to("float64"))
    says("attn_mask is 5x3, expected 2x3x5 or sizes of 1", q, k, k,
         neap.ones(5, 3))
    says("attn_mask is int64, expected bool", q, k, k, check.ids{{1}})
    says("dropout_p is 1, expected 0 to below 1", q, k, k, {dropout_p = 1})
  end)

end)
