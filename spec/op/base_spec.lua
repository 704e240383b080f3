-- Dimensions, positions and the contents of index tensors count from 1 in
-- Lua and from 0 in C: every slot that counts is tried on both sides, with
-- 0, negative numbers and numbers past the end.

local neap = require "neap"
local check = require "spec.support.check"
local F = neap.nn.functional
local message = check.message

local function int(t) return neap.tensor(t, {dtype = "int64"}) end
local g = neap.generator(77)
local function some(...)
  local n = 1
  for _, size in ipairs{...} do n = n * size end
  return (neap.randperm(n, {generator = g}):to("float32") - 2):reshape(...)
end

-- How operations are called whose inputs are not one 4 x 4 matrix, and
-- options that they need beside the one that is tried.
local x = some(4, 4)
local calls = {
  cat = {{{x, x + 1}}}, stack = {{{x, x + 1}}},
  cross_entropy = false,                    -- no dimensions
  multi_margin_loss = {{x, int{2, 1, 4, 4}}},
  nll_loss = {{x, int{2, 1, 4, 4}}},
  ctc_loss = {{some(3, 2, 4):log_softmax(-1), int{{1}, {1}}, int{3, 2},
               int{0, 0}}},
  cosine_similarity = {{x, some(4, 4)}},
  diagonal_scatter = {{x, some(4)}},
  index_add = {{x, int{2, 1, 4, 4}, x}, {dim = 1}},
  index_copy = {{x, int{2, 1, 4, 3}, x}, {dim = 1}},
  index_fill = {{x, int{2, 1}}, {dim = 1, value = 7}},
  index_select = {{x, int{2, 1, 4}}, {dim = 1}},
  gather = {{x, int{{2, 1}, {4, 3}}}, {dim = 1}},
  scatter = {{x, int{{2, 1, 4, 3}}, x}, {dim = 1}},
  scatter_add = {{x, int{{2, 1, 4, 3}}, x}, {dim = 1}},
  narrow = {{x}, {dim = 1, start = 2, length = 1}},
  select = {{x}, {dim = 1, index = 2}},
  transpose = {{x}, {dim0 = 1, dim1 = 2}},
  permute = {{x}, {dims = {2, 1}}},
  movedim = {{x}, {source = 1, destination = 2}},
  roll = {{x}, {shifts = 1, dims = 1}},
  unflatten = {{x}, {dim = 1, sizes = {2, 2}}},
  unfold = {{x}, {dimension = 1, size = 2, step = 1}},
  split = {{x}, {sizes = 2, dim = 1}},
  chunk = {{x}, {chunks = 2, dim = 1}},
  repeat_interleave = {{x}, {repeats = 2}},
  topk = {{x}, {k = 2}}, kthvalue = {{x}, {k = 2}},
  quantile = {{x, neap.tensor(0.5)}},
  searchsorted = {{x:sort(), x}},
  tensordot = {{x, some(4, 4)}, {x_dims = 1, z_dims = 1}},
  one_hot = {{int{1, 3, 2}}}, bincount = {{int{1, 3, 2}}},
  flatten = {{some(2, 3, 2)}},
  embedding = {{int{2, 1, 4}, x}}, embedding_bag = {{int{{2, 1}, {4, 4}}, x}},
  embedding_renorm = {{x, int{2, 1}}, {max_norm = 1}},
  max_unpool1d = {{some(2, 2), int{{1, 4}, {2, 3}}}, {kernel_size = 2}},
  max_unpool2d = {{some(1, 1, 2), int{{{1, 4}}}}, {kernel_size = 2}},
  max_unpool3d = {{some(1, 1, 1, 1), int{{{{7}}}}}, {kernel_size = 2}}
}
for d, image in ipairs{some(2, 7), some(4, 5), some(4, 2, 5)} do
  calls["max_pool" .. d .. "d"] =
    {{image}, {kernel_size = 2, return_indices = true}}
  calls["adaptive_max_pool" .. d .. "d"] =
    {{image}, {output_size = 2, return_indices = true}}
end

-- Partners that must differ from the dimension that is tried.
local partners = {
  diagonal = {dim1 = "dim2", dim2 = "dim1"},
  diagonal_scatter = {dim1 = "dim2", dim2 = "dim1"},
  transpose = {dim0 = "dim1", dim1 = "dim0"},
  movedim = {source = "destination", destination = "source"},
  flatten = {start_dim = "end_dim", end_dim = "start_dim"}
}

