local neap = require "neap"
local cli = require "neap.cli"
local options = require "neap.options"
local message = require("spec.support.check").message

local declared = {
  {"file", "string", positional = true, required = true, help = "data"},
  {"epochs", "integer", default = 5, least = 1, help = "passes"},
  {"lr", "number", default = 0.5},
  {"loss", "string", default = "mse", choices = {"mse", "l1"}},
  {"verbose", "boolean", default = false},
  {"save", "boolean", default = true}
}

local function parse(...) return cli.parse(declared, {...}) end

local function why(...)
  local out, text = parse(...)
  assert.is_nil(out)
  return text
end

describe("options of a script", function()

  it("are read from words", function()
    assert.same({file = "a.csv", epochs = 5, lr = 0.5, loss = "mse",
                 verbose = false, save = true}, parse "a.csv")
    assert.same({file = "a.csv", epochs = 7, lr = 2.0, loss = "l1",
                 verbose = true, save = false},
                parse("--epochs", "7", "--lr=2", "a.csv", "--verbose",
                      "--no-save", "--loss=l1"))
    assert.equal("--x", parse("--", "--x").file)
    assert.equal("-5", parse("-5").file)
    local o = cli.parse({{"learning_rate", "number"}, {"dry-run", "boolean"}},
                        {"--learning-rate=0.5", "--dry-run"})
    assert.same({learning_rate = 0.5, ["dry-run"] = true}, o)
  end)

  it("are asked for by names that were declared", function()
    local o = cli("About.", {{"epochs", "integer"}, {"dry-run", "boolean",
                                                     default = true}}, {})
    assert.is_nil(o.epochs)
    assert.is_true(o.dry_run)
    assert.matches("cli: there is no option 'epoch'; did you mean 'epochs'",
                   message(function() return o.epoch end))
  end)

  it("are refused in words", function()
    assert.equal("<file> is missing", why())
    assert.equal("there is no option --epoch; did you mean 'epochs'?",
                 why("a", "--epoch", "1"))
    assert.equal("--epochs is 0, expected an integer of at least 1",
                 why("a", "--epochs", "0"))
    assert.matches('^%-%-epochs is 1.5, expected an integer',
                   why("a", "--epochs", "1.5"))
    assert.equal('--lr is "fast", expected a number', why("a", "--lr=fast"))
    assert.equal('--loss is "l3", expected one of mse, l1',
                 why("a", "--loss", "l3"))
    assert.equal("--epochs needs a value", why("a", "--epochs"))
    assert.equal("--verbose takes no value", why("a", "--verbose=1"))
    assert.equal("'b' is one argument too many", why("a", "b"))
    assert.equal("there is no option -e; after -- it is an argument",
                 why("-e"))
  end)

  it("explain themselves", function()
    assert.equal("help", why("--help"))
    assert.equal("help", why("a", "-h"))
    local text = cli.help("Trains.", declared, "train.lua")
    assert.matches("^usage: train.lua %[options%] <file>\nTrains.\n\n", text)
    assert.matches("  <file> +data\n", text)
    assert.matches("  %-%-epochs <integer> +passes; default 5\n", text)
    assert.matches("  %-%-loss <string> +one of mse, l1; default mse\n", text)
    assert.matches("  %-%-%[no%-%]verbose +default no\n", text)
    assert.matches("  %-%-%[no%-%]save +default yes\n", text)
    assert.matches("  %-%-help +this text\n$", text)
  end)

  it("must be declared as such", function()
    for _, case in ipairs{
      {{{"n", "int"}}, "option n has the kind 'int', expected integer"},
      {{{"n"}}, "option n has no kind"},
      {{{name = "n"}}, "expected {name, kind, default =, ...}"},
      {{{"n", "integer", defualt = 1}}, "the key 'defualt', which means"},
      {{{"n", "integer", default = "x"}}, 'n is "x", expected an integer'},
      {{n = 5}, "expected a list of options"}
    } do
      assert.matches("cli: .*" .. case[2]:gsub("%p", "%%%0"),
                     message(cli, "About.", case[1], {}))
    end
    assert.matches("expected a text about the script", message(cli, {n = 1}))
  end)

  it("end a script that was called wrongly", function()
    local build = os.getenv "NEAP_BUILD" or "build"
    local path = os.tmpname()
    local file = assert(io.open(path, "w"))
    file:write[[
      local o = require("neap").cli("About.", {{"n", "integer", default = 1}})
      print("n is " .. o.n)
    ]]
    file:close()
    local function run(arguments)
      local pipe = io.popen(("%s/neap %s %s 2>&1"):format(build, path,
                                                          arguments))
      local text = pipe:read "a"
      local _, _, code = pipe:close()
      return text, code
    end
    assert.same({"n is 3\n", 0}, {run "--n 3"})
    local text, code = run "--m 3"
    assert.equal(2, code)
    assert.matches("there is no option %-%-m; there is n\n", text)
    text, code = run "--help"
    assert.equal(0, code)
    assert.matches("About.", text)
    os.remove(path)
  end)

end)


describe("options of a function", function()

  local list = {{"a", "integer|table", least = 1, most = 3},
                {"b", "tensor"}, {"c", "string", required = true}}

  it("are checked by what was declared", function()
    local o = options.read("f", {a = 2, c = "x"}, list)
    assert.same({a = 2, c = "x"}, o)
    assert.equal(3, #options.read("f", {a = {1, 2, 3}, c = ""}, list).a)
    assert.equal(2, #options.read("f", {b = neap.ones(2), c = ""}, list).b)
    assert.matches("f: a is 4, expected an integer or a table from 1 to 3",
                   message(options.read, "f", {a = 4, c = ""}, list))
    assert.matches("f: a is 1.5, expected an integer or a table",
                   message(options.read, "f", {a = 1.5, c = ""}, list))
    assert.matches("f: b is a table, expected a tensor",
                   message(options.read, "f", {b = {}, c = ""}, list))
    assert.matches("f: the option c is missing %(a string%)",
                   message(options.read, "f", {}, list))
    assert.matches("f: no option 'zebra'; there is a, b, c",
                   message(options.read, "f", {zebra = 1}, list))
    assert.matches("f: options are a table such as {a = ...}, not a number",
                   message(options.read, "f", 5, list))
  end)

end)
