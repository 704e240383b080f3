/*
** Equations with matrices: solve, solve_triangular, slogdet, cholesky.
** Matrices are the last two dimensions; those before are a batch.
*/
#include <math.h>
#include <string.h>
#include "op/composed.h"
#include "op/matrices.h"
#include "tensor/blas.h"

#define TURN(t) nx_turned(C, t)
#define MM(a, b) nx_matmul(C, a, b)

/* b fits a: the same batch, as many rows */
static int want_right_side (nx_ctx *C, const nx_node *n) {
  const nx_tensor *a = n->in[0], *b = n->in[1];
  char at[NX_SHAPE_TEXT], bt[NX_SHAPE_TEXT];
  int fits = b->dtype == a->dtype && b->ndim == a->ndim &&
             b->shape[b->ndim - 2] == a->shape[a->ndim - 1];
  for (int d = 0; fits && d + 2 < a->ndim; d++)
    fits = a->shape[d] == b->shape[d];
  if (fits) return 0;
  return nx_op_fail(C, n, NEAP_ESHAPE, "b (%s %s) does not fit a (%s %s): "
                    "expected as many rows, the same batch and type",
                    nx_dtype_name(b->dtype), nx_shape_of(b, bt),
                    nx_dtype_name(a->dtype), nx_shape_of(a, at));
}

static int solve_shape (nx_ctx *C, nx_node *n) {
  if (nx_want_matrices(C, n, 0, 1) || nx_want_matrices(C, n, 1, 0) ||
      want_right_side(C, n)) return nx_status(C);
  nx_out_like(C, n, 0, n->in[1]);
  return nx_status(C);
}


/* Room for the row exchanges of n x n matrices. */
static int *pivots (nx_ctx *C, int64_t n) {
  int64_t words = n / 2 + 1;             /* ints in doubles */
  nx_tensor *t = nx_new(C, NEAP_F64, 1, &words);
  return t ? (int *)(void *)t->data : NULL;
}

/* y = a^-1 b, by LU with row exchanges */
static int solve_forward (nx_ctx *C, nx_node *n) {
  nx_tensor *a = nx_columns(C, n->in[0]), *b = nx_columns(C, n->in[1]);
  int size = (int)n->in[0]->shape[n->in[0]->ndim - 1], *piv;
  int columns = (int)n->in[1]->shape[n->in[1]->ndim - 1], info = 0;
  int64_t k = 0;
  piv = pivots(C, size);
  if (a == NULL || b == NULL || piv == NULL) return nx_status(C);
  nx_blas_begin();
  for (; k < nx_matrix_count(a) && info == 0; k++) {
    info = nx_lapack_lu(size, nx_matrix_at(a, k), piv);
    if (info == 0)
      info = nx_lapack_lu_solve(size, columns, nx_matrix_at(a, k), piv,
                                nx_matrix_at(b, k), 0);
  }
  nx_blas_end();
  if (info != 0)
    return nx_op_fail(C, n, NEAP_EARG, "a is singular (matrix %lld of %lld)",
                      (long long)(k - 1 + C->base),
                      (long long)nx_matrix_count(a));
  return nx_from_columns(C, n->out[0], b);
}

/* gb = a^-T gy,  ga = -gb y^T */
static int solve_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                       nx_tensor **gx) {
  nx_tensor *gb = nx_solve(C, TURN(n->in[0]), gy[0]);
  if (n->wants[0]) gx[0] = nx_neg(C, MM(gb, TURN(n->out[0])));
  if (n->wants[1]) gx[1] = gb;
  return nx_status(C);
}

const nx_op nx_op_solve = {
  .name = "solve", .doc = "The y with a y = b, for square matrices a.",
  .inputs = "a b", .outputs = "y", .saves = "a y", .shape = solve_shape,
  .forward = solve_forward, .grad = NX_LEARN(solve_grad)
};

OPFN nx_tensor *nx_solve (nx_ctx *C, nx_tensor *a, nx_tensor *b) {
  return nx_apply(C, &nx_op_solve, NULL, 2, (nx_tensor *[]){a, b});
}


/*
** solve_triangular: only one triangle of a is looked at.
*/
typedef struct triangle_args { int upper, unitriangular; } triangle_args;

static const nx_field triangle_fields[] = {
  NX_BOOL(triangle_args, upper, NX_REQUIRED, "the upper triangle"),
  NX_BOOL(triangle_args, unitriangular, 0, "its diagonal counts as ones"),
  NX_END
};

