/*
** Attention: softmax(scale q k^T + mask) v, in tiles. No matrix of all
** scores is ever there: what a query sees goes by in blocks of keys, with
** the largest score and the sum of weights so far (Rabe and Staats 2021,
** Dao and others 2022); the gradient computes the blocks again from the
** logarithm of that sum.
*/
#ifndef nx_attention_h
#define nx_attention_h

#include "grad/op.h"
#include "tensor/product.h"

typedef struct nx_attention_args {
  double scale;                /* NX_UNSET: 1 / sqrt(size of a query) */
  int is_causal;
  int64_t before;              /* keys before the first query's own */
  double p;                    /* of dropout */
  nx_draw generator;
} nx_attention_args;

#define NX_QUERIES 64          /* of a block; keys: whole batches of a draw */
#define NX_KEYS 128

/*
** One call: sizes and places. Matrices of queries are counted from 0; those
** of keys and values may serve several of them (grouped heads).
*/
typedef struct nx_attention {
  const nx_kernels *K;
  int dtype;
  int64_t size;                /* bytes of an element */
  int64_t matrices, sources;   /* of queries; of keys and values */
  int64_t queries, keys, depth, width;
  double scale;
  const nx_attention_args *a;
  const nx_tensor *q, *k, *v, *mask;
} nx_attention;

int nx_attention_open (nx_ctx *C, const nx_node *n, nx_attention *s);
/* Of the matrix of a tensor that goes with the i-th of queries, the rows
   from some on. */
nx_matrix nx_attention_matrix (const nx_attention *s, const nx_tensor *t,
                               int64_t i, int64_t from);
/* Which matrix of keys the i-th of queries looks at. */
int64_t nx_attention_source (const nx_attention *s, int64_t i);

/* A tile: some queries and some keys of a matrix. */
typedef struct nx_tile {
  int64_t matrix, query, queries, key, keys;
  char *scores, *mask;         /* (NX_QUERIES, NX_KEYS) each */
} nx_tile;

/* True if the tile is beyond what its queries see. */
int nx_tile_hidden (const nx_attention *s, const nx_tile *t);
/* scores = q k^T, not scaled; and what the kernels need to go on. */
nx_attend nx_tile_scores (const nx_attention *s, const nx_tile *t);
/* The gradient, in one pass. */
int nx_attention_back (nx_ctx *C, nx_node *n, nx_tensor **gy,
                       nx_tensor **gx);
/* y = dropout(x), of weights or their gradients */
void nx_tile_drop (const nx_attention *s, const nx_tile *t, const char *x,
                   char *y);

#endif
