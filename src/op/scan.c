/*
** Running sums, products, extremes along a dimension.
*/
#include <math.h>
#include <string.h>
#include "ops.h"
#include "op/broadcast.h"
#include "op/fold.h"
#include "tensor/view.h"

typedef struct scan_args { int64_t dim; } scan_args;

static const nx_field scan_fields[] = {
  NX_DIM(scan_args, dim, NX_REQUIRED, "dimension to run along"),
  NX_END
};


/*
** A dense tensor as outer x rows x inner; y like x.
*/
typedef struct scan_job {
  nx_row_fn *row;
  nx_map_fn *join;
  const char *x;
  char *y;
  int64_t rows, inner, size;
} scan_job;

static void scan_rows (void *arg, int64_t first, int64_t last) {
  const scan_job *s = arg;
  for (int64_t i = first; i < last; i++) {
    int64_t at = i * s->rows * s->size;
    s->row((size_t)s->rows, NULL, s->x + at, s->y + at);
  }
}

/* whole rows are joined to the one before */
static void scan_blocks (void *arg, int64_t first, int64_t last) {
  const scan_job *s = arg;
  int64_t bytes = s->inner * s->size;
  for (int64_t i = first; i < last; i++) {
    const char *x = s->x + i * s->rows * bytes;
    char *y = s->y + i * s->rows * bytes;
    memcpy(y, x, (size_t)bytes);
    for (int64_t r = 1; r < s->rows; r++) {
      void *p[3];
      p[0] = y + r * bytes;
      p[1] = y + (r - 1) * bytes;
      p[2] = (void *)(uintptr_t)(x + r * bytes);
      s->join((size_t)s->inner, p, 0, NULL);
    }
  }
}

static int scan (nx_ctx *C, nx_tensor *x, int64_t dim, nx_row_fn *row,
                 nx_map_fn *join, nx_tensor *y) {
  int64_t outer = 1;
  nx_tensor *to = nx_is_dense(y) ? y : nx_new_like(C, y);
  scan_job s;
  if (x->len == 0) return 0;
  x = nx_dense(C, nx_typed(C, x, y->dtype));
  if (x == NULL || to == NULL) return nx_status(C);
  s.rows = x->ndim ? x->shape[dim] : 1;
  s.inner = 1;
  for (int d = 0; d < x->ndim; d++)
    if (d < dim) outer *= x->shape[d];
    else if (d > dim) s.inner *= x->shape[d];
  s.row = row;
  s.join = join;
  s.x = x->data;
  s.y = to->data;
  s.size = (int64_t)nx_dtype_size(x->dtype);
  nx_pieces(C, outer, s.rows * s.inner,
            s.inner == 1 ? scan_rows : scan_blocks, &s);
  return to == y ? 0 : nx_copy(C, y, to);
}


static int scan_shape (nx_ctx *C, nx_node *n) {
  scan_args *a = n->a;
  nx_tensor *x = n->in[0];
  int dtype;
  if (nx_dim(C, n->op->name, x, &a->dim)) return nx_status(C);
  dtype = nx_is_whole(x->dtype) && (!n->inplace || x->dtype == NEAP_BOOL)
          ? NEAP_I64 : x->dtype;
  nx_out(C, n, 0, dtype, x->ndim, x->shape);
  return nx_status(C);
}

static nx_tensor *reversed (nx_ctx *C, nx_tensor *t, int64_t dim) {
  nx_ints along = {1, {dim}};
  return t == NULL || t->ndim == 0 ? t : nx_flip(C, t, along);
}

/* t[i] + t[i + 1] + ... */
static nx_tensor *sum_from (nx_ctx *C, nx_tensor *t, int64_t dim) {
  return reversed(C, nx_cumsum(C, reversed(C, t, dim), dim), dim);
}


static int cumsum_forward (nx_ctx *C, nx_node *n) {
  const nx_kernels *K = nx_kernels_for(C, n->out[0]->dtype);
  return scan(C, n->in[0], ((scan_args *)n->a)->dim, K->cumsum, K->add,
              n->out[0]);
}

