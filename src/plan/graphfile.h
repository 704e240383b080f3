/*
** Graphs as text (JSON), for the key "neap.graph" of model files:
**
**   {"inputs": [{"name": "x", "dtype": "float32", "shape": [1, 64]}],
**    "calls": [{"op": "linear", "in": [0, "fc.weight", "fc.bias"],
**               "args": {"activation": "relu"}}],
**    "outputs": [1]}
**
** Inputs and then results of calls are numbered as they come; "in" holds
** such a number, the name of a weight, null, or {"number": 2}. A call with
** several results has their number in "out". Arguments are an operation's
** fields; dimensions and positions count from 0.
*/
#ifndef nx_graphfile_h
#define nx_graphfile_h

#include "io/json.h"
#include "plan/graph.h"

/* Fails for a weight without a name. */
int nx_graph_put (nx_ctx *C, const nx_graph *g, nx_text *out);

/* The tensor of a name (borrowed), or NULL. */
typedef nx_tensor *nx_weight_fn (void *ud, const char *name);

/* Checks everything but shapes, which show when the graph is computed. */
nx_graph *nx_graph_get (nx_ctx *C, const char *text, size_t size,
                        nx_weight_fn *weight, void *ud);

#endif
