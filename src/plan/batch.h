/*
** A plan for fewer rows than it was made for. Rows are the places of the
** first dimension of the inputs; where they are in all that a graph
** computes, the rules of its calls tell. A call that has none for them,
** because rows meet there or because nobody wrote one, makes fewer rows
** impossible.
*/
#ifndef nx_batch_h
#define nx_batch_h

#include "plan/cut.h"
#include "plan/graph.h"

typedef struct nx_batch nx_batch;

/* For the inputs of a graph that has so many rows; in the memory of C. */
nx_batch *nx_batch_new (nx_ctx *C, const nx_graph *g);
/* An input of the plan, before all calls. */
int nx_batch_given (nx_ctx *C, nx_batch *b, int wire, nx_tensor *t);
/* A call, as a node whose results are made. Inputs that have an element for
   each row, though they do not come from the inputs of the plan, become
   headers of the node's own. */
int nx_batch_call (nx_ctx *C, nx_batch *b, const nx_call *c, nx_node *n);
/* A piece of that call; pieces are numbered from 0. */
int nx_batch_piece (nx_ctx *C, nx_batch *b, const nx_call *c,
                    const nx_node *n, const nx_piece *q, int piece);

/* So many rows from now on; fails with the name of the call that makes it
   impossible. */
int nx_batch_set (nx_ctx *C, nx_batch *b, int64_t rows);
int64_t nx_batch_most (const nx_batch *b);
int64_t nx_batch_rows (const nx_batch *b);              /* now */
/* Are fewer rows possible? */
int nx_batch_can (const nx_batch *b);
/* Has a piece nothing to do? */
int nx_batch_skips (const nx_batch *b, int piece);
/* Memory was moved: so are the headers that this made. */
void nx_batch_move (nx_batch *b, const nx_storage *store, ptrdiff_t by);

#endif
