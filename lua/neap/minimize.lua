--- optim.minimize: the least value of a function.
--
--     local r = optim.minimize(function(x)
--       return (1 - x[1]) ^ 2 + 100 * (x[2] - x[1] ^ 2) ^ 2
--     end, neap.tensor({-1.2, 1}, {dtype = "float64"}))
--     print(r.x, r.f, r.n_eval, r.message)
--
-- Methods: "lbfgs" and "cg" (nonlinear conjugate gradients, Polak and
-- Ribiere) follow gradients, f gives a tensor; "nelder-mead" (a simplex,
-- 1965) and "cma-es" (Hansen 2016, for rugged functions) only look at
-- values, f may give a number.

local neap = require "neap"
local fail = neap._fail
local options = require "neap.options"
local linesearch = require "neap.linesearch"
local optim = neap.optim

local declared = {
  {"method", "string", default = "lbfgs",
   choices = {"lbfgs", "cg", "nelder-mead", "cma-es"}},
  {"max_iter", "integer", default = 1000, least = 1},
  {"tolerance", "number", default = 1e-8, least = 0},
  {"sigma", "number", default = 0.5, least = 0},
  {"population", "integer", least = 4}, {"generator", "any"}
}

local function value_of(v)
  if neap.is_tensor(v) then v = v:item() end
  if type(v) ~= "number" then
    fail("minimize: the function gave a %s, expected a number or a tensor " ..
         "of one element", type(v))
  end
  return v
end

-- Value and gradient of f at a tensor.
local function slope_at(f, x, count)
  count.n = count.n + 1
  x = x:detach():clone():requires_grad_()
  local y = neap.enable_grad(f, x)
  if not neap.is_tensor(y) then
    fail("minimize: the function gave a %s; gradients need a tensor " ..
         "(method = \"nelder-mead\" does without)", type(y))
  end
  local g = y.requires_grad and neap.grad({y}, {x})[1] or neap.zeros_like(x)
  return {f = y:item(), g = g:detach(), x = x:detach()}
end

local function dot(a, b) return (a * b):sum():item() end

local methods = {}

methods["lbfgs"] = function(f, x, o, count)
  x = x:detach():clone():requires_grad_()
  local opt = optim.LBFGS({x}, {max_iter = o.max_iter,
    max_eval = 20 * o.max_iter, tolerance_grad = o.tolerance,
    tolerance_change = 1e-16, line_search_fn = "strong_wolfe"})
  opt:step(function()
    local point = slope_at(f, x, count)
    x.grad = point.g
    return neap.tensor(point.f, {dtype = "float64"})
  end)
  local last = slope_at(f, x, count)
  return last.x, last.f, opt.state.n_iter,
         last.g:abs():max():item() <= o.tolerance
end

-- From a point along d: the next one.
local function along_line(f, now, d, t, count)
  now.t, now.slope = 0, dot(now.g, d)
  return linesearch(function(step)
    local p = slope_at(f, now.x + d * step, count)
    p.t, p.slope = step, dot(p.g, d)
    return p
  end, now, t, function(width) return width < 1e-16 end, 0.1)
end

methods["cg"] = function(f, x, o, count)
  local now = slope_at(f, x, count)
  local d, steepest = -now.g, true
  local t = 1 / (now.g:abs():sum():item() + 1e-300)
  for k = 1, o.max_iter do
    if now.g:abs():max():item() <= o.tolerance then
      return now.x, now.f, k - 1, true
    end
    if dot(now.g, d) >= 0 then d, steepest = -now.g, true end
    local point = along_line(f, now, d, t, count)
    if point.t ~= 0 and point.f < now.f then
      local beta = math.max(0, dot(point.g, point.g - now.g) /
                               dot(now.g, now.g))
      local slope = now.slope
      d, steepest = d * beta - point.g, beta == 0
      t = point.t * math.min(10, slope / math.min(dot(point.g, d), -1e-300))
      now = point
    elseif steepest then return now.x, now.f, k, false   -- no way down
    else d, steepest = -now.g, true end
  end
  return now.x, now.f, o.max_iter, false
end

-- Points as Lua lists, whose values are counted.
local function on_lists(f, x, count)
  local shape, dtype = x.shape, x.dtype
  local function tensor(list)
    return neap.tensor(list, {dtype = dtype}):reshape(shape)
  end
  return function(list)
    count.n = count.n + 1
    return value_of(neap.no_grad(f, tensor(list)))
  end, tensor
end

-- a + factor (b - a)
local function along(a, b, factor)
  local out = {}
  for i = 1, #a do out[i] = a[i] + factor * (b[i] - a[i]) end
  return out
end

local function first_simplex(start, value)
  local points = {{x = start, f = value(start)}}
  for i = 1, #start do
    local x = {table.unpack(start)}
    x[i] = x[i] ~= 0 and x[i] * 1.05 or 0.00025
    points[i + 1] = {x = x, f = value(x)}
  end
  return points
