/*
** Forms of dropout that are made of it, and noise.
*/
#include <math.h>
#include "op/composed.h"
#include "op/noise.h"

static const nx_field drop_fields[] = {
  NX_NOISE_FIELDS("p", 0.5, "probability to become 0")
};

static const nx_field gaussian_fields[] = {
  NX_NOISE_FIELDS("std", 0.1, "standard deviation")
};


/* Is there nothing to do? Fails where p is no probability. */
static int is_still (nx_ctx *C, nx_node *n) {
  const nx_noise_args *a = n->a;
  if (nx_want_float(C, n, 0)) return 0;
  if (!(a->p >= 0 && a->p <= 1))
    nx_op_fail(C, n, NEAP_EARG, "p is %g, expected 0 to 1", a->p);
  return !a->training || a->p == 0;
}

/*
** Ones of which each is 0 with probability p, else 1 / (1 - p): one for
** every position of the first 'kept' dimensions of x.
*/
static nx_tensor *mask_of (nx_ctx *C, const nx_node *n, int kept) {
  const nx_noise_args *a = n->a;
  const nx_tensor *x = n->in[0];
  int64_t shape[NEAP_MAXDIM];
  nx_tensor *ones;
  for (int d = 0; d < x->ndim; d++) shape[d] = d < kept ? x->shape[d] : 1;
  ones = nx_add(C, nx_zeros(C, x->dtype, x->ndim, shape), NUM(1));
  return ones ? nx_dropout(C, ones, a->p, a->generator) : NULL;
}

static int drop_whole (nx_ctx *C, nx_node *n, int kept) {
  if (is_still(C, n) || nx_status(C))
    return nx_composed(C, n, nx_status(C) ? NULL : n->in[0]);
  return nx_composed(C, n, MUL(n->in[0], mask_of(C, n, kept)));
}

/* how many dimensions stand before those of an image: batch and channels,
   or channels alone */
static int drop_channels (nx_ctx *C, nx_node *n, int dims) {
  const nx_tensor *x = n->in[0];
  char text[NX_SHAPE_TEXT];
  int kept = x->ndim - dims;
  if (kept != 1 && kept != 2)
    return nx_op_fail(C, n, NEAP_ESHAPE, "x is %s, expected %d dimensions, "
                      "or %d without a batch", nx_shape_of(x, text), dims + 2,
                      dims + 1);
  return drop_whole(C, n, kept);
}

#define DROPOUT(id, dims, text) \
static int id##_compose (nx_ctx *C, nx_node *n) { \
  return drop_channels(C, n, dims); \
} \
const nx_op nx_op_##id = { \
  .name = #id, .doc = text, .inputs = "x", .outputs = "y", \
  .fields = drop_fields, .argsize = sizeof(nx_noise_args), \
  .flags = NX_RANDOM, .compose = id##_compose \
};

DROPOUT(dropout1d, 1, "Dropout of whole channels: (batch, channels, length) "
        "(Tompson et al. 2015).")
DROPOUT(dropout2d, 2, "Dropout of whole channels: (batch, channels, height, "
        "width).")
DROPOUT(dropout3d, 3, "Dropout of whole channels: (batch, channels, depth, "
        "height, width).")


static int drop_path_compose (nx_ctx *C, nx_node *n) {
  if (n->in[0]->ndim == 0)
    return nx_op_fail(C, n, NEAP_ESHAPE, "x has no batch dimension");
  return drop_whole(C, n, 1);
}

const nx_op nx_op_drop_path = {
  .name = "drop_path",
  .doc = "Dropout of whole samples of the batch (stochastic depth, Huang et "
         "al. 2016).",
  .inputs = "x", .outputs = "y", .fields = drop_fields,
  .argsize = sizeof(nx_noise_args), .flags = NX_RANDOM,
  .compose = drop_path_compose
};


/*
** alpha_dropout: what is dropped becomes the limit s of SELU far below 0
** instead of 0, and an affine map brings back mean 0 and variance 1
** (Klambauer et al. 2017, section "New dropout technique"): with q = 1 - p,
**   y = a (x m + s (1 - m)) + b,  a = (q + s^2 q p)^(-1/2),  b = -a s p
** where m is 0 with probability p, else 1. 'kept': see mask_of.
*/
static int alpha_drop (nx_ctx *C, nx_node *n, int kept) {
  const double s = -1.0507009873554805 * 1.6732632423543772;
  nx_noise_args *args = n->a;
  double p = args->p, q = 1 - p, a, b;
  nx_tensor *m, *y;
  if (is_still(C, n) || nx_status(C))
    return nx_composed(C, n, nx_status(C) ? NULL : n->in[0]);
  if (p == 1) return nx_composed(C, n, MUL(n->in[0], NUM(0)));
  a = 1 / sqrt(q + s * s * q * p);
  b = -a * s * p;
  m = MUL(mask_of(C, n, kept), NUM(q));
  y = ADD(MUL(MUL(n->in[0], m), NUM(a)),         /* a x m + ... */
          SUB(NUM(a * s + b), MUL(m, NUM(a * s))));
  return nx_composed(C, n, y);
}

static int alpha_dropout_compose (nx_ctx *C, nx_node *n) {
  return alpha_drop(C, n, NEAP_MAXDIM);
}

const nx_op nx_op_alpha_dropout = {
  .name = "alpha_dropout",
  .doc = "Dropout that keeps mean 0 and variance 1, to go with selu.",
  .inputs = "x", .outputs = "y", .fields = drop_fields,
  .argsize = sizeof(nx_noise_args), .flags = NX_RANDOM,
  .compose = alpha_dropout_compose
};

static int feature_alpha_dropout_compose (nx_ctx *C, nx_node *n) {
  if (n->in[0]->ndim < 2)
    return nx_op_fail(C, n, NEAP_ESHAPE, "x has %d dimensions, expected a "
                      "batch and channels", n->in[0]->ndim);
  return alpha_drop(C, n, 2);
}

const nx_op nx_op_feature_alpha_dropout = {
  .name = "feature_alpha_dropout",
  .doc = "alpha_dropout of whole channels: (batch, channels, ...).",
  .inputs = "x", .outputs = "y", .fields = drop_fields,
  .argsize = sizeof(nx_noise_args), .flags = NX_RANDOM,
  .compose = feature_alpha_dropout_compose
};


/* y = x + noise */
static int gaussian_noise_compose (nx_ctx *C, nx_node *n) {
  const nx_noise_args *a = n->a;
  nx_tensor *x = n->in[0], *noise;
  if (nx_want_float(C, n, 0)) return nx_status(C);
  if (!(a->p >= 0))
    return nx_op_fail(C, n, NEAP_EARG, "std is %g, expected 0 or more", a->p);
  if (!a->training || a->p == 0) return nx_composed(C, n, x);
  noise = nx_normal(C, nx_new(C, x->dtype, x->ndim, x->shape), 0, a->p,
                    a->generator);
  return nx_composed(C, n, ADD(x, noise));
}

const nx_op nx_op_gaussian_noise = {
  .name = "gaussian_noise",
  .doc = "x plus normal noise of mean 0.",
  .inputs = "x", .outputs = "y", .fields = gaussian_fields,
  .argsize = sizeof(nx_noise_args), .flags = NX_RANDOM,
  .compose = gaussian_noise_compose
};
