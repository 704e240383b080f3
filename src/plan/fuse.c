/*
** Calls of a graph that become one.
*/
#include <math.h>
#include <string.h>
#include "plan/fuse.h"
#include "tensor/dtype.h"


/*
** The call whose first result this wire is, if only one call reads it, and
** nothing else sees its memory: no output, no view, no change in place.
*/
static nx_call *maker_of (nx_graph *g, int wire) {
  const nx_wire *w = &g->wires[wire];
  nx_call *maker = NULL;
  int uses = 0;
  if (w->origin != NX_RESULT || w->root != wire || w->lent) return NULL;
  for (int i = 0; i < g->noutputs; i++)
    if (g->wires[g->outputs[i]].root == wire) return NULL;
  for (int i = 0; i < g->nwires; i++)
    if (i != wire && g->wires[i].root == wire) return NULL;
  for (int i = 0; i < g->ncalls; i++) {
    const nx_call *c = &g->calls[i];
    if (c->out == wire) maker = &g->calls[i];
    for (int k = 0; k < c->nin; k++) uses += c->in[k] == wire;
  }
  return uses == 1 && maker && maker->nout > 0 && !maker->inplace ? maker
                                                                  : NULL;
}

/* Whoever wanted the result of c gets that of the call before it. */
static void join (nx_graph *g, nx_call *c, int wire) {
  int old = c->out;
  for (int i = 0; i < g->ncalls; i++)
    for (int k = 0; k < g->calls[i].nin; k++)
      if (g->calls[i].in[k] == old) g->calls[i].in[k] = wire;
  for (int i = 0; i < g->noutputs; i++)
    if (g->outputs[i] == old) g->outputs[i] = wire;
  for (int i = 0; i < g->nwires; i++)
    if (i != old && g->wires[i].root == old) g->wires[i].root = wire;
  g->wires[wire].varies |= g->wires[old].varies;
  nx_graph_drop(g, c);
}


static int *activation_of (const nx_call *c) {
  const nx_field *f;
  if (!(c->op->flags & NX_ACTIVATES)) return NULL;
  f = nx_field_find(c->op->fields, "activation");
  return (int *)(void *)((char *)c->a + f->offset);
}

/* NX_RELU ..., if that is all that a call does; or NX_NONE */
static int activates (const nx_call *c) {
  static const char *const names[] = {"", "relu", "tanh", "sigmoid"};
  if (c->inplace || c->nin != 1) return NX_NONE;
  for (int i = NX_RELU; i <= NX_SIGMOID; i++)
    if (strcmp(c->op->name, names[i]) == 0) return i;
  return NX_NONE;
}

static void fuse_activation (nx_graph *g, nx_call *c) {
  int activation = activates(c);
  nx_call *maker = activation ? maker_of(g, c->in[0]) : NULL;
  int *own = maker ? activation_of(maker) : NULL;
  if (own == NULL || *own != NX_NONE) return;
  *own = activation;
  join(g, c, maker->out);
}


/*
** y = (w x + b - mean) k + beta, with k = gamma / sqrt(var + eps), is
** (k w) x + (b - mean) k + beta: k for each row of w.
*/
enum { X, MEAN, VAR, GAMMA, BETA };      /* inputs of batch_norm */

static nx_tensor *constant (const nx_graph *g, const nx_call *c, int i) {
  const nx_wire *w = i < c->nin && c->in[i] >= 0 ? &g->wires[c->in[i]] : NULL;
  return w && w->origin == NX_WEIGHT && !g->wires[w->root].varies ? w->t
                                                                   : NULL;
}

static double number_at (const nx_tensor *t, int64_t i, double missing) {
  if (t == NULL) return missing;
  return nx_get_number(t, t->data + i * (int64_t)nx_dtype_size(t->dtype));
}

static double option (const nx_call *c, const char *name) {
  const nx_field *f = nx_field_find(c->op->fields, name);
  return *(const double *)(const void *)((const char *)c->a + f->offset);
}

