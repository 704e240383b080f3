--- neap: deep learning for Lua. What is written in Lua of the main table.
-- `require "neap"` returns the table of the C functions, completed here.

local neap = require "neap"
local Tensor = neap.Tensor

neap.nn.functional = neap._functional
neap.nn.init = neap._init
neap._functional, neap._init = nil, nil

local starts = neap.nn.init

--- Raises an error at the line of the user's program that led here.
function neap._fail(text, ...)
  if select("#", ...) > 0 then text = text:format(...) end
  neap._raise(text)
end

-- Calls f(...) and closes the guard however it ends.
local function guarded(guard, f, ...)
  local _ <close> = guard
  return f(...)
end

local mode_meta = {}
function mode_meta.__close(self) neap.set_grad_enabled(self.before) end

--- Stops recording: for a function, `no_grad(f, ...)`, or for the rest of a
-- block, `local ng <close> = neap.no_grad()`.
function neap.no_grad(f, ...)
  if neap.is_tensor(f) then
    neap._fail("no_grad: expected a function, not a tensor (it is computed " ..
               "before no_grad is called)")
  end
  local guard = setmetatable({before = neap.set_grad_enabled(false)},
                             mode_meta)
  if f == nil then return guard end
  return guarded(guard, f, ...)
end

--- Records again inside a `no_grad`, in the same two forms.
function neap.enable_grad(f, ...)
  local guard = setmetatable({before = neap.set_grad_enabled(true)},
                             mode_meta)
  if f == nil then return guard end
  return guarded(guard, f, ...)
end

local function keep_results(scope, ...)
  for i = 1, select("#", ...) do
    local value = select(i, ...)
    if type(value) == "table" or neap.is_tensor(value) then
      scope:keep(value)
    end
  end
  return ...
end

local function scoped(scope, f, ...)
  local _ <close> = scope
  return keep_results(scope, f(scope, ...))
end

-- Starting values that are plain fillings, off the tape.
for name, method in pairs{uniform_ = "uniform_", normal_ = "normal_",
                          constant_ = "fill_"} do
  starts[name] = function(w, ...)
    return neap.no_grad(Tensor[method], w, ...)
  end
end
starts.eye_ = starts.identity_           -- as PyTorch calls it

local gains = {linear = 1, conv1d = 1, conv2d = 1, conv3d = 1, sigmoid = 1,
               tanh = 5 / 3, relu = math.sqrt(2), selu = 3 / 4}

--- The factor by which a weight's deviation grows so that what follows it
-- keeps the variance: of "linear", "sigmoid", "tanh", "relu", "leaky_relu"
-- (with its slope, 0.01), "selu".
function starts.calculate_gain(nonlinearity, slope)
  if nonlinearity == "leaky_relu" then
    return math.sqrt(2 / (1 + (slope or 0.01) ^ 2))
  end
  return gains[nonlinearity] or
    neap._fail("calculate_gain: there is no '%s'; there is linear, " ..
               "sigmoid, tanh, relu, leaky_relu, selu",
               tostring(nonlinearity))
end

function starts.zeros_(w) return starts.constant_(w, 0) end
function starts.ones_(w) return starts.constant_(w, 1) end

--- Frees what is made inside, except what is returned or kept by
-- `s:keep(t, ...)` (tensors, and tables with tensors in them):
-- `local s <close> = neap.scope()`, or `neap.scope(f, ...)`,
-- which calls f(s, ...). Parameters, gradients and states of optimisers
-- never belong to a scope.
function neap.scope(f, ...)
  local scope = neap._open_scope()
  if f == nil then return scope end
  return scoped(scope, f, ...)
end

local handle_meta = neap._tensor_meta
neap._tensor_meta = nil

--- True if a value is a tensor.
function neap.is_tensor(value)
  return getmetatable(value) == handle_meta.__metatable
end

-- A shape is a plain list, which prints as one: {2, 3}
neap._shape_meta.__tostring = function(shape)
  return ("{%s}"):format(table.concat(shape, ", "))
end
neap._shape_meta = nil

-- Lua calls these with their operand twice.
handle_meta.__unm = function(x) return x:neg() end
handle_meta.__bnot = function(x) return x:bitwise_not() end

