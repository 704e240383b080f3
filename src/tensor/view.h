/*
** Views: other sizes and strides over the same elements. All are new
** tensors in the current scope; arguments were checked before.
*/
#ifndef nx_view_h
#define nx_view_h

#include "tensor/tensor.h"

nx_tensor *nx_view_swap (nx_ctx *C, nx_tensor *t, int a, int b);
nx_tensor *nx_view_part (nx_ctx *C, nx_tensor *t, int dim, int64_t start,
                         int64_t length, int64_t step);
nx_tensor *nx_view_expand (nx_ctx *C, nx_tensor *t, int ndim,
                           const int64_t *shape);

nx_tensor *nx_view_permute (nx_ctx *C, nx_tensor *t, const int64_t *order);
/* Dimensions by falling stride; 'order' receives which they were. */
nx_tensor *nx_view_sorted (nx_ctx *C, nx_tensor *t, int *order);

/* The same elements in row order as another shape; NULL, without an
   error, if strides cannot say it. */
nx_tensor *nx_view_shape (nx_ctx *C, nx_tensor *t, int ndim,
                          const int64_t *shape);

#endif
