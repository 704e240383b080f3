-- A small GPT learns tiny Shakespeare letter by letter, then writes some.
--
--   neap examples/gpt_char.lua                       (about ten minutes)
--   neap examples/gpt_char.lua --steps 500             (a minute and a half)
--
-- Prints the loss in nats for each character on the last tenth of the text,
-- which the net never sees.

local neap = require "neap"
local nn, optim, data, text = neap.nn, neap.optim, neap.data, neap.text

local o = neap.cli("A Transformer learns to write like Shakespeare.", {
  {"steps", "integer", default = 4000, least = 1, help = "of training"},
  {"layers", "integer", default = 4, least = 1},
  {"width", "integer", default = 128, least = 1},
  {"heads", "integer", default = 4, least = 1},
  {"context", "integer", default = 64, least = 2,
   help = "characters that it sees"},
  {"batch_size", "integer", default = 32, least = 1},
  {"dropout", "number", default = 0.1},
  {"lr", "number", default = 2e-3, help = "highest learning rate"},
  {"characters", "integer", default = 1115394, help = "of the text"},
  {"sample", "integer", default = 500, help = "characters to write"},
  {"seed", "integer", default = 1}
})
neap.manual_seed(o.seed)

local all = data.tiny_shakespeare():sub(1, o.characters)
local vocabulary = text.Vocabulary(all)
local ids = vocabulary:encode(all)
local cut = #ids * 9 // 10
local train = text.Windows(ids[{{1, cut}}], o.context)
local test = text.Continuous(ids[{{cut + 1, -1}}], {
  steps = o.context, batch_size = 64, batch_first = true})

local net = neap.model.GPT{
  vocab_size = #vocabulary, n_positions = o.context, n_embd = o.width,
  n_layer = o.layers, n_head = o.heads, dropout = o.dropout}
local parameters = net:parameters()

-- Matrices decay, biases and norms do not.
local matrices, others = {}, {}
for _, p in ipairs(parameters) do
  table.insert(p.ndim > 1 and matrices or others, p)
end
local optimizer = optim.AdamW({{params = matrices, weight_decay = 0.1},
                               {params = others, weight_decay = 0}},
                              {lr = o.lr, betas = {0.9, 0.99}})
local schedule = optim.lr_scheduler.OneCycleLR(optimizer, {
  max_lr = o.lr, total_steps = o.steps, pct_start = 0.05})
local criterion = nn.CrossEntropyLoss()

local function loss_of(x, y)
  return criterion(net(x):flatten(1, 2), y:flatten())
end

local function measure()
  local sum, n = 0, 0
  net:eval()
  local _ <close> = neap.no_grad()
  for x, y in test:batches() do
    sum, n = sum + loss_of(x, y):item() * y:numel(), n + y:numel()
  end
  net:train()
  return sum / n
end

print(("%d characters to learn from, %d parameters"):format(
  cut, net:num_parameters()))
local begin = neap.clock()
for step = 1, o.steps do
  local x, y = train:batch(neap.randint(1, train:size(), {o.batch_size}))
  optimizer:zero_grad()
  loss_of(x, y):backward()
  nn.utils.clip_grad_norm_(parameters, 1)
  optimizer:step()
  if step < o.steps then schedule:step() end
  if step % math.max(1, o.steps // 8) == 0 then
    print(("step %5d  %.4f nats on the last tenth  %4.0f s")
          :format(step, measure(), neap.clock() - begin))
  end
end

print()
net:generate(vocabulary:encode("\n"), {
  length = o.sample, temperature = 0.8, top_p = 0.95,
  each = function(id) io.write(vocabulary:token(id)) end})
print()
