/*
** IDX: the format of MNIST and its kin.
*/
#ifndef nx_idx_h
#define nx_idx_h

#include "tensor/tensor.h"

/* A tensor in the current scope, from a plain or gzip file. */
nx_tensor *nx_load_idx (nx_ctx *C, const char *path);

#endif
