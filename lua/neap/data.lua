--- Data: tables, datasets, batches, transforms, and the sets that everybody
-- knows. The parts are in the folder beside this file.

local data = {}

for _, part in ipairs{"dataset", "loader", "split", "transform", "sets",
                     "augment"} do
  for name, value in pairs(require("neap.data." .. part)) do
    data[name] = value
  end
end

data.Table = require("neap.data.table").new
data.Features = require "neap.data.features"
data.Labels = require "neap.data.labels"
data.load_csv, data.save_csv, data.parse_csv =
  require("neap.data.csv").load, require("neap.data.csv").save,
  require("neap.data.csv").parse

return data
