/*
** Reducing dimensions.
**
** Dimensions are joined to groups that are reduced or stay, in turn, and
** groups are reduced one after the other: the last dimension as rows, any
** other by joining rows element by element, so that memory is read in its
** own order. How work is cut depends on sizes alone.
*/
#include <string.h>
#include "op/fold.h"
#include "ops.h"
#include "tensor/view.h"


int nx_reduced (nx_ctx *C, const nx_node *n, nx_ints *dims,
                unsigned char *mark) {
  const nx_tensor *x = n->in[0];
  memset(mark, dims->n < 0, NEAP_MAXDIM);
  for (int i = 0; i < dims->n; i++) {
    if (nx_dim(C, n->op->name, x, &dims->v[i])) return nx_status(C);
    if (mark[dims->v[i]]++)
      return nx_op_fail(C, n, NEAP_EARG, "dimension %lld is given twice",
                        (long long)dims->v[i] + C->base);
  }
  return 0;
}


void nx_marks_of (const nx_ints *dims, unsigned char *mark) {
  memset(mark, dims->n < 0, NEAP_MAXDIM);
  for (int i = 0; i < dims->n; i++) mark[dims->v[i]] = 1;
}


const char *nx_reduced_cutting (const nx_node *n) {
  unsigned char mark[NEAP_MAXDIM];
  nx_marks_of(&((const nx_reduce_args *)n->a)->dim, mark);
  return mark[0] ? NULL : "y0 x0";
}

nx_tensor *nx_reduced_out (nx_ctx *C, nx_node *n, int i, int dtype,
                           const unsigned char *mark, int keepdim) {
  const nx_tensor *x = n->in[0];
  int64_t shape[NEAP_MAXDIM];
  int ndim = 0;
  for (int d = 0; d < x->ndim; d++)
    if (!mark[d]) shape[ndim++] = x->shape[d];
    else if (keepdim) shape[ndim++] = 1;
  return nx_out(C, n, i, dtype, ndim, shape);
}


nx_map_fn *nx_summing (nx_ctx *C, int dtype) {
  const nx_kernels *K = nx_kernels_for(C, dtype);
  return dtype == NEAP_BOOL ? K->maximum : K->add;
}


int64_t nx_reduced_count (const nx_tensor *x, const nx_tensor *y) {
  return y && y->len ? x->len / y->len : 0;
}


nx_tensor *nx_spread (nx_ctx *C, const nx_tensor *x, const nx_ints *dims,
                      nx_tensor *g) {
  unsigned char mark[NEAP_MAXDIM];
  int64_t shape[NEAP_MAXDIM];
  nx_marks_of(dims, mark);
  for (int d = 0; d < x->ndim; d++) shape[d] = mark[d] ? 1 : x->shape[d];
  return nx_expand(C, nx_reshape(C, g, x->ndim, shape), x->ndim, x->shape);
}


nx_tensor *nx_to_equal_ones (nx_ctx *C, nx_tensor *x, nx_tensor *y,
                             nx_tensor *g, const nx_ints *dims) {
  nx_tensor *seen = nx_spread(C, x, dims, y), *mask, *count;
  mask = nx_to(C, nx_eq(C, x, seen), x->dtype);
  count = mask ? nx_sum(C, mask, *dims, 1) : NULL;
  return nx_mul(C, mask, nx_div(C, nx_spread(C, x, dims, g), count));
}


/*
** Layouts.
*/
int nx_layout_of (nx_ctx *C, nx_tensor *x, const unsigned char *mark,
                  nx_layout *l) {
  l->x = nx_is_dense(x) ? x : nx_view_sorted(C, x, l->order);
  if (l->x == NULL) return nx_status(C);
  if (l->x == x || !nx_is_dense(l->x)) {
    l->x = nx_dense(C, x);
    for (int d = 0; d < x->ndim; d++) l->order[d] = d;
  }
  l->straight = 1;
  for (int d = 0, last = -1; d < x->ndim; d++) {
    l->mark[d] = mark[l->order[d]];
    if (l->mark[d]) continue;
    if (l->order[d] < last) l->straight = 0;
    last = l->order[d];
  }
  return nx_status(C);
}


