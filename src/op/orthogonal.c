/*
** orthogonal: rows (or columns, where there are more rows) that are
** orthonormal, evenly distributed over all such matrices (Saxe et al.
** 2013): normal numbers made orthogonal by Gram and Schmidt, a block of
** rows at a time, so that most of the work is products of matrices; twice,
** so that rounding does not matter (Giraud et al. 2005).
*/
#include <math.h>
#include <string.h>
#include "ops.h"
#include "tensor/view.h"

typedef struct orthogonal_args {
  double gain;
  nx_draw generator;
} orthogonal_args;

static const nx_field orthogonal_fields[] = {
  NX_NUMBER(orthogonal_args, gain, 1, "factor of the result"),
  NX_DRAW(orthogonal_args, generator), NX_END
};

static int orthogonal_shape (nx_ctx *C, nx_node *n) {
  char text[NX_SHAPE_TEXT];
  if (nx_want_float(C, n, 0)) return nx_status(C);
  if (n->in[0]->ndim < 2)
    return nx_op_fail(C, n, NEAP_ESHAPE, "w is %s, expected at least two "
                      "dimensions", nx_shape_of(n->in[0], text));
  nx_out_like(C, n, 0, n->in[0]);
  return nx_status(C);
}


#define BLOCK 32

/* rows [from, to) of q without what they have of those before 'from' */
static int project (nx_ctx *C, nx_tensor *q, int64_t from, int64_t to) {
  nx_tensor *rows = nx_view_part(C, q, 0, from, to - from, 1);
  nx_tensor *before = nx_view_part(C, q, 0, 0, from, 1), *share;
  if (rows == NULL || before == NULL) return nx_status(C);
  share = nx_matmul(C, rows, nx_transpose(C, before, 0, 1));
  share = nx_sub(C, rows, nx_matmul(C, share, before));
  return share ? nx_copy(C, rows, share) : nx_status(C);
}

static double dot (const double *x, const double *y, int64_t n) {
  double sum[4] = {0, 0, 0, 0};
  int64_t i = 0;
  for (; i + 4 <= n; i += 4)
    for (int k = 0; k < 4; k++) sum[k] += x[i + k] * y[i + k];
  for (; i < n; i++) sum[0] += x[i] * y[i];
  return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

/* the same among rows [from, to), which get length 1 */
static void within (nx_tensor *q, int64_t from, int64_t to) {
  int64_t n = q->shape[1];
  double *data = (double *)(void *)q->data;
  for (int64_t i = from; i < to; i++) {
    double *x = data + i * n, length;
    for (int twice = 0; twice < 2; twice++)
      for (int64_t j = from; j < i; j++) {
        const double *y = data + j * n;
        double share = dot(x, y, n);
        for (int64_t k = 0; k < n; k++) x[k] -= share * y[k];
      }
    length = sqrt(dot(x, x, n));
    for (int64_t k = 0; length > 0 && k < n; k++) x[k] /= length;
  }
}

static int orthogonal_forward (nx_ctx *C, nx_node *n) {
  const orthogonal_args *a = n->a;
  nx_tensor *w = n->out[0], *q;
  int64_t rows = w->shape[0], columns, shape[2];
  double c[2] = {a->gain, 0};
  if (w->len == 0) return 0;
  columns = w->len / rows;
  shape[0] = rows < columns ? rows : columns;
  shape[1] = rows < columns ? columns : rows;
  q = nx_new(C, NEAP_F64, 2, shape);
  if (q == NULL || nx_fill_random(C, q, a->generator, 1, 0, 1))
    return nx_status(C);
  for (int64_t from = 0; from < shape[0]; from += BLOCK) {
    int64_t to = from + BLOCK < shape[0] ? from + BLOCK : shape[0];
    if (from > 0 && (project(C, q, from, to) || project(C, q, from, to)))
      return nx_status(C);
    within(q, from, to);
  }
  if (nx_map(C, nx_kernels_for(C, NEAP_F64)->scale, c, q, 1, &q))
    return nx_status(C);
  if (rows > columns) q = nx_transpose(C, q, 0, 1);
  q = nx_reshape(C, q, w->ndim, w->shape);
  return q ? nx_copy(C, w, q) : nx_status(C);
}

const nx_op nx_op_orthogonal = {
  .name = "orthogonal",
  .doc = "Orthonormal rows, or columns where there are fewer of them, times "
         "gain.",
  .inputs = "w", .outputs = "y", .fields = orthogonal_fields,
  .argsize = sizeof(orthogonal_args),
  .flags = NX_NOGRAD | NX_RANDOM | NX_INPLACE | NX_INITIALISER,
  .shape = orthogonal_shape, .forward = orthogonal_forward
};
