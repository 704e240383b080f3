-- Models in C hosts: what a host demands of plans, the examples of
-- examples/embed, the small library, the single file.

local neap = require "neap"
local nn = neap.nn
local build = os.getenv "NEAP_BUILD" or "build"
local folder

local function run(command)
  local pipe = io.popen("{ " .. command .. "; } 2>&1")
  local text = pipe:read "a"
  local ok = pipe:close()
  return text, ok == true
end

local function must(command)
  local text, ok = run(command)
  assert.is_true(ok, command .. "\n" .. text)
  return text
end

local function in_folder(name) return folder .. "/" .. name end

local function compile(source, name, library, flags)
  must(("gcc -std=gnu99 -O1 -Isrc -o %s %s %s %s"):format(
    in_folder(name), source, library, flags))
  return in_folder(name)
end

local function libraries()
  return (run("make -s --no-print-directory print-libs B=" .. build)
            :gsub("%s+$", ""))
end

-- Names of model files of several kinds.
local function zoo()
  local list = {}
  local function add(name, net, ...)
    list[#list + 1] = in_folder(name .. ".safetensors")
    net:export(list[#list], ...)
  end
  neap.manual_seed(2)
  add("cnn", nn.Sequential{
    nn.Conv2d(1, 8, 3, {padding = 1}), nn.BatchNorm2d(8), nn.ReLU(),
    nn.MaxPool2d(2), nn.Conv2d(8, 8, 3), nn.Flatten(), nn.Linear(1152, 10)},
    neap.randn(1, 1, 28, 28))
  add("lstm", nn.LSTM(6, 32, {num_layers = 2}), neap.randn(3, 1, 6))
  add("block", nn.TransformerEncoderLayer(32, 4, {batch_first = true}),
      neap.randn(1, 16, 32))
  add("ids", nn.Sequential{nn.Embedding(9, 4), nn.Linear(4, 3)},
      neap.randint(1, 9, {2, 3}))
  for _, name in ipairs{"hello", "rollback", "audio"} do
    list[#list + 1] = in_folder(name .. ".safetensors")
  end
  return table.concat(list, " ")
end

describe("a host", function()

  local files, checks

  setup(function()
    folder = os.tmpname()
    os.remove(folder)
    must("mkdir " .. folder)
    must(("%s/neap examples/embed/models.lua %s"):format(build, folder))
    files = zoo()
    must("make -s lib B=" .. build)
    checks = compile("spec/api/infer.c", "infer", build .. "/libneap.a",
                     libraries() .. " -ldl")
  end)

  teardown(function() os.execute("rm -r " .. folder) end)

  for _, check in ipairs{
    {"arena", "knows the bytes of a plan exactly, and nothing else is " ..
              "touched"},
    {"quiet", "runs plans without memory, locks and the system"},
    {"failing", "gets a sentence for every request for memory that fails"},
    {"threads", "shares a model among threads"},
    {"again", "gets the same bits from slices, states and its own memory"},
    {"lends", "lends its workers, its clock and its ear"},
    {"memory", "reads models from memory, in place if it likes"}}
  do
    it(check[2], function()
      local text = must(("%s %s %s"):format(checks, check[1], files))
      assert.matches("done\n$", text)
    end)
  end

  it("finds in examples/embed what it says there", function()
    local function example(name, arguments)
      local program = compile("examples/embed/" .. name .. ".c", name,
                              build .. "/libneap.a", libraries())
      return must(program .. " " .. arguments)
    end
    local numbers = example("hello", in_folder "hello.safetensors")
    local plan = neap.plan(in_folder "hello.safetensors")
    local list = {}
    for i = 1, 64 do list[i] = (i - 1) / 64 end
    local x = neap.tensor{list}
    local i = 0
    for number in numbers:gmatch "%S+" do
      i = i + 1
      assert.near(plan(x)[1][i], tonumber(number), 1e-5)
    end
    assert.equal(16, i)
    local game = example("game_loop", in_folder "heavy.safetensors" .. " " ..
                                      in_folder "rollback.safetensors")
    assert.matches("the same bits\n.-state 256 bytes.-the same bits", game)
    assert.matches("plan of %d+ bytes",
                   example("audio", in_folder "audio.safetensors"))
    local circle = in_folder "circle.safetensors"
    local right = example("train_in_c", circle)
    assert.is_true(tonumber(right:match "trained: (%d+)") > 240, right)
    assert.equal(right:match "trained: (%d+)", right:match "file: (%d+)")
    -- and Lua reads what C trained
    local net = nn.load(circle)
    assert.same({5, 1}, net(neap.zeros(5, 2)).shape)
  end)

  it("runs fewer rows than it planned", function()
    local path = in_folder "rows.safetensors"
    for _, net in ipairs{
      nn.Sequential{nn.Linear(64, 300), nn.Tanh(), nn.LayerNorm(300),
                    nn.Linear(300, 16)},
      nn.Sequential{nn.Conv1d(4, 8, 3), nn.BatchNorm1d(8), nn.ReLU(),
                    nn.Flatten(), nn.Linear(112, 5)}} do
      net:export(path, net[1].in_features and neap.randn(40, 64) or
                       neap.randn(40, 4, 16))
      assert.matches("rows: a run is half done.-\ndone\n",
                     must(("%s rows %s"):format(checks, path)))
    end
  end)

  it("loads weights by name, and hears what does not fit", function()
    local path = in_folder "weights.safetensors"
    neap.save(path, {["0.weight"] = neap.full({2, 3}, 1),
                     ["0.bias"] = neap.zeros(5), other = neap.ones(1)})
    local program = compile("spec/api/load.c", "load",
                            build .. "/libneap.a", libraries())
    local text = must(program .. " " .. path)
    assert.matches("used 1, missing 2, unused 1, misfit 1", text)
    assert.matches("does not fit the module: misfit 0.bias, missing " ..
                   "1.weight, missing 1.bias, unused other", text)
    assert.matches("sum 6", text)
    assert.matches("Linear: out_features is missing", text)
    assert.matches("there is no layer 'Linaer'", text)
  end)

end)

-- These are built without sanitizers, whatever the rest is.
if (os.getenv "MAKEFLAGS" or ""):find "SAN=%a" then return end

describe("the library for inference", function()

  it("needs no Lua, no BLAS, and shows only neap_", function()
    must("make -s lib-infer B=" .. build)
    local here = os.tmpname()
    local text = must(("gcc -std=gnu99 -Os -Isrc -o %s " ..
      "examples/embed/hello.c %s/libneap_infer.a -lm -lpthread " ..
      "-Wl,--gc-sections -s && %s nothing"):format(here, build, here) ..
      " || true")
    assert.matches("hello: cannot open 'nothing'", text)
    local needed = must("ldd " .. here)
    assert.is_nil(needed:find "lua")
    assert.is_nil(needed:find "blas")
    os.remove(here)
    local names = must(("nm -g --defined-only %s/libneap_infer.a"):format(
      build))
    for name in names:gmatch "%x+ %u ([%w_.]+)" do
      assert.matches("^neap_", name)
    end
    assert.is_nil(names:find "neap_backward")
  end)

  -- The specs run twice at the same time: one after the other here.
  it("has only the operations of some models, if it shall be small",
  function()
    local here = os.tmpname()
    os.remove(here)
    must("mkdir " .. here)
    must(("%s/neap examples/embed/models.lua %s"):format(build, here))
    must((
      "flock %s/infer/settings sh -c 'make -s lib-models B=%s " ..
      "MODELS=%s/hello.safetensors && gcc -std=gnu99 -Os -Isrc -o %s/hello " ..
      "examples/embed/hello.c %s/libneap_models.a -lm -lpthread " ..
      "-Wl,--gc-sections -s'"):format(build, build, here, here, build))
    local file = io.open(here .. "/hello")
    assert.is_true(file:seek "end" < 400000)
    file:close()
    local numbers = must(("%s/hello %s/hello.safetensors"):format(here, here))
    assert.matches("%d%.%d+ ", numbers)
    local text, ok = run(("%s/hello %s/audio.safetensors"):format(here, here))
    assert.is_false(ok)
    assert.matches("the graph calls 'lstm', which is no operation of this " ..
                   "library", text)
    text, ok = run("make -s lib-models B=" .. build)
    assert.is_false(ok)
    assert.matches("MODELS=.- is missing", text)
    local gather = (os.getenv "NEAP_LUA" or "lua5.4") ..
                   " src/gen/gather.lua src " .. here .. " "
    for name, bytes in pairs{junk = ("j"):rep(99), short = "abc",
                             plain = "\2\0\0\0\0\0\0\0{}"} do
      local bad = io.open(here .. "/" .. name, "wb")
      bad:write(bytes)
      bad:close()
      text, ok = run(gather .. here .. "/" .. name)
      assert.is_false(ok)
      assert.matches("/" .. name .. " is no model with a recorded graph", text)
    end
    assert.matches("a model cannot be read: .-none: No such file",
                   (run(gather .. here .. "/none")))
    os.execute("rm -r " .. here)
  end)

  it("runs under LuaJIT", function()
    if not select(2, run("luajit -v")) then
      pending "skipped: no luajit"
      return
    end
    local here = os.tmpname()
    os.remove(here)
    must("mkdir " .. here)
    must(("%s/neap examples/embed/models.lua %s"):format(build, here))
    local text = must(("luajit examples/embed/luajit_ffi.lua " ..
      "%s/libneap_infer.so %s/hello.safetensors 2>/dev/null"):format(build,
                                                               here))
    local plan = neap.plan(here .. "/hello.safetensors")
    local list = {}
    for i = 1, 64 do list[i] = (i - 1) / 64 end
    assert.near(plan(neap.tensor{list})[1][1],
                tonumber(text:match "^%S+"), 1e-5)
    os.execute("rm -r " .. here)
  end)

end)

describe("the single file", function()

  it("compiles with one command, and trains", function()
    must("make -s single B=" .. build)
    local here = os.tmpname()
    local text = must(("gcc -std=gnu11 -O0 -w -ffp-contract=off " ..
      "-I%s/single -o %s examples/embed/train_in_c.c %s/single/neap.c " ..
      "-lm -lpthread && %s %s.st"):format(build, here, build, here, here))
    assert.matches("from the file: 2%d%d right", text)
    os.remove(here)
    os.remove(here .. ".st")
  end)

end)
