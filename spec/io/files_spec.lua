local neap = require "neap"
local message = require("spec.support.check").message
local shared = require "spec.support.shared"

local function write(path, bytes)
  local file = assert(io.open(path, "wb"))
  file:write(bytes)
  file:close()
end

local function read(path)
  local file = assert(io.open(path, "rb"))
  local bytes = file:read "a"
  file:close()
  return bytes
end

describe("safetensors", function()
  local path

  before_each(function() path = os.tmpname() end)
  after_each(function() os.remove(path) end)

  local function with_header(header, data)
    write(path, string.pack("<I8", #header) .. header .. (data or ""))
    return message(neap.load, path)
  end

  it("holds every type and shape, and metadata", function()
    local tensors = {
      a = neap.tensor{{1, 2}, {3, 4}}, b = neap.arange(3),
      c = neap.tensor{true, false}, d = neap.tensor(2.5),
      e = neap.zeros(0, 3), f = neap.ones(3):to("float16"),
      g = neap.ones(2):to("bfloat16"), h = neap.ones(2):to("int8"),
      i = neap.ones(2):to("uint8"), j = neap.ones(2):to("int32"),
      ["k.0.weight"] = neap.ones({2}, {dtype = "float64"}),
      ['quote"\\'] = neap.ones(1)
    }
    neap.save(path, tensors, {note = "two\nlines", ["ü"] = "ö"})
    local loaded, metadata = neap.load(path)
    for name, t in pairs(tensors) do
      assert.equal(t.dtype, loaded[name].dtype)
      assert.same(t.shape, loaded[name].shape)
      assert.same(t:to("float64"):totable(),
                  loaded[name]:to("float64"):totable())
    end
    assert.same({note = "two\nlines", ["ü"] = "ö"}, metadata)
  end)

  it("writes aligned, sorted, reproducible files", function()
    local t = {b = neap.ones(3), a = neap.arange(1), c = neap.tensor{true}}
    neap.save(path, t)
    local first = read(path)
    neap.save(path, t)
    assert.equal(first, read(path))
    assert.equal(0, (8 + string.unpack("<I8", first)) % 64)
    assert.matches('^{"a"', first:sub(9))
  end)

  it("writes views as what they show", function()
    local x = neap.arange(6):reshape(2, 3)
    neap.save(path, {x = x:transpose(1, 2), y = x[{{}, 2}]})
    local loaded = neap.load(path)
    assert.same({{1, 4}, {2, 5}, {3, 6}}, loaded.x:totable())
    assert.same({2, 5}, loaded.y:totable())
  end)

  it("widens types that neap has not", function()
    local header = '{"a":{"dtype":"I16","shape":[2],"data_offsets":[0,4]},' ..
      '"b":{"dtype":"U32","shape":[1],"data_offsets":[4,8]}}'
    write(path, string.pack("<I8", #header) .. header ..
                string.pack("<i2i2I4", -3, 7, 4000000000))
    local t = neap.load(path)
    assert.same({-3, 7}, t.a:totable())
    assert.equal("int32", t.a.dtype)
    assert.equal(4000000000, t.b[1])
  end)

  it("refuses every kind of lie", function()
    local entry = '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
    write(path, "short")
    assert.matches("5 bytes are too few", message(neap.load, path))
    write(path, string.pack("<I8", 2^40 // 1 | 0) .. "{}")
    assert.matches("does not fit", message(neap.load, path))
    for header, why in pairs{
      ["nope"] = "bad word", ["[]"] = "not an object",
      ['{"a":1}'] = "is not dtype", ["{"] = "key expected",
      ['{"a":{"dtype":"F32","shape":[1]}}'] = "is not dtype",
      ['{"a":{"dtype":"F7","shape":[1],"data_offsets":[0,4]}}'] = "'F7'",
      ['{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}'] =
        "does not fit its bytes",
      ['{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,8]}}'] =
        "outside the file",
      ['{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}'] =
        "outside the file",
      ['{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}'] =
        "no whole number",
      ['{"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}}'] =
        "no whole number",
      ['{"a":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1],' ..
        '"data_offsets":[0,4]}}'] = "more than 8",
      ['{"a":{"dtype":"F32","shape":[4294967296,4294967296],' ..
        '"data_offsets":[0,4]}}'] = "too large",
      ['{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}'] =
        "end at byte 0 of 4",
      ['{"__metadata__":{"a":1}}'] = "is not a string",
      ['{"a":{"dtype":"F32","dtype":"F32","shape":[1],' ..
        '"data_offsets":[0,4]}}'] = "key given twice",
      [entry .. "x"] = "something follows",
      [entry:sub(1, -2) .. "," .. entry:sub(2)] = "twice"
    } do
      assert.matches(why, with_header(header, "\0\0\0\0"), 1, true)
    end
    assert.matches("nested too deeply", with_header(("["):rep(5000)))
    assert.matches("not UTF%-8", with_header('{"\xff":1}'))
  end)

  it("gives an error for every prefix of a file", function()
    neap.save(path, {a = neap.ones(3), b = neap.arange(2)}, {k = "v"})
    local bytes = read(path)
    for n = 0, #bytes - 1 do
      write(path, bytes:sub(1, n))
      assert.is_false(pcall(neap.load, path), n)
    end
  end)

  it("survives flipped bits of the header", function()
    neap.save(path, {a = neap.ones(3), b = neap.arange(2)}, {k = "v"})
    local bytes = read(path)
    for at = 1, math.min(#bytes, 200) do
      for bit = 0, 7 do
        local changed = string.char(bytes:byte(at) ~ (1 << bit))
        write(path, bytes:sub(1, at - 1) .. changed .. bytes:sub(at + 1))
        pcall(neap.load, path)
      end
    end
    assert.is_true(neap._test.live() >= 0)
  end)

  it("keeps the old file when writing fails", function()
    neap.save(path, {a = neap.ones(1)})
    local before = read(path)
    assert.matches("not UTF%-8", message(neap.save, path,
                                         {["\xff"] = neap.ones(1)}))
    assert.matches("zero byte", message(neap.save, path,
                                        {["a\0b"] = neap.ones(1)}))
    assert.equal(before, read(path))
    assert.matches("cannot write '/nonexistent/x'",
                   message(neap.save, "/nonexistent/x", {}))
    assert.matches("^spec/io/files_spec.lua:%d+:",
                   message(function() neap.save("/nonexistent/x", {}) end))
    assert.matches("cannot open", message(neap.load, "/nonexistent/x"))
    assert.matches("not a regular file", message(neap.load, "/tmp"))
  end)

  it("keeps the old file on a full disk", function()
    if not io.open("/dev/full", "r") then return end
    local folder = os.tmpname()
    os.remove(folder)
    local mounted = os.execute(("mkdir %s && mount -t tmpfs -o size=64k " ..
      "none %s 2>/dev/null"):format(folder, folder))
    if not mounted then
      os.remove(folder)
      pending "needs the right to mount a small file system"
      return
    end
    local file = folder .. "/m"
    neap.save(file, {a = neap.ones(10)})
    local why = message(neap.save, file, {a = neap.ones(100000)})
    local left = io.popen("ls " .. folder):read "a"
    local kept = neap.load(file)
    os.execute(("umount %s; rmdir %s"):format(folder, folder))
    assert.matches("No space left", why)
    assert.equal("m\n", left)
    assert.equal(10, kept.a:numel())
  end)
end)

describe("IDX", function()
  local path

  before_each(function() path = os.tmpname() end)
  after_each(function() os.remove(path) end)

  it("reads every type, plain and compressed", function()
    for code, case in pairs{
      [0x08] = {"uint8", ">B", 200}, [0x09] = {"int8", ">b", -5},
      [0x0B] = {"int32", ">i2", -300}, [0x0C] = {"int32", ">i4", -70000},
      [0x0D] = {"float32", ">f", 1.5}, [0x0E] = {"float64", ">d", -0.1}
    } do
      write(path, string.pack(">BBBBI4I4", 0, 0, code, 2, 1, 2) ..
                  case[2]:pack(case[3]) .. case[2]:pack(1))
      local t = neap.load_idx(path)
      assert.equal(case[1], t.dtype)
      assert.same({{case[3], 1}}, t:to("float64"):totable())
      if os.execute("gzip -c " .. path .. " >" .. path .. ".gz") then
        local z = neap.load_idx(path .. ".gz")
        assert.same(t:to("float64"):totable(), z:to("float64"):totable())
        os.remove(path .. ".gz")
      end
    end
  end)

  it("refuses what is not IDX, and every prefix", function()
    local bytes = string.pack(">BBBBI4", 0, 0, 8, 1, 3) .. "abc"
    write(path, bytes)
    assert.same({97, 98, 99}, neap.load_idx(path):totable())
    for n = 0, #bytes - 1 do
      write(path, bytes:sub(1, n))
      assert.is_false(pcall(neap.load_idx, path), n)
    end
    write(path, bytes .. "d")
    assert.matches("do not fit the 4 bytes", message(neap.load_idx, path))
    write(path, "\0\0\x07\1\0\0\0\0")
    assert.matches("not an IDX file", message(neap.load_idx, path))
    write(path, "\0\0\8\4" .. ("\xff"):rep(16))
    assert.is_false(pcall(neap.load_idx, path))
    write(path, "\x1f\x8b damaged")
    assert.is_false(pcall(neap.load_idx, path))
  end)

  it("reads MNIST", function()
    local file = shared.path "data/mnist/t10k-labels-idx1-ubyte.gz"
    if not file then
      pending "skipped: no reference data"
      return
    end
    local labels = neap.load_idx(file)
    assert.same({10000}, labels.shape)
    assert.equal(7, labels[1])
    assert.equal(1.0 * 1135, labels:eq(1):sum():item())
  end)
end)
