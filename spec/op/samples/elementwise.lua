-- Samples of operations element by element.

local neap = require "neap"
local F = neap.nn.functional
local i = require "spec.op.samples.inputs"
local randn, positive, unit, distinct = i.randn, i.positive, i.unit,
                                        i.distinct
local int, mask, same, with = i.int, i.mask, i.same, i.with
local none, ints, none_ints, sizes = i.none, i.ints, i.none_ints, i.sizes

local samples = {
  add = {{same "add", {randn(2, 3), randn(2, 3)}, ints},
         {same "add", {randn(2, 3), randn(3)}, ints},
         {same "add", {randn(2, 1), randn(1, 3)}},
         {with("add", {alpha = -2.5}), {randn(4), randn(3, 1)}},
         {function(x) return x + 2 end, {randn(0, 3)}, ints}},
  sub = {{same "sub", {randn(2, 3), randn(3)}, ints},
         {with("sub", {alpha = 3}), {randn(2), randn(2)}},
         {function(x) return 2 - x end, {randn(3)}, ints}},
  mul = {{same "mul", {randn(2, 3), randn(2, 3)}, ints},
         {same "mul", {randn(2, 1, 3), randn(4, 1)}, ints},
         {function(x) return x * x end, {randn(5)}}},
  div = {{same "div", {randn(2, 3), positive(3)}},
         {function(x) return 1 / x end, {positive(4)}},
         {with("div", {rounding_mode = "floor"}),
          {distinct(2, 3), positive(3)}},
         {with("div", {rounding_mode = "trunc"}),
          {distinct(2, 3), positive(3)}}},
  floor_divide = {{same "floor_divide", {distinct(2, 3), positive(3)}, none},
                  {function(x) return x // 3 end, {distinct(2, 3)},
                   none_ints}},
  remainder = {{same "remainder", {distinct(2, 3), positive(3)}},
               {function(x) return x % 3 end, {distinct(2, 3)}, ints},
               {function(x) return x % -0.7 end, {distinct(2, 3)}}},
  fmod = {{same "fmod", {distinct(2, 3), positive(3)}},
          {function(x) return x:fmod(-3) end, {distinct(2, 3)}, ints}},
  pow = {{same "pow", {positive(2, 3), randn(3)}},
         {function(x) return x ^ 2 end, {randn(2, 3)}, ints},
         {function(x) return x ^ 3 end, {randn(2, 3)}, ints},
         {function(x) return x ^ 0.5 end, {positive(2, 3)}},
         {function(x) return x ^ -0.5 end, {positive(2, 3)}},
         {function(x) return x ^ -1 end, {positive(2, 3)}},
         {function(x) return x ^ 0 end, {randn(2, 3)}},
         {function(x) return x ^ 1.7 end, {positive(2, 3)}},
         {function(x) return 2 ^ x end, {randn(2, 3)}}},
  atan2 = {{same "atan2", {randn(2, 3), randn(3)}}},
  hypot = {{same "hypot", {randn(2, 3), randn(3)}}},
  logaddexp = {{same "logaddexp", {randn(2, 3), randn(3)}}},
  logaddexp2 = {{same "logaddexp2", {randn(2, 3), randn(3)}}},
  copysign = {{same "copysign", {randn(2, 3), randn(3)}}},
  maximum = {{same "maximum", {distinct(2, 3), distinct(2, 3) + 0.1}, ints},
             {same "maximum", {distinct(2, 3), randn(3)}}},
  minimum = {{same "minimum", {distinct(2, 3), distinct(2, 3) + 0.1}, ints},
             {same "minimum", {distinct(2, 3), randn(3)}}},
  clamp = {{function(x) return x:clamp(-0.5, 0.5) end, {distinct(3, 4)}},
           {function(x) return x:clamp(1, 3) end, {distinct(3, 4)}, ints},
           {function(x) return x:clamp{min = 0} end, {distinct(3, 4)}, ints},
           {function(x) return x:clamp{max = 0.3} end, {distinct(3, 4)}},
           {same "clamp", {distinct(2, 3), randn(3) - 1, randn(2, 1) + 1}}},
  where = {{function(x, z) return neap.where(mask{true, false, true}, x, z)
            end, {randn(2, 3), randn(2, 3)}, ints},
           {function(x) return neap.where(x:gt(0), x, 0) end,
            {distinct(2, 3)}, ints},
           {function(x, z) return neap.where(mask{{true}, {false}}, x, z)
            end, {randn(3), randn(2, 1)}}},
  masked_fill = {{function(x)
                    return x:masked_fill(mask{true, false, true}, 7)
                  end, {randn(2, 3)}, ints},
                 {function(x, v)
                    return x:masked_fill(mask{{true}, {false}}, v:sum())
                  end, {randn(2, 3), randn(1)}}},
  lerp = {{same "lerp", {randn(2, 3), randn(2, 3), positive(3)}},
          {function(x, z) return x:lerp(z, 0.3) end, {randn(2), randn(2)}}},
  addcmul = {{with("addcmul", {value = 0.5}),
              {randn(2, 3), randn(3), randn(2, 1)}}},
  addcdiv = {{with("addcdiv", {value = 0.5}),
              {randn(2, 3), randn(3), positive(2, 1)}}},
  to = {{function(x) return x:to("float64") * 2 end, {randn(2, 3)}},
        {function(x) return x:to("int64") end, {distinct(2, 3)}, none}},
  clone = {{same "clone", {randn(2, 3)}, ints}},
  copy = {{same "copy", {randn(2, 3), randn(3)}, ints}},
  nan_to_num = {{same "nan_to_num", {randn(2, 3)}},
                {function(x)
                   return (x / 0):nan_to_num{nan = 1, posinf = 2, neginf = 3}
                 end, {neap.tensor({-1, 0, 1}, {dtype = "float64"})}, none}},
  logit = {{same "logit", {unit(2, 3) * 0.4 + 0.5}},
           {with("logit", {eps = 0.2}), {unit(2, 3) * 0.4 + 0.5}}},
  isclose = {{function(x) return x:isclose(x + 1e-6) end, {randn(2, 3)},
              none},
             {with("isclose", {atol = 0.5}), {randn(2, 3), randn(3)}, none}},
  elastic_slope = {{with("elastic_slope", {l1 = 0.3, l2 = 2}),
                    {randn(3, 40), randn(3, 40)}, none}},
  elastic_shrink = {{with("elastic_shrink", {l1 = 0.3, l2 = 2}),
                     {randn(3, 40)}, none}},
  fill = {{function(x) return F.fill(x, 3) end, {randn(2, 3)}, none_ints}}
}

