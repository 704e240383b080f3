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

--- A tensor that wants a gradient.
function check.leaf(data) return neap.tensor(data, {requires_grad = true}) end

--- A tensor of double precision.
function check.f64(data) return neap.tensor(data, {dtype = "float64"}) end

--- A tensor of whole numbers, as positions are.
function check.ids(data) return neap.tensor(data, {dtype = "int64"}) end

--- The tables of a list of tensors.
function check.tables(list)
  local out = {}
  for i, x in ipairs(list) do out[i] = x:totable() end
  return out
end

--- An operation of the given two functions, as neap.autograd.Function is.
function check.operation(name, forward, backward)
  local class = neap.autograd.Function:extend(name)
  class.forward, class.backward = forward, backward
  return class.apply
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

--- Fails unless a tensor has the shape and nearly the elements of a table.
function check.near_table(expected, got)
  check.near(check.f64(expected), got, 1e-5, 1e-6)
end

local function results_of(f, inputs)
  local list = table.pack(f(table.unpack(inputs)))
  local out = {}
  for i = 1, list.n do
    if neap.is_tensor(list[i]) then out[#out + 1] = list[i] end
  end
  return out
end

-- Layouts: inputs whose elements lie otherwise in memory. Those of
-- 'same' have the same elements, those of 'other' have not.
local function sliced(x, d, range, room)
  local shape, index = x.shape, {}
  if x.ndim < 1 or x:size(d) == 0 then return x end
  shape[d] = room(shape[d])
  local wide = neap.zeros(shape, {dtype = x.dtype})
  for k = 1, x.ndim do index[k] = {} end
  index[d] = range
  wide[index] = x
  return wide[index]
end

local same_elements = {
  contiguous = function(x) return x:clone() end,
  transposed = function(x)
    if x.ndim < 2 then return x end
    return x:transpose(1, x.ndim):contiguous():transpose(1, x.ndim)
  end,
  stepped = function(x)
    return sliced(x, x.ndim, {1, -1, 2}, function(n) return 2 * n end)
  end,
  offset = function(x)
    return sliced(x, 1, {3, -1}, function(n) return n + 2 end)
  end
}

local other_elements = {
  expanded = function(x)
    if x.ndim < 1 or x:size(1) == 0 then return x end
    return x[{{1, 1}}]:expand(x.shape)
  end,
  empty = function(x)
    return x.ndim < 1 and x or x[{{1, 0}}]
  end,
  zero_d = function(x)
    return x:numel() == 0 and x or x:reshape(-1):select(1, 1)
  end
}

check.layouts = {}
for name in pairs(same_elements) do table.insert(check.layouts, name) end
for name in pairs(other_elements) do table.insert(check.layouts, name) end
table.sort(check.layouts)

-- Small whole numbers in place of real ones.
local function whole(x)
  return ((x * 3):abs() + 1):to("int64")
end

local function convert(inputs, dtype)
  local out = {}
  for i, x in ipairs(inputs) do
    out[i] = x
    if dtype:find "int" then
      if x.dtype == "float64" then x = whole(x) end
      if x.dtype ~= "bool" then out[i] = x:to(dtype) end
    elseif x.dtype == "float64" then out[i] = x:to(dtype) end
  end
  return out
end

local function each_view(inputs, view)
  local out = {}
  for i, x in ipairs(inputs) do out[i] = view(x) end
  return out
end

-- Results of f, and the gradients of the sum of their products with fixed
-- weights; or nil and why not.
local function outcome(f, inputs, with_grad)
  local live = {}
  for i, x in ipairs(inputs) do
    live[i] = x
    if with_grad and x.dtype:find "float" then
      -- the same strides, as a leaf
      live[i] = x:detach()
      live[i]:requires_grad_()
    end
  end
  local ok, results = pcall(results_of, f, live)
  if not ok then return nil, results end
  if not with_grad then return results end
  local roots, seeds, wanted = {}, {}, {}
  for _, y in ipairs(results) do
    if y.requires_grad then
      roots[#roots + 1] = y
      local n = y:numel()
      local seed = neap.linspace(-1, 1.5, n, {dtype = "float64"})
      seeds[#seeds + 1] = seed:to(y.dtype):reshape(y.shape)
    end
  end
  for _, x in ipairs(live) do
    if x.requires_grad then wanted[#wanted + 1] = x end
  end
  if #roots == 0 or #wanted == 0 then return results end
  for _, g in ipairs(neap.grad(roots, wanted, {grad_outputs = seeds})) do
    if g then results[#results + 1] = g end
  end
  return results
end

-- Errors without the place in a file, the same for both real types.
local function sentence(why)
  return (tostring(why):gsub("^[^:]*:%d+: ", ""):gsub("float32", "float64"))
end

-- One case: the outcome for the inputs as they are must be the outcome for
-- copies in row order with the portable kernels, 'expected'.
local function compare_case(what, f, inputs, with_grad, expected, why,
                            rtol, atol)
  local got, reason = outcome(f, inputs, with_grad)
  if not expected then
    if got then error(("%s: no error, but copies have '%s'")
                      :format(what, sentence(why)), 0) end
    if sentence(reason) ~= sentence(why) then
      error(("%s: the error is '%s', but of copies '%s'"):format(what,
            sentence(reason), sentence(why)), 0)
    end
    return
  end
  if not got then error(("%s: %s"):format(what, sentence(reason)), 0) end
  if #got ~= #expected then
    error(("%s: %d results, expected %d"):format(what, #got, #expected), 0)
  end
  for i, y in ipairs(expected) do
    local single = got[i].dtype == "float32"
    check.near(y, got[i], single and math.max(rtol, 1e-4) or rtol,
               single and math.max(atol, 1e-5) or atol,
               ("%s, result %d"):format(what, i))
  end
end

check.cases = 0

-- All layouts and instruction sets of one type of elements.
local function check_type(f, inputs, dtype, options)
  local typed = convert(inputs, dtype)
  local with_grad = options.grad ~= false and dtype:find "float"
  local exact = not dtype:find "float32"
  local rtol = exact and 1e-9 or options.rtol or 1e-4
  local atol = exact and 1e-10 or 1e-5
  local groups = options.views == false
                 and {{contiguous = same_elements.contiguous}}
                 or {same_elements, other_elements}
  for _, layouts in ipairs(groups) do
    for name, view in pairs(layouts) do
      if options[name] ~= false then
        local seen = each_view(typed, view)
        local copies, reference = each_view(seen, neap.Tensor.clone), nil
        if dtype == "float32" then
          copies = convert(each_view(convert(inputs, "float64"), view),
                           "float64")
          copies = each_view(copies, neap.Tensor.clone)
        end
        local now = neap.info().cpu
        neap._test.cpu "c"
        local expected, why = outcome(f, copies, with_grad)
        reference = why
        neap._test.cpu(now)
        check.each_cpu(function(cpu)
          compare_case(("%s %s on %s"):format(dtype, name, cpu), f, seen,
                       with_grad, expected, reference, rtol, atol)
          check.cases = check.cases + 1
        end)
      end
    end
  end
end

--- Checks one sample {f, inputs, options} of an operation: its gradient
-- (and second derivative) against differences on every instruction set;
-- then, for each type of elements, layout of the inputs and instruction
-- set, results and gradients against those of copies in row order with the
-- portable kernels (of float32 also against float64).
function check.op(f, inputs, options)
  options = options or {}
  check.each_cpu(function()
    if options.grad ~= false then neap.gradcheck(f, inputs) end
    if options.grad ~= false and options.second ~= false then
      neap.gradgradcheck(f, inputs, {atol = 1e-4})
    end
  end)
  local types = {"float64"}
  if options.float32 ~= false then types[#types + 1] = "float32" end
  if options.ints then
    for _, name in ipairs{"int64", "int32", "uint8"} do
      types[#types + 1] = name
    end
  end
  for _, dtype in ipairs(types) do check_type(f, inputs, dtype, options) end
end

--- How many tensors there are after a collection of garbage.
function check.live()
  collectgarbage()
  collectgarbage()
  return (neap._test.live())
end

--- Fails unless f, which may raise an error, leaves no tensor behind.
function check.leaves_nothing(f)
  local before = check.live()
  pcall(f)
  local after = check.live()
  if after ~= before then
    error(("%d tensors before, %d after"):format(before, after), 2)
  end
end

-- Runs f with its n-th request for memory failing: true if it succeeded,
-- before there was an n-th one.
local function fail_at(n, f)
  neap._test.fail(n)
  local ok, why = pcall(f)
  local came = not neap._test.pending()
  neap._test.fail(0)
  if ok and came then
    error(("request %d failed and nobody noticed"):format(n), 3)
  elseif not ok and not tostring(why):find("not enough memory", 1, true) then
    error(("request %d: %s"):format(n, tostring(why)), 3)
  end
  local _, _, scope = neap._test.live()
  if scope ~= 0 then
    error(("request %d leaves %d tensors in a scope"):format(n, scope), 3)
  end
  return ok
end

local BETWEEN = 16             -- requests from one collection to the next

--- Runs f with every request for memory failing once, until it succeeds:
-- each failure must be an error, leave no tensor behind and a library that
-- works. Returns how many requests there were. (A collection after each
-- would take most of the suite's time.)
function check.out_of_memory(f, most)
  local before = check.live()
  for n = 1, most or 100000 do
    local done = fail_at(n, f)
    if done or n % BETWEEN == 0 then
      local left = check.live() - before
      if left > 0 then
        error(("%d tensors are left by requests %d to %d%s"):format(left,
              math.max(1, n // BETWEEN * BETWEEN - BETWEEN + 1), n,
              done and ", the last a success" or ""), 2)
      end
    end
    if done then return n - 1 end
  end
  error("never succeeded", 2)
end

return check
