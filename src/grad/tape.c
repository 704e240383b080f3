/*
** The tape: recording.
**
** A recorded node is one block: the node, its arguments, its inputs and
** results, its edges. It holds what its gradient reads ('saves'); of
** everything else it holds the shape. Nodes point to those before them,
** tensors to the node that made them, so there are no cycles.
*/
#include <math.h>
#include <string.h>
#include "grad/tape.h"


static void drop_grad (nx_trace *t) {
  nx_unref(t->grad);
  nx_unref(t->rows.at);
  nx_unref(t->rows.values);
  t->grad = t->rows.at = t->rows.values = NULL;
}

static void trace_release (nx_ctx *C, nx_link *l) {
  nx_trace *t = (nx_trace *)l;
  nx_retain_move(C, t, NULL, 0);
  nx_hooks_free(C, &t->hooks);
  nx_node_unref(C, t->node);
  drop_grad(t);
  nx_free(C, t, sizeof(*t));
}


static nx_trace *trace_for (nx_ctx *C, nx_tensor *t) {
  nx_trace *r = nx_trace_of(t);
  if (r != NULL) return r;
  r = nx_alloc(C, sizeof(*r));
  if (r == NULL) return NULL;
  memset(r, 0, sizeof(*r));
  r->link.release = trace_release;
  t->link = &r->link;
  return r;
}


int nx_requires (const nx_tensor *t) {
  const nx_trace *r = nx_trace_of(t);
  return r != NULL && (r->node != NULL || r->requires);
}


int nx_require (nx_ctx *C, nx_tensor *t, int on) {
  nx_trace *r;
  if (on && !nx_is_float(t->dtype))
    return nx_fail(C, NEAP_EDTYPE, "requires_grad: a tensor of %s carries no "
                   "gradient, only float32 and float64 do",
                   nx_dtype_name(t->dtype));
  if (!on && t->link == NULL) return 0;
  r = trace_for(C, t);
  if (r == NULL) return nx_status(C);
  if (r->node != NULL && !on)
    return nx_fail(C, NEAP_EGRAD, "requires_grad: x was computed from "
                   "others; use x:detach()");
  r->requires = on;
  return 0;
}


static void hold_grad (nx_trace *t, nx_tensor *g) {
  if (g) {
    nx_keep(g);
    g->flags |= NX_HELD;
  }
  drop_grad(t);
  t->grad = g;
}

nx_tensor *nx_grad_of (const nx_tensor *t) {
  nx_trace *r = nx_trace_of(t);
  if (r == NULL) return NULL;
  if (r->rows.at) {
    size_t mark = nx_push(t->C);
    nx_tensor *g = nx_rows_dense(t->C, &r->rows, t);
    if (g) hold_grad(r, g);
    nx_pop(t->C, mark, NULL);
  }
  return r->grad;
}

int nx_has_grad (const nx_tensor *t) {
  return t->link && (nx_trace_of(t)->grad || nx_trace_of(t)->rows.at);
}

const nx_rows *nx_row_grad (const nx_tensor *t) {
  return t->link && nx_trace_of(t)->rows.at ? &nx_trace_of(t)->rows : NULL;
}


int nx_add_row_grad (nx_ctx *C, nx_tensor *leaf, const nx_rows *r) {
  nx_trace *t = nx_trace_of(leaf);
  nx_rows sum = *r;
  if (t->grad && t->grad->link == NULL && nx_is_dense(t->grad)) {
    nx_rows_into(C, r, t->grad);
    return 0;
  }
  if (t->grad) {
    nx_tensor *g = nx_rows_dense(C, r, leaf);
    if (g) g = nx_add_gradients(C, t->grad, g);
    if (g) hold_grad(t, g);
    return nx_status(C);
  }
  if (t->rows.at && nx_rows_add(C, &t->rows, r, &sum)) return nx_status(C);
  nx_keep(sum.at);
  nx_keep(sum.values);
  drop_grad(t);
  t->rows = sum;
  sum.at->flags |= NX_HELD;
  sum.values->flags |= NX_HELD;
  return 0;
}


int nx_set_grad (nx_ctx *C, nx_tensor *t, nx_tensor *g) {
  nx_trace *r;
  if (g == NULL && t->link == NULL) return 0;
  r = trace_for(C, t);
  if (r == NULL) return nx_status(C);
  if (g != NULL && (!nx_same_shape(t, g) || t->dtype != g->dtype)) {
    char a[NX_SHAPE_TEXT], b[NX_SHAPE_TEXT];
    return nx_fail(C, NEAP_ESHAPE, "grad: a gradient of %s %s does not fit a "
                   "tensor of %s %s", nx_dtype_name(g->dtype),
                   nx_shape_of(g, a), nx_dtype_name(t->dtype),
                   nx_shape_of(t, b));
  }
  if (g == t)
    return nx_fail(C, NEAP_EGRAD, "grad: a tensor cannot be its own gradient");
  hold_grad(r, g);
  return 0;
}


