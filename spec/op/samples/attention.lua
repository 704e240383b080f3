-- Samples of attention.

local neap = require "neap"
local F = neap.nn.functional
local i = require "spec.op.samples.inputs"
local randn, mask, with = i.randn, i.mask, i.with

local function look(options)
  return with("scaled_dot_product_attention", options or {})
end

local function masked(m, options)
  return function(q, k, v)
    local own = m.dtype == "bool" and m or m:to(q.dtype)
    return F.scaled_dot_product_attention(q, k, v, own, options or {})
  end
end

local seen = mask{{true, false, true, true}, {true, true, false, false},
                  {false, false, false, true}}

local samples = {
  scaled_dot_product_attention = {
    {look(), {randn(3, 2), randn(4, 2), randn(4, 3)}},
    {look{is_causal = true}, {randn(2, 3, 4), randn(2, 5, 4),
                              randn(2, 5, 4)}},
    {look{scale = 0.3}, {randn(2, 4, 3, 2), randn(2, 2, 4, 2),
                         randn(2, 2, 4, 2)}},
    {look{is_causal = true}, {randn(4, 3, 2), randn(1, 3, 2),
                              randn(1, 3, 2)}},
    {masked(seen), {randn(2, 3, 2), randn(2, 4, 2), randn(2, 4, 2)}},
    {masked(randn(4), {is_causal = true}),
     {randn(3, 2), randn(4, 2), randn(4, 2)}},
    {look(), {randn(2, 3, 2), randn(2, 4, 2), randn(2, 4, 2),
              randn(3, 4)}},
    {look(), {randn(0, 2), randn(3, 2), randn(3, 2)}},
    {look{is_causal = true, before = 2}, {randn(2, 3, 4), randn(2, 5, 4),
                                          randn(2, 5, 4)}},
    {look(), {randn(70, 5), randn(150, 5), randn(150, 5)},
     {grad = false}}}
}

-- New steps, then one more with what was kept.
local function cached(q, k, v)
  local y, keys, values, at = F.cached_attention(q, k, v, 4)
  local one = {{}, {}, {1, 1}}
  local z = F.cached_attention(q[one], k[one], v[one], 4, keys, values,
                               at)
  return neap.cat({y, z}, 3), keys, values, at
end
samples.cached_attention = {
  {cached, {randn(2, 4, 3, 2), randn(2, 2, 3, 2), randn(2, 2, 3, 3)},
   {grad = false}},
  {cached, {randn(0, 1, 1, 2), randn(0, 1, 1, 2), randn(0, 1, 1, 2)},
   {grad = false}}
}
samples.count_steps = {
  {with("count_steps", {dim = 2}), {randn(2, 3)}, {grad = false}},
  {function(x)
    local at, n = F.count_steps(x, {dim = 1})
    return at, F.count_steps(x, n, {dim = 1})
  end, {randn(2, 3)}, {grad = false}}
}
samples.rotary_embedding = {
  {i.same "rotary_embedding", {randn(3, 4)}},
  {with("rotary_embedding", {offset = 5, base = 100}), {randn(2, 3, 5, 6)}},
  {with("rotary_embedding", {inverse = true}), {randn(0, 2)}}
}
samples.attention = samples.scaled_dot_product_attention
return samples
