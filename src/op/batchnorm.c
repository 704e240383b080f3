/*
** batch_norm: each channel to mean 0 and variance 1 over the batch (Ioffe
** and Szegedy 2015). x is (batch, channels) or (batch, channels, ...).
*/
#include <math.h>
#include <string.h>
#include "ops.h"

typedef struct batch_norm_args {
  int training;
  double momentum, eps;
  int activation;
} batch_norm_args;

static const nx_field batch_norm_fields[] = {
  NX_BOOL(batch_norm_args, training, 0,
          "statistics of this batch, not the running ones"),
  NX_NUMBER(batch_norm_args, momentum, 0.1,
            "share of this batch in the running statistics"),
  NX_NUMBER(batch_norm_args, eps, 1e-5, "added to the variance"),
  NX_ENUM(batch_norm_args, activation, NX_ACTIVATIONS, NX_NONE,
          "what follows: none, relu, tanh, sigmoid"),
  NX_END
};

enum { X, RUNNING_MEAN, RUNNING_VAR, WEIGHT, BIAS };

static nx_tensor *input (const nx_node *n, int i) {
  return i < n->nin ? n->in[i] : NULL;
}


static int batch_norm_shape (nx_ctx *C, nx_node *n) {
  batch_norm_args *a = n->a;
  nx_tensor *x = n->in[0];
  char text[NX_SHAPE_TEXT], name[32];
  if (nx_want_float(C, n, 0)) return nx_status(C);
  if (x->ndim < 2)
    return nx_op_fail(C, n, NEAP_ESHAPE, "x is %s, expected a batch "
                      "dimension and channels", nx_shape_of(x, text));
  for (int i = 1; i < n->nin; i++) {
    nx_tensor *t = n->in[i];
    if (t && (t->ndim != 1 || t->len != x->shape[1] || t->dtype != x->dtype))
      return nx_op_fail(C, n, NEAP_ESHAPE, "%s (%s %s) must have one %s for "
                        "each of the %lld channels of x",
                        nx_names_at(n->op->inputs, i, name),
                        nx_dtype_name(t->dtype), nx_shape_of(t, text),
                        nx_dtype_name(x->dtype), (long long)x->shape[1]);
  }
  if (a->training && x->shape[1] > 0 && x->len / x->shape[1] < 2)
    return nx_op_fail(C, n, NEAP_ESHAPE, "a channel needs at least two "
                      "values in training (x is %s); net:eval() uses the "
                      "running statistics", nx_shape_of(x, text));
  if (!a->training && (!input(n, RUNNING_MEAN) || !input(n, RUNNING_VAR)))
    return nx_op_fail(C, n, NEAP_EARG, "running_mean and running_var are "
                      "missing; without them only training is possible");
  nx_out_like(C, n, 0, x);
  nx_out(C, n, 1, x->dtype, 1, &x->shape[1]);
  nx_out(C, n, 2, x->dtype, 1, &x->shape[1]);
  return nx_status(C);
}


/* a value for each channel, to be spread over x */
static nx_tensor *each (nx_ctx *C, nx_tensor *t, const nx_tensor *x) {
  int64_t shape[NEAP_MAXDIM];
  if (t == NULL) return NULL;
  for (int d = 0; d < x->ndim; d++) shape[d] = d == 1 ? x->shape[1] : 1;
  return nx_reshape(C, t, x->ndim, shape);
}

/* sum over all but the channels: one value for each */
static nx_tensor *channel_sum (nx_ctx *C, nx_tensor *x) {
  nx_ints dims = {0, {0}};
  if (x == NULL) return NULL;
  for (int d = 0; d < x->ndim; d++) if (d != 1) dims.v[dims.n++] = d;
  return nx_sum(C, x, dims, 0);
}

static nx_tensor *number (nx_ctx *C, double v) {
  return nx_from_number(C, v);
}

static double count_of (const nx_tensor *x) {
  return x->shape[1] ? (double)x->len / (double)x->shape[1] : 1;
}


/* running += momentum (now - running) */
static int update (nx_ctx *C, nx_tensor *running, nx_tensor *now,
                   double momentum) {
  nx_tensor *old, *fresh;
  if (running == NULL) return 0;
  old = nx_mul(C, running, number(C, 1 - momentum));
  fresh = nx_mul(C, now, number(C, momentum));
  fresh = nx_add(C, old, fresh);
  if (fresh == NULL || nx_copy(C, running, fresh)) return nx_status(C);
  running->store->version++;
  return 0;
}

