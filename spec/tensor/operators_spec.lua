local neap = require "neap"
local check = require "spec.support.check"
local message, ids = check.message, check.ids

describe("operators", function()

  it("divide and leave rests like Lua", function()
    for _, pair in ipairs{{-7, 2}, {7, -2}, {7, 3}, {-7, -3}} do
      local a, b = pair[1], pair[2]
      for _, f in ipairs{neap.tensor, ids} do
        local x, y = f{a}, f{b}
        assert.same({a // b}, (x // y):totable())
        assert.same({a % b}, (x % y):totable())
        assert.same({a // b}, (x // b):totable())
        assert.same({a % b}, (a % y):totable())
      end
    end
    assert.equal("int64", (ids{7} // 2).dtype)
    assert.matches("integers cannot be divided by 0",
                   message(function() return (ids{7} // 0) end))
  end)

  it("raise to powers from both sides", function()
    assert.same({4, 9}, (neap.tensor{2, 3} ^ 2):totable())
    assert.same({4, 8}, (2 ^ neap.tensor{2, 3}):totable())
    assert.same({4, 27}, (neap.tensor{2, 3} ^ neap.tensor{2, 3}):totable())
    assert.same({-1, 2}, (-neap.tensor{1, -2}):totable())
  end)

  it("work on bits and on truth", function()
    local x = ids{5, 6}
    assert.same({1, 2}, (x & 3):totable())
    assert.same({13, 14}, (8 | x):totable())
    assert.same({4, 7}, (x ~ 1):totable())
    assert.same({10, 12}, (x << 1):totable())
    assert.same({2, 3}, (x >> 1):totable())
    assert.same({32, 64}, (1 << x):totable())
    assert.same({-6, -7}, (~x):totable())
    local p, q = neap.tensor{true, true, false}, neap.tensor{true, false,
                                                             false}
    assert.same({true, false, false}, (p & q):totable())
    assert.same({true, true, false}, (p | q):totable())
    assert.same({false, true, false}, (p ~ q):totable())
    assert.same({false, false, true}, (~p):totable())
    assert.matches("bitwise_and: x is float32, expected integers or bool",
                   message(function() return (neap.tensor{1.5} & 1) end))
    assert.matches("bitwise_not: x is float32",
                   message(function() return (~neap.tensor{1.5}) end))
  end)

  it("transpose: T all dimensions, mT the last two", function()
    local x = neap.arange(6):reshape(1, 2, 3)
    assert.same({3, 2, 1}, x.T.shape)
    assert.same({{{1}, {4}}, {{2}, {5}}, {{3}, {6}}}, x.T:totable())
    assert.same({{{1, 4}, {2, 5}, {3, 6}}}, x.mT:totable())
    assert.same({1, 2}, neap.tensor{1, 2}.T:totable())
    assert.matches("mT: the tensor has 1 dimensions, expected two or more",
                   message(function() return neap.ones(2).mT.shape end))
    x.mT:fill_(0)
    assert.equal(0, x:sum():item())
  end)

end)
