-- Convolution, pooling and BatchNorm at sizes where work is cut: bands of
-- large images, kernels of many taps, few images with many channels.

local neap = require "neap"
local check = require "spec.support.check"
local nn, F = neap.nn, neap.nn.functional
local message = check.message
local f64 = {dtype = "float64"}

-- The sums of a convolution by windows, products and sums alone.
local function plain_conv2d(x, w, o)
  local p, s, d = o.padding or 0, o.stride or 1, o.dilation or 1
  local groups, kh, kw = o.groups or 1, w:size(3), w:size(4)
  x = x:pad{p, p, p, p}
  local parts, ins, outs = {}, w:size(2), w:size(1) // groups
  local high = (x:size(3) - (kh - 1) * d - 1) // s + 1
  local wide = (x:size(4) - (kw - 1) * d - 1) // s + 1
  for g = 1, groups do
    local xg = x:narrow(2, (g - 1) * ins + 1, ins)
    local wg = w:narrow(1, (g - 1) * outs + 1, outs)
    local sum
    for i = 0, kh - 1 do
      for j = 0, kw - 1 do
        local seen = xg[{{}, {}, {1 + i * d, 1 + i * d + (high - 1) * s, s},
                         {1 + j * d, 1 + j * d + (wide - 1) * s, s}}]
        local term = neap.einsum("nchw,oc->nohw", seen,
                                 wg[{{}, {}, i + 1, j + 1}])
        sum = sum and sum + term or term
      end
    end
    parts[g] = sum
  end
  return neap.cat(parts, 2)
end

-- Results and both gradients of f(x, w) for a fixed gradient of the result.
local function all_of(f, x, w, g)
  x, w = x:clone():requires_grad_(), w:clone():requires_grad_()
  local y = f(x, w)
  y:backward(g)
  return {y:detach(), x.grad, w.grad}
end

