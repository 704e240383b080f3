local neap = require "neap"
local check = require "spec.support.check"
local data = require "neap.data"
local message = check.message

local function houses()
  return data.Table({"price", "rooms", "town"}, {
    neap.tensor({10.5, 20, 0/0}, {dtype = "float64"}), check.ids{2, 3, 4},
    check.ids{2, 1, 2}}, {town = {"Ems", "Jever"}})
end

describe("a table", function()

  it("gives rows, columns and words", function()
    local t = houses()
    assert.same({3, 3}, {#t, t:size()})
    assert.same({price = 10.5, rooms = 2, town = "Jever"}, t[1])
    assert.same({2, 3, 4}, t:column "rooms":totable())
    assert.same({2, 3, 4}, t:column(2):totable())
    assert.same({"Ems", "Jever"}, t:categories "town")
    local towns = {}
    for row in t:rows() do towns[#towns + 1] = row.town end
    assert.same({"Jever", "Ems", "Jever"}, towns)
    assert.matches("there is no column 'room'; did you mean 'rooms'",
                   message(t.column, t, "room"))
    assert.matches("there is price, rooms, town", message(t.column, t, "q"))
  end)

  it("is made of lists and iterated by pairs", function()
    local t = data.Table({"n", "x", "word"}, {{1, 2}, {1, 0.5}, {"b", "a"}})
    assert.same({"int64", "float64", "int64"}, {t:column("n").dtype,
                t:column("x").dtype, t:column("word").dtype})
    local words = {}
    for i, row in pairs(t) do words[i] = row.word end
    assert.same({"b", "a"}, words)
    assert.matches("table: no row 3 among 2 %(t:rows%(%) and pairs%(t%) " ..
                   "iterate; ipairs looks one too far",
                   message(function() for _ in ipairs(t) do end end))
  end)

  it("says how columns are read and made", function()
    local t = houses()
    assert.matches('table: columns are t:column "price"',
                   message(function() return t.price end))
    assert.is_nil(t.prize)
    for _, key in ipairs{"price", "prize", 1} do
      assert.matches("cannot be assigned; t = t:with%(name, values%)",
                     message(function() t[key] = {1, 2, 3} end))
    end
    assert.matches("take: expected a list or tensor of positions, or a mask",
                   message(t.take, t, 1))
    assert.matches("filter: the function returned nothing for row 1",
                   message(t.filter, t, function() end))
  end)

  it("is cut by rows and by columns, and never changed", function()
    local t = houses()
    assert.same({3, 2}, t:take(check.ids{2, 1}):column "rooms":totable())
    assert.equal(2, #t:take(t:column "rooms":gt(2)))
    assert.equal(1, #t:filter(function(row) return row.town == "Ems" end))
    assert.equal(2, #t:head(2))
    assert.same({"town", "price"}, t:select{"town", 1}.columns)
    assert.same({"town", "price"}, t:select("town", 1).columns)
    assert.same({"rooms"}, t:without("town", "price").columns)
    assert.same({4, 2}, t:take{3, 1}:column "rooms":totable())
    assert.is_true(t:has "town" and not t:has "city")
    assert.matches("expected names of columns", message(t.select, t))
    assert.matches("not a tensor %(t:take%(mask%) takes masks%)",
                   message(t.filter, t, t:column "rooms":gt(2)))
    assert.same({"rooms"}, t:without{"town", "price"}.columns)
    assert.same({"price", "town"}, t:without "rooms".columns)
    local more = t:with("area", {50, 60, 70}):with("rooms", {1, 1, 1})
    assert.same({"price", "rooms", "town", "area"}, more.columns)
    assert.equal(1, more[3].rooms)
    assert.same({"price", "rooms", "town"}, t.columns)
    assert.equal(4, t[3].rooms)
    assert.matches("2 values for a table of 3 rows",
                   message(t.with, t, "a", {1, 2}))
    local walls = t:with("wall", {"wood", "brick", "wood"})
    assert.same({{2, 1, 2}, {"brick", "wood"}, "brick"},
                {walls:column "wall":totable(), walls:categories "wall",
                 walls[2].wall})
    assert.matches("with: value 2 is a number among words",
                   message(t.with, t, "a", {"x", 2, "y"}))
    assert.matches("a column is a list or a tensor of one dimension, not 2x2",
                   message(t.with, t, "a", neap.ones(2, 2)))
  end)

  it("becomes a matrix or a vector", function()
    local t = houses()
    local m = t:select{"rooms"}:with("k", {7, 8, 9}):tensor{"k", "rooms"}
    assert.same({{{7, 2}, {8, 3}, {9, 4}}, "float32"},
                {m:totable(), m.dtype})
    assert.matches("column 'town' holds words %('Ems', ...%); their numbers",
                   message(t.tensor, t, {"rooms", "town"}))
    assert.matches("column 'town' holds words", message(t.tensor, t))
    assert.equal("float64", t:tensor("price", {dtype = "float64"}).dtype)
    assert.same({3}, t:tensor "rooms".shape)
    assert.same({3, 2}, t:without "town":tensor().shape)
  end)

  it("shows its rows aligned, and what its columns hold", function()
    local text = tostring(houses())
    assert.matches("price  rooms  town\n 10.5      2  Jever\n", text)
    assert.matches("%[3 rows x 3 columns%]$", text)
    assert.matches("%[%.%.%. 20 rows x 1 columns%]$",
                   tostring(data.Table({"a"}, {neap.arange(20)})))
    local what = houses():describe()
    assert.matches("price +float64 +1 +15.25 +6.7175%d +10.5 +20", what)
    assert.matches("town +category +2 words", what)
  end)

  it("must have columns of one length", function()
    assert.matches("column 'b' has 2 values, 'a' has 3",
                   message(data.Table, {"a", "b"}, {{1, 2, 3}, {1, 2}}))
  end)

end)
