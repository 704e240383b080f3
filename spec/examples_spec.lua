-- The examples, in their smallest form; the one about data finds its files
-- beside the project.

local shared = require "spec.support.shared"

local build = os.getenv "NEAP_BUILD" or "build"
local function run(command, folder)
  local pipe = io.popen(("NEAP_DATA=%s %s/neap %s 2>&1")
                        :format(folder or "", build, command))
  local text = pipe:read "a"
  local ok = pipe:close()
  return text, ok
end

local function with_data(name, f) shared.with_data(it, pending, name, f) end

describe("the example", function()

  it("first.lua learns a circle, as the README has it", function()
    local path = os.tmpname()
    local text, ok = run("examples/first.lua " .. path)
    assert.is_true(ok, text)
    assert.is_true(tonumber(text:match "(%d+) of 256 points") > 245)
    os.remove(path)
    local file = assert(io.open "README.md")
    local readme = file:read "a"
    file:close()
    file = assert(io.open "examples/first.lua")
    for line in file:lines() do
      if not line:find "^%-%-" and not line:find "net:save" then
        assert.is_truthy(readme:find(line, 1, true), line)
      end
    end
    file:close()
  end)

  it("descents.lua shows paths of optimisers", function()
    local text, ok = run("examples/descents.lua")
    assert.is_true(ok, text)
    for _, name in ipairs{"gradient descent", "momentum, average", "Adam",
                          "LBFGS"} do
      assert.is_truthy(text:find("\n  " .. name, 1, true), name)
    end
    assert.is_truthy(text:find("( 1.000, 1.000) ", 1, true), text)
  end)

  with_data("iris.lua is right about at least 95 %", function(folder)
    local text, ok = run("examples/iris.lua", folder)
    assert.is_true(ok, text)
    assert.is_true(tonumber(text:match "mean accuracy ([%d.]+)") >= 95, text)
  end)

  with_data("house_prices.lua beats a linear model", function(folder)
    local text, ok = run("examples/house_prices.lua --epochs 4", folder)
    assert.is_true(ok, text)
    local errors = {}
    for rmse in text:gmatch "test RMSE (%d+) dollars" do
      errors[#errors + 1] = tonumber(rmse)
    end
    assert.equal(2, #errors)
    assert.is_true(errors[2] < errors[1] and errors[2] < 62000, text)
    local shown, again = text:match "network +(%d+) dollars",
                         text:match "loaded again: (%d+) dollars"
    assert.equal(shown, again)
  end)

  with_data("char_lm.lua learns letters and writes some", function(folder)
    local text, ok = run("examples/char_lm.lua --epochs 3 --hidden 64 " ..
      "--characters 50000 --sample 40 --steps 32 --lr 1e-2", folder)
    assert.is_true(ok, text)
    assert.is_true(tonumber(text:match "epoch  3  ([%d.]+)") < 3, text)
    assert.is_true(#text:match "\n\n(.*)$" >= 40, text)
  end)

  with_data("gpt_char.lua learns letters and writes some", function(folder)
    local text, ok = run("examples/gpt_char.lua --steps 64 --width 32 " ..
      "--layers 2 --characters 50000 --sample 40 --lr 1e-2", folder)
    assert.is_true(ok, text)
    assert.is_true(tonumber(text:match "step    64  ([%d.]+)") < 3, text)
    assert.is_true(#text:match "\n\n(.*)$" >= 40, text)
  end)

  with_data("airline.lua beats the last month and the last year",
  function(folder)
    local text, ok = run("examples/airline.lua", folder)
    assert.is_true(ok, text)
    local net, month, year = text:match(
      "LSTM ([%d.]+).- before ([%d.]+).-year ([%d.]+)")
    assert.is_true(tonumber(net) < math.min(tonumber(month), tonumber(year)),
                   text)
  end)

  with_data("names.lua makes names that are new", function(folder)
    local text, ok = run("examples/names.lua --epochs 2 --names 3000 " ..
      "--hidden 48 --make 5 --lr 1e-2", folder)
    assert.is_true(ok, text)
    assert.is_true(tonumber(text:match "epoch 2  ([%d.]+)") < 2.5, text)
    assert.is_truthy(text:find "new: %a+ %a+ %a+ %a+ %a+\nlikeliest: ", text)
  end)

  it("seq2seq.lua learns to read dates", function()
    local text, ok = run("examples/seq2seq.lua --steps 150 --test 20 " ..
                         "--hidden 32 --lr 1e-2")
    assert.is_true(ok, text)
    assert.is_true(tonumber(text:match "step  150  loss ([%d.]+)") < 1, text)
    assert.matches("right: [%d.]+ %% of 20 dates", text)
  end)

  it("convlstm.lua draws the next picture", function()
    local text, ok = run("examples/convlstm.lua --steps 3 --hidden 4")
    assert.is_true(ok, text)
    assert.matches("wrong pixels: the net [%d.]+ %%", text)
  end)

  for _, net in ipairs{"lenet", "resnet"} do
    with_data("fashion_cnn.lua learns pictures with " .. net,
    function(folder)
      local text, ok = run("examples/fashion_cnn.lua --samples 400 " ..
        "--epochs 2 --test 200 --augment --dropout 0.1 --net " .. net, folder)
      assert.is_true(ok, text)
      local right = text:match "epoch 2/2.- accuracy ([%d.]+)"
      assert.is_true(tonumber(right) > 0.25, text)
      assert.matches("test accuracy [%d.]+ %%", text)
    end)
  end

  with_data("autoencoder.lua learns digits and shows them", function(folder)
    local text, ok = run("examples/autoencoder.lua --samples 2000 " ..
      "--epochs 2 --test 100 --noise 0.1 --lr 5e-3", folder)
    assert.is_true(ok, text)
    assert.is_true(tonumber(text:match "epoch  2  error ([%d.]+)") < 0.075,
                   text)
    assert.equal(3 + 4 * 14, select(2, text:gsub("\n", "\n")), text)
  end)

  with_data("vae.lua learns digits and draws some", function(folder)
    local text, ok = run("examples/vae.lua --samples 3000 --epochs 3 " ..
      "--test 100 --hidden 100", folder)
    assert.is_true(ok, text)
    assert.is_true(tonumber(text:match "epoch  3  ELBO +([-%d.]+)") > -230,
                   text)
    assert.equal(5 + 4 * 14, select(2, text:gsub("\n", "\n")), text)
  end)

  for _, set in ipairs{"mnist", "fashion"} do
    with_data("gan.lua plays on " .. set, function(folder)
      local text, ok = run("examples/gan.lua --samples 128 --epochs 1 " ..
        "--width 8 --set " .. set, folder)
      assert.is_true(ok, text)
      assert.matches("epoch  1  losses: to draw [%d.]+, to tell [%d.]+", text)
      assert.equal(1 + 2 * 14, select(2, text:gsub("\n", "\n")), text)
    end)
  end

  with_data("vit_fashion.lua learns from patches", function(folder)
    local text, ok = run("examples/vit_fashion.lua --samples 600 " ..
      "--epochs 3 --test 200 --dim 32 --depth 2 --patch 7 --lr 3e-3", folder)
    assert.is_true(ok, text)
    assert.is_true(tonumber(text:match "test accuracy ([%d.]+)") > 30, text)
  end)

end)
