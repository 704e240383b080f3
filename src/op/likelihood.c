/*
** Losses that are negative logarithms of a likelihood: binary, Poisson and
** Gaussian; divergence of distributions; focal and Dice.
*/
#include "op/composed.h"
#include "op/loss.h"

enum { X, TARGET, WEIGHT, POS_WEIGHT };

static nx_tensor *optional (const nx_node *n, int i) {
  return i < n->nin ? n->in[i] : NULL;
}

/* each, times a weight that broadcasts to it */
static nx_tensor *weighted (nx_ctx *C, const nx_node *n, nx_tensor *each) {
  nx_tensor *w = optional(n, WEIGHT);
  if (w == NULL || each == NULL) return each;
  if (w->dtype != each->dtype) {
    nx_op_fail(C, n, NEAP_EDTYPE, "weight is %s, expected %s as x is",
               nx_dtype_name(w->dtype), nx_dtype_name(each->dtype));
    return NULL;
  }
  return MUL(each, w);
}


typedef struct binary_args { int reduction; } binary_args;

static const nx_field binary_fields[] = {NX_REDUCTION(binary_args), NX_END};

/*
** bce: -(t log x + (1 - t) log(1 - x)), with logarithms of at least -100,
** as PyTorch has it; its gradient (x - t) / (x (1 - x)), with a divisor of
** at least 1e-12, is finite at 0 and 1, where that of log is not.
*/
static int bce_each_shape (nx_ctx *C, nx_node *n) {
  if (nx_want_alike(C, n, 0, 1) == 0) nx_out_like(C, n, 0, n->in[0]);
  return nx_status(C);
}

static int bce_each_forward (nx_ctx *C, nx_node *n) {
  nx_tensor *x = n->in[X], *t = n->in[TARGET], *a, *b;
  nx_tensor *one = NUM(1), *least = NUM(-100);
  a = nx_maximum(C, nx_log(C, x), least);
  b = nx_maximum(C, nx_log1p(C, nx_neg(C, x)), least);
  a = SUB(MUL(SUB(t, one), b), MUL(t, a));
  return a ? nx_copy(C, n->out[0], a) : nx_status(C);
}

static int bce_each_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                          nx_tensor **gx) {
  nx_tensor *x = n->in[X], *t = n->in[TARGET], *one = NUM(1);
  nx_tensor *q = SUB(one, x), *least = NUM(-100);
  if (n->wants[X])
    gx[X] = MUL(gy[0], DIV(SUB(x, t), nx_maximum(C, MUL(x, q),
                                                 NUM(1e-12))));
  if (n->wants[TARGET])
    gx[TARGET] = MUL(gy[0], SUB(nx_maximum(C, nx_log(C, q), least),
                                nx_maximum(C, nx_log(C, x), least)));
  return nx_status(C);
}

const nx_op nx_op_bce_each = {
  .name = "bce_each", .doc = "Binary cross entropy of each element.",
  .inputs = "x target", .outputs = "y", .saves = "x target",
  .flags = NX_INNER, .shape = bce_each_shape, .forward = bce_each_forward,
  .grad = NX_LEARN(bce_each_grad)
};

/* x are probabilities, or this fails with one that is none */
static int want_probabilities (nx_ctx *C, const nx_node *n) {
  nx_tensor *x = n->in[X], *bad;
  if (x->len == 0) return 0;
  bad = nx_logical_or(C, nx_lt(C, x, NUM(0)), nx_gt(C, x, NUM(1)));
  bad = bad ? nx_any_all(C, bad) : NULL;
  if (bad == NULL || !*bad->data) return nx_status(C);
  return nx_op_fail(C, n, NEAP_EARG, "x must hold probabilities, from 0 to 1 "
                    "(for logits there is "
                    "binary_cross_entropy_with_logits)");
}

static int binary_cross_entropy_compose (nx_ctx *C, nx_node *n) {
  if (nx_want_alike(C, n, X, TARGET) || want_probabilities(C, n))
    return nx_status(C);
  return nx_reduce_loss(C, n, weighted(C, n, nx_apply(C, &nx_op_bce_each, NULL,
                                                  2, n->in)),
                    ((binary_args *)n->a)->reduction);
}

