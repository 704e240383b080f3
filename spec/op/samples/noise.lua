-- Samples of dropout in its forms, and of noise: from a generator of their
-- own, so that each call makes the same choice.

local neap = require "neap"
local F = neap.nn.functional
local i = require "spec.op.samples.inputs"
local randn, with = i.randn, i.with

local function drawn(name, options)
  return function(x)
    local copy = {generator = neap.generator(3)}
    for key, value in pairs(options) do copy[key] = value end
    return F[name](x, copy)
  end
end

local samples = {}
for name, shapes in pairs{
  dropout = {{5, 40}, {3}}, alpha_dropout = {{5, 40}, {3}},
  dropout1d = {{2, 5, 3}, {4, 2}}, dropout2d = {{2, 5, 1, 3}, {4, 2, 2}},
  dropout3d = {{2, 5, 1, 1, 3}, {4, 1, 2, 2}},
  feature_alpha_dropout = {{2, 5, 3}, {2, 3}}, drop_path = {{6, 2, 3}, {3}}
} do
  samples[name] = {
    {drawn(name, {p = 0.4}), {randn(table.unpack(shapes[1]))},
     {empty = false}},
    {with(name, {p = 0.5, training = false}),
     {randn(table.unpack(shapes[2]))}},
    {with(name, {p = 1}), {randn(table.unpack(shapes[2]))},
     {empty = false}}}
end
samples.gaussian_noise = {
  {drawn("gaussian_noise", {std = 0.5}), {randn(5, 4)}, {float32 = false}},
  {with("gaussian_noise", {std = 0}), {randn(3)}}}
return samples
