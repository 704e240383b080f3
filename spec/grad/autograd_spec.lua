local neap = require "neap"
local message = require("spec.support.check").message

local Function = neap.autograd.Function

local function leaf(data) return neap.tensor(data, {requires_grad = true}) end
local function f64(data) return neap.tensor(data, {dtype = "float64"}) end

local function live()
  collectgarbage()
  collectgarbage()
  return (neap._test.live())
end

-- Fails unless f, which may raise an error, leaves no tensor behind.
local function leaves_nothing(f)
  local before = live()
  pcall(f)
  assert.equal(before, live())
end

local function line_above()
  return debug.getinfo(2, "l").currentline - 1
end

-- An operation of one input with the given two functions.
local function operation(name, forward, backward)
  local class = Function:extend(name)
  class.forward, class.backward = forward, backward
  return class.apply
end

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

describe("detect_anomaly", function()
  local here = "spec/grad/autograd_spec.lua:"

  it("names the line of the operation whose gradient is NaN", function()
    local w = leaf{0, 2}
    local line
    local why = message(neap.detect_anomaly, function()
      local y = w * w
      line = line_above()
      y:sqrt():sum():backward()
    end)
    assert.matches("NaN in the gradient of input x of 'mul', recorded at",
                   why, 1, true)
    assert.matches(here .. line, why, 1, true)
    assert.is_nil(why:find("first NaN", 1, true))
  end)

  it("names where the first NaN of the forward pass was made", function()
    local w = leaf{-1, 2}
    local first, last
    local why = message(neap.detect_anomaly, function()
      local y = w:log()
      first = line_above()
      local z = y * 2
      z = z * z
      last = line_above()
      z:sum():backward()
    end)
    assert.matches("of 'mul', recorded at [^;]*" .. here .. last .. ";", why)
    assert.matches("the first NaN of the forward pass came from 'log' at ",
                   why, 1, true)
    assert.matches(here .. first .. "$", why)
  end)

  it("is off again afterwards, however it ends", function()
    local function makes_nan()
      local w = leaf{0}
      local y = (w * w):sqrt()
      y:backward()
      return w.grad:item()
    end
    assert.is_false(pcall(neap.detect_anomaly, makes_nan))
    local v = makes_nan()
    assert.is_true(v ~= v)
    assert.equal(7, neap.detect_anomaly(function(x) return x + 3 end, 4))
    assert.is_false(neap.set_detect_anomaly(false))
    do
      local _ <close> = neap.detect_anomaly()
      assert.matches("NaN in the gradient", message(makes_nan))
      neap.detect_anomaly(function() end)
      assert.matches("NaN in the gradient", message(makes_nan))
    end
    assert.is_false(neap.set_detect_anomaly(false))
    pcall(function()
      local _ <close> = neap.detect_anomaly()
      error "out"
    end)
    assert.is_false(neap.set_detect_anomaly(false))
  end)

  it("says nothing where there is no NaN", function()
    local w = leaf{1, 2}
    neap.detect_anomaly(function() (w:exp() * w):sum():backward() end)
    assert.near(2 * math.exp(1), w.grad[1], 1e-5)
  end)

end)

describe("the picture of a graph", function()

  local function has(text, ...)
    for _, part in ipairs{...} do
      assert.is_truthy(text:find(part, 1, true), part .. " in " .. text)
    end
  end

  it("has operations, leaves by name, and shapes", function()
    local w, b = neap.ones{2, 3, requires_grad = true}, leaf{1, 2, 3}
    local text = neap.graph((neap.ones(4, 2):matmul(w) + b):tanh(),
                            {weight = w, bias = b})
    has(text, "digraph {", '[label="matmul"]', '[label="add"]',
        '[label="tanh"]', '[shape=box, label="weight\\nfloat32 2x3"]',
        '[shape=box, label="bias\\nfloat32 3"]',
        'result [shape=box, label="float32 4x3"]', "-> result;")
    assert.matches("n%d+ %-> n%d+ %[label=\"x 4x3\"%]", text)
    assert.matches("}\n$", text)
    assert.is_nil(neap.graph(w * 2):find("weight", 1, true))
  end)

  it("takes names from a module", function()
    local m = neap.nn.Linear(2, 3)
    has(neap.graph(m(neap.ones(1, 2)):relu(), m), '"weight\\nfloat32 3x2"',
        '"bias\\nfloat32 3"', '[label="relu"]')
  end)

  it("shows operations in Lua, a node once, and a leaf alone", function()
    local w = leaf{1, 2}
    has(neap.graph(cube(w)), '[label="Function"]')
    local y = w:exp()
    local _, n = neap.graph(y * y):gsub('label="exp"', "")
    assert.equal(1, n)
    has(neap.graph(w, {w = w}), '"w\\nfloat32 2"')
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
