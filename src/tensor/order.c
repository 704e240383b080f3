/*
** The order of elements.
*/
#include <string.h>
#include "tensor/dtype.h"
#include "tensor/order.h"
#include "tensor/walk.h"

#define SMALL 48               /* elements that are sorted by insertion */
#define TOP64 ((uint64_t)1 << 63)
#define TOP32 ((uint32_t)1 << 31)


/*
** Bits of a negative number fall when it rises: all are turned; of others
** only the sign is. Adding 0 makes 0 of -0.
*/
static uint64_t key_f64 (double x) {
  uint64_t b;
  if (x != x) return NX_KEY_NAN;
  x += 0.0;
  memcpy(&b, &x, sizeof(b));
  return b & TOP64 ? ~b : b | TOP64;
}

static uint64_t key_f32 (float x) {
  uint32_t b;
  if (x != x) return NX_KEY_NAN;
  x += 0.0f;
  memcpy(&b, &x, sizeof(b));
  return b & TOP32 ? (uint32_t)~b : b | TOP32;
}

static uint64_t key_i64 (int64_t x) { return (uint64_t)x ^ TOP64; }
static uint64_t key_i32 (int32_t x) { return (uint32_t)x ^ TOP32; }
static uint64_t key_u8 (uint8_t x) { return x; }

#define KEYS(T, key_of) \
  for (size_t i = 0; i < n; i++) { \
    out[i].key = key_of(((const T *)x)[i]); \
    out[i].at = (int64_t)i; \
  } \
  break;

void nx_rank (int dtype, size_t n, const void *x, int falling,
              nx_ranked *out) {
  switch (dtype) {
    case NEAP_F64: KEYS(double, key_f64)
    case NEAP_F32: KEYS(float, key_f32)
    case NEAP_I64: KEYS(int64_t, key_i64)
    case NEAP_I32: KEYS(int32_t, key_i32)
    default: KEYS(uint8_t, key_u8)
  }
  if (falling)
    for (size_t i = 0; i < n; i++) out[i].key = ~out[i].key;
}


static int before (const nx_ranked *a, const nx_ranked *b) {
  return a->key != b->key ? a->key < b->key : a->at < b->at;
}

static void insertion_sort (nx_ranked *v, size_t n) {
  for (size_t i = 1; i < n; i++) {
    nx_ranked r = v[i];
    size_t j = i;
    for (; j > 0 && before(&r, &v[j - 1]); j--) v[j] = v[j - 1];
    v[j] = r;
  }
}


/*
** Radix sort from the lowest byte on, by key or by position; bytes that
** are the same everywhere are left out.
*/
#define DIGIT(r) ((by_key ? (r).key : (uint64_t)(r).at) >> shift & 255)

/* one byte: counted, then everything goes to its place */
static void sort_byte (const nx_ranked *from, nx_ranked *to, size_t n,
                       int by_key, int shift) {
  size_t start[256] = {0}, sum = 0;
  for (size_t i = 0; i < n; i++) start[DIGIT(from[i])]++;
  for (int b = 0; b < 256; b++) {
    size_t count = start[b];
    start[b] = sum;
    sum += count;
  }
  for (size_t i = 0; i < n; i++) to[start[DIGIT(from[i])]++] = from[i];
}

static void radix_sort (nx_ranked *v, size_t n, nx_ranked *spare,
                        int by_key) {
  uint64_t all = ~(uint64_t)0, any = 0;
  nx_ranked *from = v, *to = spare;
  for (size_t i = 0; i < n; i++) {
    uint64_t b = by_key ? v[i].key : (uint64_t)v[i].at;
    all &= b;
    any |= b;
  }
  for (int shift = 0; shift < 64; shift += 8) {
    nx_ranked *other = from;
    if (((all ^ any) >> shift & 255) == 0) continue;
    sort_byte(from, to, n, by_key, shift);
    from = to;
    to = other;
  }
  if (from != v) memcpy(v, from, n * sizeof(*v));
}


/* (as they come, elements are in the order of their positions) */
void nx_rank_sort (nx_ranked *v, size_t n, nx_ranked *spare) {
  if (n <= SMALL) insertion_sort(v, n);
  else radix_sort(v, n, spare, 1);
}


