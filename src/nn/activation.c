/*
** Activations as layers.
*/
#include "nn/module.h"

/* An operation as it is, with its options; 'kind' is what a layer before it
   can do in passing. */
#define ACTIVATION(id, title, kind) \
const nx_layer nx_layer_##id = { \
  .name = title, .op = &nx_op_##id, .activation = kind \
};

ACTIVATION(relu, "ReLU", NX_RELU)
ACTIVATION(tanh, "Tanh", NX_TANH)
ACTIVATION(sigmoid, "Sigmoid", NX_SIGMOID)
ACTIVATION(silu, "SiLU", NX_NONE)
ACTIVATION(gelu, "GELU", NX_NONE)
ACTIVATION(mish, "Mish", NX_NONE)
ACTIVATION(elu, "ELU", NX_NONE)
ACTIVATION(celu, "CELU", NX_NONE)
ACTIVATION(selu, "SELU", NX_NONE)
ACTIVATION(relu6, "ReLU6", NX_NONE)
ACTIVATION(leaky_relu, "LeakyReLU", NX_NONE)
ACTIVATION(hardtanh, "Hardtanh", NX_NONE)
ACTIVATION(hardswish, "Hardswish", NX_NONE)
ACTIVATION(hardsigmoid, "Hardsigmoid", NX_NONE)
ACTIVATION(hardshrink, "Hardshrink", NX_NONE)
ACTIVATION(softshrink, "Softshrink", NX_NONE)
ACTIVATION(softplus, "Softplus", NX_NONE)
ACTIVATION(softsign, "Softsign", NX_NONE)
ACTIVATION(tanhshrink, "Tanhshrink", NX_NONE)
ACTIVATION(threshold, "Threshold", NX_NONE)
ACTIVATION(logsigmoid, "LogSigmoid", NX_NONE)
ACTIVATION(glu, "GLU", NX_NONE)
ACTIVATION(softmax, "Softmax", NX_NONE)
ACTIVATION(log_softmax, "LogSoftmax", NX_NONE)


/*
** PReLU: a rectifier that learns its slopes below 0.
*/
typedef struct prelu {
  nx_module m;
  int64_t num_parameters;
  double init;
  nx_tensor *weight;                   /* owned by 'm' */
} prelu;

static const nx_field prelu_fields[] = {
  NX_INT(prelu, num_parameters, 1, "1, or the number of channels"),
  NX_NUMBER(prelu, init, 0.25, "slopes at the start"),
  NX_END
};

static int prelu_init (nx_ctx *C, nx_module *m) {
  prelu *l = (prelu *)m;
  if (l->num_parameters < 1)
    return nx_fail(C, NEAP_EARG, "PReLU: num_parameters is %lld, expected 1 "
                   "or more", (long long)l->num_parameters);
  return nx_filled(C, m, "weight", &l->weight, 1, NEAP_F32, 1,
                   &l->num_parameters, l->init);
}

static nx_tensor *prelu_forward (nx_ctx *C, nx_module *m,
                                 nx_tensor *const *in) {
  return nx_prelu(C, in[0], ((prelu *)m)->weight);
}

const nx_layer nx_layer_prelu = {
  .name = "PReLU",
  .doc = "x above 0, a learned slope times x below (He et al. 2015).",
  .inputs = "x", .fields = prelu_fields, .size = sizeof(prelu),
  .init = prelu_init, .forward = prelu_forward
};
