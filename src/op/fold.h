/*
** Reducing dimensions: what sums, products, extremes and the like share.
*/
#ifndef nx_fold_h
#define nx_fold_h

#include "grad/op.h"

typedef struct nx_reduce_args { nx_ints dim; int keepdim; } nx_reduce_args;

#define NX_REDUCE_FIELDS(s) \
  NX_DIMS(s, dim, NX_UNSET, "dimensions to reduce; none: all"), \
  NX_BOOL(s, keepdim, 0, "keep reduced dimensions with size 1")

/* Marks the dimensions of x that 'dims' names, made positive; fails when
   there is no such dimension or it is named twice. */
int nx_reduced (nx_ctx *C, const nx_node *n, nx_ints *dims,
                unsigned char *mark);
/* The marks of dimensions that were checked. */
void nx_marks_of (const nx_ints *dims, unsigned char *mark);
/* Makes result i: x without (or with size 1 for) the marked dimensions. */
nx_tensor *nx_reduced_out (nx_ctx *C, nx_node *n, int i, int dtype,
                           const unsigned char *mark, int keepdim);
/* May its first dimension be cut? It may if it is not reduced. */
const char *nx_reduced_cutting (const nx_node *n);
/* How many elements of x become one of y; 0 if y is NULL or empty. */
int64_t nx_reduced_count (const nx_tensor *x, const nx_tensor *y);
/* A gradient of the result, seen in the shape of x (repeated). */
nx_tensor *nx_spread (nx_ctx *C, const nx_tensor *x, const nx_ints *dims,
                      nx_tensor *g);
/* The gradient of a result that is an element of x: shared by those of x
   that equal it. */
nx_tensor *nx_to_equal_ones (nx_ctx *C, nx_tensor *x, nx_tensor *y,
                             nx_tensor *g, const nx_ints *dims);


/* True if an element is 0. */
int nx_has_zero (nx_ctx *C, nx_tensor *x);

/* What adds elements of a type; of bool: or, which keeps them 0 and 1. */
nx_map_fn *nx_summing (nx_ctx *C, int dtype);


/*
** An associative operation: of a row, and of two rows element by element.
** 'nothing' is its value where there are no elements.
*/
typedef struct nx_reducer {
  nx_fold_fn *fold;
  nx_map_fn *join;
  double nothing;
} nx_reducer;

/* y = x with its marked dimensions reduced; both of one type, y in row
   order. */
int nx_reduce (nx_ctx *C, const nx_reducer *r, nx_tensor *x,
               const unsigned char *mark, nx_tensor *y);

/* y = f(row) for the rows of x (marked dimensions joined): f gets 'arg',
   the number of the row in y, its length, its elements. */
typedef void nx_each_row_fn (const void *arg, int64_t i, size_t n,
                             const char *row);
int nx_each_row (nx_ctx *C, nx_tensor *x, const unsigned char *mark,
                 nx_each_row_fn *f, const void *arg);


/*
** x in the order of its memory: without a copy where its dimensions, in
** some order, lie one after the other, else as a copy in row order.
*/
typedef struct nx_layout {
  nx_tensor *x;                        /* dense */
  unsigned char mark[NEAP_MAXDIM];     /* of its dimensions */
  int order[NEAP_MAXDIM];              /* which of the given they are */
  int straight;                        /* kept dimensions are in order */
} nx_layout;

int nx_layout_of (nx_ctx *C, nx_tensor *x, const unsigned char *mark,
                  nx_layout *l);
/* Where to put results in the order of l->x: y itself, or a new tensor,
   from which nx_layout_back puts them into y. */
nx_tensor *nx_layout_out (nx_ctx *C, const nx_layout *l, nx_tensor *y);
int nx_layout_back (nx_ctx *C, const nx_layout *l, nx_tensor *from,
                    nx_tensor *y);

#endif
