local neap = require "neap"
local check = require "spec.support.check"
local shared = require "spec.support.shared"
local text, message = neap.text, check.message

local function with_data(name, f) shared.with_data(it, pending, name, f) end

describe("pieces of text", function()

  it("are characters of UTF-8, and bytes that are none", function()
    assert.same({"n", "é", "a", "p", "€"}, text.chars "néap€")
    assert.same({"a", "\xff", "b", "\xc3"}, text.chars "a\xffb\xc3")
    assert.same({}, text.chars "")
    assert.matches("chars: expected a string, not number",
                   message(text.chars, 5))
  end)

  it("are words and marks", function()
    assert.same({"Don't", "stop", ",", "né", "2", "!"},
                text.words "Don't  stop, né 2!")
    assert.same({"a", "b"}, text.words " a\n b ")
    assert.same({}, text.words " ")
  end)

end)

describe("a vocabulary", function()

  it("numbers characters from 1 and gives the text back", function()
    local v = text.Vocabulary "banané"
    assert.same({"a", "b", "n", "é"}, v.tokens)
    assert.equal(4, #v)
    local ids = v:encode "abé"
    assert.same({1, 2, 4}, ids:totable())
    assert.equal("int64", ids.dtype)
    assert.equal("abé", v:decode(ids))
    assert.same({0}, v:encode "".shape)
    assert.matches("encode: piece 2, 'x', is not in the vocabulary",
                   message(v.encode, v, "ax"))
    assert.matches("token: 5 is outside the 4 pieces",
                   message(v.decode, v, {1, 5}))
  end)

  it("takes the most frequent words, and one for the others", function()
    local v = text.Vocabulary({"a b b c", "b c d"}, {
      unit = "word", max_size = 4, specials = {"<pad>"}, unknown = "<unk>"})
    assert.same({"<pad>", "<unk>", "b", "c"}, v.tokens)
    assert.same({3, 2, 4}, v:encode "b x c":totable())
    assert.equal("b <unk> c", v:decode{3, 2, 4})
    assert.equal(1, v:id "<pad>")
    v = text.Vocabulary("a a b", {unit = "word", min_count = 2})
    assert.same({"a"}, v.tokens)
    assert.matches("max_size is 1, but there are 2 special pieces",
                   message(text.Vocabulary, "a", {specials = {"<a>", "<b>"},
                                                  max_size = 1}))
    assert.matches("expected a string or a list of strings, not nil",
                   message(text.Vocabulary))
    assert.matches("decode: expected numbers, a list or a tensor, not a num",
                   message(v.decode, v, 3))
  end)

  it("is saved and loaded", function()
    local v = text.Vocabulary("héllo\n\"", {unknown = "?"})
    local path = os.tmpname()
    v:save(path)
    local again = text.load_vocabulary(path)
    assert.same(v.tokens, again.tokens)
    assert.same(v:encode("hxé"):totable(), again:encode("hxé"):totable())
    v = text.Vocabulary "caf\xe9 \xff"        -- bytes that are no UTF-8
    v:save(path)
    assert.same(v.tokens, text.load_vocabulary(path).tokens)
    assert.same(v.tokens, text.load_vocabulary(v:state_dict()).tokens)
    local file = assert(io.open(path, "w"))
    file:write '{"unit": "char", "tokens": [1]}'
    file:close()
    assert.matches("load_vocabulary: piece 1 is a number",
                   message(text.load_vocabulary, path))
    os.remove(path)
    assert.matches("No such file", message(text.load_vocabulary, path))
    assert.matches("this is no vocabulary",
                   message(text.load_vocabulary, {unit = "x"}))
  end)

end)

describe("byte-pair encoding", function()

  local sample = ("low lower lowest newer wider low low "):rep(5)

  it("merges what is frequent, and gives any text back", function()
    local bpe = text.BPE(sample, {size = 270})
    assert.equal(270, #bpe)
    local ids = bpe:encode "low low"
    assert.is_true(#ids <= 3, tostring(ids))
    for _, s in ipairs{sample, "", "never seen: \0\xff é €\n\n  x ", "   ",
                       "a  b"} do
      assert.equal(s, bpe:decode(bpe:encode(s)))
    end
    assert.equal("low", bpe:token(bpe:encode "low"[-1]))
    assert.matches("token: 271 is outside the 270 numbers",
                   message(bpe.token, bpe, 271))
  end)

  it("learns the pairs that a slow count finds", function()
    local s = "abab abc bcbc ab abc"
    local bpe = text.BPE(s, {size = 259})
    local lists = {}
    for word in s:gmatch " ?%a+" do lists[#lists + 1] = {word:byte(1, -1)} end
    local merges = {}
    for id = 257, 259 do
      local counts, best = {}, nil
      for _, list in ipairs(lists) do
        for i = 1, #list - 1 do
          local k = ("%05d %05d"):format(list[i], list[i + 1])
          counts[k] = (counts[k] or 0) + 1
        end
      end
      for k, n in pairs(counts) do
        if not best or n > counts[best] or n == counts[best] and k < best then
          best = k
        end
      end
      local a, b = best:match "(%d+) (%d+)"
      a, b = tonumber(a), tonumber(b)
      merges[#merges + 1] = {a < 256 and a + 1 or a, b < 256 and b + 1 or b}
      for w, list in ipairs(lists) do
        local out, i = {}, 1
        while i <= #list do
          if list[i] == a and list[i + 1] == b then
            out[#out + 1], i = id, i + 2
          else out[#out + 1], i = list[i], i + 1 end
        end
        lists[w] = out
      end
    end
    assert.same(merges, bpe.merges)
  end)

  it("takes time for the length of a text without spaces", function()
    local s = ("acgtéacca"):rep(3000)
    local bpe = text.BPE({s, "words too"}, {size = 300})
    assert.equal(s, bpe:decode(bpe:encode(s)))
  end)

  it("is saved and loaded, and refuses what is none", function()
    local bpe, path = text.BPE(sample, {size = 264}), os.tmpname()
    bpe:save(path)
    local again = text.load_bpe(path)
    os.remove(path)
    assert.same(bpe:encode(sample):totable(), again:encode(sample):totable())
    assert.matches("merge 1 is of later numbers",
                   message(text.load_bpe, {merges = {{300, 1}}}))
    assert.matches("merge 1 is no pair of numbers",
                   message(text.load_bpe, {merges = {{"a", 1}}}))
    assert.matches("BPE: size is 3, expected an integer of at least 256",
                   message(text.BPE, "a", {size = 3}))
  end)

  with_data("halves the length of Shakespeare", function(folder)
    local s = neap.data.tiny_shakespeare(folder .. "/tinyshakespeare")
    s = s:sub(1, 100000)
    local bpe = text.BPE(s, {size = 600})
    local ids = bpe:encode(s)
    assert.is_true(#ids < #s / 2, tostring(#ids))
    assert.equal(s, bpe:decode(ids))
  end)

end)

describe("batches of running text", function()

  it("go on where the one before ended", function()
    local ids = neap.arange(1, 21)
    local c = text.Continuous(ids, {batch_size = 2, steps = 4})
    local xs, ys = {}, {}
    for x, y in c:batches() do xs[#xs + 1], ys[#ys + 1] = x, y end
    assert.equal(3, #xs)
    assert.equal(3, #c)
    assert.same({{1, 11}, {2, 12}, {3, 13}, {4, 14}}, xs[1]:totable())
    assert.same({{5, 15}, {6, 16}, {7, 17}, {8, 18}}, xs[2]:totable())
    assert.same({2, 2}, xs[3].shape)
    for i, x in ipairs(xs) do assert.is_true(neap.equal(x + 1, ys[i])) end
    local first = text.Continuous(ids, {batch_size = 2, steps = 4,
                                        batch_first = true}):batches()()
    assert.same({{1, 2, 3, 4}, {11, 12, 13, 14}}, first:totable())
    assert.matches("1 numbers are too few for 2 strips",
                   message(text.Continuous, neap.arange(1, 1),
                           {batch_size = 2}))
  end)

  it("may be windows anywhere", function()
    local set = text.Windows(neap.arange(1, 10), 3)
    assert.equal(7, set:size())
    assert.same({{4, 5, 6}, {5, 6, 7}},
                {set[4][1]:totable(), set[4][2]:totable()})
    local x, y = set:batch{1, 7}
    assert.same({{1, 2, 3}, {7, 8, 9}}, x:totable())
    assert.same({{2, 3, 4}, {8, 9, 10}}, y:totable())
    local n = 0
    for a in neap.data.DataLoader(set, {batch_size = 3}):batches() do
      n = n + #a
    end
    assert.equal(7, n)
    assert.equal(7, text.Windows(neap.arange(1, 10), {steps = 3}):size())
    assert.matches("Windows: steps is 10, expected 1 to 9",
                   message(text.Windows, neap.arange(1, 10), 10))
  end)

  it("may be of like lengths", function()
    local lengths = {}
    for i = 1, 100 do lengths[i] = (i * 37) % 50 + 1 end
    neap.manual_seed(1)
    local sampler = text.BucketSampler(lengths, {batch_size = 10})
    local order = sampler:indices()
    assert.same(neap.arange(1, 100):totable(), order:sort():totable())
    local waste = 0
    for b = 1, 100, 10 do
      local longest, sum = 0, 0
      for i = b, b + 9 do
        longest = math.max(longest, lengths[order[i]])
        sum = sum + lengths[order[i]]
      end
      waste = waste + longest * 10 - sum
    end
    assert.is_true(waste < 400, tostring(waste))
    assert.is_false(neap.equal(order, sampler:indices()))
    local set = neap.data.ListDataset(lengths)
    local loader = neap.data.DataLoader(set, {sampler = sampler})
    assert.equal(10, #loader)
    assert.matches("batch_size is 7, but the sampler makes batches of 10",
                   message(neap.data.DataLoader, set, {sampler = sampler,
                                                       batch_size = 7}))
  end)

end)

describe("sampling", function()

  local z = neap.tensor{0, 1, 2, 3}

  local function shares(options)
    neap.manual_seed(5)
    local counts = {0, 0, 0, 0}
    local ids = text.sample(z:expand(4000, 4), options)
    for _, id in ipairs(ids:totable()) do counts[id] = counts[id] + 1 end
    return counts
  end

  it("draws by the softmax of scores", function()
    local p = z:softmax(1):totable()
    for i, n in ipairs(shares{}) do
      assert.near(p[i] * 4000, n, 4 * math.sqrt(4000 * p[i]))
    end
    p = (z / 2):softmax(1):totable()
    for i, n in ipairs(shares{temperature = 2}) do
      assert.near(p[i] * 4000, n, 4 * math.sqrt(4000 * p[i]))
    end
  end)

  it("may be only among the likeliest", function()
    assert.same({0, 0, 0, 4000}, shares{temperature = 0})
    assert.same({0, 0, 0, 4000}, shares{top_k = 1})
    local two = shares{top_k = 2}
    assert.same({0, 0}, {two[1], two[2]})
    assert.is_true(two[3] > 900 and two[3] < 1250)
    -- shares are 0.032, 0.087, 0.237, 0.644
    assert.same({0, 0, 0, 4000}, shares{top_p = 0.6})
    local nucleus = shares{top_p = 0.7}
    assert.same({0, 0}, {nucleus[1], nucleus[2]})
    assert.is_true(nucleus[3] > 900)
    assert.is_true(shares{top_p = 0.9}[2] > 100)
    assert.same({0, 0, 0, 4000}, shares{top_p = 0})
    assert.same(shares{}, shares{top_p = 1})
    assert.same({0, 0, 0, 4000}, shares{temperature = 1e-40})
  end)

  it("gives a number for a single row, the same with the same seed",
  function()
    local g = neap.generator(3)
    local a = text.sample(z, {generator = g})
    assert.equal("integer", math.type(a))
    assert.equal(a, text.sample(z, {generator = neap.generator(3)}))
    assert.matches("sample: a score is NaN",
                   message(text.sample, neap.tensor{0 / 0, 1}))
    assert.matches("sample: expected scores",
                   message(text.sample, neap.ones(1, 2, 3)))
    assert.matches("temperature is %-1, expected a number of at least 0",
                   message(text.sample, z, {temperature = -1}))
  end)

end)

describe("continuations", function()

  -- After `id` comes id + 1 with 0.6, or id + 2 with 0.4; 5 ends.
  local function step(id, count)
    local p = neap.full({6}, 1e-9)
    if id + 1 <= 6 then p[id + 1] = 0.6 end
    if id + 2 <= 6 then p[id + 2] = 0.4 end
    return p:log(), (count or 0) + 1
  end

  it("are generated one after the other", function()
    local ids, state = text.generate(step, {1}, {temperature = 0, length = 3})
    assert.same({2, 3, 4}, ids)
    assert.equal(3, state)
    local seen = {}
    ids = text.generate(step, check.ids{1, 2}, {
      temperature = 0, length = 9, stop = 5,
      each = function(id) seen[#seen + 1] = id end})
    assert.same({3, 4}, ids)
    assert.same(ids, seen)
    local rows = text.generate(function(id, s)   -- scores as one row
      local p, n = step(id, s)
      return p:unsqueeze(1), n
    end, {1}, {temperature = 0, length = 2})
    assert.same({2, 3}, rows)
    assert.matches("generate: expected numbers to begin with",
                   message(text.generate, step, {}))
  end)

  it("are searched for with beams", function()
    local found = text.beam_search(step, 1, {stop = 5, width = 4})
    assert.same({2, 3, 4}, text.beam_search(step, 1, {
      stop = 5, width = 1})[1].ids)
    -- 3 then stop: 0.4 * 0.4 = 0.16; 2, 3 and stop: 0.6 * 0.6 * 0.4 = 0.144
    assert.same({3}, found[1].ids)
    assert.near(math.log(0.16), found[1].log_probability, 1e-5)
    local longer = text.beam_search(step, 1, {stop = 5, width = 3,
                                              length_penalty = 1})
    assert.is_true(#longer[1].ids >= 2)
    assert.equal(4, #text.beam_search(step, 1, {length = 4, width = 2})[1].ids)
    local function forbidden()
      return neap.tensor{-math.huge, 1, -math.huge}
    end
    local only = text.beam_search(forbidden, 1, {width = 3, length = 2})
    assert.equal(1, #only)
    assert.same({2, 2}, only[1].ids)
    assert.matches("beam_search: a score is NaN",
                   message(text.beam_search, function()
                     return neap.tensor{0 / 0, 1}
                   end, 1))
  end)

end)
