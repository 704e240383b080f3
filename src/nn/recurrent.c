/*
** RNN, LSTM, GRU: layers of recurrence on top of each other, in one or both
** directions. The loop over time is that of op/recurrence.h.
**
** Parameters are PyTorch's: of layer k (and "_reverse" of the direction
** back) weight_ih_lk (gates * hidden, input), weight_hh_lk, bias_ih_lk,
** bias_hh_lk, weight_hr_lk with a projection. Beyond PyTorch's:
**   weight_ln_ih_lk, weight_ln_hh_lk, weight_ln_c_lk, bias_ln_c_lk
**                   with layer_norm
**   weight_sh_lk    with skip: of the h some steps ago
**   h_0_lk, c_0_lk  with learned_state: the state before the first step
*/
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "nn/lengths.h"
#include "nn/recurrent.h"

#define SIZES \
  NX_INT(nx_recurrent, input_size, NX_REQUIRED, "features of a step"), \
  NX_INT(nx_recurrent, hidden_size, NX_REQUIRED, "units, features of h"), \
  NX_INT(nx_recurrent, num_layers, 1, "layers on top of each other")
#define OPTIONS \
  NX_BOOL(nx_recurrent, bias, 1, "learn biases"), \
  NX_BOOL(nx_recurrent, batch_first, 0, "x is (batch, steps, features)"), \
  NX_NUMBER(nx_recurrent, dropout, 0, "after each layer but the last"), \
  NX_BOOL(nx_recurrent, bidirectional, 0, "also from the last step back")
#define OWN_OPTIONS \
  NX_ENUM(nx_recurrent, residual, "false true input", NX_NO_RESIDUAL, \
          "add a layer's input to its output: true, between layers; " \
          "\"input\", from the first layer on where widths agree"), \
  NX_INT(nx_recurrent, skip, 0, "the gates also see h of so many steps ago"), \
  NX_BOOL(nx_recurrent, layer_norm, 0, "layer norm inside the cell"), \
  NX_NUMBER(nx_recurrent, recurrent_dropout, 0, \
            "of h on its way to the next step, the same elements at all " \
            "steps (Gal and Ghahramani 2016)"), \
  NX_BOOL(nx_recurrent, learned_state, 0, "learn the state before the first " \
          "step"), \
  NX_INT(nx_recurrent, recompute, 0, \
         "keep states only at every so many steps and compute the rest " \
         "again for the gradient: less memory")

static const nx_field rnn_fields[] = {
  SIZES,
  NX_ENUM(nx_recurrent, nonlinearity, "tanh relu", 0, "of a step"),
  OPTIONS, OWN_OPTIONS, NX_END
};

static const nx_field lstm_fields[] = {
  SIZES, OPTIONS,
  NX_INT(nx_recurrent, proj_size, 0,
         "features of h, where they are fewer than units"),
  OWN_OPTIONS,
  NX_NUMBER_OR_FALSE(nx_recurrent, forget_bias, NX_UNSET,
                     "what biases of forget gates start with; false: as the "
                     "others"),
  NX_END
};

static const nx_field gru_fields[] = {SIZES, OPTIONS, OWN_OPTIONS, NX_END};


extern const nx_layer nx_layer_lstm, nx_layer_gru;       /* below */

static const nx_op *op_of (const nx_recurrent *l) {
  if (l->m.layer == &nx_layer_lstm) return &nx_op_lstm;
  if (l->m.layer == &nx_layer_gru) return &nx_op_gru;
  return l->nonlinearity ? &nx_op_rnn_relu : &nx_op_rnn_tanh;
}

const nx_cell *nx_recurrent_cell (const nx_recurrent *l) {
  if (l->m.layer == &nx_layer_lstm) return &nx_cell_lstm;
  if (l->m.layer == &nx_layer_gru) return &nx_cell_gru;
  return l->nonlinearity ? &nx_cell_rnn_relu : &nx_cell_rnn_tanh;
}

static int64_t directions (const nx_recurrent *l) {
  return l->bidirectional ? 2 : 1;
}

int64_t nx_recurrent_width (const nx_recurrent *l) {
  return l->proj_size ? l->proj_size : l->hidden_size;
}


