--- Tables: named columns of one length, as a CSV file has them.
--
-- A column is a tensor of one dimension: float64, int64 or bool; or a
-- category: int64 numbers from 1 into a list of words.

local neap = require "neap"
local fail = neap._fail
local options = require "neap.options"
local words = require "neap.data.words"

local Table = {}

-- The columns are kept under this key, so that no name can hide a method.
local COLUMNS = {}

local function shape_text(t) return table.concat(t.shape, "x") end

-- The type of a column of numbers, as a file's column would have it.
local function list_type(who, list)
  local kind, whole = type(list[1]), true
  for i, value in ipairs(list) do
    if type(value) ~= kind then
      fail("%s: value %d is a %s among values that are %ss", who, i,
           type(value), kind)
    end
    whole = whole and math.type(value) == "integer"
  end
  return kind == "boolean" and "bool" or whole and "int64" or "float64"
end

-- A column as it is kept: {tensor =, words =, number = of each word}
local function new_column(who, tensor, known)
  if type(tensor) == "table" and type(tensor[1]) == "string" then
    tensor, known = words.numbered(who, tensor)
  elseif type(tensor) == "table" then
    tensor = neap.tensor(tensor, {dtype = list_type(who, tensor)})
  end
  if not neap.is_tensor(tensor) or tensor.ndim ~= 1 then
    fail("%s: a column is a list or a tensor of one dimension, not %s",
         who, neap.is_tensor(tensor) and shape_text(tensor) or type(tensor))
  end
  local numbers
  if known then
    numbers = {}
    for i, word in ipairs(known) do numbers[word] = i end
  end
  return {tensor = tensor, words = known, numbers = numbers}
end

local function make(names, columns)
  local by_name = {}
  for i, name in ipairs(names) do by_name[name] = columns[i] end
  return setmetatable({[COLUMNS] = by_name, columns = names}, Table)
end

local function column_of(self, name, who)
  if math.type(name) == "integer" then name = self.columns[name] or name end
  local column = self[COLUMNS][name]
  if column then return column, name end
  local near = neap._nearest(table.concat(self.columns, " "),
                             tostring(name))
  fail("%s: there is no column '%s'; %s", who, tostring(name),
       near and ("did you mean '%s'?"):format(near) or
       "there is " .. table.concat(self.columns, ", "))
end

