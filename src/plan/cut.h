/*
** Long calls in pieces, so that a plan can stop between them: what may be
** cut, an operation's description says.
*/
#ifndef nx_cut_h
#define nx_cut_h

#include "plan/rules.h"

/* Multiply-adds of a piece: about 50 microseconds. */
#define NX_PIECE_WORK 2.5e5

/* Which tensors of a piece are cut ones, made for it. */
typedef struct nx_cut_marks {
  char *in, *out;
} nx_cut_marks;

/* A part of a plan: a node, or some of the work of one. */
typedef struct nx_piece {
  nx_node n;
  nx_cut_marks *cut;           /* NULL: the whole node */
  int carry, carries;          /* its states: the first, how many */
} nx_piece;

/* Into how many pieces a call is cut. 'carried': it hands on its state. */
int nx_cut_count (const nx_node *n, int carried);

/* Makes the i-th piece of the node in 'q'. Its tensors and marks are of the
   context and borrow the memory. */
int nx_cut (nx_ctx *C, int i, int carried, nx_piece *q);

#endif
