-- Inputs for samples of operations, the same in every run.

local neap = require "neap"
local F = neap.nn.functional

local generator = neap.generator(2024)
local f64 = {dtype = "float64", generator = generator}
local inputs = {}

function inputs.randn(...) return neap.randn({...}, f64) end
function inputs.positive(...) return neap.rand({...}, f64) + 0.5 end
-- inside (-0.9, 0.9)
function inputs.unit(...) return neap.rand({...}, f64) * 1.8 - 0.9 end
function inputs.int(t) return neap.tensor(t, {dtype = "int64"}) end
function inputs.mask(t) return neap.tensor(t) end

-- apart from each other, from 0 and from whole numbers: no kinks near
function inputs.distinct(...)
  local n = 1
  for _, size in ipairs{...} do n = n * size end
  local order = neap.randperm(n, {generator = generator}):to("float64")
  return (order * 0.37193 - n * 0.2 + 0.05317):reshape(...)
end

-- an operation as it is, or with options
function inputs.same(name) return function(...) return F[name](...) end end
function inputs.with(name, options)
  return function(...)
    local args, copy = {...}, {}
    for key, value in pairs(options) do copy[key] = value end
    args[#args + 1] = copy
    return F[name](table.unpack(args))
  end
end

-- What a sample says of itself: no gradient; also for integers; neither
-- gradient nor other layouts nor single precision.
inputs.none = {grad = false}
inputs.ints = {ints = true}
inputs.none_ints = {grad = false, ints = true}
inputs.sizes = {grad = false, views = false, float32 = false}

return inputs
