/*
** Activations as layers.
*/
#include "nn/module.h"

#define ACTIVATION(id, title, kind, text) \
static nx_tensor *id##_layer_forward (nx_ctx *C, nx_module *m, \
                                      nx_tensor *const *in) { \
  (void)m; \
  return nx_##id(C, in[0]); \
} \
const nx_layer nx_layer_##id = { \
  .name = title, .doc = text, .inputs = "x", .size = sizeof(nx_module), \
  .forward = id##_layer_forward, .activation = kind \
};

ACTIVATION(relu, "ReLU", NX_RELU, "The larger of x and 0.")
ACTIVATION(tanh, "Tanh", NX_TANH, "Hyperbolic tangent.")
ACTIVATION(sigmoid, "Sigmoid", NX_SIGMOID, "1 / (1 + e^-x).")


typedef struct softmax_layer {
  nx_module m;
  int64_t dim;
} softmax_layer;

static const nx_field softmax_layer_fields[] = {
  NX_DIM(softmax_layer, dim, -1, "dimension whose elements belong together"),
  NX_END
};

static nx_tensor *softmax_layer_forward (nx_ctx *C, nx_module *m,
                                         nx_tensor *const *in) {
  return nx_softmax(C, in[0], ((softmax_layer *)m)->dim);
}

const nx_layer nx_layer_softmax = {
  .name = "Softmax", .doc = "e^x along a dimension, divided by its sum.",
  .inputs = "x", .fields = softmax_layer_fields,
  .size = sizeof(softmax_layer), .forward = softmax_layer_forward
};

static nx_tensor *log_softmax_layer_forward (nx_ctx *C, nx_module *m,
                                             nx_tensor *const *in) {
  return nx_log_softmax(C, in[0], ((softmax_layer *)m)->dim);
}

const nx_layer nx_layer_log_softmax = {
  .name = "LogSoftmax", .doc = "Logarithm of softmax along a dimension.",
  .inputs = "x", .fields = softmax_layer_fields,
  .size = sizeof(softmax_layer), .forward = log_softmax_layer_forward
};
