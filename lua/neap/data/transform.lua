--- Transforms: fitted on training data, saved with the model, most of them
-- with an inverse.
--
-- A transform is a module without parameters: what it learned are buffers,
-- so it may stand in a Sequential, and `save` keeps it. Columns are the
-- last dimension of x; a vector is one column.
--
--     local scale = data.Standardize()
--     scale:fit(train_x)
--     net = nn.Sequential{scale, nn.Linear(8, 1)}

local neap = require "neap"
local fail = neap._fail
local options = require "neap.options"
local nn = neap.nn
local transform = {}

local Transform = {}

-- A class with options and what is common to all. After fit, the arguments
-- of its constructor are those that make buffers of the same size.
local function class(name, declared)
  local new = nn.Module:extend("data." .. name)
  for key, method in pairs(Transform) do new[key] = method end
  table.insert(declared, {"columns", "integer", least = 1})
  table.insert(declared, {"vector", "boolean", default = false})
  function new:init(given)
    self.options = options.read(name, given, declared)
    if self.options.columns and self.learned then
      for _, buffer in ipairs(self.learned) do
        self:register_buffer(buffer, neap.zeros(
          self.options.vector and {} or {self.options.columns},
          {dtype = "float64"}))
      end
    end
  end
  transform[name] = new
  return new
end

-- The columns of x as a float64 matrix.
local function columns_of(x)
  local matrix = x:detach():to("float64")
  if x.ndim <= 1 then return matrix:reshape(-1, 1) end
  return matrix:reshape(-1, x:size(-1))
end

local function check_fit(self, x)
  local name = self:name()
  if not neap.is_tensor(x) then
    fail("%s: fit expects a tensor, not a %s", name, type(x))
  elseif x:numel() == 0 then
    fail("%s: fit has nothing to learn from (x is %s)",
         name, table.concat(x.shape, "x"))
  elseif not self.takes_gaps and columns_of(x):isnan():any():item() then
    fail("%s: fit met NaN; put data.Impute in front, or load with missing " ..
         "= \"drop\"", name)
  end
end

--- Learns from data; returns the transform.
function Transform:fit(x)
  check_fit(self, x)
  if self.learned then
    local values = self:learn(columns_of(x))
    local given = {}
    for key, value in pairs(self.options) do
      if math.abs(tonumber(value) or 0) < math.huge then given[key] = value end
    end
    given.vector = x.ndim <= 1
    given.columns = given.vector and 1 or x:size(-1)
    self.options, self._arguments = given, {n = 1, given}
    for i, buffer in ipairs(self.learned) do
      local value = values[i]
      if given.vector then value = value:select(1, 1) end
      self:register_buffer(buffer, value)
    end
  end
  return self
end

-- For messages: the class, and the columns that Features gives it.
function Transform:name()
  local name = self:_options():gsub("^data%.", "")
  return self.of and ("%s of column %s"):format(name, self.of) or name
end

local function check_ready(self)
  if self.learned and not self[self.learned[1]] then
    fail("%s was not fitted: call fit(x) first", self:name())
  end
end

-- x has the columns that were learned.
local function check_width(self, x)
  local o = self.options
  if not neap.is_tensor(x) then
    fail("%s: expected a tensor, not a %s", self:name(), type(x))
  elseif self.learned and not o.vector and
     (x.ndim == 0 or x:size(-1) ~= o.columns) then
    fail("%s: x is %s, expected %d columns as it was fitted", self:name(),
         table.concat(x.shape, "x"), o.columns)
  end
end

-- f of x in the type of what was learned; the result is a float of x's own
-- type, or float32.
local function computed(self, x, f)
  check_ready(self)
  check_width(self, x)
  local own = (x.dtype == "float64" or x.dtype == "float32") and x.dtype or
              "float32"
  local wide = self.learned and self[self.learned[1]].dtype or own
  return f(self, x:to(wide)):to(own)
end

function Transform:forward(x) return computed(self, x, self.apply) end

