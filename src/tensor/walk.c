/*
** Walking over tensors.
**
** Dimensions of size 1 are dropped and neighbours that lie one after the
** other for every operand are joined, so that most walks are one run.
** Along a run, an operand is a vector, one fixed element, or strided; a
** strided one goes through a small buffer.
*/
#include <string.h>
#include "base/threads.h"
#include "tensor/dtype.h"
#include "tensor/transpose.h"
#include "tensor/walk.h"

#define STAGE 256              /* elements of a buffer */

typedef struct walk {
  nx_map_fn *f;
  const double *c;
  int nop, ndim;
  int64_t len;
  unsigned fixed, staged;      /* bits by operand, along a run */
  int64_t shape[NEAP_MAXDIM];
  ptrdiff_t step[NX_MAXOPERANDS][NEAP_MAXDIM];      /* bytes */
  size_t esize[NX_MAXOPERANDS];
  char *data[NX_MAXOPERANDS];
} walk;


typedef struct pieces {
  nx_piece_fn *job;
  void *arg;
  int64_t n, per;
} pieces;

static void one_piece (void *arg, int64_t i, int place) {
  pieces *p = arg;
  int64_t first = i * p->per, last = first + p->per;
  (void)place;
  p->job(p->arg, first, last < p->n ? last : p->n);
}

void nx_pieces (nx_ctx *C, int64_t n, int64_t each, nx_piece_fn *job,
                void *arg) {
  pieces p;
  if (each < 1) each = 1;
  p.job = job;
  p.arg = arg;
  p.n = n;
  p.per = each >= NX_GRAIN ? 1 : NX_GRAIN / each;
  if (n <= p.per) job(arg, 0, n);
  else nx_parallel(C->rt->pool, (n + p.per - 1) / p.per, one_piece, &p);
}


/*
** Operand 'o': its steps over the dimensions of the result.
*/
static void add_operand (walk *w, const nx_tensor *out, nx_tensor *t) {
  int o = w->nop++, lead = out->ndim - t->ndim;
  w->esize[o] = nx_dtype_size(t->dtype);
  w->data[o] = t->data;
  for (int d = 0; d < out->ndim; d++) {
    int own = d - lead;
    w->step[o][d] = (own < 0 || t->shape[own] == 1) ? 0
                    : (ptrdiff_t)(t->stride[own] * (int64_t)w->esize[o]);
  }
}


static int joinable (const walk *w, int a, int b) {
  for (int o = 0; o < w->nop; o++)
    if (w->step[o][a] != w->step[o][b] * (ptrdiff_t)w->shape[b]) return 0;
  return 1;
}


static void move_dim (walk *w, int to, int from) {
  w->shape[to] = w->shape[from];
  for (int o = 0; o < w->nop; o++) w->step[o][to] = w->step[o][from];
}


static void join_dims (walk *w, const nx_tensor *out) {
  int n = 0;
  for (int d = 0; d < out->ndim; d++) {
    if (out->shape[d] == 1) continue;
    w->shape[n] = out->shape[d];
    for (int o = 0; o < w->nop; o++) w->step[o][n] = w->step[o][d];
    if (n > 0 && joinable(w, n - 1, n)) {
      int64_t size = w->shape[n - 1] * w->shape[n];
      move_dim(w, n - 1, n);
      w->shape[n - 1] = size;
    }
    else n++;
  }
  if (n == 0) {                       /* a single element */
    w->shape[0] = 1;
    for (int o = 0; o < w->nop; o++) w->step[o][0] = 0;
    n = 1;
  }
  w->ndim = n;
}


static void classify (walk *w) {
  int last = w->ndim - 1;
  for (int o = 0; o < w->nop; o++) {
    ptrdiff_t s = w->step[o][last];
    if (s == (ptrdiff_t)w->esize[o]) continue;
    if (s == 0 && (o > 0 || w->shape[last] == 1)) w->fixed |= 1u << o;
    else w->staged |= 1u << o;
  }
}


