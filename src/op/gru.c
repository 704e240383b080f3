/*
** gru: gated recurrent unit (Cho and others 2014, with the reset gate
** after the product, as cuDNN and PyTorch have it).
**
**   r, z = sigmoid(W x + b + U h + b'),   n = tanh(W x + b + r (U h + b'))
**   h = (1 - z) n + z h
** Rows of the weights are r, z, n. The part of n that comes from h stays
** apart, so a row of the gates' buffer has four blocks.
*/
#include "op/composed.h"
#include "op/recurrence.h"

static nx_cell_fn *gru_kernel (const nx_kernels *K, int back) {
  return back ? K->gru_back : K->gru;
}

static nx_tensor *gru_step (nx_ctx *C, nx_tensor *of_x, nx_tensor *of_h,
                            nx_tensor *h, nx_tensor **c,
                            nx_tensor *const *norm) {
  int64_t units = of_x->shape[of_x->ndim - 1] / 3;
  nx_tensor *rz = nx_sigmoid(C, ADD(nx_narrow(C, of_x, -1, 0, 2 * units),
                                    nx_narrow(C, of_h, -1, 0, 2 * units)));
  nx_tensor *r = nx_narrow(C, rz, -1, 0, units);
  nx_tensor *z = nx_narrow(C, rz, -1, units, units);
  nx_tensor *m = MUL(r, nx_narrow(C, of_h, -1, 2 * units, units));
  nx_tensor *n = nx_tanh(C, ADD(nx_narrow(C, of_x, -1, 2 * units, units),
                                m));
  (void)c; (void)norm;
  return ADD(n, MUL(z, SUB(h, n)));
}

const nx_cell nx_cell_gru = {
  .place = NX_PLACES_WITHOUT_C,
  .gates = 3, .kept = 4, .saves = 1,
  .nparts = 2, .part = {{0, 0, 2}, {3, 2, 1}},
  .kernel = gru_kernel, .step = gru_step
};

NX_RECURRENT(gru)

const nx_op nx_op_gru = {
  .name = "gru",
  .doc = "One layer of GRU over a sequence x (steps, batch, features), or "
         "over rows of sequences of the given sizes: y, and the last h.",
  .inputs = NX_INPUTS_WITHOUT_C, .outputs = "y h gates~",
  .saves = NX_RECURRENT_SAVES " gates", .carries = "h>h0",
  .cutting = nx_recurrence_cutting,
  .sized_by = "sizes", .work = nx_recurrence_work,
  NX_RECURRENT_FUNCTIONS(gru)
};