/* gx[i] = gy[i] + gy[i + 1] + ... */
static int cumsum_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                        nx_tensor **gx) {
  gx[0] = sum_from(C, gy[0], ((scan_args *)n->a)->dim);
  return nx_status(C);
}

const nx_op nx_op_cumsum = {
  .name = "cumsum", .doc = "Running sum along a dimension.",
  .inputs = "x", .outputs = "y", .fields = scan_fields,
  .argsize = sizeof(scan_args), .flags = NX_INPLACE,
  .shape = scan_shape, .forward = cumsum_forward, .grad = NX_LEARN(cumsum_grad)
};

OPFN nx_tensor *nx_cumsum (nx_ctx *C, nx_tensor *x, int64_t dim) {
  scan_args a = {dim};
  return nx_apply(C, &nx_op_cumsum, &a, 1, &x);
}


static int cumprod_forward (nx_ctx *C, nx_node *n) {
  const nx_kernels *K = nx_kernels_for(C, n->out[0]->dtype);
  return scan(C, n->in[0], ((scan_args *)n->a)->dim, K->cumprod, K->mul,
              n->out[0]);
}

/*
** gx[j] = sum over i >= j of gy[i] times the product of x[k] up to i but
** for x[j]. Without zeros that is the sum of gy y from j on, divided by
** x[j]; with zeros, before[j] s[j] with before[j] the product of those
** before and s[j] = gy[j] + x[j + 1] s[j + 1], from the last back.
*/
static nx_tensor *cumprod_slow (nx_ctx *C, nx_tensor *x, nx_tensor *g,
                                int64_t dim) {
  int64_t n = x->shape[dim];
  nx_tensor *s = NULL, *before, *xi, *one = nx_from_number(C, 1), *all;
  nx_tensor **parts = nx_alloc(C, (size_t)n * sizeof(*parts));
  if (parts == NULL) return NULL;
  for (int64_t i = n - 1; i >= 0; i--) {
    nx_tensor *gi = nx_select(C, g, dim, i);
    if (s) s = nx_mul(C, nx_select(C, x, dim, i + 1), s);
    s = s ? nx_add(C, gi, s) : gi;
    parts[i] = s;
  }
  before = one;
  for (int64_t i = 0; i < n; i++) {
    xi = nx_select(C, x, dim, i);
    parts[i] = nx_mul(C, before, parts[i]);
    before = nx_mul(C, before, xi);
  }
  all = nx_status(C) ? NULL : nx_stack(C, (int)n, parts, dim);
  nx_free(C, parts, (size_t)n * sizeof(*parts));
  return all;
}

static int cumprod_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                         nx_tensor **gx) {
  nx_tensor *x = n->in[0], *y = n->out[0];
  int64_t dim = ((scan_args *)n->a)->dim;
  if (x->ndim == 0 || x->len == 0) gx[0] = gy[0];
  else if (nx_has_zero(C, x)) gx[0] = cumprod_slow(C, x, gy[0], dim);
  else gx[0] = nx_div(C, sum_from(C, nx_mul(C, gy[0], y), dim), x);
  return nx_status(C);
}

const nx_op nx_op_cumprod = {
  .name = "cumprod", .doc = "Running product along a dimension.",
  .inputs = "x", .outputs = "y", .fields = scan_fields,
  .argsize = sizeof(scan_args), .flags = NX_INPLACE, .saves = "x y",
  .shape = scan_shape, .forward = cumprod_forward,
  .grad = NX_LEARN(cumprod_grad)
};

OPFN nx_tensor *nx_cumprod (nx_ctx *C, nx_tensor *x, int64_t dim) {
  scan_args a = {dim};
  return nx_apply(C, &nx_op_cumprod, &a, 1, &x);
}


