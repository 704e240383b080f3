--- Vocabularies: characters or words and the numbers that stand for them.

local neap = require "neap"
local fail = neap._fail
local options = require "neap.options"
local pieces = require "neap.text.pieces"
local store = require "neap.text.store"
local vocabulary = {}

local Vocabulary = {}
Vocabulary.__index = Vocabulary

-- A piece that is no UTF-8 goes into files as the list of its bytes.
local function plain(token)
  return utf8.len(token) and token or {token:byte(1, -1)}
end

local function whole(token)
  return type(token) == "table" and string.char(table.unpack(token)) or token
end

local cut = {char = pieces.chars, word = pieces.words}

local function index(self)
  self.ids = {}
  for id, token in ipairs(self.tokens) do
    if self.ids[token] then
      fail("Vocabulary: '%s' is there twice", token)
    end
    self.ids[token] = id
  end
  return setmetatable(self, Vocabulary)
end

-- Pieces by how often they are there, the most frequent first, equal ones
-- in the order of their bytes.
local function by_frequency(list)
  local counts, known = {}, {}
  for _, piece in ipairs(list) do
    if not counts[piece] then known[#known + 1] = piece end
    counts[piece] = (counts[piece] or 0) + 1
  end
  table.sort(known, function(a, b)
    if counts[a] ~= counts[b] then return counts[a] > counts[b] end
    return a < b
  end)
  return known, counts
end

--- Vocabulary(text, options): numbers from 1 for the pieces of a text (a
-- string or a list of strings).
--
-- Options: unit ("char" or "word"); min_count (1), pieces that are rarer
-- are left out; max_size, the most frequent are taken; specials, a list of
-- pieces in front of all others, such as {"<pad>", "<s>"}; unknown, the
-- piece that stands for those that are not there (none: they are an
-- error). Characters are ordered by their bytes, words by frequency.
function vocabulary.Vocabulary(text, given)
  local o = options.read("Vocabulary", given, {
    {"unit", "string", default = "char", choices = {"char", "word"}},
    {"min_count", "integer", default = 1, least = 1},
    {"max_size", "integer", least = 1}, {"specials", "table", default = {}},
    {"unknown", "string"}})
  local list = {}
  if type(text) ~= "string" and (type(text) ~= "table" or
     neap.is_tensor(text)) then
    fail("Vocabulary: expected a string or a list of strings, not %s",
         neap.is_tensor(text) and "a tensor" or type(text))
  end
  for _, s in ipairs(type(text) == "table" and text or {text}) do
    local part = cut[o.unit](s)
    table.move(part, 1, #part, #list + 1, list)
  end
  local tokens, taken = {}, {}
  local function add(token)
    if not taken[token] then tokens[#tokens + 1] = token end
    taken[token] = true
  end
  for i, special in ipairs(o.specials) do
    if type(special) ~= "string" then
      fail("Vocabulary: special %d is a %s", i, type(special))
    end
    add(special)
  end
  if o.unknown then add(o.unknown) end
  if o.max_size and #tokens > o.max_size then
    fail("Vocabulary: max_size is %d, but there are %d special pieces",
         o.max_size, #tokens)
  end
  local known, counts = by_frequency(list)
  local chosen, room = {}, (o.max_size or math.huge) - #tokens
  for _, piece in ipairs(known) do
    if counts[piece] >= o.min_count and #chosen < room and
       not taken[piece] then chosen[#chosen + 1] = piece end
  end
  if o.unit == "char" then table.sort(chosen) end
  for _, piece in ipairs(chosen) do add(piece) end
  return index{unit = o.unit, unknown = o.unknown, tokens = tokens,
               specials = o.specials}
end

function Vocabulary:__len() return #self.tokens end
function Vocabulary:size() return #self.tokens end

function Vocabulary:__tostring()
  return ("Vocabulary of %d %ss"):format(#self.tokens, self.unit)
end

--- The number of a piece, or nil.
function Vocabulary:id(token) return self.ids[token] end

--- The piece of a number.
function Vocabulary:token(id)
  return self.tokens[id] or
         fail("token: %s is outside the %d pieces", tostring(id),
              #self.tokens)
end

--- The numbers of a string's pieces, or of a list of pieces (specials can
-- be among them), as an int64 tensor.
function Vocabulary:encode(text)
  local list = type(text) == "table" and text or cut[self.unit](text)
  local ids, spare = {}, self.ids[self.unknown]
  for i, piece in ipairs(list) do
    ids[i] = self.ids[piece] or spare or
             fail("encode: piece %d, '%s', is not in the vocabulary (see " ..
                  "the option unknown)", i, tostring(piece))
  end
  if #ids == 0 then return neap.zeros{0, dtype = "int64"} end
  return neap.tensor(ids, {dtype = "int64"})
end

--- The pieces of numbers (a list or a tensor) put together: words with a
-- space between them.
function Vocabulary:decode(ids)
  if neap.is_tensor(ids) then ids = ids:reshape(-1):totable() end
  if type(ids) ~= "table" then
    fail("decode: expected numbers, a list or a tensor, not a %s", type(ids))
  end
  local list = {}
  for i, id in ipairs(ids) do list[i] = self:token(id) end
  return table.concat(list, self.unit == "word" and " " or "")
end

--- As plain data, for files and arguments of layers; load_vocabulary makes
-- the same vocabulary of it.
function Vocabulary:state_dict()
  local tokens = {}
  for i, token in ipairs(self.tokens) do tokens[i] = plain(token) end
  return {unit = self.unit, unknown = self.unknown, tokens = tokens,
          specials = self.specials}
end

Vocabulary.save = store.save

--- A vocabulary from its state_dict, or from a file that save wrote.
function vocabulary.load_vocabulary(from)
  local state = store.read("load_vocabulary", from)
  if not state or not cut[state.unit] or
     type(state.tokens) ~= "table" then
    fail("load_vocabulary: this is no vocabulary")
  end
  local tokens = {}
  for i, token in ipairs(state.tokens) do
    local ok, piece = pcall(whole, token)
    if not ok or type(piece) ~= "string" then
      fail("load_vocabulary: piece %d is a %s", i, type(token))
    end
    tokens[i] = piece
  end
  return index{unit = state.unit, unknown = state.unknown,
               tokens = tokens, specials = state.specials or {}}
end

return vocabulary
