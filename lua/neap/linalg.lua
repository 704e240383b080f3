--- neap.linalg: linear algebra, with PyTorch's names. Matrices are the last
-- two dimensions, those before are a batch.
--
-- solve(a, b), solve_triangular(a, b, {upper = true}), cholesky(a), qr(a)
-- -> q, r; eigh(a) -> w, v; svd(a) -> u, s, vh; slogdet(a) -> sign,
-- logabsdet are operations, also functions of neap and methods. The others
-- are made of them here. All have gradients where the mathematics has.

local neap = require "neap"
local fail = neap._fail
local options = require "neap.options"

local linalg = {}
for _, name in ipairs{"solve_triangular", "cholesky", "qr", "eigh", "svd",
                      "slogdet"} do
  linalg[name] = neap[name]
end

local function check_matrices(who, a, square)
  if not neap.is_tensor(a) then
    fail("%s: expected a tensor, not a %s", who, type(a))
  elseif a.ndim < 2 or square and a:size(-1) ~= a:size(-2) then
    fail("%s: a is %s, expected %s", who, table.concat(a.shape, "x"),
         square and "square matrices" or "matrices (..., rows, columns)")
  end
end

--- The y with a y = b. A vector b is a single column.
function linalg.solve(a, b)
  if neap.is_tensor(a) and neap.is_tensor(b) and b.ndim == a.ndim - 1 then
    return neap.solve(a, b:unsqueeze(-1)):squeeze(-1)
  end
  return neap.solve(a, b)
end

-- Unit matrices in the shape of a.
local function unit(a)
  return neap.eye(a:size(-1), {dtype = a.dtype}):expand(a.shape)
end

--- The inverse: a^-1.
function linalg.inv(a)
  check_matrices("inv", a, true)
  return neap.solve(a, unit(a))
end

--- The determinant.
function linalg.det(a)
  check_matrices("det", a, true)
  local sign, logarithm = neap.slogdet(a)
  return sign * logarithm:exp()
end

--- The logarithm of the determinant; NaN where that is negative.
function linalg.logdet(a)
  check_matrices("logdet", a, true)
  local sign, logarithm = neap.slogdet(a)
  return neap.where(sign:lt(0), 0 / 0, logarithm)
end

-- Singular values and what is too small to count beside the largest.
local function cut(a, s, rcond)
  local eps = a.dtype == "float64" and 2.220446049250313e-16 or 1.1920929e-07
  rcond = rcond or math.max(a:size(-1), a:size(-2)) * eps
  return s:gt(s:amax{dim = -1, keepdim = true} * rcond)
end

--- The Moore-Penrose inverse, v s^-1 u^T, where singular values of at most
-- rcond (the larger size times the machine's epsilon) times the largest
-- count as 0. Option: rcond.
function linalg.pinv(a, given)
  check_matrices("pinv", a)
  local o = options.read("pinv", given, {{"rcond", "number", least = 0}})
  local u, s, vh = neap.svd(a)
  local keep = cut(a, s, o.rcond)
  local inverse = neap.where(keep, 1 / neap.where(keep, s, 1), 0)
  return (vh:transpose(-1, -2) * inverse:unsqueeze(-2)):matmul(
    u:transpose(-1, -2))
end

--- How many singular values count (see pinv). Option: rcond.
function linalg.matrix_rank(a, given)
  check_matrices("matrix_rank", a)
  local o = options.read("matrix_rank", given,
                         {{"rcond", "number", least = 0}})
  local _, s = neap.no_grad(neap.svd, a)
  return cut(a, s, o.rcond):sum(-1)
end

--- The y for which |a y - b| is least, and of these the shortest: by QR
-- where a has at least as many rows as columns and full rank, else by the
-- pseudo-inverse. A vector b is a single column.
function linalg.lstsq(a, b)
  check_matrices("lstsq", a)
  if neap.is_tensor(b) and b.ndim == a.ndim - 1 then
    return linalg.lstsq(a, b:unsqueeze(-1)):squeeze(-1)
  end
  check_matrices("lstsq", b)
  local full = a:size(-2) >= a:size(-1) and
               linalg.matrix_rank(a):eq(a:size(-1)):all():item()
  if not full then return linalg.pinv(a):matmul(b) end
  local q, r = neap.qr(a)
  return neap.solve_triangular(r, q:transpose(-1, -2):matmul(b),
                               {upper = true})
end

-- The largest or smallest singular value, sum of them ...
local function by_values(a, f)
  local _, s = neap.svd(a)
  return f(s)
end

local norms = {
  fro = function(a) return (a * a):sum{dim = {-2, -1}}:sqrt() end,
  nuc = function(a) return by_values(a, function(s) return s:sum(-1) end) end,
  [1] = function(a) return a:abs():sum(-2):amax(-1) end,
  [-1] = function(a) return a:abs():sum(-2):amin(-1) end,
  [2] = function(a) return by_values(a, function(s) return s:amax(-1) end)
  end,
  [-2] = function(a) return by_values(a, function(s) return s:amin(-1) end)
  end,
  [math.huge] = function(a) return a:abs():sum(-1):amax(-1) end,
  [-math.huge] = function(a) return a:abs():sum(-1):amin(-1) end
}

--- The norm of matrices: "fro" (of the elements), "nuc" (the sum of the
-- singular values), 2 and -2 (the largest and least of them), 1 and -1 (of
-- the sums of columns), math.huge and -math.huge (of rows).
function linalg.matrix_norm(a, ord)
  check_matrices("matrix_norm", a)
  local f = norms[ord == nil and "fro" or ord]
  if not f then
    fail("matrix_norm: ord is %s, expected \"fro\", \"nuc\", 1, -1, 2, " ..
         "-2, math.huge or -math.huge", tostring(ord))
  end
  return f(a)
end

--- The largest over the least singular value.
function linalg.cond(a)
  check_matrices("cond", a)
  local _, s = neap.svd(a)
  return s:amax(-1) / s:amin(-1)
end

-- Functions and methods that PyTorch has outside torch.linalg too.
for name, f in pairs{inverse = linalg.inv, det = linalg.det,
                     logdet = linalg.logdet, pinverse = linalg.pinv} do
  neap[name], neap.Tensor[name] = f, f
end

neap.linalg = linalg
return linalg
