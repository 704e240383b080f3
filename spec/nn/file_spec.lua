local neap = require "neap"
local message = require("spec.support.check").message
local nn = neap.nn

local Tower = nn.Module:extend "SpecTower"
function Tower:init(options, top)
  self.body = nn.Linear(options.sizes[1], options.sizes[2])
  self.top = top
end
function Tower:forward(x) return self.top(self.body(x)) end

local Wide = nn.Linear:extend "SpecWide"
function Wide:init(n) nn.Linear.init(self, n, 2 * n) end

describe("model files", function()
  local path

  before_each(function() path = os.tmpname() end)
  after_each(function() os.remove(path) end)

  local function round_trip(net, x)
    net:save(path)
    local loaded = nn.load(path)
    assert.same(net:eval()(x):totable(), loaded:eval()(x):totable())
    assert.equal(#net:parameters(), #loaded:parameters())
    return loaded
  end

  it("bring back built-in layers with options and buffers", function()
    local net = nn.Sequential{nn.Flatten(), nn.Linear(4, 3, {bias = false}),
                              nn.BatchNorm1d(3, {momentum = false}),
                              nn.Dropout(0.25), nn.Softmax(2)}
    net(neap.randn(5, 4))
    local loaded = round_trip(net, neap.randn(2, 4))
    assert.equal(0.25, loaded[4].p)
    assert.is_false(loaded[3].momentum)
    assert.equal(1, loaded[3].num_batches_tracked:item())
    assert.is_false(loaded[2].bias)
  end)

  it("give their tensors to load_state_dict", function()
    local net = nn.Linear(2, 1)
    net:save(path)
    local other = nn.Linear(2, 1)
    other:load_state_dict(neap.load(path))
    assert.same(net.weight:totable(), other.weight:totable())
  end)

  it("bring back layers written in Lua from their arguments", function()
    local net = nn.Sequential{Tower({sizes = {3, 4}}, nn.Linear(4, 2)),
                              Wide(2)}
    local loaded = round_trip(net, neap.randn(2, 3))
    assert.equal(4, loaded[2].out_features)
  end)

  it("keep what is shared shared", function()
    local fc = nn.Linear(3, 3)
    local net = nn.Sequential{fc, nn.ReLU(), fc, nn.Linear(3, 3)}
    net[4].weight = fc.weight
    local loaded = round_trip(net, neap.randn(2, 3))
    assert.is_true(rawequal(loaded[1], loaded[3]))
    assert.is_true(rawequal(loaded[4].weight, loaded[1].weight))
  end)

  it("bring back float64 models and losses with weights", function()
    local net = nn.Linear(2, 2):to("float64")
    assert.equal("float64", round_trip(net, neap.ones({1, 2},
                 {dtype = "float64"})).weight.dtype)
    nn.CrossEntropyLoss{weight = neap.tensor{1, 2}, label_smoothing = 0.5}
      :save(path)
    local loss = nn.load(path)
    assert.same({1, 2}, loss.weight:totable())
    assert.equal(0.5, loss.label_smoothing)
  end)

  it("say what they cannot hold, and where", function()
    local net = nn.Sequential{Tower({sizes = {2, 2}, f = print},
                                    nn.ReLU())}
    assert.matches("argument 1 of 0 %(SpecTower%) is a function",
                   message(net.save, net, path))
    assert.matches("is inf, which a file cannot hold", message(function()
      Tower({sizes = {2, 2}, x = math.huge}, nn.ReLU()):save(path)
    end))
  end)

  it("say which class to require", function()
    nn.Sequential{nn.ReLU()}:save(path)
    local tensors, metadata = neap.load(path)
    metadata["neap.module"] = metadata["neap.module"]:gsub("ReLU", "Mystery")
    neap.save(path, tensors, metadata)
    assert.matches("a layer of class 'Mystery', which is not known here",
                   message(nn.load, path))
    neap.save(path, {a = neap.ones(1)})
    assert.matches("holds tensors but no module", message(nn.load, path))
  end)

  it("do not fall for wrong trees", function()
    local net = nn.Linear(2, 2)
    net:save(path)
    local tensors, metadata = neap.load(path)
    for _, text in ipairs{
      "", "5", "{}", "[]", '{"tree":5}', '{"tree":{}}',
      '{"tree":{"neap.class":"Parameter"}}',
      '{"tree":{"neap.class":"Linear","options":{"in_features":3,' ..
        '"out_features":2}}}',
      '{"tree":{"neap.same":"x"}}', '{"tree":{"neap.class":"load"}}'
    } do
      metadata["neap.module"] = text
      neap.save(path, tensors, metadata)
      assert.is_false(pcall(nn.load, path), text)
    end
  end)

end)
