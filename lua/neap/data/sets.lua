--- Sets that everybody knows, found on this machine or downloaded.

local neap = require "neap"
local fail = neap._fail
local csv = require "neap.data.csv"
local dataset = require "neap.data.dataset"
local data = {}

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

-- Folders where the files of a set may be.
local function places_of(name, set, folder)
  if folder then return {folder} end
  local root, places = os.getenv "NEAP_DATA", {}
  if root and root ~= "" then places = {root, root .. "/" .. name} end
  for _, place in ipairs(set.places or {}) do places[#places + 1] = place end
  places[#places + 1] = cache_folder() .. "/" .. name
  return places
end

local function has_all(place, files)
  for _, file in ipairs(files) do
    if not exists(place .. "/" .. file[1]) then return false end
  end
  return true
end

local advice = "put the files into a folder and name it in NEAP_DATA"

local function download_all(name, set)
  local target = cache_folder() .. "/" .. name
  if not set.url then
    fail("%s: %s is not on this machine, and has no public address; %s%s",
         name, set.files[1][1], advice, set.hint or "")
  end
  runs("mkdir -p " .. quote(target))
  for _, file in ipairs(set.files) do
    local ok, why = download(set.url .. file[1], target .. "/" .. file[1],
                             file[2])
    if not ok then
      fail("%s: %s %s; %s%s", name, file[1], why, advice, set.hint or "")
    end
  end
  return target
end

--- Finds the folder that has all files of a set of `data.sets`: the one
-- given, NEAP_DATA (or its subfolder), known places, the cache; else
-- downloads into the cache, checking sha256.
-- @return the folder, and a sentence about where it is
function data.find(name, folder)
  local set = data.sets[name]
  if not set then fail("find: there is no set '%s'", name) end
  for _, place in ipairs(places_of(name, set, folder)) do
    if has_all(place, set.files) then
      return place, ("found in %s"):format(place)
    end
  end
  if folder then
    fail("%s: %s does not hold %s", name, folder, set.files[1][1])
  end
  local target = download_all(name, set)
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

data.sets.mnist = idx_set({
  "0b367032e93c5d0cea0925647cfdb18614af8ee15f83e6f2fc2ad904a6835971",
  "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
  "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
  "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"
}, {url = "https://ossci-datasets.s3.amazonaws.com/mnist/"})

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
  return dataset.TensorDataset(x, y),
         dataset.TensorDataset(test_x, test_y), how
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

--- MNIST (LeCun, Cortes, Burges 1998): 60,000 + 10,000 pictures of digits,
-- uint8 28x28, labels 1 to 10 (digit 0 is label 1). As fashion_mnist.
function data.mnist(folder) return load_images("mnist", folder) end

data.sets.california_housing = {
  files = {{"housing.csv",
    "8a3727f4cf54ac1a327f69b1d5b4db54c5834ea81c6e4efc0d163300022a685e"}},
  url = "https://raw.githubusercontent.com/ageron/handson-ml2/" ..
        "master/datasets/housing/"
}

data.sets.iris = {
  files = {{"iris.csv",
    "f13ffa8fdd56fd8e6c8d16d4081a3fbd3114bcd0aae4256c43205169cd9d1449"}},
  places = {"/usr/lib/python3/dist-packages/sklearn/datasets/data"},
  hint = ", or install Debian's package python3-sklearn"
}

data.sets.breast_cancer = {
  files = {{"breast_cancer.csv",
    "fed3eb72d0575ef6192293f5093c6e801b1476b577d0386bf4455504522172ed"}},
  places = {"/usr/lib/python3/dist-packages/sklearn/datasets/data"},
  hint = ", or install Debian's package python3-sklearn"
}

data.sets.digits = {
  files = {{"digits.csv.gz",
    "46abec6b12486ad9e51943373abcf22bbea1b5a51a1619b361570d8893f1464a"}},
  places = {"/usr/lib/python3/dist-packages/sklearn/datasets/data"},
  hint = ", or install Debian's package python3-sklearn"
}

data.sets.airline_passengers = {
  files = {{"airline-passengers.csv",
    "8cb51be753a718d9be5d76d7e238cc224792754676adc21faa59e954b0201621"}},
  url = "https://raw.githubusercontent.com/jbrownlee/Datasets/master/"
}

data.sets.tinyshakespeare = {
  files = {{"input.txt",
    "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"}},
  url = "https://raw.githubusercontent.com/karpathy/char-rnn/" ..
        "master/data/tinyshakespeare/"
}

data.sets.names = {
  files = {{"names.txt",
    "0a30b5557f192f32ab962680889aac5f6fda0f4cecf40a6d0b5694f58ea8cc4d"}},
  url = "https://raw.githubusercontent.com/karpathy/makemore/master/"
}

data.sets.wine_quality = {
  files = {
    {"winequality-red.csv",
     "c9614512e980f1cbd221c796daa97f00c4898c3cd1716863abac60f6cd1a522e"},
    {"winequality-white.csv",
     "659d419fff887f225bf977d20520bb64a64cae203e460087f809721d4430ba27"}
  }
}

--- California housing (census of 1990; Pace and Barry 1997, with the
-- nearness of the ocean added): a table of 20,640 blocks of houses. The
-- price is median_house_value, in dollars; 207 values of total_bedrooms are
-- missing (NaN); ocean_proximity is a category.
-- @return table, a sentence about where the file is
function data.california_housing(folder)
  local where, how = data.find("california_housing", folder)
  return csv.load(where .. "/housing.csv", {missing = "nan"}), how
end

-- scikit-learn's files begin with rows, columns and the names of classes;
-- labels from 0 stand last.
local function load_labelled(name, columns, label, folder)
  local where, how = data.find(name, folder)
  local path = where .. "/" .. data.sets[name].files[1][1]
  local file = assert(io.open(path))
  local words = {}
  for word in file:read "l":gmatch "[^,]+" do words[#words + 1] = word end
  file:close()
  local count = math.tointeger(tonumber(words[2]))
  local names = columns or {}
  for i = #names + 1, count do names[i] = "c" .. i end
  names[count + 1] = "label"
  local t = csv.load(path, {skip = 1, header = false, names = names})
  return t:without "label":with(label, t:column "label" + 1,
                                table.move(words, 3, #words, 1, {})), how
end

--- Iris (Fisher 1936): a table of 150 flowers, four lengths in cm and the
-- category species.
function data.iris(folder)
  return load_labelled("iris", {"sepal_length", "sepal_width",
                                "petal_length", "petal_width"}, "species",
                       folder)
end

--- Breast cancer of Wisconsin (Wolberg, Street, Mangasarian 1995): a table
-- of 569 cases, 30 measures c1 to c30 and the category diagnosis.
function data.breast_cancer(folder)
  return load_labelled("breast_cancer", nil, "diagnosis", folder)
end

--- Digits (Alpaydin and Kaynak 1998): 1,797 pictures of 8x8, float32 from 0
-- to 16, labels 1 to 10 (digit 0 is label 1), as a dataset.
function data.digits(folder)
  local where, how = data.find("digits", folder)
  local t = csv.load(where .. "/digits.csv.gz", {header = false})
  local all = t:tensor()
  local x = all[{{}, {1, 64}}]:reshape(-1, 8, 8)
  return dataset.TensorDataset(x, all[{{}, 65}]:to("int64") + 1), how
end

--- Wine quality (Cortez and others 2009), "red" or "white": a table of 11
-- measures and the quality from 0 to 10.
function data.wine_quality(kind, folder)
  kind = kind or "red"
  if kind ~= "red" and kind ~= "white" then
    fail("wine_quality: expected \"red\" or \"white\", not %s", kind)
  end
  local where, how = data.find("wine_quality", folder)
  return csv.load(("%s/winequality-%s.csv"):format(where, kind), {
    header = false,
    names = {"fixed_acidity", "volatile_acidity", "citric_acid",
             "residual_sugar", "chlorides", "free_sulfur_dioxide",
             "total_sulfur_dioxide", "density", "ph", "sulphates",
             "alcohol", "quality"}}), how
end

--- Airline passengers (Box and Jenkins 1976): a table of 144 months, with
-- the passengers of each in thousands.
function data.airline_passengers(folder)
  local where, how = data.find("airline_passengers", folder)
  return csv.load(where .. "/airline-passengers.csv"), how
end

local function read_text(name, folder)
  local where, how = data.find(name, folder)
  local path = ("%s/%s"):format(where, data.sets[name].files[1][1])
  local file, why = io.open(path, "rb")
  if not file then fail("%s: %s", name, why) end
  local text = file:read "a"
  file:close()
  return text, how
end

--- Tiny Shakespeare (Karpathy 2015): 1,115,394 characters, as a string.
function data.tiny_shakespeare(folder)
  return read_text("tinyshakespeare", folder)
end

--- Given names (Karpathy 2022): a list of 32,033 names.
function data.names(folder)
  local text, how = read_text("names", folder)
  local list = {}
  for name in text:gmatch "[^\r\n]+" do list[#list + 1] = name end
  return list, how
end

return data
