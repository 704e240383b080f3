--- The one file that knows where reference data lies beside the project.
-- Specs that need it say "skipped: no reference data" where it is missing.

local shared = {}

local function folder_of(path)
  return path:match "^(.*)/[^/]*$" or "."
end

local here = folder_of(debug.getinfo(1, "S").source:sub(2))
shared.root = os.getenv "NEAP_SHARED" or here .. "/../../../shared"

--- The path of a file of the reference data, or nil.
function shared.path(name)
  local path = shared.root .. "/" .. name
  local file = io.open(path, "rb")
  if not file then return nil end
  file:close()
  return path
end

--- Defines a spec that needs the data sets, by busted's `it` and `pending`:
-- f(folder) is called, or it is skipped where there are none.
function shared.with_data(it, pending, name, f)
  local folder = shared.path "data/README.md" and shared.root .. "/data/"
  it(name, function()
    if not folder then
      pending "skipped: no reference data"
      return
    end
    f(folder)
  end)
end

return shared
