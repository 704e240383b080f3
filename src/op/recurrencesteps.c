/*
** The time loop in operations.
*/
#include "grad/tape.h"
#include "op/composed.h"
#include "op/recurrence.h"

typedef struct steps {
  const nx_unrolled *u;
  const int64_t *sizes;        /* NULL: batch rows at each step */
  int64_t batch;
  nx_tensor *of_x;             /* of all rows */
  nx_tensor *h, *c;
  nx_tensor **past;            /* h before, the latest first: skip of them */
} steps;


/* the last dimension to mean 0 and variance 1, times a weight */
static nx_tensor *normalised (nx_ctx *C, nx_tensor *x, nx_tensor *weight,
                              nx_tensor *bias) {
  if (weight == NULL || x == NULL) return x;
  return nx_layer_norm(C, x, weight, bias, (nx_ints){1, {weight->len}}, 1e-5);
}

/* x W^T, normalised if there is a weight for that, + b */
static nx_tensor *product (nx_ctx *C, nx_tensor *x, nx_tensor *w,
                           nx_tensor *b, nx_tensor *norm) {
  nx_tensor *y;
  if (norm == NULL) return nx_linear(C, x, w, b, NX_NONE);
  y = normalised(C, nx_linear(C, x, w, NULL, NX_NONE), norm, NULL);
  return b ? ADD(y, b) : y;
}

static nx_tensor *rows_of_x (nx_ctx *C, nx_tensor *x) {
  int64_t shape[2];
  if (x->ndim == 2) return x;
  shape[0] = x->shape[0] * x->shape[1];
  shape[1] = x->shape[2];
  return nx_reshape(C, x, 2, shape);
}

static nx_tensor *zeros (nx_ctx *C, int dtype, int64_t rows, int64_t cols) {
  int64_t shape[2];
  shape[0] = rows;
  shape[1] = cols;
  return nx_zeros(C, dtype, 2, shape);
}


static nx_tensor *first_rows (nx_ctx *C, nx_tensor *t, int64_t n) {
  return t && t->shape[0] != n ? nx_narrow(C, t, 0, 0, n) : t;
}

/* 't' with other first rows */
static nx_tensor *replaced (nx_ctx *C, nx_tensor *t, nx_tensor *rows) {
  nx_tensor *part[2];
  int64_t n;
  if (t == NULL || rows == NULL || rows->shape[0] == t->shape[0])
    return rows;
  n = rows->shape[0];
  part[0] = rows;
  part[1] = nx_narrow(C, t, 0, n, t->shape[0] - n);
  return part[1] ? nx_cat(C, 2, part, 0) : NULL;
}

/* h becomes the latest of the past, for the rows of a step */
static void shift_past (nx_ctx *C, steps *s, int64_t n) {
  for (int64_t j = s->u->skip - 1; j > 0; j--) {
    nx_tensor *newer = j == 1 ? s->h : s->past[j - 1];
    s->past[j] = replaced(C, s->past[j], first_rows(C, newer, n));
  }
}

/* rows at .. at + n - 1: one step; the new h of these rows */
static nx_tensor *step (nx_ctx *C, steps *s, int64_t at, int64_t n) {
  const nx_unrolled *u = s->u;
  nx_tensor *h = first_rows(C, s->h, n), *c = first_rows(C, s->c, n), *y;
  nx_tensor *kept = u->keep ? MUL(h, first_rows(C, u->keep, n)) : h;
  nx_tensor *of_x = nx_narrow(C, s->of_x, 0, at, n);
  nx_tensor *of_h = product(C, kept, u->in[NX_RW_HH], u->in[NX_RB_HH],
                            u->norm[1]);
  if (u->w_skip) {
    nx_tensor *old = u->skip == 1 ? s->h : s->past[u->skip - 1];
    of_x = ADD(of_x, nx_linear(C, first_rows(C, old, n), u->w_skip, NULL,
                               NX_NONE));
  }
  if (nx_status(C)) return NULL;
  y = u->cell->step(C, of_x, of_h, h, &c, u->norm[2] ? u->norm + 2 : NULL);
  if (u->in[NX_RW_HR]) y = nx_linear(C, y, u->in[NX_RW_HR], NULL, NX_NONE);
  shift_past(C, s, n);
  s->h = replaced(C, s->h, y);
  s->c = replaced(C, s->c, c);
  return y;
}


static int run_steps (nx_ctx *C, steps *s, int64_t count, nx_tensor **ys) {
  int64_t at = s->u->reverse ? s->of_x->shape[0] : 0;
  for (int64_t k = 0; k < count && nx_status(C) == 0; k++) {
    int64_t t = s->u->reverse ? count - 1 - k : k;
    int64_t n = s->sizes ? s->sizes[t] : s->batch;
    if (s->u->reverse) at -= n;
    ys[t] = step(C, s, at, n);
    if (!s->u->reverse) at += n;
  }
  return nx_status(C);
}

