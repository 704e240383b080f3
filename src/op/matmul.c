/*
** Matrix products: vectors, matrices, batches that broadcast.
*/
#include <string.h>
#include "ops.h"
#include "op/broadcast.h"
#include "tensor/product.h"
#include "tensor/view.h"


/*
** Both operands as matrices with batch dimensions in front: a vector on
** the left is a row, on the right a column.
*/
typedef struct operands {
  nx_tensor *x, *z;
  int xvec, zvec;
} operands;

static int as_matrices (nx_ctx *C, const nx_node *n, operands *o) {
  nx_tensor *x = n->in[0], *z = n->in[1];
  int64_t row[2], column[2];
  o->xvec = x->ndim == 1;
  o->zvec = z->ndim == 1;
  if (o->xvec) {
    row[0] = 1;
    row[1] = x->len;
    x = nx_view_shape(C, x, 2, row);
  }
  if (o->zvec) {
    column[0] = z->len;
    column[1] = 1;
    z = nx_view_shape(C, z, 2, column);
  }
  o->x = x;
  o->z = z;
  return nx_status(C);
}


static int matmul_shape (nx_ctx *C, nx_node *n) {
  char xt[NX_SHAPE_TEXT], zt[NX_SHAPE_TEXT];
  int64_t shape[NEAP_MAXDIM], k;
  nx_tensor *x, *z;
  operands o;
  int ndim, type = nx_promote(n->in[0], n->in[1]);
  if (n->in[0]->ndim == 0 || n->in[1]->ndim == 0)
    return nx_op_fail(C, n, NEAP_ESHAPE, "both operands need a dimension; "
                      "for numbers there is mul");
  if (type == NEAP_BOOL)
    return nx_op_fail(C, n, NEAP_EDTYPE, "both operands are bool, expected "
                      "numbers");
  if (nx_meet_inputs(C, n, type) || as_matrices(C, n, &o))
    return nx_status(C);
  x = o.x;
  z = o.z;
  k = x->shape[x->ndim - 1];
  if (k != z->shape[z->ndim - 2])
    return nx_op_fail(C, n, NEAP_ESHAPE, "x is %s and z is %s: the inner "
                      "sizes %lld and %lld differ", nx_shape_of(n->in[0], xt),
                      nx_shape_of(n->in[1], zt), (long long)k,
                      (long long)z->shape[z->ndim - 2]);
  {
    nx_tensor a = *x, b = *z;            /* batch dimensions only */
    a.ndim = (unsigned char)(x->ndim - 2);
    b.ndim = (unsigned char)(z->ndim - 2);
    if (nx_broadcast(C, n->op->name, &a, &b, &ndim, shape))
      return nx_status(C);
  }
  if (!o.xvec) shape[ndim++] = x->shape[x->ndim - 2];
  if (!o.zvec) shape[ndim++] = z->shape[z->ndim - 1];
  nx_out(C, n, 0, type, ndim, shape);
  return nx_status(C);
}


/* matrices one after the other over the batch dimensions of y */
typedef struct batch {
  const nx_tensor *x, *z, *y;
} batch;

static nx_matrix matrix_at (const nx_tensor *t, const nx_tensor *y,
                            int64_t i) {
  nx_matrix m = nx_matrix_of(t);
  int64_t at = 0, size = (int64_t)nx_dtype_size(t->dtype);
  for (int d = y->ndim - 3; d >= 0; d--) {
    int own = d - (y->ndim - t->ndim);
    if (own >= 0 && t->shape[own] != 1)
      at += i % y->shape[d] * t->stride[own];
    i /= y->shape[d];
  }
  m.data += at * size;
  return m;
}

static void nth_product (const void *arg, int64_t i, nx_matrix *a,
                         nx_matrix *b, nx_matrix *c) {
  const batch *s = arg;
  *a = matrix_at(s->x, s->y, i);
  *b = matrix_at(s->z, s->y, i);
  *c = matrix_at(s->y, s->y, i);
}


static int matmul_forward (nx_ctx *C, nx_node *n) {
  nx_tensor *y = n->out[0];
  int64_t shape[NEAP_MAXDIM];
  int ndim = y->ndim;
  operands o;
  batch s;
  if (y->len == 0) return 0;
  if (as_matrices(C, n, &o)) return nx_status(C);
  memcpy(shape, y->shape, sizeof(shape));      /* y with its two dimensions */
  if (o.zvec) shape[ndim++] = 1;
  if (o.xvec) {
    shape[ndim] = shape[ndim - 1];
    shape[ndim - 1] = 1;
    ndim++;
  }
  if (ndim > NEAP_MAXDIM) return nx_op_fail(C, n, NEAP_ESHAPE, "too many "
                                            "dimensions");
  y = nx_view_shape(C, y, ndim, shape);
  if (y == NULL) return nx_status(C);
  s.x = o.x;
  s.z = o.z;
  s.y = y;
  if (ndim == 2)
    nx_product(C, y->dtype, nx_matrix_of(o.x), nx_matrix_of(o.z),
               nx_matrix_of(y), NULL, NX_NONE);
  else
    nx_products(C, y->dtype, y->len / (shape[ndim - 1] * shape[ndim - 2]),
                nth_product, &s);
  return 0;
}


static nx_tensor *flip (nx_ctx *C, nx_tensor *t) {
  return nx_transpose(C, t, -2, -1);
}

