/*
** Layers that act only in training: dropout in its forms, and noise. Each
** is an operation with its options; 'training' is the module's.
*/
#include "nn/module.h"
#include "op/noise.h"

typedef struct noise_layer {
  nx_module m;
  double p;                    /* the probability, or the deviation */
} noise_layer;

static const nx_field noise_fields[] = {
  NX_NUMBER(noise_layer, p, 0.5, "probability to become 0"),
  NX_END
};

static const nx_field gaussian_fields[] = {
  NX_NUMBER_AS(noise_layer, p, "std", 0.1, "standard deviation"),
  NX_END
};


static int noise_init (nx_ctx *C, nx_module *m) {
  double p = ((noise_layer *)m)->p;
  if (p >= 0 && p <= 1) return 0;
  return nx_fail(C, NEAP_EARG, "%s: p is %g, expected 0 to 1",
                 m->class_name, p);
}

static int gaussian_noise_init (nx_ctx *C, nx_module *m) {
  double std = ((noise_layer *)m)->p;
  if (std >= 0) return 0;
  return nx_fail(C, NEAP_EARG, "%s: std is %g, expected 0 or more",
                 m->class_name, std);
}

static nx_tensor *noise_forward (nx_ctx *C, nx_module *m,
                                 nx_tensor *const *in, const nx_op *op) {
  nx_noise_args a;
  nx_fields_default(C, op->fields, &a);
  a.p = ((noise_layer *)m)->p;
  a.training = m->training;
  return nx_apply(C, op, &a, 1, in);
}

#define NOISE(id, title, options, check, text) \
static nx_tensor *id##_layer_forward (nx_ctx *C, nx_module *m, \
                                nx_tensor *const *in) { \
  return noise_forward(C, m, in, &nx_op_##id); \
} \
const nx_layer nx_layer_##id = { \
  .name = title, .doc = text, .inputs = "x", .fields = options, \
  .size = sizeof(noise_layer), .init = check, .forward = id##_layer_forward \
};

NOISE(dropout, "Dropout", noise_fields, noise_init,
      "In training, elements become 0 with probability p and the others "
      "are divided by 1 - p; otherwise x itself.")
NOISE(dropout1d, "Dropout1d", noise_fields, noise_init,
      "Dropout of whole channels of x, (batch, channels, length).")
NOISE(dropout2d, "Dropout2d", noise_fields, noise_init,
      "Dropout of whole channels of x, (batch, channels, height, width).")
NOISE(dropout3d, "Dropout3d", noise_fields, noise_init,
      "Dropout of whole channels of x, (batch, channels, depth, height, "
      "width).")
NOISE(alpha_dropout, "AlphaDropout", noise_fields, noise_init,
      "Dropout that keeps mean 0 and variance 1, to go with SELU "
      "(Klambauer et al. 2017).")
NOISE(feature_alpha_dropout, "FeatureAlphaDropout", noise_fields, noise_init,
      "AlphaDropout of whole channels.")
NOISE(drop_path, "DropPath", noise_fields, noise_init,
      "Dropout of whole samples of the batch: behind a branch of a residual "
      "net it is stochastic depth (Huang et al. 2016).")
NOISE(gaussian_noise, "GaussianNoise", gaussian_fields, gaussian_noise_init,
      "In training, x plus normal noise of deviation std; otherwise x "
      "itself.")
