-- Sequence to sequence: dates as people write them into ISO form, letter by
-- letter, with an encoder, a decoder and attention between them.
--
--   neap examples/seq2seq.lua                          (15 seconds)
--
--   "Sunday, 3rd of May 1998"  ->  "1998-05-03"
--
-- Prints the share of dates that are right to the last letter, among dates
-- of years that were not in training, and what the decoder looked at.

local neap = require "neap"
local nn, optim, text = neap.nn, neap.optim, neap.text
local F, rnn = nn.functional, nn.utils.rnn

local o = neap.cli("Learns to read dates.", {
  {"steps", "integer", default = 1500, least = 1, help = "of training"},
  {"hidden", "integer", default = 64, least = 2},
  {"batch_size", "integer", default = 64, least = 1},
  {"lr", "number", default = 5e-3},
  {"test", "integer", default = 500, least = 1, help = "dates"},
  {"seed", "integer", default = 1}
})
if o.hidden % 2 == 1 then
  error("hidden must be even: half of it reads each way", 0)
end
neap.manual_seed(o.seed)
math.randomseed(o.seed)

local months = {"January", "February", "March", "April", "May", "June",
                "July", "August", "September", "October", "November",
                "December"}
local function nth(day)
  local ending = ({"st", "nd", "rd"})[day % 10] or "th"
  if day >= 11 and day <= 13 then ending = "th" end
  return day .. ending
end

-- Ways to write a time: os.date knows the names of weekdays.
local forms = {
  function(d) return ("%d %s %d"):format(d.day, months[d.month], d.year) end,
  function(d)
    return ("%s %d, %d"):format(months[d.month], d.day, d.year)
  end,
  function(d)
    return ("%s, %s of %s %d"):format(os.date("%A", os.time(d)), nth(d.day),
                                      months[d.month], d.year)
  end,
  function(d)
    return ("%s. %02d %d"):format(months[d.month]:sub(1, 3), d.day, d.year)
  end,
  function(d) return ("%d.%d.%d"):format(d.day, d.month, d.year) end,
  function(d)
    return ("%d/%s/%s"):format(d.day, months[d.month]:sub(1, 3):upper(),
                               d.year)
  end
}

-- A pair: every seventh year is for the test only.
local function pair(for_test)
  local d
  repeat
    d = os.date("*t", math.random(0, 2^31 - 1))
  until (d.year % 7 == 3) == for_test
  d.hour = 12
  return forms[math.random(#forms)](d),
         ("%04d-%02d-%02d"):format(d.year, d.month, d.day)
end

local letters = {}
for byte = 32, 122 do letters[#letters + 1] = string.char(byte) end
local vocabulary = text.Vocabulary(table.concat(letters),
                                   {specials = {"<", ">"}})
local first, last = vocabulary:id "<", vocabulary:id ">"
local function ids(list) return neap.tensor(list, {dtype = "int64"}) end

local function batch(size, for_test)
  local given, before, after, pairs_of = {}, {}, {}, {}
  for i = 1, size do
    local source, target = pair(for_test)
    pairs_of[i] = {source, target}
    given[i] = vocabulary:encode(source)
    local t = vocabulary:encode(target)
    before[i] = neap.cat({ids{first}, t}, 1)
    after[i] = neap.cat({t, ids{last}}, 1)
  end
  local x, lengths = rnn.pad_sequence(given, {padding_value = last})
  return x, lengths, neap.stack(before, 2), neap.stack(after, 2), pairs_of
end

local Translator = nn.Module:extend "Translator"

function Translator:init(size, hidden)
  self.embedding = nn.Embedding(size, 32)
  self.encoder = nn.GRU(32, hidden // 2, {bidirectional = true})
  self.decoder = nn.GRU(32, hidden)
  self.head = nn.Linear(2 * hidden, size)
end

-- What the decoder looks at: (batch, steps, hidden), which of it is there,
-- and the state it begins with.
function Translator:read(x, lengths)
  local y, h = self.encoder(self.embedding(x), nil, {lengths = lengths})
  local mask = rnn.mask(lengths, {batch_first = true, steps = #x})
  return {memory = y:transpose(1, 2), mask = mask:unsqueeze(2),
          state = neap.cat({h[{{1, 1}}], h[{{2, 2}}]}, 3)}
end

-- Scores of the next letters after `before` (steps, batch), the state, and
-- the weights of attention (Luong, Pham and Manning 2015, section 3.1).
function Translator:write(source, before, state)
  local y
  y, state = self.decoder(self.embedding(before), state)
  local query = y:transpose(1, 2)
  local look = query:bmm(source.memory:transpose(2, 3))
                    :masked_fill(source.mask:logical_not(), -math.huge)
                    :softmax(3)
  local context = look:bmm(source.memory)
  local scores = self.head(neap.cat({query, context}, 3))
  return scores, state, look
end

local net = Translator(#vocabulary, o.hidden)
local optimizer = optim.Adam(net:parameters(), {lr = o.lr})
local schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer,
                                                      {T_max = o.steps})
for step = 1, o.steps do
  local x, lengths, before, after = batch(o.batch_size, false)
  optimizer:zero_grad()
  local source = net:read(x, lengths)
  local scores = net:write(source, before, source.state)
  local loss = F.cross_entropy(scores:flatten(1, 2),
                               after:transpose(1, 2):flatten())
  loss:backward()
  nn.utils.clip_grad_norm_(net:parameters(), 1)
  optimizer:step()
  schedule:step()
  if step % math.max(1, o.steps // 5) == 0 then
    print(("step %4d  loss %.4f"):format(step, loss:item()))
  end
end

-- One date, the likeliest letters one after the other.
local function translate(given)
  local source = net:read(vocabulary:encode(given):unsqueeze(2),
                          ids{#given})
  local looks = {}
  local out = text.generate(function(id, state)
    local scores, look
    scores, state, look = net:write(source, ids{{id}}, state or source.state)
    looks[#looks + 1] = look[1][1]
    return scores[1][1], state
  end, {first}, {stop = last, length = 12, temperature = 0})
  return vocabulary:decode(out), looks
end

local right = 0
local _, _, _, _, dates = batch(o.test, true)
for _, date in ipairs(dates) do
  if translate(date[1]) == date[2] then right = right + 1 end
end
print(("right: %.1f %% of %d dates of other years"):format(
  100 * right / o.test, o.test))

-- Each letter of the answer under the one that was looked at most.
local given = dates[1][1]
local answer, looks = translate(given)
print("\n" .. given)
for i = 1, #answer do
  local at = looks[i]:argmax(1):item()
  print((" "):rep(at - 1) .. answer:sub(i, i))
end
