local neap = require "neap"
local check = require "spec.support.check"
local nn, F, message, ids = neap.nn, neap.nn.functional, check.message,
                            check.ids

local function f64(t, options)
  options = options or {}
  options.dtype = "float64"
  return neap.tensor(t, options)
end

local function finite(t) return t:isfinite():all():item() end

describe("losses of logits", function()

  it("stay finite at 10,000, with their gradients", function()
    for _, dtype in ipairs{"float32", "float64"} do
      local x = neap.tensor({{1e4, -1e4, 0}, {-1e4, 1e4, 1e4}},
                            {dtype = dtype, requires_grad = true})
      local t = neap.tensor({{1, 0, 1}, {1, 0, 0.5}}, {dtype = dtype})
      for _, loss in ipairs{nn.BCEWithLogitsLoss(), nn.FocalLoss(),
                            nn.SoftMarginLoss(), nn.HuberLoss(),
                            nn.SmoothL1Loss(), nn.L1Loss(),
                            nn.HingeLoss()} do
        local y = loss(x, t)
        x.grad = nil
        y:backward()
        assert.is_true(finite(y) and finite(x.grad), tostring(loss))
      end
      local y = nn.CrossEntropyLoss()(x, ids{2, 3})
      x.grad = nil
      y:backward()
      assert.is_true(finite(y) and finite(x.grad))
    end
  end)

  it("take factors of ones and of elements, and keep them in files",
  function()
    local loss = nn.BCEWithLogitsLoss{pos_weight = neap.tensor{3, 1},
                                      reduction = "sum"}
    local x, t = neap.zeros(1, 2), neap.ones(1, 2)
    assert.near(4 * math.log(2), loss(x, t):item(), 1e-6)
    local path = os.tmpname()
    loss:save(path)
    assert.near(4 * math.log(2), nn.load(path)(x, t):item(), 1e-6)
    os.remove(path)
    assert.equal("float64", loss:to("float64").pos_weight.dtype)
    assert.matches("pos_weight is float64, expected float32",
                   message(loss, x, t))
    assert.near(2 * math.log(2), nn.BCEWithLogitsLoss{
      weight = neap.tensor{1, 3}}(x, t):item(), 1e-6)
  end)

end)


describe("losses of probabilities", function()

  it("are right at 0 and 1, with finite gradients", function()
    local x = f64({0, 1, 0, 1, 0.5}, {requires_grad = true})
    local y = F.binary_cross_entropy(x, f64{0, 1, 1, 0, 0.5},
                                     {reduction = "none"})
    check.near(f64{0, 0, 100, 100, math.log(2)}, y:detach(), 1e-12, 1e-12)
    y:sum():backward()
    assert.is_true(finite(x.grad))
    assert.same({0, 0, 0}, {x.grad[1], x.grad[2], x.grad[5]})
    assert.matches("x must hold probabilities, from 0 to 1 %(for logits",
                   message(F.binary_cross_entropy, neap.tensor{1.5},
                           neap.tensor{1}))
  end)

  it("agree with their definitions", function()
    local p, q = f64{{0.2, 0.8, 0}}, f64{{0.5, 0.25, 0.25}}
    local kl = nn.KLDivLoss{reduction = "batchmean"}
    assert.near(0.2 * math.log(0.4) + 0.8 * math.log(3.2),
                kl(q:log(), p):item(), 1e-12)
    local dice = F.dice_loss(f64{{1, 0, 1}, {0, 0, 0}},
                             f64{{1, 1, 0}, {0, 0, 0}},
                             {reduction = "none"})
    check.near(f64{1 - 3 / 5, 0}, dice, 1e-12, 1e-12)
    local x, t = f64{2, -1}, f64{1, 0}
    local ce = F.binary_cross_entropy_with_logits(x, t, {reduction = "none"})
    local right = (-ce):exp()
    check.near(ce * (1 - right) ^ 2 * f64{0.25, 0.75},
               F.sigmoid_focal_loss(x, t, {reduction = "none"}), 1e-12,
               1e-12)
    -- a target of 5 under a rate of 3: e^-3 3^5 / 5!
    assert.near(-math.log(math.exp(-3) * 3 ^ 5 / 120),
                F.poisson_nll_loss(f64{math.log(3)}, f64{5},
                                   {full = true}):item(), 0.02)
    assert.near(-math.log(math.exp(-2) / math.sqrt(2 * math.pi)),
                F.gaussian_nll_loss(f64{2}, f64{0}, f64{1},
                                    {full = true}):item(), 1e-12)
  end)

end)


describe("losses of labels", function()

  it("say which label is none, and where", function()
    local x = neap.zeros(3, 4)
    for name, loss in pairs{nll_loss = F.nll_loss,
                            multi_margin_loss = F.multi_margin_loss} do
      for _, bad in ipairs{0, 5, -1} do
        assert.matches(name .. ": target%[2%] is " .. tostring(bad):gsub(
                       "%-", "%%-") .. ", but classes are 1 to 4",
                       message(loss, x, ids{1, bad, 2}))
      end
    end
    assert.matches("target is 2, expected a label for each row of x %(3x4%)",
                   message(F.nll_loss, x, ids{1, 2}))
    assert.matches("weight %(float32 2%) must have one float32 for each of " ..
                   "the 4 classes", message(F.nll_loss, x, ids{1, 2, 3},
                                            neap.ones(2)))
  end)

  it("leave out what is to be ignored", function()
    local x = neap.tensor{{1, 2}, {3, 4}}
    local w = neap.tensor{1, 10}
    assert.equal(-2, nn.NLLLoss()(x, ids{2, -100}):item())
    assert.near(-(1 * 1 + 4 * 10) / 11, nn.NLLLoss{weight = w}(
                x, ids{1, 2}):item(), 1e-6)
    assert.near(-4, nn.NLLLoss{weight = w, ignore_index = 1}(
                x, ids{1, 2}):item(), 1e-6)
    local both = F.nll_loss(x:log_softmax(2), ids{2, 1})
    assert.near(F.cross_entropy(x, ids{2, 1}):item(), both:item(), 1e-6)
  end)

end)


