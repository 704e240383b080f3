-- A variational autoencoder learns the digits of MNIST, then draws some of
-- its own (Kingma and Welling 2014).
--
--   neap examples/vae.lua                               (about two minutes)
--   neap examples/vae.lua --epochs 1 --samples 6000
--
-- Prints the lower bound of log p(x) (ELBO) in nats a test picture, and its
-- two parts. About -105 after 10 epochs; the pixels are taken as they are,
-- from 0 to 1.

local neap = require "neap"
local optim, data = neap.optim, neap.data

local o = neap.cli("Learns the distribution of digits.", {
  {"epochs", "integer", default = 10, least = 1},
  {"hidden", "integer", default = 400, least = 1},
  {"latent", "integer", default = 20, least = 1},
  {"samples", "integer", default = 60000, least = 1},
  {"test", "integer", default = 10000, least = 8},
  {"lr", "number", default = 1e-3},
  {"batch_size", "integer", default = 128, least = 1},
  {"seed", "integer", default = 1}
})
neap.manual_seed(o.seed)

local function pictures(set, n)
  return set.tensors[1][{{1, n}}]:to("float32"):flatten(2) / 255
end
local train, test = data.mnist()
train, test = pictures(train, o.samples), pictures(test, o.test)

local net = neap.model.VAE{sizes = {784, o.hidden, o.latent}}
local optimizer = optim.Adam(net:parameters(), {lr = o.lr})
local loader = data.DataLoader(data.TensorDataset(train), {
  batch_size = o.batch_size, shuffle = true})

-- ELBO in nats a test picture, and its parts.
local function measure()
  local _ <close> = neap.no_grad()
  net:eval()
  local loss, rest, kl = net:loss(test)
  net:train()
  return -loss:item(), rest, kl
end

local begin = neap.clock()
for epoch = 1, o.epochs do
  for x in loader:batches() do
    optimizer:zero_grad()
    local loss = net:loss(x)
    loss:backward()
    optimizer:step()
  end
  local bound, rest, kl = measure()
  print(("epoch %2d  ELBO %8.2f nats = -(%.2f to rebuild + %.2f KL)  %4.0f s")
        :format(epoch, bound, rest, kl, neap.clock() - begin))
end

net:eval()
print "test pictures, and what the net makes of them:"
local x = test[{{1, 4}}]
local back = neap.no_grad(function() return net:decode(net:encode(x)) end)
print(neap.gallery(neap.cat({x, back}, 1):view(-1, 28, 28), {columns = 4}))
print "drawn:"
print(neap.gallery(neap.no_grad(net.sample, net, 8):view(-1, 28, 28),
                   {columns = 4}))