for _, name in ipairs{"abs", "neg", "sign", "floor", "ceil", "round",
                      "trunc"} do
  samples[name] = {{same(name), {distinct(2, 19)}, ints}}
end
samples.square = {{same "square", {randn(2, 19)}, ints}}
samples.relu = {{same "relu", {distinct(3, 7)}, ints}}
for _, name in ipairs{"exp", "exp2", "expm1", "sin", "cos", "atan", "sinh",
                      "cosh", "asinh", "erf", "erfc", "tanh", "sigmoid",
                      "silu", "gelu", "mish", "elu", "celu", "selu",
                      "softplus", "logsigmoid", "sinc"} do
  samples[name] = {{same(name), {randn(2, 19)}}}
end
for _, name in ipairs{"frac", "relu6", "leaky_relu", "hardtanh", "hardswish",
                      "hardsigmoid", "softsign", "tanhshrink", "softshrink",
                      "hardshrink"} do
  samples[name] = {{same(name), {distinct(2, 19)}}}
end
for _, name in ipairs{"sqrt", "rsqrt", "reciprocal", "log", "log2", "log10",
                      "lgamma", "digamma"} do
  samples[name] = {{same(name), {positive(2, 19)}}}
end
for _, name in ipairs{"tan", "asin", "acos", "atanh", "erfinv", "log1p"} do
  samples[name] = {{same(name), {unit(2, 19)}}}
