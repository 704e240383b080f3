/*
** Recurrent layers step by step.
**
** A step does what one of op/recurrence.c does for one step of a whole
** sequence, in the same order, so with our own product it gives the same
** bits.
*/
#include <string.h>
#include "nn/recurrent.h"
#include "nn/reparametrize.h"
#include "nn/stream.h"
#include "tensor/view.h"

/* one layer, its weights packed */
typedef struct stage {
  int64_t in;                  /* features of its input */
  int residual;                /* its input is added to its output */
  nx_tensor *w_ih, *w_hh[2], *w_hr, *bias;
  char *h, *c;                 /* its rows of the state */
} stage;

struct nx_stream {
  nx_ctx *C;
  const nx_cell *cell;
  const nx_kernels *K;
  int dtype;
  int64_t size, batch, in, units, out, layers;
  stage *stages;
  nx_tensor *h, *c;            /* the state; h_0, c_0: what it begins with */
  nx_tensor *h_0, *c_0;
  nx_tensor *gates, *made;     /* (batch, blocks), (batch, units) */
  nx_tensor *y, *other;        /* outputs of a layer, in turn */
};


static nx_tensor *held (nx_tensor *t) {
  if (t) t->flags |= NX_HELD;
  return nx_keep(t);
}

static nx_tensor *made (nx_stream *s, int ndim, int64_t a, int64_t b,
                        int64_t c) {
  int64_t shape[3];
  shape[0] = a;
  shape[1] = b;
  shape[2] = c;
  return held(nx_zeros(s->C, s->dtype, ndim, shape));
}

static nx_tensor *packed (nx_stream *s, nx_matrix m) {
  return held(nx_packed_matrix(s->C, s->dtype, m));
}

static nx_matrix rows_of (const nx_stream *s, const nx_tensor *w, int64_t row,
                          int64_t rows) {
  nx_matrix m = nx_matrix_of(w);
  m.data += row * m.cols * s->size;
  m.rows = rows;
  return m;
}

/* a parameter of the shape (a, b), or (a): it may have been replaced */
static nx_tensor *dense_param (nx_stream *s, const nx_recurrent *l,
                               const char *what, int64_t k, int64_t a,
                               int64_t b) {
  nx_tensor *t = nx_recurrent_param(l, what, k);
  char is[NX_SHAPE_TEXT], due[NX_SHAPE_TEXT];
  int64_t want[2];
  int ndim = b > 0 ? 2 : 1;
  want[0] = a;
  want[1] = b;
  if (t == NULL) return NULL;
  if (t->dtype == s->dtype && t->ndim == ndim && t->shape[0] == a &&
      (ndim == 1 || t->shape[1] == b)) return nx_dense(s->C, t);
  nx_fail(s->C, NEAP_ESHAPE, "stream: %s of layer %lld is %s %s, expected %s "
          "%s", what, (long long)(k + s->C->base), nx_dtype_name(t->dtype),
          nx_shape_of(t, is), nx_dtype_name(s->dtype),
          nx_shape_text(ndim, want, due));
  return NULL;
}

static int open_stage (nx_stream *s, const nx_recurrent *l, int64_t k) {
  stage *p = &s->stages[k];
  int64_t rows = s->cell->gates * s->units, in = k == 0 ? s->in : s->out;
  nx_tensor *w_ih = dense_param(s, l, "weight_ih", k, rows, in);
  nx_tensor *w_hh = dense_param(s, l, "weight_hh", k, rows, s->out);
  nx_tensor *w_hr = dense_param(s, l, "weight_hr", k, s->out, s->units);
  nx_tensor *b_ih = dense_param(s, l, "bias_ih", k, rows, 0);
  nx_tensor *b_hh = dense_param(s, l, "bias_hh", k, rows, 0);
  if (nx_status(s->C)) return nx_status(s->C);
  if (!w_ih || !w_hh || !b_ih != !b_hh || !w_hr != (s->out == s->units))
    return nx_fail(s->C, NEAP_EARG, "stream: a weight of layer %lld of %s is "
                   "missing", (long long)(k + s->C->base), l->m.class_name);
  p->in = in;
  p->residual = p->in == s->out && (l->residual == NX_FROM_INPUT ||
                                    (l->residual && k > 0));
  p->w_ih = packed(s, nx_transposed(nx_matrix_of(w_ih)));
  for (int i = 0; i < s->cell->nparts; i++) {
    const nx_cell_part *part = &s->cell->part[i];
    p->w_hh[i] = packed(s, nx_transposed(
      rows_of(s, w_hh, part->row * s->units, part->blocks * s->units)));
  }
  if (w_hr) p->w_hr = packed(s, nx_transposed(nx_matrix_of(w_hr)));
  p->bias = held(nx_gates_start(s->C, s->cell, s->dtype, s->units, b_ih,
                                b_hh));
  p->h = s->h->data + k * s->batch * s->out * s->size;
  if (s->c) p->c = s->c->data + k * s->batch * s->units * s->size;
  return nx_status(s->C);
}


