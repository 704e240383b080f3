-- A character language model: LSTM layers learn tiny Shakespeare, then write
-- some.
--
--   neap examples/char_lm.lua                    (25 epochs: half an hour)
--   neap examples/char_lm.lua --epochs 2 --hidden 128      (two minutes)
--
-- Prints the loss in nats for each character after each epoch, on the last
-- tenth of the text, which the net never sees.

local neap = require "neap"
local nn, optim, data, text = neap.nn, neap.optim, neap.data, neap.text
local rnn = nn.utils.rnn

local o = neap.cli("Learns to write like Shakespeare.", {
  {"epochs", "integer", default = 25, least = 1},
  {"hidden", "integer", default = 256, least = 1},
  {"layers", "integer", default = 2, least = 1},
  {"dropout", "number", default = 0.3},
  {"lr", "number", default = 3e-3, help = "learning rate at the start"},
  {"steps", "integer", default = 64, help = "of a piece of text"},
  {"batch_size", "integer", default = 32},
  {"characters", "integer", default = 1115394, help = "of the text"},
  {"sample", "integer", default = 500, help = "characters to write"},
  {"temperature", "number", default = 0.8},
  {"seed", "integer", default = 1}
})
neap.manual_seed(o.seed)

local all = data.tiny_shakespeare():sub(1, o.characters)
local vocabulary = text.Vocabulary(all)
local ids = vocabulary:encode(all)
local cut = #ids * 9 // 10
local pieces = {steps = o.steps, batch_size = o.batch_size}
local train = text.Continuous(ids[{{1, cut}}], pieces)
local test = text.Continuous(ids[{{cut + 1, -1}}], pieces)

local Net = nn.Module:extend "CharLM"

function Net:init(characters, hidden, layers, dropout)
  self.embedding = nn.Embedding(characters, 128)
  self.lstm = nn.LSTM(128, hidden, {num_layers = layers, dropout = dropout})
  self.dropout = nn.Dropout(dropout)
  self.head = nn.Linear(hidden, characters)
end

function Net:forward(x, state)
  local y
  y, state = self.lstm(self.embedding(x), state)
  return self.head(self.dropout(y)), state
end

local net = Net(#vocabulary, o.hidden, o.layers, o.dropout)
local parameters = net:parameters()
local optimizer = optim.Adam(parameters, {lr = o.lr})
local schedule = optim.lr_scheduler.CosineAnnealingLR(
  optimizer, {T_max = o.epochs * #train})
local criterion = nn.CrossEntropyLoss()

local function loss_of(x, y, state)
  local scores
  scores, state = net(x, state)
  return criterion(scores:flatten(1, 2), y:flatten()), state
end

local function learn()
  local state
  net:train()
  for x, y in train:batches() do
    local loss
    optimizer:zero_grad()
    loss, state = loss_of(x, y, rnn.detach(state))
    loss:backward()
    nn.utils.clip_grad_norm_(parameters, 1)
    optimizer:step()
    schedule:step()
  end
end

local function measure()
  local state, sum, n = nil, 0, 0
  net:eval()
  local _ <close> = neap.no_grad()
  for x, y in test:batches() do
    local loss
    loss, state = loss_of(x, y, state)
    sum, n = sum + loss:item() * y:numel(), n + y:numel()
  end
  return sum / n
end

print(("%d characters to learn from, %d different ones, %d parameters")
      :format(cut, #vocabulary, net:num_parameters()))
local begin = neap.clock()
for epoch = 1, o.epochs do
  learn()
  print(("epoch %2d  %.4f nats on the last tenth  %4.0f s")
        :format(epoch, measure(), neap.clock() - begin))
end

local function step(id, state)
  local scores
  scores, state = net(neap.tensor({{id}}, {dtype = "int64"}), state)
  return scores[1][1], state
end

net:eval()
print()
text.generate(step, vocabulary:encode("\n"), {
  length = o.sample, temperature = o.temperature,
  each = function(id) io.write(vocabulary:token(id)) end})
print()