/*
** Parameters, by their names: k counts layers and directions.
*/
static void name_of (const nx_recurrent *l, const char *what, int64_t k,
                     char *out) {
  int64_t d = directions(l);
  snprintf(out, NX_MAXNAME, "%s_l%lld%s", what, (long long)(k / d),
           k % d ? "_reverse" : "");
}

nx_tensor *nx_recurrent_param (const nx_recurrent *l, const char *what,
                               int64_t k) {
  char name[NX_MAXNAME];
  const nx_slot *s;
  name_of(l, what, k, name);
  s = nx_module_slot(&l->m, name);
  return s ? nx_slot_tensor(s) : NULL;
}

static void add_param (nx_ctx *C, nx_recurrent *l, const char *what, int64_t k,
                       int ndim, int64_t a, int64_t b, double bound) {
  char name[NX_MAXNAME];
  int64_t shape[2];
  shape[0] = a;
  shape[1] = b;
  name_of(l, what, k, name);
  nx_parameter(C, &l->m, name, NULL, ndim, shape, bound);
}

static void add_filled (nx_ctx *C, nx_recurrent *l, const char *what,
                        int64_t k, int64_t size, double value) {
  char name[NX_MAXNAME];
  name_of(l, what, k, name);
  nx_filled(C, &l->m, name, NULL, 1, NEAP_F32, 1, &size, value);
}

/* part of bias_ih, and 0 for bias_hh */
static int set_forget_bias (nx_ctx *C, const nx_recurrent *l, int64_t k) {
  for (int i = 0; i < 2; i++) {
    const char *name = i ? "bias_hh" : "bias_ih";
    nx_tensor *b = nx_recurrent_param(l, name, k), *part, *v;
    if (b == NULL) return nx_status(C);
    part = nx_narrow(C, b, 0, l->hidden_size, l->hidden_size);
    v = nx_from_number(C, i ? 0 : l->forget_bias);
    if (part == NULL || v == NULL || nx_copy(C, part, v))
      return nx_status(C);
  }
  return 0;
}

/* PyTorch's default: all even in +-1 / sqrt(hidden_size) */
static int add_layer (nx_ctx *C, nx_recurrent *l, int64_t k) {
  const nx_cell *cell = nx_recurrent_cell(l);
  int64_t rows = cell->gates * l->hidden_size, out = nx_recurrent_width(l);
  int64_t in = k < directions(l) ? l->input_size : directions(l) * out;
  double bound = 1 / sqrt((double)l->hidden_size);
  add_param(C, l, "weight_ih", k, 2, rows, in, bound);
  add_param(C, l, "weight_hh", k, 2, rows, out, bound);
  if (l->bias) {
    add_param(C, l, "bias_ih", k, 1, rows, 0, bound);
    add_param(C, l, "bias_hh", k, 1, rows, 0, bound);
    if (l->forget_bias != NX_UNSET) set_forget_bias(C, l, k);
  }
  if (l->proj_size)
    add_param(C, l, "weight_hr", k, 2, out, l->hidden_size, bound);
  if (l->skip) add_param(C, l, "weight_sh", k, 2, rows, out, bound);
  if (l->layer_norm) {
    add_filled(C, l, "weight_ln_ih", k, rows, 1);
    add_filled(C, l, "weight_ln_hh", k, rows, 1);
  }
  if (l->layer_norm && cell->has_c) {
    add_filled(C, l, "weight_ln_c", k, l->hidden_size, 1);
    add_filled(C, l, "bias_ln_c", k, l->hidden_size, 0);
  }
  if (l->learned_state) {
    add_filled(C, l, "h_0", k, out, 0);
    if (cell->has_c) add_filled(C, l, "c_0", k, l->hidden_size, 0);
  }
  return nx_status(C);
}


/* false: the fused loop does all that is asked for */
static int needs_unrolling (const nx_recurrent *l) {
  return l->layer_norm || l->skip ||
         (l->recurrent_dropout > 0 && l->m.training);
}

static int want_share (nx_ctx *C, const nx_recurrent *l, const char *name,
                       double p) {
  if (p >= 0 && p <= 1) return 0;
  return nx_fail(C, NEAP_EARG, "%s: %s is %g, expected 0 to 1",
                 l->m.class_name, name, p);
}

#define MOST ((int64_t)1 << 24)  /* products of these do not overflow */