describe("a convolution", function()

  -- image, weight, options: each reaches a way of cutting
  local cases = {
    ["bands of a large image"] =
      {{1, 8, 150, 130}, {16, 8, 3, 3}, {padding = 1}},
    ["bands with a stride"] =
      {{2, 8, 151, 97}, {16, 8, 3, 3}, {padding = 1, stride = 2}},
    ["bands without room"] = {{1, 16, 120, 128}, {16, 16, 3, 3}, {}},
    ["more taps than a panel holds"] =
      {{1, 70, 9, 7}, {9, 70, 3, 3}, {padding = 1}},
    ["weights that meet several panels"] =
      {{1, 64, 13, 15}, {130, 64, 3, 3}, {padding = 2, dilation = 2}},
    ["few images, channels that fill no block"] =
      {{1, 13, 20, 22}, {37, 13, 4, 4}, {stride = 2, padding = 1}},
    ["channels of the result in two panels"] =
      {{3, 5, 40, 36}, {40, 5, 5, 5}, {}},
    ["one group for each channel"] =
      {{2, 12, 33, 40}, {12, 1, 3, 3}, {padding = 1, groups = 12}},
    ["a stride of three"] =
      {{2, 3, 50, 47}, {8, 3, 5, 5}, {stride = 3, padding = 2}},
    ["one tap"] = {{2, 40, 17, 16}, {24, 40, 1, 1}, {}},
    ["halves of vectors"] = {{3, 6, 26, 26}, {20, 6, 3, 3}, {}}
  }
  for name, case in pairs(cases) do
    it("is right with " .. name .. ", on each instruction set", function()
      check.each_cpu(function()
        local gen = neap.generator(3)
        local function draw(shape)
          return neap.randn(shape, {dtype = "float64", generator = gen})
        end
        local x, w = draw(case[1]), draw(case[2])
        local plain = plain_conv2d(x, w, case[3])
        local g = draw(plain.shape)
        local expected = all_of(function(a, b)
          return plain_conv2d(a, b, case[3])
        end, x, w, g)
        for _, dtype in ipairs{"float64", "float32"} do
          local got = all_of(function(a, b)
            local o = {stride = 1}
            for key, value in pairs(case[3]) do o[key] = value end
            return F.conv2d(a, b, nil, o)
          end, x:to(dtype), w:to(dtype), g:to(dtype))
          for i = 1, 3 do
            local scale = expected[i]:abs():max():item()
            check.near(expected[i] / scale, got[i]:to "float64" / scale, 0,
                       dtype == "float64" and 1e-12 or 2e-5)
          end
        end
      end)
    end)
  end

  it("has the same bits at any number of threads", function()
    local before = neap.get_num_threads()
    local gen, first = neap.generator(5), {}
    local function draw(...) return neap.randn({...}, {generator = gen}) end
    local inputs = {
      {draw(3, 12, 70, 66), draw(24, 12, 3, 3), {padding = 1}},
      {draw(5, 12, 41, 43), draw(24, 12, 3, 3), {padding = 1, stride = 2}}
    }
    for _, threads in ipairs{1, 2, 3, 5} do
      neap.set_num_threads(threads)
      for k, c in ipairs(inputs) do
        local y = F.conv2d(c[1], c[2], nil, c[3])
        local all = all_of(function(a, b)
          return F.max_pool2d(F.conv2d(a, b, nil, c[3]), 2)
        end, c[1], c[2], neap.ones_like(F.max_pool2d(y, 2)))
        first[k] = first[k] or all
        for i = 1, 3 do
          assert.is_true(neap.equal(first[k][i], all[i]))
        end
      end
    end
    neap.set_num_threads(before)
  end)

  it("takes the activation that follows without changing numbers",
  function()
    local conv = nn.Conv2d(3, 9, 3, {padding = 1})
    local norm = nn.BatchNorm2d(9)
    local x = neap.randn(2, 3, 10, 12)
    for _, kind in ipairs{"ReLU", "Tanh", "Sigmoid"} do
      local act = nn[kind]()
      check.near(act(conv(x)), nn.Sequential{conv, act}(x), 0, 1e-6)
      check.near(act(norm(conv(x))), nn.Sequential{conv, norm, act}(x), 0,
                 1e-6)
    end
  end)

  it("says what does not fit", function()
    local conv = nn.Conv2d(3, 8, 3)
    assert.matches("Conv2d: x is 2x1x8x8, expected %(batch, 3, height, " ..
                   "width%) or %(3, height, width%) %(weight is 8x3x3x3%)",
                   message(conv, neap.ones(2, 1, 8, 8)))
    assert.matches("the kernel %(3x3%) does not fit into x %(1x3x2x9%)",
                   message(conv, neap.ones(1, 3, 2, 9)))
    assert.matches("x is float64, but the weights are float32",
                   message(conv, neap.ones(1, 3, 8, 8, f64)))
    assert.matches("x is int64", message(conv, neap.ones(1, 3, 8, 8,
                                                   {dtype = "int64"})))
    assert.matches("expected %(batch, 3", message(conv, neap.ones(8)))
    local x, w = neap.ones(1, 4, 8, 8), neap.ones(4, 2, 3, 3)
    local wrong = {
      [{padding = "all"}] = "padding must be integers or one of valid same",
      [{padding = -1}] = "padding is %-1, expected at least 0",
      [{stride = 0}] = "stride is 0, expected at least 1",
      [{stride = {1, 2, 3}}] = "stride has 3 entries, expected 1 or 2",
      [{dilation = 5}] = "does not fit into x",
      [{dilation = 1 << 40}] = "dilation is 1099511627776, expected at most",
      [{groups = 0}] = "cannot be divided into 0 groups",
      [{groups = 3}] = "cannot be divided into 3 groups",
      [{padding = "same", stride = 2}] = "\"same\" needs a stride of 1",
      [{strid = 2}] = "did you mean 'stride'"
    }
    for options, text in pairs(wrong) do
      if options.groups == nil then options.groups = 2 end
      assert.matches(text, message(F.conv2d, x, w, nil, options))
    end
    assert.matches("elements is too large",
                   message(F.conv2d, x, w, nil, {groups = 2,
                                                 padding = 2000000000}))
    assert.matches("bias is 3, expected 4",
                   message(F.conv2d, x, w, neap.ones(3), {groups = 2}))
    assert.matches("8 channels to 6 cannot be divided into 4 groups",
                   message(nn.Conv2d, 8, 6, 3, {groups = 4}))
    assert.matches("kernel_size has 3 entries", message(nn.Conv2d, 1, 1,
                                                        {3, 3, 3}))
    assert.matches("output_padding is 2, expected less than the stride",
                   message(nn.ConvTranspose2d(3, 1, 3, {stride = 2,
                     output_padding = 2}), neap.ones(1, 3, 4, 4)))
  end)

  it("takes options alone where they come last", function()
    local x, w = neap.ones(1, 1, 3, 3), neap.ones(1, 1, 2, 2)
    assert.same({1, 1, 2, 2}, F.conv2d(x, w, nil, {}).shape)
  end)

end)

