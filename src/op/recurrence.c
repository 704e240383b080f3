/*
** The time loop of recurrent layers.
*/
#include <string.h>
#include "base/threads.h"
#include "op/index.h"
#include "op/recurrence.h"
#include "tensor/product.h"
#include "tensor/view.h"
#include "ops.h"

const nx_field nx_recurrence_fields[] = {
  NX_BOOL(nx_recurrence_args, reverse, 0, "from the last step to the first"),
  NX_INT(nx_recurrence_args, recompute, 0,
         "keep states only at every so many steps and compute the rest "
         "again for the gradient; 0: keep all"),
  NX_END
};

/* Rows at a time where nothing is kept, so that the gates stay in cache. */
#define PIECE_ROWS 4096


/* an input by its NX_R..., or NULL */
static nx_tensor *given (const nx_node *n, const nx_cell *cell, int which) {
  int i = cell->place[which];
  return i >= 0 && i < n->nin ? n->in[i] : NULL;
}


/*
** Checks. 's' gets its sizes, no tensors yet.
*/
static int want_shape (nx_ctx *C, const nx_node *n, const nx_cell *cell,
                       int which, int ndim, int64_t a, int64_t b) {
  const nx_tensor *t = given(n, cell, which);
  int64_t want[2];
  char name[32], is[NX_SHAPE_TEXT], due[NX_SHAPE_TEXT];
  if (t == NULL) return 0;
  want[0] = a;
  want[1] = b;
  if (t->dtype == n->in[0]->dtype && t->ndim == ndim && t->shape[0] == a &&
      (ndim == 1 || t->shape[1] == b)) return 0;
  return nx_op_fail(C, n, NEAP_ESHAPE, "%s is %s %s, expected %s %s",
                    nx_names_at(n->op->inputs, cell->place[which], name),
                    nx_dtype_name(t->dtype), nx_shape_of(t, is),
                    nx_dtype_name(n->in[0]->dtype),
                    nx_shape_text(ndim, want, due));
}

static int check_layout (nx_ctx *C, const nx_node *n, const nx_cell *cell,
                         nx_sequence *s) {
  const nx_tensor *x = n->in[NX_RX], *sizes = given(n, cell, NX_RSIZES);
  const nx_tensor *h0 = given(n, cell, NX_RH0);
  int packed = sizes != NULL;
  char text[NX_SHAPE_TEXT];
  if (nx_want_float(C, n, NX_RX)) return nx_status(C);
  if (x->ndim != (packed ? 2 : 3))
    return nx_op_fail(C, n, NEAP_ESHAPE, "x is %s, expected %s",
                      nx_shape_of(x, text), packed ? "(rows, features) with "
                      "sizes" : "(steps, batch, features)");
  if (packed && nx_want_whole(C, n, cell->place[NX_RSIZES]))
    return nx_status(C);
  if (packed && sizes->ndim != 1)
    return nx_op_fail(C, n, NEAP_ESHAPE, "sizes is %s, expected one number "
                      "for each step", nx_shape_of(sizes, text));
  s->steps = packed ? sizes->shape[0] : x->shape[0];
  s->in = x->shape[x->ndim - 1];
  s->rows = packed ? x->shape[0] : x->shape[0] * x->shape[1];
  if (!packed) s->batch = x->shape[1];
  else if (h0 && h0->ndim == 2) s->batch = h0->shape[0];
  else s->batch = -1;                    /* the first of sizes tells */
  return 0;
}

