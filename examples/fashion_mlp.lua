-- Trains a network of three layers on the 60,000 pictures of Fashion-MNIST,
-- shows some of its answers, saves it, loads it again and measures it on
-- 10,000 pictures it has not seen.
--
--   neap examples/fashion_mlp.lua [epochs] [file]
--
-- Takes about 10 seconds on two cores; the test accuracy is about 88 %.

local neap = require "neap"
local nn, optim, data = neap.nn, neap.optim, neap.data

local epochs = tonumber(arg and arg[1]) or 5
local path = arg and arg[2] or os.tmpname()

neap.manual_seed(42)

local train, test, where = data.fashion_mnist()
print(("Fashion-MNIST: %d + %d pictures, %s"):format(train:size(),
                                                     test:size(), where))

-- Mean 0 and variance 1 over the training pictures.
local function prepare(set)
  local x, y = set.tensors[1], set.tensors[2]
  return data.TensorDataset((x:to("float32") / 255 - 0.286) / 0.353, y)
end
train, test = prepare(train), prepare(test)

local net = nn.Sequential{
  nn.Flatten(),
  nn.Linear(784, 256), nn.ReLU(), nn.Dropout(0.1),
  nn.Linear(256, 128), nn.ReLU(),
  nn.Linear(128, 10)
}
local loss_of = nn.CrossEntropyLoss()
local optimizer = optim.Adam(net:parameters(), {lr = 2e-3})

local function count_right(logits, labels)
  return logits:argmax(2):eq(labels):sum():item()
end

-- The share of right answers, without the tape.
local function accuracy(model, set)
  model:eval()
  local right = 0
  neap.no_grad(function()
    for x, y in data.DataLoader(set, {batch_size = 1000}):batches() do
      right = right + count_right(model(x), y)
    end
  end)
  model:train()
  return right / set:size()
end

local loader = data.DataLoader(train, {batch_size = 128, shuffle = true})
for epoch = 1, epochs do
  local bar = neap.progress.bar{title = ("epoch %d/%d"):format(epoch, epochs),
                                total = loader:samples(), unit = "pictures"}
  local seen, right, total = 0, 0, 0
  optimizer.param_groups[1].lr = 2e-3 * (1 - (epoch - 1) / epochs)
  local function values()
    return ("loss %.3f  accuracy %.1f %%"):format(total / seen,
                                                  100 * right / seen)
  end
  for x, y in loader:batches() do
    local logits = net(x)
    local loss = loss_of(logits, y)
    optimizer:zero_grad()
    loss:backward()
    optimizer:step()
    seen = seen + #y
    total = total + loss:item() * #y
    right = right + count_right(logits, y)
    bar:update(seen, values())
  end
  bar:finish(values())
end

-- A picture as text, two rows of dots to a line.
local function show(picture)
  local shades = {" ", ".", ":", "o", "O", "@"}
  local lines = {}
  for row = 1, 28, 2 do
    local line = {}
    for column = 1, 28 do
      local value = (picture[row][column] + picture[row + 1][column]) / 2
      local grey = (value * 0.353 + 0.286) * 5
      line[column] = shades[math.floor(grey + 0.5) + 1] or "@"
    end
    lines[#lines + 1] = table.concat(line)
  end
  return lines
end

local names = data.fashion_mnist_classes
net:eval()
local shown = {}
for i = 1, 3 do
  local x, label = table.unpack(test[i])
  local guess = neap.no_grad(net, x:reshape(1, 28, 28)):argmax():item()
  shown[i] = show(x)
  table.insert(shown[i], 1, ("network: %s"):format(names[guess]))
  table.insert(shown[i], 2, ("truth:   %s"):format(names[label]))
end
print()
for line = 1, #shown[1] do
  print((("%-28s  %-28s  %-28s"):format(shown[1][line], shown[2][line],
                                        shown[3][line]):gsub("%s+$", "")))
end

net:save(path)
local loaded = nn.load(path)
print(("\nsaved to %s and loaded again"):format(path))
if not (arg and arg[2]) then os.remove(path) end
print(("test accuracy: %.2f %%"):format(100 * accuracy(loaded, test)))
