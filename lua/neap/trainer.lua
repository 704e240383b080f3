--- Trainer: a thin loop over public parts. What it does by hand:
--
--     for epoch = 1, epochs do
--       model:train()
--       for x, y in loader:batches() do
--         local scope <close> = neap.scope()
--         local prediction = model(x)
--         local loss = loss_of(prediction, y)
--         optimizer:zero_grad()
--         loss:backward()
--         nn.utils.clip_grad_norm_(model:parameters(), 1.0)
--         optimizer:step()
--       end
--       model:eval()
--       neap.no_grad(function() ... measure on the validation set ... end)
--     end

local neap = require "neap"
local fail = neap._fail
local options = require "neap.options"
local metrics = require "neap.metrics"
local progress = require "neap.progress"
local data = require "neap.data"
local tables = require "neap.data.table"

local Trainer = {}
Trainer.__index = Trainer

local declared = {
  {"model", "table|function", required = true},
  {"loss", "table|function"}, {"optimizer", "any"},
  {"metrics", "table", default = {}},
  {"penalty", "table"}, {"schedule", "table"},
  {"schedule_each", "string", default = "epoch",
   choices = {"epoch", "batch"}},
  {"step", "function"}, {"clip_norm", "number", least = 0},
  {"clip_value", "number", least = 0},
  {"accumulate", "integer", default = 1, least = 1},
  {"nan", "string", default = "error", choices = {"error", "skip",
                                                  "ignore"}}
}

local taken = {epoch = true, loss = true, seconds = true}

-- Columns of a history have names of their own.
local function check_metric_names(list)
  local seen = {}
  for _, metric in ipairs(list) do
    if taken[metric.name] or seen[metric.name] then
      fail("Trainer: a metric cannot be called '%s', which is %s; give it " ..
           "another name", tostring(metric.name),
           seen[metric.name] and "the name of another one" or
           "a column of the history")
    end
    seen[metric.name] = true
  end
  return list
end

