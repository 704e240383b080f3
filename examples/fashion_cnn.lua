-- Convolutional networks on the pictures of Fashion-MNIST: one like LeNet,
-- or a small ResNet; with augmentation and dropout, or without.
--
--   neap examples/fashion_cnn.lua                       (about a minute)
--   neap examples/fashion_cnn.lua --net resnet --epochs 10
--   neap examples/fashion_cnn.lua --samples 2000 --augment --dropout 0.3
--
-- After 5 epochs the first is right about 92 % of the test pictures.

local neap = require "neap"
local nn, optim, data = neap.nn, neap.optim, neap.data

local o = neap.cli("Trains a convolutional network on Fashion-MNIST.", {
  {"net", "string", default = "lenet", choices = {"lenet", "resnet"}},
  {"epochs", "integer", default = 5, least = 1},
  {"samples", "integer", default = 60000, least = 1,
   help = "training pictures"},
  {"augment", "boolean", default = false, help = "mirror and crop"},
  {"dropout", "number", default = 0, help = "before the last layers"},
  {"lr", "number", default = 2e-3, help = "learning rate at the start"},
  {"batch_size", "integer", default = 64, least = 1},
  {"test", "integer", default = 10000, least = 1, help = "test pictures"},
  {"seed", "integer", default = 1}
})
neap.manual_seed(o.seed)

local function lenet()
  return nn.Sequential{
    nn.Conv2d(1, 20, 5, {padding = 2}), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(20, 50, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
    nn.Dropout(o.dropout), nn.Linear(50 * 5 * 5, 256), nn.ReLU(),
    nn.Dropout(o.dropout), nn.Linear(256, 10)
  }
end

-- Two 3x3 convolutions around which x goes by; where the size changes, x
-- goes through a 1x1 convolution (He et al. 2016).
local function block(from, to)
  local stride = from == to and 1 or 2
  local path = nn.Sequential{
    nn.Conv2d(from, to, 3, {stride = stride, padding = 1, bias = false}),
    nn.BatchNorm2d(to), nn.ReLU(),
    nn.Conv2d(to, to, 3, {padding = 1, bias = false}), nn.BatchNorm2d(to)}
  if from == to then return nn.Residual{path} end
  local shortcut = nn.Sequential{
    nn.Conv2d(from, to, 1, {stride = 2, bias = false}), nn.BatchNorm2d(to)}
  return nn.Parallel{path, shortcut, merge = "sum"}
end

local function resnet()
  local layers = {nn.Conv2d(1, 16, 3, {padding = 1, bias = false}),
                  nn.BatchNorm2d(16), nn.ReLU()}
  local width = 16
  for _, to in ipairs{16, 16, 16, 32, 32, 32, 64, 64, 64} do
    table.insert(layers, block(width, to))
    table.insert(layers, nn.ReLU())
    width = to
  end
  for _, layer in ipairs{nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                         nn.Dropout(o.dropout), nn.Linear(64, 10)} do
    table.insert(layers, layer)
  end
  return nn.Sequential(layers)
end

-- Pictures (1, 28, 28) with mean 0 and variance 1.
local function prepare(set, n)
  local x, y = set.tensors[1], set.tensors[2]
  x, y = x[{{1, n}}]:to("float32"):unsqueeze(2), y[{{1, n}}]
  return data.TensorDataset((x / 255 - 0.286) / 0.353, y)
end
local train, test = data.fashion_mnist()
train, test = prepare(train, o.samples), prepare(test, o.test)
if o.augment then
  train = data.map(train, data.Augment{flip = 0.5, crop = 2},
                   {batched = true})
end

local net = o.net == "lenet" and lenet() or resnet()
print(net:summary{1, 1, 28, 28})
local optimizer = optim.Adam(net:parameters(), {lr = o.lr})

-- The learning rate falls to 0 along half a cosine.
local steps = o.epochs * math.ceil(train:size() / o.batch_size)
local schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer,
                                                      {T_max = steps})
local trainer = neap.Trainer{
  model = net, loss = nn.CrossEntropyLoss(), optimizer = optimizer,
  metrics = {"accuracy"}, schedule = schedule, schedule_each = "batch"}
local history = trainer:fit(train, {
  epochs = o.epochs, batch_size = o.batch_size, validation = test})
print(("test accuracy %.2f %%"):format(100 * history[#history].val_accuracy))
