local neap = require "neap"
local check = require "spec.support.check"
local nn, optim, data, message = neap.nn, neap.optim, neap.data,
                                 check.message

local function set(net, value)
  neap.no_grad(function() net.weight:fill_(value) end)
end

describe("the average of a model", function()

  it("is a mean of all updates, or a moving one", function()
    local net = nn.Linear(1, 1, {bias = false})
    local mean = optim.AveragedModel(net)
    local moving = optim.AveragedModel(net, {decay = 0.75})
    for _, value in ipairs{4, 8, 0} do
      set(net, value)
      mean:update()
      moving:update()
    end
    assert.equal(4, mean.module.weight:item())
    assert.equal((4 * 0.75 + 8 * 0.25) * 0.75, moving.module.weight:item())
    assert.equal(3, mean.n_averaged)
    assert.equal(8, mean(neap.tensor{{2}}):item())
    assert.equal(0, net.weight:item())
    assert.is_false(mean.module.weight.requires_grad)
    assert.is_true(net.weight.requires_grad)
  end)

  it("has the statistics of batch norms computed anew", function()
    local net = nn.Sequential{nn.BatchNorm1d(2)}
    local x = neap.randn(8, 2) * 3 + 5
    local loader = data.DataLoader(data.TensorDataset(x), {batch_size = 4})
    local average = optim.AveragedModel(net)
    optim.update_bn(loader, average.module)
    local bn = average.module[1]
    check.near(x:mean(1), bn.running_mean, 1e-5, 1e-5)
    check.near((x[{{1, 4}}]:var(1) + x[{{5, 8}}]:var(1)) / 2,
               bn.running_var, 1e-4, 1e-4)
    assert.equal(2, bn.num_batches_tracked:item())
    assert.near(0.1, bn.momentum, 1e-12)
    assert.is_false(bn.training)
    average:update()                     -- buffers are those of the net
    assert.same(net[1].running_mean:totable(), bn.running_mean:totable())
  end)

  it("says what it wants", function()
    assert.matches("AveragedModel: expected a module, not a number",
                   message(optim.AveragedModel, 5))
    assert.matches("decay is 2, expected a number from 0 to 1",
                   message(optim.AveragedModel, nn.ReLU(), {decay = 2}))
    assert.matches("update_bn: expected a DataLoader, not a number",
                   message(optim.update_bn, 5, nn.ReLU()))
  end)

end)
