--- Options of a script: declared once, read from the command line, and
-- explained by --help.
--
--     local o = neap.cli("Trains a net on a CSV file.", {
--       {"file", "string", positional = true, required = true},
--       {"epochs", "integer", default = 5, least = 1, help = "passes"},
--       {"lr", "number", default = 1e-3, help = "step size"},
--       {"loss", "string", default = "mse", choices = {"mse", "l1"}},
--       {"verbose", "boolean", default = false}
--     })
--
-- reads `script.lua data.csv --epochs 10 --lr=0.01 --verbose` (or
-- `--no-verbose`). A declaration is that of neap.options. An option
-- learning_rate may also be written --learning-rate.

local neap = require "neap"
local options = require "neap.options"
local cli = {}

local function usage(about, declared, program)
  local lines, heads, width = {}, {}, 0
  local line = ("usage: %s [options]"):format(program)
  for i, o in ipairs(declared) do
    if o.positional then
      line = line .. (o.required and " <%s>" or " [%s]"):format(o[1])
      heads[i] = ("  <%s>"):format(o[1])
    elseif o[2] == "boolean" then
      heads[i] = ("  --[no-]%s"):format(o[1])
    else
      heads[i] = ("  --%s <%s>"):format(o[1], o[2])
    end
    width = math.max(width, #heads[i])
  end
  lines[1], lines[2], lines[3] = line, about, ""
  heads[#heads + 1], width = "  --help", math.max(width, 8)
  for i, head in ipairs(heads) do
    local o = declared[i] or {help = "this text"}
    local notes = {o.help}
    if o.choices then
      notes[#notes + 1] = "one of " .. table.concat(o.choices, ", ")
    end
    if o.default ~= nil then
      local value = o.default
      if o[2] == "boolean" then value = value and "yes" or "no" end
      notes[#notes + 1] = ("default %s"):format(tostring(value))
    end
    lines[#lines + 1] = ("%s%s  %s"):format(head,
      (" "):rep(width - #head), table.concat(notes, "; ")):gsub("%s+$", "")
  end
  return table.concat(lines, "\n") .. "\n"
end

local function converted(o, text)
  if o[2] == "string" or o[2] == "any" then return text end
  local value = tonumber(text)
  if o[2] == "integer" then value = math.tointeger(value) or value end
  if o[2] == "number" and value then value = value + 0.0 end
  if value == nil then value = text end
  return value
end

local function find(declared, name)
  for _, o in ipairs(declared) do
    if not o.positional and o[1]:gsub("-", "_") == name:gsub("-", "_") then
      return o
    end
  end
end

-- One argument that begins with "--"; gives how many more it used.
local function read_named(declared, out, text, following)
  local name, value = text:match "^%-%-([^=]+)=(.*)$"
  name = name or text:sub(3)
  local o = find(declared, name)
  local negated = not o and find(declared, name:match "^no%-(.+)$" or "")
  if negated and negated[2] == "boolean" and not value then
    out[negated[1]] = false
    return 0
  elseif not o then
    return nil, ("there is no option --%s%s"):format(name,
      options.near(name, declared))
  elseif o[2] == "boolean" then
    if value then return nil, ("--%s takes no value"):format(name) end
    out[o[1]] = true
    return 0
  end
  local used = value and 0 or 1
  value = value or following
  if value == nil then return nil, ("--%s needs a value"):format(name) end
  value = converted(o, value)
  local complaint = options.complaint(o, value)
  if complaint then return nil, "--" .. complaint end
  out[o[1]] = value
  return used
end

local function positional(declared, k)
  for _, o in ipairs(declared) do
    if o.positional then
      k = k - 1
      if k == 0 then return o end
    end
  end
end

local function positional_named(declared, name)
  for _, o in ipairs(declared) do
    if o[1] == name then return o end
  end
end

local function read_positional(declared, out, text, k, only)
  local o = positional(declared, k)
  if text:find "^%-." and not only and not tonumber(text) then
    return nil, ("there is no option %s; after -- it is an argument"):format(
      text)
  elseif not o then
    return nil, ("'%s' is one argument too many"):format(text)
  end
  local value = converted(o, text)
  local complaint = options.complaint(o, value)
  if complaint then return nil, complaint end
  out[o[1]] = value
  return 0
end

--- Reads a list of arguments. Gives a table, or nil and what is wrong
-- (nil and "help" when help was asked for).
function cli.parse(declared, arguments)
  local out, i, k, only = {}, 1, 0, false
  for _, o in ipairs(declared) do out[o[1]] = o.default end
  while i <= #arguments do
    local text = arguments[i]
    local used, why
    if text == "--" and not only then used, only = 0, true
    elseif not only and (text == "--help" or text == "-h") then
      return nil, "help"
    elseif not only and text:sub(1, 2) == "--" then
      used, why = read_named(declared, out, text, arguments[i + 1])
    else
      k = k + 1
      used, why = read_positional(declared, out, text, k, only)
    end
    if not used then return nil, why end
    i = i + 1 + used
  end
  for _, o in ipairs(declared) do
    if o.required and out[o[1]] == nil then
      return nil, ("%s is missing"):format(o.positional and
                                           "<" .. o[1] .. ">" or
                                           "--" .. o[1])
    end
  end
  return out
end

--- The text that --help shows.
function cli.help(about, declared, program)
  return usage(about, declared, program or "script.lua")
end

-- Options by name, also with _ for -; a name that was not declared is an
-- error, so that o.epoch is not nil where o.epochs was meant.
local function answering(out, declared)
  return setmetatable(out, {__index = function(_, name)
    local o = find(declared, tostring(name)) or
              positional_named(declared, name)
    if not o then
      neap._fail("cli: there is no option '%s'%s", tostring(name),
                 options.near(name, declared))
    end
    return rawget(out, o[1])
  end})
end

--- Options from the arguments of the running script (or a list). --help
-- prints and ends the program; a mistake is told on stderr and ends it
-- with status 2.
local function run(_, about, declared, arguments)
  if type(about) ~= "string" then
    neap._fail("cli: expected a text about the script and a list of options")
  end
  options.check("cli", declared)
  arguments = arguments or arg or {}
  local out, why = cli.parse(declared, arguments)
  if out then return answering(out, declared) end
  local text = cli.help(about, declared, arguments[0])
  if why == "help" then
    io.stdout:write(text)
    os.exit(0, true)
  end
  io.stderr:write(arguments[0] or "script", ": ", why, "\n",
                  "(--help lists the options)\n")
  os.exit(2, true)
end

return setmetatable(cli, {__call = run})
