local build = os.getenv "NEAP_BUILD" or "build"

-- Runs a command; its output and whether it succeeded.
local function run(command)
  local pipe = io.popen(command .. " 2>&1")
  local text = pipe:read "a"
  local ok = pipe:close()
  return text, ok == true
end

local function libraries()
  local pipe = io.popen("make -s --no-print-directory print-libs B=" .. build)
  local text = pipe:read "a"
  pipe:close()
  return (text:gsub("%s+$", ""))
end

describe("neap.h", function()

  it("compiles alone as C99 and as C++98, without a warning", function()
    local c99 = "gcc -std=c99 -xc"
    local cpp = "gcc -std=c++98 -xc++"
    for _, command in ipairs{c99, cpp} do
      local text, ok = run(command .. " -pedantic -Wall -Wextra -Werror " ..
                           "-fsyntax-only src/neap.h")
      local no_compiler = text:find "cc1plus" ~= nil
      assert.is_true(ok or no_compiler, text)
    end
  end)

  it("lets a C host fit a line, see errors and give all back", function()
    local program = os.tmpname()
    local text, ok = run(("make -s lib B=%s && gcc -std=gnu99 -Isrc -o %s " ..
      "spec/api/host.c %s/libneap.a %s"):format(build, program, build,
                                                libraries()))
    assert.is_true(ok, text)
    text, ok = run(program)
    os.remove(program)
    assert.is_true(ok, text)
    assert.matches("w 2.000 b -1.000", text, 1, true)
    assert.matches("add: shapes 2 and 3 do not fit", text, 1, true)
    assert.matches("no option 'dimm'; did you mean 'dim'?", text, 1, true)
    assert.matches("done", text, 1, true)
  end)

  it("shows no names but neap_ in the library", function()
    local text, ok = run(("make -s lib B=%s && nm -g --defined-only " ..
                          "%s/libneap.a"):format(build, build))
    assert.is_true(ok, text)
    for name in text:gmatch "%x+ %u ([%w_.]+)" do
      assert.matches("^neap_", name)
    end
  end)

end)
