local neap = require "neap"
local check = require "spec.support.check"
local nn, optim, ids, message = neap.nn, neap.optim, check.ids, check.message

-- Two tables with the same numbers; the second has row gradients.
local function pair(dtype, options)
  local a = nn.Embedding(50, 3, options):to(dtype)
  local b = nn.Embedding(50, 3, {sparse = true, padding_idx = options and
                                 options.padding_idx}):to(dtype)
  b:load_state_dict(a:state_dict())
  return a, b
end

local batches = {ids{{1, 2, 2}, {50, 7, 1}}, ids{3, 3, 3}, ids{50, 1, 4, 4}}

-- A few steps; returns the table.
local function trained(e, make, each)
  local opt = make(e:parameters())
  for _, x in ipairs(batches) do
    opt:zero_grad();
    (e(x) ^ 2):sum():backward()
    if each then each(e, x) end
    opt:step()
  end
  return e.weight:totable()
end

local function same_numbers(make, each, options)
  for _, dtype in ipairs{"float32", "float64"} do
    local a, b = pair(dtype, options)
    assert.same(trained(a, make, each), trained(b, make, each))
  end
end

local function sgd(p) return optim.SGD(p, {lr = 0.1}) end

describe("gradients that are rows", function()

  it("give SGD and Adagrad the numbers of whole ones", function()
    check.each_cpu(function()
      same_numbers(sgd)
      same_numbers(sgd, nil, {padding_idx = 2})
      same_numbers(function(p) return optim.Adagrad(p, {lr = 0.5}) end)
      same_numbers(function(p)
        return optim.Adagrad(p, {lr = 0.5, lr_decay = 0.1,
                                 initial_accumulator_value = 1})
      end)
    end)
  end)

  it("become whole for optimisers that change every element", function()
    same_numbers(function(p) return optim.Adam(p, {lr = 0.1}) end)
    same_numbers(function(p)
      return optim.SGD(p, {lr = 0.1, momentum = 0.9})
    end)
    same_numbers(function(p)
      return optim.SGD(p, {lr = 0.1, weight_decay = 0.1})
    end)
  end)

  it("add up over several backward passes, also with whole ones", function()
    same_numbers(sgd, function(e) (e(ids{2, 9}) * 3):sum():backward() end)
    same_numbers(sgd, function(e) (e.weight * 3):sum():backward() end)
    same_numbers(sgd, function(e)
      (e.weight * 3):sum():backward();
      (e(ids{2, 9}) * 3):sum():backward()
    end)
    local a, b = pair("float64")
    for _, e in ipairs{a, b} do
      (e(ids{1, 2}):sum() + e.weight:sum() + e(ids{2}):sum()):backward()
    end
    assert.same(a.weight.grad:totable(), b.weight.grad:totable())
  end)

  it("are whole where somebody looks", function()
    same_numbers(sgd, function(e)
      assert.same({50, 3}, e.weight.grad.shape)
    end)
    local a, b = pair("float64")
    for _, e in ipairs{a, b} do e(batches[1]):sum():backward() end
    assert.same(a.weight.grad:totable(), b.weight.grad:totable())
    for _, e in ipairs{a, b} do e:to("float32") end
    assert.same(a.weight.grad:totable(), b.weight.grad:totable())
    for _, e in ipairs{a, b} do
      e:zero_grad()
      assert.is_nil(e.weight.grad)
    end
  end)

  it("are clipped like whole ones", function()
    for _, p in ipairs{2, 1, math.huge} do
      local a, b = pair("float64")
      for _, e in ipairs{a, b} do e(batches[1]):sum():backward() end
      local options = {norm_type = p}
      local na = nn.utils.clip_grad_norm_(a:parameters(), 1, options)
      local nb = nn.utils.clip_grad_norm_(b:parameters(), 1, options)
      assert.near(na, nb, 1e-14)
      for _, e in ipairs{a, b} do
        nn.utils.clip_grad_value_(e:parameters(), 0.1)
      end
      check.near(a.weight.grad, b.weight.grad, 1e-12, 1e-14)
    end
  end)

  it("leave hooks, neap.grad and second derivatives as they are", function()
    local _, e = pair("float64")
    local seen
    local handle = e.weight:register_hook(function(g) seen = g.shape end)
    e(ids{1}):sum():backward()
    assert.same({50, 3}, seen)
    handle:remove()
    local g = neap.grad((e(ids{1, 1}) ^ 3):sum(), e.weight,
                        {create_graph = true})
    local second = neap.grad(g:sum(), e.weight)
    check.near(e.weight[1] * 12, second[1], 1e-12, 1e-14)
  end)

  it("let SparseAdam leave the moments of other rows alone", function()
    local _, e = pair("float64")
    local w = e.weight:detach():clone()
    local m, v = neap.zeros_like(w), neap.zeros_like(w)
    local b1, b2, lr = 0.9, 0.999, 0.1
    local opt = optim.SparseAdam(e:parameters(), {lr = lr})
    for t, rows in ipairs{{1, 2}, {2, 2, 5}, {1, 5}} do
      opt:zero_grad()
      local loss = (e(ids(rows)) ^ 2):sum()
      loss:backward()
      opt:step()
      local count = {}
      for _, r in ipairs(rows) do count[r] = (count[r] or 0) + 1 end
      for r, n in pairs(count) do
        local g = w[r] * 2 * n
        m[r] = m[r] * b1 + g * (1 - b1)
        v[r] = v[r] * b2 + g * g * (1 - b2)
        w[r] = w[r] - m[r] / (v[r]:sqrt() + 1e-8)
               * (lr * math.sqrt(1 - b2 ^ t) / (1 - b1 ^ t))
      end
    end
    check.near(w, e.weight, 1e-12, 1e-14)
  end)

  it("are what SparseAdam insists on", function()
    local _, e = pair("float32")
    local opt = optim.SparseAdam(e:parameters(), {lr = 0.1})
    e(ids{1}):sum():backward()
    assert.is_not_nil(e.weight.grad)
    assert.matches("SparseAdam: a gradient of 150 elements is whole, expected "
                   .. "rows as of nn.Embedding{sparse = true}",
                   message(opt.step, opt), 1, true)
    assert.matches("sparse does not go with scale_grad_by_freq",
                   message(nn.Embedding(3, 2, {sparse = true,
                                               scale_grad_by_freq = true}),
                           ids{1}))
  end)

  it("are rows in anomaly mode, which looks for NaN in them", function()
    local _, e = pair("float32")
    local opt = optim.SparseAdam(e:parameters())
    neap.detect_anomaly(function() e(ids{1}):sum():backward() end)
    opt:step()
    assert.matches("NaN in the gradient of input weight of 'embedding'",
                   message(neap.detect_anomaly, function()
                     e(ids{1}):backward(neap.full({1, 3}, 0 / 0))
                   end))
  end)

  it("are added to a gradient that is there in its place", function()
    local _, e = pair("float32")
    e.weight:sum():backward()
    local g = e.weight.grad
    e(ids{1}):sum():backward()
    assert.is_true(rawequal(g, e.weight.grad))
    assert.same({2, 2, 2}, g[1]:totable())
  end)

  it("cost no more than what they touch", function()
    local function bytes(sparse)
      local e = nn.Embedding(100000, 16, {sparse = sparse})
      local before = neap.memory().used
      e(ids{1, 2, 3}):sum():backward()
      return neap.memory().used - before
    end
    assert.is_true(bytes(true) < 100000)
    assert.is_true(bytes(false) >= 100000 * 16 * 4)
  end)

  it("survive each failing request for memory", function()
    check.out_of_memory(function()
      local e = nn.Embedding(4, 3, {sparse = true})
      local opt = optim.SparseAdam(e:parameters(), {lr = 0.1})
      e(ids{2, 3, 2}):sum():backward()
      e(ids{2, 1}):sum():backward()
      opt:step()
      return e.weight.grad
    end)
  end)

end)
