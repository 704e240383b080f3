/*
** Gradients, back along the tape.
**
** Two walks, both with lists on the heap instead of recursion. The first
** finds the nodes that matter and counts for each how many of its users
** will send it a gradient; the second runs a node when all have.
*/
#include <stdio.h>
#include <string.h>
#include "grad/tape.h"

/* A leaf with hooks: its gradient of this pass, until that is complete. */
typedef struct hooked {
  struct hooked *next;
  nx_tensor *leaf, *sum;
} hooked;

typedef struct pass {
  nx_ctx *C;
  nx_nodes seen, ready;
  const nx_op *add, *clone;    /* gradients are added, or copied */
  int flags;
  int nx;                      /* the inputs asked for, or 0 */
  nx_tensor *const *x;
  nx_tensor **gx;              /* their gradients, kept */
  hooked *leaves;
  uint64_t mark;
} pass;


static int see (pass *p, nx_node *n) {
  if (n->busy && n->mark == p->mark) return 0;
  if (n->busy)
    return nx_fail(p->C, NEAP_EGRAD, "backward: a hook or a backward in Lua "
                   "began another one through the same graph (its '%s')",
                   nx_title(n));
  n->mark = p->mark;
  n->waits = 0;
  if (nx_nodes_add(p->C, &p->seen, n)) return nx_status(p->C);
  n->busy = 1;
  n->refs++;
  return nx_nodes_add(p->C, &p->ready, n);
}


/* true where the walk ends: the node made one of 'x' */
static int is_end (const pass *p, const nx_node *n) {
  if (!(p->flags & NX_TO_INPUTS)) return 0;
  for (int i = 0; i < p->nx; i++) {
    const nx_trace *t = nx_trace_of(p->x[i]);
    if (t && t->node == n) return 1;
  }
  return 0;
}

static int find_nodes (pass *p) {
  while (p->ready.n > 0) {
    nx_node *n = p->ready.v[--p->ready.n];
    if (n->spent)
      return nx_fail(p->C, NEAP_EGRAD, "backward: the graph was freed by a "
                     "backward before (its '%s'); detach() what goes on from "
                     "there, such as a state, or pass retain_graph = true to "
                     "use it twice", nx_title(n));
    for (int i = 0; i < n->nin; i++) {
      nx_node *from = n->edge[i].node;
      if (from == NULL || is_end(p, from)) continue;
      if (see(p, from)) return nx_status(p->C);
      from->waits++;
    }
  }
  return 0;
}


/*
** *sum += g. A first gradient is taken as it is: it is changed in place
** only where nobody else can see it, or where it is 'ours' to change.
*/
static int gather (pass *p, nx_tensor **sum, nx_tensor *g, int ours) {
  nx_ctx *C = p->C;
  nx_tensor *in[2], *y = NULL;
  int create = p->flags & NX_CREATE_GRAPH, alone;
  struct { int64_t unused[16]; } args;
  if (*sum == NULL) {
    *sum = nx_keep(g);
    return 0;
  }
  in[0] = *sum;
  in[1] = g;
  memset(&args, 0, sizeof(args));
  nx_fields_default(C, p->add->fields, &args);
  alone = !create && (ours || (*sum)->refs == 1) && (*sum)->store &&
          atomic_load(&(*sum)->store->refs) == 1 && nx_is_dense(*sum);
  if (nx_apply_all(C, p->add, &args, 2, in, alone, 1, &y) < 0)
    return nx_status(C);
  if (y != *sum) {
    nx_keep(y);
    nx_unref(*sum);
    *sum = y;
  }
  return 0;
}


nx_tensor *nx_add_gradients (nx_ctx *C, nx_tensor *a, nx_tensor *b) {
  const nx_op *add = nx_op_named("add");
  struct { int64_t unused[16]; } args;
  nx_tensor *in[2];
  memset(&args, 0, sizeof(args));
  nx_fields_default(C, add->fields, &args);
  in[0] = a;
  in[1] = b;
  return nx_apply(C, add, &args, 2, in);
}


