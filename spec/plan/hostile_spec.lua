-- Model files that lie: graphs whose calls, arguments and shapes were
-- changed at random are refused with a sentence, or run.

local neap = require "neap"
local json = require "neap.json"
local nn = neap.nn

local path = os.tmpname()
local many = math.tointeger(tonumber(os.getenv "NEAP_HOSTILE")) or 400

local Mixed = nn.Module:extend "spec.Mixed"
function Mixed:init()
  self.fc, self.conv = nn.Linear(6, 6), nn.Conv1d(2, 2, 3, {padding = 1})
  self.lstm = nn.LSTM(6, 6)
  self.emb = nn.Embedding(7, 6)
end
function Mixed:forward(x, ids)
  local y = self.conv(self.fc(x):relu()) + self.emb(ids)
  y:mul_(2)
  local z = self.lstm(y)
  local q = z:unsqueeze(1)
  local a = neap.nn.functional.scaled_dot_product_attention(q, q, q)
  return neap.cat({z, a[1]}, 3):softmax(3), z:argmax(3),
         x:gather(3, ids:unsqueeze(3)), x:sort(3),
         y:permute(3, 1, 2):reshape(-1)
end

-- Rows do not meet: plans of it also run fewer (when they are made).
local Rows = nn.Module:extend "spec.RowsOfLies"
function Rows:init()
  self.fc, self.norm = nn.Linear(6, 6), nn.LayerNorm(6)
  self.conv, self.batch = nn.Conv1d(2, 2, 3, {padding = 1}), nn.BatchNorm1d(2)
  self.attend = nn.MultiheadAttention(6, 2, {batch_first = true})
end
function Rows:forward(x)
  local y = self.batch(self.conv(self.norm(self.fc(x)):tanh()))
  local z = self.attend(y, y, y, {need_weights = false})
  y = neap.cat({y, z}, 2):transpose(2, 3):reshape(x.shape[1], -1)
  return y:softmax(2), y:max(2), y:mean(2), y:argmax(2), x:pad{1, 1}
end

local function samples()
  local net = Mixed()
  net:export(path, neap.randn(2, 2, 6), neap.randint(1, 6, {2, 2}))
  local state, meta = neap.load(path)
  local gpt = neap.model.GPT{vocab_size = 5, n_positions = 4, n_embd = 4,
                             n_layer = 1, n_head = 2}
  gpt:export(path, neap.ones(1, 1, {dtype = "int64"}), neap.model.Cache(4))
  local other, other_meta = neap.load(path)
  Rows():export(path, neap.randn(6, 2, 6))
  local rows, rows_meta = neap.load(path)
  return {{state, meta}, {other, other_meta}, {rows, rows_meta}}
end

local names = {}
for _, op in ipairs(neap._test.ops()) do names[#names + 1] = op.name end
for _, name in ipairs{"masked_select", "nonzero", "bincount", "unique",
                      "cached_attention", "lstm", "masked_scatter"} do
  for _ = 1, 10 do names[#names + 1] = name end     -- more often than others
end

local numbers = {0, 1, -1, 2, 3, 7, -5, 1e9, -1e18, 0.5, 2^53}

-- One change somewhere in a graph.
local function spoil(graph, random)
  local function one_of(list) return list[random(#list)] end
  local call = one_of(graph.calls)
  local what = random(9)
  if what == 1 then call.op = one_of(names)
  elseif what == 2 then call["in"][random(#call["in"] + 1)] = random(0, 40)
  elseif what == 3 then
    call.args = call.args or {}
    local keys = {}
    for key in pairs(call.args) do keys[#keys + 1] = key end
    table.sort(keys)
    if #keys > 0 then
      local key = one_of(keys)
      local old = call.args[key]
      if type(old) == "table" then
        call.args[key] = {one_of(numbers), one_of(numbers), random(3)}
      elseif type(old) == "boolean" then call.args[key] = not old
      else
        local x = one_of(numbers)
        call.args[key] = math.tointeger(x) or x
      end
    end
  elseif what == 4 then table.remove(graph.calls, random(#graph.calls))
  elseif what == 5 then
    table.insert(graph.calls, random(#graph.calls), call)
  elseif what == 6 then call.out = random(0, 5)
  elseif what == 7 then call.inplace = true
  elseif what == 8 then graph.outputs = {random(0, 30), random(0, 30)}
  else
    local x = one_of(graph.inputs)
    x.shape[random(#x.shape)] = random(0, 9)
    if random(4) == 1 then x.dtype = one_of{"float64", "int32", "bool"} end
  end
end

local function try(state, meta)
  local ok, plan = pcall(function()
    neap.save(path, state, meta)
    return neap.plan(path)
  end)
  if not ok then return plan end
  local done, why = pcall(function()
    plan:step()
    plan:step(0)
    plan:reset()
    plan:step()
    return plan:results()
  end)
  return done and "ran" or why
end

describe("a model file that lies", function()

  -- as a host would that opens files of strangers
  setup(function() neap.set_memory_limit(256 * 2^20 // 1 | 0) end)
  teardown(function()
    neap.set_memory_limit(0)
    os.remove(path)
  end)

  it("is refused with a sentence, or runs", function()
    neap.manual_seed(4)
    math.randomseed(11)
    local all, ran = samples(), 0
    for i = 1, many do
      local state, meta = table.unpack(all[i % #all + 1])
      local graph = neap._json_decode(meta["neap.graph"])
      for _ = 1, math.random(3) do
        if #graph.calls > 0 then spoil(graph, math.random) end
      end
      local own = {}
      for key, value in pairs(meta) do own[key] = value end
      own["neap.graph"] = json.encode(graph)
      local why = try(state, own)
      assert.is_true(type(why) == "string" and #why > 2, tostring(why))
      if why == "ran" then ran = ran + 1 end
    end
    assert.is_true(ran > many // 50, ran .. " ran")
  end)

end)
