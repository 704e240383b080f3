--- Methods and functions of tensors that are made of operations.
-- Each is there as a function of neap, of neap.nn.functional and as a
-- method; shapes are written (rows, columns, ...), dimensions count from 1.

local neap = require "neap"
local Tensor, F = neap.Tensor, neap.nn.functional

-- Fails at the user's line: 'level' calls above the function that checks.
local function check_at(level, ok, message, ...)
  if not ok then error(message:format(...), level + 2) end
end

local function check(ok, ...) check_at(2, ok, ...) end

local function check_tensor(who, x, level)
  if not neap.is_tensor(x) then
    error(("%s: expected a tensor, not %s"):format(who, type(x)),
          (level or 1) + 2)
  end
end

-- Options of a function: fails where there are others than 'names'.
local function options_of(who, options, names)
  check_at(2, options == nil or type(options) == "table",
           "%s: expected options in a table, not %s", who, type(options))
  names = " " .. names .. " "
  for key in pairs(options or {}) do
    check_at(2, names:find(" " .. tostring(key) .. " ", 1, true),
             "%s: no option '%s'; there is%s", who, key, names)
  end
  return options or {}
end

-- A function of neap, of neap.nn.functional and a method, whose first 'n'
-- (1) arguments are tensors.
local function define(name, f, n)
  local function checked(...)
    for i = 1, n or 1 do check_tensor(name, (select(i, ...))) end
    return f(...)
  end
  neap[name], Tensor[name], F[name] = checked, checked, checked
end

