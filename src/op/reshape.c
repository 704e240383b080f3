/*
** Other shapes of the same elements: views where strides allow, copies
** where not.
*/
#include <string.h>
#include "ops.h"
#include "tensor/view.h"

typedef struct size_args { nx_ints size; } size_args;


/*
** Replaces one -1 by what is left.
*/
static int infer_size (nx_ctx *C, const nx_node *n, nx_ints *size) {
  const nx_tensor *x = n->in[0];
  int64_t known = 1;
  int open = -1;
  char a[NX_SHAPE_TEXT], b[NX_SHAPE_TEXT];
  for (int i = 0; i < size->n; i++) {
    if (size->v[i] == -1 && open < 0) open = i;
    else if (size->v[i] < 0)
      return nx_op_fail(C, n, NEAP_ESHAPE, "size %lld is negative (one may "
                        "be -1: what is left)", (long long)size->v[i]);
    else if (size->v[i] > 0 && known > INT64_MAX / size->v[i])
      return nx_op_fail(C, n, NEAP_ESHAPE, "the sizes are too large");
    else known *= size->v[i];
  }
  if (open >= 0 && known > 0) size->v[open] = x->len / known;
  if (open >= 0) known = known > 0 ? known * size->v[open] : -1;
  if (known != x->len)
    return nx_op_fail(C, n, NEAP_ESHAPE, "x is %s, %lld elements, and cannot "
                      "become %s", nx_shape_of(x, a), (long long)x->len,
                      nx_shape_text(size->n, size->v, b));
  return 0;
}


static const nx_field reshape_fields[] = {
  NX_INTS(size_args, size, NX_REQUIRED, "the new shape; one -1: what is left"),
  NX_END
};

static int reshape_shape (nx_ctx *C, nx_node *n) {
  size_args *a = n->a;
  nx_tensor *x = n->in[0];
  if (infer_size(C, n, &a->size)) return nx_status(C);
  n->out[0] = nx_view_shape(C, x, a->size.n, a->size.v);
  n->nout = 1;
  if (n->out[0] == NULL && nx_status(C) == 0 && (x = nx_dense(C, x)) != NULL)
    n->out[0] = nx_view_shape(C, x, a->size.n, a->size.v);
  return nx_status(C);
}

/* gx = gy in the shape of x */
static int reshape_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                         nx_tensor **gx) {
  gx[0] = nx_reshape(C, gy[0], n->in[0]->ndim, n->in[0]->shape);
  return nx_status(C);
}

const nx_op nx_op_reshape = {
  .name = "reshape",
  .doc = "The same elements in row order as another shape; a view where "
         "possible.",
  .inputs = "x", .outputs = "y", .fields = reshape_fields,
  .argsize = sizeof(size_args), .flags = NX_VIEW,
  .shape = reshape_shape, .grad = reshape_grad
};

OPFN nx_tensor *nx_reshape (nx_ctx *C, nx_tensor *x, int ndim,
                            const int64_t *shape) {
  size_args a;
  if (x == NULL) return NULL;
  if (x->ndim == ndim &&
      memcmp(x->shape, shape, (size_t)ndim * sizeof(*shape)) == 0) return x;
  a.size.n = ndim;
  for (int i = 0; i < ndim; i++) a.size.v[i] = shape[i];
  return nx_apply(C, &nx_op_reshape, &a, 1, &x);
}


static const nx_field expand_fields[] = {
  NX_INTS(size_args, size, NX_REQUIRED, "the new shape; -1: as it is"),
  NX_END
};

static int expand_shape (nx_ctx *C, nx_node *n) {
  nx_ints *size = &((size_args *)n->a)->size;
  nx_tensor *x = n->in[0];
  int lead = size->n - x->ndim, fits = lead >= 0;
  char a[NX_SHAPE_TEXT], b[NX_SHAPE_TEXT];
  for (int i = 0; i < size->n && fits; i++) {
    int64_t own = i < lead ? 1 : x->shape[i - lead];
    if (size->v[i] == -1 && i >= lead) size->v[i] = own;
    fits = size->v[i] >= 0 && (own == 1 || own == size->v[i]);
  }
  if (!fits)
    return nx_op_fail(C, n, NEAP_ESHAPE, "x is %s and cannot be expanded to "
                      "%s", nx_shape_of(x, a),
                      nx_shape_text(size->n, size->v, b));
  n->out[0] = nx_view_expand(C, x, size->n, size->v);
  n->nout = 1;
  return nx_status(C);
}