static int check_weights (nx_ctx *C, const nx_node *n, const nx_cell *cell,
                          nx_sequence *s) {
  const nx_tensor *w = n->in[NX_RW_HH], *proj = given(n, cell, NX_RW_HR);
  int64_t gates = cell->gates;
  char text[NX_SHAPE_TEXT];
  if (w->ndim != 2 || w->shape[0] < gates || w->shape[0] % gates != 0)
    return nx_op_fail(C, n, NEAP_ESHAPE, "weight_hh is %s, expected (%lld * "
                      "units, size of h)", nx_shape_of(w, text),
                      (long long)gates);
  s->units = w->shape[0] / gates;
  s->out = proj && proj->ndim == 2 ? proj->shape[0] : s->units;
  gates *= s->units;
  return want_shape(C, n, cell, NX_RW_IH, 2, gates, s->in) ||
         want_shape(C, n, cell, NX_RW_HH, 2, gates, s->out) ||
         want_shape(C, n, cell, NX_RB_IH, 1, gates, 0) ||
         want_shape(C, n, cell, NX_RB_HH, 1, gates, 0) ||
         want_shape(C, n, cell, NX_RW_HR, 2, s->out, s->units) ||
         want_shape(C, n, cell, NX_RH0, 2, s->batch, s->out) ||
         want_shape(C, n, cell, NX_RC0, 2, s->batch, s->units);
}

/* rows at each step: never more than before, and all of x */
static int check_sizes (nx_ctx *C, const nx_node *n, const nx_sequence *s,
                        const int64_t *sizes) {
  int64_t sum = 0, before = s->batch;
  for (int64_t t = 0; t < s->steps; t++) {
    if (sizes[t] < 1 || sizes[t] > before)
      return nx_op_fail(C, n, NEAP_EARG, "sizes[%lld] is %lld, expected 1 to "
                        "%lld: never more than the step before",
                        (long long)(t + C->base), (long long)sizes[t],
                        (long long)before);
    before = sizes[t];
    if (sizes[t] > s->rows - sum) {      /* before the sum overflows */
      sum = INT64_MAX;
      break;
    }
    sum += sizes[t];
  }
  if (sum == s->rows) return 0;
  return nx_op_fail(C, n, NEAP_ESHAPE, "x has %lld rows, but sizes add up to "
                    "%s", (long long)s->rows,
                    sum > s->rows ? "more" : "less");
}

static int measure (nx_ctx *C, nx_node *n, const nx_cell *cell,
                    nx_sequence *s) {
  nx_tensor *sizes = given(n, cell, NX_RSIZES);
  memset(s, 0, sizeof(*s));
  s->C = C;
  s->cell = cell;
  if (check_layout(C, n, cell, s)) return nx_status(C);
  if (sizes) {
    sizes = nx_typed(C, sizes, NEAP_I64);
    if (sizes) sizes = nx_dense(C, sizes);
    if (sizes == NULL) return nx_status(C);
    s->sizes = (const int64_t *)(void *)sizes->data;
    if (s->batch < 0) s->batch = s->steps > 0 ? s->sizes[0] : 0;
    if (check_sizes(C, n, s, s->sizes)) return nx_status(C);
  }
  return check_weights(C, n, cell, s);
}


/* Are all cells and gates kept? Else they live a piece long. */
static void choose_pieces (nx_sequence *s, int kept, int64_t recompute) {
  s->whole = kept && recompute == 0;
  s->piece = s->steps;
  if (!s->whole && s->batch > 0) s->piece = PIECE_ROWS / s->batch;
  if (kept && recompute > 0) s->piece = recompute;
  if (s->piece > s->steps) s->piece = s->steps;
  if (s->piece < 1) s->piece = 1;
  s->pieces = (s->steps + s->piece - 1) / s->piece;
}


int nx_recurrence_shape (nx_ctx *C, nx_node *n, const nx_cell *cell) {
  const nx_recurrence_args *a = n->a;
  int dtype = n->in[NX_RX]->dtype, kept = nx_recorded(C, n), next = 2;
  int64_t shape[3];
  nx_sequence s;
  if (measure(C, n, cell, &s)) return nx_status(C);
  if (a->recompute < 0)
    return nx_op_fail(C, n, NEAP_EARG, "recompute is negative");
  choose_pieces(&s, kept, a->recompute);
  memcpy(shape, n->in[NX_RX]->shape, sizeof(shape));
  shape[n->in[NX_RX]->ndim - 1] = s.out;
  nx_out(C, n, 0, dtype, n->in[NX_RX]->ndim, shape);
  shape[0] = s.batch;
  shape[1] = s.out;
  nx_out(C, n, 1, dtype, 2, shape);
  shape[1] = s.units;
  if (cell->has_c) nx_out(C, n, next++, dtype, 2, shape);
  if (!kept || !cell->saves) return nx_status(C);
  if (cell->has_c && s.whole) {
    shape[0] = s.rows;
    nx_out(C, n, next++, dtype, 2, shape);
  }
  else if (cell->has_c) {                /* c before each piece */
    shape[0] = s.pieces;
    shape[1] = s.batch;
    shape[2] = s.units;
    nx_out(C, n, next++, dtype, 3, shape);
  }
  if (s.whole) {
    shape[0] = s.rows;
    shape[1] = cell->kept * s.units;
    nx_out(C, n, next, dtype, 2, shape);
  }
  return nx_status(C);
}


