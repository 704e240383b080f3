/*
** cross_entropy: softmax and the negative logarithm of the likelihood in
** one.
**
** With p = softmax(x), a row's loss is sum_c q_c (lse - x_c), where lse is
** log(sum(e^x)) and q the weighted, smoothed target:
**   label t:       q_c = (1 - s) w_t [c = t] + (s / K) w_c
**   probabilities: q_c = ((1 - s) t_c + s / K) w_c
** so its gradient is A p_c - q_c with A = sum_c q_c. The mean divides by
** the sum of w_t over the rows that are not ignored (by the number of rows
** for probabilities), as PyTorch does.
*/
#include <string.h>
#include "ops.h"
#include "tensor/view.h"

enum { NONE, MEAN, SUM };

typedef struct entropy_args {
  int64_t ignore_index;
  int reduction;
  double label_smoothing;
  int64_t base;
} entropy_args;

static const nx_field entropy_fields[] = {
  NX_INT(entropy_args, ignore_index, -100, "label that counts for nothing"),
  NX_ENUM(entropy_args, reduction, "none mean sum", MEAN,
          "one loss for each row, their mean or sum"),
  NX_NUMBER(entropy_args, label_smoothing, 0,
            "share of the target spread over all classes"),
  NX_BASE(entropy_args, base),
  NX_END
};


/* the class dimension: second, or the only one */
static int class_dim (const nx_tensor *x) { return x->ndim > 1; }


static int by_label (const nx_node *n) {
  return !nx_is_float(n->in[1]->dtype);
}


/* x (a, b, classes) with labels (a, b): of a sequence */
static int is_sequence (const nx_tensor *x, const nx_tensor *t) {
  return x->ndim == 3 && t->ndim == 2 && t->shape[0] == x->shape[0] &&
         t->shape[1] == x->shape[1];
}

static int check_target (nx_ctx *C, const nx_node *n) {
  const nx_tensor *x = n->in[0], *t = n->in[1];
  char xt[NX_SHAPE_TEXT], tt[NX_SHAPE_TEXT];
  int fits, k = class_dim(x);
  if (!by_label(n) && t->ndim < x->ndim) return nx_want_whole(C, n, 1);
  if (!by_label(n)) fits = nx_same_shape(x, t) && x->dtype == t->dtype;
  else {
    if (nx_want_whole(C, n, 1)) return nx_status(C);
    fits = t->ndim == x->ndim - 1;
    for (int d = 0; fits && d < t->ndim; d++)
      fits = t->shape[d] == x->shape[d < k ? d : d + 1];
  }
  if (fits) return 0;
  return nx_op_fail(C, n, NEAP_ESHAPE, "target (%s %s) does not fit x (%s "
                    "%s): expected a label for each row or probabilities in "
                    "the shape of x%s", nx_dtype_name(t->dtype),
                    nx_shape_of(t, tt), nx_dtype_name(x->dtype),
                    nx_shape_of(x, xt), is_sequence(x, t) ? " (classes are "
                    "dimension 2; of (steps, batch, classes) it takes "
                    "x:flatten(1, 2) and target:flatten())" : "");
}


