local neap = require "neap"
local message = require("spec.support.check").message
local data = require "neap.data"

local build = os.getenv "NEAP_BUILD" or "build"

-- Runs a script in a process with a cache folder of its own.
local function run(text, cache)
  local script = os.tmpname()
  local file = assert(io.open(script, "w"))
  file:write(text)
  file:close()
  local pipe = io.popen(("XDG_CACHE_HOME=%s NEAP_DATA= %s/neap %s 2>&1")
                        :format(cache, build, script))
  local out = pipe:read "a"
  pipe:close()
  os.remove(script)
  return out
end

describe("datasets and loaders", function()
  local x, y = neap.arange(10):reshape(10, 1), neap.arange(10) * 2
  local set = data.TensorDataset(x, y)

  it("give samples and batches", function()
    assert.equal(10, #set)
    local sample = set[3]
    assert.same({3}, sample[1]:totable())
    assert.equal(6, sample[2])
    local bx, by = set:batch(neap.tensor({4, 2}, {dtype = "int64"}))
    assert.same({{4}, {2}}, bx:totable())
    assert.same({8, 4}, by:totable())
    assert.matches("argument 2 has 3 samples, the first has 10",
                   message(data.TensorDataset, x, neap.arange(3)))
    assert.matches("at least one", message(data.TensorDataset))
  end)

  it("see every sample once in a pass", function()
    for _, options in ipairs{{batch_size = 3}, {batch_size = 4,
                             shuffle = true}, {batch_size = 100}} do
      local seen, batches = {}, 0
      local loader = data.DataLoader(set, options)
      for bx, by in loader:batches() do
        batches = batches + 1
        for i = 1, #bx do
          seen[#seen + 1] = bx[i][1]
          assert.equal(2 * bx[i][1], by[i])
        end
      end
      assert.equal(#loader, batches)
      table.sort(seen)
      assert.same(neap.arange(10):totable(), seen)
    end
  end)

  it("drop a last short batch, and shuffle by a generator", function()
    local loader = data.DataLoader(set, {batch_size = 4, drop_last = true})
    assert.equal(2, #loader)
    assert.equal(8, loader:samples())
    local function order(seed)
      local list = {}
      for bx in data.DataLoader(set, {shuffle = true,
                                generator = neap.generator(seed)}):batches()
      do list[#list + 1] = bx[1][1] end
      return list
    end
    assert.same(order(1), order(1))
    assert.is_not.same(order(1), order(2))
    assert.matches("no option 'batchsize'",
                   message(data.DataLoader, set, {batchsize = 2}))
    assert.matches("an integer of at least 1",
                   message(data.DataLoader, set, {batch_size = 0}))
  end)
end)

describe("sets", function()

  it("are found in a folder, or said to be missing there", function()
    local why = message(data.fashion_mnist, "/nonexistent")
    assert.matches("/nonexistent does not hold train%-images", why)
    assert.matches("no set 'x'", message(data.find, "x"))
  end)

  it("are downloaded once, checked, and never half there", function()
    if not os.execute "command -v curl >/dev/null" then
      pending "needs curl"
      return
    end
    local folder = os.tmpname()
    os.remove(folder)
    os.execute(("mkdir -p %s/from && printf hello > %s/from/a.txt")
               :format(folder, folder))
    local script = ([[
      local data = require "neap.data"
      data.sets.hello = {url = "file://%s/from/", files = {{"a.txt", "%%s"}}}
      local ok, where, how = pcall(data.find, "hello")
      print(ok, where, how)
    ]]):format(folder)
    local right = "2cf24dba5fb0a30e26e83b2ac5b9e29e" ..
                  "1b161e5c1fa7425e73043362938b9824"
    local out = run(script:format(("0"):rep(64)), folder)
    assert.matches("^false.*its sha256 is not 000", out)
    assert.is_nil(io.open(folder .. "/neap/hello/a.txt"))
    assert.is_nil(io.open(folder .. "/neap/hello/a.txt.part"))
    assert.matches("^true.*downloaded to", run(script:format(right), folder))
    os.remove(folder .. "/from/a.txt")
    assert.matches("^true.*found in", run(script:format(right), folder))
    os.remove(folder .. "/neap/hello/a.txt")
    out = run(script:format(right), folder)
    assert.matches("could not be downloaded from file:", out)
    assert.matches("name it in NEAP_DATA", out)
    os.execute("rm -r " .. folder)
  end)

end)

describe("the progress bar", function()
  it("is a plain line where there is no terminal", function()
    local out = run([[
      local bar = require("neap.progress").bar{title = "x", total = 10,
                                               unit = "things"}
      for i = 1, 10 do bar:update(i, "loss 1") end
      bar:finish "loss 0.5"
    ]], "/tmp")
    assert.matches("^x 10/10 .*things/s .* loss 0.5\n$", out)
  end)
end)
