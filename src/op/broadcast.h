/*
** What operations on several operands share.
*/
#ifndef nx_broadcast_h
#define nx_broadcast_h

#include "grad/op.h"

/* The type that n->in[0] and n->in[1] are computed in. */
int nx_meeting_type (const nx_node *n);

/*
** Converts both operands (on the tape) to 'dtype' and makes the result in
** the shape they broadcast to.
*/
int nx_meet (nx_ctx *C, nx_node *n, int dtype);
/* An operand in the type of the others (on the tape); a bare number must
   fit. */
nx_tensor *nx_operand (nx_ctx *C, const nx_node *n, nx_tensor *t, int dtype);
/* Only the operands. */
int nx_meet_inputs (nx_ctx *C, nx_node *n, int dtype);

/*
** The gradient of a broadcast operand: 'g' summed over the dimensions in
** which an operand of the shape of 'like' was repeated.
*/
nx_tensor *nx_sum_to (nx_ctx *C, nx_tensor *g, const nx_tensor *like);

/* 'x' moved so that 'dim' is last, in row order. */
nx_tensor *nx_rows_along (nx_ctx *C, nx_tensor *x, int dim);

#endif