/* n elements of 'size' bytes, from and to any steps */
static void copy_steps (size_t n, size_t size, char *dst, ptrdiff_t ds,
                        const char *src, ptrdiff_t ss) {
  switch (size) {
#define COPY(T) \
    for (; n > 0; n--, dst += ds, src += ss) memcpy(dst, src, sizeof(T)); \
    break;
    case 1: COPY(uint8_t)
    case 2: COPY(uint16_t)
    case 4: COPY(uint32_t)
    default: COPY(uint64_t)
#undef COPY
  }
}


static void staged_run (const walk *w, void *const *at, int64_t n) {
  uint64_t buffer[NX_MAXOPERANDS][STAGE];
  void *p[NX_MAXOPERANDS];
  int last = w->ndim - 1;
  for (int64_t done = 0; done < n; done += STAGE) {
    size_t m = (size_t)(n - done < STAGE ? n - done : STAGE);
    for (int o = 0; o < w->nop; o++) {
      char *from = (char *)at[o] + done * w->step[o][last];
      p[o] = (w->staged >> o & 1) ? (void *)buffer[o] : (void *)from;
      if (o > 0 && (w->staged >> o & 1))
        copy_steps(m, w->esize[o], (char *)buffer[o],
                   (ptrdiff_t)w->esize[o], from, w->step[o][last]);
    }
    w->f(m, p, w->fixed, w->c);
    if (w->staged & 1)
      copy_steps(m, w->esize[0],
                 (char *)at[0] + done * w->step[0][last],
                 w->step[0][last], (char *)buffer[0],
                 (ptrdiff_t)w->esize[0]);
  }
}


static void run (const walk *w, void *const *at, int64_t n) {
  if (w->staged) staged_run(w, at, n);
  else w->f((size_t)n, at, w->fixed, w->c);
}


/* All operands 'steps' further along dimension d. */
static void move_along (const walk *w, void **at, int d, int64_t steps) {
  for (int o = 0; o < w->nop; o++)
    at[o] = (char *)at[o] + steps * w->step[o][d];
}


/*
** From the start of a run to the start of the next one.
*/
static void next_run (const walk *w, int64_t *index, void **at) {
  for (int d = w->ndim - 2; d >= 0; d--) {
    move_along(w, at, d, 1);
    if (++index[d] < w->shape[d]) return;
    move_along(w, at, d, -w->shape[d]);
    index[d] = 0;
  }
}


/*
** Elements first ... last - 1 in row order of the result.
*/
static void walk_range (void *arg, int64_t first, int64_t last) {
  const walk *w = arg;
  int64_t index[NEAP_MAXDIM], rest = first;
  void *at[NX_MAXOPERANDS];
  int inner = w->ndim - 1;
  for (int o = 0; o < w->nop; o++) at[o] = w->data[o];
  for (int d = inner; d >= 0; d--) {
    index[d] = rest % w->shape[d];
    rest /= w->shape[d];
    move_along(w, at, d, index[d]);
  }
  while (first < last) {
    int64_t n = w->shape[inner] - index[inner];
    if (n > last - first) n = last - first;
    run(w, at, n);
    first += n;
    move_along(w, at, inner, -index[inner]);
    index[inner] = 0;
    next_run(w, index, at);
  }
}


/*
** The common case needs no walk: operands of one shape in row order, or
** of one element.
*/
static int map_plain (nx_map_fn *f, const double *c, nx_tensor *out,
                      int nin, nx_tensor *const *in) {
  void *p[NX_MAXOPERANDS];
  unsigned fixed = 0;
  if (out->len > NX_GRAIN || !nx_is_dense(out)) return 0;
  p[0] = out->data;
  for (int i = 0; i < nin; i++) {
    if (in[i]->len == 1) fixed |= 2u << i;
    else if (!nx_same_shape(out, in[i]) || !nx_is_dense(in[i])) return 0;
    p[i + 1] = in[i]->data;
  }
  f((size_t)out->len, p, fixed, c);
  return 1;
}


