/*
** Layers that normalise.
*/
#include <stdio.h>
#include <string.h>
#include "nn/module.h"
#include "tensor/walk.h"

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


static int check_features (nx_ctx *C, const nx_module *m, int64_t n) {
  if (n >= 1) return 0;
  return nx_fail(C, NEAP_EARG, "%s: num_features is %lld, expected at least "
                 "1", m->class_name, (long long)n);
}


/* a factor and a bias for each of n channels */
static int add_affine (nx_ctx *C, nx_module *m, int64_t n,
                       nx_tensor **weight, nx_tensor **bias) {
  nx_filled(C, m, "weight", weight, 1, NEAP_F32, 1, &n, 1);
  return nx_filled(C, m, "bias", bias, 1, NEAP_F32, 1, &n, 0);
}

static int add_statistics (nx_ctx *C, nx_module *m, int64_t n,
                           nx_tensor **mean, nx_tensor **var,
                           nx_tensor **count) {
  nx_filled(C, m, "running_mean", mean, 0, NEAP_F32, 1, &n, 0);
  nx_filled(C, m, "running_var", var, 0, NEAP_F32, 1, &n, 1);
  return nx_filled(C, m, "num_batches_tracked", count, 0, NEAP_I64, 0, NULL,
                   0);
}


static int batch_norm_layer_init (nx_ctx *C, nx_module *m) {
  batch_norm_layer *l = (batch_norm_layer *)m;
  const int64_t *n = &l->num_features;
  if (check_features(C, m, *n)) return nx_status(C);
  if (l->affine) add_affine(C, m, *n, &l->weight, &l->bias);
  return l->track_running_stats
    ? add_statistics(C, m, *n, &l->mean, &l->var, &l->count) : nx_status(C);
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

/*
** What the layers of 1, 2 and 3 dimensions take; the first ones also
** without a length.
*/
static const struct { const char *suffix, *text; int least, most; } forms[] = {
  {"1d", "(batch, %lld) or (batch, %lld, length)", 2, 3},
  {"2d", "(batch, %lld, height, width)", 4, 4},
  {"3d", "(batch, %lld, depth, height, width)", 5, 5}
};

/* of the layer's name the last two letters tell its form */
static int check_input (nx_ctx *C, const nx_module *m, const nx_tensor *x,
                        int64_t channels) {
  const char *name = m->layer->name, *suffix = name + strlen(name) - 2;
  char have[NX_SHAPE_TEXT], want[100];
  int i = 0;
  while (strcmp(forms[i].suffix, suffix) != 0) i++;
  if (x->ndim >= forms[i].least && x->ndim <= forms[i].most &&
      x->shape[1] == channels) return 0;
  snprintf(want, sizeof(want), forms[i].text, (long long)channels,
           (long long)channels);
  return nx_fail(C, NEAP_ESHAPE, "x is %s, expected %s",
                 nx_shape_of(x, have), want);
}

static nx_tensor *batch_norm_layer_forward_act (nx_ctx *C, nx_module *m,
                                                nx_tensor *const *in,
                                                int activation) {
  batch_norm_layer *l = (batch_norm_layer *)m;
  nx_tensor *x = in[0], *y;
  int training = m->training || l->mean == NULL;
  if (check_input(C, m, x, l->num_features)) return NULL;
  y = nx_batch_norm(C, (nx_tensor *[]){x, l->mean, l->var, l->weight,
                                       l->bias}, training,
                    next_share(l), l->eps, activation);
  if (y) count_batch(l);
  return y;
}

static nx_tensor *batch_norm_layer_forward (nx_ctx *C, nx_module *m,
                                            nx_tensor *const *in) {
  return batch_norm_layer_forward_act(C, m, in, NX_NONE);
}

#define BATCH_NORM(id, title, input) \
const nx_layer nx_layer_##id = { \
  .name = title, \
  .doc = "Each channel of " input " to mean 0 and variance 1 over the " \
         "batch, times weight plus bias.", \
  .inputs = "x", .fields = batch_norm_layer_fields, \
  .size = sizeof(batch_norm_layer), .init = batch_norm_layer_init, \
  .forward = batch_norm_layer_forward, \
  .forward_act = batch_norm_layer_forward_act \
};

BATCH_NORM(batch_norm_1d, "BatchNorm1d",
           "(batch, channels) or (batch, channels, length)")
BATCH_NORM(batch_norm_2d, "BatchNorm2d", "(batch, channels, height, width)")
BATCH_NORM(batch_norm_3d, "BatchNorm3d",
           "(batch, channels, depth, height, width)")


/*
** LayerNorm and RMSNorm: the last dimensions of each sample.
*/
typedef struct layer_norm_layer {
  nx_module m;
  nx_ints normalized_shape;
  double eps;
  int elementwise_affine, bias;
  nx_tensor *w, *b;                    /* owned by 'm' */
} layer_norm_layer;

