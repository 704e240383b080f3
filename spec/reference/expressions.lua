-- Evaluates the expression trees of reference cases (their README has the
-- format): Python's expressions over tensors, counting from 0.

local neap = require "neap"
local F = neap.nn.functional

local call_op, wait_for        -- given by who uses it
local eval

local function eval_list(nodes, env)
  local out = {n = nodes and #nodes or 0}
  for i = 1, out.n do out[i] = eval(nodes[i], env) end
  return out
end

local function eval_map(nodes, env)
  local out = {}
  for key, node in pairs(nodes or {}) do out[key] = eval(node, env) end
  return out
end

-- a:b:s from 0 with b excluded, as a range from 1 with both ends.
local function range(node, size, env)
  local a = node.a and eval(node.a, env) or 0
  local b = node.b and eval(node.b, env) or size
  local step = node.step and eval(node.step, env) or 1
  if a < 0 then a = math.max(a + size, 0) end
  if b < 0 then b = b + size end
  b = math.min(b, size)
  if b <= a then return {a + 1, a} end
  return {a + 1, b, step}
end

local function eval_index(node, env)
  local x, index, dim = eval(node.obj, env), {}, 1
  local used = 0
  for _, item in ipairs(node.items) do
    if item.t ~= "none" and item.t ~= "ellipsis" then used = used + 1 end
  end
  for i, item in ipairs(node.items) do
    if item.t == "none" then index[i] = neap.newaxis
    elseif item.t == "ellipsis" then
      index[i] = neap.ellipsis
      dim = dim + x.ndim - used
    else
      if item.t == "slice" then index[i] = range(item, x:size(dim), env)
      else
        local value = eval(item, env)
        if neap.is_tensor(value) then index[i] = value
        else index[i] = value >= 0 and value + 1 or value end
      end
      dim = dim + 1
    end
  end
  return x[index]
end

local operators = {["+"] = "add", ["-"] = "sub", ["*"] = "mul",
                   ["/"] = "div", ["%"] = "remainder", ["**"] = "pow",
                   ["@"] = "matmul"}
local comparisons = {["<"] = "lt", ["<="] = "le", [">"] = "gt",
                     [">="] = "ge", ["=="] = "eq", ["!="] = "ne"}
local plain = {
  ["+"] = function(a, b) return a + b end,
  ["-"] = function(a, b) return a - b end,
  ["*"] = function(a, b) return a * b end,
  ["/"] = function(a, b) return a / b end,
  ["%"] = function(a, b) return a % b end,
  ["**"] = function(a, b) return a ^ b end
}

local function binary(node, env)
  local l, r = eval(node.l, env), eval(node.r, env)
  if neap.is_tensor(l) or neap.is_tensor(r) then
    local name = operators[node.op]
    if not F[name] then wait_for(name) end
    return F[name](l, r)
  end
  return plain[node.op](l, r)
end

local function call_function(node, env)
  local f, args = node.f, eval_list(node.args, env)
  local kw = eval_map(node.kw, env)
  if env.modules and env.modules[f] then
    return env.modules[f](table.unpack(args, 1, args.n))
  end
  local name = f:match "^torch%.(.*)$" or f:match "^F%.(.*)$" or f
  if name == "rms_norm" then      -- written by hand there, without a shape
    return F.rms_norm(args[1], {normalized_shape = args[2].shape,
                                weight = args[2], eps = kw.eps})
  end
  return call_op(name, args, kw)
end

local evaluators = {
  name = function(node, env)
    local value = env[node.id]
    if value == nil then error("no value for " .. node.id, 0) end
    return value
  end,
  const = function(node) return node.v end,
  str = function(node) return node.v end,
  none = function() return nil end,
  ["true"] = function() return true end,
  ["false"] = function() return false end,
  inf = function() return math.huge end,
  call = call_function,
  method = function(node, env)
    local args = eval_list(node.args, env)
    table.insert(args, 1, (eval(node.obj, env)))
    args.n = args.n + 1
    return call_op(node.name, args, eval_map(node.kw, env))
  end,
  bin = binary,
  un = function(node, env)
    local x = eval(node.x, env)
    return -x
  end,
  cmp = function(node, env)
    return F[comparisons[node.op]](eval(node.l, env), eval(node.r, env))
  end,
  index = eval_index,
  pick = function(node, env)
    return (select(node.n + 1, eval(node.obj, env)))
  end,
  attr = function(node, env)
    if node.name ~= "T" then wait_for("attribute " .. node.name) end
    return call_op("t", {eval(node.obj, env), n = 1})
  end,
  tuple = function(node, env) return eval_list(node.items, env) end,
  list = function(node, env) return eval_list(node.items, env) end
}
evaluators["if"] = function() wait_for "conditions in expressions" end
evaluators.sum_over = function(node, env)
  local total
  for _, p in ipairs(env[node.over]) do
    local inner = setmetatable({[node.var] = p}, {__index = env})
    local value = eval(node.body, inner)
    total = total and total + value or value
  end
  return total
end

function eval(node, env)
  local f = evaluators[node.t]
  if not f then wait_for("expressions with " .. node.t) end
  return f(node, env)
end

-- call(name, arguments, keywords) applies an operation; wait(what) says what
-- does not exist yet. Gives the function eval(tree, values by name).
return function(call, wait)
  call_op, wait_for = call, wait
  return eval
end
