/*
** ctc_loss: minus the logarithm of the probability of a sequence of labels,
** over all ways to spread it over time with blanks between (Graves et al.
** 2006). The labels l of length S stand as l' = blank, l1, blank, l2, ...,
** blank; with y_t(k) the probability of k at time t,
**
**   a_t(s) = y_t(l'_s) (a_{t-1}(s) + a_{t-1}(s - 1) + a_{t-1}(s - 2)),
**
** where the last is left out at blanks and at repeated labels (equation 6),
** and b_t(s) the same from the end, without y_t. The gradient for log y_t(k)
** is - sum over l'_s = k of a_t(s) b_t(s) / p. All in logarithms and double
** precision.
*/
#include <math.h>
#include <string.h>
#include "op/composed.h"
#include "op/index.h"
#include "op/loss.h"

typedef struct ctc_args {
  int64_t blank;
  int reduction, zero_infinity;
  int64_t base;
} ctc_args;

static const nx_field ctc_fields[] = {
  NX_INDEX(ctc_args, blank, 0, "the class that is no label"),
  NX_REDUCTION(ctc_args),
  NX_BOOL(ctc_args, zero_infinity, 0,
          "targets that do not fit into the time cost nothing"),
  NX_BASE(ctc_args, base), NX_END
};

enum { LOG_PROBS, TARGETS, TIMES, LENGTHS };

/* What an application works on. */
typedef struct ctc {
  const ctc_args *a;
  int64_t time, batch, classes, most;    /* most: labels of a sample */
  int64_t blank;
  const double *lp;                      /* time x batch x classes */
  const int64_t *label, *times, *lengths;
  int64_t *first;                        /* where a sample's labels begin */
  double *alpha;                         /* batch x time x (2 most + 1) */
  double *loss, *g;                      /* results */
  const double *gy;
} ctc;

#define NOTHING (-INFINITY)

static double log_sum (double a, double b) {
  if (a < b) { double c = a; a = b; b = c; }
  return b == NOTHING ? a : a + log1p(exp(b - a));
}


/* label s of l' of sample n */
static int64_t extended (const ctc *c, int64_t n, int64_t s) {
  return s % 2 ? c->label[c->first[n] + s / 2] : c->blank;
}

/* may the step from s - 2 to s be made? */
static int may_skip (const ctc *c, int64_t n, int64_t s) {
  return s % 2 && s >= 2 && extended(c, n, s) != extended(c, n, s - 2);
}

static double emitted (const ctc *c, int64_t n, int64_t t, int64_t s) {
  return c->lp[(t * c->batch + n) * c->classes + extended(c, n, s)];
}

static double *alpha_row (const ctc *c, int64_t n, int64_t t) {
  return c->alpha + (n * c->time + t) * (2 * c->most + 1);
}

/* fills the sample's rows of alpha; gives log p */
static double run_forward (const ctc *c, int64_t n) {
  int64_t size = 2 * c->lengths[n] + 1, last = c->times[n] - 1;
  if (last < 0) return size == 1 ? 0 : NOTHING;
  for (int64_t t = 0; t <= last; t++) {
    double *now = alpha_row(c, n, t), *old = alpha_row(c, n, t - (t > 0));
    for (int64_t s = 0; s < size; s++) {
      double v = t == 0 ? (s < 2 ? 0 : NOTHING) : old[s];
      if (t > 0 && s > 0) v = log_sum(v, old[s - 1]);
      if (t > 0 && may_skip(c, n, s)) v = log_sum(v, old[s - 2]);
      now[s] = v + emitted(c, n, t, s);
    }
  }
  return log_sum(alpha_row(c, n, last)[size - 1],
                 size > 1 ? alpha_row(c, n, last)[size - 2] : NOTHING);
}

/* b of time t + 1 and what is emitted there, in place: b of time t */
static void step_back (const ctc *c, int64_t n, int64_t t, double *b) {
  int64_t size = 2 * c->lengths[n] + 1;
  for (int64_t s = 0; s < size; s++) b[s] += emitted(c, n, t + 1, s);
  for (int64_t s = 0; s < size; s++) {     /* rising: reads what is later */
    double v = b[s];
    if (s + 1 < size) v = log_sum(v, b[s + 1]);
    if (s + 2 < size && may_skip(c, n, s + 2)) v = log_sum(v, b[s + 2]);
    b[s] = v;
  }
}

/* g += the gradient of the sample */
static void run_back (const ctc *c, int64_t n, double log_p) {
  int64_t size = 2 * c->lengths[n] + 1, last = c->times[n] - 1;
  double *b = c->loss + c->batch + n * (2 * c->most + 1);
  for (int64_t s = 0; s < size; s++) b[s] = s + 2 >= size ? 0 : NOTHING;
  for (int64_t t = last; t >= 0; t--) {
    const double *a = alpha_row(c, n, t);
    double *g = c->g + (t * c->batch + n) * c->classes;
    if (t < last) step_back(c, n, t, b);
    for (int64_t s = 0; s < size; s++)
      g[extended(c, n, s)] -= c->gy[n] * exp(a[s] + b[s] - log_p);
  }
}

