local neap = require "neap"
local check = require "spec.support.check"
local metrics, nn = neap.metrics, neap.nn
local ids, message = check.ids, check.message

-- A metric over two batches, and over both at once.
local function both(name, options, p, t, cut)
  local parts, whole = metrics[name](options), metrics[name](options)
  parts:update(p[{{1, cut}}], t[{{1, cut}}])
  parts:update(p[{{cut + 1, -1}}], t[{{cut + 1, -1}}])
  whole:update(p, t)
  return parts:value(), whole:value()
end

describe("metrics", function()

  it("count right answers of scores and of logits", function()
    local p = neap.tensor{{1, 2}, {3, 0}, {0, 1}, {2, 1}}
    local a, b = both("accuracy", nil, p, ids{2, 1, 1, 1}, 1)
    assert.same({0.75, 0.75}, {a, b})
    a, b = both("accuracy", nil, neap.tensor{1, -1, 2},
                neap.tensor{1, 1, 0}, 2)
    assert.same({1 / 3, 1 / 3}, {a, b})
    local pixels = metrics.accuracy()
    pixels:update(neap.zeros(2, 3, 4, 4), neap.ones(2, 4, 4):to("int64"))
    assert.equal(1, pixels:value())
  end)

  it("refuse targets that are no classes", function()
    for _, name in ipairs{"accuracy", "confusion"} do
      local m = metrics[name]()
      assert.matches(name .. ": the prediction is float32 3 and the target " ..
                     "float32 2; expected scores",
                     message(m.update, m, neap.ones(3), neap.ones(2)))
      assert.matches("the target float32 2", message(m.update, m,
                     neap.ones(2), neap.tensor{1.5, 0}))
      assert.matches("the target float32 2", message(m.update, m,
                     neap.ones(2, 1), neap.tensor{1.5, 0}))
      assert.matches(name .. ": labels are from 0 to 3, but there are " ..
                     "scores of classes 1 to 2", message(m.update, m,
                     neap.ones(2, 2), ids{0, 3}))
    end
    local m = metrics.confusion()
    m:update(neap.tensor{3, -1, 2, -2}, neap.tensor{1, 1, 0, 0})
    assert.same({{1, 1}, {1, 1}}, m:value():totable())
  end)

  it("of one's own give numbers", function()
    local m = metrics.get(function() end, "mine")
    assert.matches("metrics: the function 'mine' gave nil, expected a number",
                   message(m.update, m, neap.ones(2), neap.ones(2)))
    m = metrics.get(function(p) return p end, "mine")
    assert.matches("'mine' gave a tensor of 2 elements",
                   message(m.update, m, neap.ones(2), neap.ones(2)))
  end)

  it("measure distances", function()
    local p, t = neap.tensor{1, 2, 3, 4}, neap.tensor{1, 4, 3, 0}
    for name, want in pairs{mae = 1.5, rmse = math.sqrt(5),
                            r2 = 1 - 20 / 10} do
      local a, b = both(name, nil, p, t, 1)
      assert.near(want, a, 1e-12)
      assert.near(want, b, 1e-12)
    end
    local a = both("mae", {inverse = function(x) return x * 10 end}, p, t, 2)
    assert.near(15, a, 1e-12)
    local m = metrics.rmse()
    m:update(neap.ones(3, 1), neap.zeros(3))
    assert.equal(1, m:value())
    assert.matches("rmse: the prediction is 3x2, but the target 3",
                   message(m.update, m, neap.ones(3, 2), neap.ones(3)))
  end)

  it("keep r2 exact far from 0", function()
    local t = neap.arange(100):to("float64") + 1e9
    local a, b = both("r2", nil, t + 1, t, 37)
    assert.near(1 - 100 / 83325, a, 1e-9)
    assert.near(a, b, 1e-9)
  end)

  it("count who was taken for whom", function()
    local p = neap.tensor{{1, 0, 0}, {0, 1, 0}, {0, 1, 0}, {1, 0, 0}}
    local m = metrics.confusion{classes = {"a", "b", "cc"}}
    m:update(p, ids{1, 2, 3, 1})
    assert.same({{2, 0, 0}, {0, 1, 0}, {0, 1, 0}}, m:value():totable())
    assert.equal("     a   b  cc\n a   2   0   0\n b   0   1   0\n" ..
                 "cc   0   1   0", tostring(m))
    m:reset()
    m:update(p, ids{1, 1, 1, 1})
    assert.equal(2, m:value()[1][2])
    m = metrics.confusion{classes = 2}
    assert.matches("classes from 1 to 3, but there are 1 to 2",
                   message(m.update, m, p, ids{1, 2, 3, 1}))
    m = metrics.confusion()
    assert.matches("labels are from 0 to 1", message(m.update, m, p,
                                                  ids{1, 0, 1, 1}))
  end)

  it("come from names, functions and objects", function()
    assert.equal("rmse", metrics.get("rmse").name)
    assert.equal("far", metrics.get(metrics.mae, "far").name)
    local m = metrics.get(function(p, t) return (p - t):mean() end, "bias")
    m:update(neap.ones(2), neap.zeros(2))
    m:update(neap.ones(1) * 4, neap.zeros(1))
    assert.equal(2, m:value())
    assert.equal(m, metrics.get(m))
    assert.matches("there is no 'f1'; there is accuracy",
                   message(metrics.get, "f1"))
    assert.matches("no option 'invers'", message(metrics.mae,
                                                 {invers = print}))
  end)

end)


describe("clipping", function()

  local function leaves()
    local a, b = check.leaf{3, 0}, check.leaf{{0, 4}}
    local c = check.leaf{1}
    a.grad, b.grad = neap.tensor{3, 0}, neap.tensor{{0, -4}}
    return {a, b, c}
  end

  it("by norm scales all gradients as one vector", function()
    local list = leaves()
    assert.near(5, nn.utils.clip_grad_norm_(list, 1), 1e-6)
    assert.near(0.6, list[1].grad[1], 1e-6)
    assert.near(-0.8, list[2].grad[1][2], 1e-6)
    assert.is_nil(list[3].grad)
    assert.near(1, nn.utils.clip_grad_norm_(list, 10), 1e-5)
    assert.near(0.6, list[1].grad[1], 1e-6)
    assert.near(7, nn.utils.clip_grad_norm_(leaves(), 1, {norm_type = 1}),
                1e-6)
    assert.near(4, nn.utils.clip_grad_norm_(leaves(), 1,
                                            {norm_type = math.huge}), 1e-6)
    list = leaves()
    list[1].grad[1] = 0/0
    local norm = nn.utils.clip_grad_norm_(list, 1)
    assert.is_true(norm ~= norm)
    assert.matches("the norm of the gradients is %-?nan",
                   message(nn.utils.clip_grad_norm_, list, 1,
                           {error_if_nonfinite = true}))
  end)

  it("by value moves each element", function()
    local list = leaves()
    nn.utils.clip_grad_value_(list, 2)
    assert.same({{2, 0}, {{0, -2}}},
                {list[1].grad:totable(), list[2].grad:totable()})
    assert.matches("expected a number",
                   message(nn.utils.clip_grad_value_, list))
  end)

end)
