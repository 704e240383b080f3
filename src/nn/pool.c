/*
** Pooling layers: each is an operation with its options.
*/
#include "nn/module.h"

#define POOL(id, title) \
const nx_layer nx_layer_##id = {.name = title, .op = &nx_op_##id};

POOL(max_pool1d, "MaxPool1d")
POOL(max_pool2d, "MaxPool2d")
POOL(max_pool3d, "MaxPool3d")
POOL(avg_pool1d, "AvgPool1d")
POOL(avg_pool2d, "AvgPool2d")
POOL(avg_pool3d, "AvgPool3d")
POOL(lp_pool1d, "LPPool1d")
POOL(lp_pool2d, "LPPool2d")
POOL(lp_pool3d, "LPPool3d")
POOL(adaptive_avg_pool1d, "AdaptiveAvgPool1d")
POOL(adaptive_avg_pool2d, "AdaptiveAvgPool2d")
POOL(adaptive_avg_pool3d, "AdaptiveAvgPool3d")
POOL(adaptive_max_pool1d, "AdaptiveMaxPool1d")
POOL(adaptive_max_pool2d, "AdaptiveMaxPool2d")
POOL(adaptive_max_pool3d, "AdaptiveMaxPool3d")
POOL(max_unpool1d, "MaxUnpool1d")
POOL(max_unpool2d, "MaxUnpool2d")
POOL(max_unpool3d, "MaxUnpool3d")
