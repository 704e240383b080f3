/*
** Padded batches of sequences of several lengths, and the same without the
** padding.
*/
#ifndef nx_lengths_h
#define nx_lengths_h

#include "ops.h"

/*
** The longest sequence first: rows of its first steps, then of all second
** steps, ..., as recurrent operations take them.
*/
typedef struct nx_lengths {
  nx_tensor *sizes;            /* rows at each step */
  nx_tensor *rows;             /* positions in the padded batch, (rows) */
  nx_tensor *order, *back;     /* of the sequences, and the way back */
} nx_lengths;

/* Fails unless 'lengths' holds 'batch' numbers from 1 to 'steps'. Rows of
   the padded batch are counted as (steps, batch), or (batch, steps). */
int nx_lengths_read (nx_ctx *C, const char *who, nx_tensor *lengths,
                     int64_t steps, int64_t batch, int batch_first,
                     nx_lengths *out);

/* (a, b, features) to rows of features, and back, with zeros as padding */
nx_tensor *nx_lengths_pack (nx_ctx *C, const nx_lengths *l, nx_tensor *x);
nx_tensor *nx_lengths_pad (nx_ctx *C, const nx_lengths *l, nx_tensor *y,
                           int64_t a, int64_t b);

#endif
