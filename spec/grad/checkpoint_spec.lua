local neap = require "neap"
local check = require "spec.support.check"
local message, leaf, live = check.message, check.leaf, check.live
local leaves_nothing = check.leaves_nothing

describe("checkpoint", function()

  -- the gradients of f(x) with and without checkpoint, from the same state
  -- of the random numbers
  local function gradients(f, x, modules)
    local out = {}
    for _, way in ipairs{function(v) return f(v) end,
                         function(v) return neap.checkpoint(f, v) end} do
      neap.manual_seed(11)
      local w = x:detach():clone():requires_grad_()
      for _, p in ipairs(modules) do p.grad = nil end
      local y = way(w);
      (y * y):sum():backward()
      local list = {y:totable(), w.grad:totable(), neap.rand(2):totable()}
      for _, p in ipairs(modules) do list[#list + 1] = p.grad:totable() end
      out[#out + 1] = list
    end
    return out[1], out[2]
  end

  it("gives the same results and gradients", function()
    local plain, again = gradients(function(x) return x:exp() * x:sin() end,
                                   neap.tensor{0.5, -1, 2}, {})
    assert.same(plain, again)
  end)

  it("reaches parameters, and draws the same dropout", function()
    neap.manual_seed(1)
    local a, b = neap.nn.Linear(4, 8), neap.nn.Linear(8, 2)
    local drop = neap.nn.Dropout(0.5)
    local params = {a.weight, a.bias, b.weight, b.bias}
    local plain, again = gradients(function(x)
      return b(drop(a(x):tanh()))
    end, neap.ones(3, 4), params)
    assert.same(plain, again)
    plain, again = gradients(function(x)
      return neap.checkpoint(function(v) return b(drop(v)) end, a(x):relu())
    end, neap.ones(3, 4), params)
    assert.same(plain, again)
  end)

  it("reaches parameters where no input wants a gradient", function()
    local w = leaf{1, 2}
    neap.checkpoint(function(x) return x * w end, neap.tensor{3, 4})
        :sum():backward()
    assert.same({3, 4}, w.grad:totable())
  end)

  it("takes several inputs, also no tensors, and gives several results",
  function()
    local a, b = leaf{1, 2}, leaf{3, 4}
    local p, q = neap.checkpoint(function(x, k, y)
      return x * y * k, x + y
    end, a, 10, b)
    assert.same({30, 80}, p:totable())
    assert.same({30, 40}, neap.grad(p:sum(), a, {retain_graph = true})
                          :totable());
    (p + q):sum():backward()
    assert.same({31, 41}, a.grad:totable())
    assert.same({11, 21}, b.grad:totable())
    a.grad = nil
    local _, r = neap.checkpoint(function(x) return x * 2, x * 3 end, a)
    r:sum():backward()
    assert.same({3, 3}, a.grad:totable())
  end)

  it("computes once where nothing is recorded, and twice else", function()
    local n = 0
    local function f(x)
      n = n + 1
      return x * 2
    end
    assert.is_false(neap.no_grad(neap.checkpoint, f, leaf{1}).requires_grad)
    assert.equal(1, n)
    local y = neap.checkpoint(f, leaf{1})
    assert.equal(2, n)
    y:backward()
    assert.equal(3, n)
  end)

  it("keeps less memory until the backward", function()
    local function deep(x)
      for _ = 1, 10 do x = x:tanh() end
      return x
    end
    local function kept(f)
      local w = neap.ones{10000, requires_grad = true}
      live()
      local _, before = neap._test.live()
      local y = f(w)
      live()
      local _, after = neap._test.live()
      y:sum():backward()
      return after - before
    end
    local plain = kept(deep)
    local less = kept(function(x) return neap.checkpoint(deep, x) end)
    assert.is_true(plain >= 400000, plain)
    assert.is_true(less < 100000, less)
  end)

  it("passes errors on, first time and again, and leaves nothing behind",
  function()
    local n = 0
    local function second(x)
      n = n + 1
      if n == 2 then error "the second time" end
      return x:exp()
    end
    assert.matches("the first time", message(neap.checkpoint, function()
      error "the first time"
    end, leaf{1}))
    assert.is_true(neap.is_grad_enabled())
    local y = neap.checkpoint(second, leaf{1})
    assert.matches("the second time", message(y.backward, y))
    assert.is_true(neap.is_grad_enabled())
    y = nil
    leaves_nothing(function()
      n = 0
      neap.checkpoint(second, leaf{1}):backward()
    end)
    leaves_nothing(function()
      neap.checkpoint(function(x) return x:exp() end, leaf{1}):backward()
      neap.checkpoint(function(x) return x:exp() end, leaf{1})
    end)
  end)

end)