static int cross_entropy_shape (nx_ctx *C, nx_node *n) {
  entropy_args *a = n->a;
  nx_tensor *x = n->in[0], *w = n->nin > 2 ? n->in[2] : NULL;
  int64_t shape[NEAP_MAXDIM];
  int ndim = 0;
  char text[NX_SHAPE_TEXT];
  if (nx_want_float(C, n, 0)) return nx_status(C);
  if (x->ndim == 0)
    return nx_op_fail(C, n, NEAP_ESHAPE, "x has no class dimension");
  if (check_target(C, n)) return nx_status(C);
  if (w && (w->ndim != 1 || w->len != x->shape[class_dim(x)] ||
            w->dtype != x->dtype))
    return nx_op_fail(C, n, NEAP_ESHAPE, "weight (%s %s) must have one %s "
                      "for each of the %lld classes",
                      nx_dtype_name(w->dtype), nx_shape_of(w, text),
                      nx_dtype_name(x->dtype),
                      (long long)x->shape[class_dim(x)]);
  if (!(a->label_smoothing >= 0 && a->label_smoothing <= 1))
    return nx_op_fail(C, n, NEAP_EARG, "label_smoothing is %g, expected 0 "
                      "to 1", a->label_smoothing);
  for (int d = 0; d < x->ndim; d++)
    if (d != class_dim(x)) shape[ndim++] = x->shape[d];
  nx_out(C, n, 0, x->dtype, a->reduction == NONE ? ndim : 0, shape);
  nx_out(C, n, 1, x->dtype, ndim, shape);
  return nx_status(C);
}


/* x with the classes last, in row order; 'back' undoes the move */
static nx_tensor *move_dim (nx_ctx *C, nx_tensor *x, int from, int to) {
  nx_tensor *v = nx_alias(C, x);
  int step = from < to ? 1 : -1;
  if (v == NULL) return NULL;
  for (int d = from; d != to; d += step) {
    v->shape[d] = x->shape[d + step];
    v->stride[d] = x->stride[d + step];
  }
  v->shape[to] = x->shape[from];
  v->stride[to] = x->stride[from];
  return v;
}

static nx_tensor *class_rows (nx_ctx *C, nx_tensor *x) {
  x = move_dim(C, x, class_dim(x), x->ndim - 1);
  return x ? nx_dense(C, x) : NULL;
}


/*
** What forward and gradient work on: dense rows, labels from 0 (-1: to be
** ignored), weights as double.
*/
typedef struct entropy {
  const nx_kernels *K;
  int wide;                            /* double, not float */
  int64_t rows, classes;
  double smoothing, total_w;           /* sum of all class weights */
  const char *x, *p;                   /* p: probabilities, or NULL */
  const int64_t *label;
  const double *w;                     /* NULL: all 1 */
  char *lse, *loss;                    /* forward */
  const char *g;                       /* gradient: of each row or of all */
  int64_t gstep;
  double scale;
  char *gx;
} entropy;

static double at (const entropy *e, const char *p, int64_t i) {
  return e->wide ? ((const double *)p)[i] : ((const float *)p)[i];
}

static void put (const entropy *e, char *p, int64_t i, double v) {
  if (e->wide) ((double *)p)[i] = v;
  else ((float *)p)[i] = (float)v;
}

static const char *row (const entropy *e, const char *p, int64_t i) {
  return p + i * e->classes * (e->wide ? 8 : 4);
}

static double weight (const entropy *e, int64_t c) {
  return e->w ? e->w[c] : 1;
}


/*
** Labels from 0, each checked; those to be ignored become -1.
*/
static int read_labels (nx_ctx *C, const nx_node *n, entropy *e) {
  const entropy_args *a = n->a;
  nx_tensor *t = nx_typed(C, n->in[1], NEAP_I64), *labels;
  int64_t *to;
  if (t == NULL || (t = nx_dense(C, t)) == NULL) return nx_status(C);
  labels = nx_new_like(C, t);
  if (labels == NULL) return nx_status(C);
  to = (int64_t *)labels->data;
  for (int64_t i = 0; i < t->len; i++) {
    int64_t given = ((int64_t *)t->data)[i];
    to[i] = given == a->ignore_index ? -1 : given - a->base;
    if (to[i] < -1 || to[i] >= e->classes ||
        (to[i] == -1 && given != a->ignore_index))
      return nx_op_fail(C, n, NEAP_EINDEX, "target[%lld] is %lld, but the "
                        "classes are %lld to %lld", (long long)i + C->base,
                        (long long)given, (long long)a->base,
                        (long long)(e->classes - 1 + a->base));
  }
  e->label = to;
  return 0;
}