/* the running variance is the unbiased one, as in PyTorch */
static int update_both (nx_ctx *C, nx_node *n, nx_tensor *mean,
                        nx_tensor *var) {
  batch_norm_args *a = n->a;
  double m = count_of(n->in[X]);
  update(C, input(n, RUNNING_MEAN), mean, a->momentum);
  return update(C, input(n, RUNNING_VAR),
                nx_mul(C, var, number(C, m / (m - 1))), a->momentum);
}


/*
** Where a channel has long rows, a thread takes all of one: it stays in
** the nearer caches between the passes over it.
*/
#define LONG_ROW 16
#define BLOCK ((int64_t)2048)  /* of sums in single precision */

typedef struct channels {
  const nx_kernels *K;
  const char *x, *g, *shown;   /* y, where a rectifier was */
  char *y, *gx;
  nx_tensor *mean, *rstd, *var, *w, *b, *gw, *gb;
  int64_t batch, count, row, size;
  double eps;
  int training, relu;
} channels;

static int long_rows (const nx_tensor *x) {
  return x->len > 0 && x->len / x->shape[0] / x->shape[1] >= LONG_ROW;
}

static channels channels_of (nx_ctx *C, const nx_node *n,
                             const nx_tensor *x) {
  const batch_norm_args *a = n->a;
  channels s;
  memset(&s, 0, sizeof(s));
  s.K = nx_kernels_for(C, x->dtype);
  s.x = x->data;
  s.batch = x->shape[0];
  s.count = x->shape[1];
  s.row = x->len / s.batch / s.count;
  s.size = (int64_t)nx_dtype_size(x->dtype);
  s.eps = a->eps;
  s.training = a->training;
  s.relu = a->activation == NX_RELU;
  return s;
}

static double at (const nx_tensor *t, int64_t i, double missing) {
  if (t == NULL) return missing;
  return nx_get_number(t, t->data + i * t->stride[0] *
                          (int64_t)nx_dtype_size(t->dtype));
}

static void put (nx_tensor *t, int64_t i, double v) {
  if (t) nx_put_number(t, t->data + i * (int64_t)nx_dtype_size(t->dtype), v);
}

/* bytes to row n of channel c */
static int64_t row_at (const channels *s, int64_t n, int64_t c) {
  return (n * s->count + c) * s->row * s->size;
}

static double read (const channels *s, const void *v) {
  return s->size == sizeof(double) ? *(const double *)v
                                   : (double)*(const float *)v;
}

/* mean and variance, in two passes */
static void statistics (const channels *s, int64_t c) {
  double sum = 0, squares = 0, m = (double)(s->batch * s->row), v;
  for (int64_t n = 0; n < s->batch; n++) {
    s->K->sum((size_t)s->row, s->x + row_at(s, n, c), &v);
    sum += read(s, &v);
  }
  put(s->mean, c, sum / m);
  for (int64_t n = 0; n < s->batch; n++) {
    s->K->squares_around((size_t)s->row, s->x + row_at(s, n, c),
                         at(s->mean, c, 0), &v);
    squares += read(s, &v);
  }
  put(s->var, c, squares / m);
}

static void normalise_channels (void *arg, int64_t first, int64_t last) {
  const channels *s = arg;
  nx_map_fn *f = s->relu ? s->K->affine_relu : s->K->affine;
  for (int64_t c = first; c < last; c++) {
    double k[3];
    if (s->training) statistics(s, c);
    put(s->rstd, c, 1 / sqrt(at(s->var, c, 1) + s->eps));
    k[0] = at(s->rstd, c, 1) * at(s->w, c, 1);
    k[1] = at(s->b, c, 0);
    k[2] = at(s->mean, c, 0);
    for (int64_t n = 0; n < s->batch; n++) {
      void *p[2] = {s->y + row_at(s, n, c),
                    (void *)(uintptr_t)(s->x + row_at(s, n, c))};
      f((size_t)s->row, p, 0, k);
    }
  }
}

static int by_channels (nx_ctx *C, nx_node *n) {
  batch_norm_args *a = n->a;
  nx_tensor *x = nx_dense(C, n->in[X]);
  channels s;
  if (x == NULL) return nx_status(C);
  s = channels_of(C, n, x);
  s.y = n->out[0]->data;
  s.w = input(n, WEIGHT);
  s.b = input(n, BIAS);
  s.mean = n->out[1];
  s.rstd = n->out[2];
  s.var = a->training ? nx_new_like(C, s.mean) : n->in[RUNNING_VAR];
  if (!a->training) nx_copy(C, s.mean, n->in[RUNNING_MEAN]);
  if (nx_status(C)) return nx_status(C);
  nx_pieces(C, s.count, s.batch * s.row, normalise_channels, &s);
  return a->training ? update_both(C, n, s.mean, s.var) : 0;
}


