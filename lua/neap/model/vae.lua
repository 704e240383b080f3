--- Variational autoencoders: codes are distributions near the standard
-- normal one, from which new pictures are drawn (Kingma and Welling 2014).

local neap = require "neap"
local options = require "neap.options"
local mlp = require "neap.model.mlp"
local nn = neap.nn
local F = nn.functional
local vae = {}

local VAE = nn.Module:extend "model.VAE"

--- VAE{sizes = {784, 400, 20}, activation = "relu"}: the encoder goes from
-- the first size to the mean and the logarithm of the variance of a code
-- with the last size; the decoder goes back to logits.
function VAE:init(given)
  local o = options.read("VAE", given, {
    {"sizes", "table", required = true},
    {"activation", "string", default = "relu"}})
  mlp._check_sizes("VAE", o.sizes)
  local there, back, last = {}, {}, #o.sizes
  for i, n in ipairs(o.sizes) do there[i], back[last + 1 - i] = n, n end
  there[last] = 2 * o.sizes[last]
  self.latent = o.sizes[last]
  self.encoder = mlp.MLP{sizes = there, activation = o.activation}
  self.decoder = mlp.MLP{sizes = back, activation = o.activation}
end

--- Mean and logarithm of the variance (batch, latent) of the codes of x.
function VAE:encode(x)
  local parts = self.encoder(x):chunk(2, 2)
  return parts[1], parts[2]
end

--- Pictures from 0 to 1 (batch, first size) of codes.
function VAE:decode(z) return self.decoder(z):sigmoid() end

--- Logits in the shape of x, mean and logarithm of the variance of its
-- codes. In training the code is drawn, z = mean + deviation * noise, so
-- that the gradient reaches mean and deviation; in eval mode it is the mean.
function VAE:forward(x)
  local mean, logvar = self:encode(x)
  local z = mean
  if self.training then z = mean + (logvar / 2):exp() * neap.randn_like(mean)
  end
  return self.decoder(z):view_as(x), mean, logvar
end

--- What training makes small, in nats for each picture x (values from 0 to
-- 1): minus the lower bound of log p(x) (ELBO, equation 10 of the paper),
-- here with one drawn code, in eval mode too.
-- @return their sum (a tensor that can go backward), and the two parts as
-- numbers: reconstruction, -log p(x|z), and KL(q(z|x) || p(z)) =
-- -1/2 sum(1 + log v - mean^2 - v)
function VAE:loss(x)
  local n = x.shape[1]
  local mean, logvar = self:encode(x)
  local z = mean + (logvar / 2):exp() * neap.randn_like(mean)
  local y = self.decoder(z):view_as(x)
  local rest = F.binary_cross_entropy_with_logits(y, x,
                                                  {reduction = "sum"}) / n
  local kl = (logvar + 1 - mean * mean - logvar:exp()):sum() * (-0.5 / n)
  return rest + kl, rest:item(), kl:item()
end

--- n new pictures (n, first size), decoded from codes that are drawn.
function VAE:sample(n)
  local weight = self:parameters()[1]
  return self:decode(neap.randn(n, self.latent, {dtype = weight.dtype}))
end

vae.VAE = VAE
return vae
