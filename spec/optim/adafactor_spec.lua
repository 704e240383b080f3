local neap = require "neap"
local check = require "spec.support.check"
local optim, message = neap.optim, check.message

local function leaf(data)
  return neap.tensor(data, {dtype = "float64", requires_grad = true})
end

local function run(opt, f, steps)
  for _ = 1, steps do
    opt:zero_grad()
    f():backward()
    opt:step()
  end
end

describe("Adafactor", function()

  it("steps as its paper says", function()
    local w, b = leaf{{1, -2}, {3, 4}}, leaf{2, 2}
    local opt = optim.Adafactor({w, b}, {lr = 0.1, scale_parameter = false,
                                         clip_threshold = 1e9})
    w.grad = neap.tensor({{1, 2}, {3, 4}}, {dtype = "float64"})
    b.grad = neap.tensor({3, -4}, {dtype = "float64"})
    opt:step()
    -- rows' means of squares 2.5, 12.5, columns' 5, 10; mean 7.5
    local v = {{2.5 * 5 / 7.5, 2.5 * 10 / 7.5},
               {12.5 * 5 / 7.5, 12.5 * 10 / 7.5}}
    local want = {{1 - 0.1 / math.sqrt(v[1][1]),
                   -2 - 0.2 / math.sqrt(v[1][2])},
                  {3 - 0.3 / math.sqrt(v[2][1]),
                   4 - 0.4 / math.sqrt(v[2][2])}}
    check.near(neap.tensor(want, {dtype = "float64"}), w:detach(), 1e-12,
               1e-12)
    check.near(neap.tensor({1.9, 2.1}, {dtype = "float64"}), b:detach(),
               1e-12, 1e-12)
  end)

  it("goes downhill by relative steps, with momentum and decay", function()
    for _, options in ipairs{{}, {beta1 = 0.9, weight_decay = 0.01},
                             {lr = 0.02, scale_parameter = false},
                             {warmup_init = true}} do
      local w = leaf{{3, -2, 1}, {0.5, -4, 2}}
      local opt = optim.Adafactor({w}, options)
      local before = (w * w):sum():item()
      run(opt, function() return (w * w):sum() end, 300)
      assert.is_true((w * w):sum():item() < before, options)
    end
  end)

  it("keeps rows and columns only", function()
    local w = neap.zeros({30, 20}, {requires_grad = true})
    local opt = optim.Adafactor({w})
    run(opt, function() return (w * w):sum() + w:sum() end, 1)
    assert.same({30}, opt.state[1].row.shape)
    assert.same({20}, opt.state[1].column.shape)
    assert.is_nil(opt.state[1].square)
  end)

  it("goes on from a saved state with the same numbers", function()
    local function numbers(interrupted)
      local w, b = leaf{{3, -2}, {1, 0.5}}, leaf{1, 2}
      local opt = optim.Adafactor({w, b}, {beta1 = 0.5})
      local function f() return (w * w * w):sum() + (b * b):sum() end
      run(opt, f, 5)
      if interrupted then
        local state = opt:state_dict()
        opt = optim.Adafactor({w, b})
        opt:load_state_dict(state)
      end
      run(opt, f, 5)
      return {w:totable(), b:totable()}
    end
    assert.same(numbers(false), numbers(true))
  end)

  it("says what it wants", function()
    assert.matches("expected a list of parameters",
                   message(optim.Adafactor, {}))
    assert.matches("parameter 1 is no leaf", message(optim.Adafactor, {1}))
    local opt = optim.Adafactor({leaf{1}})
    assert.matches("expected what state_dict gave for 1 parameters",
                   message(opt.load_state_dict, opt, {}))
  end)

end)