static void swap (nx_ranked *a, nx_ranked *b) {
  nx_ranked t = *a;
  *a = *b;
  *b = t;
}

/* the middle one of first, middle and last, moved to the end */
static void choose_pivot (nx_ranked *v, size_t n) {
  nx_ranked *a = v, *b = v + n / 2, *c = v + n - 1;
  if (before(b, a)) swap(a, b);
  if (before(c, b)) swap(b, c);
  if (before(b, a)) swap(a, b);
  swap(b, c);
}

/* v[i] goes down in a heap of n until none below it is larger */
static void sink (nx_ranked *v, size_t i, size_t n) {
  for (size_t child; (child = 2 * i + 1) < n; i = child) {
    if (child + 1 < n && before(&v[child], &v[child + 1])) child++;
    if (!before(&v[i], &v[child])) return;
    swap(&v[i], &v[child]);
  }
}

/* n log n at worst, in place (Williams 1964) */
static void heap_sort (nx_ranked *v, size_t n) {
  for (size_t i = n / 2; i-- > 0; ) sink(v, i, n);
  for (size_t i = n; i-- > 1; ) {
    swap(&v[0], &v[i]);
    sink(v, 0, i);
  }
}

/*
** Hoare's selection: no two are equal, so that the parts shrink. Where they
** shrink too slowly, a sort ends it.
*/
void nx_rank_select (nx_ranked *v, size_t n, size_t k) {
  for (int round = 0; n > SMALL && k > 0 && k < n; round++) {
    size_t less = 0;
    if (round == 40) {
      heap_sort(v, n);
      return;
    }
    choose_pivot(v, n);
    for (size_t i = 0; i + 1 < n; i++)
      if (before(&v[i], &v[n - 1])) swap(&v[i], &v[less++]);
    swap(&v[less], &v[n - 1]);
    if (less == k || less + 1 == k) return;
    if (less > k) n = less;
    else {
      v += less + 1;
      n -= less + 1;
      k -= less + 1;
    }
  }
  if (k > 0 && k < n) insertion_sort(v, n);  /* what is left */
}


void nx_rank_smallest (nx_ranked *v, size_t n, size_t k, nx_ranked *spare) {
  if (k >= n) nx_rank_sort(v, n, spare);
  else {
    nx_rank_select(v, n, k);
    if (k <= SMALL) insertion_sort(v, k);
    else {
      radix_sort(v, k, spare, 0);
      radix_sort(v, k, spare, 1);
    }
  }
}


typedef struct ranked_rows {
  const char *x;
  nx_ranked *room;             /* two for each element of some rows */
  int64_t first, n, size;
  int dtype, falling;
  nx_ranked_fn *f;
  const void *arg;
} ranked_rows;

static void rank_rows (void *arg, int64_t from, int64_t last) {
  const ranked_rows *r = arg;
  for (int64_t i = from; i < last; i++) {
    nx_ranked *v = r->room + 2 * i * r->n;
    nx_rank(r->dtype, (size_t)r->n, r->x + (r->first + i) * r->n * r->size,
            r->falling, v);
    r->f(r->arg, r->first + i, v, v + r->n);
  }
}

#define ROOM ((int64_t)1 << 18)          /* elements worked on at a time */

int nx_each_ranked (nx_ctx *C, const nx_tensor *x, int64_t n, int falling,
                    nx_ranked_fn *f, const void *arg) {
  int64_t rows = n ? x->len / n : 0, batch = n < ROOM ? ROOM / (n + 1) + 1 : 1;
  ranked_rows r;
  size_t bytes;
  if (rows == 0) return nx_status(C);
  if (batch > rows) batch = rows;
  bytes = (size_t)(2 * batch * n) * sizeof(nx_ranked);
  r.room = nx_alloc(C, bytes);
  if (r.room == NULL) return nx_status(C);
  r.x = x->data;
  r.n = n;
  r.size = (int64_t)nx_dtype_size(x->dtype);
  r.dtype = x->dtype;
  r.falling = falling;
  r.f = f;
  r.arg = arg;
  for (r.first = 0; r.first < rows; r.first += batch) {
    int64_t m = rows - r.first < batch ? rows - r.first : batch;
    nx_pieces(C, m, 16 * n, rank_rows, &r);
  }
  nx_free(C, r.room, bytes);
  return nx_status(C);
}
