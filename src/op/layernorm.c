/*
** layer_norm (Ba, Kiros, Hinton 2016), rms_norm (Zhang, Sennrich 2019):
** the last dimensions of each sample to mean 0 and variance 1. Made of the
** first: group_norm (Wu, He 2018), instance_norm (Ulyanov and others 2016).
*/
#include <string.h>
#include "base/threads.h"
#include "op/broadcast.h"
#include "op/composed.h"
#include "tensor/walk.h"

typedef struct layer_norm_args {
  nx_ints normalized_shape;
  double eps;
} layer_norm_args;

static const nx_field layer_norm_fields[] = {
  NX_INTS(layer_norm_args, normalized_shape, NX_REQUIRED,
          "sizes of the last dimensions, which belong together"),
  NX_NUMBER(layer_norm_args, eps, 1e-5, "added to the variance"),
  NX_END
};

static int is_rms (const nx_node *n) { return n->op == &nx_op_rms_norm; }

static nx_tensor *optional (const nx_node *n, int i) {
  return i < n->nin ? n->in[i] : NULL;
}


/* an optional weight or bias in the shape of what is normalised */
static int check_factor (nx_ctx *C, const nx_node *n, int i) {
  const nx_ints *shape = &((layer_norm_args *)n->a)->normalized_shape;
  const nx_tensor *t = optional(n, i);
  char name[32], have[NX_SHAPE_TEXT], want[NX_SHAPE_TEXT];
  if (t == NULL) return 0;
  if (t->dtype == n->in[0]->dtype && t->ndim == shape->n &&
      memcmp(t->shape, shape->v, sizeof(*shape->v) * (size_t)shape->n) == 0)
    return 0;
  return nx_op_fail(C, n, NEAP_ESHAPE, "%s is %s %s, expected %s %s",
                    nx_names_at(n->op->inputs, i, name),
                    nx_dtype_name(t->dtype), nx_shape_of(t, have),
                    nx_dtype_name(n->in[0]->dtype),
                    nx_shape_text(shape->n, shape->v, want));
}

static int layer_norm_shape (nx_ctx *C, nx_node *n) {
  const nx_ints *shape = &((layer_norm_args *)n->a)->normalized_shape;
  nx_tensor *x = n->in[0];
  int lead = x->ndim - shape->n;
  char have[NX_SHAPE_TEXT], want[NX_SHAPE_TEXT];
  if (nx_want_float(C, n, 0)) return nx_status(C);
  if (lead < 0 || shape->n < 1 ||
      memcmp(x->shape + lead, shape->v,
             sizeof(*shape->v) * (size_t)shape->n) != 0)
    return nx_op_fail(C, n, NEAP_ESHAPE, "x is %s, and its last dimensions "
                      "are not %s", nx_shape_of(x, have),
                      nx_shape_text(shape->n, shape->v, want));
  for (int i = 1; i < n->nin; i++)
    if (check_factor(C, n, i)) return nx_status(C);
  nx_out_like(C, n, 0, x);
  nx_out(C, n, 1, x->dtype, lead, x->shape);
  if (!is_rms(n)) nx_out(C, n, 2, x->dtype, lead, x->shape);
  return nx_status(C);
}


typedef struct row_job {
  const nx_kernels *K;
  const char *x, *g, *w, *b;
  char *y, *mean, *rstd, *gx, *sums;   /* sums: gw and gb of each piece */
  int64_t n, size, per;
  int centre, wide, want_gw, want_gb;
  double eps;
} row_job;

static void normalise_rows (void *arg, int64_t first, int64_t last) {
  const row_job *j = arg;
  for (int64_t i = first; i < last; i++) {
    int64_t at = i * j->n * j->size;
    j->K->normalise((size_t)j->n, j->x + at, j->w, j->b, j->centre, j->eps,
                    j->y + at, j->mean ? j->mean + i * j->size : NULL,
                    j->rstd + i * j->size);
  }
}

static row_job job_for (nx_ctx *C, const nx_node *n, const nx_tensor *x) {
  row_job j;
  memset(&j, 0, sizeof(j));
  j.K = nx_kernels_for(C, x->dtype);
  j.x = x->data;
  j.size = (int64_t)nx_dtype_size(x->dtype);
  j.wide = x->dtype == NEAP_F64;
  j.eps = ((const layer_norm_args *)n->a)->eps;
  j.centre = !is_rms(n);
  j.n = 1;
  for (int i = 0; i < ((const layer_norm_args *)n->a)->normalized_shape.n;
       i++)
    j.n *= ((const layer_norm_args *)n->a)->normalized_shape.v[i];
  return j;
}

