/*
** scaled_dot_product_attention: forward.
*/
#include <math.h>
#include <string.h>
#include "base/threads.h"
#include "grad/tape.h"
#include "op/attention.h"
#include "op/composed.h"
#include "tensor/view.h"

static const nx_field attention_fields[] = {
  NX_NUMBER(nx_attention_args, scale, NX_UNSET,
            "factor of the scores; 1 / sqrt(last size of q) unless given"),
  NX_BOOL(nx_attention_args, is_causal, 0,
          "query i sees the keys up to i only"),
  NX_INT(nx_attention_args, before, 0,
         "keys before the first query's own: it sees those up to i + before"),
  NX_NUMBER_AS(nx_attention_args, p, "dropout_p", 0,
               "probability of a weight to become 0"),
  NX_DRAW(nx_attention_args, generator),
  NX_END
};

enum { Q, K_, V_, MASK };


/*
** Checks.
*/
static int64_t last_size (const nx_tensor *t, int from_end) {
  return t->shape[t->ndim - from_end];
}

/* leading dimensions of keys: those of queries, or parts of them */
static int check_lead (nx_ctx *C, const nx_node *n) {
  const nx_tensor *q = n->in[Q], *k = n->in[K_];
  char qt[NX_SHAPE_TEXT], kt[NX_SHAPE_TEXT];
  for (int d = 0; d < q->ndim - 2; d++)
    if (k->shape[d] != q->shape[d] && k->shape[d] != 1 &&
        !(d == q->ndim - 3 && k->shape[d] > 0 &&
          q->shape[d] % k->shape[d] == 0))
      return nx_op_fail(C, n, NEAP_ESHAPE, "q is %s and k is %s: dimension "
                        "%d differs", nx_shape_of(q, qt), nx_shape_of(k, kt),
                        d + C->base);
  return 0;
}

static int check_shapes (nx_ctx *C, const nx_node *n) {
  const nx_tensor *q = n->in[Q], *k = n->in[K_], *v = n->in[V_];
  char qt[NX_SHAPE_TEXT], kt[NX_SHAPE_TEXT], vt[NX_SHAPE_TEXT];
  for (int i = 0; i < 3; i++)
    if (nx_want_float(C, n, i)) return nx_status(C);
  if (q->dtype != k->dtype || q->dtype != v->dtype)
    return nx_op_fail(C, n, NEAP_EDTYPE, "q is %s, k is %s, v is %s: "
                      "expected one type", nx_dtype_name(q->dtype),
                      nx_dtype_name(k->dtype), nx_dtype_name(v->dtype));
  if (q->ndim < 2 || q->ndim != k->ndim || q->ndim != v->ndim ||
      last_size(q, 1) != last_size(k, 1) ||
      last_size(k, 2) != last_size(v, 2) ||
      memcmp(k->shape, v->shape, sizeof(*k->shape) *
             (size_t)(k->ndim - 2)) != 0)
    return nx_op_fail(C, n, NEAP_ESHAPE, "q is %s, k is %s, v is %s: "
                      "expected (..., queries, size), (..., keys, size) and "
                      "(..., keys, any size)", nx_shape_of(q, qt),
                      nx_shape_of(k, kt), nx_shape_of(v, vt));
  return check_lead(C, n);
}

static nx_tensor *mask_of (const nx_node *n) {
  return n->nin > MASK ? n->in[MASK] : NULL;
}

static int check_mask (nx_ctx *C, const nx_node *n) {
  const nx_tensor *m = mask_of(n), *q = n->in[Q];
  char mt[NX_SHAPE_TEXT], want[NX_SHAPE_TEXT];
  int64_t shape[NEAP_MAXDIM];
  if (m == NULL) return 0;
  if (m->dtype != NEAP_BOOL && m->dtype != q->dtype)
    return nx_op_fail(C, n, NEAP_EDTYPE, "attn_mask is %s, expected bool "
                      "(true: takes part) or %s (added to the scores)",
                      nx_dtype_name(m->dtype), nx_dtype_name(q->dtype));
  memcpy(shape, q->shape, sizeof(shape));
  shape[q->ndim - 1] = last_size(n->in[K_], 2);
  for (int d = 1; d <= m->ndim; d++)
    if (d > q->ndim || (last_size(m, d) != 1 &&
                        last_size(m, d) != shape[q->ndim - d]))
      return nx_op_fail(C, n, NEAP_ESHAPE, "attn_mask is %s, expected %s or "
                        "sizes of 1", nx_shape_of(m, mt),
                        nx_shape_text(q->ndim, shape, want));
  return 0;
}

