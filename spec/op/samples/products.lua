-- Samples of products, layers' functions and losses.

local neap = require "neap"
local F = neap.nn.functional
local i = require "spec.op.samples.inputs"
local randn, distinct, int = i.randn, i.distinct, i.int
local same, with = i.same, i.with

return {
  matmul = {{same "matmul", {randn(3, 4), randn(4, 2)}},
            {same "matmul", {randn(4), randn(4)}},
            {same "matmul", {randn(2, 3, 4), randn(4)}},
            {same "matmul", {randn(3), randn(2, 3, 2)}},
            {same "matmul", {randn(2, 1, 3, 2), randn(3, 2, 4)}},
            {same "matmul", {randn(9, 19), randn(19, 37)}, {second = false}},
            {same "matmul", {randn(0, 3), randn(3, 2)}},
            {same "matmul", {randn(2, 0), randn(0, 3)}}},
  mm = {{same "mm", {randn(3, 4), randn(4, 2)}}},
  mv = {{same "mv", {randn(3, 4), randn(4)}}},
  dot = {{same "dot", {randn(4), randn(4)}}},
  bmm = {{same "bmm", {randn(2, 3, 4), randn(2, 4, 2)}}},
  outer = {{same "outer", {randn(3), randn(2)}}},
  addmm = {{with("addmm", {beta = 0.5, alpha = -2}),
            {randn(2), randn(3, 4), randn(4, 2)}}},
  addmv = {{same "addmv", {randn(3), randn(3, 4), randn(4)}}},
  baddbmm = {{same "baddbmm", {randn(2, 3, 2), randn(2, 3, 4),
                               randn(2, 4, 2)}}},
  tensordot = {{same "tensordot", {randn(2, 3, 4), randn(3, 4, 2)}},
               {with("tensordot", {x_dims = {1, 3}, z_dims = {2, 1}}),
                {randn(2, 3, 4), randn(4, 2, 3)}}},
  kron = {{same "kron", {randn(2, 3), randn(3, 2)}},
          {same "kron", {randn(2), randn(2, 2)}}},
  einsum = {{function(x, z) return neap.einsum("ij,jk->ik", x, z) end,
             {randn(2, 3), randn(3, 4)}},
            {function(x) return neap.einsum("ii->i", x) end, {randn(3, 3)}},
            {function(x) return neap.einsum("ij->", x) end, {randn(2, 3)}},
            {function(x, z) return neap.einsum("b...i,bi->b...", x, z) end,
             {randn(2, 3, 2, 4), randn(2, 4)}},
            {function(x, y, z)
               return neap.einsum("ij,jk,kl->il", x, y, z)
             end, {randn(2, 3), randn(3, 2), randn(2, 4)}},
            {function(x, z) return neap.einsum("...i,...i", x, z) end,
             {randn(2, 1, 3), randn(4, 3)}}},
  cdist = {{same "cdist", {randn(3, 2), randn(4, 2)}},
           {with("cdist", {p = 1}), {distinct(3, 2), randn(4, 2)}},
           {with("cdist", {p = 3}), {randn(2, 3, 2), randn(4, 2)}}},
  pairwise_distance = {{same "pairwise_distance", {randn(3, 4), randn(3, 4)}}},
  normalize = {{same "normalize", {randn(3, 4)}},
               {with("normalize", {p = 1, dim = 1}), {randn(3, 4)}}},
  cosine_similarity = {{same "cosine_similarity", {randn(3, 4), randn(4)}}},
  linear = {{same "linear", {randn(2, 3), randn(4, 3), randn(4)}},
            {same "linear", {randn(2, 2, 3), randn(4, 3)}},
            {same "linear", {randn(3), randn(4, 3), randn(4)}},
            {with("linear", {activation = "tanh"}),
             {randn(2, 3), randn(4, 3), randn(4)}},
            {with("linear", {activation = "sigmoid"}),
             {randn(2, 3), randn(4, 3), randn(4)}},
            {with("linear", {activation = "relu"}),
             {distinct(2, 3), randn(4, 3), randn(4)}},
            {same "linear", {randn(0, 3), randn(4, 3), randn(4)}}},
  cross_entropy = {
    {function(x) return F.cross_entropy(x, int{2, 1, 3}) end, {randn(3, 3)}},
    {function(x)
       return F.cross_entropy(x, int{2, -100, 3}, {label_smoothing = 0.1})
     end, {randn(3, 5)}},
    {function(x)
       local w = neap.tensor({1, 0.5, 2}, {dtype = x.dtype})
       return F.cross_entropy(x, int{2, 1}, {weight = w, reduction = "none"})
     end, {randn(2, 3)}},
    {function(x) return F.cross_entropy(x, int{{1, 2}, {3, 1}},
                                        {reduction = "sum"}) end,
     {randn(2, 3, 2)}},
    {function(x, t)
       return F.cross_entropy(x, t:softmax(2), {label_smoothing = 0.2})
     end, {randn(2, 3), randn(2, 3)}},
    {function(x) return F.cross_entropy(x, int(2)) end, {randn(3)}}},
  mse_loss = {{same "mse_loss", {randn(2, 3), randn(2, 3)}},
              {with("mse_loss", {reduction = "sum"}), {randn(4), randn(4)}},
              {with("mse_loss", {reduction = "none"}),
               {randn(2, 2), randn(2, 2)}}},
  layer_norm = {
    {function(x, w, b) return F.layer_norm(x, {3}, w, b) end,
     {randn(5, 3), randn(3), randn(3)}, {rtol = 1e-3, expanded = false}},
    {function(x, w) return F.layer_norm(x, {2, 4}, w) end,
     {randn(3, 2, 4), randn(2, 4)}, {rtol = 1e-3, expanded = false}},
    {function(x) return F.layer_norm(x, 40, {eps = 1e-3}) end,
     {randn(2, 40)}, {rtol = 1e-3, expanded = false}}},
  rms_norm = {
    {function(x, w) return F.rms_norm(x, {5}, w) end,
     {randn(4, 5), randn(5)}, {rtol = 1e-3}},
    {function(x) return F.rms_norm(x, 37) end, {randn(37)}, {rtol = 1e-3}}},
  group_norm = {
    {function(x, w, b) return F.group_norm(x, 2, w, b) end,
     {randn(3, 4, 2), randn(4), randn(4)}, {rtol = 1e-3, expanded = false}},
    {function(x) return F.group_norm(x, 1) end, {randn(2, 6)},
     {rtol = 1e-3, expanded = false}}},
  instance_norm = {
    {function(x, w, b) return F.instance_norm(x, w, b) end,
     {randn(2, 3, 5), randn(3), randn(3)}, {rtol = 1e-3, expanded = false}},
    {function(x) return F.instance_norm(x, {eps = 1e-2}) end,
     {randn(2, 2, 3, 2)}, {rtol = 1e-3, expanded = false}}},
  batch_norm = {
    {function(x, w, b) return F.batch_norm(x, nil, nil, w, b, true) end,
     {randn(5, 3), randn(3), randn(3)}, {rtol = 1e-3, expanded = false}},
    {function(x) return F.batch_norm(x, {training = true}) end,
     {randn(3, 2, 4)}, {rtol = 1e-3, expanded = false}},
    {function(x)
       local mean = neap.tensor({0.5, -1}, {dtype = x.dtype})
       local var = neap.tensor({2, 0.5}, {dtype = x.dtype})
       return F.batch_norm(x, mean, var, {eps = 1e-3})
     end, {randn(4, 2)}}}
}
