local neap = require "neap"
local check = require "spec.support.check"

local build = os.getenv "NEAP_BUILD" or "build"

local function run(text, environment)
  local script = os.tmpname()
  local file = assert(io.open(script, "w"))
  file:write(text)
  file:close()
  local pipe = io.popen(("%s %s/neap %s 2>&1"):format(environment or "",
                                                      build, script))
  local out = pipe:read "a"
  pipe:close()
  os.remove(script)
  return out
end

describe("random numbers", function()

  it("follow Philox 4x32-10", function()
    -- key 0, counters 0 to 15: the first words of the first and second
    -- counter, from the known answers of the algorithm (Random123)
    local g = neap.generator(0)
    local u = neap.rand({64}, {generator = g})
    assert.near((0x6627e8d5 >> 8) / 2^24, u[1], 0)
    assert.near((0xe169c58d >> 8) / 2^24, u[17], 0)
    assert.near((0xbc57ac4c >> 8) / 2^24, u[33], 0)
    assert.near((0x9b00dbd8 >> 8) / 2^24, u[49], 0)
  end)

  it("are the same on every instruction set and in every length", function()
    local expected
    check.each_cpu(function()
      local u = neap.rand({1000}, {generator = neap.generator(7)}):totable()
      expected = expected or u
      assert.same(expected, u)
      local short = neap.rand({13}, {generator = neap.generator(7)})
      for i = 1, 13 do assert.equal(u[i], short[i]) end
    end)
  end)

  it("repeat with the seed, go on with the state", function()
    neap.manual_seed(5)
    local a = neap.randn(10):totable()
    local state = neap.get_rng_state()
    local b = neap.randn(10):totable()
    neap.manual_seed(5)
    assert.same(a, neap.randn(10):totable())
    neap.set_rng_state(state)
    assert.same(b, neap.randn(10):totable())
    local g = neap.generator(5)
    assert.same(a, neap.randn({10}, {generator = g}):totable())
    local copy = g:get_state()
    local c = g:random()
    g:set_state(copy)
    assert.equal(c, g:random())
  end)

  it("have the moments they should have", function()
    neap.manual_seed(1)
    for _, dtype in ipairs{"float32", "float64"} do
      local u = neap.rand({200000}, {dtype = dtype})
      assert.near(0.5, u:mean():item(), 0.005)
      assert.near(1 / 3, (u * u):mean():item(), 0.005)
      assert.is_true(u:max():item() < 1)
      local n = neap.randn({200000}, {dtype = dtype})
      assert.near(0, n:mean():item(), 0.01)
      assert.near(1, (n * n):mean():item(), 0.02)
      assert.near(3, (n * n * n * n):mean():item(), 0.1)
    end
    local i = neap.randint(2, 4, {30000})
    for v = 2, 4 do
      assert.near(10000, i:eq(v):sum():item(), 500)
    end
  end)

  it("permute without losing anything", function()
    local p = neap.randperm(100):totable()
    table.sort(p)
    assert.same(neap.arange(100):totable(), p)
  end)

  it("drop the share they promise, and the same again backward", function()
    local x = neap.ones({100000}, {requires_grad = true})
    local y = x:dropout(0.3)
    local kept = y:gt(0):sum():item()
    assert.near(70000, kept, 700)
    assert.near(1 / 0.7, y:max():item(), 1e-6)
    y:sum():backward()
    assert.same(y:detach()[{{1, 500}}]:totable(),
                x.grad[{{1, 500}}]:totable())
    assert.same({0, 0}, neap.ones(2):dropout(1):totable())
    local state = neap.get_rng_state()
    neap.ones(2):dropout(0.5, false)
    assert.same(state, neap.get_rng_state())
  end)

end)

