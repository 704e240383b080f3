--- Labels: the words of a column as numbers of classes, and back.

local neap = require "neap"
local fail = neap._fail
local tables = require "neap.data.table"
local words = require "neap.data.words"
local nn = neap.nn

local Labels = nn.Module:extend "data.Labels"

--- Labels(column): class numbers for CrossEntropyLoss. The numbers of a
-- table's words depend on which words its file has; these stay as they were
-- fitted, and are saved with the model.
--
--     local species = data.Labels("species"):fit(train)
--     species(test)                   -- int64 tensor, 1 to #species.words
--     species:inverse(net(x))         -- words of the largest scores
function Labels:init(column, known)
  if type(column) ~= "string" then
    fail("Labels: expected the name of a column, as in " ..
         "data.Labels(\"species\")")
  end
  self.column, self.words = column, known
end

-- Numbers and words of a table's column, or of a list of words.
local function read(self, given)
  if getmetatable(given) == tables.Table then
    local own = given:categories(self.column)
    if not own then
      fail("Labels: column '%s' holds no words; its values can be labels " ..
           "themselves, if they count from 1", self.column)
    end
    return given:column(self.column), own
  elseif type(given) ~= "table" or type(given[1]) ~= "string" then
    fail("Labels: expected a table or a list of words, not %s",
         neap.is_tensor(given) and "a tensor" or type(given))
  end
  return words.numbered("Labels", given)
end

--- Learns the words; returns the labels.
function Labels:fit(given)
  local ids, own = read(self, given)
  local there, used = {}, {}
  for _, i in ipairs(ids:unique():totable()) do there[i] = true end
  for i, word in ipairs(own) do
    if there[i] then used[#used + 1] = word end
  end
  self.words, self._arguments = used, {n = 2, self.column, used}
  return self
end

local function check_ready(self)
  if not self.words then fail("Labels was not fitted: call fit(table) first")
  end
end

function Labels:forward(given)
  check_ready(self)
  local ids, own = read(self, given)
  local numbers, unknown = words.renumbered(ids, own, self.words)
  if unknown then
    fail("Labels: '%s' of column %s was not there when it was fitted; " ..
         "there is %s", unknown, self.column,
         table.concat(self.words, ", "))
  end
  return numbers
end

--- The words of labels (int64), or of scores (samples, classes): those of
-- the largest. A list, one for each sample.
function Labels:inverse(y)
  check_ready(self)
  if not neap.is_tensor(y) then
    fail("Labels: inverse expects a tensor, not a %s", type(y))
  elseif y:is_floating_point() then
    if y.ndim ~= 2 or y:size(2) ~= #self.words then
      fail("Labels: the scores are %s, expected a row of %d for each sample",
           table.concat(y.shape, "x"), #self.words)
    end
    y = y:argmax(2)
  end
  local out = {}
  for i, label in ipairs(y:reshape(-1):totable()) do
    out[i] = self.words[label] or
      fail("Labels: there is no class %d among %d", label, #self.words)
  end
  return out
end

function Labels:extra_repr()
  return ("%s: %s"):format(self.column,
                           table.concat(self.words or {}, ", "))
end

return Labels