const nx_op nx_op_binary_cross_entropy = {
  .name = "binary_cross_entropy",
  .doc = "-(t log x + (1 - t) log(1 - x)) for probabilities x and targets t "
         "from 0 to 1.",
  .inputs = "x target weight?", .outputs = "y", .fields = binary_fields,
  .argsize = sizeof(binary_args), .compose = binary_cross_entropy_compose
};


/*
** The same for logits: (1 - t) x - (1 + (w - 1) t) log sigmoid(x), finite
** for any x, with w = pos_weight.
*/
static nx_tensor *logits_each (nx_ctx *C, nx_node *n) {
  nx_tensor *x = n->in[X], *t = n->in[TARGET], *w = optional(n, POS_WEIGHT);
  nx_tensor *log = nx_logsigmoid(C, x), *one = NUM(1);
  if (w) log = MUL(log, ADD(MUL(SUB(w, one), t), one));
  return SUB(MUL(SUB(one, t), x), log);
}

static int binary_cross_entropy_with_logits_compose (nx_ctx *C, nx_node *n) {
  nx_tensor *w = optional(n, POS_WEIGHT);
  if (nx_want_alike(C, n, X, TARGET)) return nx_status(C);
  if (w && w->dtype != n->in[X]->dtype)
    return nx_op_fail(C, n, NEAP_EDTYPE, "pos_weight is %s, expected %s as x "
                      "is", nx_dtype_name(w->dtype),
                      nx_dtype_name(n->in[X]->dtype));
  return nx_reduce_loss(C, n, weighted(C, n, logits_each(C, n)),
                    ((binary_args *)n->a)->reduction);
}

const nx_op nx_op_binary_cross_entropy_with_logits = {
  .name = "binary_cross_entropy_with_logits",
  .doc = "Binary cross entropy of sigmoid(x); pos_weight is the factor of "
         "targets 1.",
  .inputs = "x target weight? pos_weight?", .outputs = "y",
  .fields = binary_fields, .argsize = sizeof(binary_args),
  .compose = binary_cross_entropy_with_logits_compose
};


/*
** Focal loss: the binary cross entropy of logits, times (1 - p)^gamma with
** p the probability of what is true, times alpha for 1 and 1 - alpha for 0
** (Lin et al. 2017, equation 5).
*/
typedef struct focal_args {
  double alpha, gamma;
  int reduction;
} focal_args;

static const nx_field focal_fields[] = {
  NX_NUMBER(focal_args, alpha, 0.25, "factor of targets 1; below 0: none"),
  NX_NUMBER(focal_args, gamma, 2, "how much less what is right counts"),
  NX_REDUCTION(focal_args), NX_END
};

static int sigmoid_focal_loss_compose (nx_ctx *C, nx_node *n) {
  const focal_args *a = n->a;
  nx_tensor *t = n->in[TARGET], *p, *wrong, *each, *one = NUM(1);
  if (nx_want_alike(C, n, X, TARGET)) return nx_status(C);
  p = nx_sigmoid(C, n->in[X]);
  wrong = ADD(MUL(p, SUB(one, t)), MUL(SUB(one, p), t));
  each = MUL(logits_each(C, n), nx_pow(C, wrong, NUM(a->gamma)));
  if (a->alpha >= 0)
    each = MUL(each, ADD(MUL(t, NUM(2 * a->alpha - 1)), NUM(1 - a->alpha)));
  return nx_reduce_loss(C, n, each, a->reduction);
}

const nx_op nx_op_sigmoid_focal_loss = {
  .name = "sigmoid_focal_loss",
  .doc = "Binary cross entropy of logits in which what is right already "
         "counts less (Lin et al. 2017).",
  .inputs = "x target", .outputs = "y", .fields = focal_fields,
  .argsize = sizeof(focal_args), .compose = sigmoid_focal_loss_compose
};


/*
** Dice loss of each sample: 1 - (2 sum x t + s) / (sum x + sum t + s)
** (Milletari et al. 2016, with sums in the divisor, as most use it).
*/
typedef struct dice_args {
  double smooth;
  int reduction;
} dice_args;

static const nx_field dice_fields[] = {
  NX_NUMBER(dice_args, smooth, 1, "added above and below"),
  NX_REDUCTION(dice_args), NX_END
};