const char *nx_recurrence_cutting (const nx_node *n) {
  int sizes = nx_names_find(n->op->inputs, "sizes");
  return sizes < n->nin && n->in[sizes] ? NULL : "y0 x0";
}

double nx_recurrence_work (const nx_node *n) {
  const nx_tensor *x = n->in[NX_RX], *w = n->in[NX_RW_IH];
  const nx_tensor *u = n->in[NX_RW_HH];
  double rows = (double)x->len / (double)x->shape[x->ndim - 1];
  return rows * ((double)w->len + (double)u->len + 30 * (double)u->shape[0]);
}


/*
** Opening: everything that the loops read, in row order.
*/
static nx_tensor *dense_or_null (nx_ctx *C, nx_tensor *t) {
  return t ? nx_dense(C, t) : NULL;
}

static nx_tensor *zeros_or (nx_ctx *C, nx_tensor *t, int dtype, int64_t rows,
                            int64_t cols) {
  int64_t shape[2];
  shape[0] = rows;
  shape[1] = cols;
  return t ? nx_dense(C, t) : nx_zeros(C, dtype, 2, shape);
}

static int find_first (nx_ctx *C, nx_sequence *s) {
  int64_t n = s->steps + 1, *at;
  nx_tensor *t = nx_new(C, NEAP_I64, 1, &n);
  if (t == NULL) return nx_status(C);
  at = (int64_t *)(void *)t->data;
  at[0] = 0;
  for (int64_t k = 0; k < s->steps; k++)
    at[k + 1] = at[k] + (s->sizes ? s->sizes[k] : s->batch);
  s->first = at;
  return 0;
}

int nx_sequence_open (nx_ctx *C, nx_node *n, const nx_cell *cell,
                      nx_sequence *s) {
  const nx_recurrence_args *a = n->a;
  int next = 3;
  if (measure(C, n, cell, s)) return nx_status(C);
  s->dtype = n->in[NX_RX]->dtype;
  s->size = (int64_t)nx_dtype_size(s->dtype);
  s->K = nx_kernels_for(C, s->dtype);
  s->reverse = a->reverse;
  s->x = nx_dense(C, n->in[NX_RX]);
  s->w_ih = nx_dense(C, n->in[NX_RW_IH]);
  s->w_hh = nx_dense(C, n->in[NX_RW_HH]);
  s->b_ih = dense_or_null(C, given(n, cell, NX_RB_IH));
  s->b_hh = dense_or_null(C, given(n, cell, NX_RB_HH));
  s->w_hr = dense_or_null(C, given(n, cell, NX_RW_HR));
  s->h0 = zeros_or(C, given(n, cell, NX_RH0), s->dtype, s->batch, s->out);
  if (cell->has_c)
    s->c0 = zeros_or(C, given(n, cell, NX_RC0), s->dtype, s->batch, s->units);
  s->y = n->out[0];
  s->h = n->out[1];
  if (cell->has_c) s->c = n->out[2];
  else next = 2;
  if (cell->has_c && n->nout > next) s->cells = n->out[next++];
  if (n->nout > next) s->gates = n->out[next];
  choose_pieces(s, s->cells || s->gates || a->recompute > 0, a->recompute);
  s->whole = s->gates != NULL;
  return nx_status(C) ? nx_status(C) : find_first(C, s);
}


/*
** Steps and rows.
*/
int64_t nx_step_at (const nx_sequence *s, int64_t k) {
  return s->reverse ? s->steps - 1 - k : k;
}

