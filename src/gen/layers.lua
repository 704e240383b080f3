-- Checks the house: who includes whom, sizes, names.
--
--   lua layers.lua SOURCE-FOLDER
--
-- A file may include headers of folders of a lower rank or of its own, never
-- upward and never sideways. System calls, compiler extensions and memory
-- have their rooms. Ends with 1 and a list if something is out of place.

local source = arg[1]

local rank = {base = 0, simd = 1, tensor = 2, io = 3, grad = 3, op = 4,
              nn = 5, optim = 5, dist = 5, plan = 6, lua = 7, api = 8}
-- made headers stand in their makers' place
local generated = {["ops.h"] = "op"}
-- the public header is for all
local free = {["neap.h"] = true}

local complaints = {}
local function complain(...)
  complaints[#complaints + 1] = string.format(...)
end

local function files()
  local list = {}
  local pipe = assert(io.popen(("find %s -name '*.[ch]'"):format(source)))
  for path in pipe:lines() do list[#list + 1] = path end
  pipe:close()
  table.sort(list)
  return list
end

local function check_include(path, folder, header)
  local target = generated[header] or header:match "^(%w+)/"
  if free[header] then return end
  if not target or not rank[target] then
    complain("%s includes %s, which is in no folder of the layout", path,
             header)
  elseif folder and target ~= folder and rank[target] >= rank[folder] then
    complain("%s (rank %d) includes %s (rank %d)", path, rank[folder],
             header, rank[target])
  end
end

-- Words that belong to some files only: pattern, files, why.
local rooms = {
  {"%f[%w_]malloc%s*%(", {}, "memory comes from base/memory"},
  {"%f[%w_]calloc%s*%(", {["lua/lstate.c"] = true}, "memory comes from " ..
   "base/memory"},
  {"%f[%w_]abort%s*%(", {}, "the core never ends the process"},
  {"%f[%w_]exit%s*%(", {}, "the core never ends the process"},
  {"%f[%w_]printf%s*%(", {["main.c"] = true}, "the core never prints"},
  {"pthread_", {["base/threads.c"] = true}, "threads are base/threads'"},
  {"__attribute__", {["simd/kernels.c"] = true, ["neap.h"] = true,
   ["base/context.h"] = true, ["tensor/blas.c"] = true,
   ["tensor/lapack.c"] = true},
   "compiler extensions belong to simd/"}
}

local widest, longest = 79, 700
local functions = {}          -- static names: unique in the core

local function check_text(path, short, text)
  local code = text:gsub("/%*.-%*/", "")
  for _, room in ipairs(rooms) do
    if code:find(room[1]) and not room[2][short] then
      complain("%s uses %s: %s", path, code:match(room[1]), room[3])
    end
  end
  local n = 0
  for line in text:gmatch "([^\n]*)\n" do
    n = n + 1
    if #line > widest then
      complain("%s:%d has %d columns", path, n, #line)
    end
    if line:find "\t" or line:find "%s+$" then
      complain("%s:%d has a tab or a blank at its end", path, n)
    end
  end
  if n > longest then complain("%s has %d lines", path, n) end
end

-- Length of each function: from a line that begins one to its closing brace.
local function measure(text)
  local start, n = nil, 0
  for line in text:gmatch "([^\n]*)\n" do
    n = n + 1
    local macro = line:find "^[%u%d_]+%(.*%)$"
    if line:find "^[%a_].*%(" and not line:find ";%s*$" and
       not macro then start = start or n end
    if line == "}" and start then
      functions[#functions + 1] = n - start + 1
      start = nil
    elseif line:find "^[};]" then start = nil end
  end
end

for _, path in ipairs(files()) do
  local file = assert(io.open(path))
  local text = file:read "a"
  file:close()
  local short = path:sub(#source + 2)
  local folder = short:match "^(%w+)/"
  for header in text:gmatch '\n#include "([^"]+)"' do
    check_include(path, folder, header)
  end
  check_text(path, short, text)
  if path:find "%.c$" then measure(text) end
end

table.sort(functions)
local function quantile(q) return functions[math.ceil(q * #functions)] end
print(("%d functions: median %d lines, 90th percentile %d, longest %d")
      :format(#functions, quantile(0.5), quantile(0.9), functions[#functions]))
for _, line in ipairs(complaints) do print(line) end
os.exit(#complaints == 0)
