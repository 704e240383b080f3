local neap = require "neap"
local message = require("spec.support.check").message

describe("tensors", function()

  it("are made from nested tables", function()
    local x = neap.tensor{{1, 2, 3}, {4, 5, 6}}
    assert.same({2, 3}, x.shape)
    assert.equal("float32", x.dtype)
    assert.equal(2, #x)
    assert.equal(3, x:size(-1))
    assert.equal(6, x:numel())
    assert.equal("bool", neap.tensor{true, false}.dtype)
    assert.equal("int64", neap.tensor({1}, {dtype = "int64"}).dtype)
    assert.same({}, neap.tensor(5).shape)
    assert.same({0}, neap.tensor({}).shape)
    assert.same({2, 0}, neap.tensor{{}, {}}.shape)
  end)

  it("refuse ragged data and things that are no numbers", function()
    assert.matches("not all of length 2",
                   message(neap.tensor, {{1, 2}, {3}}))
    assert.matches("holds string", message(neap.tensor, {"1"}))
    assert.matches("must be a number, a boolean or a table",
                   message(neap.tensor, "x"))
    assert.matches("no dtype 'float'",
                   message(neap.tensor, {1}, {dtype = "float"}))
    assert.matches("no option 'dtyp'; did you mean 'dtype'",
                   message(neap.tensor, {1}, {dtyp = "float32"}))
  end)

  it("are made by sizes, one by one or in a table with options", function()
    assert.same({2, 3}, neap.zeros(2, 3).shape)
    assert.same({2, 3}, neap.ones{2, 3}.shape)
    assert.same({}, neap.zeros({}).shape)
    assert.equal("float64", neap.zeros({2}, {dtype = "float64"}).dtype)
    assert.equal("int32", neap.ones{2, dtype = "int32"}.dtype)
    assert.same({{7, 7}}, neap.full({1, 2}, 7):totable())
    assert.is_true(neap.ones{2, requires_grad = true}.requires_grad)
  end)

  it("refuse sizes that cannot be", function()
    for _, case in ipairs{
      {{-1}, "negative"}, {{2^40 // 1 | 0, 2^40 // 1 | 0}, "too large"},
      {{math.maxinteger}, "too large"}, {{1.5}, "integer"},
      {{0/0}, "integer"}, {{1,1,1,1,1,1,1,1,1}, "8"}
    } do
      assert.matches(case[2], message(neap.zeros, case[1]))
    end
    assert.matches("more than 8 sizes",
                   message(neap.zeros, 1, 1, 1, 1, 1, 1, 1, 1, 1))
  end)

  it("include the end in ranges", function()
    assert.same({1, 2, 3}, neap.arange(3):totable())
    assert.same({2, 3, 4}, neap.arange(2, 4):totable())
    assert.same({1, 3, 5}, neap.arange(1, 6, 2):totable())
    assert.same({3, 2, 1}, neap.arange(3, 1, -1):totable())
    assert.same({0, 0.25, 0.5}, neap.arange(0, 0.5, 0.25):totable())
    assert.equal("int64", neap.arange(3).dtype)
    assert.equal("float32", neap.arange(0.5, 3).dtype)
    assert.same({}, neap.arange(0):totable())
  end)

  it("keep integers with integers and become float32 with floats",
  function()
    local i = neap.arange(3)
    assert.equal("int64", (i + 1).dtype)
    assert.equal("float32", (i + 1.5).dtype)
    assert.equal("float32", (i / 2).dtype)
    assert.equal("float64", (i + neap.zeros{3, dtype = "float64"}).dtype)
    assert.equal("float32", (neap.ones(3) * 2.5).dtype)
    assert.equal("int64", neap.tensor{true, true}:sum().dtype)
    assert.equal(2, neap.tensor{true, true}:sum():item())
  end)

  it("convert between all types and back", function()
    local names = {"bool", "uint8", "int32", "int64", "float32", "float64",
                   "int8", "float16", "bfloat16"}
    local x = neap.tensor{0, 1, 1}
    for _, a in ipairs(names) do
      for _, b in ipairs(names) do
        local y = x:to(a):to(b):to("float32")
        assert.same({0, 1, 1}, y:totable(), a .. " to " .. b)
      end
    end
    assert.same({-2, 2, 0}, neap.tensor{-2.7, 2.7, 0/0}:to("int64"):totable())
    assert.same({255, 0}, neap.tensor{300, -5}:to("uint8"):totable())
    assert.same({math.huge, -math.huge},
                neap.tensor{1e6, -1e6}:to("float16"):to("float32"):totable())
    assert.same({65504, 2^-24}, neap.tensor{65504, 2^-24}:to("float16")
                                :to("float32"):totable())
  end)

  it("of storage types must be converted before computing", function()
    assert.matches("storage only",
                   message(neap.exp, neap.ones(2):to("float16")))
  end)

  it("refuse < and <= with the name of the method", function()
    local x = neap.ones(2)
    assert.matches("x:lt%(y%)", message(function() return x < x end))
    assert.matches("x:le%(y%)", message(function() return x <= x end))
    assert.is_false(x == neap.ones(2))
  end)

  it("print rows in braces, type and shape", function()
    assert.equal("{{ 1,  2},\n {-3, 40}}\n[float32 2x2]",
                 tostring(neap.tensor{{1, 2}, {-3, 40}}))
    assert.equal("{0.5, 1.0} [float32 2]",
                 tostring(neap.tensor{0.5, 1}))
    assert.equal("5 [int64 ()]", tostring(neap.tensor(5, {dtype = "int64"})))
    assert.equal("{true} [bool 1]", tostring(neap.tensor{true}))
    assert.equal("{} [float32 0]", tostring(neap.tensor{}))
    assert.matches("requires_grad", tostring(neap.ones{1,
                                             requires_grad = true}))
    assert.matches("%.%.%.", tostring(neap.zeros(2000)))
    assert.is_true(#tostring(neap.zeros(100, 100)) < 1000)
  end)

  it("give items, tables, errors in sentences", function()
    assert.equal(3.5, neap.tensor(3.5):item())
    assert.matches("item: the tensor is 2, expected one element",
                   message(function() neap.ones(2):item() end))
    assert.matches("add: shapes 2x3 and 2x4 do not fit: 3 against 4 in " ..
                   "dimension 2",
                   message(neap.add, neap.ones(2, 3), neap.ones(2, 4)))
    assert.matches("argument 1 must be a tensor",
                   message(neap.Tensor.numel, 5))
    assert.matches("no dimension 3 in a tensor of 2 dimensions",
                   message(neap.sum, neap.ones(2, 2), 3))
    assert.matches("dim is 0, but dimensions count from 1",
                   message(neap.sum, neap.ones(2), 0))
    assert.matches("matmul: x is 2x3 and z is 2x3: the inner sizes 3 and 2 " ..
                   "differ", message(neap.matmul, neap.ones(2, 3),
                                     neap.ones(2, 3)))
    assert.matches("add: z is missing", message(neap.add, neap.ones(2), nil))
  end)

  it("check positions in index tensors with value and place", function()
    local x = neap.ones(3, 2)
    local ids = neap.tensor({1, 4}, {dtype = "int64"})
    assert.matches("index%[2%] is 4, but dimension 1 has positions 1 to 3",
                   message(neap.index_select, x, 1, ids))
    assert.matches("use index:to%(\"int64\"%)",
                   message(neap.index_select, x, 1, neap.ones(2)))
    local target = neap.tensor({1, 3}, {dtype = "int64"})
    assert.matches("target%[2%] is 3, but the classes are 1 to 2",
                   message(neap.cross_entropy, neap.ones(2, 2), target))
  end)

end)

describe("max and argmax", function()
  it("take the first of equal ones, count from 1, find NaN", function()
    local x = neap.tensor{{1, 5, 5}, {7, 0, 7}}
    local values, at = x:max(2)
    assert.same({5, 7}, values:totable())
    assert.same({2, 1}, at:totable())
    assert.equal("int64", at.dtype)
    assert.equal(4, x:argmax():item())
    assert.equal(2, neap.tensor{1, 0/0, 3}:argmax():item())
    local big = neap.zeros(1000)
    big[700] = 1
    assert.equal(700, big:argmax():item())
    big[800] = math.huge
    assert.equal(800, big:argmax():item())
    big[900] = 0/0
    assert.equal(900, big:argmax():item())
  end)
  it("have none among nothing", function()
    assert.has_error(function() neap.zeros(0):max() end,
      "max: there is no largest or smallest among no elements (x is 0)")
  end)
end)
