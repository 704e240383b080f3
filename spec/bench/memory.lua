-- What a training step of recurrent layers holds in memory.
--
--   neap spec/bench/memory.lua
--
-- A 2-layer LSTM of 256 units over 1,000 steps of a batch of 32: bytes that
-- are held between forward and backward, and the peak of the step, for
-- several distances of the states that are kept (recompute).

local neap = require "neap"
local nn = neap.nn

local STEPS, BATCH, UNITS = 1000, 32, 256
local function mib(bytes) return bytes / 2^20 end

local function step(recompute)
  local net = nn.LSTM(UNITS, UNITS, {num_layers = 2, recompute = recompute})
  local x = neap.randn(STEPS, BATCH, UNITS)
  collectgarbage()
  local before = neap.memory()
  local t = neap.clock()
  local y = net(x)
  local held = neap.memory().used - before.used
  y:sum():backward()
  return held, neap.memory().peak - before.used, neap.clock() - t
end

local given = tonumber(arg[1])
if given then                  -- one process each: a peak never falls
  local held, peak, seconds = step(given)
  print(("%9d  %8.0f MiB  %8.0f MiB  %6.2f s"):format(
    given, mib(held), mib(peak), seconds))
  return
end
print("recompute          held          peak  forward and backward")
local own = arg[-1] or "build/neap"
for _, distance in ipairs{0, 250, 100, 32, 10} do
  os.execute(("%s spec/bench/memory.lua %d"):format(own, distance))
end
