local neap = require "neap"
local check = require "spec.support.check"
local data = require "neap.data"
local message = check.message

local function parse(text, options) return data.parse_csv(text, options) end

local function refused(text, options)
  return message(parse, text, options)
end

local function column(text, name, options)
  local t = parse(text, options)
  return t:column(name):totable(), t:column(name).dtype, t:categories(name)
end

describe("CSV cells", function()

  it("are found between separators, in quotes, over line breaks", function()
    local t = parse('a,b,c\n1,"x, ""y""",2\r\n 3 ,"two\nlines", 4\n')
    assert.same({"a", "b", "c"}, t.columns)
    assert.same({1, 3}, t:column "a":totable())
    assert.same({'x, "y"', "two\nlines"}, {t[1].b, t[2].b})
    assert.same({2, 4}, t:column "c":totable())
  end)

  it("keep blanks in quotes and lose them outside", function()
    local t = parse('a,b\n  x  ,"  x  "\n')
    assert.same({a = "x", b = "  x  "}, t[1])
  end)

  it("end with the file, with or without a last line break", function()
    assert.equal(2, #parse "a\n1\n2")
    assert.equal(2, #parse "a\n1\n2\n")
    assert.equal(2, #parse "a\r1\r2")
    assert.equal(2, #parse "a\n\n1\n\n\n2\n\n")
  end)

  it("may be parted by tabs, semicolons, bars or blanks", function()
    for _, text in ipairs{"a\tb\n1\t2\n", "a;b\n1;2\n", "a|b\n1|2\n"} do
      assert.same({a = 1, b = 2}, parse(text)[1])
    end
    assert.same({a = 1, b = 2}, parse("  a   b \n 1  2  \n",
                                      {separator = " "})[1])
    assert.same({["a;b"] = "1;2"}, parse("a;b\n1;2\n",
                                         {separator = ","})[1])
  end)

  it("after a quote that does not end, or text behind one, are refused",
  function()
    assert.matches("text, line 2: a quoted cell that begins here does not",
                   refused 'a,b\n1,"x\n2,y\n')
    assert.matches("line 3, column 2 %(b%): text follows the closing quote",
                   refused 'a,b\n1,2\n1,"x"y\n')
  end)

  it("can hold quotes as they are", function()
    assert.same({a = '"x"'}, parse('a\n"x"\n', {quote = ""})[1])
    assert.same({a = 'x "y" z'}, parse('a\nx "y" z\n')[1])
  end)

end)


describe("CSV columns", function()

  it("are whole numbers, numbers, truth values or words", function()
    local t = parse("i,r,b,w,e\n1,1.5,true,x,\n-2,2,FALSE,y,\n",
                    {missing = "nan"})
    local kinds = {}
    for _, name in ipairs(t.columns) do
      kinds[name] = t:column(name).dtype
    end
    assert.same({i = "int64", r = "float64", b = "bool", w = "int64",
                 e = "float64"}, kinds)
    assert.same({"x", "y"}, t:categories "w")
    assert.is_nil(t:categories "i")
  end)

  it("read numbers to the last bit", function()
    local generator = neap.generator(1)
    local numbers, lines = {}, {"x"}
    for i = 1, 3000 do
      local x = (generator:random() - 0.5) *
                10.0 ^ generator:random(-300, 300)
      if i % 3 == 0 then x = tonumber(("%.15g"):format(x)) end
      if i % 7 == 0 then x = tonumber(("%.3f"):format(x % 1000)) end
      numbers[i] = x
      lines[i + 1] = ("%.17g"):format(x)
    end
    for _, text in ipairs{"1e400", "-1e400", "5e-324", "4.9e-324", "1e-400",
                          "0.1e1", ".5", "5.", "-0.0", "9007199254740993.0",
                          "9223372036854775808", "179769313486231580793e289",
                          "0.000000000000000000000000000000000000000001",
                          "123456789012345678901234567890.5", "+7.25",
                          "2.2250738585072011e-308"} do
      lines[#lines + 1] = text
      numbers[#numbers + 1] = tonumber((text:gsub("^%+", ""))) * 1.0
    end
    local got = parse(table.concat(lines, "\n")):column "x":totable()
    for i, x in ipairs(numbers) do
      assert.equal(("%a"):format(x), ("%a"):format(got[i]), lines[i + 1])
    end
  end)

  it("keep integers of 64 bits, and go to real ones beyond", function()
    assert.same({math.mininteger, math.maxinteger},
                (column("x\n-9223372036854775808\n9223372036854775807\n",
                        "x")))
    local values, dtype = column("x\n9223372036854775808\n", "x")
    assert.equal("float64", dtype)
    assert.equal(2.0 ^ 63, values[1])
  end)

  it("do not take what only begins like a number", function()
    for _, text in ipairs{"1x", "--1", "1e", "1e+", ".", "0x10", "1 2",
                          "1,5", "e5", "+", "1_000"} do
      local _, _, words = column('x\n"' .. text .. '"\n', "x")
      assert.same({text}, words)
    end
  end)

  it("take a decimal comma, and do so in every locale", function()
    local values = column("x;y\n1,5;a\n-2,25e1;b\n", "x", {decimal = ","})
    assert.same({1.5, -22.5}, values)
    assert.same({1.5, -22.5}, (column("x;y\n1,5;a\n-2,25e1;b\n", "x")))
    assert.same({"1,5"}, select(3, column("x;y\n1,5;a\n", "x",
                                          {decimal = "."})))
    assert.same({"1,5", "a,5"}, select(3, column("x;y\n1,5;1\na,5;2\n",
                                                 "x")))
    assert.same({"1,5"}, select(3, column('x,y\n"1,5",a\n', "x")))
  end)

  it("are named by the first row unless it has numbers", function()
    assert.same({"a", "b"}, parse("a,b\nx,y\n").columns)
    assert.same({"c1", "c2"}, parse("1,b\n2,y\n").columns)
    assert.equal(2, #parse("1,b\n2,y\n"))
    assert.same({"c1", "c2"}, parse("a,b\nx,y\n",
                                    {header = false}).columns)
    assert.same({"1", "b"}, parse("1,b\n2,y\n", {header = true}).columns)
    assert.same({"a", "c2", "a_2"}, parse("a,,a\n1,2,3\n").columns)
    assert.same({"u", "v"}, parse("1,2\n", {names = {"u", "v"}}).columns)
    assert.same({5, 6}, parse("a,b\n5,6\n", {names = {"u", "v"}})
                        :tensor()[1]:totable())
    assert.equal(2, #parse("x,y\nz,w\n", {names = {"u", "v"}}))
    assert.matches("1 names for the 2 columns",
                   refused("1,2\n", {names = {"u"}}))
  end)

  it("are chosen by name or place, in an order of one's own", function()
    local t = parse("a,b,c\n1,2,3\n", {columns = {"c", 1}})
    assert.same({"c", "a"}, t.columns)
    assert.matches("columns names 'd', but there is no such column",
                   refused("a,b\n1,2\n", {columns = {"d"}}))
    assert.matches("no columns were asked for",
                   refused("a\n1\n", {columns = {}}))
  end)

  it("have the type that is asked for, or an error at the cell", function()
    local _, dtype = column("x\n1\n2\n", "x", {types = {x = "float32"}})
    assert.equal("float32", dtype)
    local _, _, words = column("x\n10\n9\n", "x", {types = {x = "category"}})
    assert.same({"10", "9"}, words)
    assert.same({3}, (column("x\n3.0\n", "x", {types = {x = "int64"}})))
    assert.same({true, false}, (column("x\n1\n0\n", "x",
                                       {types = {x = "bool"}})))
    assert.matches("line 3, column 1 %(x%): 'abc' is not a number",
                   refused("x\n1\nabc\n", {types = {x = "float64"}}))
    assert.matches("line 2, column 1 %(x%): '1.5' is not an integer",
                   refused("x\n1.5\n", {types = {x = "int64"}}))
    assert.matches("line 2, column 1 %(x%): '2' is not true or false",
                   refused("x\n2\n", {types = {x = "bool"}}))
    assert.matches("the type of 'x' is 'int', expected one of bool",
                   refused("x\n2\n", {types = {x = "int"}}))
    assert.matches("types names 'z'.*there is x",
                   refused("x\n2\n", {types = {z = "bool"}}))
  end)

  it("do not become words for a few that stand among many numbers",
  function()
    local text = "x,y\n" .. ("1,2\n"):rep(10) .. "1,on request\n"
    assert.matches("line 12, column y: 'on request' stands among 10 numbers",
                   refused(text))
    assert.equal(11, #parse(text, {columns = {"x"}}))
    assert.same({"2", "on request"}, select(3, column(text, "y",
      {types = {y = "category"}})))
    assert.equal(11, #parse("x,y\n" .. ("1,2\n"):rep(9) .. "1,a\n1,b\n"))
    assert.equal(0, parse("x\n" .. ("1\n"):rep(10) .. "none\n", {missing = 0,
      missing_words = {"none"}}):column "x"[11])
  end)

  it("do not become words for one that stands in the first row", function()
    local text = "rooms,price\nunknown,100\n" .. ("1,100\n"):rep(20)
    assert.matches("line 2, column rooms: 'unknown' stands among 20 numbers",
                   message(parse, text))
  end)

  it("number words in their order, or as they were given", function()
    local ids, _, words = column("x\nred\nblue\nred\n", "x")
    assert.same({"blue", "red"}, words)
    assert.same({2, 1, 2}, ids)
    ids, _, words = column("x\nred\nblue\n", "x",
                           {categories = {x = {"red", "green", "blue"}}})
    assert.same({"red", "green", "blue"}, words)
    assert.same({1, 3}, ids)
    assert.matches("line 2, column 1 %(x%): 'red' is not among the categor",
                   refused("x\nred\n", {categories = {x = {"blue"}}}))
  end)

  it("hold many words", function()
    local lines, want = {"x"}, {}
    for i = 1, 5000 do
      lines[i + 1] = ("w%d"):format(i * 7919 % 1000)
      want[i] = lines[i + 1]
    end
    local t = parse(table.concat(lines, "\n"))
    assert.equal(1000, #t:categories "x")
    for i = 1, 5000, 97 do assert.equal(want[i], t[i].x) end
  end)

end)


describe("CSV gaps", function()

  it("are an error that says where, unless told", function()
    assert.matches("line 3, column 2 %(b%): the cell is empty; say what",
                   refused "a,b\n1,2\n3,\n")
    assert.matches("line 2, column 1 %(a%): 'NA' counts as nothing; say what",
                   refused "a\nNA\n1\n")
  end)

  it("become NaN, a number, or take their row along", function()
    local nan = column("a,b\n1,2\n3,\n", "b", {missing = "nan"})
    assert.equal(2, nan[1])
    assert.is_true(nan[2] ~= nan[2])
    local filled, dtype = column("a,b\n1,2\n3,\n", "b", {missing = -1})
    assert.same({2, -1}, filled)
    assert.equal("int64", dtype)
    filled, dtype = column("a,b\n1,2\n3,\n", "b", {missing = 0.5})
    assert.same({2, 0.5}, filled)
    assert.equal("float64", dtype)
    local t = parse("a,b\n1,2\n3,\n5,6\n", {missing = "drop"})
    assert.same({1, 5}, t:column "a":totable())
    t = parse("a,b\n1,\n,2\n5,6\n", {missing = {a = "drop", b = 0}})
    assert.same({0, 6}, t:column "b":totable())
    assert.matches('missing is "zero", expected error, nan, drop or a number',
                   refused("a\n1\n", {missing = "zero"}))
  end)

  it("are also words such as NA, but only among numbers", function()
    local values = column("x\n1\nNA\nnull\n?\n", "x", {missing = 0})
    assert.same({1, 0, 0, 0}, values)
    local _, _, words = column("x\nNA\nyes\n", "x")
    assert.same({"NA", "yes"}, words)
    assert.same({"-999"}, select(3, column("x\n-999\n", "x",
                                           {types = {x = "category"}})))
    assert.same({0, 5}, (column("x\n-999\n5\n", "x",
      {missing = 0, missing_words = {"-999"}, types = {x = "int64"}})))
  end)

  it("of words are refused where that is asked for by name", function()
    local text = "a,w\n1,x\n2,\n"
    assert.matches("line 3, column 2 %(w%): the cell is empty",
                   message(parse, text, {missing = {w = "error"}}))
    assert.equal(1, #parse(text, {missing = {w = "drop"}}))
    assert.matches('missing is 3 for \'w\', which holds words',
                   message(parse, text, {missing = {w = 3}}))
  end)

  it("do not change the type that was asked for", function()
    assert.matches("column 'n' has 1 cells without a value, and int64, its " ..
                   "type, has no nan", message(parse, "n,m\n1,1\n,2\n",
                   {missing = "nan", types = {n = "int64"}}))
  end)

  it("of words are a word of their own, or dropped", function()
    local _, _, words = column("x,y\n,1\na,2\n", "x")
    assert.same({"", "a"}, words)
    assert.equal(1, #parse("x,y\n,1\na,2\n", {missing = "drop"}))
  end)

end)


describe("CSV rows", function()

  it("must be of one length, unless told", function()
    assert.matches("line 3: 1 cells, expected 2 as in the first record",
                   refused "a,b\n1,2\n3\n")
    assert.matches("line 2: 3 cells, expected 2", refused "a,b\n1,2,3\n")
    assert.matches("line 3: 3 cells",
                   refused("a,b\n1\n1,2,3\n", {ragged = "fill",
                                                missing = "nan"}))
    assert.same({{2, 0}, 2}, {parse("a,b\n1,2\n3\n", {
      ragged = "fill", missing = 0}):column "b":totable(), 2})
    assert.equal(1, #parse("a,b\n1,2\n3\n4,5,6\n", {ragged = "drop"}))
  end)

  it("can be skipped, limited and commented out", function()
    local text = "made by a machine\n# note\na,b\n1,2\n#x\n3,4\n5,6\n"
    local t = parse(text, {skip = 1, comment = "#", rows = 2})
    assert.same({1, 3}, t:column "a":totable())
    assert.equal(0, #parse("a,b\n1,2\n", {rows = 0}))
    assert.equal(0, #parse("a,b\n"))
  end)

  it("have at most 16 MiB and 1,048,576 cells", function()
    local most = 16 * 2 ^ 20 // 1
    for quote, complaint in pairs{[""] = "longer than 16 MiB",
                                  ['"'] = "does not end"} do
      local text = quote .. ("x"):rep(most - 2 * #quote)
      assert.equal(1, #parse("a\n" .. text .. quote .. "\n"))
      assert.matches("line 2: .*" .. complaint,
                     refused("a\n" .. text .. "xx" .. quote .. "\n"))
    end
    local cells = ("1,"):rep(2 ^ 20 // 1 - 1) .. "1"
    assert.equal(1, #parse(cells .. "\n", {columns = {1}}))
    assert.matches("line 1: more than 1048576 cells",
                   refused(cells .. ",1\n"))
  end)

  it("are counted by the lines of the file, quotes included", function()
    assert.matches("line 6, column 1",
                   refused('x,y\n"1",a\n2,"p\nq"\n\nz,b\n',
                           {types = {x = "int64"}}))
  end)

end)


describe("a CSV file", function()
  local path

  before_each(function() path = os.tmpname() end)
  after_each(function() os.remove(path) end)

  local function write(text)
    local file = assert(io.open(path, "wb"))
    file:write(text)
    file:close()
  end

  it("that is none is refused in words", function()
    assert.matches("cannot open '/nonexistent/x.csv'",
                   message(neap.load_csv, "/nonexistent/x.csv"))
    assert.matches("the file is empty", refused "")
    assert.matches("there is nothing", refused "\n\n")
    assert.matches("is UTF%-16; save it as UTF%-8",
                   refused "\xff\xfea\0,\0b\0")
    assert.matches("line 2: a zero byte", refused "a\n\0\n")
    assert.matches("expected the path of a file", message(neap.load_csv, 5))
    assert.matches("no option 'seperator'; did you mean 'separator'",
                   refused("a\n1\n", {seperator = ","}))
    assert.matches("separator must be one byte",
                   refused("a\n1\n", {separator = ",,"}))
  end)

  it("may begin with a mark of UTF-8, and may be packed", function()
    assert.same({"ä"}, parse("\xef\xbb\xbfä\n1\n").columns)
    write "a,b\n1,2\n"
    if os.execute("gzip -kf " .. path) then
      local t = neap.load_csv(path .. ".gz")
      assert.same({a = 1, b = 2}, t[1])
      os.remove(path .. ".gz")
    end
  end)

  it("is written so that it can be read again", function()
    local t = data.Table({"n", "x", "w", "b"}, {
      neap.tensor({1, -2}, {dtype = "int64"}),
      neap.tensor({0.1, 0/0}, {dtype = "float64"}),
      neap.tensor({2, 1}, {dtype = "int64"}), neap.tensor{true, false}
    }, {w = {'a "b", c', " d"}})
    neap.save_csv(path, t)
    local again = neap.load_csv(path, {missing = "nan"})
    assert.same(t.columns, again.columns)
    assert.same({1, -2}, again:column "n":totable())
    assert.equal(0.1, again:column "x"[1])
    assert.is_true(again[2].x ~= again[2].x)
    assert.equal(" d", again[1].w)
    assert.equal('a "b", c', again[2].w)
    assert.same({true, false}, again:column "b":totable())
    neap.save_csv(path, neap.tensor{{1, 2.5}, {3, 4}})
    assert.same({c1 = 3, c2 = 4}, neap.load_csv(path)[2])
    assert.matches("expected a table or a tensor",
                   message(neap.save_csv, path, neap.zeros(3)))
    assert.matches("save_csv: ", message(neap.save_csv, "/nonexistent/a",
                                         neap.zeros(1, 1)))
  end)

  it("is read or refused at each of its lengths", function()
    local text = 'a,b,c\n1,"x ""y""",2.5\n-3,z,1e5\n'
    for n = 0, #text do
      local ok, got = pcall(parse, text:sub(1, n))
      if not ok then
        assert.matches("text, line %d+", got)
        assert.is_nil(got:find "%.c:")
      else assert.is_true(#got <= 2) end
    end
  end)

  it("leaves nothing behind, whatever request for memory fails", function()
    local text = 'a,b\n1,"x ""y"""\n,z\n3,x\n'
    check.out_of_memory(function()
      parse(text, {missing = "drop"}):column "b":sum()
    end)
  end)

end)
