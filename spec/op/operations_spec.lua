local neap = require "neap"
local check = require "spec.support.check"
local misuse = require "spec.op.misuse"
local samples = require "spec.op.samples"

describe("operations", function()

  it("are there for all samples", function()
    local known = {}
    for _, op in ipairs(neap._test.ops()) do known[op.name] = true end
    for name in pairs(samples) do assert.is_true(known[name], name) end
  end)

  for _, op in ipairs(neap._test.ops()) do
    describe(op.name, function()

      it("has a sample and a description", function()
        assert.is_table(samples[op.name], "no sample in spec/op/samples.lua")
        assert.is_true(#op.doc > 0)
        for _, field in ipairs(op.fields) do
          assert.is_true(#field.doc > 0, field.name)
        end
      end)

      for i, sample in ipairs(samples[op.name] or {}) do
        it(("is right on sample %d: gradients, types, layouts, every " ..
            "instruction set"):format(i), function()
          check.op(sample[1], sample[2], sample[3])
        end)
      end

      if not op.inner then
        for name, case in pairs(misuse.of(op)) do
          it("says " .. name, function()
            local why = check.message(case[1])
            assert.matches(op.name .. "_?: ", why)
            assert.is_truthy(why:find(case[2], 1, true), why)
          end)
        end
      end

      if op.inplace and not op.initialiser and not op.inner then
        it("gives the same in place", function()
          for _, sample in ipairs(samples[op.name]) do
            local inputs = sample[2]
            if #inputs == 1 and not sample[3] then
              local x = inputs[1]
              local ok, expected = pcall(neap[op.name], x)
              if ok and neap.is_tensor(expected) and
                 op.name ~= "dropout" then
                local y = x:clone()
                local same = y[op.name .. "_"](y)
                assert.is_true(rawequal(same, y))
                check.near(expected, y, 0, 0)
                local z = x:clone()
                neap.no_grad(neap[op.name], x, {out = z})
                check.near(expected, z, 0, 0)
              end
            end
          end
        end)
      end
    end)
  end

  it("are the same as functions, methods and in nn.functional", function()
    local x = neap.tensor{{1, 2}, {3, 4}}
    local expected = neap.softmax(x, 2):totable()
    assert.same(expected, x:softmax(2):totable())
    assert.same(expected, x:softmax{dim = 2}:totable())
    assert.same(expected, neap.nn.functional.softmax(x, 2):totable())
  end)

  it("were checked in more than 20,000 cases", function()
    print(("\n%d cases of operations: layouts, types, instruction sets")
          :format(check.cases))
    local most = check.cases * 3 / #check.cpus     -- on a machine with three
    assert.is_true(most >= 20000, ("only %d"):format(check.cases))
  end)

end)
