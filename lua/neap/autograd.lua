--- Gradients: operations of one's own, functions of functions,
-- recomputation, and looking into the graph.

local neap = require "neap"
local autograd = {}

-- The context that forward and backward of one call share.
local Context = {}
Context.__index = Context

--- Keeps tensors (inputs, or what forward computed) for backward, which
-- gets them by ctx:saved_tensors(). A change in place in between is noticed.
function Context:save_for_backward(...)
  self.saved = table.pack(...)
  self.versions = {}
  for i = 1, self.saved.n do
    local t = self.saved[i]
    if neap.is_tensor(t) then self.versions[i] = neap._version(t) end
  end
end

--- What was saved. In a backward a result of forward is on the tape, so
-- that the gradient may be differentiated.
function Context:saved_tensors()
  for i, version in pairs(self.versions or {}) do
    if neap._version(self.saved[i]) ~= version then
      error(("%s: saved tensor %d was changed in place since forward")
            :format(self.name, i), 2)
    end
  end
  local saved, out = self.saved or {n = 0}, {}
  for i = 1, saved.n do
    local k = self.results and self.results[saved[i]]
    out[i] = k and neap._made(saved[i], k) or saved[i]
  end
  return table.unpack(out, 1, saved.n)
end

local Function = {}
Function.__index = Function

--- A new kind of operation: give it forward(ctx, ...) and
-- backward(ctx, gradients...) and call it by apply(...). forward is not
-- recorded; backward gives one gradient (or nil) for each input of forward
-- that is a tensor or not, and may itself be differentiated.
--
--     local Square = neap.autograd.Function:extend "Square"
--     function Square.forward(ctx, x)
--       ctx:save_for_backward(x)
--       return x * x
--     end
--     function Square.backward(ctx, g)
--       return g * 2 * ctx:saved_tensors()
--     end
--     y = Square.apply(x)
function Function:extend(name)
  local class = setmetatable({name = name or "Function"}, {__index = self})
  class.apply = function(...) return class:_call(...) end
  return class
end

local function check_results(name, results)
  if results.n == 0 then error(name .. ": forward returned nothing", 3) end
  for i = 1, results.n do
    if not neap.is_tensor(results[i]) then
      error(("%s: result %d of forward is %s, not a tensor")
            :format(name, i, type(results[i])), 3)
    end
  end
end

-- A method of a kind of operation; fails at the caller of apply.
local function method(class, name)
  local f = class[name]
  if type(f) ~= "function" then
    error(("%s: %s is %s, not a function"):format(class.name, name,
                                                  type(f)), 3)
  end
  return f
end

