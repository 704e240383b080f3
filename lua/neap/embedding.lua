--- Embedding tables that were learned elsewhere.

local neap = require "neap"
local fail = neap._fail
local nn = neap.nn
local Embedding = nn.Embedding

--- An Embedding with the vectors of a table (embeddings, size), copied.
-- Options: freeze (true: the table does not learn), and Embedding's.
function Embedding.from_pretrained(table_of, given)
  if not neap.is_tensor(table_of) or table_of.ndim ~= 2 then
    fail("Embedding.from_pretrained: expected a tensor (embeddings, size), "
         .. "not %s", neap.is_tensor(table_of) and
         table.concat(table_of.shape, "x") or type(table_of))
  end
  if given ~= nil and type(given) ~= "table" then
    fail("Embedding.from_pretrained: options are a table such as {freeze = " ..
         "false}, not a %s", type(given))
  end
  local o, freeze = {}, true
  for name, value in pairs(given or {}) do
    if name == "freeze" then freeze = value else o[name] = value end
  end
  local rows, size = table_of.shape[1], table_of.shape[2]
  local layer = Embedding(rows, size, o):to(table_of.dtype)
  neap.no_grad(function() layer.weight:copy_(table_of) end)
  if freeze then layer:requires_grad_(false) end
  return layer
end