-- Results whose contents are positions, and inputs whose contents are; of
-- each operation that has a field 'base'. (randperm and multinomial draw
-- numbers; index and index_put are what x[...] calls, max_windows is what
-- max_pool calls, embedding_rows the gradient of embedding; paste has
-- positions beside sizes, see augment_spec.lua; ctc_loss calls ctc_each,
-- and its labels may not be the blank that is tried: loss_spec.lua.)
local result_positions = {
  max = {2}, min = {2}, argmax = {1}, argmin = {1}, sort = {2},
  argsort = {1}, topk = {2}, kthvalue = {2}, median = {2}, mode = {2},
  cummax = {2}, cummin = {2}, nonzero = {1}, searchsorted = {1},
  unique = {2}, randperm = {1}, count_steps = {1}, multinomial = {1},
  max_pool1d = {2}, max_pool2d = {2}, max_pool3d = {2},
  adaptive_max_pool1d = {2}, adaptive_max_pool2d = {2},
  adaptive_max_pool3d = {2}
}
local input_positions = {
  index_select = 2, index_add = 2, index_copy = 2, index_fill = 2,
  gather = 2, scatter = 2, scatter_add = 2, one_hot = 1, bincount = 1,
  embedding = 1, embedding_bag = 1, embedding_renorm = 2,
  embedding_rows = false, paste = false, multi_margin_loss = 2,
  nll_loss = 2, ctc_loss = false, ctc_each = false,
  index = false, index_put = false, cross_entropy = 2, max_windows = false,
  max_unpool1d = 2, max_unpool2d = 2, max_unpool3d = 2
}

local function copy(t)
  local out = {}
  for key, value in pairs(t or {}) do out[key] = value end
  return out
end

-- Options as text for C, dimensions and positions counted from 0.
local function text_of(op, options)
  local words = {}
  for _, field in ipairs(op.fields) do
    local value = options[field.name]
    if value ~= nil then
      local counted = field.kind == "dim" or field.kind == "dims" or
                      field.kind == "index"
      local list = type(value) == "table" and value or {value}
      local out = {}
      for i, v in ipairs(list) do
        out[i] = counted and v > 0 and v - 1 or v
      end
      words[#words + 1] = field.name .. "=" .. (#out > 1 and
        table.concat(out, ",") or tostring(out[1]))
    end
  end
  return table.concat(words, " ")
end

