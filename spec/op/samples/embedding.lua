-- Samples of rows of tables.

local F = require "neap".nn.functional
local i = require "spec.op.samples.inputs"
local randn, distinct, int = i.randn, i.distinct, i.int

local function rows(ids, options)
  return function(w) return F.embedding(int(ids), w, options) end
end

local function bag(ids, options)
  return function(w) return F.embedding_bag(int(ids), w, options) end
end

local samples = {
  embedding = {
    {rows{2, 1, 2}, {randn(3, 4)}},
    {rows({{1, 3}, {3, 2}}, {padding_idx = 4}), {randn(4, 2)}},
    {rows({3, 2}, {scale_grad_by_freq = true, padding_idx = -3}),
     {randn(3, 2)}}},
  embedding_bag = {
    {bag{{1, 2}, {3, 3}}, {randn(3, 4)}},
    {bag({{1, 2, 4}, {4, 4, 4}}, {mode = "sum", padding_idx = 4}),
     {randn(4, 3)}},
    {bag({{1, 2, 4}, {4, 3, 1}}, {mode = "max", padding_idx = 4}),
     {distinct(4, 3)}},
    {function(w)
       return F.embedding_bag(int{1, 3, 2, 2}, w, int{1, 3, 3})
     end, {randn(3, 2)}},
    {function(w, s)
       return F.embedding_bag(int{1, 3, 2, 2}, w, int{1, 2, 5}, s,
                              {mode = "sum", include_last_offset = true})
     end, {randn(3, 2), randn(4)}}},
  embedding_renorm = {
    {function(w)
       return F.embedding_renorm(w, int{1, 3}, {max_norm = 0.5})
     end, {randn(3, 4)}, {grad = false}}}
}
samples.embedding_rows = samples.embedding
return samples
