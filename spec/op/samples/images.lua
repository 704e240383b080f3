-- Samples of convolutions and pooling.

local F = require "neap".nn.functional
local i = require "spec.op.samples.inputs"
local randn, distinct, positive, int = i.randn, i.distinct, i.positive, i.int
local with = i.with

local samples = {
  conv1d = {
    {with("conv1d", {stride = 1}), {randn(2, 3, 7), randn(4, 3, 3), randn(4)}},
    {with("conv1d", {stride = 2, padding = 3, dilation = 2, groups = 2}),
     {randn(1, 4, 9), randn(4, 2, 3)}},
    {with("conv1d", {padding = "same"}), {randn(3, 5), randn(2, 3, 4)}},
    {with("conv1d", {stride = 3}), {randn(1, 2, 17), randn(9, 2, 2)}}},
  conv2d = {
    {with("conv2d", {padding = 1}),
     {randn(2, 2, 3, 4), randn(3, 2, 3, 3), randn(3)}},
    {with("conv2d", {stride = {2, 3}, padding = {1, 0}, dilation = {1, 2}}),
     {randn(1, 2, 5, 8), randn(2, 2, 2, 3)}},
    {with("conv2d", {groups = 3, padding = "same", activation = "tanh"}),
     {randn(1, 3, 3, 8), randn(3, 1, 2, 3), randn(3)}},
    {with("conv2d", {activation = "relu"}),
     {distinct(1, 1, 3, 16), distinct(2, 1, 2, 1), distinct(2)}},
    {with("conv2d", {activation = "sigmoid"}),
     {randn(1, 3, 3), randn(2, 1, 2, 2), randn(2)}},
    {with("conv2d", {stride = 1}),
     {randn(0, 1, 3, 3), randn(2, 1, 2, 2), randn(2)},
     {second = false}}},
  conv3d = {
    {with("conv3d", {padding = 1, stride = {1, 2, 1}}),
     {randn(1, 2, 2, 3, 2), randn(2, 2, 2, 2, 2), randn(2)}}},
  conv_transpose1d = {
    {with("conv_transpose1d", {stride = 2, padding = 1, output_padding = 1}),
     {randn(2, 2, 4), randn(2, 3, 3), randn(3)}},
    {with("conv_transpose1d", {groups = 2, dilation = 2}),
     {randn(1, 4, 3), randn(4, 1, 2)}}},
  conv_transpose2d = {
    {with("conv_transpose2d", {stride = 2}),
     {randn(1, 2, 2, 3), randn(2, 2, 3, 2), randn(2)}},
    {with("conv_transpose2d", {padding = 1}),
     {randn(2, 2, 3), randn(2, 9, 3, 3)}, {second = false}}},
  conv_transpose3d = {
    {with("conv_transpose3d", {stride = {1, 2, 1}}),
     {randn(1, 1, 2, 2, 2), randn(1, 2, 2, 1, 2), randn(2)}}},
  max_pool1d = {{with("max_pool1d", {kernel_size = 2}), {distinct(2, 7)}},
                {with("max_pool1d", {kernel_size = 3, stride = 1,
                                     padding = 1, dilation = 2}),
                 {distinct(2, 2, 9)}}},
  max_pool2d = {{with("max_pool2d", {kernel_size = 2}),
                 {distinct(2, 1, 4, 5)}},
                {with("max_pool2d", {kernel_size = {3, 2}, stride = {2, 1},
                                     padding = 1, ceil_mode = true}),
                 {distinct(1, 2, 6, 4)}}},
  max_pool3d = {{with("max_pool3d", {kernel_size = 2}),
                 {distinct(1, 2, 3, 4)}}},
  avg_pool1d = {{with("avg_pool1d", {kernel_size = 3, stride = 2,
                                     padding = 1}), {randn(2, 2, 7)}}},
  avg_pool2d = {{with("avg_pool2d", {kernel_size = 2}),
                 {randn(2, 1, 4, 5)}},
                {with("avg_pool2d", {kernel_size = 3, stride = 2,
                                     padding = 1, ceil_mode = true,
                                     count_include_pad = false}),
                 {randn(1, 2, 6, 4)}},
                {with("avg_pool2d", {kernel_size = 2,
                                     divisor_override = 3}),
                 {randn(2, 4, 4)}}},
  avg_pool3d = {{with("avg_pool3d", {kernel_size = {1, 2, 2}}),
                 {randn(2, 2, 3, 4)}}},
  lp_pool1d = {{with("lp_pool1d", {norm_type = 2, kernel_size = 2}),
                {positive(2, 5)}}},
  lp_pool2d = {{with("lp_pool2d", {norm_type = 3, kernel_size = 2}),
                {positive(1, 4, 4)}}},
  lp_pool3d = {{with("lp_pool3d", {norm_type = 2, kernel_size = 2}),
                {positive(1, 2, 2, 4)}}},
  adaptive_avg_pool1d = {
    {with("adaptive_avg_pool1d", {output_size = 3}), {randn(2, 8)}}},
  adaptive_avg_pool2d = {
    {with("adaptive_avg_pool2d", {output_size = 1}), {randn(2, 1, 3, 4)}},
    {with("adaptive_avg_pool2d", {output_size = {2, -1}}),
     {randn(1, 4, 3)}},
    {with("adaptive_avg_pool2d", {output_size = {2, 3}}),
     {randn(2, 5, 7)}}},
  adaptive_avg_pool3d = {
    {with("adaptive_avg_pool3d", {output_size = {1, 2, 2}}),
     {randn(1, 2, 3, 4)}}},
  adaptive_max_pool1d = {
    {with("adaptive_max_pool1d", {output_size = 3}), {distinct(2, 8)}}},
  adaptive_max_pool2d = {
    {with("adaptive_max_pool2d", {output_size = 2}), {distinct(2, 4, 4)}},
    {with("adaptive_max_pool2d", {output_size = {2, 3}}),
     {distinct(1, 2, 5, 7)}}},
  adaptive_max_pool3d = {
    {with("adaptive_max_pool3d", {output_size = {1, 2, 2}}),
     {distinct(1, 2, 3, 4)}}},
  max_unpool1d = {
    {function(x)
       return F.max_unpool1d(x, int{{1, 4}, {2, 3}}, {kernel_size = 2})
     end, {randn(2, 2)}}},
  max_unpool2d = {
    {function(x)
       return F.max_unpool2d(x, int{{{2, 12}}},
                             {kernel_size = 2, output_size = {3, 5}})
     end, {randn(1, 1, 2)}}},
  max_unpool3d = {
    {function(x)
       return F.max_unpool3d(x, int{{{{3}}}}, {kernel_size = 2})
     end, {randn(1, 1, 1, 1)}}},
}

