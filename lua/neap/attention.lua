--- nn.MultiheadAttention: what its call looks like in Lua; stacks of
-- transformer layers.
--
--     local y, w = attention(query, key, value, {attn_mask = mask,
--       key_padding_mask = padding, need_weights = true,
--       average_attn_weights = true})
--
-- Vectors are (steps, batch, features), or (batch, steps, features) with
-- batch_first, or (steps, features). w are the weights (batch, queries,
-- keys), the mean over the heads unless average_attn_weights = false
-- ((batch, heads, queries, keys)); with need_weights = false they are not
-- made, and no matrix of all of them is there. In training with dropout they
-- are those before it. Masks of bool are true where a key may not be looked
-- at; numbers are added to the scores.

local neap = require "neap"
local fail = neap._fail
local options = require "neap.options"
local nn = neap.nn
local F = nn.functional

local declared = {
  {"attn_mask", "tensor"}, {"key_padding_mask", "tensor"},
  {"need_weights", "boolean", default = true},
  {"average_attn_weights", "boolean", default = true}
}

local Attention = nn.MultiheadAttention
local in_c = Attention.forward

-- A mask of bool, true where nothing may be looked at, as numbers to add.
local function added(mask, like)
  if mask.dtype ~= "bool" then return mask end
  return neap.zeros(mask.shape, {dtype = like.dtype})
             :masked_fill(mask, -math.huge)
end

-- (batch, steps, features) of a query or key, through its projection, as
-- (batch, heads, steps, size)
local function projected(self, x, part, o)
  local n = o.embed_dim
  local range = {part * n + 1, (part + 1) * n}
  local own = part == 0 and self.q_proj_weight or self.k_proj_weight
  local w = self.in_proj_weight and self.in_proj_weight[{range}] or own
  local b = self.in_proj_bias and self.in_proj_bias[{range}] or nil
  local y = F.linear(x, w, b)
  return y:reshape(y.shape[1], y.shape[2], o.num_heads, n // o.num_heads)
          :transpose(2, 3)
end

local function weights(self, query, key, call)
  local _, o = self:_options()
  local single = query.ndim == 2
  if single then query, key = query:unsqueeze(1), key:unsqueeze(1)
  elseif not o.batch_first then
    query, key = query:transpose(1, 2), key:transpose(1, 2)
  end
  local q, k = projected(self, query, 0, o), projected(self, key, 1, o)
  local scores = q:matmul(k:transpose(-2, -1)) /
                 math.sqrt(o.embed_dim // o.num_heads)
  local mask, padding = call.attn_mask, call.key_padding_mask
  if mask then
    if mask.ndim == 3 then mask = mask:reshape(scores.shape) end
    scores = scores + added(mask, scores)
  end
  if padding then
    if padding.ndim == 1 then padding = padding:unsqueeze(1) end
    scores = scores + added(padding, scores):unsqueeze(2):unsqueeze(2)
  end
  local w = scores:softmax(-1)
  if call.average_attn_weights then w = w:mean(2) end
  return single and w[1] or w
end

function Attention:forward(query, key, value, given)
  if given == nil and type(key) == "table" and not neap.is_tensor(key) then
    key, given = nil, key
  elseif given == nil and type(value) == "table" and
         not neap.is_tensor(value) then
    value, given = nil, value
  end
  if not neap.is_tensor(query) then
    fail("MultiheadAttention: query is a %s, expected a tensor", type(query))
  end
  local o = options.read("MultiheadAttention", given, declared)
  local y = in_c(self, query, key, value, o.attn_mask, o.key_padding_mask)
  if not o.need_weights then return y end
  return y, weights(self, query, key or query, o)
end

-- Stacks of transformer layers: copies of one, then a layer norm if given.
local function stack(name, names)
  local Stack = nn.Module:extend(name)

  function Stack:init(layer, num_layers, o)
    if not nn.is_module(layer) then
      fail("%s: expected a layer to make copies of, not a %s", name,
           type(layer))
    elseif math.type(num_layers) ~= "integer" or num_layers < 1 then
      fail("%s: num_layers is %s, expected at least 1", name,
           tostring(num_layers))
    end
    o = options.read(name, o, {{"norm", "any"}})
    local layers = {}
    for i = 1, num_layers do layers[i] = layer:clone() end
    self.layers = nn.ModuleList(layers)
    if o.norm then self.norm = o.norm end
  end

  -- Masks are as those of the layers; a plain table names them.
  function Stack:forward(x, ...)
    local given = table.pack(...)
    local last = given[given.n]
    if type(last) == "table" and not neap.is_tensor(last) then
      local own = {}
      for key, value in pairs(last) do own[names[key] or key] = value end
      given[given.n] = own
    end
    for _, layer in ipairs(self.layers:children()) do
      x = layer(x, table.unpack(given, 1, given.n))
    end
    if self.norm then x = self.norm(x) end
    return x
  end
  return Stack
end

--- TransformerEncoder(layer, num_layers, {norm = nn.LayerNorm(n)}): called
-- as encoder(src, {mask = m, src_key_padding_mask = p}).
nn.TransformerEncoder = stack("TransformerEncoder", {mask = "src_mask"})

--- TransformerDecoder(layer, num_layers, {norm =}): called as decoder(tgt,
-- memory, {tgt_mask =, memory_mask =, tgt_key_padding_mask =,
-- memory_key_padding_mask =}).
nn.TransformerDecoder = stack("TransformerDecoder", {})

--- nn.utils.alibi(heads, queries, keys): numbers to add to the scores of
-- attention (heads, queries, keys): how far away a key is, times a slope of
-- each head (Press, Smith and Lewis 2022). The last query is at the last
-- key; keys after a query get 0: use is_causal, or a mask, with it.
function nn.utils.alibi(heads, queries, keys)
  keys = keys or queries
  for _, n in ipairs{heads or 0, queries or 0, keys or 0} do
    if math.type(n) ~= "integer" or n < 1 then
      fail("alibi: expected numbers of heads, queries and keys")
    end
  end
  local slopes, power = {}, 1
  while power * 2 <= heads do power = power * 2 end
  for i = 1, power do slopes[i] = 2 ^ (-8 * i / power) end
  for i = 1, heads - power do    -- between those of twice as many heads
    slopes[power + i] = 2 ^ (-8 * (2 * i - 1) / (2 * power))
  end
  local at = neap.arange(queries):unsqueeze(2) + (keys - queries)
  local distance = (neap.arange(keys) - at):clamp{max = 0}:to("float32")
  return neap.tensor(slopes):view(heads, 1, 1) * distance
end
