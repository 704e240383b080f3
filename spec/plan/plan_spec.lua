-- Models as plans: the same numbers as from Lua, to the bit where products
-- are our own; whole or in slices, again and again.

local neap = require "neap"
local check = require "spec.support.check"
local nn = neap.nn
local message = check.message

local path = os.tmpname()
local function plan_of(net, ...)
  net:export(path, ...)
  return neap.plan(path)
end

local Own = nn.Module:extend "spec.Own"
function Own:init() self.fc = nn.Linear(4, 4) end
function Own:forward(x)
  local y = self.fc(x):relu()
  y:add_(1)                                     -- in place, on a result
  local z = neap.zeros(x.shape[1], 4)           -- filled by and by
  z[{{}, 1}] = y[{{}, 2}]
  return (x + y) * neap.arange(4):to("float32") + z, y:argmax(2)
end

local function rand(...) return neap.randn(...) end

-- Name, module, example inputs.
local zoo = {
  {"MLP", function() return neap.model.MLP{sizes = {12, 16, 5},
    activation = "gelu", norm = true, dropout = 0.5} end,
   function() return rand(3, 12) end},
  {"CNN", function()
    return nn.Sequential{nn.Conv2d(2, 6, 3, {padding = 1}),
      nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 4, 3),
      nn.Tanh(), nn.Flatten(), nn.Linear(64, 3), nn.Softmax(2)}
  end, function() return rand(2, 2, 12, 12) end},
  {"LSTM", function() return nn.LSTM(5, 7, {num_layers = 2,
    proj_size = 3}) end, function() return rand(4, 2, 5) end},
  {"bidirectional GRU", function() return nn.GRU(5, 7, {bidirectional = true,
    batch_first = true}) end, function() return rand(2, 4, 5) end},
  {"RNN", function() return nn.RNN(5, 7) end,
   function() return rand(4, 1, 5) end},
  {"encoder layers", function()
    return nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 2, {
      dim_feedforward = 24, batch_first = true, activation = "gelu"}), 2)
  end, function() return rand(2, 6, 16) end},
  {"ViT", function() return neap.model.ViT{image_size = 8, dim = 8,
    depth = 1, heads = 2} end, function() return rand(1, 1, 8, 8) end},
  {"GPT", function() return neap.model.GPT{vocab_size = 11, n_positions = 8,
    n_embd = 8, n_layer = 2, n_head = 2} end,
   function() return neap.randint(1, 11, {2, 6}) end},
  {"ResNet", function() return neap.model.ResNet{layers = {1, 1}, width = 4,
    stem = "small", in_channels = 1, num_classes = 3} end,
   function() return rand(1, 1, 9, 9) end},
  {"autoencoder", function() return neap.model.Autoencoder{
    sizes = {12, 8, 3}} end, function() return rand(2, 3, 4) end},
  {"embedding", function() return nn.Sequential{nn.Embedding(9, 4),
    nn.Linear(4, 2)} end, function() return neap.randint(1, 9, {3, 2}) end},
  {"layer of one's own", Own, function() return rand(3, 4) end},
  {"float64", function() return nn.Sequential{nn.Linear(3, 4), nn.GELU()}
    :to("float64") end, function() return rand(2, 3):to("float64") end},
}

