--- What specs of operations share: one description of a case, several
-- checks.

local neap = require "neap"
local check = {}

--- Names of the instruction sets of this machine.
check.cpus = {}
do
  local now = neap.info().cpu
  for _, name in ipairs{"c", "avx2", "avx512"} do
    if neap._test.cpu(name) then check.cpus[#check.cpus + 1] = name end
  end
  neap._test.cpu(now)
end

--- Calls f(name) with the kernels of each instruction set.
function check.each_cpu(f)
  local now = neap.info().cpu
  for _, name in ipairs(check.cpus) do
    neap._test.cpu(name)
    local ok, why = pcall(f, name)
    neap._test.cpu(now)
    if not ok then error(("on %s: %s"):format(name, tostring(why)), 0) end
  end
end

local function flatten(value, out)
  if type(value) ~= "table" then
    out[#out + 1] = type(value) == "boolean" and (value and 1 or 0) or value
  else
    for _, v in ipairs(value) do flatten(v, out) end
  end
  return out
end

--- All elements in row order.
function check.elements(t) return flatten(t:totable(), {}) end

--- The error that f(...) raises; fails if it raises none.
function check.message(f, ...)
  local ok, why = pcall(f, ...)
  if ok then error("no error was raised", 2) end
  return why
end

--- Fails unless two tensors have the same shape and nearly the same
-- elements.
function check.near(expected, got, rtol, atol, what)
  local a, b = check.elements(expected), check.elements(got)
  what = what or "tensors"
  if table.concat(expected.shape, "x") ~= table.concat(got.shape, "x") then
    error(("%s: shape %s, expected %s"):format(what,
          table.concat(got.shape, "x"), table.concat(expected.shape, "x")), 2)
  end
  for i, x in ipairs(a) do
    local y = b[i]
    local same = x == y or (x ~= x and y ~= y)
    if not same and not (math.abs(x - y) <= atol + rtol * math.abs(x)) then
      error(("%s: element %d is %.17g, expected %.17g"):format(what, i, y, x),
            2)
    end
  end
end

local function results_of(f, inputs)
  local list = table.pack(f(table.unpack(inputs)))
  local out = {}
  for i = 1, list.n do
    if neap.is_tensor(list[i]) then out[#out + 1] = list[i] end
  end
  return out
end

-- The same elements with other strides: transposed storage, and every
-- second element of a larger block.
local views = {
  transposed = function(x)
    if x.ndim < 2 then return x end
    return x:transpose(1, x.ndim):contiguous():transpose(1, x.ndim)
  end,
  stepped = function(x)
    if x.ndim < 1 or x:size(x.ndim) == 0 then return x end
    local shape = x.shape
    shape[#shape] = 2 * shape[#shape]
    local wide = neap.zeros(shape, {dtype = x.dtype})
    local index = {}
    for d = 1, x.ndim do index[d] = {} end
    index[x.ndim] = {1, -1, 2}
    wide[index] = x
    return wide[index]
  end
}

local function convert(inputs, dtype)
  local out = {}
  for i, x in ipairs(inputs) do
    local real = neap.is_tensor(x) and x.dtype == "float64"
    out[i] = real and x:to(dtype) or x
  end
  return out
end

local function each_view(inputs, view)
  local out = {}
  for i, x in ipairs(inputs) do out[i] = neap.is_tensor(x) and view(x) or x end
  return out
end

--- Checks one sample {f, inputs, options} of an operation: its gradient
-- (and second derivative) against differences on every instruction set,
-- float32 against float64, and other strides against row order.
-- Options: grad = false, second = false, float32 = false, rtol, views =
-- false.
function check.sample(f, inputs, options)
  options = options or {}
  check.each_cpu(function()
    if options.grad ~= false then neap.gradcheck(f, inputs) end
    if options.grad ~= false and options.second ~= false then
      neap.gradgradcheck(f, inputs, {atol = 1e-4})
    end
    local expected = results_of(f, inputs)
    if options.float32 ~= false then
      local got = results_of(f, convert(inputs, "float32"))
      for i, y in ipairs(expected) do
        check.near(y, got[i], options.rtol or 1e-4, 1e-5, "in float32")
      end
    end
    if options.views ~= false then
      for name, view in pairs(views) do
        local got = results_of(f, each_view(inputs, view))
        for i, y in ipairs(expected) do
          check.near(y, got[i], 1e-12, 1e-12, name)
        end
      end
    end
  end)
end

--- Runs f with every request for memory failing once, until it succeeds:
-- each failure must be an error, leave no tensor behind and a library that
-- works. Returns how many requests there were.
function check.out_of_memory(f, most)
  collectgarbage()
  collectgarbage()
  local before = neap._test.live()
  for n = 1, most or 100000 do
    neap._test.fail(n)
    local ok, why = pcall(f)
    local came = not neap._test.pending()
    neap._test.fail(0)
    if ok and not came then
      why = nil
      collectgarbage()
      collectgarbage()
      local after = neap._test.live()
      if after > before then
        error(("success leaves %d tensors"):format(after - before), 2)
      end
      return n - 1
    end
    if ok then error(("request %d failed and nobody noticed"):format(n), 2) end
    if not tostring(why):find("not enough memory", 1, true) then
      error(("request %d: %s"):format(n, tostring(why)), 2)
    end
    why = nil
    collectgarbage()
    collectgarbage()
    local after, _, scope = neap._test.live()
    if after > before then
      error(("request %d leaves %d tensors"):format(n, after - before), 2)
    end
    if scope ~= 0 then
      error(("request %d leaves %d tensors in a scope"):format(n, scope), 2)
    end
  end
  error("never succeeded", 2)
end

return check
