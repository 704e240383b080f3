--- Autoencoders: what is put into a few numbers must be read from them again
-- (Hinton and Salakhutdinov 2006).

local neap = require "neap"
local options = require "neap.options"
local mlp = require "neap.model.mlp"
local nn = neap.nn
local autoencoder = {}

local Autoencoder = nn.Module:extend "model.Autoencoder"

--- Autoencoder{sizes = {784, 256, 32}, activation = "relu", dropout = 0}:
-- an MLP from the first size to the last, the code, and one back the same
-- way. Its result are logits: sigmoid gives pictures from 0 to 1, and
-- BCEWithLogitsLoss compares.
function Autoencoder:init(given)
  local o = options.read("Autoencoder", given, {
    {"sizes", "table", required = true},
    {"activation", "string", default = "relu"},
    {"dropout", "number", default = 0, least = 0, most = 1}})
  mlp._check_sizes("Autoencoder", o.sizes)
  local back = {}
  for i, n in ipairs(o.sizes) do back[#o.sizes + 1 - i] = n end
  self.encoder = mlp.MLP{sizes = o.sizes, activation = o.activation,
                         dropout = o.dropout}
  self.decoder = mlp.MLP{sizes = back, activation = o.activation}
end

--- The code (batch, last size) of x.
function Autoencoder:encode(x) return self.encoder(x) end

--- Pictures from 0 to 1 (batch, first size) of codes.
function Autoencoder:decode(code) return self.decoder(code):sigmoid() end

--- Logits in the shape of x.
function Autoencoder:forward(x)
  return self.decoder(self.encoder(x)):view_as(x)
end

autoencoder.Autoencoder = Autoencoder
return autoencoder
