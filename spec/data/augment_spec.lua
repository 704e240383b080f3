local neap = require "neap"
local check = require "spec.support.check"
local data, message = neap.data, check.message

-- An image whose pixels are their numbers.
local function picture(n, height, width)
  return neap.arange(height * width):to("float32")
             :reshape(1, 1, height, width):tile(n, 1, 1, 1)
end

local function augment(options)
  options.generator = neap.generator(5)
  return data.Augment(options)
end

describe("warped images", function()
  local x = picture(1, 3, 3)

  local function warped(row, options)
    return x:warp(neap.tensor{row}, options):reshape(3, 3):totable()
  end

  it("are themselves, mirrored, moved, turned", function()
    assert.same({{1, 2, 3}, {4, 5, 6}, {7, 8, 9}},
                warped{1, 0, 0, 0, 1, 0})
    assert.same({{3, 2, 1}, {6, 5, 4}, {9, 8, 7}},
                warped{-1, 0, 0, 0, 1, 0})
    assert.same({{0, 0, 0}, {0, 1, 2}, {0, 4, 5}},
                warped{1, 0, -1, 0, 1, -1})
    assert.same({{3, 6, 9}, {2, 5, 8}, {1, 4, 7}},
                warped{0, -1, 0, 1, 0, 0})
    assert.same({{1.5, 2.5, 1.5}, {4.5, 5.5, 3}, {7.5, 8.5, 4.5}},
                warped{1, 0, 0.5, 0, 1, 0})
  end)

  it("take what is outside from the edge or a mirror, or nearest pixels",
  function()
    local row = {1, 0, -2, 0, 1, 0}
    assert.same({1, 1, 1}, warped(row, {padding_mode = "border"})[1])
    assert.same({3, 2, 1}, warped(row, {padding_mode = "reflection"})[1])
    assert.same({2, 3, 0}, warped({1, 0, 0.6, 0, 1, 0},
                                  {mode = "nearest"})[1])
    assert.same({0, 0, 0}, warped({1, 0, 1e30, 0, 1, 0})[1])
    assert.same({0, 0, 0}, warped({0 / 0, 0, 0, 0, 1, 0})[1])
  end)

  it("have maps of their own, whatever their layout", function()
    local many = neap.randn({9, 3, 5, 4}, {dtype = "float64"})
    local maps = neap.randn({9, 6}, {dtype = "float64"})
    local whole = many:warp(maps)
    for i = 1, 9 do
      check.near(whole[{{i, i}}], many[{{i, i}}]:warp(maps[{{i, i}}]), 0, 0)
    end
    local turned = many:permute(1, 2, 4, 3):contiguous():permute(1, 2, 4, 3)
    check.near(whole, turned:warp(maps), 0, 0)
    check.near(whole:to("float32"), many:to("float32"):warp(maps), 1e-5,
               1e-5)
    assert.matches("matrix is 2x6, expected 9x6",
                   message(neap.warp, many, neap.ones(2, 6)))
    assert.matches("warp: x is 3, expected %(batch, channels, height",
                   message(neap.warp, neap.ones(3), maps))
  end)

  it("have boxes of a number or of other images", function()
    local two = picture(2, 3, 3)
    local boxes = check.ids{{1, 2, 2, 9}, {3, 3, 0, 1}}
    local y = two:paste(boxes, {value = -1})
    assert.same({{1, -1, -1}, {4, -1, -1}, {7, 8, 9}}, y[1][1]:totable())
    assert.same(two[2]:totable(), y[2]:totable())
    y = two:paste(boxes, two * 10)
    assert.same({{1, 20, 30}, {4, 50, 60}, {7, 8, 9}}, y[1][1]:totable())
    local far = math.maxinteger
    y = two:paste(check.ids{{2, 1, far, far}, {far, -far, far, 1}})
    assert.same({{1, 2, 3}, {0, 0, 0}, {0, 0, 0}}, y[1][1]:totable())
    assert.same(two[2]:totable(), y[2]:totable())
    assert.matches("boxes is 4, expected 2x4",
                   message(neap.paste, two, check.ids{1, 1, 1, 1}))
  end)

end)


