/*
** Recorded computations: making them, and computing them again.
*/
#include <stdio.h>
#include <string.h>
#include "plan/graph.h"


nx_graph *nx_graph_new (nx_ctx *C) {
  nx_graph *g = nx_alloc(C, sizeof(*g));
  if (g == NULL) return NULL;
  memset(g, 0, sizeof(*g));
  g->C = C;
  return g;
}


void nx_graph_free (nx_graph *g) {
  nx_ctx *C;
  if (g == NULL) return;
  C = g->C;
  for (int i = 0; i < g->nwires; i++) nx_unref(g->wires[i].t);
  for (int i = 0; i < g->ncalls; i++) {
    nx_call *c = &g->calls[i];
    nx_free(C, c->a, c->op->argsize);
    nx_free(C, c->in, (size_t)c->nin * sizeof(*c->in));
  }
  nx_free(C, g->wires, (size_t)g->wire_room * sizeof(*g->wires));
  nx_free(C, g->calls, (size_t)g->call_room * sizeof(*g->calls));
  nx_free(C, g->outputs, (size_t)g->noutputs * sizeof(*g->outputs));
  nx_free(C, g, sizeof(*g));
}


int nx_graph_wire (nx_graph *g, nx_origin origin, nx_tensor *t,
                   const char *name) {
  nx_wire *w;
  if (g->nwires == g->wire_room) {
    int room = g->wire_room ? 2 * g->wire_room : 32;
    w = nx_realloc(g->C, g->wires, (size_t)g->wire_room * sizeof(*w),
                   (size_t)room * sizeof(*w));
    if (w == NULL) return -1;
    g->wires = w;
    g->wire_room = room;
  }
  w = &g->wires[g->nwires];
  memset(w, 0, sizeof(*w));
  w->origin = origin;
  w->t = nx_keep(t);
  w->root = g->nwires;
  w->lent = origin == NX_WEIGHT || origin == NX_GIVEN;
  w->varies = origin == NX_GIVEN;
  if (name) snprintf(w->name, sizeof(w->name), "%s", name);
  if (origin == NX_GIVEN) g->ngiven++;
  return g->nwires++;
}


int nx_graph_check (nx_ctx *C, const nx_op *op, const void *args) {
  if (op == NULL || op->compose || nx_op_named(op->name) != op)
    return nx_fail(C, NEAP_EUNSUP, "'%s' is computed in Lua, which a graph "
                   "cannot hold", op ? op->name : "");
  for (const nx_field *f = op->fields; f && f->name; f++) {
    const char *at = (const char *)args + f->offset;
    if (f->kind == NX_KIND_TENSOR && *(nx_tensor *const *)(const void *)at)
      return nx_fail(C, NEAP_EUNSUP, "%s has a tensor as its option %s, "
                     "which a graph cannot hold", op->name, f->name);
    if ((op->flags & NX_STATEFUL) && strcmp(f->name, "training") == 0 &&
        *(const int *)(const void *)at)
      return nx_fail(C, NEAP_EUNSUP, "%s is in training mode and changes its "
                     "weights: a graph needs eval mode", op->name);
  }
  return 0;
}


static void forget_draws (const nx_op *op, void *args) {
  const nx_field *f = op->fields;
  for (; f && f->name; f++)
    if (f->kind == NX_KIND_DRAW)
      *(nx_draw *)((char *)args + f->offset) = NX_FRESH;
}

nx_call *nx_graph_call (nx_graph *g, const nx_op *op, const void *args,
                        int nin, int nout) {
  nx_call *c;
  if (g->ncalls == g->call_room) {
    int room = g->call_room ? 2 * g->call_room : 32;
    c = nx_realloc(g->C, g->calls, (size_t)g->call_room * sizeof(*c),
                   (size_t)room * sizeof(*c));
    if (c == NULL) return NULL;
    g->calls = c;
    g->call_room = room;
  }
  c = &g->calls[g->ncalls];
  memset(c, 0, sizeof(*c));
  c->op = op;
  c->nin = nin;
  c->nout = nout;
  c->a = nx_alloc(g->C, op->argsize);
  c->in = nx_alloc(g->C, (size_t)nin * sizeof(*c->in));
  if (c->a == NULL || c->in == NULL) {
    nx_free(g->C, c->a, op->argsize);
    nx_free(g->C, c->in, (size_t)nin * sizeof(*c->in));
    return NULL;
  }
  if (op->argsize) memcpy(c->a, args, op->argsize);
  forget_draws(op, c->a);
  g->ncalls++;
  c->out = g->nwires;
  for (int i = 0; i < nout; i++)
    if (nx_graph_wire(g, NX_RESULT, NULL, NULL) < 0) return NULL;
  return c;
}


