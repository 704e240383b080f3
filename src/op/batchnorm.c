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
} batch_norm_args;

static const nx_field batch_norm_fields[] = {
  NX_BOOL(batch_norm_args, training, 0,
          "statistics of this batch, not the running ones"),
  NX_NUMBER(batch_norm_args, momentum, 0.1,
            "share of this batch in the running statistics"),
  NX_NUMBER(batch_norm_args, eps, 1e-5, "added to the variance"),
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

/*
** Statistics of this batch: the variance in a second pass over x - mean.
** The running variance is the unbiased one, as in PyTorch.
*/
static int batch_statistics (nx_ctx *C, nx_node *n, nx_tensor **mean,
                             nx_tensor **var, nx_tensor **centred) {
  batch_norm_args *a = n->a;
  nx_tensor *x = n->in[0];
  double m = count_of(x);
  *mean = nx_div(C, channel_sum(C, x), number(C, m));
  *centred = nx_sub(C, x, each(C, *mean, x));
  if (nx_status(C)) return nx_status(C);
  *var = nx_div(C, channel_sum(C, nx_mul(C, *centred, *centred)),
                number(C, m));
  update(C, input(n, RUNNING_MEAN), *mean, a->momentum);
  update(C, input(n, RUNNING_VAR),
         nx_mul(C, *var, number(C, m / (m - 1))), a->momentum);
  return nx_status(C);
}

/* y = (x - mean) / sqrt(var + eps) weight + bias */
static int batch_norm_forward (nx_ctx *C, nx_node *n) {
  batch_norm_args *a = n->a;
  nx_tensor *x = n->in[0], *mean, *var, *centred, *rstd, *factor, *in[3];
  nx_tensor *w = input(n, WEIGHT), *b = input(n, BIAS);
  if (x->len == 0) return 0;
  if (a->training) {
    if (batch_statistics(C, n, &mean, &var, &centred)) return nx_status(C);
  }
  else {
    mean = n->in[RUNNING_MEAN];
    var = n->in[RUNNING_VAR];
    centred = nx_sub(C, x, each(C, mean, x));
  }
  rstd = nx_div(C, number(C, 1),
                nx_sqrt(C, nx_add(C, var, number(C, a->eps))));
  if (nx_status(C)) return nx_status(C);
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


/*
** With h = (x - mean) rstd, m values in a channel and all sums over one:
**   gw = sum(gy h), gb = sum(gy)
**   training: gx = rstd w (gy - (gb + h gw) / m), else gx = rstd w gy
** Statistics are computed again from x, so that second derivatives see
** them.
*/
static int batch_norm_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                            nx_tensor **gx) {
  batch_norm_args *a = n->a;
  nx_tensor *x = n->in[0], *w = input(n, WEIGHT), *g = gy[0];
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

const nx_op nx_op_batch_norm = {
  .name = "batch_norm",
  .doc = "Each channel (dimension 2) to mean 0 and variance 1, times weight "
         "plus bias; in training it also moves the running statistics.",
  .inputs = "x running_mean? running_var? weight? bias?",
  .outputs = "y mean~ rstd~", .fields = batch_norm_fields,
  .argsize = sizeof(batch_norm_args), .saves = "x weight mean rstd",
  .flags = NX_STATEFUL,
  .shape = batch_norm_shape, .forward = batch_norm_forward,
  .grad = batch_norm_grad
};

OPFN nx_tensor *nx_batch_norm (nx_ctx *C, nx_tensor *const *inputs,
                               int training, double momentum, double eps) {
  batch_norm_args a = {training, momentum, eps};
  return nx_apply(C, &nx_op_batch_norm, &a, 5, inputs);
}