--- A table of columns in an order: `Table({"x", "y"}, {tensor, list})`;
-- `known`, by name, makes a column of integers a category of these words. A
-- list of words becomes a category by itself.
local function new(names, values, known)
  local columns = {}
  for i, name in ipairs(names) do
    columns[i] = new_column("Table", values[i], known and known[name])
    if #columns[i].tensor ~= #columns[1].tensor then
      fail("Table: column '%s' has %d values, '%s' has %d",
           name, #columns[i].tensor, names[1], #columns[1].tensor)
    end
  end
  return make({table.unpack(names)}, columns)
end

--- How many rows there are; also #t.
function Table:size()
  local first = self[COLUMNS][self.columns[1]]
  return first and #first.tensor or 0
end
Table.__len = function(self) return Table.size(self) end

--- A column as a tensor, by its name or its place. Of a category these are
-- the numbers of words.
function Table:column(name)
  return (column_of(self, name, "column")).tensor
end

--- True if there is a column of this name.
function Table:has(name) return self[COLUMNS][name] ~= nil end

--- The words of a category in the order of their numbers, or nil.
function Table:categories(name)
  return (column_of(self, name, "categories")).words
end

local function value_at(column, i)
  local value = column.tensor[i]
  if column.words then return column.words[value] end
  return value
end

--- The i-th row, as a table of values by name; t[i] is the same.
function Table:row(i)
  local row, n = {}, self:size()
  if i < -n or i > n or i == 0 then
    fail("table: no row %d among %d%s", i, n, i == n + 1 and
         " (t:rows() and pairs(t) iterate; ipairs looks one too far)" or "")
  end
  for _, name in ipairs(self.columns) do
    row[name] = value_at(self[COLUMNS][name], i)
  end
  return row
end

Table.__index = function(self, key)
  if math.type(key) == "integer" then return Table.row(self, key) end
  if Table[key] == nil and self[COLUMNS][key] then
    fail("table: columns are t:column \"%s\"", key)
  end
  return Table[key]
end

Table.__newindex = function(_, key)
  fail("table: '%s' cannot be assigned; t = t:with(name, values) makes a " ..
       "table with another column", tostring(key))
end

--- Iterates over the rows.
function Table:rows()
  local i, n = 0, self:size()
  return function()
    if i < n then
      i = i + 1
      return self:row(i)
    end
  end
end

-- for i, row in pairs(t)
local function next_row(t, i)
  if i < t:size() then return i + 1, t:row(i + 1) end
end
Table.__pairs = function(t) return next_row, t, 0 end

-- A table with every tensor replaced by f(tensor).
local function each(self, names, f)
  local columns = {}
  for i, name in ipairs(names) do
    local column = self[COLUMNS][name]
    columns[i] = {tensor = f(column.tensor), words = column.words,
                  numbers = column.numbers}
  end
  return make({table.unpack(names)}, columns)
end

--- Rows at the positions of a list or an int64 tensor, or where a mask is
-- true.
function Table:take(ids)
  if type(ids) ~= "table" and not neap.is_tensor(ids) then
    fail("take: expected a list or tensor of positions, or a mask, not %s " ..
         "(t:head(n) gives the first rows)", type(ids))
  end
  if type(ids) == "table" then ids = neap.tensor(ids, {dtype = "int64"}) end
  return each(self, self.columns, function(t) return t[ids] end)
end
Table.batch = Table.take

--- The rows for which f(row) is true.
function Table:filter(f)
  if type(f) ~= "function" then
    fail("filter: expected a function of a row, not %s (t:take(mask) takes " ..
         "masks)", neap.is_tensor(f) and "a tensor" or type(f))
  end
  local keep = {}
  for i = 1, self:size() do
    local answer = table.pack(f(self:row(i)))
    if answer.n == 0 then
      fail("filter: the function returned nothing for row %d; it says " ..
           "whether a row stays", i)
    end
    if answer[1] then keep[#keep + 1] = i end
  end
  return self:take(neap.tensor(keep, {dtype = "int64"}))
end

--- The first n rows (5).
function Table:head(n)
  n = math.min(n or 5, self:size())
  return each(self, self.columns, function(t) return t[{{1, n}}] end)
end

-- The names of a call: a list, or one after the other.
local function names_of(who, first, ...)
  if type(first) == "table" then return first end
  if first == nil then fail("%s: expected names of columns", who) end
  return {first, ...}
end

--- Only these columns, in this order: t:select{"a", "b"}.
function Table:select(...)
  local found = {}
  for i, name in ipairs(names_of("select", ...)) do
    local _, real = column_of(self, name, "select")
    found[i] = real
  end
  return each(self, found, function(t) return t end)
end

--- All columns but these.
function Table:without(...)
  local out, left = {}, {}
  for _, name in ipairs(names_of("without", ...)) do
    local _, real = column_of(self, name, "without")
    out[real] = true
  end
  for _, name in ipairs(self.columns) do
    if not out[name] then left[#left + 1] = name end
  end
  return each(self, left, function(t) return t end)
end

--- A table with a column more, or another one in the place of an old one:
-- a tensor, a list of numbers, or a list of words, which become a category.
-- With `known` the values are numbers into this list.
function Table:with(name, values, known)
  local column = new_column("with", values, known)
  if #self.columns > 0 and #column.tensor ~= self:size() then
    fail("with: %d values for a table of %d rows", #column.tensor, self:size())
  end
  local names, columns = {table.unpack(self.columns)}, {}
  if not self[COLUMNS][name] then names[#names + 1] = name end
  for i, each_name in ipairs(names) do
    columns[i] = each_name == name and column or self[COLUMNS][each_name]
  end
  return make(names, columns)
end

-- A column of numbers. Those of words mean nothing as quantities.
local function quantities(self, name, dtype)
  local column, real = column_of(self, name, "tensor")
  if column.words then
    fail("tensor: column '%s' holds words ('%s', ...); their numbers are " ..
         "t:column \"%s\", and data.OneHot makes columns of them", real,
         column.words[1] or "", real)
  end
  return column.tensor:to(dtype)
end

--- Columns side by side: a matrix of rows x names (all columns, unless
-- told), or a vector for one name alone. Numbers are float32 unless told; a
-- category is an error.
function Table:tensor(names, given)
  local o = options.read("tensor", given,
                         {{"dtype", "string", default = "float32"}})
  if type(names) == "string" then
    return quantities(self, names, o.dtype)
  end
  local parts = {}
  for i, name in ipairs(names or self.columns) do
    parts[i] = quantities(self, name, o.dtype)
  end
  return neap.stack(parts, 2)
end

local function number_text(x)
  if math.type(x) == "integer" then return tostring(x) end
  return x ~= x and "nan" or ("%.6g"):format(x)
end

-- A cell that stands to the right.
local function is_numeric(cell)
  return tonumber(cell) or cell == "" or cell == "nan" or
         cell:find "^%-?inf$" or cell:find "^%d[%d,]*$"
end

local function value_text(value)
  if type(value) == "number" then return number_text(value) end
  return tostring(value)
end

-- Lines of cells, each column as wide as it must be, numbers to the right.
local function aligned(rows)
  local width, left, lines = {}, {}, {}
  for k, row in ipairs(rows) do
    for i, cell in ipairs(row) do
      width[i] = math.max(width[i] or 0, utf8.len(cell) or #cell)
      left[i] = left[i] or k > 1 and not is_numeric(cell)
    end
  end
  for k, row in ipairs(rows) do
    local cells = {}
    for i, cell in ipairs(row) do
      local pad = (" "):rep(width[i] - (utf8.len(cell) or #cell))
      cells[i] = left[i] and cell .. pad or pad .. cell
    end
    lines[k] = (table.concat(cells, "  "):gsub("%s+$", ""))
  end
  return table.concat(lines, "\n")
end

local function preview(self, shown)
  local rows = {{table.unpack(self.columns)}}
  for i = 1, shown do
    local cells = {}
    for k, name in ipairs(self.columns) do
      cells[k] = value_text(value_at(self[COLUMNS][name], i))
    end
    rows[#rows + 1] = cells
  end
  return aligned(rows)
end

Table.__tostring = function(self)
  local n = self:size()
  local shown = math.min(n, 6)
  return ("%s\n[%s%d rows x %d columns]"):format(
    preview(self, shown), shown < n and "... " or "", n, #self.columns)
end

local function statistics(column)
  local t = column.tensor
  if column.words then
    return {"category", ("%d words"):format(#column.words), "", "", "", ""}
  end
  local x = t:to("float64")
  local good = x[x:isnan():bitwise_not()]
  local missing = #x - #good
  local function put(v) return ("%.6g"):format(v:item()) end
  if #good == 0 then
    return {t.dtype, tostring(missing), "", "", "", ""}
  end
  return {t.dtype, tostring(missing), put(good:mean()),
          #good > 1 and put(good:std()) or "", put(good:min()),
          put(good:max())}
end

--- A text of what each column holds: type, how many values are missing
-- (NaN), mean, standard deviation, least and largest value.
function Table:describe()
  local rows = {{"column", "type", "missing", "mean", "std", "min", "max"}}
  for i, name in ipairs(self.columns) do
    rows[i + 1] = {name, table.unpack(statistics(self[COLUMNS][name]))}
  end
  return aligned(rows)
end

return {new = new, Table = Table, aligned = aligned}
