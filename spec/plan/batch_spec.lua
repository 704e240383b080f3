-- Plans that run fewer rows than they were made for.

local neap = require "neap"
local check = require "spec.support.check"
local nn = neap.nn
local message = check.message

local path = os.tmpname()

local function module(name, init, forward)
  local class = nn.Module:extend("spec.Rows" .. name)
  class.init, class.forward = init, forward
  return class()
end

-- Name, module, what one row is.
local kinds = {
  {"MLP", function() return neap.model.MLP{sizes = {12, 300, 5}, norm = true,
    activation = "gelu"} end, {12}},
  {"CNN", function()
    return nn.Sequential{nn.Conv2d(2, 6, 3, {padding = 1}), nn.BatchNorm2d(6),
      nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 4, 3, {groups = 2}), nn.SiLU(),
      nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 3), nn.Softmax(2)}
  end, {2, 12, 12}},
  {"ResNet", function() return neap.model.ResNet{layers = {1, 1}, width = 4,
    stem = "small", in_channels = 1, num_classes = 3} end, {1, 9, 9}},
  {"ViT", function() return neap.model.ViT{image_size = 8, dim = 8,
    depth = 2, heads = 2} end, {1, 8, 8}},
  {"encoder", function()
    return nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 2, {
      dim_feedforward = 24, batch_first = true}), 2)
  end, {6, 16}},
  {"layer in Lua", function()
    return module("Own", function(self)
      self.a, self.b = nn.Linear(6, 8), nn.Linear(8, 8)
      self.shift = nn.Parameter(neap.randn(1, 8))
      self.norm = nn.LayerNorm(8)
    end, function(self, x)
      local h = self.a(x):relu() + self.shift
      h = neap.cat({h, self.b(self.norm(h)):tanh()}, 2)
      h = h:view(h.shape[1], 4, 4):transpose(2, 3):contiguous():flatten(2)
      return h:log_softmax(2), h:argmax(2), h:max(2), h:mean(2),
             h[{{}, {3, 7}}] * 2
    end)
  end, {6}}
}

local function rows_of(n, row) return neap.randn(n, table.unpack(row)) end

local function outputs(...)
  local list = table.pack(...)
  for i, y in ipairs(list) do list[i] = y:clone() end
  return list
end

describe("a plan for many rows", function()

  teardown(function() os.remove(path) end)

  for _, kind in ipairs(kinds) do
    it("runs fewer with the same bits: " .. kind[1], function()
      neap.manual_seed(4)
      local net = kind[2]():eval()
      local most = 70
      net:export(path, rows_of(most, kind[3]))
      local plan = neap.plan(path)
      local x = rows_of(most, kind[3])
      local whole = outputs(plan(x))
      for _, n in ipairs{1, 33, 2, 69, 32, 70} do
        local some = x[{{1, n}}]:contiguous()
        local y = outputs(plan(some))
        for i = 1, #whole do
          assert.same(n, y[i].shape[1])
          assert.is_true(neap.equal(y[i], whole[i][{{1, n}}]),
                         kind[1] .. " " .. n .. " " .. i)
        end
        -- in slices too
        plan:give(some)
        while not plan:step(0) do end
        for i, part in ipairs(outputs(plan:results())) do
          assert.is_true(neap.equal(part, y[i]))
        end
      end
    end)
  end

  it("says where rows meet, or what it does not know", function()
    local x = neap.randn(4, 3)
    for name, case in pairs{
      mean = function(_, t) return t - t:mean(1) end,
      cumsum = function(_, t) return t:cumsum(1) end,
      flip = function(_, t) return t:flip(1) end,
      matmul = function(_, t) return t:matmul(t:t()) end,
      slice = function(_, t) return t[{{2, 4}}] + 1 end,
      add = function(_, t) return t[1] + t end,
      in_place = function(_, t)
        local z = neap.zeros(4, 3)
        z:add_(t)
        return z * 2
      end
    } do
      module("Meet" .. name, nil, case):export(path, x)
      local plan = neap.plan(path)
      plan(x)
      assert.matches("a plan for 4 rows cannot run 2: [%w_]+ does not show " ..
                     "which results belong to which row",
                     message(function() plan(neap.randn(2, 3)) end), name)
      plan(x)
    end
    nn.Linear(3, 2):export(path, x)
    local plan = neap.plan(path)
    plan(x[{{1, 2}}])
    for shape, given in pairs{["5x3"] = neap.randn(5, 3),
                              ["0x3"] = neap.zeros(0, 3),
                              ["2x4"] = neap.randn(2, 4)} do
      assert.matches("input 1 is float32 " .. shape .. ", but the plan is " ..
                     "for float32 4x3", message(function() plan(given) end))
    end
  end)

  it("takes an input in the middle of a run, but no other number of rows",
  function()
    nn.Sequential{nn.Linear(3, 4), nn.Softplus()}:export(path,
                                                         neap.zeros(4, 3))
    local plan = neap.plan(path)
    plan:give(neap.randn(4, 3))
    assert.is_false(plan:step(0))
    plan:give(neap.randn(4, 3))
    assert.matches("a run is half done", message(function()
      plan:give(neap.randn(2, 3))
    end))
    plan:reset()
    plan:give(neap.randn(2, 3))
    assert.is_true(plan:step())
  end)

  it("keeps inputs whole that have another number of rows", function()
    local net = module("Two", nil, function(_, a, b) return a * b, b + 1 end)
    net:export(path, neap.randn(5, 3), neap.randn(3))
    local plan = neap.plan(path)
    local a, b = neap.randn(2, 3), neap.randn(3)
    local y, z = plan(a, b)
    assert.is_true(neap.equal(a * b, y))
    assert.is_true(neap.equal(b + 1, z))
  end)

end)
