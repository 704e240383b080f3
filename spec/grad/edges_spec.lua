local neap = require "neap"
local check = require "spec.support.check"
local message, leaf, f64 = check.message, check.leaf, check.f64
local leaves_nothing, operation = check.leaves_nothing, check.operation

local Function = neap.autograd.Function

describe("at the edges of autograd", function()

  it("a saved result of a Function may be differentiated again", function()
    local exp = operation("Exp", function(ctx, x)
      local y = x:exp()
      ctx:save_for_backward(y)
      return y
    end, function(ctx, g)
      return g * ctx:saved_tensors()
    end)
    local x = f64{0.5, 1}:requires_grad_()
    assert.is_true(neap.gradcheck(exp, {x}))
    assert.is_true(neap.gradgradcheck(exp, {x}))
    leaves_nothing(function() exp(leaf{1}) end)
  end)

  it("a Function without forward or backward is refused", function()
    local Empty = Function:extend "Empty"
    assert.equal("Empty: forward is nil, not a function",
                 message(Empty.apply, leaf{1}))
    Empty.forward = function(_, x) return x end
    assert.equal("Empty: backward is nil, not a function",
                 message(Empty.apply, leaf{1}))
    assert.is_true(neap.is_grad_enabled())
  end)

  it("checkpoint refuses create_graph, and inputs that were changed",
  function()
    local w = leaf{1, 2}
    assert.matches("no gradients of gradients", message(function()
      local y = neap.checkpoint(function(v) return v * v end, w):sum()
      neap.grad(y, w, {create_graph = true})
    end))
    assert.matches("saved tensor 1 was changed in place", message(function()
      local x = w * 1
      local y = neap.checkpoint(function(v) return v * v end, x)
      x:add_(10)
      y:sum():backward()
    end))
  end)

  it("checkpoint restores the generator when recomputing fails", function()
    local calls = 0
    local y = neap.checkpoint(function(v)
      calls = calls + 1
      if calls == 2 then error "no" end
      return v * neap.rand(2)
    end, leaf{1, 2})
    neap.rand(100)
    local before = neap.get_rng_state()
    assert.is_false(pcall(y.backward, y:sum()))
    assert.same(before, neap.get_rng_state())
  end)

  it("jacobian and hessian of what does not depend on x are zeros",
  function()
    local x = neap.tensor{1, 2}
    local zeros = {{0, 0}, {0, 0}}
    assert.same(zeros, neap.autograd.hessian(function(v)
      return (v * 2):sum()
    end, x):totable())
    assert.same(zeros, neap.autograd.hessian(function()
      return neap.tensor{1}
    end, x):totable())
    assert.same(zeros, neap.autograd.jacobian(function()
      return neap.tensor{1, 2}
    end, x):totable())
  end)

  it("names in a picture are quoted", function()
    local w = leaf{1}
    assert.matches('label="a\\"b\\n', neap.graph(w * 2, {['a"b'] = w}), 1,
                   true)
  end)

end)