/* the state that the layer learned for its first step, or zeros */
static int set_start (nx_stream *s, const nx_recurrent *l, nx_tensor *start,
                      const char *what) {
  for (int64_t k = 0; start && k < s->layers; k++) {
    nx_tensor *value = nx_recurrent_param(l, what, k), *row;
    if (value == NULL) continue;
    if (value->len != start->shape[start->ndim - 1])
      return nx_fail(s->C, NEAP_ESHAPE, "stream: %s of layer %lld has another "
                     "size", what, (long long)(k + s->C->base));
    row = nx_view_part(s->C, start, 0, k, 1, 1);
    if (row == NULL || nx_copy(s->C, row, value)) break;
  }
  return nx_status(s->C);
}

static int check (nx_ctx *C, nx_module *m, int64_t batch) {
  nx_recurrent *l = nx_recurrent_of(m);
  if (l == NULL)
    return nx_fail(C, NEAP_EARG, "stream: %s is no RNN, LSTM or GRU",
                   m->class_name);
  if (batch < 0)
    return nx_fail(C, NEAP_EARG, "stream: a batch of %lld sequences",
                   (long long)batch);
  if (nx_recurrent_check(C, l)) return nx_status(C);
  if (!l->bidirectional && !l->skip && !l->layer_norm) return 0;
  return nx_fail(C, NEAP_EUNSUP, "stream: a step of this %s needs more than "
                 "the state (bidirectional, skip or layer_norm)",
                 m->class_name);
}

static void measure (nx_stream *s, const nx_recurrent *l, int64_t batch) {
  const nx_tensor *w = nx_recurrent_param(l, "weight_hh", 0);
  s->cell = nx_recurrent_cell(l);
  s->dtype = w ? w->dtype : NEAP_F32;
  s->size = (int64_t)nx_dtype_size(s->dtype);
  s->K = nx_kernels_for(s->C, s->dtype);
  s->batch = batch > 0 ? batch : 1;
  s->in = l->input_size;
  s->units = l->hidden_size;
  s->out = nx_recurrent_width(l);
  s->layers = l->num_layers;
}

static int open_state (nx_stream *s, const nx_recurrent *l, int64_t batch) {
  int64_t n = s->layers, b = s->batch;
  int flat = batch == 0;                 /* without a batch dimension */
  int64_t kept = s->cell->kept * s->units;
  s->h = flat ? made(s, 2, n, s->out, 0) : made(s, 3, n, b, s->out);
  s->h_0 = flat ? made(s, 2, n, s->out, 0) : made(s, 3, n, b, s->out);
  s->y = flat ? made(s, 1, s->out, 0, 0) : made(s, 2, b, s->out, 0);
  s->other = made(s, 2, b, s->out, 0);
  s->gates = made(s, 2, b, kept, 0);
  s->made = made(s, 2, b, s->units, 0);
  if (s->cell->has_c) {
    s->c = flat ? made(s, 2, n, s->units, 0) : made(s, 3, n, b, s->units);
    s->c_0 = flat ? made(s, 2, n, s->units, 0) : made(s, 3, n, b, s->units);
  }
  return nx_status(s->C) || set_start(s, l, s->h_0, "h_0") ||
         set_start(s, l, s->c_0, "c_0");
}

static void open_all (nx_stream *s, const nx_recurrent *l, int64_t batch) {
  nx_ctx *C = s->C;
  size_t room;
  measure(s, l, batch);
  room = (size_t)s->layers * sizeof(*s->stages);
  s->stages = nx_alloc(C, room);
  if (s->stages == NULL) return;
  memset(s->stages, 0, room);
  if (open_state(s, l, batch)) return;
  for (int64_t k = 0; k < s->layers; k++)
    if (open_stage(s, l, k)) return;
  nx_stream_reset(s);
}

nx_stream *nx_stream_new (nx_ctx *C, nx_module *m, int64_t batch) {
  size_t mark = nx_push(C);
  nx_stream *s = nx_status(C) || check(C, m, batch) ? NULL
               : nx_alloc(C, sizeof(*s));
  if (s == NULL) return NULL;
  memset(s, 0, sizeof(*s));
  s->C = C;
  if (nx_reparam_fill(C, m) == 0) open_all(s, nx_recurrent_of(m), batch);
  nx_reparam_empty(m);
  nx_pop(C, mark, NULL);
  if (nx_status(C) == 0) return s;
  nx_stream_free(s);
  return NULL;
}

