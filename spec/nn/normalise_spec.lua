local neap = require "neap"
local check = require "spec.support.check"
local nn, F = neap.nn, neap.nn.functional
local message = check.message

local function moments(x, dims)
  return x:mean(dims), x:var{dim = dims, correction = 0}
end

describe("layers that normalise", function()

  it("stand having no channels", function()
    for _, shape in ipairs{{2, 0, 3}, {0, 2, 3}, {2, 2, 0}} do
      assert.same(shape, F.instance_norm(neap.zeros(shape)).shape)
    end
  end)

  it("bring rows to mean 0 and variance 1", function()
    check.each_cpu(function()
      for _, n in ipairs{1, 3, 16, 33, 200} do
        local x = neap.randn(4, n) * 3 + 50
        local mean, var = moments(F.layer_norm(x, n, {eps = 0}), 2)
        if n > 1 then
          check.near(neap.zeros(4), mean, 0, 1e-4)
          check.near(neap.ones(4), var, 1e-4, 1e-4)
        end
        local y = F.rms_norm(x, n, {eps = 0})
        check.near(neap.ones(4), (y * y):mean(2), 1e-5, 1e-5)
      end
    end)
  end)

  it("are exact where the mean is far from 0", function()
    local x = neap.arange(512):to("float32") + 1e5
    local y = F.layer_norm(x, 512)
    local z = F.layer_norm(x:to "float64", 512)
    check.near(z, y:to "float64", 1e-4, 1e-4)
  end)

  it("have PyTorch's parameters and names", function()
    local l = nn.LayerNorm{normalized_shape = {2, 3}}
    assert.same({2, 3}, l.weight.shape)
    assert.same({2, 3}, l.bias.shape)
    assert.equal(1, #nn.LayerNorm(4, {bias = false}):parameters())
    assert.equal(0, #nn.LayerNorm(4, {elementwise_affine = false})
                     :parameters())
    assert.equal(1, #nn.RMSNorm(4):parameters())
    assert.equal(2, #nn.GroupNorm(2, 4):parameters())
    assert.equal(0, #nn.InstanceNorm2d(3):parameters())
    assert.equal(3, #nn.InstanceNorm2d(3, {track_running_stats = true})
                     :buffers())
    assert.equal(3, #nn.BatchNorm2d(3):buffers())
  end)

  it("have right second derivatives", function()
    local function randn(...) return neap.randn({...}, {dtype = "float64"}) end
    assert(neap.gradgradcheck(function(x, w, b)
      return F.layer_norm(x, 4, w, b) end, {randn(2, 4), randn(4), randn(4)}))
    assert(neap.gradgradcheck(function(x, w)
      return F.rms_norm(x, 4, w) end, {randn(2, 4), randn(4)}))
  end)

  it("give the same bits at any number of threads", function()
    local x = neap.randn({300, 257}, {requires_grad = true})
    local w = neap.randn({257}, {requires_grad = true})
    local results = {}
    for threads = 1, 3 do
      neap.set_num_threads(threads)
      x.grad, w.grad = nil, nil
      F.layer_norm(x, 257, w):sin():sum():backward()
      results[threads] = {x.grad:totable(), w.grad:totable()}
    end
    neap.set_num_threads(0)
    assert.same(results[1], results[2])
    assert.same(results[1], results[3])
  end)

  it("keep running statistics of instances only if told", function()
    neap.manual_seed(1)
    local l = nn.InstanceNorm1d(2, {track_running_stats = true})
    local x = neap.randn(4, 2, 6) * 2 + 3
    l(x)
    check.near(x:mean{dim = {1, 3}} * 0.1, l.running_mean, 1e-5, 1e-5)
    l:eval()
    local y = l(x)
    assert.is_true(math.abs(y:mean():item()) > 0.5)
    local plain = nn.InstanceNorm1d(2)
    plain:eval()
    assert.is_true(math.abs(plain(x):mean():item()) < 1e-4)
  end)

  it("say what does not fit", function()
    assert.matches("x is 3x4, and its last dimensions are not 5",
                   message(nn.LayerNorm(5), neap.ones(3, 4)))
    assert.matches("layer_norm: weight is float32 4, expected float32 5",
                   message(F.layer_norm, neap.ones(2, 5), 5, neap.ones(4)))
    assert.matches("3 channels cannot be divided into 2 groups",
                   message(nn.GroupNorm, 2, 3))
    assert.matches("x is 2x3, expected %(batch, 4, ...%)",
                   message(nn.GroupNorm(2, 4), neap.ones(2, 3)))
    assert.matches("x is 2x3x4, expected %(batch, 3, height, width%)",
                   message(nn.BatchNorm2d(3), neap.ones(2, 3, 4)))
    assert.matches("expected more than one value in each channel",
                   message(nn.InstanceNorm1d(3), neap.ones(2, 3, 1)))
    assert.matches("num_features is 0", message(nn.InstanceNorm1d, 0))
    assert.matches("normalized_shape has the size 0",
                   message(nn.LayerNorm, 0))
  end)

end)
