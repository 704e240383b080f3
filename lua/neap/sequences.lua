--- nn.utils.rnn: sequences of several lengths, states.

local neap = require "neap"
local fail = neap._fail
local options = require "neap.options"
local utils = neap.nn.utils
local rnn = {}
utils.rnn = rnn

-- A list of lengths as a tensor; others as they are.
function rnn._lengths(who, lengths)
  if type(lengths) ~= "table" or neap.is_tensor(lengths) then
    return lengths
  end
  for i, n in ipairs(lengths) do
    if math.type(n) ~= "integer" then
      fail("%s: lengths[%d] is %s, expected an integer", who, i, tostring(n))
    end
  end
  return neap.tensor(lengths, {dtype = "int64"})
end

--- pad_sequence(list, {batch_first, padding_value}): tensors (steps, ...)
-- of several lengths as one (longest, batch, ...), or (batch, longest,
-- ...), filled up with padding_value (0).
-- @return the batch, and the lengths as an int64 tensor
function rnn.pad_sequence(list, given)
  local o = options.read("pad_sequence", given, {
    {"batch_first", "boolean", default = false},
    {"padding_value", "number", default = 0}})
  if type(list) ~= "table" or neap.is_tensor(list) or #list == 0 then
    fail("pad_sequence: expected a list of tensors")
  end
  local lengths, longest = {}, 0
  for i, t in ipairs(list) do
    if not neap.is_tensor(t) or t.ndim == 0 then
      fail("pad_sequence: item %d is no tensor (steps, ...)", i)
    end
    if t.dtype ~= list[1].dtype then
      fail("pad_sequence: item %d is %s, the first is %s", i, t.dtype,
           list[1].dtype)
    end
    lengths[i] = #t
    longest = math.max(longest, #t)
  end
  local padded = {}
  for i, t in ipairs(list) do
    local rest = t.shape
    rest[1] = longest - #t
    padded[i] = rest[1] == 0 and t or
                neap.cat({t, neap.full(rest, o.padding_value,
                                       {dtype = t.dtype})}, 1)
  end
  return neap.stack(padded, o.batch_first and 1 or 2),
         neap.tensor(lengths, {dtype = "int64"})
end

local function as_lengths(who, lengths)
  lengths = rnn._lengths(who, lengths)
  if not neap.is_tensor(lengths) or lengths.ndim ~= 1 then
    fail("%s: expected lengths, one for each sequence", who)
  elseif lengths:is_floating_point() or lengths.dtype == "bool" then
    fail("%s: lengths are %s, expected integers", who, lengths.dtype)
  end
  return lengths
end

--- mask(lengths, {steps, batch_first}): true where a padded batch holds a
-- sequence: (steps, batch), or (batch, steps). steps: the longest, unless
-- told.
function rnn.mask(lengths, given)
  local o = options.read("mask", given, {
    {"batch_first", "boolean", default = false},
    {"steps", "integer", least = 0}})
  lengths = as_lengths("mask", lengths)
  if #lengths > 0 and (lengths:min():item() < 0 or
     o.steps and lengths:max():item() > o.steps) then
    fail("mask: lengths are from %d to %d, expected 0 to %s",
         lengths:min():item(), lengths:max():item(), o.steps or "any number")
  end
  local steps = o.steps or (#lengths > 0 and lengths:max():item() or 0)
  local at = neap.arange(steps)
  if o.batch_first then return at:le(lengths:unsqueeze(2)) end
  return at:unsqueeze(2):le(lengths)
end

--- valid(x, lengths, {batch_first}): the rows (rows, ...) of a padded batch
-- (steps, batch, ...) that are no padding, in the order of memory: for
-- losses and metrics, of outputs and targets alike.
function rnn.valid(x, lengths, given)
  local o = options.read("valid", given, {
    {"batch_first", "boolean", default = false}})
  if not neap.is_tensor(x) or x.ndim < 2 then
    fail("valid: expected a padded batch (steps, batch, ...)")
  end
  local mask = rnn.mask(lengths, {
    batch_first = o.batch_first, steps = x.shape[o.batch_first and 2 or 1]})
  if mask.shape[1] ~= x.shape[1] or mask.shape[2] ~= x.shape[2] then
    fail("valid: %d lengths for a batch of %s (%s)", #lengths,
         table.concat(x.shape, "x"), o.batch_first and "batch first" or
         "steps first; or batch_first = true")
  end
  return x[mask]
end

--- detach(state): the same state without its past, for the next piece of a
-- long sequence. nil stays nil.
function rnn.detach(state)
  if state == nil then return nil end
  if type(state) ~= "table" and not neap.is_tensor(state) then
    fail("detach: expected a state, not a %s", type(state))
  end
  if neap.is_tensor(state) then return state:detach() end
  local out = {}
  for i, part in ipairs(state) do out[i] = rnn.detach(part) end
  return out
end

-- loss(x, target, {lengths, batch_first}) and loss(x, target, {mask}): a
-- loss of the rows of a padded batch that are no padding, of all tensors
-- that it takes.
local function masked(class)
  local forward = class.forward
  local function rows(who, x, given)
    if given.mask == nil then
      return rnn.valid(x, given.lengths, {batch_first = given.batch_first})
    elseif not neap.is_tensor(given.mask) or given.mask.dtype ~= "bool" then
      fail("%s: mask must be a tensor of bool, as rnn.mask gives", who)
    end
    return x[given.mask]
  end
  function class:forward(...)
    local args = table.pack(...)
    local given = args[args.n]
    if type(given) ~= "table" or neap.is_tensor(given) or
       (given.lengths == nil and given.mask == nil) then
      return forward(self, ...)
    end
    options.read(class._name, given, {{"lengths", "table|tensor"},
                                      {"mask", "any"},
                                      {"batch_first", "boolean"}})
    if given.mask ~= nil and given.lengths ~= nil then
      fail("%s: lengths and mask exclude each other", class._name)
    end
    for i = 1, args.n - 1 do args[i] = rows(class._name, args[i], given) end
    return forward(self, table.unpack(args, 1, args.n - 1))
  end
end

for name, class in pairs(neap.nn) do
  if name:find "Loss$" and type(class) == "table" and class.forward then
    masked(class)
  end
end

return rnn