nx_tensor *nx_layout_out (nx_ctx *C, const nx_layout *l, nx_tensor *y) {
  int64_t shape[NEAP_MAXDIM];
  int n = 0;
  if (l->straight) return y;
  for (int d = 0; d < l->x->ndim; d++)
    if (!l->mark[d]) shape[n++] = l->x->shape[d];
  return nx_new(C, y->dtype, n, shape);
}


int nx_layout_back (nx_ctx *C, const nx_layout *l, nx_tensor *from,
                    nx_tensor *y) {
  int64_t stride[NEAP_MAXDIM], step = 1;
  int at[NEAP_MAXDIM], n = 0;
  nx_tensor *v;
  if (from == y) return nx_status(C);
  v = nx_alias(C, y);                  /* y's dimensions in from's order */
  if (v == NULL) return nx_status(C);
  for (int d = 0; d < l->x->ndim; d++) at[l->order[d]] = d;
  for (int d = l->x->ndim - 1; d >= 0; d--)      /* y is in row order */
    if (!l->mark[at[d]]) {
      stride[d] = step;
      step *= l->x->shape[at[d]];
    }
  for (int d = 0; d < l->x->ndim; d++)
    if (!l->mark[d]) {
      v->shape[n] = l->x->shape[d];
      v->stride[n++] = stride[l->order[d]];
    }
  v->ndim = (unsigned char)n;
  return nx_copy(C, v, from);
}


/*
** A group of dimensions in the middle of others: outer x rows x inner.
*/
typedef struct group {
  nx_ctx *C;
  const nx_reducer *r;
  const char *x;
  char *y;
  int64_t outer, rows, inner, size;
  int64_t per, chunks, strips;         /* rows of a piece, how they are cut */
} group;

#define PIECE ((int64_t)65536)         /* elements of a piece */
#define STRIP 256                      /* columns: levels stay in cache */
#define BATCH 64                       /* rows joined one after the other */
#define LEVELS 26
#define NARROW 16                      /* columns that are turned into rows */
#define TURNED 256                     /* rows that are turned at a time */


/*
** Rows are cut in pieces where they are few and long: y is then outer x
** chunks.
*/
static void fold_piece (void *arg, int64_t first, int64_t last) {
  const group *g = arg;
  for (int64_t i = first; i < last; i++) {
    int64_t from = i % g->chunks * g->per, n = g->rows - from;
    const char *row = g->x + (i / g->chunks * g->rows + from) * g->size;
    g->r->fold((size_t)(n < g->per ? n : g->per), row, g->y + i * g->size);
  }
}


static void join (const group *g, char *y, const char *x, int64_t n) {
  void *p[3];
  p[0] = p[1] = y;
  p[2] = (void *)(uintptr_t)x;
  g->r->join((size_t)n, p, 0, NULL);
}

/*
** Rows are joined in batches, batches in pairs, pairs of pairs and so on,
** so that the errors of sums stay small. Level k holds 2^k batches.
*/
static void join_strip (const group *g, const char *x, int64_t rows,
                        int64_t n, char *y) {
  double level[LEVELS][STRIP];
  int64_t apart = g->inner * g->size;
  uint64_t full = 0;
  int first = 1;
  for (int64_t i = 0; i < rows; i += BATCH) {
    int64_t m = rows - i < BATCH ? rows - i : BATCH;
    const char *row = x + i * apart;
    char *sum;
    int k = 0;
    while (full >> k & 1) k++;
    sum = (char *)level[k];
    memcpy(sum, row, (size_t)(n * g->size));
    for (int64_t j = 1; j < m; j++) join(g, sum, row + j * apart, n);
    for (int j = 0; j < k; j++) join(g, sum, (char *)level[j], n);
    full = ((full >> k) | 1) << k;
  }
  for (int k = 0; full >> k; k++) {
    if (!(full >> k & 1)) continue;
    if (first) memcpy(y, level[k], (size_t)(n * g->size));
    else join(g, y, (char *)level[k], n);
    first = 0;
  }
}


