/*
** Recurrent layers: one time loop for all cells, over a whole sequence.
**
** x is (steps, batch, features); or, with 'sizes', rows of sequences of
** several lengths: those of the first step, then those of the second, ...,
** the longest sequence first, sizes[t] of them at step t (no padding is
** there, so none is computed). All gates' input products are done at once;
** then step by step
**   gates += W_hh h,  h = cell(gates, h)
** with W_hh packed once. Rows of a batch do not depend on each other, so
** each thread takes some of them through all steps and waits for nobody.
** The gradient goes the same way back, and ends in one product over all
** steps for each weight.
**
** A cell is a file of its own: lstm.c, gru.c, rnn.c.
*/
#ifndef nx_recurrence_h
#define nx_recurrence_h

#include "grad/op.h"
#include "tensor/packs.h"

/* Blocks of H columns of the gates' buffer to which W_hh h is added:
   'blocks' of them from 'column' on, those of W_hh from 'row' on. */
typedef struct nx_cell_part { int column, row, blocks; } nx_cell_part;

/* What an operation takes, and where: LSTM has all, others lack some. */
enum {
  NX_RX, NX_RW_IH, NX_RW_HH, NX_RB_IH, NX_RB_HH, NX_RW_HR, NX_RH0, NX_RC0,
  NX_RSIZES, NX_RINPUTS
};
#define NX_INPUTS_WITH_C \
  "x weight_ih weight_hh bias_ih? bias_hh? weight_hr? h0? c0? sizes?"
#define NX_PLACES_WITH_C {0, 1, 2, 3, 4, 5, 6, 7, 8}
#define NX_INPUTS_WITHOUT_C \
  "x weight_ih weight_hh bias_ih? bias_hh? h0? sizes?"
#define NX_PLACES_WITHOUT_C {0, 1, 2, 3, 4, -1, 5, -1, 6}
#define NX_RECURRENT_SAVES \
  "x weight_ih weight_hh bias_ih bias_hh weight_hr h0 c0 sizes y"

typedef struct nx_cell {
  int place[NX_RINPUTS];       /* of each input; -1: has none */
  int gates;                   /* blocks of H rows of the weights */
  int kept;                    /* blocks of a row of the gates' buffer */
  int saves;                   /* the gradient reads that buffer */
  int has_c;
  int nparts;
  nx_cell_part part[2];
  /* forward, or back */
  nx_cell_fn *(*kernel) (const nx_kernels *K, int back);
  /* the same step in operations: the new h (and c) from the products of
     the input and of h with the weights, biases included; 'norm' is the
     weight and bias of a layer norm of the new c, or NULL */
  nx_tensor *(*step) (nx_ctx *C, nx_tensor *of_x, nx_tensor *of_h,
                      nx_tensor *h, nx_tensor **c, nx_tensor *const *norm);
} nx_cell;

extern const nx_cell nx_cell_rnn_tanh, nx_cell_rnn_relu, nx_cell_lstm,
                     nx_cell_gru;

/* The options of all of them. */
typedef struct nx_recurrence_args {
  int reverse;
  int64_t recompute;           /* 0, or steps of a piece */
} nx_recurrence_args;

extern const nx_field nx_recurrence_fields[];

/*
** The loop in operations, step by step: what the fused loop does, for
** derivatives of higher order, and what it does not do:
**   norm    layer norm inside the cell (Ba, Kiros, Hinton 2016): weights of
**           those of W_ih x and of W_hh h, weight and bias of that of c
**   keep    (batch, size of h): factor of h before W_hh
**   skip    the gates also get W_skip h_{t - skip}; past: (skip - 1, batch,
**           size of h), the h before h0, the latest first
*/
typedef struct nx_unrolled {
  const nx_cell *cell;
  int reverse;
  int64_t skip;
  nx_tensor *in[NX_RINPUTS];
  nx_tensor *norm[4], *keep, *w_skip, *past;
} nx_unrolled;

/* out: y, h, c (or NULL), past (or NULL) */
int nx_unroll (nx_ctx *C, const nx_unrolled *u, nx_tensor **out);

