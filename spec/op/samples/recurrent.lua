-- Samples of recurrent layers over a sequence.

local F = require "neap".nn.functional
local i = require "spec.op.samples.inputs"
local randn, int = i.randn, i.int

-- Inputs after x and the weights, by name.
local function call(name, names, options)
  return function(x, w_ih, w_hh, ...)
    local o = {}
    for key, value in pairs(options or {}) do o[key] = value end
    for k, value in ipairs{...} do o[names[k]] = value end
    local y, h, c = F[name](x, w_ih, w_hh, o)
    if c then return y, h, c end
    return y, h
  end
end

local biases = {"bias_ih", "bias_hh"}
local states = {"bias_ih", "bias_hh", "h0", "c0"}
local sizes = int{3, 2, 2, 1}

-- A cell of 3 units with `gates` gates, over 4 steps of 2 sequences.
local function samples_of(name, gates, has_c)
  local n = gates * 3
  local function weights(...)
    return {randn(4, 2, 2), randn(n, 2), randn(n, 3), ...}
  end
  local function packed(...)
    return {randn(8, 2), randn(n, 2), randn(n, 3), ...}
  end
  local c0 = has_c and randn(2, 3) or nil
  local c3 = has_c and randn(3, 3) or nil
  return {
    {call(name), weights()},
    {call(name, biases, {reverse = true}), weights(randn(n), randn(n))},
    {call(name, states), weights(randn(n), randn(n), randn(2, 3), c0)},
    {call(name, states, {recompute = 3}),
     weights(randn(n), randn(n), randn(2, 3), c0)},
    {call(name, biases, {sizes = sizes}), packed(randn(n), randn(n))},
    {call(name, states, {sizes = sizes, reverse = true, recompute = 2}),
     packed(randn(n), randn(n), randn(3, 3), c3)},
    {call(name), {randn(0, 2, 2), randn(n, 2), randn(n, 3)}},
    {call(name), {randn(3, 0, 2), randn(n, 2), randn(n, 3)}}
  }
end

local samples = {
  rnn_tanh = samples_of("rnn_tanh", 1),
  rnn_relu = samples_of("rnn_relu", 1),
  gru = samples_of("gru", 3),
  lstm = samples_of("lstm", 4, true)
}
for _, options in ipairs{{}, {reverse = true}, {recompute = 2}} do
  table.insert(samples.lstm, {
    call("lstm", {"weight_hr", "h0", "c0"}, options),
    {randn(4, 2, 2), randn(12, 2), randn(12, 2), randn(2, 3), randn(2, 2),
     randn(2, 3)}})
end
return samples