/* gx = gy summed over what was repeated */
static int expand_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                        nx_tensor **gx) {
  gx[0] = nx_sum_to(C, gy[0], n->in[0]);
  return nx_status(C);
}

const nx_op nx_op_expand = {
  .name = "expand",
  .doc = "Dimensions of size 1 repeated, and new ones in front, without a "
         "copy.",
  .inputs = "x", .outputs = "y", .fields = expand_fields,
  .argsize = sizeof(size_args), .flags = NX_VIEW,
  .shape = expand_shape, .grad = expand_grad
};

OPFN nx_tensor *nx_expand (nx_ctx *C, nx_tensor *x, int ndim,
                           const int64_t *shape) {
  size_args a;
  if (x == NULL) return NULL;
  a.size.n = ndim;
  memcpy(a.size.v, shape, (size_t)ndim * sizeof(*shape));
  return nx_apply(C, &nx_op_expand, &a, 1, &x);
}


typedef struct flatten_args { int64_t start_dim, end_dim; } flatten_args;

static const nx_field flatten_fields[] = {
  NX_DIM(flatten_args, start_dim, 0, "first dimension to join"),
  NX_DIM(flatten_args, end_dim, -1, "last dimension to join"),
  NX_END
};

static int flatten_shape (nx_ctx *C, nx_node *n) {
  flatten_args *a = n->a;
  nx_tensor *x = n->in[0];
  int64_t shape[NEAP_MAXDIM] = {1};
  int ndim = 0;
  if (nx_dim(C, "flatten", x, &a->start_dim) ||
      nx_dim(C, "flatten", x, &a->end_dim)) return nx_status(C);
  if (a->start_dim > a->end_dim)
    return nx_op_fail(C, n, NEAP_EARG, "start_dim comes after end_dim");
  for (int d = 0; d < x->ndim; d++)
    if (d > a->start_dim && d <= a->end_dim) shape[ndim - 1] *= x->shape[d];
    else shape[ndim++] = x->shape[d];
  if (x->ndim == 0) ndim = 1;
  n->out[0] = nx_view_shape(C, x, ndim, shape);
  n->nout = 1;
  if (n->out[0] == NULL && nx_status(C) == 0 && (x = nx_dense(C, x)) != NULL)
    n->out[0] = nx_view_shape(C, x, ndim, shape);
  return nx_status(C);
}

const nx_op nx_op_flatten = {
  .name = "flatten",
  .doc = "Dimensions start_dim to end_dim joined into one.",
  .inputs = "x", .outputs = "y", .fields = flatten_fields,
  .argsize = sizeof(flatten_args), .flags = NX_VIEW,
  .shape = flatten_shape, .grad = reshape_grad
};

OPFN nx_tensor *nx_flatten (nx_ctx *C, nx_tensor *x, int64_t start_dim,
                            int64_t end_dim) {
  flatten_args a = {start_dim, end_dim};
  return nx_apply(C, &nx_op_flatten, &a, 1, &x);
}


typedef struct transpose_args { int64_t dim0, dim1; } transpose_args;

static const nx_field transpose_fields[] = {
  NX_DIM(transpose_args, dim0, NX_REQUIRED, "one dimension"),
  NX_DIM(transpose_args, dim1, NX_REQUIRED, "the other one"),
  NX_END
};

static int transpose_shape (nx_ctx *C, nx_node *n) {
  transpose_args *a = n->a;
  if (nx_dim(C, "transpose", n->in[0], &a->dim0) ||
      nx_dim(C, "transpose", n->in[0], &a->dim1)) return nx_status(C);
  n->out[0] = n->in[0]->ndim == 0 ? nx_alias(C, n->in[0])
              : nx_view_swap(C, n->in[0], (int)a->dim0, (int)a->dim1);
  n->nout = 1;
  return nx_status(C);
}

/* gx = gy with the same two dimensions swapped */
static int transpose_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                           nx_tensor **gx) {
  transpose_args *a = n->a;
  gx[0] = nx_transpose(C, gy[0], a->dim0, a->dim1);
  return nx_status(C);
}

const nx_op nx_op_transpose = {
  .name = "transpose",
  .doc = "Two dimensions exchanged, without a copy.",
  .inputs = "x", .outputs = "y", .fields = transpose_fields,
  .argsize = sizeof(transpose_args), .flags = NX_VIEW,
  .shape = transpose_shape, .grad = transpose_grad
};

OPFN nx_tensor *nx_transpose (nx_ctx *C, nx_tensor *x, int64_t dim0,
                              int64_t dim1) {
  transpose_args a = {dim0, dim1};
  return nx_apply(C, &nx_op_transpose, &a, 1, &x);
}
