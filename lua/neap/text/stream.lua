--- Batches of running text.

local neap = require "neap"
local fail = neap._fail
local options = require "neap.options"
local dataset = require "neap.data.dataset"
local stream = {}

local function check(who, ids)
  if not neap.is_tensor(ids) or ids.ndim ~= 1 or ids.dtype ~= "int64" then
    fail("%s: expected an int64 tensor of numbers, as encode gives", who)
  end
end

local Continuous = {}
Continuous.__index = Continuous

--- Continuous(ids, {batch_size, steps, batch_first}): the text cut into
-- batch_size strips, read side by side: each batch goes on where the one
-- before ended, so that the state of a recurrent net can be carried along
-- (truncated backpropagation through time).
--
--     local state
--     for x, y in text.Continuous(ids, {steps = 64}):batches() do
--       z, state = lstm(emb(x), rnn.detach(state))
--
-- x is (steps, batch_size), y the same text one place further on. What does
-- not fill the strips is left out at the end.
function stream.Continuous(ids, given)
  check("Continuous", ids)
  local o = options.read("Continuous", given, {
    {"batch_size", "integer", default = 32, least = 1},
    {"steps", "integer", default = 64, least = 1},
    {"batch_first", "boolean", default = false}})
  o.length = (#ids - 1) // o.batch_size          -- of a strip
  if o.length < 1 then
    fail("Continuous: %d numbers are too few for %d strips", #ids,
         o.batch_size)
  end
  local n = o.length * o.batch_size
  o.x = ids[{{1, n}}]:reshape(o.batch_size, o.length)
  o.y = ids[{{2, n + 1}}]:reshape(o.batch_size, o.length)
  return setmetatable(o, Continuous)
end

function Continuous:__tostring()
  return ("Continuous: %d batches of %d strips and %d steps"):format(
    self:size(), self.batch_size, self.steps)
end

--- How many strips are read, all batches together.
function Continuous:samples() return self:size() * self.batch_size end

--- How many batches there are; the last one may be shorter.
function Continuous:size() return (self.length - 1) // self.steps + 1 end
Continuous.__len = Continuous.size

function Continuous:batches()
  local at = 1
  return function()
    if at > self.length then return nil end
    local part = {at, math.min(at + self.steps - 1, self.length)}
    at = at + self.steps
    local x, y = self.x[{{}, part}], self.y[{{}, part}]
    if self.batch_first then return x:contiguous(), y:contiguous() end
    return x.T:contiguous(), y.T:contiguous()
  end
end

local Windows = dataset.class(function(self, i)
  return {self.ids[{{i, i + self.steps - 1}}],
          self.ids[{{i + 1, i + self.steps}}]}
end)

--- Windows(ids, steps): a dataset of all pieces of `steps` numbers, each
-- with the same piece one place further on. A batch is (batch, steps).
function stream.Windows(ids, steps)
  check("Windows", ids)
  if type(steps) == "table" then steps = steps.steps end
  if math.type(steps) ~= "integer" or steps < 1 or steps >= #ids then
    fail("Windows: steps is %s, expected 1 to %d", tostring(steps), #ids - 1)
  end
  return setmetatable({ids = ids, steps = steps}, Windows)
end

function Windows:size() return #self.ids - self.steps end

function Windows:batch(at)
  at = dataset.positions("Windows", at)
  local all = at:unsqueeze(2) + neap.arange(0, self.steps)
  local rows = self.ids:index_select(1, all:reshape(-1))
                       :view(#at, self.steps + 1)
  return rows[{{}, {1, -2}}]:contiguous(), rows[{{}, {2, -1}}]:contiguous()
end

local BucketSampler = {}
BucketSampler.__index = BucketSampler

--- BucketSampler(lengths, {batch_size, generator, buckets}): an order for a
-- DataLoader whose batches have sequences of like lengths, and so little
-- padding: a random order, of which stretches of `buckets` (50) batches are
-- sorted by length; then the batches are mixed.
function stream.BucketSampler(lengths, given)
  local o = options.read("BucketSampler", given, {
    {"batch_size", "integer", default = 32, least = 1},
    {"buckets", "integer", default = 50, least = 1}, {"generator", "any"}})
  if neap.is_tensor(lengths) then lengths = lengths:totable() end
  if type(lengths) ~= "table" or #lengths == 0 then
    fail("BucketSampler: expected the lengths of the sequences")
  end
  for i, n in ipairs(lengths) do
    if type(n) ~= "number" then
      fail("BucketSampler: length %d is a %s", i, type(n))
    end
  end
  o.lengths = lengths
  return setmetatable(o, BucketSampler)
end

function BucketSampler:size() return #self.lengths end

function BucketSampler:indices()
  local random = {generator = self.generator}
  local order = neap.randperm(#self.lengths, random):totable()
  local size, span = self.batch_size, self.batch_size * self.buckets
  local batches, rest = {}, {}
  for from = 1, #order, span do
    local part = table.move(order, from, math.min(from + span - 1, #order),
                            1, {})
    table.sort(part, function(a, b)
      local x, y = self.lengths[a], self.lengths[b]
      return x < y or x == y and a < b
    end)
    for i = 1, #part, size do
      local batch = table.move(part, i, math.min(i + size - 1, #part), 1, {})
      if #batch < size then rest = batch else batches[#batches + 1] = batch
      end
    end
  end
  local out = {}
  if #batches > 0 then
    for _, b in ipairs(neap.randperm(#batches, random):totable()) do
      table.move(batches[b], 1, size, #out + 1, out)
    end
  end
  table.move(rest, 1, #rest, #out + 1, out)      -- a shorter one comes last
  return neap.tensor(out, {dtype = "int64"})
end

return stream
