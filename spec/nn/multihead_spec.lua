local neap = require "neap"
local check = require "spec.support.check"
local nn, message = neap.nn, check.message

describe("MultiheadAttention", function()

  before_each(function() neap.manual_seed(6) end)

  it("has right gradients with every mask and layout", function()
    for _, batch_first in ipairs{false, true} do
      local net = nn.MultiheadAttention(4, 2, {batch_first = batch_first})
                  :to("float64")
      local shape = batch_first and {2, 3, 4} or {3, 2, 4}
      local x = neap.randn(shape, {dtype = "float64"})
      local causal = neap.ones(3, 3):triu(1):gt(0)
      local padding = neap.tensor{{false, false, true},
                                  {false, false, false}}
      local numbers = neap.randn({4, 3, 3}, {dtype = "float64"})
      for _, given in ipairs{
        {}, {attn_mask = causal}, {key_padding_mask = padding},
        {attn_mask = causal, key_padding_mask = padding},
        {attn_mask = numbers}, {attn_mask = numbers,
                                key_padding_mask = padding}} do
        assert.is_true(neap.gradcheck(function(q) return net(q, given) end,
                                      {x}))
        given.need_weights = false
        local y = net(x, given)
        assert.same(shape, y.shape)
      end
      net:zero_grad()
      net(x, {need_weights = false}):sum():backward()
      for name, p in net:named_parameters() do
        assert.is_not_nil(p.grad, name)
      end
    end
  end)

  it("gives weights that sum to 1, of all heads or their mean", function()
    local net = nn.MultiheadAttention(6, 3)
    local q, k = neap.randn(5, 2, 6), neap.randn(7, 2, 6)
    local y, w = net(q, k, k)
    assert.same({{5, 2, 6}, {2, 5, 7}}, {y.shape, w.shape})
    check.near(neap.ones(2, 5), w:sum(3), 0, 1e-6)
    local _, heads = net(q, k, k, {average_attn_weights = false})
    assert.same({2, 3, 5, 7}, heads.shape)
    check.near(w, heads:mean(2), 0, 1e-6)
    local one, single = net(q[{{}, 1}], k[{{}, 1}], k[{{}, 1}])
    check.near(y[{{}, 1}], one, 0, 1e-6)
    check.near(w[1], single, 0, 1e-6)
  end)

  it("sees nothing of what is padding", function()
    local net = nn.MultiheadAttention(4, 2, {batch_first = true})
    local x = neap.randn(1, 5, 4)
    local padding = neap.tensor{{false, false, false, true, true}}
    local y = net(x, {key_padding_mask = padding})
    local short = net(x[{{}, {1, 3}}])
    check.near(short, y[{{}, {1, 3}}], 0, 1e-6)
  end)

  it("is saved, loaded and copied with its output layer", function()
    local path = os.tmpname()
    local net = nn.Sequential{nn.MultiheadAttention(8, 2, {kdim = 8}),
                              nn.Linear(8, 2)}
    net:save(path)
    local again = nn.load(path)
    os.remove(path)
    local x = neap.randn(3, 2, 8)
    assert.same(net(x):totable(), again(x):totable())
    assert.same(net(x):totable(), net:clone()(x):totable())
    local names = {}
    for name in net[1]:named_parameters() do names[#names + 1] = name end
    assert.same({"in_proj_weight", "in_proj_bias", "out_proj.weight",
                 "out_proj.bias"}, names)
    assert.same({8, 8}, net[1].out_proj.weight.shape)
    assert.equal(0, net[1].out_proj.bias:abs():sum():item())
  end)

  it("drops weights in training only", function()
    local net = nn.MultiheadAttention(4, 2, {dropout = 0.5})
    local x = neap.randn(6, 2, 4)
    assert.is_false(neap.equal(net(x), net(x)))
    net:eval()
    assert.is_true(neap.equal(net(x), net(x)))
  end)

  it("says what does not fit", function()
    assert.matches("embed_dim 5 and num_heads 2: expected as many features",
                   message(nn.MultiheadAttention, 5, 2))
    local net, x = nn.MultiheadAttention(4, 2), neap.ones(3, 2, 4)
    local function says(text, ...)
      assert.matches(text, message(net, ...), 1, true)
    end
    says("MultiheadAttention: query is 3x2x5, expected 3 dimensions, the " ..
         "last one of 4 features", neap.ones(3, 2, 5))
    says("key is 3x4, expected 3 dimensions", x, neap.ones(3, 4))
    says("attn_mask is 2x3, expected 3x3, or 4x3x3 (batch * heads)", x,
         {attn_mask = neap.ones(2, 3)})
    says("key_padding_mask is 3x2, expected 2x3", x,
         {key_padding_mask = neap.ones(3, 2)})
    says("no option 'mask'; there is attn_mask, key_padding_mask", x,
         {mask = neap.ones(1)})
    says("query is a nil, expected a tensor")
  end)

  it("survives each failing request for memory", function()
    local x, mask = neap.randn(3, 2, 4), neap.ones(3, 3):triu(1):gt(0)
    check.out_of_memory(function()
      local net = nn.MultiheadAttention(4, 2)
      local y = net(x, {attn_mask = mask, need_weights = false})
      y:sum():backward()
    end)
  end)

end)
