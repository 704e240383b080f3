/*
** What losses share.
*/
#ifndef nx_loss_h
#define nx_loss_h

#include "grad/op.h"

enum { NX_EACH, NX_MEAN, NX_TOTAL };     /* reductions */

#define NX_REDUCTION(s) \
  NX_ENUM(s, reduction, "none mean sum", NX_MEAN, \
          "one loss for each element, their mean or sum")

/* Inputs x and z are of one type and shape, or this fails with what would
   help: n x 1 against n, which broadcasting would make a silent n x n. */
int nx_want_alike (nx_ctx *C, const nx_node *n, int x, int z);

/* For 'compose': the losses of elements, reduced, as the result. */
int nx_reduce_loss (nx_ctx *C, nx_node *n, nx_tensor *each, int reduction);

#endif
