--- Features: the columns of a table as the matrix that a network takes.

local neap = require "neap"
local fail = neap._fail
local tables = require "neap.data.table"
local transform = require "neap.data.transform"
local nn = neap.nn

local Features = nn.Module:extend "data.Features"

-- {"income", Log{}, Standardize{}} -> names, transform
local function read_entry(entry, i)
  if type(entry) ~= "table" then
    fail("Features: entry %d is %s, expected a column (or a list of " ..
         "columns) and its transforms", i, type(entry))
  end
  local names = entry[1]
  if type(names) == "string" then names = {names} end
  if type(names) ~= "table" or type(names[1]) ~= "string" then
    fail("Features: entry %d begins with %s, expected a column's name", i,
         type(entry[1]))
  end
  local steps = {table.unpack(entry, 2)}
  for k, step in ipairs(steps) do
    if not nn.is_module(step) then
      fail("Features: step %d of entry %d is %s, expected a transform", k, i,
           type(step))
    end
  end
  return names, steps
end

--- Features{{columns, transform, ...}, ...}: each entry names a column, or
-- a list of columns, and what is done with it, step by step. `fit(table)`
-- learns from a table, a call gives a float32 matrix: of a table, of a list
-- of rows, or of one row {longitude = -122, ocean_proximity = "INLAND"}.
--
-- Words that a category did not have when it was fitted are an error,
-- unless its OneHot says unknown = "zeros".
function Features:init(entries)
  self.entries, self.chains = {}, {}
  local chains = {}
  for i, entry in ipairs(entries) do
    local names, steps = read_entry(entry, i)
    self.entries[i] = {names = names,
                       words = entry.words,      -- of a fitted one
                       takes_words = steps[1] and steps[1].takes_words}
    chains[i] = transform.Chain(table.unpack(steps))
  end
  if #chains == 0 then fail("Features: expected entries") end
  self.chains = chains
end

-- There are these columns; words stand alone and meet a OneHot first.
local function check_columns(entry, t)
  for _, name in ipairs(entry.names) do
    if not t:has(name) then
      fail("Features: the table has no column '%s' (it has %s)", name,
           table.concat(t.columns, ", "))
    elseif t:categories(name) and #entry.names > 1 then
      fail("Features: column '%s' holds words, which take an entry for each "
           .. "column: {\"%s\", data.OneHot()}", name, name)
    elseif t:categories(name) and not entry.takes_words then
      fail("Features: column '%s' holds words; begin its entry with " ..
           "data.OneHot()", name)
    end
  end
end

-- The numbers that words have in a table, as those they had in the fit.
local function renumbered(name, ids, words, known)
  local numbers, map, unknown = {}, {}, nil
  for i, word in ipairs(known) do numbers[word] = i end
  for i, word in ipairs(words) do
    map[i] = numbers[word] or #known + 1
    unknown = unknown or not numbers[word] and i or nil
  end
  if #map == 0 then return ids end
  local out = neap.tensor(map, {dtype = "int64"}):index_select(1, ids)
  if unknown then out = neap.where(out:gt(#known), 0, out) end
  return out, unknown and ("'%s' of column %s"):format(words[unknown], name)
end

local function matrix_of(entry, t, fitted)
  if #entry.names == 1 then
    local name = entry.names[1]
    local words = t:categories(name)
    if fitted and not entry.words ~= not words then
      fail("Features: column %s is %s, but was %s when it was fitted", name,
           words and "words" or "numbers", words and "numbers" or "words")
    end
    if words and fitted then
      return renumbered(name, t:column(name), words, entry.words)
    end
    return t:column(name), nil
  end
  return t:tensor(entry.names, {dtype = "float64"})
end

--- Learns from a table; returns the features.
function Features:fit(t)
  if getmetatable(t) ~= tables.Table then
    fail("Features: fit expects a table, not %s",
         neap.is_tensor(t) and "a tensor" or type(t))
  end
  local arguments = {}
  for i, entry in ipairs(self.entries) do
    local name = entry.names[1]
    check_columns(entry, t)
    local words = #entry.names == 1 and t:categories(name) or nil
    entry.words = nil
    self.chains[i]:fit(matrix_of(entry, t), words)
    entry.words = words
    arguments[i] = {entry.names, words = words,
                    table.unpack(self.chains[i].steps:children())}
  end
  self._arguments = {n = 1, arguments}
  return self
end

-- A value of a row as the number that stands for it in its column.
local function checked(entry, name, i, value)
  local kind = entry.words and "string" or "number"
  if value == nil then fail("Features: row %d has no '%s'", i, name) end
  if kind == "number" and type(value) == "boolean" then
    return value and 1 or 0
  elseif type(value) ~= kind then
    fail("Features: '%s' of row %d is a %s, expected a %s", name, i,
         type(value), kind)
  end
  return value
end

-- A column of words as a tensor of numbers, and the list of words.
local function numbered(column)
  local words, numbers = {}, {}
  for i, word in ipairs(column) do
    if not numbers[word] then
      words[#words + 1] = word
      numbers[word] = #words
    end
    column[i] = numbers[word]
  end
  return neap.tensor(column, {dtype = "int64"}), words
end

-- One row, or a list of rows, as a table with the words that were fitted.
local function table_of(self, rows)
  if rows[1] == nil then rows = {rows} end
  local names, values, words = {}, {}, {}
  for _, entry in ipairs(self.entries) do
    for _, name in ipairs(entry.names) do
      local column = {}
      for i, row in ipairs(rows) do
        column[i] = checked(entry, name, i, row[name])
      end
      names[#names + 1] = name
      if entry.words then values[#names], words[name] = numbered(column)
      else values[#names] = neap.tensor(column, {dtype = "float64"}) end
    end
  end
  return tables.new(names, values, words)
end

-- For print: the columns of each entry.
function Features:extra_repr()
  local parts = {}
  for i, entry in ipairs(self.entries) do
    parts[i] = table.concat(entry.names, ", ")
  end
  return table.concat(parts, "; ")
end

function Features:forward(t)
  if getmetatable(t) ~= tables.Table then
    if type(t) ~= "table" then
      fail("Features: expected a table or rows, not %s",
           neap.is_tensor(t) and "a tensor" or type(t))
    end
    t = table_of(self, t)
  end
  local parts = {}
  for i, entry in ipairs(self.entries) do
    check_columns(entry, t)
    local x, unknown = matrix_of(entry, t, true)
    local chain = self.chains[i]
    if unknown and not chain:ignores_unknown() then
      fail("Features: %s was not there when it was fitted", unknown)
    end
    local y = chain(x)
    parts[i] = (y.ndim == 1 and y:unsqueeze(2) or y):to("float32")
  end
  return neap.cat(parts, 2)
end

transform.Features = Features
return Features