static nx_tensor *dense_or_null (nx_ctx *C, nx_tensor *t) {
  return t ? nx_dense(C, t) : NULL;
}

/* y = (x - mean) rstd weight + bias */
static int layer_norm_forward (nx_ctx *C, nx_node *n) {
  nx_tensor *x = nx_dense(C, n->in[0]);
  nx_tensor *w = dense_or_null(C, optional(n, 1));
  nx_tensor *b = dense_or_null(C, optional(n, 2));
  row_job j;
  if (nx_status(C) || x->len == 0) return nx_status(C);
  j = job_for(C, n, x);
  j.w = w ? w->data : NULL;
  j.b = b ? b->data : NULL;
  j.y = n->out[0]->data;
  j.mean = is_rms(n) ? NULL : n->out[1]->data;
  j.rstd = n->out[is_rms(n) ? 1 : 2]->data;
  nx_pieces(C, x->len / j.n, j.n, normalise_rows, &j);
  return 0;
}


static double stored (const row_job *j, const char *at, int64_t i) {
  if (at == NULL) return 0;
  return j->wide ? ((const double *)(const void *)at)[i]
                 : (double)((const float *)(const void *)at)[i];
}

static void grad_rows (void *arg, int64_t first, int64_t last) {
  const row_job *j = arg;
  int64_t row = j->n * j->size;
  char *gw = j->want_gw ? j->sums + first / j->per * 2 * row : NULL;
  char *gb = j->want_gb ? j->sums + (first / j->per * 2 + 1) * row : NULL;
  for (int64_t i = first; i < last; i++)
    j->K->normalise_grad((size_t)j->n, j->g + i * row, j->x + i * row, j->w,
                         j->centre, stored(j, j->mean, i),
                         stored(j, j->rstd, i),
                         j->gx ? j->gx + i * row : NULL, gw, gb);
}

/* one row of the sums of all pieces, in the shape of a factor */
static nx_tensor *summed (nx_ctx *C, nx_tensor *sums, int64_t which,
                          const nx_tensor *like) {
  nx_ints first = {1, {0}};
  nx_tensor *part = sums ? nx_select(C, sums, 1, which) : NULL;
  part = part ? nx_sum(C, part, first, 0) : NULL;
  return part ? nx_reshape(C, part, like->ndim, like->shape) : NULL;
}

/*
** One pass over g and x. Each piece of rows has sums of its own for the
** factors, which are added in order: the number of threads changes no bit.
*/
static int layer_norm_fused (nx_ctx *C, nx_node *n, nx_tensor **gy,
                             nx_tensor **gx) {
  nx_tensor *x = nx_dense(C, n->in[0]), *g = nx_dense(C, gy[0]);
  nx_tensor *w = dense_or_null(C, optional(n, 1)), *sums = NULL;
  int64_t shape[3], rows;
  row_job j;
  if (nx_status(C)) return nx_status(C);
  j = job_for(C, n, x);
  rows = j.n ? x->len / j.n : 0;
  j.g = g->data;
  j.w = w ? w->data : NULL;
  j.mean = is_rms(n) ? NULL : n->out[1]->data;
  j.rstd = n->out[is_rms(n) ? 1 : 2]->data;
  j.want_gw = n->nin > 1 && n->wants[1];
  j.want_gb = n->nin > 2 && n->wants[2];
  j.per = j.n >= NX_GRAIN || j.n == 0 ? 1 : NX_GRAIN / j.n;
  if (n->wants[0] && (gx[0] = nx_new_like(C, x)) != NULL)
    j.gx = gx[0]->data;
  shape[0] = (rows + j.per - 1) / j.per;
  shape[1] = 2;
  shape[2] = j.n;
  if (j.want_gw || j.want_gb) {
    sums = nx_zeros(C, x->dtype, 3, shape);
    j.sums = sums ? sums->data : NULL;
  }
  if (nx_status(C)) return nx_status(C);
  if (x->len > 0) nx_pieces(C, rows, j.n, grad_rows, &j);
  if (j.want_gw) gx[1] = summed(C, sums, 0, n->in[1]);
  if (j.want_gb) gx[2] = summed(C, sums, 1, n->in[2]);
  return nx_status(C);
}


