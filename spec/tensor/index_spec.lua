local neap = require "neap"
local message = require("spec.support.check").message

describe("indexing", function()
  local x

  before_each(function()
    x = neap.arange(12):to("float32"):reshape(3, 4)
  end)

  it("counts from 1, and from the end with negative numbers", function()
    assert.same({1, 2, 3, 4}, x[1]:totable())
    assert.same({9, 10, 11, 12}, x[-1]:totable())
    assert.equal(7, x[2][3])
    assert.equal(12, x[{-1, -1}])
  end)

  it("refuses 0, positions outside, fractions and strings", function()
    assert.matches("positions count from 1",
                   message(function() return x[0] end))
    assert.matches("position 4 is outside dimension 1 of size 3",
                   message(function() return x[4] end))
    assert.matches("position %-4 is outside",
                   message(function() return x[-4] end))
    assert.matches("must be an integer, not 1.5",
                   message(function() return x[1.5] end))
    assert.matches("entry 1 of the index is string",
                   message(function() return x[{"2"}] end))
    assert.matches("no field '2'", message(function() return x["2"] end))
    assert.matches("an index of 3 dimensions for a tensor of 2",
                   message(function() return x[{1, 1, 1}] end))
  end)

  it("takes ranges with both ends, clamped like string.sub", function()
    assert.same({{2, 3}, {6, 7}, {10, 11}}, x[{{}, {2, 3}}]:totable())
    assert.same({{5, 6, 7, 8}, {9, 10, 11, 12}}, x[{{2, 99}}]:totable())
    assert.same({{9, 10, 11, 12}}, x[{{-1, -1}}]:totable())
    assert.same({1, 3}, x[{1, {1, -1, 2}}]:totable())
    assert.same({}, x[{1, {3, 2}}]:totable())
    assert.same({0, 4}, x[{{3, 2}}].shape)
    local s, row = "abcd", neap.arange(4)
    for a = -6, 6 do
      for b = -6, 6 do
        assert.equal(#s:sub(a, b), row[{{a, b}}]:numel(), a .. "," .. b)
      end
    end
  end)

  it("explains a range with one entry", function()
    local why = message(function() return x[{{2}}] end)
    assert.matches("write 2 for a position", why)
    assert.matches("{2, -1} for all", why, 1, true)
  end)

  it("adds axes and fills up with the ellipsis", function()
    assert.same({1, 3, 4}, x[neap.newaxis].shape)
    assert.same({3, 1, 4}, x[{{}, neap.newaxis}].shape)
    assert.same({4, 8, 12}, x[{neap.ellipsis, 4}]:totable())
    local y = neap.zeros(2, 3, 4, 5)
    assert.same({2, 5}, y[{{}, 1, -1}].shape)
    assert.same({2, 3, 4}, y[{neap.ellipsis, 1}].shape)
    assert.same({3, 4}, y[{1, neap.ellipsis, 2}].shape)
  end)

  it("gives Lua numbers of the right kind for single elements", function()
    assert.equal("float", math.type(x[1][1]))
    assert.equal("integer", math.type(neap.arange(3)[2]))
    assert.is_true(neap.tensor{true, false}[1])
  end)

  it("gives a 0-d tensor where the element carries a gradient", function()
    local w = neap.tensor({1, 2}, {requires_grad = true})
    local y = (w * 3)[2]
    assert.is_true(neap.is_tensor(y))
    y:backward()
    assert.same({0, 3}, w.grad:totable())
    assert.is_true(neap.is_tensor(neap.no_grad(function() return w[1] end)))
  end)

  it("assigns numbers, rows, parts", function()
    x[1][1] = 100
    assert.equal(100, x[1][1])
    x[2] = 0
    assert.same({0, 0, 0, 0}, x[2]:totable())
    x[{{}, -1}] = neap.tensor{-1, -2, -3}
    assert.same({100, 2, 3, -1}, x[1]:totable())
    x[{3, {1, 2}}] = x[{1, {2, 3}}]
    assert.same({2, 3, 11, -3}, x[3]:totable())
  end)

  it("assigns overlapping parts of itself as if they were copies", function()
    local r = neap.arange(6)
    r[{{2, 6}}] = r[{{1, 5}}]
    assert.same({1, 1, 2, 3, 4, 5}, r:totable())
    r = neap.arange(6)
    r[{{1, 5}}] = r[{{2, 6}}]
    assert.same({2, 3, 4, 5, 6, 6}, r:totable())
  end)

  it("refuses values that do not fit", function()
    assert.matches("do not fit", message(function()
      x[1] = neap.tensor{1, 2, 3}
    end))
    assert.matches("a tensor or a number can be assigned, not string",
                   message(function() x[1] = "a" end))
  end)

  it("shares elements with what it came from", function()
    local row = x[2]
    row:fill_(7)
    assert.same({7, 7, 7, 7}, x[2]:totable())
  end)

  it("says what a mask is", function()
    local y = neap.ones(3)
    assert.matches("not boolean %(== compares no elements; x:eq%(y%) is a " ..
                   "mask%)", message(function() return y[y == 1] end))
  end)

  it("says that ipairs looks one too far", function()
    assert.matches("position 4 is outside dimension 1 of size 3 %(pairs%(x%) "
      .. "or x:rows%(%) iterate", message(function()
        for _ in ipairs(neap.ones(3)) do end
      end))
  end)

  it("iterates with pairs and rows", function()
    local sum, n = 0, 0
    for i, row in pairs(x) do
      n = n + i
      sum = sum + row:sum():item()
    end
    assert.equal(6, n)
    assert.equal(78, sum)
    local seen = {}
    for row in neap.arange(3):rows() do seen[#seen + 1] = row end
    assert.same({1, 2, 3}, seen)
  end)

  local function int(t) return neap.tensor(t, {dtype = "int64"}) end

  it("takes rows and columns by tensors of positions", function()
    assert.same({{9, 10, 11, 12}, {1, 2, 3, 4}}, x[int{3, 1}]:totable())
    assert.same({{4, 2}, {8, 6}, {12, 10}}, x[{{}, int{-1, 2}}]:totable())
    assert.same({2, 2, 4}, x[int{{1, 2}, {3, 3}}].shape)
    assert.same({7, 5}, x[{2, int{3, 1}}]:totable())
    assert.same({0, 4}, x[neap.zeros{0, dtype = "int64"}].shape)
  end)

  it("lets several tensors of positions broadcast together", function()
    assert.same({2, 7, 12}, x[{int{1, 2, 3}, int{2, 3, 4}}]:totable())
    assert.same({{1, 3}, {9, 11}},
                x[{int{{1}, {3}}, int{1, 3}}]:totable())
    local y = neap.arange(24):reshape(2, 3, 4)
    -- neighbours stay in their place, others go to the front
    assert.same({2, 5}, y[{{}, int{1, 2, 1, 2, 1}, int{1, 1, 1, 4, 2}}].shape)
    assert.same({2, 3}, y[{int{1, 2}, {}, int{1, 2}}].shape)
    assert.same({{1, 5, 9}, {14, 18, 22}},
                y[{int{1, 2}, {}, int{1, 2}}]:totable())
    assert.same({1, 2, 3}, y[{neap.newaxis, int{1, 2}, {}, 1}].shape)
  end)

  it("takes elements by masks of one or several dimensions", function()
    assert.same({10, 11, 12}, x[x:gt(9)]:totable())
    assert.same({{1, 3}, {5, 7}, {9, 11}},
                x[{{}, neap.tensor{true, false, true, false}}]:totable())
    assert.same({{5, 6, 7, 8}}, x[neap.tensor{false, true, false}]:totable())
    assert.same({}, x[x:gt(99)]:totable())
    assert.equal(1, x[x:eq(5)].ndim)
  end)

  it("assigns by masks and by tensors of positions", function()
    x[x:gt(9)] = 0
    assert.same({9, 0, 0, 0}, x[3]:totable())
    x[x:eq(0)] = neap.tensor{-1, -2, -3}
    assert.same({9, -1, -2, -3}, x[3]:totable())
    x[int{1, 2}] = neap.tensor{7, 7, 7, 7}
    assert.same({{7, 7, 7, 7}, {7, 7, 7, 7}}, x[{{1, 2}}]:totable())
    x[{int{1, 3}, int{1, 4}}] = neap.tensor{1, 2}
    assert.equal(1, x[1][1])
    assert.equal(2, x[3][4])
    x[{{2, 3}, int{1, 2}}] = 5
    assert.same({{5, 5, 7, 7}, {5, 5, -2, 2}}, x[{{2, 3}}]:totable())
  end)

  it("gives gradients through positions and masks, repeated ones added",
  function()
    local w = neap.ones{3, 2, requires_grad = true}
    w[int{1, 1, 3}]:sum():backward()
    assert.same({{2, 2}, {0, 0}, {1, 1}}, w.grad:totable())
    local v = neap.tensor({1, -2, 3}, {requires_grad = true})
    local y = v * 2
    y[y:lt(0)] = 0
    (y * y):sum():backward()
    assert.same({8, 0, 24}, v.grad:totable())
  end)

  it("says what is wrong with a tensor as an index", function()
    assert.matches("is a tensor of float32, expected integers",
                   message(function() return x[neap.ones(2)] end))
    assert.matches("the mask is 2 and does not fit dimension 1",
                   message(function() return x[neap.tensor{true, false}] end))
    assert.matches("index%[2%] is 4, but dimension 1 has positions 1 to 3",
                   message(function() return x[int{1, 4}] end))
    assert.matches("one ellipsis at most",
                   message(function()
                     return x[{neap.ellipsis, neap.ellipsis}]
                   end))
    assert.matches("do not fit", message(function()
      x[int{1, 2}] = neap.ones(3)
    end))
    assert.matches("300 does not fit uint8", message(function()
      local u = neap.zeros{2, dtype = "uint8"}
      u[1] = 300
    end))
  end)

end)
