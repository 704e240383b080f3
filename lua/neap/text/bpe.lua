--- Byte-pair encoding (Gage 1994; of words, Sennrich, Haddow and Birch
-- 2016): the 256 bytes and the pairs that are most frequent in a text, again
-- and again. Any string has an encoding, and comes back as it was.

local neap = require "neap"
local fail = neap._fail
local options = require "neap.options"
local store = require "neap.text.store"
local bpe = {}

local BPE = {}
BPE.__index = BPE

-- Pieces that no pair reaches across: a word with the space in front of it,
-- or a run of other characters.
local LONGEST = 128

-- A run of characters in parts of bounded length: the time for a text
-- without spaces grows with its length, not with the square of it.
local function each_part(s, from, last, f)
  while last - from >= LONGEST do
    local cut = from + LONGEST
    for back = 0, 3 do                   -- not inside a character
      local b = s:byte(cut - back)
      if b < 0x80 or b >= 0xc0 then
        cut = cut - back
        break
      end
    end
    f(s:sub(from, cut - 1))
    from = cut
  end
  f(s:sub(from, last))
end

local function each_chunk(s, f)
  local at = 1
  while at <= #s do
    local _, last = s:find("^ ?[%w'\x80-\xff]+", at)
    if not last then _, last = s:find("^ ?[^%w%s'\x80-\xff]+", at) end
    if not last then _, last = s:find("^%s+", at) end
    -- a space in front of a word belongs to it
    if last > at and s:find("^ [%w'\x80-\xff]", last) then last = last - 1 end
    each_part(s, at, last, f)
    at = last + 1
  end
end

local function key(a, b) return a << 32 | b end

-- Numbers of a chunk's bytes: byte b is b + 1.
local function bytes_of(chunk)
  local list = {chunk:byte(1, -1)}
  for i, b in ipairs(list) do list[i] = b + 1 end
  return list
end

-- In place: every pair a, b in a list becomes one number.
local function merge(list, a, b, id)
  local n, i = 0, 1
  while i <= #list do
    n = n + 1
    if list[i] == a and list[i + 1] == b then
      list[n], i = id, i + 2
    else list[n], i = list[i], i + 1 end
  end
  for k = #list, n + 1, -1 do list[k] = nil end
end

-- Different chunks with their counts, and where each pair is.
local function count_pairs(words)
  local counts, places = {}, {}
  local function add(word, sign)
    local list, n = word.list, word.count * sign
    for i = 1, #list - 1 do
      local k = key(list[i], list[i + 1])
      counts[k] = (counts[k] or 0) + n
      if sign > 0 then
        places[k] = places[k] or {}
        places[k][word] = true
      end
    end
  end
  for _, word in ipairs(words) do add(word, 1) end
  return counts, places, add
end

-- The most frequent pair; among equals the one with the smallest numbers.
local function most_frequent(counts)
  local best, most = nil, 1
  for k, n in pairs(counts) do
    if n > most or n == most and best and k < best then best, most = k, n end
  end
  return best, most
end

local function index(self)
  self.ranks, self.bytes = {}, {}
  for b = 0, 255 do self.bytes[b + 1] = string.char(b) end
  for i, pair in ipairs(self.merges) do
    local a, b = self.bytes[pair[1]], self.bytes[pair[2]]
    if not (a and b) then fail("BPE: merge %d is of later numbers", i) end
    self.bytes[256 + i] = a .. b
    self.ranks[key(pair[1], pair[2])] = i
  end
  self.cache, self.cached = {}, 0
  return setmetatable(self, BPE)
end

--- BPE(text, {size}), of a string or a list of strings: learns pairs until
-- there are `size` numbers (1000;
-- 1 to 256 are the bytes), or no pair is there twice. Words do not merge
-- with what follows them.
function bpe.BPE(text, given)
  local o = options.read("BPE", given, {
    {"size", "integer", default = 1000, least = 256}})
  local known, words = {}, {}
  for _, s in ipairs(type(text) == "table" and text or {text}) do
    if type(s) ~= "string" then
      fail("BPE: expected a string to learn from, not %s", type(s))
    end
    each_chunk(s, function(chunk)
      local word = known[chunk]
      if not word then
        word = {list = bytes_of(chunk), count = 0}
        known[chunk], words[#words + 1] = word, word
      end
      word.count = word.count + 1
    end)
  end
  local merges = {}
  local counts, places, add = count_pairs(words)
  for id = 257, o.size do
    local best = most_frequent(counts)
    if not best then break end
    local a, b = best >> 32, best & 0xffffffff
    merges[#merges + 1] = {a, b}
    for word in pairs(places[best]) do
      add(word, -1)
      merge(word.list, a, b, id)
      add(word, 1)
    end
    counts[best], places[best] = nil, nil
  end
  return index{merges = merges}
end

function BPE:size() return #self.bytes end
BPE.__len = BPE.size

function BPE:__tostring()
  return ("BPE of %d numbers"):format(#self.bytes)
end

-- Merges in the order in which they were learned.
local function encode_chunk(self, chunk)
  local list = bytes_of(chunk)
  while #list > 1 do
    local best, a, b
    for i = 1, #list - 1 do
      local rank = self.ranks[key(list[i], list[i + 1])]
      if rank and (not best or rank < best) then
        best, a, b = rank, list[i], list[i + 1]
      end
    end
    if not best then break end
    merge(list, a, b, 256 + best)
  end
  return list
end

local MOST_CACHED = 50000

--- The numbers of a string, as an int64 tensor.
function BPE:encode(text)
  if type(text) ~= "string" then
    fail("encode: expected a string, not %s", type(text))
  end
  local ids = {}
  each_chunk(text, function(chunk)
    local list = self.cache[chunk]
    if not list then
      list = encode_chunk(self, chunk)
      if self.cached == MOST_CACHED then self.cache, self.cached = {}, 0 end
      self.cache[chunk], self.cached = list, self.cached + 1
    end
    table.move(list, 1, #list, #ids + 1, ids)
  end)
  if #ids == 0 then return neap.zeros{0, dtype = "int64"} end
  return neap.tensor(ids, {dtype = "int64"})
end

--- The bytes of a number.
function BPE:token(id)
  return self.bytes[id] or
         fail("token: %s is outside the %d numbers", tostring(id),
              #self.bytes)
end

--- The string that numbers (a list or a tensor) stand for.
function BPE:decode(ids)
  if neap.is_tensor(ids) then ids = ids:reshape(-1):totable() end
  if type(ids) ~= "table" then
    fail("decode: expected numbers, a list or a tensor, not a %s", type(ids))
  end
  local list = {}
  for i, id in ipairs(ids) do list[i] = self:token(id) end
  return table.concat(list)
end

--- As plain data: {merges = {{a, b}, ...}}.
function BPE:state_dict() return {merges = self.merges} end

BPE.save = store.save

--- A BPE from its state_dict, or from a file that save wrote.
function bpe.load_bpe(from)
  local state = store.read("load_bpe", from)
  if not state or type(state.merges) ~= "table" then
    fail("load_bpe: this is no byte-pair encoding")
  end
  local merges = {}
  for i, pair in ipairs(state.merges) do
    if type(pair) ~= "table" or math.type(pair[1]) ~= "integer" or
       math.type(pair[2]) ~= "integer" then
      fail("load_bpe: merge %d is no pair of numbers", i)
    end
    merges[i] = {pair[1], pair[2]}
  end
  return index{merges = merges}
end

return bpe
