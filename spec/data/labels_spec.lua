local neap = require "neap"
local check = require "spec.support.check"
local data, nn, message = neap.data, neap.nn, check.message

describe("labels", function()
  local train = data.Table({"kind"}, {{"dog", "cat", "dog", "owl"}})

  it("keep the numbers of words that they were fitted with", function()
    local kinds = data.Labels("kind"):fit(train)
    assert.same({"cat", "dog", "owl"}, kinds.words)
    assert.same({2, 1, 2, 3}, kinds(train):totable())
    local other = data.Table({"kind"}, {{"owl", "dog"}})
    assert.same({2, 1}, other:column("kind"):totable())
    assert.same({3, 2}, kinds(other):totable())
    assert.same({1}, kinds{"cat"}:totable())
  end)

  it("learn only words that stand in the rows", function()
    assert.same({"cat", "dog"},
                data.Labels("kind"):fit(train:take{1, 2, 3}).words)
  end)

  it("tell words of labels and of scores, also after loading", function()
    local path = os.tmpname()
    nn.ModuleList{data.Labels("kind"):fit(train)}:save(path)
    local kinds = nn.load(path)[1]
    os.remove(path)
    assert.same({"owl", "cat"}, kinds:inverse(check.ids{3, 1}))
    assert.same({"dog"}, kinds:inverse(neap.tensor{{0, 2, 1}}))
    assert.equal("data.Labels(kind: cat, dog, owl)", tostring(kinds))
  end)

  it("say what does not fit", function()
    local kinds = data.Labels("kind")
    assert.matches("Labels was not fitted", message(kinds, train))
    kinds:fit(train)
    assert.matches("Labels: 'emu' of column kind was not there when it was " ..
                   "fitted; there is cat, dog, owl",
                   message(kinds, {"cat", "emu"}))
    assert.matches("Labels: the scores are 1x2, expected a row of 3",
                   message(kinds.inverse, kinds, neap.ones(1, 2)))
    assert.matches("Labels: there is no class 4 among 3",
                   message(kinds.inverse, kinds, check.ids{4}))
    assert.matches("Labels: expected the name of a column",
                   message(data.Labels))
    assert.matches("Labels: value 2 is a number among words",
                   message(kinds.fit, kinds, {"x", 3}))
    assert.matches("Table: value 2 is a number among values that are bool",
                   message(data.Table, {"a"}, {{true, 1}}))
    local numbers = data.Table({"kind"}, {{1, 2}})
    assert.matches("column 'kind' holds no words",
                   message(kinds.fit, kinds, numbers))
  end)

end)
