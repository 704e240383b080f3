local neap = require "neap"
local check = require "spec.support.check"
local message, leaf = check.message, check.leaf
local leaves_nothing, operation = check.leaves_nothing, check.operation

describe("hooks", function()

  it("see and change the gradient of a leaf and of what is none", function()
    local w = leaf{1, 2}
    local seen = {}
    w:register_hook(function(g) seen.w = g:totable() end)
    local y = w * 3
    y:register_hook(function(g)
      seen.y = g:totable()
      return g * 10
    end);
    (y * 2):sum():backward()
    assert.same({2, 2}, seen.y)
    assert.same({60, 60}, seen.w)
    assert.same({60, 60}, w.grad:totable())
    w:register_hook(function(g) return g * 0 end)
    w.grad = nil
    w:sum():backward()
    assert.same({0, 0}, w.grad:totable())
  end)

  it("are called in order, each with what the one before gave", function()
    local w, order = leaf{1}, {}
    w:register_hook(function(g)
      order[#order + 1] = g:item()
      return g * 2
    end)
    w:register_hook(function(g)
      order[#order + 1] = g:item()
      return g + 1
    end)
    w:register_hook(function(g) order[#order + 1] = g:item() end)
    w:sum():backward()
    assert.same({1, 2, 3}, order)
    assert.same({3}, w.grad:totable())
  end)

  it("see the whole gradient once where a tensor is used several times",
  function()
    local w, calls = leaf{2, 3}, {}
    w:register_hook(function(g) calls[#calls + 1] = g:totable() end)
    local y = w * 1
    y:register_hook(function(g) calls[#calls + 1] = g:totable() end);
    (w * w + y * 5 + y + w):sum():backward()
    assert.same({{6, 6}, {11, 13}}, calls)
    assert.same({11, 13}, w.grad:totable())
  end)

  it("are removed, also twice and inside of one", function()
    local w, n = leaf{1}, 0
    local handle = w:register_hook(function() n = n + 1 end)
    w:sum():backward()
    handle:remove()
    handle:remove()
    w:sum():backward()
    assert.equal(1, n)
    handle = w:register_hook(function()
      n = n + 1
      handle:remove()
    end)
    w:sum():backward()
    w:sum():backward()
    assert.equal(2, n)
    local y = w * 2
    y:register_hook(function() n = n + 1 end):remove()
    y:backward()
    assert.equal(2, n)
  end)

  it("may fail, and the library goes on", function()
    local w = leaf{1, 2}
    local handle = w:register_hook(function() error "in the hook" end)
    local y = w * 2
    assert.matches("in the hook",
                   message(function() y:sum():backward() end))
    assert.is_nil(w.grad)
    handle:remove()
    assert.is_true(neap.is_grad_enabled())
    local z = w * 3
    z:register_hook(function() error({code = 5}) end)
    local _, why = pcall(function() z:sum():backward() end)
    assert.equal(5, why.code)
    w:sum():backward()
    assert.same({1, 1}, w.grad:totable())
  end)

  it("are refused a gradient that does not fit, and what is no function",
  function()
    local w = leaf{1, 2}
    local handle = w:register_hook(function() return neap.ones(3) end)
    assert.matches("hook: the gradient is float32 2, but what a hook gave " ..
                   "is float32 3", message(function() w:sum():backward() end))
    handle:remove()
    handle = w:register_hook(function(g) return g:to "float64" end)
    assert.matches("what a hook gave is float64 2",
                   message(function() w:sum():backward() end))
    handle:remove()
    handle = w:register_hook(function() return 3 end)
    assert.matches("hook: expected a tensor or nothing, not number",
                   message(function() w:sum():backward() end))
    handle:remove()
    assert.matches("register_hook: expected a function, not number",
                   message(w.register_hook, w, 3))
    local x = neap.ones(1)
    assert.matches("register_hook: this tensor wants no gradient",
                   message(x.register_hook, x, print))
  end)

  it("are called inside a coroutine", function()
    local w = leaf{1}
    coroutine.wrap(function()
      w:register_hook(function(g) return g * 7 end)
      w:sum():backward()
    end)()
    assert.same({7}, w.grad:totable())
  end)

  it("leave nothing behind", function()
    leaves_nothing(function()
      local w = leaf{1}
      w:register_hook(function(g) return g * 2 end)
      local y = w * 2
      y:register_hook(function(g) return g * 2 end)
      y:backward()
      local z = w * 3
      z:register_hook(function(g) return g * w:detach() end)
    end)
    leaves_nothing(function()
      local y = leaf{1} * 2
      y:register_hook(function() error "no" end)
      y:backward()
    end)
    leaves_nothing(function()
      local y = leaf{1} * 2
      y:register_hook(function() return neap.ones(2) end)
      y:backward()
    end)
  end)

end)

describe("retain_grad", function()

  it("keeps the gradient of what is no leaf", function()
    local w = leaf{1, 2}
    local y, z = w * 2, w * 3
    assert.equal(y, y:retain_grad())
    y:retain_grad();
    (y * y + z):sum():backward()
    assert.same({4, 8}, y.grad:totable())
    assert.is_nil(z.grad)
    assert.same({11, 19}, w.grad:totable())
    assert.equal(w, w:retain_grad())
    local x = neap.ones(1)
    assert.matches("retain_grad: this tensor wants no gradient",
                   message(x.retain_grad, x))
  end)

  it("goes along with a change in place", function()
    local w = leaf{1, 2}
    local y = w * 2
    y:retain_grad()
    y:mul_(3);
    (y * 5):sum():backward()
    assert.same({5, 5}, y.grad:totable())
    assert.same({30, 30}, w.grad:totable())
  end)

  it("keeps what hooks gave, whichever came first", function()
    local w = leaf{1, 2}
    local y = w * 2
    y:retain_grad()
    y:register_hook(function(g) return g * 7 end)
    y:sum():backward()
    assert.same({7, 7}, y.grad:totable())
    assert.same({14, 14}, w.grad:totable())
  end)

  it("leaves nothing behind", function()
    leaves_nothing(function()
      local y = leaf{1} * 2
      y:retain_grad()
      y:mul_(2)
      y:backward()
      local z = leaf{1} * 2
      z:retain_grad()
    end)
  end)

end)

describe("functions that a backward calls", function()

  it("may have results that are not on the tape first", function()
    local f = operation("Both", function(_, x)
      return x:gt(0):to "int64", x * 2
    end, function(_, _, g) return g * 2 end)
    local x = leaf{1, 2, 3}
    local _, y = f(x)
    y:sum():backward()
    assert.same({2, 2, 2}, x.grad:totable())
  end)

  it("may not go back through the graph that is being gone through",
  function()
    local x = leaf{1, 2, 3}
    local y = x:cumprod(1)
    local s = y:sum()
    y:register_hook(function() s:backward() end)
    assert.matches("began another one through the same graph",
                   message(function() (y * 2):sum():backward() end))
    local other = leaf{1}
    local z = x * 2
    z:register_hook(function()
      neap.enable_grad(function() (other * 3):backward() end)
    end)
    z:sum():backward()
    assert.same({3}, other.grad:totable())
    assert.same({2, 2, 2}, x.grad:totable())
  end)

  it("may resume coroutines that use tensors", function()
    local co
    local x = leaf{1}
    local y = x * 2
    local z = y * 3
    z:register_hook(function()
      co = coroutine.create(function()
        neap.zeros(1)
        coroutine.yield()
        neap.zeros(1)
      end)
      assert(coroutine.resume(co))
    end)
    local ok
    y:register_hook(function() ok = coroutine.resume(co) end)
    z:sum():backward()
    assert.is_true(ok)
    assert.same({6}, x.grad:totable())
  end)

end)
