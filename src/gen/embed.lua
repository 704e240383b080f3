-- Turns Lua files into C, so that one library holds them all.
--
--   lua embed.lua OUTPUT FOLDER
--
-- FOLDER/neap/data.lua becomes the module "neap.data", and the function
-- luaopen_neap_data lets a stock 'require' find it in neap.so.

local output, folder = arg[1], arg[2]

local paths = {}
local pipe = assert(io.popen(("find %s -name '*.lua'"):format(folder)))
for path in pipe:lines() do paths[#paths + 1] = path end
pipe:close()
table.sort(paths)

local out = {'/* Made by src/gen/embed.lua. */\n#include "lua/lneap.h"',
             '#include "lua/lembed.h"',
             'int nl_open_embedded (lua_State *L, const char *module);'}
local entries = {}

for i, path in ipairs(paths) do
  local file = assert(io.open(path, "rb"))
  local text = file:read "a"
  file:close()
  local short = path:sub(#folder + 2)
  local module = short:gsub("%.lua$", ""):gsub("/", ".")
  local bytes = {}
  for k = 1, #text do
    bytes[#bytes + 1] = text:byte(k) .. (k % 20 == 0 and ",\n" or ",")
  end
  out[#out + 1] = ("static const unsigned char text%d[] = {%s0};")
                  :format(i, table.concat(bytes))
  entries[#entries + 1] =
    ('  {"%s", "@%s", (const char *)text%d, %d},'):format(module, short, i,
                                                         #text)
  local symbol = module:gsub("%.", "_")
  out[#out + 1] = ('NEAP_API int luaopen_%s (lua_State *L);\n' ..
                   'int luaopen_%s (lua_State *L) {\n' ..
                   '  return nl_open_embedded(L, "%s");\n}')
                  :format(symbol, symbol, module)
end

out[#out + 1] = "const nl_file nl_files[] = {"
out[#out + 1] = table.concat(entries, "\n")
out[#out + 1] = "  {NULL, NULL, NULL, 0}\n};\n"

local file = assert(io.open(output, "w"))
file:write(table.concat(out, "\n"))
file:close()
