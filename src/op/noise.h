/*
** The options that dropout and its kin share; layers fill them.
*/
#ifndef nx_noise_h
#define nx_noise_h

#include "grad/op.h"

typedef struct nx_noise_args {
  double p;                    /* the probability, or the deviation */
  int training;
  nx_draw generator;
} nx_noise_args;

#define NX_NOISE_FIELDS(name, fallback, doc) \
  NX_NUMBER_AS(nx_noise_args, p, name, fallback, doc), \
  NX_BOOL(nx_noise_args, training, 1, "false: y is x"), \
  NX_DRAW(nx_noise_args, generator), \
  NX_END

#endif