static void each_sample (void *arg, int64_t first, int64_t end) {
  const ctc *c = arg;
  for (int64_t n = first; n < end; n++) {
    double log_p = run_forward(c, n);
    int none = c->a->zero_infinity && log_p == NOTHING;
    if (c->g == NULL) c->loss[n] = none ? 0 : -log_p;
    else if (!none) run_back(c, n, log_p);
  }
}


static int check_shapes (nx_ctx *C, const nx_node *n) {
  const nx_tensor *x = n->in[LOG_PROBS], *t = n->in[TARGETS];
  char xt[NX_SHAPE_TEXT], tt[NX_SHAPE_TEXT];
  int64_t batch = x->ndim == 3 ? x->shape[1] : 1;
  if (nx_want_float(C, n, LOG_PROBS) || nx_want_whole(C, n, TARGETS) ||
      nx_want_whole(C, n, TIMES) || nx_want_whole(C, n, LENGTHS))
    return nx_status(C);
  if (x->ndim != 3 || t->ndim < 1 || t->ndim > 2 ||
      (t->ndim == 2 && t->shape[0] != batch))
    return nx_op_fail(C, n, NEAP_ESHAPE, "log_probs is %s and targets %s, "
                      "expected (time, batch, classes) and (batch, labels), "
                      "or all labels in one dimension", nx_shape_of(x, xt),
                      nx_shape_of(t, tt));
  for (int i = TIMES; i <= LENGTHS; i++)
    if (n->in[i]->ndim != 1 || n->in[i]->len != batch)
      return nx_op_fail(C, n, NEAP_ESHAPE, "%s is %s, expected a length for "
                        "each of %lld samples",
                        i == TIMES ? "input_lengths" : "target_lengths",
                        nx_shape_of(n->in[i], xt), (long long)batch);
  return 0;
}

/* lengths as dense int64, each from 0 to 'most' */
static nx_tensor *lengths_of (nx_ctx *C, const nx_node *n, int i,
                              int64_t most) {
  nx_tensor *t = nx_typed(C, n->in[i], NEAP_I64);
  t = t ? nx_dense(C, t) : NULL;
  for (int64_t k = 0; t && k < t->len; k++) {
    int64_t v = ((int64_t *)(void *)t->data)[k];
    if (v >= 0 && v <= most) continue;
    nx_op_fail(C, n, NEAP_EARG, "%s[%lld] is %lld, expected 0 to %lld",
               i == TIMES ? "input_lengths" : "target_lengths",
               (long long)(k + C->base), (long long)v, (long long)most);
    return NULL;
  }
  return t;
}

/* where the labels of each sample begin, and the longest list */
static int place_labels (nx_ctx *C, const nx_node *n, ctc *c) {
  const nx_tensor *t = n->in[TARGETS];
  nx_tensor *first = nx_new(C, NEAP_I64, 1, &c->batch);
  int64_t at = 0;
  if (first == NULL) return nx_status(C);
  c->first = (int64_t *)(void *)first->data;
  for (int64_t k = 0; k < c->batch; k++) {
    c->first[k] = t->ndim == 2 ? k * t->shape[1] : at;
    at += c->lengths[k];
    if (c->lengths[k] > c->most) c->most = c->lengths[k];
  }
  if (t->ndim == 2 || at == t->len) return 0;
  return nx_op_fail(C, n, NEAP_ESHAPE, "targets has %lld labels, but "
                    "target_lengths add to %lld", (long long)t->len,
                    (long long)at);
}

/* Labels from 0; those behind the end of a sample may be anything. */
static int check_labels (nx_ctx *C, const nx_node *n, ctc *c) {
  nx_tensor *t = nx_typed(C, n->in[TARGETS], NEAP_I64);
  int64_t *label, base = c->a->base;
  t = t ? nx_clone(C, t) : NULL;
  if (t == NULL) return nx_status(C);
  label = (int64_t *)(void *)t->data;
  for (int64_t k = 0; k < c->batch; k++)
    for (int64_t s = 0; s < c->lengths[k]; s++) {
      int64_t *v = &label[c->first[k] + s];
      *v -= base;
      if (*v < 0 || *v >= c->classes || *v == c->blank)
        return nx_op_fail(C, n, NEAP_EINDEX, "label %lld of sample %lld is "
                          "%lld, but classes are %lld to %lld without the "
                          "blank, %lld", (long long)(s + C->base),
                          (long long)(k + C->base), (long long)(*v + base),
                          (long long)base, (long long)(c->classes - 1 + base),
                          (long long)(c->blank + base));
    }
  c->label = label;
  return 0;
}

