/*
** Matrix products of tensors' memory, cut over threads.
*/
#ifndef nx_product_h
#define nx_product_h

#include "tensor/tensor.h"

/* A matrix somewhere in memory; distances in elements. */
typedef struct nx_matrix {
  char *data;
  int64_t rows, cols, rs, cs;
} nx_matrix;

nx_matrix nx_matrix_of (const nx_tensor *t);          /* last two dims */
nx_matrix nx_transposed (nx_matrix m);

/*
** c = activation(a b + bias); c has contiguous rows. 'bias' (one element
** for each column of c) may be NULL.
*/
void nx_product (nx_ctx *C, int dtype, nx_matrix a, nx_matrix b,
                 nx_matrix c, const void *bias, int activation);

/* c += a b; c has contiguous rows */
void nx_product_add (nx_ctx *C, int dtype, nx_matrix a, nx_matrix b,
                     nx_matrix c);

/*
** c[i] = a[i] b[i] for n products whose matrices lie the given number of
** elements after each other, as 'at' tells.
*/
typedef void nx_nth_fn (const void *arg, int64_t i, nx_matrix *a,
                        nx_matrix *b, nx_matrix *c);
void nx_products (nx_ctx *C, int dtype, int64_t n, nx_nth_fn *nth,
                  const void *arg);

#endif
