/*
** The largest element and where it is. NaN counts as largest; of equal
** ones the first is taken.
*/
#include <string.h>
#include "ops.h"
#include "op/broadcast.h"

typedef struct extremum_args {
  int64_t dim;
  int keepdim;
  int64_t base;
} extremum_args;

static const nx_field extremum_fields[] = {
  NX_DIM(extremum_args, dim, NX_UNSET, "dimension to search; none: all"),
  NX_BOOL(extremum_args, keepdim, 0, "keep the dimension with size 1"),
  NX_BASE(extremum_args, base),
  NX_END
};


/* the shape of x without (or with 1 for) the searched dimension */
static int searched_shape (nx_ctx *C, nx_node *n, int64_t *shape,
                           int *ndim) {
  extremum_args *a = n->a;
  nx_tensor *x = n->in[0];
  int all = a->dim == NX_UNSET_INT;
  char text[NX_SHAPE_TEXT];
  if (!all && nx_dim(C, n->op->name, x, &a->dim)) return nx_status(C);
  *ndim = 0;
  for (int d = 0; d < x->ndim; d++)
    if (!all && d != a->dim) shape[(*ndim)++] = x->shape[d];
    else if (a->keepdim) shape[(*ndim)++] = 1;
  if (all ? x->len == 0 : x->ndim && x->shape[a->dim] == 0)
    return nx_op_fail(C, n, NEAP_ESHAPE, "there is no largest among no "
                      "elements (x is %s)", nx_shape_of(x, text));
  return 0;
}


typedef struct search {
  const nx_kernels *K;
  const char *x;
  char *value;
  int64_t *at;
  int64_t cols, size, base;
} search;

static void search_rows (void *arg, int64_t first, int64_t last) {
  search *s = arg;
  char unused[8];
  for (int64_t i = first; i < last; i++) {
    int64_t at;
    s->K->max((size_t)s->cols, s->x + i * s->cols * s->size,
              s->value ? s->value + i * s->size : unused, &at);
    if (s->at) s->at[i] = at + s->base;
  }
}


/*
** Searches rows; 'value' and 'at' (either may be NULL) are dense.
*/
static int find_largest (nx_ctx *C, const nx_node *n, nx_tensor *value,
                         nx_tensor *at) {
  extremum_args *a = n->a;
  nx_tensor *x = n->in[0], *y = value ? value : at;
  search s;
  int all = a->dim == NX_UNSET_INT;
  if (y->len == 0) return 0;
  x = all ? nx_dense(C, x) : nx_rows_along(C, x, (int)a->dim);
  if (x == NULL) return nx_status(C);
  s.K = nx_kernels_for(C, x->dtype);
  s.x = x->data;
  s.value = value ? value->data : NULL;
  s.at = at ? (int64_t *)at->data : NULL;
  s.cols = x->len / y->len;
  s.size = (int64_t)nx_dtype_size(x->dtype);
  s.base = a->base;
  nx_pieces(C, y->len, s.cols, search_rows, &s);
  return 0;
}


/*
** nx_rows_along swaps the searched dimension with the last one: results
** are in that order, and must be swapped back.
*/
static nx_tensor *swapped (nx_ctx *C, const nx_node *n, int dtype) {
  extremum_args *a = n->a;
  const nx_tensor *x = n->in[0];
  int64_t shape[NEAP_MAXDIM];
  memcpy(shape, x->shape, sizeof(shape));
  shape[a->dim] = shape[x->ndim - 1];
  return nx_new(C, dtype, x->ndim - 1, shape);
}

static int swap_back (nx_ctx *C, const nx_node *n, nx_tensor *from,
                      nx_tensor *to) {
  extremum_args *a = n->a;
  nx_tensor *v = nx_alias(C, to);
  int last = n->in[0]->ndim - 1, k = 0, d = (int)a->dim;
  if (v == NULL) return nx_status(C);
  v->ndim = from->ndim;          /* 'to' without the kept dimension, in the
                                    order of 'from' */
  for (int i = 0; i < last; i++) {
    int own = i == d ? last : i;
    k = (a->keepdim || own < d) ? own : own - 1;
    v->shape[i] = to->shape[k];
    v->stride[i] = to->stride[k];
  }
  return nx_copy(C, v, from);
}

