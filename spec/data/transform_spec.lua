local neap = require "neap"
local check = require "spec.support.check"
local data = require "neap.data"
local nn = neap.nn
local message = check.message

local function f64(t) return neap.tensor(t, {dtype = "float64"}) end

-- A transform after a way through a file.
local function reloaded(t)
  local path = os.tmpname()
  t:save(path)
  local again = nn.load(path)
  os.remove(path)
  return again
end

describe("a transform", function()

  local x = f64{{1, 10, 5}, {2, 30, 5}, {6, 20, 5}}

  it("standardizes by the moments of the training data", function()
    local s = data.Standardize():fit(x)
    local y = s(x)
    check.near(f64{0, 0, 0}, y:mean(1), 1e-12, 1e-12)
    check.near(f64{1, 1}, y:std(1, {correction = 0})[{{1, 2}}], 1e-12, 1e-12)
    assert.same({0, 0, 0}, y:select(2, 3):totable())   -- no spread
    check.near(x, s:inverse(y), 1e-12, 1e-12)
    check.near(y, reloaded(s)(x), 0, 0)
    assert.equal("float32", s(x:to("float32")).dtype)
    assert.equal("float32", s(x:to("int64")).dtype)
  end)

  it("scales between two ends", function()
    local s = data.MinMax{low = -1, high = 3}:fit(x)
    assert.same({-1, 3}, {s(x):amin(1)[1], s(x):amax(1)[2]})
    check.near(x, s:inverse(s(x)), 1e-12, 1e-12)
    check.near(s(x), reloaded(s)(x), 0, 0)
  end)

  it("takes logarithms, where there are any", function()
    local l = data.Log{shift = 1}:fit(x)
    check.near((x + 1):log(), l(x), 1e-12, 1e-12)
    check.near(x, l:inverse(l(x)), 1e-12, 1e-12)
    assert.matches("the least x %+ shift is %-2, and only positive",
                   message(l.fit, l, f64{{-3}}))
  end)

  it("clips at numbers or at shares of the training data", function()
    local c = data.Clip{low = 2, high = 20}:fit(x)
    assert.same({{2, 10, 5}, {2, 20, 5}, {6, 20, 5}}, c(x):totable())
    c = data.Clip{quantiles = {0, 0.5}}:fit(x)
    assert.same({2, 20, 5}, c(x)[3]:totable())
    check.near(c(x), reloaded(c)(x), 0, 0)
    assert.same({7}, c:inverse(f64{7}):totable())
  end)

  it("fills gaps", function()
    local gaps = f64{{1, 0/0}, {0/0, 4}, {3, 8}}
    for with, filled in pairs{mean = {2, 6}, [7] = {7, 7}} do
      local i = data.Impute{with = with}:fit(gaps)
      assert.same({{1, filled[2]}, {filled[1], 4}, {3, 8}},
                  i(gaps):totable())
      check.near(i(gaps), reloaded(i)(gaps), 0, 0)
    end
    local i = data.Impute{with = "median"}:fit(f64{{1}, {2}, {9}, {0/0}})
    assert.equal(2, i(f64{{0/0}}):item())
    assert.matches("column 1 has no value at all",
                   message(i.fit, i, f64{{0/0}}))
    assert.matches('with is "mode", expected one of mean, median',
                   message(data.Impute, {with = "mode"}))
  end)

  it("makes rows with a single one", function()
    local o = data.OneHot{classes = 3}
    assert.same({{0, 0, 1}, {1, 0, 0}}, o(check.ids{3, 1}):totable())
    assert.same({3, 1}, o:inverse(o(check.ids{3, 1})):totable())
    assert.matches("4 is not among the 3 values that it was fitted with, " ..
                   "1 to 3", message(o, check.ids{4}))
    assert.matches("OneHot: 0 is not among", message(o, check.ids{0}))
    o = data.OneHot{classes = 2, unknown = "zeros"}
    assert.same({{0, 0}, {0, 1}}, o(check.ids{5, 2}):totable())
    assert.same({{0, 1}}, reloaded(o)(check.ids{2}):totable())
    o = data.OneHot{classes = 3}
    assert.matches("1.5 is not among", message(o, neap.tensor{1.5}))
    assert.matches("10 is not among", message(o.fit, o, check.ids{10, 20}))
    assert.matches("expected a tensor, not a table", message(o, {1}))
  end)

  it("makes a column of each number that is there", function()
    local o = data.OneHot():fit(check.ids{2022, 1990, 2022})
    assert.same({{1, 0}, {0, 1}}, o(check.ids{1990, 2022}):totable())
    assert.same({1990, 2022}, o:inverse(neap.eye(2)):totable())
    assert.same({{0, 1}}, reloaded(o)(check.ids{2022}):totable())
    assert.matches("OneHot: 1991 is not among the 2 values that it was " ..
                   "fitted with$", message(o, check.ids{1991}))
    assert.matches("1200 different numbers, which looks like a quantity",
                   message(o.fit, data.OneHot(), neap.arange(1200)))
    o = data.OneHot{unknown = "zeros"}:fit(neap.tensor{0.5, 2})
    assert.same({{0, 0}, {1, 0}}, o(neap.tensor{2.5, 0.5}):totable())
  end)

  it("says which columns it was fitted with", function()
    local s = data.Standardize():fit(x)
    assert.matches("Standardize: x is 4x2, expected 3 columns",
                   message(s.inverse, s, neap.ones(4, 2)))
    assert.matches("Standardize: expected a tensor, not a table",
                   message(s, {1, 2, 3}))
  end)

  it("does not make columns of a thousand words", function()
    local list = {}
    for i = 1, 1001 do list[i] = "w" .. i end
    local t = data.Table({"name"}, {list})
    assert.matches("OneHot of column name: there are 1001 different words",
                   message(function()
                     data.Features{{"name", data.OneHot()}}:fit(t)
                   end))
  end)

  it("says what a row lacks, and what it has instead", function()
    local t = data.Table({"area", "rooms"}, {{1.5, 2}, {3, 4}})
    local f = data.Features{{{"area", "rooms"}, data.Impute()}}:fit(t)
    check.near(neap.tensor{{1, 3.5}}, f{area = 1}, 0, 0)
    check.near(neap.tensor{{1, 2}}, f{area = 1, rooms = 2, price = 7}, 0, 0)
    assert.matches("row 1 has 'Area', which is no column, but no 'area' " ..
                   "%(columns are area, rooms%)",
                   message(f, {Area = 1, rooms = 2}))
    assert.matches("Features: row 2 is empty", message(f, {{area = 1}, {}}))
  end)

  it("takes vectors as one column, and chains undo in reverse", function()
    local prices = f64{100, 1000, 10000}
    local c = data.Chain(data.Log(), data.Standardize()):fit(prices)
    local y = c(prices)
    assert.same({3}, y.shape)
    check.near(f64{0}, y:mean():reshape(1), 1e-12, 1e-12)
    check.near(prices, c:inverse(y), 1e-9, 1e-9)
    check.near(y, reloaded(c)(prices), 0, 0)
  end)

  it("stands in a net, is saved with it, and lets gradients through",
  function()
    local net = nn.Sequential{data.Standardize():fit(x:to("float32")),
                              nn.Linear(3, 2)}
    local input = neap.randn({4, 3}, {requires_grad = true})
    check.near(net(input), reloaded(net)(input), 0, 0)
    net(input):sum():backward()
    assert.same({4, 3}, input.grad.shape)
    assert.equal(2, #net:parameters())
  end)

  it("says what is missing", function()
    local s = data.Standardize()
    assert.matches("Standardize was not fitted", message(s, x))
    assert.matches("OneHot was not fitted", message(data.OneHot(), x))
    assert.matches("fit met NaN; put data.Impute in front",
                   message(s.fit, s, f64{{0/0}}))
    assert.matches("fit has nothing to learn from %(x is 0x3%)",
                   message(s.fit, s, neap.zeros(0, 3)))
    assert.matches("fit expects a tensor, not a table",
                   message(s.fit, s, {}))
    assert.matches("no option 'lo'; did you mean 'low'",
                   message(data.MinMax, {lo = 1}))
  end)

end)


describe("features", function()

  local function towns(words, ids, sizes)
    return data.Table({"size", "town"}, {f64(sizes), check.ids(ids)},
                      {town = words})
  end
  local train = towns({"Ems", "Jever"}, {2, 1, 2}, {1, 2, 3})

  local function made(unknown)
    return data.Features{
      {"size", data.Standardize()},
      {"town", data.OneHot{unknown = unknown or "error"}},
      {{"size"}}
    }:fit(train)
  end

  it("make a matrix of a table", function()
    local f = made()
    local m = f(train)
    assert.same({{3, 4}, "float32"}, {m.shape, m.dtype})
    assert.same({0, 1, 1}, m[1][{{2, 4}}]:totable())
    check.near(m, reloaded(f)(train), 0, 0)
  end)

  it("know words whatever their numbers are in another table", function()
    local f = reloaded(made())
    local other = towns({"Aurich", "Jever"}, {1}, {5})
    assert.matches("'Aurich' of column town was not there when it was fitted",
                   message(f, other))
    for _, rows in ipairs{{{"Jever"}, {1}}, {{"Aurich", "Jever"}, {2}}} do
      other = towns(rows[1], rows[2], {5})       -- words that rows have
      assert.same({0, 1}, f(other)[1][{{2, 3}}]:totable())
    end
    f = reloaded(made "zeros")
    other = towns({"Aurich", "Ems"}, {1, 2}, {5, 6})
    assert.same({{0, 0}, {1, 0}}, f(other)[{{}, {2, 3}}]:totable())
  end)

  it("take rows as Lua tables", function()
    local f = made()
    assert.same({1, 0, 2}, f{size = 2, town = "Ems"}[1][{{2, 4}}]:totable())
    assert.same({2, 4}, f{{size = 2, town = "Ems"},
                          {size = 3, town = "Jever"}}.shape)
    assert.matches("row 1 has no 'town'", message(f, {size = 2}))
    assert.matches("'size' of row 1 is a string, expected a number",
                   message(f, {size = "2", town = "Ems"}))
    assert.matches("'town' of row 2 is a number, expected a string",
                   message(f, {{size = 2, town = "Ems"},
                               {size = 2, town = 1}}))
    assert.matches("column town is numbers, but was words when it was fitted",
                   message(f, data.Table({"size", "town"}, {{1}, {2}})))
    assert.matches("expected a table or rows, not a tensor",
                   message(f, neap.ones(2)))
  end)

  it("say what is wrong with an entry", function()
    assert.matches("entry 1 is string, expected a column",
                   message(data.Features, {"size"}))
    assert.matches("step 1 of entry 1 is string, expected a transform",
                   message(data.Features, {{"size", "log"}}))
    local function fitting(entry, t)
      return message(function() data.Features{entry}:fit(t) end)
    end
    assert.matches("the table has no column 'weight' %(it has size, town%)",
                   fitting({"weight"}, train))
    assert.matches("column 'town' holds words; begin its entry with data.One",
                   fitting({"town", data.Standardize()}, train))
    assert.matches("column 'town' holds words; begin", fitting({"town"},
                                                              train))
    assert.matches("column 'town' holds words, which take an entry for each",
                   fitting({{"size", "town"}, data.OneHot()}, train))
    assert.matches("fit expects a table, not a tensor",
                   fitting({"size"}, neap.ones(2)))
    assert.matches("fit expects a table, not nil", fitting({"size"}))
    assert.matches("Chain: step 1 is a table, expected a transform",
                   message(data.Chain, {data.Log()}))
  end)

end)