/*
** The gradient of a leaf: kept between passes, so it must be a block of
** its own.
*/
static int keep_leaf (pass *p, nx_tensor *leaf, nx_tensor *g) {
  nx_ctx *C = p->C;
  nx_trace *t = nx_trace_of(leaf);
  if (p->nx > 0) {
    for (int i = 0; i < p->nx; i++)
      if (p->x[i] == leaf && gather(p, &p->gx[i], g, 0)) return nx_status(C);
    return 0;
  }
  if (t == NULL || !t->requires) return 0;
  if (nx_grad_of(leaf) == NULL) {
    if (nx_status(C)) return nx_status(C);
    int ours = g->refs == 1 && g->store && nx_is_dense(g) &&
               atomic_load(&g->store->refs) == 1;
    if (!ours && (p->flags & NX_CREATE_GRAPH))
      g = nx_apply(C, p->clone, NULL, 1, &g);
    else if (!ours) {
      nx_tensor *copy = nx_new_like(C, g);
      if (copy == NULL || nx_copy(C, copy, g)) return nx_status(C);
      g = copy;
    }
    if (g == NULL) return nx_status(C);
    return nx_set_grad(C, leaf, g);
  }
  if (gather(p, &t->grad, g, 1)) return nx_status(C);
  t->grad->flags |= NX_HELD;
  return 0;
}


/*
** A leaf with hooks waits until its gradient is complete.
*/
static int give_leaf (pass *p, nx_tensor *leaf, nx_tensor *g) {
  nx_trace *t = nx_trace_of(leaf);
  hooked *h;
  if (t == NULL || t->hooks == NULL) return keep_leaf(p, leaf, g);
  for (h = p->leaves; h && h->leaf != leaf; h = h->next) {}
  if (h == NULL) {
    h = nx_alloc(p->C, sizeof(*h));
    if (h == NULL) return nx_status(p->C);
    h->next = p->leaves;
    h->leaf = nx_keep(leaf);
    h->sum = NULL;
    p->leaves = h;
  }
  return gather(p, &h->sum, g, 0);
}

static int finish_leaves (pass *p) {
  while (p->leaves) {
    hooked *h = p->leaves;
    nx_tensor *g = h->sum;
    if (nx_status(p->C) == 0) {
      g = nx_hooks_call(p->C, nx_trace_of(h->leaf)->hooks, 0, g);
      if (g) keep_leaf(p, h->leaf, g);
    }
    p->leaves = h->next;
    nx_unref(h->leaf);
    nx_unref(h->sum);
    nx_free(p->C, h, sizeof(*h));
  }
  return nx_status(p->C);
}


/* the gradient of result 'out' of a node, for those of 'x' that it is */
static int give_asked (pass *p, const nx_node *n, int out, nx_tensor *g) {
  for (int i = 0; i < p->nx; i++) {
    const nx_trace *t = nx_trace_of(p->x[i]);
    if (t && t->node == n && t->out == out && gather(p, &p->gx[i], g, 0))
      break;
  }
  return nx_status(p->C);
}

static int give_node (pass *p, nx_node *to, int out, nx_tensor *g) {
  if (is_end(p, to)) return give_asked(p, to, out, g);
  return gather(p, &to->gy[out], g, 0);
}


static int check_saved (nx_ctx *C, const nx_node *n) {
  char name[32];
  for (int i = 0; i < n->nin; i++)
    if (n->in[i] && n->in[i]->store &&
        n->in[i]->store->version != n->edge[i].version)
      return nx_fail(C, NEAP_EGRAD, "backward: '%s' needs its input %s as it "
                     "was, but it was changed in place since", nx_title(n),
                     nx_names_at(n->op->inputs, i, name));
  for (int i = 0; i < n->nout; i++)
    if (n->out[i] && n->out[i]->store &&
        n->out[i]->store->version != n->out_version[i])
      return nx_fail(C, NEAP_EGRAD, "backward: '%s' needs its result as it "
                     "was, but it was changed in place since", nx_title(n));
  return 0;
}


/* true if a result is marked "~" */
static int is_inner (const char *names, int i) {
  for (; i > 0; i--) names += strcspn(names, " ") + 1;
  return names[strcspn(names, " ") - 1] == '~';
}

/*
** Gradients of results that nobody used are zeros. Those that only the
** gradient needs ("~") have none.
*/
static int complete (nx_ctx *C, nx_node *n) {
  const char *inner = n->nout > 1 ? strchr(n->op->outputs, '~') : NULL;
  for (int i = 0; i < n->nout; i++) {
    if (inner && is_inner(n->op->outputs, i)) break;
    nx_tensor *y = n->out[i];
    if (n->gy[i] != NULL || y == NULL || !nx_is_float(y->dtype)) continue;
    n->gy[i] = nx_keep(nx_zeros(C, y->dtype, y->ndim, y->shape));
    if (nx_status(C)) return nx_status(C);
  }
  return 0;
}


