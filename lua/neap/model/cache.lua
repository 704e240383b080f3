--- Keys and values that were seen, so that generating a token costs one
-- step instead of the whole text again.

local neap = require "neap"
local fail = neap._fail
local F = neap.nn.functional
local cache = {}

local Cache = {}
Cache.__index = Cache

--- Cache(longest): room for `longest` steps of each layer that uses it.
-- `cache:append(layer, k, v)` puts k and v (batch, heads, steps, size)
-- behind those of before and gives all of them; it is for any key `layer`,
-- and not recorded. `cache.length` counts steps (of the first layer).
function cache.Cache(longest)
  if math.type(longest) ~= "integer" or longest < 1 then
    fail("Cache: expected how many steps there is room for, not %s",
         tostring(longest))
  end
  return setmetatable({longest = longest, length = 0, layers = {}}, Cache)
end

local function room(self, t)
  local s = t.shape
  return neap.empty({s[1], s[2], self.longest, s[4]}, {dtype = t.dtype})
end

function Cache:append(layer, k, v)
  if k.requires_grad or v.requires_grad then
    fail("Cache: keys and values want gradients; generate in neap.no_grad")
  end
  local own = self.layers[layer]
  if not own then
    own = {k = room(self, k), v = room(self, v), length = 0}
    self.layers[layer] = own
    self.first = self.first or layer
  end
  local from, to = own.length + 1, own.length + k.shape[3]
  if to > self.longest then
    fail("Cache: %d steps, but there is room for %d", to, self.longest)
  end
  own.k[{{}, {}, {from, to}}] = k
  own.v[{{}, {}, {from, to}}] = v
  own.length = to
  if layer == self.first then self.length = to end
  return own.k[{{}, {}, {1, to}}], own.v[{{}, {}, {1, to}}]
end

--- What new queries make of everything so far, causally: q, k, v (batch,
-- heads, steps, size) are the new steps'. While a model is exported it is
-- recorded as one operation that goes on by itself in a plan.
function Cache:attend(layer, q, k, v)
  if neap._recording() then
    return (F.cached_attention(q, k, v, {longest = self.longest}))
  end
  local steps = q.shape[3]
  k, v = self:append(layer, k, v)
  return F.scaled_dot_product_attention(q, k, v, {
    is_causal = true, before = k.shape[3] - steps})
end

--- Positions of the new steps in dimension `dim` of x, from 1 on.
function Cache:positions(x, dim)
  if neap._recording() then return (F.count_steps(x, {dim = dim})) end
  return neap.arange(self.length + 1, self.length + x.shape[dim])
end

--- Forgets everything and keeps the room.
function Cache:reset()
  for _, own in pairs(self.layers) do own.length = 0 end
  self.length = 0
  return self
end

return cache