static int dice_loss_compose (nx_ctx *C, nx_node *n) {
  const dice_args *a = n->a;
  nx_tensor *x = n->in[X], *t = n->in[TARGET], *both, *all;
  nx_ints rest = {0, {0}};
  if (nx_want_alike(C, n, X, TARGET)) return nx_status(C);
  if (x->ndim < 2)
    return nx_op_fail(C, n, NEAP_ESHAPE, "x has %d dimensions, expected a "
                      "batch and more", x->ndim);
  for (int d = 1; d < x->ndim; d++) rest.v[rest.n++] = d;
  both = nx_sum(C, MUL(x, t), rest, 0);
  all = nx_sum(C, ADD(x, t), rest, 0);
  both = DIV(ADD(MUL(both, NUM(2)), NUM(a->smooth)),
             ADD(all, NUM(a->smooth)));
  return nx_reduce_loss(C, n, SUB(NUM(1), both), a->reduction);
}

const nx_op nx_op_dice_loss = {
  .name = "dice_loss",
  .doc = "1 - the overlap of probabilities x and targets in each sample, of "
         "its whole (Milletari et al. 2016).",
  .inputs = "x target", .outputs = "y", .fields = dice_fields,
  .argsize = sizeof(dice_args), .compose = dice_loss_compose
};


/*
** kl_div: t (log t - x) for log-probabilities x, where 0 log 0 is 0.
*/
typedef struct kl_args { int reduction, log_target; } kl_args;

enum { BATCHMEAN = 3 };

static const nx_field kl_fields[] = {
  NX_ENUM(kl_args, reduction, "none mean sum batchmean", NX_MEAN,
          "batchmean is the divergence: the sum over the batch's size; mean "
          "divides by all elements"),
  NX_BOOL(kl_args, log_target, 0, "target holds logarithms too"),
  NX_END
};

static nx_tensor *t_log_t (nx_ctx *C, nx_tensor *t) {
  nx_tensor *some = nx_gt(C, t, NUM(0)), *zero = NUM(0);
  nx_tensor *safe = some ? nx_where(C, some, t, NUM(1)) : NULL;
  return nx_where(C, some, MUL(t, nx_log(C, safe)), zero);
}

static int kl_div_compose (nx_ctx *C, nx_node *n) {
  const kl_args *a = n->a;
  nx_tensor *x = n->in[X], *t = n->in[TARGET], *each;
  if (nx_want_alike(C, n, X, TARGET)) return nx_status(C);
  each = a->log_target ? MUL(nx_exp(C, t), SUB(t, x))
                       : SUB(t_log_t(C, t), MUL(t, x));
  if (a->reduction != BATCHMEAN)
    return nx_reduce_loss(C, n, each, a->reduction);
  if (x->ndim == 0)
    return nx_op_fail(C, n, NEAP_ESHAPE, "x has no batch dimension");
  each = each ? nx_sum_all(C, each) : NULL;
  return nx_composed(C, n, DIV(each, NUM((double)x->shape[0])));
}

const nx_op nx_op_kl_div = {
  .name = "kl_div",
  .doc = "Kullback-Leibler divergence of targets from log-probabilities x.",
  .inputs = "x target", .outputs = "y", .fields = kl_fields,
  .argsize = sizeof(kl_args), .compose = kl_div_compose
};


/*
** poisson_nll_loss: e^x - t x, or x - t log(x + eps); 'full' adds
** Stirling's approximation of log t!, for t above 1.
*/
typedef struct poisson_args {
  int log_input, full, reduction;
  double eps;
} poisson_args;

static const nx_field poisson_fields[] = {
  NX_BOOL(poisson_args, log_input, 1, "x is the logarithm of the rate"),
  NX_BOOL(poisson_args, full, 0, "with an approximation of log t!"),
  NX_NUMBER(poisson_args, eps, 1e-8, "added to x inside the logarithm"),
  NX_REDUCTION(poisson_args), NX_END
};

