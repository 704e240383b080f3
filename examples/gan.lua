-- Two convolutional nets play against each other: one draws digits, the
-- other tells them from those of MNIST (Radford and others 2016).
--
--   neap examples/gan.lua                               (about ten minutes)
--   neap examples/gan.lua --set fashion --epochs 3
--
-- Prints both losses (at 0.69 the second only guesses) and, after each
-- epoch, pictures made from the same noise.

local neap = require "neap"
local optim, data = neap.optim, neap.data

local o = neap.cli("Learns to draw digits against a critic.", {
  {"set", "string", default = "mnist", choices = {"mnist", "fashion"}},
  {"epochs", "integer", default = 5, least = 1},
  {"samples", "integer", default = 60000, least = 1},
  {"latent", "integer", default = 64, least = 1},
  {"width", "integer", default = 32, least = 1, help = "channels"},
  {"lr", "number", default = 2e-4},
  {"batch_size", "integer", default = 64, least = 1},
  {"seed", "integer", default = 1}
})
neap.manual_seed(o.seed)

local set = o.set == "mnist" and data.mnist() or data.fashion_mnist()
local pictures = set.tensors[1][{{1, o.samples}}]:to("float32"):unsqueeze(2)
pictures = pictures / 127.5 - 1

local net = neap.model.GAN{latent = o.latent, width = o.width}
local settings = {lr = o.lr, betas = {0.5, 0.999}}
local draws = optim.Adam(net.generator:parameters(), settings)
local tells = optim.Adam(net.discriminator:parameters(), settings)
local loader = data.DataLoader(data.TensorDataset(pictures), {
  batch_size = o.batch_size, shuffle = true, drop_last = true})
local noise = neap.randn(8, o.latent)

local begin = neap.clock()
for epoch = 1, o.epochs do
  local told, passed, n = 0, 0, 0
  for x in loader:batches() do
    tells:zero_grad()
    local loss = net:discriminator_loss(x)
    loss:backward()
    tells:step()

    draws:zero_grad()
    local other = net:generator_loss(x.shape[1])
    other:backward()
    draws:step()
    told, passed, n = told + loss:item(), passed + other:item(), n + 1
  end
  print(("epoch %2d  losses: to draw %.3f, to tell %.3f  %4.0f s"):format(
    epoch, passed / n, told / n, neap.clock() - begin))
  net.generator:eval()
  print(neap.gallery(neap.no_grad(net, 8, noise),
                     {columns = 4, low = -1, high = 1}))
  net.generator:train()
end
