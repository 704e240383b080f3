local neap = require "neap"
local check = require "spec.support.check"
local data = require "neap.data"
local message, ids = check.message, check.ids

local x, y = neap.arange(10):reshape(10, 1), neap.arange(10) * 2
local set = data.TensorDataset(x, y)

-- A set of one's own: nothing but size and [i].
local squares = setmetatable({size = function() return 7 end},
  {__index = function(_, i) return math.type(i) and {i, i * i} or nil end})

local function batch(s, list)
  local a, b = s:batch(ids(list))
  return {a:totable(), b and b:totable()}
end

describe("datasets", function()

  it("give samples by positions from either end", function()
    assert.same({-1}, {#set - 11})
    assert.same({10}, set[-1][1]:totable())
    assert.equal(20, set[-1][2])
    assert.matches("no sample 11 among 10", message(function()
      return set[11] end))
    assert.matches("no sample 0 among 10", message(function()
      return set[0] end))
    local seen = 0
    for i, sample in set:samples() do
      seen = seen + 1
      assert.equal(2 * i, sample[2])
    end
    assert.equal(10, seen)
  end)

  it("can be lists, and batches are put together", function()
    local list = data.ListDataset{
      {neap.ones(2), 1, true, "a", {k = 1.5}},
      {neap.zeros(2), 2, false, "b", {k = 2}}}
    local t, i, b, w, k = list:batch(ids{2, 1})
    assert.same({{0, 0}, {1, 1}}, t:totable())
    assert.same({{2, 1}, "int64"}, {i:totable(), i.dtype})
    assert.same({false, true}, b:totable())
    assert.same({"b", "a"}, w)
    assert.same({2, 1.5}, k.k:totable())
    assert.same({3, 4}, data.ListDataset{3, 4}:batch(ids{1, 2}):totable())
  end)

  it("are mapped, sample by sample or in batches", function()
    local mapped = set:map(function(a, b) return a + 1, b * 2 end)
    assert.equal(10, #mapped)
    assert.same({{4}, 12}, {mapped[3][1]:totable(), mapped[3][2]})
    assert.same({{{2}, {11}}, {4, 40}}, batch(mapped, {1, 10}))
    local calls = 0
    local batched = set:map(function(a, b)
      calls = calls + 1
      return a * 10, b
    end, {batched = true})
    assert.same({{{10}, {20}}, {2, 4}}, batch(batched, {1, 2}))
    assert.equal(1, calls)
    assert.same({{30}, 6}, {batched[3][1]:totable(), batched[3][2]})
    assert.matches("expected a function, not nil", message(data.map, set))
    assert.matches("expected a dataset.*not a tensor; see TensorDataset",
                   message(data.map, x, print))
    assert.matches("expected a dataset.*not number", message(data.map, 3))
  end)

  it("may take every key for a position", function()
    local greedy = setmetatable({size = function() return 4 end}, {
      __index = function(_, i) return {neap.tensor{i}, i * i} end})
    for x1, y1 in data.DataLoader(greedy, {batch_size = 4}):batches() do
      assert.same({{{1}, {2}, {3}, {4}}, {1, 4, 9, 16}},
                  {x1:totable(), y1:totable()})
    end
    assert.equal(3, #data.subset(greedy, {1, 2, 3}))
    local named = {}
    named.__index = named
    function named.size() return 2 end
    function named.batch(_, list) return list * 10 end
    for b in data.DataLoader(setmetatable({}, named),
                             {batch_size = 2}):batches() do
      assert.same({10, 20}, b:totable())
    end
  end)

  it("know how many samples they have", function()
    for _, n in ipairs{-1, 10.5, "10"} do
      assert.matches("the size%(%) of the dataset is " ..
                     tostring(n):gsub("%-", "%%-"),
                     message(data.DataLoader, {size = function()
                       return n end}))
    end
  end)

  it("are filtered by tensors of one element too", function()
    local big = set:filter(function(a) return a:gt(5) end)
    assert.equal(5, #big)
    assert.matches("a tensor of 2 elements, expected one",
                   message(data.filter, set, function()
                     return neap.ones(2) end))
    assert.matches("expected a function, not nil",
                   message(data.filter, set))
  end)

  it("are filtered, subset and joined, also of one's own kind", function()
    local even = data.filter(squares, function(i) return i % 2 == 0 end)
    assert.equal(3, #even)
    assert.same({{2, 6}, {4, 36}}, batch(even, {1, 3}))
    local sub = set:subset{5, 1}
    assert.equal(10, sub[1][2])
    assert.same({{{1}, {5}}, {2, 10}}, batch(sub, {2, 1}))
    assert.same({1, 3}, set:subset(neap.arange(10):remainder(2):eq(1))
                        :subset{1, 2}:batch(ids{1, 2}):flatten():totable())
    local both = data.concat(even, squares)
    assert.equal(10, #both)
    assert.same({{6, 36}, {7, 49}}, {both[3], both[-1]})
    assert.same({{4, 1}, {16, 1}}, batch(both, {2, 4}))
    assert.matches("positions 1 to 11, but there are 10 samples",
                   message(data.subset, set, {1, 11}))
    assert.matches("positions are float32, expected int64",
                   message(data.subset, set, neap.ones(2)))
    assert.matches("expected a list or a tensor of positions",
                   message(data.subset, set, 5))
    assert.equal(0, #set:subset{})
  end)

end)


describe("windows over a series", function()

  it("give what was and what follows", function()
    local w = data.windows(neap.arange(10), 3)
    assert.equal(7, #w)
    assert.same({{1, 2, 3}, {4}}, {w[1][1]:totable(), w[1][2]:totable()})
    assert.same({{{7, 8, 9}, {1, 2, 3}}, {{10}, {4}}}, batch(w, {7, 1}))
    w = data.windows(neap.arange(10), 4, {horizon = 2, step = 3})
    assert.equal(2, #w)
    assert.same({{{4, 5, 6, 7}}, {{8, 9}}}, batch(w, {2}))
    w = data.windows({1, 2, 3, 4}, 2, {horizon = 0})
    assert.same({{{1, 2}, {3, 4}}}, batch(w, {1, 3}))
  end)

  it("take several features, and only some as targets", function()
    local series = neap.arange(12):reshape(6, 2)
    local w = data.windows(series, 2, {target = {2}})
    assert.same({{{{1, 2}, {3, 4}}}, {{{6}}}}, batch(w, {1}))
    local one = w[4]
    assert.same({{{7, 8}, {9, 10}}, {{12}}},
                {one[1]:totable(), one[2]:totable()})
    assert.matches("has 6 steps, a window and its horizon 7",
                   message(data.windows, series, 6))
    assert.matches("must be a positive integer",
                   message(data.windows, series, 0))
    assert.matches("time in dimension 1", message(data.windows, 5, 1))
  end)

end)


describe("a DataLoader", function()

  local function firsts(loader)
    local list = {}
    for a in loader:batches() do
      for i = 1, #a do list[#list + 1] = a[i][1] end
    end
    return list
  end

  it("takes any set, and a collate function", function()
    local seen = {}
    for a, b in data.DataLoader(squares, {batch_size = 3}):batches() do
      seen[#seen + 1] = {a:totable(), b:totable()}
    end
    assert.same({{{1, 2, 3}, {1, 4, 9}}, {{4, 5, 6}, {16, 25, 36}},
                 {{7}, {49}}}, seen)
    local loader = data.DataLoader(squares, {batch_size = 7,
      collate = function(samples) return #samples, "x" end})
    for n, text in loader:batches() do assert.same({7, "x"}, {n, text}) end
    assert.matches("expected a dataset", message(data.DataLoader, {}))
  end)

  it("lets a dataset yield", function()
    local slow = setmetatable({size = function() return 4 end}, {
      __index = function(_, i)
        if math.type(i) then
          coroutine.yield(i)
          return i
        end
      end})
    local co = coroutine.wrap(function()
      local sum = 0
      for a in data.DataLoader(slow, {batch_size = 2}):batches() do
        sum = sum + a:sum():item()
      end
      return "sum", sum
    end)
    for i = 1, 4 do assert.equal(i, co()) end
    assert.same({"sum", 10}, {co()})
  end)

  it("draws by weight", function()
    local sampler = data.WeightedSampler({0, 1, 0, 3, 0, 0, 0, 0, 0, 0}, 400,
                                         {generator = neap.generator(5)})
    local count = {}
    local loader = data.DataLoader(set, {batch_size = 64, sampler = sampler})
    assert.same({7, 400}, {#loader, loader:samples()})
    for _, value in ipairs(firsts(loader)) do
      count[value] = (count[value] or 0) + 1
    end
    assert.equal(400, count[2] + count[4])
    assert.is_true(count[4] > 250 and count[4] < 350)
    assert.matches("shuffle and sampler exclude each other",
                   message(data.DataLoader, set, {sampler = sampler,
                                                  shuffle = true}))
    assert.matches("a sampler has indices",
                   message(data.DataLoader, set, {sampler = {}}))
    assert.matches("a sampler has indices",
                   message(data.DataLoader, set, {sampler = neap.ones(2)}))
    for _, weights in ipairs{{}, {0, 0}, {1, -1}, {1, 0/0}} do
      assert.matches("expected weights of 0 or more, some above 0",
                     message(data.WeightedSampler, weights))
    end
    assert.matches("0 is no number of positions",
                   message(data.WeightedSampler, {1, 2}, 0))
    local far = data.WeightedSampler({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1})
    local far_loader = data.DataLoader(set, {sampler = far})
    assert.matches("positions from 11 to 11 for a dataset of 10 samples",
                   message(far_loader.batches, far_loader))
    assert.matches("use loader:batches", message(data.DataLoader(set)))
  end)

  it("goes on where its state was taken", function()
    for _, own in ipairs{true, false} do
      local function new()
        return data.DataLoader(set, {batch_size = 3, shuffle = true,
          generator = own and neap.generator(9) or nil})
      end
      neap.manual_seed(4)
      local whole = new()
      local first, second = firsts(whole), firsts(whole)
      neap.manual_seed(4)
      local a, seen, state = new(), {}, nil
      for v in a:batches() do
        for i = 1, #v do seen[#seen + 1] = v[i][1] end
        if #seen == 6 then
          state = a:state_dict()
          break
        end
      end
      local rng = neap.get_rng_state()
      neap.manual_seed(999)
      local b = new():load_state_dict(state)
      neap.set_rng_state(rng)
      for _, v in ipairs(firsts(b)) do seen[#seen + 1] = v end
      assert.same(first, seen)
      assert.same(second, firsts(b))
      -- and from the end of a pass
      b:load_state_dict(b:state_dict())
      assert.equal(10, #firsts(b))
      assert.equal(3, b.pass)
    end
    assert.matches("expected what state_dict gave", message(function()
      data.DataLoader(set):load_state_dict{} end))
  end)

  it("may be walked by two loops at once", function()
    local loader = data.DataLoader(set, {batch_size = 5})
    local pairs_seen = 0
    for _ in loader:batches() do
      for _ in loader:batches() do pairs_seen = pairs_seen + 1 end
    end
    assert.equal(4, pairs_seen)
  end)

end)


describe("a dataset", function()

  it("is iterated by pairs, and says why not by ipairs", function()
    local list, seen = data.ListDataset{5, 6, 7}, {}
    for i, sample in pairs(list) do seen[i] = sample end
    assert.same({5, 6, 7}, seen)
    assert.matches("no sample 4 among 3 %(pairs%(set%) iterates",
                   message(function() for _ in ipairs(list) do end end))
  end)

  it("that is mapped to nothing says so", function()
    local list = data.ListDataset{1, 2}
    assert.matches("map: the function returned nothing for sample 2",
                   message(function() return
                     data.map(list, function() end)[2] end))
    list = data.TensorDataset(neap.ones(2))
    assert.matches("map: the function returned nothing",
      message(function() return data.map(list, function() end,
        {batched = true})[1] end))
  end)

end)