static const nx_field layer_norm_layer_fields[] = {
  NX_INTS(layer_norm_layer, normalized_shape, NX_REQUIRED,
          "sizes of the last dimensions"),
  NX_NUMBER(layer_norm_layer, eps, 1e-5, "added to the variance"),
  NX_BOOL(layer_norm_layer, elementwise_affine, 1,
          "learn a factor and a bias"),
  NX_BOOL(layer_norm_layer, bias, 1, "learn the bias"),
  NX_END
};

static const nx_field rms_norm_layer_fields[] = {
  NX_INTS(layer_norm_layer, normalized_shape, NX_REQUIRED,
          "sizes of the last dimensions"),
  NX_NUMBER(layer_norm_layer, eps, 1.1920928955078125e-7,
            "added to the mean of squares"),
  NX_BOOL(layer_norm_layer, elementwise_affine, 1, "learn a factor"),
  NX_END
};

static int check_shape (nx_ctx *C, const nx_module *m, const nx_ints *shape) {
  if (shape->n < 1)
    return nx_fail(C, NEAP_EARG, "%s: normalized_shape is empty",
                   m->class_name);
  for (int i = 0; i < shape->n; i++)
    if (shape->v[i] < 1)
      return nx_fail(C, NEAP_EARG, "%s: normalized_shape has the size %lld, "
                     "expected at least 1", m->class_name,
                     (long long)shape->v[i]);
  return 0;
}

static int layer_norm_layer_init (nx_ctx *C, nx_module *m) {
  layer_norm_layer *l = (layer_norm_layer *)m;
  const nx_ints *s = &l->normalized_shape;
  if (check_shape(C, m, s) || !l->elementwise_affine) return nx_status(C);
  nx_filled(C, m, "weight", &l->w, 1, NEAP_F32, s->n, s->v, 1);
  if (l->bias) nx_filled(C, m, "bias", &l->b, 1, NEAP_F32, s->n, s->v, 0);
  return nx_status(C);
}

static nx_tensor *layer_norm_layer_forward (nx_ctx *C, nx_module *m,
                                            nx_tensor *const *in) {
  layer_norm_layer *l = (layer_norm_layer *)m;
  return nx_layer_norm(C, in[0], l->w, l->b, l->normalized_shape, l->eps);
}

const nx_layer nx_layer_layer_norm = {
  .name = "LayerNorm",
  .doc = "The last dimensions of each sample to mean 0 and variance 1, times "
         "weight plus bias (Ba, Kiros, Hinton 2016).",
  .inputs = "x", .fields = layer_norm_layer_fields,
  .size = sizeof(layer_norm_layer), .init = layer_norm_layer_init,
  .forward = layer_norm_layer_forward
};

static nx_tensor *rms_norm_layer_forward (nx_ctx *C, nx_module *m,
                                          nx_tensor *const *in) {
  layer_norm_layer *l = (layer_norm_layer *)m;
  return nx_rms_norm(C, in[0], l->w, l->normalized_shape, l->eps);
}

const nx_layer nx_layer_rms_norm = {
  .name = "RMSNorm",
  .doc = "The last dimensions of each sample divided by the root of the mean "
         "of their squares, times weight (Zhang, Sennrich 2019).",
  .inputs = "x", .fields = rms_norm_layer_fields,
  .size = sizeof(layer_norm_layer), .init = layer_norm_layer_init,
  .forward = rms_norm_layer_forward
};


/*
** GroupNorm and InstanceNorm: channels of each sample.
*/
typedef struct group_norm_layer {
  nx_module m;
  int64_t num_groups, num_channels;
  double eps;
  int affine;
  nx_tensor *weight, *bias;            /* owned by 'm' */
} group_norm_layer;

static const nx_field group_norm_layer_fields[] = {
  NX_INT(group_norm_layer, num_groups, NX_REQUIRED, "groups of channels"),
  NX_INT(group_norm_layer, num_channels, NX_REQUIRED, "channels"),
  NX_NUMBER(group_norm_layer, eps, 1e-5, "added to the variance"),
  NX_BOOL(group_norm_layer, affine, 1, "learn a factor and a bias"),
  NX_END
};


static int group_norm_layer_init (nx_ctx *C, nx_module *m) {
  group_norm_layer *l = (group_norm_layer *)m;
  if (l->num_groups < 1 || l->num_channels < 1 ||
      l->num_channels % l->num_groups != 0)
    return nx_fail(C, NEAP_EARG, "%s: %lld channels cannot be divided into "
                   "%lld groups", m->class_name, (long long)l->num_channels,
                   (long long)l->num_groups);
  return l->affine ? add_affine(C, m, l->num_channels, &l->weight, &l->bias)
                   : 0;
}

static int check_channels (nx_ctx *C, const nx_tensor *x, int64_t channels) {
  char text[NX_SHAPE_TEXT];
  if (x->ndim >= 2 && x->shape[1] == channels) return 0;
  return nx_fail(C, NEAP_ESHAPE, "x is %s, expected (batch, %lld, ...)",
                 nx_shape_of(x, text), (long long)channels);
}

