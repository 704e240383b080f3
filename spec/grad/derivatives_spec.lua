local neap = require "neap"
local check = require "spec.support.check"
local message, leaf, f64 = check.message, check.leaf, check.f64
local leaves_nothing = check.leaves_nothing

describe("neap.grad", function()

  it("gives gradients that can be differentiated again", function()
    local x = leaf{2, -1}
    local g = neap.grad((x ^ 4):sum(), x, {create_graph = true})
    assert.same({32, -4}, g:totable())
    local h = neap.grad(g:sum(), x, {create_graph = true})
    assert.same({48, 12}, h:totable())
    assert.same({48, -24}, neap.grad(h:sum(), x):totable())
    assert.is_nil(x.grad)
  end)

  it("serves a penalty on gradients", function()
    local w, x = leaf{3}, leaf{2}
    local y = w * x * x
    local g = neap.grad(y, x, {create_graph = true});
    (g * g):sum():backward()                     -- (2 w x)^2
    assert.same({96}, w.grad:totable())
    assert.same({144}, x.grad:totable())
  end)

  it("takes several outputs with a gradient for each", function()
    local x = leaf{1, 2}
    local g = neap.grad({x * 2, x * x}, x, {
      grad_outputs = {neap.tensor{1, 10}, neap.tensor{1, 1}}
    })
    assert.same({4, 24}, g:totable())
    assert.matches("grad: 2 outputs, but 1 grad_outputs",
                   message(neap.grad, {x * 2, x}, x,
                           {grad_outputs = {neap.ones(2)}}))
    assert.matches("no option 'create_grap'",
                   message(neap.grad, x:sum(), x, {create_grap = true}))
  end)

end)

describe("value_and_grad", function()

  it("gives the value and the gradient for a tensor", function()
    local w = neap.tensor{1, 2}
    local f = neap.value_and_grad(function(x, k) return (x * x):sum() * k end)
    local loss, g = f(w, 3)
    assert.equal(15, loss:item())
    assert.is_false(loss.requires_grad)
    assert.same({6, 12}, g:totable())
    assert.is_false(w.requires_grad)
  end)

  it("gives gradients in the form of nested tables, and other results",
  function()
    local params = {
      w = leaf{1, 2}, layers = {{b = neap.tensor{3, 4}}, neap.tensor{5}},
      unused = neap.tensor{{1}}
    }
    local loss, g, name, more = neap.value_and_grad(function(p, x)
      local y = p.w * p.layers[1].b * x + p.layers[2]
      return y:sum(), "name", y
    end)(params, neap.tensor{1, 10})
    assert.equal(93, loss:item())
    assert.same({3, 40}, g.w:totable())
    assert.same({1, 20}, g.layers[1].b:totable())
    assert.same({2}, g.layers[2]:totable())
    assert.same({{0}}, g.unused:totable())
    assert.equal("name", name)
    assert.same({8, 85}, more:totable())
    assert.is_nil(params.w.grad)
  end)

  it("works under no_grad, and for a result without a gradient", function()
    local f = neap.value_and_grad(function(x) return (x * x):sum() end)
    local _, g = neap.no_grad(f, neap.tensor{3})
    assert.same({6}, g:totable())
    f = neap.value_and_grad(function() return neap.tensor(2) end)
    _, g = f(neap.tensor{3})
    assert.same({0}, g:totable())
  end)

  it("says what is wrong", function()
    local want = "value_and_grad: the function must return a loss of one " ..
                 "element first"
    local x = neap.tensor{1, 2}
    assert.matches(want, message(neap.value_and_grad(function(p)
      return p
    end), x))
    assert.matches(want, message(neap.value_and_grad(function()
      return 3
    end), x))
    assert.matches("parameter.a.b is number, not a tensor or a table",
                   message(neap.value_and_grad(print), {a = {b = 3}}))
    assert.matches("parameter.2 is string",
                   message(neap.value_and_grad(print), {x, "x"}))
  end)

end)

describe("derivatives of functions", function()
  local matrix = {{1, 2, 3}, {4, 5, 6}}

  it("are the matrix of a linear map", function()
    local a, x = f64(matrix), f64{1, -1, 2}
    local j = neap.autograd.jacobian(function(v) return a:matmul(v) end, x)
    assert.same(matrix, j:totable())
    assert.is_false(j.requires_grad)
    assert.is_false(x.requires_grad)
  end)

  it("lie on the diagonal of a function of elements", function()
    local j = neap.autograd.jacobian(function(v) return v ^ 3 end,
                                     f64{1, 2})
    assert.same({{3, 0}, {0, 12}}, j:totable())
  end)

  it("are given for several inputs, and have both shapes", function()
    local j = neap.autograd.jacobian(function(a, b)
      return a:matmul(b)
    end, {f64(matrix), f64{1, 10, 100}})
    assert.same({{{1, 10, 100}, {0, 0, 0}}, {{0, 0, 0}, {1, 10, 100}}},
                j[1]:totable())
    assert.same(matrix, j[2]:totable())
    j = neap.autograd.jacobian(function(a) return a * 2 end,
                               {f64{1, 2}, f64{{3}}})
    assert.same({{2, 0}, {0, 2}}, j[1]:totable())
    assert.same({{{0}}, {{0}}}, j[2]:totable())
    j = neap.autograd.jacobian(function(v) return v:sum() end, f64(matrix))
    assert.same({{1, 1, 1}, {1, 1, 1}}, j:totable())
  end)

  it("can be differentiated again", function()
    local x = leaf{1, 2}
    local j = neap.autograd.jacobian(function(v) return v ^ 3 end, x,
                                     {create_graph = true})
    assert.is_true(j.requires_grad)
    assert.same({6, 12}, neap.grad(j:sum(), x):totable())
  end)

  it("are taken under no_grad too", function()
    local j = neap.no_grad(neap.autograd.jacobian, function(v)
      return v * 2
    end, f64{1})
    assert.same({{2}}, j:totable())
  end)

  it("of second order: x^T A x has A + A^T", function()
    local a = f64{{1, 2}, {5, 3}}
    local h = neap.autograd.hessian(function(v)
      return v:dot(a:matmul(v))
    end, f64{0.5, -2})
    assert.same({{2, 7}, {7, 6}}, h:totable())
  end)

  it("of second order, of a function of two numbers", function()
    -- f = x^2 y + y^3
    local h = neap.autograd.hessian(function(v)
      return v[1] * v[1] * v[2] + v[2] ^ 3
    end, f64{3, 2})
    assert.same({{4, 6}, {6, 12}}, h:totable())
    h = neap.autograd.hessian(function(v) return (v * v):sum() end,
                              f64{{1, 2}})
    assert.same({1, 2, 1, 2}, h.shape)
    assert.same({{{{2, 0}}, {{0, 2}}}}, h:totable())
  end)

  it("leave nothing behind", function()
    leaves_nothing(function()
      neap.autograd.hessian(function(v) return (v ^ 3):sum() end, f64{1, 2})
      neap.autograd.jacobian(function(v) return v:exp() end, f64{1, 2})
      neap.value_and_grad(function(v) return v:sum() end)(f64{1, 2})
    end)
  end)

end)
