--- Parameters that are computed of others whenever their layer is called:
-- nn.utils.weight_norm, nn.utils.spectral_norm.

local neap = require "neap"
local fail = neap._fail
local options = require "neap.options"
local nn = neap.nn
local utils = nn.utils

local function check_module(who, module)
  if not nn.is_module(module) then
    fail("%s: expected a layer, not a %s", who,
         neap.is_tensor(module) and "tensor" or type(module))
  end
end

-- A name and options, of which the name may stand in its place.
local function read(who, name, given, declared)
  if type(name) == "table" then name, given = nil, name end
  if name ~= nil and type(name) ~= "string" then
    fail("%s: expected the name of a parameter, not a %s", who, type(name))
  end
  table.insert(declared, {"name", "string"})
  local o = options.read(who, given, declared)
  return o.name or name or "weight", o
end

--- weight_norm(layer, name, {dim = 1}): the parameter (weight) becomes
-- g v / |v|, a length g for each slice along `dim` and a direction v, which
-- are learned as `weight_g` and `weight_v` (Salimans and Kingma 2016).
-- dim = false: one length for all. Returns the layer.
function utils.weight_norm(module, name, given)
  check_module("weight_norm", module)
  local real, o = read("weight_norm", name, given, {
    {"dim", "integer|boolean", default = 1}})
  if o.dim == true then
    fail("weight_norm: dim is true, expected a dimension, or false for one " ..
         "length")
  end
  return module:_reparametrize("weight_norm", real, o.dim or nil, 0, 0)
end

--- spectral_norm(layer, name, {n_power_iterations = 1, eps = 1e-12, dim =
-- 1}): the parameter (weight), learned as `weight_orig`, is divided by its
-- largest singular value (of the matrix whose rows are the slices along
-- dim), found by power iteration at each call in training (Miyato et al.
-- 2018). dim is 2 for transposed convolutions, unless told. Returns the
-- layer.
function utils.spectral_norm(module, name, given)
  check_module("spectral_norm", module)
  local real, o = read("spectral_norm", name, given, {
    {"n_power_iterations", "integer", default = 1, least = 1},
    {"eps", "number", default = 1e-12, least = 0}, {"dim", "integer"}})
  local transposed = module:_options():find "^ConvTranspose"
  return module:_reparametrize("spectral_norm", real,
                               o.dim or (transposed and 2 or 1),
                               o.n_power_iterations, o.eps)
end

-- What is computed becomes a parameter again.
local function remove(who, kind)
  utils[who] = function(module, name)
    check_module(who, module)
    name = name or "weight"
    for _, r in ipairs(module:_reparams()) do
      if r.kind == kind and r.name == name then
        return module:_reparam_remove(name)
      end
    end
    fail("%s: %s has no %s on '%s'", who, (module:_options()), kind,
         tostring(name))
  end
end
remove("remove_weight_norm", "weight_norm")
remove("remove_spectral_norm", "spectral_norm")

return utils
