/*
** Quantiles, and numbers in place of what is none.
*/
#include <math.h>
#include <string.h>
#include "op/composed.h"

typedef struct quantile_args {
  int64_t dim;
  int keepdim, interpolation;
} quantile_args;

enum { LINEAR, LOWER, HIGHER, NEAREST, MIDPOINT };

static const nx_field quantile_fields[] = {
  NX_DIM(quantile_args, dim, NX_UNSET, "dimension to look along; none: all"),
  NX_BOOL(quantile_args, keepdim, 0, "keep the dimension with size 1"),
  NX_ENUM(quantile_args, interpolation,
          "linear lower higher nearest midpoint", LINEAR,
          "what to do between two elements"),
  NX_END
};


/* how far between its neighbours a place is taken to be */
static double between (int interpolation, double rest, double place) {
  switch (interpolation) {
    case LOWER: return 0;
    case HIGHER: return rest > 0;
    case NEAREST: return rint(place) > place - rest;
    case MIDPOINT: return rest > 0 ? 0.5 : 0;
    default: return rest;
  }
}

/*
** Places in a sorted row of n elements for each q: positions of the lower
** neighbour and of the upper one, and the share of the upper one.
*/
static int places (nx_ctx *C, nx_node *n, nx_tensor *q, int64_t size,
                   nx_tensor **low, nx_tensor **high, nx_tensor **share) {
  const quantile_args *a = n->a;
  *low = nx_new(C, NEAP_I64, 1, &q->len);
  *high = nx_new(C, NEAP_I64, 1, &q->len);
  *share = nx_new(C, NEAP_F64, 1, &q->len);
  if (nx_status(C)) return nx_status(C);
  for (int64_t i = 0; i < q->len; i++) {
    double v = ((const double *)q->data)[i], place = v * (double)(size - 1);
    int64_t at;
    if (!(v >= 0 && v <= 1))
      return nx_op_fail(C, n, NEAP_EARG, "q[%lld] is %g, expected 0 to 1",
                        (long long)i + C->base, v);
    at = (int64_t)floor(place);
    ((int64_t *)(*low)->data)[i] = at;
    ((int64_t *)(*high)->data)[i] = at + 1 < size ? at + 1 : at;
    ((double *)(*share)->data)[i] =
      between(a->interpolation, place - floor(place), place);
  }
  return 0;
}


/* the lower one alone where the share is 0: the upper may be infinite */
static nx_tensor *lerp (nx_ctx *C, nx_tensor *low, nx_tensor *high,
                        nx_tensor *share) {
  nx_tensor *zero = NUM(0), *whole = nx_eq(C, share, NUM(1));
  nx_tensor *y = ADD(low, MUL(SUB(high, low), share));
  y = nx_where(C, nx_eq(C, share, zero), low, y);
  return nx_where(C, whole, high, y);
}

/* NaN where the sorted row x ends with it */
static nx_tensor *with_nan (nx_ctx *C, nx_tensor *y, nx_tensor *x) {
  nx_tensor *last = x ? nx_narrow(C, x, -1, x->shape[x->ndim - 1] - 1, 1)
                      : NULL;
  return nx_where(C, nx_eq(C, last, last), y, last);
}


