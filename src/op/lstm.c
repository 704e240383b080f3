/*
** lstm: long short-term memory (Hochreiter and Schmidhuber 1997, with the
** forget gate of Gers and others 2000).
**
**   i, f, o = sigmoid(W x + b + U h + b'),   g = tanh(...)
**   c = f c + i g,   h = o tanh(c)   (or h = W_hr o tanh(c))
** Rows of the weights are the gates i, f, g, o, as in PyTorch.
*/
#include "op/composed.h"
#include "op/recurrence.h"

static nx_cell_fn *lstm_kernel (const nx_kernels *K, int back) {
  return back ? K->lstm_back : K->lstm;
}

static nx_tensor *lstm_gate (nx_ctx *C, nx_tensor *a, int k, int64_t units) {
  return nx_narrow(C, a, -1, k * units, units);
}

static nx_tensor *lstm_step (nx_ctx *C, nx_tensor *of_x, nx_tensor *of_h,
                             nx_tensor *h, nx_tensor **c,
                             nx_tensor *const *norm) {
  int64_t units = (*c)->shape[(*c)->ndim - 1];
  nx_tensor *a = ADD(of_x, of_h), *seen;
  nx_tensor *i = nx_sigmoid(C, lstm_gate(C, a, 0, units));
  nx_tensor *f = nx_sigmoid(C, lstm_gate(C, a, 1, units));
  nx_tensor *g = nx_tanh(C, lstm_gate(C, a, 2, units));
  nx_tensor *o = nx_sigmoid(C, lstm_gate(C, a, 3, units));
  (void)h;
  *c = seen = ADD(MUL(f, *c), MUL(i, g));
  if (norm) seen = nx_layer_norm(C, seen, norm[0], norm[1],
                                 (nx_ints){1, {units}}, 1e-5);
  return MUL(o, nx_tanh(C, seen));
}

const nx_cell nx_cell_lstm = {
  .place = NX_PLACES_WITH_C,
  .gates = 4, .kept = 4, .saves = 1, .has_c = 1,
  .nparts = 1, .part = {{0, 0, 4}},
  .kernel = lstm_kernel, .step = lstm_step
};

NX_RECURRENT(lstm)

const nx_op nx_op_lstm = {
  .name = "lstm",
  .doc = "One layer of LSTM over a sequence x (steps, batch, features), or "
         "over rows of sequences of the given sizes: y, and the last h and "
         "c.",
  .inputs = NX_INPUTS_WITH_C, .outputs = "y h c cells~ gates~",
  .saves = NX_RECURRENT_SAVES " cells gates",
  .carries = "h>h0 c>c0", .cutting = nx_recurrence_cutting,
  .sized_by = "sizes", .work = nx_recurrence_work,
  NX_RECURRENT_FUNCTIONS(lstm)
};
