--- The interactive mode: reads a line (or more, while a statement is not
-- complete), runs it and prints its values.

local neap = require "neap"

local function incomplete(message)
  return message and message:sub(-5) == "<eof>"
end

-- The chunk of a line: as an expression if it is one.
local function compile(text)
  local chunk = load("return " .. text, "=stdin", "t")
  if chunk then return chunk end
  return load(text, "=stdin", "t")
end

-- Reads lines until they are a chunk; nil at the end of the input.
local function read_chunk()
  io.write "> "
  io.flush()
  local text = io.read "L"
  while text do
    local chunk, message = compile(text)
    if chunk or not incomplete(message) then return chunk, message end
    io.write ">> "
    io.flush()
    local more = io.read "L"
    if not more then return chunk, message end
    text = text .. more
  end
end

local function show(ok, ...)
  if not ok then
    io.stderr:write(tostring((...)), "\n")
  elseif select("#", ...) > 0 then
    local parts = table.pack(...)
    for i = 1, parts.n do parts[i] = tostring(parts[i]) end
    print(table.concat(parts, "\t"))
  end
end

return function()
  _G.neap = _G.neap or neap
  local info = neap.info()
  print(("neap %s, %s (%s, %s, %d threads); 'neap' is loaded")
        :format(info.version, _VERSION, info.cpu, info.blas, info.threads))
  while true do
    local chunk, message = read_chunk()
    if chunk then show(xpcall(chunk, debug.traceback))
    elseif message then io.stderr:write(message, "\n")
    else break end
  end
  print()
end