static int attention_shape (nx_ctx *C, nx_node *n) {
  const nx_attention_args *a = n->a;
  int64_t shape[NEAP_MAXDIM];
  const nx_tensor *q = n->in[Q];
  if (check_shapes(C, n) || check_mask(C, n)) return nx_status(C);
  if (!(a->p >= 0 && a->p < 1))
    return nx_op_fail(C, n, NEAP_EARG, "dropout_p is %g, expected 0 to below "
                      "1", a->p);
  if (a->before < 0 || a->before > last_size(n->in[K_], 2))
    return nx_op_fail(C, n, NEAP_EARG, "before is %lld, expected 0 to the "
                      "number of keys", (long long)a->before);
  memcpy(shape, q->shape, sizeof(shape));
  shape[q->ndim - 1] = last_size(n->in[V_], 1);
  nx_out(C, n, 0, q->dtype, q->ndim, shape);
  nx_out(C, n, 1, q->dtype, q->ndim - 1, shape);
  return nx_status(C);
}

static double attention_work (const nx_node *n) {
  return (double)n->in[Q]->len * (double)last_size(n->in[K_], 2) * 2;
}

/* each query has whole batches of the stream for its keys */
static int64_t counters_of_row (int64_t keys) {
  return (keys + 4 * NX_BATCH - 1) / (4 * NX_BATCH) * NX_BATCH;
}

static int64_t attention_draws (const nx_node *n) {
  const nx_attention_args *a = n->a;
  const nx_tensor *lse = n->out[1];
  if (a->p == 0 || lse == NULL) return 0;
  return lse->len * counters_of_row(last_size(n->in[K_], 2));
}


/*
** Places.
*/
static int64_t lead (const nx_tensor *t) {
  int64_t n = 1;
  for (int d = 0; d < t->ndim - 2; d++) n *= t->shape[d];
  return n;
}

int nx_attention_open (nx_ctx *C, const nx_node *n, nx_attention *s) {
  memset(s, 0, sizeof(*s));
  s->q = n->in[Q];
  s->k = n->in[K_];
  s->v = n->in[V_];
  s->mask = mask_of(n);
  s->a = n->a;
  s->dtype = s->q->dtype;
  s->size = (int64_t)nx_dtype_size(s->dtype);
  s->K = nx_kernels_for(C, s->dtype);
  s->queries = last_size(s->q, 2);
  s->depth = last_size(s->q, 1);
  s->keys = last_size(s->k, 2);
  s->width = last_size(s->v, 1);
  s->matrices = lead(s->q);
  s->sources = lead(s->k);
  s->scale = s->a->scale != NX_UNSET ? s->a->scale
           : s->depth > 0 ? 1 / sqrt((double)s->depth) : 1;
  return nx_status(C);
}

/* where the i-th matrix of queries has its partner in 't', whose leading
   dimensions are as many or fewer, and divide those of q; in matrices of
   't' (flat), or in elements by its strides */
static int64_t partner (const nx_attention *s, const nx_tensor *t, int64_t i,
                        int flat) {
  const nx_tensor *q = s->q;
  int64_t at = 0, step = 1;
  for (int d = q->ndim - 3; d >= 0; d--) {
    int own = d - (q->ndim - t->ndim);
    int64_t here = i % q->shape[d];
    i /= q->shape[d];
    if (own < 0) continue;
    here /= q->shape[d] / t->shape[own];
    at += here * (flat ? step : t->stride[own]);
    step *= t->shape[own];
  }
  return at;
}

int64_t nx_attention_source (const nx_attention *s, int64_t i) {
  return s->matrices == s->sources ? i : partner(s, s->k, i, 1);
}

nx_matrix nx_attention_matrix (const nx_attention *s, const nx_tensor *t,
                               int64_t i, int64_t from) {
  nx_matrix m = nx_matrix_of(t);
  m.data += (partner(s, t, i, 0) + from * m.rs) * s->size;
  m.rows -= from;
  return m;
}


/*
** Tiles.
*/
int nx_tile_hidden (const nx_attention *s, const nx_tile *t) {
  return s->a->is_causal &&
         t->key - s->a->before > t->query + t->queries - 1;
}

