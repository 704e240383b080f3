local neap = require "neap"
local message = require("spec.support.check").message

local function leaf(data) return neap.tensor(data, {requires_grad = true}) end

describe("the tape", function()

  it("adds gradients up over uses and over passes", function()
    local w = leaf{1, 2}
    local y = w * w + w
    y:sum():backward()
    assert.same({3, 5}, w.grad:totable())
    local before = w.grad
    w:sum():backward()
    assert.same({4, 6}, w.grad:totable())
    assert.is_true(rawequal(before, w.grad))
  end)

  it("does not let two leaves share one gradient", function()
    local a, b = leaf{1, 2}, leaf{3, 4}
    local y = a + b
    y:sum():backward()
    a.grad:fill_(9)
    assert.same({1, 1}, b.grad:totable())
  end)

  it("takes a gradient for results of many elements", function()
    local w = leaf{1, 2}
    local y = w * 3
    assert.matches("without a gradient for it, it must have one element",
                   message(y.backward, y))
    y:backward(neap.tensor{1, 10})
    assert.same({3, 30}, w.grad:totable())
  end)

  it("frees the graph, says so, and keeps it on demand", function()
    local w = leaf{2}
    local y = (w * w):exp()
    y:backward(neap.ones(1), {retain_graph = true})
    y:backward()
    assert.matches("was freed by a backward before",
                   message(y.backward, y))
  end)

  it("says when nothing wants a gradient", function()
    local x = neap.ones(1)
    assert.matches("not computed from any that wants",
                   message(x.backward, x))
    local ids = neap.arange(3)
    assert.matches("carries no gradient",
                   message(ids.requires_grad_, ids))
  end)

  it("does not record under no_grad, in both forms", function()
    local w = leaf{1}
    assert.is_false(neap.no_grad(function() return w * 2 end).requires_grad)
    do
      local _ <close> = neap.no_grad()
      assert.is_false((w * 2).requires_grad)
      assert.is_true(neap.enable_grad(function() return w * 2 end)
                     .requires_grad)
    end
    assert.is_true((w * 2).requires_grad)
    pcall(neap.no_grad, error, "x")
    assert.is_true((w * 2).requires_grad)
  end)

  it("detaches", function()
    local w = leaf{1, 2}
    local d = (w * 2):detach()
    assert.is_false(d.requires_grad)
    local y = w * d
    y:sum():backward()
    assert.same({2, 4}, w.grad:totable())
  end)

  it("notices that a saved tensor was changed in place", function()
    local w = leaf{1, 2}
    local x = w * 1
    local y = x * x
    x:add_(1)
    local why = message(function() y:sum():backward() end)
    assert.matches("'mul' needs its input x as it was", why)
    local e = w:exp()
    e:mul_(2)
    assert.matches("'exp' needs its result",
                   message(function() e:sum():backward() end))
  end)

  it("follows changes in place of what is not a leaf", function()
    local w = leaf{1, 2, 3}
    local y = w * 2
    y:mul_(y:detach())
    y:add_(w)
    y[2] = 0
    y:sum():backward()
    assert.same({5, 0, 13}, w.grad:totable())
  end)

  it("refuses changes in place of leaves and views, naming the way out",
  function()
    local w = leaf{1, 2}
    local why = message(function() w:add_(1) end)
    assert.matches("a leaf that wants a gradient", why)
    assert.matches("neap.where", why)
    local y = w * 2
    assert.matches("a view of a tensor on the tape",
                   message(function() y[{{1, 1}}]:mul_(3) end))
    neap.no_grad(function() w:add_(1) end)
    assert.same({2, 3}, w:totable())
    local v = y[{{1, 2}}]
    y:mul_(2)
    assert.matches("take the view again", message(function() return v * 1 end))
  end)

  it("computes second derivatives", function()
    local x = leaf{0.5, -1}
    local g = neap.grad(x:tanh():sum(), x, {create_graph = true})
    local h = neap.grad(g:sum(), x)
    for i = 1, 2 do
      local t = neap.tanh(x:detach())[i]
      assert.near(-2 * t * (1 - t * t), h[i], 1e-6)
    end
  end)

  it("gives gradients without touching .grad", function()
    local a, b, c = leaf{1}, leaf{2}, leaf{3}
    local g = neap.grad((a * b):sum(), {a, b, c})
    assert.equal(2, g[1]:item())
    assert.equal(1, g[2]:item())
    assert.is_false(g[3])
    assert.is_nil(a.grad)
    local y = a * 2
    assert.same({5}, neap.grad((y * 5):sum(), y):totable())
  end)

  it("has one handle for each gradient", function()
    local w = leaf{1}
    w:sum():backward()
    local t = {[w.grad] = "yes"}
    collectgarbage()
    assert.equal("yes", t[w.grad])
    w.grad = nil
    assert.is_nil(w.grad)
    local g = neap.ones(1)
    w.grad = g
    assert.is_true(rawequal(g, w.grad))
    assert.matches("does not fit", message(function()
      w.grad = neap.ones(2)
    end))
  end)

  it("leaves nothing behind after an error in the middle", function()
    collectgarbage()
    collectgarbage()
    local before = neap._test.live()
    do
      local w = leaf{1, 2}
      local x = w * 1
      local y = (x * x):exp() + w
      x:add_(1)
      pcall(function() y:sum():backward() end)
    end
    collectgarbage()
    collectgarbage()
    assert.equal(before, (neap._test.live()))
  end)

  it("checks gradients and finds wrong ones", function()
    local x = neap.tensor({0.3, 0.7}, {dtype = "float64"})
    assert.is_true(neap.gradcheck(neap.exp, {x}))
    assert.matches("gradcheck: input 1 at %(1%)", message(function()
      neap.gradcheck(function(v) return v:detach() * v end, {x})
    end))
  end)

  it("walks a chain of a million nodes with a small stack", function()
    local build = os.getenv "NEAP_BUILD" or "build"
    local script = os.tmpname()
    local file = io.open(script, "w")
    file:write [[
      local neap = require "neap"
      local w = neap.tensor({1}, {requires_grad = true})
      local y = w
      for i = 1, 1000000 do y = y + 1 end
      y:backward()
      assert(w.grad[1] == 1)
      y = w
      for i = 1, 1000000 do y = y + 1 end
      y = nil
      collectgarbage()
      print "walked"
    ]]
    file:close()
    local pipe = io.popen(("ulimit -s 256; %s/neap %s 2>&1")
                          :format(build, script))
    local text = pipe:read "a"
    pipe:close()
    os.remove(script)
    assert.equal("walked\n", text)
  end)

  it("says that recording was off", function()
    local w = neap.ones({2}, {requires_grad = true})
    local guard <close> = neap.no_grad()
    local loss = (w * w):sum()
    assert.matches("neap.no_grad%(%) holds here", message(loss.backward,
                                                          loss))
    assert.matches("no_grad: expected a function, not a tensor",
                   message(neap.no_grad, loss))
    assert.is_table(guard)
  end)

end)
