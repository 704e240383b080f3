/*
** The order of elements. Every type is mapped to 64-bit keys whose order as
** unsigned numbers is that of the elements (NaN is largest, -0 equals 0), so
** that one sort serves all types.
*/
#ifndef nx_order_h
#define nx_order_h

#include "tensor/tensor.h"

typedef struct nx_ranked {
  uint64_t key;
  int64_t at;                  /* position in the row */
} nx_ranked;

/* Keys of n elements that follow each other; 'falling' turns the order. */
void nx_rank (int dtype, size_t n, const void *x, int falling,
              nx_ranked *out);

/* Sorts, equal keys in the order in which they come; 'spare' is as large. */
void nx_rank_sort (nx_ranked *v, size_t n, nx_ranked *spare);

/* Moves the k smallest to the front, in any order; equal keys count by
   their position. nx_rank_smallest also sorts them. */
void nx_rank_select (nx_ranked *v, size_t n, size_t k);
void nx_rank_smallest (nx_ranked *v, size_t n, size_t k, nx_ranked *spare);

/* The key of NaN, and beyond all others. */
#define NX_KEY_NAN UINT64_MAX

/*
** f(arg, row, v, spare) for rows of n elements: v has their keys. Some rows
** at a time, on several threads.
*/
typedef void nx_ranked_fn (const void *arg, int64_t row, nx_ranked *v,
                           nx_ranked *spare);
int nx_each_ranked (nx_ctx *C, const nx_tensor *x, int64_t n, int falling,
                    nx_ranked_fn *f, const void *arg);

#endif
