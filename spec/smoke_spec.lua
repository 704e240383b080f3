local neap = require "neap"

describe("neap", function()
  it("learns XOR in under a second", function()
    neap.manual_seed(1)
    local nn = neap.nn
    local x = neap.tensor{{0, 0}, {0, 1}, {1, 0}, {1, 1}}
    local y = neap.tensor{{0}, {1}, {1}, {0}}
    local net = nn.Sequential{nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1)}
    local opt = neap.optim.Adam(net:parameters(), {lr = 0.05})
    local loss
    for _ = 1, 300 do
      loss = nn.functional.mse_loss(net(x), y)
      opt:zero_grad()
      loss:backward()
      opt:step()
    end
    assert.is_true(loss:item() < 1e-2)
    for i = 1, 4 do
      assert.near(y[i][1], net(x)[i][1]:item(), 0.2)
    end
  end)
end)
