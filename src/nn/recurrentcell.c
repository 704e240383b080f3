/*
** RNNCell, LSTMCell, GRUCell: one step. The same operations as of whole
** sequences, with one step in them.
*/
#include <math.h>
#include <string.h>
#include "nn/module.h"
#include "op/recurrence.h"

typedef struct cell_layer {
  nx_module m;
  int64_t input_size, hidden_size;
  int bias, nonlinearity;
  nx_tensor *weight_ih, *weight_hh, *bias_ih, *bias_hh;   /* owned by 'm' */
} cell_layer;

#define SIZES \
  NX_INT(cell_layer, input_size, NX_REQUIRED, "features of x"), \
  NX_INT(cell_layer, hidden_size, NX_REQUIRED, "units, features of h"), \
  NX_BOOL(cell_layer, bias, 1, "learn biases")

static const nx_field cell_fields[] = {SIZES, NX_END};

static const nx_field rnn_cell_fields[] = {
  SIZES, NX_ENUM(cell_layer, nonlinearity, "tanh relu", 0, "of a step"),
  NX_END
};


#define MOST ((int64_t)1 << 24)  /* products of these do not overflow */

static int cell_init (nx_ctx *C, nx_module *m, const nx_cell *cell) {
  cell_layer *l = (cell_layer *)m;
  int64_t w_ih[2], w_hh[2];
  double bound;
  if (l->input_size < 1 || l->hidden_size < 1)
    return nx_fail(C, NEAP_EARG, "%s: input_size %lld, hidden_size %lld: "
                   "expected at least 1 of each", m->class_name,
                   (long long)l->input_size, (long long)l->hidden_size);
  if (l->input_size > MOST || l->hidden_size > MOST)
    return nx_fail(C, NEAP_EARG, "%s: a size is above %lld", m->class_name,
                   (long long)MOST);
  bound = 1 / sqrt((double)l->hidden_size);      /* PyTorch's default */
  w_ih[0] = w_hh[0] = cell->gates * l->hidden_size;
  w_ih[1] = l->input_size;
  w_hh[1] = l->hidden_size;
  nx_parameter(C, m, "weight_ih", &l->weight_ih, 2, w_ih, bound);
  nx_parameter(C, m, "weight_hh", &l->weight_hh, 2, w_hh, bound);
  if (!l->bias) return nx_status(C);
  nx_parameter(C, m, "bias_ih", &l->bias_ih, 1, w_ih, bound);
  return nx_parameter(C, m, "bias_hh", &l->bias_hh, 1, w_ih, bound);
}


/* x as a sequence of one step of a batch; a state as one of a batch */
static nx_tensor *as_step (nx_ctx *C, const cell_layer *l, nx_tensor *x) {
  char text[NX_SHAPE_TEXT];
  if ((x->ndim != 1 && x->ndim != 2) ||
      x->shape[x->ndim - 1] != l->input_size) {
    nx_fail(C, NEAP_ESHAPE, "x is %s, expected (batch, %lld) or (%lld)",
            nx_shape_of(x, text), (long long)l->input_size,
            (long long)l->input_size);
    return NULL;
  }
  if (x->ndim == 1) x = nx_unsqueeze(C, x, 0);
  return x ? nx_unsqueeze(C, x, 0) : NULL;
}

static nx_tensor *as_state (nx_ctx *C, nx_tensor *t) {
  return t && t->ndim == 1 ? nx_unsqueeze(C, t, 0) : t;
}

static int cell_results (nx_ctx *C, nx_module *m, nx_tensor *const *in,
                         nx_tensor **out, const nx_cell *cell,
                         const nx_op *op) {
  cell_layer *l = (cell_layer *)m;
  nx_tensor *all[NX_RINPUTS] = {0}, *given[NX_RINPUTS] = {0}, *y[3] = {0};
  nx_recurrence_args args;
  int n = 0, states = cell->has_c ? 2 : 1;
  all[NX_RX] = as_step(C, l, in[0]);
  all[NX_RW_IH] = l->weight_ih;
  all[NX_RW_HH] = l->weight_hh;
  all[NX_RB_IH] = l->bias_ih;
  all[NX_RB_HH] = l->bias_hh;
  all[NX_RH0] = as_state(C, in[1]);
  if (cell->has_c) all[NX_RC0] = as_state(C, in[2]);
  for (int i = 0; i < NX_RINPUTS; i++)
    if (cell->place[i] >= 0) {
      given[cell->place[i]] = all[i];
      n++;
    }
  if (nx_status(C)) return -1;
  nx_fields_default(C, op->fields, &args);
  if (nx_apply_all(C, op, &args, n, given, NX_NEW, 3, y) < 0) return -1;
  for (int i = 0; i < states; i++)
    out[i] = in[0]->ndim == 1 ? nx_select(C, y[i + 1], 0, 0) : y[i + 1];
  return nx_status(C) ? -1 : states;
}


#define CELL(id, title, takes, gives, options, cell, op, text) \
static int id##_init (nx_ctx *C, nx_module *m) { \
  return cell_init(C, m, cell); \
} \
static int id##_results (nx_ctx *C, nx_module *m, nx_tensor *const *in, \
                         nx_tensor **out) { \
  return cell_results(C, m, in, out, cell, op); \
} \
const nx_layer nx_layer_##id = { \
  .name = title, .doc = text, .inputs = takes, .outputs = gives, \
  .fields = options, .size = sizeof(cell_layer), .init = id##_init, \
  .results = id##_results \
};

#define RELU (((cell_layer *)m)->nonlinearity)

CELL(rnn_cell, "RNNCell", "x h?", "h", rnn_cell_fields,
     RELU ? &nx_cell_rnn_relu : &nx_cell_rnn_tanh,
     RELU ? &nx_op_rnn_relu : &nx_op_rnn_tanh,
     "One step of plain recurrence: the new h of x (batch, features).")
CELL(lstm_cell, "LSTMCell", "x h? c?", "h c", cell_fields, &nx_cell_lstm,
     &nx_op_lstm, "One step of LSTM: the new h and c of x (batch, features).")
CELL(gru_cell, "GRUCell", "x h?", "h", cell_fields, &nx_cell_gru, &nx_op_gru,
     "One step of GRU: the new h of x (batch, features).")
