/*
** What operations of linear algebra share: batches of matrices in double
** precision, stored as LAPACK does.
*/
#ifndef nx_matrices_h
#define nx_matrices_h

#include "grad/op.h"
#include "tensor/lapack.h"

/* Input i is a batch of matrices (square ones, with 'square') of real
   numbers, and LAPACK is there; or this fails. */
int nx_want_matrices (nx_ctx *C, const nx_node *n, int i, int square);

/* A new double tensor whose matrices are those of t, column after column. */
nx_tensor *nx_columns (nx_ctx *C, nx_tensor *t);
/* out = such matrices, in its own type and order */
int nx_from_columns (nx_ctx *C, nx_tensor *out, nx_tensor *columns);

/* How many matrices there are, and the k-th of a tensor of such columns. */
int64_t nx_matrix_count (const nx_tensor *t);
double *nx_matrix_at (const nx_tensor *t, int64_t k);

/* The transposed view. */
nx_tensor *nx_turned (nx_ctx *C, nx_tensor *t);

#endif