nx_tensor *nx_detach (nx_ctx *C, nx_tensor *t) { return nx_alias(C, t); }


/*
** Layout of a node's block.
*/
static size_t up (size_t n) { return (n + 15) & ~(size_t)15; }

static nx_node *node_new (nx_ctx *C, const nx_node *n) {
  size_t nin = (size_t)n->nin, nout = (size_t)n->nout;
  size_t at_args = up(sizeof(nx_node));
  size_t at_in = at_args + up(n->op->argsize);
  size_t at_out = at_in + up(nin * sizeof(nx_tensor *));
  size_t at_gy = at_out + up(nout * sizeof(nx_tensor *));
  size_t at_edge = at_gy + up(nout * sizeof(nx_tensor *));
  size_t at_version = at_edge + up(nin * sizeof(nx_edge));
  size_t at_wants = at_version + up(nout * sizeof(unsigned));
  size_t size = at_wants + up(nin);
  char *p = nx_alloc(C, size);
  nx_node *r = (nx_node *)p;
  if (p == NULL) return NULL;
  memset(p, 0, size);
  r->op = n->op;
  r->nin = n->nin;
  r->nout = n->nout;
  r->refs = 1;
  r->size = size;
  r->sequence = C->sequence++;
  r->a = p + at_args;
  if (n->op->argsize) memcpy(r->a, n->a, n->op->argsize);
  r->in = (nx_tensor **)(p + at_in);
  r->out = (nx_tensor **)(p + at_out);
  r->gy = (nx_tensor **)(p + at_gy);
  r->edge = (nx_edge *)(p + at_edge);
  r->out_version = (unsigned *)(p + at_version);
  r->wants = (unsigned char *)(p + at_wants);
  r->inplace = n->inplace;
  return r;
}


const char *nx_saves (const nx_node *n) {
  return n->op->saved ? n->op->saved(n) : n->op->saves;
}


static uint32_t bits_of (const char *saves, const char *names) {
  int optional, list, count = nx_names_count(names, &optional, &list);
  uint32_t bits = 0;
  char name[32];
  for (int i = 0; i < count; i++)
    if (nx_names_find(saves, nx_names_at(names, i, name)) >= 0) {
      bits |= (uint32_t)1 << i;
      if (list && i == count - 1) bits |= ~(((uint32_t)1 << i) - 1);
    }
  return bits;
}

/* a list is saved whole: its last bit and all above are set */
static const nx_known *known (nx_ctx *C, const nx_node *n) {
  const char *saves = nx_saves(n);
  size_t at = ((uintptr_t)n->op / 16 + (uintptr_t)saves) % NX_NKNOWN;
  nx_known *k = &C->known[at];
  if (k->op != n->op || k->saves != saves) {
    k->op = n->op;
    k->saves = saves;
    k->in = saves ? bits_of(saves, n->op->inputs) : 0;
    k->out = saves ? bits_of(saves, n->op->outputs) : 0;
  }
  return k;
}

static int has_bit (uint32_t bits, int i) {
  return bits >> (i < 31 ? i : 31) & 1;
}


/*
** A view remembers its place on the tape; if its storage was changed since
** through another tensor, that place is wrong.
*/
int nx_check_view (nx_ctx *C, const char *who, const char *name,
                   const nx_tensor *t) {
  const nx_trace *r = nx_trace_of(t);
  if (r == NULL || !r->view || t->store->version == r->version) return 0;
  return nx_fail(C, NEAP_EGRAD, "%s: %s is a view whose elements were "
                 "changed in place through another tensor; take the view "
                 "again", who, name);
}


int nx_trace_at (nx_ctx *C, nx_tensor *t, nx_node *n, int out) {
  nx_trace *r = trace_for(C, t);
  if (r == NULL) return nx_status(C);
  r->node = n;
  r->out = out;
  n->refs++;
  return 0;
}

int nx_trace_like (nx_ctx *C, nx_tensor *c, const nx_tensor *t) {
  const nx_trace *from = nx_trace_of(t);
  if (from == NULL || from->node == NULL) return 0;
  if (nx_trace_at(C, c, from->node, from->out)) return nx_status(C);
  nx_trace_of(c)->view = from->view;
  nx_trace_of(c)->version = from->version;
  return 0;
}