static int open_steps (nx_ctx *C, const nx_unrolled *u, steps *s,
                       int64_t *count) {
  nx_tensor *x = u->in[NX_RX], *sizes = u->in[NX_RSIZES];
  int64_t units = u->in[NX_RW_HH]->shape[0] / u->cell->gates;
  *count = sizes ? sizes->len : x->shape[0];
  s->u = u;
  s->batch = sizes ? 0 : x->shape[1];
  if (sizes) {
    sizes = nx_typed(C, sizes, NEAP_I64);
    if (sizes) sizes = nx_dense(C, sizes);
    if (sizes == NULL) return nx_status(C);
    s->sizes = (const int64_t *)(void *)sizes->data;
    if (u->in[NX_RH0]) s->batch = u->in[NX_RH0]->shape[0];
    else if (*count > 0) s->batch = s->sizes[0];
  }
  s->of_x = product(C, rows_of_x(C, x), u->in[NX_RW_IH], u->in[NX_RB_IH],
                    u->norm[0]);
  s->h = u->in[NX_RH0] ? u->in[NX_RH0]
       : zeros(C, x->dtype, s->batch, u->in[NX_RW_HH]->shape[1]);
  if (u->cell->has_c)
    s->c = u->in[NX_RC0] ? u->in[NX_RC0]
         : zeros(C, x->dtype, s->batch, units);
  return nx_status(C);
}

/* past[j]: the h of j + 1 steps ago; the first one is h itself */
static int open_past (nx_ctx *C, steps *s) {
  const nx_unrolled *u = s->u;
  for (int64_t j = 1; j < u->skip; j++)
    s->past[j] = u->past ? nx_select(C, u->past, 0, j - 1)
               : zeros(C, s->h->dtype, s->batch, s->h->shape[1]);
  return nx_status(C);
}

static nx_tensor *all_rows (nx_ctx *C, const nx_unrolled *u, int64_t count,
                            nx_tensor **ys, int64_t width) {
  const nx_tensor *x = u->in[NX_RX];
  int64_t shape[3];
  nx_tensor *y = count > 0 ? nx_cat(C, (int)count, ys, 0)
               : zeros(C, x->dtype, 0, width);
  if (y == NULL || x->ndim == 2) return y;
  shape[0] = x->shape[0];
  shape[1] = x->shape[1];
  shape[2] = width;
  return nx_reshape(C, y, 3, shape);
}

int nx_unroll (nx_ctx *C, const nx_unrolled *u, nx_tensor **out) {
  int64_t count;
  size_t block;
  nx_tensor **ys;
  steps s = {0};
  out[0] = out[1] = out[2] = out[3] = NULL;
  if (open_steps(C, u, &s, &count)) return nx_status(C);
  block = (size_t)(count + u->skip + 1) * sizeof(*ys);
  ys = nx_alloc(C, block);
  if (ys == NULL) return nx_status(C);
  s.past = ys + count;
  if (open_past(C, &s) == 0 && run_steps(C, &s, count, ys) == 0) {
    out[0] = all_rows(C, u, count, ys, s.h->shape[1]);
    out[1] = s.h;
    out[2] = s.c;
    if (u->skip > 1)
      out[3] = nx_stack(C, (int)u->skip - 1, s.past + 1, 0);
  }
  nx_free(C, ys, block);
  return nx_status(C);
}


/*
** Derivatives of higher order: the gradient of the same result, made of
** operations.
*/
static int compose (nx_ctx *C, nx_node *n, const nx_cell *cell,
                    nx_tensor *const *in, nx_tensor **out) {
  nx_unrolled u = {0};
  u.cell = cell;
  u.reverse = ((nx_recurrence_args *)n->a)->reverse;
  for (int k = 0; k < NX_RINPUTS; k++) {
    int i = cell->place[k];
    if (i >= 0 && i < n->nin) u.in[k] = in[i];
  }
  return nx_unroll(C, &u, out);
}

int nx_recurrence_grad (nx_ctx *C, nx_node *n, const nx_cell *cell,
                        nx_tensor **gy, nx_tensor **gx) {
  nx_tensor *in[NX_RINPUTS] = {0}, *out[4];
  if (nx_apart(C, n, in) || compose(C, n, cell, in, out)) return nx_status(C);
  return nx_grad_through(C, n, in, cell->has_c ? 3 : 2, out, gy, gx);
}