end

-- NaN is worse than anything.
local function better(a, b) return a.f < b.f or b.f ~= b.f and a.f == a.f end

-- The point in place of the worst, or nil: then the simplex shrinks.
local function reflected(points, middle, value)
  local best, worst = points[1], points[#points]
  local function try(factor)
    local x = along(worst.x, middle, factor)
    return {x = x, f = value(x)}
  end
  local mirror = try(2)
  if better(mirror, best) then
    local far = try(3)
    return better(far, mirror) and far or mirror
  elseif better(mirror, points[#points - 1]) then return mirror end
  local outside = better(mirror, worst)
  local near = try(outside and 1.5 or 0.5)
  if better(near, outside and mirror or worst) then return near end
end

local function centre(points)
  local middle = {}
  for i = 1, #points[1].x do
    local sum = 0
    for k = 1, #points - 1 do sum = sum + points[k].x[i] end
    middle[i] = sum / (#points - 1)
  end
  return middle
end

local function spread(points)
  local size = 0
  for k = 2, #points do
    for i, v in ipairs(points[k].x) do
      size = math.max(size, math.abs(v - points[1].x[i]))
    end
  end
  return size
end

methods["nelder-mead"] = function(f, x, o, count)
  local value, tensor = on_lists(f, x, count)
  local points = first_simplex(x:reshape(-1):totable(), value)
  for k = 1, o.max_iter do
    table.sort(points, better)
    local best, worst = points[1], points[#points]
    if spread(points) <= o.tolerance and
       math.abs(worst.f - best.f) <= o.tolerance then
      return tensor(best.x), best.f, k - 1, true
    end
    local new = reflected(points, centre(points), value)
    if new then points[#points] = new
    else
      for i = 2, #points do
        local at = along(best.x, points[i].x, 0.5)
        points[i] = {x = at, f = value(at)}
      end
    end
  end
  table.sort(points, better)
  return tensor(points[1].x), points[1].f, o.max_iter, false
end

-- Eigenvectors (columns of v) and values of a symmetric matrix, by Jacobi's
-- rotations.
local function eigen(a)
  local n, v = #a, {}
  for i = 1, n do
    v[i] = {}
    for j = 1, n do v[i][j] = i == j and 1 or 0 end
  end
  local function rotate(m, i, j, k, l, c, s)
    local p, q = m[i][j], m[k][l]
    m[i][j], m[k][l] = c * p - s * q, s * p + c * q
  end
  for _ = 1, 50 do
    local off = 0
    for i = 1, n do for j = i + 1, n do off = off + a[i][j] ^ 2 end end
    if off < 1e-30 then break end
    for p = 1, n do
      for q = p + 1, n do
        if math.abs(a[p][q]) > 1e-300 then
          local theta = (a[q][q] - a[p][p]) / (2 * a[p][q])
          local t = (theta >= 0 and 1 or -1) /
                    (math.abs(theta) + math.sqrt(theta * theta + 1))
          local c = 1 / math.sqrt(t * t + 1)
          local s = t * c
          for k = 1, n do rotate(a, k, p, k, q, c, s) end
          for k = 1, n do rotate(a, p, k, q, k, c, s) end
          for k = 1, n do rotate(v, k, p, k, q, c, s) end
        end
      end
    end
  end
  local values = {}
  for i = 1, n do values[i] = math.max(a[i][i], 1e-300) end
  return v, values
end

-- The constants of CMA-ES for n dimensions (Hansen 2016, table 1).
local function cma_constants(n, population)
  local c = {lambda = population or 4 + math.floor(3 * math.log(n))}
  local mu, sum, squares = c.lambda // 2, 0, 0
  c.weights = {}
  for i = 1, mu do
    c.weights[i] = math.log((c.lambda + 1) / 2) - math.log(i)
    sum = sum + c.weights[i]
  end
  for i = 1, mu do
    c.weights[i] = c.weights[i] / sum
    squares = squares + c.weights[i] ^ 2
  end
  local m = 1 / squares
  c.mu_eff = m
  c.c_c = (4 + m / n) / (n + 4 + 2 * m / n)
  c.c_s = (m + 2) / (n + m + 5)
  c.c_1 = 2 / ((n + 1.3) ^ 2 + m)
  c.c_mu = math.min(1 - c.c_1, 2 * (m - 2 + 1 / m) / ((n + 2) ^ 2 + m))
  c.damp = 1 + 2 * math.max(0, math.sqrt((m - 1) / (n + 1)) - 1) + c.c_s
  c.norm = math.sqrt(n) * (1 - 1 / (4 * n) + 1 / (21 * n * n))
  return c
end

local function filled(n, f)
  local list = {}
  for i = 1, n do list[i] = f(i) end
  return list
end

-- A generation: points m + sigma B D z, the best first.
local function sample(s, value, o)
  local z = neap.randn({s.c.lambda, s.n}, {dtype = "float64",
                                           generator = o.generator})
  local points = {}
  for k, row in ipairs(z:totable()) do
    local y = filled(s.n, function(i)
      local sum = 0
      for j = 1, s.n do sum = sum + s.b[i][j] * s.d[j] * row[j] end
      return sum
    end)
    local x = filled(s.n, function(i) return s.mean[i] + s.sigma * y[i] end)
    points[k] = {x = x, y = y, f = value(x)}
  end
  table.sort(points, better)
  return points
end

-- C^(-1/2) y
local function whitened(s, y)
  local turned = filled(s.n, function(j)
    local sum = 0
    for i = 1, s.n do sum = sum + s.b[i][j] * y[i] end
    return sum / s.d[j]
  end)
  return filled(s.n, function(i)
    local sum = 0
    for j = 1, s.n do sum = sum + s.b[i][j] * turned[j] end
    return sum
  end)
end

-- The next mean, paths, covariance and step size (equations 38 to 47).
local function adapt(s, points, generation)
  local c, n = s.c, s.n
  local y = filled(n, function(i)
    local sum = 0
    for k, w in ipairs(c.weights) do sum = sum + w * points[k].y[i] end
    return sum
  end)
  for i = 1, n do s.mean[i] = s.mean[i] + s.sigma * y[i] end
  local white, length = whitened(s, y), 0
  local k_s = math.sqrt(c.c_s * (2 - c.c_s) * c.mu_eff)
  for i = 1, n do
    s.p_s[i] = (1 - c.c_s) * s.p_s[i] + k_s * white[i]
    length = length + s.p_s[i] ^ 2
  end
  length = math.sqrt(length)
  local limit = (1.4 + 2 / (n + 1)) * c.norm *
                math.sqrt(1 - (1 - c.c_s) ^ (2 * generation))
  local go = length < limit and 1 or 0
  local k_c = go * math.sqrt(c.c_c * (2 - c.c_c) * c.mu_eff)
  for i = 1, n do s.p_c[i] = (1 - c.c_c) * s.p_c[i] + k_c * y[i] end
  local keep = 1 - c.c_1 - c.c_mu + (1 - go) * c.c_1 * c.c_c * (2 - c.c_c)
  for i = 1, n do
    for j = 1, n do
      local rank = 0
      for k, w in ipairs(c.weights) do
        rank = rank + w * points[k].y[i] * points[k].y[j]
      end
      s.cov[i][j] = keep * s.cov[i][j] + c.c_1 * s.p_c[i] * s.p_c[j] +
                    c.c_mu * rank
    end
  end
  s.sigma = s.sigma * math.exp(c.c_s / c.damp * (length / c.norm - 1))
end

local function decompose(s)
  local values
  s.b, values = eigen(filled(s.n, function(i)
    return {table.unpack(s.cov[i])}
  end))
  s.d = filled(s.n, function(i) return math.sqrt(values[i]) end)
end

methods["cma-es"] = function(f, x, o, count)
  local value, tensor = on_lists(f, x, count)
  local n = x:numel()
  local s = {n = n, mean = x:reshape(-1):totable(), sigma = o.sigma,
             c = cma_constants(n, o.population),
             p_s = filled(n, function() return 0 end),
             p_c = filled(n, function() return 0 end),
             cov = filled(n, function(i)
               return filled(n, function(j) return i == j and 1 or 0 end)
             end)}
  local best = {x = {table.unpack(s.mean)}, f = value(s.mean)}
  for k = 1, o.max_iter do
    decompose(s)
    local points = sample(s, value, o)
    if better(points[1], best) then best = points[1] end
    adapt(s, points, k)
    if s.sigma * math.max(table.unpack(s.d)) <= o.tolerance then
      return tensor(best.x), best.f, k, true
    end
  end
  return tensor(best.x), best.f, o.max_iter, false
end

--- optim.minimize(f, x, options): looks for the least value of f(x) near
-- the tensor x, which stays as it is. Gives {x =, f =, n_iter =, n_eval =,
-- success =, message =}.
--
-- Options: method ("lbfgs"), max_iter (1000), tolerance (1e-8: of the
-- largest gradient, or of the size of simplex or distribution); for cma-es:
-- sigma (0.5), the first deviation, population, generator.
function optim.minimize(f, x, given)
  if type(f) ~= "function" then
    fail("minimize: expected a function, not a %s", type(f))
  elseif not neap.is_tensor(x) or not x:is_floating_point() or
         x:numel() == 0 then
    fail("minimize: expected a tensor of real numbers to start from, not %s",
         neap.is_tensor(x) and x.dtype or "a " .. type(x))
  end
  local o, count = options.read("minimize", given, declared), {n = 0}
  local at, value, n, success = methods[o.method](f, x, o, count)
  return {x = at, f = value, n_iter = n, n_eval = count.n, success = success,
          message = success and "converged" or n >= o.max_iter and
                    "max_iter reached" or "no better point was found"}
end

return optim.minimize