int64_t nx_step_rows (const nx_sequence *s, int64_t k) {
  int64_t t = nx_step_at(s, k);
  return s->first[t + 1] - s->first[t];
}

int64_t nx_step_first (const nx_sequence *s, int64_t k) {
  return s->first[nx_step_at(s, k)];
}

nx_stretch nx_sequence_stretch (const nx_sequence *s, int64_t piece) {
  nx_stretch p;
  int64_t a, b;
  memset(&p, 0, sizeof(p));
  p.from = piece * s->piece;
  p.to = p.from + s->piece < s->steps ? p.from + s->piece : s->steps;
  a = nx_step_at(s, p.from);
  b = nx_step_at(s, p.to - 1);
  p.row = s->first[a < b ? a : b];
  p.rows = s->first[(a < b ? b : a) + 1] - p.row;
  return p;
}


/*
** Row r of a step continues row r of the step before; where that had fewer
** (going back, sequences begin one after the other), it begins with h0.
*/
int nx_segments (const nx_sequence *s, const nx_stretch *p, int64_t k,
                 int64_t low, int64_t high, nx_segment *out) {
  int64_t rows = nx_step_rows(s, k), before = 0, count = 0;
  int64_t hs = s->out * s->size, cs = s->units * s->size;
  if (k > 0) before = nx_step_rows(s, k - 1);
  if (high > rows) high = rows;
  for (int old = 1; old >= 0; old--) {
    int64_t from = old ? low : (before > low ? before : low);
    int64_t to = old && before < high ? before : high;
    int64_t last = k > 0 ? nx_step_first(s, k - 1) : 0;
    nx_segment *g = &out[count];
    if (from >= to || (old && k == 0)) continue;
    g->n = to - from;
    g->row = from;
    g->at = nx_step_first(s, k) + from;
    g->h = old ? s->y->data + (last + from) * hs : s->h0->data + from * hs;
    g->c = NULL;
    if (s->cell->has_c && old && (s->whole || k > p->from))
      g->c = p->cells->data + (last - p->row + from) * cs;
    else if (s->cell->has_c)
      g->c = (old || k == p->from ? p->c : s->c0)->data + from * cs;
    count++;
  }
  return (int)count;
}


/*
** Threads. Bits of an element do not depend on the rows that are computed
** beside it (see product.h), so here the threads that are there may decide
** how rows are cut: fewer than they get the weights read once for all.
*/
#define LEAST_ROWS 8
#define LEAST_WORK 3e5         /* multiply-adds for each thread */

typedef struct split {
  nx_rows_fn *job;
  void *arg;
  int64_t batch, per;
} split;

static void split_job (void *arg, int64_t i, int place) {
  const split *p = arg;
  int64_t high = (i + 1) * p->per;
  (void)place;
  p->job(p->arg, i * p->per, high < p->batch ? high : p->batch);
}

void nx_sequence_split (const nx_sequence *s, nx_rows_fn *job, void *arg) {
  double work = (double)s->rows * (double)s->w_hh->len;
  int64_t n = nx_pool_threads(s->C->rt->pool);
  split p;
  if (n > s->batch / LEAST_ROWS) n = s->batch / LEAST_ROWS;
  if ((double)n > work / LEAST_WORK) n = (int64_t)(work / LEAST_WORK);
  if (n < 1) n = 1;
  p.job = job;
  p.arg = arg;
  p.batch = s->batch;
  p.per = (s->batch + n - 1) / n;
  p.per = (p.per + LEAST_ROWS - 1) / LEAST_ROWS * LEAST_ROWS;
  if (s->batch > 0)
    nx_parallel(s->C->rt->pool, (s->batch + p.per - 1) / p.per, split_job,
                &p);
}


