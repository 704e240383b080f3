-- Calls of recorded graphs that become one.

local neap = require "neap"
local nn = neap.nn

local path = os.tmpname()

-- What a graph calls: "linear:relu add ...".
local function calls()
  local _, meta = neap.load(path)
  local list = {}
  for name, rest in meta["neap.graph"]:gmatch '{"op":"([%w_]+)"([^\n]*)' do
    local activation = rest:match '"activation":"(%w+)"'
    list[#list + 1] = name .. (activation and activation ~= "none" and
                               ":" .. activation or "")
  end
  return table.concat(list, " ")
end

local classes = 0
local function module(init, forward)
  classes = classes + 1
  local class = nn.Module:extend("spec.Fused" .. classes)
  class.init, class.forward = init, forward
  return class()
end

local function exported(net, x, o)
  net:eval()
  if o then net:export(path, x, o) else net:export(path, x) end
  return neap.plan(path)
end

local function assert_same(a, b)
  assert.is_true(neap.equal(a:isnan(), b:isnan()))
  assert.is_true(neap.equal(a:nan_to_num(), b:nan_to_num()))
end

describe("an activation after a product", function()

  teardown(function() os.remove(path) end)

  local function two(self)
    self.a, self.b = nn.Linear(6, 9), nn.Linear(9, 3)
  end

  it("is computed with it, to the bit", function()
    for _, f in ipairs{"relu", "tanh", "sigmoid"} do
      local net = module(two, function(self, x)
        local h = self.a(x)
        return self.b(h[f](h)):mul(2)
      end)
      local x = neap.randn(4, 6)
      x[{2, 3}], x[{3, 1}] = 0 / 0, 1 / 0
      local plan = exported(net, x, {check = false})
      assert.equal("linear:" .. f .. " linear mul", calls())
      assert_same(net(x), plan(x))
    end
  end)

  it("stays apart where somebody sees the product", function()
    local used_twice = module(two, function(self, x)
      local h = self.a(x)
      return self.b(h:relu() + h)
    end)
    local shown = module(two, function(self, x)
      local h = self.a(x)
      return h:relu(), h
    end)
    local through_a_view = module(two, function(self, x)
      local h = self.a(x)
      return h:relu():sum() + h:view(-1)
    end)
    local changed = module(two, function(self, x)
      local h = self.a(x)
      h:add_(1)
      return h:relu()
    end)
    local x = neap.randn(4, 6)
    for net, want in pairs{[used_twice] = "linear relu add linear",
                           [shown] = "linear relu",
                           [through_a_view] = "linear relu sum view add",
                           [changed] = "linear add relu"} do
      local plan = exported(net, x)
      assert.equal(want, calls())
      assert_same(net(x), (plan(x)))
    end
  end)

  it("may be changed or looked at later", function()
    local net = module(two, function(self, x)
      local h = self.a(x):tanh()
      h:mul_(3)
      return self.b(h):relu(), h:view(2, 2, 9)
    end)
    local x = neap.randn(4, 6)
    local plan = exported(net, x)
    assert.equal("linear:tanh mul linear:relu view", calls())
    local a, b = net(x)
    local c, d = plan(x)
    assert_same(a, c)
    assert_same(b, d)
  end)

end)

describe("batch normalisation", function()

  teardown(function() os.remove(path) end)

  local function trained(net, ...)
    net:train()
    for _ = 1, 4 do net(neap.randn(...) * 2 + 1) end
    for _, p in ipairs(net:parameters()) do
      neap.no_grad(function() p:add_(neap.randn(p.shape) * 0.1) end)
    end
    return net:eval()
  end

  local function net()
    return trained(nn.Sequential{
      nn.Conv2d(3, 8, 3, {bias = false}), nn.BatchNorm2d(8), nn.ReLU(),
      nn.Conv2d(8, 4, 3, {groups = 2}), nn.BatchNorm2d(4, {affine = false}),
      nn.Flatten(), nn.Linear(64, 5), nn.BatchNorm1d(5), nn.Tanh()},
      16, 3, 8, 8)
  end

  it("stays as it is unless it is asked for", function()
    local own, x = net(), neap.randn(2, 3, 8, 8)
    local plan = exported(own, x)
    assert.equal("convolve batch_norm:relu convolve batch_norm flatten " ..
                 "linear batch_norm:tanh", calls())
    assert_same(own(x), plan(x))
  end)

  it("becomes part of the weights with fold = true", function()
    for _, dtype in ipairs{"float32", "float64"} do
      local own, x = net():to(dtype), neap.randn(2, 3, 8, 8):to(dtype)
      local before = own(x)
      local plan = exported(own, x, {fold = true})
      assert.equal("convolve:relu convolve flatten linear:tanh", calls())
      local y = plan(x)
      local worst = (y - before):abs():max():item()
      assert.is_true(worst < (dtype == "float32" and 1e-6 or 1e-14), worst)
      assert.equal(1, (neap.check_model(path)))
      -- only what the graph needs is in the file, and the net is as it was
      for name in pairs((neap.load(path))) do
        assert.matches("^neap%.", name)
      end
      assert.is_true(neap.equal(own(x), before))
    end
  end)

  it("stays after what is seen, and before what is not", function()
    local own = module(function(self)
      self.conv, self.norm = nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)
      self.first = nn.BatchNorm2d(3)
    end, function(self, x)
      local h = self.conv(self.first(x))
      return self.norm(h) + h
    end)
    trained(own, 8, 3, 5, 5)
    local x = neap.randn(2, 3, 5, 5)
    local plan = exported(own, x, {fold = true})
    assert.equal("batch_norm convolve batch_norm add", calls())
    assert_same(own(x), plan(x))
  end)

  it("leaves weights alone that others use too", function()
    local own = module(function(self)
      self.fc, self.norm = nn.Linear(6, 6), nn.BatchNorm1d(6)
    end, function(self, x) return self.fc(self.norm(self.fc(x))) end)
    trained(own, 8, 6)
    local x = neap.randn(3, 6)
    local plan = exported(own, x, {fold = true})
    assert.equal("linear linear", calls())
    assert.is_true((own(x) - plan(x)):abs():max():item() < 1e-6)
  end)

end)
