local neap = require "neap"
local check = require "spec.support.check"
local message = check.message
local nn = neap.nn

-- Classes of the specs: a name belongs to a Lua state, so they are made once.
local Block = nn.Module:extend "SpecBlock"
function Block:init(width) self.fc = nn.Linear(width, width) end
function Block:forward(x) return x + self.fc(x):relu() end

local Pair = nn.Module:extend "SpecPair"
function Pair:init()
  self.second = nn.Linear(2, 2)
  self.first = nn.Linear(2, 2)
  self.layers = {nn.Linear(2, 1), nn.Tanh()}
  self.scale = nn.Parameter(neap.ones(1))
  self:register_buffer("seen", neap.zeros(1))
end
function Pair:forward(x) return self.layers[1](self.second(x)) * self.scale end

describe("modules", function()

  it("keep the order of first assignment", function()
    local names = {}
    for name in Pair():named_parameters() do names[#names + 1] = name end
    assert.same({"scale", "second.weight", "second.bias", "first.weight",
                 "first.bias", "layers.0.weight", "layers.0.bias"}, names)
    assert.equal(2, #Pair().layers)
    assert.equal("seen", (next(Pair():state_dict()) and
                          select(1, Pair():named_buffers()())))
  end)

  it("have one handle for each parameter", function()
    local net = nn.Sequential{nn.Linear(2, 3), Block(3)}
    local seen = {}
    for _, p in ipairs(net:parameters()) do seen[p] = true end
    collectgarbage()
    for _, p in ipairs(net:parameters()) do assert.is_true(seen[p]) end
    assert.is_true(rawequal(net[1].weight, net:parameters()[1]))
    assert.is_true(rawequal(net[2], net[2]))
    assert.is_true(rawequal(net[2].fc, net:modules()[4]))
  end)

  it("find children by position and by name", function()
    local net = nn.Sequential{nn.Flatten(), nn.Linear(4, 2), nn.ReLU()}
    assert.equal(3, #net)
    assert.is_true(rawequal(net[2], net["1"]))
    assert.is_true(rawequal(net[-1], net[3]))
    assert.is_nil(net[4])
    net[4] = nn.Linear(2, 1)
    assert.equal(4, #net)
    assert.matches("follows number 4", message(function()
      net[9] = nn.ReLU()
    end))
  end)

  it("refuse what makes no sense", function()
    local net = nn.Sequential{nn.Linear(2, 2)}
    assert.matches("is a parameter of the layer and cannot be removed",
                   message(function() net[1].weight = nil end))
    assert.matches("that is no nn.Parameter",
                   message(function() net[1].weight = neap.ones(2, 2) end))
    assert.matches("cannot become", message(function() net[1] = 5 end))
    assert.matches("would contain itself",
                   message(function() net[2] = net end))
    assert.matches("in_features is missing", message(nn.Linear))
    assert.matches("no option 'in_feature'; did you mean 'in_features'",
                   message(nn.Linear, {in_feature = 2}))
    assert.matches("in_features must be an integer, not 2.5",
                   message(nn.Linear, 2.5, 3))
    assert.matches("too many arguments", message(nn.Linear, 1, 2, true, 4))
    assert.matches("entry 2 is number, expected a module",
                   message(nn.Sequential, {nn.ReLU(), 5}))
    assert.matches("cannot be the name", message(function()
      Block(2)["a.b"] = nn.ReLU()
    end))
  end)

  it("name the place of a layer in errors, at the user's line", function()
    local net = nn.Sequential{nn.Linear(2, 2),
                              nn.Sequential{nn.ReLU(), nn.Linear(3, 3)}}
    local why = message(function() return net(neap.ones(1, 2)) end)
    assert.matches('Linear (model[2][2] "1.1"): x has 2 features in its last '
                   .. 'dim, expected 3 (x is 1x2)', why, 1, true)
    assert.matches("^spec/nn/module_spec.lua:%d+: ", why)
    assert.matches("^spec/nn/module_spec.lua:%d+: ", message(function()
      return nn.Linear(2)
    end))
  end)

  it("fuse Linear and its activation without changing numbers", function()
    for _, act in ipairs{"ReLU", "Tanh", "Sigmoid"} do
      local fc, x = nn.Linear(3, 4), neap.randn(5, 3)
      local fused = nn.Sequential{fc, nn[act]()}
      local y = fused(x)
      check.near(nn[act]()(fc(x)), y, 0, 0)
      y:sum():backward()
      local g = fc.weight.grad
      fc.weight.grad = nil
      nn[act]()(fc(x)):sum():backward()
      check.near(fc.weight.grad, g, 1e-6, 1e-6)
    end
  end)

  it("work with Lua layers in any container, across yields", function()
    local Yielding = nn.Module:extend "SpecYielding"
    function Yielding:forward(x)
      coroutine.yield "inside"
      return x * 2, "second result"
    end
    local net = nn.Sequential{nn.Flatten(), Yielding(),
                              nn.Sequential{Yielding(), nn.ReLU()}}
    local co = coroutine.wrap(function() return net(neap.ones(2, 3)) end)
    assert.equal("inside", co())
    assert.equal("inside", co())
    assert.same({{4, 4, 4}, {4, 4, 4}}, co():totable())
  end)

  it("switch between training and evaluation, also in Lua layers", function()
    local net = nn.Sequential{Block(2), nn.Dropout(0.5)}
    assert.is_true(net.training and net[1].fc.training)
    net:eval()
    assert.is_false(net.training or net[1].fc.training or net[2].training)
    assert.same({{1, 1}}, nn.Dropout(0.9):eval()(neap.ones(1, 2)):totable())
  end)

  it("freeze, zero, convert and keep what is shared", function()
    local net = nn.Sequential{Block(2), Block(2)}
    net[2].fc.weight = net[1].fc.weight
    assert.equal(3, #net:parameters())
    net:to("float64")
    assert.is_true(rawequal(net[2].fc.weight, net[1].fc.weight))
    assert.equal("float64", net[2].fc.weight.dtype)
    net(neap.ones({1, 2}, {dtype = "float64"})):sum():backward()
    assert.equal("float64", net[1].fc.weight.grad.dtype)
    net:zero_grad()
    assert.is_nil(net[1].fc.weight.grad)
    net:requires_grad_(false)
    assert.is_false(net(neap.ones({1, 2}, {dtype = "float64"}))
                    .requires_grad)
  end)

  it("keep step with an optimiser when they are converted", function()
    local net = nn.Linear(64, 64)
    local opt = neap.optim.Adam(net:parameters())
    net(neap.ones(2, 64)):sum():backward()
    opt:step()
    net:to("float64")
    net(neap.ones({2, 64}, {dtype = "float64"})):sum():backward()
    opt:step()
    local _, state = opt:_state(1)
    assert.equal("float64", state.exp_avg.dtype)
  end)

  it("load a state strictly: all or nothing", function()
    local net, other = nn.Linear(2, 3), nn.Linear(2, 3)
    net:load_state_dict(other:state_dict())
    assert.same(other.weight:totable(), net.weight:totable())
    local before = net.weight:totable()
    local why = message(net.load_state_dict, net, {
      weight = neap.ones(3, 3), extra = neap.ones(1)
    })
    assert.matches("missing: bias", why)
    assert.matches("left over: extra", why)
    assert.matches("mis%-shaped: weight is 3x3, expected 3x2", why)
    assert.same(before, net.weight:totable())
    net:load_state_dict({weight = neap.ones(3, 2)}, {strict = false})
    assert.same({1, 1}, net.weight[1]:totable())
  end)

  it("normalise batches and remember their statistics", function()
    local bn = nn.BatchNorm1d(2)
    local x = neap.tensor{{1, 10}, {3, 30}}
    check.near(neap.tensor{{-1, -1}, {1, 1}}, bn(x), 1e-4, 1e-4)
    check.near(neap.tensor{0.2, 2}, bn.running_mean, 1e-6, 1e-6)
    check.near(neap.tensor{0.9 + 0.2, 0.9 + 20}, bn.running_var, 1e-5, 1e-5)
    assert.equal(1, bn.num_batches_tracked:item())
    assert.matches("at least two values", message(bn, neap.ones(1, 2)))
    assert.matches("expected %(batch, 2%)", message(bn, neap.ones(2, 3)))
  end)

  it("print as a tree", function()
    local text = tostring(nn.Sequential{nn.Linear(2, 3), Block(3)})
    assert.matches("Sequential%(\n  %[1%] Linear%(in_features=2, out_fe", text)
    assert.matches("%[2%] SpecBlock%(\n    %.fc Linear", text)
    assert.equal("LayerNorm(normalized_shape={3, 4}, eps=1e-05, " ..
                 "elementwise_affine=true, bias=true)",
                 tostring(nn.LayerNorm{3, 4}))
    local Named = nn.Module:extend "SpecNamed"
    function Named.extra_repr() return "width 3" end
    assert.equal("SpecNamed(width 3)", tostring(Named()))
  end)

  it("want a path when they are saved and loaded", function()
    local net = nn.Linear(2, 3)
    assert.has_error(function() net:save() end,
                     "save: expected the path of a file, not nothing")
    assert.has_error(function() nn.load(7) end,
                     "load: expected the path of a file, not a number")
  end)

end)

describe("starting values", function()
  local function spread(name, options)
    local w = neap.zeros(400, 300)
    neap.manual_seed(3)
    nn.init[name](w, options)
    local mean = w:mean():item()
    return mean, math.sqrt((w * w):mean():item() - mean ^ 2),
           w:max():item()
  end

  it("have the variance of their papers", function()
    for name, case in pairs{
      xavier_uniform_ = {math.sqrt(2 / 700), math.sqrt(6 / 700)},
      xavier_normal_ = {math.sqrt(2 / 700)},
      kaiming_uniform_ = {math.sqrt(2 / 300), math.sqrt(6 / 300),
                          {nonlinearity = "relu"}},
      kaiming_normal_ = {math.sqrt(2 / 400), nil,
                         {nonlinearity = "relu", mode = "fan_out"}},
      lecun_uniform_ = {math.sqrt(1 / 300), math.sqrt(3 / 300)},
      lecun_normal_ = {math.sqrt(1 / 300)}, normal_ = {1},
      uniform_ = {1, math.sqrt(3), {from = -math.sqrt(3),
                                    to = math.sqrt(3)}},
      -- of a normal distribution cut at 2 deviations
      trunc_normal_ = {0.87962, 2}
    } do
      local mean, std, max = spread(name, case[3])
      assert.near(0, mean, 1e-3, name)
      assert.near(case[1], std, case[1] * 0.02, name)
      if case[2] then assert.is_true(max <= case[2], name) end
    end
  end)

  it("of a cut normal distribution are where they may be", function()
    local w = neap.zeros(200, 300)
    nn.init.trunc_normal_(w, {mean = 1, std = 2, a = 0, b = 1.5})
    assert.is_true(w:min():item() >= 0 and w:max():item() <= 1.5)
    -- mean 1 + 2 (f(-1/2) - f(1/4)) / (F(1/4) - F(-1/2)) of the normal
    -- density f and distribution F
    assert.near(0.7615, w:mean():item(), 0.005)
    assert.matches("expected std above 0 and a below b",
                   message(nn.init.trunc_normal_, w, {a = 1, b = 1}))
  end)

  it("are orthonormal rows or columns", function()
    for _, shape in ipairs{{5, 5}, {70, 40}, {40, 100}, {6, 2, 3, 3}} do
      for _, dtype in ipairs{"float32", "float64"} do
        local w = neap.zeros(shape, {dtype = dtype})
        nn.init.orthogonal_(w, {gain = 2})
        local m = w:reshape(shape[1], -1)
        if m:size(1) > m:size(2) then m = m:t() end
        local e = dtype == "float64" and 1e-13 or 1e-5
        check.near(4 * neap.eye(#m, {dtype = dtype}), m:matmul(m:t()), e, e)
      end
    end
    local w = neap.zeros(300, 2)     -- no direction is more likely
    for i = 1, 300, 2 do nn.init.orthogonal_(w[{{i, i + 1}}]) end
    assert.near(0, w:mean():item(), 0.1)
    assert.near(0.5, (w * w):mean():item(), 1e-6)
  end)

  it("have a share of zeros in each column", function()
    local w = neap.zeros(50, 400)
    nn.init.sparse_(w, {sparsity = 0.3, std = 2})
    assert.same({15}, w:eq(0):sum(1):unique():totable())
    assert.near(2, w[w:ne(0)]:std():item(), 0.05)
    local often = w:eq(0):sum(2):to("float32")       -- any row alike
    assert.near(120, often:mean():item(), 1e-3)
    assert.is_true(often:max():item() < 160)
  end)

  it("leave x as it is", function()
    local fc = nn.Linear(3, 3, {bias = false})
    nn.init.eye_(fc.weight)
    local x = neap.randn(2, 3)
    assert.same(x:totable(), fc(x):totable())
    local conv = nn.Conv2d(4, 4, 3, {padding = 1, bias = false, groups = 2})
    nn.init.dirac_(conv.weight, {groups = 2})
    x = neap.randn(1, 4, 3, 5)
    assert.same(x:totable(), conv(x):totable())
    assert.matches("expected 3 to 5 dimensions",
                   message(nn.init.dirac_, fc.weight))
    assert.matches("4 channels cannot be divided into 3 groups",
                   message(nn.init.dirac_, conv.weight, {groups = 3}))
  end)

  it("have the gains of what follows", function()
    assert.equal(math.sqrt(2), nn.init.calculate_gain "relu")
    assert.equal(5 / 3, nn.init.calculate_gain "tanh")
    assert.near(math.sqrt(2 / 1.04), nn.init.calculate_gain("leaky_relu",
                                                            0.2), 1e-15)
    assert.matches("calculate_gain: there is no 'rlu'",
                   message(nn.init.calculate_gain, "rlu"))
  end)

  it("are written into parameters", function()
    local fc = nn.Linear(3, 2)
    nn.init.kaiming_uniform_(fc.weight)
    nn.init.zeros_(fc.bias)
    assert.same({0, 0}, fc.bias:totable())
    assert.is_true(fc.weight.requires_grad and fc.weight.is_leaf)
  end)
end)

describe("every layer", function()
  -- constructor and inputs for a gradient check of inputs and parameters
  local samples = {
    Linear = {function() return nn.Linear(3, 2) end, {{4, 3}}},
    Identity = {nn.Identity, {{4, 3}}},
    ReLU = {nn.ReLU, {{4, 3}}}, Tanh = {nn.Tanh, {{4, 3}}},
    Sigmoid = {nn.Sigmoid, {{4, 3}}}, Softmax = {nn.Softmax, {{4, 3}}},
    LogSoftmax = {nn.LogSoftmax, {{4, 3}}},
    Flatten = {nn.Flatten, {{2, 3, 2}}},
    Unflatten = {function() return nn.Unflatten(2, {2, 3}) end, {{2, 6}}},
    Dropout = {function() return nn.Dropout(0.3):eval() end, {{4, 3}}},
    BatchNorm1d = {function() return nn.BatchNorm1d(3) end, {{5, 3}}},
    BatchNorm2d = {function() return nn.BatchNorm2d(2) end, {{2, 2, 3, 2}}},
    BatchNorm3d = {function() return nn.BatchNorm3d(2) end,
                   {{2, 2, 2, 1, 2}}},
    LayerNorm = {function() return nn.LayerNorm{normalized_shape = {2, 3}}
                 end, {{4, 2, 3}}},
    RMSNorm = {function() return nn.RMSNorm(5) end, {{4, 5}}},
    GroupNorm = {function() return nn.GroupNorm(2, 4) end, {{2, 4, 3}}},
    InstanceNorm1d = {function()
      return nn.InstanceNorm1d(2, {affine = true})
    end, {{3, 2, 4}}},
    InstanceNorm2d = {function() return nn.InstanceNorm2d(2) end,
                      {{2, 2, 2, 2}}},
    InstanceNorm3d = {function() return nn.InstanceNorm3d(1) end,
                      {{2, 1, 2, 2, 1}}},
    Conv1d = {function()
      return nn.Conv1d(4, 4, 3, {padding = 1, groups = 2})
    end, {{2, 4, 5}}},
    Conv2d = {function()
      return nn.Conv2d(2, 3, {2, 3}, {padding = "same",
                                      padding_mode = "circular"})
    end, {{2, 2, 3, 4}}},
    Conv3d = {function() return nn.Conv3d(1, 2, 2) end, {{1, 1, 2, 3, 2}}},
    ConvTranspose1d = {function()
      return nn.ConvTranspose1d(2, 3, 3, {stride = 2})
    end, {{2, 2, 3}}},
    ConvTranspose2d = {function()
      return nn.ConvTranspose2d(2, 1, 3, {stride = 2, padding = 1,
                                          output_padding = 1})
    end, {{1, 2, 2, 3}}},
    ConvTranspose3d = {function() return nn.ConvTranspose3d(1, 2, 2) end,
                       {{1, 1, 2, 2, 1}}},
    Embedding = {}, EmbeddingBag = {},           -- embedding_spec.lua
    RNN = {}, LSTM = {}, GRU = {},               -- recurrent_spec.lua
    MultiheadAttention = {},                     -- multihead_spec.lua
    TransformerEncoderLayer = {},                -- transformer_spec.lua
    TransformerDecoderLayer = {},
    PositionalEncoding = {function() return nn.PositionalEncoding(3) end,
                          {{4, 2, 3}}},
    RNNCell = {function() return nn.RNNCell(3, 2) end, {{4, 3}}},
    LSTMCell = {function() return nn.LSTMCell(3, 2) end, {{4, 3}}},
    GRUCell = {function() return nn.GRUCell(3, 2) end, {{4, 3}}},
    Upsample = {function()
      return nn.Upsample{scale_factor = 2, mode = "bilinear"}
    end, {{1, 2, 2, 3}}},
    PixelShuffle = {function() return nn.PixelShuffle(2) end, {{1, 4, 2, 3}}},
    PixelUnshuffle = {function() return nn.PixelUnshuffle(2) end,
                      {{1, 1, 4, 2}}},
    ChannelShuffle = {function() return nn.ChannelShuffle(2) end, {{2, 4}}},
    Unfold = {function() return nn.Unfold(2) end, {{1, 1, 3, 3}}},
    Fold = {function() return nn.Fold({3, 3}, 2) end, {{1, 4, 4}}},
    LocalResponseNorm = {function() return nn.LocalResponseNorm(2) end,
                         {{2, 4, 2}}},
    GaussianNoise = {function() return nn.GaussianNoise(0.3):eval() end,
                     {{4, 3}}},
    Sequential = {function()
      return nn.Sequential{nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)}
    end, {{4, 3}}},
    ModuleList = {}, ModuleDict = {},
    Residual = {function()
      return nn.Residual{nn.Linear(3, 3), nn.Tanh()}
    end, {{4, 3}}},
    Parallel = {function()
      return nn.Parallel{nn.Linear(3, 2), nn.Tanh()}
    end, {{4, 3}}},
    Module = {},
    MSELoss = {nn.MSELoss, {{4, 3}, {4, 3}}},
    CrossEntropyLoss = {nn.CrossEntropyLoss, {{4, 3}, "labels"}},
    NLLLoss = {nn.NLLLoss, {{4, 3}, "labels"}},
    MultiMarginLoss = {nn.MultiMarginLoss, {{4, 3}, "labels"}},
    GaussianNLLLoss = {}, CosineEmbeddingLoss = {}, CTCLoss = {},
    BCELoss = {}, TripletMarginLoss = {nn.TripletMarginLoss,
                                       {{4, 3}, {4, 3}, {4, 3}}},
    MarginRankingLoss = {nn.MarginRankingLoss, {{4, 3}, {4, 3}, {4, 3}}},
    GLU = {nn.GLU, {{4, 6}}}, PReLU = {nn.PReLU, {{4, 3}}},
    Threshold = {function() return nn.Threshold(0.1, 20) end, {{4, 3}}}
  }
  for _, name in ipairs{"SiLU", "GELU", "Mish", "ELU", "CELU", "SELU",
                        "ReLU6", "LeakyReLU", "Hardtanh", "Hardswish",
                        "Hardsigmoid", "Hardshrink", "Softshrink",
                        "Softplus", "Softsign", "Tanhshrink", "LogSigmoid"} do
    samples[name] = {nn[name], {{4, 3}}}
  end

  for _, name in ipairs{"L1Loss", "SmoothL1Loss", "HuberLoss", "KLDivLoss",
                        "PoissonNLLLoss", "HingeLoss", "SoftMarginLoss",
                        "HingeEmbeddingLoss", "BCEWithLogitsLoss",
                        "FocalLoss", "DiceLoss"} do
    samples[name] = {nn[name], {{4, 3}, {4, 3}}}
  end
  for _, name in ipairs{"AlphaDropout", "FeatureAlphaDropout",
                        "DropPath"} do
    samples[name] = {function() return nn[name](0.3):eval() end, {{4, 3}}}
  end

  local images = {{2, 8}, {2, 4, 6}, {1, 4, 2, 4}}
  local small = {{2, 4}, {1, 2, 3}, {1, 2, 2, 3}}
  for d = 1, 3 do
    for _, kind in ipairs{"MaxPool", "AvgPool"} do
      samples[kind .. d .. "d"] = {function()
        return nn[kind .. d .. "d"](2)
      end, {images[d]}}
      samples["Adaptive" .. kind .. d .. "d"] = {function()
        return nn["Adaptive" .. kind .. d .. "d"](2)
      end, {images[d]}}
    end
    samples["LPPool" .. d .. "d"] = {function()
      return nn["LPPool" .. d .. "d"](2, 2)
    end, {images[d]}}
    samples["MaxUnpool" .. d .. "d"] = {}      -- image_spec.lua
    samples["Dropout" .. d .. "d"] = {function()
      return nn["Dropout" .. d .. "d"](0.3):eval()
    end, {small[d]}}
    for _, kind in ipairs{"Constant", "Zero", "Reflection", "Replication",
                          "Circular"} do
      local name = ("%sPad%dd"):format(kind, d)
      samples[name] = {function() return nn[name](1) end, {small[d]}}
    end
  end

  -- The gradient of each parameter against differences of the loss.
  local function check_parameters(net, inputs)
    local weights
    local function loss()
      local y = net(table.unpack(inputs))
      weights = weights or neap.randn(y.shape, {dtype = "float64",
                                      generator = neap.generator(5)})
      return (y * weights):sum()
    end
    if #net:parameters() == 0 then return end
    net:zero_grad()
    loss():backward()
    for name, p in net:named_parameters() do
      local flat, grad = p:detach():reshape(-1), p.grad:reshape(-1)
      for i = 1, #flat do
        local value = flat[i]
        flat[i] = value + 1e-6
        local above = neap.no_grad(loss):item()
        flat[i] = value - 1e-6
        local below = neap.no_grad(loss):item()
        flat[i] = value
        assert.near((above - below) / 2e-6, grad[i], 1e-5, name)
      end
    end
  end

  it("of the samples is there", function()
    for name in pairs(samples) do assert.is_table(nn[name], name) end
  end)

  for _, layer in ipairs(neap._test.layers()) do
    it(layer.name .. " has a sample and right gradients", function()
      local sample = samples[layer.name]
      assert.is_table(sample, "no sample in spec/nn/module_spec.lua")
      assert.is_true(#layer.doc > 0)
      if not sample[1] then return end
      check.each_cpu(function()
        local net = sample[1]():to("float64")
        local inputs, g = {}, neap.generator(11)
        for i, shape in ipairs(sample[2]) do
          inputs[i] = shape == "labels"
            and neap.tensor({1, 3, 2, 3}, {dtype = "int64"})
            or neap.randn(shape, {dtype = "float64", generator = g})
        end
        assert.is_true(neap.gradcheck(net, inputs))
        check_parameters(net, inputs)
      end)
    end)
  end
  it("is made by a call, and called with tensors", function()
    assert.matches("Sequential: entry 2 is the class ReLU, expected a " ..
                   "module of it: ReLU%(%)",
                   message(nn.Sequential, {nn.Linear(2, 3), nn.ReLU}))
    assert.matches("entry 1 is number, expected a module",
                   message(nn.Sequential, {5}))
    assert.matches("Linear: argument 1 is a list, expected a tensor",
                   message(nn.Linear(2, 1), {1, 2}))
  end)

  it("that measures a loss says what would fit", function()
    local mse = nn.MSELoss()
    assert.matches("target is 4, expected 4x1 as x is; x:squeeze%(%-1%), " ..
                   "or nn.Flatten%(1%)",
                   message(mse, neap.ones(4, 1), neap.ones(4)))
    assert.matches("target is 4x1, expected 4 as x is; target:squeeze",
                   message(mse, neap.ones(4), neap.ones(4, 1)))
    assert.matches('target is float64, expected float32 as x is %(use ' ..
                   'target:to%("float32"%)%)',
                   message(mse, neap.ones(4), neap.ones(4):to("float64")))
  end)

end)
