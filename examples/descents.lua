-- How optimisers find their way: down a ravine, 100 times as steep across
-- as along, and through Rosenbrock's curved valley. For each the place
-- after 10, 50 and 200 steps and the value there.
--
--   neap examples/descents.lua                 takes a second
local neap = require "neap"
local optim = neap.optim

local problems = {
  {"ravine", {-4, 1}, function(x)
    return 0.5 * (x[1] ^ 2 + 100 * x[2] ^ 2)
  end},
  {"Rosenbrock", {-1.2, 1}, function(x)
    return (1 - x[1]) ^ 2 + 100 * (x[2] - x[1] ^ 2) ^ 2
  end}
}

-- Names and options; lr for each problem.
local ways = {
  {"SGD", "gradient descent", {}, {0.018, 0.001}},
  {"SGD", "momentum, torch", {momentum = 0.9}, {0.01, 0.0005}},
  {"SGD", "momentum, classic",
   {momentum = 0.9, momentum_form = "classic"}, {0.01, 0.0005}},
  {"SGD", "momentum, average",
   {momentum = 0.9, momentum_form = "average"}, {0.1, 0.005}},
  {"RMSprop", "RMSprop", {}, {0.05, 0.01}},
  {"Adam", "Adam", {}, {0.3, 0.1}},
  {"AdamW", "AdamW", {weight_decay = 0.01}, {0.3, 0.1}},
  {"LBFGS", "LBFGS", {max_iter = 1, line_search_fn = "strong_wolfe"}, {1, 1}}
}

local function descend(way, problem, lr)
  local x = neap.tensor(problem[2], {dtype = "float64",
                                     requires_grad = true})
  local options = {lr = lr}
  for name, value in pairs(way[3]) do options[name] = value end
  local opt, places = optim[way[1]]({x}, options), {}
  for step = 1, 200 do
    opt:step(function()
      opt:zero_grad()
      local loss = problem[3](x)
      loss:backward()
      return loss
    end)
    if step == 10 or step == 50 or step == 200 then
      local value = problem[3](x:detach())
      places[#places + 1] = ("(%6.3f,%6.3f) %8.1e"):format(
        x[1]:item(), x[2]:item(), value)
    end
  end
  return places
end

for p, problem in ipairs(problems) do
  print(("%-20s%-26s%-26s%s"):format(problem[1], "10 steps", "50 steps",
                                     "200 steps"))
  for _, way in ipairs(ways) do
    local places = descend(way, problem, way[4][p])
    print(("%-20s%-26s%-26s%s"):format("  " .. way[2],
                                       table.unpack(places)))
  end
end