/*
** The same as formulas, with statistics computed again from x, so that
** second derivatives see them.
*/
static int layer_norm_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                            nx_tensor **gx) {
  const layer_norm_args *a = n->a;
  nx_tensor *x = n->in[0], *w = optional(n, 1), *g = gy[0], *k, *d, *h, *rstd;
  nx_ints last = {0, {0}};
  for (int i = 0; i < a->normalized_shape.n; i++)
    last.v[last.n++] = i - a->normalized_shape.n;
  d = is_rms(n) ? x : SUB(x, nx_mean(C, x, last, 1));
  rstd = nx_rsqrt(C, ADD(nx_mean(C, MUL(d, d), last, 1), NUM(a->eps)));
  h = MUL(d, rstd);
  k = w ? MUL(g, w) : g;
  if (nx_status(C)) return nx_status(C);
  if (n->nin > 1 && n->wants[1]) gx[1] = nx_sum_to(C, MUL(g, h), w);
  if (n->nin > 2 && n->wants[2]) gx[2] = nx_sum_to(C, g, n->in[2]);
  if (!n->wants[0]) return nx_status(C);
  d = SUB(k, MUL(h, nx_mean(C, MUL(k, h), last, 1)));
  if (!is_rms(n)) d = SUB(d, nx_mean(C, k, last, 1));
  gx[0] = MUL(rstd, d);
  return nx_status(C);
}

/* Samples do not meet. */
static const char *layer_norm_cutting (const nx_node *n) {
  int lead = n->in[0]->ndim -
             ((const layer_norm_args *)n->a)->normalized_shape.n;
  return lead > 1 ? "y0 x0 mean0 rstd0, y1 x1 mean1 rstd1"
       : lead == 1 ? "y0 x0 mean0 rstd0" : NULL;
}

const nx_op nx_op_layer_norm = {
  .name = "layer_norm",
  .doc = "The last dimensions of each sample to mean 0 and variance 1, times "
         "weight plus bias.",
  .inputs = "x weight? bias?", .outputs = "y mean~ rstd~",
  .call = "x normalized_shape weight bias eps",
  .fields = layer_norm_fields, .argsize = sizeof(layer_norm_args),
  .saves = "x weight mean rstd", .cutting = layer_norm_cutting,
  .shape = layer_norm_shape,
  .forward = layer_norm_forward, .grad = NX_LEARN(layer_norm_grad),
  .fused = NX_LEARN(layer_norm_fused)
};

OPFN nx_tensor *nx_layer_norm (nx_ctx *C, nx_tensor *x, nx_tensor *weight,
                               nx_tensor *bias, nx_ints shape, double eps) {
  layer_norm_args a = {shape, eps};
  return nx_apply(C, &nx_op_layer_norm, &a, 3,
                  (nx_tensor *[]){x, weight, bias});
}

const nx_op nx_op_rms_norm = {
  .name = "rms_norm",
  .doc = "The last dimensions of each sample divided by the root of the mean "
         "of their squares, times weight.",
  .inputs = "x weight?", .outputs = "y rstd~",
  .call = "x normalized_shape weight eps",
  .fields = layer_norm_fields, .argsize = sizeof(layer_norm_args),
  .saves = "x weight rstd", .cutting = layer_norm_cutting,
  .shape = layer_norm_shape,
  .forward = layer_norm_forward, .grad = NX_LEARN(layer_norm_grad),
  .fused = NX_LEARN(layer_norm_fused)
};

OPFN nx_tensor *nx_rms_norm (nx_ctx *C, nx_tensor *x, nx_tensor *weight,
                             nx_ints shape, double eps) {
  layer_norm_args a = {shape, eps};
  return nx_apply(C, &nx_op_rms_norm, &a, 2, (nx_tensor *[]){x, weight});
}


/*
** group_norm: the channels of each sample in groups.
*/
typedef struct group_norm_args { int64_t num_groups; double eps; }
group_norm_args;

static const nx_field group_norm_fields[] = {
  NX_INT(group_norm_args, num_groups, NX_REQUIRED,
         "groups of channels that are normalised together"),
  NX_NUMBER(group_norm_args, eps, 1e-5, "added to the variance"),
  NX_END
};

/* a value for each channel, to be spread over x */
static nx_tensor *each_channel (nx_ctx *C, nx_tensor *t,
                                const nx_tensor *x) {
  int64_t shape[NEAP_MAXDIM];
  for (int d = 0; d < x->ndim; d++) shape[d] = d == 1 ? x->shape[1] : 1;
  return nx_reshape(C, t, x->ndim, shape);
}

static int check_channels (nx_ctx *C, const nx_node *n, int i) {
  const nx_tensor *x = n->in[0], *t = optional(n, i);
  char name[32], text[NX_SHAPE_TEXT];
  if (t == NULL || (t->ndim == 1 && t->len == x->shape[1])) return 0;
  return nx_op_fail(C, n, NEAP_ESHAPE, "%s is %s, expected one value for "
                    "each of the %lld channels of x",
                    nx_names_at(n->op->inputs, i, name), nx_shape_of(t, text),
                    (long long)x->shape[1]);
}

