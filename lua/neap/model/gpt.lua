--- GPT-2 (Radford and others 2019): a decoder that guesses the next token.
-- Names of parameters are those of its published weights.

local neap = require "neap"
local fail = neap._fail
local options = require "neap.options"
local caches = require "neap.model.cache"
local nn = neap.nn
local F = nn.functional
local gpt = {}

local Attention = nn.Module:extend "model.GPTAttention"

function Attention:init(width, heads, dropout)
  self.heads, self.dropout = heads, dropout
  self.c_attn = nn.Linear(width, 3 * width)
  self.c_proj = nn.Linear(width, width)
  self.resid = nn.Dropout(dropout)
end

-- x (batch, steps, width); a cache holds what was seen before
function Attention:forward(x, cache)
  local b, t, d = x.shape[1], x.shape[2], x.shape[3]
  local parts = self.c_attn(x):split(d, 3)
  for i, part in ipairs(parts) do
    parts[i] = part:reshape(b, t, self.heads, d // self.heads)
                   :transpose(2, 3)
  end
  local q, k, v = table.unpack(parts)
  local y = cache and cache:attend(self, q, k, v) or
    F.scaled_dot_product_attention(q, k, v, {
      is_causal = true, dropout_p = self.training and self.dropout or 0})
  return self.resid(self.c_proj(y:transpose(2, 3):reshape(b, t, d)))
end

local Block = nn.Module:extend "model.GPTBlock"

function Block:init(width, heads, dropout)
  self.ln_1 = nn.LayerNorm(width)
  self.attn = Attention(width, heads, dropout)
  self.ln_2 = nn.LayerNorm(width)
  self.mlp = nn.ModuleDict{
    {"c_fc", nn.Linear(width, 4 * width)},
    {"c_proj", nn.Linear(4 * width, width)}}
  self.drop = nn.Dropout(dropout)
end

function Block:forward(x, cache)
  x = x + self.attn(self.ln_1(x), cache)
  local y = self.mlp.c_fc(self.ln_2(x)):gelu{approximate = "tanh"}
  return x + self.drop(self.mlp.c_proj(y))
end

local GPT = nn.Module:extend "model.GPT"

--- GPT{vocab_size =, n_positions = 1024, n_embd = 768, n_layer = 12, n_head
-- = 12, dropout = 0.1}: the options of its published configurations. The
-- embedding of tokens is also the last layer's weight.
function GPT:init(given)
  local o = options.read("GPT", given, {
    {"vocab_size", "integer", least = 1, required = true},
    {"n_positions", "integer", default = 1024, least = 1},
    {"n_embd", "integer", default = 768, least = 1},
    {"n_layer", "integer", default = 12, least = 1},
    {"n_head", "integer", default = 12, least = 1},
    {"dropout", "number", default = 0.1, least = 0}})
  if o.n_embd % o.n_head ~= 0 then
    fail("GPT: n_embd is %d, which %d heads do not share evenly", o.n_embd,
         o.n_head)
  end
  self.n_positions = o.n_positions
  self.wte = nn.Embedding(o.vocab_size, o.n_embd)
  self.wpe = nn.Embedding(o.n_positions, o.n_embd)
  self.drop = nn.Dropout(o.dropout)
  local blocks = {}
  for i = 1, o.n_layer do blocks[i] = Block(o.n_embd, o.n_head, o.dropout) end
  self.h = nn.ModuleList(blocks)
  self.ln_f = nn.LayerNorm(o.n_embd)
  -- as GPT-2 begins: normal with 0.02, less where many sums follow
  for name, p in self:named_parameters() do
    local deep = name:find "c_proj%.weight$"
    if p.ndim == 2 then
      nn.init.normal_(p, 0, deep and 0.02 / math.sqrt(2 * o.n_layer) or 0.02)
    elseif name:find "bias$" then nn.init.zeros_(p) end
  end
end

--- Scores (batch, steps, vocab_size) of what follows each of ids (batch,
-- steps). With a cache (neap.model.Cache) the ids follow those before; so
-- exported, net:export(path, ids, neap.model.Cache(n)), a plan writes token by
-- token.
function GPT:forward(ids, cache)
  local before, t = cache and cache.length or 0, ids.shape[2]
  if before + t > self.n_positions then
    fail("GPT: %d steps, but there are %d positions", before + t,
         self.n_positions)
  end
  local at = cache and cache:positions(ids, 2) or neap.arange(1, t)
  local x = self.wte(ids) + self.wpe(at)
  x = self.drop(x)
  for _, block in ipairs(self.h:children()) do x = block(x, cache) end
  return F.linear(self.ln_f(x), self.wte.weight)
end

--- Goes on after ids (a list or tensor of numbers), with a cache; when the
-- positions are used up, with the last half of them. Options as those of
-- neap.text.generate.
-- @return a list of the new numbers
function GPT:generate(ids, o)
  if neap.is_tensor(ids) then ids = ids:reshape(-1):totable() end
  local training, told = self.training, {}
  local cache = caches.Cache(self.n_positions)
  local function tell(list)
    local scores = self(neap.tensor({list}, {dtype = "int64"}), cache)
    return scores[1][-1]
  end
  self:eval()
  local ok, out = pcall(neap.text.generate, function(id)
    told[#told + 1] = id
    if #told < #ids then return nil end          -- all at once, at the last
    if #told > #ids and cache.length < self.n_positions then
      return tell{id}
    end
    local n = #told > #ids and (self.n_positions + 1) // 2
              or self.n_positions
    cache:reset()
    return tell(table.move(told, math.max(1, #told - n + 1), #told, 1, {}))
  end, ids, o)
  self:train(training)
  if not ok then error(out, 0) end
  return out
end

-- Weights that GPT-2's files hold transposed (input, output).
local turned = {["attn.c_attn.weight"] = true, ["attn.c_proj.weight"] = true,
                ["mlp.c_fc.weight"] = true, ["mlp.c_proj.weight"] = true}

--- Takes weights with GPT-2's names from a safetensors file, or a table of
-- tensors: with or without "transformer." in front; masks that old files
-- hold are passed over.
function GPT:load_gpt2(from)
  local found, state = type(from) == "string" and neap.load(from) or from, {}
  for name, t in pairs(found) do
    name = name:gsub("^transformer%.", "")
    local part = name:match "^h%.%d+%.(.*)$"
    if part ~= "attn.bias" and part ~= "attn.masked_bias" and
       name ~= "lm_head.weight" then
      state[name] = turned[part] and t.T:contiguous() or t
    end
  end
  return self:load_state_dict(state)
end

gpt.GPT = GPT
return gpt