/* the mask of a tile as numbers to add, rows 'ld' apart; NULL: none */
static const char *tile_mask (const nx_attention *s, const nx_tile *t,
                              ptrdiff_t *ld) {
  const nx_tensor *m = s->mask;
  int64_t size, rs = 0, cs = 0;
  const char *at;
  if (m == NULL) return NULL;
  size = (int64_t)nx_dtype_size(m->dtype);
  if (m->ndim > 1 && last_size(m, 2) != 1) rs = m->stride[m->ndim - 2];
  if (m->ndim > 0 && last_size(m, 1) != 1) cs = m->stride[m->ndim - 1];
  at = m->data + (partner(s, m, t->matrix, 0) + t->query * rs + t->key * cs)
                 * size;
  *ld = rs;
  if (cs == 1 && m->dtype != NEAP_BOOL) return at;
  for (int64_t r = 0; r < t->queries; r++)
    for (int64_t c = 0; c < t->keys; c++) {
      const char *from = at + (r * rs + c * cs) * size;
      char *to = t->mask + (r * NX_KEYS + c) * s->size;
      if (m->dtype != NEAP_BOOL) memcpy(to, from, (size_t)size);
      else if (s->dtype == NEAP_F64)
        *(double *)(void *)to = *from ? 0 : -HUGE_VAL;
      else *(float *)(void *)to = *from ? 0 : -HUGE_VALF;
    }
  *ld = NX_KEYS;
  return t->mask;
}

nx_attend nx_tile_scores (const nx_attention *s, const nx_tile *t) {
  nx_matrix q = nx_attention_matrix(s, s->q, t->matrix, t->query);
  nx_matrix k = nx_attention_matrix(s, s->k, t->matrix, t->key);
  nx_attend a;
  memset(&a, 0, sizeof(a));
  s->K->product((size_t)t->queries, (size_t)t->keys, (size_t)s->depth,
                q.data, q.rs, q.cs, k.data, k.cs, k.rs, t->scores, NX_KEYS,
                0);
  a.rows = (size_t)t->queries;
  a.cols = (size_t)t->keys;
  a.s = t->scores;
  a.lds = NX_KEYS;
  a.mask = tile_mask(s, t, &a.ldm);
  a.causal = s->a->is_causal;
  a.limit = t->query + 1 + s->a->before - t->key;
  a.scale = s->scale;
  return a;
}

void nx_tile_drop (const nx_attention *s, const nx_tile *t, const char *x,
                   char *y) {
  double keep = 1 - s->a->p;
  for (int64_t r = 0; r < t->queries; r++) {
    int64_t row = t->matrix * s->queries + t->query + r;
    nx_draw d = s->a->generator;
    d.counter += (uint64_t)(row * counters_of_row(s->keys) + t->key / 4);
    s->K->drop((size_t)t->keys, d, keep, 1 / keep,
               x + r * NX_KEYS * s->size, y + r * NX_KEYS * s->size);
  }
}


/*
** Forward: a job is a block of queries of a matrix; each thread has its own
** scores and mask.
*/
typedef struct looking {
  const nx_attention *s;
  char *y, *lse, *room;        /* room: for each place */
  int64_t blocks;              /* of queries */
  int64_t bytes;               /* of a place */
} looking;

#define TILE ((int64_t)NX_QUERIES * NX_KEYS)

static void start_rows (const nx_attention *s, char *max, char *sum,
                        int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    if (s->dtype == NEAP_F64) ((double *)(void *)max)[i] = -HUGE_VAL;
    else ((float *)(void *)max)[i] = -HUGE_VALF;
  }
  memset(sum, 0, (size_t)(n * s->size));
}

/* y /= sum, lse = max + log(sum); a row that sees nothing is 0 */
static void finish_row (const nx_attention *s, char *y, char *lse,
                        const char *max, const char *sum) {
  double total = s->dtype == NEAP_F64 ? *(const double *)(const void *)sum
               : (double)*(const float *)(const void *)sum;
  double most = s->dtype == NEAP_F64 ? *(const double *)(const void *)max
              : (double)*(const float *)(const void *)max;
  double c[2] = {0, 0};
  void *p[2];
  c[0] = total == 0 ? 0 : 1 / total;
  p[0] = p[1] = y;
  s->K->scale((size_t)s->width, p, 0, c);
  most += log(total);
  if (s->dtype == NEAP_F64) *(double *)(void *)lse = most;
  else *(float *)(void *)lse = (float)most;
}

