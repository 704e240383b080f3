-- What does a house in California cost? From a CSV file to dollars.
--
--   neap examples/house_prices.lua [--epochs 40] [--file net.safetensors]
--
-- The file has a column of words (how near the ocean is) and empty cells
-- (bedrooms that nobody counted). Prices go over two powers of ten, so the
-- network learns their logarithm. A linear model shows what the layers are
-- worth. Takes about 15 seconds on two cores; the error on houses that were
-- not seen is about 50,000 dollars (linear: 69,000).

local neap = require "neap"
local nn, optim, data = neap.nn, neap.optim, neap.data

local o = neap.cli("Predicts house prices.", {
  {"epochs", "integer", default = 40, least = 1, help = "passes"},
  {"file", "string", help = "where the network is saved"},
  {"seed", "integer", default = 1, help = "of all random numbers"}
})
neap.manual_seed(o.seed)

local houses, where = data.california_housing()
print(("California housing, %s"):format(where))
print(houses:describe())
local train, test = data.random_split(houses, {0.8, 0.2})

-- What the network sees: everything is fitted on the training part alone.
local sizes = {"total_rooms", "total_bedrooms", "population", "households"}
local features = data.Features{
  {{"longitude", "latitude", "housing_median_age"}, data.Standardize()},
  {sizes, data.Impute{with = "median"}, data.Log{shift = 1},
   data.Standardize()},
  {"median_income", data.Log(), data.Standardize()},
  {"ocean_proximity", data.OneHot()}
}:fit(train)

local price = data.Chain(data.Log(), data.Standardize())
price:fit(train:tensor "median_house_value")

local function dataset(t)
  return data.TensorDataset(features(t),
                            price(t:tensor "median_house_value"))
end
local train_set, test_set = dataset(train), dataset(test)
local width = train_set.tensors[1]:size(2)

local function dollars(y) return price:inverse(y) end

local function fit(name, net, lr)
  local trainer = neap.Trainer{
    model = net, loss = nn.MSELoss(),
    optimizer = optim.Adam(net:parameters(), {lr = lr}),
    metrics = {
      rmse = neap.metrics.rmse{inverse = dollars},
      mae = neap.metrics.mae{inverse = dollars},
      r2 = neap.metrics.r2{inverse = dollars}
    }
  }
  local start = neap.clock()
  local schedule = {on_epoch_begin = function(_, t)
    t.optimizer.param_groups[1].lr = lr * (1 - (t.epoch - 1) / o.epochs)
  end}
  print(("\n%s"):format(name))
  trainer:fit(data.DataLoader(train_set, {batch_size = 128, shuffle = true}),
              {epochs = o.epochs, validation = test_set, progress = false,
               callbacks = {schedule}})
  local result = trainer:evaluate(test_set)
  print(("  test RMSE %.0f dollars, MAE %.0f, R2 %.3f  (%.1f s)"):format(
    result.rmse, result.mae, result.r2, neap.clock() - start))
  return trainer
end

-- x (N, 1) -> (N)
local function column() return nn.Flatten(1) end

fit("linear", nn.Sequential{nn.Linear(width, 1), column()}, 1e-2)
local net = nn.Sequential{
  nn.Linear(width, 128), nn.ReLU(),
  nn.Linear(128, 128), nn.ReLU(),
  nn.Linear(128, 64), nn.ReLU(),
  nn.Linear(64, 1), column()
}
local trainer = fit("network", net, 2e-3)

print("\nfive houses that were not seen:")
local guesses = dollars(trainer:predict(test_set))
for i = 1, 5 do
  local house = test[i]
  print(("  income %5.2f, %-10s  truth %7.0f  network %7.0f dollars"):format(
    house.median_income, house.ocean_proximity, house.median_house_value,
    guesses[i]))
end

-- The model as a whole: from a row of the table to dollars.
local path = o.file or os.tmpname()
nn.ModuleList{features, net, price}:save(path)
local loaded = nn.load(path)
local again = loaded[3]:inverse(loaded[2](loaded[1](test[1])))
print(("\nsaved to %s and loaded again: %.0f dollars"):format(path,
                                                            again:item()))
if not o.file then os.remove(path) end