int nx_recurrent_check (nx_ctx *C, const nx_recurrent *l) {
  const char *who = l->m.class_name;
  if (l->input_size < 1 || l->hidden_size < 1 || l->num_layers < 1)
    return nx_fail(C, NEAP_EARG, "%s: input_size %lld, hidden_size %lld, "
                   "num_layers %lld: expected at least 1 of each", who,
                   (long long)l->input_size, (long long)l->hidden_size,
                   (long long)l->num_layers);
  if (l->input_size > MOST || l->hidden_size > MOST ||
      l->num_layers > MOST || l->skip > MOST)
    return nx_fail(C, NEAP_EARG, "%s: a size is above %lld", who,
                   (long long)MOST);
  if (l->forget_bias != NX_UNSET && !l->bias)
    return nx_fail(C, NEAP_EARG, "%s: forget_bias needs biases", who);
  if (l->proj_size < 0 || l->proj_size >= l->hidden_size)
    return nx_fail(C, NEAP_EARG, "%s: proj_size is %lld, expected less than "
                   "the %lld units", who, (long long)l->proj_size,
                   (long long)l->hidden_size);
  if (l->skip < 0 || l->recompute < 0)
    return nx_fail(C, NEAP_EARG, "%s: skip and recompute are numbers of "
                   "steps, not negative", who);
  if (l->recompute && (l->skip || l->layer_norm || l->recurrent_dropout > 0))
    return nx_fail(C, NEAP_EARG, "%s: recompute does not go with skip, "
                   "layer_norm or recurrent_dropout", who);
  return want_share(C, l, "dropout", l->dropout) ||
         want_share(C, l, "recurrent_dropout", l->recurrent_dropout);
}

static int recurrent_init (nx_ctx *C, nx_module *m) {
  nx_recurrent *l = (nx_recurrent *)m;
  int recording = C->recording;
  if (nx_recurrent_cell(l)->has_c == 0) l->forget_bias = NX_UNSET;
  if (nx_recurrent_check(C, l)) return nx_status(C);
  C->recording = 0;
  for (int64_t k = 0; k < l->num_layers * directions(l); k++)
    if (add_layer(C, l, k)) break;
  C->recording = recording;
  return nx_status(C);
}


/*
** A call.
*/
typedef struct call {
  nx_recurrent *l;
  nx_tensor *x;                /* (steps, batch, features), or rows */
  nx_tensor *h, *c, *past;     /* before the first step; NULL: none given */
  nx_lengths lengths;
  int packed, single;          /* single: x came without a batch */
  int64_t steps, batch;        /* of x as it came */
  nx_tensor **last;            /* of each k: h, c, past */
} call;

#define STATES 3

static int want_state (nx_ctx *C, const call *a, const char *name,
                       const nx_tensor *t, int64_t width) {
  const nx_recurrent *l = a->l;
  int64_t want[3];
  char is[NX_SHAPE_TEXT], due[NX_SHAPE_TEXT];
  if (t == NULL) return 0;
  want[0] = l->num_layers * directions(l);
  want[1] = a->batch;
  want[2] = width;
  if (t->ndim == 3 && memcmp(t->shape, want, sizeof(want)) == 0) return 0;
  return nx_fail(C, NEAP_ESHAPE, "%s: %s is %s, expected %s (layers, batch, "
                 "features)", l->m.class_name, name, nx_shape_of(t, is),
                 nx_shape_text(3, want, due));
}

static int want_past (nx_ctx *C, const call *a) {
  const nx_recurrent *l = a->l;
  int64_t want[4];
  char is[NX_SHAPE_TEXT], due[NX_SHAPE_TEXT];
  if (a->past == NULL) return 0;
  if (l->skip < 2)
    return nx_fail(C, NEAP_EARG, "%s: the state has one part too many (past "
                   "is there only with skip above 1)", l->m.class_name);
  want[0] = l->num_layers * directions(l);
  want[1] = l->skip - 1;
  want[2] = a->batch;
  want[3] = nx_recurrent_width(l);
  if (a->past->ndim == 4 && memcmp(a->past->shape, want, sizeof(want)) == 0)
    return 0;
  return nx_fail(C, NEAP_ESHAPE, "%s: past is %s, expected %s",
                 l->m.class_name, nx_shape_of(a->past, is),
                 nx_shape_text(4, want, due));
}

