/*
** Matrices in the layout that products like best: panels of some columns.
** Where weights never change, what was packed is kept.
*/
#ifndef nx_packs_h
#define nx_packs_h

#include "tensor/product.h"

typedef struct nx_packs nx_packs;

/*
** For a context: what is packed from the memory of the tensors that are
** added is kept, from the first time on; what 'shared' (or NULL) has is
** taken from there.
*/
nx_packs *nx_packs_new (nx_ctx *C, const nx_packs *shared);
void nx_packs_free (nx_packs *p);                     /* NULL is fine */
int nx_packs_add (nx_packs *p, const nx_tensor *t);
/* Packs a matrix and keeps it. */
int nx_packs_keep (nx_packs *p, int dtype, nx_matrix m);

/* A matrix packed for nx_packed_fn, in the current scope. */
nx_tensor *nx_packed_matrix (nx_ctx *C, int dtype, nx_matrix m);
/* Its elements: those of one that is kept, or of a new one in the scope. */
const char *nx_packed_data (nx_ctx *C, int dtype, nx_matrix m);
/* Only if it is kept, or now will be; else NULL. */
const char *nx_packed_kept (nx_ctx *C, int dtype, nx_matrix m);

#endif
