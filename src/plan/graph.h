/*
** Recorded computations: operations in their order, as data. A wire is a
** value on its way: what is given, a weight, a number, or the result of a
** call.
*/
#ifndef nx_graph_h
#define nx_graph_h

#include "ops.h"

typedef enum nx_origin {
  NX_GIVEN, NX_WEIGHT, NX_LITERAL, NX_RESULT
} nx_origin;

#define NX_MAXSHOWN 64          /* inputs and outputs of a graph */
#define NX_MAXWIRE 200          /* bytes of a name, with the zero */

typedef struct nx_wire {
  nx_origin origin;
  nx_tensor *t;                /* weights and numbers; of others the type
                                  and shape that were recorded, or NULL */
  int root;                    /* the first wire with the same memory */
  int lent;                    /* in memory of a weight or what was given */
  int passing;                 /* of a weight or number: its memory ends
                                  with the graph */
  int varies;                  /* depends on what is given, or on chance */
  char name[NX_MAXWIRE];       /* of what is given, and of weights */
} nx_wire;

typedef struct nx_call {
  const nx_op *op;
  void *a;                     /* the arguments, a block of op->argsize */
  int nin, nout;
  int *in;                     /* wires; -1: left out */
  int out;                     /* the first wire of its results */
  int inplace;
} nx_call;

typedef struct nx_graph {
  nx_ctx *C;
  nx_wire *wires;
  nx_call *calls;
  int *outputs;
  int nwires, ncalls, noutputs, ngiven;     /* given ones come first */
  int wire_room, call_room;
} nx_graph;

nx_graph *nx_graph_new (nx_ctx *C);
void nx_graph_free (nx_graph *g);                     /* NULL is fine */

/* The number of a new wire, or -1. 't' may be NULL. */
int nx_graph_wire (nx_graph *g, nx_origin origin, nx_tensor *t,
                   const char *name);
/* Fails for a call that a graph cannot hold: arguments that are tensors,
   weights that it would change. */
int nx_graph_check (nx_ctx *C, const nx_op *op, const void *args);

/* A new call with a copy of the arguments (random ones draw anew each
   time), and wires for its results; 'in' is to be filled. Or NULL. */
nx_call *nx_graph_call (nx_graph *g, const nx_op *op, const void *args,
                        int nin, int nout);
/* Takes a call away, and the shapes of its results; the list has a gap (op
   is NULL) until it is closed up. */
void nx_graph_drop (nx_graph *g, nx_call *c);
void nx_graph_close_up (nx_graph *g);
int nx_graph_outputs (nx_graph *g, int n, const int *wires);

/* The wire of a name; -1 if there is none. */
int nx_graph_named (const nx_graph *g, const char *name);

/*
** Computes it again in a context, which need not be the graph's. 'in' and
** 'out' have as many entries as the graph has inputs and outputs; results
** belong to the current scope.
*/
int nx_graph_run (nx_ctx *C, const nx_graph *g, nx_tensor *const *in,
                  nx_tensor **out);

#endif