--- Undoes the transform.
function Transform:inverse(y)
  if not self.undo then
    fail("%s has no inverse", self:name())
  end
  return computed(self, y, self.undo)
end

--- Fits and applies in one.
function Transform:fit_transform(x) return self:fit(x)(x) end

--- Standardize: (x - mean) / std of each column; a column without spread is
-- only shifted.
local Standardize = class("Standardize", {})
Standardize.learned = {"mean", "std"}

function Standardize.learn(_, x)
  local std = x:std(1, {correction = 0})
  return {x:mean(1), neap.where(std:eq(0), 1, std)}
end
function Standardize:apply(x) return (x - self.mean) / self.std end
function Standardize:undo(y) return y * self.std + self.mean end

--- MinMax{low = 0, high = 1}: each column's least value becomes low, its
-- largest high.
local MinMax = class("MinMax", {{"low", "number", default = 0},
                                {"high", "number", default = 1}})
MinMax.learned = {"min", "range"}

function MinMax.learn(_, x)
  local range = x:amax(1) - x:amin(1)
  return {x:amin(1), neap.where(range:eq(0), 1, range)}
end
function MinMax:apply(x)
  local o = self.options
  return (x - self.min) / self.range * (o.high - o.low) + o.low
end
function MinMax:undo(y)
  local o = self.options
  return (y - o.low) / (o.high - o.low) * self.range + self.min
end

--- Log{shift = 0}: log(x + shift), for values over several sizes.
local Log = class("Log", {{"shift", "number", default = 0}})

function Log:fit(x)
  check_fit(self, x)
  local least = columns_of(x):min():item() + self.options.shift
  if least <= 0 then
    fail("Log: the least x + shift is %.6g, and only positive numbers " ..
         "have a logarithm (set shift)", least)
  end
  return self
end
function Log:apply(x) return (x + self.options.shift):log() end
function Log:undo(y) return y:exp() - self.options.shift end

--- Clip{low =, high =}: what lies outside is moved to the end; or
-- Clip{quantiles = {0.01, 0.99}}: the ends are these shares of each column.
local Clip = class("Clip", {{"low", "number", default = -math.huge},
                            {"high", "number", default = math.huge},
                            {"quantiles", "table"}})
Clip.learned = {"least", "most"}

function Clip:learn(x)
  local o = self.options
  if o.quantiles then
    local q = x:quantile(neap.tensor(o.quantiles, {dtype = "float64"}), 1)
    return {q[1], q[2]}
  end
  local one = neap.ones(x:size(2), {dtype = "float64"})
  return {neap.full_like(one, o.low), neap.full_like(one, o.high)}
end
function Clip:apply(x)
  return neap.minimum(neap.maximum(x, self.least), self.most)
end
function Clip.inverse(_, y) return y end

--- Impute{with = "mean"}: NaN becomes the column's mean, "median", or a
-- number.
local Impute = class("Impute", {{"with", "string|number", default = "mean",
                                 choices = {"mean", "median"}}})
Impute.learned = {"filling"}
Impute.takes_gaps = true

function Impute:learn(x)
  local with, values = self.options.with, {}
  for i = 1, x:size(2) do
    local column = x:select(2, i)
    local good = column[column:isnan():bitwise_not()]
    if type(with) == "number" then values[i] = with
    elseif #good == 0 then
      fail("Impute: column %d has no value at all", i)
    else values[i] = (with == "mean" and good:mean() or
                      good:quantile(0.5)):item()
    end
  end
  return {neap.tensor(values, {dtype = "float64"})}
end
function Impute:apply(x) return neap.where(x:isnan(), self.filling, x) end
function Impute.undo(_, y) return y end