local function equal(want, got)
  assert.equal(#want, #got)
  for i = 1, #want do
    assert.same(want[i].shape, got[i].shape)
    check.near(want[i]:to("float64"), got[i]:to("float64"), 0, 0)
  end
end

local function flat(...)
  local list = {}
  local function add(v)
    if neap.is_tensor(v) then list[#list + 1] = v
    elseif type(v) == "table" then for _, e in ipairs(v) do add(e) end end
  end
  for i = 1, select("#", ...) do add((select(i, ...))) end
  return list
end

describe("a plan of an exported model", function()

  -- with our own products everywhere there is no difference at all
  setup(function() neap.set_deterministic(true) end)
  before_each(function() neap.manual_seed(7) end)
  teardown(function()
    neap.set_deterministic(false)
    os.remove(path)
  end)

  for _, case in ipairs(zoo) do
    it("computes what Lua computes: " .. case[1], function()
      local net, x = case[2](), case[3]()
      local plan = plan_of(net, x)
      net:eval()
      for _ = 1, 2 do
        plan:reset()
        equal(neap.no_grad(function() return flat(net(x)) end),
              {plan(x)})
        x = case[3]()
      end
      local n, worst = neap.check_model(path)
      assert.equal(1, n)
      assert.is_true(worst <= 1e-6)
    end)
  end

  it("does so in slices, to the bit", function()
    for _, case in ipairs{
      {nn.Sequential{nn.Linear(200, 700), nn.ReLU(), nn.Linear(700, 500)},
       rand(4, 200)},
      {nn.Sequential{nn.Linear(64, 300), nn.Tanh()}, rand(100, 3, 64)},
      {nn.Conv2d(8, 24, 3), rand(2, 8, 24, 24)},
      {nn.Sequential{nn.Conv2d(8, 8, 3, {groups = 2}), nn.ReLU(),
                     nn.MaxPool2d(2)}, rand(3, 8, 40, 40)},
      {nn.MaxPool2d(3, {stride = 1, padding = 1}), rand(2, 300, 300)},
      {nn.Linear(700, 700), rand(200, 700)},
      {nn.Linear(64, 64), rand(3, 128, 64)},
      {nn.LSTM(64, 96), rand(40, 1, 64)},
      {nn.TransformerEncoderLayer(64, 4, {batch_first = true}),
       rand(2, 64, 64)},
      {nn.Softmax(2), rand(300, 500)}} do
      local net, x = case[1], case[2]
      local plan = plan_of(net, x)
      local whole = flat(plan(x))
      assert.is_true(plan:info().pieces > 1, tostring(net))
      plan:reset()
      plan:give(x)
      local steps = 1
      while not plan:step(0) do steps = steps + 1 end
      assert.equal(plan:info().pieces, steps)
      for i, y in ipairs(flat(plan:results())) do
        assert.is_true(y:eq(whole[i]):all():item())
      end
      net:eval()
      equal({whole[1]}, {(neap.no_grad(net, x))})
    end
  end)

  it("goes on where it ended, until it is reset", function()
    local net = nn.LSTM(3, 4, {num_layers = 2})
    local x = rand(6, 1, 3)
    local plan = plan_of(net, x[{{1, 2}}])
    local y = net(x)
    local saved
    for i = 1, 5, 2 do
      if i == 3 then saved = plan:state() end
      check.near(y[{{i, i + 1}}], (plan(x[{{i, i + 1}}])), 0, 1e-6)
    end
    assert.equal(4 * 2 * 4 * 2, #saved)
    plan:restore(saved)
    check.near(y[{{3, 4}}], (plan(x[{{3, 4}}])), 0, 1e-6)
    plan:reset()
    check.near(y[{{1, 2}}], (plan(x[{{1, 2}}])), 0, 1e-6)
    assert.matches("a state of 3 bytes, expected 64", message(function()
      plan:restore("abc")
    end))
  end)

  it("takes layer trees that net:save wrote, in many shapes", function()
    local net = nn.Sequential{
      nn.Conv1d(2, 4, 3, {padding = "same"}), nn.GroupNorm(2, 4),
      nn.Parallel{nn.ReLU(), nn.Sequential{nn.Dropout(0.3), nn.Tanh()},
                  merge = "cat", dim = 2},
      nn.Residual{nn.Conv1d(8, 8, 1)}, nn.Flatten(2), nn.Unflatten(2, {8, -1})}
    net[4][1].weight = net[4][1].weight          -- stays a parameter
    net:save(path)
    net:eval()
    for _, n in ipairs{5, 9} do
      local x = rand(3, 2, n)
      equal({neap.no_grad(net, x)}, {neap.plan(path, x)(x)})
    end
    assert.matches("shapes of the inputs are needed", message(function()
      neap.plan(path)
    end))
    local tied = nn.Sequential{nn.Linear(3, 3), nn.Linear(3, 3)}
    tied[2].weight = tied[1].weight
    tied:save(path)
    local x = rand(2, 3)
    equal({neap.no_grad(tied, x)}, {neap.plan(path, x)(x)})
    local lstm = nn.LSTM(3, 4, {bidirectional = true, dropout = 0.2,
                                num_layers = 2})
    lstm:save(path)
    lstm:eval()
    x = rand(5, 2, 3)
    equal({(neap.no_grad(lstm, x))}, {(neap.plan(path, x)(x))})
  end)

  it("names layers that only Lua can make", function()
    nn.Sequential{nn.ReLU(), Own()}:save(path)
    assert.matches("1: spec.Own is a layer written in Lua: export the model",
                   message(function() neap.plan(path, rand(2, 4)) end))
    nn.utils.weight_norm(nn.Linear(2, 2)):save(path)
    assert.matches("parameters that are computed", message(function()
      neap.plan(path, rand(2, 2))
    end))
    neap.save(path, {a = neap.ones(2)})
    assert.matches("neither a recorded graph nor a tree",
                   message(function() neap.plan(path) end))
  end)

  it("draws anew in each run", function()
    local Noise = nn.Module:extend "spec.Noise"
    function Noise:forward(x) return x + neap.randn(x.shape) end
    local x = neap.zeros(4)
    Noise():export(path, x, {check = false})
    local plan = neap.plan(path)
    assert.are_not.same(plan(x):totable(), plan(x):totable())
  end)

  it("says which input does not fit", function()
    local plan = plan_of(nn.Linear(3, 2), rand(1, 3))
    assert.matches("input 1 is float32 2x3, but the plan is for float32 1x3",
                   message(function() plan(rand(2, 3)) end))
    assert.matches("takes 1 tensors, not 2", message(function()
      plan(rand(1, 3), rand(1, 3))
    end))
    assert.matches("recorded for float32 1x3", message(function()
      neap.plan(path, neap.ones(1, 3, {dtype = "float64"}))
    end))
    assert.matches("index: position 12 is outside", (message(function()
      local p = plan_of(nn.Embedding(9, 2), neap.tensor({1},
                                            {dtype = "int64"}))
      p(neap.tensor({12}, {dtype = "int64"}))
    end):gsub("^.-embedding: ", "index: position 12 is outside")))
  end)

end)

describe("export", function()

  setup(function() neap.set_deterministic(true) end)
  teardown(function()
    neap.set_deterministic(false)
    os.remove(path)
  end)

  it("refuses what a graph cannot follow, with a sentence", function()
    local Branch = nn.Module:extend "spec.Branch"
    function Branch:forward(x)
      if x:sum():item() > 0 then return x end
      return -x
    end
    local Index = nn.Module:extend "spec.Index"
    function Index:forward(x) return x * x:reshape(-1)[1] end
    for _, net in ipairs{Branch(), Index()} do
      assert.matches("reads numbers of a tensor that depends on its input",
                     message(function() net:export(path, rand(2)) end))
      assert.is_true(pcall(net.export, net, path, rand(2),
                           {allow_numbers = true, check = false}))
      net(rand(2))                        -- the recording has ended
    end
    local Counting = nn.Module:extend "spec.Counting"
    function Counting:forward(x) return x:masked_select(x:gt(0)) end
    assert.is_false(pcall(nn.Module.export, Counting(), path,
                          neap.tensor{1, -1, 2}))
    local Late = nn.Module:extend "spec.Late"
    function Late:forward(x) x:add_(1) return x end
    assert.matches("add changes an input in place", message(function()
      Late():export(path, rand(2))
    end))
    local Steps = nn.Module:extend "spec.Steps"
    function Steps:init() self.w = nn.Parameter(neap.ones(2)) end
    function Steps:forward(x) self.w:mul_(2) return x * self.w end
    assert.matches("mul changes a weight in place", message(function()
      Steps():export(path, rand(2))
    end))
    assert.matches("an example of the input is needed", message(function()
      nn.Linear(1, 1):export(path)
    end))
  end)

  it("notices that another input takes another way", function()
    local Way = nn.Module:extend "spec.Way"
    function Way:forward(x)
      return x:sum():item() > 0 and x * 2 or x * 3
    end
    assert.matches("for another input the recorded graph gives something else",
      message(function()
        Way():export(path, neap.tensor{-1, 0.9}, {allow_numbers = true})
        Way():export(path, neap.tensor{-0.05, 0.0}, {allow_numbers = true})
      end))
    -- and what stood there before is still there
    nn.Linear(2, 1):export(path, rand(1, 2))
    assert.is_false(pcall(function()
      Way():export(path, neap.tensor{-1, 0.9}, {allow_numbers = true})
      Way():export(path, neap.tensor{-0.05, 0.0}, {allow_numbers = true})
    end))
    local _, meta = neap.load(path)
    assert.is_truthy(meta["neap.graph"])
    assert.is_nil(io.open(path .. ".new"))
  end)

  it("takes calls with hundreds of inputs and results", function()
    local Steps = nn.Module:extend "spec.ManySteps"
    function Steps:init() self.cell = nn.Linear(3, 3) end
    function Steps:forward(x)
      local steps, out, h = x:unbind(1), {}, neap.zeros(2, 3)
      for i, step in ipairs(steps) do
        h = self.cell(h + step):tanh()
        out[i] = h
      end
      return neap.stack(out, 1), neap.cat(out, 2)
    end
    local net, x = Steps(), neap.randn(200, 2, 3)
    local plan = plan_of(net, x)
    local a, b = net(x)
    local c, d = plan(x)
    assert.is_true(neap.equal(a, c))
    assert.is_true(neap.equal(b, d))
    assert.matches("strange number of results", message(function()
      net:export(path, neap.randn(257, 2, 3))
    end))
  end)

  it("keeps several inputs and their names, and what it found", function()
    local Two = nn.Module:extend "spec.Two"
    function Two:forward(x, state) return x + state[1], state[2] * 2 end
    local net = nn.Sequential{Two()}[1]
    net:train()
    net:export(path, rand(2), {rand(2), rand(2)},
               {inputs = {"x", "h", "c"}})
    assert.is_true(net.training)
    local _, meta = neap.load(path)
    assert.matches('"name":"h"', meta["neap.graph"])
    local a, b, c = rand(2), rand(2), rand(2)
    equal({a + b, c * 2}, {neap.plan(path)(a, b, c)})
  end)

  it("writes files that nn.load reads too", function()
    local net = nn.Sequential{nn.Linear(3, 2), nn.ReLU()}
    net:export(path, rand(1, 3))
    local x = rand(4, 3)
    equal({net(x)}, {nn.load(path)(x)})
  end)

end)
