local neap = require "neap"
local check = require "spec.support.check"
local nn, message = neap.nn, check.message

local Twice = nn.Module:extend "SpecTwice"          -- not in C
function Twice.forward(_, x) return x * 2 end

local function saved(net)
  local path = os.tmpname()
  net:save(path)
  local loaded = nn.load(path)
  os.remove(path)
  return loaded
end

describe("containers", function()
  local x = neap.tensor{{1, -2, 3}}

  it("add x to what layers make of it, in C and in Lua", function()
    for _, net in ipairs{nn.Residual{nn.ReLU(), nn.ReLU()},
                         nn.Residual{nn.ReLU(), nn.Lambda(function(y)
                                       return y
                                     end)}} do
      assert.same({{2, -2, 6}}, net(x):totable())
      assert.same({{2, -2, 6}}, nn.Sequential{net}(x):totable())
    end
    assert.matches("Residual: shapes 2x3 and 2x4 do not fit", message(
                   nn.Residual{nn.Linear(3, 4)}, neap.ones(2, 3)))
    assert.matches('Residual %(model%[1%] "0"%): shapes 1x3 and 1x2 do not',
                   message(nn.Sequential{nn.Residual{nn.Linear(3, 2)}}, x))
  end)

  it("join, add or multiply branches, in C and in Lua", function()
    for _, twice in ipairs{Twice(), nn.Residual{nn.Identity()}} do
      local function branches(options)
        options[1], options[2] = nn.ReLU(), twice
        return saved(nn.Parallel(options))(x):totable()
      end
      assert.same({{1, 0, 3, 2, -4, 6}}, branches{})
      assert.same({{1, 0, 3}, {2, -4, 6}}, branches{dim = 1})
      assert.same({{3, -4, 9}}, branches{merge = "sum"})
      assert.same({{2, 0, 18}}, branches{merge = "mul"})
    end
    assert.matches("no option 'merg'; did you mean 'merge'",
                   message(nn.Parallel, {nn.ReLU(), merg = "sum"}))
    assert.same({{1, 0, 3, 1, -2, 3}},
                nn.Parallel(nn.ReLU(), nn.Identity())(x):totable())
  end)

  it("hold modules by name, in a known order", function()
    local dict = nn.ModuleDict{up = nn.Linear(1, 2), down = nn.Linear(2, 1)}
    dict.last = nn.ReLU()
    local names = {}
    for name in saved(dict):named_children() do names[#names + 1] = name end
    assert.same({"down", "up", "last"}, names)
    assert.equal(4, #dict:parameters())
    dict = nn.ModuleDict{{"b", nn.ReLU()}, {"a", nn.Tanh()}}
    assert.equal("ReLU()", tostring(dict:children()[1]))
    dict.last = nil
    assert.equal(2, #dict)
    assert.matches("the key 1.5 is no name",
                   message(nn.ModuleDict, {[1.5] = nn.ReLU()}))
    assert.matches("'training' is a method", message(nn.ModuleDict,
                   {training = nn.ReLU()}))
    local digits = nn.ModuleDict{{"1", nn.Linear(2, 2)},
                                 {"0", nn.Linear(2, 2)},
                                 {"2", nn.Linear(2, 2)}}
    digits["2"].weight = digits["1"].weight
    local again = saved(digits)
    assert.is_true(rawequal(again["2"].weight, again["1"].weight))
    assert.is_false(rawequal(again["0"].weight, again["1"].weight))
    assert.matches("'train' is a method of modules",
                   message(nn.ModuleDict, {train = nn.ReLU()}))
    assert.matches("entry 'a' is no module", message(nn.ModuleDict, {a = 1}))
    assert.matches("entry 1 is no module", message(nn.ModuleDict, {1}))
    assert.matches("expected a table of modules", message(nn.ModuleDict, 5))
  end)

  it("hold functions, which files do not", function()
    local net = nn.Sequential{nn.Lambda(function(y) return y + 1 end)}
    assert.same({{2, -1, 4}}, net(x):totable())
    assert.matches("argument 1 of 0 %(Lambda%) is a function",
                   message(net.save, net, os.tmpname()))
    assert.matches("Lambda: expected a function, not a tensor",
                   message(nn.Lambda, x))
  end)

  it("find modules that a table gets after its assignment", function()
    local Tower = nn.Module:extend "SpecLateTower"
    function Tower:init()
      self.layers, self.sizes = {}, {1, 2}
      for i = 1, 3 do self.layers[i] = nn.Linear(2, 2) end
    end
    local tower = Tower()
    assert.equal(6, #tower:parameters())
    assert.same({1, 2}, tower.sizes)
    local Lost = nn.Module:extend "SpecLost"
    function Lost:init(value)
      self.parts = {}
      self.parts.a = value
    end
    assert.matches("SpecLost: the table 'parts' holds a module under 'a', " ..
                   "which would be neither trained nor saved",
                   message(Lost, nn.ReLU()))
    assert.matches("holds a parameter under 'a'",
                   message(Lost, nn.Parameter(neap.ones(2))))
    assert.is_table(Lost(3).parts)
  end)

  it("leave other tables alone", function()
    local Holder = nn.Module:extend "SpecHolder"
    function Holder:init(value, later)
      self.fc = nn.Linear(2, 2)
      self.value = {}
      if later then self.value.by = {{fc = later}} end
      self.set, self.own = value, {fc = self.fc, list = self.fc:parameters()}
    end
    local set = neap.data.TensorDataset(neap.ones(3))
    assert.equal(set, Holder(set).set)
    assert.equal(2, #Holder(set):parameters())
    assert.matches("holds a module under 'fc'",
                   message(Holder, set, nn.Linear(1, 1)))
  end)

  it("do not take the name of a layer that is there", function()
    assert.matches("nn.Linear is there already",
                   message(nn.Module.extend, nn.Module, "Linear"))
  end)

end)


describe("a copy of a module", function()

  it("shares nothing with it, and inside what was shared", function()
    local fc = nn.Linear(2, 2)
    local net = nn.Sequential{fc, nn.Dropout(0.5), fc, Twice(),
                              nn.BatchNorm1d(2), nn.Linear(2, 2)}
    net[6].weight = fc.weight
    net[1].bias.requires_grad = false
    net:eval()
    net[2]:train()
    local copy = net:clone()
    assert.is_false(rawequal(copy[1].weight, fc.weight))
    assert.is_true(rawequal(copy[1], copy[3]))
    assert.is_true(rawequal(copy[1].weight, copy[6].weight))
    assert.is_false(copy[1].bias.requires_grad)
    assert.is_true(copy[2].training)
    assert.is_false(copy[5].training)
    net[2]:eval()
    copy[2]:eval()
    local x = neap.randn(3, 2)
    assert.same(net(x):totable(), copy(x):totable())
    neap.no_grad(function() fc.weight:zero_() end)
    assert.is_false(copy[1].weight:eq(0):all():item())
  end)

  it("may hold what files cannot", function()
    local net = nn.Sequential{nn.Lambda(neap.relu), nn.Linear(2, 2)}
    net:to("float64")
    local copy = net:clone()
    assert.equal("float64", copy[2].weight.dtype)
    local x = neap.randn({3, 2}, {dtype = "float64"})
    assert.same(net(x):totable(), copy(x):totable())
  end)

  it("has tensors of its own among its arguments", function()
    local Held = nn.Module:extend "SpecHeld"
    function Held:init(w, extra) self.w, self.extra = w, extra end
    local extra = setmetatable({}, {__index = {name = "x"}})
    local a = Held(nn.Parameter(neap.ones(2)), extra)
    local b = a:clone()
    neap.no_grad(function() b.w:fill_(5) end)
    assert.same({1, 1}, a.w:totable())
    assert.is_true(b.w.requires_grad)
    assert.equal("x", b.extra.name)
    local loop = {}
    loop.loop = loop
    assert.matches("refers to itself", message(Held(1, loop).clone,
                                               Held(1, loop)))
  end)

  it("keeps what is shared when it is cast and saved", function()
    local net = nn.Sequential{nn.Linear(2, 2), nn.Linear(2, 2)}
    net[2].weight = net[1].weight
    for _, other in ipairs{net:clone(), net:clone():to("float64"),
                           saved(net), saved(net:clone():to("float64"))} do
      assert.is_true(rawequal(other[1].weight, other[2].weight))
      assert.equal(3, #other:parameters())
    end
  end)

end)


describe("the summary of a module", function()

  it("tells shapes, parameters and multiply-adds", function()
    local net = nn.Sequential{
      nn.Conv2d(1, 6, 5, {padding = 2}), nn.ReLU(), nn.MaxPool2d(2),
      nn.Residual{nn.Conv2d(6, 6, 3, {padding = 1, groups = 2,
                                      bias = false}),
                  nn.BatchNorm2d(6)},
      nn.ConvTranspose2d(6, 2, 2, {stride = 2}), nn.Flatten(),
      nn.Linear(2 * 28 * 28, 10)}
    net[7].bias.requires_grad = false
    net[2]:eval()
    local s = net:summary{3, 1, 28, 28}
    assert.same({3, 6, 14, 14}, s[4].shape)
    assert.equal("3.0", s[4].path)
    local n = {}
    for i, row in ipairs(s) do n[i] = row.multiply_adds end
    assert.same({3 * 784 * 6 * 25, 0, 0, 3 * 196 * 6 * 27, 3 * 196 * 6,
                 3 * 196 * 6 * 2 * 4, 0, 3 * 1568 * 10}, n)
    assert.equal(156 + 162 + 12 + 50 + 15690, s.parameters)
    assert.equal(s.parameters - 10, s.learned)
    assert.is_true(net.training and net[1].training)
    assert.is_false(net[2].training)
    local text = tostring(s)
    assert.matches("3.0  Conv2d +3 x 6 x 14 x 14 +162", text)
    assert.matches("16,070 parameters %(16,060 learned%), ", text)
    assert.equal(0, net[5].weight.grad and 1 or 0)
  end)

  it("goes through layers in Lua and counts what is shared once", function()
    local fc = nn.Linear(2, 2)
    local s = nn.Sequential{fc, Twice(), fc}:summary(neap.ones(1, 2))
    assert.same({6, 0, 6}, {s[1].parameters, s[2].parameters, s.parameters})
    assert.equal(8, s.multiply_adds)
  end)

  it("counts all matrices of recurrent layers at each step", function()
    local s = nn.GRU(2, 3, {bidirectional = true}):summary{4, 5, 2}
    assert.equal(2 * (9 * 2 + 9 * 3) * 4 * 5, s.multiply_adds)
    assert.same({4, 5, 6}, s[1].shape)
  end)

  it("counts norms by elements, and stands layers of no size", function()
    local s = nn.LayerNorm({4, 5}):summary{2, 4, 5}
    assert.equal(40, s.multiply_adds)
    assert.equal(0, nn.Linear(3, 0):summary{2, 3}.multiply_adds)
  end)

  it("says what does not fit", function()
    local net = nn.Sequential{nn.Linear(2, 2)}
    assert.matches('Linear %(model%[1%] "0"%): x has 3 features',
                   message(net.summary, net, {1, 3}))
    assert.matches("summary: expected the shape of an input",
                   message(net.summary, net))
  end)

end)
