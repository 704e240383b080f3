--- Metrics: what a training is judged by, gathered over batches.
--
-- A metric has update(prediction, target), value() and reset(). Options of
-- all: name, and `inverse`, a function that prediction and target go
-- through first (to measure in the units of the data).

local neap = require "neap"
local fail = neap._fail
local options = require "neap.options"
local metrics = {}

local Metric = {}
Metric.__index = Metric

local kinds = {}               -- what makes metrics: told from functions

local common = {{"name", "string"}, {"inverse", "function"}}

-- A kind of metric: `start(self)` sets its sums, `add(self, p, t)` adds a
-- batch, `value(self)` tells.
local function kind(name, start, add, value, declared)
  local all = {table.unpack(common)}
  for _, o in ipairs(declared or {}) do all[#all + 1] = o end
  metrics[name] = function(given)
    local o = options.read(name, given, all)
    local self = setmetatable({name = o.name or name, options = o}, Metric)
    self.start, self.add, self.value = start, add, value
    return self:reset()
  end
  kinds[metrics[name]] = true
end

function Metric:reset()
  self.n = 0
  self:start()
  return self
end

function Metric:update(prediction, target)
  neap.no_grad(function()
    local inverse = self.options.inverse
    if inverse then
      prediction, target = inverse(prediction), inverse(target)
    end
    self:add(prediction:detach(), target)
  end)
end

local function nothing() end

local function shape_text(t) return table.concat(t.shape, "x") end

local function check_labels(who, target, n)
  if target:numel() == 0 then return end
  local least, most = target:min():item(), target:max():item()
  if least < 1 or most > n then
    fail("%s: labels are from %d to %d, but there are scores of classes 1 " ..
         "to %d", who, least, most, n)
  end
end

-- Classes that a prediction stands for, and those of the target, from 1:
-- the largest of dim 2 where there are scores of classes; else 1 or 2, for
-- logits of targets 0 and 1.
local function decided(who, prediction, target)
  local labels = not target:is_floating_point() and target.dtype ~= "bool"
  if prediction.ndim == target.ndim + 1 and labels then
    local guess = prediction:argmax(2)
    if shape_text(guess) == shape_text(target) then
      check_labels(who, target, prediction:size(2))
      return guess, target
    end
  elseif shape_text(prediction) == shape_text(target) then
    local truth = target:to("float64")
    if (truth * (1 - truth)):eq(0):all():item() then
      return prediction:gt(0):to("int64") + 1, truth:to("int64") + 1
    end
  end
  fail("%s: the prediction is %s %s and the target %s %s; expected scores " ..
       "(samples, classes) with int64 labels, or logits with as many zeros " ..
       "and ones", who, prediction.dtype, shape_text(prediction),
       target.dtype, shape_text(target))
end

--- accuracy: the share of right answers. Scores (N, classes, ...) against
-- labels (N, ...), or logits against 0 and 1 of the same shape.
kind("accuracy", function(self) self.right = 0 end, function(self, p, t)
  local guess, truth = decided("accuracy", p, t)
  self.right = self.right + guess:eq(truth):sum():item()
  self.n = self.n + truth:numel()
end, function(self) return self.right / self.n end)

-- Prediction and target as float64 vectors, of one shape.
local function pair(name, p, t)
  if p.ndim == t.ndim + 1 and p:size(-1) == 1 then p = p:squeeze(-1) end
  if shape_text(p) ~= shape_text(t) then
    fail("%s: the prediction is %s, but the target %s", name, shape_text(p),
         shape_text(t))
  end
  return p:to("float64"):reshape(-1), t:to("float64"):reshape(-1)
end

local function sum_of(name, f)
  return function(self, p, t)
    p, t = pair(name, p, t)
    self.sum = self.sum + f(p - t):sum():item()
    self.n = self.n + #p
  end
end

local function no_sum(self) self.sum = 0 end

--- mae: the mean of |prediction - target|.
kind("mae", no_sum, sum_of("mae", function(d) return d:abs() end),
     function(self) return self.sum / self.n end)

--- rmse: the root of the mean of (prediction - target)^2.
kind("rmse", no_sum, sum_of("rmse", function(d) return d * d end),
     function(self) return math.sqrt(self.sum / self.n) end)

--- r2: 1 - sum (prediction - target)^2 / sum (target - its mean)^2, the
-- share of the variance that is explained. Means of batches are joined as
-- Chan, Golub and LeVeque (1979) do.
kind("r2", function(self)
  self.sum, self.mean, self.spread = 0, 0, 0
end, function(self, p, t)
  p, t = pair("r2", p, t)
  local d, mean = p - t, t:mean():item()
  local far, n = mean - self.mean, #p
  self.sum = self.sum + (d * d):sum():item()
  self.spread = self.spread + ((t - mean) ^ 2):sum():item() +
                far * far * self.n * n / (self.n + n)
  self.mean = self.mean + far * n / (self.n + n)
  self.n = self.n + n
end, function(self) return 1 - self.sum / self.spread end)

--- confusion{classes = n or list of names}: how often the truth was class i
-- (row) and the prediction class j (column), an int64 matrix; tostring shows
-- it. Of logits for 0 and 1, these are the first and the second class.
kind("confusion", nothing, function(self, p, t)
  local classes = self.options.classes
  local guess, truth = decided("confusion", p, t)
  local n = type(classes) == "table" and #classes or classes or
            p.ndim > t.ndim and p:size(2) or 2
  if guess:numel() == 0 then return end
  local most = math.max(guess:max():item(), truth:max():item())
  if most > n or truth:min():item() < 1 then
    fail("confusion: classes from %d to %d, but there are 1 to %d",
         math.min(1, truth:min():item()), most, n)
  end
  local cells = (truth:reshape(-1) - 1) * n + guess:reshape(-1)
  local counts = cells:bincount{minlength = n * n + 1}
  counts = counts[{{1, n * n}}]:reshape(n, n)
  self.counts = self.n == 0 and counts or self.counts + counts
  self.n = self.n + guess:numel()
end, function(self) return self.counts end,
{{"classes", "integer|table"}})

-- Cells right-aligned under their heads.
Metric.__tostring = function(self)
  local value = self:value()
  if not neap.is_tensor(value) then
    return ("%s %s"):format(self.name, metrics.text(value))
  end
  local classes, n = self.options.classes, #value
  local names, width = {}, #tostring(value:max():item())
  for i = 1, n do
    names[i] = type(classes) == "table" and tostring(classes[i]) or
               tostring(i)
    width = math.max(width, utf8.len(names[i]) or #names[i])
  end
  local function cell(text)
    return (" "):rep(width - (utf8.len(text) or #text)) .. text
  end
  local lines = {}
  for i = 0, n do
    local row = {cell(i == 0 and "" or names[i])}
    for j = 1, n do
      row[j + 1] = cell(i == 0 and names[j] or
                        tostring(value[i][j]))
    end
    lines[i + 1] = table.concat(row, "  ")
  end
  return table.concat(lines, "\n")
end

--- A number as it is shown in tables: four digits.
function metrics.text(x)
  if math.type(x) ~= "float" then return tostring(x) end
  if x ~= x or x - x ~= 0 then return tostring(x) end
  local size = math.abs(x)
  if size >= 1000 then return ("%.0f"):format(x) end
  if size >= 1e-3 or x == 0 then return ("%.4g"):format(x) end
  return ("%.2e"):format(x)
end

--- A metric from a name ("accuracy"), a metric, or a function of prediction
-- and target, whose results are averaged over samples.
function metrics.get(given, name)
  if type(given) == "string" then
    local make = metrics[given]
    if not kinds[make] then
      fail("metrics: there is no '%s'; there is accuracy, mae, rmse, r2, " ..
           "confusion", given)
    end
    return make()
  elseif kinds[given] then
    return given{name = name}
  elseif type(given) == "function" then
    local self = setmetatable({name = name or "metric", options = {}},
                              Metric)
    self.start = no_sum
    self.add = function(m, p, t)
      local value = given(p, t)
      if neap.is_tensor(value) and value:numel() == 1 then
        value = value:item()
      end
      if type(value) ~= "number" then
        fail("metrics: the function '%s' gave %s, expected a number", m.name,
             neap.is_tensor(value) and "a tensor of " ..
             value:numel() .. " elements" or tostring(value))
      end
      m.sum, m.n = m.sum + value * #t, m.n + #t
    end
    self.value = function(m) return m.sum / m.n end
    return self:reset()
  elseif type(given) == "table" and given.update then
    return given
  end
  fail("metrics: expected a name, a metric or a function, not %s",
       type(given))
end

return metrics