void nx_stream_free (nx_stream *s) {
  if (s == NULL) return;
  for (int64_t k = 0; s->stages && k < s->layers; k++) {
    stage *p = &s->stages[k];
    nx_unref(p->w_ih);
    nx_unref(p->w_hh[0]);
    nx_unref(p->w_hh[1]);
    nx_unref(p->w_hr);
    nx_unref(p->bias);
  }
  if (s->stages)
    nx_free(s->C, s->stages, (size_t)s->layers * sizeof(*s->stages));
  nx_unref(s->h);
  nx_unref(s->c);
  nx_unref(s->h_0);
  nx_unref(s->c_0);
  nx_unref(s->gates);
  nx_unref(s->made);
  nx_unref(s->y);
  nx_unref(s->other);
  nx_free(s->C, s, sizeof(*s));
}


/* gates = x W_ih^T + bias; blocks that only h reaches begin with theirs */
static void fill_gates (const nx_stream *s, const stage *p, const void *x) {
  int64_t own = s->cell->gates * s->units, kept = s->cell->kept * s->units;
  char *gates = s->gates->data;
  s->K->packed((size_t)s->batch, (size_t)own, (size_t)p->in, x, p->in,
               p->w_ih->data, gates, kept, 0);
  s->K->finish((size_t)s->batch, (size_t)own, gates, kept, p->bias->data,
               NX_NONE);
  for (int64_t b = 0; kept > own && b < s->batch; b++)
    memcpy(gates + (b * kept + own) * s->size, p->bias->data + own * s->size,
           (size_t)((kept - own) * s->size));
}

/* the state of a layer goes a step on */
static void run_stage (const nx_stream *s, const stage *p, const void *x) {
  const nx_cell *cell = s->cell;
  int64_t kept = cell->kept * s->units;
  char *gates = s->gates->data;
  void *v[NX_CELL_PARTS] = {0};
  ptrdiff_t step[NX_CELL_PARTS];
  fill_gates(s, p, x);
  for (int i = 0; i < cell->nparts; i++)
    s->K->packed((size_t)s->batch, (size_t)(cell->part[i].blocks * s->units),
                 (size_t)s->out, p->h, s->out, p->w_hh[i]->data,
                 gates + cell->part[i].column * s->units * s->size, kept, 1);
  for (int i = 0; i < NX_CELL_PARTS; i++) step[i] = s->units;
  step[NX_CELL_G] = kept;
  v[NX_CELL_G] = gates;
  v[NX_CELL_H0] = p->h;
  v[NX_CELL_H] = p->w_hr ? s->made->data : p->h;
  v[NX_CELL_C0] = v[NX_CELL_C] = p->c;
  cell->kernel(s->K, 0)((size_t)s->batch, (size_t)s->units, v, step);
  if (p->w_hr)
    s->K->packed((size_t)s->batch, (size_t)s->out, (size_t)s->units,
                 s->made->data, s->units, p->w_hr->data, p->h, s->out, 0);
}

const void *nx_stream_step (nx_stream *s, const void *x) {
  size_t n = (size_t)(s->batch * s->out);
  for (int64_t k = 0; k < s->layers; k++) {
    const stage *p = &s->stages[k];
    char *y = (s->layers - k) % 2 ? s->y->data : s->other->data;
    run_stage(s, p, x);
    if (p->residual) {
      void *v[3];
      v[0] = y;
      v[1] = (void *)(uintptr_t)x;
      v[2] = p->h;
      s->K->add(n, v, 0, NULL);
    }
    else memcpy(y, p->h, n * (size_t)s->size);
    x = y;
  }
  s->y->store->version++;                /* saved by nobody as it was */
  return x;
}


int nx_stream_dtype (const nx_stream *s) { return s->dtype; }
nx_tensor *nx_stream_output (const nx_stream *s) { return s->y; }
int64_t nx_stream_inputs (const nx_stream *s) { return s->batch * s->in; }
nx_tensor *nx_stream_hidden (const nx_stream *s) { return s->h; }
nx_tensor *nx_stream_cell (const nx_stream *s) { return s->c; }

int nx_stream_reset (nx_stream *s) {
  memcpy(s->h->data, s->h_0->data, (size_t)(s->h->len * s->size));
  if (s->c)
    memcpy(s->c->data, s->c_0->data, (size_t)(s->c->len * s->size));
  return nx_status(s->C);
}
