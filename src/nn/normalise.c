/*
** Layers that normalise.
*/
#include "nn/module.h"

typedef struct batch_norm_layer {
  nx_module m;
  int64_t num_features;
  double eps, momentum;
  int affine, track_running_stats;
  nx_tensor *weight, *bias, *mean, *var, *count;     /* owned by 'm' */
} batch_norm_layer;

static const nx_field batch_norm_layer_fields[] = {
  NX_INT(batch_norm_layer, num_features, NX_REQUIRED, "channels"),
  NX_NUMBER(batch_norm_layer, eps, 1e-5, "added to the variance"),
  NX_NUMBER_OR_FALSE(batch_norm_layer, momentum, 0.1, "share of a batch in "
                     "the running statistics; false: the plain mean of all"),
  NX_BOOL(batch_norm_layer, affine, 1, "learn a factor and a bias"),
  NX_BOOL(batch_norm_layer, track_running_stats, 1,
          "keep running statistics for eval"),
  NX_END
};


static int batch_norm_layer_init (nx_ctx *C, nx_module *m) {
  batch_norm_layer *l = (batch_norm_layer *)m;
  const int64_t *n = &l->num_features;
  if (*n < 1)
    return nx_fail(C, NEAP_EARG, "%s: num_features is %lld, expected at "
                   "least 1", m->class_name, (long long)*n);
  if (l->affine) {
    nx_filled(C, m, "weight", &l->weight, 1, NEAP_F32, 1, n, 1);
    nx_filled(C, m, "bias", &l->bias, 1, NEAP_F32, 1, n, 0);
  }
  if (l->track_running_stats) {
    nx_filled(C, m, "running_mean", &l->mean, 0, NEAP_F32, 1, n, 0);
    nx_filled(C, m, "running_var", &l->var, 0, NEAP_F32, 1, n, 1);
    nx_filled(C, m, "num_batches_tracked", &l->count, 0, NEAP_I64, 0, NULL,
              0);
  }
  return nx_status(C);
}


/*
** The share of the next batch in the running statistics; without momentum
** they are the plain mean over all batches.
*/
static double next_share (const batch_norm_layer *l) {
  if (l->momentum != NX_UNSET || l->count == NULL) return l->momentum;
  return 1 / (double)(nx_get_integer(l->count, l->count->data) + 1);
}

static void count_batch (batch_norm_layer *l) {
  if (l->count == NULL || !l->m.training) return;
  nx_put_integer(l->count, l->count->data,
                 nx_get_integer(l->count, l->count->data) + 1);
}

static nx_tensor *batch_norm_layer_forward (nx_ctx *C, nx_module *m,
                                            nx_tensor *const *in) {
  batch_norm_layer *l = (batch_norm_layer *)m;
  nx_tensor *x = in[0], *y;
  char text[NX_SHAPE_TEXT];
  int training = m->training || l->mean == NULL;
  if (x->ndim < 2 || x->ndim > 3 || x->shape[1] != l->num_features) {
    nx_fail(C, NEAP_ESHAPE, "x is %s, expected (batch, %lld) or (batch, "
            "%lld, length)", nx_shape_of(x, text),
            (long long)l->num_features, (long long)l->num_features);
    return NULL;
  }
  y = nx_batch_norm(C, (nx_tensor *[]){x, l->mean, l->var, l->weight,
                                       l->bias}, training,
                    next_share(l), l->eps);
  if (y) count_batch(l);
  return y;
}

const nx_layer nx_layer_batch_norm_1d = {
  .name = "BatchNorm1d",
  .doc = "Each channel of (batch, channels) or (batch, channels, length) to "
         "mean 0 and variance 1 over the batch, times weight plus bias.",
  .inputs = "x", .fields = batch_norm_layer_fields,
  .size = sizeof(batch_norm_layer), .init = batch_norm_layer_init,
  .forward = batch_norm_layer_forward
};
