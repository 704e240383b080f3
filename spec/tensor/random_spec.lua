local neap = require "neap"
local message = require("spec.support.check").message

describe("random numbers", function()
  local g
  local n = 20000

  before_each(function() g = neap.generator(7) end)

  it("are even in an interval", function()
    local x = neap.zeros(n):uniform_(-2, 4, {generator = g})
    assert.near(1, x:mean():item(), 0.06)
    assert.near(3, x:var():item(), 0.12)
    assert.is_true(x:amin():item() >= -2 and x:amax():item() < 4)
    assert.near(0.25, x:lt(-0.5):to("float32"):mean():item(), 0.02)
    local u = neap.rand(n, {generator = g})
    assert.is_true(u:amin():item() >= 0 and u:amax():item() < 1)
    assert.near(0.5, u:mean():item(), 0.02)
  end)

  it("are normal", function()
    local x = neap.zeros({n}, {dtype = "float64"})
              :normal_(3, 2, {generator = g})
    assert.near(3, x:mean():item(), 0.07)
    assert.near(2, x:std():item(), 0.06)
    local z = (x - 3) / 2
    assert.near(0.6827, z:abs():lt(1):to("float32"):mean():item(), 0.02)
    assert.near(0.0455, z:abs():gt(2):to("float32"):mean():item(), 0.01)
    assert.near(0, (z ^ 3):mean():item(), 0.1)
    assert.near(0, neap.randn(n, {generator = g}):mean():item(), 0.04)
  end)

  it("are 1 with a probability", function()
    local x = neap.zeros(n):bernoulli(0.3, {generator = g})
    assert.near(0.3, x:mean():item(), 0.02)
    assert.is_true((x:eq(0) | x:eq(1)):all():item())
    local p = neap.tensor{0, 0.25, 1}:expand(n, 3)
    local rates = p:bernoulli{generator = g}:mean(1)
    assert.equal(0, rates[1])
    assert.near(0.25, rates[2], 0.02)
    assert.equal(1, rates[3])
    assert.matches("a probability is 2, expected 0 to 1",
                   message(neap.bernoulli, neap.tensor{2}))
  end)

  it("are exponential", function()
    local x = neap.zeros(n):exponential_(2, {generator = g})
    assert.is_true(x:amin():item() >= 0)
    assert.is_true(x:isfinite():all():item())
    assert.near(0.5, x:mean():item(), 0.02)
    assert.near(0.3679, x:gt(0.5):to("float32"):mean():item(), 0.02)
    assert.matches("lambd is 0, expected more than 0",
                   message(x.exponential_, x, 0))
  end)

  it("are positions by weight, again and again", function()
    local at = neap.tensor{1, 2, 0, 5}:multinomial(n, true, {generator = g})
    assert.same({n}, at.shape)
    assert.equal("int64", at.dtype)
    local shares = {0.125, 0.25, 0, 0.625}
    for i, share in ipairs(shares) do
      assert.near(share, at:eq(i):to("float32"):mean():item(), 0.02)
    end
    assert.is_false(at:eq(3):any():item())
  end)

  it("are positions by weight, each once", function()
    local rows = neap.tensor{1, 0, 3}:expand(4000, 3)
    local at = rows:multinomial(2, {generator = g})
    assert.same({4000, 2}, at.shape)
    assert.is_true(at:sum(2):eq(4):all():item())
    assert.is_true((at:eq(1) | at:eq(3)):all():item())
    assert.near(0.75, at[{{}, 1}]:eq(3):to("float32"):mean():item(), 0.03)
    local all = neap.ones(50):multinomial(50, {generator = g})
    local sorted = all:sort()
    assert.same(neap.arange(50):totable(), sorted:totable())
    for _, case in ipairs{
      {{1, 2}, 3, "3 samples without replacement from 2 weights"},
      {{1, -2}, 1, "a weight is %-2, expected 0 or more"},
      {{0, 2}, 2, "a row has 1 weights above 0, but 2 are needed"}
    } do
      local w = neap.tensor(case[1])
      assert.matches(case[3], message(w.multinomial, w, case[2]))
    end
  end)

  it("are whole between two ends, both reached", function()
    local x = neap.randint(-2, 3, {n}, {generator = g})
    assert.equal("int64", x.dtype)
    assert.equal(-2, x:amin():item())
    assert.equal(3, x:amax():item())
    for v = -2, 3 do
      assert.near(1 / 6, x:eq(v):to("float32"):mean():item(), 0.02)
    end
    assert.same({5, 5}, neap.randint(5, 5, {2}):totable())
    assert.matches("from 3 to 1 is empty", message(neap.randint, 3, 1, {2}))
  end)

  it("are all positions in random order", function()
    local p = neap.randperm(1000, {generator = g})
    assert.is_false(p:equal(neap.arange(1000)))
    local sorted = p:sort()
    assert.is_true(sorted:equal(neap.arange(1000)))
    local first = 0
    for _ = 1, 600 do
      if neap.randperm(3, {generator = g})[1] == 1 then first = first + 1 end
    end
    assert.near(200, first, 50)
    assert.same({}, neap.randperm(0):totable())
  end)

  it("are the same for a seed, others for others", function()
    local draws = {
      function(o) return neap.rand(50, o) end,
      function(o) return neap.randn(50, o) end,
      function(o) return neap.randint(1, 1000000, {50}, o) end,
      function(o) return neap.randperm(50, o) end,
      function(o) return neap.zeros(50):uniform_(0, 1, o) end,
      function(o) return neap.zeros(50):normal_(0, 1, o) end,
      function(o) return neap.zeros(50):exponential_(1, o) end,
      function(o) return neap.full({50}, 0.5):bernoulli(o) end,
      function(o) return neap.ones(50):multinomial(50, true, o) end,
      function(o) return neap.ones(50):multinomial(50, o) end
    }
    for i, draw in ipairs(draws) do
      local own = neap.generator(3)
      local x, later = draw{generator = own}, draw{generator = own}
      assert.is_true(x:equal(draw{generator = neap.generator(3)}), i)
      assert.is_false(x:equal(draw{generator = neap.generator(4)}), i)
      assert.is_false(x:equal(later), i)
    end
  end)

  it("go on from a state, the context's own and a generator's", function()
    neap.manual_seed(5)
    local state = neap.get_rng_state()
    local x = neap.rand(9)
    neap.set_rng_state(state)
    assert.is_true(x:equal(neap.rand(9)))
    neap.manual_seed(5)
    neap.rand(9, {generator = g})
    assert.is_true(x:equal(neap.rand(9)))
    state = g:get_state()
    x = neap.rand(9, {generator = g})
    g:set_state(state)
    assert.is_true(x:equal(neap.rand(9, {generator = g})))
    g:manual_seed(7)
    assert.is_true(neap.rand(9, {generator = g})
                   :equal(neap.rand(9, {generator = neap.generator(7)})))
    assert.matches("generator must come from neap.generator",
                   message(neap.rand, 2, {generator = 3}))
  end)

  it("of Lua come from a generator too", function()
    local low, high = 9, 0
    for _ = 1, 500 do
      local u, k, v = g:random(), g:random(3), g:random(-1, 1)
      assert.is_true(u >= 0 and u < 1)
      assert.is_true(k >= 1 and k <= 3 and math.type(k) == "integer")
      low, high = math.min(low, v), math.max(high, v)
    end
    assert.same({-1, 1}, {low, high})
    assert.matches("the interval is empty", message(g.random, g, 2, 1))
  end)

end)
