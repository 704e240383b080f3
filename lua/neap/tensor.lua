--- Methods and functions of tensors that are made of operations.
-- Each is there as a function of neap, of neap.nn.functional and as a
-- method; shapes are written (rows, columns, ...), dimensions count from 1.

local neap = require "neap"
local Tensor, F = neap.Tensor, neap.nn.functional

local function define(name, f)
  neap[name], Tensor[name], F[name] = f, f, f
end

-- Other names of operations, as PyTorch has them.
for alias, name in pairs{
  absolute = "abs", negative = "neg", multiply = "mul", subtract = "sub",
  divide = "div", true_divide = "div", clip = "clamp", fix = "trunc",
  arccos = "acos", arcsin = "asin", arctan = "atan", arctan2 = "atan2",
  arccosh = "acosh", arcsinh = "asinh", arctanh = "atanh",
  greater = "gt", greater_equal = "ge", less = "lt", less_equal = "le",
  not_equal = "ne", swapaxes = "transpose", swapdims = "transpose",
  moveaxis = "movedim", concat = "cat", concatenate = "cat", ger = "outer"
} do
  define(alias, neap[name])
  Tensor[alias .. "_"] = Tensor[name .. "_"]       -- where there is one
end

-- Fails at the user's line.
local function check(ok, message, ...)
  if not ok then error(message:format(...), 3) end
end

local function check_tensor(who, x)
  if not neap.is_tensor(x) then
    error(("%s: expected a tensor, not %s"):format(who, type(x)), 3)
  end
end

--- x expanded to the shape of y.
define("expand_as", function(x, y) return x:expand(y.shape) end)

--- x reshaped to the shape of y; view_as never copies.
define("reshape_as", function(x, y) return x:reshape(y.shape) end)
define("view_as", function(x, y) return x:view(y.shape) end)

--- x in the type of y.
define("type_as", function(x, y) return x:to(y.dtype) end)

--- All elements in one dimension.
define("ravel", function(x) return x:reshape(-1) end)

--- x expanded to a shape, given as a list or as sizes.
define("broadcast_to", function(x, ...) return x:expand(...) end)

-- The shape to which tensors broadcast.
local function common_shape(list)
  local shape = {}
  for _, x in ipairs(list) do
    local own = x.shape
    local lead = #own - #shape
    for _ = 1, lead do table.insert(shape, 1, 1) end
    for i = 1, #own do
      local at = #shape - #own + i
      if shape[at] == 1 then shape[at] = own[i] end
    end
  end
  return shape
end

--- A list of tensors, all expanded to the shape they have in common.
function neap.broadcast_tensors(...)
  local list, out = {...}, {}
  if #list == 1 and type(list[1]) == "table" then list = list[1] end
  local shape = common_shape(list)
  for i, x in ipairs(list) do out[i] = x:expand(shape) end
  return out
end

--- Grids of coordinates: for n vectors a list of n tensors of n dimensions.
-- @param indexing "ij" (the first vector runs along dimension 1) or "xy"
function neap.meshgrid(list, options)
  options = options or {}
  local indexing = options.indexing or list.indexing or "ij"
  check(indexing == "ij" or indexing == "xy",
        "meshgrid: indexing must be one of ij xy, not '%s'", indexing)
  local n, shape, out = #list, {}, {}
  for i, v in ipairs(list) do shape[i] = v:numel() end
  for i, v in ipairs(list) do
    local own = {}
    for k = 1, n do own[k] = 1 end
    own[i] = shape[i]
    out[i] = v:reshape(own):expand(shape)
    if indexing == "xy" and n > 1 then out[i] = out[i]:transpose(1, 2) end
  end
  return out
end

local function at_least(n)
  return function(x)
    while x.ndim < n do x = x:unsqueeze(x.ndim == 2 and 3 or 1) end
    return x
  end
end

--- x with at least one, two or three dimensions.
define("atleast_1d", at_least(1))
define("atleast_2d", at_least(2))
define("atleast_3d", at_least(3))

local function each(list, f)
  local out = {}
  for i, x in ipairs(list) do out[i] = f(x) end
  return out
end

