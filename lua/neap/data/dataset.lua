--- Datasets: anything with `set:size()` and `set[i]`. A sample is a value
-- (tensor, number, text) or a list of values: {x, y} (one table: Lua's
-- indexing gives only one value).
--
-- All sets made here also have `#set`, `set:batch(ids)` and the methods
-- below: set:map(f), set:filter(f), set:subset(ids), set:concat(other).

local neap = require "neap"
local fail = neap._fail
local dataset = {}

local Dataset = {}

local function is_set(value)
  local kind = type(value)
  return (kind == "table" or kind == "userdata") and
         not neap.is_tensor(value) and type(value.size) == "function"
end

local function check_set(who, set)
  if not is_set(set) then
    fail("%s: expected a dataset (something with :size() and [i]), not %s",
         who,
         neap.is_tensor(set) and "a tensor; see TensorDataset" or type(set))
  end
  local n = set:size()
  if math.type(n) ~= "integer" or n < 0 then
    fail("%s: the size() of the dataset is %s, expected how many samples " ..
         "it has", who, tostring(n))
  end
  return set
end
dataset.check = check_set

-- A method that a set may have. A function __index of the user's own is not
-- asked: it may take every key for a position.
local function method_of(set, name)
  local own = type(set) == "table" and rawget(set, name)
  local meta = getmetatable(set)
  if own or type(meta) ~= "table" then return own or nil end
  local index = rawget(meta, "__index")
  return (type(index) == "table" and index or meta)[name]
end

dataset.method_of = method_of

-- Positions as a list or a tensor: an int64 tensor.
local function positions(who, ids)
  if type(ids) == "table" then ids = neap.tensor(ids, {dtype = "int64"}) end
  if not neap.is_tensor(ids) or ids.ndim ~= 1 then
    fail("%s: expected a list or a tensor of positions", who)
  end
  if ids.dtype == "bool" then return ids:nonzero():select(2, 1) end
  if ids.dtype ~= "int64" then
    fail("%s: positions are %s, expected int64", who, ids.dtype)
  end
  return ids
end
dataset.positions = positions

-- for i, sample in pairs(set)
local function next_sample(set, i)
  if i < set:size() then return i + 1, set[i + 1] end
end

-- A class of datasets: `get(self, i)` gives the i-th sample.
function dataset.class(get)
  local methods = setmetatable({}, {__index = Dataset})
  methods.get = get
  methods.__index = function(self, key)
    if math.type(key) == "integer" then return methods.at(self, key) end
    return methods[key]
  end
  methods.__len = function(self) return self:size() end
  methods.__pairs = function(self) return next_sample, self, 0 end
  return methods
end

--- The i-th sample; negative positions count from the end. set[i] is the
-- same.
function Dataset:at(i)
  local n = self:size()
  if i < 0 then i = n + 1 + i end
  if i < 1 or i > n then
    fail("dataset: no sample %d among %d%s", i, n, i == n + 1 and
         " (pairs(set) iterates; ipairs looks one too far)" or "")
  end
  return self:get(i)
end

--- Samples one after the other: for i, sample in set:samples() do.
function Dataset:samples()
  local i = 0
  return function()
    if i < self:size() then
      i = i + 1
      return i, self[i]
    end
  end
end

local function check_shapes(tensors)
  local shape = table.concat(tensors[1].shape, "x")
  for i, t in ipairs(tensors) do
    local own = neap.is_tensor(t) and table.concat(t.shape, "x") or type(t)
    if own ~= shape then
      fail("a batch: sample %d is %s, but the first is %s; a loader's " ..
           "collate can put them together, as with " ..
           "nn.utils.rnn.pad_sequence", i, own, shape)
    end
  end
end

-- Many values of one place of the samples as one: tensors of a shape are
-- stacked, numbers and booleans become a tensor, lists are taken apart,
-- the rest is a list.
local function together(values)
  local first = values[1]
  if neap.is_tensor(first) then
    check_shapes(values)
    return neap.stack(values, 1)
  end
  if math.type(first) == "integer" then
    for _, value in ipairs(values) do
      if math.type(value) ~= "integer" then return neap.tensor(values) end
    end
    return neap.tensor(values, {dtype = "int64"})
  elseif type(first) == "number" or type(first) == "boolean" then
    return neap.tensor(values)
  elseif type(first) ~= "table" then
    return values
  end
  local out = {}
  for key in pairs(first) do
    local column = {}
    for i, value in ipairs(values) do column[i] = value[key] end
    out[key] = together(column)
  end
  return out
