/*
** The arguments of a slice, which bindings compute from ranges.
*/
#ifndef nx_slice_h
#define nx_slice_h

#include "grad/op.h"

typedef struct slice_args { nx_ints start, count, step, drop; } slice_args;

/* All of x. */
static inline void nx_slice_all (const nx_tensor *x, slice_args *s) {
  s->start.n = s->count.n = s->step.n = s->drop.n = x->ndim;
  for (int d = 0; d < x->ndim; d++) {
    s->start.v[d] = s->drop.v[d] = 0;
    s->count.v[d] = x->shape[d];
    s->step.v[d] = 1;
  }
}

#endif
