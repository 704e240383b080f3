/*
** Factors of matrices: qr, eigh, svd. Their gradients need different
** eigenvalues or singular values.
*/
#include <string.h>
#include "op/composed.h"
#include "op/matrices.h"
#include "tensor/blas.h"

#define TURN(t) nx_turned(C, t)
#define MM(a, b) nx_matmul(C, a, b)

static int64_t rows_of (const nx_tensor *a) { return a->shape[a->ndim - 2]; }
static int64_t cols_of (const nx_tensor *a) { return a->shape[a->ndim - 1]; }

/* result i, a matrix of these sizes for each of the input's */
static void out_matrix (nx_ctx *C, nx_node *n, int i, int64_t rows,
                        int64_t cols) {
  const nx_tensor *a = n->in[0];
  int64_t shape[NEAP_MAXDIM];
  memcpy(shape, a->shape, sizeof(shape));
  shape[a->ndim - 2] = rows;
  shape[a->ndim - 1] = cols;
  nx_out(C, n, i, a->dtype, a->ndim, shape);
}

/* result i, a vector of this size for each matrix */
static void out_vector (nx_ctx *C, nx_node *n, int i, int64_t size) {
  const nx_tensor *a = n->in[0];
  int64_t shape[NEAP_MAXDIM];
  memcpy(shape, a->shape, sizeof(shape));
  shape[a->ndim - 2] = size;
  nx_out(C, n, i, a->dtype, a->ndim - 1, shape);
}

/* a new batch of matrices of these sizes, to be filled by columns */
static nx_tensor *new_columns (nx_ctx *C, const nx_tensor *a, int64_t rows,
                               int64_t cols) {
  int64_t shape[NEAP_MAXDIM];
  memcpy(shape, a->shape, sizeof(shape));
  shape[a->ndim - 2] = cols;
  shape[a->ndim - 1] = rows;
  return nx_new(C, NEAP_F64, a->ndim, shape);
}

static double *doubles (nx_ctx *C, int64_t n) {
  nx_tensor *t = nx_new(C, NEAP_F64, 1, &n);
  return t ? (double *)(void *)t->data : NULL;
}

static nx_tensor *row (nx_ctx *C, nx_tensor *v) {     /* (..., 1, n) */
  return v ? nx_unsqueeze(C, v, -2) : NULL;
}


/*
** qr: a = q r with orthonormal columns of q and an upper triangle r, whose
** sizes are those of the smaller dimension.
*/
static int qr_shape (nx_ctx *C, nx_node *n) {
  const nx_tensor *a = n->in[0];
  int64_t k;
  if (nx_want_matrices(C, n, 0, 0)) return nx_status(C);
  k = rows_of(a) < cols_of(a) ? rows_of(a) : cols_of(a);
  out_matrix(C, n, 0, rows_of(a), k);
  out_matrix(C, n, 1, k, cols_of(a));
  return nx_status(C);
}

/* the upper triangle of an m x n matrix, its first k rows */
static void take_triangle (const double *a, int64_t m, int64_t n, int64_t k,
                           double *r) {
  for (int64_t j = 0; j < n; j++)
    for (int64_t i = 0; i < k; i++)
      r[j * k + i] = i <= j ? a[j * m + i] : 0;
}

static int qr_forward (nx_ctx *C, nx_node *n) {
  nx_tensor *x = n->in[0], *a = nx_columns(C, x), *q, *r;
  int rows = (int)rows_of(x), cols = (int)cols_of(x), room, info = 0;
  int k = rows < cols ? rows : cols;
  double *work, *tau;
  room = nx_lapack_qr_work(rows, cols);
  work = doubles(C, room);
  tau = doubles(C, k + 1);
  q = new_columns(C, x, rows, k);
  r = new_columns(C, x, k, cols);
  if (nx_status(C)) return nx_status(C);
  nx_blas_begin();
  for (int64_t i = 0; i < nx_matrix_count(a) && info == 0; i++) {
    double *at = nx_matrix_at(a, i);
    info = nx_lapack_qr(rows, cols, at, tau, work, room);
    take_triangle(at, rows, cols, k, nx_matrix_at(r, i));
    if (info == 0) info = nx_lapack_q(rows, k, at, tau, work, room);
    memcpy(nx_matrix_at(q, i), at, (size_t)rows * (size_t)k *
           sizeof(double));
  }
  nx_blas_end();
  if (info != 0) return nx_op_fail(C, n, NEAP_EARG, "LAPACK gives up");
  nx_from_columns(C, n->out[0], q);
  return nx_from_columns(C, n->out[1], r);
}

