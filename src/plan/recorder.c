/*
** Recording what a program computes.
*/
#include <string.h>
#include "plan/fuse.h"
#include "plan/recorder.h"

struct nx_recorder {
  nx_ctx *C;
  nx_graph *g;
};


/*
** The latest wire with this tensor, or with another one over the same
** elements.
*/
static int wire_of (const nx_graph *g, const nx_tensor *t) {
  for (int i = g->nwires - 1; i >= 0; i--)
    if (g->wires[i].t == t) return i;
  for (int i = g->nwires - 1; i >= 0; i--)
    if (g->wires[i].t && nx_same_elements(g->wires[i].t, t)) return i;
  return -1;
}

/* the first wire whose memory it is, or -1 */
static int root_of (const nx_graph *g, const nx_tensor *t) {
  for (int i = 0; i < g->nwires; i++)
    if (g->wires[i].t && g->wires[i].t->store == t->store) return i;
  return -1;
}


/* what comes from outside: a number, a weight, a constant */
static int outside (nx_recorder *r, nx_tensor *t) {
  int root = root_of(r->g, t);
  if (root >= 0 && !(r->g->wires[root].origin == NX_WEIGHT)) {
    nx_fail(r->C, NEAP_EUNSUP, "export: a tensor shares the memory of a "
            "recorded one, but no operation made it");
    return -1;
  }
  return nx_graph_wire(r->g, t->flags & NX_IS_NUMBER_FLAG ? NX_LITERAL
                             : NX_WEIGHT, t, NULL);
}


static int check_call (nx_ctx *C, const nx_node *n) {
  if (n->into)
    return nx_fail(C, NEAP_EUNSUP, "%s writes into another tensor ('out'), "
                   "which a graph cannot hold", n->op->name);
  return nx_graph_check(C, n->op, n->a);
}


static int check_change (nx_ctx *C, const nx_graph *g, const nx_node *n,
                            int wire) {
  int root = g->wires[wire].root;
  if (!n->inplace || !g->wires[root].lent) return 0;
  return nx_fail(C, NEAP_EUNSUP, "%s changes %s in place, which a graph must "
                 "not", n->op->name,
                 g->wires[root].origin == NX_GIVEN ? "an input"
                                                   : "a weight");
}


/* The wires of a new call's results: where their memory is, and whether
   they are always the same. */
static void note_results (nx_graph *g, const nx_call *c, nx_node *n) {
  int varies = (n->op->flags & NX_RANDOM) != 0;
  for (int i = 0; i < c->nin; i++)
    if (c->in[i] >= 0) varies |= g->wires[g->wires[c->in[i]].root].varies;
  for (int i = 0; i < n->nout; i++) {
    nx_wire *w = &g->wires[c->out + i];
    int root = n->out[i] ? root_of(g, n->out[i]) : -1;
    w->t = nx_keep(n->out[i]);
    if (root >= 0) {
      w->root = root;
      w->lent = g->wires[root].lent;
      g->wires[root].varies |= varies;
    }
    w->varies = varies;
  }
}


static void applied (void *ud, nx_node *n) {
  nx_recorder *r = ud;
  nx_graph *g = r->g;
  nx_call *c;
  int in[64], *wires = in;
  size_t block = (size_t)n->nin * sizeof(*wires);
  if (check_call(r->C, n)) return;
  if (n->nin > 64 && (wires = nx_alloc(r->C, block)) == NULL) return;
  for (int i = 0; i < n->nin; i++) {
    wires[i] = n->in[i] ? wire_of(g, n->in[i]) : -1;
    if (n->in[i] && wires[i] < 0) wires[i] = outside(r, n->in[i]);
    if (n->in[i] && wires[i] < 0) goto done;
  }
  if (n->inplace && check_change(r->C, g, n, wires[0])) goto done;
  c = nx_graph_call(g, n->op, n->a, n->nin, n->nout);
  if (c == NULL) goto done;
  c->inplace = n->inplace;
  memcpy(c->in, wires, block);
  note_results(g, c, n);
done:
  if (wires != in) nx_free(r->C, wires, block);
}


nx_recorder *nx_recorder_begin (nx_ctx *C, int n, nx_tensor *const *in) {
  nx_recorder *r;
  if (nx_status(C)) return NULL;
  if (C->applied) {
    nx_fail(C, NEAP_EBUSY, "export: a recording is going on already");
    return NULL;
  }
  r = nx_alloc(C, sizeof(*r));
  if (r == NULL) return NULL;
  r->C = C;
  r->g = nx_graph_new(C);
  for (int i = 0; i < n && r->g; i++)
    nx_graph_wire(r->g, NX_GIVEN, in[i], NULL);
  if (nx_status(C)) {
    nx_graph_free(r->g);
    nx_free(C, r, sizeof(*r));
    return NULL;
  }
  C->applied = applied;
  C->applied_ud = r;
  return r;
}