local function lua_call(op, inputs, options)
  local args = {table.unpack(inputs)}
  if op.call and #inputs > 1 then
    -- tensors by name, since options stand between them in a call
    local named, k = copy(options), 0
    for name in op.inputs:gmatch "[%w_]+" do
      k = k + 1
      if k > 1 then named[name] = inputs[k] end
    end
    return table.pack(F[op.name](inputs[1], named))
  end
  args[#args + 1] = options
  local out = table.pack(F[op.name](table.unpack(args)))
  if type(out[1]) == "table" then return table.pack(table.unpack(out[1])) end
  return out
end

local function base0_call(op, inputs, options, n)
  local list = {}
  for i, t in ipairs(type(inputs[1]) == "table" and inputs[1] or inputs) do
    list[i] = t
  end
  if input_positions[op.name] then
    local i = input_positions[op.name]
    list[i] = list[i] - 1
  end
  return table.pack(neap._test.apply(op.name, text_of(op, options), list, n))
end

-- The same results on both sides; positions are one less in C.
local function check_both(op, inputs, options)
  local ours = lua_call(op, inputs, options)
  local theirs = base0_call(op, inputs, options, math.min(ours.n, 8))
  for i = 1, math.min(ours.n, 8) do
    local expected = ours[i]
    for _, k in ipairs(result_positions[op.name] or {}) do
      if k == i then expected = expected - 1 end
    end
    check.near(expected, theirs[i], 0, 0, op.name .. " from 0")
  end
  return ours
end

local function setting(op, field)
  local call = calls[op.name] or {{x}}
  local options = copy(call[2])
  local partner = (partners[op.name] or {})[field.name]
  return call[1], options, partner
end

for _, op in ipairs(neap._test.ops()) do
  for _, field in ipairs(op.fields) do
    local kind = field.kind
    if (kind == "dim" or kind == "dims") and not op.inner and
       calls[op.name] ~= false then
      describe(("%s, %s"):format(op.name, field.name), function()
        local inputs, options, partner = setting(op, field)
        local first = type(inputs[1]) == "table" and inputs[1][1]
                      or inputs[1]
        local n = first.ndim
        local function with(d)
          local o = copy(options)
          if type(o[field.name]) == "table" then
            o[field.name] = copy(o[field.name])
            o[field.name][1] = d
            o[field.name][2] = (d == 1 or d == -2) and 2 or 1
          else o[field.name] = d end
          if partner and op.name == "flatten" then
            o[partner] = field.name == "end_dim" and 1 or n
          elseif partner then o[partner] = (d == 1 or d == -n) and 2 or 1 end
          return o
        end

        it("counts from 1, and is the same from 0 in C", function()
          for d = 1, n do check_both(op, inputs, with(d)) end
        end)

        it("counts from the end with negative numbers", function()
          for d = 1, n do
            local ours = lua_call(op, inputs, with(d))
            local same = lua_call(op, inputs, with(d - n - 1))
            if op.name == "stack" or op.name == "unsqueeze" then
              same = lua_call(op, inputs, with(d - n - 2))
            end
            for i = 1, ours.n do check.near(ours[i], same[i], 0, 0) end
          end
        end)

        it("refuses 0 and what is past the end", function()
          assert.matches("dimensions count from 1",
                         message(lua_call, op, inputs, with(0)), 1, true)
          assert.matches("no dimension 9 ",
                         message(lua_call, op, inputs, with(9)), 1, true)
          assert.matches("no dimension -9 ",
                         message(lua_call, op, inputs, with(-9)), 1, true)
        end)
      end)
    elseif kind == "index" and not op.inner then
      describe(("%s, %s"):format(op.name, field.name), function()
        local inputs, options = setting(op, field)
        local function with(i)
          local o = copy(options)
          o[field.name] = i
          return o
        end

        it("counts from 1, from the end, and from 0 in C", function()
          for i = 1, 4 do
            local ours = check_both(op, inputs, with(i))
            local same = lua_call(op, inputs, with(i - 5))
            check.near(ours[1], same[1], 0, 0)
          end
        end)

        it("refuses 0 and what is past the end", function()
          assert.matches("positions count from 1",
                         message(lua_call, op, inputs, with(0)), 1, true)
          for _, i in ipairs{6, -6} do
            local why = message(lua_call, op, inputs, with(i))
            assert.is_truthy(why:find "position", why)
          end
        end)
      end)
    elseif kind == "base" then
      describe(("%s, contents"):format(op.name), function()

        it("is known to this spec", function()
          assert.is_true(result_positions[op.name] ~= nil or
                         input_positions[op.name] ~= nil)
        end)

        local random = op.name == "randperm" or op.name == "multinomial"
        if result_positions[op.name] and not random then
          it("of results count from 1, and from 0 in C", function()
            local inputs, options = setting(op, {name = ""})
            if op.name == "unique" then options.return_inverse = true end
            for _, o in ipairs(op.fields) do
              if o.name == "dim" and op.name ~= "unique" then
                options.dim = 1
              end
            end
            local ours = check_both(op, inputs, options)
            local at = ours[result_positions[op.name][1]]
            assert.is_true(at:min():item() >= 1)
            assert.equal("int64", at.dtype)
          end)
        end

        local at = input_positions[op.name]
        if at and op.name ~= "cross_entropy" then
          it("of inputs count from 1; 0 and past the end are refused",
          function()
            local inputs, options = setting(op, {name = ""})
            check_both(op, inputs, options)
            local wrong = {table.unpack(inputs)}
            wrong[at] = wrong[at] * 0
            local why = message(lua_call, op, wrong, options)
            assert.is_truthy(why:find "is 0, but" and why:find " 1 to", why)
            if op.name ~= "bincount" then
              wrong[at] = inputs[at] * 0 + 9
              if op.name == "one_hot" then options.num_classes = 3 end
              why = message(lua_call, op, wrong, options)
              assert.is_truthy(why:find "is 9, but", why)
            end
          end)
        end
      end)
    end
  end
end

describe("x[...] by tensors", function()
  it("counts from 1 and from the end", function()
    assert.same(x[3]:totable(), x[int{3}][1]:totable())
    assert.same(x[-1]:totable(), x[int{-1}][1]:totable())
    assert.matches("at[1] is 0, but dimension 1 has positions 1 to 4",
                   message(function() return x[{int{0}, int{1}}] end), 1, true)
    assert.matches("index[1] is 5, but dimension 1 has positions 1 to 4",
                   message(function() return x[int{5}] end), 1, true)
  end)
end)

describe("random positions", function()
  it("count from 1, and from 0 in C", function()
    local p = neap.randperm(20):sort()
    assert.same(neap.arange(20):totable(), p:totable())
    local q = neap._test.apply("randperm", "n=20", {}, 1):sort()
    assert.same((neap.arange(20) - 1):totable(), q:totable())
    local w = neap.tensor{0, 0, 1}
    assert.equal(3, w:multinomial(1)[1])
    assert.equal(2, neap._test.apply("multinomial", "num_samples=1", {w},
                                     1)[1])
  end)
end)