static int prepare (nx_ctx *C, const nx_node *n, entropy *e) {
  const entropy_args *a = n->a;
  nx_tensor *x = n->in[0], *w = n->nin > 2 ? n->in[2] : NULL, *r;
  memset(e, 0, sizeof(*e));
  e->K = nx_kernels_for(C, x->dtype);
  e->wide = x->dtype == NEAP_F64;
  e->classes = x->shape[class_dim(x)];
  e->rows = e->classes ? x->len / e->classes : n->out[1]->len;
  e->smoothing = a->label_smoothing;
  e->total_w = (double)e->classes;
  if ((r = class_rows(C, x)) == NULL) return nx_status(C);
  e->x = r->data;
  if (w) {
    nx_tensor *d = nx_typed(C, w, NEAP_F64);
    if (d == NULL || (d = nx_dense(C, d)) == NULL) return nx_status(C);
    e->w = (const double *)d->data;
    e->total_w = 0;
    for (int64_t c = 0; c < e->classes; c++) e->total_w += e->w[c];
  }
  if (by_label(n)) return read_labels(C, n, e);
  if ((r = class_rows(C, n->in[1])) == NULL) return nx_status(C);
  e->p = r->data;
  return 0;
}


/*
** The divisor of the mean.
*/
static double divisor (const nx_node *n, const entropy *e) {
  const entropy_args *a = n->a;
  double sum = 0;
  if (a->reduction != MEAN) return 1;
  if (e->p) return (double)e->rows;
  for (int64_t i = 0; i < e->rows; i++)
    if (e->label[i] >= 0) sum += weight(e, e->label[i]);
  return sum;
}


/* q_c of a row with probabilities */
static double mixed (const entropy *e, const char *p, int64_t c) {
  return ((1 - e->smoothing) * at(e, p, c) +
          e->smoothing / (double)e->classes) * weight(e, c);
}


static double row_loss (const entropy *e, int64_t i, double lse) {
  const char *x = row(e, e->x, i);
  double sum = 0;
  int64_t t;
  if (e->p) {
    const char *p = row(e, e->p, i);
    for (int64_t c = 0; c < e->classes; c++) {
      double q = mixed(e, p, c);
      if (q != 0) sum += q * (lse - at(e, x, c));
    }
    return sum;
  }
  t = e->label[i];
  if (t < 0) return 0;
  if (e->smoothing > 0) {
    for (int64_t c = 0; c < e->classes; c++)
      sum += weight(e, c) * (lse - at(e, x, c));
    sum *= e->smoothing / (double)e->classes;
  }
  return sum + (1 - e->smoothing) * weight(e, t) * (lse - at(e, x, t));
}

static void loss_rows (void *arg, int64_t first, int64_t last) {
  const entropy *e = arg;
  int64_t size = e->wide ? 8 : 4;
  for (int64_t i = first; i < last; i++) {
    e->K->logsumexp((size_t)e->classes, row(e, e->x, i), e->lse + i * size);
    put(e, e->loss, i, row_loss(e, i, at(e, e->lse, i)));
  }
}

static int cross_entropy_forward (nx_ctx *C, nx_node *n) {
  const entropy_args *a = n->a;
  nx_tensor *y = n->out[0], *loss = y;
  double c[2] = {0, 0};
  entropy e;
  if (prepare(C, n, &e)) return nx_status(C);
  if (a->reduction != NONE && (loss = nx_new_like(C, n->out[1])) == NULL)
    return nx_status(C);
  e.lse = n->out[1]->data;
  e.loss = loss->data;
  nx_pieces(C, e.rows, 8 * (e.classes + 1), loss_rows, &e);
  if (a->reduction == NONE) return 0;
  e.K->sum((size_t)e.rows, loss->data, y->data);
  c[0] = 1 / divisor(n, &e);               /* of no rows: 0 / 0 is NaN */
  return nx_map(C, e.K->scale, c, y, 1, &y);
}


