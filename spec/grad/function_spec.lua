local neap = require "neap"
local check = require "spec.support.check"
local message, leaf, f64 = check.message, check.leaf, check.f64
local leaves_nothing, operation = check.leaves_nothing, check.operation

local cube = operation("Cube", function(ctx, x)
  ctx:save_for_backward(x)
  return x * x * x
end, function(ctx, g)
  local x = ctx:saved_tensors()
  return g * 3 * x * x
end)

-- a b and a / b
local both = operation("Both", function(ctx, a, b)
  ctx:save_for_backward(a, b)
  return a * b, a / b
end, function(ctx, g, h)
  local a, b = ctx:saved_tensors()
  return g * b + h / b, g * a - h * a / (b * b)
end)

describe("an operation in Lua", function()

  it("computes and has a gradient", function()
    local w = leaf{1, -2}
    local y = cube(w)
    assert.same({1, -8}, y:totable())
    assert.is_true(y.requires_grad)
    assert.is_false(y.is_leaf)
    y:sum():backward()
    assert.same({3, 12}, w.grad:totable())
  end)

  it("has gradients that differences confirm, also the second", function()
    local x = f64{0.5, -1.25, 2}
    assert.is_true(neap.gradcheck(cube, {x}))
    assert.is_true(neap.gradgradcheck(cube, {x}))
    local wrong = operation("Wrong", function(_, v) return v * 2 end,
                            function(_, g) return g * 3 end)
    assert.matches("gradcheck: input 1 at %(1%)",
                   message(neap.gradcheck, wrong, {x}))
  end)

  it("takes several inputs and gives several results", function()
    local a, b = f64{1, -2}, f64{4, 0.5}
    assert.is_true(neap.gradcheck(both, {a, b}))
    assert.is_true(neap.gradgradcheck(both, {a, b}))
    local v, w = leaf{1, 2}, leaf{4, 8}
    local p, q = both(v, w)
    assert.same({4, 16}, p:totable())
    assert.same({0.25, 0.25}, q:totable())
    q:sum():backward()
    assert.same({0.25, 0.125}, v.grad:totable())
    assert.same({-0.0625, -0.03125}, w.grad:totable())
    assert.equal(v, v:requires_grad_())
  end)

  it("sees zeros as the gradient of a result that is not used", function()
    local seen
    local two = operation("Two", function(_, x) return x * 2, x * 3 end,
                          function(_, g, h)
      seen = {g:totable(), h:totable()}
      return g * 2 + h * 3
    end)
    local w = leaf{1, 2}
    local _, q = two(w)
    q:sum():backward()
    assert.same({{0, 0}, {1, 1}}, seen)
    assert.same({3, 3}, w.grad:totable())
  end)

  it("takes arguments that are no tensors, and keeps what it likes",
  function()
    local scale = operation("Scale", function(ctx, name, x, k, options)
      ctx.k = k * options.more
      assert.equal("name", name)
      return x * ctx.k
    end, function(ctx, g) return nil, g * ctx.k end)
    local w = leaf{1, 2}
    scale("name", w, 3, {more = 2}):sum():backward()
    assert.same({6, 6}, w.grad:totable())
  end)

  it("may give nil for an input without a gradient", function()
    local f = operation("First", function(_, a, b) return a + b end,
                        function(_, g) return g, nil end)
    local a, b = leaf{1}, leaf{2}
    f(a, b):backward()
    assert.same({1}, a.grad:totable())
    assert.is_nil(b.grad)
    a.grad = nil
    f(a, neap.tensor{5}):backward()
    assert.same({1}, a.grad:totable())
  end)

  it("takes and gives whole numbers, which carry no gradient", function()
    local seen = "nothing"
    local pick = operation("Pick", function(ctx, x, at)
      ctx.at = at
      return x * at:to("float32"), x:argmax()
    end, function(ctx, g, h)
      seen = h
      return g * ctx.at:to("float32")
    end)
    local w = leaf{1, 5}
    local y, at = pick(w, neap.arange(2))
    assert.equal(2, at:item())
    assert.is_true(y.requires_grad)
    assert.is_false(at.requires_grad)
    y:sum():backward()
    assert.same({1, 2}, w.grad:totable())
    assert.is_nil(seen)
  end)

  it("may give its input again", function()
    local same = operation("Same", function(_, x) return x end,
                           function(_, g) return g * -1 end)
    local w = leaf{1, 2}
    local y = same(w)
    assert.is_true(w.is_leaf)
    assert.is_false(y.is_leaf)
    y:sum():backward()
    assert.same({-1, -1}, w.grad:totable())
  end)

  it("records nothing inside forward, and nothing under no_grad", function()
    local recorded
    local f = operation("Inside", function(_, x)
      recorded = neap.is_grad_enabled() or (x * 2).requires_grad
      return x * 2
    end, function(_, g) return g * 2 end)
    local w = leaf{1}
    assert.is_true(f(w).requires_grad)
    assert.is_false(recorded)
    assert.is_false(neap.no_grad(f, w).requires_grad)
    assert.is_false(f(neap.ones(1)).requires_grad)
    assert.is_true(neap.is_grad_enabled())
  end)

  it("notices that a saved tensor was changed in place", function()
    local w = leaf{1, 2}
    local x = w * 1
    local y = cube(x)
    x:add_(1)
    assert.matches("Cube: saved tensor 1 was changed in place since forward",
                   message(function() y:sum():backward() end))
  end)

  it("refuses gradients that do not fit", function()
    local forward = function(_, x) return x * 2 end
    for _, case in ipairs{
      {function() return neap.ones(3) end,
       "backward: result 1 is float32 3, but input 1 is float32 2"},
      {function(_, g) return g:to "float64" end,
       "backward: result 1 is float64 2, but input 1 is float32 2"},
      {function() return 3 end,
       "backward: result 1 is number, expected a tensor"},
      {function(_, g) return g, g end,
       "Many: backward returned 2 gradients for 1 inputs"},
      {function() error("went wrong", 0) end, "^went wrong$"}
    } do
      local f = operation("Many", forward, case[1])
      local w = leaf{1, 2}
      assert.matches(case[2], message(function() f(w):sum():backward() end))
      assert.is_nil(w.grad)
      assert.is_true(neap.is_grad_enabled())
    end
  end)

  it("passes errors on as they are, tables too", function()
    local why = {code = 7}
    local f = operation("Fails", function(_, x) return x * 2 end,
                        function() error(why) end)
    local w = leaf{1}
    local _, got = pcall(function() f(w):backward() end)
    assert.equal(why, got);
    (w * 3):backward()
    assert.same({3}, w.grad:totable())
  end)

  it("refuses results of forward that are no tensors", function()
    local w = leaf{1}
    assert.matches("Nothing: forward returned nothing",
                   message(operation("Nothing", function() end, print), w))
    assert.matches("Number: result 2 of forward is number, not a tensor",
                   message(operation("Number",
                                     function(_, x) return x, 3 end), w))
    assert.matches("in forward", message(operation("Error", function()
      error "in forward"
    end), w))
    assert.is_true(neap.is_grad_enabled())
    assert.is_true((w * 2).requires_grad)
  end)

  it("works inside a coroutine", function()
    local w = leaf{2}
    coroutine.wrap(function() cube(w):backward() end)()
    assert.same({12}, w.grad:totable())
  end)

  it("leaves nothing behind", function()
    leaves_nothing(function()
      local w = leaf{1, 2}
      cube(w):sum():backward()
      cube(w)
      local p = both(w, w)
      p:sum():backward()
    end)
    leaves_nothing(function()
      local w = leaf{1, 2}
      local x = w * 1
      local y = cube(x)
      x:add_(1)
      y:sum():backward()
    end)
    leaves_nothing(function()
      operation("Error", function() error "no" end)(leaf{1})
    end)
    leaves_nothing(function()
      local f = operation("Error", function(ctx, x)
        ctx:save_for_backward(x * 2)
        return x * 1
      end, function() error "no" end)
      f(leaf{1}):backward()
    end)
    leaves_nothing(function() neap.gradgradcheck(cube, {f64{1, 2}}) end)
  end)

end)
