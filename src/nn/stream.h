/*
** Recurrent layers step by step: the state stays inside, weights are packed
** once, and a step asks for no memory.
*/
#ifndef nx_stream_h
#define nx_stream_h

#include "nn/module.h"

typedef struct nx_stream nx_stream;

/*
** Over an RNN, LSTM or GRU whose steps need nothing but the state: of one
** direction, without skip and layer norm; as in eval mode. It keeps a copy
** of the weights. batch: sequences side by side; 0: one, without that
** dimension.
*/
nx_stream *nx_stream_new (nx_ctx *C, nx_module *m, int64_t batch);
void nx_stream_free (nx_stream *s);

/* One step: x has batch * input_size elements; the result, batch * size of
   h, is overwritten by the next step. */
const void *nx_stream_step (nx_stream *s, const void *x);
int nx_stream_dtype (const nx_stream *s);
nx_tensor *nx_stream_output (const nx_stream *s);    /* what step fills */
int64_t nx_stream_inputs (const nx_stream *s);       /* elements of x */

/* The state: (layers, batch, ...) of h, and of c where there is one. It may
   be read and written between steps. */
nx_tensor *nx_stream_hidden (const nx_stream *s);
nx_tensor *nx_stream_cell (const nx_stream *s);         /* or NULL */
int nx_stream_reset (nx_stream *s);                  /* as it began */

#endif