nx_tensor *nx_snapshot (nx_ctx *C, nx_tensor *t) {
  nx_tensor *s = nx_alias(C, t);
  return s && nx_trace_like(C, s, t) == 0 ? s : NULL;
}


void nx_untrace (nx_ctx *C, nx_tensor *t) {
  nx_trace *r = nx_trace_of(t);
  if (r == NULL) return;
  nx_retain_move(C, r, NULL, 0);
  r->retains = 0;
  nx_node_unref(C, r->node);
  r->node = NULL;
  r->out = r->view = 0;
}


/*
** Of an input that others made, the node keeps a snapshot: the tensor
** itself may move on along the tape by changes in place, even to nodes
** after this one, which would be a cycle.
*/
static int connect (nx_ctx *C, const nx_node *n, nx_node *r, int i) {
  nx_tensor *x = n->in[i];
  nx_trace *t;
  char name[32];
  if (x == NULL) return 0;
  t = nx_trace_of(x);
  if (t != NULL && (t->node || t->requires) && nx_is_float(x->dtype)) {
    if (t->view && nx_check_view(C, n->op->name,
                                 nx_names_at(n->op->inputs, i, name), x))
      return nx_status(C);
    r->wants[i] = 1;
    r->edge[i].out = t->out;
    r->edge[i].node = t->node;
    if (t->node) t->node->refs++;
    else r->edge[i].leaf = nx_keep(x);
  }
  if (has_bit(known(C, n)->in, i)) {
    r->in[i] = nx_keep(t && t->node ? nx_snapshot(C, x) : x);
    if (x->store) r->edge[i].version = x->store->version;
  }
  else r->in[i] = nx_ghost(C, x);
  return nx_status(C);
}


/*
** A saved result is held by another tensor over its storage: the result
** itself points here, and would never be freed. Of the others the shape is
** kept where zeros may have to stand in for a gradient: a node with one
** result is not visited without.
*/
static int attach (nx_ctx *C, const nx_node *n, nx_node *r, int i) {
  nx_tensor *y = n->out[i];
  if (has_bit(known(C, n)->out, i)) r->out[i] = nx_keep(nx_alias(C, y));
  else if (n->nout > 1) r->out[i] = nx_ghost(C, y);
  if (nx_status(C) == 0 && nx_is_float(y->dtype))
    trace_for(C, n->inplace && i == 0 ? n->target : y);
  return nx_status(C);
}


/*
** Where the user is, as the context's function tells.
*/
static void note_place (nx_ctx *C, nx_node *r) {
  char place[256];
  size_t size;
  if (C->where == NULL || !C->where(C->where_ud, place, sizeof(place)))
    return;
  size = strlen(place) + 1;
  r->place = nx_alloc(C, size);
  if (r->place) memcpy(r->place, place, size);
}


nx_node *nx_record_begin (nx_ctx *C, const nx_node *n) {
  nx_node *r = node_new(C, n);
  if (r == NULL) return NULL;
  if (C->anomaly) note_place(C, r);
  for (int i = 0; i < n->nin && nx_status(C) == 0; i++) connect(C, n, r, i);
  for (int i = 0; i < n->nout && nx_status(C) == 0; i++) attach(C, n, r, i);
  if (nx_status(C) == 0) return r;
  nx_node_unref(C, r);
  return NULL;
}


int nx_has_nan (nx_ctx *C, nx_tensor *t) {
  union { float f; double d; } most;
  if (t == NULL || t->store == NULL || t->len == 0 || !nx_is_float(t->dtype))
    return 0;
  t = nx_dense(C, t);
  if (t == NULL) return 0;
  nx_kernels_for(C, t->dtype)->largest((size_t)t->len, t->data, &most);
  return t->dtype == NEAP_F64 ? most.d != most.d : most.f != most.f;
}

int nx_all_finite (nx_ctx *C, nx_tensor *t) {
  union { float f; double d; } most[2];
  if (t->store == NULL || t->len == 0 || !nx_is_float(t->dtype)) return 1;
  if ((t = nx_dense(C, t)) == NULL) return 0;
  nx_kernels_for(C, t->dtype)->largest((size_t)t->len, t->data, &most[0]);
  nx_kernels_for(C, t->dtype)->smallest((size_t)t->len, t->data, &most[1]);
  for (int i = 0; i < 2; i++) {
    double x = t->dtype == NEAP_F64 ? most[i].d : (double)most[i].f;
    if (!isfinite(x)) return 0;
  }
  return 1;
}

