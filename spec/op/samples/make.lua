-- Samples of operations that make tensors.

local neap = require "neap"
local i = require "spec.op.samples.inputs"
local randn, positive, sizes = i.randn, i.positive, i.sizes

-- options with a generator of its own for every call
local function seeded(options)
  options.generator = neap.generator(1)
  return options
end

local samples = {
  zeros = {{function() return neap.zeros(2, 3) end, {}, sizes}},
  ones = {{function() return neap.ones{2, dtype = "int64"} end, {}, sizes}},
  empty = {{function() return neap.empty(2, 3):fill_(1) end, {}, sizes}},
  full = {{function() return neap.full({2, 2}, 7) end, {}, sizes},
          {function() return neap.full({2}, true) end, {}, sizes}},
  eye = {{function() return neap.eye(3) end, {}, sizes},
         {function() return neap.eye(2, 3) end, {}, sizes}},
  linspace = {{function() return neap.linspace(0, 1, 5) end, {}, sizes}},
  logspace = {{function() return neap.logspace(0, 2, 3) end, {}, sizes}},
  rand = {{function() return neap.rand({2, 70}, seeded{}) end, {}, sizes}},
  randn = {{function() return neap.randn(seeded{2, 70}) end, {}, sizes}},
  rand_like = {{function(x) return neap.rand_like(x, seeded{}) end,
                {randn(2, 3)}, sizes}},
  randn_like = {{function(x) return neap.randn_like(x, seeded{}) end,
                 {randn(2, 3)}, sizes}},
  randint = {{function() return neap.randint(1, 6, {3, 4}, seeded{}) end,
              {}, sizes}},
  randperm = {{function() return neap.randperm(9, seeded{}) end, {}, sizes}},
  multinomial = {{function(w) return w:multinomial(2, seeded{}) end,
                  {positive(3, 4)}, sizes},
                 {function(w)
                    return w:multinomial(9, true, seeded{})
                  end, {positive(4)}, sizes}}
}

for name, options in pairs{
  xavier_uniform = {}, xavier_normal = {}, kaiming_uniform = {},
  kaiming_normal = {}, lecun_uniform = {}, lecun_normal = {},
  trunc_normal = {}, orthogonal = {gain = 2}, sparse = {sparsity = 0.5}
} do
  samples[name] = {{function(w)
    return neap.nn.init[name .. "_"](w:clone(), seeded(options))
  end, {randn(3, 5)}, sizes}}
end
samples.identity = {{function(w)
  return neap.nn.init.identity_(w:clone())
end, {randn(3, 5)}, sizes}}
samples.dirac = {{function(w)
  return neap.nn.init.dirac_(w:clone(), {groups = 2})
end, {randn(4, 3, 2, 3)}, sizes}}

return samples