static int prepare (nx_ctx *C, const nx_node *n, ctc *c) {
  const nx_tensor *x = n->in[LOG_PROBS];
  nx_tensor *lp = nx_typed(C, n->in[LOG_PROBS], NEAP_F64), *times, *lengths;
  nx_tensor *alpha;
  int64_t shape[3];
  memset(c, 0, sizeof(*c));
  lp = lp ? nx_dense(C, lp) : NULL;
  if (lp == NULL) return nx_status(C);
  c->a = n->a;
  c->time = x->shape[0];
  c->batch = x->shape[1];
  c->classes = x->shape[2];
  c->lp = (const double *)(void *)lp->data;
  c->blank = c->a->blank < 0 ? c->a->blank + c->classes : c->a->blank;
  if (c->blank < 0 || c->blank >= c->classes)
    return nx_op_fail(C, n, NEAP_EINDEX, "blank: position %lld is outside the "
                      "%lld classes", (long long)(c->a->blank + (c->a->blank
                      < 0 ? 0 : C->base)), (long long)c->classes);
  times = lengths_of(C, n, TIMES, c->time);
  lengths = times ? lengths_of(C, n, LENGTHS, n->in[TARGETS]->ndim == 2
                               ? n->in[TARGETS]->shape[1]
                               : n->in[TARGETS]->len) : NULL;
  if (lengths == NULL) return nx_status(C);
  c->times = (const int64_t *)(void *)times->data;
  c->lengths = (const int64_t *)(void *)lengths->data;
  if (place_labels(C, n, c) || check_labels(C, n, c)) return nx_status(C);
  shape[0] = c->batch;
  shape[1] = c->time;
  shape[2] = 2 * c->most + 1;
  alpha = nx_new(C, NEAP_F64, 3, shape);
  if (alpha) c->alpha = (double *)(void *)alpha->data;
  return nx_status(C);
}


static int ctc_each_shape (nx_ctx *C, nx_node *n) {
  if (check_shapes(C, n) == 0)
    nx_out(C, n, 0, n->in[LOG_PROBS]->dtype, 1, &n->in[LOG_PROBS]->shape[1]);
  return nx_status(C);
}

static int ctc_each_forward (nx_ctx *C, nx_node *n) {
  nx_tensor *loss;
  ctc c;
  if (prepare(C, n, &c)) return nx_status(C);
  loss = nx_new(C, NEAP_F64, 1, &c.batch);
  if (loss == NULL) return nx_status(C);
  c.loss = (double *)(void *)loss->data;
  nx_pieces(C, c.batch, c.time * (2 * c.most + 1) * 16, each_sample, &c);
  return nx_copy(C, n->out[0], loss);
}

static int ctc_each_fused (nx_ctx *C, nx_node *n, nx_tensor **gy,
                           nx_tensor **gx) {
  nx_tensor *x = n->in[LOG_PROBS], *g, *weight, *work;
  int64_t size;
  ctc c;
  if (!n->wants[LOG_PROBS] || prepare(C, n, &c)) return nx_status(C);
  size = c.batch * (2 * c.most + 2);
  g = nx_zeros(C, NEAP_F64, x->ndim, x->shape);
  work = nx_new(C, NEAP_F64, 1, &size);    /* losses, then rows of b */
  weight = nx_typed(C, gy[0], NEAP_F64);
  weight = weight ? nx_dense(C, weight) : NULL;
  if (g == NULL || work == NULL || weight == NULL) return nx_status(C);
  c.g = (double *)(void *)g->data;
  c.loss = (double *)(void *)work->data;
  c.gy = (const double *)(void *)weight->data;
  nx_pieces(C, c.batch, c.time * (2 * c.most + 1) * 32, each_sample, &c);
  gx[LOG_PROBS] = nx_typed(C, g, x->dtype);
  return nx_status(C);
}

const nx_op nx_op_ctc_each = {
  .name = "ctc_each", .doc = "Minus log p of the labels of each sample.",
  .inputs = "log_probs targets input_lengths target_lengths",
  .outputs = "y", .fields = ctc_fields, .argsize = sizeof(ctc_args),
  .saves = "log_probs targets input_lengths target_lengths",
  .flags = NX_INNER, .shape = ctc_each_shape, .forward = ctc_each_forward,
  .fused = NX_LEARN(ctc_each_fused)
};


/* the mean divides each loss by the number of its labels first */
static int ctc_loss_compose (nx_ctx *C, nx_node *n) {
  const ctc_args *a = n->a;
  nx_tensor *each, *labels;
  ctc_args copy = *a;
  if (check_shapes(C, n)) return nx_status(C);
  each = nx_apply(C, &nx_op_ctc_each, &copy, 4, n->in);
  if (each == NULL || a->reduction != NX_MEAN)
    return nx_reduce_loss(C, n, each, a->reduction);
  labels = nx_to(C, n->in[LENGTHS], each->dtype);
  labels = nx_maximum(C, labels, NUM(1));
  return nx_composed(C, n, nx_mean_all(C, DIV(each, labels)));
}

const nx_op nx_op_ctc_loss = {
  .name = "ctc_loss",
  .doc = "Minus the logarithm of the probability of labels, over all ways to "
         "spread them over time (Graves et al. 2006). log_probs: (time, "
         "batch, classes).",
  .inputs = "log_probs targets input_lengths target_lengths",
  .outputs = "y", .fields = ctc_fields, .argsize = sizeof(ctc_args),
  .compose = ctc_loss_compose
};
