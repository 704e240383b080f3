--- Data: datasets, batches, and the sets that everybody knows.

local neap = require "neap"
local data = {}

--- TensorDataset: samples are the slices of dimension 1 of its tensors.
-- `TensorDataset(x, y)`; `#set`, `set[i]` (a list of the i-th slice of
-- each), `set:batch(ids)` (slices at the positions of an int64 tensor).
local TensorDataset = {}
TensorDataset.__index = function(self, key)
  if math.type(key) ~= "integer" then return TensorDataset[key] end
  local sample = {}
  for i, t in ipairs(self.tensors) do sample[i] = t[key] end
  return sample
end
TensorDataset.__len = function(self) return self:size() end

function TensorDataset:size() return #self.tensors[1] end

function TensorDataset:batch(ids)
  local parts = {}
  for i, t in ipairs(self.tensors) do parts[i] = t:index_select(1, ids) end
  return table.unpack(parts)
end

function data.TensorDataset(...)
  local tensors = {...}
  if #tensors == 0 then
    error("TensorDataset: expected at least one tensor", 2)
  end
  for i, t in ipairs(tensors) do
    if not neap.is_tensor(t) or t.ndim == 0 then
      error(("TensorDataset: argument %d must be a tensor of samples")
            :format(i), 2)
    elseif #t ~= #tensors[1] then
      error(("TensorDataset: argument %d has %d samples, the first has %d")
            :format(i, #t, #tensors[1]), 2)
    end
  end
  return setmetatable({tensors = tensors}, TensorDataset)
end

--- DataLoader: batches of a dataset.
-- Options: batch_size (1), shuffle (false), drop_last (false), generator
-- (of the order; by default one of its own, seeded from the library's).
-- `for x, y in loader:batches() do ... end`; each call is one pass.
local DataLoader = {}
DataLoader.__index = DataLoader

local loader_options = {batch_size = true, shuffle = true, drop_last = true,
                        generator = true}

function data.DataLoader(dataset, options)
  options = options or {}
  for key in pairs(options) do
    if not loader_options[key] then
      error(("DataLoader: no option '%s'; there is batch_size, shuffle, " ..
             "drop_last, generator"):format(tostring(key)), 2)
    end
  end
  local size = options.batch_size or 1
  if math.type(size) ~= "integer" or size < 1 then
    error("DataLoader: batch_size must be a positive integer", 2)
  end
  return setmetatable({
    dataset = dataset, batch_size = size,
    shuffle = options.shuffle or false,
    drop_last = options.drop_last or false,
    generator = options.generator
  }, DataLoader)
end

--- How many batches one pass has.
function DataLoader:size()
  local n, size = self.dataset:size(), self.batch_size
  return self.drop_last and n // size or (n + size - 1) // size
end
DataLoader.__len = DataLoader.size

--- How many samples one pass sees.
function DataLoader:samples()
  if self.drop_last then return self:size() * self.batch_size end
  return self.dataset:size()
end

function DataLoader:batches()
  local n, size, at = self.dataset:size(), self.batch_size, 0
  local count, k = self:size(), 0
  local order = self.shuffle and
    neap.randperm(n, {generator = self.generator}) or neap.arange(n)
  return function()
    if k == count then return nil end
    k = k + 1
    local first = at + 1
    at = math.min(at + size, n)
    return self.dataset:batch(order[{{first, at}}])
  end
end

-- Where the files of known sets may be.
local function exists(path)
  local file = io.open(path, "rb")
  if file then file:close() end
  return file ~= nil
end

local function cache_folder()
  local base = os.getenv "XDG_CACHE_HOME"
  if not base or base == "" then
    base = (os.getenv "HOME" or ".") .. "/.cache"
  end
  return base .. "/neap"
end

local function quote(s) return "'" .. s:gsub("'", "'\\''") .. "'" end

local function runs(command) return (os.execute(command)) == true end

local function has_sha256(path, expected)
  for _, tool in ipairs{"sha256sum", "shasum -a 256"} do
    local pipe = io.popen(tool .. " " .. quote(path) .. " 2>/dev/null")
    local line = pipe and pipe:read "l"
    if pipe then pipe:close() end
    if line then return line:match "^%x+" == expected end
  end
  return true            -- no tool to tell
end

-- Downloads beside the target and renames: a broken download is no file.
local function download(url, path, sha256)
  local part = path .. ".part"
  local ok = runs(("curl -fsSL -o %s %s 2>/dev/null")
                  :format(quote(part), quote(url))) or
             runs(("wget -q -O %s %s 2>/dev/null")
                  :format(quote(part), quote(url)))
  if not ok then
    os.remove(part)
    return nil, "could not be downloaded from " .. url ..
                " (by curl or wget)"
  end
  if not has_sha256(part, sha256) then
    os.remove(part)
    return nil, "was downloaded from " .. url ..
                ", but its sha256 is not " .. sha256
  end
  return os.rename(part, path)
end

--- Known sets by name: `files` (each {name, sha256}), `url` (in front of the
-- names), `places` (folders of packages), `hint`.
data.sets = {}

--- Finds the folder that has all files of a set of `data.sets`: the one
-- given, NEAP_DATA (or its subfolder), known places, the cache; else
-- downloads into the cache, checking sha256.
-- @return the folder, and a sentence about where it is
function data.find(name, folder)
  local set, places = data.sets[name], {}
  if not set then error(("find: there is no set '%s'"):format(name), 2) end
  local root = os.getenv "NEAP_DATA"
  if folder then places[1] = folder
  else
    if root then places = {root, root .. "/" .. name} end
    for _, place in ipairs(set.places or {}) do places[#places + 1] = place end
    places[#places + 1] = cache_folder() .. "/" .. name
  end
  for _, place in ipairs(places) do
    local all = true
    for _, file in ipairs(set.files) do
      all = all and exists(place .. "/" .. file[1])
    end
    if all then return place, ("found in %s"):format(place) end
  end
  if folder then
    error(("%s: %s does not hold %s"):format(name, folder,
                                             set.files[1][1]), 3)
  end
  local target = cache_folder() .. "/" .. name
  runs("mkdir -p " .. quote(target))
  for _, file in ipairs(set.files) do
    local ok, why = download(set.url .. file[1], target .. "/" .. file[1],
                             file[2])
    if not ok then
      error(("%s: %s %s; put the files into a folder and name it in " ..
             "NEAP_DATA%s"):format(name, file[1], why, set.hint or ""), 3)
    end
  end
  return target, ("downloaded to %s"):format(target)
end

local idx_files = {
  "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz",
  "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"
}

local function idx_set(sums, rest)
  rest.files = {}
  for i, file in ipairs(idx_files) do rest.files[i] = {file, sums[i]} end
  return rest
end

data.sets["fashion-mnist"] = idx_set({
  "0ae29f65d86684f32d1b9c85147786c547b9c6aebcaf235f0400a0cce308b056",
  "b0564c3eedabfbf835052cff8503ea422014ce006caf5b757f851416ee8300c7",
  "8d3605d196f4be44669e46906da9733c8131fef761fdbfec72c424d5222f1a05",
  "cc1d090a38ace84dfa1aa66e3ada7c336ef481a96936906477e6dd344da56eaa"
}, {
  places = {"/usr/share/datasets/fashion-mnist"},
  url = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
  hint = ", or install Debian's package dataset-fashion-mnist"
})

-- Images as bytes with a channel-free shape, labels from 1.
local function images(folder, image_file, label_file)
  local x = neap.load_idx(folder .. "/" .. image_file)
  local y = neap.load_idx(folder .. "/" .. label_file)
  return x, y:to("int64") + 1
end

local function load_images(name, folder)
  local where, how = data.find(name, folder)
  local x, y = images(where, idx_files[1], idx_files[2])
  local test_x, test_y = images(where, idx_files[3], idx_files[4])
  return data.TensorDataset(x, y), data.TensorDataset(test_x, test_y), how
end

--- Names of the classes of Fashion-MNIST, by label.
data.fashion_mnist_classes = {
  "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt",
  "Sneaker", "Bag", "Ankle boot"
}

--- Fashion-MNIST (Xiao, Rasul, Vollgraf 2017): 60,000 images to train on
-- and 10,000 to test with, uint8 28x28, labels 1 to 10 (the files count
-- from 0). The files come from `folder`, from NEAP_DATA, from Debian's
-- package, from the cache, or are downloaded.
-- @return train set, test set, a sentence about where the files are
function data.fashion_mnist(folder)
  return load_images("fashion-mnist", folder)
end

return data