/*
** log(e^x[0] + ... + e^x[i]), safe for large x: the sum is carried as its
** largest x and the rest relative to that.
*/
#define RUNNING_LOG(T) \
static void logcumsum_##T (size_t n, const void *g, const void *px, \
                           void *py) { \
  const T *x = px; \
  T *y = py; \
  double most = -INFINITY, sum = 0; \
  (void)g; \
  for (size_t i = 0; i < n; i++) { \
    double v = x[i]; \
    if (v > most) { \
      sum = sum * exp(most - v) + 1; \
      most = v; \
    } \
    else if (v == v) sum += most == v ? 1 : exp(v - most); \
    else most = v;                           /* NaN from here on */ \
    y[i] = (T)(isinf(most) ? most : most + log(sum)); \
  } \
} \
static void logadd_##T (size_t n, void *const *p, unsigned fixed, \
                        const double *c) { \
  T *y = p[0]; \
  const T *a = p[1], *b = p[2]; \
  (void)fixed; (void)c; \
  for (size_t i = 0; i < n; i++) { \
    double high = a[i] > b[i] ? a[i] : b[i], low = a[i] > b[i] ? b[i] : a[i]; \
    y[i] = (T)(high == low && isinf(high) ? high \
               : high + log1p(exp(low - high))); \
  } \
}
RUNNING_LOG(float)
RUNNING_LOG(double)

static int logcumsumexp_shape (nx_ctx *C, nx_node *n) {
  return nx_want_float(C, n, 0) ? nx_status(C) : scan_shape(C, n);
}

static int logcumsumexp_forward (nx_ctx *C, nx_node *n) {
  int wide = n->in[0]->dtype == NEAP_F64;
  return scan(C, n->in[0], ((scan_args *)n->a)->dim,
              wide ? logcumsum_double : logcumsum_float,
              wide ? logadd_double : logadd_float, n->out[0]);
}

/*
** gx[j] = e^x[j] sum over i >= j of gy[i] e^-y[i], for positive and for
** negative gy apart, as logarithms.
*/
static nx_tensor *log_part (nx_ctx *C, nx_node *n, nx_tensor *g) {
  nx_tensor *x = n->in[0], *y = n->out[0], *none, *l;
  int64_t dim = ((scan_args *)n->a)->dim;
  scan_args a = {dim};
  none = nx_le(C, g, nx_from_number(C, 0));
  l = nx_log(C, nx_where(C, none, nx_from_number(C, 1), g));
  l = nx_where(C, none, nx_from_number(C, -INFINITY), nx_sub(C, l, y));
  l = reversed(C, l, dim);
  l = l ? nx_apply(C, &nx_op_logcumsumexp, &a, 1, &l) : NULL;
  return nx_exp(C, nx_add(C, reversed(C, l, dim), x));
}

static int logcumsumexp_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                              nx_tensor **gx) {
  if (n->in[0]->len == 0) gx[0] = gy[0];
  else gx[0] = nx_sub(C, log_part(C, n, gy[0]),
                      log_part(C, n, nx_neg(C, gy[0])));
  return nx_status(C);
}

const nx_op nx_op_logcumsumexp = {
  .name = "logcumsumexp",
  .doc = "Running log(sum(e^x)) along a dimension, safe for large x.",
  .inputs = "x", .outputs = "y", .fields = scan_fields,
  .argsize = sizeof(scan_args), .saves = "x y",
  .shape = logcumsumexp_shape, .forward = logcumsumexp_forward,
  .grad = NX_LEARN(logcumsumexp_grad)
};


/*
** cummax, cummin: the extreme so far and where it is; of equal ones the
** last, as PyTorch has it; NaN stays.
*/
typedef struct cumextreme_args { int64_t dim, base; } cumextreme_args;

static const nx_field cumextreme_fields[] = {
  NX_DIM(cumextreme_args, dim, NX_REQUIRED, "dimension to run along"),
  NX_BASE(cumextreme_args, base),
  NX_END
};