end
samples.polygamma = {{with("polygamma", {n = 1}), {positive(2, 19)}},
                     {with("polygamma", {n = 0}), {positive(2, 3)}},
                     {with("polygamma", {n = 3}), {positive(2, 3)}},
                     {with("polygamma", {n = 1}), {unit(2, 3)}, none}}
samples.acosh = {{same "acosh", {positive(2, 19) + 1}}}
table.insert(samples.gelu, {with("gelu", {approximate = "tanh"}),
                            {randn(2, 19)}})
table.insert(samples.elu, {with("elu", {alpha = 0.7}), {randn(2, 19)}})
table.insert(samples.celu, {with("celu", {alpha = 1.4}), {randn(2, 19)}})
table.insert(samples.softplus, {with("softplus", {beta = 3, threshold = 2}),
                                {distinct(2, 19)}})
table.insert(samples.leaky_relu, {with("leaky_relu", {negative_slope = 0.3}),
                                  {distinct(2, 19)}})
table.insert(samples.hardtanh, {with("hardtanh", {min_val = -2, max_val = 1}),
                                {distinct(2, 19)}})
samples.threshold = {{with("threshold", {threshold = 0.1, value = 20}),
                      {distinct(2, 19)}}}
samples.glu = {{same "glu", {randn(2, 6)}},
               {with("glu", {dim = 1}), {randn(4, 3)}}}
samples.prelu = {{same "prelu", {distinct(2, 3, 2), randn(3)}},
                 {same "prelu", {distinct(2, 3), randn(1)}}}

for _, name in ipairs{"eq", "ne", "lt", "le", "gt", "ge"} do
  samples[name] = {{same(name), {distinct(2, 3), distinct(2, 3)}, none_ints},
                   {same(name), {distinct(2, 3), distinct(3)}, none_ints},
                   {function(x) return F[name](x, 1) end, {distinct(2, 3)},
                    none_ints}}
end
for _, name in ipairs{"isnan", "isinf", "isfinite", "signbit"} do
  samples[name] = {{same(name), {randn(2, 3)}, none_ints},
                   {same(name), {neap.tensor({0/0, 1/0, -1/0, 1, -0.0},
                                             {dtype = "float64"})}, none}}
end
for _, name in ipairs{"logical_and", "logical_or", "logical_xor"} do
  samples[name] = {{function(x, z) return F[name](x:gt(0), z) end,
                    {distinct(2, 3), distinct(3)}, none_ints}}
end
samples.logical_not = {{function(x) return x:gt(0):logical_not() end,
                        {distinct(2, 3)}, none_ints}}
local a, b = int{{12, 10, 255}, {1, 0, 7}}, int{10, 6, 3}
for _, name in ipairs{"bitwise_and", "bitwise_or", "bitwise_xor",
                      "bitwise_left_shift", "bitwise_right_shift"} do
  samples[name] = {{same(name), {a, b}, none}, {same(name), {a, int{2}},
                                                none}}
end
samples.bitwise_not = {{same "bitwise_not", {a}, none},
                       {function(x) return x:gt(0):bitwise_not() end,
                        {distinct(2, 3)}, none_ints}}

for _, name in ipairs{"uniform", "normal", "exponential"} do
  samples[name] = {{function(x)
                      return F[name](x, {generator = neap.generator(1)})
                    end, {randn(3, 5)}, sizes}}
end
samples.bernoulli = {{function(x)
                        return F.bernoulli(x, {generator = neap.generator(1)})
                      end, {unit(3, 5) * 0.5 + 0.5}, sizes},
                     {function(x)
                        return F.bernoulli(x, {p = 0.3,
                                           generator = neap.generator(1)})
                      end, {randn(3, 5)}, sizes}}
return samples
