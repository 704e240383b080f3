local neap = require "neap"
local check = require "spec.support.check"
local message = check.message

local small = {vocab_size = 11, n_positions = 16, n_embd = 8, n_layer = 2,
               n_head = 2, dropout = 0}

describe("GPT", function()

  before_each(function() neap.manual_seed(5) end)

  it("gives with a cache what it gives without", function()
    local net = neap.model.GPT(small):to("float64")
    local ids = neap.randint(1, 11, {2, 10})
    local y = net(ids)
    assert.same({2, 10, 11}, y.shape)
    neap.no_grad(function()
      local cache = neap.model.Cache(16)
      local parts = {}
      for i, range in ipairs{{1, 4}, {5, 9}, {10, 10}} do
        parts[i] = net(ids[{{}, range}], cache)
      end
      assert.equal(10, cache.length)
      check.near(y, neap.cat(parts, 2), 0, 1e-13)
      cache:reset()
      check.near(y[{{}, {1, 3}}], net(ids[{{}, {1, 3}}], cache), 0, 1e-13)
    end)
  end)

  it("writes token by token as a plan, to the bit", function()
    local net, path = neap.model.GPT(small), os.tmpname()
    net:eval()
    net:export(path, neap.ones(2, 1, {dtype = "int64"}),
               neap.model.Cache(12))
    local plan = neap.plan(path)
    local ids = neap.randint(1, 11, {2, 12})
    local y = neap.no_grad(net, ids)
    local saved
    for i = 1, 12 do
      if i == 6 then saved = plan:state() end
      local z = plan(ids[{{}, {i, i}}])
      check.near(y[{{}, {i, i}}], z, 0, 1e-6)
    end
    assert.matches("13 steps, but there is room for 12", message(function()
      plan(ids[{{}, {1, 1}}])
    end))
    plan:restore(saved)
    check.near(y[{{}, {6, 6}}], plan(ids[{{}, {6, 6}}]), 0, 1e-6)
    net:export(path, ids[{{}, {1, 4}}], neap.model.Cache(12))   -- by fours
    plan = neap.plan(path)
    os.remove(path)
    for i = 1, 12, 4 do
      check.near(y[{{}, {i, i + 3}}], plan(ids[{{}, {i, i + 3}}]), 0, 1e-6)
    end
  end)

  it("generates what the likeliest tokens are, one after the other",
  function()
    local net = neap.model.GPT(small)
    net:eval()
    local ids = {3, 7, 1}
    local new = net:generate(ids, {length = 10, temperature = 0})
    for _, id in ipairs(new) do
      local scores = net(neap.tensor({ids}, {dtype = "int64"}))
      assert.equal(id, scores[1][-1]:argmax(1):item())
      ids[#ids + 1] = id
    end
    assert.is_false(net.training)
    assert.equal(40, #net:generate({1}, {length = 40}))    -- beyond its places
    local long = {}
    for i = 1, 30 do long[i] = i % 11 + 1 end
    assert.equal(2, #net:generate(long, {length = 2}))
  end)

  it("does not see what comes later", function()
    local net = neap.model.GPT(small)
    local a = neap.randint(1, 11, {1, 8})
    local b = a:clone()
    b[{1, 8}] = a[{1, 8}] % 11 + 1
    check.near(net(a)[{{}, {1, 7}}], net(b)[{{}, {1, 7}}], 0, 1e-6)
  end)

  it("takes weights with GPT-2's names and layout", function()
    local net, other = neap.model.GPT(small), neap.model.GPT(small)
    local state = {}
    for name, t in pairs(net:state_dict()) do
      if name:find "attn%.c_.*weight" or name:find "mlp%.c_.*weight" then
        t = t.T:contiguous()
      end
      state["transformer." .. name] = t
    end
    state["transformer.h.0.attn.bias"] = neap.ones(1, 1, 16, 16)
    state["lm_head.weight"] = net.wte.weight:detach()
    local path = os.tmpname()
    neap.save(path, state)
    other:load_gpt2(path)
    os.remove(path)
    local ids = neap.randint(1, 11, {1, 5})
    assert.same(net(ids):totable(), other(ids):totable())
  end)

  it("is saved and loaded", function()
    local net, path = neap.model.GPT(small), os.tmpname()
    net:save(path)
    local again = neap.nn.load(path)
    os.remove(path)
    local ids = neap.randint(1, 11, {1, 5})
    assert.same(net(ids):totable(), again(ids):totable())
  end)

  it("learns, with its embedding in two places", function()
    local net = neap.model.GPT(small)
    local optimizer = neap.optim.AdamW(net:parameters(), {lr = 1e-2})
    local ids = neap.arange(0, 15):view(1, 16) % 5 + 1
    local x, y = ids[{{}, {1, 15}}], ids[{{}, {2, 16}}]
    local loss
    for _ = 1, 60 do
      optimizer:zero_grad()
      loss = neap.cross_entropy(net(x):flatten(1, 2), y:flatten())
      loss:backward()
      optimizer:step()
    end
    assert.is_true(loss:item() < 0.1, tostring(loss))
  end)

  it("says what does not fit", function()
    local net = neap.model.GPT(small)
    assert.matches("GPT: 17 steps, but there are 16 positions",
                   message(net, neap.ones{1, 17, dtype = "int64"}))
    assert.matches("n_embd is 8, which 3 heads do not share evenly",
                   message(neap.model.GPT, {vocab_size = 2, n_embd = 8,
                                            n_head = 3}))
    assert.matches("the option vocab_size is missing",
                   message(neap.model.GPT, {}))
    assert.matches("generate in neap.no_grad",
                   message(net, neap.ones{1, 2, dtype = "int64"},
                           neap.model.Cache(4)))
    neap.no_grad(function()
      assert.matches("Cache: 5 steps, but there is room for 4",
                     message(net, neap.ones{1, 5, dtype = "int64"},
                             neap.model.Cache(4)))
    end)
    assert.matches("Cache: expected how many steps",
                   message(neap.model.Cache, 0))
  end)

end)
