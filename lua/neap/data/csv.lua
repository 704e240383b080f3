--- CSV files and tables.

local neap = require "neap"
local fail = neap._fail
local options = require "neap.options"
local tables = require "neap.data.table"
require "neap.data.split"                -- t:random_split and its kin
local csv = {}

-- The default words for nothing in a column of numbers.
local NOTHING = {"NA", "N/A", "NaN", "nan", "null", "NULL", "None", "-", "?"}

local ragged_choices = {"error", "fill", "drop"}
local missing_choices = {"error", "nan", "drop"}
local kind_choices = {"bool", "int64", "float64", "float32", "category"}

local declared = {
  {"separator", "string", help = "between cells; found by itself"},
  {"header", "boolean", help = "the first row has names; looked at"},
  {"names", "table", help = "names of the columns, instead of a header's"},
  {"columns", "table", help = "only these, in this order"},
  {"types", "table", default = {}, help = "by name; found otherwise"},
  {"categories", "table", default = {}, help = "the words of a column"},
  {"missing", "string|number|table", default = "error",
   help = "error, nan, drop or a number; or by name"},
  {"missing_words", "table", default = NOTHING,
   help = "words that mean nothing in a column of numbers"},
  {"ragged", "string", default = "error", choices = ragged_choices,
   help = "rows with too few or too many cells"},
  {"skip", "integer", default = 0, least = 0, help = "lines to skip"},
  {"rows", "integer", default = -1, least = 0, help = "at most so many"},
  {"quote", "string", default = '"', help = "around cells; \"\": none"},
  {"decimal", "string", help = "the decimal point; . or found"},
  {"comment", "string", help = "lines that begin so are skipped"},
}

local function is_one_of(value, choices)
  for _, choice in ipairs(choices) do
    if choice == value then return true end
  end
  return false
end

local function check_characters(o)
  for _, name in ipairs{"separator", "decimal", "comment"} do
    if o[name] and #o[name] ~= 1 then
      fail("load_csv: %s must be one byte, not %q", name, o[name])
    end
  end
  if #o.quote > 1 then
    fail("load_csv: quote must be one byte, or empty")
  end
  for _, word in ipairs(o.missing_words) do
    if type(word) ~= "string" or word:find "%s" or word == "" then
      fail("load_csv: missing_words must be words without blanks")
    end
  end
end

-- Names that differ: a second "x" is "x_2".
local function different(names)
  local seen, out = {}, {}
  for i, name in ipairs(names) do
    local unique, k = name, 1
    while seen[unique] do
      k = k + 1
      unique = name .. "_" .. k
    end
    seen[unique] = i
    out[i] = unique
  end
  return out, seen
end