static int solve_triangular_forward (nx_ctx *C, nx_node *n) {
  const triangle_args *t = n->a;
  nx_tensor *a = nx_columns(C, n->in[0]), *b = nx_columns(C, n->in[1]);
  int size = (int)n->in[0]->shape[n->in[0]->ndim - 1], info = 0;
  int columns = (int)n->in[1]->shape[n->in[1]->ndim - 1];
  if (a == NULL || b == NULL) return nx_status(C);
  nx_blas_begin();
  for (int64_t k = 0; k < nx_matrix_count(a) && info == 0; k++)
    info = nx_lapack_triangle(size, columns, nx_matrix_at(a, k),
                              nx_matrix_at(b, k), t->upper, 0,
                              t->unitriangular);
  nx_blas_end();
  if (info != 0)
    return nx_op_fail(C, n, NEAP_EARG, "a is singular: element %d of its "
                      "diagonal is 0", info - 1 + C->base);
  return nx_from_columns(C, n->out[0], b);
}

/* gb = a^-T gy,  ga = the triangle of -gb y^T */
static int solve_triangular_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                                  nx_tensor **gx) {
  const triangle_args *t = n->a;
  nx_tensor *gb = nx_solve_triangular(C, TURN(n->in[0]), gy[0], !t->upper,
                                      t->unitriangular);
  int64_t beside = t->unitriangular != 0;
  if (n->wants[1]) gx[1] = gb;
  if (!n->wants[0]) return nx_status(C);
  gx[0] = nx_neg(C, MM(gb, TURN(n->out[0])));
  gx[0] = t->upper ? nx_triu(C, gx[0], beside) : nx_tril(C, gx[0], -beside);
  return nx_status(C);
}

const nx_op nx_op_solve_triangular = {
  .name = "solve_triangular",
  .doc = "The y with a y = b, where a is a triangle.",
  .inputs = "a b", .outputs = "y", .fields = triangle_fields,
  .argsize = sizeof(triangle_args), .saves = "a y", .shape = solve_shape,
  .forward = solve_triangular_forward, .grad = NX_LEARN(solve_triangular_grad)
};

OPFN nx_tensor *nx_solve_triangular (nx_ctx *C, nx_tensor *a, nx_tensor *b,
                                     int upper, int unitriangular) {
  triangle_args args = {upper, unitriangular};
  return nx_apply(C, &nx_op_solve_triangular, &args, 2,
                  (nx_tensor *[]){a, b});
}


/*
** slogdet: the sign of the determinant and the logarithm of its size.
*/
static int slogdet_shape (nx_ctx *C, nx_node *n) {
  nx_tensor *a = n->in[0];
  if (nx_want_matrices(C, n, 0, 1)) return nx_status(C);
  nx_out(C, n, 0, a->dtype, a->ndim - 2, a->shape);
  nx_out(C, n, 1, a->dtype, a->ndim - 2, a->shape);
  return nx_status(C);
}

/* the product of LU's diagonal, negative for an odd number of exchanges */
static void determinant (int size, const double *lu, const int *piv,
                         double *sign, double *logarithm) {
  *sign = 1;
  *logarithm = 0;
  for (int i = 0; i < size; i++) {
    double d = lu[(size_t)i * (size_t)size + (size_t)i];
    if (d < 0) *sign = -*sign;
    if (piv[i] != i + 1) *sign = -*sign;
    if (d == 0) *sign = 0;
    *logarithm += log(fabs(d));
  }
}

static int slogdet_forward (nx_ctx *C, nx_node *n) {
  nx_tensor *a = nx_columns(C, n->in[0]), *y = n->out[0];
  int size = (int)n->in[0]->shape[n->in[0]->ndim - 1];
  int *piv = pivots(C, size);
  int64_t step = (int64_t)nx_dtype_size(y->dtype);
  if (a == NULL || piv == NULL) return nx_status(C);
  nx_blas_begin();
  for (int64_t k = 0; k < y->len; k++) {
    double sign, logarithm;
    nx_lapack_lu(size, nx_matrix_at(a, k), piv);
    determinant(size, nx_matrix_at(a, k), piv, &sign, &logarithm);
    nx_put_number(y, y->data + k * step, sign);
    nx_put_number(n->out[1], n->out[1]->data + k * step, logarithm);
  }
  nx_blas_end();
  return 0;
}