/*
** Gradient rows: g (A p_c - q_c).
*/
static void gradient_rows (void *arg, int64_t first, int64_t last) {
  const entropy *e = arg;
  double spread = e->smoothing / (double)e->classes;
  for (int64_t i = first; i < last; i++) {
    const char *x = row(e, e->x, i);
    char *gx = e->gx + (row(e, e->x, i) - e->x);
    double g = at(e, e->g, i * e->gstep) * e->scale, sum = 0;
    int64_t t = e->p ? 0 : e->label[i];
    if (t < 0) {
      memset(gx, 0, (size_t)e->classes * (e->wide ? 8 : 4));
      continue;
    }
    if (e->p)
      for (int64_t c = 0; c < e->classes; c++)
        sum += mixed(e, row(e, e->p, i), c);
    else sum = (1 - e->smoothing) * weight(e, t) + spread * e->total_w;
    e->K->softened((size_t)e->classes, x, at(e, e->lse, i), g * sum, gx);
    if (e->p)
      for (int64_t c = 0; c < e->classes; c++)
        put(e, gx, c, at(e, gx, c) - g * mixed(e, row(e, e->p, i), c));
    else {
      if (spread > 0)
        for (int64_t c = 0; c < e->classes; c++)
          put(e, gx, c, at(e, gx, c) - g * spread * weight(e, c));
      put(e, gx, t, at(e, gx, t) - g * (1 - e->smoothing) * weight(e, t));
    }
  }
}

/* rows back in the layout of x */
static nx_tensor *from_rows (nx_ctx *C, nx_tensor *rows,
                             const nx_tensor *x) {
  return move_dim(C, rows, x->ndim - 1, class_dim(x));
}

static nx_tensor *rows_like (nx_ctx *C, const nx_tensor *x) {
  int64_t shape[NEAP_MAXDIM];
  int k = class_dim(x), n = 0;
  for (int d = 0; d < x->ndim; d++) if (d != k) shape[n++] = x->shape[d];
  shape[n++] = x->shape[k];
  return nx_new(C, x->dtype, n, shape);
}

static int cross_entropy_fused (nx_ctx *C, nx_node *n, nx_tensor **gy,
                                nx_tensor **gx) {
  const entropy_args *a = n->a;
  nx_tensor *x = n->in[0], *g = nx_dense(C, gy[0]), *rows;
  entropy e;
  if (n->wants[1]) return n->op->grad(C, n, gy, gx);
  rows = rows_like(C, x);
  if (rows == NULL || g == NULL || prepare(C, n, &e)) return nx_status(C);
  e.lse = n->out[1]->data;
  e.g = g->data;
  e.gstep = a->reduction == NONE;
  e.scale = 1 / divisor(n, &e);
  e.gx = rows->data;
  nx_pieces(C, e.rows, 8 * (e.classes + 1), gradient_rows, &e);
  gx[0] = from_rows(C, rows, x);
  return nx_status(C);
}


/*
** q as a tensor in the layout of x, divided as the reduction wants, and
** the sums A in the shape of x with one class.
*/
static nx_tensor *target_mix (nx_ctx *C, const nx_node *n) {
  nx_tensor *x = n->in[0], *rows = rows_like(C, x);
  double k;
  entropy e;
  if (rows == NULL || prepare(C, n, &e)) return NULL;
  k = 1 / divisor(n, &e);
  for (int64_t i = 0; i < e.rows; i++) {
    char *q = rows->data + (row(&e, e.x, i) - e.x);
    for (int64_t c = 0; c < e.classes; c++) {
      double v = e.p ? mixed(&e, row(&e, e.p, i), c)
               : e.label[i] < 0 ? 0
               : e.smoothing / (double)e.classes * weight(&e, c) +
                 (c == e.label[i] ? (1 - e.smoothing) * weight(&e, c) : 0);
      put(&e, q, c, v * k);
    }
  }
  return from_rows(C, rows, x);
}