describe("threads", function()

  it("do not change a bit of a training", function()
    local script = [[
      local neap = require "neap"
      local nn = neap.nn
      neap.set_num_threads(tonumber(os.getenv "N"))
      neap.manual_seed(3)
      local net = nn.Sequential{nn.Linear(300, 400), nn.ReLU(),
        nn.BatchNorm1d(400), nn.Dropout(0.3), nn.Linear(400, 10)}
      local opt = neap.optim.Adam(net:parameters(), {lr = 1e-3})
      local x, y = neap.randn(512, 300), neap.randint(1, 10, {512})
      local loss
      for i = 1, 5 do
        loss = nn.CrossEntropyLoss()(net(x), y)
        opt:zero_grad()
        loss:backward()
        opt:step()
      end
      neap.save(os.getenv "OUT", net:state_dict())
    ]]
    local files = {}
    for n = 1, 3 do
      local path = os.tmpname()
      assert.equal("", run(script, ("N=%d OUT=%s"):format(n, path)))
      local file = io.open(path, "rb")
      files[n] = file:read "a"
      file:close()
      os.remove(path)
    end
    assert.is_true(#files[1] > 100000)
    assert.is_true(files[1] == files[2])
    assert.is_true(files[1] == files[3])
  end)

  it("are a number of one's own", function()
    local before = neap.get_num_threads()
    neap.set_num_threads(1)
    assert.equal(1, neap.get_num_threads())
    neap.set_num_threads(before)
    assert.is_false(pcall(neap.set_num_threads, -1))
  end)

end)

describe("a state", function()

  it("ends cleanly with everything alive", function()
    assert.equal("done\n", run [[
      local neap = require "neap"
      net = neap.nn.Sequential{neap.nn.Linear(2, 2)}
      opt = neap.optim.Adam(net:parameters())
      g = neap.generator(1)
      y = net(neap.ones(1, 2))
      s = neap.scope()
      z = y * 2
      co = coroutine.wrap(function()
        local ng <close> = neap.no_grad()
        coroutine.yield()
      end)
      co()
      print "done"
    ]])
  end)

  it("may be opened in a coroutine that dies", function()
    assert.equal("3.0\n", run [[
      coroutine.wrap(function() require "neap" end)()
      collectgarbage() collectgarbage()
      local neap = require "neap"
      print((neap.ones(1) + 2)[1])
    ]])
  end)

  it("makes no globals and takes no debug library", function()
    assert.equal("", run [[
      local before = {}
      for k in pairs(_G) do before[k] = true end
      debug = nil
      package.loaded.debug = nil
      local neap = require "neap"
      local _ = neap.nn.Linear(2, 2)(neap.ones(1, 2))
      for k in pairs(_G) do if not before[k] then print(k) end end
    ]])
  end)

  it("obeys NEAP_CPU", function()
    assert.equal("c\n", run("print(require 'neap'.info().cpu)",
                            "NEAP_CPU=c"))
  end)

  it("does not let scripts reach its metatables", function()
    local net = neap.nn.Linear(2, 2)
    assert.equal("neap.Module", getmetatable(net))
    assert.equal("neap.Tensor", getmetatable(neap.ones(1)))
    assert.is_string(getmetatable(neap.optim.Adam(net:parameters())))
    assert.is_string(getmetatable(neap.generator(1)))
    assert.is_false(pcall(neap.nn.Module._construct, {_layer = io.stdout}))
  end)

end)

describe("the program", function()
  local function program(arguments, input)
    local pipe = io.popen(("printf '%%s' \"%s\" | %s/neap %s 2>&1")
                          :format(input or "", build, arguments))
    local out = pipe:read "a"
    pipe:close()
    return out
  end

  it("finds its modules without a library file, in any order", function()
    local pipe = io.popen(("cd / && LUA_CPATH= LUA_PATH= %s/neap -e " ..
      "'print(require(\"neap.data\").DataLoader ~= nil)' 2>&1")
      :format(build:find "^/" and build or "$OLDPWD/" .. build))
    local out = pipe:read "a"
    pipe:close()
    assert.equal("true\n", out)
  end)

  it("runs text, libraries and scripts, with arguments", function()
    assert.equal("3\n", program "-e 'print(1 + 2)'")
    assert.equal("true\n", program "-l neap -e 'print(neap ~= nil)'")
    assert.matches("^neap 0.1.0, Lua 5.4", program "-v")
    assert.matches("usage: neap", program "-x")
    assert.equal("7\n", program("-", "print(7)"))
    assert.matches("neap: .*cannot open", program "/nonexistent.lua")
    assert.matches("stack traceback", program "-e 'error()' -e 'x()'")
  end)

  it("prints values and tensors interactively", function()
    local out = program("-i", "neap.ones(2) * 3\nx = 4\nx + 1\n" ..
                              "for i = 1, 2 do\nprint(i)\nend\nerror('no')\n")
    assert.matches("{3, 3} [float32 2]", out, 1, true)
    assert.matches("> 5\n", out, 1, true)
    assert.matches(">> >> 1\n2\n", out, 1, true)
    assert.matches("no", out)
  end)
end)
