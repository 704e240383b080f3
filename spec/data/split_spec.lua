local neap = require "neap"
local message = require("spec.support.check").message
local data = require "neap.data"

local set = data.TensorDataset(neap.arange(20), neap.arange(20))

local function values(s)
  local list = {}
  for i = 1, #s do list[i] = s[i][1] end
  return list
end

local function sorted(...)
  local all = {}
  for _, s in ipairs{...} do
    for _, v in ipairs(values(s)) do all[#all + 1] = v end
  end
  table.sort(all)
  return all
end

local everything = neap.arange(20):totable()

describe("a random split", function()

  it("takes shares or counts, each sample once", function()
    local a, b, c = data.random_split(set, {0.5, 0.33, 0.17})
    assert.same({10, 7, 3}, {#a, #b, #c})
    assert.same(everything, sorted(a, b, c))
    a, b = set:random_split({15, 5}, {generator = neap.generator(1)})
    assert.same({15, 5}, {#a, #b})
    local again = set:random_split({15, 5}, {generator = neap.generator(1)})
    assert.same(values(a), values(again))
    assert.is_not.same(everything, values(a))
  end)

  it("refuses what does not add up", function()
    assert.matches("the sizes add to 1.1, expected 1",
                   message(data.random_split, set, {0.8, 0.3}))
    assert.matches("the sizes add to 19, expected 20, the number of samples",
                   message(data.random_split, set, {10, 9}))
    assert.matches("size 2 is %-5", message(data.random_split, set, {25, -5}))
    assert.matches("expected a list of shares",
                   message(data.random_split, set, {}))
  end)

end)


describe("a split by values", function()

  it("keeps shares of labels", function()
    local labels = {}
    for i = 1, 20 do labels[i] = i <= 12 and "a" or "b" end
    local a, b = data.stratified_split(set, labels, {0.75, 0.25})
    assert.same(everything, sorted(a, b))
    local few = 0
    for _, v in ipairs(values(b)) do few = few + (v > 12 and 1 or 0) end
    assert.same({15, 5, 2}, {#a, #b, few})
    local order = {}
    for i, v in ipairs(values(a)) do order[i] = v <= 12 and "a" or "b" end
    assert.not_matches("^a+b+$", table.concat(order))   -- classes are mixed
    local t = data.Table({"n", "word"}, {neap.arange(20), labels})
    local real = neap.rand(20)
    assert.matches("20 different values for 20 samples: these are quantities",
                   message(data.stratified_split, t, real, {0.5, 0.5}))
    assert.matches("these are quantities, not labels",
                   message(data.KFold, t, 2, {stratify = real}))
    real[3] = 0 / 0
    assert.matches("the value of sample 3 is NaN",
                   message(data.stratified_split, t, real, {0.5, 0.5}))
    local train, test = t:stratified_split("word", {0.75, 0.25})
    assert.same({15, 5}, {#train, #test})
    for _, part in data.KFold(t, 4, {stratify = "word"}) do
      assert.equal(9, part:column("word"):eq(1):sum():item())
    end
    assert.matches("a value for each of the 20 samples %(of a table also " ..
                   "a column's name%), not 3 values",
                   message(data.stratified_split, set, {1, 2, 3}, {0.5, 0.5}))
    assert.matches("the values that tell samples apart come second",
                   message(data.stratified_split, set, {0.5, 0.5}, labels))
  end)

  it("keeps groups together", function()
    local groups = neap.arange(20):add(3):div(4, {rounding_mode = "floor"})
    local a, b = data.grouped_split(set, groups, {0.6, 0.4})
    assert.same(everything, sorted(a, b))
    assert.same({12, 8}, {#a, #b})
    local side = {}
    for name, part in pairs{a = a, b = b} do
      for _, v in ipairs(values(part)) do
        local g = (v + 3) // 4
        assert.is_true(side[g] == nil or side[g] == name)
        side[g] = name
      end
    end
  end)

end)


describe("folds", function()

  it("test every sample once and train on the others", function()
    for _, options in ipairs{{}, {shuffle = false},
                             {groups = neap.arange(20):remainder(7)},
                             {stratify = neap.arange(20):remainder(4)}} do
      local tests, count = {}, 0
      for fold, train, test in data.KFold(set, 3, options) do
        count = count + 1
        assert.equal(count, fold)
        assert.same(everything, sorted(train, test))
        tests[fold] = test
      end
      assert.equal(3, count)
      assert.same(everything, sorted(table.unpack(tests)))
    end
  end)

  it("have each label's share, or whole groups", function()
    local labels = {}
    for i = 1, 20 do labels[i] = i % 4 == 0 and 1 or 2 end
    for _, _, test in data.KFold(set, 5, {stratify = labels}) do
      local rare = 0
      for _, v in ipairs(values(test)) do
        rare = rare + (v % 4 == 0 and 1 or 0)
      end
      assert.same({4, 1}, {#test, rare})
    end
    for _, train, test in data.KFold(set, 4, {groups = labels}) do
      local here = {}
      for _, v in ipairs(values(test)) do here[labels[v]] = true end
      for _, v in ipairs(values(train)) do
        assert.is_nil(here[labels[v]])
      end
    end
    assert.matches("stratify and groups exclude",
                   message(data.KFold, set, 2, {stratify = labels,
                                                groups = labels}))
    assert.matches("expected 2 to 20 folds .as many as samples., not 21",
                   message(data.KFold, set, 21))
    assert.matches("expected 2 to 20 folds .*, not 1",
                   message(data.KFold, set, 1))
  end)

  it("of time never train on what comes later", function()
    local ends = {}
    for fold, train, test in data.TimeSeriesSplit(set, 3, {gap = 2}) do
      local a, b = values(train), values(test)
      assert.equal(a[#a] + 3, b[1])
      assert.equal(1, a[1])
      assert.equal(5, #b)
      ends[fold] = b[#b]
    end
    assert.same({10, 15, 20}, ends)
    assert.matches("20 samples are too few for 3 folds of 7",
                   message(data.TimeSeriesSplit, set, 3, {test_size = 7}))
  end)

  it("of tables are tables", function()
    local t = data.Table({"v"}, {neap.arange(20)})
    local a, b = t:random_split{0.5, 0.5}
    assert.same({"v"}, a.columns)
    assert.equal(20, #a + #b)
    for _, _, test in data.KFold(t, 4) do
      assert.equal(5, #test:column "v")
    end
  end)

end)
