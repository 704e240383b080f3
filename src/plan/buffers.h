/*
** Where results lie: buffers whose lives do not meet share memory.
*/
#ifndef nx_buffers_h
#define nx_buffers_h

#include "plan/graph.h"

#define NX_NOWHERE ((size_t)-1)

/*
** Places (bytes from the start) of all wires of a recorded graph that are
** roots; all bytes in '*total'. NX_NOWHERE: weights, what is given, and
** outputs, which have memory of their own: a host may put its own there.
*/
int nx_place_buffers (nx_ctx *C, const nx_graph *g, size_t *place,
                      size_t *total);

#endif