static int check_input (nx_ctx *C, const call *a, const nx_tensor *x) {
  const nx_recurrent *l = a->l;
  char text[NX_SHAPE_TEXT];
  if (x->ndim != 2 && x->ndim != 3)
    return nx_fail(C, NEAP_ESHAPE, "%s: x is %s, expected %s, or (steps, "
                   "features)", l->m.class_name, nx_shape_of(x, text),
                   l->batch_first ? "(batch, steps, features)"
                                  : "(steps, batch, features)");
  if (x->shape[x->ndim - 1] == l->input_size) return 0;
  return nx_fail(C, NEAP_ESHAPE, "%s: x has %lld features in its last dim, "
                 "expected %lld (x is %s)", l->m.class_name,
                 (long long)x->shape[x->ndim - 1],
                 (long long)l->input_size, nx_shape_of(x, text));
}

static nx_tensor *with_batch (nx_ctx *C, nx_tensor *t) {
  return t ? nx_unsqueeze(C, t, 1) : NULL;
}

/* x without a batch is a batch of one */
static int open_call (nx_ctx *C, call *a, nx_tensor *const *in) {
  nx_recurrent *l = a->l;
  int has_c = nx_recurrent_cell(l)->has_c;
  nx_tensor *lengths = in[has_c ? 4 : 3];
  if (check_input(C, a, in[0])) return nx_status(C);
  a->single = in[0]->ndim == 2;
  a->x = a->single ? with_batch(C, in[0]) : in[0];
  a->h = a->single ? with_batch(C, in[1]) : in[1];
  a->past = in[has_c ? 3 : 2];
  if (has_c) a->c = a->single ? with_batch(C, in[2]) : in[2];
  if (nx_status(C)) return nx_status(C);
  if (!a->single && l->batch_first) a->x = nx_transpose(C, a->x, 0, 1);
  if (a->x == NULL) return nx_status(C);
  a->steps = a->x->shape[0];
  a->batch = a->x->shape[1];
  if (want_state(C, a, "h", a->h, nx_recurrent_width(l)) ||
      want_state(C, a, "c", a->c, l->hidden_size) || want_past(C, a) ||
      lengths == NULL)
    return nx_status(C);
  a->packed = 1;
  if (nx_lengths_read(C, l->m.class_name, lengths, a->steps, a->batch,
                      l->batch_first && !a->single, &a->lengths))
    return nx_status(C);
  a->x = nx_lengths_pack(C, &a->lengths, a->single ? a->x : in[0]);
  if (a->h) a->h = nx_index_select(C, a->h, 1, a->lengths.order, 0);
  if (a->c) a->c = nx_index_select(C, a->c, 1, a->lengths.order, 0);
  if (a->past) a->past = nx_index_select(C, a->past, 2, a->lengths.order, 0);
  return nx_status(C);
}


/* the state of layer and direction k before the first step: given, learned,
   or none (zeros) */
static nx_tensor *state_at (nx_ctx *C, const call *a, nx_tensor *given,
                            const char *learned, int64_t k) {
  nx_tensor *t = given ? NULL : nx_recurrent_param(a->l, learned, k), *zeros;
  int64_t shape[2];
  if (given) return nx_select(C, given, 0, k);
  if (t == NULL) return NULL;
  shape[0] = a->batch;
  shape[1] = t->len;
  zeros = nx_zeros(C, t->dtype, 2, shape);
  return zeros ? nx_add(C, zeros, t) : NULL;
}

/* a parameter that the options ask for: options may have changed since */
static nx_tensor *needed (nx_ctx *C, const nx_recurrent *l, int wanted,
                          const char *what, int64_t k) {
  nx_tensor *t = wanted ? nx_recurrent_param(l, what, k) : NULL;
  char name[NX_MAXNAME];
  if (t || !wanted) return t;
  name_of(l, what, k, name);
  nx_fail(C, NEAP_EARG, "%s: there is no parameter %s, which the options ask "
          "for (they are fixed when the layer is made)", l->m.class_name,
          name);
  return NULL;
}

