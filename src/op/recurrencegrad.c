/*
** The gradient of recurrent layers: back through the steps, then one
** product for each weight.
*/
#include <string.h>
#include "op/recurrence.h"
#include "tensor/product.h"
#include "tensor/view.h"
#include "ops.h"

/* Rows whose gradients of gates are there at a time. */
#define PIECE_ROWS 8192

typedef struct back {
  nx_sequence *s;
  nx_stretch p;
  nx_tensor *gy;               /* of y; dh, dc: of the states, (batch, ...) */
  nx_tensor *dh, *dc;
  nx_tensor *packed[2], *proj; /* weights, to multiply gradients with */
  nx_tensor *dgates;           /* of the rows of a stretch */
  nx_tensor *before;           /* old h of these rows */
  nx_tensor *dout, *made;      /* with a projection: gradient of h, and what
                                  was projected */
  nx_tensor *dmade;            /* (batch, H): its gradient */
  nx_tensor *g[NX_RINPUTS];        /* what comes of it */
} back;


static char *row_of (const nx_tensor *t, int64_t row) {
  return t->data + row * t->shape[1] * (int64_t)nx_dtype_size(t->dtype);
}


/*
** With a projection: the gradient of h is complete before the cell's own
** loop begins, dout = dh + gy; that of what was projected is dout W_hr.
*/
static void unproject (const back *b, const nx_segment *g) {
  const nx_sequence *s = b->s;
  char *out = row_of(b->dout, g->at - b->p.row);
  void *v[3];
  v[0] = out;
  v[1] = row_of(b->dh, g->row);
  v[2] = row_of(b->gy, g->at);
  s->K->add((size_t)(g->n * s->out), v, 0, NULL);
  s->K->packed((size_t)g->n, (size_t)s->units, (size_t)s->out, out, s->out,
               b->proj->data, row_of(b->dmade, g->row), s->units, 0);
  memset(row_of(b->dh, g->row), 0, (size_t)(g->n * s->out * s->size));
}

static void cell_back (const back *b, const nx_segment *g) {
  const nx_sequence *s = b->s;
  int64_t width = s->cell->kept * s->units, in = g->at - b->p.row;
  void *p[NX_CELL_PARTS] = {0};
  ptrdiff_t step[NX_CELL_PARTS];
  for (int i = 0; i < NX_CELL_PARTS; i++) step[i] = s->units;
  step[NX_CELL_G] = step[NX_CELL_DG] = width;
  step[NX_CELL_H0] = s->out;
  if (b->p.gates) p[NX_CELL_G] = row_of(b->p.gates, in);
  p[NX_CELL_DG] = row_of(b->dgates, in);
  p[NX_CELL_H0] = g->h;
  p[NX_CELL_DH] = row_of(b->proj ? b->dmade : b->dh, g->row);
  if (s->cell->has_c) {
    p[NX_CELL_C0] = g->c;
    p[NX_CELL_C] = row_of(b->p.cells, in);
    p[NX_CELL_DC] = row_of(b->dc, g->row);
  }
  if (b->proj) p[NX_CELL_H] = row_of(b->made, in);
  else {
    p[NX_CELL_GY] = row_of(b->gy, g->at);
    if (!s->cell->saves)
      p[NX_CELL_H] = s->y->data + g->at * s->out * s->size;
  }
  s->cell->kernel(s->K, 1)((size_t)g->n, (size_t)s->units, p, step);
}

static void step_back (const back *b, const nx_segment *g) {
  const nx_sequence *s = b->s;
  int64_t width = s->cell->kept * s->units, in = g->at - b->p.row;
  if (b->proj) unproject(b, g);
  cell_back(b, g);
  for (int i = 0; i < s->cell->nparts; i++) {
    const nx_cell_part *part = &s->cell->part[i];
    s->K->packed((size_t)g->n, (size_t)s->out,
                 (size_t)(part->blocks * s->units),
                 row_of(b->dgates, in) + part->column * s->units * s->size,
                 width, b->packed[i]->data, row_of(b->dh, g->row), s->out,
                 1);
  }
  memcpy(row_of(b->before, in), g->h, (size_t)(g->n * s->out * s->size));
}

