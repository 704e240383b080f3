local neap = require "neap"
local check = require "spec.support.check"
local nn = neap.nn

local function step_of(net, opt, x, y)
  local loss_of = nn.CrossEntropyLoss{label_smoothing = 0.1}
  return function()
    opt:zero_grad()
    local loss = loss_of(net(x), y)
    loss:backward()
    opt:step()
    return loss
  end
end

describe("memory", function()

  it("fails cleanly at every request of a training step", function()
    local net = nn.Sequential{nn.Flatten(), nn.Linear(6, 5), nn.ReLU(),
                              nn.BatchNorm1d(5), nn.Dropout(0.2),
                              nn.Linear(5, 3)}
    local x = neap.randn(4, 2, 3)
    local y = neap.tensor({1, 3, 2, 1}, {dtype = "int64"})
    local opt = neap.optim.Adam(net:parameters(), {lr = 0.01})
    local step = step_of(net, opt, x, y)
    step()
    local n = check.out_of_memory(step)
    assert.is_true(n > 50, n .. " requests")
    local loss = step():item()
    assert.is_true(loss == loss)
  end)

  it("fails cleanly while things are made", function()
    check.out_of_memory(function()
      local net = nn.Sequential{nn.Linear(3, 4), nn.Tanh(),
                                nn.BatchNorm1d(4)}
      local opt = neap.optim.SGD(net:parameters(), {lr = 0.1,
                                                    momentum = 0.9})
      net(neap.ones(2, 3)):sum():backward()
      opt:step()
    end)
    check.out_of_memory(function()
      local x = neap.tensor({{1, 2}, {3, 4}}, {requires_grad = true})
      local y = neap.cat({x, x:transpose(1, 2)}, 1):softmax(2) * 1
      local values = y:max(2)
      y[{1, {1, 2}}] = 0
      local g = neap.grad((values * 2):sum() + y:sum(), x,
                          {create_graph = true})
      return tostring(g), x:index_select(1, neap.arange(2)):totable()
    end)
  end)

  it("fails cleanly while files are written and read", function()
    local path = os.tmpname()
    local net = nn.Sequential{nn.Linear(3, 4), nn.ReLU()}
    net:save(path)
    check.out_of_memory(function() net:save(path) end)
    check.out_of_memory(function() nn.load(path) end)
    assert.same(net[1].weight:totable(), nn.load(path)[1].weight:totable())
    os.remove(path)
  end)

  it("asks the system for nothing after the first steps", function()
    local net = nn.Sequential{nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, 3)}
    local opt = neap.optim.SGD(net:parameters(), {lr = 0.05, momentum = 0.9})
    local step = step_of(net, opt, neap.randn(16, 8),
                         neap.randint(1, 3, {16}))
    local function scoped() neap.scope(function() step() end) end
    for _ = 1, 10 do scoped() end
    local before = neap.memory()
    for _ = 1, 1000 do scoped() end
    local after = neap.memory()
    assert.equal(before.system, after.system)
    assert.is_true(after.used <= before.used + 65536)
  end)

  it("stays flat without scopes, by the collector", function()
    local x, peak = neap.randn(128, 1024), 0
    for _ = 1, 400 do
      local _ = x * 2
      local used = neap.memory().used
      if used > peak then peak = used end
    end
    assert.is_true(peak < 64 * 2^20 + 2 * x:numel() * 4, peak)
  end)

  it("obeys a limit that scripts can catch, and works afterwards", function()
    collectgarbage()
    local limit = neap.memory().used + 8 * 2^20
    neap.set_memory_limit(limit)
    local kept = {}
    local ok, why = pcall(function()
      for i = 1, 100 do kept[i] = neap.zeros(2^18) end
    end)
    local n = #kept
    kept = nil
    assert.is_false(ok)
    assert.matches("memory limit reached", why)
    assert.is_true(n >= 6 and n <= 8, n)
    for _ = 1, 100 do neap.zeros(2^18) end        -- garbage is collected
    neap.set_memory_limit(0)
    neap.zeros(2^22)
  end)

  it("are kept from a scope together, in tables too", function()
    local state, a, b
    do
      local scope <close> = neap.scope()
      local x = neap.ones(2)
      state = {x + 1, {more = x + 2}}
      state.itself = state                 -- met once
      scope:keep(state)
      a, b = scope:keep(x + 3, x + 4)
    end
    assert.same({2, 2}, state[1]:totable())
    assert.same({3, 3}, state[2].more:totable())
    assert.same({4, 5}, {a[1], b[1]})
    local out = neap.scope(function() return {neap.ones(1) * 7} end)
    assert.equal(7, out[1]:item())
  end)

  it("gives back what a scope made, except what is kept", function()
    local outside = neap.ones(2)
    local inside, kept, result
    do
      local s <close> = neap.scope()
      inside = outside * 2
      kept = s:keep(outside * 3)
    end
    assert.has_error(function() return inside + 1 end)
    assert.same({3, 3}, kept:totable())
    result = neap.scope(function(s, x)
      assert.is_truthy(s)
      return x * 4, 5
    end, outside)
    assert.same({4, 4}, result:totable())
    assert.same({1, 1}, outside:totable())
    pcall(function()
      local _ <close> = neap.scope()
      inside = outside * 2
      error "x"
    end)
    assert.has_error(function() return inside + 1 end)
  end)

  it("never lets a scope free parameters and gradients", function()
    local net = nn.Linear(2, 2)
    local grad
    do
      local _ <close> = neap.scope()
      net(neap.ones(1, 2)):sum():backward()
      grad = net.weight.grad
    end
    assert.same({{1, 1}, {1, 1}}, grad:totable())
    local other
    do
      local _ <close> = neap.scope()
      other = nn.Linear(2, 3)
    end
    assert.same({3, 2}, other.weight.shape)
  end)

  it("keeps modes and scopes apart in coroutines", function()
    local w = neap.tensor({1}, {requires_grad = true})
    local co = coroutine.wrap(function()
      local _ <close> = neap.no_grad()
      for _ = 1, 2 do coroutine.yield((w * 2).requires_grad) end
    end)
    assert.is_false(co())
    assert.is_true((w * 2).requires_grad)
    assert.is_false(co())
    assert.is_true((w * 2).requires_grad)
    local made
    local other = coroutine.wrap(function()
      local _ <close> = neap.scope()
      made = w:detach() * 2
      coroutine.yield()
    end)
    other()
    local here = w:detach() * 3
    other()
    assert.has_error(function() return made + 1 end)
    assert.same({3}, here:totable())
    local generator = coroutine.wrap(function()
      coroutine.yield((w * 2).requires_grad)
    end)
    assert.is_false(neap.no_grad(generator))
  end)

end)