/*
** With 'create_graph' a saved result must be on the tape again, as the
** result of this node.
*/
static int reconnect (nx_ctx *C, nx_node *n) {
  for (int i = 0; i < n->nout; i++) {
    nx_tensor *y = n->out[i], *again;
    nx_trace *t;
    if (y == NULL || y->store == NULL || !nx_is_float(y->dtype)) continue;
    again = nx_alias(C, y);
    if (again == NULL || nx_require(C, again, 1)) return nx_status(C);
    t = nx_trace_of(again);
    t->requires = 0;
    t->node = n;
    t->out = i;
    n->refs++;
    nx_keep(again);
    nx_unref(y);
    n->out[i] = again;
  }
  return 0;
}

static void disconnect (nx_ctx *C, nx_node *n) {
  for (int i = 0; i < n->nout; i++) {
    nx_tensor *y = n->out[i], *plain;
    if (y == NULL || y->link == NULL) continue;
    plain = nx_keep(nx_alias(C, y));
    if (plain == NULL) {                 /* no memory: drop what it saved */
      n->spent = 1;
      n->out[i] = NULL;
    }
    else n->out[i] = plain;
    nx_unref(y);
  }
}


static int differentiate (pass *p, nx_node *n, nx_tensor **gx) {
  nx_ctx *C = p->C;
  int create = p->flags & NX_CREATE_GRAPH, status;
  if (check_saved(C, n) || complete(C, n)) return nx_status(C);
  if (n->op->fused && !create) return n->op->fused(C, n, n->gy, gx);
  if (n->op->grad == NULL)
    return nx_fail(C, NEAP_EGRAD, create ? "backward: '%s' has no second "
                   "derivative" : "backward: '%s' has no gradient",
                   nx_title(n));
  if (!create) return n->op->grad(C, n, n->gy, gx);
  status = reconnect(C, n);
  if (status == 0) status = n->op->grad(C, n, n->gy, gx);
  disconnect(C, n);
  return status;
}


/*
** In anomaly mode: a NaN in a gradient is an error that names where the
** operation was recorded, and where the first NaN of the forward pass was
** made, if there was one.
*/
static int blame (pass *p, const nx_node *n, int input) {
  const nx_node *first = NULL;
  char name[32], origin[320] = "";
  for (size_t i = 0; i < p->seen.n; i++) {
    const nx_node *m = p->seen.v[i];
    if (m->made_nan && (!first || m->sequence < first->sequence)) first = m;
  }
  if (first)
    snprintf(origin, sizeof(origin), "; the first NaN of the forward pass "
             "came from '%s' at %s", nx_title(first),
             first->place ? first->place : "?");
  return nx_fail(p->C, NEAP_EGRAD, "backward: NaN in the gradient of input %s "
                 "of '%s', recorded at %s%s",
                 nx_names_at(n->op->inputs, input, name), nx_title(n),
                 n->place ? n->place : "?", origin);
}

static int check_nan (pass *p, const nx_node *n, nx_tensor *const *gx) {
  for (int i = 0; i < n->nin; i++)
    if (gx[i] && n->wants[i] && nx_has_nan(p->C, gx[i]))
      return blame(p, n, i);
  return nx_status(p->C);
}


/* hooks see the gradients of results before they go on */
static int call_hooks (pass *p, nx_node *n) {
  for (int i = 0; i < n->nout; i++) {
    nx_tensor *g;
    if (n->gy[i] == NULL) continue;
    g = nx_hooks_call(p->C, n->hooks, i, n->gy[i]);
    if (g == NULL) return nx_status(p->C);
    if (g == n->gy[i]) continue;
    nx_keep(g);
    nx_unref(n->gy[i]);
    n->gy[i] = g;
  }
  return 0;
}


/*
** The leaf whose gradient may stay rows: the table of an operation that
** knows them, where nobody asks for more.
*/
static nx_tensor *wants_rows (const pass *p, const nx_node *n) {
  nx_tensor *leaf;
  nx_trace *t;
  if (n->op->rows == NULL || p->nx > 0 ||
      (p->flags & NX_CREATE_GRAPH)) return NULL;
  leaf = n->edge[n->op->table].leaf;
  t = leaf ? nx_trace_of(leaf) : NULL;
  return t && t->requires && t->hooks == NULL ? leaf : NULL;
}