local function check_names(by_name, places, what)
  for name in pairs(by_name) do
    if type(name) == "string" and not places[name] then
      local list = {}
      for known in pairs(places) do list[#list + 1] = known end
      table.sort(list)
      local near = neap._nearest(table.concat(list, " "), name)
      fail("load_csv: %s names '%s', but there is no such column; %s", what,
           name, near and ("did you mean '%s'?"):format(near) or
           "there is " .. table.concat(list, ", "))
    end
  end
end

-- What to do with a cell that has nothing: number for C, and the filling.
-- Nothing among words is the word "", unless the column's own policy says
-- "error", or one says "drop".
local function policy(o, name, words)
  local given = o.missing
  if words and (type(given) ~= "table" or given[name] == nil) then
    given = given == "drop" and "drop" or "nan"
  elseif words and type(given[name]) == "number" then
    fail("load_csv: missing is %s for '%s', which holds words; an empty " ..
         "cell is the word \"\" there, \"drop\" or \"error\"",
         given[name], name)
  end
  if type(given) == "table" then given = given[name] end
  if given == nil then given = "error" end
  if type(given) == "number" then return 2, given end
  if not is_one_of(given, missing_choices) then
    fail("load_csv: missing is %q, expected error, nan, drop or a number",
         tostring(given))
  end
  return given == "nan" and 1 or given == "drop" and 3 or 0
end

-- A few words among many numbers are mistakes, not a category.
local function check_words(found, name, path)
  if found.kind == "category" and found.numbers >= 10 * found.words then
    fail("load_csv: %s, line %d, column %s: '%s' stands among %d numbers; " ..
         "name it in missing_words, or say types = {%s = \"category\"}",
         path, found.line, name, found.word, found.numbers, name)
  end
end

local function target(o, found, name, place)
  local kind = o.types[name] or (o.categories[name] and "category")
  if kind and not is_one_of(kind, kind_choices) then
    fail("load_csv: the type of '%s' is '%s', expected one of %s",
         name, tostring(kind), table.concat(kind_choices, ", "))
  end
  local real = kind == "float32" and "float64" or kind or found.kind
  local missing, fill = policy(o, name, real == "category")
  if missing == 1 and (kind == "int64" or kind == "bool") and
     found.empty + found.marked > 0 then
    fail("load_csv: column '%s' has %d cells without a value, and %s, its " ..
         "type, has no nan; let missing be \"drop\" or a number, or the " ..
         "type float64", name, found.empty + found.marked, kind)
  end
  return {column = place, missing = missing, fill = fill, dtype = kind,
          kind = real, categories = o.categories[name]}
end

local function build(o, path, file)
  local found = neap._csv_columns(file)
  if o.names and #o.names ~= #found then
    fail("load_csv: %d names for the %d columns of %s", #o.names, #found, path)
  end
  local raw = {}
  for i, column in ipairs(found) do
    raw[i] = o.names and o.names[i] or column.name
  end
  local names, places = different(raw)
  check_names(o.types, places, "types")
  check_names(o.categories, places, "categories")
  if type(o.missing) == "table" then
    check_names(o.missing, places, "missing")
  end
  local wanted, targets = {}, {}
  local function typed(name) return o.types[name] or o.categories[name] end
  for i, name in ipairs(o.columns or names) do
    if math.type(name) == "integer" then name = names[name] or name end
    check_names({[tostring(name)] = true}, places, "columns")
    if not typed(name) then check_words(found[places[name]], name, path) end
    wanted[i] = name
    targets[i] = target(o, found[places[name]], name, places[name])
  end
  if #targets == 0 then
    fail("load_csv: no columns were asked for")
  end
  local tensors, words = neap._csv_read(file, targets)
  local categories = {}
  for i, name in ipairs(wanted) do
    if targets[i].dtype == "float32" then
      tensors[i] = tensors[i]:to("float32")
    end
    categories[name] = words[i] or nil
  end
  return tables.new(wanted, tensors, categories)
end

local function open(path, text, o)
  return neap._csv_open(path, text, o.separator, o.quote,
    o.decimal, o.comment, o.header, o.skip, o.rows,
    o.ragged == "error" and 0 or o.ragged == "fill" and 1 or 2,
    table.concat(o.missing_words, " "))
end

-- No column has numbers: then nothing tells names from the first row.
local function all_words(file)
  local _ <close> = file
  for _, column in ipairs(neap._csv_columns(file)) do
    if column.kind ~= "category" and column.kind ~= "empty" then
      return false
    end
  end
  return true
end

local function read(path, text, given)
  local o = options.read("load_csv", given, declared)
  check_characters(o)
  if o.names and o.header == nil and all_words(open(path, text, o)) then
    o.header = false
  end
  local file <close> = open(path, text, o)
  return build(o, path, file)
end

--- Reads a table from a file of separated values (also gzip).
--
-- By itself it finds the separator (comma, tab, semicolon, bar), whether
-- the first row has names, a decimal comma (where cells are not parted by
-- commas), and what each column holds: whole numbers
-- (int64), numbers (float64), true and false (bool) or words, which become
-- a category (numbers from 1 into the sorted list of words). What is not
-- as expected is an error with line and column.
--
-- Options: separator, header, names, columns, types (by name: "float32",
-- "float64", "int64", "bool", "category"), categories (by name: the list
-- of words, in the order of their numbers), missing ("error", "nan",
-- "drop" or a number; or a table by name), missing_words, ragged ("error",
-- "fill", "drop"), skip, rows, quote, decimal, comment.
function csv.load(path, given)
  if type(path) ~= "string" then
    fail("load_csv: expected the path of a file")
  end
  return read(path, nil, given)
end

--- The same from a text in memory.
function csv.parse(text, given)
  if type(text) ~= "string" then fail("parse_csv: expected a text") end
  return read("text", text, given)
end

local function quoted(text, separator)
  if text:find('[%c"]') or text:find(separator, 1, true) or
     text:find "^%s" or text:find "%s$" or text == "" then
    return '"' .. text:gsub('"', '""') .. '"'
  end
  return text
end

-- The shortest of three forms that gives the same number again.
local function number_text(value)
  if value ~= value then return "" end
  for _, form in ipairs{"%.7g", "%.15g"} do
    local text = form:format(value)
    if tonumber(text) == value then return text end
  end
  return ("%.17g"):format(value)
end

local function cell_text(value, separator)
  if math.type(value) == "float" then return number_text(value) end
  return quoted(tostring(value), separator)
end

--- Writes a table (or a matrix, whose columns are c1, c2, ...) as CSV. NaN
-- is an empty cell. Option: separator (",").
function csv.save(path, given, o)
  o = options.read("save_csv", o,
                   {{"separator", "string", default = ","}})
  local t = given
  if neap.is_tensor(t) then
    if t.ndim ~= 2 then
      fail("save_csv: expected a table or a tensor of 2 dimensions")
    end
    local names, columns = {}, {}
    for i = 1, t:size(2) do
      names[i], columns[i] = "c" .. i, t:select(2, i)
    end
    t = tables.new(names, columns)
  elseif getmetatable(t) ~= tables.Table then
    fail("save_csv: expected a table or a tensor of 2 dimensions")
  end
  local file, why = io.open(path .. ".part", "w")
  if not file then fail("save_csv: " .. why) end
  local cells = {}
  for i, name in ipairs(t.columns) do cells[i] = quoted(name, o.separator) end
  file:write(table.concat(cells, o.separator), "\n")
  for row in t:rows() do
    for i, name in ipairs(t.columns) do
      cells[i] = cell_text(row[name], o.separator)
    end
    file:write(table.concat(cells, o.separator), "\n")
  end
  local ok, problem = file:close()
  if ok then ok, problem = os.rename(path .. ".part", path) end
  if not ok then
    os.remove(path .. ".part")
    fail("save_csv: " .. tostring(problem))
  end
end

return csv