static int cumextreme_shape (nx_ctx *C, nx_node *n) {
  cumextreme_args *a = n->a;
  nx_tensor *x = n->in[0];
  if (nx_dim(C, n->op->name, x, &a->dim)) return nx_status(C);
  nx_out_like(C, n, 0, x);
  nx_out(C, n, 1, NEAP_I64, x->ndim, x->shape);
  return nx_status(C);
}

typedef struct best_job {
  const char *x;
  char *value;
  int64_t *at;
  int64_t n, size, base;
  int dtype, larger;
} best_job;

#define RUN_BEST(T) { \
  const T *x = (const T *)j->x + i * j->n; \
  T *y = (T *)j->value + i * j->n; \
  for (int64_t k = 0; k < j->n; k++) { \
    const T b = x[best]; \
    if (b == b && (x[k] != x[k] || (j->larger ? x[k] >= b : x[k] <= b))) \
      best = k; \
    y[k] = x[best]; \
    at[k] = best + j->base; \
  } \
  break; \
}

static void run_best (void *arg, int64_t first, int64_t last) {
  const best_job *j = arg;
  for (int64_t i = first; i < last; i++) {
    int64_t *at = j->at + i * j->n, best = 0;
    switch (j->dtype) {
      case NEAP_F32: RUN_BEST(float)
      case NEAP_F64: RUN_BEST(double)
      case NEAP_I64: RUN_BEST(int64_t)
      case NEAP_I32: RUN_BEST(int32_t)
      default: RUN_BEST(uint8_t)
    }
  }
}

/* rows along the dimension, which results then leave again */
static int cumextreme (nx_ctx *C, nx_node *n, int larger) {
  cumextreme_args *a = n->a;
  nx_tensor *x, *v, *at;
  int last = n->in[0]->ndim - 1;
  best_job j;
  if (n->in[0]->len == 0) return 0;
  x = nx_rows_along(C, n->in[0], (int)a->dim);
  if (x == NULL) return nx_status(C);
  v = nx_new_like(C, x);
  at = nx_new(C, NEAP_I64, x->ndim, x->shape);
  if (nx_status(C)) return nx_status(C);
  j.x = x->data;
  j.value = v->data;
  j.at = (int64_t *)at->data;
  j.n = x->ndim ? x->shape[last] : 1;
  j.size = (int64_t)nx_dtype_size(x->dtype);
  j.base = a->base;
  j.dtype = x->dtype;
  j.larger = larger;
  nx_pieces(C, x->len / j.n, j.n, run_best, &j);
  if (x->ndim) {
    v = nx_view_swap(C, v, (int)a->dim, last);
    at = nx_view_swap(C, at, (int)a->dim, last);
  }
  if (nx_status(C) || nx_copy(C, n->out[0], v)) return nx_status(C);
  return nx_copy(C, n->out[1], at);
}

/* gx: each gy goes to the element that was taken */
static int cumextreme_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                            nx_tensor **gx) {
  cumextreme_args *a = n->a;
  nx_tensor *x = n->in[0];
  if (x->ndim == 0) gx[0] = gy[0];
  else
    gx[0] = nx_scatter_add(C, nx_zeros(C, x->dtype, x->ndim, x->shape),
                           a->dim, n->out[1], gy[0], a->base);
  return nx_status(C);
}

#define CUMEXTREME(id, larger, text) \
static int id##_forward (nx_ctx *C, nx_node *n) { \
  return cumextreme(C, n, larger); \
} \
const nx_op nx_op_##id = { \
  .name = #id, .doc = text, .inputs = "x", .outputs = "values indices", \
  .fields = cumextreme_fields, .argsize = sizeof(cumextreme_args), \
  .saves = "indices", .shape = cumextreme_shape, \
  .forward = id##_forward, .grad = NX_LEARN(cumextreme_grad) \
};

CUMEXTREME(cummax, 1, "The largest element so far, and its position.")
CUMEXTREME(cummin, 0, "The smallest element so far, and its position.")