/* Short rows, such as (batch, channels): operations on the whole of x. */
static int at_once (nx_ctx *C, nx_node *n) {
  batch_norm_args *a = n->a;
  nx_tensor *x = n->in[X], *mean, *var, *centred, *rstd, *factor, *in[3];
  nx_tensor *w = input(n, WEIGHT), *b = input(n, BIAS);
  double m = count_of(x);
  mean = a->training ? nx_div(C, channel_sum(C, x), number(C, m))
                     : n->in[RUNNING_MEAN];
  centred = nx_sub(C, x, each(C, mean, x));
  if (nx_status(C)) return nx_status(C);
  var = a->training
    ? nx_div(C, channel_sum(C, nx_mul(C, centred, centred)), number(C, m))
    : n->in[RUNNING_VAR];
  rstd = nx_div(C, number(C, 1),
                nx_sqrt(C, nx_add(C, var, number(C, a->eps))));
  if (nx_status(C) || (a->training && update_both(C, n, mean, var)))
    return nx_status(C);
  nx_copy(C, n->out[1], mean);
  nx_copy(C, n->out[2], rstd);
  factor = w ? nx_mul(C, rstd, w) : rstd;
  in[0] = centred;
  in[1] = each(C, factor, x);
  in[2] = b ? each(C, b, x) : nx_zeros(C, x->dtype, 0, NULL);
  if (nx_status(C)) return nx_status(C);
  return nx_map(C, nx_kernels_for(C, x->dtype)->muladd, NULL, n->out[0], 3,
                in);
}

/* y = f((x - mean) / sqrt(var + eps) weight + bias), the variance in a
   second pass over x - mean */
static int batch_norm_forward (nx_ctx *C, nx_node *n) {
  int activation = ((batch_norm_args *)n->a)->activation;
  nx_tensor *y = n->out[0];
  int rows = long_rows(n->in[X]);
  const nx_kernels *K = nx_kernels_for(C, y->dtype);
  if (y->len == 0) return 0;
  if (rows ? by_channels(C, n) : at_once(C, n)) return nx_status(C);
  switch (activation) {
    case NX_RELU: return rows ? 0 : nx_map(C, K->relu, NULL, y, 1, &y);
    case NX_TANH: return nx_map(C, K->tanh, NULL, y, 1, &y);
    case NX_SIGMOID: return nx_map(C, K->sigmoid, NULL, y, 1, &y);
    default: return 0;
  }
}


/*
** With g the gradient before the activation, h = (x - mean) rstd, m values
** in a channel and all sums over one:
**   gw = sum(g h), gb = sum(g)
**   training: gx = rstd w (g - (gb + h gw) / m), else gx = rstd w g
** Statistics are computed again from x, so that second derivatives see
** them.
*/
static int batch_norm_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                            nx_tensor **gx) {
  batch_norm_args *a = n->a;
  nx_tensor *x = n->in[0], *w = input(n, WEIGHT);
  nx_tensor *g = nx_before_activation(C, gy[0], n->out[0], a->activation);
  nx_tensor *mean = n->out[1], *rstd = n->out[2], *h, *gw, *gb, *factor;
  double m = count_of(x);
  if (C->recording && a->training) {
    nx_tensor *d, *var;
    mean = nx_div(C, channel_sum(C, x), number(C, m));
    d = nx_sub(C, x, each(C, mean, x));
    if (d == NULL) return nx_status(C);
    var = nx_div(C, channel_sum(C, nx_mul(C, d, d)), number(C, m));
    rstd = nx_div(C, number(C, 1),
                  nx_sqrt(C, nx_add(C, var, number(C, a->eps))));
  }
  h = nx_mul(C, nx_sub(C, x, each(C, mean, x)), each(C, rstd, x));
  if (nx_status(C)) return nx_status(C);
  gw = channel_sum(C, nx_mul(C, g, h));
  gb = channel_sum(C, g);
  if (nx_status(C)) return nx_status(C);
  if (input(n, WEIGHT) && n->wants[WEIGHT]) gx[WEIGHT] = gw;
  if (input(n, BIAS) && n->wants[BIAS]) gx[BIAS] = gb;
  if (!n->wants[X]) return 0;
  factor = w ? nx_mul(C, rstd, w) : rstd;
  if (a->training) {
    nx_tensor *back = nx_add(C, each(C, gb, x),
                             nx_mul(C, h, each(C, gw, x)));
    g = nx_sub(C, g, nx_div(C, back, number(C, m)));
  }
  gx[X] = nx_mul(C, g, each(C, factor, x));
  return nx_status(C);
}