/* c is a normalisation that the weights of 'maker' can take */
static int can_fold (const nx_graph *g, const nx_call *c,
                     const nx_call *maker) {
  const nx_tensor *w, *y = g->wires[maker->out].t;
  const int *own = activation_of(maker);
  if (own == NULL || *own != NX_NONE || maker->op == c->op) return 0;
  w = constant(g, maker, 1);
  if (w == NULL || maker->nin > 3 || y == NULL) return 0;
  if (maker->nin > 2 && maker->in[2] >= 0 && !constant(g, maker, 2)) return 0;
  if (strcmp(maker->op->name, "linear") == 0 && y->ndim != 2) return 0;
  for (int i = MEAN; i < c->nin; i++)
    if (c->in[i] >= 0 && !constant(g, c, i)) return 0;
  return constant(g, c, MEAN) && constant(g, c, VAR) &&
         w->shape[0] == constant(g, c, MEAN)->len;
}

static int give_weight (nx_graph *g, nx_call *c, int i, nx_tensor *t) {
  if (i >= c->nin) {
    int *more = nx_realloc(g->C, c->in, (size_t)c->nin * sizeof(int),
                           (size_t)(i + 1) * sizeof(int));
    if (more == NULL) return nx_status(g->C);
    c->in = more;
    c->nin = i + 1;
  }
  c->in[i] = nx_graph_wire(g, NX_WEIGHT, t, NULL);
  return nx_status(g->C);
}

/* k and what is added, for channel i */
static double factor (const nx_call *c, nx_tensor *const *from, int64_t i) {
  return number_at(from[GAMMA], i, 1) /
         sqrt(number_at(from[VAR], i, 1) + option(c, "eps"));
}

static double offset (nx_tensor *const *from, const nx_tensor *bias,
                      double k, int64_t i) {
  return (number_at(bias, i, 0) - number_at(from[MEAN], i, 0)) * k +
         number_at(from[BETA], i, 0);
}

static nx_tensor *dense_constant (const nx_graph *g, const nx_call *c,
                                  int i) {
  nx_tensor *t = constant(g, c, i);
  return t ? nx_dense(g->C, t) : NULL;
}

static int fold_weights (nx_graph *g, const nx_call *c, nx_call *maker) {
  nx_ctx *C = g->C;
  size_t mark = nx_push(C);
  nx_tensor *from[BETA + 1], *old = dense_constant(g, maker, 1);
  nx_tensor *bias = dense_constant(g, maker, 2), *w, *b;
  int64_t row, size;
  for (int i = MEAN; i <= BETA; i++) from[i] = dense_constant(g, c, i);
  w = old ? nx_new(C, old->dtype, old->ndim, old->shape) : NULL;
  b = w ? nx_new(C, old->dtype, 1, old->shape) : NULL;
  size = w ? (int64_t)nx_dtype_size(w->dtype) : 0;
  row = b && b->len ? w->len / b->len : 0;
  for (int64_t i = 0; nx_status(C) == 0 && i < b->len; i++) {
    double k = factor(c, from, i);
    nx_put_number(b, b->data + i * size, offset(from, bias, k, i));
    for (int64_t j = i * row; j < (i + 1) * row; j++)
      nx_put_number(w, w->data + j * size, number_at(old, j, 0) * k);
  }
  if (nx_status(C) == 0 && give_weight(g, maker, 1, w) == 0)
    give_weight(g, maker, 2, b);
  nx_pop(C, mark, NULL);
  return nx_status(C);
}

static void fold_norm (nx_graph *g, nx_call *c) {
  nx_call *maker = NULL;
  if (strcmp(c->op->name, "batch_norm") == 0) maker = maker_of(g, c->in[X]);
  if (maker == NULL || !can_fold(g, c, maker) ||
      fold_weights(g, c, maker)) return;
  *activation_of(maker) = *activation_of(c);
  join(g, c, maker->out);
}


static int each_call (nx_graph *g, void (*join_to) (nx_graph *g, nx_call *c)) {
  for (int i = 0; i < g->ncalls && nx_status(g->C) == 0; i++)
    if (g->calls[i].op) join_to(g, &g->calls[i]);
  nx_graph_close_up(g);
  return nx_status(g->C);
}

int nx_graph_fuse (nx_graph *g) { return each_call(g, fuse_activation); }

int nx_graph_fold (nx_graph *g) {
  return each_call(g, fold_norm) ? nx_status(g->C) : nx_graph_fuse(g);
}
