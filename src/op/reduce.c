/*
** Sums, means, products, and questions about all elements of dimensions.
*/
#include <math.h>
#include <string.h>
#include "ops.h"
#include "op/fold.h"

static const nx_field reduce_fields[] = {
  NX_REDUCE_FIELDS(nx_reduce_args),
  NX_END
};


static int reduce_to (nx_ctx *C, nx_node *n, int dtype) {
  nx_reduce_args *a = n->a;
  unsigned char mark[NEAP_MAXDIM];
  if (nx_reduced(C, n, &a->dim, mark)) return nx_status(C);
  nx_reduced_out(C, n, 0, dtype, mark, a->keepdim);
  return nx_status(C);
}

/* sums and products of integers are int64 */
static int wide_shape (nx_ctx *C, nx_node *n) {
  int dtype = n->in[0]->dtype;
  return reduce_to(C, n, nx_is_whole(dtype) ? NEAP_I64 : dtype);
}

static int real_shape (nx_ctx *C, nx_node *n) {
  return nx_want_float(C, n, 0) ? nx_status(C)
                                : reduce_to(C, n, n->in[0]->dtype);
}

static int mask_shape (nx_ctx *C, nx_node *n) {
  return reduce_to(C, n, NEAP_BOOL);
}


static int reduce_by (nx_ctx *C, nx_node *n, const nx_reducer *r) {
  nx_reduce_args *a = n->a;
  unsigned char mark[NEAP_MAXDIM];
  nx_tensor *x = nx_typed(C, n->in[0], n->out[0]->dtype);
  if (x == NULL) return nx_status(C);
  nx_marks_of(&a->dim, mark);
  return nx_reduce(C, r, x, mark, n->out[0]);
}


static int sum_forward (nx_ctx *C, nx_node *n) {
  const nx_kernels *K = nx_kernels_for(C, n->out[0]->dtype);
  nx_reducer r = {K->sum, K->add, 0};
  return reduce_by(C, n, &r);
}

/* gx = gy, repeated */
static int sum_grad (nx_ctx *C, nx_node *n, nx_tensor **gy, nx_tensor **gx) {
  nx_reduce_args *a = n->a;
  gx[0] = nx_spread(C, n->in[0], &a->dim, gy[0]);
  return nx_status(C);
}

const nx_op nx_op_sum = {
  .name = "sum",
  .doc = "Sum over dimensions; of integers as int64.",
  .inputs = "x", .outputs = "y", .fields = reduce_fields,
  .argsize = sizeof(nx_reduce_args), .cutting = nx_reduced_cutting,
  .shape = wide_shape, .forward = sum_forward, .grad = NX_LEARN(sum_grad)
};

OPFN nx_tensor *nx_sum (nx_ctx *C, nx_tensor *x, nx_ints dims, int keepdim) {
  nx_reduce_args a = {dims, keepdim};
  return nx_apply(C, &nx_op_sum, &a, 1, &x);
}

OPFN nx_tensor *nx_sum_all (nx_ctx *C, nx_tensor *x) {
  nx_reduce_args a = {{-1, {0}}, 0};
  return nx_apply(C, &nx_op_sum, &a, 1, &x);
}


/* y = sum / count; of nothing NaN */
static int mean_forward (nx_ctx *C, nx_node *n) {
  double c[2] = {0, 0};
  nx_tensor *y = n->out[0];
  int64_t count = nx_reduced_count(n->in[0], y);
  if (sum_forward(C, n)) return nx_status(C);
  if (count > 0) c[0] = 1 / (double)count;
  else c[1] = NAN;
  return nx_map(C, nx_kernels_for(C, y->dtype)->scale, c, y, 1, &y);
}

/* gx = gy / count, repeated */
static int mean_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                      nx_tensor **gx) {
  nx_reduce_args *a = n->a;
  double k = 1 / (double)nx_reduced_count(n->in[0], gy[0]);
  gx[0] = nx_spread(C, n->in[0], &a->dim,
                    nx_mul(C, gy[0], nx_from_number(C, k)));
  return nx_status(C);
}

