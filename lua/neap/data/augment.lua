--- Augmentation: batches of images changed at random, so that a net sees
-- new ones in every epoch.
--
--     local augment = data.Augment{flip = 0.5, crop = 2, rotate = 10}
--     local set = data.map(train, augment, {batched = true})
--
-- Images are (batch, channels, height, width). All that moves pixels is one
-- map, so that they are mixed once.

local neap = require "neap"
local fail = neap._fail
local options = require "neap.options"

local Augment = {}
Augment.__index = Augment

local declared = {
  {"flip", "number", default = 0, least = 0, most = 1},
  {"flip_vertical", "number", default = 0, least = 0, most = 1},
  {"crop", "integer", default = 0, least = 0},
  {"shift", "number", default = 0, least = 0},
  {"rotate", "number", default = 0, least = 0},
  {"scale", "number|table", default = 0},
  {"noise", "number", default = 0, least = 0},
  {"erase", "number", default = 0, least = 0, most = 1},
  {"erase_area", "table", default = {0.02, 0.25}},
  {"mixup", "number", default = 0, least = 0, most = 1e6},
  {"cutmix", "number", default = 0, least = 0, most = 1e6},
  {"classes", "integer", least = 2},
  {"mode", "string", default = "bilinear", choices = {"bilinear", "nearest"}},
  {"padding_mode", "string", default = "zeros",
   choices = {"zeros", "border", "reflection"}},
  {"generator", "any"}
}

--- data.Augment(options): augment(x) gives new images, augment(x, y) also
-- labels.
--
-- Options, each drawn anew for every image: flip, flip_vertical, the
-- probability of a mirrored one; crop, so many pixels to either side at
-- most (a crop of the image with room around it); shift, the same as a
-- share of its size, not in whole pixels; rotate, degrees to either side at
-- most; scale, the largest change of size (0.1: 0.9 to 1.1), or {least,
-- most}; noise, the deviation of normal noise; erase, the probability of a
-- box of zeros, of an area in erase_area ({0.02, 0.25}; Zhong et al. 2017).
--
-- For a whole batch: mixup (Zhang et al. 2017), cutmix (Yun et al. 2019),
-- the parameter alpha of the distribution Beta(alpha, alpha) of the share
-- that another image gets; labels become probabilities (batch, classes),
-- which CrossEntropyLoss takes, so `classes` must be given.
--
-- Others: mode ("bilinear", "nearest"), padding_mode, what is outside
-- ("zeros", "border", "reflection"), generator.
local function new(given)
  local self = options.read("Augment", given, declared)
  if type(self.scale) == "number" then
    self.scale = {1 - self.scale, 1 + self.scale}
  end
  for name, pair in pairs{scale = self.scale, erase_area = self.erase_area} do
    if type(pair[1]) ~= "number" or type(pair[2]) ~= "number" or
       pair[1] <= 0 or pair[1] > pair[2] then
      fail("Augment: %s is from %s to %s, expected two numbers above 0", name,
           tostring(pair[1]), tostring(pair[2]))
    end
  end
  if self.mixup > 0 and self.cutmix > 0 then
    fail("Augment: mixup and cutmix exclude each other")
  elseif (self.mixup > 0 or self.cutmix > 0) and not self.classes then
    fail("Augment: mixup and cutmix need to know how many classes there are")
  end
  return setmetatable(self, Augment)
end

-- n numbers even in [low, high), in double precision
local function even(self, n, low, high)
  local u = neap.rand({n}, {dtype = "float64", generator = self.generator})
  return u * (high - low) + low
end

-- n numbers: -1 with a probability, else 1
local function signs(self, n, probability)
  return 1 - 2 * even(self, n, 0, 1):lt(probability):to("float64")
end

-- whole numbers from -most to most
local function steps(self, n, most)
  return even(self, n, 0, 1):mul(2 * most + 1):floor() - most
end

-- For each image the map from the result's pixels to its own: mirror,
-- scale and turn, undone, of what was moved.
local function matrices(self, n, height, width)
  local angle = even(self, n, -self.rotate, self.rotate) * (math.pi / 180)
  local size = 1 / even(self, n, self.scale[1], self.scale[2])
  local across = signs(self, n, self.flip)
  local down = signs(self, n, self.flip_vertical)
  local u = steps(self, n, self.crop) +
            even(self, n, -self.shift, self.shift) * width
  local v = steps(self, n, self.crop) +
            even(self, n, -self.shift, self.shift) * height
  local c, s = angle:cos() * size, angle:sin() * size
  local a, b, d, e = across * c, across * s, -down * s, down * c
  return neap.stack({a, b, -(a * u + b * v), d, e, -(d * u + e * v)}, 2)
