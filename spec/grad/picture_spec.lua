local neap = require "neap"
local check = require "spec.support.check"
local leaf, operation = check.leaf, check.operation

local cube = operation("Cube", function(ctx, x)
  ctx:save_for_backward(x)
  return x * x * x
end, function(ctx, g)
  local x = ctx:saved_tensors()
  return g * 3 * x * x
end)

describe("the picture of a graph", function()

  local function has(text, ...)
    for _, part in ipairs{...} do
      assert.is_truthy(text:find(part, 1, true), part .. " in " .. text)
    end
  end

  it("has operations, leaves by name, and shapes", function()
    local w, b = neap.ones{2, 3, requires_grad = true}, leaf{1, 2, 3}
    local text = neap.graph((neap.ones(4, 2):matmul(w) + b):tanh(),
                            {weight = w, bias = b})
    has(text, "digraph {", '[label="matmul"]', '[label="add"]',
        '[label="tanh"]', '[shape=box, label="weight\\nfloat32 2x3"]',
        '[shape=box, label="bias\\nfloat32 3"]',
        'result [shape=box, label="float32 4x3"]', "-> result;")
    assert.matches("n%d+ %-> n%d+ %[label=\"x 4x3\"%]", text)
    assert.matches("}\n$", text)
    assert.is_nil(neap.graph(w * 2):find("weight", 1, true))
  end)

  it("takes names from a module", function()
    local m = neap.nn.Linear(2, 3)
    has(neap.graph(m(neap.ones(1, 2)):relu(), m), '"weight\\nfloat32 3x2"',
        '"bias\\nfloat32 3"', '[label="relu"]')
  end)

  it("shows operations in Lua, a node once, and a leaf alone", function()
    local w = leaf{1, 2}
    has(neap.graph(cube(w)), '[label="Cube"]')
    local y = w:exp()
    local _, n = neap.graph(y * y):gsub('label="exp"', "")
    assert.equal(1, n)
    has(neap.graph(w, {w = w}), '"w\\nfloat32 2"')
  end)

end)
