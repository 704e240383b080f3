local neap = require "neap"
local check = require "spec.support.check"
local nn, optim, data = neap.nn, neap.optim, neap.data
local message = check.message

local function points(n)
  local x = neap.randn(n, 2)
  return data.TensorDataset(x, x:select(2, 1):gt(0):to("int64") + 1)
end

local function made(options)
  neap.manual_seed(3)
  local net = nn.Sequential{nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 2)}
  local given = {model = net, loss = nn.CrossEntropyLoss(),
                 optimizer = optim.Adam(net:parameters(), {lr = 0.02}),
                 metrics = {"accuracy"}}
  for key, value in pairs(options or {}) do given[key] = value end
  return neap.Trainer(given), points(200), points(100)
end

local quiet = {epochs = 4, progress = false}

local function with(options)
  local all = {}
  for key, value in pairs(quiet) do all[key] = value end
  for key, value in pairs(options) do all[key] = value end
  return all
end

describe("a Trainer", function()

  it("learns, measures and keeps a history", function()
    local trainer, train, test = made()
    local history = trainer:fit(train, with{validation = test})
    assert.equal(4, #history)
    assert.is_true(history[4].val_accuracy > 0.9)
    assert.is_true(history[4].loss < history[1].loss)
    assert.same({1, 2, 3, 4}, history:column "epoch")
    local text = tostring(history)
    assert.matches("^epoch +loss +accuracy +val_loss +val_accuracy +seconds\n",
                   text)
    assert.is_false(trainer.model.training)
    local result = trainer:evaluate(test)
    assert.equal(history[4].val_accuracy, result.accuracy)
    assert.equal(5, #trainer:fit(train, with{epochs = 1}))
    assert.equal(5, trainer.epoch)
  end)

  it("does what the loop by hand does", function()
    local trainer, train = made{clip_norm = 0.5}
    neap.manual_seed(8)
    trainer:fit(data.DataLoader(train, {batch_size = 32, shuffle = true}),
                with{epochs = 2})
    local by_hand = made()
    local net, loss_of = by_hand.model, by_hand.loss
    local loader = data.DataLoader(train, {batch_size = 32, shuffle = true})
    neap.manual_seed(8)
    for _ = 1, 2 do
      for x, y in loader:batches() do
        local loss = loss_of(net(x), y)
        by_hand.optimizer:zero_grad()
        loss:backward()
        nn.utils.clip_grad_norm_(net:parameters(), 0.5)
        by_hand.optimizer:step()
      end
    end
    for i, p in ipairs(net:parameters()) do
      assert.same(p:totable(), trainer.model:parameters()[i]:totable())
    end
  end)

  it("gathers gradients over batches", function()
    local one, train = made()
    local four = made{accumulate = 4}
    one:fit(data.DataLoader(train, {batch_size = 200}), with{epochs = 1})
    four:fit(data.DataLoader(train, {batch_size = 50}), with{epochs = 1})
    assert.same({1, 1}, {one.steps, four.steps})
    for i, p in ipairs(one.model:parameters()) do
      check.near(p, four.model:parameters()[i], 1e-3, 1e-4)
    end
  end)

  it("stops at a loss that is not finite and names the layer", function()
    local trainer, train = made()
    neap.no_grad(function() trainer.model[3].weight:mul_(1e30) end)
    neap.no_grad(function() trainer.model[1].weight:mul_(1e30) end)
    local why = message(trainer.fit, trainer, train, quiet)
    assert.matches("the loss is NaN at step 1 %(epoch 1%): Linear %(model" ..
                   "%[3%] \"2\"%): the output holds NaN or infinity", why)
    assert.equal(0, trainer.steps)
  end)

  it("takes any dataset, and tells NaN in what is measured", function()
    local trainer, train = made()
    local own = setmetatable({size = function() return 10 end}, {
      __index = function(_, i) return train[i] end})
    trainer:fit(own, quiet)
    assert.is_true(trainer:evaluate(own).loss > 0)
    train.tensors[1][5] = 0/0
    assert.matches("evaluate: value 1 of a batch holds NaN or inf, first " ..
                   "in sample 5, column 1$",
                   message(trainer.evaluate, trainer, train))
  end)

  it("finds NaN in the data, in parameters and in Lua", function()
    local trainer, train = made()
    train.tensors[1][5] = 0/0
    assert.matches("value 1 of the batch already holds NaN or inf, first " ..
                   "in sample %d+, column 1 %(sample 5 of the dataset%)$",
                   message(trainer.fit, trainer, train, quiet))
    trainer, train = made()
    trainer.model[1].bias:detach()[2] = 0/0
    assert.matches("the parameter 0.bias holds NaN or inf since an earlier",
                   message(trainer.fit, trainer, train, quiet))
    trainer, train = made{loss = function(p, y)
      return nn.functional.cross_entropy(p, y) * (p - p):sum():log():abs()
    end}
    assert.matches("the loss is inf.*backward: NaN in the gradient.*" ..
                   "recorded at spec/trainer_spec.lua:%d+$",
                   message(trainer.fit, trainer, train, quiet))
    trainer, train = made{loss = function(p) return p:sum() * 0 + 1/0 end}
    assert.matches("it arises in the loss",
                   message(trainer.fit, trainer, train, quiet))
  end)

  it("leaves bad batches out, or does not mind", function()
    local trainer, train = made{nan = "skip"}
    train.tensors[1][5] = 0/0
    local history = trainer:fit(data.DataLoader(train, {batch_size = 50}),
                                with{epochs = 1})
    assert.equal(3, trainer.steps)
    assert.is_true(history[1].loss == history[1].loss)
    trainer, train = made{nan = "ignore"}
    train.tensors[1][5] = 0/0
    history = trainer:fit(train, with{epochs = 1})
    assert.is_true(history[1].loss ~= history[1].loss)
  end)

  it("steps a schedule after epochs or batches", function()
    for each, want in pairs{epoch = 0.5 ^ 4, batch = 0.5 ^ 8} do
      local net = nn.Linear(2, 1)
      local opt = optim.SGD(net:parameters(), {lr = 1e-3})
      local trainer = neap.Trainer{
        model = net, loss = nn.MSELoss(), optimizer = opt,
        schedule = optim.lr_scheduler.ExponentialLR(opt, {gamma = 0.5}),
        schedule_each = each}
      trainer:fit(data.TensorDataset(neap.ones(4, 2), neap.ones(4, 1)),
                  with{batch_size = 2})
      assert.near(1e-3 * want, opt.param_groups[1].lr, 1e-12)
    end
    local net = nn.Linear(2, 1)
    local opt = optim.SGD(net:parameters())
    local other = optim.SGD(net:parameters())
    assert.matches("schedule is none of this optimizer", message(neap.Trainer,
      {model = net, loss = nn.MSELoss(), optimizer = opt,
       schedule = optim.lr_scheduler.ConstantLR(other)}))
    local trainer = neap.Trainer{
      model = net, loss = nn.MSELoss(), optimizer = opt,
      schedule = optim.lr_scheduler.ReduceLROnPlateau(opt, {patience = 0})}
    trainer:fit(data.TensorDataset(neap.zeros(4, 2), neap.ones(4, 1)), quiet)
    assert.is_true(opt.param_groups[1].lr <= 1e-3)
  end)

  it("tells callbacks, which may stop it", function()
    local trainer, train = made()
    local events, batches = {}, 0
    local callback = {
      on_fit_begin = function(_, t) events[#events + 1] = t.epoch end,
      on_epoch_begin = function() events[#events + 1] = "begin" end,
      on_batch_end = function(_, t, loss)
        batches = batches + 1
        if t.epoch == 2 then t:stop() end
        assert.is_number(loss)
      end,
      on_epoch_end = function(_, _, row) events[#events + 1] = row.epoch end,
      on_fit_end = function() events[#events + 1] = "end" end
    }
    trainer:fit(train, with{callbacks = {callback}, batch_size = 50})
    assert.same({0, "begin", 1, "begin", 2, "end"}, events)
    assert.equal(5, batches)
  end)

  it("predicts, batch by batch", function()
    local trainer, train = made()
    local p = trainer:predict(train, {batch_size = 33})
    assert.same({200, 2}, p.shape)
    check.near(trainer.model(train.tensors[1]), p, 1e-6, 1e-6)
    check.near(p, trainer:predict(train.tensors[1]), 1e-6, 1e-6)
    assert.is_true(trainer.model.training)
  end)

  it("takes a step of one's own", function()
    local trainer, train = made{step = function(model, x, y)
      local p = model(x * 2)
      return nn.functional.cross_entropy(p, y), p, y
    end}
    local history = trainer:fit(train, quiet)
    assert.is_true(history[4].loss < history[1].loss)
  end)

  it("gives back what a step made", function()
    local trainer, train = made()
    trainer:fit(train, with{epochs = 1})
    local before = check.live()
    trainer:fit(train, with{epochs = 2})
    assert.is_true(check.live() <= before + 2)
  end)

  it("says what it lacks", function()
    assert.matches("the option model is missing", message(neap.Trainer, {}))
    assert.matches("expected a loss",
                   message(neap.Trainer, {model = nn.Identity()}))
    local trainer, train = made()
    trainer.optimizer = nil
    assert.matches("has no optimizer", message(trainer.fit, trainer, train))
    trainer = made()
    assert.matches("fit: expected a dataset",
                   message(trainer.fit, trainer, neap.ones(2)))
    assert.matches("no option 'epoch'; did you mean 'epochs'",
                   message(trainer.fit, trainer, train, {epoch = 2}))
    assert.matches("a batch has 1 value",
                   message(trainer.fit, trainer,
                           data.TensorDataset(neap.ones(3, 2)), quiet))
    assert.matches("loss is a class of layers; make one of it",
                   message(made, {loss = nn.MSELoss}))
    assert.matches("has none of the model's parameters",
                   message(made, {model = nn.Linear(1, 1)}))
    assert.matches("a table without param_groups",
                   message(made, {optimizer = {}}))
    assert.matches("callback 1 has on_epoch_ends, which is never called; " ..
                   "there is on_fit_begin, on_epoch_begin, on_batch_end, " ..
                   "on_epoch_end, on_fit_end",
                   message(trainer.fit, trainer, train,
                           {callbacks = {{on_epoch_ends = print}}}))
    assert.matches("fit: expected a dataset or loader and options; of two " ..
                   "tensors data.TensorDataset",
                   message(trainer.fit, trainer, neap.ones(2), neap.ones(2)))
    assert.matches("fit: expected a dataset or loader, not a tensor",
                   message(trainer.fit, trainer, neap.ones(2)))
    for _, case in ipairs{{"adam", '"adam"'},
                          {neap.optim.Adam, "what makes optimisers"},
                          {{}, "a table without param_groups"}} do
      local why = message(neap.Trainer, {model = trainer.model,
                          loss = trainer.loss, optimizer = case[1]})
      assert.matches("Trainer: optimizer is " .. case[2] .. ", expected an " ..
                     "optimiser, as optim.Adam", why)
    end
    assert.matches("callbacks is a list of tables, {{on_epoch_end = ...}}",
                   message(trainer.fit, trainer, train,
                           {callbacks = {on_epoch_end = print}}))
    assert.matches("batch_size is for datasets; a loader has its own",
                   message(trainer.fit, trainer, data.DataLoader(train),
                           {batch_size = 3}))
    assert.matches("a metric cannot be called 'loss', which is a column of",
                   message(made, {metrics = {loss = function() end}}))
    assert.matches("cannot be called 'mae', which is the name of another",
                   message(made, {metrics = {"mae", "mae"}}))
    assert.matches("model is the class Linear; a call makes a model of it",
                   message(made, {model = nn.Linear}))
    assert.matches("the model gave nothing; its forward must return",
                   message(trainer.fit, made{model = function() end}, train,
                           quiet))
    assert.matches("the loss is a number, expected a tensor of one element",
                   message(trainer.fit, made{loss = function() return 1 end},
                           train, quiet))
    assert.matches("the loss is %d+x2, expected a tensor of one element",
                   message(trainer.fit, made{loss = function(p) return p end},
                           train, quiet))
    assert.matches("^accuracy [%d.]+  loss [%d.]+$",
                   tostring(trainer:evaluate(train)))
    assert.matches("callback 1 is a function, expected a table",
                   message(trainer.fit, trainer, train,
                           {callbacks = {function() end}}))
    assert.matches("metrics: there is no 'acuracy'",
                   message(made, {metrics = {"acuracy"}}))
  end)

  it("trains sequences with lengths and a state that goes on", function()
    neap.manual_seed(2)
    local Net = nn.Module:extend "TrainerSequences"
    function Net:init()
      self.gru = nn.GRU(1, 8)
      self.head = nn.Linear(8, 1)
    end
    function Net:forward(x, lengths)
      local _, h = self.gru(x, nil, {lengths = lengths})
      return self.head(h[-1]):squeeze(2)
    end
    local list = {}
    for n = 1, 12 do list[n] = {neap.randn(n, 1), n / 12} end
    local rnn, net = nn.utils.rnn, Net()
    local loader = data.DataLoader(data.ListDataset(list), {
      batch_size = 5, collate = function(samples)
        local xs, ys = {}, {}
        for i, s in ipairs(samples) do xs[i], ys[i] = s[1], s[2] end
        local x, lengths = rnn.pad_sequence(xs)
        return x, lengths, neap.tensor(ys)
      end})
    local mse = nn.MSELoss()
    local trainer = neap.Trainer{
      model = net, optimizer = optim.Adam(net:parameters(), {lr = 0.02}),
      step = function(model, x, lengths, y)
        local p = model(x, lengths)
        return mse(p, y), p, y
      end}
    trainer:fit(loader, {epochs = 20, progress = false})
    local found, sum = trainer:predict(loader), 0
    assert.same({12}, found.shape)
    for i, sample in ipairs(list) do
      local alone = net(sample[1]:unsqueeze(2), {i})
      assert.near(alone:item(), found[i], 1e-5)
      sum = sum + (found[i] - sample[2]) ^ 2
    end
    assert.near(sum / 12, trainer:evaluate(loader).loss, 1e-5)
  end)

  it("reads running text with a state that the step returns", function()
    local ids = neap.arange(0, 120) % 5 + 1
    local Net = nn.Module:extend "TrainerRunningText"
    function Net:init()
      self.embedding = nn.Embedding(5, 8)
      self.gru = nn.GRU(8, 8)
      self.head = nn.Linear(8, 5)
    end
    function Net:forward(x, state)
      local y
      y, state = self.gru(self.embedding(x), state)
      return self.head(y), state
    end
    local net, state = Net(), nil
    local criterion = nn.CrossEntropyLoss()
    local trainer = neap.Trainer{
      model = net, optimizer = optim.Adam(net:parameters(), {lr = 0.05}),
      step = function(model, x, y)
        local scores
        scores, state = model(x, nn.utils.rnn.detach(state))
        scores, y = scores:flatten(1, 2), y:flatten()
        return criterion(scores, y), scores, y, state
      end}
    local history = trainer:fit(
      neap.text.Continuous(ids, {batch_size = 4, steps = 10}),
      {epochs = 15, progress = false})
    assert.is_true(history[#history].loss < 0.5, tostring(history))
  end)

end)
