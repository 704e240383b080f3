-- Samples of losses.

local neap = require "neap"
local F = neap.nn.functional
local i = require "spec.op.samples.inputs"
local randn, positive, unit, int = i.randn, i.positive, i.unit, i.int
local with = i.with

local function f64(t) return neap.tensor(t, {dtype = "float64"}) end

-- probabilities away from 0 and 1
local function shares(...) return unit(...) * 0.4 + 0.5 end

local signs = f64{{1, -1, 1}, {-1, -1, 1}}

local samples = {}

-- a loss of x and target, with all reductions; some with options
local function pair(name, x, target, ...)
  samples[name] = {{with(name, {reduction = "none"}), {x, target}},
                   {with(name, {reduction = "sum"}), {x, target}}}
  for _, options in ipairs{{}, ...} do
    table.insert(samples[name], {with(name, options), {x, target}})
  end
end

pair("l1_loss", randn(2, 3), randn(2, 3))
pair("smooth_l1_loss", randn(2, 3), randn(2, 3), {beta = 0.4}, {beta = 0})
pair("huber_loss", randn(2, 3), randn(2, 3), {delta = 0.4})
pair("binary_cross_entropy", shares(2, 3), shares(2, 3))
pair("binary_cross_entropy_with_logits", randn(2, 3), shares(2, 3))
pair("sigmoid_focal_loss", randn(2, 3), shares(2, 3),
     {alpha = -1, gamma = 1.5})
pair("dice_loss", shares(2, 3, 2), shares(2, 3, 2), {smooth = 0.1})
pair("kl_div", randn(2, 3), positive(2, 3), {reduction = "batchmean"},
     {log_target = true})
pair("poisson_nll_loss", positive(2, 3), positive(2, 3) * 2, {full = true},
     {log_input = false, eps = 0.1})
pair("hinge_loss", randn(2, 3), signs:clone())
pair("soft_margin_loss", randn(2, 3), signs:clone())

for name, list in pairs{
  binary_cross_entropy = {function(x, t, w)
    return F.binary_cross_entropy(x, t, w)
  end, {shares(2, 3), shares(2, 3), positive(3)}},
  binary_cross_entropy_with_logits = {function(x, t, w, p)
    return F.binary_cross_entropy_with_logits(x, t, w, p,
                                              {reduction = "sum"})
  end, {randn(2, 3), shares(2, 3), positive(2, 3), positive(3)}}
} do
  table.insert(samples[name], list)
end
samples.bce_each = samples.binary_cross_entropy

samples.mse_loss = {{with("mse_loss", {reduction = "none"}),
                     {randn(2, 3), randn(2, 3)}},
                    {F.mse_loss, {randn(2, 3), randn(2, 3)}}}
samples.gaussian_nll_loss = {
  {F.gaussian_nll_loss, {randn(2, 3), randn(2, 3), positive(2, 3)}},
  {with("gaussian_nll_loss", {full = true, reduction = "sum"}),
   {randn(2, 3), randn(2, 3), positive(2, 1)}},
  {with("gaussian_nll_loss", {reduction = "none"}),
   {randn(2, 3), randn(2, 3), positive(2)}}}

local function signed(name, options)
  return function(x) return F[name](x, signs:to(x.dtype), options) end
end
samples.hinge_embedding_loss = {
  {signed "hinge_embedding_loss", {randn(2, 3)}},
  {signed("hinge_embedding_loss", {margin = 0.3, reduction = "none"}),
   {randn(2, 3)}}}
samples.margin_ranking_loss = {
  {function(x, z) return F.margin_ranking_loss(x, z, signs) end,
   {randn(2, 3), randn(2, 3)}},
  {function(x, z)
     return F.margin_ranking_loss(x, z, signs, {margin = 0.7,
                                                reduction = "none"})
   end, {randn(2, 3), randn(2, 3)}}}
samples.cosine_embedding_loss = {
  {function(x, z)
     return F.cosine_embedding_loss(x, z, f64{1, -1, -1}, {margin = -0.9})
   end, {randn(3, 4), randn(3, 4)}},
  {function(x, z)
     return F.cosine_embedding_loss(x, z, f64(1), {reduction = "none"})
   end, {randn(4), randn(4)}, {empty = false}}}
samples.triplet_margin_loss = {
  {F.triplet_margin_loss, {randn(3, 4), randn(3, 4), randn(3, 4)}},
  {with("triplet_margin_loss", {margin = 3, p = 3, swap = true,
                                reduction = "none"}),
   {randn(3, 4), randn(3, 4), randn(3, 4)}}}
samples.multi_margin_loss = {
  {function(x) return F.multi_margin_loss(x, int{2, 1, 3}) end,
   {randn(3, 4)}, {empty = false}},
  {function(x, w)
     return F.multi_margin_loss(x, int{2, 4}, w, {p = 2, margin = 0.5,
                                                  reduction = "none"})
   end, {randn(2, 4), positive(4)}, {empty = false}}}
samples.nll_loss = {
  {function(x) return F.nll_loss(x, int{2, 1, 3}) end, {randn(3, 3)}},
  {function(x, w)
     return F.nll_loss(x, int{2, -100, 3}, w)
   end, {randn(3, 4), positive(4)}},
  {function(x)
     return F.nll_loss(x, int{{1, 2}, {3, 1}}, {reduction = "none"})
   end, {randn(2, 3, 2)}},
  {function(x) return F.nll_loss(x, int(2)) end, {randn(3)}}}
local function ctc(targets, lengths, options)
  return function(x)
    return F.ctc_loss(x:log_softmax(-1), int(targets), int{5, 4},
                      int(lengths), options)
  end
end
samples.ctc_loss = {
  {ctc({{2, 3}, {3, 3}}, {2, 2}), {randn(5, 2, 4)},
   {second = false, empty = false}},
  {ctc({2, 3, 2, 4}, {3, 1}, {reduction = "none"}), {randn(5, 2, 4)},
   {second = false, empty = false}},
  {ctc({{1, 2}, {2, 1}}, {0, 2}, {blank = 4, reduction = "sum"}),
   {randn(5, 2, 4)}, {second = false, empty = false}},
  {function(x)                            -- a gradient for each element
     return F.ctc_loss(x, int{{2, 3}, {3, 3}}, int{5, 4}, int{2, 2})
   end, {randn(5, 2, 3)}, {second = false, empty = false}}}
samples.ctc_each = samples.ctc_loss
return samples