--- Tensors side by side (dimension 2; vectors one after the other), below
-- each other (dimension 1) and behind each other (dimension 3).
function neap.hstack(list)
  list = each(list, neap.atleast_1d)
  return neap.cat(list, {dim = list[1].ndim == 1 and 1 or 2})
end
function neap.vstack(list)
  return neap.cat(each(list, neap.atleast_2d), {dim = 1})
end
function neap.dstack(list)
  return neap.cat(each(list, neap.atleast_3d), {dim = 3})
end

--- Vectors as the columns of a matrix, matrices side by side.
function neap.column_stack(list)
  return neap.hstack(each(list, function(x)
    return x.ndim < 2 and x:reshape(-1, 1) or x
  end))
end

--- Columns, or rows, in reverse order.
define("fliplr", function(x) return x:flip(2) end)
define("flipud", function(x) return x:flip(1) end)

--- x turned k times by a quarter in the plane of two dimensions, from the
-- first to the second.
define("rot90", function(x, k, dims)
  k, dims = (k or 1) % 4, dims or {1, 2}
  if k == 1 then return x:flip(dims[2]):transpose(dims[1], dims[2]) end
  if k == 2 then return x:flip(dims) end
  if k == 3 then return x:flip(dims[1]):transpose(dims[1], dims[2]) end
  return x:clone()
end)

--- Of a vector the matrix with it as a diagonal; of a matrix its diagonal.
define("diag", function(x, diagonal)
  if x.ndim == 1 then return neap.diag_embed(x, diagonal or 0) end
  check(x.ndim == 2, "diag: x has %d dimensions, expected 1 or 2", x.ndim)
  return x:diagonal(diagonal or 0)
end)

