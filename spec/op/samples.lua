-- Samples of every operation: {function, inputs, options} for check.sample.
-- operations_spec.lua fails when an operation has none.

local neap = require "neap"
local F = neap.nn.functional

local generator = neap.generator(2024)
local f64 = {dtype = "float64", generator = generator}

local function randn(...) return neap.randn({...}, f64) end
local function positive(...) return neap.rand({...}, f64) + 0.5 end
local function int(t) return neap.tensor(t, {dtype = "int64"}) end
-- apart from each other and from 0: no kinks near
local function distinct(...)
  local n = 1
  for _, size in ipairs{...} do n = n * size end
  local order = neap.randperm(n, {generator = generator}):to("float64")
  return (order * 0.37 - n * 0.2 + 0.05):reshape(...)
end

local function same(name) return function(...) return F[name](...) end end
local function with(name, options)
  return function(...)
    local args = {...}
    args[#args + 1] = options
    return F[name](table.unpack(args))
  end
end

local none = {grad = false}
local sizes = {grad = false, views = false, float32 = false}

local samples = {
  add = {{same "add", {randn(2, 3), randn(2, 3)}},
         {same "add", {randn(2, 3), randn(3)}},
         {same "add", {randn(2, 1), randn(1, 3)}},
         {with("add", {alpha = -2.5}), {randn(4), randn(3, 1)}},
         {function(x) return x + 2 end, {randn(0, 3)}}},
  sub = {{same "sub", {randn(2, 3), randn(3)}},
         {with("sub", {alpha = 3}), {randn(2), randn(2)}},
         {function(x) return 2 - x end, {randn(3)}}},
  mul = {{same "mul", {randn(2, 3), randn(2, 3)}},
         {same "mul", {randn(2, 1, 3), randn(4, 1)}},
         {function(x) return x * x end, {randn(5)}}},
  div = {{same "div", {randn(2, 3), positive(3)}},
         {function(x) return 1 / x end, {positive(4)}}},
  neg = {{same "neg", {randn(2, 3)}}},
  exp = {{same "exp", {randn(2, 19)}}},
  expm1 = {{same "expm1", {randn(2, 19)}}},
  log = {{same "log", {positive(2, 19)}}},
  sqrt = {{same "sqrt", {positive(3, 5)}}},
  relu = {{same "relu", {distinct(3, 7)}}},
  tanh = {{same "tanh", {randn(2, 19)}}},
  sigmoid = {{same "sigmoid", {randn(2, 19)}}},
  sum = {{same "sum", {randn(3, 4)}},
         {with("sum", {dim = 1}), {randn(3, 4)}},
         {with("sum", {dim = {1, 3}, keepdim = true}), {randn(2, 3, 2)}},
         {with("sum", {dim = -1}), {randn(2, 35)}},
         {same "sum", {randn(0, 3)}},
         {with("sum", {dim = 1}), {randn(0, 3)}}},
  mean = {{same "mean", {randn(3, 4)}},
          {with("mean", {dim = {2, 3}}), {randn(2, 3, 2)}}},
  max = {{same "max", {distinct(3, 4)}},
         {with("max", {dim = 1}), {distinct(3, 4)}},
         {with("max", {dim = 2, keepdim = true}), {distinct(2, 3, 4)}},
         {with("max", {dim = -1}), {distinct(3, 37)}}},
  argmax = {{same "argmax", {distinct(3, 4)}, none},
            {with("argmax", {dim = 1, keepdim = true}), {distinct(3, 4)},
             none}},
  matmul = {{same "matmul", {randn(3, 4), randn(4, 2)}},
            {same "matmul", {randn(4), randn(4)}},
            {same "matmul", {randn(2, 3, 4), randn(4)}},
            {same "matmul", {randn(3), randn(2, 3, 2)}},
            {same "matmul", {randn(2, 1, 3, 2), randn(3, 2, 4)}},
            {same "matmul", {randn(9, 19), randn(19, 37)}, {second = false}},
            {same "matmul", {randn(0, 3), randn(3, 2)}},
            {same "matmul", {randn(2, 0), randn(0, 3)}}},
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
  transpose = {{with("transpose", {dim0 = 1, dim1 = -1}), {randn(2, 3, 4)}}},
  reshape = {{function(x) return x:reshape(3, -1) end, {randn(2, 6)}},
             {function(x) return x:transpose(1, 2):reshape{6} end,
              {randn(2, 3)}}},
  expand = {{function(x) return x:expand(4, 2, 3) end, {randn(2, 1)}}},
  flatten = {{with("flatten", {start_dim = 2}), {randn(2, 3, 2)}},
             {same "flatten", {randn(2, 3)}}},
  narrow = {{function(x) return x:narrow(2, 2, 2) end, {randn(2, 4)}},
            {function(x) return x:narrow(1, -2, 0) end, {randn(3, 2)}}},
  slice = {{function(x) return x[{2, {1, -1, 2}}] end, {randn(3, 5)}},
           {function(x) return x[{neap.newaxis, {}, {2, 3}}] end,
            {randn(2, 4)}}},
  slice_scatter = {{function(x, z)
                      local y = x * 1
                      y[{{1, 2}, -1}] = z
                      return y
                    end, {randn(3, 2), randn(2)}}},
  cat = {{function(a, b) return neap.cat({a, b}, 2) end,
          {randn(2, 3), randn(2, 2)}},
         {function(a, b) return neap.cat{a, b, a} end,
          {randn(1, 2), randn(0, 2)}}},
  index_select = {{function(x) return x:index_select(2, int{3, 1, -1}) end,
                   {randn(2, 3)}}},
  index_add = {{function(x, z) return x:index_add(1, int{2, 2, 1}, z) end,
                {randn(2, 3), randn(3, 3)}}},
  gather = {{function(x) return x:gather(2, int{{3, 1}, {2, 2}}) end,
             {randn(2, 3)}}},
  scatter_add = {{function(x, z)
                    return x:scatter_add(1, int{{1, 2, 1}}, z)
                  end, {randn(2, 3), randn(2, 3)}}},
  eq = {{same "eq", {distinct(2, 3), distinct(2, 3)}, none}},
  ne = {{same "ne", {distinct(2, 3), distinct(3)}, none}},
  lt = {{same "lt", {distinct(2, 3), distinct(2, 3)}, none}},
  le = {{same "le", {distinct(2, 3), distinct(2, 1)}, none}},
  gt = {{function(x) return x:gt(0) end, {distinct(2, 3)}, none}},
  ge = {{same "ge", {distinct(2, 3), distinct(2, 3)}, none}},
  to = {{function(x) return x:to("float64") * 2 end, {randn(2, 3)}},
        {function(x) return x:to("int64") end, {distinct(2, 3)}, none}},
  clone = {{same "clone", {randn(2, 3)}}},
  copy = {{function(x, z) return F.copy(x, z) end, {randn(2, 3), randn(3)}}},
  softmax = {{with("softmax", {dim = 2}), {randn(2, 19)}},
             {with("softmax", {dim = 1}), {randn(3, 2, 2)}},
             {with("softmax", {dim = 2}), {randn(0, 3)}}},
  log_softmax = {{with("log_softmax", {dim = -1}), {randn(2, 19)}},
                 {with("log_softmax", {dim = 1}), {randn(3, 2)}}},
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
  dropout = {{function(x)
                return x:dropout{p = 0.4, generator = neap.generator(3)}
              end, {randn(5, 40)}},
             {with("dropout", {p = 0.5, training = false}), {randn(3)}}},
  batch_norm = {
    {function(x, w, b) return F.batch_norm(x, nil, nil, w, b, true) end,
     {randn(5, 3), randn(3), randn(3)}, {rtol = 1e-3}},
    {function(x) return F.batch_norm(x, {training = true}) end,
     {randn(3, 2, 4)}, {rtol = 1e-3}},
    {function(x)
       local mean = neap.tensor({0.5, -1}, {dtype = x.dtype})
       local var = neap.tensor({2, 0.5}, {dtype = x.dtype})
       return F.batch_norm(x, mean, var, {eps = 1e-3})
     end, {randn(4, 2)}}},
  zeros = {{function() return neap.zeros(2, 3) end, {}, sizes}},
  ones = {{function() return neap.ones{2, dtype = "int64"} end, {}, sizes}},
  full = {{function() return neap.full({2, 2}, 7) end, {}, sizes}},
  fill = {{function(x) return F.fill(x, 3) end, {randn(2, 3)}, none}},
  rand = {{function()
             return neap.rand({2, 70}, {generator = neap.generator(1)})
           end, {}, sizes}},
  randn = {{function()
              return neap.randn{2, 70, generator = neap.generator(1)}
            end, {}, sizes}},
  uniform = {{function(x)
                return F.uniform(x, -1, 1, {generator = neap.generator(1)})
              end, {randn(3, 5)}, sizes}},
  normal = {{function(x)
               return F.normal(x, {std = 2, generator = neap.generator(1)})
             end, {randn(3, 5)}, sizes}}
}

for _, name in ipairs{"xavier_uniform", "xavier_normal", "kaiming_uniform",
                      "kaiming_normal"} do
  samples[name] = {{function(w)
    return neap.nn.init[name .. "_"](w:clone(),
                                     {generator = neap.generator(1)})
  end, {randn(3, 5)}, sizes}}
end

return samples
