-- Operations called with whatever comes: any shapes and types, numbers that
-- are not finite or far too large, lists of any length. They answer with
-- numbers or with a sentence; nothing else is looked at here.

local neap = require "neap"
local F = neap.nn.functional

local CALLS = 10000

local random                    -- of this spec: the same calls in every run

local function one_of(list) return list[random(#list)] end

local types = {"float32", "float64", "float32", "float64", "int64", "int32",
               "uint8", "bool"}
local sizes = {0, 1, 1, 2, 3, 4, 5}
local numbers = {0, 1, -1, 2, 0.5, -0.5, 1e9, -1e9, 0/0, math.huge,
                 -math.huge, 2^31, 2^62}
local integers = {0, 1, -1, 2, 3, 4, -2, 7, 1000000, 2147483647, -2147483648,
                  math.maxinteger, math.mininteger}
local texts = {"ij->ij", "ij,jk->ik", "i->", "...", "a"}

local function shape()
  local list = {}
  for i = 1, random(0, 5) do list[i] = one_of(sizes) end
  return list
end

local function tensor()
  local dtype, t = one_of(types), neap.randn(shape(), {dtype = "float64"})
  if random(10) == 1 then t = t * one_of(numbers) end
  if dtype:find "int" and random(3) > 1 then t = (t:abs() * 2):floor() + 1 end
  if dtype:find "int" then t = t:nan_to_num():clamp(-100, 100) end
  t = t:to(dtype)
  if t.ndim >= 2 and random(3) == 1 then t = t:transpose(1, 2) end
  if t.ndim >= 1 and random(6) == 1 then
    local wide = {3, table.unpack(t.shape)}
    t = t:unsqueeze(1):expand(wide)
  end
  if t:is_floating_point() and random(2) == 1 then
    t = t:detach():clone():requires_grad_()
  end
  return t
end

local function list_of(least)
  local list = {}
  for i = 1, random(0, 4) do
    list[i] = random(5) > 1 and random(least, 4) or one_of(integers)
  end
  return list
end

local value_of = {
  int = function() return one_of(integers) end,
  dim = function() return random(-3, 4) end,
  index = function() return one_of(integers) end,
  number = function() return one_of(numbers) end,
  bool = function() return random(2) == 1 end,
  ints = function() return list_of(-1) end,
  list = function() return list_of(-1) end,
  dims = function() return list_of(-2) end,
  text = function() return one_of(texts) end
}

local function arguments(op)
  local args, options = {}, {}
  for _, mark in op.inputs:gmatch "([%w_]+)([?*]?)" do
    if mark == "*" then
      local list = {}
      for i = 1, random(3) do list[i] = tensor() end
      args[#args + 1] = list
    elseif mark ~= "?" or random(3) > 1 then args[#args + 1] = tensor() end
  end
  for _, field in ipairs(op.fields) do
    local value = value_of[field.kind]
    if value and (field.required or random(2) == 1) then
      options[field.name] = value()
    end
  end
  args[#args + 1] = options
  return args
end

describe("operations", function()

  it("answer whatever they are called with, backwards too", function()
    local state, given = 12345, neap.get_rng_state()
    function random(low, high)
      if high == nil then low, high = 1, low end
      state = (state * 6364136223846793005 + 1442695040888963407)
      return low + (state >> 33) % (high - low + 1)
    end
    neap.manual_seed(7)
    neap.set_memory_limit(2^28 // 1 | 0)
    local ops, answered, refused = {}, 0, 0
    for _, op in ipairs(neap._test.ops()) do
      if not op.inner and not op.initialiser and F[op.name] then
        ops[#ops + 1] = op
      end
    end
    for _ = 1, CALLS do
      local op = one_of(ops)
      local results = table.pack(pcall(F[op.name],
                                       table.unpack(arguments(op))))
      if not results[1] then
        refused = refused + 1
        assert.is_string(results[2], op.name)
      else
        answered = answered + 1
        local y = results[2]
        if neap.is_tensor(y) and y.requires_grad then
          pcall(function() y:sum():backward() end)
        end
      end
    end
    neap.set_memory_limit(0)
    neap.set_rng_state(given)
    assert.is_true(answered > CALLS / 5 and refused > CALLS / 5,
                   answered .. " answered, " .. refused .. " refused")
  end)

end)
