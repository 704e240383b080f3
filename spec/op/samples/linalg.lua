-- Samples of linear algebra, where LAPACK is.

local neap = require "neap"
local F = neap.nn.functional
local i = require "spec.op.samples.inputs"
local randn = i.randn

local function turn(a) return a:transpose(-1, -2) end

-- matrices far from singular, symmetric ones, positive-definite ones
local function good(...) return randn(...) + 3 * neap.eye((...), {
  dtype = "float64"}) end
local function symmetric(a) return (a + turn(a)) / 2 end
local function positive(a)
  return a:matmul(turn(a)) + neap.eye(a:size(-1), {dtype = a.dtype})
end

-- Signs of vectors are LAPACK's choice: what does not depend on them.
local function squares(...)
  local out = {}
  for k, t in ipairs{...} do out[k] = t * t end
  return table.unpack(out)
end

-- rows that are alike make singular matrices
local loose = {empty = false, expanded = false, rtol = 1e-4}

local samples = {
  solve = {{F.solve, {good(3, 3), randn(3, 2)}, loose},
           {F.solve, {randn(2, 2, 2) * 0.2 + neap.eye(2, {
              dtype = "float64"}), randn(2, 2, 1)}, loose}},
  solve_triangular = {
    {function(a, b) return F.solve_triangular(a, b, {upper = true}) end,
     {good(3, 3), randn(3, 2)}, loose},
    {function(a, b)
       return F.solve_triangular(a, b, {upper = false, unitriangular = true})
     end, {randn(2, 3, 3) * 0.5, randn(2, 3, 1)}, loose}},
  slogdet = {{F.slogdet, {good(3, 3)}, loose},
             {function(a) return select(2, F.slogdet(a)) end,
              {randn(2, 2, 2) + 3 * neap.eye(2, {dtype = "float64"})},
              loose}},
  cholesky = {{function(a) return F.cholesky(positive(a)) end,
               {randn(3, 3)}, loose},
              {function(a) return F.cholesky(positive(a), {upper = true}) end,
               {randn(2, 2, 2)}, loose}},
  qr = {{function(a) return squares(F.qr(a)) end, {randn(4, 3)}, loose},
        {function(a) return squares(F.qr(a)) end, {randn(2, 2, 2)}, loose}},
  eigh = {{function(a)
             local w, v = F.eigh(symmetric(a))
             return w, v * v
           end, {randn(3, 3)}, loose}},
  svd = {{function(a) return squares(F.svd(a)) end, {randn(4, 3)}, loose},
         {function(a) return squares(F.svd(a)) end, {randn(2, 2, 3)},
          loose}}
}

-- A neap without LAPACK says so.
local ok, why = pcall(F.cholesky, neap.eye(2))
if not ok then
  assert(why:find("linear algebra needs LAPACK", 1, true), why)
  for name in pairs(samples) do
    samples[name] = {{function(x)
      local a = neap.eye(2)
      local fine, sentence = pcall(F[name], a, a, {upper = true})
      if name ~= "solve_triangular" then
        fine, sentence = pcall(F[name], a, name == "solve" and a or nil)
      end
      assert(not fine and sentence:find("needs LAPACK", 1, true), sentence)
      return x * 2
    end, {randn(2)}}}
  end
end
return samples
