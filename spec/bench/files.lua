-- How fast files and batches come in, beside NumPy and PyTorch where a
-- python3 has them.
--
--   build/neap spec/bench/files.lua [python3]

local neap = require "neap"
local data = neap.data

local python = arg and arg[1] or "/usr/bin/python3"

-- The median of an odd number of runs.
local function median(f, runs)
  local times = {}
  for i = 1, runs or 5 do
    local start = neap.clock()
    f()
    times[i] = neap.clock() - start
    collectgarbage()
  end
  table.sort(times)
  return times[#times // 2 + 1]
end

-- The number that a program in Python prints, or nil.
local function peer(text)
  local pipe = io.popen(("%s -c '%s' 2>/dev/null"):format(python, text))
  local out = pipe:read "n"
  pipe:close()
  return out
end

local function line(what, ours, unit, theirs, name)
  print(("%-36s %8.1f %-12s %s"):format(what, ours, unit, theirs and
    ("%s %8.1f  ratio of times %.2f"):format(name, theirs, theirs / ours)
    or ""))
end

local timed = [[
import time, numpy as np
def median(f, n=5):
  t = []
  for i in range(n):
    s = time.perf_counter(); f(); t.append(time.perf_counter() - s)
  return sorted(t)[n // 2]
]]

neap.manual_seed(1)
local rows = 200000
local path = os.tmpname()
local words = {"red", "green", "blue", "no colour at all"}

local function write(with_words)
  local file = assert(io.open(path, "w"))
  if with_words then file:write "a,b,c,d,e,w\n" end
  local x = neap.randn(rows, 5)
  for i = 1, rows do
    local r = x[i]:totable()
    file:write(("%.4f,%.7g,%d,%.17g,%.2f"):format(r[1], r[2] * 1e3,
               r[3] * 1000 // 1 | 0, r[4], r[5]),
               with_words and "," .. words[i % 4 + 1] or "", "\n")
  end
  local size = file:seek()
  file:close()
  return size / 1e6
end

print(("neap %s, one thread"):format(neap.info().version))
neap.set_num_threads(1)

local size = write(false)
local ours = median(function() neap.load_csv(path, {header = false}) end)
local theirs = peer(timed .. ([[
print(%f / median(lambda: np.loadtxt("%s", delimiter=",")))]])
  :format(size, path))
line("CSV, 5 columns of numbers", size / ours, "MB/s", theirs,
     "numpy.loadtxt")

size = write(true)
ours = median(function() neap.load_csv(path) end)
theirs = peer(timed .. ([[
import pandas as pd
print(%f / median(lambda: pd.read_csv("%s")))]]):format(size, path))
line("CSV, numbers and a category", size / ours, "MB/s", theirs, "pandas")

local big = neap.randn(5000, 1000)
neap.save_npy(path, big)
ours = median(function() neap.load_npy(path) end)
theirs = peer(timed .. ('print(20 / median(lambda: np.load("%s")))')
              :format(path))
line("npy, 20 MB", 20 / ours, "MB/s", theirs, "numpy.load")
os.remove(path)

local x = neap.randint(0, 255, {60000, 784}):to "uint8"
local y = neap.randint(1, 10, {60000})
local loader = data.DataLoader(data.TensorDataset(x, y),
                               {batch_size = 128, shuffle = true})
local function pass()
  for _ in loader:batches() do end
end
ours = median(pass)
theirs = peer(timed .. [[
import torch
from torch.utils.data import TensorDataset, DataLoader
x = torch.randint(0, 255, (60000, 784)).to(torch.uint8)
y = torch.randint(1, 10, (60000,))
d = DataLoader(TensorDataset(x, y), batch_size=128, shuffle=True)
def f():
  for a, b in d: pass
print(60 / median(f, 3))]])
line("loader, batches of 128 x 784 bytes", 60 / ours, "k samples/s", theirs,
     "torch")