describe("pooling", function()

  it("takes the first of equal ones, NaN before all, -inf as it is",
  function()
    local inf, nan = math.huge, 0 / 0
    local x = neap.tensor{{2, 2, -inf, -inf}, {1, 2, -inf, -inf}}
    local y, at = x:max_pool2d(2, {return_indices = true})
    assert.same({{2, -inf}}, y:totable())
    assert.same({{1, 3}}, at:totable())
    y, at = x:max_pool2d(2, {padding = 1, return_indices = true})
    assert.same({{2, 2, -inf}, {1, 2, -inf}}, y:totable())
    assert.same({{1, 2, 4}, {5, 6, 8}}, at:totable())
    y = neap.tensor{1, nan, 3, 4}:max_pool1d(2)
    assert.is_true(y[1] ~= y[1] and y[2] == 4)
  end)

  it("goes back with MaxUnpool", function()
    for d = 1, 3 do
      local shape = {2, 3}
      for _ = 1, d do shape[#shape + 1] = 6 end
      local pool = nn["MaxPool" .. d .. "d"](2, {return_indices = true})
      local back = nn["MaxUnpool" .. d .. "d"](2)
      local x = neap.rand(shape) + 1
      local y, at = pool(x)
      local z = back(y, at)
      assert.same(shape, z.shape)
      assert.is_true(neap.equal(y, (pool(z))))
      assert.equal(y:numel(), z:count_nonzero():item())
    end
  end)

  it("gives its first result to the layer after it", function()
    local net = nn.Sequential{nn.MaxPool2d(2, {return_indices = true}),
                              nn.Flatten()}
    assert.same({2, 12}, net(neap.rand(2, 3, 4, 4)).shape)
  end)

  it("says what does not fit", function()
    local x = neap.rand(1, 1, 4, 4)
    local wrong = {
      [{kernel_size = 5}] = "the window does not fit into x %(1x1x4x4%)",
      [{kernel_size = 2, padding = 2}] = "at most half of the kernel_size 2",
      [{kernel_size = 0}] = "kernel_size is 0, expected at least 1",
      [{kernel_size = {2, 2, 2}}] = "kernel_size has 3 entries"
    }
    for options, text in pairs(wrong) do
      assert.matches(text, message(F.max_pool2d, x, options))
    end
    assert.matches("kernel_size is missing", message(F.avg_pool2d, x))
    assert.matches("divisor_override must not be 0", message(F.avg_pool2d,
      x, {kernel_size = 2, divisor_override = 0}))
    assert.matches("output_size is 0", message(F.adaptive_avg_pool2d, x, 0))
    assert.matches("there is nothing in its images",
                   message(F.max_pool2d, neap.rand(1, 1, 0, 4), 2))
    assert.matches("expected at least 2 dimensions",
                   message(F.max_pool2d, neap.rand(4), 2))
  end)

end)

describe("BatchNorm", function()

  it("is the same for long rows as for short ones", function()
    local x = neap.randn({6, 3, 20}, f64) * 2 + 100
    local flat = x:permute(1, 3, 2):reshape(-1, 3)
    for _, training in ipairs{true, false} do
      local long = nn.BatchNorm1d(3):to "float64":train(training)
      local short = nn.BatchNorm1d(3):to "float64":train(training)
      local a, b = x:clone():requires_grad_(), flat:clone():requires_grad_()
      local y, z = long(a), short(b)
      check.near(y:permute(1, 3, 2):reshape(-1, 3), z, 0, 1e-9)
      y:pow(3):sum():backward()
      z:pow(3):sum():backward()
      local scale = b.grad:abs():max():item()
      check.near(a.grad:permute(1, 3, 2):reshape(-1, 3) / scale,
                 b.grad / scale, 0, 1e-9)
      check.near(long.weight.grad / short.weight.grad, neap.ones(3, f64), 0,
                 1e-7)
      check.near(long.running_var, short.running_var, 0, 1e-9)
    end
  end)

  it("refuse sizes that no memory holds", function()
    local x = neap.ones(1, 1, 2, 2)
    local huge = 2147483647
    for _, f in ipairs{
      function() x:im2col{kernel_size = 1, padding = huge} end,
      function() neap.zeros(1, 1, 0):col2im{output_size = {2, 2},
                                            kernel_size = 1,
                                            padding = huge} end,
      function() neap.ones(1, 16, 1, 1):im2col{kernel_size = 2 ^ 30 // 1 | 0,
                                               padding = 2 ^ 29 // 1 | 0} end,
      function() neap.zeros(1, 1, 0, 0):pixel_unshuffle(2 ^ 32 // 1 | 0) end
    } do assert.is_string(message(f)) end
    assert.matches("align_corners belongs to linear",
                   message(neap.interpolate, x, {size = 3,
                                                 align_corners = true}))
  end)

end)
