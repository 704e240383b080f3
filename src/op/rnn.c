/*
** rnn_tanh, rnn_relu: h = tanh(W x + b + U h + b'), or relu (Elman 1990).
*/
#include "op/composed.h"
#include "op/recurrence.h"

#define RNN(id, function, text) \
static nx_cell_fn *id##_kernel (const nx_kernels *K, int back) { \
  return back ? K->id##_back : K->id; \
} \
static nx_tensor *id##_step (nx_ctx *C, nx_tensor *of_x, nx_tensor *of_h, \
                             nx_tensor *h, nx_tensor **c, \
                             nx_tensor *const *norm) { \
  (void)h; (void)c; (void)norm; \
  return nx_##function(C, ADD(of_x, of_h)); \
} \
const nx_cell nx_cell_##id = { \
  .place = NX_PLACES_WITHOUT_C, \
  .gates = 1, .kept = 1, .nparts = 1, .part = {{0, 0, 1}}, \
  .kernel = id##_kernel, .step = id##_step \
}; \
NX_RECURRENT(id) \
const nx_op nx_op_##id = { \
  .name = #id, .doc = text, .inputs = NX_INPUTS_WITHOUT_C, \
  .outputs = "y h", .saves = NX_RECURRENT_SAVES, \
  .carries = "h>h0", .cutting = nx_recurrence_cutting, \
  .sized_by = "sizes", .work = nx_recurrence_work, \
  NX_RECURRENT_FUNCTIONS(id) \
};

RNN(rnn_tanh, tanh,
    "One layer of plain recurrence with tanh over a sequence x (steps, "
    "batch, features), or over rows of sequences of the given sizes: y, and "
    "the last h.")
RNN(rnn_relu, relu,
    "One layer of plain recurrence with relu over a sequence x (steps, "
    "batch, features), or over rows of sequences of the given sizes: y, and "
    "the last h.")
