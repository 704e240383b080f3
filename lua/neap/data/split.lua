--- Dividing datasets: at random, by classes, by groups, by time.
--
-- Every function gives int64 positions or subsets; what is random comes
-- from the library's generator or from the option `generator`.

local neap = require "neap"
local fail = neap._fail
local options = require "neap.options"
local dataset = require "neap.data.dataset"
local tables = require "neap.data.table"
local split = {}

local function ids_of(list) return neap.tensor(list, {dtype = "int64"}) end

local function shuffled(n, generator)
  return neap.randperm(n, {generator = generator}):totable()
end

-- A list in random order.
local function mixed(list, generator)
  local out = {}
  for k, i in ipairs(shuffled(#list, generator)) do out[k] = list[i] end
  return out
end

-- How many of n each part gets: shares (0.8, 0.2) or counts.
local function counts(who, n, sizes)
  local out, total = {}, 0
  if type(sizes) ~= "table" or #sizes == 0 then
    fail("%s: expected a list of shares or counts, such as {0.8, 0.2}", who)
  end
  local shares = math.type(sizes[1]) == "float"
  for i, size in ipairs(sizes) do
    if type(size) ~= "number" or size < 0 or
       (not shares and math.type(size) ~= "integer") then
      fail("%s: size %d is %s", who, i, tostring(size))
    end
    total = total + size
  end
  if shares and math.abs(total - 1) > 1e-9 or not shares and total ~= n then
    fail("%s: the sizes add to %.10g, expected %s", who, total,
         shares and "1" or ("%d, the number of samples"):format(n))
  end
  local used, so_far = 0, 0
  for i, size in ipairs(sizes) do
    if shares then
      so_far = so_far + size
      out[i] = math.floor(so_far * n + 0.5) - used
    else out[i] = size end
    used = used + out[i]
  end
  return out
end

-- Lists of positions as subsets of a set.
local function subsets(set, lists)
  local out = {}
  for i, list in ipairs(lists) do
    out[i] = dataset.subset(set, ids_of(list))
  end
  return table.unpack(out)
end

local generator_option = {{"generator", "any"}}

--- random_split(set, {0.8, 0.2}) or (set, {800, 200}): subsets, at random.
function split.random_split(set, sizes, given)
  dataset.check("random_split", set)
  local n = set:size()
  local parts = counts("random_split", n, sizes)
  local o = options.read("random_split", given, generator_option)
  local order, lists, at = shuffled(n, o.generator), {}, 0
  for i, count in ipairs(parts) do
    lists[i] = table.move(order, at + 1, at + count, 1, {})
    at = at + count
  end
  return subsets(set, lists)
end

-- Values by which samples are told apart, as a Lua list; of a table also
-- the name of the column.
local function keys_of(who, values, set)
  local n = set:size()
  if type(values) == "string" and getmetatable(set) == tables.Table then
    values = set:column(values)
  end
  if neap.is_tensor(values) then
    if values.ndim ~= 1 then
      fail("%s: expected one value for each sample", who)
    end
    values = values:totable()
  end
  if type(values) == "table" and #values < n and
     math.type(values[1]) == "float" then
    fail("%s: the values that tell samples apart come second, the shares " ..
         "third", who)
  end
  if type(values) ~= "table" or #values ~= n then
    fail("%s: expected a list or tensor with a value for each of the %d " ..
         "samples (of a table also a column's name), not %s", who, n,
         type(values) == "table" and ("%d values"):format(#values) or
         "a " .. type(values))
  end
  return values
end

-- Real numbers of which hardly two are equal are no labels.
local function check_labels(who, keys)
  local seen, different, real = {}, 0, false
  for i, key in ipairs(keys) do
    if key ~= key then
      fail("%s: the value of sample %d is NaN, which is no label", who, i)
    end
    real = real or math.type(key) == "float" and key % 1 ~= 0
    different = different + (seen[key] and 0 or 1)
    seen[key] = true
  end
  if real and different > #keys / 2 then
    fail("%s: there are %d different values for %d samples: these are " ..
         "quantities, not labels", who, different, #keys)
  end
end

-- Positions by key: list of {key, positions}, in order of appearance.
local function gathered(keys, order)
  local by_key, list = {}, {}
  for _, i in ipairs(order) do
    local key = keys[i]
    if not by_key[key] then
      by_key[key] = {}
      list[#list + 1] = by_key[key]
    end
    table.insert(by_key[key], i)
  end
  return list
end

-- Lists of positions, the longest first.
local function by_size(lists)
  table.sort(lists, function(a, b)
    if #a ~= #b then return #a > #b end
    return a[1] < b[1]
  end)
  return lists
end

--- stratified_split(set, labels, {0.8, 0.2}): subsets in which every label
-- has (nearly) the same share, in random order. `labels`: one value for
-- each sample; of a table also the name of a column.
function split.stratified_split(set, labels, shares, given)
  dataset.check("stratified_split", set)
  local o = options.read("stratified_split", given, generator_option)
  local n = set:size()
  local keys = keys_of("stratified_split", labels, set)
  check_labels("stratified_split", keys)
  counts("stratified_split", n, shares)
  local lists = {}
  for i = 1, #shares do lists[i] = {} end
  for _, members in ipairs(gathered(keys, shuffled(n, o.generator))) do
    local at = 0
    for i, count in ipairs(counts("stratified_split", #members, shares)) do
      table.move(members, at + 1, at + count, #lists[i] + 1, lists[i])
      at = at + count
    end
  end
  for i, list in ipairs(lists) do
    lists[i] = mixed(list, o.generator)
  end
  return subsets(set, lists)
end

--- grouped_split(set, groups, {0.8, 0.2}): subsets such that samples of a
-- group stay together. Groups come in random order and go where most is
-- missing.
function split.grouped_split(set, groups, shares, given)
  dataset.check("grouped_split", set)
  local o = options.read("grouped_split", given, generator_option)
  local n = set:size()
  local keys = keys_of("grouped_split", groups, set)
  local missing, lists = counts("grouped_split", n, shares), {}
  for i = 1, #missing do lists[i] = {} end
  local members = by_size(gathered(keys, shuffled(n, o.generator)))
  for _, group in ipairs(members) do
    local best = 1
    for i = 2, #missing do
      if missing[i] > missing[best] then best = i end
    end
    table.move(group, 1, #group, #lists[best] + 1, lists[best])
    missing[best] = missing[best] - #group
  end
  for _, list in ipairs(lists) do table.sort(list) end
  return subsets(set, lists)
end

-- Folds as lists of positions.
local folds = {}

function folds.plain(n, k, order)
  local out, at = {}, 0
  for f = 1, k do
    local count = n // k + (f <= n % k and 1 or 0)
    out[f] = table.move(order, at + 1, at + count, 1, {})
    at = at + count
  end
  return out
end

-- The samples of each label are dealt out like cards.
function folds.stratified(_, k, order, keys)
  local out, turn = {}, 0
  for f = 1, k do out[f] = {} end
  for _, members in ipairs(gathered(keys, order)) do
    for _, i in ipairs(members) do
      table.insert(out[turn % k + 1], i)
      turn = turn + 1
    end
  end
  return out
end

-- The largest group goes to the fold that has least.
function folds.grouped(_, k, order, keys)
  local out, members = {}, by_size(gathered(keys, order))
  for f = 1, k do out[f] = {} end
  for _, group in ipairs(members) do
    local least = 1
    for f = 2, k do if #out[f] < #out[least] then least = f end end
    table.move(group, 1, #group, #out[least] + 1, out[least])
  end
  return out
end

local function in_order(n)
  local order = {}
  for i = 1, n do order[i] = i end
  return order
end

-- All but one fold, sorted.
local function others(all, f)
  local rest = {}
  for g, fold in ipairs(all) do
    if g ~= f then table.move(fold, 1, #fold, #rest + 1, rest) end
  end
  table.sort(rest)
  return rest
end

--- KFold(set, k, {shuffle, stratify, groups, generator}): iterates over
-- fold, train, test, where the test parts of all folds make the set.
-- `stratify`: labels that every fold has in the same share; `groups`:
-- values that stay together; shuffle (true).
--
--     for fold, train, test in data.KFold(set, 5) do ... end
function split.KFold(set, k, given)
  dataset.check("KFold", set)
  local o = options.read("KFold", given, {
    {"shuffle", "boolean", default = true},
    {"stratify", "tensor|table|string"},
    {"groups", "tensor|table|string"}, {"generator", "any"}})
  local n = set:size()
  if math.type(k) ~= "integer" or k < 2 or k > n then
    fail("KFold: expected 2 to %d folds (as many as samples), not %s", n,
         type(k) == "number" and k or "a " .. type(k))
  elseif o.stratify and o.groups then
    fail("KFold: stratify and groups exclude each other")
  end
  local kind = o.stratify and "stratified" or o.groups and "grouped" or
               "plain"
  local values = o.stratify or o.groups
  local keys = values and keys_of("KFold", values, set)
  if o.stratify then check_labels("KFold", keys) end
  local order = o.shuffle and shuffled(n, o.generator) or in_order(n)
  local all = folds[kind](n, k, order, keys)
  local f = 0
  return function()
    f = f + 1
    if f > k then return nil end
    table.sort(all[f])
    return f, dataset.subset(set, ids_of(others(all, f))),
           dataset.subset(set, ids_of(all[f]))
  end
end

--- TimeSeriesSplit(set, k, {test_size, gap}): iterates over fold, train,
-- test for samples in order of time: every test part follows its training
-- part, `gap` (0) samples after it; the training part grows.
function split.TimeSeriesSplit(set, k, given)
  dataset.check("TimeSeriesSplit", set)
  local o = options.read("TimeSeriesSplit", given, {
    {"test_size", "integer", least = 1},
    {"gap", "integer", default = 0, least = 0}})
  local n = set:size()
  if math.type(k) ~= "integer" or k < 1 then
    fail("TimeSeriesSplit: %s folds", tostring(k))
  end
  local size = o.test_size or n // (k + 1)
  if n - k * size - o.gap < 1 or size < 1 then
    fail("TimeSeriesSplit: %d samples are too few for %d folds of %d with " ..
         "a gap of %d", n, k, size, o.gap)
  end
  local f = 0
  return function()
    f = f + 1
    if f > k then return nil end
    local first = n - (k - f + 1) * size + 1
    return f, dataset.subset(set, neap.arange(first - 1 - o.gap)),
           dataset.subset(set, neap.arange(first, first + size - 1))
  end
end

-- Also as methods: set:random_split{0.8, 0.2}
for _, name in ipairs{"random_split", "stratified_split", "grouped_split"} do
  dataset.methods[name] = split[name]
  tables.Table[name] = split[name]
end

return split
