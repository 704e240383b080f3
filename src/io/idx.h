/*
** IDX: the format of MNIST and its kin.
*/
#ifndef nx_idx_h
#define nx_idx_h

#include "io/source.h"
#include "tensor/tensor.h"

/* All of a source as a tensor in the current scope. */
nx_tensor *nx_idx_read (nx_source *s);

#endif
