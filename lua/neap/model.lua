--- Ready nets, in plain Lua over public layers: to use, and to read. The
-- parts are in the folder beside this file.

local model = {}

for _, part in ipairs{"mlp", "resnet", "vit", "cache", "gpt", "autoencoder",
                      "vae", "gan"} do
  for name, value in pairs(require("neap.model." .. part)) do
    model[name] = value
  end
end

return model
