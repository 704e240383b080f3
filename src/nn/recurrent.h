/*
** Recurrent layers, for those who run them in another way.
*/
#ifndef nx_recurrent_h
#define nx_recurrent_h

#include "nn/module.h"
#include "op/recurrence.h"

typedef struct nx_recurrent {
  nx_module m;
  int64_t input_size, hidden_size, num_layers, proj_size, skip, recompute;
  int bias, batch_first, bidirectional, nonlinearity;
  int residual, layer_norm, learned_state;
  double dropout, recurrent_dropout, forget_bias;
} nx_recurrent;

enum { NX_NO_RESIDUAL, NX_BETWEEN_LAYERS, NX_FROM_INPUT };

/* The module as one of these layers, or NULL. */
nx_recurrent *nx_recurrent_of (nx_module *m);
const nx_cell *nx_recurrent_cell (const nx_recurrent *l);
/* Fails if options do not go together. */
int nx_recurrent_check (nx_ctx *C, const nx_recurrent *l);
int64_t nx_recurrent_width (const nx_recurrent *l);    /* of h */
/* The parameter 'what' of layer and direction k, or NULL. */
nx_tensor *nx_recurrent_param (const nx_recurrent *l, const char *what,
                               int64_t k);

#endif
