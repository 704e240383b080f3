local neap = require "neap"
local check = require "spec.support.check"
local message, f64, ids = check.message, check.f64, check.ids
local near, tables = check.near_table, check.tables

local nan = 0/0

describe("unusual arguments of tensor functions", function()

  local x = neap.tensor{{1, 2, 3}, {4, 5, 6}}

  it("trapezoid takes places along any dimension", function()
    local y = neap.tensor{{1, 2}, {3, 4}, {5, 7}}
    near({10, 14}, y:trapezoid(neap.tensor{0, 1, 3}, 1))
    near({3, 7, 12}, y:trapezoid(neap.tensor{0, 2}, 2))
  end)

  it("xlogy of 0 and NaN is NaN", function()
    local y = neap.tensor{0}:xlogy(neap.tensor{nan}):item()
    assert.is_true(y ~= y)
  end)

  it("new_zeros takes options in its sizes and leaves them alone", function()
    assert.equal("int64", x:new_zeros{2, dtype = "int64"}.dtype)
    local options = {requires_grad = true}
    assert.equal("float64", f64{1}:new_zeros(2, options).dtype)
    f64{1}:new_tensor({1}, options)
    assert.same({requires_grad = true}, options)
  end)

  it("repeat_interleave checks a tensor of repeats", function()
    near({{1, 2, 3}, {4, 5, 6}, {4, 5, 6}},
         x:repeat_interleave(ids{1, 2}, {dim = 1}))
    near({{1, 2, 3}, {1, 2, 3}, {4, 5, 6}, {4, 5, 6}},
         x:repeat_interleave(ids{2}, 1))
    assert.equal("repeat_interleave: repeats must not be negative",
                 message(x.repeat_interleave, x, ids{-1, 2}, 1))
    assert.equal("repeat_interleave: 3 repeats for 2 slices",
                 message(x.repeat_interleave, x, ids{1, 2, 1}, 1))
    assert.equal("repeat_interleave: repeats is float32 of 1 dimensions, " ..
                 "expected a vector of integers",
                 message(x.repeat_interleave, x, neap.tensor{1, 2}, 1))
  end)

  it("tensor_split takes positions beyond the end, and no part of 0",
  function()
    assert.same({{1}, {2, 3, 4}, {}},
                tables(neap.arange(4):tensor_split{2, 9}))
    for _, cuts in ipairs{0, -1, 2.5} do
      assert.equal("tensor_split: expected a number of parts from 1 on, or " ..
                   "a list of positions", message(x.tensor_split, x, cuts))
    end
  end)

  it("diff of too few elements is empty", function()
    assert.same({0}, neap.tensor{1}:diff(2).shape)
    assert.same({2, 0}, x:diff(3).shape)
  end)

  it("nanmedian of no rows is empty", function()
    assert.same({0}, neap.zeros(0, 3):nanmedian(2).shape)
  end)

  it("matrix_power gives a new tensor", function()
    local m = neap.tensor{{1, 2}, {3, 4}}
    m:matrix_power(1):zero_()
    near({{1, 2}, {3, 4}}, m)
  end)

  it("zero_ and fill_diagonal_ change in place", function()
    local m = neap.ones(2, 2)
    assert.equal(m, m:fill_diagonal_(5))
    near({{5, 1}, {1, 5}}, m)
    assert.equal(m, m:zero_())
    near({{0, 0}, {0, 0}}, m)
  end)

  it("options that are not there are refused", function()
    assert.equal("cov: no option 'corection'; there is correction ",
                 message(x.cov, x, {corection = 0}))
    assert.equal("unique_consecutive: no option 'dim'; there is " ..
                 "return_inverse return_counts ",
                 message(x.unique_consecutive, x, {dim = 1}))
  end)

  it("map refuses what is no function, and what gives no number", function()
    assert.equal("map: expected a function, not number",
                 message(x.map, x, 3))
    assert.equal("apply_: the function gave nil for element 1, expected a " ..
                 "number", message(x.apply_, x, function() end))
  end)

  it("set_printoptions names all options and changes none of a table",
  function()
    local options = {sci_mode = true}
    neap.set_printoptions(options)
    neap.set_printoptions()
    assert.same({sci_mode = true}, options)
    assert.matches("precision threshold edgeitems linewidth sci_mode",
                   message(neap.set_printoptions, {foo = 1}))
    neap.set_printoptions{linewidth = 20}
    local text = tostring(neap.arange(7))
    neap.set_printoptions()
    assert.equal("{1, 2, 3, 4, 5, 6,\n 7} [int64 7]", text)
  end)

  it("errors name the line of the caller", function()
    local function user()
      neap.trace(neap.tensor{1})
    end
    local line = debug.getinfo(user, "S").linedefined + 1
    local _, err = pcall(user)
    assert.matches(":" .. line .. ": trace: x has 1 dimensions", err)
  end)

  it("nothing that is too much is dropped in silence", function()
    local two = neap.ones(2)
    assert.same({1, 1}, two:relu(nil, nil):totable())
    for _, call in ipairs{function() neap.relu(two, nil, 3) end,
                          function() neap.relu(two, nil, nil, "x") end,
                          function() two:softmax(1, nil, {bogus = 1}) end} do
      assert.is_string(message(call))
    end
  end)

end)
