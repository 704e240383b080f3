--- DataLoader: batches of a dataset, in order or by a sampler.

local neap = require "neap"
local fail = neap._fail
local options = require "neap.options"
local dataset = require "neap.data.dataset"
local loader = {}

--- A sampler has `indices()`, an int64 tensor of the positions of one pass,
-- and `size()`.
local WeightedSampler = {}
WeightedSampler.__index = WeightedSampler

--- WeightedSampler(weights, n, {replacement, generator}): n positions (as
-- many as there are weights, unless told), each with a chance proportional
-- to its weight; with replacement (true).
function loader.WeightedSampler(weights, n, given)
  local o = options.read("WeightedSampler", given, {
    {"replacement", "boolean", default = true}, {"generator", "any"}})
  if type(weights) == "table" then weights = neap.tensor(weights) end
  if not neap.is_tensor(weights) or weights.ndim ~= 1 then
    fail("WeightedSampler: expected a list or tensor of weights")
  end
  weights = weights:to("float64")
  if not (#weights > 0 and weights:isfinite():all():item() and
          weights:min():item() >= 0 and weights:sum():item() > 0) then
    fail("WeightedSampler: expected weights of 0 or more, some above 0")
  elseif n ~= nil and (math.type(n) ~= "integer" or n < 1) then
    fail("WeightedSampler: %s is no number of positions", tostring(n))
  end
  return setmetatable({weights = weights,
                       n = n or #weights, replacement = o.replacement,
                       generator = o.generator}, WeightedSampler)
end

function WeightedSampler:size() return self.n end

function WeightedSampler:indices()
  return self.weights:multinomial(self.n, {replacement = self.replacement,
                                           generator = self.generator})
end

local DataLoader = {}
DataLoader.__index = DataLoader
DataLoader.__call = function()
  fail("DataLoader: use loader:batches(), as in for x, y in " ..
       "loader:batches() do")
end

local declared = {
  {"batch_size", "integer", default = 1, least = 1},
  {"shuffle", "boolean", default = false},
  {"drop_last", "boolean", default = false},
  {"sampler", "table"}, {"collate", "function"}, {"generator", "any"}
}

--- DataLoader(dataset, options): `for x, y in loader:batches() do ... end`
-- is one pass.
--
-- Options: batch_size (1); shuffle (false); drop_last (false), whether a
-- last, shorter batch is left out; sampler, instead of shuffle; collate, a
-- function that makes a batch of a list of samples; generator, where the
-- order comes from (the library's unless told).
--
-- A dataset with `batch(ids)` gathers whole batches; of any other one the
-- samples are put together by `collate`. Samples may yield.
function loader.DataLoader(set, given)
  dataset.check("DataLoader", set)
  local self = options.read("DataLoader", given, declared)
  if self.sampler and self.shuffle then
    fail("DataLoader: shuffle and sampler exclude each other")
  elseif self.sampler and (neap.is_tensor(self.sampler) or
         type(self.sampler.indices) ~= "function") then
    fail("DataLoader: a sampler has indices(), see WeightedSampler")
  end
  local own = self.sampler and self.sampler.batch_size
  if own and (given.batch_size or own) ~= own then
    fail("DataLoader: batch_size is %d, but the sampler makes batches of %d",
         given.batch_size, own)
  end
  self.batch_size = own or self.batch_size
  self.dataset, self.pass, self.position = set, 0, 0
  return setmetatable(self, DataLoader)
end

local function total(self)
  return self.sampler and self.sampler:size() or self.dataset:size()
end

--- How many batches one pass has.
function DataLoader:size()
  local n, size = total(self), self.batch_size
  return self.drop_last and n // size or (n + size - 1) // size
end
DataLoader.__len = DataLoader.size

--- How many samples one pass sees.
function DataLoader:samples()
  if self.drop_last then return self:size() * self.batch_size end
  return total(self)
end

-- The generator whose numbers the order is drawn from.
local function source(self)
  return self.sampler and self.sampler.generator or self.generator
end

local function get_state(generator)
  if generator then return generator:get_state() end
  return neap.get_rng_state()
end

local function set_state(generator, state)
  if generator then generator:set_state(state)
  else neap.set_rng_state(state) end
end

local function draw_order(self)
  local n = self.dataset:size()
  if self.sampler then
    local ids = dataset.positions("DataLoader", self.sampler:indices())
    if #ids > 0 and (ids:min():item() < 1 or ids:max():item() > n) then
      fail("DataLoader: the sampler gave positions from %d to %d for a " ..
           "dataset of %d samples", ids:min():item(), ids:max():item(), n)
    end
    return ids
  end
  if self.shuffle then
    return neap.randperm(n, {generator = self.generator})
  end
  return neap.arange(n)
end

-- The order of a new pass, or of the one that a state was taken from.
local function begin(self)
  local resumed = self.resumed
  self.resumed = nil
  if not resumed then
    self.pass, self.position = self.pass + 1, 0
    self.began = get_state(source(self))
    return draw_order(self)
  end
  local now = get_state(source(self))
  set_state(source(self), resumed)
  self.began = resumed
  local order = draw_order(self)
  if not source(self) then set_state(nil, now) end
  return order
end

--- One pass over the data, or the rest of the pass that was loaded.
-- `loader.ids` are the positions that the last batch has in the dataset.
function DataLoader:batches()
  local order, count = begin(self), self:size()
  local size, n, k = self.batch_size, #order, self.position
  return function()
    if k >= count then return nil end
    self.position = k + 1
    local ids = order[{{k * size + 1, math.min((k + 1) * size, n)}}]
    k, self.ids = k + 1, ids
    return dataset.batch_of(self.dataset, ids, self.collate)
  end
end

--- Where the loader is, as plain data: in which pass, how many batches of
-- it were given, and how its order was drawn.
function DataLoader:state_dict()
  return {pass = self.pass, position = self.position, began = self.began}
end

--- Goes on where a state was taken: the next `batches()` gives the rest of
-- that pass (nothing of it, if it was complete: a new pass).
function DataLoader:load_state_dict(state)
  if type(state) ~= "table" or math.type(state.position) ~= "integer" then
    fail("load_state_dict: expected what state_dict gave")
  end
  self.pass, self.position = state.pass, state.position
  self.resumed = nil
  if state.began and state.position < self:size() then
    self.resumed = state.began
  elseif state.began and source(self) then
    set_state(source(self), state.began)
    draw_order(self)           -- as the complete pass did
  end
  return self
end

return loader