const nx_op nx_op_mean = {
  .name = "mean",
  .doc = "Mean over dimensions.",
  .inputs = "x", .outputs = "y", .fields = reduce_fields,
  .argsize = sizeof(nx_reduce_args), .cutting = nx_reduced_cutting,
  .shape = real_shape, .forward = mean_forward, .grad = NX_LEARN(mean_grad)
};

OPFN nx_tensor *nx_mean (nx_ctx *C, nx_tensor *x, nx_ints dims,
                         int keepdim) {
  nx_reduce_args a = {dims, keepdim};
  return nx_apply(C, &nx_op_mean, &a, 1, &x);
}

OPFN nx_tensor *nx_mean_all (nx_ctx *C, nx_tensor *x) {
  nx_reduce_args a = {{-1, {0}}, 0};
  return nx_apply(C, &nx_op_mean, &a, 1, &x);
}


static int prod_forward (nx_ctx *C, nx_node *n) {
  const nx_kernels *K = nx_kernels_for(C, n->out[0]->dtype);
  nx_reducer r = {K->prod, K->mul, 1};
  return reduce_by(C, n, &r);
}

/*
** The reduced dimensions as one, last: (kept..., joined). 'back' undoes it.
*/
static nx_tensor *as_rows (nx_ctx *C, nx_tensor *x, const nx_ints *dims,
                           nx_ints *back) {
  unsigned char mark[NEAP_MAXDIM];
  nx_ints order = {0, {0}};
  int64_t shape[NEAP_MAXDIM + 1];
  int kept = 0;
  nx_marks_of(dims, mark);
  for (int pass = 0; pass < 2; pass++)
    for (int d = 0; d < x->ndim; d++)
      if (mark[d] == pass) order.v[order.n++] = d;
  back->n = order.n;
  for (int i = 0; i < order.n; i++) back->v[order.v[i]] = i;
  for (int i = 0; i < order.n; i++)
    if (!mark[order.v[i]]) shape[kept++] = x->shape[order.v[i]];
  shape[kept++] = -1;
  if (x->len == 0 || kept > NEAP_MAXDIM) return NULL;
  return nx_reshape(C, nx_permute(C, x, order), kept, shape);
}

static nx_tensor *from_rows (nx_ctx *C, nx_tensor *r, const nx_tensor *x,
                             const nx_ints *back) {
  int64_t shape[NEAP_MAXDIM];
  for (int d = 0; d < x->ndim; d++) shape[back->v[d]] = x->shape[d];
  return nx_permute(C, nx_reshape(C, r, x->ndim, shape), *back);
}

/*
** The product of all others, also where elements are 0: the product of
** those before times the product of those after.
*/
static nx_tensor *others (nx_ctx *C, nx_tensor *x) {
  int64_t last = x->ndim - 1, n = x->shape[last], shape[NEAP_MAXDIM];
  nx_ints along = {1, {last}};
  nx_tensor *one, *parts[2], *before, *after;
  memcpy(shape, x->shape, sizeof(shape));
  shape[last] = 1;
  one = nx_add(C, nx_zeros(C, x->dtype, x->ndim, shape),
               nx_from_number(C, 1));
  parts[0] = one;
  parts[1] = nx_narrow(C, x, last, 0, n - 1);
  before = nx_cumprod(C, nx_cat(C, 2, parts, last), last);
  parts[1] = nx_flip(C, nx_narrow(C, x, last, 1, n - 1), along);
  after = nx_cumprod(C, nx_cat(C, 2, parts, last), last);
  return nx_mul(C, before, nx_flip(C, after, along));
}