static int search_into (nx_ctx *C, const nx_node *n, nx_tensor *value,
                        nx_tensor *at) {
  extremum_args *a = n->a;
  const nx_tensor *x = n->in[0];
  nx_tensor *v = value, *i = at;
  int direct = a->dim == NX_UNSET_INT || x->ndim < 2 ||
               a->dim == x->ndim - 1;
  if (direct) return find_largest(C, n, value, at);
  if (value) v = swapped(C, n, value->dtype);
  if (at) i = swapped(C, n, NEAP_I64);
  if (nx_status(C) || find_largest(C, n, v, i)) return nx_status(C);
  if (value && swap_back(C, n, v, value)) return nx_status(C);
  if (at && swap_back(C, n, i, at)) return nx_status(C);
  return 0;
}


static int max_shape (nx_ctx *C, nx_node *n) {
  extremum_args *a = n->a;
  int64_t shape[NEAP_MAXDIM];
  int ndim;
  if (searched_shape(C, n, shape, &ndim)) return nx_status(C);
  nx_out(C, n, 0, n->in[0]->dtype, ndim, shape);
  if (a->dim != NX_UNSET_INT) nx_out(C, n, 1, NEAP_I64, ndim, shape);
  return nx_status(C);
}

static int max_forward (nx_ctx *C, nx_node *n) {
  return search_into(C, n, n->out[0], n->nout > 1 ? n->out[1] : NULL);
}


/*
** With a dimension the gradient goes to the element that was taken, over
** all elements it is shared by the equal ones (as PyTorch does).
*/
static int max_grad (nx_ctx *C, nx_node *n, nx_tensor **gy, nx_tensor **gx) {
  extremum_args *a = n->a;
  nx_tensor *x = n->in[0], *y = n->out[0], *mask, *at, *g = gy[0];
  int64_t kept[NEAP_MAXDIM];
  if (a->dim == NX_UNSET_INT) {
    mask = nx_to(C, nx_eq(C, x, y), x->dtype);
    g = nx_div(C, g, nx_sum_all(C, mask));
    if (a->keepdim) g = nx_reshape(C, g, 0, NULL);
    gx[0] = nx_mul(C, mask, g);
    return nx_status(C);
  }
  if (x->ndim == 0) {
    gx[0] = g;
    return 0;
  }
  memcpy(kept, x->shape, sizeof(kept));
  kept[a->dim] = 1;
  at = nx_reshape(C, n->out[1], x->ndim, kept);
  gx[0] = nx_scatter_add(C, nx_zeros(C, x->dtype, x->ndim, x->shape),
                         a->dim, at, nx_reshape(C, g, x->ndim, kept),
                         a->base);
  return nx_status(C);
}

static const char *max_saved (const nx_node *n) {
  extremum_args *a = n->a;
  return a->dim == NX_UNSET_INT ? "x values" : "indices";
}

const nx_op nx_op_max = {
  .name = "max",
  .doc = "Largest element; along a dimension also its position. Of equal "
         "ones the first; NaN is largest.",
  .inputs = "x", .outputs = "values indices?", .fields = extremum_fields,
  .argsize = sizeof(extremum_args), .saved = max_saved,
  .shape = max_shape, .forward = max_forward, .grad = max_grad
};


static int argmax_shape (nx_ctx *C, nx_node *n) {
  int64_t shape[NEAP_MAXDIM];
  int ndim;
  if (searched_shape(C, n, shape, &ndim)) return nx_status(C);
  nx_out(C, n, 0, NEAP_I64, ndim, shape);
  return nx_status(C);
}

static int argmax_forward (nx_ctx *C, nx_node *n) {
  return search_into(C, n, NULL, n->out[0]);
}

const nx_op nx_op_argmax = {
  .name = "argmax",
  .doc = "Position of the largest element; without a dimension in row "
         "order. Of equal ones the first; NaN is largest.",
  .inputs = "x", .outputs = "y", .fields = extremum_fields,
  .argsize = sizeof(extremum_args), .flags = NX_NOGRAD,
  .shape = argmax_shape, .forward = argmax_forward
};