/*
** The result has q's dimension in front (none if q is one number).
*/
static int quantile_compose (nx_ctx *C, nx_node *n) {
  quantile_args *a = n->a;
  nx_tensor *x = n->in[0], *q, *low, *high, *share, *y;
  nx_ints order = {0, {0}}, last;
  int all = a->dim == NX_UNSET_INT, ndim = x->ndim;
  char text[NX_SHAPE_TEXT];
  if (nx_want_float(C, n, 0)) return nx_status(C);
  if (n->in[1]->ndim > 1)
    return nx_op_fail(C, n, NEAP_ESHAPE, "q is %s, expected a number or one "
                      "dimension", nx_shape_of(n->in[1], text));
  if (x->len == 0) return nx_fail_empty(C, n);
  if (all) {
    x = nx_reshape(C, x, 1, &x->len);
    a->dim = 0;
  }
  if (x == NULL || nx_dim(C, n->op->name, x, &a->dim)) return nx_status(C);
  q = nx_typed(C, n->in[1], NEAP_F64);
  q = q ? nx_dense(C, q) : NULL;
  if (q == NULL ||
      places(C, n, q, x->ndim ? x->shape[a->dim] : 1, &low, &high, &share))
    return nx_status(C);
  if (x->ndim == 0) x = nx_reshape(C, x, 1, &(int64_t){1});
  for (int d = 0; x && d < x->ndim; d++)
    if (d != a->dim) order.v[order.n++] = d;
  order.v[order.n++] = a->dim;
  x = nx_sort(C, nx_permute(C, x, order), -1);     /* the dimension last */
  share = share ? nx_to(C, share, n->in[0]->dtype) : NULL;
  y = nx_index_select(C, x, -1, low, 0);
  y = lerp(C, y, nx_index_select(C, x, -1, high, 0), share);
  y = with_nan(C, y, x);
  if (y == NULL) return nx_status(C);
  last.n = y->ndim;                                /* q first */
  for (int d = 0; d < y->ndim; d++) last.v[d] = d == 0 ? y->ndim - 1 : d - 1;
  y = nx_permute(C, y, last);
  if (y && a->keepdim) {
    if (all)
      for (int d = 0; d < ndim; d++) y = nx_unsqueeze(C, y, 1);
    else y = nx_unsqueeze(C, y, a->dim + 1);
  }
  if (y && n->in[1]->ndim == 0) y = nx_select(C, y, 0, 0);
  return nx_composed(C, n, y);
}

const nx_op nx_op_quantile = {
  .name = "quantile",
  .doc = "The number below which a share q of the elements lies.",
  .inputs = "x q", .outputs = "y", .fields = quantile_fields,
  .argsize = sizeof(quantile_args), .compose = quantile_compose
};


typedef struct nan_args { double nan, posinf, neginf; } nan_args;

static const nx_field nan_fields[] = {
  NX_NUMBER(nan_args, nan, 0, "what NaN becomes"),
  NX_NUMBER(nan_args, posinf, NX_UNSET,
            "what infinity becomes; none: the largest number"),
  NX_NUMBER(nan_args, neginf, NX_UNSET,
            "what -infinity becomes; none: the smallest number"),
  NX_END
};

static int nan_to_num_compose (nx_ctx *C, nx_node *n) {
  const nan_args *a = n->a;
  nx_tensor *x = n->in[0];
  double most = x->dtype == NEAP_F32 ? 3.402823466e38 : 1.7976931348623157e308;
  double high = a->posinf == NX_UNSET ? most : a->posinf;
  double low = a->neginf == NX_UNSET ? -most : a->neginf;
  if (!nx_is_float(x->dtype)) return nx_composed(C, n, nx_clone(C, x));
  x = nx_where(C, nx_eq(C, x, NUM(INFINITY)), NUM(high), x);
  x = nx_where(C, nx_eq(C, x, NUM(-INFINITY)), NUM(low), x);
  return nx_composed(C, n, nx_where(C, nx_eq(C, x, x), x, NUM(a->nan)));
}

const nx_op nx_op_nan_to_num = {
  .name = "nan_to_num", .doc = "x with numbers for NaN and infinity.",
  .inputs = "x", .outputs = "y", .fields = nan_fields,
  .argsize = sizeof(nan_args), .compose = nan_to_num_compose
};


typedef struct logit_args { double eps; } logit_args;

static const nx_field logit_fields[] = {
  NX_NUMBER(logit_args, eps, NX_UNSET,
            "x counts as eps at least and 1 - eps at most"),
  NX_END
};

static int logit_compose (nx_ctx *C, nx_node *n) {
  double eps = ((logit_args *)n->a)->eps;
  nx_tensor *x = n->in[0];
  if (nx_want_float(C, n, 0)) return nx_status(C);
  if (eps != NX_UNSET)
    x = nx_minimum(C, nx_maximum(C, x, NUM(eps)), NUM(1 - eps));
  return nx_composed(C, n, SUB(nx_log(C, x), nx_log1p(C, nx_neg(C, x))));
}

const nx_op nx_op_logit = {
  .name = "logit", .doc = "log(x / (1 - x)), the inverse of sigmoid.",
  .inputs = "x", .outputs = "y", .fields = logit_fields,
  .argsize = sizeof(logit_args), .compose = logit_compose
};
