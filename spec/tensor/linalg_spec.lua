local neap = require "neap"
local check = require "spec.support.check"
local message, f64 = check.message, check.f64
local linalg = neap.linalg

-- Without LAPACK there is one sentence, which the samples look for.
local there = pcall(neap.cholesky, neap.eye(2))
local it_needs = there and it or function(name)
  it(name, function() pending "skipped: no LAPACK" end)
end

local function turn(a) return a:transpose(-1, -2) end
local function product(a, b) return a:matmul(b) end
local function unit(n) return neap.eye(n, {dtype = "float64"}) end

describe("linear algebra", function()
  neap.manual_seed(5)
  local a = neap.randn({2, 4, 4}, {dtype = "float64"})
  local tall = neap.randn({2, 5, 3}, {dtype = "float64"})

  it_needs("solves equations and inverts", function()
    local b = neap.randn({2, 4, 3}, {dtype = "float64"})
    check.near(b, product(a, linalg.solve(a, b)), 1e-10, 1e-10)
    check.near(b[1]:select(2, 1),
               product(a[1], linalg.solve(a[1], b[1]:select(2, 1))), 1e-10,
               1e-10)
    check.near(unit(4):expand{2, 4, 4}, product(a, linalg.inv(a)), 1e-10,
               1e-10)
    check.near(a[1]:inverse(), linalg.inv(a)[1], 1e-12, 1e-12)
    local u = b[1]:select(2, 1):unsqueeze(2)
    local triangle = a[1]:triu()
    check.near(u, product(triangle, linalg.solve_triangular(a[1], u,
               {upper = true})), 1e-9, 1e-9)
    check.near(a:to("float32"), linalg.inv(linalg.inv(a:to("float32"))),
               1e-4, 1e-4)
  end)

  it_needs("knows determinants, of singular matrices too", function()
    local m = f64{{2, 0, 0}, {0, 0, 3}, {0, 1, 0}}
    assert.near(-6, linalg.det(m):item(), 1e-12)
    local sign, logarithm = m:slogdet()
    assert.same({-1, true}, {sign:item(),
                             math.abs(logarithm:item() - math.log(6)) < 1e-12})
    assert.equal(0, linalg.det(f64{{1, 2}, {2, 4}}):item())
    local s, l = neap.slogdet(f64{{1, 2}, {2, 4}})
    assert.same({0, -math.huge}, {s:item(), l:item()})
    assert.is_true(linalg.logdet(m):isnan():item())
    assert.equal(1, linalg.det(neap.zeros{0, 0}):item())
  end)

  it_needs("factors matrices", function()
    local p = product(a, turn(a)) + unit(4)
    local l = neap.cholesky(p)
    check.near(p, product(l, turn(l)), 1e-10, 1e-10)
    assert.equal(0, l:triu(1):abs():sum():item())
    local u = neap.cholesky(p, {upper = true})
    check.near(turn(l), u, 1e-10, 1e-10)
    for _, m in ipairs{tall, turn(tall), a} do
      local q, r = neap.qr(m)
      check.near(m, product(q, r), 1e-10, 1e-10)
      local k = math.min(m:size(2), m:size(3))
      check.near(unit(k):expand{2, k, k}, product(turn(q), q), 1e-10, 1e-10)
      assert.equal(0, r:tril(-1):abs():sum():item())
      local v, s, wh = neap.svd(m)
      check.near(m, product(v * s:unsqueeze(-2), wh), 1e-10, 1e-10)
      assert.is_true(s:diff():le(0):all():item())
    end
    local w, v = neap.eigh(p)
    check.near(p, product(v * w:unsqueeze(-2), turn(v)), 1e-9, 1e-9)
    assert.is_true(w:diff():ge(0):all():item())
  end)

  it_needs("finds what fits best", function()
    local b = neap.randn({2, 5, 2}, {dtype = "float64"})
    local y = linalg.lstsq(tall, b)
    local rest = product(turn(tall), product(tall, y) - b)
    assert.near(0, rest:abs():max():item(), 1e-10)
    local p = linalg.pinv(tall)
    check.near(tall, product(product(tall, p), tall), 1e-10, 1e-10)
    -- rank 1: the shortest of many
    local thin = f64{{1, 1}, {1, 1}, {1, 1}}
    check.near(f64{1, 1}, linalg.lstsq(thin, f64{2, 2, 2}), 1e-10, 1e-10)
    assert.equal(1, linalg.matrix_rank(thin):item())
    assert.same({3, 3}, linalg.matrix_rank(tall):totable())
    check.near(f64{0.5, 0.5}, linalg.lstsq(f64{{1, 1}}, f64{1}), 1e-10,
               1e-10)
  end)

  it_needs("measures matrices", function()
    local m = f64{{3, 0}, {4, 5}}
    for ord, want in pairs{fro = math.sqrt(50), nuc = math.sqrt(5) * 4,
                           [1] = 7, [-1] = 5, [2] = math.sqrt(45),
                           [-2] = math.sqrt(5), [math.huge] = 9,
                           [-math.huge] = 3} do
      assert.near(want, linalg.matrix_norm(m, ord):item(), 1e-10, ord)
    end
    assert.near(3, linalg.cond(m):item(), 1e-10)
    assert.same({2}, linalg.matrix_norm(a).shape)
  end)

  it_needs("has gradients of what is made of it", function()
    local m = neap.randn({3, 2}, {dtype = "float64"})
    local s = product(turn(m), m) + unit(2)
    for _, f in ipairs{linalg.inv, linalg.det, linalg.logdet, linalg.pinv,
                       linalg.cond, function(x)
                         return linalg.matrix_norm(x, "nuc") end} do
      assert.is_true(neap.gradcheck(f, {s}))
    end
    assert.is_true(neap.gradcheck(linalg.lstsq, {m, neap.randn({3}, {
      dtype = "float64"})}))
    assert.is_true(neap.gradcheck(linalg.pinv, {m}))
  end)

  it_needs("says what it cannot do", function()
    assert.matches("solve: a is singular %(matrix 2 of 2%)",
                   message(neap.solve, neap.stack{neap.eye(2),
                           neap.zeros(2, 2)}, neap.ones(2, 2, 1)))
    assert.matches("cholesky: a is not positive%-definite: its leading " ..
                   "part of order 2 is not", message(neap.cholesky,
                   f64{{1, 2}, {2, 1}}))
    assert.matches("a is 2x3, expected square matrices",
                   message(neap.slogdet, neap.ones(2, 3)))
    assert.matches("inv: a is 3, expected square matrices",
                   message(linalg.inv, neap.ones(3)))
    assert.matches("b %(float32 3x1%) does not fit a %(float32 2x2%)",
                   message(neap.solve, neap.eye(2), neap.ones(3, 1)))
    assert.matches("element 2 of its diagonal is 0", message(
                   neap.solve_triangular, f64{{1, 0}, {1, 0}},
                   f64{{1}, {1}}, {upper = false}))
    assert.matches("matrix_norm: ord is 3, expected",
                   message(linalg.matrix_norm, neap.eye(2), 3))
  end)

end)
