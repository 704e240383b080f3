/*
** Layers that change the size of images, and how their elements lie: each
** is an operation with its options.
*/
#include "nn/module.h"

#define LAYER(id, title) \
const nx_layer nx_layer_##id = {.name = title, .op = &nx_op_##id};

LAYER(interpolate, "Upsample")
LAYER(pixel_shuffle, "PixelShuffle")
LAYER(pixel_unshuffle, "PixelUnshuffle")
LAYER(channel_shuffle, "ChannelShuffle")
LAYER(im2col, "Unfold")
LAYER(col2im, "Fold")
LAYER(local_response_norm, "LocalResponseNorm")
