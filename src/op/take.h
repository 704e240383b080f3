/*
** The arguments of indexing by tensors, which bindings compute.
*/
#ifndef nx_take_h
#define nx_take_h

#include "grad/op.h"

typedef struct nx_take_args {
  nx_ints dims;                /* indexed ones, from 0, rising */
  int accumulate;
  int64_t base;
} nx_take_args;

#endif
