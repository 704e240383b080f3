--- Text: pieces and their numbers, batches of running text, choosing what
-- comes next. The parts are in the folder beside this file.

local text = {}

for _, part in ipairs{"pieces", "vocabulary", "bpe", "stream", "sampling"} do
  for name, value in pairs(require("neap.text." .. part)) do
    text[name] = value
  end
end

return text