static void look (void *arg, int64_t job, int place) {
  const looking *l = arg;
  const nx_attention *s = l->s;
  char *room = l->room + place * l->bytes, *max = room + 2 * TILE * s->size;
  char *sum = max + NX_QUERIES * s->size, *y;
  int64_t row;
  nx_tile t;
  t.scores = room;
  t.mask = room + TILE * s->size;
  t.matrix = job / l->blocks;
  t.query = job % l->blocks * NX_QUERIES;
  t.queries = s->queries - t.query < NX_QUERIES ? s->queries - t.query
                                                : NX_QUERIES;
  row = t.matrix * s->queries + t.query;
  y = l->y + row * s->width * s->size;
  memset(y, 0, (size_t)(t.queries * s->width * s->size));
  start_rows(s, max, sum, t.queries);
  for (t.key = 0; t.key < s->keys; t.key += NX_KEYS) {
    nx_matrix v;
    nx_attend a;
    t.keys = s->keys - t.key < NX_KEYS ? s->keys - t.key : NX_KEYS;
    if (nx_tile_hidden(s, &t)) break;
    a = nx_tile_scores(s, &t);
    a.max = max;
    a.sum = sum;
    a.y = y;
    a.ldy = s->width;
    a.width = (size_t)s->width;
    s->K->attend(&a);
    if (s->a->p > 0) nx_tile_drop(s, &t, t.scores, t.scores);
    v = nx_attention_matrix(s, s->v, t.matrix, t.key);
    s->K->product((size_t)t.queries, (size_t)s->width, (size_t)t.keys,
                  t.scores, NX_KEYS, 1, v.data, v.rs, v.cs, y, s->width, 1);
  }
  for (int64_t r = 0; r < t.queries; r++)
    finish_row(s, y + r * s->width * s->size, l->lse + (row + r) * s->size,
               max + r * s->size, sum + r * s->size);
}

static int attention_forward (nx_ctx *C, nx_node *n) {
  nx_attention s;
  looking l;
  int places = nx_pool_threads(C->rt->pool);
  int64_t room;
  nx_tensor *t;
  if (nx_attention_open(C, n, &s)) return nx_status(C);
  room = 2 * TILE + 2 * NX_QUERIES;
  l.bytes = room * s.size;
  room *= places;
  t = nx_new(C, s.dtype, 1, &room);
  if (t == NULL || n->out[1]->len == 0) return nx_status(C);
  l.s = &s;
  l.y = n->out[0]->data;
  l.lse = n->out[1]->data;
  l.room = t->data;
  l.blocks = (s.queries + NX_QUERIES - 1) / NX_QUERIES;
  nx_parallel_within(C->rt->pool, s.matrices * l.blocks, places, look, &l);
  return 0;
}


/*
** The same in operations, for gradients of gradients and of masks:
** softmax(scale q k^T + mask) v.
*/
static nx_tensor *repeated_heads (nx_ctx *C, nx_tensor *t,
                                  const nx_tensor *q) {
  int d = q->ndim - 3;
  int64_t shape[NEAP_MAXDIM], times;
  if (d < 0 || t->shape[d] == 1 || t->shape[d] == q->shape[d] ||
      q->ndim == NEAP_MAXDIM) return t;
  times = q->shape[d] / t->shape[d];
  t = nx_unsqueeze(C, t, d + 1);
  if (t == NULL) return NULL;
  memcpy(shape, t->shape, sizeof(shape));
  shape[d + 1] = times;
  t = nx_expand(C, t, t->ndim, shape);
  if (t == NULL) return NULL;
  shape[d] = q->shape[d];
  memmove(shape + d + 1, shape + d + 2, sizeof(*shape) * 2);
  return nx_reshape(C, t, q->ndim, shape);
}

static nx_tensor *causal_mask (nx_ctx *C, int64_t queries, int64_t keys,
                               int64_t before) {
  int64_t shape[2];
  nx_tensor *t;
  shape[0] = queries;
  shape[1] = keys;
  t = nx_new(C, NEAP_BOOL, 2, shape);
  for (int64_t i = 0; t && i < queries; i++)
    for (int64_t j = 0; j < keys; j++) t->data[i * keys + j] = j <= i + before;
  return t;
}

/* scores where a mask is true, else -infinity */
static nx_tensor *seen (nx_ctx *C, nx_tensor *scores, nx_tensor *mask) {
  nx_tensor *add;
  mask = mask ? nx_dense(C, mask) : NULL;
  if (mask == NULL || scores == NULL) return NULL;
  add = nx_new(C, scores->dtype, mask->ndim, mask->shape);
  for (int64_t i = 0; add && i < mask->len; i++)
    nx_put_number(add, add->data + i * (int64_t)nx_dtype_size(add->dtype),
                  mask->data[i] ? 0 : -HUGE_VAL);
  return add ? ADD(scores, add) : NULL;
}