-- for i, row in pairs(x), for row in x:rows()
local function next_row(x, i)
  if i < #x then return i + 1, x[i + 1] end
end
handle_meta.__pairs = function(x) return next_row, x, 0 end

--- Iterates over the slices of dimension 1.
function Tensor.rows(x)
  local i = 0
  return function()
    if i < #x then
      i = i + 1
      return x[i]
    end
  end
end

-- The first argument of functions that read and write files.
local function check_path(who, path)
  if type(path) ~= "string" then
    neap._fail("%s: expected the path of a file, not %s", who,
               path == nil and "nothing" or "a " .. type(path))
  end
end
neap._check_path = check_path

local METADATA = {}              -- what a file said, told from options
neap._is_metadata = function(t) return getmetatable(t) == METADATA end

local load = neap.load

--- Tensors by name of a safetensors file, and its metadata (strings by
-- name).
function neap.load(path)
  check_path("load", path)
  local tensors, metadata = load(path)
  return tensors, setmetatable(metadata, METADATA)
end

--- Saves tensors by name, and metadata (strings by name), as safetensors.
-- The file is replaced as a whole or not at all.
function neap.save(path, tensors, metadata)
  check_path("save", path)
  if type(tensors) ~= "table" or neap.is_tensor(tensors) then
    neap._fail("save: expected a table of tensors by name, as in " ..
               "neap.save(path, {x = x})")
  end
  local names, values, keys, texts = {}, {}, {}, {}
  for name in pairs(tensors) do names[#names + 1] = name end
  table.sort(names)
  for i, name in ipairs(names) do values[i] = tensors[name] end
  for key in pairs(metadata or {}) do keys[#keys + 1] = key end
  table.sort(keys)
  for i, key in ipairs(keys) do texts[i] = metadata[key] end
  neap._save(path, names, values, keys, texts)
end

--- Tensors by name from an npz file. Option: names, a list of those to be
-- read (all), for files that also hold what tensors cannot, such as texts.
function neap.load_npz(path, options)
  check_path("load_npz", path)
  local o = require("neap.options").read("load_npz", options,
                                         {{"names", "table"}})
  local wanted = o.names and {}
  for _, name in ipairs(o.names or {}) do wanted[name] = true end
  local arrays = neap._load_npz(path, wanted)
  local missing = next(wanted or {})
  if missing then
    neap._fail("load_npz: %s has no array '%s'", path, tostring(missing))
  end
  return arrays
end

--- Saves tensors by name as npz, which NumPy reads. Option: compress
-- (false).
function neap.save_npz(path, tensors, options)
  check_path("save_npz", path)
  local o = require("neap.options").read("save_npz", options,
    {{"compress", "boolean", default = false}})
  local names, values = {}, {}
  for name in pairs(tensors) do names[#names + 1] = name end
  table.sort(names)
  for i, name in ipairs(names) do values[i] = tensors[name] end
  neap._save_npz(path, names, values, o.compress)
end

--- Tables from CSV files, and back: see neap.data.csv.
function neap.load_csv(...) return require("neap.data.csv").load(...) end
function neap.save_csv(...) return require("neap.data.csv").save(...) end

require "neap.tensor"
require "neap.autograd"
require "neap.linalg"
require "neap.module"
require "neap.container"
require "neap.embedding"
require "neap.summary"
require "neap.optimizer"
require "neap.check"
require "neap.clip"
require "neap.adafactor"
require "neap.lbfgs"
require "neap.minimize"
require "neap.penalty"
neap.optim.lr_scheduler = require "neap.schedules"
require "neap.reparametrize"
require "neap.recurrent"
require "neap.sequences"
require "neap.attention"
require "neap.average"
require "neap.export"

-- Submodules load when they are first used: neap.data is neap.data's table.
local submodules = {data = "data", progress = "progress", cli = "cli",
                    metrics = "metrics", text = "text", model = "model",
                    Trainer = "trainer", gallery = "gallery"}
setmetatable(neap, {__index = function(self, name)
  if not submodules[name] then return nil end
  local module = require("neap." .. submodules[name])
  rawset(self, name, module)
  return module
end})
