/*
** Copies between tensors that are contiguous along different dimensions.
*/
#ifndef nx_transpose_h
#define nx_transpose_h

#include "tensor/tensor.h"

/*
** dst = src by square tiles; both of one type and shape. False, and nothing
** is done, where that is not how they lie in memory.
*/
int nx_copy_tiles (nx_ctx *C, nx_tensor *dst, const nx_tensor *src);

#endif
