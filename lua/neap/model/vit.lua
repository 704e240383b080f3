--- Vision transformers: a picture is read as a sentence of patches
-- (Dosovitskiy and others 2021).

local neap = require "neap"
local options = require "neap.options"
local nn = neap.nn
local vit = {}

local ViT = nn.Module:extend "model.ViT"

--- ViT{image_size = 28, patch_size = 4, in_channels = 1, num_classes = 10,
-- dim = 64, depth = 4, heads = 4, mlp_dim = 4 * dim, dropout = 0}: norms
-- come first, positions are learned, and the class is read from a place of
-- its own before the patches.
function ViT:init(given)
  local o = options.read("ViT", given, {
    {"image_size", "integer", default = 28, least = 1},
    {"patch_size", "integer", default = 4, least = 1},
    {"in_channels", "integer", default = 1, least = 1},
    {"num_classes", "integer", default = 10, least = 1},
    {"dim", "integer", default = 64, least = 1},
    {"depth", "integer", default = 4, least = 1},
    {"heads", "integer", default = 4, least = 1},
    {"mlp_dim", "integer", least = 1},
    {"dropout", "number", default = 0, least = 0, most = 1}})
  if o.image_size % o.patch_size ~= 0 then
    neap._fail("ViT: patches of %d do not fill pictures of %d", o.patch_size,
               o.image_size)
  end
  local patches = (o.image_size // o.patch_size) ^ 2 // 1 | 0
  self.patch = nn.Conv2d(o.in_channels, o.dim, o.patch_size,
                         {stride = o.patch_size})
  self.class_token = nn.Parameter(neap.zeros(1, 1, o.dim))
  self.position = nn.Parameter(neap.randn(1, patches + 1, o.dim) * 0.02)
  self.drop = nn.Dropout(o.dropout)
  local layer = nn.TransformerEncoderLayer(o.dim, o.heads, {
    dim_feedforward = o.mlp_dim or 4 * o.dim, dropout = o.dropout,
    activation = "gelu", norm_first = true, batch_first = true})
  self.encoder = nn.TransformerEncoder(layer, o.depth,
                                       {norm = nn.LayerNorm(o.dim)})
  for name, p in self.encoder:named_parameters() do  -- copies begin alike
    if p.ndim == 2 then nn.init.xavier_uniform_(p)
    elseif name:find "bias$" then nn.init.zeros_(p) end
  end
  self.head = nn.Linear(o.dim, o.num_classes)
end

--- Scores (batch, num_classes) of pictures (batch, in_channels, image_size,
-- image_size).
function ViT:forward(x)
  local patches = self.patch(x):flatten(3):transpose(2, 3)
  local class = self.class_token:expand(x.shape[1], -1, -1)
  local y = neap.cat({class, patches}, 2) + self.position
  y = self.encoder(self.drop(y))
  return self.head(y:select(2, 1))
end

vit.ViT = ViT
return vit
