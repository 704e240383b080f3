--- Generative adversarial networks: one net makes pictures, another tells
-- them from real ones, and each learns from the other (Goodfellow and others
-- 2014), both convolutional (Radford, Metz and Chintala 2016).

local neap = require "neap"
local options = require "neap.options"
local nn = neap.nn
local F = nn.functional
local gan = {}

-- noise (n, latent) -> pictures from -1 to 1; each step doubles the size
local function generator(o)
  local w, small = o.width, o.image_size // 4
  return nn.Sequential{
    nn.Linear(o.latent, 2 * w * small * small, {bias = false}),
    nn.Unflatten(2, {2 * w, small, small}),
    nn.BatchNorm2d(2 * w), nn.ReLU(),
    nn.ConvTranspose2d(2 * w, w, 4, {stride = 2, padding = 1, bias = false}),
    nn.BatchNorm2d(w), nn.ReLU(),
    nn.ConvTranspose2d(w, o.channels, 4, {stride = 2, padding = 1}),
    nn.Tanh()}
end

-- pictures -> one logit each: above 0 means real
local function discriminator(o)
  local w, small = o.width, o.image_size // 4
  return nn.Sequential{
    nn.Conv2d(o.channels, w, 4, {stride = 2, padding = 1}),
    nn.LeakyReLU(0.2),
    nn.Conv2d(w, 2 * w, 4, {stride = 2, padding = 1, bias = false}),
    nn.BatchNorm2d(2 * w), nn.LeakyReLU(0.2),
    nn.Flatten(), nn.Linear(2 * w * small * small, 1)}
end

local GAN = nn.Module:extend "model.GAN"

--- GAN{latent = 64, image_size = 28, channels = 1, width = 32}: children
-- `generator` and `discriminator`, for one optimiser each. image_size is a
-- multiple of 4.
function GAN:init(given)
  local o = options.read("GAN", given, {
    {"latent", "integer", default = 64, least = 1},
    {"image_size", "integer", default = 28, least = 4},
    {"channels", "integer", default = 1, least = 1},
    {"width", "integer", default = 32, least = 1}})
  if o.image_size % 4 ~= 0 then
    neap._fail("GAN: image_size is %d, expected a multiple of 4",
               o.image_size)
  end
  self.latent = o.latent
  self.generator, self.discriminator = generator(o), discriminator(o)
  for _, p in ipairs(self:parameters()) do      -- as in the second paper
    if p.ndim > 1 then nn.init.normal_(p, 0, 0.02) end
  end
end

--- n pictures (n, channels, size, size) from -1 to 1; z is drawn unless
-- given.
function GAN:forward(n, z)
  return self.generator(z or neap.randn(n, self.latent))
end

-- Mean of -log sigmoid of what is wanted; real: what it should be taken for.
local function told(self, x, real)
  local logits = self.discriminator(x)
  local wanted = real and neap.ones_like(logits) or neap.zeros_like(logits)
  return F.binary_cross_entropy_with_logits(logits, wanted)
end

--- How badly real pictures x and as many made ones are told apart; for the
-- discriminator's optimiser (the generator gets no gradient).
function GAN:discriminator_loss(x)
  local made = neap.no_grad(self.forward, self, x.shape[1])
  return (told(self, x, true) + told(self, made, false)) / 2
end

--- How badly n made pictures pass for real ones (the loss that does not
-- saturate, section 3 of the first paper); for the generator's optimiser.
-- It leaves gradients in the discriminator too: zero those before its step.
function GAN:generator_loss(n) return told(self, self(n), true) end

gan.GAN = GAN
return gan