--- OneHot(): each value becomes a row with a single 1, in a column for
-- every value that fit saw: of a table's words in their order, of numbers
-- in rising order (such as years, zip codes, true and false). With
-- OneHot{classes = n} values are numbers from 1 to n. A value that fit did
-- not see is an error, or with `unknown = "zeros"` a row of zeros.
local OneHot = class("OneHot", {
  {"classes", "integer", least = 1}, {"words", "table"},
  {"values", "table"},
  {"unknown", "string", default = "error", choices = {"error", "zeros"}}})

OneHot.takes_words = true

local MOST = 1000             -- more different numbers are a quantity

-- The different numbers of x, rising.
local function values_of(self, x)
  local values = x:detach():reshape(-1):unique()
  if #values > MOST then
    fail("%s: there are %d different numbers, which looks like a quantity " ..
         "(data.Standardize); at most %d become columns", self:name(),
         #values, MOST)
  end
  return values:to("float64"):totable()
end

function OneHot:fit(x, words)
  check_fit(self, x)
  local given = {}
  for key, value in pairs(self.options) do given[key] = value end
  given.words = words
  if words and #words > MOST then
    fail("%s: there are %d different words, which looks like names or " ..
         "dates; at most %d become columns", self:name(), #words, MOST)
  elseif words then given.classes = #words
  elseif not given.classes or given.values then
    given.values = values_of(self, x)
    given.classes = #given.values
  else self:forward(x)         -- fails where x has others
  end
  self.options, self._arguments = given, {n = 1, given}
  return self
end

-- Numbers from 1 to the count of classes, and a mask of those that fit saw.
local function classes_of(self, x)
  local o = self.options
  if not o.values then
    local at = x:to("int64")
    return at:clamp(1, o.classes), at:ge(1) & at:le(o.classes) & at:eq(x)
  end
  local values = neap.tensor(o.values, {dtype = "float64"})
  local wide = x:to("float64")
  local at = values:searchsorted(wide):clamp(1, o.classes)
  return at, values:index_select(1, at:reshape(-1)):reshape(x.shape):eq(wide)
end

function OneHot:forward(x)
  local o = self.options
  if not o.classes then
    fail("%s was not fitted: call fit(x) first", self:name())
  elseif not neap.is_tensor(x) then
    fail("%s: expected a tensor, not a %s", self:name(), type(x))
  end
  local at, known = classes_of(self, x)
  local rows = neap.one_hot(at, o.classes):to("float32")
  if known:all():item() then return rows end
  if o.unknown == "error" then
    local other = x:masked_select(known:logical_not())[1]
    fail("%s: %s is not among the %d values that it was fitted with%s",
         self:name(), other, o.classes, o.values and "" or
         (", 1 to %d"):format(o.classes))
  end
  return rows * known:to("float32"):unsqueeze(-1)
end

function OneHot:inverse(y)
  local at, values = y:argmax(-1), self.options.values
  if not values then return at end
  values = neap.tensor(values, {dtype = "float64"})
  return values:index_select(1, at:reshape(-1)):reshape(at.shape)
end

--- Chain(a, b, ...): one transform after the other.
local Chain = nn.Module:extend "data.Chain"
transform.Chain = Chain

function Chain:init(...)
  for i, step in ipairs{...} do
    if not nn.is_module(step) then
      fail("Chain: step %d is a %s, expected a transform, as in " ..
           "data.Chain(data.Log(), data.Standardize())", i, type(step))
    end
  end
  self.steps = nn.ModuleList{...}
end

function Chain:fit(x, words)
  for i, step in ipairs(self.steps:children()) do
    step:fit(x, i == 1 and words or nil)
    x = step(x)
  end
  return self
end

function Chain:forward(x)
  for _, step in ipairs(self.steps:children()) do x = step(x) end
  return x
end

function Chain:inverse(y)
  local steps = self.steps:children()
  for i = #steps, 1, -1 do y = steps[i]:inverse(y) end
  return y
end

-- Words that fit did not see: has a step an answer to them?
function Chain:ignores_unknown()
  local first = self.steps[1]
  return first and first.options and first.options.unknown == "zeros"
end

Chain.fit_transform = Transform.fit_transform

return transform
