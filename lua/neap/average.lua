--- Averages of a model's parameters over the steps of a training, which
-- often generalise better than the last ones: optim.AveragedModel.
--
--     local average = optim.AveragedModel(net, {decay = 0.999})
--     ... opt:step(); average:update()
--     trainer.model = average.module          -- to measure and to save
--
-- With `decay` it is the moving average a = decay a + (1 - decay) p (Polyak
-- and Juditsky 1992, as most use it), without it the mean of all updates,
-- as for stochastic weight averaging (Izmailov et al. 2018). Buffers are
-- those of the last update; `optim.update_bn(loader, average.module)`
-- computes the statistics of batch norms anew.

local neap = require "neap"
local fail = neap._fail
local options = require "neap.options"
local optim = neap.optim

local Averaged = {}
Averaged.__index = Averaged

local function check_module(who, module)
  if not neap.nn.is_module(module) then
    fail("%s: expected a module, not a %s", who,
         neap.is_tensor(module) and "tensor" or type(module))
  end
end

--- optim.AveragedModel(net, {decay}): `module` is the average, a copy of the
-- net in eval mode; `n_averaged` counts the updates.
function optim.AveragedModel(net, given)
  check_module("AveragedModel", net)
  local o = options.read("AveragedModel", given,
                         {{"decay", "number", least = 0, most = 1}})
  return setmetatable({source = net, decay = o.decay, n_averaged = 0,
                       module = net:clone():eval():requires_grad_(false)},
                      Averaged)
end

--- Takes the net's present parameters into the average.
function Averaged:update()
  local share = 1 / (self.n_averaged + 1)        -- of the new ones
  if self.decay and self.n_averaged > 0 then share = 1 - self.decay end
  neap.no_grad(function()
    local new, own = self.source:parameters(), self.module:parameters()
    for i, p in ipairs(own) do p:add_((new[i] - p) * share) end
    new, own = self.source:buffers(), self.module:buffers()
    for i, b in ipairs(own) do b:copy_(new[i]) end
  end)
  self.n_averaged = self.n_averaged + 1
end

--- Calls the average.
function Averaged:__call(...) return self.module(...) end

-- The batch norms of a module that keep running statistics.
local function norms_of(module)
  local list = {}
  for _, m in ipairs(module:modules()) do
    if m.running_mean and m.num_batches_tracked then list[#list + 1] = m end
  end
  return list
end

--- Running statistics of all batch norms of a module as the plain mean over
-- a pass of a loader (its first values are the inputs).
function optim.update_bn(loader, module)
  check_module("update_bn", module)
  if type(loader) ~= "table" or type(loader.batches) ~= "function" then
    fail("update_bn: expected a DataLoader, not a %s", type(loader))
  end
  local norms, before = norms_of(module), {}
  if #norms == 0 then return end
  local modes = {}
  for _, m in ipairs(module:modules()) do modes[m] = m.training end
  for i, m in ipairs(norms) do
    before[i] = m.momentum
    m.momentum = false
    m.running_mean:zero_()
    m.running_var:fill_(1)
    m.num_batches_tracked:zero_()
  end
  module:train()
  local ok, why = pcall(neap.no_grad, function()
    for x in loader:batches() do module(x) end
  end)
  for i, m in ipairs(norms) do m.momentum = before[i] end
  for m, training in pairs(modes) do m.training = training end
  if not ok then error(why, 0) end
end

return Averaged