describe("losses of pairs", function()

  it("want a margin and no more", function()
    local x, z = f64{3, 1, 0.2}, f64{1, 1, 0}
    assert.same({0, 0.5, 0.3}, F.margin_ranking_loss(x, z, f64{1, 1, 1},
                {margin = 0.5, reduction = "none"}):totable())
    local cos = F.cosine_embedding_loss(f64{{1, 0}, {1, 0}},
                                        f64{{0, 2}, {1, 1}}, f64{1, -1},
                                        {margin = 0.5, reduction = "none"})
    check.near(f64{1, math.sqrt(0.5) - 0.5}, cos, 1e-9, 1e-9)
    local a, p, n = f64{{0, 0}}, f64{{0, 1}}, f64{{1.5, 0}}
    local triplet = nn.TripletMarginLoss()
    assert.near(0.5, triplet(a, p, n):item(), 1e-5)
    assert.near(0, triplet(a, p, n * 2):item(), 1e-5)
    assert.near(3.2, nn.TripletMarginLoss{margin = 3, swap = true}(
                a, p, f64{{0, 1.8}}):item(), 1e-5)
    assert.matches("negative is 1x3, expected 1x2 as anchor is",
                   message(triplet, a, p, f64{{1, 2, 3}}))
    assert.matches("target is 2, expected 3 as x is",
                   message(F.hinge_loss, neap.ones(3), neap.ones(2)))
  end)

end)


describe("the loss of sequences", function()
  -- minus log p over all ways: every path of classes over time is tried
  local function by_hand(p, labels, blank)
    local total = 0
    local function walk(t, last, k, probability)
      if t > #p then
        if k > #labels then total = total + probability end
        return
      end
      for class = 1, #p[1] do
        local next_k = k
        local fits = class == blank or class == last
        if class ~= blank and class ~= last then
          fits = labels[k] == class
          next_k = k + 1
        end
        if fits then walk(t + 1, class, next_k, probability * p[t][class]) end
      end
    end
    walk(1, nil, 1, 1)
    return -math.log(total)
  end

  it("counts every way to spread labels over time", function()
    local p = neap.randn({5, 1, 3}, {dtype = "float64"}):softmax(-1)
    for _, labels in ipairs{{}, {2}, {2, 3}, {2, 2}, {3, 2, 3}} do
      local n = #labels
      local loss = F.ctc_loss(p:log(), ids{n > 0 and labels or {2}}, ids{5},
                              ids{n}, {reduction = "none"})
      assert.near(by_hand(p:select(2, 1):totable(), labels, 1),
                  loss[1], 1e-10)
    end
  end)

  it("has lengths and labels of each sample, together or in a row",
  function()
    local x = neap.randn({6, 2, 4}, {dtype = "float64"}):log_softmax(-1)
    local whole = nn.CTCLoss{reduction = "sum"}
    local a = whole(x, ids{{2, 3}, {4, 0}}, ids{6, 4}, ids{2, 1})
    local b = whole(x, ids{2, 3, 4}, ids{6, 4}, ids{2, 1})
    local parts = whole(x[{{}, {1, 1}}], ids{{2, 3}}, ids{6}, ids{2}) +
                  whole(x[{{1, 4}, {2, 2}}], ids{{4}}, ids{4}, ids{1})
    assert.near(a:item(), b:item(), 1e-12)
    assert.near(a:item(), parts:item(), 1e-12)
  end)

  it("is infinite where labels do not fit, or 0 if asked", function()
    local x = neap.zeros({2, 1, 3}, {requires_grad = true})
    local function loss(o) return F.ctc_loss(x:log_softmax(-1), ids{{2, 2}},
                                             ids{2}, ids{2}, o) end
    assert.equal(math.huge, loss{reduction = "sum"}:item())
    local y = loss{zero_infinity = true}
    y:backward()
    assert.equal(0, y:item())
    assert.equal(0, x.grad:abs():sum():item())
  end)

  it("says what does not fit", function()
    local x = neap.zeros(4, 2, 3)
    local function why(...) return message(F.ctc_loss, x, ...) end
    assert.matches("label 2 of sample 1 is 4, but classes are 1 to 3 " ..
                   "without the blank, 1",
                   why(ids{{2, 4}, {2, 2}}, ids{4, 4}, ids{2, 2}))
    assert.matches("label 1 of sample 2 is 1, but",
                   why(ids{{2, 2}, {1, 2}}, ids{4, 4}, ids{2, 2}))
    assert.matches("input_lengths%[2%] is 5, expected 0 to 4",
                   why(ids{{2}, {2}}, ids{4, 5}, ids{1, 1}))
    assert.matches("target_lengths%[1%] is 2, expected 0 to 1",
                   why(ids{{2}, {2}}, ids{4, 4}, ids{2, 1}))
    assert.matches("targets has 3 labels, but target_lengths add to 2",
                   why(ids{2, 2, 2}, ids{4, 4}, ids{1, 1}))
    assert.matches("'ctc_each' has no second derivative", message(function()
      local lp = neap.randn({4, 1, 3}, {requires_grad = true})
      local y = F.ctc_loss(lp:log_softmax(-1), ids{{2}}, ids{4}, ids{1})
      neap.grad({y}, {lp}, {create_graph = true})
    end))
  end)

end)
