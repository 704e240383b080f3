/*
** Diagonals and triangles of matrices.
*/
#include <string.h>
#include "ops.h"
#include "tensor/view.h"

typedef struct diagonal_args { int64_t offset, dim1, dim2; } diagonal_args;

static const nx_field diagonal_fields[] = {
  NX_INT(diagonal_args, offset, 0, "0: the main one; above it positive"),
  NX_DIM(diagonal_args, dim1, 0, "dimension of rows"),
  NX_DIM(diagonal_args, dim2, 1, "dimension of columns"),
  NX_END
};


static int two_dims (nx_ctx *C, const nx_node *n) {
  diagonal_args *a = n->a;
  nx_tensor *x = n->in[0];
  char text[NX_SHAPE_TEXT];
  if (x->ndim < 2)
    return nx_op_fail(C, n, NEAP_ESHAPE, "x is %s, expected at least two "
                      "dimensions", nx_shape_of(x, text));
  if (nx_dim(C, n->op->name, x, &a->dim1) ||
      nx_dim(C, n->op->name, x, &a->dim2)) return nx_status(C);
  if (a->dim1 == a->dim2)
    return nx_op_fail(C, n, NEAP_EARG, "dim1 and dim2 are the same");
  return 0;
}


/* the diagonal comes last: a step along it goes along both dimensions */
static nx_tensor *diagonal_of (nx_ctx *C, nx_tensor *x,
                               const diagonal_args *a) {
  int64_t rows = x->shape[a->dim1], cols = x->shape[a->dim2], len;
  int64_t row = a->offset < -rows ? rows : a->offset < 0 ? -a->offset : 0;
  int64_t col = a->offset > 0 ? a->offset : 0;
  nx_tensor *v = nx_alias(C, x);
  int k = 0;
  if (v == NULL) return NULL;
  len = rows - row < cols - col ? rows - row : cols - col;
  if (len < 0) len = 0;
  if (len > 0)
    v->data += (row * x->stride[a->dim1] + col * x->stride[a->dim2]) *
               (int64_t)nx_dtype_size(x->dtype);
  for (int d = 0; d < x->ndim; d++)
    if (d != a->dim1 && d != a->dim2) {
      v->shape[k] = x->shape[d];
      v->stride[k++] = x->stride[d];
    }
  v->shape[k] = len;
  v->stride[k++] = x->stride[a->dim1] + x->stride[a->dim2];
  v->ndim = (unsigned char)k;
  v->len = len;
  for (int d = 0; d < k - 1; d++) v->len *= v->shape[d];
  return v;
}

static int diagonal_shape (nx_ctx *C, nx_node *n) {
  if (two_dims(C, n)) return nx_status(C);
  n->out[0] = diagonal_of(C, n->in[0], n->a);
  n->nout = 1;
  return nx_status(C);
}

static int diagonal_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                          nx_tensor **gx) {
  nx_tensor *x = n->in[0], *in[2];
  diagonal_args a = *(diagonal_args *)n->a;
  in[0] = nx_zeros(C, x->dtype, x->ndim, x->shape);
  in[1] = gy[0];
  gx[0] = nx_apply(C, &nx_op_diagonal_scatter, &a, 2, in);
  return nx_status(C);
}

const nx_op nx_op_diagonal = {
  .name = "diagonal",
  .doc = "The diagonal of two dimensions, as the last one; without a copy.",
  .inputs = "x", .outputs = "y", .fields = diagonal_fields,
  .argsize = sizeof(diagonal_args), .flags = NX_VIEW,
  .shape = diagonal_shape, .grad = NX_LEARN(diagonal_grad)
};

OPFN nx_tensor *nx_diagonal (nx_ctx *C, nx_tensor *x, int64_t offset,
                             int64_t dim1, int64_t dim2) {
  diagonal_args a = {offset, dim1, dim2};
  return nx_apply(C, &nx_op_diagonal, &a, 1, &x);
}


static int diagonal_scatter_shape (nx_ctx *C, nx_node *n) {
  nx_tensor *v, *z = n->in[1];
  char a[NX_SHAPE_TEXT], b[NX_SHAPE_TEXT];
  if (two_dims(C, n)) return nx_status(C);
  v = diagonal_of(C, n->in[0], n->a);
  if (v == NULL) return nx_status(C);
  if (!nx_same_shape(v, z) || z->dtype != v->dtype)
    return nx_op_fail(C, n, NEAP_ESHAPE, "source (%s %s) does not fit a "
                      "diagonal (%s %s)", nx_dtype_name(z->dtype),
                      nx_shape_of(z, a), nx_dtype_name(v->dtype),
                      nx_shape_of(v, b));
  nx_out_like(C, n, 0, n->in[0]);
  return nx_status(C);
}

