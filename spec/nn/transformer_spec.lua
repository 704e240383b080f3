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

describe("transformer layers", function()

  before_each(function() neap.manual_seed(8) end)

  it("have right gradients, for inputs and parameters", function()
    for _, o in ipairs{{}, {norm_first = true, activation = "gelu"},
                       {batch_first = true, activation = "silu"}} do
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
