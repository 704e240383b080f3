-- What attention holds in memory: it grows with the steps, not with their
-- square.
--
--   neap spec/bench/attention.lua
--
-- Causal attention of 4 heads of 32, forward and backward; bytes held
-- between them, and the peak, beside what one matrix of all weights would
-- take.

local neap = require "neap"
local F = neap.nn.functional

local function kib(bytes) return bytes / 2^10 end

local function step(steps)
  local function make() return neap.randn(1, 4, steps, 32) end
  local q, k, v = make(), make(), make()
  for _, t in ipairs{q, k, v} do t:requires_grad_() end
  collectgarbage()
  local before = neap.memory()
  local y = F.scaled_dot_product_attention(q, k, v, {is_causal = true})
  local held = neap.memory().used - before.used
  y:sum():backward()
  print(("%6d  %8.0f KiB  %8.0f KiB  %10.0f KiB"):format(
    steps, kib(held), kib(neap.memory().peak - before.used),
    kib(4 * 4 * steps * steps)))
end

local given = math.tointeger(tonumber(arg[1]))
if given then step(given) return end     -- one process each: peaks stay
print " steps          held          peak    all weights"
local own = arg[-1] or "build/neap"
for _, steps in ipairs{512, 1024, 2048, 4096, 8192} do
  os.execute(("%s spec/bench/attention.lua %d"):format(own, steps))
end
