/*
** Options of operations on images of 1, 2 or 3 dimensions, whose name ends
** in "1d", "2d" or "3d".
*/
#ifndef nx_image_h
#define nx_image_h

#include "grad/op.h"

/* The dimensions of the image. */
int nx_image_dims (const nx_node *n);

/*
** Completes a list in which one entry stands for all dimensions. Fails when
** there are too few or too many, or one is below 'least'.
*/
int nx_image_widen (nx_ctx *C, const nx_node *n, const char *name,
                    nx_ints *v, int64_t least);

/* The entry for depth (0), height (1) or width (2) of a list for the last
   of them; 'missing' for the others. */
int64_t nx_image_entry (const nx_ints *v, int d, int64_t missing);

#endif