static nx_tensor *attention_in_operations (nx_ctx *C,
                                           const nx_attention_args *a,
                                           nx_tensor *const *in) {
  nx_tensor *q = in[Q], *k = repeated_heads(C, in[K_], q);
  nx_tensor *v = repeated_heads(C, in[V_], q), *z;
  double depth = (double)last_size(q, 1);
  double scale = a->scale != NX_UNSET ? a->scale : 1 / sqrt(depth);
  if (k == NULL || v == NULL) return NULL;
  z = MUL(nx_matmul(C, q, nx_transpose(C, k, -2, -1)), NUM(scale));
  if (in[MASK] && in[MASK]->dtype == NEAP_BOOL)
    z = seen(C, z, in[MASK]);
  else if (in[MASK]) z = ADD(z, in[MASK]);
  if (z && a->is_causal)
    z = seen(C, z, causal_mask(C, last_size(q, 2), last_size(k, 2),
                            a->before));
  z = z ? nx_softmax(C, z, -1) : NULL;
  if (z && a->p > 0) z = nx_dropout(C, z, a->p, a->generator);
  return z ? nx_matmul(C, z, v) : NULL;
}

static int attention_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                           nx_tensor **gx) {
  const nx_attention_args *a = n->a;
  nx_tensor *in[4] = {0}, *y;
  if (a->p > 0)
    return nx_op_fail(C, n, NEAP_EGRAD, "with dropout there is no second "
                      "derivative");
  if (nx_apart(C, n, in)) return nx_status(C);
  y = attention_in_operations(C, a, in);
  if (y == NULL) return nx_status(C);
  return nx_grad_through(C, n, in, 1, &y, gy, gx);
}

const nx_op nx_op_attention = {
  .name = "attention",
  .doc = "softmax(scale q k^T + attn_mask) v in tiles.",
  .inputs = "q k v attn_mask?", .outputs = "y lse~",
  .fields = attention_fields, .argsize = sizeof(nx_attention_args),
  .saves = "q k v attn_mask y lse", .flags = NX_RANDOM | NX_INNER,
  .shape = attention_shape, .forward = attention_forward,
  .draws = attention_draws, .work = attention_work,
  .cuts = "y-4 lse-3 q-4 k-4 v-4 attn_mask-4?, "
          "y-3 lse-2 q-3 k-3 v-3 attn_mask-3?",
  .grad = NX_LEARN(attention_grad), .fused = NX_LEARN(nx_attention_back)
};


/*
** The operation for users: a mask that wants a gradient itself goes through
** the matrix of all scores.
*/
static int scaled_dot_product_attention_compose (nx_ctx *C, nx_node *n) {
  nx_tensor *m = mask_of(n), *in[4] = {0};
  int learned = C->recording && m && nx_requires(m);
  for (int i = 0; i < n->nin; i++) in[i] = n->in[i];
  if (learned && (check_shapes(C, n) || check_mask(C, n)))
    return nx_status(C);
  if (learned)
    return nx_composed(C, n, attention_in_operations(C, n->a, in));
  return nx_composed(C, n, nx_apply(C, &nx_op_attention, n->a, n->nin,
                                    n->in));
}

const nx_op nx_op_scaled_dot_product_attention = {
  .name = "scaled_dot_product_attention",
  .doc = "softmax(scale q k^T + attn_mask) v (Vaswani et al. 2017, eq. 1): q "
         "(..., queries, size), k (..., keys, size), v (..., keys, any "
         "size). A mask of bool is true where a key takes part; numbers are "
         "added to the scores. k and v may have fewer heads (dimension -3) "
         "that divide those of q. A query that sees nothing gives 0.",
  .inputs = "q k v attn_mask?", .outputs = "y",
  .fields = attention_fields, .argsize = sizeof(nx_attention_args),
  .compose = scaled_dot_product_attention_compose
};

OPFN nx_tensor *nx_sdpa (nx_ctx *C, nx_tensor *q, nx_tensor *k, nx_tensor *v,
                         nx_tensor *mask, int causal, double dropout) {
  nx_attention_args a = {NX_UNSET, causal, 0, dropout, NX_FRESH};
  return nx_apply(C, &nx_op_scaled_dot_product_attention, &a, mask ? 4 : 3,
                  (nx_tensor *[]){q, k, v, mask});
}