/* groups as rows, normalised, and back; then weight and bias by channel */
static nx_tensor *by_groups (nx_ctx *C, const nx_node *n, int64_t groups,
                             double eps) {
  nx_tensor *x = n->in[0], *w = optional(n, 1), *b = optional(n, 2), *y;
  nx_ints rows = {3, {x->shape[0], groups, 0}}, last = {1, {0}};
  rows.v[2] = x->shape[0] && groups ? x->len / (x->shape[0] * groups) : 1;
  last.v[0] = rows.v[2];
  y = nx_layer_norm(C, nx_reshape(C, x, 3, rows.v), NULL, NULL, last, eps);
  y = y ? nx_reshape(C, y, x->ndim, x->shape) : NULL;
  if (w && y) y = MUL(y, each_channel(C, w, x));
  if (b && y) y = ADD(y, each_channel(C, b, x));
  return y;
}

static int group_norm_compose (nx_ctx *C, nx_node *n) {
  const group_norm_args *a = n->a;
  nx_tensor *x = n->in[0];
  char text[NX_SHAPE_TEXT];
  if (nx_want_float(C, n, 0)) return nx_status(C);
  if (x->ndim < 2)
    return nx_op_fail(C, n, NEAP_ESHAPE, "x is %s, expected a batch "
                      "dimension and channels", nx_shape_of(x, text));
  if (a->num_groups < 1 || x->shape[1] % a->num_groups != 0)
    return nx_op_fail(C, n, NEAP_ESHAPE, "%lld channels cannot be divided "
                      "into %lld groups", (long long)x->shape[1],
                      (long long)a->num_groups);
  if (check_channels(C, n, 1) || check_channels(C, n, 2))
    return nx_status(C);
  return nx_composed(C, n, by_groups(C, n, a->num_groups, a->eps));
}

const nx_op nx_op_group_norm = {
  .name = "group_norm",
  .doc = "Groups of channels (dimension 2) of each sample to mean 0 and "
         "variance 1, times weight plus bias of each channel.",
  .inputs = "x weight? bias?", .outputs = "y",
  .call = "x num_groups weight bias eps",
  .fields = group_norm_fields, .argsize = sizeof(group_norm_args),
  .compose = group_norm_compose
};

OPFN nx_tensor *nx_group_norm (nx_ctx *C, nx_tensor *x, nx_tensor *weight,
                               nx_tensor *bias, int64_t groups, double eps) {
  group_norm_args a = {groups, eps};
  return nx_apply(C, &nx_op_group_norm, &a, 3,
                  (nx_tensor *[]){x, weight, bias});
}


/*
** instance_norm: every channel of every sample.
*/
typedef struct instance_norm_args { double eps; } instance_norm_args;

static const nx_field instance_norm_fields[] = {
  NX_NUMBER(instance_norm_args, eps, 1e-5, "added to the variance"),
  NX_END
};

static int instance_norm_compose (nx_ctx *C, nx_node *n) {
  nx_tensor *x = n->in[0];
  char text[NX_SHAPE_TEXT];
  if (nx_want_float(C, n, 0)) return nx_status(C);
  if (x->ndim < 3 ||
      (x->len > 0 && x->len == x->shape[0] * x->shape[1]))
    return nx_op_fail(C, n, NEAP_ESHAPE, "x is %s, expected more than one "
                      "value in each channel of a sample",
                      nx_shape_of(x, text));
  if (check_channels(C, n, 1) || check_channels(C, n, 2))
    return nx_status(C);
  return nx_composed(C, n, by_groups(C, n, x->shape[1],
                                     ((instance_norm_args *)n->a)->eps));
}

const nx_op nx_op_instance_norm = {
  .name = "instance_norm",
  .doc = "Each channel (dimension 2) of each sample to mean 0 and variance "
         "1, times weight plus bias.",
  .inputs = "x weight? bias?", .outputs = "y",
  .fields = instance_norm_fields, .argsize = sizeof(instance_norm_args),
  .compose = instance_norm_compose
};

OPFN nx_tensor *nx_instance_norm (nx_ctx *C, nx_tensor *x, nx_tensor *weight,
                                  nx_tensor *bias, double eps) {
  instance_norm_args a = {eps};
  return nx_apply(C, &nx_op_instance_norm, &a, 3,
                  (nx_tensor *[]){x, weight, bias});
}
