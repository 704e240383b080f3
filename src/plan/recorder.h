/*
** Recording what a program computes, as a graph.
*/
#ifndef nx_recorder_h
#define nx_recorder_h

#include "plan/graph.h"

typedef struct nx_recorder nx_recorder;

/* Records all operations of this context from now on; 'in' are what will
   be given when the graph is computed again. */
nx_recorder *nx_recorder_begin (nx_ctx *C, int n, nx_tensor *const *in);
/* Stops and gives the graph of these results, without what they do not
   need. NULL leaves the error. Tensors that were made elsewhere are weights
   without a name. */
nx_graph *nx_recorder_end (nx_recorder *r, int n, nx_tensor *const *out);
void nx_recorder_cancel (nx_recorder *r);                   /* NULL is fine */

/* True if a tensor depends on what was given: a program that looks at its
   elements computes something that no graph shows. */
int nx_recorder_depends (const nx_ctx *C, const nx_tensor *t);

#endif