function Function:_call(...)
  local args = table.pack(...)
  local ctx = setmetatable({name = self.name}, Context)
  local results = table.pack(neap.no_grad(method(self, "forward"), ctx,
                                          ...))
  check_results(self.name, results)
  local inputs, places, wanted = {}, {}, false
  for i = 1, args.n do
    if neap.is_tensor(args[i]) then
      inputs[#inputs + 1] = args[i]
      places[#places + 1] = i
      wanted = wanted or args[i].requires_grad
    end
  end
  if not wanted or not neap.is_grad_enabled() then
    return table.unpack(results, 1, results.n)
  end
  local backward = method(self, "backward")
  ctx.results = {}
  for i = 1, results.n do ctx.results[results[i]] = i end
  return table.unpack(neap._record(inputs, results, function(...)
    local given = table.pack(backward(ctx, ...))
    if given.n > args.n then
      error(("%s: backward returned %d gradients for %d inputs")
            :format(self.name, given.n, args.n), 0)
    end
    local grads = {}
    for k, i in ipairs(places) do grads[k] = given[i] end
    return table.unpack(grads, 1, #places)
  end, self.name))
end

autograd.Function = Function:extend "Function"
neap.autograd = autograd

-- Tensors of nested tables in a fixed order, and a table of the same form
-- with others in their places.
local function sorted_keys(t)
  local keys = {}
  for key in pairs(t) do keys[#keys + 1] = key end
  table.sort(keys, function(a, b)
    if type(a) ~= type(b) then return type(a) == "number" end
    return a < b
  end)
  return keys
end

local function flatten(value, list, path, level)
  if neap.is_tensor(value) then list[#list + 1] = value
  elseif type(value) == "table" then
    for _, key in ipairs(sorted_keys(value)) do
      flatten(value[key], list, path .. "." .. tostring(key), level + 1)
    end
  else
    error(("value_and_grad: parameter%s is %s, not a tensor or a table")
          :format(path, type(value)), level)
  end
  return list
end

local function rebuild(value, list, at)
  if neap.is_tensor(value) then
    at[1] = at[1] + 1
    return list[at[1]]
  end
  local out = {}
  for _, key in ipairs(sorted_keys(value)) do
    out[key] = rebuild(value[key], list, at)
  end
  return out
end

--- A function that gives f's result and its gradients. f takes a tensor or
-- a table of tensors (also nested) as its first argument and returns a loss
-- of one element, and whatever else; the gradients have the form of the
-- first argument. Gradients of .grad are left alone.
-- @return function (params, ...) -> loss, gradients, other results of f
function neap.value_and_grad(f)
  return function(params, ...)
    local leaves = {}
    for i, t in ipairs(flatten(params, {}, "", 3)) do
      leaves[i] = t:detach():requires_grad_()
    end
    local results = table.pack(neap.enable_grad(f, rebuild(params, leaves,
                                                           {0}), ...))
    local loss = results[1]
    if not neap.is_tensor(loss) or loss:numel() ~= 1 then
      error("value_and_grad: the function must return a loss of one " ..
            "element first", 2)
    end
    local grads = {}
    if loss.requires_grad then grads = neap.grad(loss, leaves) end
    for i, t in ipairs(leaves) do
      grads[i] = grads[i] or neap.zeros_like(t)
    end
    return loss:detach(), rebuild(params, grads, {0}),
           table.unpack(results, 2, results.n)
  end
end

local rng_meta = {__close = function(self) neap.set_rng_state(self.now) end}

-- f(...) with the generator in a former state, and back.
local function with_rng_state(state, f, ...)
  local _ <close> = setmetatable({now = neap.get_rng_state()}, rng_meta)
  neap.set_rng_state(state)
  return table.pack(f(...))
end

-- Tensors as leaves that want a gradient where the originals do.
local function as_leaves(args)
  local live = {n = args.n}
  for i = 1, args.n do
    live[i] = args[i]
    if neap.is_tensor(args[i]) then
      live[i] = args[i]:detach()
      if args[i].requires_grad then live[i]:requires_grad_() end
    end
  end
  return live
end

-- The sum of results weighted by their gradients.
local function weighted(results, grads)
  local total
  for i, g in ipairs(grads) do
    if results[i].requires_grad then
      local part = (results[i] * g):sum()
      total = total and total + part or part
    end
  end
  return total
end

--- Computes f(...) without keeping what its gradient needs, and computes it
-- again when a backward comes: less memory for more time. Random numbers
-- are the same both times. Works with backward(), which also reaches
-- parameters inside f; not with neap.grad for these, nor with create_graph.
function neap.checkpoint(f, ...)
  if not neap.is_grad_enabled() then return f(...) end
  local Recomputed = autograd.Function:extend "checkpoint"
  local state = neap.get_rng_state()
  -- the first input wants a gradient even where only parameters do
  function Recomputed.forward(ctx, _, ...)
    ctx:save_for_backward(...)
    return f(...)
  end
  function Recomputed.backward(ctx, ...)
    if neap.is_grad_enabled() then
      error("checkpoint: no gradients of gradients (create_graph)", 0)
    end
    local live = as_leaves(table.pack(ctx:saved_tensors()))
    local results = with_rng_state(state, neap.enable_grad, f,
                                   table.unpack(live, 1, live.n))
    local total = neap.enable_grad(weighted, results, {...})
    if total then total:backward() end
    local grads = {false}
    for i = 1, live.n do
      grads[i + 1] = neap.is_tensor(live[i]) and live[i].grad or false
    end
    return table.unpack(grads, 1, live.n + 1)
  end
  local anchor = neap.zeros{1, requires_grad = true}
  return Recomputed.apply(anchor, ...)
end

local finite_meta = {}
function finite_meta.__close(self) neap._set_finite_layers(self.before) end

-- For the rest of a block, a layer whose output is not finite is an error.
function neap._finite_layers()
  return setmetatable({before = neap._set_finite_layers(true)}, finite_meta)
end

local anomaly_meta = {}
function anomaly_meta.__close(self) neap.set_detect_anomaly(self.before) end

--- Looks for NaN in gradients: a backward that makes one raises an error
-- with the line where the operation was recorded, and where the first NaN
-- of the forward pass was made. Slow. For a function, or for the rest of a
-- block: `local a <close> = neap.detect_anomaly()`.
function neap.detect_anomaly(f, ...)
  local guard = setmetatable({before = neap.set_detect_anomaly(true)},
                             anomaly_meta)
  if f == nil then return guard end
  local function run(...)
    local _ <close> = guard
    return f(...)
  end
  return run(...)
end

--- What a tensor was computed from, as a picture in the DOT language (for
-- Graphviz: `dot -Tpng`). Names of leaves come from a module or a table
-- {name = tensor}.
function neap.graph(x, named)
  local tensors, names = {}, {}
  if named and named.named_parameters then
    for name, p in named:named_parameters() do
      tensors[#tensors + 1], names[#names + 1] = p, name
    end
  else
    for _, name in ipairs(sorted_keys(named or {})) do
      tensors[#tensors + 1], names[#names + 1] = named[name], name
    end
  end
  return neap._graph(x, tensors, names)
end

-- For each input the gradients of all elements of y, one after the other.
local function rows_of(y, live, create)
  local rows = {}
  for i = 1, #live do rows[i] = {} end
  if not y.requires_grad then return rows end
  local flat = neap.enable_grad(y.reshape, y, -1)
  for k = 1, #flat do
    local one = neap.enable_grad(flat.narrow, flat, 1, k, 1)
    local grads = neap.grad(one, live, {retain_graph = true,
                                        create_graph = create,
                                        grad_outputs = neap.ones_like(one)})
    for i, x in ipairs(live) do
      rows[i][k] = grads[i] or neap.zeros_like(x)
    end
  end
  return rows
end

--- All derivatives of f's result (of any shape) by its inputs, a tensor or
-- a list: for each input a tensor of the shape (result..., input...). Zeros
-- where the result does not depend on it. Option create_graph.
function autograd.jacobian(f, inputs, options)
  local single = neap.is_tensor(inputs)
  local list, live = single and {inputs} or inputs, {}
  local create = options and options.create_graph or false
  for i, x in ipairs(list) do
    live[i] = create and x or x:detach():requires_grad_()
  end
  local y = neap.enable_grad(f, table.unpack(live))
  if not neap.is_tensor(y) then
    error("jacobian: the function must return a tensor, not " .. type(y), 2)
  end
  local rows, out = rows_of(y, live, create), {}
  for i, x in ipairs(live) do
    local shape = y.shape
    for _, size in ipairs(x.shape) do shape[#shape + 1] = size end
    out[i] = #rows[i] > 0 and neap.stack(rows[i]):reshape(shape)
             or neap.zeros(shape, {dtype = x.dtype})
  end
  return single and out[1] or out
end

--- Second derivatives of f's single number by one input: (input..., input...).
function autograd.hessian(f, x)
  return autograd.jacobian(function(v)
    local y = f(v)
    if not y.requires_grad then return neap.zeros_like(v) end
    return neap.grad(y, v, {create_graph = true})
  end, x)
end

return autograd