-- Metrics of a list, or by name, as a list in a fixed order.
local function read_metrics(given)
  local list, names = {}, {}
  for _, metric in ipairs(given) do list[#list + 1] = metrics.get(metric) end
  for name in pairs(given) do
    if type(name) == "string" then names[#names + 1] = name end
  end
  table.sort(names)
  for _, name in ipairs(names) do
    local metric = metrics.get(given[name], name)
    metric.name = name
    list[#list + 1] = metric
  end
  return check_metric_names(list)
end

local function check_schedule(self)
  local schedule = self.schedule
  if schedule and (type(schedule.step) ~= "function" or
                   not rawequal(schedule.optimizer, self.optimizer)) then
    fail("Trainer: schedule is none of this optimizer, as " ..
         "optim.lr_scheduler.StepLR(opt, {step_size = 5}) makes one")
  end
end

local function check_penalty(self)
  local penalty = self.penalty
  if penalty and (type(penalty.add_gradients) ~= "function" or
                  type(penalty.step) ~= "function") then
    fail("Trainer: penalty is a table, expected one such as optim.L2(1e-4)")
  end
end

local function check_model(self)
  if type(self.model) == "table" and rawget(self.model, "_layer") then
    fail("Trainer: model is the class %s; a call makes a model of it",
         self.model._name)
  end
end

-- An optimiser of another network would train nothing, without a word.
local function check_optimizer(self)
  local given = self.optimizer
  local made = type(given) == "userdata" or type(given) == "table"
  local groups = made and given.param_groups
  if given and not groups then
    fail("Trainer: optimizer is %s, expected an optimiser, as " ..
         "optim.Adam(net:parameters()) gives it",
         type(given) == "function" and "what makes optimisers" or
         type(given) == "string" and ("%q"):format(given) or
         "a " .. type(given) .. " without param_groups")
  end
  if not groups or not neap.nn.is_module(self.model) then return end
  local own = {}
  for _, p in ipairs(self.model:parameters()) do own[p] = true end
  for _, group in ipairs(groups) do
    for _, p in ipairs(group.params) do
      if own[p] then return end
    end
  end
  fail("Trainer: the optimizer has none of the model's parameters (was it " ..
       "made for another network?)")
end

--- neap.Trainer{model =, loss =, optimizer =, ...}
--
-- Options: metrics, a list of names ("accuracy", "mae", "rmse", "r2"),
-- metrics and functions, or such by name; penalty, such as
-- optim.L2(1e-4), which is not in the loss that is shown; clip_norm,
-- clip_value: of the gradients before a step; schedule, of
-- optim.lr_scheduler, which steps after each epoch (ReduceLROnPlateau gets
-- the loss of the validation), or with schedule_each = "batch" after each
-- step; accumulate (1): batches to a step; nan: what follows when a loss is
-- not finite: "error" (default) stops and names the step and the layer,
-- "skip" leaves the batch out, "ignore" goes on; step: a function(model,
-- ...batch) that returns loss, prediction and target, instead of
-- loss(model(x), y). What a batch made is freed after it, but for what the
-- step returns: a state that is carried along comes fourth.
local function new(given)
  local self = options.read("Trainer", given, declared)
  if not self.step and not self.loss then
    fail("Trainer: expected a loss (or a step function)")
  end
  if type(self.loss) == "table" and rawget(self.loss, "_layer") then
    fail("Trainer: loss is a class of layers; make one of it, as in " ..
         "nn.MSELoss()")
  end
  check_model(self)
  check_penalty(self)
  check_schedule(self)
  check_optimizer(self)
  self.metrics = read_metrics(self.metrics)
  self.steps, self.epoch, self.history = 0, 0, nil
  return setmetatable(self, Trainer)
end

--- History: one row for each epoch, with its numbers by name.
local History = {}
History.__index = History

--- The values of one name, from the first epoch on.
function History:column(name)
  local values = {}
  for i, row in ipairs(self) do values[i] = row[name] end
  return values
end

-- Names whose values are numbers: others have no place in a line.
local function shown(names, row)
  local list = {}
  for _, name in ipairs(names) do
    if type(row[name]) == "number" then list[#list + 1] = name end
  end
  return list
end

-- loss 0.41  accuracy 0.93
local function summary(names, row)
  local parts = {}
  for _, name in ipairs(shown(names, row)) do
    if name ~= "epoch" and name ~= "seconds" then
      parts[#parts + 1] = ("%s %s"):format(name, metrics.text(row[name]))
    end
  end
  return table.concat(parts, "  ")
end

History.__tostring = function(self)
  if not self[1] then return "(no epochs)" end
  local names = shown(self.names, self[1])
  local rows = {names}
  for _, row in ipairs(self) do
    local cells = {}
    for i, name in ipairs(names) do cells[i] = metrics.text(row[name]) end
    rows[#rows + 1] = cells
  end
  return tables.aligned(rows)
end

-- A loader as it is; a dataset in batches.
local function loader_of(who, given, batch_size, shuffle)
  if type(given) == "table" and data.method_of(given, "batches") then
    return given
  end
  if neap.is_tensor(given) then
    fail("%s: expected a dataset or loader, not a tensor; of tensors " ..
         "data.TensorDataset(x, y) makes a dataset", who)
  end
  data.check(who, given)
  return data.DataLoader(given, {batch_size = batch_size,
                                 shuffle = shuffle})
end

-- Loss, prediction and target of a batch.
local function compute(self, ...)
  if self.step then return self.step(self.model, ...) end
  local x, y = ...
  if y == nil then
    fail("Trainer: a batch has %d value(s), expected x and y (or set step)",
         select("#", ...))
  end
  local prediction = self.model(x)
  if prediction == nil then
    fail("Trainer: the model gave nothing; its forward must return what it " ..
         "computes")
  end
  return self.loss(prediction, y), prediction, y
end

-- The same, where the loss was looked at.
local function checked(loss, ...)
  if not neap.is_tensor(loss) or loss:numel() ~= 1 then
    fail("Trainer: the loss is %s, expected a tensor of one element, as " ..
         ":mean() gives it", neap.is_tensor(loss) and
         table.concat(loss.shape, "x") or "a " .. type(loss))
  end
  return loss, ...
end

local function compute_checked(self, ...)
  return checked(compute(self, ...))
end

local function is_finite(x) return x - x == 0 end

-- Where a tensor is not finite, as "sample 3, column 2", and the number of
-- the sample; nil if nowhere.
local function place_not_finite(t)
  if not neap.is_tensor(t) or not t:is_floating_point() then return nil end
  local places = t:isfinite():bitwise_not():nonzero()
  if #places == 0 then return nil end
  local at = t.ndim > 0 and places[1]:totable() or {1}
  local number = table.remove(at, 1)
  local sample = ("sample %d"):format(number)
  if #at == 0 then return sample, number end
  return ("%s, column %s"):format(sample, table.concat(at, ", ")), number
end

-- "of the batch", and where that is in the dataset if the loader knows.
local function in_dataset(self, sample)
  local ids = self.loader and self.loader.ids
  if not ids or not sample then return "" end
  return (" (sample %d of the dataset)"):format(ids[sample])
end

-- Names of parameters, and the batch, where numbers are not finite.
local function who_is_not_finite(self, batch)
  for i = 1, batch.n do
    local place, sample = place_not_finite(batch[i])
    if place then
      return ("value %d of the batch already holds NaN or inf, first in %s%s")
             :format(i, place, in_dataset(self, sample))
    end
  end
  if not neap.nn.is_module(self.model) then return end
  for name, p in self.model:named_parameters() do
    if not p:isfinite():all():item() then
      return ("the parameter %s holds NaN or inf since an earlier step " ..
              "(a smaller lr, or clip_norm, may help)"):format(name)
    end
  end
end

-- A message without the line in front of it.
local function without_place(why)
  return (tostring(why):gsub("^[^%s:]+:%d+: ", ""))
end

-- Where a loss that is not finite comes from: a sentence.
local function diagnose(self, batch)
  local known = who_is_not_finite(self, batch)
  if known then return known end
  local ok, why = pcall(neap.no_grad, function()
    local _ <close> = neap._finite_layers()
    compute(self, table.unpack(batch, 1, batch.n))
  end)
  if not ok then return without_place(why) end
  ok, why = pcall(neap.detect_anomaly, function()
    local loss = compute(self, table.unpack(batch, 1, batch.n))
    loss:backward()
  end)
  if not ok then return without_place(why) end
  return "the outputs of all layers are finite: it arises in the loss"
end

local function refuse(self, value, batch)
  fail("Trainer: the loss is %s at step %d (epoch %d): %s",
       value ~= value and "NaN" or value, self.steps + 1, self.epoch,
       diagnose(self, batch))
end

local function clip(self)
  local parameters = {}
  for _, group in ipairs(self.optimizer.param_groups) do
    table.move(group.params, 1, #group.params, #parameters + 1, parameters)
  end
  if self.clip_value then
    neap.nn.utils.clip_grad_value_(parameters, self.clip_value)
  end
  if self.clip_norm then
    neap.nn.utils.clip_grad_norm_(parameters, self.clip_norm)
  end
end

-- How many samples a batch has: the loader knows, or the size of x tells.
local function count(loader, x)
  local ids = loader.ids
  if neap.is_tensor(ids) then return #ids end
  return neap.is_tensor(x) and x.ndim > 0 and #x or 1
end

-- One batch: gives its loss, prediction and target, or nil if it was left
-- out. Gradients are those of the mean over the batches of a step. What a
-- step makes ends with its scope, but for the results.
local function learn(self, number, ...)
  local results = table.pack(compute_checked(self, ...))
  local loss, prediction, target = table.unpack(results, 1, 3)
  local value = loss:item()
  if not is_finite(value) and self.nan ~= "ignore" then
    if self.nan == "error" then refuse(self, value, table.pack(...)) end
    return nil
  end
  if number % self.accumulate == 0 then self.optimizer:zero_grad() end
  if self.accumulate > 1 then loss = loss / self.accumulate end
  loss:backward()
  if (number + 1) % self.accumulate == 0 then
    local penalty = self.penalty
    if penalty and not penalty.proximal then
      penalty:add_gradients(self.model)
    end
    clip(self)
    self.optimizer:step()
    if penalty and penalty.proximal then penalty:step(self.optimizer) end
    if self.schedule and self.schedule_each == "batch" then
      self.schedule:step(value)
    end
    self.steps = self.steps + 1
  end
  return value, prediction:detach(), target,
         table.unpack(results, 4, results.n)
end

-- The batches of a pass, each as {n =, ...}.
local function packed(loader)
  local iterate = loader:batches()
  return function()
    local batch = table.pack(iterate())
    return batch[1] ~= nil and batch or nil
  end
end

local function measure(self, prediction, target)
  for _, metric in ipairs(self.metrics) do
    metric:update(prediction, target)
  end
end

-- Calls a function of all callbacks that have it.
local events = {"on_fit_begin", "on_epoch_begin", "on_batch_end",
                "on_epoch_end", "on_fit_end"}

-- A function of a callback that nothing would call is a slip of its name.
local function check_callback(i, callback)
  if type(callback) ~= "table" then
    fail("fit: callback %d is a %s, expected a table with functions such " ..
         "as on_epoch_end", i, type(callback))
  end
  local known = {}
  for _, event in ipairs(events) do known[event] = true end
  for name in pairs(callback) do
    if tostring(name):find "^on_" and not known[name] and
       type(callback[name]) == "function" then
      fail("fit: callback %d has %s, which is never called; there is %s", i,
           name, table.concat(events, ", "))
    end
  end
end

local function tell(self, event, ...)
  for _, callback in ipairs(self.callbacks or {}) do
    if callback[event] then callback[event](callback, self, ...) end
  end
end

local function results(self, total, seen, row)
  row.loss = total / seen
  for _, metric in ipairs(self.metrics) do
    row[metric.name] = metric:value()
  end
  return row
end

-- What evaluate gives prints as a line, metrics in the order of names.
local Results = {}
Results.__tostring = function(row)
  local names = {}
  for name in pairs(row) do names[#names + 1] = name end
  table.sort(names)
  return summary(names, row)
end

local function set_mode(self, training)
  if neap.nn.is_module(self.model) then self.model:train(training) end
end

local function train_epoch(self, loader, epochs)
  local total, seen, number, done = 0, 0, 0, 0
  local bar = self.progress and progress.bar{
    title = ("epoch %d/%d"):format(self.epoch, epochs),
    total = loader.samples and loader:samples() or 0, unit = "samples"}
  set_mode(self, true)
  for _, metric in ipairs(self.metrics) do metric:reset() end
  for batch in packed(loader) do
    local value, prediction, target = neap.scope(function()
      return learn(self, number, table.unpack(batch, 1, batch.n))
    end)
    local n = count(loader, batch[1])
    if value then
      measure(self, prediction, target)
      total, seen, number = total + value * n, seen + n, number + 1
    end
    done = done + n
    if bar then
      bar:update(done, ("loss %s"):format(metrics.text(total / seen)))
    end
    tell(self, "on_batch_end", value)
    if self.stopped then break end
  end
  if seen == 0 then fail("Trainer: there was no batch to learn from") end
  return results(self, total, seen, {epoch = self.epoch}), bar
end

local fit_options = {
  {"epochs", "integer", default = 1, least = 0}, {"validation", "table"},
  {"callbacks", "table", default = {}},
  {"batch_size", "integer", default = 32, least = 1},
  {"progress", "boolean", default = true}
}

local function column_names(self, validation)
  local names = {"epoch", "loss"}
  for _, metric in ipairs(self.metrics) do names[#names + 1] = metric.name end
  if validation then
    for i = 2, #names do names[#names + 1] = "val_" .. names[i] end
  end
  names[#names + 1] = "seconds"
  return names
end

--- Trains for a number of epochs. `train` is a DataLoader, or a dataset
-- (taken in shuffled batches of batch_size, 32).
--
-- Options: epochs (1), validation (a loader or dataset that is measured
-- after each), callbacks (tables with on_fit_begin, on_epoch_begin,
-- on_batch_end, on_epoch_end, on_fit_end, called with the trainer; the last
-- two also with the row of the history), batch_size, progress (true).
-- @return the history: rows with epoch, loss, metrics, val_..., seconds
function Trainer:fit(train, given)
  if neap.is_tensor(given) then
    fail("fit: expected a dataset or loader and options; of two tensors " ..
         "data.TensorDataset(x, y) makes a dataset")
  end
  local o = options.read("fit", given, fit_options)
  if not self.optimizer then fail("fit: the Trainer has no optimizer") end
  local loader = loader_of("fit", train, o.batch_size, true)
  if loader == train and given and given.batch_size then
    fail("fit: batch_size is for datasets; a loader has its own")
  end
  self.loader = loader
  local validation = o.validation and
    loader_of("fit", o.validation, o.batch_size, false)
  for name in pairs(o.callbacks) do
    if math.type(name) ~= "integer" then
      fail("fit: callbacks is a list of tables, {{%s = ...}}",
           tostring(name))
    end
  end
  for i, callback in ipairs(o.callbacks) do check_callback(i, callback) end
  self.callbacks, self.progress, self.stopped = o.callbacks, o.progress,
                                                false
  self.history = self.history or setmetatable({}, History)
  self.history.names = column_names(self, validation)
  tell(self, "on_fit_begin")
  local last = self.epoch + o.epochs
  while self.epoch < last and not self.stopped do
    local start = neap.clock()
    self.epoch = self.epoch + 1
    tell(self, "on_epoch_begin")
    local row, bar = train_epoch(self, loader, last)
    if validation then
      for name, value in pairs(self:evaluate(validation)) do
        row["val_" .. name] = value
      end
    end
    if self.schedule and self.schedule_each == "epoch" then
      self.schedule:step(row.val_loss or row.loss)
    end
    row.seconds = neap.clock() - start
    table.insert(self.history, row)
    if bar then bar:finish(summary(self.history.names, row)) end
    tell(self, "on_epoch_end", row)
  end
  tell(self, "on_fit_end", self.history[#self.history])
  set_mode(self, false)
  return self.history
end

--- Ends the training after this batch (for callbacks).
function Trainer:stop() self.stopped = true end

-- NaN in the data to be measured is a mistake in it; a net that gives NaN
-- by itself is told by the numbers.
local function check_gaps(self, value, batch)
  if is_finite(value) or self.nan == "ignore" then return end
  for i = 1, batch.n do
    local place = place_not_finite(batch[i])
    if place then
      fail("evaluate: value %d of a batch holds NaN or inf, first in %s", i,
           place)
    end
  end
end

--- Loss and metrics of a loader or dataset, without learning: {loss =,
-- accuracy =, ...}.
function Trainer:evaluate(given, o)
  o = options.read("evaluate", o, {
    {"batch_size", "integer", default = 256, least = 1}})
  local loader = loader_of("evaluate", given, o.batch_size, false)
  local training = neap.nn.is_module(self.model) and self.model.training
  local total, seen = 0, 0
  set_mode(self, false)
  for _, metric in ipairs(self.metrics) do metric:reset() end
  neap.no_grad(function()
    for batch in packed(loader) do
      local loss, prediction, target = neap.scope(function()
        return compute_checked(self, table.unpack(batch, 1, batch.n))
      end)
      local n = count(loader, batch[1])
      check_gaps(self, loss:item(), batch)
      total, seen = total + loss:item() * n, seen + n
      measure(self, prediction, target)
    end
  end)
  if training then set_mode(self, true) end
  if seen == 0 then fail("evaluate: there was no batch") end
  return setmetatable(results(self, total, seen, {}), Results)
end

-- What the model says to a batch: where there is a step, its prediction.
local function said(self, x, ...)
  if self.step and select("#", ...) > 0 then
    local _, prediction = self.step(self.model, x, ...)
    return prediction
  end
  return (self.model(x))
end

--- What the model says to the first value of every sample (with a step, the
-- step's prediction for every batch, if there is more in it than x), in one
-- tensor: joined along dimension 1, which must be that of the samples.
-- `given` is a loader, a dataset or a tensor of samples.
function Trainer:predict(given, o)
  o = options.read("predict", o, {
    {"batch_size", "integer", default = 256, least = 1}})
  if neap.is_tensor(given) then given = data.TensorDataset(given) end
  local loader = loader_of("predict", given, o.batch_size, false)
  local training, parts = self.model.training, {}
  set_mode(self, false)
  neap.no_grad(function()
    for batch in packed(loader) do
      parts[#parts + 1] = neap.scope(function()
        return said(self, table.unpack(batch, 1, batch.n))
      end)
    end
  end)
  if training then set_mode(self, true) end
  return neap.cat(parts, 1)
end

return new
