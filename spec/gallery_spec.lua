local neap = require "neap"
local message = require("spec.support.check").message

describe("gallery", function()

  it("shows gray pictures side by side, a character for two rows",
  function()
    local x = neap.tensor{{{0, 1}, {0, 1}}, {{0.5, 0}, {0.5, 0}},
                          {{1, 1}, {0, 0}}}
    assert.equal(" @ + \n++", neap.gallery(x, {columns = 2, colour = false}))
  end)

  it("scales levels, and takes those beyond and no numbers", function()
    local x = neap.tensor{{-3, 0.99, 7, 0 / 0}, {-3, 0.99, 7, 0 / 0}}
    assert.equal(" @@ ", neap.gallery(x, {low = -1, colour = false}))
  end)

  it("shows an odd last row against black", function()
    local x = neap.ones(3, 1)
    assert.equal("@\n+", neap.gallery(x, {colour = false}))
  end)

  it("shows colours", function()
    local x = neap.zeros(1, 3, 2, 1)
    x[{1, 1, 1}] = 1
    assert.equal("\27[38;2;255;0;0m\27[48;2;0;0;0m▀\27[0m",
                 neap.gallery(x, {colour = true}))
    assert.equal("\27[38;5;255m\27[48;5;232m▀\27[0m",
                 neap.gallery(neap.tensor{{1}, {0}}, {colour = true}))
  end)

  it("says what it cannot show", function()
    assert.matches("gallery: expected pictures .* not a number",
                   message(function() neap.gallery(3) end))
    assert.matches("not 1x2x3x3", message(function()
      neap.gallery(neap.zeros(1, 2, 3, 3))
    end))
  end)

end)
