--- Features: the columns of a table as the matrix that a network takes.

local neap = require "neap"
local fail = neap._fail
local tables = require "neap.data.table"
local transform = require "neap.data.transform"
local words = require "neap.data.words"
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
      local name = type(step) == "table" and rawget(step, "_name")
      fail("Features: step %d of entry %d is %s, expected a transform", k, i,
           name and ("the class %s without ()"):format(name) or type(step))
    end
    step.of = table.concat(names, ", ")
  end
  return names, steps
end

--- Features{{columns, transform, ...}, ...}: each entry names a column, or
-- a list of columns, and what is done with it, step by step. `fit(table)`
-- learns from a table, a call gives a float32 matrix: of a table, of a list
-- of rows, or of one row {longitude = -122, ocean_proximity = "INLAND"}; a
-- number that a row does not have is one for data.Impute to fill.
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
                       takes_words = steps[1] and steps[1].takes_words,
                       takes_gaps = steps[1] and steps[1].takes_gaps}
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

local function matrix_of(entry, t, fitted)
  if #entry.names == 1 then
    local name = entry.names[1]
    local own = t:categories(name)
    if fitted and not entry.words ~= not own then
      fail("Features: column %s is %s, but was %s when it was fitted", name,
           own and "words" or "numbers", own and "numbers" or "words")
    end
    if own and fitted then
      return words.renumbered(t:column(name), own, entry.words)
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
    local own = #entry.names == 1 and t:categories(name) or nil
    entry.words = nil
    self.chains[i]:fit(matrix_of(entry, t), own)
    entry.words = own
    arguments[i] = {entry.names, words = own,
                    table.unpack(self.chains[i].steps:children())}
  end
  self._arguments = {n = 1, arguments}
  return self
end

-- A value of a row as the number that stands for it in its column.
local function checked(entry, name, i, value)
  local kind = entry.words and "string" or "number"
  if value == nil and not entry.words and entry.takes_gaps then
    return 0 / 0
  elseif value == nil then
    fail("Features: row %d has no '%s'", i, name)
  end
  if kind == "number" and type(value) == "boolean" then
    return value and 1 or 0
  elseif type(value) ~= kind then
    fail("Features: '%s' of row %d is a %s, expected a %s", name, i,
         type(value), kind)
  end
  return value
end

-- A row that lacks a column and has something else instead is misspelt.
local function check_row(columns, i, row)
  local missing
  for _, name in ipairs(columns) do
    missing = missing or row[name] == nil and name
  end
  if not missing then return end
  for key in pairs(row) do
    local known = false
    for _, name in ipairs(columns) do known = known or name == key end
    if not known then
      fail("Features: row %d has '%s', which is no column, but no '%s' " ..
           "(columns are %s)", i, tostring(key), missing,
           table.concat(columns, ", "))
    end
  end
  if next(row) == nil then fail("Features: row %d is empty", i) end
end

-- One row, or a list of rows, as a table with the words that were fitted.
local function table_of(self, rows)
  if rows[1] == nil then rows = {rows} end
  local names, values, known = {}, {}, {}
  local columns = {}
  for _, entry in ipairs(self.entries) do
    table.move(entry.names, 1, #entry.names, #columns + 1, columns)
  end
  for i, row in ipairs(rows) do check_row(columns, i, row) end
  for _, entry in ipairs(self.entries) do
    for _, name in ipairs(entry.names) do
      local column = {}
      for i, row in ipairs(rows) do
        column[i] = checked(entry, name, i, row[name])
      end
      names[#names + 1] = name
      if entry.words then
        values[#names], known[name] = words.numbered("Features", column)
      else
        values[#names] = neap.tensor(column, {dtype = "float64"})
      end
    end
  end
  return tables.new(names, values, known)
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
      fail("Features: '%s' of column %s was not there when it was fitted",
           unknown, entry.names[1])
    end
    local y = chain(x)
    parts[i] = (y.ndim == 1 and y:unsqueeze(2) or y):to("float32")
  end
  return neap.cat(parts, 2)
end

return Features
