local neap = require "neap"
local check = require "spec.support.check"
local message, ids, near = check.message, check.ids, check.near_table

describe("results that go into a given tensor", function()

  it("are that tensor", function()
    local x, out = neap.tensor{1, 2}, neap.zeros(2)
    assert.equal(out, neap.add(x, neap.tensor{3, 4}, {out = out}))
    assert.same({4, 6}, out:totable())
    assert.equal(out, x:exp{out = out})
    near({2.7182818, 7.3890561}, out)
    local part = neap.zeros(2, 2)
    neap.mul(x, 2, {out = part[2]})
    assert.same({{0, 0}, {2, 4}}, part:totable())
    neap.mul(neap.tensor{{1, 2}, {3, 4}}, 10, {out = part.T})
    assert.same({{10, 30}, {20, 40}}, part:totable())
  end)

  it("are right where the tensor shares memory with an input", function()
    local x = neap.arange(6):to "float32"
    neap.cumsum(x[{{1, 5}}], 1, {out = x[{{2, 6}}]})
    assert.same({1, 1, 3, 6, 10, 15}, x:totable())
    local m = neap.tensor{{1, 2}, {3, 4}}
    neap.matmul(m, m, {out = m})
    assert.same({{7, 10}, {15, 22}}, m:totable())
    m = neap.tensor{{1, 2}, {3, 4}}
    neap.add(m, m.T, {out = m})
    assert.same({{2, 5}, {5, 8}}, m:totable())
    m = neap.tensor{{1, 2}, {1, 2}}
    neap.softmax(m, 2, {out = m.T})
    near({{0.2689414, 0.2689414}, {0.7310586, 0.7310586}}, m)
  end)

  it("are refused where they do not fit", function()
    local x = neap.tensor{1, 2}
    for _, case in ipairs{
      {neap.zeros(3), "the result is 2, but out, which it would replace, " ..
                      "is 3"},
      {ids{0, 0}, "the result is float32, but out, which it would replace, " ..
                  "is int64"},
      {neap.zeros(1):expand(2), "out is expanded"},
      {3, "out must be a tensor, not number"}
    } do
      assert.matches(case[2], message(neap.add, x, 1, {out = case[1]}))
    end
    assert.matches("the result is a view of x and cannot go into 'out'",
                   message(neap.transpose, neap.ones(1, 2), 1, 2,
                           {out = neap.zeros(2, 1)}))
    assert.matches("there are 2 results; 'out' takes one",
                   message(neap.sort, x, {out = x}))
    assert.same({1, 2}, x:totable())
  end)

  it("are refused where gradients are recorded", function()
    local w = neap.tensor({1, 2}, {requires_grad = true})
    local out = neap.zeros(2)
    local why = "'out' cannot be used where gradients are recorded"
    assert.matches(why, message(neap.add, w, 1, {out = out}))
    assert.matches(why, message(neap.add, out, 1, {out = w}))
    assert.same({0, 0}, out:totable())
    neap.no_grad(neap.add, w, 1, {out = out})
    assert.same({2, 3}, out:totable())
    assert.is_false(out.requires_grad)
  end)

  it("count as changes in place", function()
    local w = neap.tensor({1, 2}, {requires_grad = true})
    local x = neap.tensor{3, 4}
    local y = w * x
    neap.add(x, 1, {out = x})
    assert.matches("'mul' needs its input",
                   message(function() y:sum():backward() end))
  end)

end)
