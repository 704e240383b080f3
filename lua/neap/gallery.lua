--- Pictures in the terminal, side by side: a character is one pixel wide and
-- two high.

local neap = require "neap"
local fail = neap._fail
local options = require "neap.options"

local ramp = " .:-=+*#%@"

-- A level from 0 to 1 as a number from 0 to n - 1.
local function step(level, n)
  if not (level > 0) then return 0 end             -- not a number, too
  return math.min(n - 1, math.floor(level * n))
end

-- One of the 24 grays of terminals with 256 colours, or a colour.
local function colour(pixel)
  if #pixel == 1 then return "5;" .. 232 + step(pixel[1], 24) end
  return ("2;%d;%d;%d"):format(step(pixel[1], 256), step(pixel[2], 256),
                               step(pixel[3], 256))
end

local function in_colour(above, below)
  return ("\27[38;%sm\27[48;%sm▀"):format(colour(above), colour(below))
end

local function mean(pixel)
  local sum = 0
  for i = 1, #pixel do sum = sum + pixel[i] end
  return sum / #pixel
end

local function in_letters(above, below)
  local i = step((mean(above) + mean(below)) / 2, #ramp) + 1
  return ramp:sub(i, i)
end

-- (n, channels, height, width) as picture[row][column] = {levels}, from 0
-- to 1
local function levels(x, low, high)
  local all = ((x:detach():to("float32") - low) / (high - low))
              :permute(1, 3, 4, 2):totable()
  return all
end

local function shaped(x)
  if not neap.is_tensor(x) then
    fail("gallery: expected pictures (n, height, width), not a %s", type(x))
  end
  if x.ndim == 2 then x = x:unsqueeze(1) end
  if x.ndim == 3 then x = x:unsqueeze(2) end
  if x.ndim ~= 4 or x.shape[2] ~= 1 and x.shape[2] ~= 3 then
    fail("gallery: expected (n, height, width) or (n, 1 or 3, height, " ..
         "width), not %s", table.concat(x.shape, "x"))
  end
  return x
end

local black = {0}

-- A line of characters: row `row` and the one below of several pictures.
local function line_of(pictures, row, draw, back)
  local parts = {}
  for i, picture in ipairs(pictures) do
    local line = {}
    for column, above in ipairs(picture[row]) do
      local below = picture[row + 1] and picture[row + 1][column] or black
      line[column] = draw(above, below)
    end
    parts[i] = table.concat(line) .. back
  end
  return table.concat(parts, " ")
end

--- gallery(x, {columns = 80 // (width + 1), low = 0, high = 1, colour =}):
-- text that shows pictures (n, height, width), (n, 1, height, width) or in
-- colours (n, 3, height, width); so many beside each other. Values from low
-- (black) to high (white). In colours, unless told, where stderr is a
-- terminal; else in characters from blank to '@'.
local function gallery(x, given)
  x = shaped(x)
  local o = options.read("gallery", given, {
    {"columns", "integer", least = 1}, {"low", "number", default = 0},
    {"high", "number", default = 1}, {"colour", "boolean"}})
  if o.colour == nil then o.colour = neap.terminal_columns() ~= nil end
  local across = o.columns or
    math.max(1, (neap.terminal_columns() or 80) // (x.shape[4] + 1))
  local draw, back = in_letters, ""
  if o.colour then draw, back = in_colour, "\27[0m" end
  local all, lines = levels(x, o.low, o.high), {}
  for first = 1, #all, across do
    local pictures = table.move(all, first, first + across - 1, 1, {})
    for row = 1, x.shape[3], 2 do
      lines[#lines + 1] = line_of(pictures, row, draw, back)
    end
  end
  return table.concat(lines, "\n")
end

return gallery
