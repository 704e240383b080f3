--- Networks of fully connected layers.

local neap = require "neap"
local options = require "neap.options"
local nn = neap.nn
local mlp = {}

local activations = {relu = nn.ReLU, gelu = nn.GELU, silu = nn.SiLU,
                     tanh = nn.Tanh, sigmoid = nn.Sigmoid, elu = nn.ELU,
                     leaky_relu = nn.LeakyReLU}
local names = {}
for name in pairs(activations) do names[#names + 1] = name end
table.sort(names)

--- Fails unless sizes are at least two whole numbers above 0.
function mlp._check_sizes(who, sizes)
  if #sizes < 2 then
    neap._fail("%s: sizes has %d entries, expected at least 2 (inputs, " ..
               "hidden layers, outputs)", who, #sizes)
  end
  for i, n in ipairs(sizes) do
    if math.type(n) ~= "integer" or n < 1 then
      neap._fail("%s: sizes[%d] is %s, expected an integer of at least 1",
                 who, i, tostring(n))
    end
  end
end

--- MLP{sizes = {784, 256, 10}, activation = "relu", dropout = 0, norm =
-- false}: a Sequential. All dimensions of x but the first make up the
-- inputs; after each hidden layer come the norm (batch norm), the activation
-- and dropout.
function mlp.MLP(given)
  local o = options.read("MLP", given, {
    {"sizes", "table", required = true},
    {"activation", "string", default = "relu", choices = names},
    {"dropout", "number", default = 0, least = 0, most = 1},
    {"norm", "boolean", default = false}})
  mlp._check_sizes("MLP", o.sizes)
  local layers, last = {nn.Flatten()}, #o.sizes
  for i = 2, last do
    table.insert(layers, nn.Linear(o.sizes[i - 1], o.sizes[i]))
    if i < last then
      if o.norm then table.insert(layers, nn.BatchNorm1d(o.sizes[i])) end
      table.insert(layers, activations[o.activation]())
      if o.dropout > 0 then table.insert(layers, nn.Dropout(o.dropout)) end
    end
  end
  return nn.Sequential(layers)
end

return mlp
