-- Which iris is it? Five networks, each judged on flowers it has not seen.
--   neap examples/iris.lua            takes a second; 96 % are right
local neap = require "neap"
local nn, optim, data = neap.nn, neap.optim, neap.data

neap.manual_seed(tonumber(arg and arg[1]) or 1)
local total = 0
local flowers = data.iris()
local lengths = {"sepal_length", "sepal_width", "petal_length", "petal_width"}
local judge = neap.metrics.confusion{classes = flowers:categories "species"}
local species = flowers:column "species"
for fold, train, test in data.KFold(flowers, 5, {stratify = species}) do
  local features = data.Features{{lengths, data.Standardize()}}:fit(train)
  local net = nn.Sequential{nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3)}
  local trainer = neap.Trainer{
    model = net, loss = nn.CrossEntropyLoss(), metrics = {"accuracy", judge},
    optimizer = optim.Adam(net:parameters(), {lr = 0.01})}
  local function set(t)
    return data.TensorDataset(features(t), t:column "species")
  end
  trainer:fit(set(train), {epochs = 100, progress = false})
  local accuracy = trainer:evaluate(set(test)).accuracy
  print(("fold %d: accuracy %.3f"):format(fold, accuracy))
  total = total + accuracy
end
print(("mean accuracy %.1f %%"):format(100 * total / 5))
