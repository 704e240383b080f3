local neap = require "neap"
local check = require "spec.support.check"
local nn, message, ids = neap.nn, check.message, check.ids

local f64 = {dtype = "float64"}
local function randn(...) return neap.randn({...}, f64) end

-- Results of a recurrent layer as a list: y, then the parts of the state.
local function flat(y, state)
  if neap.is_tensor(state) then return {y, state} end
  return {y, table.unpack(state)}
end

local function is_lstm(kind) return kind == "LSTM" end

-- A random state of a layer.
local function state_of(kind, count, batch, out, units)
  local h = randn(count, batch, out)
  if is_lstm(kind) then return {h, randn(count, batch, units)} end
  return h
end

-- The part of a state that belongs to one sequence.
local function state_at(state, b)
  if neap.is_tensor(state) then return state[{{}, {b, b}}]:contiguous() end
  return {state_at(state[1], b), state_at(state[2], b)}
end

local kinds = {"RNN", "LSTM", "GRU"}

-- Gradients of inputs, states and parameters against differences.
local function gradcheck(net, kind, x, state, options)
  local names, values = {}, {}
  for name, p in net:named_parameters() do
    names[#names + 1], values[#values + 1] = name, p
  end
  local inputs = {x, state}
  if is_lstm(kind) then inputs = {x, state[1], state[2]} end
  local function run(...)
    local args = {...}
    local s = args[2]
    if is_lstm(kind) then s = {args[2], args[3]} end
    return table.unpack(flat(net(args[1], s, options)))
  end
  assert.is_true(neap.gradcheck(run, inputs))
  local weights = {}
  local function loss()
    local sum
    for i, y in ipairs{run(table.unpack(inputs))} do
      weights[i] = weights[i] or neap.randn(y.shape, {
        dtype = "float64", generator = neap.generator(i)})
      local part = (y * weights[i]):sum()
      sum = sum and sum + part or part
    end
    return sum
  end
  net:zero_grad()
  loss():backward()
  for k, p in ipairs(values) do
    local elements, grad = p:detach():reshape(-1), p.grad:reshape(-1)
    for i = 1, #elements, 3 do
      local value = elements[i]
      elements[i] = value + 1e-6
      local above = neap.no_grad(loss):item()
      elements[i] = value - 1e-6
      local below = neap.no_grad(loss):item()
      elements[i] = value
      assert.near((above - below) / 2e-6, grad[i],
                  1e-6 * (1 + math.abs(grad[i])), names[k])
    end
  end
end

-- Every combination of a few options.
local function combinations(list, f)
  local chosen = {}
  local function choose(k)
    if k > #list then
      local copy = {}
      for name, value in pairs(chosen) do copy[name] = value end
      return f(copy)
    end
    for _, value in ipairs(list[k][2]) do
      chosen[list[k][1]] = value
      choose(k + 1)
    end
  end
  choose(1)
end

describe("recurrent layers", function()

  before_each(function() neap.manual_seed(7) end)

  for _, kind in ipairs(kinds) do
    it(kind .. " has right gradients with every combination of options",
    function()
      local count = 0
      combinations({
        {"num_layers", {1, 2}}, {"bidirectional", {false, true}},
        {"residual", {false, true, "input"}}, {"layer_norm", {false, true}},
        {"skip", {0, 2}}, {"proj_size", is_lstm(kind) and {0, 2} or {0}},
        {"lengths", {false, true}}
      }, function(o)
        local lengths = o.lengths and {lengths = {2, 4}} or nil
        o.lengths = nil
        if not is_lstm(kind) then o.proj_size = nil end
        local net = nn[kind](3, 3, o):to("float64")
        local n = o.num_layers * (o.bidirectional and 2 or 1)
        local out = (o.proj_size or 0) > 0 and o.proj_size or 3
        gradcheck(net, kind, randn(4, 2, 3), state_of(kind, n, 2, out, 3),
                  lengths)
        count = count + 1
      end)
      assert.equal(is_lstm(kind) and 192 or 96, count)
    end)
  end

  it("run padded sequences as if each were alone", function()
    local lengths = {3, 7, 1, 7, 4}
    for _, kind in ipairs(kinds) do
      combinations({
        {"bidirectional", {false, true}}, {"batch_first", {false, true}},
        {"skip", {0, 2}}, {"layer_norm", {false, true}}
      }, function(o)
        o.num_layers = 2
        local net = nn[kind](3, 4, o):to("float64")
        local n = o.bidirectional and 4 or 2
        local x = o.batch_first and randn(5, 7, 3) or randn(7, 5, 3)
        local state = state_of(kind, n, 5, 4, 4)
        local all = flat(net(x, state, {lengths = lengths}))
        for b, length in ipairs(lengths) do
          local part = o.batch_first and x[{{b, b}, {1, length}}]
                       or x[{{1, length}, {b, b}}]
          local one = flat(net(part, state_at(state, b)))
          local y = o.batch_first and all[1][b] or all[1][{{}, b}]
          local own = o.batch_first and one[1][1] or one[1][{{}, 1}]
          check.near(own, y[{{1, length}}], 0, 1e-12)
          assert.equal(0, y[{{length + 1, -1}}]:abs():sum():item())
          for i = 2, #all - (o.skip > 1 and 1 or 0) do
            check.near(one[i][{{}, 1}], all[i][{{}, b}], 0, 1e-12)
          end
        end
      end)
    end
  end)

  it("go on from a state as if they had not stopped", function()
    for _, kind in ipairs(kinds) do
      for _, skip in ipairs{0, 1, 3} do
        local net = nn[kind](3, 4, {num_layers = 2, skip = skip})
                    :to("float64")
        local x = randn(9, 2, 3)
        local whole = flat(net(x))
        local state, ys
        for _, part in ipairs{{1, 4}, {5, 5}, {6, 9}} do
          local y
          y, state = net(x[{part}], state)
          ys = ys and neap.cat({ys, y}, 1) or y
        end
        check.near(whole[1], ys, 0, 1e-12)
        local last = flat(ys, state)
        for i = 2, #whole do check.near(whole[i], last[i], 0, 1e-12) end
      end
    end
  end)

  it("have the same bits with more threads and when recomputed", function()
    for _, kind in ipairs(kinds) do
      local x = neap.randn(20, 32, 16)
      local function run(threads, recompute)
        neap.manual_seed(3)
        neap.set_num_threads(threads)
        local net = nn[kind](16, 40, {recompute = recompute})
        local input = x:clone():requires_grad_()
        local y, state = net(input)
        y:sum():backward()
        local out = {y, input.grad}
        for _, p in ipairs(net:parameters()) do out[#out + 1] = p.grad end
        return out, state
      end
      local before = neap.get_num_threads()
      local one, two = run(1, 0), run(2, 0)
      local pieces = run(2, 6)
      neap.set_num_threads(before)
      for i = 1, #one do
        assert.same(one[i]:totable(), two[i]:totable())
        check.near(one[i], pieces[i], 1e-4, 1e-4)
      end
      assert.same(one[1]:totable(), pieces[1]:totable())
    end
  end)

  it("need less memory where gates are computed again", function()
    local function used(recompute)
      local net = nn.LSTM(8, 32, {recompute = recompute})
      local x = neap.randn(400, 4, 8)
      local before = neap.memory().used
      local y = net(x)
      return neap.memory().used - before, y
    end
    local all, y1 = used(0)
    local few, y2 = used(20)
    assert.is_true(few < all / 3, ("%d and %d bytes"):format(few, all))
    assert.same(y1.shape, y2.shape)
  end)

  it("take x without a batch", function()
    for _, kind in ipairs(kinds) do
      local net = nn[kind](3, 4, {num_layers = 2, batch_first = true})
      local x = neap.randn(5, 3)
      local one = flat(net(x))
      local batch = flat(net(x:unsqueeze(1)))
      assert.same({5, 4}, one[1].shape)
      assert.same({2, 4}, one[2].shape)
      check.near(batch[1][1], one[1], 0, 1e-6)
      local again = flat(net(x, is_lstm(kind) and {one[2], one[3]} or one[2]))
      assert.same({2, 4}, again[2].shape)
    end
  end)

  it("start forget gates with a bias, and states with what is learned",
  function()
    local net = nn.LSTM(2, 3, {forget_bias = 1})
    assert.same({1, 1, 1}, net.bias_ih_l0[{{4, 6}}]:totable())
    assert.same({0, 0, 0}, net.bias_hh_l0[{{4, 6}}]:totable())
    net = nn.LSTM(2, 3, {learned_state = true, bidirectional = true})
    neap.no_grad(function() net.h_0_l0:fill_(0.5) end)
    local x = neap.randn(4, 2, 2)
    local h0 = neap.zeros(2, 2, 3)
    h0[1] = 0.5
    check.near(net(x, {h0, neap.zeros(2, 2, 3)}), net(x), 0, 1e-6)
    net(x):sum():backward()
    assert.is_true(net.c_0_l0_reverse.grad:abs():sum():item() > 0)
  end)

  it("drop whole units of h only in training", function()
    local net = nn.GRU(3, 50, {recurrent_dropout = 0.5})
    local x = neap.randn(6, 2, 3)
    assert.is_false(neap.equal(net(x), net(x)))
    net:eval()
    assert.is_true(neap.equal(net(x), net(x)))
    net = nn.GRU(3, 4, {num_layers = 2, dropout = 0.5})
    assert.is_false(neap.equal(net(x), net(x)))
    net:eval()
    assert.is_true(neap.equal(net(x), net(x)))
  end)

  it("add inputs to outputs where that is asked for", function()
    local x = randn(4, 2, 3)
    for _, case in ipairs{{true, 0}, {"input", 1}} do
      local net = nn.RNN(3, 3, {residual = case[1]}):to("float64")
      local plain = nn.RNN(3, 3):to("float64")
      plain:load_state_dict(net:state_dict())
      check.near(plain(x) + x * case[2], net(x), 0, 1e-12)
    end
  end)

  it("are saved and loaded with all options", function()
    local path = os.tmpname()
    local net = nn.Sequential{
      nn.LSTM(3, 4, {num_layers = 2, residual = "input", proj_size = 3,
                     forget_bias = 2}),
      nn.GRU(3, 3, {residual = true, layer_norm = true, skip = 2})}
    net:save(path)
    local again = nn.load(path)
    os.remove(path)
    assert.equal(tostring(net), tostring(again))
    local x = neap.randn(5, 2, 3)
    assert.same(net(x):totable(), again(x):totable())
  end)

  it("say what does not fit", function()
    local net = nn.LSTM(3, 4, {num_layers = 2})
    local x = neap.randn(5, 2, 3)
    local function says(pattern, ...)
      assert.matches(pattern, message(net, ...), 1, true)
    end
    says("LSTM: x has 4 features in its last dim, expected 3 (x is 5x2x4)",
         neap.randn(5, 2, 4))
    says("LSTM: the state is a tensor, expected {h, c}", x, neap.ones(3))
    says("LSTM: lengths come third", x, {lengths = {5, 3}})
    says("LSTM: options have names, as in {lengths = ...}; entry 1 has none",
         x, nil, {5, 3})
    assert.matches("of a second result of a call in the argument",
                   message(nn.Linear(4, 2), net(x)))
    says("LSTM: part 2 of the state, c, is a nil, expected a tensor", x,
         {neap.zeros(2, 2, 4)})
    says("LSTM: h is 1x2x4, expected 2x2x4 (layers, batch, features)", x,
         {neap.zeros(1, 2, 4), neap.zeros(2, 2, 4)})
    says("LSTM: lengths[2] is 6, expected 1 to 5", x, nil,
         {lengths = {5, 6}})
    says("LSTM: lengths[1] is 0, expected 1 to 5", x, nil,
         {lengths = {0, 5}})
    says("LSTM: lengths are 3, expected one for each of 2 sequences", x, nil,
         {lengths = {1, 2, 3}})
    says("LSTM: lengths are float32, expected integers", x, nil,
         {lengths = neap.ones(2)})
    says("LSTM: no option 'length'; did you mean 'lengths'?", x, nil,
         {length = {1, 2}})
    assert.matches("LSTM: proj_size is 4, expected less than the 4 units",
                   message(nn.LSTM, 3, 4, {proj_size = 4}))
    assert.matches("GRU: recompute does not go with skip",
                   message(nn.GRU, 3, 4, {recompute = 4, skip = 2}))
    assert.matches("RNN: dropout is 2, expected 0 to 1",
                   message(nn.RNN, 3, 4, {dropout = 2}))
    assert.matches("residual must be one of false true input, not 'yes'",
                   message(nn.RNN, 3, 4, {residual = "yes"}))
    assert.matches("LSTM: input_size 3, hidden_size 0",
                   message(nn.LSTM, 3, 0))
  end)

  it("notice options and weights that changed since they were made",
  function()
    local x = neap.randn(3, 2, 8)
    local net = nn.RNN(8, 4, {skip = 1})
    net.skip = -5
    assert.matches("skip and recompute are numbers of steps", message(net, x))
    net = nn.LSTM(8, 4, {layer_norm = true})
    net.num_layers = 2
    assert.matches("no parameter weight_ih_l1, which the options ask for",
                   message(net, x))
    net = nn.GRU(8, 4)
    net.skip = 3
    assert.matches("no parameter weight_sh_l0", message(net, x))
    net = nn.GRU(8, 4)
    net.num_layers = -1
    assert.matches("GRU: input_size 8, hidden_size 4, num_layers %-1",
                   message(net, x))
    assert.matches("RNN: a size is above", message(nn.RNN, 1, 1,
                                                   {skip = 1 << 61}))
    assert.matches("LSTM: a size is above", message(nn.LSTM, 1, 1 << 62))
    assert.matches("GRUCell: a size is above", message(nn.GRUCell, 1 << 62, 1))
    assert.matches("LSTM: forget_bias needs biases",
                   message(nn.LSTM, 3, 4, {bias = false, forget_bias = 1}))
  end)

  it("take pieces of any length for what is computed again", function()
    local x = neap.randn(5, 2, 2)
    local net = nn.LSTM(2, 3)
    local y = net(x)
    net.recompute = math.maxinteger
    assert.same(y:totable(), net(x):totable())
    net(x):sum():backward()
    local h = nn.GRUCell(2, 3)(x[1])
    h:mul_(2)                            -- nothing reads it again
    h:sum():backward()
  end)

  it("survive each failing request for memory", function()
    local x = neap.randn(3, 2, 2)
    for _, o in ipairs{{num_layers = 2, bidirectional = true},
                       {skip = 2, layer_norm = true},
                       {recompute = 2, learned_state = true}} do
      for _, kind in ipairs(kinds) do
        check.out_of_memory(function()
          local net = nn[kind](2, 2, o)
          net(x, nil, {lengths = ids{3, 1}}):sum():backward()
        end)
      end
    end
  end)

end)

describe("recurrent cells", function()

  it("are steps of the layers with the same weights", function()
    for _, kind in ipairs(kinds) do
      local layer = nn[kind](3, 4):to("float64")
      local cell = nn[kind .. "Cell"](3, 4):to("float64")
      local weights = {}
      for name, t in pairs(layer:state_dict()) do
        weights[name:gsub("_l0$", "")] = t
      end
      cell:load_state_dict(weights)
      local x = randn(5, 2, 3)
      local y = layer(x)
      local h, c
      for t = 1, 5 do
        if is_lstm(kind) then h, c = cell(x[t], h and {h, c})
        else h = cell(x[t], h) end
        check.near(y[t], h, 0, 1e-12)
      end
      local one = is_lstm(kind) and cell(x[1][1]) or cell(x[1][1])
      assert.same({4}, one.shape)
    end
  end)

  it("say what does not fit", function()
    local cell = nn.GRUCell(3, 4)
    assert.matches("GRUCell: x is 2x5, expected %(batch, 3%) or %(3%)",
                   message(cell, neap.ones(2, 5)))
    assert.matches("h0 is float32 1x4, expected float32 2x4",
                   message(cell, neap.ones(2, 3), neap.ones(1, 4)))
  end)

end)