int nx_same_elements (const nx_tensor *a, const nx_tensor *b) {
  return a->store == b->store && a->data == b->data &&
         a->dtype == b->dtype && nx_same_shape(a, b) &&
         memcmp(a->stride, b->stride, a->ndim * sizeof(*a->stride)) == 0;
}

/*
** An operand in the storage of the result must be the result itself, seen
** the same way; anything else would be read after it was written.
*/
static int collides (const nx_tensor *out, const nx_tensor *t) {
  return out->store != NULL && t->store == out->store &&
         !nx_same_elements(t, out);
}

static nx_tensor *apart (nx_ctx *C, nx_tensor *t) {
  nx_tensor *copy = nx_new_like(C, t);
  return copy && nx_copy(C, copy, t) == 0 ? copy : NULL;
}


int nx_map (nx_ctx *C, nx_map_fn *f, const double *c, nx_tensor *out,
            int nin, nx_tensor *const *given) {
  nx_tensor *in[NX_MAXOPERANDS];
  walk w;
  if (nx_status(C) || out->len == 0) return nx_status(C);
  for (int i = 0; i < nin; i++) {
    in[i] = collides(out, given[i]) ? apart(C, given[i]) : given[i];
    if (in[i] == NULL) return nx_status(C);
  }
  if (map_plain(f, c, out, nin, in)) return 0;
  w.f = f;
  w.c = c;
  w.nop = 0;
  w.fixed = w.staged = 0;
  w.len = out->len;
  add_operand(&w, out, out);
  for (int i = 0; i < nin; i++) add_operand(&w, out, in[i]);
  join_dims(&w, out);
  classify(&w);
  nx_pieces(C, w.len, 1, walk_range, &w);
  return 0;
}


int nx_broadcast (nx_ctx *C, const char *who, const nx_tensor *a,
                  const nx_tensor *b, int *ndim, int64_t *shape) {
  char at[NX_SHAPE_TEXT], bt[NX_SHAPE_TEXT];
  int n = a->ndim > b->ndim ? a->ndim : b->ndim;
  for (int i = 1; i <= n; i++) {
    int64_t x = i <= a->ndim ? a->shape[a->ndim - i] : 1;
    int64_t y = i <= b->ndim ? b->shape[b->ndim - i] : 1;
    if (x != y && x != 1 && y != 1)
      return nx_fail(C, NEAP_ESHAPE, "%s: shapes %s and %s do not fit: %lld "
                     "against %lld in dimension %d", who, nx_shape_of(a, at),
                     nx_shape_of(b, bt), (long long)x, (long long)y,
                     n - i + C->base);
    shape[n - i] = x == 1 ? y : x;
  }
  *ndim = n;
  return 0;
}


int nx_copy (nx_ctx *C, nx_tensor *dst, nx_tensor *src) {
  if (nx_overlaps_itself(dst))
    return nx_fail(C, NEAP_ESHAPE, "a tensor cannot be written to where "
                   "several of its elements are the same memory");
  if (nx_status(C) == 0 && dst->store != src->store &&
      nx_copy_tiles(C, dst, src)) return 0;
  return nx_map(C, nx_convert_fn(src->dtype, dst->dtype), NULL, dst, 1,
                &src);
}


nx_tensor *nx_dense (nx_ctx *C, nx_tensor *t) {
  nx_tensor *d;
  if (nx_is_dense(t)) return t;
  d = nx_new_like(C, t);
  return d && nx_copy(C, d, t) == 0 ? d : NULL;
}


nx_tensor *nx_dense_apart (nx_ctx *C, nx_tensor *t, const nx_tensor *out) {
  return t->store == out->store ? apart(C, t) : nx_dense(C, t);
}


nx_tensor *nx_typed (nx_ctx *C, nx_tensor *t, int dtype) {
  nx_tensor *d;
  if (t == NULL) return NULL;
  if (t->dtype == dtype)         /* no longer a bare number */
    return t->flags & NX_IS_NUMBER_FLAG ? nx_alias(C, t) : t;
  d = nx_new(C, dtype, t->ndim, t->shape);
  return d && nx_copy(C, d, t) == 0 ? d : NULL;
}