static void rows_back (void *arg, int64_t low, int64_t high) {
  const back *b = arg;
  for (int64_t k = b->p.to - 1; k >= b->p.from; k--) {
    nx_segment g[2];
    int n = nx_segments(b->s, &b->p, k, low, high, g);
    for (int i = 0; i < n; i++) step_back(b, &g[i]);
  }
}


/* some columns of rows that are 'row' elements apart */
static nx_matrix columns (const nx_sequence *s, const nx_tensor *t,
                          int64_t from, int64_t cols) {
  nx_matrix m;
  m.data = t->data + from * s->size;
  m.rows = t->shape[0];
  m.cols = cols;
  m.rs = t->shape[1];
  m.cs = 1;
  return m;
}

static nx_matrix rows_of (const nx_tensor *t, int64_t from, int64_t rows) {
  nx_matrix m = nx_matrix_of(t);
  m.data = row_of(t, from);
  m.rows = rows;
  return m;
}

/* sums over the rows of some columns, added to part of a bias' gradient */
static int add_sums (const back *b, nx_tensor *bias, int64_t to,
                     int64_t from, int64_t n) {
  nx_ctx *C = b->s->C;
  nx_tensor *part = nx_view_part(C, b->dgates, 1, from, n, 1);
  nx_tensor *sum = part ? nx_sum(C, part, (nx_ints){1, {0}}, 0) : NULL;
  void *v[3];
  if (sum == NULL) return nx_status(C);
  v[0] = v[1] = bias->data + to * b->s->size;
  v[2] = sum->data;
  b->s->K->add((size_t)n, v, 0, NULL);
  return 0;
}

static int weights_of_h (const back *b) {
  const nx_sequence *s = b->s;
  int64_t units = s->units;
  for (int i = 0; i < s->cell->nparts; i++) {
    const nx_cell_part *p = &s->cell->part[i];
    int64_t n = p->blocks * units, from = p->column * units;
    if (b->g[NX_RW_HH])
      nx_product_add(s->C, s->dtype,
                     nx_transposed(columns(s, b->dgates, from, n)),
                     nx_matrix_of(b->before),
                     rows_of(b->g[NX_RW_HH], p->row * units, n));
    if (b->g[NX_RB_HH] && add_sums(b, b->g[NX_RB_HH], p->row * units, from, n))
      return nx_status(s->C);
  }
  if (b->g[NX_RW_HR])
    nx_product_add(s->C, s->dtype, nx_transposed(nx_matrix_of(b->dout)),
                   nx_matrix_of(b->made), nx_matrix_of(b->g[NX_RW_HR]));
  return 0;
}

static int weights_of_x (const back *b) {
  const nx_sequence *s = b->s;
  int64_t own = s->cell->gates * s->units;
  nx_matrix d = columns(s, b->dgates, 0, own), x;
  x.data = s->x->data + b->p.row * s->in * s->size;
  x.rows = b->p.rows;
  x.cols = x.rs = s->in;
  x.cs = 1;
  if (b->g[NX_RW_IH])
    nx_product_add(s->C, s->dtype, nx_transposed(d), x,
                   nx_matrix_of(b->g[NX_RW_IH]));
  if (b->g[NX_RX]) {
    x.data = b->g[NX_RX]->data + b->p.row * s->in * s->size;
    nx_product(s->C, s->dtype, d, nx_matrix_of(s->w_ih), x, NULL, NX_NONE);
  }
  return b->g[NX_RB_IH] ? add_sums(b, b->g[NX_RB_IH], 0, 0, own) : 0;
}


/* gates and cells of a stretch: kept, or computed again from its start */
static int recall (back *b, int64_t piece) {
  nx_sequence *s = b->s;
  nx_ctx *C = s->C;
  nx_stretch *p = &b->p;
  p->c = s->c0;
  if (!s->cell->saves) return 0;
  if (s->whole) {
    p->gates = nx_view_part(C, s->gates, 0, p->row, p->rows, 1);
    if (s->cell->has_c)
      p->cells = nx_view_part(C, s->cells, 0, p->row, p->rows, 1);
    return nx_status(C);
  }
  if (s->cell->has_c) {
    nx_tensor *c = nx_view_part(C, s->cells, 0, piece, 1, 1);
    if (c) p->c = c;
    p->cells = nx_sequence_table(s, p->rows, s->units);
  }
  p->gates = nx_sequence_table(s, p->rows, s->cell->kept * s->units);
  return nx_status(C) ? nx_status(C) : nx_sequence_run(s, p, 1);
}

