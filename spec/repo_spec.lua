-- About the repository itself: nothing without a spec or a description.

local function lines(command)
  local list = {}
  local pipe = io.popen(command)
  for line in pipe:lines() do list[#list + 1] = line end
  pipe:close()
  return list
end

local function read(path)
  local file = assert(io.open(path))
  local text = file:read "a"
  file:close()
  return text
end

describe("the repository", function()

  it("has file names that differ", function()
    local seen = {}
    for _, path in ipairs(lines "ls src/*/*.c") do
      local name = path:match "[^/]+$"
      -- layers and operations may share a word; their objects do not
      local key = path:match "src/(%w+)/" .. "_" .. name
      assert.is_nil(seen[key], path)
      seen[key] = true
    end
  end)

  it("says at the top of each file what it is", function()
    for _, path in ipairs(lines "ls src/*/*.c src/*/*.h src/*.c src/*.h") do
      assert.matches("^/%*\n%*%* %S", read(path), path)
    end
    for _, path in ipairs(lines "find lua -name '*.lua'") do
      assert.matches("^%-%-%- %S", read(path), path)
    end
  end)

  it("calls every function of neap.h in a spec or in the library", function()
    local header = read "src/neap.h"
    local users = ""
    for _, path in ipairs(lines("ls spec/api/*.c examples/embed/*.c " ..
                                "src/lua/*.c src/main.c")) do
      users = users .. read(path)
    end
    for name in header:gmatch "NEAP_API [%w_ ]-%*?(neap_%w+) %(" do
      assert.is_truthy(users:find("%f[%w_]" .. name .. "%f[^%w_]"), name)
    end
  end)

  it("has no marks of unfinished work", function()
    local marks = "TO" .. "DO\\|FIX" .. "ME\\|XX" .. "X"
    assert.same({}, lines("grep -rn '" .. marks ..
                          "' src lua examples --include=*.[chl]*"))
  end)

  it("says in the README what can be run", function()
    local readme = read "README.md"
    local makefile = read "Makefile"
    for target in readme:gmatch "make (%l[%w-]+)" do
      assert.matches("\n" .. target:gsub("%-", "%%-") .. ":", makefile,
                     target)
    end
  end)

end)
