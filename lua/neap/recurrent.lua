--- Recurrent layers: what their calls look like in Lua.
--
--     local y, state = lstm(x, state, {lengths = lengths})
--
-- x is (steps, batch, features), or (batch, steps, features) with
-- batch_first, or (steps, features). The state is {h, c} for LSTM and h for
-- RNN and GRU, each (layers * directions, batch, units); nil stands for
-- zeros. With `skip` it is {h, past}, or {h, c, past}. lengths are the
-- numbers of steps of the sequences of a padded batch: steps after them are
-- not computed, y is 0 there, and the state is that after the last step.

local neap = require "neap"
local fail = neap._fail
local options = require "neap.options"
local nn = neap.nn

local function lengths_of(who, given)
  local o = options.read(who, given, {{"lengths", "table|tensor"}})
  return neap.nn.utils.rnn._lengths(who, o.lengths)
end

-- The parts of a state, which the layer calls `names`; a layer with skip
-- has one more.
local function parts_of(who, state, names)
  local whole = #names == 1 and "h" or "{h, c}"
  if neap.is_tensor(state) and #names == 1 then return state end
  if neap.is_tensor(state) or type(state) ~= "table" then
    fail("%s: the state is a %s, expected %s", who,
         neap.is_tensor(state) and "tensor" or type(state), whole)
  end
  if state.lengths ~= nil then
    fail("%s: lengths come third: %s", who, "layer(x, state or nil, " ..
         "{lengths = ...})")
  end
  for i = 1, #names do
    if not neap.is_tensor(state[i]) then
      fail("%s: part %d of the state, %s, is a %s, expected a tensor", who,
           i, names[i], type(state[i]))
    end
  end
  if #state > #names + 1 then
    fail("%s: the state has %d parts, expected %s", who, #state, whole)
  end
  return table.unpack(state, 1, #names + 1)
end

-- What a layer gives: y and its state, in a table where that has parts.
local function results(y, h, ...)
  if select("#", ...) == 0 then return y, h end
  return y, {h, ...}
end

local function define(class, names)
  local in_c, who = class.forward, class._name
  function class:forward(x, state, given)
    local lengths = given ~= nil and lengths_of(who, given) or nil
    if state == nil and lengths == nil then return results(in_c(self, x)) end
    if #names == 1 then
      local h, past
      if state ~= nil then h, past = parts_of(who, state, names) end
      return results(in_c(self, x, h, past, lengths))
    end
    local h, c, past
    if state ~= nil then h, c, past = parts_of(who, state, names) end
    return results(in_c(self, x, h, c, past, lengths))
  end
end

define(nn.LSTM, {"h", "c"})
define(nn.GRU, {"h"})
define(nn.RNN, {"h"})

-- h, c = cell(x, {h, c})
local step = nn.LSTMCell.forward
function nn.LSTMCell:forward(x, state)
  if state == nil then return step(self, x) end
  local h, c = parts_of("LSTMCell", state, {"h", "c"})
  return step(self, x, h, c)
end

-- layer:stream{batch}: the layer step by step, for what comes as it comes
-- (sound, sensors, games). The state stays inside; a step asks for no
-- memory. x is (batch, features), or (features) without `batch`; the result
-- is the same tensor each time, overwritten by the next step. Weights are
-- copied when the stream is made; nothing is recorded. As in eval mode; not
-- for bidirectional layers, skip and layer_norm.
local function stream(self, given)
  local o = options.read("stream", given, {{"batch", "integer", least = 1}})
  return neap._stream(self, o.batch)
end
nn.LSTM.stream, nn.GRU.stream, nn.RNN.stream = stream, stream, stream

local Stream = neap._stream_methods

--- A copy of the state, as the layer gives it: h, or {h, c}.
function Stream:state()
  local h, c = self:_state()
  if c then return {h:clone(), c:clone()} end
  return h:clone()
end

--- Goes on from a state that state() or the layer gave.
function Stream:set_state(state)
  local h, c = self:_state()
  local parts = {parts_of("set_state", state, c and {"h", "c"} or {"h"})}
  for i, own in ipairs{h, c} do
    if own.ndim == 2 and parts[i].ndim == 3 and parts[i].shape[2] == 1 then
      parts[i] = parts[i]:squeeze(2)             -- of a batch of one
    end
    if table.concat(parts[i].shape, "x") ~= table.concat(own.shape, "x") then
      fail("set_state: %s is %s, expected %s", i == 1 and "h" or "c",
           table.concat(parts[i].shape, "x"), table.concat(own.shape, "x"))
    end
  end
  neap.no_grad(function()
    for i, own in ipairs{h, c} do own:copy_(parts[i]) end
  end)
  return self
end
