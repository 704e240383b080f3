/*
** The gradient of attention. With p the weights, computed again tile by
** tile, and d the sum of y gy over a query's row:
**   gv = p^T gy,   gs = p (gy v^T - d) scale,   gq = gs k,   gk = gs^T q
*/
#include <string.h>
#include "base/threads.h"
#include "op/attention.h"
#include "ops.h"

typedef struct returning {
  nx_attention s;
  const nx_tensor *y, *gy, *lse;       /* dense */
  char *gq, *gk, *gv;                  /* dense, zeros */
  char *room;
  int64_t bytes;                       /* of a place */
} returning;

#define TILE ((int64_t)NX_QUERIES * NX_KEYS)

/* d of some queries */
static void row_sums (const returning *b, int64_t row, int64_t rows,
                      char *products, char *d) {
  const nx_attention *s = &b->s;
  int64_t bytes = s->width * s->size;
  for (int64_t r = 0; r < rows; r++) {
    void *p[3];
    p[0] = products;
    p[1] = b->y->data + (row + r) * bytes;
    p[2] = b->gy->data + (row + r) * bytes;
    s->K->mul((size_t)s->width, p, 0, NULL);
    s->K->sum((size_t)s->width, products, d + r * s->size);
  }
}

/* c (rows 'width' apart) += a b, of parts of matrices */
static void add_product (const nx_attention *s, int64_t rows, int64_t cols,
                         int64_t k, const char *a, int64_t rsa, int64_t csa,
                         nx_matrix b, char *c) {
  s->K->product((size_t)rows, (size_t)cols, (size_t)k, a, rsa, csa, b.data,
                b.rs, b.cs, c, cols, 1);
}

/* gradients that a tile adds to */
static void tile_back (const returning *b, const nx_tile *t, char *slopes,
                       char *dropped, char *d) {
  const nx_attention *s = &b->s;
  int64_t row = t->matrix * s->queries + t->query;
  int64_t source = nx_attention_source(s, t->matrix);
  int64_t key = source * s->keys + t->key;
  nx_matrix q = nx_attention_matrix(s, s->q, t->matrix, t->query);
  nx_matrix k = nx_attention_matrix(s, s->k, t->matrix, t->key);
  nx_matrix v = nx_attention_matrix(s, s->v, t->matrix, t->key);
  nx_matrix g;
  nx_attend a = nx_tile_scores(s, t);
  const char *p = t->scores;
  g.data = b->gy->data + row * s->width * s->size;
  g.rs = s->width;
  g.cs = 1;
  a.max = b->lse->data + row * s->size;
  s->K->attend_again(&a);
  s->K->product((size_t)t->queries, (size_t)t->keys, (size_t)s->width,
                g.data, g.rs, 1, v.data, v.cs, v.rs, slopes, NX_KEYS, 0);
  if (s->a->p > 0) {
    nx_tile_drop(s, t, t->scores, dropped);
    nx_tile_drop(s, t, slopes, slopes);
    p = dropped;
  }
  if (b->gv)
    add_product(s, t->keys, s->width, t->queries, p, 1, NX_KEYS, g,
                b->gv + key * s->width * s->size);
  a.sum = d;
  a.y = slopes;
  a.ldy = NX_KEYS;
  s->K->attend_slope(&a);
  if (b->gq)
    add_product(s, t->queries, s->depth, t->keys, slopes, NX_KEYS, 1, k,
                b->gq + row * s->depth * s->size);
  if (b->gk)
    add_product(s, t->keys, s->depth, t->queries, slopes, 1, NX_KEYS, q,
                b->gk + key * s->depth * s->size);
}

/* all tiles of one matrix of queries */
static void matrix_back (const returning *b, int64_t matrix, char *room) {
  const nx_attention *s = &b->s;
  char *slopes = room + 2 * TILE * s->size, *dropped = slopes + TILE * s->size;
  char *d = dropped + TILE * s->size, *products = d + NX_QUERIES * s->size;
  nx_tile t;
  t.scores = room;
  t.mask = room + TILE * s->size;
  t.matrix = matrix;
  for (t.query = 0; t.query < s->queries; t.query += NX_QUERIES) {
    t.queries = s->queries - t.query < NX_QUERIES ? s->queries - t.query
                                                  : NX_QUERIES;
    row_sums(b, matrix * s->queries + t.query, t.queries, products, d);
    for (t.key = 0; t.key < s->keys; t.key += NX_KEYS) {
      t.keys = s->keys - t.key < NX_KEYS ? s->keys - t.key : NX_KEYS;
      if (nx_tile_hidden(s, &t)) break;
      tile_back(b, &t, slopes, dropped, d);
    }
  }
}

/* a job is a matrix of keys with all queries that look at it: no two jobs
   add to the same gradient */
static void source_back (void *arg, int64_t source, int place) {
  const returning *b = arg;
  char *room = b->room + place * b->bytes;
  if (b->s.matrices == b->s.sources) {
    matrix_back(b, source, room);
    return;
  }
  for (int64_t i = 0; i < b->s.matrices; i++)
    if (nx_attention_source(&b->s, i) == source) matrix_back(b, i, room);
}

static char *zeros_like (nx_ctx *C, const nx_node *n, int i, nx_tensor **gx) {
  if (!n->wants[i]) return NULL;
  gx[i] = nx_zeros(C, n->in[i]->dtype, n->in[i]->ndim, n->in[i]->shape);
  return gx[i] ? gx[i]->data : NULL;
}

int nx_attention_back (nx_ctx *C, nx_node *n, nx_tensor **gy,
                       nx_tensor **gx) {
  int places = nx_pool_threads(C->rt->pool);
  returning b;
  int64_t room;
  nx_tensor *t;
  memset(&b, 0, sizeof(b));
  if (nx_attention_open(C, n, &b.s)) return nx_status(C);
  b.y = nx_dense(C, n->out[0]);
  b.lse = nx_dense(C, n->out[1]);
  b.gy = nx_dense(C, gy[0]);
  b.gq = zeros_like(C, n, 0, gx);
  b.gk = zeros_like(C, n, 1, gx);
  b.gv = zeros_like(C, n, 2, gx);
  room = 4 * TILE + NX_QUERIES + b.s.width;
  b.bytes = room * b.s.size;
  room *= places;
  t = nx_new(C, b.s.dtype, 1, &room);
  if (nx_status(C) || t == NULL || b.s.queries == 0 || b.s.keys == 0)
    return nx_status(C);
  b.room = t->data;
  nx_parallel_within(C->rt->pool, b.s.sources, places, source_back, &b);
  return 0;
}
