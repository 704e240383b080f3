/*
** Batches of matrices as LAPACK takes them.
*/
#include <limits.h>
#include <string.h>
#include "ops.h"
#include "op/matrices.h"

int nx_want_matrices (nx_ctx *C, const nx_node *n, int i, int square) {
  const nx_tensor *t = n->in[i];
  char text[NX_SHAPE_TEXT], name[32];
  nx_names_at(n->op->inputs, i, name);
  if (nx_want_float(C, n, i)) return nx_status(C);
  if (t->ndim < 2 || (square && t->shape[t->ndim - 1] !=
                      t->shape[t->ndim - 2]))
    return nx_op_fail(C, n, NEAP_ESHAPE, "%s is %s, expected %s", name,
                      nx_shape_of(t, text), square ? "square matrices"
                      : "matrices (..., rows, columns)");
  if (t->shape[t->ndim - 1] > INT_MAX / 64 ||
      t->shape[t->ndim - 2] > INT_MAX / 64)
    return nx_op_fail(C, n, NEAP_ESHAPE, "%s (%s) is too large", name,
                      nx_shape_of(t, text));
  if (nx_lapack_present()) return 0;
  return nx_op_fail(C, n, NEAP_EUNSUP, "linear algebra needs LAPACK, which "
                    "comes with OpenBLAS; this neap was built without it");
}


nx_tensor *nx_turned (nx_ctx *C, nx_tensor *t) {
  return t ? nx_transpose(C, t, t->ndim - 2, t->ndim - 1) : NULL;
}


/* columns one after the other are the rows of the transposed */
nx_tensor *nx_columns (nx_ctx *C, nx_tensor *t) {
  nx_tensor *turned = nx_turned(C, t), *copy;
  copy = turned ? nx_new(C, NEAP_F64, turned->ndim, turned->shape) : NULL;
  return copy && nx_copy(C, copy, turned) == 0 ? copy : NULL;
}

int nx_from_columns (nx_ctx *C, nx_tensor *out, nx_tensor *columns) {
  nx_tensor *turned = nx_turned(C, columns);
  return turned ? nx_copy(C, out, turned) : nx_status(C);
}


int64_t nx_matrix_count (const nx_tensor *t) {
  int64_t n = 1;
  for (int d = 0; d + 2 < t->ndim; d++) n *= t->shape[d];
  return n;
}

double *nx_matrix_at (const nx_tensor *t, int64_t k) {
  return (double *)(void *)t->data +
         k * t->shape[t->ndim - 1] * t->shape[t->ndim - 2];
}
