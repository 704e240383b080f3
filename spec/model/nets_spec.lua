-- The ready nets: shapes, sizes of well-known ones, that they learn, and
-- that files bring them back.

local neap = require "neap"
local check = require "spec.support.check"
local message = check.message
local model = neap.model

local function learns(net, loss, steps)
  local optimizer = neap.optim.Adam(net:parameters(), {lr = 5e-3})
  local first, last
  for _ = 1, steps or 30 do
    optimizer:zero_grad()
    last = loss()
    last:backward()
    optimizer:step()
    first = first or last:item()
  end
  assert.is_true(last:item() < 0.7 * first,
                 ("%.4f -> %.4f"):format(first, last:item()))
end

local function comes_back(net, ...)
  local path = os.tmpname()
  net:save(path)
  local again = neap.nn.load(path)
  os.remove(path)
  net:eval()
  again:eval()
  local a, b = net(...), again(...)
  assert.same(a:totable(), b:totable())
end

describe("a ready net", function()

  before_each(function() neap.manual_seed(3) end)

  it("MLP has layers of the sizes given", function()
    local net = model.MLP{sizes = {12, 8, 5, 3}, activation = "tanh",
                          norm = true, dropout = 0.5}
    local x = neap.rand(6, 3, 4)
    assert.same({6, 3}, net(x).shape)
    assert.equal(12 * 8 + 8 + 8 * 5 + 5 + 5 * 3 + 3 + 2 * (8 + 5),
                 net:num_parameters())
    comes_back(net, x)
    assert.matches("MLP: sizes has 1 entries", message(function()
      model.MLP{sizes = {3}}
    end))
    assert.matches("sizes%[2%] is 1.5", message(function()
      model.MLP{sizes = {3, 1.5}}
    end))
    assert.matches("did you mean 'dropout'", message(function()
      model.MLP{sizes = {3, 2}, dropou = 1}
    end))
  end)

  it("ResNet has as many parameters as those of the paper", function()
    assert.equal(11689512, model.ResNet():num_parameters())   -- ResNet-18
    assert.equal(25557032, model.ResNet{                      -- ResNet-50
      layers = {3, 4, 6, 3}, block = "bottleneck"}:num_parameters())
    local net = model.ResNet{layers = {3, 3, 3}, width = 16, stem = "small",
                             num_classes = 10}                -- ResNet-20
    assert.is_true(math.abs(net:num_parameters() - 0.27e6) < 5e3)
    local state = net:state_dict()
    for _, name in ipairs{"conv1.weight", "bn1.running_mean",
                          "layer2.0.conv1.weight", "fc.bias",
                          "layer2.0.downsample.1.weight"} do
      assert.is_truthy(state[name], name)
    end
    assert.is_nil(state["layer1.0.downsample.0.weight"])
  end)

  it("ResNet learns, and halves pictures at each stage", function()
    local net = model.ResNet{layers = {1, 1}, width = 4, stem = "small",
                             in_channels = 1, num_classes = 3}
    local x = neap.rand(6, 1, 9, 9)
    local y = neap.tensor({1, 2, 3, 1, 2, 3}, {dtype = "int64"})
    learns(net, function()
      return neap.nn.functional.cross_entropy(net(x), y)
    end)
    comes_back(net, x)
    local large = model.ResNet{layers = {1, 1}, width = 4,
                               block = "bottleneck"}
    assert.same({2, 1000}, large(neap.rand(2, 3, 33, 33)).shape)
  end)

  it("ViT learns from patches", function()
    local net = model.ViT{image_size = 8, patch_size = 4, num_classes = 3,
                          dim = 8, depth = 2, heads = 2}
    local x = neap.rand(6, 1, 8, 8)
    local y = neap.tensor({1, 2, 3, 1, 2, 3}, {dtype = "int64"})
    learns(net, function()
      return neap.nn.functional.cross_entropy(net(x), y)
    end)
    comes_back(net, x)
    local first, second = table.unpack(net.encoder.layers:children())
    assert.are_not.same(first.linear1.weight:totable(),
                        second.linear1.weight:totable())
    assert.matches("patches of 3 do not fill pictures of 8",
                   message(function()
                     model.ViT{image_size = 8, patch_size = 3}
                   end))
  end)

  it("Autoencoder rebuilds what it saw", function()
    local net = model.Autoencoder{sizes = {12, 16, 4}}
    local x = neap.rand(5, 3, 4):gt(0.5):to("float32")
    learns(net, function()
      return neap.nn.functional.binary_cross_entropy_with_logits(net(x), x)
    end, 100)
    assert.same({5, 4}, net:encode(x).shape)
    local y = net:decode(net:encode(x))
    assert.same({5, 12}, y.shape)
    assert.is_true(y:min():item() >= 0 and y:max():item() <= 1)
    comes_back(net, x)
  end)

  it("VAE has the loss of the paper", function()
    local net = model.VAE{sizes = {6, 5, 2}}
    local x = neap.rand(4, 6)
    neap.manual_seed(11)
    local loss, rest, kl = net:loss(x)
    neap.manual_seed(11)
    local logits, mean, logvar = net(x)            -- the same draw
    local want_kl, want_rest = 0, 0
    for i = 1, 4 do
      for j = 1, 2 do
        local m, v = mean[i][j]:item(), math.exp(logvar[i][j]:item())
        want_kl = want_kl - 0.5 * (1 + math.log(v) - m * m - v) / 4
      end
      for j = 1, 6 do
        local p = 1 / (1 + math.exp(-logits[i][j]:item()))
        local t = x[i][j]
        want_rest = want_rest
                    - (t * math.log(p) + (1 - t) * math.log(1 - p)) / 4
      end
    end
    assert.near(want_kl, kl, 1e-5)
    assert.near(want_rest, rest, 1e-4)
    assert.near(rest + kl, loss:item(), 1e-4)
  end)

  it("VAE learns, and gives means in eval mode", function()
    local net = model.VAE{sizes = {12, 16, 2}}
    local x = (neap.arange(12) % 2):to("float32"):expand(8, 12)
    learns(net, function() return (net:loss(x)) end, 60)
    net:eval()
    assert.same(net(x):totable(), net(x):totable())
    assert.same({3, 12}, net:sample(3).shape)
    comes_back(net, x)
  end)

  it("GAN's losses reach the net that they are for", function()
    local net = model.GAN{latent = 4, image_size = 8, width = 3}
    assert.same({5, 1, 8, 8}, net(5).shape)
    net:discriminator_loss(neap.randn(4, 1, 8, 8)):backward()
    for name, p in net:named_parameters() do
      assert.equal(name:find "^discriminator" ~= nil, p.grad ~= nil, name)
    end
    net:zero_grad()
    net:generator_loss(4):backward()
    for name, p in net.generator:named_parameters() do
      assert.is_truthy(p.grad, name)
    end
    assert.matches("image_size is 10, expected a multiple of 4",
                   message(function() model.GAN{image_size = 10} end))
    local z = neap.randn(2, 4)
    comes_back(net, 2, z)
  end)

end)