static nx_tensor *with_dim (nx_ctx *C, nx_tensor *t, int at) {
  int64_t shape[NEAP_MAXDIM + 1];
  if (t == NULL) return NULL;
  if (at < 0) at += t->ndim + 1;
  for (int d = 0; d < at; d++) shape[d] = t->shape[d];
  shape[at] = 1;
  for (int d = at; d < t->ndim; d++) shape[d + 1] = t->shape[d];
  return nx_reshape(C, t, t->ndim + 1, shape);
}

/* a gradient of a batch of matrices, for an operand of the shape 'like' */
static nx_tensor *fold_to (nx_ctx *C, nx_tensor *g, const nx_tensor *like,
                           int vec, int at) {
  if (g == NULL || !vec) return g ? nx_sum_to(C, g, like) : NULL;
  {
    nx_tensor m = *like;
    m.ndim = 2;
    m.shape[0] = at == 0 ? 1 : like->shape[0];
    m.shape[1] = at == 0 ? like->shape[0] : 1;
    g = nx_sum_to(C, g, &m);
  }
  return g ? nx_reshape(C, g, 1, like->shape) : NULL;
}

/* gx = gy z^T, gz = x^T gy, with vectors as rows and columns */
static int matmul_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                        nx_tensor **gx) {
  nx_tensor *x = n->in[0], *z = n->in[1], *g = gy[0];
  int xvec = x->ndim == 1, zvec = z->ndim == 1;
  nx_tensor *xm = xvec ? with_dim(C, x, 0) : x;
  nx_tensor *zm = zvec ? with_dim(C, z, -1) : z;
  if (zvec) g = with_dim(C, g, -1);
  if (xvec) g = with_dim(C, g, -2);
  if (nx_status(C)) return nx_status(C);
  if (n->wants[0])
    gx[0] = fold_to(C, nx_matmul(C, g, flip(C, zm)), x, xvec, 0);
  if (n->wants[1])
    gx[1] = fold_to(C, nx_matmul(C, flip(C, xm), g), z, zvec, 1);
  return nx_status(C);
}

/* Places by the dimensions of both, where none is broadcast. */
static const char *matmul_cutting (const nx_node *n) {
  int x = n->in[0]->ndim, z = n->in[1]->ndim;
  if (x == 2 && z == 2) return "y0 x0, y1 z1";
  if (x == 3 && z == 3) return "y0 x0 z0, y1 x1, y2 z2";
  if (x == 4 && z == 4) return "y0 x0 z0, y1 x1 z1, y2 x2, y3 z3";
  return x == 3 && z == 2 ? "y0 x0, y1 x1, y2 z1" : NULL;
}

static double matmul_work (const nx_node *n) {
  const nx_tensor *x = n->in[0];
  return (double)n->out[0]->len *
         (double)(x->ndim > 0 ? x->shape[x->ndim - 1] : 1);
}

const nx_op nx_op_matmul = {
  .name = "matmul",
  .doc = "Matrix product; dimensions before the last two broadcast, a "
         "vector is a row on the left and a column on the right.",
  .inputs = "x z", .outputs = "y", .saves = "x z",
  .cutting = matmul_cutting, .work = matmul_work, .shape = matmul_shape,
  .forward = matmul_forward, .grad = NX_LEARN(matmul_grad)
};

OPFN nx_tensor *nx_matmul (nx_ctx *C, nx_tensor *x, nx_tensor *z) {
  return nx_apply(C, &nx_op_matmul, NULL, 2, (nx_tensor *[]){x, z});
}


/*
** The same for operands of known dimensions, under their own names.
*/
static int check_ranks (nx_ctx *C, const nx_node *n, int x, int z) {
  char xt[NX_SHAPE_TEXT], zt[NX_SHAPE_TEXT];
  if (n->in[0]->ndim == x && n->in[1]->ndim == z) return 0;
  return nx_op_fail(C, n, NEAP_ESHAPE, "x is %s and z is %s, expected %d and "
                    "%d dimensions (matmul takes any)",
                    nx_shape_of(n->in[0], xt), nx_shape_of(n->in[1], zt), x,
                    z);
}

#define RANKED(id, x, z, text) \
static int id##_shape (nx_ctx *C, nx_node *n) { \
  return check_ranks(C, n, x, z) ? nx_status(C) : matmul_shape(C, n); \
} \
const nx_op nx_op_##id = { \
  .name = #id, .doc = text, .inputs = "x z", .outputs = "y", \
  .saves = "x z", .shape = id##_shape, .forward = matmul_forward, \
  .grad = NX_LEARN(matmul_grad) \
};

RANKED(mm, 2, 2, "Product of two matrices.")
RANKED(mv, 2, 1, "Product of a matrix and a vector.")
RANKED(dot, 1, 1, "Sum of the products of two vectors' elements.")

static int bmm_shape (nx_ctx *C, nx_node *n) {
  char xt[NX_SHAPE_TEXT], zt[NX_SHAPE_TEXT];
  if (check_ranks(C, n, 3, 3)) return nx_status(C);
  if (n->in[0]->shape[0] != n->in[1]->shape[0])
    return nx_op_fail(C, n, NEAP_ESHAPE, "x is %s and z is %s: they hold "
                      "different numbers of matrices",
                      nx_shape_of(n->in[0], xt), nx_shape_of(n->in[1], zt));
  return matmul_shape(C, n);
}

const nx_op nx_op_bmm = {
  .name = "bmm", .doc = "Products of as many pairs of matrices.",
  .inputs = "x z", .outputs = "y", .saves = "x z", .shape = bmm_shape,
  .forward = matmul_forward, .grad = NX_LEARN(matmul_grad)
};