samples.interpolate = {
  {with("interpolate", {size = 5, mode = "linear"}), {randn(2, 2, 3)}},
  {with("interpolate", {scale_factor = 2}), {randn(1, 2, 2, 3)}},
  {with("interpolate", {size = {3, 2}, mode = "nearest-exact"}),
   {randn(1, 1, 5, 4)}},
  {with("interpolate", {size = {5, 3}, mode = "bilinear"}),
   {randn(2, 1, 3, 4)}},
  {with("interpolate", {size = {4, 1}, mode = "bilinear",
                        align_corners = true}), {randn(1, 2, 3, 3)}},
  {with("interpolate", {scale_factor = 1.5, mode = "bicubic"}),
   {randn(1, 1, 4, 3)}},
  {with("interpolate", {size = {1, 3, 2}, mode = "trilinear"}),
   {randn(1, 1, 2, 2, 3)}},
  {with("interpolate", {size = 2, mode = "area"}), {randn(1, 2, 5, 3)}}}
samples.resample = samples.interpolate
samples.pixel_shuffle = {
  {with("pixel_shuffle", {upscale_factor = 2}), {randn(2, 8, 2, 3)}},
  {with("pixel_shuffle", {upscale_factor = 3}), {randn(9, 1, 2)}}}
samples.pixel_unshuffle = {
  {with("pixel_unshuffle", {downscale_factor = 2}), {randn(2, 1, 4, 2)}}}
samples.channel_shuffle = {
  {with("channel_shuffle", {groups = 3}), {randn(2, 6, 2)}}}
samples.im2col = {
  {with("im2col", {kernel_size = 2}), {randn(1, 2, 3, 4)}},
  {with("im2col", {kernel_size = {2, 3}, dilation = {1, 2}, padding = {1, 2},
                   stride = {2, 1}}), {randn(2, 4, 5)}}}
samples.col2im = {
  {with("col2im", {output_size = {3, 4}, kernel_size = 2}),
   {randn(1, 8, 6)}},
  {with("col2im", {output_size = {4, 5}, kernel_size = {2, 3},
                   dilation = {1, 2}, padding = {1, 2}, stride = {2, 1}}),
   {randn(6, 15)}}}
samples.local_response_norm = {
  {with("local_response_norm", {size = 3, alpha = 0.5}), {randn(2, 4, 3)}},
  {with("local_response_norm", {size = 2, alpha = 1, beta = 0.5, k = 2}),
   {randn(1, 3, 2, 2)}}}

local map = randn(2, 6)
samples.warp = {{function(x) return F.warp(x, map) end,
                 {randn(2, 3, 4, 5)}, {grad = false, float32 = false}}}
samples.paste = {
  {function(x)
     return F.paste(x, int{{1, 2, 2, 2}, {3, 1, 9, 1}}, {value = 3})
   end, {randn(2, 1, 4, 3)}, {grad = false}},
  {function(x, z) return F.paste(x, int{{1, 2, 2, 2}}, z) end,
   {randn(1, 2, 4, 3), randn(1, 2, 4, 3)}, {grad = false}}}

-- What these are made of is reached through them: forward and gradient of
-- a convolution are all three of its sums.
samples.convolve, samples.convolve_kernel = samples.conv1d, samples.conv3d
samples.convolve_image = samples.conv_transpose3d
samples.max_windows = samples.max_pool1d
samples.sum_windows = samples.avg_pool1d
samples.sum_windows_image = samples.avg_pool3d
return samples
