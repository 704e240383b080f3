local neap = require "neap"
local check = require "spec.support.check"
local message = check.message

local path

local function write(bytes)
  local file = assert(io.open(path, "wb"))
  file:write(bytes)
  file:close()
end

local function read()
  local file = assert(io.open(path, "rb"))
  local bytes = file:read "a"
  file:close()
  return bytes
end

-- An npy file with this header, of any version.
local function npy(header, elements, version)
  version = version or 1
  return "\x93NUMPY" .. string.char(version, 0) ..
         string.pack(version == 1 and "<I2" or "<I4", #header) .. header ..
         (elements or "")
end

local function of(descr, shape, elements, fortran)
  return npy(("{'descr': '%s', 'fortran_order': %s, 'shape': %s, }\n")
             :format(descr, fortran and "True" or "False", shape), elements)
end

local function loaded(bytes)
  write(bytes)
  return neap.load_npy(path)
end

local function refused(bytes)
  write(bytes)
  return message(neap.load_npy, path)
end

describe("npy", function()

  before_each(function() path = os.tmpname() end)
  after_each(function() os.remove(path) end)

  it("keeps every type and shape", function()
    for _, t in ipairs{
      neap.randn(3, 4), neap.arange(5), neap.tensor{true, false},
      neap.tensor(2.5), neap.zeros(0, 3), neap.ones(3):to("float16"),
      neap.tensor({-1, 7}, {dtype = "int8"}), neap.ones(2):to("uint8"),
      neap.tensor({-5}, {dtype = "int32"}),
      neap.randn({2, 2}, {dtype = "float64"}), neap.zeros(1, 1, 1, 1, 1, 1,
                                                          1, 2)
    } do
      neap.save_npy(path, t)
      local again = neap.load_npy(path)
      assert.equal(t.dtype, again.dtype)
      assert.same(t.shape, again.shape)
      assert.same(t:totable(), again:totable())
    end
    assert.matches("npy has no type for bfloat16",
                   message(neap.save_npy, path, neap.ones(2):to("bfloat16")))
  end)

  it("writes views as what they show, aligned", function()
    neap.save_npy(path, neap.arange(6):reshape(2, 3):t())
    assert.same({{1, 4}, {2, 5}, {3, 6}}, neap.load_npy(path):totable())
    local bytes = read()
    assert.equal(0, (10 + string.unpack("<I2", bytes, 9)) % 64)
  end)

  it("reads either order of bytes and of dimensions", function()
    local four = string.pack(">ffff", 1, 2, 3, 4)
    assert.same({1, 2, 3, 4}, loaded(of(">f4", "(4,)", four)):totable())
    assert.same({{1, 3}, {2, 4}},
                loaded(of(">f4", "(2, 2)", four, true)):totable())
    local six = string.pack("<i8i8i8i8i8i8", 1, 2, 3, 4, 5, 6)
    assert.same({{1, 3, 5}, {2, 4, 6}},
                loaded(of("<i8", "(2, 3)", six, true)):totable())
  end)

  it("widens what has no type here", function()
    local t = loaded(of("<i2", "(2,)", string.pack("<i2i2", -3, 9)))
    assert.same({{-3, 9}, "int32"}, {t:totable(), t.dtype})
    t = loaded(of(">u2", "(1,)", "\xff\xff"))
    assert.same({{65535}, "int32"}, {t:totable(), t.dtype})
    t = loaded(of("<u4", "(1,)", "\xff\xff\xff\xff"))
    assert.same({{4294967295}, "int64"}, {t:totable(), t.dtype})
    t = loaded(of("<u8", "(1,)", string.pack("<I8", 7)))
    assert.same({{7}, "int64"}, {t:totable(), t.dtype})
    assert.matches("element 2 is 18446744073709551615, more than an int64",
                   refused(of("<u8", "(2,)", string.pack("<I8I8", 1, -1))))
    assert.same({true, false, true},
                loaded(of("|b1", "(3,)", "\1\0\7")):totable())
  end)

  it("reads versions 1 to 3, and keys in any order", function()
    local header = [[{"shape":(2,),"fortran_order":False,"descr":"|u1"}]]
    for version = 1, 3 do
      assert.same({5, 6}, loaded(npy(header, "\5\6", version)):totable())
    end
    assert.matches("is npy version 4", refused(npy(header, "\5\6", 4)))
  end)

  it("refuses what is not it, in words", function()
    for _, case in ipairs{
      {"hello", "is not an npy file"}, {"", "is not an npy file"},
      {of("<c8", "(1,)", ("\0"):rep(8)), "elements of type '<c8'"},
      {of("|O", "(1,)", ("\0"):rep(8)), "elements of type '|O'"},
      {of("<f4", "(3,)", ("\0"):rep(8)), "3 elements of 4 bytes do not fit"},
      {of("<f4", "(1,)", ("\0"):rep(8)), "do not fit the 8 bytes of data"},
      {of("<f4", "(4611686018427387904, 8)", ""), "do not fit"},
      {of("<f4", "(99999999999999999999,)", ""), "has a huge size"},
      {of("<f4", "(1,1,1,1,1,1,1,1,1)", "\0\0\0\0"), "more dimensions than"},
      {of("<f4", "(-1,)", ""), "lacks a size"},
      {of("<f4", "3", ""), "lacks the shape"},
      {npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': ()}"),
       "names fields"},
      {npy("{'descr': '<f4'}"), "is not complete"},
      {npy("{'descr': '<f4', 'descr': '<f4'}"), "has other keys than"},
      {npy("{'evil': __import__('os')}"), "has other keys than"},
      {npy("{'descr': '<f4"), "has an open quote"},
      {npy("[]"), "is no dictionary"},
      {npy((" "):rep(10001)), "a header of 10001 bytes"},
      {npy((" "):rep(10000)), "is no dictionary"},
    } do
      assert.matches(case[2], refused(case[1]), 1, true)
    end
  end)

  it("refuses each of its own beginnings", function()
    local whole = of("<f4", "(2, 1)", ("\0"):rep(8))
    for n = 0, #whole - 1 do
      assert.matches(path, refused(whole:sub(1, n)), 1, true)
    end
    loaded(whole)
  end)

  it("keeps the old file when it cannot write", function()
    neap.save_npy(path, neap.ones(2))
    message(neap.save_npy, path, neap.ones(2):to("bfloat16"))
    assert.same({1, 1}, neap.load_npy(path):totable())
    assert.matches("cannot write", message(neap.save_npy, "/nonexistent/a",
                                           neap.ones(2)))
  end)

end)


describe("npz", function()

  before_each(function() path = os.tmpname() end)
  after_each(function() os.remove(path) end)

  local function made(options)
    neap.save_npz(path, {a = neap.arange(50), b = neap.tensor{{true, false}},
                         empty = neap.zeros(0, 2)}, options)
    return read()
  end

  it("keeps tensors by name, stored or packed", function()
    local stored, packed = made(), nil
    for _, options in ipairs{{compress = false}, {compress = true}} do
      packed = made(options)
      local t = neap.load_npz(path)
      assert.same(neap.arange(50):totable(), t.a:totable())
      assert.same({{true, false}}, t.b:totable())
      assert.same({0, 2}, t.empty.shape)
      assert.equal("int64", t.a.dtype)
    end
    assert.same({"b"}, (function()
      local names = {}
      for name in pairs(neap.load_npz(path, {names = {"b"}})) do
        names[#names + 1] = name
      end
      return names
    end)())
    assert.has_error(function() neap.load_npz(path, {names = {"c"}}) end,
                     ("load_npz: %s has no array 'c'"):format(path))
    assert.is_true(#packed < #stored)
    assert.equal(stored, made())
    neap.save_npz(path, {})
    assert.same({}, neap.load_npz(path))
  end)

  it("takes what deflate can pack at most", function()
    neap.save_npz(path, {a = neap.zeros(10 ^ 6 // 1)}, {compress = true})
    assert.is_true(#read() * 900 < 4e6)
    assert.equal(10 ^ 6, #neap.load_npz(path).a)
  end)

  it("tells when a byte was changed", function()
    local bytes = made()
    local at = bytes:find("\7\0\0\0\0\0\0\0", 1, true)
    write(bytes:sub(1, at - 1) .. "\9" .. bytes:sub(at + 1))
    assert.matches("a%.npy in .*: its checksum is wrong",
                   message(neap.load_npz, path))
  end)

  it("refuses each of its beginnings, and lies about sizes", function()
    for _, options in ipairs{{compress = false}, {compress = true}} do
      local bytes = made(options)
      for n = 0, #bytes - 1 do
        write(bytes:sub(1, n))
        assert.matches(path, message(neap.load_npz, path), 1, true)
      end
      local central = bytes:find("PK\1\2", 1, true)
      for _, lie in ipairs{0, 1, 2 ^ 31 // 1, 2 ^ 32 // 1 - 1} do
        write(bytes:sub(1, central + 23) .. string.pack("<I4", lie) ..
              bytes:sub(central + 28))
        message(neap.load_npz, path)
      end
    end
  end)

  it("survives any byte changed", function()
    local bytes = made{compress = true}
    for at = 1, #bytes do
      write(bytes:sub(1, at - 1) .. string.char(bytes:byte(at) ~ 0xff) ..
            bytes:sub(at + 1))
      pcall(neap.load_npz, path)
    end
  end)

  it("leaves nothing behind, whatever request for memory fails", function()
    made{compress = true}
    check.out_of_memory(function() neap.load_npz(path) end)
    local t = {a = neap.arange(9), b = neap.ones(2, 2):t()}
    check.out_of_memory(function()
      neap.save_npz(path, t, {compress = true})
    end)
    assert.same({1, 2}, neap.load_npz(path).a[{{1, 2}}]:totable())
  end)

  it("takes only tensors", function()
    made()
    assert.matches("expected tensors by name",
                   message(neap.save_npz, path, {a = 5}))
    assert.same({0, 2}, neap.load_npz(path).empty.shape)
    assert.matches("no option 'zip'", message(neap.save_npz, path, {},
                                              {zip = true}))
  end)

end)