static int piece_back (back *b, int64_t i) {
  nx_sequence *s = b->s;
  size_t mark = nx_push(s->C);
  b->p = nx_sequence_stretch(s, i);
  b->dgates = nx_sequence_table(s, b->p.rows, s->cell->kept * s->units);
  b->before = nx_sequence_table(s, b->p.rows, s->out);
  if (s->w_hr) {
    b->dout = nx_sequence_table(s, b->p.rows, s->out);
    b->made = nx_sequence_table(s, b->p.rows, s->units);
  }
  if (nx_status(s->C) == 0 && recall(b, i) == 0) {
    nx_sequence_split(s, rows_back, b);
    if (weights_of_h(b) == 0) weights_of_x(b);
  }
  nx_pop(s->C, mark, NULL);
  return nx_status(s->C);
}


static int pack_weights (back *b) {
  const nx_sequence *s = b->s;
  for (int i = 0; i < s->cell->nparts; i++) {
    const nx_cell_part *p = &s->cell->part[i];
    b->packed[i] = nx_packed_matrix(
      s->C, s->dtype, rows_of(s->w_hh, p->row * s->units,
                              p->blocks * s->units));
  }
  if (s->w_hr) {
    b->proj = nx_packed_matrix(s->C, s->dtype, nx_matrix_of(s->w_hr));
    b->dmade = nx_sequence_table(s, s->batch, s->units);
  }
  return nx_status(s->C);
}

/* gradients of states, which change while the loop goes back */
static nx_tensor *copied (nx_ctx *C, nx_tensor *g) {
  nx_tensor *t = nx_new_like(C, g);
  return t && nx_copy(C, t, g) == 0 ? t : NULL;
}

static int make_results (back *b, nx_node *n) {
  nx_ctx *C = b->s->C;
  for (int k = 0; k < NX_RH0; k++) {
    int i = b->s->cell->place[k];
    if (i >= 0 && i < n->nin && n->wants[i])
      b->g[k] = nx_zeros(C, n->in[i]->dtype, n->in[i]->ndim,
                         n->in[i]->shape);
  }
  return nx_status(C);
}

int nx_recurrence_fused (nx_ctx *C, nx_node *n, const nx_cell *cell,
                         nx_tensor **gy, nx_tensor **gx) {
  nx_sequence s;
  back b;
  memset(&b, 0, sizeof(b));
  b.s = &s;
  if (nx_sequence_open(C, n, cell, &s)) return nx_status(C);
  if (s.whole || !cell->saves) {         /* pieces as small as they may be */
    s.piece = s.batch > 0 ? PIECE_ROWS / s.batch : s.steps;
    if (s.piece > s.steps) s.piece = s.steps;
    if (s.piece < 1) s.piece = 1;
    s.pieces = (s.steps + s.piece - 1) / s.piece;
  }
  b.gy = nx_dense(C, gy[0]);
  if (b.gy && b.gy->ndim == 3) {
    int64_t shape[2];
    shape[0] = s.rows;
    shape[1] = s.out;
    b.gy = nx_view_shape(C, b.gy, 2, shape);
  }
  b.dh = copied(C, gy[1]);
  if (cell->has_c) b.dc = copied(C, gy[2]);
  if (nx_status(C) || pack_weights(&b) || make_results(&b, n))
    return nx_status(C);
  for (int64_t i = s.rows > 0 ? s.pieces - 1 : -1; i >= 0; i--)
    if (piece_back(&b, i)) return nx_status(C);
  b.g[NX_RH0] = b.dh;
  b.g[NX_RC0] = b.dc;
  for (int k = 0; k < NX_RSIZES; k++) {
    int i = cell->place[k];
    if (i >= 0 && i < n->nin && n->wants[i]) gx[i] = b.g[k];
  }
  return nx_status(C);
}