static nx_tensor *group_norm_layer_forward (nx_ctx *C, nx_module *m,
                                            nx_tensor *const *in) {
  group_norm_layer *l = (group_norm_layer *)m;
  if (check_channels(C, in[0], l->num_channels)) return NULL;
  return nx_group_norm(C, in[0], l->weight, l->bias, l->num_groups, l->eps);
}

const nx_layer nx_layer_group_norm = {
  .name = "GroupNorm",
  .doc = "Groups of channels of each sample to mean 0 and variance 1, times "
         "weight plus bias of each channel (Wu, He 2018).",
  .inputs = "x", .fields = group_norm_layer_fields,
  .size = sizeof(group_norm_layer), .init = group_norm_layer_init,
  .forward = group_norm_layer_forward
};


typedef struct instance_norm_layer {
  nx_module m;
  int64_t num_features;
  double eps, momentum;
  int affine, track_running_stats;
  nx_tensor *weight, *bias, *mean, *var, *count;     /* owned by 'm' */
} instance_norm_layer;

static const nx_field instance_norm_layer_fields[] = {
  NX_INT(instance_norm_layer, num_features, NX_REQUIRED, "channels"),
  NX_NUMBER(instance_norm_layer, eps, 1e-5, "added to the variance"),
  NX_NUMBER(instance_norm_layer, momentum, 0.1,
            "share of a batch in the running statistics"),
  NX_BOOL(instance_norm_layer, affine, 0, "learn a factor and a bias"),
  NX_BOOL(instance_norm_layer, track_running_stats, 0,
          "keep running statistics, and use them in eval"),
  NX_END
};

static int instance_norm_layer_init (nx_ctx *C, nx_module *m) {
  instance_norm_layer *l = (instance_norm_layer *)m;
  if (check_features(C, m, l->num_features)) return nx_status(C);
  if (l->affine)
    add_affine(C, m, l->num_features, &l->weight, &l->bias);
  return l->track_running_stats
    ? add_statistics(C, m, l->num_features, &l->mean, &l->var, &l->count)
    : nx_status(C);
}

/* running += momentum (the mean over the samples - running) */
static int move (nx_ctx *C, nx_tensor *running, nx_tensor *now,
                 double momentum) {
  nx_ints samples = {1, {0}};
  now = nx_mean(C, now, samples, 0);
  now = nx_add(C, nx_mul(C, running, nx_from_number(C, 1 - momentum)),
               nx_mul(C, now, nx_from_number(C, momentum)));
  if (now == NULL || nx_copy(C, running, now)) return nx_status(C);
  running->store->version++;
  return 0;
}

/* Mean and unbiased variance of each channel of each sample. (PyTorch does
   not count batches here.) */
static int track (nx_ctx *C, instance_norm_layer *l, nx_tensor *x) {
  int recording = C->recording;
  int64_t n = x->shape[0] * x->shape[1];
  nx_ints last = {1, {2}};
  nx_tensor *rows, *mean, *far, *var;
  if (n == 0 || x->len <= n) return 0;
  C->recording = 0;
  rows = nx_reshape(C, x, 3, (int64_t[]){x->shape[0], x->shape[1],
                                         x->len / n});
  mean = nx_mean(C, rows, last, 0);
  far = nx_sub(C, rows, nx_mean(C, rows, last, 1));
  var = nx_sum(C, nx_mul(C, far, far), last, 0);
  var = nx_div(C, var, nx_from_number(C, (double)(x->len / n - 1)));
  if (nx_status(C) == 0) move(C, l->mean, mean, l->momentum);
  if (nx_status(C) == 0) move(C, l->var, var, l->momentum);
  C->recording = recording;
  return nx_status(C);
}

static nx_tensor *instance_norm_layer_forward (nx_ctx *C, nx_module *m,
                                               nx_tensor *const *in) {
  instance_norm_layer *l = (instance_norm_layer *)m;
  if (check_input(C, m, in[0], l->num_features)) return NULL;
  if (l->mean && !m->training)
    return nx_batch_norm(C, (nx_tensor *[]){in[0], l->mean, l->var,
                                            l->weight, l->bias}, 0, 0,
                         l->eps, NX_NONE);
  if (l->mean && track(C, l, in[0])) return NULL;
  return nx_instance_norm(C, in[0], l->weight, l->bias, l->eps);
}

#define INSTANCE_NORM(id, title, input) \
const nx_layer nx_layer_##id = { \
  .name = title, \
  .doc = "Each channel of each sample of " input " to mean 0 and variance " \
         "1 (Ulyanov, Vedaldi, Lempitsky 2016).", \
  .inputs = "x", .fields = instance_norm_layer_fields, \
  .size = sizeof(instance_norm_layer), .init = instance_norm_layer_init, \
  .forward = instance_norm_layer_forward \
};

INSTANCE_NORM(instance_norm_1d, "InstanceNorm1d", "(batch, channels, length)")
INSTANCE_NORM(instance_norm_2d, "InstanceNorm2d",
              "(batch, channels, height, width)")
INSTANCE_NORM(instance_norm_3d, "InstanceNorm3d",
              "(batch, channels, depth, height, width)")
