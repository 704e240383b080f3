--- Checking gradients.

local neap = require "neap"

-- f's results as a list of tensors.
local function outputs_of(f, inputs)
  local results = table.pack(f(table.unpack(inputs)))
  local list = {}
  for i = 1, results.n do
    local y = results[i]
    if neap.is_tensor(y) and (y.dtype == "float64" or y.dtype == "float32")
    then list[#list + 1] = y end
  end
  return list
end

-- sum over all outputs of output * weight, as a Lua number
local function weighted(f, inputs, weights)
  return neap.no_grad(function()
    local total = 0
    for i, y in ipairs(outputs_of(f, inputs)) do
      if y:numel() > 0 then total = total + (y * weights[i]):sum():item() end
    end
    return total
  end)
end

-- Positions of a tensor's elements, one after the other, as index lists.
local function positions(x)
  local index, first = {}, true
  for d = 1, x.ndim do index[d] = 1 end
  return function()
    if x:numel() == 0 then return nil end
    if first then
      first = false
      return index
    end
    for d = x.ndim, 1, -1 do
      index[d] = index[d] + 1
      if index[d] <= x:size(d) then return index end
      index[d] = 1
    end
  end
end

-- One element by its index list, also of a 0-d tensor.
local function with_element(x, index, value)
  if x.ndim == 0 then x:fill_(value) else x[index] = value end
end

local function element(x, index)
  if x.ndim == 0 then return x:item() end
  return x[index]
end

--- Compares the gradients of f with differences: for every element of every
-- input that wants a gradient, (L(x + eps) - L(x - eps)) / (2 eps), where L
-- is the sum of f's results with fixed random weights. Returns true, or
-- raises an error that names the element. Inputs must be float64 leaves.
-- @param f function of the inputs
-- @param inputs list of tensors
-- @param options eps (1e-6), atol (1e-5), rtol (1e-3)
function neap.gradcheck(f, inputs, options)
  options = options or {}
  local eps = options.eps or 1e-6
  local atol, rtol = options.atol or 1e-5, options.rtol or 1e-3
  local checked, plain = {}, {}
  for i, x in ipairs(inputs) do
    plain[i] = x
    if neap.is_tensor(x) and x.requires_grad or
       neap.is_tensor(x) and x.dtype == "float64" and not options.only then
      if x.dtype ~= "float64" then
        error(("gradcheck: input %d is %s; differences need float64")
              :format(i, x.dtype), 2)
      end
      checked[#checked + 1] = i
      plain[i] = x:detach():clone()
    end
  end
  local live = {table.unpack(plain)}
  for _, i in ipairs(checked) do
    live[i] = plain[i]:clone():requires_grad_()
  end
  local generator = neap.generator(options.seed or 12345)
  local ys, weights, roots, seeds = outputs_of(f, live), {}, {}, {}
  for i, y in ipairs(ys) do
    weights[i] = neap.randn(y.shape, {dtype = y.dtype,
                                      generator = generator})
    if y.requires_grad then
      roots[#roots + 1] = y
      seeds[#seeds + 1] = weights[i]
    end
  end
  local wanted = {}
  for k, i in ipairs(checked) do wanted[k] = live[i] end
  local grads = {}
  if #roots > 0 then
    grads = neap.grad(roots, wanted, {grad_outputs = seeds})
  end
  for k, i in ipairs(checked) do
    local x = plain[i]
    for index in positions(x) do
      local value = element(x, index)
      with_element(x, index, value + eps)
      local above = weighted(f, plain, weights)
      with_element(x, index, value - eps)
      local below = weighted(f, plain, weights)
      with_element(x, index, value)
      local numeric = (above - below) / (2 * eps)
      local exact = grads[k] and element(grads[k], index) or 0
      if not (math.abs(numeric - exact) <= atol + rtol * math.abs(numeric))
      then
        error(("gradcheck: input %d at (%s): the gradient is %.8g, " ..
               "differences give %.8g"):format(i, table.concat(index, ","),
                                               exact, numeric), 2)
      end
    end
  end
  return true
end

--- The same for second derivatives: checks the gradients of f's gradients.
function neap.gradgradcheck(f, inputs, options)
  local generator = neap.generator(54321)
  local seeds
  return neap.gradcheck(function(...)
    local given = {...}
    local live, wanted = {}, {}
    for i, x in ipairs(given) do
      if neap.is_tensor(x) and x.dtype == "float64" then
        live[i] = x.requires_grad and x or x:detach():requires_grad_()
        wanted[#wanted + 1] = live[i]
      else live[i] = x end
    end
    local grads = neap.enable_grad(function()
      local ys = outputs_of(f, live)
      local roots, weights = {}, {}
      seeds = seeds or {}
      for i, y in ipairs(ys) do
        seeds[i] = seeds[i] or neap.randn(y.shape, {dtype = y.dtype,
                                                    generator = generator})
        if y.requires_grad then
          roots[#roots + 1] = y
          weights[#weights + 1] = seeds[i]
        end
      end
      return neap.grad(roots, wanted, {create_graph = true,
                                       grad_outputs = weights})
    end)
    local found = {}
    for _, g in ipairs(grads) do if g then found[#found + 1] = g end end
    return table.unpack(found)
  end, inputs, options)
end