-- A function of a list of tensors, also given one by one; options last.
local function define_list(name, f)
  neap[name] = function(first, ...)
    local list, options = first, (...)
    if neap.is_tensor(first) then
      list, options = {first}, nil
      for i = 1, select("#", ...) do
        local x = select(i, ...)
        if type(x) == "table" then options = x
        else list[#list + 1] = x end
      end
    end
    if type(list) ~= "table" or #list == 0 then
      error(name .. ": expected a list of tensors", 2)
    end
    for _, x in ipairs(list) do check_tensor(name, x) end
    return f(list, options or {})
  end
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
  neap[alias], Tensor[alias], F[alias] = neap[name], neap[name], neap[name]
  Tensor[alias .. "_"] = Tensor[name .. "_"]       -- where there is one
end

--- x expanded to the shape of y.
define("expand_as", function(x, y) return x:expand(y.shape) end, 2)

--- x reshaped to the shape of y; view_as never copies.
define("reshape_as", function(x, y) return x:reshape(y.shape) end, 2)
define("view_as", function(x, y) return x:view(y.shape) end, 2)

--- x in the type of y.
define("type_as", function(x, y) return x:to(y.dtype) end, 2)

--- All elements in one dimension.
define("ravel", function(x) return x:reshape(-1) end)

--- x expanded to a shape, given as a list or as sizes.
define("broadcast_to", function(x, ...) return x:expand(...) end)

-- The shape to which tensors broadcast.
local function common_shape(who, list)
  local shape = {}
  for _, x in ipairs(list) do
    local own = x.shape
    for _ = 1, #own - #shape do table.insert(shape, 1, 1) end
    for i = 1, #own do
      local at = #shape - #own + i
      if shape[at] == 1 then shape[at] = own[i]
      elseif own[i] ~= 1 and own[i] ~= shape[at] then
        error(("%s: sizes %d and %d do not fit"):format(who, shape[at],
              own[i]), 3)
      end
    end
  end
  return shape
end

--- A list of tensors, all expanded to the shape they have in common.
define_list("broadcast_tensors", function(list)
  local shape, out = common_shape("broadcast_tensors", list), {}
  for i, x in ipairs(list) do out[i] = x:expand(shape) end
  return out
end)

--- Grids of coordinates: for n vectors a list of n tensors of n dimensions.
-- Option indexing: "ij" (the first vector runs along dimension 1) or "xy".
define_list("meshgrid", function(list, options)
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
end)

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
define_list("hstack", function(list)
  list = each(list, neap.atleast_1d)
  return neap.cat(list, {dim = list[1].ndim == 1 and 1 or 2})
end)
define_list("vstack", function(list)
  return neap.cat(each(list, neap.atleast_2d), {dim = 1})
end)
define_list("dstack", function(list)
  return neap.cat(each(list, neap.atleast_3d), {dim = 3})
end)

--- Vectors as the columns of a matrix, matrices side by side.
define_list("column_stack", function(list)
  return neap.hstack(each(list, function(x)
    return x.ndim < 2 and x:reshape(-1, 1) or x
  end))
end)

--- Matrices along the diagonal of a matrix of zeros.
define_list("block_diag", function(list)
  local blocks, rows, columns = each(list, neap.atleast_2d), 0, 0
  for _, x in ipairs(blocks) do columns = columns + x:size(2) end
  local bands = {}
  for i, x in ipairs(blocks) do
    bands[i] = x:pad{rows, columns - rows - x:size(2)}
    rows = rows + x:size(2)
  end
  return neap.cat(bands)
end)

--- All combinations of the elements of vectors, a row each.
define_list("cartesian_prod", function(list)
  if #list == 1 then return list[1] end
  return neap.stack(each(neap.meshgrid(list), neap.ravel), {dim = 2})
end)

-- Positions at which n nearly equal parts of a dimension begin, but the
-- first.
local function even_cuts(size, n)
  local cuts, at = {}, 1
  for i = 1, n - 1 do
    at = at + size // n + (i <= size % n and 1 or 0)
    cuts[i] = at
  end
  return cuts
end

--- A list of n nearly equal parts of a dimension (1), or of the parts
-- between the positions of a list, which begin new ones. Positions beyond
-- the end give empty parts.
define("tensor_split", function(x, cuts, dim)
  dim = dim or 1
  local size = x:size(dim)
  if type(cuts) ~= "table" then
    check(math.type(cuts) == "integer" and cuts > 0, "tensor_split: " ..
          "expected a number of parts from 1 on, or a list of positions")
    cuts = even_cuts(size, cuts)
  end
  local out, at = {}, 1
  for i = 1, #cuts + 1 do
    local to = math.max(1, math.min(cuts[i] or size + 1, size + 1))
    out[i] = x:narrow(dim, at, math.max(0, to - at))
    at = to
  end
  return out
end)

--- Columns, or rows, in reverse order.
define("fliplr", function(x)
  check(x.ndim > 1, "fliplr: x has %d dimensions, expected two or more",
        x.ndim)
  return x:flip(2)
end)
define("flipud", function(x) return x:flip(1) end)

--- x turned k times by a quarter in the plane of two dimensions, from the
-- first to the second.
define("rot90", function(x, k, dims)
  k, dims = (k or 1) % 4, dims or {1, 2}
  check(x.ndim > 1, "rot90: x has %d dimensions, expected two or more",
        x.ndim)
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
  check(x.ndim > 0, "diag_embed: x has no dimensions, expected one or more")
  offset = offset or 0
  local n, shape = x:size(-1) + math.abs(offset), x.shape
  shape[#shape], shape[#shape + 1] = n, n
  return neap.zeros(shape, {dtype = x.dtype})
         :diagonal_scatter(x, {offset = offset, dim1 = -2, dim2 = -1})
end)

--- Fills x, or the diagonal of a matrix, in place.
function Tensor.zero_(x) return x:fill_(0) end
function Tensor.fill_diagonal_(x, value)
  check_tensor("fill_diagonal_", x)
  x:diagonal():fill_(value)
  return x
end

--- Sum of the diagonal of a matrix.
define("trace", function(x)
  check(x.ndim == 2, "trace: x has %d dimensions, expected 2", x.ndim)
  return x:diagonal():sum()
end)

-- Positions of a triangle of a matrix, as two rows.
local function triangle(rows, columns, keep)
  local at = keep(neap.ones({rows, columns or rows}, {dtype = "uint8"}))
  return at:nonzero():t()
end

--- Rows and columns of the elements of a lower or upper triangle: (2, n).
function neap.tril_indices(rows, columns, offset)
  return triangle(rows, columns, function(x) return x:tril(offset or 0) end)
end
function neap.triu_indices(rows, columns, offset)
  return triangle(rows, columns, function(x) return x:triu(offset or 0) end)
end

--- True if all elements are close: |x - y| <= atol + rtol |y|; with the
-- arguments of isclose: rtol (1e-5), atol (1e-8), equal_nan (false).
define("allclose", function(x, y, ...)
  return x:isclose(y, ...):all():item()
end, 2)

--- True if shapes and all elements are the same.
define("equal", function(x, y)
  if #x.shape ~= #y.shape then return false end
  for d, size in ipairs(x.shape) do
    if y:size(d) ~= size then return false end
  end
  return x:eq(y):all():item()
end, 2)

--- The elements of x at positions in row order, in the shape of index.
define("take", function(x, index)
  return x:reshape(-1):index_select(1, index:reshape(-1))
         :reshape(index.shape)
end, 2)

--- gather with an index that broadcasts along all other dimensions.
define("take_along_dim", function(x, index, dim)
  if dim == nil then return x:reshape(-1):gather(1, index:reshape(-1)) end
  local shape, own = x.shape, index.shape
  check(#shape == #own,
        "take_along_dim: x has %d dimensions, but index %d", #shape, #own)
  local d = dim < 0 and dim + #shape + 1 or dim
  check(shape[d] ~= nil, "take_along_dim: no dimension %d in a tensor of " ..
        "%d dimensions", dim, #shape)
  for i = 1, #shape do
    if i ~= d and own[i] ~= 1 then shape[i] = own[i] end
  end
  local at = {table.unpack(shape)}
  at[d], shape[d] = own[d], x:size(d)
  return x:expand(shape):gather(dim, index:expand(at))
end, 2)

--- The number of the interval between boundaries in which each value lies:
-- 1 below the first boundary.
define("bucketize", function(values, boundaries, options)
  return boundaries:searchsorted(values, options or {})
end, 2)

-- x:where(mask, other) reads as the method of PyTorch does; a mask may also
-- be asked: mask:where(a, b).
function Tensor.where(x, ...)
  local mask, other = ...
  if neap.is_tensor(mask) and mask.dtype == "bool" and x.dtype ~= "bool" then
    return neap.where(mask, x, other)
  end
  return neap.where(x, ...)
end

--- True where an element of x is among the values.
define("isin", function(x, values)
  local shape = x.shape
  shape[#shape + 1] = 1
  return x:reshape(shape):eq(values:reshape(-1)):any(-1)
end, 2)

-- Options {dim, unbiased, keepdim, correction}, or these one by one, of
-- which mean takes some.
local function for_mean(options, ...)
  if type(options) ~= "table" or #options > 0 then
    local _, keepdim = ...
    options = {dim = options, keepdim = keepdim}
  end
  return {dim = options.dim, keepdim = options.keepdim}
end

--- The smallest and the largest element, over all or along dimensions.
define("aminmax", function(x, ...) return x:amin(...), x:amax(...) end)

--- Deviation (variance) and mean, with the arguments of std (var).
define("std_mean", function(x, ...)
  return x:std(...), x:mean(for_mean(...))
end)
define("var_mean", function(x, ...)
  return x:var(...), x:mean(for_mean(...))
end)

--- Sum and mean of what is not NaN.
define("nansum", function(x, ...)
  return neap.where(x:isnan(), 0, x):sum(...)
end)
define("nanmean", function(x, ...)
  local there = x:isnan():logical_not():to(x.dtype):sum(...)
  return neap.nansum(x, ...) / there
end)

--- The middle of what is not NaN: (values, indices) along a dimension; of
-- all elements the value.
define("nanmedian", function(x, dim, keepdim)
  if dim == nil then return (neap.nanmedian(x:reshape(-1), 1)) end
  local sorted, order = x:sort(dim)            -- NaN comes last
  local there = x:isnan():logical_not():sum(dim, true)
  local middle = ((there + 1) // 2):clamp{min = 1}
  local values, at = sorted:gather(dim, middle), order:gather(dim, middle)
  if keepdim then return values, at end
  return values:squeeze(dim), at:squeeze(dim)
end)

--- Differences of neighbours along a dimension (-1), n (1) times; nothing
-- where there are not enough.
define("diff", function(x, n, dim)
  dim = dim or -1
  for _ = 1, n or 1 do
    local size = x:size(dim)
    if size == 0 then break end
    local low = x:narrow(dim, 1, size - 1)
    x = size == 1 and low or x:narrow(dim, 2, size - 1) - low
  end
  return x
end)

--- x with its slices along a dimension scaled down where their p-norm is
-- above `most`.
define("renorm", function(x, p, dim, most)
  check(type(p) == "number" and math.type(dim) == "integer" and
        type(most) == "number",
        "renorm: expected p, a dimension and the largest norm")
  if x:numel() == 0 then return x:clone() end
  local moved = x:movedim(dim, 1)
  local norm = moved:reshape(moved:size(1), -1):norm{p = p, dim = 2}
  local factor = neap.where(norm:gt(most), most / (norm + 1e-7), 1)
  local shape = {}
  for d = 1, x.ndim do shape[d] = 1 end
  shape[dim > 0 and dim or x.ndim + 1 + dim] = x:size(dim)
  return x * factor:reshape(shape)
end)

--- The area below y along a dimension (-1), by trapezoids; x holds places,
-- (for each element, or in one dimension for all rows), or is the distance
-- between them (1).
define("trapezoid", function(y, x, dim)
  dim = dim or -1
  local n = y:size(dim)
  local middle = (y:narrow(dim, 2, n - 1) + y:narrow(dim, 1, n - 1)) / 2
  if neap.is_tensor(x) and x.ndim == 1 then
    middle = middle:movedim(dim, -1)
    return (middle * x:diff()):sum(-1)
  elseif neap.is_tensor(x) then
    return (middle * x:diff(1, dim)):sum(dim)
  end
  return middle:sum(dim) * (x or 1)
end)

--- The p-norm of x - y.
define("dist", function(x, y, p) return (x - y):norm(p or 2) end, 2)

--- x log y, and 0 where x is 0.
define("xlogy", function(x, y)
  y = neap.is_tensor(y) and y or neap.full({}, y, {dtype = x.dtype})
  local none = x:eq(0)
  local there = y:isnan():logical_not()
  return neap.where(none & there, 0,
                    x * neap.where(none & there, 1, y):log())
end)

--- 0 below 0, 1 above, and a value at 0.
define("heaviside", function(x, values)
  return neap.where(x:eq(0), values, x:gt(0):to(x.dtype))
end)

--- The larger or smaller of two; where one is NaN the other.
define("fmax", function(x, y)
  return neap.where(y:isnan(), x, neap.where(x:isnan(), y, x:maximum(y)))
end, 2)
define("fmin", function(x, y)
  return neap.where(y:isnan(), x, neap.where(x:isnan(), y, x:minimum(y)))
end, 2)

--- Radians of degrees, and degrees of radians.
define("deg2rad", function(x) return x * (math.pi / 180) end)
define("rad2deg", function(x) return x * (180 / math.pi) end)

--- x to the power of y in double precision.
define("float_power", function(x, y)
  return x:to("float64"):pow(neap.is_tensor(y) and y:to("float64") or y)
end)

--- True where x is infinity, or minus infinity.
define("isposinf", function(x) return x:eq(math.huge) end)
define("isneginf", function(x) return x:eq(-math.huge) end)

--- x in rising order along dimension 1.
define("msort", function(x) return (x:sort(1)) end)

--- The k-th power of square matrices; k is a whole number from 0 on.
define("matrix_power", function(x, k)
  check(math.type(k) == "integer" and k >= 0,
        "matrix_power: k must be a whole number from 0 on")
  if k == 1 then return x:clone() end
  local y
  local square = x
  while k > 0 do
    if k % 2 == 1 then y = y and y:matmul(square) or square end
    k = k // 2
    if k > 0 then square = square:matmul(square) end
  end
  return y or neap.eye(x:size(-1), {dtype = x.dtype}):expand(x.shape)
end)

--- x + the outer product of two vectors.
define("addr", function(x, v1, v2, options)
  options = options_of("addr", options, "beta alpha")
  return (options.beta or 1) * x + (options.alpha or 1) * v1:outer(v2)
end, 3)

--- Powers of the elements of a vector as columns, falling (or rising).
define("vander", function(x, n, increasing)
  n = n or #x
  local powers = neap.arange(n) - 1
  if not increasing then powers = powers:flip(1) end
  return x:unsqueeze(2) ^ powers:to(x.dtype)
end)

--- Distances between all pairs of rows, the upper triangle in row order.
define("pdist", function(x, p)
  local n = #x
  local at = neap.triu_indices(n, n, 1)
  return neap.cdist(x, x, {p = p or 2})[{at[1], at[2]}]
end)

--- Positions of the elements that differ from 0, a row for each.
define("argwhere", function(x) return x:nonzero() end)

--- Neighbours that are equal become one: values, and if asked for where
-- each element went (return_inverse) and how many became one
-- (return_counts).
define("unique_consecutive", function(x, options)
  options = options_of("unique_consecutive", options,
                       "return_inverse return_counts")
  local flat = x:reshape(-1)
  local n = #flat
  local new = neap.ones{n, dtype = "bool"}
  if n > 1 then new[{{2, -1}}] = flat[{{2, -1}}]:ne(flat[{{1, -2}}]) end
  local out = {flat[new]}
  local group = new:to("int64"):cumsum(1)
  if options.return_inverse then out[2] = group:reshape(x.shape) end
  if options.return_counts then out[#out + 1] = group:bincount() end
  return table.unpack(out)
end)

--- x[...] = values at positions given by tensors (as a table), as a new
-- tensor and in place; with accumulate they are added.
define("index_put", function(x, indices, values, accumulate)
  return x:clone():index_put_(indices, values, accumulate)
end)
function Tensor.index_put_(x, indices, values, accumulate)
  check_tensor("index_put_", x)
  check(type(indices) == "table",
        "index_put_: expected a table of positions, not %s", type(indices))
  if accumulate then values = values + neap.zeros_like(x[indices]) end
  if not accumulate then
    x[indices] = values
    return x
  end
  local flat = neap.arange(x:numel()):reshape(x.shape)[indices]
  return x:copy_(x:reshape(-1):scatter_add(1, flat:reshape(-1),
                 values:to(x.dtype):reshape(-1)):reshape(x.shape))
end

local interleave = neap.repeat_interleave

-- How often each of 'size' slices is repeated, by a tensor.
local function repeats_of(repeats, size)
  check_at(2, not repeats.dtype:find "float" and repeats.ndim == 1,
           "repeat_interleave: repeats is %s of %d dimensions, expected a " ..
           "vector of integers", repeats.dtype, repeats.ndim)
  if #repeats == 1 then repeats = repeats:expand{size} end
  check_at(2, #repeats == size, "repeat_interleave: %d repeats for %d slices",
           #repeats, size)
  check_at(2, size == 0 or not repeats:lt(0):any():item(),
           "repeat_interleave: repeats must not be negative")
  return repeats
end

--- Each slice of a dimension several times in a row; 'repeats' may be a
-- tensor with a number for each.
function neap.repeat_interleave(x, ...)
  local repeats, dim = ...
  if not neap.is_tensor(repeats) then return interleave(x, ...) end
  check_tensor("repeat_interleave", x)
  if type(dim) == "table" then
    dim = options_of("repeat_interleave", dim, "dim").dim
  end
  if dim == nil then x, dim = x:reshape(-1), 1 end
  local ends = repeats_of(repeats, x:size(dim)):cumsum(1)
  local total = #ends > 0 and ends[-1] or 0
  return x:index_select(dim, ends:searchsorted(neap.arange(total)))
end
Tensor.repeat_interleave = neap.repeat_interleave
F.repeat_interleave = neap.repeat_interleave

--- The products of the rows of x and of z: x z^T.
define("inner", function(x, z)
  if x.ndim == 0 or z.ndim == 0 then return x * z end
  return x:tensordot(z, {x_dims = -1, z_dims = -1})
end, 2)

--- The vector product along a dimension of size 3.
define("cross", function(x, y, dim)
  dim = dim or -1
  check(x:size(dim) == 3, "cross: dimension %d has size %d, expected 3", dim,
        x:size(dim))
  local a, b = x:roll(-1, dim), y:roll(-1, dim)
  return (x * b - a * y):roll(-1, dim)
end, 2)

--- Covariance of the rows of x (each a variable); of a vector its variance.
-- Option correction (1): what is taken from the count.
define("cov", function(x, options)
  local correction = options_of("cov", options, "correction").correction or 1
  local far = x - x:mean{dim = -1, keepdim = true}
  local n = x:size(-1) - correction
  if x.ndim == 1 then return far:dot(far) / n end
  return far:mm(far:t()) / n
end)

--- Correlation of the rows of x.
define("corrcoef", function(x)
  if x.ndim == 1 then return neap.ones_like(x:mean()) end
  local c = neap.cov(x)
  local s = c:diagonal():sqrt()
  return c / s:outer(s)
end)

-- Options with the type of x, unless they name another: a copy.
local function typed(x, options)
  local own = {dtype = x.dtype}
  for key, value in pairs(options or {}) do own[key] = value end
  return own
end

local function has_options(t)
  for key in pairs(t) do
    if type(key) == "string" then return true end
  end
  return false
end

-- New tensors in the type of another.
for _, name in ipairs{"zeros", "ones", "empty", "full"} do
  Tensor["new_" .. name] = function(x, ...)
    local list = table.pack(...)
    local last = list[list.n]
    if list.n > 0 and type(last) == "table" and has_options(last) then
      list[list.n] = typed(x, last)
    else
      list.n = list.n + 1
      list[list.n] = typed(x)
    end
    return neap[name](table.unpack(list, 1, list.n))
  end
end

--- A tensor of data in the type of another.
function Tensor.new_tensor(x, data, options)
  return neap.tensor(data, typed(x, options))
end

local function refuse_recorded(who, x)
  check_tensor(who, x, 2)
  if x.requires_grad and neap.is_grad_enabled() then
    error(who .. ": a Lua function has no gradient; use x:detach(), or " ..
          "neap.autograd.Function for one of your own", 3)
  end
end

local function elementwise(who, x, f)
  if type(f) ~= "function" then
    error(("%s: expected a function, not %s"):format(who, type(f)), 3)
  end
  local flat, out = x:detach():reshape(-1):totable(), {}
  for i, v in ipairs(flat) do
    out[i] = f(v)
    if type(out[i]) ~= "number" and type(out[i]) ~= "boolean" then
      error(("%s: the function gave %s for element %d, expected a number")
            :format(who, type(out[i]), i), 3)
    end
  end
  return neap.tensor(out, {dtype = x.dtype}):reshape(x.shape)
end

local real = {float64 = true, float32 = true, float16 = true,
              bfloat16 = true}

--- True if the elements are real numbers.
function Tensor.is_floating_point(x) return real[x.dtype] == true end

--- A new tensor of f(element) for each element, in the type of x. For
-- teaching and for cleaning data: each element is a call of a Lua function.
-- Refused while gradients are recorded.
function Tensor.map(x, f)
  refuse_recorded("map", x)
  return (elementwise("map", x, f))
end

--- The same in place.
function Tensor.apply_(x, f)
  refuse_recorded("apply_", x)
  return x:copy_(elementwise("apply_", x, f))
end
