/*
** The tape: who made a tensor, and gradients back along that way.
*/
#ifndef nx_tape_h
#define nx_tape_h

#include "grad/hook.h"
#include "grad/op.h"
#include "grad/rows.h"

/* What a tensor knows of the tape (its 'link'). */
typedef struct nx_trace {
  nx_link link;                /* must come first */
  nx_node *node;               /* that made it; NULL: a leaf */
  int out;
  int requires;                /* a leaf that wants a gradient */
  int retains;                 /* a hook keeps the gradient of a non-leaf */
  int view;                    /* made by a view: see 'version' */
  unsigned version;            /* of the storage when the view was made */
  nx_tensor *grad;
  nx_rows rows;                /* in place of 'grad', or NULL both */
  nx_hook *hooks;              /* of a leaf */
} nx_trace;

static inline nx_trace *nx_trace_of (const nx_tensor *t) {
  return (nx_trace *)t->link;
}

/* True if operations on 't' are recorded. */
int nx_requires (const nx_tensor *t);
int nx_require (nx_ctx *C, nx_tensor *t, int on);

/* Borrowed; NULL where there is none, or with an error. A gradient that is
   rows becomes whole by this. */
nx_tensor *nx_grad_of (const nx_tensor *t);
int nx_set_grad (nx_ctx *C, nx_tensor *t, nx_tensor *g);   /* NULL: none */
int nx_has_grad (const nx_tensor *t);
/* The gradient where it is rows, else NULL. */
const nx_rows *nx_row_grad (const nx_tensor *t);
/* The gradient of a leaf becomes larger by some rows. */
int nx_add_row_grad (nx_ctx *C, nx_tensor *leaf, const nx_rows *r);

/* The names of what the gradient of a node reads. */
const char *nx_saves (const nx_node *n);

/*
** Puts a node on the tape, in two steps: what may fail comes before the
** results are computed, so that a change in place is whole or not at all.
** nx_record_begin gives NULL with an error; nx_record_end ties the results
** to the node (or, with 'keep' 0, gives it up).
*/
nx_node *nx_record_begin (nx_ctx *C, const nx_node *n);
void nx_record_end (nx_ctx *C, const nx_node *n, nx_node *r, int keep);
/* The hook that retains a gradient goes with its tensor to another node
   (NULL: it ends). */
void nx_retain_move (nx_ctx *C, nx_trace *t, nx_node *to, int out);
/* Forgets who made a tensor: its elements were replaced. */
void nx_untrace (nx_ctx *C, nx_tensor *t);
/* Another tensor over the same elements at the same place of the tape. */
nx_tensor *nx_snapshot (nx_ctx *C, nx_tensor *t);
/* Puts 't' on the tape as a result of a node. */
int nx_trace_at (nx_ctx *C, nx_tensor *t, nx_node *n, int out);
/* Puts a copy 'c' of 't' at the same place. */
int nx_trace_like (nx_ctx *C, nx_tensor *c, const nx_tensor *t);
/* Fails if 't' is a view whose elements were changed through another. */
int nx_check_view (nx_ctx *C, const char *who, const char *name,
                   const nx_tensor *t);
void nx_node_unref (nx_ctx *C, nx_node *n);

/* A growing list of nodes, which it does not hold. */
typedef struct nx_nodes {
  nx_node **v;
  size_t n, room;
} nx_nodes;

int nx_nodes_add (nx_ctx *C, nx_nodes *l, nx_node *n);
void nx_nodes_free (nx_ctx *C, nx_nodes *l);

/* Frees what a node saved; it cannot be used again. */
void nx_node_forget (nx_ctx *C, nx_node *n);
int nx_has_nan (nx_ctx *C, nx_tensor *t);
int nx_all_finite (nx_ctx *C, nx_tensor *t);

/* Before a change in place: is it allowed, and what it does to the tape. */
int nx_check_inplace (nx_ctx *C, const nx_node *n);

/* A tensor over the same storage that is not on the tape. */
nx_tensor *nx_detach (nx_ctx *C, nx_tensor *t);

/* a + b, for gradients. */
nx_tensor *nx_add_gradients (nx_ctx *C, nx_tensor *a, nx_tensor *b);

enum {
  NX_RETAIN_GRAPH = 1, NX_CREATE_GRAPH = 2,
  NX_TO_INPUTS = 4             /* the walk ends at 'x' */
};

/*
** Gradients of the roots' sum (each weighted by its 'seed'; NULL: 1, for a
** single element) into the .grad of the leaves, or, when 'n' > 0, of 'x'
** into 'gx' (in the current scope; NULL where there is no way).
*/
int nx_backward (nx_ctx *C, int nroots, nx_tensor *const *roots,
                 nx_tensor *const *seeds, int n, nx_tensor *const *x,
                 nx_tensor **gx, int flags);

/*
** For a 'grad' that computes its operation again in other operations:
** nx_apart gives the inputs as results of nodes of their own ('in' of the
** node's length), nx_grad_through the gradients of these for results that
** were made of them. Derivatives of higher order come with it.
*/
int nx_apart (nx_ctx *C, const nx_node *n, nx_tensor **in);
int nx_grad_through (nx_ctx *C, const nx_node *n, nx_tensor *const *in,
                     int nout, nx_tensor *const *out, nx_tensor *const *gy,
                     nx_tensor **gx);

#endif