/*
** The same in two passes over a channel: its sums, then
** gx = c0 g + c1 (x - mean) + c2.
*/
static void return_channels (void *arg, int64_t first, int64_t last) {
  const channels *s = arg;
  double m = (double)(s->batch * s->row);
  for (int64_t c = first; c < last; c++) {
    double sums[2] = {0, 0}, k[4], rstd = at(s->rstd, c, 1);
    for (int64_t n = 0; n < s->batch; n++)
      for (int64_t i = 0; i < s->row; i += BLOCK) {
        int64_t r = row_at(s, n, c) + i * s->size;
        s->K->gradient_sums((size_t)(s->row - i < BLOCK ? s->row - i : BLOCK),
                   s->g + r, s->x + r, s->shown ? s->shown + r : NULL,
                   at(s->mean, c, 0), sums);
      }
    put(s->gb, c, sums[0]);
    put(s->gw, c, sums[1] * rstd);
    k[0] = rstd * at(s->w, c, 1);
    k[1] = s->training ? -k[0] * sums[1] * rstd * rstd / m : 0;
    k[2] = s->training ? -k[0] * sums[0] / m : 0;
    k[3] = at(s->mean, c, 0);
    for (int64_t n = 0; s->gx && n < s->batch; n++) {
      int64_t r = row_at(s, n, c);
      void *p[4] = {s->gx + r, (void *)(uintptr_t)(s->g + r),
                    (void *)(uintptr_t)(s->x + r),
                    (void *)(uintptr_t)(s->shown + (s->shown ? r : 0))};
      (s->shown ? s->K->mix_relu : s->K->mix)((size_t)s->row, p, 0, k);
    }
  }
}

static int batch_norm_fused (nx_ctx *C, nx_node *n, nx_tensor **gy,
                             nx_tensor **gx) {
  const batch_norm_args *a = n->a;
  nx_tensor *x, *g;
  channels s;
  if (!long_rows(n->in[X])) return batch_norm_grad(C, n, gy, gx);
  g = a->activation == NX_RELU ? gy[0]
    : nx_before_activation(C, gy[0], n->out[0], a->activation);
  g = g ? nx_dense(C, g) : NULL;
  x = nx_dense(C, n->in[X]);
  if (nx_status(C)) return nx_status(C);
  s = channels_of(C, n, x);
  s.g = g->data;
  s.shown = s.relu ? n->out[0]->data : NULL;
  s.w = input(n, WEIGHT);
  s.mean = n->out[1];
  s.rstd = n->out[2];
  if (n->wants[X]) gx[X] = nx_new_like(C, x);
  if (input(n, WEIGHT) && n->wants[WEIGHT])
    gx[WEIGHT] = s.gw = nx_new_like(C, s.mean);
  if (input(n, BIAS) && n->wants[BIAS])
    gx[BIAS] = s.gb = nx_new_like(C, s.mean);
  if (nx_status(C)) return nx_status(C);
  s.gx = n->wants[X] ? gx[X]->data : NULL;
  nx_pieces(C, s.count, s.batch * s.row, return_channels, &s);
  return 0;
}

static const char *batch_norm_saved (const nx_node *n) {
  return ((const batch_norm_args *)n->a)->activation == NX_NONE
    ? "x weight mean rstd" : "x weight y mean rstd";
}

/* With known statistics samples do not meet. */
static const char *batch_norm_cutting (const nx_node *n) {
  return ((const batch_norm_args *)n->a)->training ? NULL
                                                   : "y0 x0 mean~ rstd~";
}

const nx_op nx_op_batch_norm = {
  .name = "batch_norm",
  .doc = "Each channel (dimension 2) to mean 0 and variance 1, times weight "
         "plus bias; in training it also moves the running statistics.",
  .inputs = "x running_mean? running_var? weight? bias?",
  .outputs = "y mean~ rstd~", .fields = batch_norm_fields,
  .argsize = sizeof(batch_norm_args), .saved = batch_norm_saved,
  .flags = NX_STATEFUL | NX_ACTIVATES, .cutting = batch_norm_cutting,
  .shape = batch_norm_shape, .forward = batch_norm_forward,
  .grad = NX_LEARN(batch_norm_grad), .fused = NX_LEARN(batch_norm_fused)
};

OPFN nx_tensor *nx_batch_norm (nx_ctx *C, nx_tensor *const *inputs,
                               int training, double momentum, double eps,
                               int activation) {
  batch_norm_args a = {training, momentum, eps, activation};
  return nx_apply(C, &nx_op_batch_norm, &a, 5, inputs);
}
