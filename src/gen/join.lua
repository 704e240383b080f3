-- Joins the core into one file, for hosts that compile it with their own:
--
--   lua join.lua neap.c SOURCE-FOLDER MADE-FOLDER FILE ...
--
-- Headers come where they are first wanted. Names that are only a file's own
-- (static functions, types, constants) get the file's name in front, where
-- several files use them or the C library might; macros of a file end with
-- it. Members of structures keep their names.

local target, source, made = arg[1], arg[2], arg[3]

local function lines_of(path)
  local list = {}
  for line in io.lines(path) do list[#list + 1] = line end
  return list
end

local function exists(path)
  local file = io.open(path)
  if file then file:close() end
  return file ~= nil
end

local function find(header)
  for _, folder in ipairs{source, made} do
    local path = folder .. "/" .. header
    if exists(path) then return path end
  end
  error("there is no header " .. header)
end

local function own_name(path)
  return path:gsub("^" .. source .. "/", ""):gsub("^" .. made .. "/", "gen_")
             :gsub("%.c$", ""):gsub("/", "_")
end

-- Names that a file declares for itself.
local function names_of(lines)
  local names, depth, kind = {}, 0, nil
  local function add(name)        -- what is for several files has a prefix
    if name and not name:find "^nx_" and not name:find "^neap_" and
       not name:find "^_" then
      names[name] = true
    end
  end
  for _, line in ipairs(lines) do
    if depth == 0 then
      local typed = line:match "^typedef struct ([%w_]+)" or
                    line:match "^struct ([%w_]+)" or
                    line:match "^static const struct ([%w_]+) {"
      add(typed)
      if line:find "^typedef" then
        add(line:match "([%w_]+);$" or line:match "%*?([%w_]+) %(")
        add(line:match "%(%*([%w_]+)%)")
      end
      if line:find "^static" then
        add(line:match "([%w_]+) %(" or line:match "([%w_]+)%[" or
            line:match "([%w_]+) =" or line:match "([%w_]+);$")
      end
      kind = line:match "^enum" or (line:match "^typedef enum") or nil
    end
    if kind then
      local bare = line:gsub("/%*.-%*/", "")
      for name in bare:gmatch "%f[%w_]%u[%u%d_]*%f[^%w_]" do add(name) end
    end
    local text = line:gsub('"[^"]*"', ""):gsub("'.'", "")
    local _, open = text:gsub("{", "")
    local _, close = text:gsub("}", "")
    depth = depth + open - close
    if depth == 0 and not line:find "^typedef enum" then
      local tail = line:match "^} ([%w_]+);"
      add(tail)
      if line:find "}" then kind = nil end
    end
  end
  return names
end

-- Where structures are declared: their members end with a sign like ;
local function structures(text)
  local inside, at = {}, 1
  while true do
    local from, to = text:find("\n[%w ]*struct[%w_ ]* {\n.-\n}", at)
    if not from then return inside end
    inside[#inside + 1] = {from, to}
    at = to + 1
  end
end

-- The text with these names replaced, but not in strings, in comments, as
-- members of structures.
local function renamed(text, names, prefix)
  local out, at, inside, next_one = {}, 1, structures(text), 1
  local function keep(to)
    out[#out + 1] = text:sub(at, to)
    at = to + 1
  end
  local function is_member(from, to)
    local before = text:sub(math.max(1, from - 2), from - 1)
    if before:find "%.$" or before == "->" then return true end
    while inside[next_one] and inside[next_one][2] < from do
      next_one = next_one + 1
    end
    local around = inside[next_one]
    return around and around[1] < from and
           text:find("^[;,%[)]", to + 1) ~= nil
  end
  while at <= #text do
    local c = text:sub(at, at)
    if c == '"' or c == "'" then
      local stop = at + 1
      while text:sub(stop, stop) ~= c do
        stop = stop + (text:sub(stop, stop) == "\\" and 2 or 1)
      end
      keep(stop)
    elseif text:sub(at, at + 1) == "/*" then
      keep(select(2, text:find("*/", at + 2, true)))
    elseif c:find "[%a_]" then
      local stop = select(2, text:find("^[%w_]+", at))
      if names[text:sub(at, stop)] and not is_member(at, stop) then
        out[#out + 1] = prefix .. "__"
      end
      keep(stop)
    else keep((text:find("[%a_\"'/]", at + 1) or #text + 1) - 1) end
  end
  return table.concat(out)
end

local out = assert(io.open(target, "w"))
local seen = {}

local expand
local function include(header)
  local path = find(header)
  local lines = lines_of(path)
  local guarded = table.concat(lines, "\n", 1, math.min(40, #lines))
                  :find("#ifndef [%w_]+_h\n") ~= nil
  if header == "neap.h" and not seen[path] then
    out:write('#include "neap.h"\n')
    seen[path] = true
  elseif header ~= "neap.h" and not (guarded and seen[path]) then
    seen[path] = true
    expand(lines)
  end
end

-- What VECTOR_H stands for is known when kernels.c is expanded.
local vector
function expand(lines)
  for _, line in ipairs(lines) do
    local header = line:match '^#include "([^"]+)"'
    vector = line:match '^#define VECTOR_H "([^"]+)"' or vector
    if header then include(header)
    elseif line:find "^#include VECTOR_H" then include(vector)
    elseif not line:find "^#define _GNU_SOURCE" and
           not line:find "VECTOR_H" then
      out:write(line, "\n")
    end
  end
end

-- Names that system headers declare, which one file or another uses.
local systems = {read = true, write = true, open = true, close = true,
                 link = true, index = true}

local files, users = {}, {}
for i = 4, #arg do
  local file = {path = arg[i], lines = lines_of(arg[i])}
  file.names = names_of(file.lines)
  for name in pairs(file.names) do users[name] = (users[name] or 0) + 1 end
  files[#files + 1] = file
end

out:write [[
/*
** neap in one file: compile it with the host's own, beside neap.h.
**
**   cc -O2 -ffp-contract=off -c neap.c
*/
#define _GNU_SOURCE
]]
for _, file in ipairs(files) do
  for name in pairs(file.names) do
    if users[name] == 1 and not systems[name] then
      file.names[name] = nil
    end
  end
  local text = renamed(table.concat(file.lines, "\n"), file.names,
                       own_name(file.path))
  local lines = {}
  out:write(("\n/* ---- %s ---- */\n"):format(file.path))
  for line in (text .. "\n"):gmatch "(.-)\n" do lines[#lines + 1] = line end
  expand(lines)
  for _, line in ipairs(lines) do
    local macro = line:match "^#define ([%w_]+)"
    if macro then out:write("#undef ", macro, "\n") end
  end
end
out:close()
