/*
** Recording what a program computes, as a graph.
*/
#ifndef nx_trace_h
#define nx_trace_h

#include "plan/graph.h"

typedef struct nx_trace nx_trace;

/* Records all operations of this context from now on; 'in' are what will
   be given when the graph is computed again. */
nx_trace *nx_trace_begin (nx_ctx *C, int n, nx_tensor *const *in);
/* Stops and gives the graph of these results, without what they do not
   need. NULL leaves the error. Tensors that were made elsewhere are weights
   without a name. */
nx_graph *nx_trace_end (nx_trace *r, int n, nx_tensor *const *out);
void nx_trace_cancel (nx_trace *r);                   /* NULL is fine */

/* True if a tensor depends on what was given: a program that looks at its
   elements computes something that no graph shows. */
int nx_trace_depends (const nx_ctx *C, const nx_tensor *t);

#endif
