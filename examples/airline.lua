-- Forecasting: an LSTM learns the passengers of an airline, month by month,
-- from the first two thirds of twelve years, and is measured on the rest.
--
--   neap examples/airline.lua                             (one second)
--
-- Scales are fitted on the training months only. Prints the error of the
-- net and of two simple rules, and a plot of truth (o) and forecast (*).

local neap = require "neap"
local nn, optim, data = neap.nn, neap.optim, neap.data

local o = neap.cli("Forecasts the passengers of an airline.", {
  {"epochs", "integer", default = 400, least = 1},
  {"window", "integer", default = 12, least = 1, help = "months that it sees"},
  {"hidden", "integer", default = 32, least = 1},
  {"lr", "number", default = 1e-2},
  {"seed", "integer", default = 1}
})
neap.manual_seed(o.seed)

local months = data.airline_passengers()
local passengers = months:column "Passengers":to("float32")
local n, cut = #passengers, #passengers * 2 // 3

-- The net sees how the logarithm changes from month to month: passengers
-- grow by shares, not by numbers, and the last third goes higher than all
-- before.
local logs = passengers:log()
local change = logs[{{2, -1}}] - logs[{{1, -2}}]
local known = change[{{1, cut - 1}}]
local mean, deviation = known:mean():item(), known:std():item()
local scaled = (change - mean) / deviation

-- All windows (steps, windows, 1) of the months first to last, and the
-- change after each.
local function windows(first, last)
  local x, y = {}, {}
  for at = first, last do
    x[#x + 1] = scaled[{{at - o.window, at - 1}}]
    y[#y + 1] = scaled[{{at, at}}]
  end
  return neap.stack(x, 2):unsqueeze(3), neap.stack(y, 1)
end
local train_x, train_y = windows(o.window + 1, cut - 1)
local test_x = windows(cut, n - 1)

local Forecast = nn.Module:extend "Forecast"

function Forecast:init(hidden)
  self.lstm = nn.LSTM(1, hidden)
  self.head = nn.Linear(hidden, 1)
end

function Forecast:forward(x)
  local y = self.lstm(x)
  return self.head(y[-1])
end

local net, mse = Forecast(o.hidden), nn.MSELoss()
local optimizer = optim.AdamW(net:parameters(), {lr = o.lr,
                                                 weight_decay = 0.1})
local schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer,
                                                      {T_max = o.epochs})
for _ = 1, o.epochs do
  optimizer:zero_grad()
  local loss = mse(net(train_x), train_y)
  loss:backward()
  optimizer:step()
  schedule:step()
end

-- The forecast of a month from the true ones before it.
local steps = neap.no_grad(net, test_x):squeeze(2) * deviation + mean
local forecast = (logs[{{cut, n - 1}}] + steps):exp()
local truth = passengers[{{cut + 1, n}}]

local function rmse(guess)
  return ((guess - truth) ^ 2):mean():sqrt():item()
end
print(("months to learn from %d, to forecast %d"):format(cut, n - cut))
print(("test RMSE, thousands of passengers: LSTM %.1f"):format(
  rmse(forecast)))
print(("  the month before %.1f, the same month last year %.1f"):format(
  rmse(passengers[{{cut, n - 1}}]), rmse(passengers[{{cut - 11, n - 12}}])))

local function plot(a, b, height)
  local low = math.min(a:min():item(), b:min():item())
  local high = math.max(a:max():item(), b:max():item())
  local function row(v) return (v - low) / (high - low) * (height - 1) // 1 end
  print()
  for r = height - 1, 0, -1 do
    local line = {}
    for i = 1, #a do
      local x, y = row(a[i]) == r, row(b[i]) == r
      line[i] = x and y and "8" or y and "*" or x and "o" or " "
    end
    print(("%5.0f |%s"):format(low + (high - low) * r / (height - 1),
                               table.concat(line)))
  end
  print("      +" .. ("-"):rep(#a) .. "  months; 8 is both")
end
plot(truth, forecast, 16)
