--- What comes next: drawn from the scores of a net, or searched for.

local neap = require "neap"
local fail = neap._fail
local options = require "neap.options"
local sampling = {}

local declared = {
  {"temperature", "number", default = 1, least = 0},
  {"top_k", "integer", least = 1}, {"top_p", "number", least = 0, most = 1},
  {"generator", "any"}
}

-- Scores of all but the k largest become -infinity (ties of the k-th stay).
local function keep_largest(z, k)
  k = math.min(k, z.shape[2])
  local least = z:topk(k, 2)[{{}, {k, k}}]
  return z:masked_fill(z:lt(least), -math.huge)
end

-- The most likely ones that together reach p stay, the first one always
-- (nucleus sampling, Holtzman et al. 2020).
local function keep_nucleus(z, p)
  local sorted, order = z:sort(2, {descending = true})
  local share = sorted:softmax(2)
  local before = share:cumsum(2) - share         -- of those more likely
  local out = before:ge(p)
  out[{{}, 1}] = false
  sorted = sorted:masked_fill(out, -math.huge)
  return sorted:gather(2, order:argsort(2))
end

--- sample(logits, options): a number for each row of scores (n, classes),
-- or one for (classes), drawn by the scores' softmax.
--
-- Options: temperature (1): scores are divided by it, 0 takes the largest;
-- top_k: only among the k largest; top_p: only among the most likely ones
-- that together reach p; generator.
-- @return an int64 tensor (n), or an integer
function sampling.sample(logits, given)
  local o = options.read("sample", given, declared)
  if not neap.is_tensor(logits) or logits.ndim < 1 or logits.ndim > 2 then
    fail("sample: expected scores (n, classes) or (classes)")
  end
  return neap.no_grad(function()
    local z = logits:detach()
    if z.ndim == 1 then z = z:unsqueeze(1) end
    if not z:is_floating_point() then z = z:to("float32") end
    if z:isnan():any():item() then fail("sample: a score is NaN") end
    local ids
    if o.temperature == 0 then ids = z:argmax(2)
    else
      z = (z - z:amax(2, {keepdim = true})) / o.temperature
      if o.top_k then z = keep_largest(z, o.top_k) end
      if o.top_p and o.top_p < 1 then z = keep_nucleus(z, o.top_p) end
      ids = z:softmax(2):multinomial(1, {generator = o.generator})
                        :squeeze(2)
    end
    if logits.ndim == 1 then return ids[1] end
    return ids
  end)
end

--- generate(step, ids, options): goes on after the numbers `ids` (a list or
-- a tensor; at least one). `step(id, state)` gives the scores (classes) of
-- what comes next, and the state; it is called for each of ids in turn.
--
-- Options: those of sample; length, how many to add (100); stop, a number
-- that ends it (not added); each, a function called with every new number.
-- @return a list of the new numbers, the state
function sampling.generate(step, ids, given)
  local o = options.read("generate", given, {
    {"length", "integer", default = 100, least = 0}, {"stop", "integer"},
    {"each", "function"}, {"state", "any"},
    table.unpack(declared)})
  if neap.is_tensor(ids) then ids = ids:reshape(-1):totable() end
  if type(step) ~= "function" and not neap.nn.is_module(step) then
    fail("generate: expected a function(id, state), not a %s", type(step))
  end
  if type(ids) ~= "table" or #ids == 0 then
    fail("generate: expected numbers to begin with")
  end
  local draw = {temperature = o.temperature, top_k = o.top_k,
                top_p = o.top_p, generator = o.generator}
  return neap.no_grad(function()
    local out, state, scores = {}, o.state, nil
    for _, id in ipairs(ids) do scores, state = step(id, state) end
    for i = 1, o.length do
      local id = sampling.sample(scores:reshape(-1), draw)
      if id == o.stop then break end
      out[i] = id
      if o.each then o.each(id) end
      if i < o.length then scores, state = step(id, state) end
    end
    return out, state
  end)
end

local function by_score(a, b) return a.score > b.score end

local function by_probability(a, b)
  return a.log_probability > b.log_probability
end

local Search = {}
Search.__index = Search

function Search:finish(ids, log_probability)
  local n = math.max(#ids, 1)
  table.insert(self.done, {
    ids = ids, log_probability = log_probability,
    score = log_probability / n ^ self.length_penalty})
  table.sort(self.done, by_score)
  self.done[self.width + 1] = nil
end

-- The continuations of all beams by one number, the likeliest first.
function Search:grow()
  local all = {}
  for _, beam in ipairs(self.live) do
    local scores, state = self.step(beam.last, beam.state)
    if not neap.is_tensor(scores) then
      fail("beam_search: step gave a %s, expected scores", type(scores))
    end
    local log_p = scores:reshape(-1):to("float32"):log_softmax(1)
    if log_p:isnan():any():item() then fail("beam_search: a score is NaN") end
    local best, at = log_p:topk(math.min(self.width, #log_p))
    best = best:totable()
    for i, id in ipairs(at:totable()) do
      if best[i] > -math.huge then
        all[#all + 1] = {from = beam, id = id, state = state,
                         log_probability = beam.log_probability + best[i]}
      end
    end
  end
  table.sort(all, by_probability)
  return all
end

function Search:advance()
  local all = self:grow()
  self.live = {}
  for i = 1, math.min(self.width, #all) do
    local b = all[i]
    local ids = table.move(b.from.ids, 1, #b.from.ids, 1, {})
    if b.id == self.stop then self:finish(ids, b.log_probability)
    else
      ids[#ids + 1] = b.id
      table.insert(self.live, {
        ids = ids, log_probability = b.log_probability, last = b.id,
        state = b.state})
    end
  end
end

-- True if no beam can become better than those that are complete: sums of
-- logarithms only fall, and a length penalty divides by at most this.
function Search:is_over()
  if #self.live == 0 then return true end
  local last = self.done[self.width]
  local most = self.live[1].log_probability / self.length ^
               self.length_penalty
  return last ~= nil and most <= last.score
end

--- beam_search(step, first, options): the likeliest continuations.
-- `step(id, state)` gives the scores (classes) of what comes after the
-- number id, and the new state (a new one: several beams may go on from the
-- same state). Options: width (4), how many are followed; length, numbers
-- at most (50); stop, the number that ends a continuation; state, before
-- the first step; length_penalty (0): sums of log-probabilities are divided
-- by (numbers ^ length_penalty), so that 1 compares their means.
-- @return a list of {ids, log_probability, score}, the best first
function sampling.beam_search(step, first, given)
  local self = options.read("beam_search", given, {
    {"width", "integer", default = 4, least = 1},
    {"length", "integer", default = 50, least = 1}, {"stop", "integer"},
    {"state", "any"}, {"length_penalty", "number", default = 0, least = 0}})
  if type(step) ~= "function" and not neap.nn.is_module(step) then
    fail("beam_search: expected a function(id, state), not a %s", type(step))
  elseif math.type(first) ~= "integer" then
    fail("beam_search: expected the number to begin with, not %s",
         neap.is_tensor(first) and "a tensor" or type(first))
  end
  setmetatable(self, Search)
  self.step, self.done = step, {}
  self.live = {{ids = {}, log_probability = 0, last = first,
                state = self.state}}
  return neap.no_grad(function()
    for _ = 1, self.length do
      self:advance()
      if self:is_over() then return self.done end
    end
    for _, beam in ipairs(self.live) do          -- cut off
      self:finish(beam.ids, beam.log_probability)
    end
    return self.done
  end)
end

return sampling