describe("augmentation", function()

  it("mirrors and crops whole pixels, differently for each", function()
    local x = picture(200, 5, 4)
    local y = augment{flip = 0.5}(x)
    local mirrored = y[{{}, 1, 1, 1}]:eq(4):sum():item()
    assert.is_true(mirrored > 70 and mirrored < 130)
    assert.same({1, 4}, y[{{}, 1, 1, 1}]:unique():totable())
    y = augment{crop = 2}(x)
    local corners = y[{{}, 1, 3, 2}]:unique()        -- 3 + 2 x 4 + 1 = 10
    assert.is_true(#corners > 15)
    check.near(corners, corners:round(), 0, 0)
  end)

  it("turns, scales and shifts within its limits", function()
    local x = neap.zeros(100, 1, 21, 21)
    x[{{}, 1, 11, {15, 21}}] = 1                     -- a ray to the right
    local function weight(y) return y:sum{2, 3, 4} end
    local y = augment{rotate = 30}(x)
    assert.near(7, weight(y):mean():item(), 0.3)
    assert.equal(0, y[{{}, 1, {}, {1, 11}}]:sum():item())
    assert.is_true(y[{{}, 1, 8, {}}]:sum():item() > 0)
    y = augment{scale = {0.5, 0.5}}(x)
    assert.same({4}, weight(y):unique():totable())       -- half as long
    y = augment{shift = 0.2}(x)
    assert.equal(0, y[{{}, 1, {}, {1, 9}}]:sum():item())
    assert.is_true(y[{{}, 1, 8, {}}]:sum():item() > 0)
  end)

  it("erases boxes and adds noise", function()
    local x = neap.ones(300, 2, 20, 20)
    local y = augment{erase = 0.5, erase_area = {0.1, 0.2}}(x)
    local share = 1 - y:mean{2, 3, 4}
    local hit = share:gt(0)
    assert.is_true(math.abs(hit:sum():item() - 150) < 40)
    assert.is_true(share:max():item() < 0.23)
    assert.near(0.15, share[hit]:mean():item(), 0.02)
    assert.same(y:select(2, 1):totable(), y:select(2, 2):totable())
    y = augment{noise = 0.1}(x)
    assert.near(0.1, y:std():item(), 0.003)
  end)

  it("mixes images and labels of a batch", function()
    local x = neap.cat{neap.zeros(50, 1, 8, 8), neap.ones(50, 1, 8, 8)}
    local y = neap.cat{neap.ones(50), neap.ones(50) * 2}:to("int64")
    local mean, n = 0, 0
    for _, options in ipairs{{mixup = 0.4}, {cutmix = 1}, {mixup = 2}} do
      options.classes = 3
      local a = augment(options)
      for _ = 1, 20 do
        local images, labels = a(x, y)
        check.near(neap.ones(100), labels:sum(2), 1e-6, 1e-6)
        check.near(images:mean{2, 3, 4}, labels[{{}, 2}], 1e-5, 1e-5)
        mean, n = mean + labels[{{}, 2}]:std():item(), n + 1
      end
    end
    assert.is_true(mean / n > 0.2 and mean / n < 0.5)
    local share = {}
    local a = augment{mixup = 0.5, classes = 2}
    for i = 1, 400 do
      share[i] = select(2, a(x[{{50, 51}}], y[{{50, 51}}]))[{1, 1}]
    end
    -- half the batches keep their order; Beta(1/2, 1/2) has variance 1/8
    local s = neap.tensor(share)
    s = s[s:lt(1)]
    assert.near(0.5, s:mean():item(), 0.06)
    assert.near(0.125, s:var():item(), 0.02)
  end)

  it("is repeatable by its generator, and a map of a dataset", function()
    local x, y = neap.randn(6, 3, 5, 5), neap.ones(6):to("int64")
    local o = {flip = 0.5, crop = 1, rotate = 10, noise = 0.1, erase = 0.5,
               scale = 0.1, shift = 0.1}
    check.near(augment(o)(x), augment(o)(x), 0, 0)
    local set = data.map(data.TensorDataset(x, y), augment(o),
                         {batched = true})
    local images, labels = set:batch(check.ids{2, 4})
    assert.same({2, 3, 5, 5}, images.shape)
    assert.same({1, 1}, labels:totable())
    assert.same({3, 5, 5}, set[1][1].shape)
    assert.same({0, 3, 5, 5}, augment(o)(x[{{2, 1}}]).shape)
  end)

  it("says what it cannot do", function()
    assert.matches("flip is 2, expected a number from 0 to 1",
                   message(data.Augment, {flip = 2}))
    assert.matches("images are uint8; x:to", message(data.Augment{flip = 1},
                   neap.zeros{1, 1, 2, 2, dtype = "uint8"}))
    assert.matches("scale is from %-1 to 1, expected two numbers above 0",
                   message(data.Augment, {scale = {-1, 1}}))
    assert.matches("mixup and cutmix need to know how many classes",
                   message(data.Augment, {mixup = 1}))
    local a = data.Augment{mixup = 1, classes = 2}
    assert.matches("need labels too", message(a, neap.ones(2, 1, 3, 3)))
    assert.matches("expected images %(batch, channels, height, width%), " ..
                   "not 3x3", message(a, neap.ones(3, 3)))
  end)

end)
