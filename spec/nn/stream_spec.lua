local neap = require "neap"
local check = require "spec.support.check"
local nn, message = neap.nn, check.message

-- The outputs of a stream, step by step, copied.
local function steps(s, x)
  local out = {}
  for t = 1, #x do out[t] = s(x[t]):clone() end
  return neap.stack(out, 1)
end

local layers = {
  RNN = {{}, {num_layers = 3, nonlinearity = "relu", bias = false}},
  LSTM = {{}, {num_layers = 2, residual = "input", proj_size = 3},
          {num_layers = 2, learned_state = true, forget_bias = 1}},
  GRU = {{}, {num_layers = 4, residual = true}}
}

describe("a stream", function()

  it("gives the bits of the whole sequence", function()
    check.each_cpu(function()
      for kind, list in pairs(layers) do
        for _, o in ipairs(list) do
          for _, dtype in ipairs{"float32", "float64"} do
            local net = nn[kind](3, 7, o):to(dtype)
            local x = neap.randn({6, 2, 3}, {dtype = dtype})
            local y, state = net(x)
            local s = net:stream{batch = 2}
            assert.same(y:totable(), steps(s, x):totable())
            local last = s:state()
            if kind == "LSTM" then
              assert.same(state[1]:totable(), last[1]:totable())
              assert.same(state[2]:totable(), last[2]:totable())
            else assert.same(state:totable(), last:totable()) end
            s = net:stream()
            assert.same(net(x[{{}, 1}]):totable(),
                        steps(s, x[{{}, 1}]):totable())
          end
        end
      end
    end)
  end)

  it("goes back to a state, and begins anew", function()
    local net = nn.LSTM(2, 5, {num_layers = 2})
    local s, x = net:stream(), neap.randn(8, 2)
    local first = steps(s, x)
    local saved = s:state()
    local more = steps(s, x)
    assert.is_false(neap.equal(first, more))
    assert.is_true(neap.equal(more, steps(s:set_state(saved), x)))
    assert.is_true(neap.equal(first, steps(s:reset(), x)))
    local other = net:stream():set_state(saved)
    assert.is_true(neap.equal(more, steps(other, x)))
    local _, state = net(x)
    check.near(more, steps(net:stream():set_state(state), x), 0, 1e-6)
  end)

  it("returns one tensor, and asks the system for nothing", function()
    local s, x = nn.GRU(4, 8):stream(), neap.randn(4)
    local y = s(x)
    local before = neap.memory()
    for _ = 1, 100 do assert.is_true(rawequal(y, s(x))) end
    assert.equal(before.requests, neap.memory().requests)
    assert.equal(before.used, neap.memory().used)
  end)

  it("keeps the weights with which it was made", function()
    local net = nn.RNN(2, 3)
    nn.utils.weight_norm(net, "weight_hh_l0")
    local s, x = net:stream(), neap.randn(5, 2)
    local y = net(x)
    neap.no_grad(function() net.weight_ih_l0:zero_() end)
    check.near(y, steps(s, x), 0, 1e-6)
  end)

  it("refuses weights of other shapes and types", function()
    local function refused(text, change)
      local net = nn.LSTM(8, 64)
      change(net)
      assert.matches(text, message(net.stream, net), 1, true)
    end
    refused("bias_ih of layer 1 is float32 100000, expected float32 256",
            function(net)
              net.bias_ih_l0 = nn.Parameter(neap.zeros(100000))
            end)
    refused("weight_hh of layer 1 is float32 1x1, expected float32 256x64",
            function(net)
              net.weight_hh_l0 = nn.Parameter(neap.zeros(1, 1))
            end)
    refused("bias_ih of layer 1 is float64 256, expected float32 256",
            function(net)
              net.bias_ih_l0 = nn.Parameter(neap.zeros{256,
                                                       dtype = "float64"})
            end)
    refused("expected float32 256x512", function(net) net.input_size = 512 end)
  end)

  it("tells a graph that its output has changed", function()
    local s, head = nn.GRU(2, 3):stream(), nn.Linear(3, 1)
    local out = head(s(neap.randn(2))):sum()
    s(neap.randn(2))
    assert.matches("changed in place", message(out.backward, out))
  end)

  it("says what does not fit", function()
    local s = nn.LSTM(3, 4):stream{batch = 2}
    assert.matches("stream: x is 3, expected 2x3", message(s, neap.ones(3)))
    assert.matches("stream: x is 1x3, expected 2x3",
                   message(s, neap.ones(1, 3)))
    assert.matches("x is float64, but the weights are float32",
                   message(s, neap.ones{2, 3, dtype = "float64"}))
    assert.matches("set_state: h is 1x1x4, expected 1x2x4",
                   message(s.set_state, s, {neap.ones(1, 1, 4),
                                            neap.ones(1, 2, 4)}))
    assert.matches("set_state: the state is a tensor, expected {h, c}",
                   message(s.set_state, s, neap.ones(1)))
    local net = nn.GRU(3, 4, {bidirectional = true})
    assert.matches("stream: a step of this GRU needs more than the state",
                   message(net.stream, net))
    assert.matches("a stream expected, not number",
                   message(s.reset, 5))
    assert.matches("stream: Linear is no RNN, LSTM or GRU",
                   message(neap._stream, nn.Linear(2, 2)))
  end)

  it("survives each failing request for memory", function()
    for kind, list in pairs(layers) do
      for _, o in ipairs(list) do
        check.out_of_memory(function()
          local s = nn[kind](2, 4, o):stream{batch = 2}
          s(neap.ones(2, 2))
          s:set_state(s:state())
        end)
      end
    end
  end)

end)
