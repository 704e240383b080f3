local neap = require "neap"
local check = require "spec.support.check"
local nn, optim, message = neap.nn, neap.optim, check.message

local function small()
  local net = nn.Linear(2, 2):to("float64")
  neap.no_grad(function()
    net.weight:copy_(neap.tensor{{1, -2}, {0, 0.5}})
    net.bias:fill_(3)
  end)
  return net
end

describe("penalties", function()

  it("are values with a gradient", function()
    local net = small()
    assert.equal(3.5, optim.L1{l1 = 1}(net):item())
    assert.equal(5.25 * 0.5, optim.L2(0.5)(net):item())
    assert.equal(3.5 * 2 + 5.25, optim.ElasticNet{l1 = 2, l2 = 1}(net):item())
    assert.equal(9.5, optim.L1{l1 = 1, bias = true}(net):item())
    assert.equal(3.5, optim.L1(1)(net:parameters()):item())
    assert.equal(0, optim.L1(1){}:item())
    local w = neap.randn({3, 2}, {dtype = "float64", requires_grad = true})
    local e = optim.ElasticNet{l1 = 0.3, l2 = 0.7}
    local function f(x) return e{x * 1} end
    assert.is_true(neap.gradcheck(f, {w}))
    assert.is_true(neap.gradgradcheck(f, {w}))
  end)

  it("are added to gradients as their value would be", function()
    for _, penalty in ipairs{optim.L1(0.1), optim.L2(0.2),
                             optim.ElasticNet{l1 = 0.1, l2 = 0.2},
                             optim.L2{l2 = 0.2, bias = true}} do
      local a, b = small(), small()
      local x = neap.randn({3, 2}, {dtype = "float64"})
      local loss = a(x):sum() + penalty(a)
      loss:backward()
      b(x):sum():backward()
      penalty:add_gradients(b)
      check.near(a.weight.grad, b.weight.grad, 1e-12, 1e-12)
      check.near(a.bias.grad, b.bias.grad, 1e-12, 1e-12)
    end
  end)

  it("make exact zeros by proximal steps, not by gradients", function()
    neap.manual_seed(1)
    local x = neap.randn(64, 20)
    local y = x[{{}, {1, 3}}]:sum(2)          -- 17 columns mean nothing
    local function zeros(proximal)
      local net = nn.Linear(20, 1)
      local opt = optim.SGD(net:parameters(), {lr = 0.05})
      local penalty = optim.L1{l1 = 0.1, proximal = proximal}
      for _ = 1, 200 do
        local loss = nn.MSELoss()(net(x):squeeze(-1), y)
        opt:zero_grad()
        loss:backward()
        if not proximal then penalty:add_gradients(net) end
        opt:step()
        if proximal then penalty:step(opt) end
      end
      assert.is_true(net.weight[{1, {1, 3}}]:min():item() > 0.8)
      return net.weight:eq(0):sum():item()
    end
    assert.equal(17, zeros(true))
    assert.equal(0, zeros(false))
  end)

  it("belong to a Trainer", function()
    local net = nn.Linear(2, 1)
    local trainer = neap.Trainer{
      model = net, loss = nn.MSELoss(), penalty = optim.L1{
        l1 = 100, proximal = true},
      optimizer = optim.SGD(net:parameters(), {lr = 0.1})}
    trainer:fit(neap.data.TensorDataset(neap.randn(8, 2), neap.randn(8, 1)),
                {progress = false})
    assert.equal(2, net.weight:eq(0):sum():item())
    trainer.penalty = optim.L2(1)
    trainer:fit(neap.data.TensorDataset(neap.zeros(8, 2), neap.ones(8, 1)),
                {progress = false})
    assert.equal(2, net.weight:eq(0):sum():item())
  end)

  it("leave NaN and empty weights what they are", function()
    local w = neap.tensor{0/0, 3, -0.1, math.huge}:elastic_shrink{l1 = 1}
    assert.is_true(w[1] ~= w[1])
    assert.same({2, 0, math.huge}, w[{{2, 4}}]:totable())
    assert.same({0, 3}, neap.zeros(0, 3):renorm(2, 1, 1).shape)
    assert.matches("Trainer: penalty is a table, expected one such as",
                   message(neap.Trainer, {model = nn.Linear(1, 1),
                                          loss = nn.MSELoss(),
                                          penalty = {l2 = 1}}))
  end)

  it("say what they lack", function()
    assert.matches("L1: the option l1 is missing", message(optim.L1))
    assert.matches("ElasticNet: l2 is %-1, expected a number of at least 0",
                   message(optim.ElasticNet, {l1 = 0, l2 = -1}))
    assert.matches("L1: expected a module or a list of parameters, not a " ..
                   "tensor", message(optim.L1(1), neap.ones(2)))
    assert.matches("L1: step expects an optimiser",
                   message(optim.L1(1).step, optim.L1(1), 5))
    assert.matches("elastic_slope: l1 is %-1 and l2 0, expected 0 or more",
                   message(neap.elastic_slope, neap.ones(1), neap.ones(1),
                           {l1 = -1}))
  end)

end)


describe("a largest norm", function()

  it("holds for the rows of weights", function()
    local net = nn.Sequential{nn.Linear(4, 3), nn.Conv2d(2, 2, 3)}
    neap.no_grad(function()
      net[1].weight:copy_(neap.tensor{{3, 0, 4, 0}, {0, 0.5, 0, 0},
                                      {0, 0, 0, -2}})
      net[1].bias:fill_(9)
    end)
    nn.utils.max_norm_(net, 1)
    check.near(neap.tensor{{0.6, 0, 0.8, 0}, {0, 0.5, 0, 0}, {0, 0, 0, -1}},
               net[1].weight:detach(), 1e-6, 1e-6)
    assert.equal(9, net[1].bias[1]:item())
    assert.is_true(net[2].weight:reshape(2, -1):norm(2, 2):max():item() < 1.1)
    local x = neap.tensor{{3, 4}, {0, 10}}
    check.near(neap.tensor{{2, 4 / math.sqrt(116) * 2},
                           {0, 10 / math.sqrt(116) * 2}}, x:renorm(2, -1, 2),
               1e-6, 1e-6)
    assert.matches("max_norm_: expected a number of 0 or more, not %-1",
                   message(nn.utils.max_norm_, net, -1))
  end)

end)
