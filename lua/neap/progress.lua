--- A progress bar for loops; plain lines where there is no terminal.

local neap = require "neap"
local progress = {}

local Bar = {}
Bar.__index = Bar

--- progress.bar{title =, total =, unit =}: `bar:update(done, values)`
-- redraws (at most ten times a second), `bar:finish(values)` ends the line.
-- `values` is text such as "loss 0.41".
function progress.bar(options)
  return setmetatable({
    title = options.title or "", total = options.total,
    unit = options.unit or "items", start = neap.clock(), last = 0
  }, Bar)
end

local function duration(seconds)
  seconds = math.floor(seconds + 0.5)
  if seconds < 60 then return ("%d s"):format(seconds) end
  return ("%d:%02d min"):format(seconds // 60, seconds % 60)
end

local function rate_text(rate)
  if rate >= 1e6 then return ("%.1f M "):format(rate / 1e6) end
  if rate >= 1e4 then return ("%.0f k "):format(rate / 1e3) end
  return ("%.0f "):format(rate)
end

function Bar:line(done, values, columns)
  local seconds = neap.clock() - self.start
  local rate = seconds > 0 and done / seconds or 0
  local left = rate > 0 and (self.total - done) / rate or 0
  local time = done >= self.total and duration(seconds)
               or duration(left) .. " left"
  local tail = (" %d/%d  %s%s/s  %s  %s"):format(
    done, self.total, rate_text(rate), self.unit, time, values or "")
  if not columns then return self.title .. tail end
  local room = math.max(5, math.min(30, columns - #self.title - #tail - 5))
  local full = math.floor(room * done / self.total)
  local bar = ("="):rep(full) .. (" "):rep(room - full)
  return (("%s [%s]%s"):format(self.title, bar, tail)):sub(1, columns - 1)
end

function Bar:update(done, values)
  local columns = neap.terminal_columns()
  local now = neap.clock()
  if not columns or now - self.last < 0.1 then return end
  self.last = now
  io.stderr:write("\r", self:line(done, values, columns), "\27[K")
  io.stderr:flush()
end

function Bar:finish(values)
  local columns = neap.terminal_columns()
  if columns then
    io.stderr:write("\r", self:line(self.total, values, columns), "\27[K\n")
  else
    print(self:line(self.total, values))
  end
end

return progress
