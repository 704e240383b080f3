local neap = require "neap"
local check = require "spec.support.check"
local nn, message = neap.nn, check.message
local rnn = nn.utils.rnn

describe("sequences of several lengths", function()

  it("become one padded batch", function()
    local x, lengths = rnn.pad_sequence{neap.tensor{1, 2, 3},
                                        neap.tensor{4}}
    assert.same({{1, 4}, {2, 0}, {3, 0}}, x:totable())
    assert.same({3, 1}, lengths:totable())
    x = rnn.pad_sequence({neap.ones(2, 2), neap.ones(1, 2)},
                         {batch_first = true, padding_value = -1})
    assert.same({{{1, 1}, {1, 1}}, {{1, 1}, {-1, -1}}}, x:totable())
    x = rnn.pad_sequence{check.ids{5}, check.ids{6, 7}}
    assert.equal("int64", x.dtype)
    assert.matches("expected a list of tensors",
                   message(rnn.pad_sequence, neap.ones(2)))
    assert.matches("item 2 is no tensor",
                   message(rnn.pad_sequence, {neap.ones(2), 3}))
  end)

  it("give gradients to each of them", function()
    local a, b = check.leaf{1, 2}, check.leaf{3}
    local x = rnn.pad_sequence{a, b}
    local loss = (x * neap.tensor{{1, 2}, {3, 4}}):sum()
    loss:backward()
    assert.same({{1, 3}, {2}}, {a.grad:totable(), b.grad:totable()})
  end)

  it("are told from their padding by a mask", function()
    assert.same({{true, true}, {true, false}, {false, false}},
                rnn.mask({2, 1}, {steps = 3}):totable())
    assert.same({{true, true}, {true, false}},
                rnn.mask({2, 1}, {batch_first = true}):totable())
    local y = neap.arange(1, 12):view(3, 2, 2):to("float32")
    assert.same({{1, 2}, {3, 4}, {5, 6}}, rnn.valid(y, {2, 1}):totable())
    assert.same({{1, 2}, {5, 6}, {7, 8}},
                rnn.valid(y:narrow(1, 1, 2), {1, 2},
                          {batch_first = true}):totable())
    assert.matches("lengths%[2%] is 1.5, expected an integer",
                   message(rnn.mask, {1, 1.5}))
    assert.matches("lengths are from %-1 to 3, expected 0 to 2",
                   message(rnn.mask, {3, -1}, {steps = 2}))
    assert.matches("3 lengths for a batch of 3x2x2 %(steps first;",
                   message(rnn.valid, y, {1, 1, 1}))
  end)

  it("enter losses without their padding", function()
    local scores, labels = neap.randn(4, 3, 5), neap.randint(1, 5, {4, 3})
    local lengths = {4, 2, 1}
    local loss = nn.CrossEntropyLoss()
    local sum, n = 0, 0
    for b, length in ipairs(lengths) do
      for t = 1, length do
        sum = sum + loss(scores[t][{{b, b}}], labels[t][{{b, b}}]):item()
        n = n + 1
      end
    end
    assert.near(sum / n, loss(rnn.valid(scores, lengths),
                              rnn.valid(labels, lengths)):item(), 1e-5)
    for _, given in ipairs{{lengths = lengths},
                           {mask = rnn.mask(lengths)}} do
      assert.near(sum / n, loss(scores, labels, given):item(), 1e-5)
    end
    local mse = nn.MSELoss{reduction = "sum"}
    local x, z = neap.randn(3, 4), neap.randn(3, 4)
    local given = {lengths = {4, 1, 2}, batch_first = true}
    local mask = rnn.mask(given.lengths, {batch_first = true})
    assert.near((((x - z) ^ 2) * mask:to("float32")):sum():item(),
                mse(x, z, given):item(), 1e-5)
    local var = neap.rand(3, 4) + 0.5
    local nll = nn.GaussianNLLLoss{reduction = "sum"}
    assert.near(nll(x[mask], z[mask], var[mask]):item(),
                nll(x, z, var, given):item(), 1e-5)
    assert.matches("CrossEntropyLoss: no option 'length'; did you mean " ..
                   "'lengths'", message(loss, scores, labels,
                   {length = {1}, mask = neap.ones(1)}))
  end)

  it("leave their past behind where a state is detached", function()
    local net = nn.LSTM(2, 3)
    local _, state = net(neap.randn(2, 1, 2))
    assert.is_true(state[1].requires_grad)
    local cut = rnn.detach(state)
    assert.is_false(cut[1].requires_grad or cut[2].requires_grad)
    assert.is_nil(rnn.detach(nil))
    assert.matches("detach: expected a state, not a number",
                   message(rnn.detach, 7))
    net(neap.randn(2, 1, 2), state):sum():backward()
    assert.matches("detach%(%) what goes on from there, such as a state",
                   message(function()
                     net(neap.randn(2, 1, 2), state):sum():backward()
                   end))
  end)

end)
