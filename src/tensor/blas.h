/*
** The BLAS library behind one door.
*/
#ifndef nx_blas_h
#define nx_blas_h

#include "tensor/product.h"

const char *nx_blas_name (void);                      /* "none" without */

/*
** c = a b, or c + a b with 'add'. False if there is no BLAS here, or it
** does not take such matrices (sizes beyond int, no contiguous direction);
** nothing is done then.
*/
int nx_blas_product (int dtype, const nx_matrix *a, const nx_matrix *b,
                     const nx_matrix *c, int add);

/*
** The library's own threads are one setting for the whole process. They
** are turned off between begin and end, and what was set before comes
** back when the last user ends.
*/
void nx_blas_begin (void);
void nx_blas_end (void);

#endif
