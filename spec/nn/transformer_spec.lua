local neap = require "neap"
local check = require "spec.support.check"
local nn, message = neap.nn, check.message

local f64 = {dtype = "float64"}
local small = {dim_feedforward = 6, dropout = 0}

local function with(o)
  local all = {}
  for key, value in pairs(small) do all[key] = value end
  for key, value in pairs(o or {}) do all[key] = value end
  return all
end

-- true above the diagonal: later steps may not be looked at
local function causal(n) return neap.ones(n, n):triu(1):gt(0) end

describe("positions", function()

  it("are waves that are added", function()
    local net = nn.PositionalEncoding(4, {max_len = 10}):to("float64")
    local y = net(neap.zeros({3, 1, 4}, f64))
    for m = 0, 2 do
      local slow = m / 10000 ^ (2 / 4)
      check.near(check.f64{math.sin(m), math.cos(m), math.sin(slow),
                           math.cos(slow)}, y[m + 1][1], 1e-6, 1e-7)
    end
    local first = nn.PositionalEncoding(4, {batch_first = true})
    check.near(y:squeeze(2):to("float32"), first(neap.zeros(1, 3, 4))[1],
               0, 1e-6)
    assert.matches("x is 11x1x4, expected %(steps, batch, features%) of 4 " ..
                   "features, at most 10 steps",
                   message(net, neap.zeros({11, 1, 4}, f64)))
  end)

  it("turn vectors, whose products then tell how far they are apart",
  function()
    local F = nn.functional
    local q, k = neap.randn({1, 6}, f64), neap.randn({1, 6}, f64)
    local function product(m, n)
      return (F.rotary_embedding(q, {offset = m}) *
              F.rotary_embedding(k, {offset = n})):sum():item()
    end
    assert.near(product(0, 3), product(7, 10), 1e-12)
    assert.is_true(math.abs(product(0, 3) - product(0, 4)) > 1e-3)
    local x = neap.randn({2, 5, 6}, f64)
    check.near(x, F.rotary_embedding(F.rotary_embedding(x),
                                     {inverse = true}), 1e-12, 1e-12)
    check.near(F.rotary_embedding(x)[{{}, {4, 5}}],
               F.rotary_embedding(x[{{}, {4, 5}}], {offset = 3}), 0, 1e-12)
    assert.matches("x is 2x3, expected %(%.%.%., steps, an even size%)",
                   message(F.rotary_embedding, neap.ones(2, 3)))
  end)

  it("may be distances times a slope for each head", function()
    local a = nn.utils.alibi(2, 2, 3)
    assert.same({{{-1 / 16, 0, 0}, {-2 / 16, -1 / 16, 0}},
                 {{-1 / 256, 0, 0}, {-2 / 256, -1 / 256, 0}}}, a:totable())
    assert.same({3, 4, 4}, nn.utils.alibi(3, 4).shape)
    assert.matches("alibi: expected numbers", message(nn.utils.alibi, 0, 2))
  end)

end)

describe("transformer layers", function()

  before_each(function() neap.manual_seed(8) end)

  it("have right gradients, for inputs and parameters", function()
    for _, o in ipairs{{}, {norm_first = true, activation = "gelu"},
                       {batch_first = true, activation = "silu"},
                       {norm_first = true, activation = "swiglu"}} do
      local encoder = nn.TransformerEncoderLayer(4, 2, with(o)):to("float64")
      local decoder = nn.TransformerDecoderLayer(4, 2, with(o)):to("float64")
      local x = neap.randn({3, 3, 4}, f64)
      local memory = neap.randn({3, 3, 4}, f64)
      assert.is_true(neap.gradcheck(function(t)
        return encoder(t, {src_mask = causal(3)})
      end, {x}))
      assert.is_true(neap.gradcheck(function(t, m)
        return decoder(t, m, {tgt_mask = causal(3)})
      end, {x, memory}))
      local y = encoder(x) + decoder(x, memory)
      y:sum():backward()
      for _, net in ipairs{encoder, decoder} do
        for name, p in net:named_parameters() do
          assert.is_not_nil(p.grad, name)
        end
      end
    end
  end)

  it("do not let early steps see later ones", function()
    local net = nn.TransformerEncoderLayer(8, 2, with{batch_first = true})
    local x = neap.randn(2, 5, 8)
    local z = x:clone()
    z[{{}, 5}] = 0
    local a = net(x, {src_mask = causal(5)})
    local b = net(z, {src_mask = causal(5)})
    check.near(a[{{}, {1, 4}}], b[{{}, {1, 4}}], 0, 1e-6)
    assert.is_false(neap.allclose(net(x)[{{}, 1}], net(z)[{{}, 1}]))
  end)

  it("stand on top of each other, and are saved", function()
    local path = os.tmpname()
    local layer = nn.TransformerEncoderLayer(8, 2, with{norm_first = true})
    local net = nn.TransformerEncoder(layer, 3, {norm = nn.LayerNorm(8)})
    local x = neap.randn(4, 2, 8)
    local padding = neap.tensor{{false, false, false, true},
                                {false, false, true, true}}
    local given = {mask = causal(4), src_key_padding_mask = padding}
    local y = net(x, given)
    net:save(path)
    local again = nn.load(path)
    os.remove(path)
    assert.same(y:totable(), again(x, given):totable())
    local by_hand = x
    for i = 1, 3 do
      by_hand = net.layers[i](by_hand, {src_mask = causal(4),
                                        src_key_padding_mask = padding})
    end
    check.near(net.norm(by_hand), y, 0, 1e-6)
    check.near(net(x, {src_key_padding_mask = padding}),
               net(x, nil, padding), 0, 1e-6)
    assert.equal(3 * 12 + 2, #net:parameters())
    local decoder = nn.TransformerDecoder(
      nn.TransformerDecoderLayer(8, 2, small), 2)
    assert.same({4, 2, 8}, decoder(x, y, {tgt_mask = causal(4)}).shape)
    assert.matches("TransformerEncoder: num_layers is 0, expected at least 1",
                   message(nn.TransformerEncoder, layer, 0))
  end)

  it("say what does not fit", function()
    assert.matches("embed_dim 5 and num_heads 2",
                   message(nn.TransformerEncoderLayer, 5, 2))
    assert.matches("dropout is 2, expected 0 to below 1",
                   message(nn.TransformerEncoderLayer, 4, 2, {dropout = 2}))
    local net = nn.TransformerEncoderLayer(4, 2, small)
    assert.matches("query is 3x2x5, expected 3 dimensions",
                   message(net, neap.ones(3, 2, 5)))
    assert.matches("attn_mask is 2x2, expected 3x3",
                   message(net, neap.ones(3, 2, 4),
                           {src_mask = causal(2)}))
  end)

  it("survive each failing request for memory", function()
    local x = neap.randn(2, 2, 4)
    check.out_of_memory(function()
      local net = nn.TransformerDecoderLayer(4, 2, with())
      net(x, x, {tgt_mask = causal(2)}):sum():backward()
    end)
  end)

end)
