/*
** Gradients of tables that are zero but for some rows, kept as these rows.
** A leaf has one until somebody asks for its whole gradient.
*/
#ifndef nx_rows_h
#define nx_rows_h

#include "tensor/tensor.h"

typedef struct nx_rows {
  nx_tensor *at;               /* int64 (n), from 0, rising, each once */
  nx_tensor *values;           /* (n, size of a row) */
} nx_rows;

/*
** Rows with their numbers, of which equal ones are added up in their order
** and one is left out (skip; -1: none). The result is in the scope.
*/
int nx_rows_sum (nx_ctx *C, const nx_tensor *at, nx_tensor *values,
                 int64_t skip, nx_rows *out);

/* a + b */
int nx_rows_add (nx_ctx *C, const nx_rows *a, const nx_rows *b,
                 nx_rows *out);

/* A whole, dense table gets the rows added. */
void nx_rows_into (nx_ctx *C, const nx_rows *r, nx_tensor *table);

/* The whole table, with as many rows as 'like' has. */
nx_tensor *nx_rows_dense (nx_ctx *C, const nx_rows *r, const nx_tensor *like);

#endif