--- Matrices (the last two dimensions) with the rows of x as a diagonal.
define("diag_embed", function(x, offset)
  offset = offset or 0
  local n, shape = x:size(-1) + math.abs(offset), x.shape
  shape[#shape], shape[#shape + 1] = n, n
  return neap.zeros(shape, {dtype = x.dtype})
         :diagonal_scatter(x, {offset = offset, dim1 = -2, dim2 = -1})
end)

--- Sum of the diagonal of a matrix.
define("trace", function(x)
  check(x.ndim == 2, "trace: x has %d dimensions, expected 2", x.ndim)
  return x:diagonal():sum()
end)

-- Positions of a triangle of a matrix, as two rows.
local function triangle(rows, columns, keep)
  local at = keep(neap.ones(rows, columns, {dtype = "uint8"}))
  return at:nonzero():t()
end

--- Rows and columns of the elements of a lower or upper triangle: (2, n).
function neap.tril_indices(rows, columns, offset)
  return triangle(rows, columns, function(x) return x:tril(offset or 0) end)
end
function neap.triu_indices(rows, columns, offset)
  return triangle(rows, columns, function(x) return x:triu(offset or 0) end)
end

--- True if all elements are close: |x - y| <= atol + rtol |y|.
-- @param options rtol (1e-5), atol (1e-8), equal_nan (false)
define("allclose", function(x, y, options)
  return x:isclose(y, options or {}):all():item()
end)

--- True if shapes and all elements are the same.
define("equal", function(x, y)
  check_tensor("equal", x)
  check_tensor("equal", y)
  if #x.shape ~= #y.shape then return false end
  for d, size in ipairs(x.shape) do
    if y:size(d) ~= size then return false end
  end
  return x:eq(y):all():item()
end)

--- The elements of x at positions in row order, in the shape of index.
define("take", function(x, index)
  return x:reshape(-1):index_select(1, index:reshape(-1))
         :reshape(index.shape)
end)

--- gather with an index that broadcasts along all other dimensions.
define("take_along_dim", function(x, index, dim)
  if dim == nil then return x:reshape(-1):gather(1, index:reshape(-1)) end
  local shape, own = x.shape, index.shape
  check(#shape == #own,
        "take_along_dim: x has %d dimensions, but index %d", #shape, #own)
  local d = dim < 0 and dim + #shape + 1 or dim
  for i = 1, #shape do
    if i ~= d and own[i] ~= 1 then shape[i] = own[i] end
  end
  local at = {table.unpack(shape)}
  at[d], shape[d] = own[d], x:size(d)
  return x:expand(shape):gather(dim, index:expand(at))
end)

--- The number of the interval between boundaries in which each value lies:
-- 1 below the first boundary.
define("bucketize", function(values, boundaries, options)
  return boundaries:searchsorted(values, options or {})
end)

--- True where an element of x is among the values.
define("isin", function(x, values)
  local shape = x.shape
  shape[#shape + 1] = 1
  return x:reshape(shape):eq(values:reshape(-1)):any(-1)
end)

--- The smallest and the largest element, over all or along a dimension.
define("aminmax", function(x, options)
  options = options or {}
  return x:amin(options), x:amax(options)
end)

--- Deviation (variance) and mean.
define("std_mean", function(x, options)
  options = options or {}
  local mean = {dim = options.dim, keepdim = options.keepdim}
  return x:std(options), x:mean(mean)
end)
define("var_mean", function(x, options)
  options = options or {}
  local mean = {dim = options.dim, keepdim = options.keepdim}
  return x:var(options), x:mean(mean)
end)

--- Sum and mean of what is not NaN.
define("nansum", function(x, options)
  return neap.where(x:isnan(), 0, x):sum(options or {})
end)
define("nanmean", function(x, options)
  options = options or {}
  local there = x:isnan():logical_not():to(x.dtype):sum(options)
  return neap.nansum(x, options) / there
end)

--- The p-norm of x - y.
define("dist", function(x, y, p) return (x - y):norm(p or 2) end)

--- The products of the rows of x and of z: x z^T.
define("inner", function(x, z)
  if x.ndim == 0 or z.ndim == 0 then return x * z end
  return x:tensordot(z, {x_dims = -1, z_dims = -1})
end)

--- The vector product along a dimension of size 3.
define("cross", function(x, y, dim)
  dim = dim or -1
  check(x:size(dim) == 3, "cross: dimension %d has size %d, expected 3", dim,
        x:size(dim))
  local a, b = x:roll(-1, dim), y:roll(-1, dim)
  return (x * b - a * y):roll(-1, dim)
end)

--- Covariance of the rows of x (each a variable).
define("cov", function(x)
  local far = x - x:mean{dim = -1, keepdim = true}
  return far:matmul(far:transpose(-1, -2)) / (x:size(-1) - 1)
end)

--- Correlation of the rows of x.
define("corrcoef", function(x)
  local c = neap.cov(x)
  local s = c:diagonal():sqrt()
  return c / s:outer(s)
end)

-- New tensors in the type of another.
for _, name in ipairs{"zeros", "ones", "empty", "full"} do
  Tensor["new_" .. name] = function(x, ...)
    local list = table.pack(...)
    local last = list[list.n]
    if list.n > 0 and type(last) == "table" and (#last == 0 and
       next(last) ~= nil) then
      last.dtype = last.dtype or x.dtype
    else
      list.n = list.n + 1
      list[list.n] = {dtype = x.dtype}
    end
    return neap[name](table.unpack(list, 1, list.n))
  end
end

--- A tensor of data in the type of another.
function Tensor.new_tensor(x, data, options)
  options = options or {}
  options.dtype = options.dtype or x.dtype
  return neap.tensor(data, options)
end

local function refuse_recorded(who, x)
  check_tensor(who, x)
  if x.requires_grad and neap.is_grad_enabled() then
    error(who .. ": a Lua function has no gradient; use x:detach(), or " ..
          "neap.autograd.Function for one of your own", 3)
  end
end

local function elementwise(x, f)
  local flat, out = x:detach():reshape(-1):totable(), {}
  for i, v in ipairs(flat) do out[i] = f(v) end
  return out
end

--- A new tensor of f(element) for each element, in the type of x. For
-- teaching and for cleaning data: each element is a call of a Lua function.
-- Refused while gradients are recorded.
function Tensor.map(x, f)
  refuse_recorded("map", x)
  return neap.tensor(elementwise(x, f), {dtype = x.dtype}):reshape(x.shape)
end

--- The same in place.
function Tensor.apply_(x, f)
  refuse_recorded("apply_", x)
  return x:copy_(neap.tensor(elementwise(x, f), {dtype = x.dtype})
                 :reshape(x.shape))
end