/* gy for each row, in the shape of x with one class */
static nx_tensor *each_row (nx_ctx *C, const nx_node *n, nx_tensor *gy) {
  const entropy_args *a = n->a;
  const nx_tensor *x = n->in[0];
  int64_t shape[NEAP_MAXDIM];
  if (a->reduction != NONE) return gy;
  memcpy(shape, x->shape, sizeof(shape));
  shape[class_dim(x)] = 1;
  return nx_reshape(C, gy, x->ndim, shape);
}

/* class weights, to be spread over x; NULL: all 1 */
static nx_tensor *class_weights (nx_ctx *C, const nx_node *n) {
  const nx_tensor *x = n->in[0];
  int64_t shape[NEAP_MAXDIM];
  if (n->nin < 3 || n->in[2] == NULL) return NULL;
  for (int d = 0; d < x->ndim; d++)
    shape[d] = d == class_dim(x) ? x->shape[d] : 1;
  return nx_reshape(C, n->in[2], x->ndim, shape);
}

/* the same mix of probabilities in operations, where they are learned */
static nx_tensor *learned_mix (nx_ctx *C, const nx_node *n, double rows) {
  const entropy_args *a = n->a;
  const nx_tensor *x = n->in[0];
  double s = a->label_smoothing, k = (double)x->shape[class_dim(x)];
  nx_tensor *w = class_weights(C, n);
  nx_tensor *q = nx_mul(C, n->in[1], nx_from_number(C, (1 - s) / rows));
  q = nx_add(C, q, nx_from_number(C, s / k / rows));
  return w ? nx_mul(C, q, w) : q;
}

/* gx = gy (A softmax(x) - q), gt = -gy (1 - s) w log_softmax(x) */
static int cross_entropy_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                               nx_tensor **gx) {
  const entropy_args *a = n->a;
  nx_tensor *x = n->in[0], *g = each_row(C, n, gy[0]), *q, *sum, *w;
  double rows = a->reduction == MEAN ? (double)n->out[1]->len : 1;
  int64_t k = class_dim(x);
  nx_ints dim = {1, {k}};
  q = n->wants[1] ? learned_mix(C, n, rows) : target_mix(C, n);
  if (q == NULL || g == NULL) return nx_status(C);
  sum = nx_sum(C, q, dim, 1);
  if (n->wants[0])
    gx[0] = nx_mul(C, g, nx_sub(C, nx_mul(C, nx_softmax(C, x, k), sum), q));
  if (n->wants[1]) {
    w = class_weights(C, n);
    gx[1] = nx_mul(C, nx_mul(C, g, nx_log_softmax(C, x, k)),
                   nx_from_number(C, (a->label_smoothing - 1) / rows));
    if (w) gx[1] = nx_mul(C, gx[1], w);
  }
  return nx_status(C);
}

const nx_op nx_op_cross_entropy = {
  .name = "cross_entropy",
  .doc = "Negative log-likelihood of targets under softmax(x). x is (rows, "
         "classes, ...) or (classes); target holds labels or probabilities.",
  .inputs = "x target weight?", .outputs = "y lse~",
  .fields = entropy_fields, .argsize = sizeof(entropy_args),
  .saves = "x target weight lse", .shape = cross_entropy_shape,
  .forward = cross_entropy_forward, .grad = NX_LEARN(cross_entropy_grad),
  .fused = NX_LEARN(cross_entropy_fused)
};

OPFN nx_tensor *nx_cross_entropy (nx_ctx *C, nx_tensor *x, nx_tensor *target,
                                  nx_tensor *weight, int64_t ignore_index,
                                  int reduction, double label_smoothing) {
  entropy_args a;
  a.ignore_index = ignore_index;
  a.reduction = reduction;
  a.label_smoothing = label_smoothing;
  a.base = C->base;
  return nx_apply(C, &nx_op_cross_entropy, &a, 3,
                  (nx_tensor *[]){x, target, weight});
}