nx_tensor *nx_gates_start (nx_ctx *C, const nx_cell *cell, int dtype,
                           int64_t units, const nx_tensor *b_ih,
                           const nx_tensor *b_hh) {
  int64_t n = cell->kept * units, block;
  nx_tensor *t = nx_zeros(C, dtype, 1, &n);
  if (t == NULL) return NULL;
  block = units * (int64_t)nx_dtype_size(dtype);
  if (b_ih) memcpy(t->data, b_ih->data, (size_t)(cell->gates * block));
  for (int i = 0; b_hh && i < cell->nparts; i++) {
    const nx_cell_part *part = &cell->part[i];
    void *v[3];
    v[0] = v[1] = t->data + part->column * block;
    v[2] = b_hh->data + part->row * block;
    nx_kernels_for(C, dtype)->add((size_t)(part->blocks * units), v, 0,
                                  NULL);
  }
  return t;
}


/*
** Forward.
*/
typedef struct loop {
  const nx_sequence *s;
  const nx_stretch *p;
  const char *packed[2], *proj;
  nx_tensor *made;             /* (batch, H): h before the projection, or
                                  where y must not be touched */
  int again;
} loop;

static nx_matrix dense_matrix (char *data, int64_t rows, int64_t cols,
                               int64_t row) {
  nx_matrix m;
  m.data = data;
  m.rows = rows;
  m.cols = cols;
  m.rs = row;
  m.cs = 1;
  return m;
}

/* gates = x W_ih^T + bias, for all rows of a stretch */
static int input_product (const nx_sequence *s, const nx_stretch *p) {
  nx_ctx *C = s->C;
  int64_t width = s->cell->kept * s->units, own = s->cell->gates * s->units;
  nx_tensor *bias = s->b_ih || s->b_hh
    ? nx_gates_start(C, s->cell, s->dtype, s->units, s->b_ih, s->b_hh) : NULL;
  char *rest = p->gates->data + own * s->size;
  if (nx_status(C)) return nx_status(C);
  nx_product(C, s->dtype,
             dense_matrix(s->x->data + p->row * s->in * s->size, p->rows,
                          s->in, s->in),
             nx_transposed(nx_matrix_of(s->w_ih)),
             dense_matrix(p->gates->data, p->rows, own, width),
             bias ? bias->data : NULL, NX_NONE);
  if (own == width) return 0;
  for (int64_t r = 0; r < p->rows; r++) {
    char *to = rest + r * width * s->size;
    size_t n = (size_t)((width - own) * s->size);
    if (bias) memcpy(to, bias->data + own * s->size, n);
    else memset(to, 0, n);
  }
  return 0;
}

/* one step of some rows */
static void run_segment (const loop *l, const nx_segment *g) {
  const nx_sequence *s = l->s;
  const nx_cell *cell = s->cell;
  int64_t width = cell->kept * s->units, in = g->at - l->p->row;
  char *gates = l->p->gates->data + in * width * s->size;
  char *h = l->made ? l->made->data + g->row * s->units * s->size
                    : s->y->data + g->at * s->out * s->size;
  void *p[NX_CELL_PARTS] = {0};
  ptrdiff_t step[NX_CELL_PARTS] = {0};
  for (int i = 0; i < cell->nparts; i++)
    s->K->packed((size_t)g->n, (size_t)(cell->part[i].blocks * s->units),
                 (size_t)s->out, g->h, s->out, l->packed[i],
                 gates + cell->part[i].column * s->units * s->size, width,
                 1);
  p[NX_CELL_G] = gates;
  step[NX_CELL_G] = width;
  p[NX_CELL_H0] = g->h;
  step[NX_CELL_H0] = s->out;
  p[NX_CELL_H] = h;
  step[NX_CELL_H] = s->units;
  p[NX_CELL_C0] = g->c;
  step[NX_CELL_C0] = s->units;
  if (cell->has_c) p[NX_CELL_C] = l->p->cells->data +
                                  in * s->units * s->size;
  step[NX_CELL_C] = s->units;
  cell->kernel(s->K, 0)((size_t)g->n, (size_t)s->units, p, step);
  if (l->proj && !l->again)
    s->K->packed((size_t)g->n, (size_t)s->out, (size_t)s->units, h, s->units,
                 l->proj, s->y->data + g->at * s->out * s->size,
                 s->out, 0);
}

static void run_rows (void *arg, int64_t low, int64_t high) {
  const loop *l = arg;
  for (int64_t k = l->p->from; k < l->p->to; k++) {
    nx_segment g[2];
    int n = nx_segments(l->s, l->p, k, low, high, g);
    for (int i = 0; i < n; i++) run_segment(l, &g[i]);
  }
}

