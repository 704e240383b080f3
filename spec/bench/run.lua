-- Speed of neap, beside PyTorch where it is found.
--
--   neap spec/bench/run.lua WORKLOAD ...
--
-- Environment: NEAP_BENCH_THREADS "1 2", NEAP_BENCH_SECONDS 2,
-- NEAP_BENCH_PYTHON (default /usr/bin/python3), NEAP_BENCH_ROUNDS 3. Ours and
-- the peer's runs alternate; the median of the rounds' medians is printed.

local neap = require "neap"
local shared = require "spec.support.shared"
local workloads = require "spec.bench.workloads"

local threads = os.getenv "NEAP_BENCH_THREADS" or "1 2"
local seconds = tonumber(os.getenv "NEAP_BENCH_SECONDS") or 2
local rounds = tonumber(os.getenv "NEAP_BENCH_ROUNDS") or 3
local python = os.getenv "NEAP_BENCH_PYTHON" or "/usr/bin/python3"
local peer_script = shared.path "bench/workloads_torch.py"

local function median(list)
  table.sort(list)
  return list[(#list + 1) // 2]
end

-- Milliseconds of one call: the median of samples of at least half a
-- millisecond each.
local function measure(call)
  local stop = neap.clock() + 0.2
  repeat call() until neap.clock() > stop
  local t = neap.clock()
  for _ = 1, 3 do call() end
  local inner = math.max(1, math.floor(5e-4 / ((neap.clock() - t) / 3)))
  local samples = {}
  stop = neap.clock() + seconds / 2
  repeat
    t = neap.clock()
    for _ = 1, inner do call() end
    samples[#samples + 1] = (neap.clock() - t) / inner * 1e3
  until neap.clock() > stop and #samples >= 15
  return median(samples)
end

-- How the peer is fastest.
local variants = {cnn = "channels_last", resnet_small = "channels_last",
                  infer_mlp = "jit"}

-- The peer's rows: {[label] = milliseconds}.
local function peer(name, n)
  if not peer_script then return {} end
  local allocator = io.popen("ls /usr/lib/*/libtcmalloc_minimal.so.4 " ..
                             "2>/dev/null"):read "l"
  local command = ("%s%s %s %s --threads %d --seconds %g%s 2>/dev/null")
    :format(allocator and "LD_PRELOAD=" .. allocator .. " " or "", python,
            peer_script, name, n, seconds,
            variants[name] and " --variant " .. variants[name] or "")
  local rows = {}
  for line in io.popen(command):lines() do
    local ok, row = pcall(neap._json_decode, line)
    if ok and row.median_ms then
      rows[row.workload] = row.median_ms
      rows[row.workload .. " loss"] = row.final_loss
    end
  end
  return rows
end

local function format(ms)
  if not ms then return "-" end
  if ms < 0.01 then return ("%.0f ns"):format(ms * 1e6) end
  if ms < 1 then return ("%.1f us"):format(ms * 1e3) end
  return ("%.3f ms"):format(ms)
end

local function add(all, label, ms)
  all[label] = all[label] or {}
  table.insert(all[label], ms)
end

local info = neap.info()
print(("neap %s, %s, BLAS %s; peer %s"):format(info.version, info.cpu,
      info.blas, peer_script and python or "not found"))
print(("%-32s %2s %12s %12s %8s"):format("workload", "T", "ours", "peer",
                                        "ratio"))

for _, name in ipairs(arg) do
  local build = workloads[name] or error("no workload " .. name)
  for n in threads:gmatch "%d+" do
    neap.set_num_threads(tonumber(n))
    local ours, theirs, order = {}, {}, {}
    for round = 1, rounds do
      for _, row in ipairs(build()) do
        local label = name .. (row.label and ": " .. row.label or "")
        if round == 1 then
          order[#order + 1] = {label, row.note,
                               row.peer and name .. ": " .. row.peer or label}
        end
        add(ours, label, row.ms or measure(row.call))
      end
      for label, ms in pairs(peer(name, tonumber(n))) do
        add(theirs, label, ms)
      end
    end
    for _, row in ipairs(order) do
      local mine = median(ours[row[1]])
      local other = theirs[row[3]] and median(theirs[row[3]])
      print(("%-32s %2s %12s %12s %8s  %s"):format(row[1], n, format(mine),
            format(other), other and ("%.3f"):format(mine / other) or "-",
            row[2] or ""))
    end
  end
end