/* t log t - t + log(2 pi t) / 2 */
static nx_tensor *stirling (nx_ctx *C, nx_tensor *t) {
  nx_tensor *above = nx_gt(C, t, NUM(1)), *zero = NUM(0);
  nx_tensor *safe = above ? nx_where(C, above, t, NUM(1)) : NULL;
  nx_tensor *log = safe ? nx_log(C, safe) : NULL;
  nx_tensor *half = MUL(ADD(log, NUM(1.8378770664093453)), NUM(0.5));
  return nx_where(C, above, ADD(SUB(MUL(safe, log), safe), half), zero);
}

static int poisson_nll_loss_compose (nx_ctx *C, nx_node *n) {
  const poisson_args *a = n->a;
  nx_tensor *x = n->in[X], *t = n->in[TARGET], *each;
  if (nx_want_alike(C, n, X, TARGET)) return nx_status(C);
  each = a->log_input
    ? SUB(nx_exp(C, x), MUL(t, x))
    : SUB(x, MUL(t, nx_log(C, ADD(x, NUM(a->eps)))));
  if (a->full) each = ADD(each, stirling(C, t));
  return nx_reduce_loss(C, n, each, a->reduction);
}

const nx_op nx_op_poisson_nll_loss = {
  .name = "poisson_nll_loss",
  .doc = "Negative log-likelihood of counts under Poisson distributions.",
  .inputs = "x target", .outputs = "y", .fields = poisson_fields,
  .argsize = sizeof(poisson_args), .compose = poisson_nll_loss_compose
};


/*
** gaussian_nll_loss: (log v + (x - t)^2 / v) / 2, with v the variance, at
** least eps; 'full' adds log(2 pi) / 2.
*/
typedef struct gaussian_args {
  int full, reduction;
  double eps;
} gaussian_args;

static const nx_field gaussian_fields[] = {
  NX_BOOL(gaussian_args, full, 0, "with the constant log(2 pi) / 2"),
  NX_NUMBER(gaussian_args, eps, 1e-6, "least variance"),
  NX_REDUCTION(gaussian_args), NX_END
};

/* the variances in a shape that broadcasts to x: as x, with a last
   dimension of 1, or without it */
static nx_tensor *variances (nx_ctx *C, nx_node *n) {
  nx_tensor *x = n->in[X], *v = n->in[2];
  char vt[NX_SHAPE_TEXT], xt[NX_SHAPE_TEXT];
  int fits = v->dtype == x->dtype &&
             (v->ndim == x->ndim || v->ndim == x->ndim - 1), last;
  for (int d = 0; fits && d + 1 < x->ndim; d++)
    fits = v->shape[d] == x->shape[d];
  last = fits && v->ndim == x->ndim && x->ndim > 0;
  if (last) fits = v->shape[x->ndim - 1] == x->shape[x->ndim - 1] ||
                   v->shape[x->ndim - 1] == 1;
  if (fits) return v->ndim < x->ndim ? nx_unsqueeze(C, v, -1) : v;
  nx_op_fail(C, n, NEAP_ESHAPE, "var (%s %s) must be like x (%s %s), or lack "
             "its last dimension", nx_dtype_name(v->dtype),
             nx_shape_of(v, vt), nx_dtype_name(x->dtype),
             nx_shape_of(x, xt));
  return NULL;
}

static int gaussian_nll_loss_compose (nx_ctx *C, nx_node *n) {
  const gaussian_args *a = n->a;
  nx_tensor *v, *d, *each;
  if (nx_want_alike(C, n, X, TARGET)) return nx_status(C);
  if ((v = variances(C, n)) == NULL) return nx_status(C);
  v = nx_maximum(C, v, NUM(a->eps));
  d = SUB(n->in[X], n->in[TARGET]);
  each = MUL(ADD(nx_log(C, v), DIV(MUL(d, d), v)), NUM(0.5));
  if (a->full) each = ADD(each, NUM(0.9189385332046727));
  return nx_reduce_loss(C, n, each, a->reduction);
}

const nx_op nx_op_gaussian_nll_loss = {
  .name = "gaussian_nll_loss",
  .doc = "Negative log-likelihood of targets under normal distributions of "
         "mean x and variance var.",
  .inputs = "x target var", .outputs = "y", .fields = gaussian_fields,
  .argsize = sizeof(gaussian_args), .compose = gaussian_nll_loss_compose
};
