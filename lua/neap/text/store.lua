--- Vocabularies in files: their plain data as JSON.

local neap = require "neap"
local fail = neap._fail
local json = require "neap.json"
local store = {}

--- Writes the state_dict of an object.
function store.save(self, path)
  local file, why = io.open(path, "wb")
  if not file then fail("save: %s", why) end
  file:write(json.encode(self:state_dict()), "\n")
  if not file:close() then fail("save: %s was not written", path) end
end

--- Plain data as it is, or what a file holds; anything but a table is nil.
function store.read(who, from)
  if type(from) == "string" then
    local file, why = io.open(from, "rb")
    if not file then fail("%s: %s", who, why) end
    from = neap._json_decode(file:read "a")
    file:close()
  end
  return type(from) == "table" and from or nil
end

return store