/* gx = gy times the product of the others */
static int prod_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                      nx_tensor **gx) {
  nx_reduce_args *a = n->a;
  nx_tensor *x = n->in[0], *rows;
  nx_ints back;
  if (x->len == 0) {
    gx[0] = nx_zeros(C, x->dtype, x->ndim, x->shape);
    return nx_status(C);
  }
  rows = as_rows(C, x, &a->dim, &back);
  if (rows == NULL) return nx_status(C);
  gx[0] = nx_mul(C, from_rows(C, others(C, rows), x, &back),
                 nx_spread(C, x, &a->dim, gy[0]));
  return nx_status(C);
}

const nx_op nx_op_prod = {
  .name = "prod",
  .doc = "Product over dimensions; of integers as int64.",
  .inputs = "x", .outputs = "y", .fields = reduce_fields,
  .argsize = sizeof(nx_reduce_args), .saves = "x",
  .cutting = nx_reduced_cutting,
  .shape = wide_shape, .forward = prod_forward, .grad = NX_LEARN(prod_grad)
};


/*
** any, all: of truth values (numbers: whether they differ from 0).
*/
static int any_forward (nx_ctx *C, nx_node *n) {
  const nx_kernels *K = nx_kernels_for(C, NEAP_BOOL);
  nx_reducer r = {K->largest, K->maximum, 0};
  return reduce_by(C, n, &r);
}

const nx_op nx_op_any = {
  .name = "any", .doc = "True where an element differs from 0.",
  .inputs = "x", .outputs = "y", .fields = reduce_fields,
  .argsize = sizeof(nx_reduce_args), .flags = NX_NOGRAD,
  .cutting = nx_reduced_cutting,
  .shape = mask_shape, .forward = any_forward
};

OPFN nx_tensor *nx_any_all (nx_ctx *C, nx_tensor *x) {
  nx_reduce_args a = {{-1, {0}}, 0};
  return nx_apply(C, &nx_op_any, &a, 1, &x);
}

int nx_has_zero (nx_ctx *C, nx_tensor *x) {
  nx_tensor *any = nx_any_all(C, nx_eq(C, x, nx_from_integer(C, 0)));
  return any && *(uint8_t *)any->data;
}

static int all_forward (nx_ctx *C, nx_node *n) {
  const nx_kernels *K = nx_kernels_for(C, NEAP_BOOL);
  nx_reducer r = {K->smallest, K->minimum, 1};
  return reduce_by(C, n, &r);
}

const nx_op nx_op_all = {
  .name = "all", .doc = "True where all elements differ from 0.",
  .inputs = "x", .outputs = "y", .fields = reduce_fields,
  .argsize = sizeof(nx_reduce_args), .flags = NX_NOGRAD,
  .cutting = nx_reduced_cutting,
  .shape = mask_shape, .forward = all_forward
};


static int count_shape (nx_ctx *C, nx_node *n) {
  return reduce_to(C, n, NEAP_I64);
}

static int count_nonzero_forward (nx_ctx *C, nx_node *n) {
  const nx_kernels *K = nx_kernels_for(C, NEAP_I64);
  nx_reducer r = {K->sum, K->add, 0};
  nx_tensor *x = n->in[0];
  nx_reduce_args *a = n->a;
  unsigned char mark[NEAP_MAXDIM];
  x = nx_typed(C, x, NEAP_BOOL);
  if (x == NULL || (x = nx_typed(C, x, NEAP_I64)) == NULL)
    return nx_status(C);
  nx_marks_of(&a->dim, mark);
  return nx_reduce(C, &r, x, mark, n->out[0]);
}

const nx_op nx_op_count_nonzero = {
  .name = "count_nonzero", .doc = "How many elements differ from 0.",
  .inputs = "x", .outputs = "y", .fields = reduce_fields,
  .argsize = sizeof(nx_reduce_args), .flags = NX_NOGRAD,
  .cutting = nx_reduced_cutting,
  .shape = count_shape, .forward = count_nonzero_forward
};