/*
** One call: sizes, places in memory. Tensors are dense; NULL where there
** are none.
*/
typedef struct nx_sequence {
  nx_ctx *C;
  const nx_cell *cell;
  const nx_kernels *K;
  int dtype, reverse;
  int64_t size;                /* bytes of an element */
  int64_t steps, batch, rows;  /* rows: of all steps */
  int64_t in, units, out;      /* features; H; width of h */
  const int64_t *sizes;        /* NULL: 'batch' rows at each step */
  const int64_t *first;        /* steps + 1: the first row of a step */
  nx_tensor *x, *w_ih, *w_hh, *b_ih, *b_hh, *w_hr, *h0, *c0;
  nx_tensor *y, *h, *c, *cells, *gates;
  int whole;                   /* cells and gates are of all steps */
  int64_t piece, pieces;       /* steps at a time */
} nx_sequence;

/* Some steps in the order of the loop: from .. to - 1, a run of rows. */
typedef struct nx_stretch {
  int64_t from, to;
  int64_t row, rows;
  nx_tensor *gates, *cells;    /* of these rows */
  nx_tensor *c;                /* (batch, H) before the first step */
} nx_stretch;

/* The k-th step of the loop, its rows and where they begin. */
int64_t nx_step_at (const nx_sequence *s, int64_t k);
int64_t nx_step_rows (const nx_sequence *s, int64_t k);
int64_t nx_step_first (const nx_sequence *s, int64_t k);

/*
** Some rows of a step whose old states lie together: 'n' rows from 'row'
** of the batch on, 'at' of all rows; h and c are where the old ones begin.
*/
typedef struct nx_segment {
  int64_t n, row, at;
  char *h, *c;
} nx_segment;

/* Those among rows low .. high - 1 at step k: how many (at most 2). */
int nx_segments (const nx_sequence *s, const nx_stretch *p, int64_t k,
                 int64_t low, int64_t high, nx_segment *out);

/* job(arg, low, high) for runs of rows of the batch, on several threads. */
typedef void nx_rows_fn (void *arg, int64_t low, int64_t high);
void nx_sequence_split (const nx_sequence *s, nx_rows_fn *job, void *arg);

int nx_sequence_open (nx_ctx *C, nx_node *n, const nx_cell *cell,
                      nx_sequence *s);
nx_stretch nx_sequence_stretch (const nx_sequence *s, int64_t piece);
/* The steps of a stretch; with 'again' only gates and cells are wanted. */
int nx_sequence_run (nx_sequence *s, nx_stretch *p, int again);
/* Room for rows, not set. */
nx_tensor *nx_sequence_table (const nx_sequence *s, int64_t rows,
                              int64_t cols);
/* What a row of the gates begins with: b_ih, and b_hh where it is simply
   added; zeros where there are none. */
nx_tensor *nx_gates_start (nx_ctx *C, const nx_cell *cell, int dtype,
                           int64_t units, const nx_tensor *b_ih,
                           const nx_tensor *b_hh);

/* Steps may be done some at a time, unless rows have lengths of their own. */
const char *nx_recurrence_cutting (const nx_node *n);
double nx_recurrence_work (const nx_node *n);
int nx_recurrence_shape (nx_ctx *C, nx_node *n, const nx_cell *cell);
int nx_recurrence_forward (nx_ctx *C, nx_node *n, const nx_cell *cell);
int nx_recurrence_fused (nx_ctx *C, nx_node *n, const nx_cell *cell,
                         nx_tensor **gy, nx_tensor **gx);
int nx_recurrence_grad (nx_ctx *C, nx_node *n, const nx_cell *cell,
                        nx_tensor **gy, nx_tensor **gx);

/* The functions of an operation over a cell. */
#define NX_RECURRENT(id) \
static int id##_shape (nx_ctx *C, nx_node *n) { \
  return nx_recurrence_shape(C, n, &nx_cell_##id); \
} \
static int id##_forward (nx_ctx *C, nx_node *n) { \
  return nx_recurrence_forward(C, n, &nx_cell_##id); \
} \
static int id##_fused (nx_ctx *C, nx_node *n, nx_tensor **gy, \
                       nx_tensor **gx) { \
  return nx_recurrence_fused(C, n, &nx_cell_##id, gy, gx); \
} \
static int id##_grad (nx_ctx *C, nx_node *n, nx_tensor **gy, \
                      nx_tensor **gx) { \
  return nx_recurrence_grad(C, n, &nx_cell_##id, gy, gx); \
}
#define NX_RECURRENT_FUNCTIONS(id) \
  .fields = nx_recurrence_fields, .argsize = sizeof(nx_recurrence_args), \
  .shape = id##_shape, .forward = id##_forward, \
  .grad = NX_LEARN(id##_grad), \
  .fused = NX_LEARN(id##_fused)

#endif
