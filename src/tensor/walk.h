/*
** Walking over tensors: one loop for every strided and broadcast operand.
*/
#ifndef nx_walk_h
#define nx_walk_h

#include "tensor/tensor.h"

#define NX_MAXOPERANDS 6

/* Elements below which work stays on the caller's thread, and of a piece. */
#define NX_GRAIN ((int64_t)32768)

/*
** out = f(in...), element by element; operands broadcast to the shape of
** 'out' (which fails nothing: shapes were checked). Types are those that
** 'f' expects. Pieces are cut by size alone and may run on other threads.
*/
int nx_map (nx_ctx *C, nx_map_fn *f, const double *c, nx_tensor *out,
            int nin, nx_tensor *const *in);

/* The shape that two broadcast to; fails naming both. */
int nx_broadcast (nx_ctx *C, const char *who, const nx_tensor *a,
                  const nx_tensor *b, int *ndim, int64_t *shape);

/* True if both show the same memory in the same way. */
int nx_same_elements (const nx_tensor *a, const nx_tensor *b);

/* dst = src, converted and broadcast. */
int nx_copy (nx_ctx *C, nx_tensor *dst, nx_tensor *src);

/* 't', or a copy of it, with elements in row order; NULL leaves the error */
nx_tensor *nx_dense (nx_ctx *C, nx_tensor *t);
/* the same, and never in the storage of 'out', which is written meanwhile */
nx_tensor *nx_dense_apart (nx_ctx *C, nx_tensor *t, const nx_tensor *out);
/* 't', or a copy of it, of the given type */
nx_tensor *nx_typed (nx_ctx *C, nx_tensor *t, int dtype);

/*
** Runs job(arg, i) for pieces of 'n' items that cost 'each' elements;
** 'per' receives how many items make a piece.
*/
typedef void nx_piece_fn (void *arg, int64_t first, int64_t last);
void nx_pieces (nx_ctx *C, int64_t n, int64_t each, nx_piece_fn *job,
                void *arg);

#endif