static int diagonal_scatter_forward (nx_ctx *C, nx_node *n) {
  nx_tensor *y = n->out[0], *v;
  if (!n->inplace && nx_copy(C, y, n->in[0])) return nx_status(C);
  v = diagonal_of(C, y, n->a);
  return v ? nx_copy(C, v, n->in[1]) : nx_status(C);
}

/* gx = gy with zeros on the diagonal, gz = the diagonal of gy */
static int diagonal_scatter_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                                  nx_tensor **gx) {
  diagonal_args a = *(diagonal_args *)n->a;
  nx_tensor *z = n->in[1], *in[2];
  in[0] = gy[0];
  in[1] = nx_zeros(C, z->dtype, z->ndim, z->shape);
  if (n->wants[0]) gx[0] = nx_apply(C, &nx_op_diagonal_scatter, &a, 2, in);
  if (n->wants[1]) gx[1] = nx_apply(C, &nx_op_diagonal, &a, 1, gy);
  return nx_status(C);
}

const nx_op nx_op_diagonal_scatter = {
  .name = "diagonal_scatter",
  .doc = "x with source in place of a diagonal.",
  .inputs = "x source", .outputs = "y", .fields = diagonal_fields,
  .argsize = sizeof(diagonal_args), .flags = NX_INPLACE,
  .shape = diagonal_scatter_shape, .forward = diagonal_scatter_forward,
  .grad = NX_LEARN(diagonal_scatter_grad)
};


/*
** Triangles of the last two dimensions: elements below (tril) or above
** (triu) a diagonal, zeros elsewhere.
*/
typedef struct tri_args { int64_t diagonal; } tri_args;

static const nx_field tri_fields[] = {
  NX_INT(tri_args, diagonal, 0, "the last that stays; above the main one "
         "positive"),
  NX_END
};

static int tri_shape (nx_ctx *C, nx_node *n) {
  char text[NX_SHAPE_TEXT];
  if (n->in[0]->ndim < 2)
    return nx_op_fail(C, n, NEAP_ESHAPE, "x is %s, expected at least two "
                      "dimensions", nx_shape_of(n->in[0], text));
  nx_out_like(C, n, 0, n->in[0]);
  return nx_status(C);
}

static int64_t within (int64_t i, int64_t most) {
  return i < 0 ? 0 : i > most ? most : i;
}

/* zeros from position a to b (excluded) of each row */
static int clear_triangle (nx_ctx *C, nx_node *n, int lower) {
  nx_tensor *y = n->out[0], *to = y;
  int64_t rows = y->shape[y->ndim - 2], cols = y->shape[y->ndim - 1];
  int64_t k = ((tri_args *)n->a)->diagonal;
  int64_t size = (int64_t)nx_dtype_size(y->dtype);
  if (k > cols) k = cols;
  if (k < -rows) k = -rows;
  if (!nx_is_dense(y)) to = nx_new_like(C, y);
  if (to == NULL || nx_copy(C, to, n->in[0])) return nx_status(C);
  for (int64_t r = 0; cols > 0 && r < y->len / cols; r++) {
    int64_t edge = r % rows + k;
    int64_t a = lower ? within(edge + 1, cols) : 0;
    int64_t b = lower ? cols : within(edge, cols);
    memset(to->data + (r * cols + a) * size, 0, (size_t)((b - a) * size));
  }
  return to == y ? 0 : nx_copy(C, y, to);
}

#define TRIANGLE(id, lower, text) \
static int id##_forward (nx_ctx *C, nx_node *n) { \
  return clear_triangle(C, n, lower); \
} \
static int id##_grad (nx_ctx *C, nx_node *n, nx_tensor **gy, \
                      nx_tensor **gx) { \
  tri_args a = *(tri_args *)n->a; \
  gx[0] = nx_apply(C, &nx_op_##id, &a, 1, gy); \
  return nx_status(C); \
} \
const nx_op nx_op_##id = { \
  .name = #id, .doc = text, .inputs = "x", .outputs = "y", \
  .fields = tri_fields, .argsize = sizeof(tri_args), \
  .flags = NX_INPLACE, .shape = tri_shape, .forward = id##_forward, \
  .grad = NX_LEARN(id##_grad) \
}; \
OPFN nx_tensor *nx_##id (nx_ctx *C, nx_tensor *x, int64_t diagonal) { \
  tri_args a = {diagonal}; \
  return nx_apply(C, &nx_op_##id, &a, 1, &x); \
}

TRIANGLE(tril, 1, "The lower triangle of matrices; zeros above a diagonal.")
TRIANGLE(triu, 0, "The upper triangle of matrices; zeros below a diagonal.")
