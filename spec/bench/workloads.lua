-- The workloads of the speed table: each builds rows {label, call}.

local neap = require "neap"
local nn, optim, data = neap.nn, neap.optim, neap.data
local F = neap.nn.functional
local workloads = {}

-- A training step over batches, and the loss after `count` (300) of them.
local function trainer(net, batches, opt, loss_of, clip, count)
  local at, parameters = 0, net:parameters()
  count = count or 300
  local function step()
    at = at % #batches + 1
    opt:zero_grad()
    local loss = loss_of(net(batches[at][1]), batches[at][2])
    loss:backward()
    if clip then nn.utils.clip_grad_norm_(parameters, clip) end
    opt:step()
    return loss
  end
  local last = 0
  for i = 1, count do
    local loss = step():item()
    if i > count - 20 then last = last + loss / 20 end
  end
  return {{call = step,
           note = ("loss %.4f after %d"):format(last, count)}}
end

-- Shuffled Fashion-MNIST, in `count` batches of samples of a shape.
local function fashion(size, count, shape)
  local set = data.fashion_mnist()
  local order = neap.randperm(set:size())
  local x = ((set.tensors[1]:to("float32") / 255 - 0.286) / 0.353)
            :reshape(-1, table.unpack(shape)):index_select(1, order)
  local y = set.tensors[2]:index_select(1, order)
  local batches = {}
  for i = 1, size * count, size do
    batches[#batches + 1] = {x[{{i, i + size - 1}}], y[{{i, i + size - 1}}]}
  end
  return batches
end

function workloads.mlp()
  neap.manual_seed(1)
  local batches = fashion(128, 468, {784})
  local net = nn.Sequential{nn.Linear(784, 256), nn.ReLU(),
                            nn.Linear(256, 128), nn.ReLU(),
                            nn.Linear(128, 10)}
  return trainer(net, batches, optim.Adam(net:parameters(), {lr = 1e-3}),
                 nn.CrossEntropyLoss())
end

function workloads.cnn()
  neap.manual_seed(1)
  local batches = fashion(64, 900, {1, 28, 28})
  local net = nn.Sequential{
    nn.Conv2d(1, 32, 5), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(32, 64, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
    nn.Linear(1024, 128), nn.ReLU(), nn.Linear(128, 10)}
  return trainer(net, batches, optim.Adam(net:parameters(), {lr = 1e-3}),
                 nn.CrossEntropyLoss())
end

local Block = nn.Module:extend "BenchBlock"

function Block:init(from, to, stride)
  self.main = nn.Sequential{
    nn.Conv2d(from, to, 3, {stride = stride, padding = 1, bias = false}),
    nn.BatchNorm2d(to), nn.ReLU(),
    nn.Conv2d(to, to, 3, {padding = 1, bias = false}), nn.BatchNorm2d(to)}
  if stride > 1 or from ~= to then
    self.short = nn.Sequential{
      nn.Conv2d(from, to, 1, {stride = stride, bias = false}),
      nn.BatchNorm2d(to)}
  end
end

function Block:forward(x)
  return (self.main(x) + (self.short and self.short(x) or x)):relu()
end

local function resnet20()
  local layers = {nn.Conv2d(3, 16, 3, {padding = 1, bias = false}),
                  nn.BatchNorm2d(16), nn.ReLU()}
  local from = 16
  for _, part in ipairs{{16, 1}, {32, 2}, {64, 2}} do
    for k = 1, 3 do
      layers[#layers + 1] = Block(from, part[1], k == 1 and part[2] or 1)
      from = part[1]
    end
  end
  for _, layer in ipairs{nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                         nn.Linear(64, 10)} do
    layers[#layers + 1] = layer
  end
  return nn.Sequential(layers)
end

function workloads.resnet_small()
  neap.manual_seed(1)
  local batches = {}
  for i = 1, 8 do
    batches[i] = {neap.randn(32, 3, 32, 32), neap.randint(1, 10, {32})}
  end
  local net = resnet20()
  return trainer(net, batches, optim.SGD(net:parameters(),
                 {lr = 0.1, momentum = 0.9, weight_decay = 1e-4}),
                 nn.CrossEntropyLoss())
end

-- Printable ASCII and newlines of a text that Debian has: 96 symbols.
local function text()
  local file = assert(io.open "/usr/share/common-licenses/GPL-3")
  local ids = {}
  for c in file:read("a"):gmatch "[\n -~]" do
    ids[#ids + 1] = c == "\n" and 1 or c:byte() - 30
  end
  file:close()
  return neap.tensor(ids, {dtype = "int64"})
end

-- Batches of pieces of the text, and of the same one further on; `dim` is
-- the dimension of the batch.
local function pieces(count, steps, batch, dim)
  local ids, batches = text(), {}
  for k = 1, count do
    local x, y = {}, {}
    for i = 1, batch do
      local at = neap.randint(1, #ids - steps - 1, {1})[1]
      x[i] = ids[{{at, at + steps - 1}}]
      y[i] = ids[{{at + 1, at + steps}}]
    end
    batches[k] = {neap.stack(x, dim), neap.stack(y, dim)}
  end
  return batches
end

local function char_loss(z, y)
  return F.cross_entropy(z:reshape(-1, z.shape[3]), y:reshape(-1))
end

local CharLSTM = nn.Module:extend "BenchCharLSTM"

function CharLSTM:init()
  self.emb = nn.Embedding(96, 128)
  self.rnn = nn.LSTM(128, 256, {num_layers = 2})
  self.head = nn.Linear(256, 96)
end

function CharLSTM:forward(x)
  return self.head((self.rnn(self.emb(x))))
end

function workloads.lstm_char()
  neap.manual_seed(1)
  local net = CharLSTM()
  return trainer(net, pieces(32, 64, 32, 2),
                 optim.Adam(net:parameters(), {lr = 2e-3}), char_loss, 1, 60)
end

local LastOut = nn.Module:extend "BenchLastOut"

function LastOut:init(kind)
  self.rnn = kind(32, 32)
  self.head = nn.Linear(32, 8)
end

function LastOut:forward(x)
  local h = self.rnn(x)
  return self.head(h[-1])
end

local function rnn_small(kind)
  neap.manual_seed(1)
  local batches = {}
  for i = 1, 16 do
    batches[i] = {neap.randn(32, 16, 32), neap.randint(1, 8, {16})}
  end
  local net = LastOut(kind)
  return trainer(net, batches, optim.Adam(net:parameters(), {lr = 1e-3}),
                 nn.CrossEntropyLoss())
end

function workloads.lstm_small() return rnn_small(nn.LSTM) end
function workloads.gru_small() return rnn_small(nn.GRU) end

-- A model file as a plan, as a host runs it.
local function planned(net, x)
  local path = os.tmpname()
  net:export(path, x)
  local plan = neap.plan(path)
  os.remove(path)
  return plan
end

function workloads.infer_mlp()
  local net = nn.Sequential{
    nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(),
    nn.Linear(64, 8)}
  local x = neap.randn(1, 32)
  local plan = planned(net, x):give(x)
  net:eval()
  return {
    {label = "MLP planned", peer = "forward",
     call = function() plan:step() end},
    {label = "MLP from Lua", peer = "forward", call = function()
      local _ <close> = neap.no_grad()
      return net(x)
    end}}
end

function workloads.infer_lstm()
  local cell, layer = nn.LSTMCell(64, 64), nn.LSTM(64, 64)
  local x, z = neap.randn(1, 64), neap.zeros(1, 64)
  local x3, z3 = x:unsqueeze(1), z:unsqueeze(1)
  local stream = layer:stream{batch = 1}
  local plan = planned(layer, x3):give(x3)
  return {
    {label = "LSTM planned", peer = "LSTMCell",
     call = function() plan:step() end},
    {label = "LSTM stream", peer = "LSTMCell",
     call = function() return stream(x) end},
    {label = "LSTMCell", call = function()
      local _ <close> = neap.no_grad()
      return cell(x, {z, z})
    end},
    {label = "LSTM layer", call = function()
      local _ <close> = neap.no_grad()
      return layer(x3, {z3, z3})
    end}}
end

function workloads.mlp_tiny()
  neap.manual_seed(1)
  local batches = {}
  for i = 1, 64 do
    local x = neap.randn(32, 8)
    local s, target = x:sum{dim = 2, keepdim = true}, neap.zeros(32, 1)
    for k = 1, 32 do target[k][1] = math.sin(s[k][1]) end
    batches[i] = {x, target}
  end
  local net = nn.Sequential{nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, 32),
                            nn.Tanh(), nn.Linear(32, 1)}
  return trainer(net, batches, optim.SGD(net:parameters(),
                 {lr = 0.05, momentum = 0.9}), nn.MSELoss())
end

-- What is made is given back at once, as reference counts of the peer do.
local function backward_of(f, w, g)
  return function()
    local _ <close> = neap.scope()
    w.grad = nil
    f(w):backward(g)
  end
end

local function quiet(f)
  return function()
    local _ <close> = neap.scope()
    neap.set_grad_enabled(false)
    f()
    neap.set_grad_enabled(true)
  end
end

-- What a call costs when the arithmetic is nothing.
function workloads.op_overhead()
  local x, y = neap.ones(1), neap.ones(1)
  local w = neap.ones{1, requires_grad = true}
  local layer, v = nn.Linear(8, 8), neap.randn(1, 8)
  return {
    {label = "add, no graph", call = function() return x + y end},
    {label = "add in place, no graph", call = function() x:add_(y) end},
    {label = "mul, recording", call = function() return w * y end},
    {label = "20 muls forward + backward", call = function()
      local z = w
      for _ = 1, 20 do z = z * y end
      w.grad = nil
      z:backward()
    end},
    {label = "Linear(8,8) batch 1", call = quiet(function() layer(v) end)},
    {label = "view", call = function() return v:reshape(8) end},
    {label = "index row", call = function() return v[1] end},
    {label = "item", call = function() return x:item() end}
  }
end

-- Element by element over 1,000 to 10,000,000 numbers.
function workloads.elementwise()
  local rows = {}
  local function gate(x) return (x * 1.7 + 0.3):tanh() * x:sigmoid() end
  local function add(label, call) rows[#rows + 1] = {label = label,
                                                     call = call} end
  for _, n in ipairs{1000, 100000, 10000000} do
    local x = neap.randn(n)
    local w, g = x:clone():requires_grad_(), neap.ones(n)
    add(("tanh(ax+b)*sigmoid(x) fwd n=%d"):format(n),
        quiet(function() return gate(x) end))
    add(("tanh(ax+b)*sigmoid(x) fwd+bwd n=%d"):format(n),
        backward_of(gate, w, g))
    add(("exp n=%d"):format(n), quiet(function() return x:exp() end))
    add(("tanh n=%d"):format(n), quiet(function() return x:tanh() end))
    add(("add n=%d"):format(n), quiet(function() return x + x end))
  end
  return rows
end

-- Rows and columns of a 4096 x 512 matrix.
-- One step over 10 million parameters, each kind with its bytes moved a
-- parameter: read and written parameter and states, read gradient.
local kinds = {
  {"Adam", {}, 28}, {"AdamW", {}, 28}, {"SGD", {lr = 0.01, momentum = 0.9},
                                        20},
  {"NAdam", {}, 28}, {"RAdam", {}, 28}, {"Adamax", {}, 28},
  {"Adagrad", {}, 20}, {"Adadelta", {}, 28}, {"RMSprop", {}, 20},
  {"Rprop", {}, 28}, {"Lion", {}, 20}
}

-- A small GPT: 4 blocks of 128 with 4 heads, 64 characters.
local Look = nn.Module:extend "BenchLook"

function Look:init(width, heads)
  self.heads = heads
  self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
end

function Look:forward(x)
  local b, t, d = x.shape[1], x.shape[2], x.shape[3]
  local parts = self.qkv(x):split(d, 3)
  for i, part in ipairs(parts) do
    parts[i] = part:reshape(b, t, self.heads, d // self.heads)
                   :transpose(2, 3)
  end
  local y = F.scaled_dot_product_attention(parts[1], parts[2], parts[3],
                                           {is_causal = true})
  return self.out(y:transpose(2, 3):reshape(b, t, d))
end

local GPT = nn.Module:extend "BenchGPT"

function GPT:init(characters, width, layers, heads, context)
  self.token = nn.Embedding(characters, width)
  self.place = nn.Embedding(context, width)
  local blocks = {}
  for i = 1, layers do
    blocks[2 * i - 1] = nn.Residual{nn.LayerNorm(width), Look(width, heads)}
    blocks[2 * i] = nn.Residual{nn.LayerNorm(width),
                                nn.Linear(width, 4 * width), nn.GELU(),
                                nn.Linear(4 * width, width)}
  end
  self.blocks = nn.Sequential(blocks)
  self.norm = nn.LayerNorm(width)
  self.head = nn.Linear(width, characters, {bias = false})
  self:register_buffer("at", neap.arange(context))
end

function GPT:forward(x)
  local y = self.token(x) + self.place(self.at[{{1, x.shape[2]}}])
  return self.head(self.norm(self.blocks(y)))
end

function workloads.transformer()
  neap.manual_seed(1)
  local net = GPT(96, 128, 4, 4, 64)
  return trainer(net, pieces(64, 64, 12, 1),
                 optim.AdamW(net:parameters(), {lr = 1e-3,
                 betas = {0.9, 0.99}, weight_decay = 0.1}), char_loss, 1, 60)
end

-- Causal attention of 4 heads of 32, about as many scores each time.
function workloads.attention()
  local rows = {}
  for _, case in ipairs{{16, 128}, {4, 512}, {1, 2048}} do
    local batch, steps = case[1], case[2]
    local x = {}
    for i = 1, 3 do
      x[i] = neap.randn({batch, 4, steps, 32}, {requires_grad = true})
    end
    local function look()
      return F.scaled_dot_product_attention(x[1], x[2], x[3],
                                            {is_causal = true})
    end
    local label = ("%d x %d"):format(batch, steps)
    rows[#rows + 1] = {label = label .. " fwd", call = quiet(look)}
    rows[#rows + 1] = {label = label .. " fwd+bwd", call = function()
      for i = 1, 3 do x[i].grad = nil end
      local y = look()
      y:sum():backward()
    end}
  end
  return rows
end

function workloads.optimiser_step()
  local params, rows = {}, {}
  for i = 1, 20 do
    params[i] = (neap.randn(500, 1000) * 0.01):requires_grad_()
    params[i].grad = neap.randn(500, 1000) * 0.01
  end
  for i, kind in ipairs(kinds) do
    local opt = neap.optim[kind[1]](params, kind[2])
    rows[i] = {label = kind[1], note = kind[3] .. " bytes a parameter",
               call = function() opt:step() end}
  end
  rows[#rows + 1] = {label = "clip_grad_norm", call = function()
    nn.utils.clip_grad_norm_(params, 1.0)
  end}
  return rows
end

function workloads.rows()
  local x, g = neap.randn(4096, 512), neap.randn(4096, 512)
  local w = x:clone():requires_grad_()
  local rows = {}
  local function add(label, f)
    rows[#rows + 1] = {label = label, call = quiet(f)}
  end
  local function both(label, f)
    rows[#rows + 1] = {label = label, call = backward_of(f, w, g)}
  end
  add("softmax 4096x512 fwd", function() return F.softmax(x, 2) end)
  both("softmax 4096x512 fwd+bwd", function(t) return F.softmax(t, 2) end)
  add("log_softmax 4096x512 fwd", function() return F.log_softmax(x, 2) end)
  local ln = neap.nn.LayerNorm(512)
  add("layer_norm 4096x512 fwd", function() return ln(x) end)
  both("layer_norm 4096x512 fwd+bwd", function(t) return ln(t) end)
  add("gelu 4096x512 fwd", function() return F.gelu(x) end)
  both("gelu 4096x512 fwd+bwd", F.gelu)
  add("sum all 4096x512", function() return x:sum() end)
  add("sum axis 0", function() return x:sum(1) end)
  add("sum axis 1", function() return x:sum(2) end)
  add("mean axis 0", function() return x:mean(1) end)
  add("mean axis 1", function() return x:mean(2) end)
  add("max axis 1", function() return x:max(2) end)
  add("argmax axis 1", function() return x:argmax(2) end)
  add("argmax axis 0", function() return x:argmax(1) end)
  add("exp 4096x512", function() return x:exp() end)
  add("transpose copy 4096x512", function() return x:t():contiguous() end)
  add("bias add 4096x512", function() return x + x[1] end)
  add("dropout 4096x512", function() return F.dropout(x, 0.5) end)
  add("randn 4096x512", function() return neap.randn(4096, 512) end)
  return rows
end

-- Products where a call costs as much as the arithmetic, and the library's.
function workloads.matmul_small()
  local a, b = neap.randn(64, 32, 32), neap.randn(64, 32, 32)
  local c, d = a[1]:contiguous(), b[1]:contiguous()
  local rows = {
    {label = "bmm 64x 32x32x32", call = quiet(function()
      return a:bmm(b)
    end)},
    {label = "mm 32x32x32", call = quiet(function() return c:mm(d) end)}
  }
  for _, n in ipairs{128, 512, 1024} do
    local p, q = neap.randn(n, n), neap.randn(n, n)
    rows[#rows + 1] = {label = "mm " .. n,
                       call = quiet(function() return p:mm(q) end)}
  end
  return rows
end

-- Whole processes, start to end.
function workloads.startup()
  local program = arg[-1] or "build/neap"
  local function timed(command)
    local samples = {}
    for i = 1, 12 do
      local t = neap.clock()
      assert(os.execute(command))
      samples[i] = (neap.clock() - t) * 1e3
    end
    table.sort(samples)
    return samples[6]
  end
  return {{label = "import torch", note = "ours: a script that requires neap",
           ms = timed(program .. " -e 'require \"neap\"'")}}
end

return workloads
