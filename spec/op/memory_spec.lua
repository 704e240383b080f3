local neap = require "neap"
local check = require "spec.support.check"
local samples = require "spec.op.samples"

-- Inputs that want gradients and lie in memory in reverse order of
-- dimensions.
local function awkward(inputs, wants)
  local out = {}
  for i, x in ipairs(inputs) do
    local dims = {}
    for d = 1, x.ndim do dims[d] = x.ndim + 1 - d end
    if x.ndim > 1 then x = x:permute(dims):contiguous():permute(dims) end
    out[i] = wants and x.dtype:find "float" and x:detach():requires_grad_()
             or x
  end
  return out
end

local function results_of(...)
  local list = table.pack(...)
  return type(list[1]) == "table" and list[1] or list
end

-- Applies an operation and finds gradients of its first result that has
-- some; .grad is left alone, since a failing backward may have filled it.
local function once(f, inputs)
  local leaves = {}
  for _, x in ipairs(inputs) do
    if x.requires_grad then leaves[#leaves + 1] = x end
  end
  for _, y in ipairs(results_of(f(table.unpack(inputs)))) do
    if neap.is_tensor(y) and y.requires_grad then
      return neap.grad(y:sum(), leaves)
    end
  end
end

describe("without memory", function()

  it("a sum of one element fails cleanly at every request", function()
    local x = neap.ones(1, 1)
    check.out_of_memory(function() return x:sum(1) end)
  end)

  local names = {}
  for name in pairs(samples) do names[#names + 1] = name end
  table.sort(names)

  for _, name in ipairs(names) do
    it(name .. " fails cleanly at every request", function()
      local f, inputs, options = table.unpack(samples[name][1])
      local state = neap.get_rng_state()
      local given = awkward(inputs, not (options and
                                         options.grad == false))
      check.out_of_memory(function()
        neap.set_rng_state(state)
        once(f, given)
      end)
    end)
  end

end)
