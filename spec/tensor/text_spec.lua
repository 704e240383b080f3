local neap = require "neap"
local check = require "spec.support.check"
local message, f64, ids = check.message, check.f64, check.ids

local nan, inf = 0/0, math.huge

describe("tensors as text", function()

  after_each(function() neap.set_printoptions() end)

  local function shown(data, ...)
    return tostring(neap.is_tensor(data) and data or neap.tensor(data, ...))
  end

  it("have as many digits as needed, and columns aligned", function()
    assert.equal("{1, 2} [float32 2]", shown{1, 2})
    assert.equal("{   1.00,   10.50, -100.25} [float32 3]",
                 shown{1, 10.5, -100.25})
    assert.equal("{{ 1, 20},\n {-3,  4}}\n[float32 2x2]",
                 shown{{1, 20}, {-3, 4}})
    assert.equal("{0.3333} [float64 1]", shown(f64{1 / 3}))
    assert.equal("{-5, 10} [int64 2]", shown(ids{-5, 10}))
    assert.equal("{ true, false} [bool 2]", shown{true, false})
    assert.equal("{{{1, 2},\n  {3, 4}},\n\n {{5, 6},\n  {7, 8}}}\n" ..
                 "[int64 2x2x2]", shown(neap.arange(8):reshape(2, 2, 2)))
  end)

  it("show their shape as a list", function()
    assert.equal("{2, 3}", tostring(neap.ones(2, 3).shape))
    assert.equal("{}", tostring(neap.ones{}:size()))
  end)

  it("of no dimensions and no elements", function()
    assert.equal("2.5 [float32 ()]", shown(2.5))
    assert.equal("7 [int64 ()]", shown(ids(7)))
    assert.equal("{} [float32 0]", shown{})
    assert.equal("{}\n[float32 0x3]", shown(neap.zeros(0, 3)))
    assert.equal("{{},\n {}}\n[float32 2x0]", shown(neap.zeros(2, 0)))
  end)

  it("show NaN, infinity and signs of zero", function()
    assert.equal("{ 1.5,  nan,  inf, -inf} [float32 4]",
                 shown{1.5, nan, inf, -inf})
    assert.equal("{nan} [float32 1]", shown{nan})
    assert.equal("{-0,  1} [float32 2]", shown{-0.0, 1})
  end)

  it("have exponents when numbers are far from 1", function()
    assert.equal("{1.0000e-05, 1.0000e+00} [float32 2]", shown{1e-5, 1})
    assert.equal("{1.0000e+08,        nan} [float32 2]", shown{1e8, nan})
    assert.equal("{99999999,        1} [float64 2]", shown(f64{99999999, 1}))
    neap.set_printoptions{sci_mode = true, precision = 2}
    assert.equal("{1.00e+00, 2.00e+01} [float32 2]", shown{1, 20})
    neap.set_printoptions{sci_mode = false}
    assert.equal("{100000000.0,         0.5} [float64 2]",
                 shown(f64{1e8, 0.5}))
    neap.set_printoptions{sci_mode = "auto"}
    assert.equal("{1.00e+08, 5.00e-01} [float64 2]", shown(f64{1e8, 0.5}))
  end)

  it("mark what wants a gradient", function()
    local w = neap.tensor({1, 2}, {requires_grad = true})
    assert.equal("{1, 2} [float32 2, requires_grad]", tostring(w))
    assert.equal("{2, 4} [float32 2, requires_grad]", tostring(w * 2))
    assert.equal("{1, 2} [float32 2]", tostring(w:detach()))
  end)

  it("are shortened to their ends when they are long", function()
    assert.equal("{   1,    2,    3, ..., 1999, 2000, 2001} [int64 2001]",
                 shown(neap.arange(2001)))
    assert.is_nil(shown(neap.arange(1000)):find("...", 1, true))
    neap.set_printoptions{threshold = 5, edgeitems = 1}
    assert.equal("{1, ..., 6} [int64 6]", shown(neap.arange(6)))
    assert.equal("{1, 2, 3, 4, 5} [int64 5]", shown(neap.arange(5)))
    assert.equal("{{ 1, ...,  4},\n ...\n {13, ..., 16}}\n[int64 4x4]",
                 shown(neap.arange(16):reshape(4, 4)))
    assert.equal("{1, ..., 9} [int64 9]",
                 shown(ids{1, 1000, 1000, 1, 1, 1, 1, 1, 9}))
  end)

  it("are broken into lines that are not too long", function()
    neap.set_printoptions{linewidth = 20}
    assert.equal("{ 1,  2,  3,  4,  5,\n  6,  7,  8,  9, 10,\n 11, 12} " ..
                 "[int64 12]", shown(neap.arange(12)))
    neap.set_printoptions{linewidth = 25}
    assert.equal("{{ 1,  2,  3,  4,  5,  6,\n   7,  8,  9},\n" ..
                 " {10, 11, 12, 13, 14, 15,\n  16, 17, 18}}\n[int64 2x9]",
                 shown(neap.arange(18):reshape(2, 9)))
  end)

  it("have options that stay until they are set again", function()
    neap.set_printoptions{precision = 1}
    neap.set_printoptions{edgeitems = 2}
    assert.equal("{0.3} [float64 1]", shown(f64{1 / 3}))
    neap.set_printoptions()
    assert.equal("{0.3333} [float64 1]", shown(f64{1 / 3}))
    assert.matches("set_printoptions: no option 'precison'; did you mean " ..
                   "'precision'", message(neap.set_printoptions,
                                          {precison = 2}))
    assert.is_false(pcall(neap.set_printoptions, 3))
  end)

end)
