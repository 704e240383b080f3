/*
** Variance, norms and other numbers about the elements of dimensions.
*/
#include <math.h>
#include <string.h>
#include "ops.h"
#include "op/fold.h"


/*
** Variance: the mean of squared distances from the mean, in two passes; the
** sum is divided by the count less 'correction' (1: an unbiased estimate).
*/
typedef struct var_args {
  nx_ints dim;
  int unbiased;
  int64_t correction;
  int keepdim;
} var_args;

static const nx_field var_fields[] = {
  NX_DIMS(var_args, dim, NX_UNSET, "dimensions to reduce; none: all"),
  NX_BOOL(var_args, unbiased, 1, "divide by the count less 1"),
  NX_BOOL(var_args, keepdim, 0, "keep reduced dimensions with size 1"),
  NX_INT(var_args, correction, NX_UNSET,
         "what is taken from the count; replaces 'unbiased'"),
  NX_END
};

static int var_shape (nx_ctx *C, nx_node *n) {
  var_args *a = n->a;
  unsigned char mark[NEAP_MAXDIM];
  if (nx_want_float(C, n, 0) || nx_reduced(C, n, &a->dim, mark))
    return nx_status(C);
  if (a->correction == NX_UNSET_INT) a->correction = a->unbiased;
  nx_reduced_out(C, n, 0, n->in[0]->dtype, mark, a->keepdim);
  return nx_status(C);
}

/* the count that the sum is divided by; 0 gives NaN (0 / 0) */
static double degrees (const var_args *a, const nx_tensor *x,
                       const nx_tensor *y) {
  double k = (double)(nx_reduced_count(x, y) - a->correction);
  return k > 0 ? k : 0;
}


typedef struct var_job {
  const nx_kernels *K;
  nx_tensor *y;
  double count;
  int root;
} var_job;

static void var_row (const void *arg, int64_t i, size_t n, const char *row) {
  const var_job *j = arg;
  int64_t size = (int64_t)nx_dtype_size(j->y->dtype);
  char *y = j->y->data + i * size;
  double mean, v;
  j->K->sum(n, row, y);
  mean = nx_get_number(j->y, y) / (double)n;
  j->K->squares_around(n, row, mean, y);
  v = nx_get_number(j->y, y) / j->count;
  nx_put_number(j->y, y, j->root ? sqrt(v) : v);
}

static int var_into (nx_ctx *C, nx_node *n, int root) {
  var_args *a = n->a;
  nx_tensor *x = n->in[0], *y = n->out[0];
  unsigned char mark[NEAP_MAXDIM];
  var_job j;
  j.K = nx_kernels_for(C, x->dtype);
  j.y = y;
  j.count = degrees(a, x, y);
  j.root = root;
  nx_marks_of(&a->dim, mark);
  if (x->len == 0) {
    nx_tensor *nan = nx_from_number(C, NAN);
    return nan ? nx_copy(C, y, nan) : nx_status(C);
  }
  return nx_each_row(C, x, mark, var_row, &j);
}

static int var_forward (nx_ctx *C, nx_node *n) { return var_into(C, n, 0); }
static int std_forward (nx_ctx *C, nx_node *n) { return var_into(C, n, 1); }


/* gx = 2 (x - mean) gy / (count - correction) */
static nx_tensor *var_slope (nx_ctx *C, nx_node *n, nx_tensor *g) {
  var_args *a = n->a;
  nx_tensor *x = n->in[0];
  double k = 2 / degrees(a, x, g);
  nx_tensor *far = nx_sub(C, x, nx_mean(C, x, a->dim, 1));
  g = nx_spread(C, x, &a->dim, nx_mul(C, g, nx_from_number(C, k)));
  return nx_mul(C, far, g);
}

static int var_grad (nx_ctx *C, nx_node *n, nx_tensor **gy, nx_tensor **gx) {
  gx[0] = var_slope(C, n, gy[0]);
  return nx_status(C);
}

/* through y = sqrt(v): gv = gy / (2 y), and 0 where y is 0 */
static int std_grad (nx_ctx *C, nx_node *n, nx_tensor **gy, nx_tensor **gx) {
  nx_tensor *y = n->out[0], *zero = nx_from_number(C, 0);
  nx_tensor *none = nx_eq(C, y, zero);
  nx_tensor *g = nx_div(C, gy[0], nx_mul(C, y, nx_from_number(C, 2)));
  gx[0] = var_slope(C, n, nx_where(C, none, zero, g));
  return nx_status(C);
}

