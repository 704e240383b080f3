-- Collects descriptors, so that nothing is listed by hand.
--
--   lua gather.lua SOURCE-FOLDER OUTPUT-FOLDER [C FILES] [MODEL FILES]
--
-- Reads the C files of op/, nn/ and optim/, but those that are named, and
-- writes
--   ops.h      prototypes of the functions marked OPFN, and descriptors
--   ops.c      the list of operations, nx_ops
--   layers.c   the list of layers, nx_layers
--   optims.c   the list of optimisers, nx_optims

local source, output = arg[1], arg[2]
local left_out, models = {}, {}
for i = 3, #arg do
  if arg[i]:find "%.c$" then left_out[arg[i]] = true
  else models[#models + 1] = arg[i] end
end

-- The paths of a folder's C files, sorted: the same build everywhere.
local function files(folder)
  local list = {}
  local pipe = assert(io.popen(("ls %s/%s/*.c"):format(source, folder)))
  for path in pipe:lines() do list[#list + 1] = path end
  pipe:close()
  table.sort(list)
  return list
end

local function read(path)
  local file = assert(io.open(path))
  local text = file:read "a"
  file:close()
  return text
end

-- Leaves a file alone that would not change, so that make does nothing.
local function write(name, text)
  local path = output .. "/" .. name
  local old = io.open(path)
  if old then
    local same = old:read "a" == text
    old:close()
    if same then return end
  end
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
end

-- The macros of a file, '#define M(id...)', by name: their bodies, and the
-- text with the bodies of those macros that they call.
local function family_macros(text)
  local bodies, whole = {}, {}
  local define, at = "\n#define ([%u%d_]+)%(id[^\n]*\n(.-[^\\])\n", 1
  while at do
    local _, last, macro, body = text:find(define, at)
    if macro then bodies[macro] = body end
    at = last                  -- the next one may begin with this line break
  end
  local function expand(macro)
    if not whole[macro] then
      local parts = {bodies[macro]}
      for other in bodies[macro]:gmatch "%f[%u_]([%u%d_]+)%(id" do
        if bodies[other] then parts[#parts + 1] = expand(other) end
      end
      whole[macro] = table.concat(parts, "\n")
    end
    return whole[macro]
  end
  for macro in pairs(bodies) do expand(macro) end
  return whole
end

-- Calls f(id, body) for each use of a macro of a file, in a fixed order.
local function each_use(text, f)
  local macros, names = family_macros(text), {}
  for macro in pairs(macros) do names[#names + 1] = macro end
  table.sort(names)
  for _, macro in ipairs(names) do
    for id in text:gmatch("\n" .. macro .. "%(([%w_]+)[,)]") do
      if id ~= "id" then f(id, macros[macro]) end
    end
  end
end

-- Names of the descriptors 'const KIND KIND_name = {' of a folder.
local function descriptors(folder, kind)
  local found = {}
  for _, path in ipairs(files(folder)) do
    local text = left_out[path] and "" or read(path)
    for name in text:gmatch("\nconst " .. kind .. " " .. kind ..
                            "_([%w_]+) = {") do
      found[#found + 1] = name
    end
    -- families written by a macro, which names the descriptor itself or
    -- calls one that does
    each_use(text, function(id, body)
      if body:find(kind .. "_##id", 1, true) then found[#found + 1] = id end
    end)
  end
  table.sort(found)
  return found
end

local function list_file(kind, header, names)
  local out = {('/* Made by src/gen/gather.lua. */\n#include "%s"\n')
               :format(header)}
  for _, name in ipairs(names) do
    out[#out + 1] = ("extern const %s %s_%s;"):format(kind, kind, name)
  end
  out[#out + 1] = ("const %s *const %ss[] = {"):format(kind, kind)
  for _, name in ipairs(names) do
    out[#out + 1] = ("  &%s_%s,"):format(kind, name)
  end
  out[#out + 1] = "  NULL\n};\n"
  return table.concat(out, "\n")
end

local function prototypes(names)
  local out = {'/* Made by src/gen/gather.lua. */', '#ifndef nx_gen_ops_h',
               '#define nx_gen_ops_h', '#include "grad/op.h"',
               '#include "op/broadcast.h"',
               '#include "op/convolution.h"', '#include "op/slice.h"',
               '#include "op/take.h"', '#include "op/windows.h"'}
  for _, path in ipairs(files "op") do
    local text = read(path)
    for head in text:gmatch "\nOPFN ([^{]-)%s*{" do
      if not head:find("##", 1, true) then out[#out + 1] = head .. ";" end
    end
    each_use(text, function(id, body)
      for head in body:gmatch "OPFN ([^{]-)%s*{" do
        out[#out + 1] = head:gsub("##id", id) .. ";"
      end
    end)
  end
  for _, name in ipairs(names) do
    out[#out + 1] = "extern const nx_op nx_op_" .. name .. ";"
  end
  out[#out + 1] = "#endif\n"
  return table.concat(out, "\n")
end

-- The head of a safetensors file, JSON of a length that is told before it.
local function header_of(path)
  local file, why = io.open(path, "rb")
  if not file then error("a model cannot be read: " .. why, 0) end
  local size = file:seek "end"
  file:seek "set"
  local length = size >= 8 and string.unpack("<I8", file:read(8)) or -1
  local header = length >= 0 and length <= size - 8 and file:read(length)
  file:close()
  if not header or not header:find('"neap.graph"', 1, true) then
    error(path .. " is no model with a recorded graph (net:export writes one)",
          0)
  end
  return header
end

-- The operations that exported models call: their graphs are JSON within
-- that JSON.
local function called(paths)
  local used = {}
  for _, path in ipairs(paths) do
    for name in header_of(path):gmatch [[\"op\":\"([%w_]+)\"]] do
      used[name] = true
    end
  end
  return used
end

local ops = descriptors("op", "nx_op")
local layers = descriptors("nn", "nx_layer")
write("ops.h", prototypes(ops))
if #models > 0 then          -- only what these need; they need no layers
  local used, few = called(models), {}
  for _, name in ipairs(ops) do
    if used[name] then few[#few + 1] = name end
  end
  ops, layers = few, {}
end
write("ops.c", list_file("nx_op", "grad/op.h", ops))
write("layers.c", list_file("nx_layer", "nn/module.h", layers))
write("optims.c", list_file("nx_optim", "optim/optimizer.h",
                            descriptors("optim", "nx_optim")))
