-- The first script of the README: which points of a square are in a circle?
--
--   neap examples/first.lua [file]
--
-- Takes less than a second; about 250 of the 256 points are right.

local neap = require "neap"
local nn, optim = neap.nn, neap.optim

neap.manual_seed(1)
local x = neap.rand(256, 2) * 2 - 1                    -- points of a square
local inside = (x * x):sum(2):lt(0.5)                  -- in the circle?
local labels = inside:to("int64") + 1                  -- classes 1 and 2

local net = nn.Sequential{nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 2)}
local loss_of = nn.CrossEntropyLoss()
local opt = optim.Adam(net:parameters(), {lr = 0.02})
for step = 1, 300 do
  local loss = loss_of(net(x), labels)
  opt:zero_grad()
  loss:backward()
  opt:step()
  if step % 100 == 0 then print(step, loss:item()) end
end
local right = net(x):argmax(2):eq(labels):sum():item()
print(("%d of 256 points are right"):format(right))
net:save(arg and arg[1] or "circle.safetensors")
