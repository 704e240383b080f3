-- Names letter by letter: a GRU learns names of several lengths in padded
-- batches, then makes new ones.
--
--   neap examples/names.lua                              (ten seconds)
--
-- Prints the loss in nats for each letter of names that it did not see, and
-- names that are not in the list.

local neap = require "neap"
local nn, optim, data, text = neap.nn, neap.optim, neap.data, neap.text
local rnn = nn.utils.rnn

local o = neap.cli("Learns names and makes new ones.", {
  {"epochs", "integer", default = 5, least = 1},
  {"names", "integer", default = 32033, least = 100},
  {"hidden", "integer", default = 128, least = 1},
  {"batch_size", "integer", default = 64, least = 1},
  {"lr", "number", default = 5e-3},
  {"make", "integer", default = 12, help = "how many new names"},
  {"seed", "integer", default = 1}
})
neap.manual_seed(o.seed)

local names = data.names()
local order, list, known = neap.randperm(#names), {}, {}
for i = 1, math.min(o.names, #names) do
  list[i] = names[order[i]]
  known[list[i]] = true
end

-- "^" begins a name, "$" ends it.
local vocabulary = text.Vocabulary(list, {specials = {"^", "$"}})
local first, last = vocabulary:id "^", vocabulary:id "$"
local set = data.map(data.ListDataset(list), function(name)
  return vocabulary:encode(text.chars(name)), #name
end)

-- A padded batch: letters after "^", to be told from those before.
local function collate(samples)
  local inputs, targets = {}, {}
  local begin, stop = neap.tensor({first}, {dtype = "int64"}),
                      neap.tensor({last}, {dtype = "int64"})
  for i, sample in ipairs(samples) do
    inputs[i] = neap.cat({begin, sample[1]}, 1)
    targets[i] = neap.cat({sample[1], stop}, 1)
  end
  local x, lengths = rnn.pad_sequence(inputs, {padding_value = last})
  return x, rnn.pad_sequence(targets, {padding_value = last}), lengths
end

local train, test = data.random_split(set, {0.9, 0.1})
local function loader(part, shuffle)
  return data.DataLoader(part, {batch_size = o.batch_size, collate = collate,
                                shuffle = shuffle})
end

local Net = nn.Module:extend "NameNet"

function Net:init(letters, hidden)
  self.embedding = nn.Embedding(letters, 32)
  self.gru = nn.GRU(32, hidden)
  self.head = nn.Linear(hidden, letters)
end

function Net:forward(x, state, lengths)
  local y
  y, state = self.gru(self.embedding(x), state, {lengths = lengths})
  return self.head(y), state
end

local net = Net(#vocabulary, o.hidden)
local criterion = nn.CrossEntropyLoss()
local optimizer = optim.Adam(net:parameters(), {lr = o.lr})
local batches = loader(train, true)
local schedule = optim.lr_scheduler.CosineAnnealingLR(
  optimizer, {T_max = o.epochs * #batches})

local function measure()
  local sum, count = 0, 0
  local _ <close> = neap.no_grad()
  for x, y, lengths in loader(test):batches() do
    local letters = lengths:sum():item()
    local loss = criterion(net(x, nil, lengths), y, {lengths = lengths})
    sum, count = sum + loss:item() * letters, count + letters
  end
  return sum / count
end

for epoch = 1, o.epochs do
  for x, y, lengths in batches:batches() do
    optimizer:zero_grad()
    local scores = net(x, nil, lengths)
    criterion(scores, y, {lengths = lengths}):backward()
    nn.utils.clip_grad_norm_(net:parameters(), 1)
    optimizer:step()
    schedule:step()
  end
  print(("epoch %d  %.4f nats for each letter of new names"):format(
    epoch, measure()))
end

local function step(id, state)
  local scores
  scores, state = net(neap.tensor({{id}}, {dtype = "int64"}), state)
  return scores[1][1], state
end

local made = {}
while #made < o.make do
  local name = vocabulary:decode((text.generate(step, {first}, {
    length = 20, stop = last, temperature = 0.9})))
  if not known[name] then made[#made + 1] = name end
end
print("new: " .. table.concat(made, " "))
local best = text.beam_search(step, first, {stop = last, width = 5,
                                            length = 20})
for i, beam in ipairs(best) do
  best[i] = ("%s (%.1f)"):format(vocabulary:decode(beam.ids),
                                 beam.log_probability)
end
print("likeliest: " .. table.concat(best, " "))