/*
** For at least as many rows as columns: with M = r gr^T - gq^T q and its
** lower triangle mirrored upwards, ga = (gq + q M') r^-T (Seeger et al.
** 2017, section 4.3).
*/
static int qr_grad (nx_ctx *C, nx_node *n, nx_tensor **gy, nx_tensor **gx) {
  nx_tensor *q = n->out[0], *r = n->out[1], *m = NULL, *b;
  if (rows_of(q) < cols_of(r))
    return nx_op_fail(C, n, NEAP_EGRAD, "there is no gradient for matrices "
                      "with more columns than rows");
  if (gy[1]) m = MM(r, TURN(gy[1]));
  if (gy[0]) {
    nx_tensor *t = MM(TURN(gy[0]), q);
    m = m ? SUB(m, t) : nx_neg(C, t);
  }
  if (m == NULL) return nx_status(C);
  m = ADD(nx_tril(C, m, 0), TURN(nx_tril(C, m, -1)));
  b = MM(q, m);
  if (gy[0]) b = ADD(b, gy[0]);
  gx[0] = TURN(nx_solve_triangular(C, r, TURN(b), 1, 0));
  return nx_status(C);
}

const nx_op nx_op_qr = {
  .name = "qr",
  .doc = "q with orthonormal columns and a triangle r with q r = a.",
  .inputs = "a", .outputs = "q r", .saves = "q r", .shape = qr_shape,
  .forward = qr_forward, .grad = NX_LEARN(qr_grad)
};


/*
** eigh: eigenvalues of symmetric matrices, rising, and vectors in columns.
*/
static int eigh_shape (nx_ctx *C, nx_node *n) {
  if (nx_want_matrices(C, n, 0, 1)) return nx_status(C);
  out_vector(C, n, 0, rows_of(n->in[0]));
  out_matrix(C, n, 1, rows_of(n->in[0]), rows_of(n->in[0]));
  return nx_status(C);
}

static int eigh_forward (nx_ctx *C, nx_node *n) {
  nx_tensor *x = n->in[0], *a = nx_columns(C, x), *w;
  int size = (int)rows_of(x), room, iroom, info = 0;
  double *work, *iwork;
  nx_lapack_eigen_work(size, &room, &iroom);
  work = doubles(C, room);
  iwork = doubles(C, iroom / 2 + 1);
  w = nx_new(C, NEAP_F64, n->out[0]->ndim, n->out[0]->shape);
  if (nx_status(C)) return nx_status(C);
  nx_blas_begin();
  for (int64_t i = 0; i < nx_matrix_count(a) && info == 0; i++)
    info = nx_lapack_eigen(size, nx_matrix_at(a, i),
                           (double *)(void *)w->data + i * size, work, room,
                           (int *)(void *)iwork, iroom);
  nx_blas_end();
  if (info != 0)
    return nx_op_fail(C, n, NEAP_EARG, "no eigenvalues were found (does a "
                      "hold NaN?)");
  nx_copy(C, n->out[0], w);
  return nx_from_columns(C, n->out[1], a);
}

/* 1 / (x_j - x_i), 0 on the diagonal */
static nx_tensor *gaps (nx_ctx *C, nx_tensor *x) {
  nx_tensor *d = SUB(row(C, x), TURN(row(C, x))), *one;
  one = d ? nx_identity_like(C, d) : NULL;
  return MUL(SUB(NUM(1), one), DIV(NUM(1), ADD(d, one)));
}

/* ga = v (diag(gw) + F * (v^T gv)) v^T with F_ij = 1 / (w_j - w_i) */
static int eigh_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                      nx_tensor **gx) {
  nx_tensor *w = n->out[0], *v = n->out[1], *m = NULL;
  if (gy[0]) m = MUL(nx_identity_like(C, v), row(C, gy[0]));
  if (gy[1]) {
    nx_tensor *t = MUL(gaps(C, w), MM(TURN(v), gy[1]));
    m = m ? ADD(m, t) : t;
  }
  if (m) gx[0] = MM(MM(v, m), TURN(v));
  return nx_status(C);
}