/*
** Few columns: turned into rows, some rows at a time.
*/
static void join_narrow (const group *g, const char *x, int64_t rows,
                         char *y) {
  double turned[NARROW][TURNED], part[NARROW];
  for (int64_t i = 0; i < rows; i += TURNED) {
    int64_t m = rows - i < TURNED ? rows - i : TURNED;
    for (int64_t r = 0; r < m; r++)
      for (int64_t c = 0; c < g->inner; c++)
        memcpy((char *)turned[c] + r * g->size,
               x + ((i + r) * g->inner + c) * g->size, (size_t)g->size);
    for (int64_t c = 0; c < g->inner; c++)
      g->r->fold((size_t)m, turned[c], i == 0 ? y + c * g->size
                                              : (char *)part + c * g->size);
    if (i > 0) join(g, y, (char *)part, g->inner);
  }
}


static void join_piece (void *arg, int64_t first, int64_t last) {
  const group *g = arg;
  for (int64_t i = first; i < last; i++) {
    int64_t strip = i % g->strips, k = i / g->strips;   /* outer and chunk */
    int64_t from = k % g->chunks * g->per, rows = g->rows - from;
    int64_t col = strip * STRIP, n = g->inner - col;
    const char *x = g->x + ((k / g->chunks * g->rows + from) * g->inner +
                            col) * g->size;
    char *y = g->y + (k * g->inner + col) * g->size;
    if (rows > g->per) rows = g->per;
    if (g->inner <= NARROW && rows > NARROW) join_narrow(g, x, rows, y);
    else join_strip(g, x, rows, n < STRIP ? n : STRIP, y);
  }
}


/*
** One group; the parts of rows that were cut are joined in a second round.
*/
static int reduce_group (group *g) {
  int64_t width = g->inner < STRIP ? g->inner : STRIP, pieces;
  char *y = g->y, *parts = NULL;
  size_t bytes = 0;
  g->per = g->rows;
  if (g->rows * width > 2 * PIECE && g->outer * g->inner < 16 * STRIP)
    g->per = (PIECE / width + BATCH) / BATCH * BATCH;
  g->chunks = (g->rows + g->per - 1) / g->per;
  g->strips = (g->inner + STRIP - 1) / STRIP;
  if (g->chunks > 1) {
    bytes = (size_t)(g->outer * g->chunks * g->inner * g->size);
    g->y = parts = nx_alloc(g->C, bytes);
    if (parts == NULL) return nx_status(g->C);
  }
  pieces = g->outer * g->chunks * (g->inner == 1 ? 1 : g->strips);
  nx_pieces(g->C, pieces, g->per * width,
            g->inner == 1 ? fold_piece : join_piece, g);
  if (parts) {
    group again = *g;
    again.x = parts;
    again.y = y;
    again.rows = g->chunks;
    reduce_group(&again);
    nx_free(g->C, parts, bytes);
  }
  return nx_status(g->C);
}


/*
** Sizes of the groups of a dense tensor: reduced ones have odd numbers (an
** empty group has size 1).
*/
static int groups_of (const nx_layout *l, int64_t *size) {
  int n = 0;
  size[0] = 1;
  for (int d = 0; d < l->x->ndim; d++) {
    if (l->x->shape[d] == 1) continue;
    if (n % 2 != l->mark[d]) size[++n] = 1;
    size[n] *= l->x->shape[d];
  }
  return n;
}