/* true if the gradient went to the leaf as rows */
static int give_rows (pass *p, nx_node *n) {
  nx_ctx *C = p->C;
  nx_tensor *leaf = wants_rows(p, n);
  nx_rows r = {NULL, NULL};
  if (leaf == NULL || check_saved(C, n)) return 0;
  if (n->op->rows(C, n, n->gy[0], &r) || r.at == NULL) return 0;
  if (C->anomaly && nx_has_nan(C, r.values) && blame(p, n, n->op->table))
    return 0;
  return nx_add_row_grad(C, leaf, &r) == 0;
}


#define SMALL 16

static int run_node (pass *p, nx_node *n) {
  nx_ctx *C = p->C;
  nx_tensor *small[SMALL], **gx = small;
  size_t block = (size_t)n->nin * sizeof(*gx);
  if (n->nin > SMALL && (gx = nx_alloc(C, block)) == NULL)
    return nx_status(C);
  memset(gx, 0, block);
  if (!give_rows(p, n) && nx_status(C) == 0) differentiate(p, n, gx);
  if (C->anomaly && nx_status(C) == 0) check_nan(p, n, gx);
  for (int i = 0; i < n->nin && nx_status(C) == 0; i++) {
    if (gx[i] == NULL || !n->wants[i]) continue;
    if (n->edge[i].node) give_node(p, n->edge[i].node, n->edge[i].out, gx[i]);
    else if (n->edge[i].leaf) give_leaf(p, n->edge[i].leaf, gx[i]);
  }
  if (gx != small) nx_free(C, gx, block);
  for (int i = 0; i < n->nout; i++) {
    nx_unref(n->gy[i]);
    n->gy[i] = NULL;
  }
  return nx_status(C);
}


/*
** The gradient of a node's results is complete: also those of tensors in
** between may be wanted.
*/
static int give_inner (pass *p, nx_node *n) {
  for (int i = 0; i < n->nout; i++)
    if (n->gy[i] && give_asked(p, n, i, n->gy[i])) break;
  return nx_status(p->C);
}


static int run_ready (pass *p) {
  nx_ctx *C = p->C;
  while (p->ready.n > 0 && nx_status(C) == 0) {
    nx_node *n = p->ready.v[--p->ready.n];
    size_t mark = nx_push(C);
    int any = 0;
    for (int i = 0; i < n->nout; i++) any |= n->gy[i] != NULL;
    if (any && n->hooks) call_hooks(p, n);
    if (any && p->nx > 0) give_inner(p, n);
    if (any && nx_status(C) == 0) run_node(p, n);
    nx_pop(C, mark, NULL);
    if (nx_status(C)) break;
    for (int i = n->nin - 1; i >= 0; i--) {
      nx_node *from = n->edge[i].node;
      if (from != NULL && !is_end(p, from) && --from->waits == 0 &&
          nx_nodes_add(C, &p->ready, from)) break;
    }
    if (!(p->flags & NX_RETAIN_GRAPH)) nx_node_forget(C, n);
  }
  return nx_status(C);
}


static int seed (pass *p, nx_tensor *root, nx_tensor *g) {
  nx_ctx *C = p->C;
  nx_trace *t = nx_trace_of(root);
  char text[NX_SHAPE_TEXT], other[NX_SHAPE_TEXT];
  if (!nx_requires(root))
    return nx_fail(C, NEAP_EGRAD, "backward: this tensor was not computed "
                   "from any that wants a gradient%s", C->recording ? ""
                   : " (neap.no_grad() holds here, until the variable goes "
                   "that it was assigned to: local ng <close> = ...)");
  if (g == NULL) {
    if (root->len != 1)
      return nx_fail(C, NEAP_EGRAD, "backward: the tensor is %s; without a "
                     "gradient for it, it must have one element",
                     nx_shape_of(root, text));
    g = nx_new_like(C, root);
    if (g == NULL) return nx_status(C);
    nx_put_number(g, g->data, 1);
  }
  else if (!nx_same_shape(root, g))
    return nx_fail(C, NEAP_ESHAPE, "backward: the tensor is %s, but its "
                   "gradient is %s", nx_shape_of(root, text),
                   nx_shape_of(g, other));
  else if (root->dtype != g->dtype)
    return nx_fail(C, NEAP_EDTYPE, "backward: the tensor is %s, but its "
                   "gradient is %s", nx_dtype_name(root->dtype),
                   nx_dtype_name(g->dtype));
  if (nx_check_view(C, "backward", "the tensor", root)) return nx_status(C);
  if (t->node == NULL) {
    if (p->nx == 0 && (g = nx_alias(C, g)) == NULL) return nx_status(C);
    return give_leaf(p, root, g);
  }
  return give_node(p, t->node, t->out, g);
}