const nx_op nx_op_var = {
  .name = "var",
  .doc = "Variance over dimensions, divided by the count less 1.",
  .inputs = "x", .outputs = "y", .fields = var_fields,
  .argsize = sizeof(var_args), .saves = "x",
  .shape = var_shape, .forward = var_forward, .grad = NX_LEARN(var_grad)
};

const nx_op nx_op_std = {
  .name = "std",
  .doc = "Standard deviation: the square root of the variance.",
  .inputs = "x", .outputs = "y", .fields = var_fields,
  .argsize = sizeof(var_args), .saves = "x y",
  .shape = var_shape, .forward = std_forward, .grad = NX_LEARN(std_grad)
};


/*
** norm: (sum |x|^p)^(1/p); the largest |x| for p = infinity, the smallest
** for -infinity, how many differ from 0 for p = 0.
*/
typedef struct norm_args {
  double p;
  nx_ints dim;
  int keepdim;
} norm_args;

static const nx_field norm_fields[] = {
  NX_NUMBER(norm_args, p, 2, "exponent; also math.huge, -math.huge and 0"),
  NX_DIMS(norm_args, dim, NX_UNSET, "dimensions to reduce; none: all"),
  NX_BOOL(norm_args, keepdim, 0, "keep reduced dimensions with size 1"),
  NX_END
};

static int norm_shape (nx_ctx *C, nx_node *n) {
  norm_args *a = n->a;
  const nx_tensor *x = n->in[0];
  unsigned char mark[NEAP_MAXDIM];
  char text[NX_SHAPE_TEXT];
  if (nx_want_float(C, n, 0) || nx_reduced(C, n, &a->dim, mark))
    return nx_status(C);
  for (int d = 0; isinf(a->p) && d < x->ndim; d++) {
    if (!mark[d] || x->shape[d] > 0) continue;
    return nx_op_fail(C, n, NEAP_ESHAPE, "there is no largest or smallest "
                      "among no elements (x is %s)", nx_shape_of(x, text));
  }
  nx_reduced_out(C, n, 0, x->dtype, mark, a->keepdim);
  return nx_status(C);
}


/* rows by one kernel, where there is one for p */
typedef struct norm_job {
  nx_fold_fn *f;
  nx_tensor *y;
  int root;
} norm_job;

static void norm_row (const void *arg, int64_t i, size_t n,
                      const char *row) {
  const norm_job *j = arg;
  char *y = j->y->data + i * (int64_t)nx_dtype_size(j->y->dtype);
  j->f(n, row, y);
  if (j->root) nx_put_number(j->y, y, sqrt(nx_get_number(j->y, y)));
}

/* other exponents: |x|^p, reduced */
static int norm_powers (nx_ctx *C, nx_node *n, const unsigned char *mark) {
  norm_args *a = n->a;
  nx_tensor *x = nx_abs(C, n->in[0]), *y = n->out[0], *p;
  const nx_kernels *K = nx_kernels_for(C, y->dtype);
  nx_reducer sum = {K->sum, K->add, 0};
  nx_reducer most = {K->largest, K->maximum, 0};
  nx_reducer least = {K->smallest, K->minimum, 0};
  if (isinf(a->p)) return nx_reduce(C, a->p > 0 ? &most : &least, x, mark, y);
  p = nx_from_number(C, a->p);
  x = a->p == 0 ? nx_sign(C, x) : nx_pow(C, x, p);
  if (x == NULL || nx_reduce(C, &sum, x, mark, y)) return nx_status(C);
  if (a->p == 0) return 0;
  p = nx_pow(C, y, nx_from_number(C, 1 / a->p));
  return p ? nx_copy(C, y, p) : nx_status(C);
}

static int norm_forward (nx_ctx *C, nx_node *n) {
  norm_args *a = n->a;
  const nx_kernels *K = nx_kernels_for(C, n->in[0]->dtype);
  unsigned char mark[NEAP_MAXDIM];
  norm_job j;
  nx_marks_of(&a->dim, mark);
  if ((a->p != 1 && a->p != 2) || n->in[0]->len == 0)
    return norm_powers(C, n, mark);
  j.f = a->p == 1 ? K->sum_abs : K->sum_squares;
  j.y = n->out[0];
  j.root = a->p == 2;
  return nx_each_row(C, n->in[0], mark, norm_row, &j);
}