static int fill_nothing (nx_ctx *C, const nx_reducer *r, nx_tensor *y) {
  nx_tensor *v = nx_from_number(C, r->nothing);
  return v ? nx_copy(C, y, v) : nx_status(C);
}


/*
** Reduced groups go from the last to the first.
*/
static int reduce_groups (nx_ctx *C, const nx_reducer *r,
                          const nx_layout *l, nx_tensor *y) {
  int64_t size[NEAP_MAXDIM + 1];
  int n = groups_of(l, size);
  nx_tensor *x = l->x;
  if (n == 0) {                        /* a single element */
    x = nx_view_shape(C, x, y->ndim, y->shape);
    return x ? nx_copy(C, y, x) : nx_status(C);
  }
  for (int i = n % 2 ? n : n - 1; i > 0; i -= 2) {
    group g = {C, r, x->data, NULL, 1, size[i], 1, 0, 0, 0, 0};
    nx_tensor *to = y;
    for (int k = 0; k < i; k++) g.outer *= size[k];
    for (int k = i + 1; k <= n; k++) g.inner *= size[k];
    if (i > 1) to = nx_new(C, x->dtype, 1, &(int64_t){g.outer * g.inner});
    if (to == NULL) return nx_status(C);
    g.size = (int64_t)nx_dtype_size(x->dtype);
    g.y = to->data;
    if (reduce_group(&g)) return nx_status(C);
    size[i] = 1;
    x = to;
  }
  return nx_status(C);
}


int nx_reduce (nx_ctx *C, const nx_reducer *r, nx_tensor *x,
               const unsigned char *mark, nx_tensor *y) {
  nx_layout l;
  nx_tensor *to;
  if (nx_status(C)) return nx_status(C);
  if (r->fold == NULL || r->join == NULL)
    return nx_fail(C, NEAP_EDTYPE, "%s cannot be reduced in this way",
                   nx_dtype_name(x->dtype));
  if (x->len == 0) return fill_nothing(C, r, y);
  if (nx_layout_of(C, x, mark, &l)) return nx_status(C);
  to = nx_layout_out(C, &l, y);
  if (to == NULL || reduce_groups(C, r, &l, to)) return nx_status(C);
  return nx_layout_back(C, &l, to, y);
}


/*
** Rows as they are needed by functions of whole rows: reduced dimensions
** last, in row order.
*/
static nx_tensor *kept_first (nx_ctx *C, nx_tensor *x,
                              const unsigned char *mark) {
  nx_tensor *v = nx_alias(C, x);
  int k = 0;
  if (v == NULL) return NULL;
  for (int pass = 0; pass < 2; pass++)
    for (int d = 0; d < x->ndim; d++)
      if (mark[d] == pass) {
        v->shape[k] = x->shape[d];
        v->stride[k++] = x->stride[d];
      }
  return nx_dense(C, v);
}

typedef struct row_job {
  nx_each_row_fn *f;
  const void *arg;
  const char *x;
  int64_t cols, size;
} row_job;

static void row_piece (void *arg, int64_t first, int64_t last) {
  const row_job *j = arg;
  for (int64_t i = first; i < last; i++)
    j->f(j->arg, i, (size_t)j->cols, j->x + i * j->cols * j->size);
}

int nx_each_row (nx_ctx *C, nx_tensor *x, const unsigned char *mark,
                 nx_each_row_fn *f, const void *arg) {
  int64_t rows = 1;
  row_job j;
  for (int d = 0; d < x->ndim; d++) if (!mark[d]) rows *= x->shape[d];
  if (rows == 0) return 0;
  j.f = f;
  j.arg = arg;
  j.cols = x->len / rows;
  x = kept_first(C, x, mark);
  if (x == NULL) return nx_status(C);
  j.x = x->data;
  j.size = (int64_t)nx_dtype_size(x->dtype);
  nx_pieces(C, rows, j.cols, row_piece, &j);
  return 0;
}
