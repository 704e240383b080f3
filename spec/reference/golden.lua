-- Compares neap with numbers from PyTorch.
--
--   neap golden.lua FOLDER [FAMILY ...]
--
-- Each file of the folder is a family of cases (its README has the format).
-- Prints for each family what passed, failed, was skipped and waits for an
-- operation that does not exist yet; ends with 1 if a case failed.

local neap = require "neap"
local json = require "neap.json"
local nn, F = neap.nn, neap.nn.functional

-- What a case needs and neap does not have: raised as an error value.
local function wait_for(what) error({waits = what}, 0) end

-- Descriptors by name: the order of a call, and which fields count from 1.
local descriptors = {}
for _, op in ipairs(neap._test.ops()) do
  local order = {}
  if op.call then
    for name in op.call:gmatch "%S+" do order[#order + 1] = name end
  else
    for name in op.inputs:gmatch "[^ ?*]+" do order[#order + 1] = name end
    for _, field in ipairs(op.fields) do order[#order + 1] = field.name end
  end
  local kinds = {}
  for _, field in ipairs(op.fields) do kinds[field.name] = field.kind end
  descriptors[op.name] = {order = order, kinds = kinds, inputs = op.inputs}
end
local layers = {}
for _, layer in ipairs(neap._test.layers()) do
  local kinds, order = {}, {}
  for i, field in ipairs(layer.fields) do
    kinds[field.name], order[i] = field.kind, field.name
  end
  layers[layer.name] = {kinds = kinds, order = order}
end

-- Field kinds whose values count from 0 in the cases and from 1 here.
local counts_from_1 = {dim = true, dims = true, index = true}
local counted_names = {ignore_index = true, padding_idx = true,
                       blank = true}

local function shift(value)
  if type(value) == "table" then
    local out = {}
    for i, v in ipairs(value) do out[i] = shift(v) end
    return out
  end
  if math.type(value) == "integer" and value >= 0 then return value + 1 end
  return value
end

local function translate(name, kind, value)
  if counts_from_1[kind] or counted_names[name] then return shift(value) end
  return value
end

local renamed = {["repeat"] = "tile"}
local option_names = {["end"] = "stop", input = "x", other = "z"}
-- Names of PyTorch's arguments where they are not ours.
local argument_names = {
  split = {split_size_or_sections = "sizes", split_size = "sizes"},
  var = {input = "x"}
}

-- Cases whose numbers are less exact than they could be, with the reason.
local inexact = {
  -- the peer computes 1 / alpha in single precision for the gradient
  celu = 1e-6
}

-- A call of an operation with PyTorch's arguments.
local function call_op(name, args, kwargs)
  name = renamed[name] or name
  if name == "einsum" then                       -- tensors one by one
    return F.einsum(table.unpack(args, 1, args.n or #args))
  end
  local d = descriptors[name]
  if not d and neap.Tensor[name] and (args.n or #args) == 1 then
    return neap.Tensor[name](args[1])            -- such as x.detach()
  end
  if not d or not F[name] then wait_for(name) end
  local list = d.inputs:find("*", 1, true) ~= nil
  local given, n, options = {}, args.n or #args, {}
  for i = 1, n do
    local item = d.order[i]
    local value = args[i]
    -- sizes one by one, as in x.view(3, 4)
    if (d.kinds[item] == "ints" or d.kinds[item] == "dims" and n > i and
        type(args[i + 1]) == "number") and type(value) == "number" then
      value = {}
      for k = i, n do value[#value + 1] = args[k] end
      n = i
    end
    if item == nil then error("too many arguments for " .. name, 0) end
    if value ~= nil then
      value = translate(item, d.kinds[item], value)
      if d.kinds[item] or (not list and i > 1) then options[item] = value
      elseif list then given[i] = {table.unpack(value)}
      else given[i] = value end
    end
    if i >= n then break end
  end
  for key, value in pairs(kwargs or {}) do
    key = (argument_names[name] or {})[key] or option_names[key] or key
    if value ~= false or d.kinds[key] == "bool" then
      options[key] = translate(key, d.kinds[key], value)
    end
  end
  return F[name](given[1], options)
end

local function layer_options(name, args, kwargs)
  local d = layers[name]
  local options = {}
  for i, value in ipairs(args or {}) do
    options[d.order[i]] = translate(d.order[i], d.kinds[d.order[i]], value)
  end
  for key, value in pairs(kwargs or {}) do
    options[key] = translate(key, d.kinds[key], value)
  end
  return options
end

local function build_module(spec)
  local name = spec.op:match "^nn%.(.*)$"
  if not layers[name] then wait_for(spec.op) end
  if name == "Sequential" then
    local children = {}
    for i, child in ipairs(spec.args) do children[i] = build_module(child) end
    return nn.Sequential(children)
  end
  return nn[name](layer_options(name, spec.args, spec.kwargs))
end

local eval = require "spec.reference.expressions"(call_op, wait_for)

-- Cases.
local function load_family(path)
  local tensors, metadata = neap.load(path)
  local cases, names = {}, {}
  for name, text in pairs(metadata) do
    if text:sub(1, 1) == "{" then
      cases[name] = {spec = json.decode(text, name, false), tensors = {}}
      names[#names + 1] = name
    end
  end
  for name, t in pairs(tensors) do
    local case, rest = name:match "^(.-)/(.*)$"
    if cases[case] then cases[case].tensors[rest] = t end
  end
  table.sort(names)
  return cases, names
end

-- Contents that are indices count from 1 here; negative ones are markers.
local function shift_contents(case)
  for _, name in ipairs(case.spec.index or {}) do
    local t = case.tensors[name]
    if t then
      local positive = t:ge(0):to(t.dtype)
      case.tensors[name] = t + positive
    end
  end
end

local function flatten(value, out)
  if type(value) ~= "table" then
    out[#out + 1] = value
    return out
  end
  for _, v in ipairs(value) do flatten(v, out) end
  return out
end

local function as_number(v)
  if type(v) == "boolean" then return v and 1 or 0 end
  return v
end

local case_name                        -- of the case that is run

local tolerances = {
  float64 = {1e-12, 1e-9, 1e-10}, float32 = {1e-6, 1e-4, 1e-5}
}

local function compare(name, got, expected, rtol)
  if type(got) == "number" or type(got) == "boolean" then
    got = neap.tensor(got, {dtype = expected.dtype})
  end
  if not neap.is_tensor(got) then error(name .. ": no tensor", 0) end
  local gs, es = table.concat(got.shape, "x"),
                 table.concat(expected.shape, "x")
  if gs ~= es then
    error(("%s: shape %s, expected %s"):format(name, gs, es), 0)
  end
  if got.dtype ~= expected.dtype then
    error(("%s: %s, expected %s"):format(name, got.dtype, expected.dtype), 0)
  end
  local a = flatten(got:totable(), {})
  local b = flatten(expected:totable(), {})
  rtol = rtol or inexact[case_name]
  local t, largest = tolerances[expected.dtype] or {0, 0, 0}, 0
  for _, v in ipairs(b) do
    v = math.abs(as_number(v))
    if v == v and v < math.huge and v > largest then largest = v end
  end
  for i, v in ipairs(b) do
    local x, y = as_number(a[i]), as_number(v)
    local same = x == y or (x ~= x and y ~= y)
    local bound = t[1] + (rtol or t[2]) * math.abs(y) + t[3] * largest
    if not same and not (math.abs(x - y) <= bound) then
      error(("%s: element %d is %.17g, expected %.17g")
            :format(name, i, x, y), 0)
    end
  end
end

local function resolve(value, env)
  if type(value) == "string" then
    if value == "inf" then return math.huge end
    if value == "-inf" then return -math.huge end
    if value:sub(1, 1) == "@" then return env[value:sub(2)] end
    return value
  elseif type(value) == "table" then
    local out = {}
    for key, v in pairs(value) do out[key] = resolve(v, env) end
    return out
  end
  return value
end

local function is_wanted(spec, name)
  for _, g in ipairs(spec.grad or {}) do if g == name then return true end end
  return false
end

-- Inputs and parameters by name, as leaves where gradients are asked for.
local function environment(case)
  local env = {}
  for name, t in pairs(case.tensors) do
    local key = name:match "^in%.(.*)$"
    if key then
      env[key] = t
      if is_wanted(case.spec, key) then
        env[key] = t:clone():requires_grad_()
      end
    end
  end
  for name, tree in pairs(case.spec.views_tree or {}) do
    env[name] = eval(tree, env)
  end
  return env
end

local function set_parameters(case, module, prefix)
  local state = {}
  for name, t in pairs(case.tensors) do
    local key = name:match "^param%.(.*)$"
    if key and key:sub(1, #prefix) == prefix then
      state[key:sub(#prefix + 1)] = t
    end
  end
  module:to(case.spec.dtype)
  module:load_state_dict(state)
end

local function call_all(f, args)
  return table.pack(f(table.unpack(args, 1, args.n or #args)))
end

-- A recurrent layer's state is one result, {h, c}; PyTorch's are two.
local function flattened(results)
  local flat = {}
  for _, r in ipairs(results) do
    if neap.is_tensor(r) or type(r) ~= "table" then flat[#flat + 1] = r
    else table.move(r, 1, #r, #flat + 1, flat) end
  end
  return flat
end

-- The arguments of a call of a layer, with the lengths of a padded batch.
local function call_arguments(step, env)
  local args = resolve(step.call or {}, env)
  if step.call_kwargs then                       -- options come last
    args.n = (args.n or #args) + 1
    args[args.n] = resolve(step.call_kwargs, env)
  end
  if step.packed then
    args[3] = {lengths = resolve(step.packed.lengths, env)}
    args.n = 3
  end
  return args
end

-- Sum over the probed outputs of output * probe.
local function probed_loss(case, outputs)
  local loss
  for _, name in ipairs(case.spec.probes or {}) do
    local probe = case.tensors["probe." .. name] or case.tensors.probe
    local y = outputs[name]
    if type(y) == "number" then y = neap.tensor(y, {dtype = probe.dtype}) end
    local part = (y * probe):sum()
    loss = loss and loss + part or part
  end
  return loss
end

local function check_gradients(case, outputs, leaves)
  local loss = probed_loss(case, outputs)
  if not loss or not loss.requires_grad then return end
  local order2 = case.spec.order == 2
  local names, list = {}, {}
  for _, name in ipairs(case.spec.grad or {}) do
    names[#names + 1] = name
    list[#list + 1] = leaves[name] or error("no leaf " .. name, 0)
  end
  if #list == 0 then return end
  local grads = neap.grad(loss, list, {create_graph = order2})
  local by_name = {}
  for i, name in ipairs(names) do
    by_name[name] = grads[i]
    local g = grads[i] or neap.zeros(list[i].shape, {dtype = list[i].dtype})
    -- of second derivatives some cases store only those asked for
    local expected = case.tensors["grad." .. name]
    if not order2 or expected then
      compare("grad." .. name, g, expected, case.spec.rtol)
    end
  end
  if not order2 then return end
  local loss2
  for _, name in ipairs(case.spec.grad2_of) do
    local probe = case.tensors["probe.grad." .. name]
    local part = (by_name[name] * probe):sum()
    loss2 = loss2 and loss2 + part or part
  end
  local second = neap.grad(loss2, list)
  for i, name in ipairs(names) do
    local expected = case.tensors["grad2." .. name]
    if expected then
      compare("grad2." .. name, second[i] or neap.zeros(list[i].shape,
              {dtype = list[i].dtype}), expected, case.spec.rtol)
    end
  end
end

-- A list of tensors stands for its entries.
local function name_outputs(spec, results)
  local outputs = {}
  if type(results[1]) == "table" then results = results[1] end
  for i, name in ipairs(spec.outs) do outputs[name] = results[i] end
  return outputs
end

local function check_outputs(case, outputs)
  for _, name in ipairs(case.spec.outs) do
    local expected = case.tensors["out." .. name]
    if expected then
      compare("out." .. name, outputs[name], expected, case.spec.rtol)
    end
  end
end

local function run_expression(case)
  local env = environment(case)
  for name, t in pairs(case.tensors) do
    local key = name:match "^param%.(.*)$"
    if key then env[key] = t:clone():requires_grad_() end
  end
  local outputs = name_outputs(case.spec,
                               table.pack(eval(case.spec.expr_tree, env)))
  check_outputs(case, outputs)
  check_gradients(case, outputs, env)
end

local function run_function(case, name)
  local env = environment(case)
  local args = resolve(case.spec.args or {}, env)
  local outputs = name_outputs(case.spec, table.pack(
    call_op(name, args, resolve(case.spec.kwargs or {}, env))))
  check_outputs(case, outputs)
  check_gradients(case, outputs, env)
end

local function run_module(case)
  local spec, env = case.spec, environment(case)
  local module = build_module(resolve(spec, env))
  set_parameters(case, module, "")
  local results = {}
  for i, step in ipairs(spec.steps or {spec}) do
    module:train(step.train)
    local found = flattened(call_all(module, call_arguments(step, env)))
    if spec.steps then results[i] = found[1] else results = found end
  end
  local outputs = name_outputs(spec, results)
  local leaves = setmetatable({}, {__index = env})
  for name, t in pairs(module:state_dict()) do
    leaves[name] = t
    if case.tensors["out." .. name] then outputs[name] = t end
  end
  check_outputs(case, outputs)
  check_gradients(case, outputs, leaves)
end

local function run_optimizer(case, kind)
  local spec, params, names = case.spec, {}, {}
  if not neap.optim[kind] then wait_for("optim." .. kind) end
  for name, t in pairs(case.tensors) do
    local key = name:match "^param%.(.*)$"
    if key then
      params[key] = t:clone():requires_grad_()
      names[#names + 1] = key
    end
  end
  table.sort(names)
  local list = {}
  for _, group in ipairs(spec.groups or {{params = names}}) do
    local copy = {}
    for key, value in pairs(group) do copy[key] = value end
    copy.params = {}
    for i, key in ipairs(group.params) do copy.params[i] = params[key] end
    list[#list + 1] = copy
  end
  local opt = neap.optim[kind](list, spec.kwargs or {})
  for step = 1, spec.steps do
    local lr = (spec.lr_at or {})[tostring(step - 1)]
    if lr then opt.param_groups[1].lr = lr end
    for _, key in ipairs(names) do
      local g = case.tensors["in.g_" .. key][step]
      if type(g) == "number" then
        g = neap.tensor(g, {dtype = params[key].dtype})
      end
      params[key].grad = g:clone()
      for _, at in ipairs((spec.no_grad_at or {})[key] or {}) do
        if at == step - 1 then params[key].grad = nil end
      end
    end
    opt:step()
    for _, key in ipairs(names) do
      local expected = case.tensors["out." .. key][step]
      if type(expected) == "number" then
        expected = neap.tensor(expected, {dtype = params[key].dtype})
      end
      compare(("%s after step %d"):format(key, step), params[key]:detach(),
              expected, spec.rtol)
    end
  end
  local at = 0
  for _, group in ipairs(opt.param_groups) do
    for _, p in ipairs(group.params) do
      at = at + 1
      local _, slots = opt:_state(at)
      for _, key in ipairs(names) do
        if rawequal(params[key], p) then
          for slot, value in pairs(slots) do
            local expected = case.tensors[("out.%s.%s"):format(key, slot)]
            if expected then compare(key .. "." .. slot, value, expected) end
          end
        end
      end
    end
  end
end

local function sorted_keys(t)
  local keys = {}
  for key in pairs(t) do keys[#keys + 1] = key end
  table.sort(keys)
  return keys
end

local function run_training(case)
  local spec, modules, params = case.spec, {}, {}
  local kind = spec.optimizer.op:match "%.(.*)$"
  if not neap.optim[kind] then wait_for(spec.optimizer.op) end
  if spec.clip and not nn.utils then wait_for "nn.utils.clip_grad_norm_" end
  for _, name in ipairs(sorted_keys(spec.modules)) do
    modules[name] = build_module(spec.modules[name])
    set_parameters(case, modules[name], name .. ".")
    for _, p in ipairs(modules[name]:parameters()) do
      params[#params + 1] = p
    end
  end
  local opt = neap.optim[kind](params, spec.optimizer.kwargs or {})
  local losses = case.tensors["out.loss"]
  for step = 1, spec.steps do
    local env = {modules = modules, parameters = params}
    for name, t in pairs(case.tensors) do
      local key = name:match "^in%.(.*)$"
      if key then env[key] = t[step] end
    end
    local loss = eval(spec.loss_tree, env)
    compare(("loss %d"):format(step), loss:detach(), neap.tensor(
            losses[step], {dtype = losses.dtype}), spec.rtol)
    opt:zero_grad()
    loss:backward()
    if spec.clip then nn.utils.clip_grad_norm_(params, spec.clip) end
    opt:step()
  end
  for _, name in ipairs(spec.outs) do
    local module, key = name:match "^(.-)%.(.*)$"
    if module and modules[module] then
      compare(name, modules[module]:state_dict()[key]:detach(),
              case.tensors["out." .. name], spec.rtol)
    end
  end
end

-- Clipping: gradients in.g0, in.g1, ... of parameters of their shapes.
local function run_clip(case, name)
  local params, kwargs = {}, case.spec.kwargs or {}
  while case.tensors["in.g" .. #params] do
    local g = case.tensors["in.g" .. #params]
    params[#params + 1] = neap.zeros_like(g):requires_grad_()
    params[#params].grad = g:clone()
  end
  local norm
  if name == "clip_grad_value_" then
    nn.utils[name](params, kwargs.clip_value)
  else
    local p = kwargs.norm_type
    norm = nn.utils[name](params, kwargs.max_norm,
                          {norm_type = p == "inf" and math.huge or p})
  end
  for i, p in ipairs(params) do
    compare("g" .. i - 1, p.grad, case.tensors["out.g" .. i - 1],
            case.spec.rtol)
  end
  local total = case.tensors["out.total_norm"]
  if norm and total then
    compare("total_norm", neap.tensor(norm, {dtype = total.dtype}), total,
            case.spec.rtol)
  end
end

-- One step(closure) after the other on an objective.
local function run_lbfgs(case)
  local spec, t = case.spec, case.tensors
  local x = t["param.x"]:clone():requires_grad_()
  local env = {x = x, A = t["in.A"], b = t["in.b"]}
  local opt = neap.optim.LBFGS({x}, spec.kwargs)
  for k = 1, spec.steps do
    local loss = opt:step(function()
      opt:zero_grad()
      local y = eval(spec.objective_tree, env)
      y:backward()
      return y
    end)
    local when = " after step " .. k
    compare("loss" .. when, loss, t["out.loss"]:select(1, k), spec.rtol)
    compare("x" .. when, x, t["out.x"]:select(1, k), spec.rtol)
    local evals = neap.tensor(opt.state.func_evals, {dtype = "int64"})
    compare("func_evals" .. when, evals:to(t["out.func_evals"].dtype),
            t["out.func_evals"]:select(1, k), spec.rtol)
  end
end

-- A schedule of its description; lr_lambda is an expression in the epoch.
local make_schedule
function make_schedule(optimizer, op, kwargs)
  local kind, given = op:match "[%w_]+$", {}
  local make = neap.optim.lr_scheduler[kind]
  if not make then wait_for(op) end
  for key, value in pairs(kwargs) do
    if key == "lr_lambda_tree" then
      given.lr_lambda = function(epoch)
        return eval(value, {epoch = epoch})
      end
    elseif key == "schedulers" then
      given.schedulers = {}
      for i, part in ipairs(value) do
        given.schedulers[i] = make_schedule(optimizer, part.op, part.kwargs)
      end
    elseif key ~= "lr_lambda" then given[key] = value end
  end
  return make(optimizer, given)
end

local function run_schedule(case)
  local spec, groups = case.spec, {}
  local rates = type(spec.base_lr) == "table" and spec.base_lr or
                {spec.base_lr}
  for i, lr in ipairs(rates) do
    groups[i] = {params = {neap.zeros({1}, {requires_grad = true})}, lr = lr}
  end
  local optimizer = neap.optim.SGD(groups, {lr = 1,
                                            momentum = spec.base_momentum})
  local schedule = make_schedule(optimizer, spec.op, spec.kwargs)
  local lr, momentum, metric = {}, {}, case.tensors["in.metric"]
  for k = 1, spec.n do
    lr[k] = schedule:get_last_lr()
    momentum[k] = optimizer.param_groups[1].momentum
    if k < spec.n then schedule:step(metric and metric[k]) end
  end
  local expected = case.tensors["out.lr"]
  compare("lr", neap.tensor(lr, {dtype = "float64"})
                    :reshape(expected.shape), expected, spec.rtol)
  if case.tensors["out.momentum"] then
    compare("momentum", neap.tensor(momentum, {dtype = "float64"}),
            case.tensors["out.momentum"], spec.rtol)
  end
end

local function run_case(case)
  local op = case.spec.op
  local space, name = op:match "^([%w_]+)%.(.*)$"
  shift_contents(case)
  if op == "expr" then run_expression(case)
  elseif op == "train" then run_training(case)
  elseif space == "torch" or space == "F" or space == "Tensor" then
    run_function(case, name)
  elseif space == "lr_scheduler" then run_schedule(case)
  elseif op == "scaled_dot_product_attention" then run_function(case, op)
  elseif op:find "clip_grad" then run_clip(case, op:match "[%w_]+$")
  elseif space == "nn" and not name:find("%.") then run_module(case)
  elseif op == "optim.LBFGS" then run_lbfgs(case)
  elseif space == "optim" then run_optimizer(case, name)
  else wait_for(op) end
end

-- Families and the summary.
local families = {"ops", "edge", "activations", "linear", "double_backward",
                  "losses", "norm", "optim", "clip", "schedules", "train",
                  "embedding", "conv", "pool", "recurrent", "attention"}

local function run_family(folder, family, verbose)
  local cases, names = load_family(("%s/%s.safetensors")
                                   :format(folder, family))
  local count = {passed = 0, failed = 0, skipped = 0, waiting = 0}
  local waits, reports = {}, {}
  for _, name in ipairs(names) do
    case_name = name
    local ok, why = pcall(run_case, cases[name])
    if ok then count.passed = count.passed + 1
    elseif type(why) == "table" and why.waits then
      if cases[name].spec.extra then count.skipped = count.skipped + 1
      else
        count.waiting = count.waiting + 1
        waits[why.waits] = (waits[why.waits] or 0) + 1
      end
    else
      count.failed = count.failed + 1
      reports[#reports + 1] = ("  FAILED %s: %s"):format(name, tostring(why))
    end
  end
  print(("%-16s %4d passed %4d failed %4d skipped (extra) %4d waiting")
        :format(family, count.passed, count.failed, count.skipped,
                count.waiting))
  for _, line in ipairs(reports) do print(line) end
  if verbose and next(waits) then
    local list = {}
    for what, n in pairs(waits) do list[#list + 1] = what .. " " .. n end
    table.sort(list)
    print("  waits for: " .. table.concat(list, ", "))
  end
  return count
end

local folder, chosen = arg[1], {}
for i = 2, #arg do chosen[#chosen + 1] = arg[i] end
if #chosen == 0 then chosen = families end
if not io.open(folder .. "/ops.safetensors") then
  print("skipped: no reference data in " .. folder)
  os.exit(0, true)
end

local total = {passed = 0, failed = 0, skipped = 0, waiting = 0}
for _, family in ipairs(chosen) do
  for key, n in pairs(run_family(folder, family, true)) do
    total[key] = total[key] + n
  end
end
print(("golden: %d passed, %d failed, %d skipped, %d waiting")
      :format(total.passed, total.failed, total.skipped, total.waiting))
os.exit(total.failed == 0, true)
