local shared = require "spec.support.shared"
local message = require("spec.support.check").message
local data = require "neap.data"

local function with(name, f) shared.with_data(it, pending, name, f) end

describe("known sets", function()

  with("of tables have the rows and columns they are known for",
  function(folder)
    for name, size in pairs{
      california_housing = {20640, 10}, iris = {150, 5},
      breast_cancer = {569, 31}, airline_passengers = {144, 2}
    } do
      local t, how = data[name](folder .. name)
      assert.same(size, {#t, #t.columns})
      assert.matches("^found in ", how)
    end
    local red = data.wine_quality("red", folder .. "wine_quality")
    local white = data.wine_quality("white", folder .. "wine_quality")
    assert.same({1599, 4898}, {#red, #white})
    assert.matches('expected "red" or "white", not rose',
                   message(data.wine_quality, "rose"))
  end)

  with("tell classes by their names", function(folder)
    local t = data.iris(folder .. "iris")
    assert.same({"setosa", "versicolor", "virginica"},
                t:categories "species")
    assert.same({"setosa", "virginica"}, {t[1].species, t[-1].species})
    assert.same({212, 357}, data.breast_cancer(folder .. "breast_cancer")
                            :column "diagnosis":bincount():totable())
  end)

  with("keep what is missing as NaN", function(folder)
    local t = data.california_housing(folder .. "california_housing")
    assert.equal(207, t:column "total_bedrooms":isnan():sum():item())
    assert.equal("NEAR BAY", t[1].ocean_proximity)
  end)

  with("of pictures have labels from 1", function(folder)
    local train, test = data.mnist(folder .. "mnist")
    assert.same({60000, 10000}, {#train, #test})
    assert.same({28, 28}, train[1][1].shape)
    assert.equal(6, train[1][2])                  -- a five
    local digits = data.digits(folder .. "digits")
    assert.same({1797, 1}, {#digits, digits[1][2]})
    assert.same({8, 8}, digits[1][1].shape)
  end)

  with("of text are text", function(folder)
    local text = data.tiny_shakespeare(folder .. "tinyshakespeare")
    assert.equal(1115394, #text)
    assert.matches("^First Citizen:", text)
    local names = data.names(folder .. "names")
    assert.same({32033, "emma"}, {#names, names[1]})
  end)

end)