const nx_op nx_op_eigh = {
  .name = "eigh",
  .doc = "Eigenvalues of symmetric matrices in rising order, and vectors in "
         "columns; only the lower triangle is looked at.",
  .inputs = "a", .outputs = "w v", .saves = "w v", .shape = eigh_shape,
  .forward = eigh_forward, .grad = NX_LEARN(eigh_grad)
};


/*
** svd: a = u diag(s) vh, with as many singular values as the smaller
** dimension, falling.
*/
static int svd_shape (nx_ctx *C, nx_node *n) {
  const nx_tensor *a = n->in[0];
  int64_t k;
  if (nx_want_matrices(C, n, 0, 0)) return nx_status(C);
  k = rows_of(a) < cols_of(a) ? rows_of(a) : cols_of(a);
  out_matrix(C, n, 0, rows_of(a), k);
  out_vector(C, n, 1, k);
  out_matrix(C, n, 2, k, cols_of(a));
  return nx_status(C);
}

static int svd_forward (nx_ctx *C, nx_node *n) {
  nx_tensor *x = n->in[0], *a = nx_columns(C, x), *u, *s, *vt;
  int rows = (int)rows_of(x), cols = (int)cols_of(x), room, info = 0;
  int k = rows < cols ? rows : cols;
  double *work, *iwork;
  room = k ? nx_lapack_svd_work(rows, cols) : 1;
  work = doubles(C, room);
  iwork = doubles(C, 4 * (int64_t)k + 1);
  u = new_columns(C, x, rows, k);
  vt = new_columns(C, x, k, cols);
  s = nx_new(C, NEAP_F64, n->out[1]->ndim, n->out[1]->shape);
  if (nx_status(C)) return nx_status(C);
  nx_blas_begin();
  for (int64_t i = 0; k > 0 && i < nx_matrix_count(a) && info == 0; i++)
    info = nx_lapack_svd(rows, cols, nx_matrix_at(a, i),
                         (double *)(void *)s->data + i * k,
                         nx_matrix_at(u, i), nx_matrix_at(vt, i), work, room,
                         (int *)(void *)iwork);
  nx_blas_end();
  if (info != 0)
    return nx_op_fail(C, n, NEAP_EARG, "no singular values were found (does "
                      "a hold NaN?)");
  nx_from_columns(C, n->out[0], u);
  nx_copy(C, n->out[1], s);
  return nx_from_columns(C, n->out[2], vt);
}

static nx_tensor *skew (nx_ctx *C, nx_tensor *t) { return SUB(t, TURN(t)); }

/*
** With F_ij = 1 / (s_j^2 - s_i^2) and skew(X) = X - X^T:
**   ga = u (F * skew(u^T gu) S + S F * skew(v^T gv) + diag(gs)) v^T
**      + (1 - u u^T) gu S^-1 v^T + u S^-1 gv^T (1 - v v^T)
** (Giles 2008, section 3.2; the last two where u or v is not square)
*/
static int svd_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                     nx_tensor **gx) {
  nx_tensor *u = n->out[0], *s = n->out[1], *vh = n->out[2], *m, *f, *t;
  nx_tensor *by_row = row(C, s), *by_column = TURN(by_row);
  f = gaps(C, MUL(s, s));
  m = MUL(f, NUM(0));
  if (gy[1]) m = ADD(m, MUL(nx_identity_like(C, f), row(C, gy[1])));
  if (gy[0]) m = ADD(m, MUL(MUL(f, skew(C, MM(TURN(u), gy[0]))), by_row));
  if (gy[2])
    m = ADD(m, MUL(by_column, MUL(f, skew(C, MM(vh, TURN(gy[2]))))));
  gx[0] = MM(MM(u, m), vh);
  if (gy[0] && rows_of(u) > cols_of(u)) {
    t = DIV(SUB(gy[0], MM(u, MM(TURN(u), gy[0]))), by_row);
    gx[0] = ADD(gx[0], MM(t, vh));
  }
  if (gy[2] && cols_of(vh) > rows_of(vh)) {
    t = DIV(SUB(gy[2], MM(MM(gy[2], TURN(vh)), vh)), by_column);
    gx[0] = ADD(gx[0], MM(u, t));
  }
  return nx_status(C);
}

const nx_op nx_op_svd = {
  .name = "svd",
  .doc = "u, s and vh with u diag(s) vh = a; singular values s fall.",
  .inputs = "a", .outputs = "u s vh", .saves = "u s vh",
  .shape = svd_shape, .forward = svd_forward, .grad = NX_LEARN(svd_grad)
};