static const char *part_packed (const nx_sequence *s,
                                const nx_cell_part *part) {
  char *rows = s->w_hh->data + part->row * s->units * s->out * s->size;
  return nx_packed_data(s->C, s->dtype, nx_transposed(
    dense_matrix(rows, part->blocks * s->units, s->out, s->out)));
}

nx_tensor *nx_sequence_table (const nx_sequence *s, int64_t rows,
                              int64_t cols) {
  int64_t shape[2];
  shape[0] = rows;
  shape[1] = cols;
  return nx_new(s->C, s->dtype, 2, shape);
}

int nx_sequence_run (nx_sequence *s, nx_stretch *p, int again) {
  loop l;
  memset(&l, 0, sizeof(l));
  l.s = s;
  l.p = p;
  l.again = again;
  for (int i = 0; i < s->cell->nparts; i++)
    l.packed[i] = part_packed(s, &s->cell->part[i]);
  if (s->w_hr)
    l.proj = nx_packed_data(s->C, s->dtype,
                            nx_transposed(nx_matrix_of(s->w_hr)));
  if (s->w_hr || again) l.made = nx_sequence_table(s, s->batch, s->units);
  if (nx_status(s->C) || input_product(s, p)) return nx_status(s->C);
  nx_sequence_split(s, run_rows, &l);
  return 0;
}


/* the state of each row after its last step of a stretch */
static void last_states (const nx_sequence *s, const nx_stretch *p,
                         const char *rows, int64_t width, int64_t base,
                         char *out) {
  int64_t bytes = width * s->size;
  for (int64_t k = p->from; k < p->to; k++) {
    int64_t n = nx_step_rows(s, k);
    int64_t next = k + 1 < p->to ? nx_step_rows(s, k + 1) : 0;
    if (n > next)
      memcpy(out + next * bytes,
             rows + (nx_step_first(s, k) - base + next) * bytes,
             (size_t)((n - next) * bytes));
  }
}

/* room for gates and cells of a stretch: of the whole, or its own */
static int make_room (const nx_sequence *s, nx_stretch *p) {
  int64_t width = s->cell->kept * s->units;
  if (s->whole) {
    int64_t r = p->row, n = p->rows;
    p->gates = nx_view_part(s->C, s->gates, 0, r, n, 1);
    if (s->cell->has_c) p->cells = nx_view_part(s->C, s->cells, 0, r, n, 1);
  }
  else {
    p->gates = nx_sequence_table(s, p->rows, width);
    if (s->cell->has_c) p->cells = nx_sequence_table(s, p->rows, s->units);
  }
  return nx_status(s->C);
}

static int run_piece (nx_sequence *s, int64_t i, nx_tensor *c) {
  nx_stretch p = nx_sequence_stretch(s, i);
  int64_t bytes = s->batch * s->units * s->size;
  size_t mark = nx_push(s->C);
  p.c = c;
  if (c && s->cells && !s->whole)        /* for the gradient */
    memcpy(s->cells->data + i * bytes, c->data, (size_t)bytes);
  if (make_room(s, &p) == 0 && nx_sequence_run(s, &p, 0) == 0) {
    last_states(s, &p, s->y->data, s->out, 0, s->h->data);
    if (c)
      last_states(s, &p, p.cells->data, s->units, p.row, c->data);
  }
  nx_pop(s->C, mark, NULL);
  return nx_status(s->C);
}

int nx_recurrence_forward (nx_ctx *C, nx_node *n, const nx_cell *cell) {
  nx_sequence s;
  if (nx_sequence_open(C, n, cell, &s)) return nx_status(C);
  memcpy(s.h->data, s.h0->data, (size_t)(s.h->len * s.size));
  if (s.c) memcpy(s.c->data, s.c0->data, (size_t)(s.c->len * s.size));
  for (int64_t i = 0; i < s.pieces && s.rows > 0; i++)
    if (run_piece(&s, i, s.c)) return nx_status(C);
  return nx_status(C);
}
