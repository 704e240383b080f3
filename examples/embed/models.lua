-- The models that the C examples of this folder run, fresh and untrained:
--
--   neap examples/embed/models.lua FOLDER
--
-- hello: 64-256-256-16; rollback: a GRU of 64 units, one step at a time;
-- audio: an LSTM that turns a sample into a sample; heavy: work of some 20
-- milliseconds.

local neap = require "neap"
local nn = neap.nn
neap.manual_seed(1)

local folder = arg[1] or "."
local function path(name) return folder .. "/" .. name .. ".safetensors" end

local hello = nn.Sequential{
  nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(),
  nn.Linear(256, 16)}
hello:export(path "hello", neap.randn(1, 64))

-- A recurrent layer and what reads from it, for (steps, batch, features).
local Reader = nn.Module:extend "embed.Reader"
function Reader:init(kind, inputs, units, outputs)
  self.layer = nn[kind](inputs, units)
  self.read = nn.Linear(units, outputs)
end
function Reader:forward(x) return self.read((self.layer(x))) end

Reader("GRU", 8, 64, 4):export(path "rollback", neap.randn(1, 1, 8))
Reader("LSTM", 1, 24, 1):export(path "audio", neap.randn(1, 1, 1))

local wide = {nn.Linear(64, 512)}
for _ = 1, 16 do
  table.insert(wide, nn.ReLU())
  table.insert(wide, nn.Linear(512, 512))
end
nn.Sequential(wide):export(path "heavy", neap.randn(256, 64))