end

--- A list of samples as a batch: what makes batches unless told otherwise.
-- Of samples {x, y} it gives two results, xs and ys.
function dataset.collate(samples)
  local batch = together(samples)
  if type(samples[1]) ~= "table" or samples[1][1] == nil then return batch end
  return table.unpack(batch)
end

-- The batch of any set.
local function batch_of(set, ids, collate)
  local batch = not collate and method_of(set, "batch")
  if batch then return batch(set, ids) end
  local samples = {}
  for k, i in ipairs(ids:totable()) do samples[k] = set[i] end
  return (collate or dataset.collate)(samples)
end
dataset.batch_of = batch_of

--- The samples at the positions of an int64 tensor, put together.
function Dataset:batch(ids)
  local samples = {}
  for k, i in ipairs(ids:totable()) do samples[k] = self[i] end
  return dataset.collate(samples)
end

--- TensorDataset: samples are the slices of dimension 1 of its tensors; a
-- batch is gathered in one go.
local TensorDataset = dataset.class(function(self, i)
  local sample = {}
  for k, t in ipairs(self.tensors) do sample[k] = t[i] end
  return sample
end)

function TensorDataset:size() return #self.tensors[1] end

function TensorDataset:batch(ids)
  local parts = {}
  for i, t in ipairs(self.tensors) do parts[i] = t:index_select(1, ids) end
  return table.unpack(parts)
end

