-- Samples of operations that reduce, run along or sort dimensions.

local neap = require "neap"
local i = require "spec.op.samples.inputs"
local randn, positive, distinct, int = i.randn, i.positive, i.distinct, i.int
local same, with = i.same, i.with
local none, ints, none_ints = i.none, i.ints, i.none_ints

local samples = {
  sum = {{same "sum", {randn(3, 4)}, ints},
         {with("sum", {dim = 1}), {randn(3, 4)}, ints},
         {with("sum", {dim = {1, 3}, keepdim = true}), {randn(2, 3, 2)}, ints},
         {with("sum", {dim = 2}), {randn(2, 5, 3)}},
         {with("sum", {dim = -1}), {randn(2, 35)}},
         {with("sum", {dim = 1}), {randn(70, 3)}},
         {same "sum", {randn(0, 3)}},
         {with("sum", {dim = 1}), {randn(0, 3)}}},
  mean = {{same "mean", {randn(3, 4)}},
          {with("mean", {dim = {2, 3}}), {randn(2, 3, 2)}}},
  prod = {{same "prod", {randn(3, 4)}, ints},
          {with("prod", {dim = 2}), {randn(2, 3, 2)}, ints},
          {with("prod", {dim = {1, 3}, keepdim = true}), {randn(2, 3, 2)}},
          {function(x) return (x * neap.tensor({1, 0, 1, 0},
             {dtype = x.dtype})):prod(2) end, {randn(3, 4)}}},
  any = {{function(x) return x:gt(0.3):any() end, {randn(2, 3)}, none},
         {with("any", {dim = 2, keepdim = true}), {randn(2, 3)}, none_ints}},
  all = {{function(x) return x:gt(-0.3):all(1) end, {randn(2, 3)}, none},
         {same "all", {randn(2, 3)}, none_ints}},
  count_nonzero = {{same "count_nonzero", {randn(2, 3)}, none_ints},
                   {with("count_nonzero", {dim = 1}), {randn(2, 3)},
                    none_ints}},
  var = {{same "var", {randn(3, 4)}},
         {with("var", {dim = 1}), {randn(5, 3)}},
         {with("var", {dim = {2, 3}, unbiased = false, keepdim = true}),
          {randn(2, 3, 2)}},
         {with("var", {dim = 2, correction = 0}), {randn(2, 40)}}},
  std = {{same "std", {randn(3, 4)}},
         {with("std", {dim = -1, unbiased = false}), {randn(2, 5)}}},
  norm = {{same "norm", {randn(3, 4)}},
          {with("norm", {dim = 1}), {randn(3, 4)}},
          {with("norm", {p = 1, dim = 2, keepdim = true}), {randn(3, 4)}},
          {with("norm", {p = 3, dim = {1, 3}}), {randn(2, 3, 2)}},
          {with("norm", {p = math.huge, dim = 2}), {distinct(3, 4)}},
          {with("norm", {p = -math.huge, dim = 2}), {distinct(3, 4)}},
          {with("norm", {p = 0, dim = 2}), {randn(3, 4)}},
          {with("norm", {p = 2.5}), {randn(3, 4)}}},
  logsumexp = {{same "logsumexp", {randn(3, 4)}},
               {with("logsumexp", {dim = {1, 3}}), {randn(2, 3, 2)}},
               {with("logsumexp", {dim = 2, keepdim = true}),
                {randn(2, 37)}}},
  softmax = {{with("softmax", {dim = 2}), {randn(2, 19)}},
             {with("softmax", {dim = 1}), {randn(3, 2, 2)}},
             {with("softmax", {dim = 2}), {randn(0, 3)}}},
  log_softmax = {{with("log_softmax", {dim = -1}), {randn(2, 19)}},
                 {with("log_softmax", {dim = 1}), {randn(3, 2)}}},
  median = {{same "median", {distinct(3, 4)}, ints},
            {with("median", {dim = 1}), {distinct(4, 3)}, ints},
            {with("median", {dim = 2, keepdim = true}), {distinct(2, 70)}}},
  mode = {{same "mode", {int{{1, 2, 2, 3}, {4, 4, 1, 1}}}, none_ints},
          {with("mode", {dim = 1}), {distinct(4, 3)}}},
  quantile = {{function(x) return x:quantile(0.3) end, {distinct(3, 4)}},
              {function(x)
                 return x:quantile(neap.tensor{0, 0.25, 1}, {dim = 1,
                                   keepdim = true})
               end, {distinct(5, 3)}},
              {function(x)
                 return x:quantile(0.4, {dim = -1, interpolation = "nearest"})
               end, {distinct(2, 7)}}},
  cumsum = {{with("cumsum", {dim = 1}), {randn(3, 4)}, ints},
            {with("cumsum", {dim = 2}), {randn(3, 4)}, ints},
            {with("cumsum", {dim = -2}), {randn(2, 3, 2)}}},
  cumprod = {{with("cumprod", {dim = 1}), {randn(3, 4)}, ints},
             {with("cumprod", {dim = 2}), {randn(3, 4)}},
             {function(x) return (x * neap.tensor({1, 0, 1, 0},
                {dtype = x.dtype})):cumprod(2) end, {randn(3, 4)}}},
  logcumsumexp = {{with("logcumsumexp", {dim = 1}), {randn(4, 3)}},
                  {with("logcumsumexp", {dim = 2}), {randn(3, 4)}}},
  cummax = {{with("cummax", {dim = 1}), {distinct(4, 3)}, ints},
            {with("cummax", {dim = 2}), {distinct(3, 4)}}},
  cummin = {{with("cummin", {dim = 1}), {distinct(4, 3)}, ints},
            {with("cummin", {dim = 2}), {distinct(3, 4)}}},
  sort = {{same "sort", {distinct(3, 4)}, ints},
          {with("sort", {dim = 1, descending = true}), {distinct(4, 3)}, ints},
          {with("sort", {dim = 2}), {distinct(2, 90)}}},
  argsort = {{same "argsort", {distinct(3, 4)}, none_ints},
             {with("argsort", {dim = 1, descending = true}),
              {distinct(4, 3)}, none_ints}},
  topk = {{with("topk", {k = 2}), {distinct(3, 5)}, ints},
          {with("topk", {k = 3, dim = 1, largest = false}),
           {distinct(5, 3)}, ints},
          {with("topk", {k = 70}), {distinct(2, 200)}}},
  kthvalue = {{with("kthvalue", {k = 2}), {distinct(3, 5)}, ints},
              {with("kthvalue", {k = 4, dim = 1, keepdim = true}),
               {distinct(5, 3)}},
              {with("kthvalue", {k = 60}), {distinct(2, 120)}}},
  unique = {{with("unique", {return_inverse = true, return_counts = true}),
             {int{{3, 1, 3}, {2, 1, 1}}}, none_ints},
            {with("unique", {dim = 2, return_counts = true}),
             {int{{1, 2, 1}, {0, 5, 0}}}, none_ints}},
  searchsorted = {{function(x)
                     return neap.searchsorted(x:sort(), x - 0.1)
                   end, {distinct(3, 4)}, none},
                  {function(x)
                     return neap.searchsorted(neap.tensor({1, 2, 2, 3},
                       {dtype = x.dtype}), x, {right = true})
                   end, {neap.tensor({0, 2, 3, 9}, {dtype = "float64"})},
                   none_ints}},
  bincount = {{same "bincount", {int{1, 3, 3, 2}}, none_ints},
              {function(x, w)
                 return int{1, 3, 3}:bincount(w, {minlength = 5}) + 0 * x:sum()
               end, {randn(2), positive(3)}, none}},
  histc = {{with("histc", {bins = 4}), {randn(20)}, none},
           {with("histc", {bins = 3, min = -1, max = 1}), {randn(20)}, none}},
  one_hot = {{same "one_hot", {int{{1, 3}, {2, 2}}}, none_ints},
             {with("one_hot", {num_classes = 5}), {int{1, 3}}, none_ints}}
}

for _, name in ipairs{"max", "min"} do
  samples[name] = {{same(name), {distinct(3, 4)}, ints},
                   {with(name, {dim = 1}), {distinct(3, 4)}, ints},
                   {with(name, {dim = 2, keepdim = true}),
                    {distinct(2, 3, 4)}},
                   {with(name, {dim = -1}), {distinct(3, 37)}}}
  local arg = "arg" .. name
  samples[arg] = {{same(arg), {distinct(3, 4)}, none_ints},
                  {with(arg, {dim = 1, keepdim = true}), {distinct(3, 4)},
                   none_ints},
                  {with(arg, {dim = 2}), {distinct(3, 40)}, none}}
  local a = "a" .. name
  samples[a] = {{same(a), {distinct(3, 4)}, ints},
                {with(a, {dim = {1, 3}}), {distinct(2, 3, 4)}, ints},
                {with(a, {dim = 2, keepdim = true}), {distinct(2, 40)}}}
end

return samples