end

local function moves(self)
  return self.flip > 0 or self.flip_vertical > 0 or self.crop > 0 or
         self.shift > 0 or self.rotate > 0 or self.scale[1] ~= 1 or
         self.scale[2] ~= 1
end

-- Boxes of given heights and widths (in pixels), somewhere inside.
local function boxes(self, heights, widths, height, width)
  local n = #heights
  heights = heights:round():clamp(0, height)
  widths = widths:round():clamp(0, width)
  local top = (even(self, n, 0, 1) * (height - heights + 1)):floor() + 1
  local left = (even(self, n, 0, 1) * (width - widths + 1)):floor() + 1
  return neap.stack({top, left, heights, widths}, 2):to("int64")
end

local function erased(self, x, n, height, width)
  local area = even(self, n, self.erase_area[1], self.erase_area[2])
  local ratio = even(self, n, math.log(0.3), math.log(1 / 0.3)):exp():sqrt()
  local hit = even(self, n, 0, 1):lt(self.erase):to("float64")
  local side = area:sqrt() * hit
  return x:paste(boxes(self, side * ratio * height, side / ratio * width,
                       height, width))
end

-- A number from Gamma(a, 1) (Marsaglia and Tsang 2000).
local gamma
function gamma(self, a)
  if a < 1 then
    local u = 1 - even(self, 1, 0, 1)[1]         -- above 0
    return gamma(self, a + 1) * u ^ (1 / a)
  end
  local d = a - 1 / 3
  local c = 1 / math.sqrt(9 * d)
  while true do
    local x = neap.randn({1}, {dtype = "float64",
                               generator = self.generator})[1]
    local u, v = 1 - even(self, 1, 0, 1)[1], (1 + c * x) ^ 3
    if v > 0 and math.log(u) < x * x / 2 + d - d * v + d * math.log(v) then
      return d * v
    end
  end
end

-- A number from Beta(a, a); where both are 0 (a tiny), one side at random.
local function beta(self, a)
  local x, y = gamma(self, a), gamma(self, a)
  if x + y == 0 then return even(self, 1, 0, 1)[1] < 0.5 and 0 or 1 end
  return x / (x + y)
end

local function probabilities(self, y)
  if y == nil then
    fail("Augment: mixup and cutmix need labels too: augment(x, y)")
  elseif y.ndim == 2 then return y end
  return neap.one_hot(y, self.classes):to("float32")
end

-- The images and labels of a batch, mixed with those of another order.
local function mixed(self, x, y, n, height, width)
  local order = neap.randperm(n, {generator = self.generator})
  local other, labels = x:index_select(1, order), probabilities(self, y)
  local share
  if self.mixup > 0 then
    share = beta(self, self.mixup)
    x = x * share + other * (1 - share)
  else
    local side = math.sqrt(1 - beta(self, self.cutmix))
    local one = neap.ones(1, {dtype = "float64"})
    local box = boxes(self, one * side * height, one * side * width, height,
                      width)
    x = x:paste(box:expand{n, 4}, other)
    share = 1 - box[{1, 3}] * box[{1, 4}] / (height * width)
  end
  return x, labels * share + labels:index_select(1, order) * (1 - share)
end

function Augment:__call(x, y, ...)
  if not neap.is_tensor(x) or x.ndim ~= 4 then
    fail("Augment: expected images (batch, channels, height, width), not %s",
         neap.is_tensor(x) and table.concat(x.shape, "x") or type(x))
  elseif not x:is_floating_point() then
    fail("Augment: images are %s; x:to(\"float32\") / 255 makes real " ..
         "numbers of bytes", x.dtype)
  end
  local n, height, width = x:size(1), x:size(3), x:size(4)
  if x:numel() == 0 then return x, y, ... end
  if moves(self) then
    x = x:warp(matrices(self, n, height, width),
               {mode = self.mode, padding_mode = self.padding_mode})
  end
  if self.erase > 0 then x = erased(self, x, n, height, width) end
  if self.noise > 0 then
    x = x:gaussian_noise{std = self.noise, generator = self.generator}
  end
  if self.mixup > 0 or self.cutmix > 0 then
    x, y = mixed(self, x, y, n, height, width)
  end
  if y == nil and select("#", ...) == 0 then return x end
  return x, y, ...
end

return {Augment = new}