static void inputs_at (nx_ctx *C, const call *a, nx_tensor *x, int64_t k,
                       nx_tensor **in) {
  const nx_recurrent *l = a->l;
  in[NX_RX] = x;
  in[NX_RW_IH] = needed(C, l, 1, "weight_ih", k);
  in[NX_RW_HH] = needed(C, l, 1, "weight_hh", k);
  in[NX_RB_IH] = needed(C, l, l->bias, "bias_ih", k);
  in[NX_RB_HH] = needed(C, l, l->bias, "bias_hh", k);
  in[NX_RW_HR] = needed(C, l, l->proj_size > 0, "weight_hr", k);
  in[NX_RH0] = state_at(C, a, a->h, "h_0", k);
  in[NX_RC0] = nx_recurrent_cell(l)->has_c ? state_at(C, a, a->c, "c_0", k)
             : NULL;
  in[NX_RSIZES] = a->packed ? a->lengths.sizes : NULL;
}

static int run_fused (nx_ctx *C, const nx_recurrent *l, nx_tensor *const *in,
                      int reverse, nx_tensor **out) {
  const nx_cell *cell = nx_recurrent_cell(l);
  const nx_op *op = op_of(l);
  nx_recurrence_args args;
  nx_tensor *given[NX_RINPUTS] = {0};
  int n = 0;
  nx_fields_default(C, op->fields, &args);
  args.reverse = reverse;
  args.recompute = l->recompute;
  for (int i = 0; i < NX_RINPUTS; i++)
    if (cell->place[i] >= 0) {
      given[cell->place[i]] = in[i];
      n++;
    }
  nx_apply_all(C, op, &args, n, given, NX_NEW, cell->has_c ? 3 : 2, out);
  return nx_status(C);
}

/* what h is multiplied with before each step: 0, or 1 / (1 - p) */
static nx_tensor *kept_units (nx_ctx *C, const call *a) {
  const nx_recurrent *l = a->l;
  int64_t shape[2];
  nx_tensor *ones, *one = nx_from_number(C, 1);
  if (!(l->recurrent_dropout > 0 && l->m.training)) return NULL;
  shape[0] = a->batch;
  shape[1] = nx_recurrent_width(l);
  ones = nx_new(C, a->x->dtype, 2, shape);
  if (ones == NULL || one == NULL || nx_copy(C, ones, one)) return NULL;
  return nx_dropout(C, ones, l->recurrent_dropout, NX_FRESH);
}

static int run_unrolled (nx_ctx *C, const call *a, nx_tensor *const *in,
                         int64_t k, nx_tensor **out) {
  static const char *const norms[] = {"weight_ln_ih", "weight_ln_hh",
                                      "weight_ln_c", "bias_ln_c"};
  const nx_recurrent *l = a->l;
  nx_unrolled u;
  memset(&u, 0, sizeof(u));
  u.cell = nx_recurrent_cell(l);
  u.reverse = k % directions(l) == 1;
  u.skip = l->skip;
  memcpy(u.in, in, sizeof(u.in));
  for (int i = 0; i < (u.cell->has_c ? 4 : 2); i++)
    u.norm[i] = needed(C, l, l->layer_norm, norms[i], k);
  u.keep = kept_units(C, a);
  u.w_skip = needed(C, l, l->skip > 0, "weight_sh", k);
  if (a->past) u.past = nx_select(C, a->past, 0, k);
  return nx_status(C) ? nx_status(C) : nx_unroll(C, &u, out);
}

/* y of layer and direction k; its last states are noted */
static nx_tensor *run_one (nx_ctx *C, const call *a, nx_tensor *x,
                           int64_t k) {
  const nx_recurrent *l = a->l;
  nx_tensor *in[NX_RINPUTS], *out[4] = {0};
  inputs_at(C, a, x, k, in);
  if (nx_status(C)) return NULL;
  if (needs_unrolling(l)) run_unrolled(C, a, in, k, out);
  else run_fused(C, l, in, k % directions(l) == 1, out);
  memcpy(a->last + k * STATES, out + 1, STATES * sizeof(*out));
  return nx_status(C) ? NULL : out[0];
}

static nx_tensor *run_layer (nx_ctx *C, const call *a, nx_tensor *x,
                             int64_t layer) {
  const nx_recurrent *l = a->l;
  int64_t d = directions(l);
  nx_tensor *part[2], *y = part[0] = run_one(C, a, x, layer * d);
  if (y && d == 2) {
    part[1] = run_one(C, a, x, layer * d + 1);
    y = part[1] ? nx_cat(C, 2, part, -1) : NULL;
  }
  if (y && l->dropout > 0 && l->m.training && layer + 1 < l->num_layers)
    y = nx_dropout(C, y, l->dropout, NX_FRESH);
  if (y && (l->residual == NX_FROM_INPUT || (l->residual && layer > 0)) &&
      y->shape[y->ndim - 1] == x->shape[x->ndim - 1])
    y = nx_add(C, x, y);
  return y;
}