static void start (pass *p) {
  for (size_t i = 0; i < p->seen.n; i++)
    if (p->seen.v[i]->waits == 0 &&
        nx_nodes_add(p->C, &p->ready, p->seen.v[i])) return;
}


/*
** Leaves nothing behind, whether it went well or not.
*/
static void finish (pass *p) {
  nx_ctx *C = p->C;
  for (size_t i = 0; i < p->seen.n; i++) {
    nx_node *n = p->seen.v[i];
    for (int j = 0; j < n->nout; j++) {
      nx_unref(n->gy[j]);
      n->gy[j] = NULL;
    }
    n->busy = 0;
    nx_node_unref(C, n);
  }
  nx_nodes_free(C, &p->seen);
  nx_nodes_free(C, &p->ready);
}


int nx_backward (nx_ctx *C, int nroots, nx_tensor *const *roots,
                 nx_tensor *const *seeds, int nx, nx_tensor *const *x,
                 nx_tensor **gx, int flags) {
  int recording = C->recording;
  size_t mark = nx_push(C);
  pass p;
  if (nx_status(C)) return nx_status(C);
  memset(&p, 0, sizeof(p));
  p.C = C;
  p.flags = flags | ((flags & NX_CREATE_GRAPH) ? NX_RETAIN_GRAPH : 0);
  p.add = nx_op_named("add");
  p.clone = nx_op_named("clone");
  p.nx = nx;
  p.x = x;
  p.gx = gx;
  p.mark = ++C->sequence;
  C->recording = (flags & NX_CREATE_GRAPH) != 0;
  for (int i = 0; i < nroots && nx_status(C) == 0; i++) {
    nx_trace *t = nx_trace_of(roots[i]);
    if (t && t->node && !is_end(&p, t->node)) see(&p, t->node);
  }
  if (nx_status(C) == 0) find_nodes(&p);
  for (int i = 0; i < nroots && nx_status(C) == 0; i++)
    seed(&p, roots[i], seeds ? seeds[i] : NULL);
  if (nx_status(C) == 0) start(&p);
  run_ready(&p);
  finish_leaves(&p);
  finish(&p);
  C->recording = recording;
  nx_pop(C, mark, NULL);
  return nx_status(C);
}


int nx_apart (nx_ctx *C, const nx_node *n, nx_tensor **in) {
  const nx_op *clone = nx_op_named("clone");
  for (int i = 0; i < n->nin; i++)
    in[i] = n->in[i] && n->wants[i] ? nx_apply(C, clone, NULL, 1, &n->in[i])
          : n->in[i];
  return nx_status(C);
}

#define MOST 16

int nx_grad_through (nx_ctx *C, const nx_node *n, nx_tensor *const *in,
                     int nout, nx_tensor *const *out, nx_tensor *const *gy,
                     nx_tensor **gx) {
  nx_tensor *x[MOST], *g[MOST] = {0}, *root[MOST], *seeds[MOST];
  int nx = 0, roots = 0, flags = NX_CREATE_GRAPH | NX_TO_INPUTS;
  for (int i = 0; i < n->nin; i++) if (n->wants[i]) x[nx++] = in[i];
  for (int i = 0; i < nout; i++) {
    if (gy[i] == NULL || !nx_requires(out[i])) continue;
    root[roots] = out[i];
    seeds[roots++] = gy[i];
  }
  if (roots > 0) nx_backward(C, roots, root, seeds, nx, x, g, flags);
  for (int i = 0; i < nx; i++) nx_give(C, g[i]);
  if (nx_status(C)) return nx_status(C);
  for (int i = n->nin - 1; i >= 0; i--) if (n->wants[i]) gx[i] = g[--nx];
  return 0;
}
