local neap = require "neap"
local check = require "spec.support.check"
local nn, message = neap.nn, check.message
local utils = nn.utils

local function f64(net) return net:to("float64") end

-- The gradient of each parameter against differences of the loss.
local function check_parameters(net, x)
  local function loss() return (net(x) ^ 2):sum() end
  net:zero_grad()
  loss():backward()
  for name, p in net:named_parameters() do
    local flat, grad = p:detach():reshape(-1), p.grad:reshape(-1)
    for i = 1, #flat do
      local value, sums = flat[i], {}
      for k, step in ipairs{1e-6, -1e-6} do
        flat[i] = value + step
        sums[k] = neap.no_grad(loss):item()
      end
      flat[i] = value
      assert.near((sums[1] - sums[2]) / 2e-6, grad[i], 1e-5, name)
    end
  end
end

describe("weight norm", function()

  it("leaves the layer as it is, and parts length and direction", function()
    for _, net in ipairs{nn.Linear(3, 2), nn.Conv2d(2, 3, 2),
                         nn.ConvTranspose1d(2, 3, 2)} do
      f64(net)
      local before = net.weight:detach():clone()
      assert.is_true(rawequal(net, utils.weight_norm(net)))
      check.near(before, net.weight:detach(), 1e-14, 1e-14)
      local names = {}
      for name in net:named_parameters() do names[name] = true end
      assert.same({bias = true, weight_g = true, weight_v = true}, names)
      assert.equal(before:size(1), net.weight_g:numel())
      neap.no_grad(function() net.weight_g:mul_(2) end)
      check.near(before * 2, net.weight:detach(), 1e-14, 1e-14)
      utils.remove_weight_norm(net)
      check.near(before * 2, net.weight:detach(), 1e-14, 1e-14)
      assert.is_true(net.weight.requires_grad and net.weight.is_leaf)
      assert.equal(2, #net:parameters())
    end
  end)

  it("has the right gradients, in a Sequential too", function()
    local net = f64(nn.Sequential{nn.Linear(3, 4), nn.Tanh(),
                                  nn.Linear(4, 2)})
    utils.weight_norm(net[1])
    utils.weight_norm(net[3], {dim = false})
    check_parameters(net, neap.randn({5, 3}, {dtype = "float64"}))
    net = f64(utils.weight_norm(nn.Conv2d(2, 2, 2), "weight", {dim = 2}))
    assert.same({1, 2, 1, 1}, net.weight_g.shape)
    check_parameters(net, neap.randn({1, 2, 3, 3}, {dtype = "float64"}))
  end)

  it("is saved, copied and learned", function()
    local net = nn.Sequential{utils.weight_norm(nn.Linear(2, 3)), nn.ReLU()}
    local x = neap.randn(4, 2)
    local path = os.tmpname()
    net:save(path)
    for _, other in ipairs{nn.load(path), net:clone()} do
      assert.same(net(x):totable(), other(x):totable())
      assert.equal(3, #other:parameters())
    end
    os.remove(path)
    local opt = neap.optim.SGD(net:parameters(), {lr = 0.1})
    local first
    for _ = 1, 20 do
      local loss = (net(x) - 1):pow(2):mean()
      first = first or loss:item()
      opt:zero_grad()
      loss:backward()
      opt:step()
    end
    assert.is_true((net(x) - 1):pow(2):mean():item() < first)
  end)

  it("may be the layer's own doing, or come later, in files and copies",
  function()
    local Normal = nn.Linear:extend "SpecNormalLinear"
    function Normal:init(a, b)
      nn.Linear.init(self, a, b)
      utils.weight_norm(self)
    end
    local Pair = nn.Module:extend "SpecLatePair"
    function Pair:init() self.a, self.b = nn.Linear(2, 3), Normal(3, 1) end
    function Pair:forward(x) return self.b(self.a(x)) end
    local net, x = Pair(), neap.randn(4, 2)
    utils.spectral_norm(net.a):eval()
    net:eval()
    local path = os.tmpname()
    net:save(path)
    for _, other in ipairs{nn.load(path):eval(), net:clone()} do
      assert.same(net(x):totable(), other(x):totable())
    end
    -- a kind of a file that nobody knows
    local file = assert(io.open(path, "rb"))
    local text = file:read("a"):gsub("spectral_norm", "spectral_nurm")
    file:close()
    file = assert(io.open(path, "wb"))
    file:write(text)
    file:close()
    assert.matches("no parameter is computed by 'spectral_nurm'",
                   message(nn.load, path))
    os.remove(path)
  end)

  it("is there or not when memory fails, nothing between", function()
    for _, name in ipairs{"weight_norm", "spectral_norm"} do
      local fc = nn.Linear(3, 2)
      check.out_of_memory(function()
        local ok, why = pcall(utils[name], fc)
        if not ok then
          assert.equal(2, #fc:parameters())
          assert.equal(0, #fc:buffers())
          error(why, 0)
        end
        ok, why = pcall(utils["remove_" .. name], fc)
        if not ok then
          assert.equal(name == "weight_norm" and 3 or 2, #fc:parameters())
          utils["remove_" .. name](fc)
          error(why, 0)
        end
      end)
      fc(neap.ones(1, 3))
    end
  end)

  it("says what it cannot do", function()
    assert.matches("dim is true, expected a dimension",
                   message(utils.weight_norm, nn.Linear(2, 2),
                           {dim = true}))
    local norm = utils.weight_norm(nn.Linear(2, 2))
    for _, name in ipairs{"weight", "weight_v", "bias"} do
      assert.matches("is a tensor of the layer and cannot become a module",
                     message(function() norm[name] = nn.ReLU() end))
    end
    local fc = utils.weight_norm(nn.Linear(2, 2))
    assert.matches("weight_norm: Linear.weight is computed already",
                   message(utils.weight_norm, fc))
    assert.matches("Linear has no parameter 'wait' of its own",
                   message(utils.weight_norm, nn.Linear(2, 2), "wait"))
    assert.matches("expected a layer, not a tensor",
                   message(utils.weight_norm, neap.ones(2)))
    assert.matches("no dimension 3", message(utils.weight_norm,
                   nn.Linear(2, 2), "weight", {dim = 3}))
    assert.matches("Linear.weight is computed by weight_norm and cannot be",
                   message(function()
                     fc.weight = nn.Parameter(neap.ones(2, 2))
                   end))
    assert.matches("remove_weight_norm: Linear has no weight_norm on 'bias'",
                   message(utils.remove_weight_norm, fc, "bias"))
  end)

end)


describe("spectral norm", function()

  it("makes the largest singular value 1", function()
    local fc = f64(nn.Linear(3, 3, {bias = false}))
    neap.no_grad(function()
      fc.weight:copy_(neap.tensor{{0, 5, 0}, {2, 0, 0}, {0, 0, 1}})
    end)
    utils.spectral_norm(fc)
    for _ = 1, 20 do fc(neap.zeros({1, 3}, {dtype = "float64"})) end
    check.near(neap.tensor({{0, 1, 0}, {0.4, 0, 0}, {0, 0, 0.2}},
                           {dtype = "float64"}), fc.weight:detach(), 1e-9,
               1e-9)
    local names = {}
    for name in pairs(fc:state_dict()) do names[#names + 1] = name end
    table.sort(names)
    assert.same({"weight_orig", "weight_u", "weight_v"}, names)
    fc:eval()
    local u = fc.weight_u:clone()
    fc(neap.zeros({1, 3}, {dtype = "float64"}))
    assert.same(u:totable(), fc.weight_u:totable())
    utils.remove_spectral_norm(fc)
    assert.near(1, fc.weight[1][2]:item(), 1e-9)
  end)

  it("has the right gradients and is saved", function()
    for _, net in ipairs{nn.Linear(3, 2), nn.Conv2d(2, 3, 2),
                         nn.ConvTranspose2d(2, 3, 2)} do
      f64(utils.spectral_norm(net, {n_power_iterations = 2})):eval()
      local x = net.in_features and neap.randn({4, 3}, {dtype = "float64"})
                or neap.randn({1, 2, 3, 3}, {dtype = "float64"})
      check_parameters(net, x)
      local path = os.tmpname()
      net:save(path)
      assert.same(net(x):totable(), nn.load(path):eval()(x):totable())
      os.remove(path)
    end
    local t = utils.spectral_norm(nn.ConvTranspose1d(2, 5, 3))
    assert.same({{5}, {6}}, {t.weight_u.shape, t.weight_v.shape})
  end)

end)
