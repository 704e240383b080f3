-- Inputs that were hostile before: each reader takes those that fuzzing
-- found to be of interest, and small files of its format.

local build = os.getenv "NEAP_BUILD" or "build"

describe("readers", function()

  it("survive what fuzzing has found", function()
    local pipe = io.popen(("make -s replay B=%s 2>&1"):format(build))
    local text = pipe:read "a"
    local ok = pipe:close()
    assert.is_true(ok, text)
    for _, name in ipairs{"csv", "idx", "model", "npy", "npz",
                         "safetensors"} do
      local count = text:match("%f[%a]" .. name .. ": (%d+) inputs")
      assert.is_true(tonumber(count) > 0, text)
    end
  end)

end)