void nx_graph_drop (nx_graph *g, nx_call *c) {
  nx_free(g->C, c->a, c->op->argsize);
  nx_free(g->C, c->in, (size_t)c->nin * sizeof(*c->in));
  for (int k = 0; k < c->nout; k++) {
    nx_wire *w = &g->wires[c->out + k];
    if (w->origin != NX_RESULT) continue;
    nx_unref(w->t);
    w->t = NULL;
  }
  memset(c, 0, sizeof(*c));
}

void nx_graph_close_up (nx_graph *g) {
  int n = 0;
  for (int i = 0; i < g->ncalls; i++)
    if (g->calls[i].op) g->calls[n++] = g->calls[i];
  g->ncalls = n;
}


int nx_graph_outputs (nx_graph *g, int n, const int *wires) {
  g->outputs = nx_alloc(g->C, (size_t)n * sizeof(*wires));
  if (g->outputs == NULL) return nx_status(g->C);
  memcpy(g->outputs, wires, (size_t)n * sizeof(*wires));
  g->noutputs = n;
  return 0;
}


int nx_graph_named (const nx_graph *g, const char *name) {
  for (int i = 0; i < g->nwires; i++)
    if (*g->wires[i].name && strcmp(g->wires[i].name, name) == 0) return i;
  return -1;
}


/*
** Tensors of another context are seen through ones of this context.
*/
static nx_tensor *own (nx_ctx *C, nx_tensor *t) {
  nx_tensor *a = t->C == C ? t : nx_alias(C, t);
  if (a) a->flags |= t->flags & NX_IS_NUMBER_FLAG;
  return a;
}

/* A change in place must stay among results. */
static int check_target (nx_ctx *C, const nx_graph *g, const nx_call *c,
                         nx_tensor *const *wires) {
  const nx_tensor *t = c->inplace ? wires[c->in[0]] : NULL;
  if (t == NULL) return 0;
  for (int i = 0; i < g->nwires; i++)
    if (g->wires[i].origin != NX_RESULT && wires[i] &&
        wires[i]->store == t->store)
      return nx_fail(C, NEAP_EUNSUP, "%s changes %s in place, which a graph "
                     "must not", c->op->name, i < g->ngiven ? "an input"
                                                            : "a weight");
  return 0;
}

static int run_call (nx_ctx *C, const nx_call *c, nx_tensor **wires) {
  union { char bytes[NX_MAXARGS]; double d; int64_t i; void *p; } args;
  nx_tensor *few[16], **in = few;
  int n;
  if (c->nin > 16) in = nx_alloc(C, (size_t)c->nin * sizeof(*in));
  if (in == NULL) return nx_status(C);
  for (int i = 0; i < c->nin; i++)
    in[i] = c->in[i] < 0 ? NULL : wires[c->in[i]];
  memcpy(args.bytes, c->a, c->op->argsize);
  n = nx_apply_all(C, c->op, args.bytes, c->nin, in,
                   c->inplace ? NX_IN_PLACE : NX_NEW, c->nout,
                   wires + c->out);
  if (c->nin > 16) nx_free(C, in, (size_t)c->nin * sizeof(*in));
  if (n >= 0 && n < c->nout)
    nx_fail(C, NEAP_EFORMAT, "the graph expects %d results of %s, which "
            "gives %d", c->nout, c->op->name, n);
  return nx_status(C);
}

int nx_graph_run (nx_ctx *C, const nx_graph *g, nx_tensor *const *in,
                  nx_tensor **out) {
  size_t block = (size_t)g->nwires * sizeof(nx_tensor *);
  nx_tensor **wires;
  if (nx_status(C)) return nx_status(C);
  wires = nx_alloc(C, block);
  if (wires == NULL) return nx_status(C);
  for (int i = 0; i < g->nwires && nx_status(C) == 0; i++) {
    const nx_wire *w = &g->wires[i];
    wires[i] = i < g->ngiven ? in[i]
             : w->origin == NX_RESULT ? NULL : own(C, w->t);
  }
  for (int i = 0; i < g->ncalls && nx_status(C) == 0; i++)
    if (check_target(C, g, &g->calls[i], wires) == 0)
      run_call(C, &g->calls[i], wires);
  for (int i = 0; i < g->noutputs; i++)
    out[i] = nx_status(C) ? NULL : wires[g->outputs[i]];
  nx_free(C, wires, block);
  return nx_status(C);
}