static int any_nan (nx_ctx *C, int n, nx_tensor *const *t) {
  for (int i = 0; i < n; i++) if (nx_has_nan(C, t[i])) return 1;
  return 0;
}


void nx_record_end (nx_ctx *C, const nx_node *n, nx_node *r, int keep) {
  if (r == NULL) return;
  if (C->anomaly && keep)
    r->made_nan = any_nan(C, n->nout, n->out) && !any_nan(C, n->nin, n->in);
  if (r->op->argsize) memcpy(r->a, n->a, r->op->argsize);
  for (int i = 0; keep && i < n->nout; i++) {
    nx_tensor *y = n->inplace && i == 0 ? n->target : n->out[i];
    nx_trace *t = nx_trace_of(y);
    if (r->out[i] && r->out[i]->store)
      r->out_version[i] = r->out[i]->store->version;
    if (t == NULL || !nx_is_float(y->dtype)) continue;
    nx_retain_move(C, t, r, i);
    nx_node_unref(C, t->node);           /* in place: the one before */
    t->node = r;
    t->out = i;
    t->view = !n->inplace && n->nin > 0 && n->in[0] &&
              y->store == n->in[0]->store;
    t->version = y->store ? y->store->version : 0;
    r->refs++;
  }
  nx_node_unref(C, r);
}


int nx_check_inplace (nx_ctx *C, const nx_node *n) {
  const nx_trace *t = nx_trace_of(n->in[0]);
  int others = 0;
  for (int i = 1; i < n->nin; i++)
    if (n->in[i] && n->in[i]->link && nx_requires(n->in[i])) others = 1;
  if (!C->recording) return 0;
  if (t != NULL && t->requires && t->node == NULL)
    return nx_op_fail(C, n, NEAP_EGRAD, "x is a leaf that wants a gradient "
                      "and cannot be changed in place (use neap.no_grad, or "
                      "neap.where and neap.cat to make a new tensor)");
  if (t != NULL && t->view && t->node != NULL)
    return nx_op_fail(C, n, NEAP_EGRAD, "x is a view of a tensor on the "
                      "tape and cannot be changed in place (use neap.where "
                      "or neap.cat to make a new tensor)");
  if (others && n->in[0]->store && !nx_requires(n->in[0]) &&
      atomic_load(&n->in[0]->store->refs) > 2)     /* x and the result */
    return nx_op_fail(C, n, NEAP_EGRAD, "x shares its elements with another "
                      "tensor, which would not get the gradient (use "
                      "neap.where or neap.cat to make a new tensor)");
  return 0;
}


/*
** Freeing: a node that no one refers to goes to a list, and the outermost
** call empties it, so that a chain of any length needs no stack.
*/
void nx_node_forget (nx_ctx *C, nx_node *n) {
  for (int i = 0; i < n->nin; i++) {
    nx_unref(n->in[i]);
    nx_unref(n->edge[i].leaf);
    nx_node_unref(C, n->edge[i].node);
    n->in[i] = NULL;
    n->edge[i].leaf = NULL;
    n->edge[i].node = NULL;
  }
  for (int i = 0; i < n->nout; i++) {
    nx_unref(n->out[i]);
    n->out[i] = NULL;
  }
  nx_hooks_free(C, &n->hooks);
  n->spent = 1;
}


void nx_node_unref (nx_ctx *C, nx_node *n) {
  if (n == NULL || --n->refs > 0) return;
  n->next = C->doomed;
  C->doomed = n;
  if (C->freeing) return;
  C->freeing = 1;
  while ((n = C->doomed) != NULL) {
    C->doomed = n->next;
    nx_node_forget(C, n);
    for (int i = 0; i < n->nout; i++) nx_unref(n->gy[i]);
    if (n->place) nx_free(C, n->place, strlen(n->place) + 1);
    nx_free(C, n, n->size);
  }
  C->freeing = 0;
}


int nx_nodes_add (nx_ctx *C, nx_nodes *l, nx_node *n) {
  if (l->n == l->room) {
    size_t room = l->room ? l->room * 2 : 64;
    nx_node **v = nx_realloc(C, l->v, l->room * sizeof(*v),
                             room * sizeof(*v));
    if (v == NULL) return nx_status(C);
    l->v = v;
    l->room = room;
  }
  l->v[l->n++] = n;
  return 0;
}


void nx_nodes_free (nx_ctx *C, nx_nodes *l) {
  nx_free(C, l->v, l->room * sizeof(*l->v));
}
