--- Summaries of modules: what each layer makes of an input, how many
-- parameters it has and how much it computes.

local neap = require "neap"
local fail = neap._fail
local Module = neap.nn.Module

-- Of a recurrent layer: all its matrices meet every step.
local function recurrent(module, x)
  local sum = 0
  for _, p in ipairs(module:parameters()) do
    if p.ndim == 2 then sum = sum + p:numel() end
  end
  return sum * (x:numel() // x.shape[x.ndim])
end

-- Multiply-adds of a call: a weight of several dimensions meets the input
-- once for each place of the result (of a transposed convolution, of the
-- input); one of a single dimension once for each element.
local function multiply_adds(module, x, y)
  local w, name = module.weight, module:_options()
  if name:find "^RNN" or name:find "^LSTM" or name:find "^GRU" then
    return recurrent(module, x)
  end
  if not neap.is_tensor(w) or name:find "^Embedding" or w:numel() == 0 then
    return 0
  elseif w.ndim == 1 or name:find "Norm" then return y:numel() end
  local places = name:find "^ConvTranspose" and x or y
  return places:numel() // w:size(1) * w:numel()
end

-- 1234567 -> 1,234,567
local function grouped(n)
  local text = ("%d"):format(n)
  repeat
    local before = text
    text = text:gsub("^(%d+)(%d%d%d)", "%1,%2")
  until text == before
  return text
end

local Summary = {}
Summary.__tostring = function(self)
  local rows = {{"", "layer", "output", "parameters", "multiply-adds"}}
  for i, row in ipairs(self) do
    rows[i + 1] = {row.path, row.layer, table.concat(row.shape, " x "),
                   grouped(row.parameters), grouped(row.multiply_adds)}
  end
  local tables = require "neap.data.table"
  return ("%s\n%s parameters (%s learned), %s multiply-adds"):format(
    tables.aligned(rows), grouped(self.parameters),
    grouped(self.learned), grouped(self.multiply_adds))
end

local function count(list, wanted)
  local n = 0
  for _, p in ipairs(list) do
    if wanted(p) then n = n + p:numel() end
  end
  return n
end

local function input_of(list)
  local x = list[1]
  if neap.is_tensor(x) then return list end
  if type(x) ~= "table" then
    fail("summary: expected the shape of an input, such as " ..
         "net:summary{1, 784}, or tensors")
  end
  return {neap.zeros(x)}
end

-- Runs the module and gives a row for each layer that was called. `seen`
-- are parameters that were counted: shared ones count once.
local function watched(self, inputs)
  local rows, paths, seen = {}, {}, {}
  for path, module in self:named_modules() do paths[module] = path end
  local function fresh(p)
    local new = not seen[p]
    seen[p] = true
    return new
  end
  neap._watch_layers(function(module, x, y)
    if #module > 0 then return end
    rows[#rows + 1] = {
      path = paths[module] or "", layer = (module:_options()),
      shape = y.shape, parameters = count(module:parameters(), fresh),
      multiply_adds = multiply_adds(module, x, y)}
  end)
  local ok, why = pcall(neap.no_grad, self, table.unpack(inputs))
  neap._watch_layers(nil)
  if not ok then fail((tostring(why):gsub("^[^%s:]+:%d+: ", ""))) end
  return rows
end

--- What the layers of a module make of an input of this shape, batch
-- included: net:summary{1, 28 * 28}, or of tensors: net:summary(x). A table
-- of rows {path, layer, shape, parameters, multiply_adds} with the sums
-- `parameters`, `learned` and `multiply_adds`; print shows it. The module
-- is called once, in eval mode.
function Module:summary(...)
  local inputs, modes = input_of{...}, {}
  for _, module in ipairs(self:modules()) do modes[module] = module.training
  end
  self:eval()
  local ok, rows = pcall(watched, self, inputs)
  for module, training in pairs(modes) do module.training = training end
  if not ok then error(rows, 0) end
  local all = self:parameters()
  rows.parameters = count(all, function() return true end)
  rows.learned = count(all, function(p) return p.requires_grad end)
  rows.multiply_adds = 0
  for _, row in ipairs(rows) do
    rows.multiply_adds = rows.multiply_adds + row.multiply_adds
  end
  return setmetatable(rows, Summary)
end

return Module