void nx_recorder_cancel (nx_recorder *r) {
  if (r == NULL) return;
  r->C->applied = NULL;
  r->C->applied_ud = NULL;
  nx_graph_free(r->g);
  nx_free(r->C, r, sizeof(*r));
}


/*
** Which wires the outputs need: 'used' for each. A change in place is
** needed by whoever uses its memory.
*/
static void mark_used (const nx_graph *g, char *used) {
  memset(used, 0, (size_t)g->nwires);
  for (int i = 0; i < g->noutputs; i++) used[g->wires[g->outputs[i]].root] = 1;
  for (int i = g->ncalls - 1; i >= 0; i--) {
    const nx_call *c = &g->calls[i];
    int wanted = 0;
    for (int k = 0; k < c->nout; k++)
      if (used[g->wires[c->out + k].root]) wanted = 1;
    for (int k = 0; wanted && k < c->nin; k++)
      if (c->in[k] >= 0) used[g->wires[c->in[k]].root] = 1;
  }
}

/*
** What is always the same is a constant: computed when it was recorded, it
** need not be computed again. Views of weights stay views, and what is
** changed in place later stays as it was made.
*/
static int is_constant (const nx_graph *g, const nx_call *c) {
  if (c->inplace || (c->op->flags & (NX_VIEW | NX_RANDOM))) return 0;
  for (int k = 0; k < c->nout; k++) {
    const nx_wire *w = &g->wires[c->out + k];
    if (w->varies || g->wires[w->root].varies) return 0;
    if (w->t && w->root != c->out + k) return 0;       /* another's memory */
    for (int i = 0; i < g->ncalls; i++)
      if (g->calls[i].inplace &&
          g->wires[g->calls[i].in[0]].root == w->root) return 0;
  }
  return 1;
}

static void fold (nx_graph *g) {
  for (int i = 0; i < g->ncalls; i++) {
    nx_call *c = &g->calls[i];
    if (c->op == NULL || !is_constant(g, c)) continue;
    for (int k = 0; k < c->nout; k++)
      if (g->wires[c->out + k].t) g->wires[c->out + k].origin = NX_WEIGHT;
    nx_graph_drop(g, c);
  }
  nx_graph_close_up(g);
}

/* calls whose results nobody uses go; their wires stay, empty */
static int sweep (nx_graph *g) {
  size_t block = (size_t)g->nwires;
  char *used = nx_alloc(g->C, block);
  if (used == NULL) return nx_status(g->C);
  mark_used(g, used);
  for (int i = 0; i < g->ncalls; i++) {
    nx_call *c = &g->calls[i];
    int wanted = 0;
    for (int k = 0; k < c->nout; k++)
      if (used[g->wires[c->out + k].root]) wanted = 1;
    if (!wanted) nx_graph_drop(g, c);
  }
  nx_graph_close_up(g);
  nx_free(g->C, used, block);
  return 0;
}


/* of results only the shape is needed from now on */
static int shapes_only (nx_graph *g) {
  for (int i = 0; i < g->nwires; i++) {
    nx_wire *w = &g->wires[i];
    nx_tensor *ghost;
    if (w->t == NULL || w->origin == NX_WEIGHT || w->origin == NX_LITERAL)
      continue;
    ghost = nx_ghost(g->C, w->t);
    if (ghost == NULL) return nx_status(g->C);
    nx_unref(w->t);
    w->t = ghost;
  }
  return 0;
}


static int find_outputs (nx_recorder *r, int n, nx_tensor *const *out) {
  int wires[NX_MAXSHOWN];
  if (n < 1 || n > NX_MAXSHOWN)
    return nx_fail(r->C, NEAP_EARG, "export: %d results, expected 1 to %d",
                   n, NX_MAXSHOWN);
  for (int i = 0; i < n; i++) {
    wires[i] = wire_of(r->g, out[i]);
    if (wires[i] < 0) wires[i] = outside(r, out[i]);
    if (wires[i] < 0) return nx_status(r->C);
  }
  return nx_graph_outputs(r->g, n, wires);
}

nx_graph *nx_recorder_end (nx_recorder *r, int n, nx_tensor *const *out) {
  nx_graph *g = r->g;
  nx_ctx *C = r->C;
  if (nx_status(C) == 0 && find_outputs(r, n, out) == 0) {
    fold(g);
    if (sweep(g) == 0) nx_graph_fuse(g);
  }
  if (nx_status(C) || shapes_only(g)) {
    nx_recorder_cancel(r);
    return NULL;
  }
  r->g = NULL;
  nx_recorder_cancel(r);
  return g;
}


int nx_recorder_depends (const nx_ctx *C, const nx_tensor *t) {
  const nx_recorder *r = C->applied_ud;
  const nx_graph *g = r ? r->g : NULL;
  int i;
  if (r == NULL) return 0;
  i = root_of(g, t);
  return i >= 0 && g->wires[i].varies;
}
