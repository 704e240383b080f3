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
    local ids
    if o.temperature == 0 then ids = z:argmax(2)
    else
      z = z / o.temperature
      if o.top_k then z = keep_largest(z, o.top_k) end
      if o.top_p then z = keep_nucleus(z, o.top_p) end
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
  if neap.is_tensor(ids) then ids = ids:totable() end
  if type(ids) ~= "table" or #ids == 0 then
    fail("generate: expected numbers to begin with")
  end
  local draw = {temperature = o.temperature, top_k = o.top_k,
                top_p = o.top_p, generator = o.generator}
  return neap.no_grad(function()
    local out, state, scores = {}, o.state, nil
    for _, id in ipairs(ids) do scores, state = step(id, state) end
    for i = 1, o.length do
      local id = sampling.sample(scores, draw)
      if id == o.stop then break end
      out[i] = id
      if o.each then o.each(id) end
      if i < o.length then scores, state = step(id, state) end
    end
    return out, state
  end)
end

-- Beams in order of their score for the final choice.
local function better(a, b) return a.score > b.score end

--- beam_search(step, first, options): the likeliest continuations.
-- `step(id, state)` gives the scores (classes) of what comes after the
-- number id, and the new state (a new one: several beams may go on from the
-- same state). Options: width (4), how many are followed; length, numbers
-- at most (50); stop, the number that ends a continuation; state, before
-- the first step; length_penalty (0): sums of log-probabilities are divided
-- by (numbers ^ length_penalty), so that 1 compares their means.
-- @return a list of {ids, log_probability, score}, the best first
function sampling.beam_search(step, first, given)
  local o = options.read("beam_search", given, {
    {"width", "integer", default = 4, least = 1},
    {"length", "integer", default = 50, least = 1}, {"stop", "integer"},
    {"state", "any"}, {"length_penalty", "number", default = 0}})
  local live = {{ids = {}, log_probability = 0, last = first,
                 state = o.state}}
  local done = {}
  local function finish(beam)
    local n = math.max(#beam.ids, 1)
    done[#done + 1] = {ids = beam.ids,
      log_probability = beam.log_probability,
      score = beam.log_probability / n ^ o.length_penalty}
  end
  -- continuations of a beam: the `width` best, with their sums
  local function grow(beam, into)
    local scores, state = step(beam.last, beam.state)
    local log_p = scores:reshape(-1):log_softmax(1)
    local best, at = log_p:topk(math.min(o.width, #log_p))
    best, at = best:totable(), at:totable()
    for i, id in ipairs(at) do
      into[#into + 1] = {from = beam, id = id, state = state,
                         log_probability = beam.log_probability + best[i]}
    end
  end
  neap.no_grad(function()
    for _ = 1, o.length do
      local all, next_live = {}, {}
      for _, beam in ipairs(live) do grow(beam, all) end
      table.sort(all, function(a, b)
        return a.log_probability > b.log_probability
      end)
      for i = 1, math.min(o.width, #all) do
        local b = all[i]
        local ids = table.move(b.from.ids, 1, #b.from.ids, 1, {})
        if b.id == o.stop then
          finish{ids = ids, log_probability = b.log_probability}
        else
          ids[#ids + 1] = b.id
          next_live[#next_live + 1] = {
            ids = ids, log_probability = b.log_probability, last = b.id,
            state = b.state}
        end
      end
      live = next_live
      if #live == 0 or #done >= o.width then break end
    end
  end)
  for _, beam in ipairs(live) do finish(beam) end
  table.sort(done, better)
  return table.move(done, 1, math.min(o.width, #done), 1, {})
end

return sampling
