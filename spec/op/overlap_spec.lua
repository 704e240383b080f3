local neap = require "neap"
local message = require("spec.support.check").message

local function ids(t) return neap.tensor(t, {dtype = "int64"}) end
local function three() return neap.tensor{1, 2, 3} end

describe("where source and result share memory", function()

  it("index assignment reads what was there before", function()
    local x = neap.arange(1, 6):reshape(2, 3)
    x[ids{2, 1}] = x
    assert.same({{4, 5, 6}, {1, 2, 3}}, x:totable())
    x = three()
    x[ids{2, 3}] = x[{{1, 2}}]
    assert.same({1, 1, 2}, x:totable())
  end)

  it("index_copy_, index_add_, scatter_ and masked_scatter_ do", function()
    local x = three()
    x:index_copy_(1, ids{2, 3}, x[{{1, 2}}])
    assert.same({1, 1, 2}, x:totable())
    x = three()
    x:index_add_(1, ids{2, 3}, x[{{1, 2}}])
    assert.same({1, 3, 5}, x:totable())
    x = three()
    x:scatter_(1, ids{2, 3}, x[{{1, 2}}])
    assert.same({1, 1, 2}, x:totable())
    x = three()
    x:masked_scatter_(x:gt(1), x)
    assert.same({1, 1, 2}, x:totable())
  end)

  it("out may be an input, also of what is made of other operations",
  function()
    local x = neap.tensor{{1, 2}, {3, 4}}
    neap.einsum("ij->ji", {x}, {out = x})
    assert.same({{1, 3}, {2, 4}}, x:totable())
    neap.einsum("ii->i", {x}, {out = x[{1}]})
    assert.same({{1, 4}, {2, 4}}, x:totable())
  end)

  it("out of unique gives back what it held", function()
    local x, out = neap.arange(100), neap.zeros(100, {dtype = "int64"})
    collectgarbage()
    collectgarbage()
    local before = neap.memory().used
    for _ = 1, 10 do neap.unique(x, {out = out}) end
    collectgarbage()
    collectgarbage()
    assert.is_true(neap.memory().used <= before)
    assert.same(x:totable(), out:totable())
  end)

end)

describe("sizes that cannot be", function()

  it("are refused by split, cat and scatter", function()
    local x = neap.tensor{1, 2, 3, 4}
    local most = math.maxinteger
    assert.matches("the sizes add up to", message(x.split, x,
                                                  {most, most, 6}))
    assert.equal(1, #x:split(most))
    assert.matches("chunk: too many pieces",
                   message(neap.chunk, neap.zeros(0), 1 << 31))
    local e = neap.zeros(1, {dtype = "uint8"}):expand((1 << 62) - 1)
    assert.matches("cat: the result is too large",
                   message(neap.cat, {e, e, e, e}))
    local one = neap.tensor(1)
    assert.matches("source is 0, smaller than index",
                   message(one.scatter, one, 1, ids(1), neap.zeros(0)))
  end)

end)

describe("arguments far outside", function()

  it("are nothing out of the ordinary", function()
    local least = math.mininteger
    local x = neap.tensor({1, 2, 3}, {requires_grad = true})
    x:roll(least):sum():backward()
    assert.same({1, 1, 1}, x.grad:totable())
    local m = neap.zeros(3, 3)
    assert.same({0}, m:diagonal(least).shape)
    assert.same({0}, m:diagonal(math.maxinteger).shape)
    assert.matches("expected 0 to 1", message(x.quantile, x, 0/0))
    assert.matches("the classes are", message(neap.one_hot,
                                              ids{least, 2}))
    assert.same({0, 7}, neap.pad(neap.zeros(0, 5), {1, 1},
                                 {mode = "reflect"}).shape)
  end)

end)

describe("random whole numbers", function()

  it("that do not fit their type are refused", function()
    assert.matches("1 to 300 does not fit uint8",
                   message(neap.randperm, 300, {dtype = "uint8"}))
    assert.matches("0 to 300 does not fit uint8",
                   message(neap.randint, 0, 300, {2}, {dtype = "uint8"}))
  end)

end)

describe("elements of bool", function()

  it("stay true and false where they are added", function()
    local m = neap.tensor{true, false}
    local yes = neap.tensor{true}
    local both = {true, false}
    assert.same(both, m:scatter_add(1, ids{1}, yes):eq(true):totable())
    assert.same(both, m:index_add(1, ids{1}, yes):eq(true):totable())
    assert.matches("the result is int64", message(m.cumsum_, m, 1))
  end)

  it("as masks without dimensions are refused", function()
    local x = three()
    assert.matches("a mask has no dimensions", message(function()
      return x[neap.tensor(false)]
    end))
  end)

end)

describe("selection", function()

  it("of falling after rising rows does not take the square of their length",
  function()
    local n = 100000
    local x = neap.cat{neap.arange(1, n), neap.arange(n, 1, -1)}
    local values, at = x:topk(3)
    assert.same({n, n, n - 1}, values:totable())
    assert.same({n, n + 1, n - 1}, at:totable())
    assert.equal(n // 2, (x:kthvalue(n - 1)):item())
  end)

end)
