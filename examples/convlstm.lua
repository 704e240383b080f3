-- A cell of one's own: ConvLSTM (Shi and others 2015), an LSTM whose
-- products are convolutions, written in Lua. It sees squares that fly and
-- bounce, and draws the next picture.
--
--   neap examples/convlstm.lua                           (20 seconds)
--
-- Prints its error beside that of showing the last picture again.

local neap = require "neap"
local nn, optim = neap.nn, neap.optim

local o = neap.cli("Learns how squares fly.", {
  {"steps", "integer", default = 600, least = 1, help = "of training"},
  {"hidden", "integer", default = 24, least = 1, help = "channels of h"},
  {"batch_size", "integer", default = 16, least = 1},
  {"lr", "number", default = 3e-3},
  {"seed", "integer", default = 1}
})
neap.manual_seed(o.seed)

local ConvLSTMCell = nn.Module:extend "ConvLSTMCell"

function ConvLSTMCell:init(input, hidden, size)
  self.hidden = hidden
  self.gates = nn.Conv2d(input + hidden, 4 * hidden, size,
                         {padding = "same"})
  neap.no_grad(function()                        -- at first, remember
    self.gates.bias[{{hidden + 1, 2 * hidden}}] = 1
  end)
end

-- x (batch, input, rows, columns); the state is {h, c}, nil at first
function ConvLSTMCell:forward(x, state)
  local s = x.shape
  local h = state and state[1] or neap.zeros(s[1], self.hidden, s[3], s[4])
  local c = state and state[2] or neap.zeros_like(h)
  local parts = self.gates(neap.cat({x, h}, 2)):chunk(4, 2)
  local i, f, g, out = parts[1]:sigmoid(), parts[2]:sigmoid(),
                       parts[3]:tanh(), parts[4]:sigmoid()
  c = f * c + i * g
  h = out * c:tanh()
  return h, {h, c}
end

local Predictor = nn.Module:extend "FramePredictor"

function Predictor:init(hidden)
  self.cell = ConvLSTMCell(1, hidden, 3)
  self.draw = nn.Conv2d(hidden, 1, 1)
end

-- x (steps, batch, 1, rows, columns): the picture after the last one
function Predictor:forward(x)
  local h, state
  for t = 1, #x do h, state = self.cell(x[t], state) end
  return self.draw(h)
end

-- Squares of 3x3 that bounce in 12x12, over 7 steps.
local SIZE, STEPS = 12, 7
local function bounce(at, speed, t)
  local p = (at + speed * t) % (2 * (SIZE - 3))
  return p < SIZE - 3 and p or 2 * (SIZE - 3) - p
end

local function films(n)
  local x = neap.zeros(STEPS, n, 1, SIZE, SIZE)
  local function random(low, high)
    return neap.randint(low, high, {1})[1]
  end
  for b = 1, n do
    local row, column = random(0, 8), random(0, 8)
    local down, right = random(-1, 1), random(-1, 1)
    for t = 1, STEPS do
      local r, c = bounce(row, down, t), bounce(column, right, t)
      x[{t, b, 1, {r + 1, r + 3}, {c + 1, c + 3}}] = 1
    end
  end
  return x[{{1, STEPS - 1}}], x[STEPS]
end

local net = Predictor(o.hidden)
local optimizer = optim.Adam(net:parameters(), {lr = o.lr})
local criterion = nn.BCEWithLogitsLoss()
for _ = 1, o.steps do
  local x, y = films(o.batch_size)
  optimizer:zero_grad()
  criterion(net(x), y):backward()
  nn.utils.clip_grad_norm_(net:parameters(), 1)
  optimizer:step()
end

local x, y = films(200)
local drawn = neap.no_grad(net, x):sigmoid()
local function wrong(z) return (z - y):abs():mean():item() * 100 end
print(("wrong pixels: the net %.2f %%, the last picture again %.2f %%")
      :format(wrong(drawn:round()), wrong(x[-1])))

for r = 1, SIZE do
  local line = {}
  for _, picture in ipairs{x[-2][1], x[-1][1], drawn[1], y[1]} do
    for c = 1, SIZE do
      local v = picture[1][r][c]
      line[#line + 1] = v > 0.75 and "#" or v > 0.25 and "+" or "."
    end
    line[#line + 1] = "  "
  end
  print(table.concat(line))
end
print("two pictures before, what the net draws, the truth")
