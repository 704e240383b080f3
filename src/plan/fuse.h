/*
** Calls of a graph that become one.
*/
#ifndef nx_fuse_h
#define nx_fuse_h

#include "plan/graph.h"

/* Activations that follow a product, and that nobody else sees before, are
   computed in the same go: the same bits. */
int nx_graph_fuse (nx_graph *g);

/*
** Normalisations with known statistics become part of the weights before
** them, as new weights without a name; then activations are fused. Results
** differ in their last bits.
*/
int nx_graph_fold (nx_graph *g);

#endif