/* the last states of all layers; 'batch' is the dimension of sequences */
static nx_tensor *joined_state (nx_ctx *C, const call *a, int which,
                                int batch) {
  int64_t n = a->l->num_layers * directions(a->l);
  size_t block = (size_t)n * sizeof(nx_tensor *);
  nx_tensor **list = nx_alloc(C, block), *t;
  if (list == NULL) return NULL;
  for (int64_t k = 0; k < n; k++) list[k] = a->last[k * STATES + which];
  t = nx_stack(C, (int)n, list, 0);
  nx_free(C, list, block);
  if (t && a->packed)
    t = nx_index_select(C, t, batch, a->lengths.back, 0);
  if (t && a->single && which < 2) t = nx_select(C, t, 1, 0);
  return t;
}

static nx_tensor *final_output (nx_ctx *C, const call *a, nx_tensor *y) {
  int batch_first = a->l->batch_first && !a->single;
  if (a->packed)
    y = nx_lengths_pad(C, &a->lengths, y, batch_first ? a->batch : a->steps,
                       batch_first ? a->steps : a->batch);
  else if (batch_first) y = nx_transpose(C, y, 0, 1);
  return y && a->single ? nx_select(C, y, 1, 0) : y;
}

static int recurrent_results (nx_ctx *C, nx_module *m, nx_tensor *const *in,
                              nx_tensor **out) {
  call a;
  size_t block;
  int count = 0;
  nx_tensor *y;
  memset(&a, 0, sizeof(a));
  a.l = (nx_recurrent *)m;
  if (nx_recurrent_check(C, a.l) || open_call(C, &a, in)) return -1;
  block = (size_t)(a.l->num_layers * directions(a.l) * STATES) *
          sizeof(nx_tensor *);
  a.last = nx_alloc(C, block);
  if (a.last == NULL) return -1;
  memset(a.last, 0, block);
  y = a.x;
  for (int64_t i = 0; y && i < a.l->num_layers; i++)
    y = run_layer(C, &a, y, i);
  if (y) {
    out[count++] = final_output(C, &a, y);
    out[count++] = joined_state(C, &a, 0, 1);
    if (nx_recurrent_cell(a.l)->has_c)
      out[count++] = joined_state(C, &a, 1, 1);
    if (a.l->skip > 1) out[count++] = joined_state(C, &a, 2, 2);
  }
  nx_free(C, a.last, block);
  return nx_status(C) ? -1 : count;
}


const nx_layer nx_layer_rnn = {
  .name = "RNN",
  .doc = "Plain recurrent layers, h' = tanh(W x + b + U h + b'), over a "
         "sequence: y of the last layer, and the last h of all.",
  .inputs = "x h? past? lengths?", .outputs = "y h past?",
  .fields = rnn_fields, .size = sizeof(nx_recurrent), .init = recurrent_init,
  .results = recurrent_results
};

const nx_layer nx_layer_lstm = {
  .name = "LSTM",
  .doc = "Long short-term memory layers over a sequence: y of the last "
         "layer, and the last h and c of all.",
  .inputs = "x h? c? past? lengths?", .outputs = "y h c past?",
  .fields = lstm_fields, .size = sizeof(nx_recurrent), .init = recurrent_init,
  .results = recurrent_results
};

const nx_layer nx_layer_gru = {
  .name = "GRU",
  .doc = "Gated recurrent layers over a sequence: y of the last layer, and "
         "the last h of all.",
  .inputs = "x h? past? lengths?", .outputs = "y h past?",
  .fields = gru_fields, .size = sizeof(nx_recurrent), .init = recurrent_init,
  .results = recurrent_results
};

nx_recurrent *nx_recurrent_of (nx_module *m) {
  const nx_layer *l = m->layer;
  int is = l == &nx_layer_rnn || l == &nx_layer_lstm || l == &nx_layer_gru;
  return is ? (nx_recurrent *)m : NULL;
}