/* ga = g a^-T */
static int slogdet_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                         nx_tensor **gx) {
  nx_tensor *a = n->in[0], *one, *g = gy[1];
  if (g == NULL) return 0;
  one = nx_identity_like(C, a);
  g = nx_unsqueeze(C, nx_unsqueeze(C, g, -1), -1);
  gx[0] = MUL(g, one ? nx_solve(C, TURN(a), one) : NULL);
  return nx_status(C);
}

const nx_op nx_op_slogdet = {
  .name = "slogdet",
  .doc = "The sign of the determinant and the logarithm of its absolute "
         "value.",
  .inputs = "a", .outputs = "sign logabsdet", .saves = "a",
  .shape = slogdet_shape, .forward = slogdet_forward,
  .grad = NX_LEARN(slogdet_grad)
};

/* ones on the diagonals, in the shape of a */
OPFN nx_tensor *nx_identity_like (nx_ctx *C, nx_tensor *a) {
  nx_tensor *t = a ? nx_zeros(C, a->dtype, a->ndim, a->shape) : NULL;
  int64_t n, size;
  if (t == NULL) return NULL;
  n = a->shape[a->ndim - 1];
  size = (int64_t)nx_dtype_size(a->dtype);
  for (int64_t i = 0; n > 0 && i < t->len / n; i++)
    nx_put_number(t, t->data + (i * n + i % n) * size, 1);
  return t;
}


/*
** cholesky: the lower triangle L with L L^T = a (or the upper one).
*/
typedef struct cholesky_args { int upper; } cholesky_args;

static const nx_field cholesky_fields[] = {
  NX_BOOL(cholesky_args, upper, 0, "U with U^T U = a instead"), NX_END
};

static int cholesky_shape (nx_ctx *C, nx_node *n) {
  if (nx_want_matrices(C, n, 0, 1) == 0) nx_out_like(C, n, 0, n->in[0]);
  return nx_status(C);
}

static int cholesky_forward (nx_ctx *C, nx_node *n) {
  int upper = ((cholesky_args *)n->a)->upper, info = 0;
  nx_tensor *a = nx_columns(C, upper ? TURN(n->in[0]) : n->in[0]), *y;
  int size = (int)n->in[0]->shape[n->in[0]->ndim - 1];
  int64_t k = 0;
  if (a == NULL) return nx_status(C);
  nx_blas_begin();
  for (; k < nx_matrix_count(a) && info == 0; k++)
    info = nx_lapack_cholesky(size, nx_matrix_at(a, k));
  nx_blas_end();
  if (info != 0)
    return nx_op_fail(C, n, NEAP_EARG, "a is not positive-definite: its "
                      "leading part of order %d is not (matrix %lld of "
                      "%lld)", info, (long long)(k - 1 + C->base),
                      (long long)nx_matrix_count(a));
  y = nx_tril(C, TURN(a), 0);
  return y ? nx_copy(C, n->out[0], upper ? TURN(y) : y) : nx_status(C);
}

/*
** With P = the lower triangle of L^T gL, its diagonal halved:
**   ga = L^-T P L^-1, made symmetric (Murray 2016, equation 9)
*/
static int cholesky_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                          nx_tensor **gx) {
  int upper = ((cholesky_args *)n->a)->upper;
  nx_tensor *l = upper ? TURN(n->out[0]) : n->out[0];
  nx_tensor *g = upper ? TURN(gy[0]) : gy[0], *p, *s;
  p = nx_tril(C, MM(TURN(l), g), 0);
  p = SUB(p, MUL(MUL(p, nx_identity_like(C, l)), NUM(0.5)));
  s = nx_solve_triangular(C, TURN(l), p, 1, 0);           /* L^-T P */
  s = nx_solve_triangular(C, TURN(l), TURN(s), 1, 0);     /* ... L^-1, ^T */
  gx[0] = MUL(ADD(s, TURN(s)), NUM(0.5));
  return nx_status(C);
}

const nx_op nx_op_cholesky = {
  .name = "cholesky",
  .doc = "The lower triangle L with L L^T = a, for positive-definite a; only "
         "its lower triangle is looked at.",
  .inputs = "a", .outputs = "l", .fields = cholesky_fields,
  .argsize = sizeof(cholesky_args), .saves = "l", .shape = cholesky_shape,
  .forward = cholesky_forward, .grad = NX_LEARN(cholesky_grad)
};
