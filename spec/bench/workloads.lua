-- The workloads of the speed table: each builds rows {label, call}.

local neap = require "neap"
local nn, optim, data = neap.nn, neap.optim, neap.data
local workloads = {}

-- A training step over batches, and the loss after 300 of them.
local function trainer(net, batches, opt, loss_of)
  local at = 0
  local function step()
    at = at % #batches + 1
    opt:zero_grad()
    local loss = loss_of(net(batches[at][1]), batches[at][2])
    loss:backward()
    opt:step()
    return loss
  end
  local last = 0
  for i = 1, 300 do
    local loss = step():item()
    if i > 280 then last = last + loss / 20 end
  end
  return {{call = step, note = ("loss %.4f after 300"):format(last)}}
end

function workloads.mlp()
  neap.manual_seed(1)
  local set = data.fashion_mnist()
  local order = neap.randperm(set:size())
  local x = ((set.tensors[1]:to("float32") / 255 - 0.286) / 0.353)
            :reshape(-1, 784):index_select(1, order)
  local y = set.tensors[2]:index_select(1, order)
  local batches = {}
  for i = 1, 128 * 468, 128 do
    batches[#batches + 1] = {x[{{i, i + 127}}], y[{{i, i + 127}}]}
  end
  local net = nn.Sequential{nn.Linear(784, 256), nn.ReLU(),
                            nn.Linear(256, 128), nn.ReLU(),
                            nn.Linear(128, 10)}
  return trainer(net, batches, optim.Adam(net:parameters(), {lr = 1e-3}),
                 nn.CrossEntropyLoss())
end

function workloads.mlp_tiny()
  neap.manual_seed(1)
  local batches = {}
  for i = 1, 64 do
    local x = neap.randn(32, 8)
    local s, target = x:sum{dim = 2, keepdim = true}, neap.zeros(32, 1)
    for k = 1, 32 do target[k][1] = math.sin(s[k][1]) end
    batches[i] = {x, target}
  end
  local net = nn.Sequential{nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, 32),
                            nn.Tanh(), nn.Linear(32, 1)}
  return trainer(net, batches, optim.SGD(net:parameters(),
                 {lr = 0.05, momentum = 0.9}), nn.MSELoss())
end

-- What a call costs when the arithmetic is nothing.
function workloads.op_overhead()
  local x, y = neap.ones(1), neap.ones(1)
  local w = neap.ones{1, requires_grad = true}
  local layer, v = nn.Linear(8, 8), neap.randn(1, 8)
  local function off(f)
    return function() neap.set_grad_enabled(false) f()
      neap.set_grad_enabled(true) end
  end
  return {
    {label = "add, no graph", call = function() return x + y end},
    {label = "add in place, no graph", call = function() x:add_(y) end},
    {label = "mul, recording", call = function() return w * y end},
    {label = "20 muls forward + backward", call = function()
      local z = w
      for _ = 1, 20 do z = z * y end
      w.grad = nil
      z:backward()
    end},
    {label = "Linear(8,8) batch 1", call = off(function() layer(v) end)},
    {label = "view", call = function() return v:reshape(8) end},
    {label = "index row", call = function() return v[1] end},
    {label = "item", call = function() return x:item() end}
  }
end

-- Whole processes, start to end.
function workloads.startup()
  local program = arg[-1] or "build/neap"
  local function timed(command)
    local samples = {}
    for i = 1, 12 do
      local t = neap.clock()
      assert(os.execute(command))
      samples[i] = (neap.clock() - t) * 1e3
    end
    table.sort(samples)
    return samples[6]
  end
  return {{label = "import torch", note = "ours: a script that requires neap",
           ms = timed(program .. " -e 'require \"neap\"'")}}
end

return workloads
