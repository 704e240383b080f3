/*
** Positions in tensors of whole numbers, as operations read them.
*/
#ifndef nx_index_h
#define nx_index_h

#include "grad/op.h"

/*
** The contents of input 'i' as dense int64, from 0, all inside 'size'.
** Negative ones count from the end. 'dim' is for the message (-1: none).
*/
nx_tensor *nx_positions (nx_ctx *C, const nx_node *n, int i, int64_t size,
                         int64_t dim, int64_t base);

/*
** The same where negative numbers mean nothing: labels, values to count.
** 'what' says what there are 'size' of.
*/
nx_tensor *nx_labels (nx_ctx *C, const nx_node *n, int i, int64_t size,
                      int64_t base, const char *what);

#endif