/*
** gx = gy sign(x) (|x| / y)^(p - 1), for p = 2 gy x / y; where y is 0 the
** gradient is 0. For p = infinity equal ones share it.
*/
static int norm_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                      nx_tensor **gx) {
  norm_args *a = n->a;
  nx_tensor *x = n->in[0], *zero = nx_from_number(C, 0), *y, *g, *none, *r;
  nx_tensor *one = nx_from_number(C, 1);
  y = nx_spread(C, x, &a->dim, n->out[0]);
  g = nx_spread(C, x, &a->dim, gy[0]);
  if (nx_status(C)) return nx_status(C);
  if (a->p == 0) return 0;
  if (a->p == 1) {
    gx[0] = nx_mul(C, g, nx_sign(C, x));
    return nx_status(C);
  }
  if (isinf(a->p)) {
    r = nx_to(C, nx_eq(C, nx_abs(C, x), y), x->dtype);
    r = r ? nx_div(C, r, nx_sum(C, r, a->dim, 1)) : NULL;
    gx[0] = nx_mul(C, g, nx_mul(C, nx_sign(C, x), r));
    return nx_status(C);
  }
  none = nx_eq(C, y, zero);
  r = nx_div(C, x, nx_where(C, none, one, y));
  if (a->p != 2) {
    nx_tensor *size = nx_pow(C, nx_abs(C, r), nx_from_number(C, a->p - 1));
    r = nx_mul(C, nx_sign(C, x), size);
    if (a->p < 1) r = nx_where(C, nx_eq(C, x, zero), zero, r);
  }
  gx[0] = nx_mul(C, g, nx_where(C, none, zero, r));
  return nx_status(C);
}

const nx_op nx_op_norm = {
  .name = "norm",
  .doc = "(sum |x|^p)^(1/p) over dimensions.",
  .inputs = "x", .outputs = "y", .fields = norm_fields,
  .argsize = sizeof(norm_args), .saves = "x y",
  .shape = norm_shape, .forward = norm_forward, .grad = NX_LEARN(norm_grad)
};

OPFN nx_tensor *nx_norm (nx_ctx *C, nx_tensor *x, double p, nx_ints dims,
                         int keepdim) {
  norm_args a = {p, dims, keepdim};
  return nx_apply(C, &nx_op_norm, &a, 1, &x);
}


/*
** logsumexp: log(sum(e^x)), with the largest x taken away before.
*/
static const nx_field logsumexp_fields[] = {
  NX_REDUCE_FIELDS(nx_reduce_args),
  NX_END
};

static int logsumexp_shape (nx_ctx *C, nx_node *n) {
  nx_reduce_args *a = n->a;
  unsigned char mark[NEAP_MAXDIM];
  if (nx_want_float(C, n, 0) || nx_reduced(C, n, &a->dim, mark))
    return nx_status(C);
  nx_reduced_out(C, n, 0, n->in[0]->dtype, mark, a->keepdim);
  return nx_status(C);
}

static int logsumexp_forward (nx_ctx *C, nx_node *n) {
  const nx_kernels *K = nx_kernels_for(C, n->in[0]->dtype);
  nx_tensor *y = n->out[0];
  unsigned char mark[NEAP_MAXDIM];
  norm_job j = {K->logsumexp, y, 0};
  nx_marks_of(&((nx_reduce_args *)n->a)->dim, mark);
  if (n->in[0]->len == 0) {
    nx_tensor *none = nx_from_number(C, -INFINITY);
    return none ? nx_copy(C, y, none) : nx_status(C);
  }
  return nx_each_row(C, n->in[0], mark, norm_row, &j);
}

/* gx = gy e^(x - y) */
static int logsumexp_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                           nx_tensor **gx) {
  const nx_ints *dims = &((nx_reduce_args *)n->a)->dim;
  nx_tensor *x = n->in[0], *y = nx_spread(C, x, dims, n->out[0]);
  gx[0] = nx_mul(C, nx_spread(C, x, dims, gy[0]),
                 nx_exp(C, nx_sub(C, x, y)));
  return nx_status(C);
}

const nx_op nx_op_logsumexp = {
  .name = "logsumexp",
  .doc = "log(sum(e^x)) over dimensions, safe for large x.",
  .inputs = "x", .outputs = "y", .fields = logsumexp_fields,
  .argsize = sizeof(nx_reduce_args), .saves = "x y",
  .shape = logsumexp_shape, .forward = logsumexp_forward,
  .grad = NX_LEARN(logsumexp_grad)
};
