/*
** Linear: y = x W^T + b.
*/
#include <math.h>
#include "nn/module.h"

typedef struct linear {
  nx_module m;                 /* must come first */
  int64_t in_features, out_features;
  int bias;
  nx_tensor *weight, *b;       /* owned by 'm' */
} linear;

static const nx_field linear_fields[] = {
  NX_INT(linear, in_features, NX_REQUIRED, "size of each input sample"),
  NX_INT(linear, out_features, NX_REQUIRED, "size of each output sample"),
  NX_BOOL(linear, bias, 1, "learn an additive bias"),
  NX_END
};


/* PyTorch's default: even in +-1 / sqrt(in_features) */
static int linear_init (nx_ctx *C, nx_module *m) {
  linear *l = (linear *)m;
  double bound;
  if (l->in_features < 0 || l->out_features < 0)
    return nx_fail(C, NEAP_EARG, "Linear: sizes must not be negative");
  bound = l->in_features ? 1 / sqrt((double)l->in_features) : 0;
  nx_parameter(C, m, "weight", &l->weight, 2,
               (int64_t[]){l->out_features, l->in_features}, bound);
  if (l->bias)
    nx_parameter(C, m, "bias", &l->b, 1, &l->out_features, bound);
  return nx_status(C);
}


static nx_tensor *linear_forward_act (nx_ctx *C, nx_module *m,
                                      nx_tensor *const *in, int activation) {
  linear *l = (linear *)m;
  return nx_linear(C, in[0], l->weight, l->b, activation);
}

static nx_tensor *linear_forward (nx_ctx *C, nx_module *m,
                                  nx_tensor *const *in) {
  return linear_forward_act(C, m, in, NX_NONE);
}


const nx_layer nx_layer_linear = {
  .name = "Linear",
  .doc = "An affine map of the last dimension: x W^T + b.",
  .inputs = "x", .fields = linear_fields, .size = sizeof(linear),
  .init = linear_init, .forward = linear_forward,
  .forward_act = linear_forward_act
};