function dataset.TensorDataset(...)
  local tensors = {...}
  if #tensors == 0 then
    fail("TensorDataset: expected at least one tensor")
  end
  for i, t in ipairs(tensors) do
    if not neap.is_tensor(t) or t.ndim == 0 then
      fail("TensorDataset: argument %d must be a tensor of samples", i)
    elseif #t ~= #tensors[1] then
      fail("TensorDataset: argument %d has %d samples, the first has %d",
           i, #t, #tensors[1])
    end
  end
  return setmetatable({tensors = tensors}, TensorDataset)
end

--- ListDataset: the samples of a Lua list.
local ListDataset = dataset.class(function(self, i) return self.list[i] end)

function ListDataset:size() return #self.list end

function dataset.ListDataset(list)
  if type(list) ~= "table" then
    fail("ListDataset: expected a list of samples")
  end
  return setmetatable({list = list}, ListDataset)
end

-- What a function is called with for a sample.
local function parts(sample)
  if type(sample) == "table" and sample[1] ~= nil then
    return table.unpack(sample)
  end
  return sample
end

-- What a function returned, as a sample.
local function as_sample(...)
  if select("#", ...) > 1 then return {...} end
  return (...)
end

-- A function, or what may be called like one, such as a net.
local function is_callable(f)
  local meta = getmetatable(f)
  return type(f) == "function" or neap.nn.is_module(f) or
         type(meta) == "table" and type(meta.__call) == "function"
end

-- The results of a function of batches.
local function given_back(...)
  if (...) == nil then fail("map: the function returned nothing") end
  return ...
end

--- map(set, f): samples are f(x, y, ...) of those of `set`, computed when
-- they are asked for. `batched = true` calls f with whole batches instead
-- (a single sample is a batch of one, taken apart again).
local Map = dataset.class(function(self, i)
  if not self.batched then
    local sample = as_sample(self.f(parts(self.set[i])))
    if sample == nil then
      fail("map: the function returned nothing for sample %d", i)
    end
    return sample
  end
  local out = table.pack(self:batch(neap.tensor({i}, {dtype = "int64"})))
  for k = 1, out.n do
    if neap.is_tensor(out[k]) then out[k] = out[k][1] end
  end
  return as_sample(table.unpack(out, 1, out.n))
end)

function Map:size() return self.set:size() end

function Map:batch(ids)
  if self.batched then return given_back(self.f(batch_of(self.set, ids))) end
  return Dataset.batch(self, ids)
end

function dataset.map(set, f, given)
  check_set("map", set)
  if not is_callable(f) then
    fail("map: expected a function, not %s", type(f))
  end
  local o = require("neap.options").read("map", given,
    {{"batched", "boolean", default = false}})
  return setmetatable({set = set, f = f, batched = o.batched}, Map)
end

--- subset(set, ids): the samples at the positions of a list or tensor; of
-- a table, a table.
local Subset = dataset.class(function(self, i)
  return self.set[self.ids[i]]
end)

function Subset:size() return #self.ids end

function Subset:batch(ids)
  return batch_of(self.set, self.ids:index_select(1, ids))
end

function dataset.subset(set, ids)
  check_set("subset", set)
  ids = positions("subset", ids)
  local n = set:size()
  if #ids > 0 and (ids:min():item() < 1 or ids:max():item() > n) then
    fail("subset: positions %d to %d, but there are %d samples",
         ids:min():item(), ids:max():item(), n)
  end
  local take = method_of(set, "take")
  if take then return take(set, ids) end
  return setmetatable({set = set, ids = ids}, Subset)
end

-- What a test answered: every tensor is true in Lua, so one counts by its
-- only element.
local function is_true(who, answer)
  if not neap.is_tensor(answer) then return answer end
  if answer:numel() ~= 1 then
    fail("%s: the function gave a tensor of %d elements, expected one",
         who, answer:numel())
  end
  local value = answer:item()
  return value ~= false and value ~= 0
end

--- filter(set, f): the samples for which f(x, y, ...) is true. All are
-- looked at once, now.
function dataset.filter(set, f)
  check_set("filter", set)
  if type(f) ~= "function" then
    fail("filter: expected a function, not %s", type(f))
  end
  local keep = {}
  for i = 1, set:size() do
    if is_true("filter", f(parts(set[i]))) then keep[#keep + 1] = i end
  end
  return dataset.subset(set, neap.tensor(keep, {dtype = "int64"}))
end

--- concat(a, b, ...): the samples of one set after those of the other.
local Concat = dataset.class(function(self, i)
  for _, set in ipairs(self.sets) do
    local n = set:size()
    if i <= n then return set[i] end
    i = i - n
  end
end)

function Concat:size()
  local n = 0
  for _, set in ipairs(self.sets) do n = n + set:size() end
  return n
end

function dataset.concat(...)
  local sets = {...}
  if #sets == 0 then fail("concat: expected datasets") end
  for _, set in ipairs(sets) do check_set("concat", set) end
  return setmetatable({sets = sets}, Concat)
end

--- windows(series, size, {horizon, step, target}): samples {x, y} of a
-- series (time first): x are `size` steps in a row, y the `horizon` (1)
-- steps that follow. Starts are `step` (1) apart. Of a series with several
-- features, y has only those named in `target` (positions), if given.
-- Without `horizon` steps to come (horizon = 0) the sample is x alone.
local Windows = dataset.class(function(self, i)
  local first = (i - 1) * self.step + 1
  local middle = first + self.length
  local x = self.series[{{first, middle - 1}}]
  if self.horizon == 0 then return x end
  return {x, self.targets[{{middle, middle + self.horizon - 1}}]}
end)

function Windows:size()
  local room = #self.series - self.length - self.horizon
  return room < 0 and 0 or room // self.step + 1
end

-- All windows are a view of the series; a batch gathers from it.
local function unfolded(series, size, step)
  local view = series:unfold(1, size, step)     -- windows, features, steps
  return view:movedim(-1, 2)
end

function Windows:batch(ids)
  local n = #self.series - self.horizon
  local x = unfolded(self.series[{{1, n}}], self.length, self.step)
  x = x:index_select(1, ids)
  if self.horizon == 0 then return x end
  local rest = self.targets[{{self.length + 1, -1}}]
  local y = unfolded(rest, self.horizon, self.step)
  return x, y:index_select(1, ids)
end

function dataset.windows(series, size, given)
  local o = require("neap.options").read("windows", given, {
    {"horizon", "integer", default = 1, least = 0},
    {"step", "integer", default = 1, least = 1}, {"target", "table"}})
  if type(series) == "table" then series = neap.tensor(series) end
  if not neap.is_tensor(series) or series.ndim == 0 then
    fail("windows: expected a tensor with time in dimension 1")
  elseif math.type(size) ~= "integer" or size < 1 then
    fail("windows: the size must be a positive integer")
  elseif #series < size + o.horizon then
    fail("windows: the series has %d steps, a window and its horizon %d",
         #series, size + o.horizon)
  end
  local targets = series
  if o.target then
    targets = series:index_select(2, positions("windows", o.target))
  end
  return setmetatable({series = series, targets = targets, length = size,
                       horizon = o.horizon, step = o.step}, Windows)
end

-- The same as methods: set:map(f), set:subset(ids), ...
for _, name in ipairs{"map", "filter", "subset", "concat"} do
  Dataset[name] = dataset[name]
end
dataset.methods = Dataset

return dataset
