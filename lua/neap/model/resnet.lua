--- Residual networks for pictures (He, Zhang, Ren and Sun 2016). Names of
-- parameters are those of torchvision's, whose weights load.

local neap = require "neap"
local options = require "neap.options"
local nn = neap.nn
local resnet = {}

local function convolution(from, to, size, stride)
  return nn.Conv2d(from, to, size, {stride = stride, padding = size // 2,
                                    bias = false})
end

-- Where the shape changes, x goes through a 1x1 convolution; else by itself.
local function shortcut(from, to, stride)
  if from == to and stride == 1 then return nil end
  return nn.Sequential{convolution(from, to, 1, stride), nn.BatchNorm2d(to)}
end

local Basic = nn.Module:extend "model.ResNetBasic"

function Basic:init(from, width, stride)
  self.conv1 = convolution(from, width, 3, stride)
  self.bn1 = nn.BatchNorm2d(width)
  self.conv2 = convolution(width, width, 3, 1)
  self.bn2 = nn.BatchNorm2d(width)
  self.downsample = shortcut(from, width, stride)
end

function Basic:forward(x)
  local y = self.bn1(self.conv1(x)):relu()
  y = self.bn2(self.conv2(y))
  if self.downsample then x = self.downsample(x) end
  return (y + x):relu()
end

local Bottleneck = nn.Module:extend "model.ResNetBottleneck"

function Bottleneck:init(from, width, stride)
  self.conv1 = convolution(from, width, 1, 1)
  self.bn1 = nn.BatchNorm2d(width)
  self.conv2 = convolution(width, width, 3, stride)
  self.bn2 = nn.BatchNorm2d(width)
  self.conv3 = convolution(width, 4 * width, 1, 1)
  self.bn3 = nn.BatchNorm2d(4 * width)
  self.downsample = shortcut(from, 4 * width, stride)
end

function Bottleneck:forward(x)
  local y = self.bn1(self.conv1(x)):relu()
  y = self.bn2(self.conv2(y)):relu()
  y = self.bn3(self.conv3(y))
  if self.downsample then x = self.downsample(x) end
  return (y + x):relu()
end

local kinds = {basic = {class = Basic, wider = 1},
               bottleneck = {class = Bottleneck, wider = 4}}

local ResNet = nn.Module:extend "model.ResNet"

--- ResNet{layers = {2, 2, 2, 2}, block = "basic", num_classes = 1000,
-- in_channels = 3, width = 64, stem = "large"}: stages of so many blocks,
-- each stage twice as wide as the one before and half as high. These are
-- ResNet-18's options; {3, 4, 6, 3} makes 34, with block = "bottleneck" 50.
-- stem = "small" is a 3x3 convolution, for small pictures: with layers = {n,
-- n, n} and width = 16 it is the net of section 4.2 with 6n + 2 layers.
function ResNet:init(given)
  local o = options.read("ResNet", given, {
    {"layers", "table", default = {2, 2, 2, 2}},
    {"block", "string", default = "basic",
     choices = {"basic", "bottleneck"}},
    {"num_classes", "integer", default = 1000, least = 1},
    {"in_channels", "integer", default = 3, least = 1},
    {"width", "integer", default = 64, least = 1},
    {"stem", "string", default = "large", choices = {"large", "small"}}})
  local large, kind = o.stem == "large", kinds[o.block]
  self.conv1 = large and convolution(o.in_channels, o.width, 7, 2)
               or convolution(o.in_channels, o.width, 3, 1)
  self.bn1 = nn.BatchNorm2d(o.width)
  if large then self.pool = nn.MaxPool2d(3, {stride = 2, padding = 1}) end
  self.stages = #o.layers
  local from, width = o.width, o.width
  for stage, n in ipairs(o.layers) do
    if math.type(n) ~= "integer" or n < 1 then
      neap._fail("ResNet: layers[%d] is %s, expected an integer of at " ..
                 "least 1", stage, tostring(n))
    end
    local blocks = {}
    for i = 1, n do
      blocks[i] = kind.class(from, width, (i == 1 and stage > 1) and 2 or 1)
      from = width * kind.wider
    end
    self["layer" .. stage] = nn.Sequential(blocks)
    width = 2 * width
  end
  self.fc = nn.Linear(from, o.num_classes)
  for _, p in ipairs(self:parameters()) do
    if p.ndim == 4 then
      nn.init.kaiming_normal_(p, {mode = "fan_out", nonlinearity = "relu"})
    end
  end
end

--- Scores (batch, num_classes) of pictures (batch, in_channels, height,
-- width).
function ResNet:forward(x)
  x = self.bn1(self.conv1(x)):relu()
  if self.pool then x = self.pool(x) end
  for stage = 1, self.stages do x = self["layer" .. stage](x) end
  return self.fc(x:mean{3, 4})
end

resnet.ResNet = ResNet
return resnet
