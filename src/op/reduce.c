/*
** Sums and means over dimensions.
**
** Kept dimensions are brought to the front and reduced ones to the back;
** where kept ones are contiguous instead (a sum over rows), rows are added
** up without a copy.
*/
#include <string.h>
#include "ops.h"
#include "op/broadcast.h"
#include "tensor/view.h"

typedef struct reduce_args { nx_ints dim; int keepdim; } reduce_args;

static const nx_field reduce_fields[] = {
  NX_DIMS(reduce_args, dim, NX_UNSET, "dimensions to reduce; none: all"),
  NX_BOOL(reduce_args, keepdim, 0, "keep reduced dimensions with size 1"),
  NX_END
};


/*
** Marks the reduced dimensions, made positive; fails on repeated ones.
*/
static int reduced (nx_ctx *C, const nx_node *n, nx_ints *dims,
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


static int reduce_shape (nx_ctx *C, nx_node *n) {
  reduce_args *a = n->a;
  nx_tensor *x = n->in[0];
  unsigned char mark[NEAP_MAXDIM];
  int64_t shape[NEAP_MAXDIM];
  int ndim = 0, dtype = x->dtype;
  if (reduced(C, n, &a->dim, mark)) return nx_status(C);
  for (int d = 0; d < x->ndim; d++)
    if (!mark[d]) shape[ndim++] = x->shape[d];
    else if (a->keepdim) shape[ndim++] = 1;
  if (nx_is_whole(dtype)) dtype = NEAP_I64;
  nx_out(C, n, 0, dtype, ndim, shape);
  return nx_status(C);
}


/* rows of a matrix to one element each */
typedef struct fold_task {
  const nx_kernels *K;
  const char *x;
  char *y;
  int64_t rows, cols, size;
} fold_task;

static void fold_rows (void *arg, int64_t first, int64_t last) {
  fold_task *t = arg;
  for (int64_t i = first; i < last; i++)
    t->K->sum((size_t)t->cols, t->x + i * t->cols * t->size,
              t->y + i * t->size);
}


/*
** One long row: pieces of fixed length, then the pieces' sums.
*/
static int fold_one (nx_ctx *C, const nx_kernels *K, const nx_tensor *x,
                     char *y) {
  int64_t size = (int64_t)nx_dtype_size(x->dtype), n = x->len / NX_GRAIN;
  nx_tensor *parts;
  fold_task t;
  if (n < 2) {
    K->sum((size_t)x->len, x->data, y);
    return 0;
  }
  parts = nx_new(C, x->dtype, 1, &(int64_t){n + 1});
  if (parts == NULL) return nx_status(C);
  t.K = K;
  t.x = x->data;
  t.y = parts->data;
  t.cols = NX_GRAIN;
  t.size = size;
  nx_pieces(C, n, NX_GRAIN, fold_rows, &t);
  K->sum((size_t)(x->len - n * NX_GRAIN), x->data + n * NX_GRAIN * size,
         parts->data + n * size);
  K->sum((size_t)(n + 1), parts->data, y);
  return 0;
}


/*
** y[j] = sum over i of x[i][j]: rows are added in groups, groups in pairs,
** so that errors stay small; columns are cut over threads.
*/
typedef struct column_task {
  const nx_kernels *K;
  const char *x;
  char *y;
  int64_t rows, cols, size;
} column_task;

#define GROUP 64               /* rows added one after the other */
#define STRIP 512              /* columns at a time: levels stay in cache */
#define LEVELS 40

static void add_row (const column_task *t, char *y, const char *x,
                     int64_t n) {
  void *p[3];
  p[0] = p[1] = y;
  p[2] = (void *)(uintptr_t)x;
  t->K->add((size_t)n, p, 0, NULL);
}

static void sum_strip (const column_task *t, int64_t col, int64_t n) {
  double level[LEVELS][STRIP];         /* sums of 2^k groups */
  uint64_t full = 0;
  int top = 0;
  for (int64_t i = 0; i < t->rows; i += GROUP) {
    int64_t rows = t->rows - i < GROUP ? t->rows - i : GROUP;
    const char *x = t->x + (i * t->cols + col) * t->size;
    char *sum;
    int k = 0;
    while (full >> k & 1) k++;
    sum = (char *)level[k];
    memcpy(sum, x, (size_t)(n * t->size));
    for (int64_t r = 1; r < rows; r++)
      add_row(t, sum, x + r * t->cols * t->size, n);
    for (int j = 0; j < k; j++) add_row(t, sum, (char *)level[j], n);
    full = ((full >> k) | 1) << k;
    if (k > top) top = k;
  }
  memset(t->y + col * t->size, 0, (size_t)(n * t->size));
  for (int k = 0; k <= top; k++)
    if (full >> k & 1) add_row(t, t->y + col * t->size, (char *)level[k], n);
}

static void sum_columns (void *arg, int64_t first, int64_t last) {
  const column_task *t = arg;
  for (int64_t s = first; s < last; s++) {
    int64_t col = s * STRIP, n = t->cols - col;
    sum_strip(t, col, n < STRIP ? n : STRIP);
  }
}


/*
** x as a matrix of rows to be summed and columns that stay (or NULL).
*/
static int leading_only (const nx_tensor *x, const unsigned char *mark,
                         int64_t *rows) {
  int d = 0;
  *rows = 1;
  while (d < x->ndim && mark[d]) *rows *= x->shape[d++];
  if (d == 0) return 0;
  for (; d < x->ndim; d++) if (mark[d]) return 0;
  return nx_is_dense(x);
}


/* dimensions that stay first, reduced ones last, in row order */
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


static int sum_into (nx_ctx *C, nx_tensor *x, const unsigned char *mark,
                     nx_tensor *y) {
  const nx_kernels *K;
  int64_t rows, size;
  if (nx_is_whole(x->dtype)) x = nx_typed(C, x, y->dtype);
  if (x == NULL) return nx_status(C);
  K = nx_kernels_for(C, x->dtype);
  size = (int64_t)nx_dtype_size(x->dtype);
  if (x->len == 0) {
    memset(y->data, 0, (size_t)(y->len * size));
    return 0;
  }
  if (y->len > 1 && leading_only(x, mark, &rows)) {
    column_task t = {K, x->data, y->data, rows, y->len, size};
    nx_pieces(C, (y->len + STRIP - 1) / STRIP, rows * STRIP, sum_columns, &t);
    return 0;
  }
  x = kept_first(C, x, mark);
  if (x == NULL) return nx_status(C);
  if (y->len == 1) return fold_one(C, K, x, y->data);
  {
    fold_task t = {K, x->data, y->data, y->len, x->len / y->len, size};
    nx_pieces(C, t.rows, t.cols, fold_rows, &t);
  }
  return nx_status(C);
}


static void mark_of (const reduce_args *a, unsigned char *mark) {
  memset(mark, a->dim.n < 0, NEAP_MAXDIM);
  for (int i = 0; i < a->dim.n; i++) mark[a->dim.v[i]] = 1;
}

static int sum_forward (nx_ctx *C, nx_node *n) {
  unsigned char mark[NEAP_MAXDIM];
  mark_of(n->a, mark);
  return sum_into(C, n->in[0], mark, n->out[0]);
}


/*
** A gradient of the result, seen in the shape of x.
*/
static nx_tensor *spread (nx_ctx *C, nx_node *n, nx_tensor *gy) {
  const nx_tensor *x = n->in[0];
  unsigned char mark[NEAP_MAXDIM];
  int64_t shape[NEAP_MAXDIM];
  mark_of(n->a, mark);
  for (int d = 0; d < x->ndim; d++) shape[d] = mark[d] ? 1 : x->shape[d];
  return nx_expand(C, nx_reshape(C, gy, x->ndim, shape), x->ndim, x->shape);
}

/* gx = gy, repeated */
static int sum_grad (nx_ctx *C, nx_node *n, nx_tensor **gy, nx_tensor **gx) {
  gx[0] = spread(C, n, gy[0]);
  return nx_status(C);
}

const nx_op nx_op_sum = {
  .name = "sum",
  .doc = "Sum over dimensions; of integers as int64.",
  .inputs = "x", .outputs = "y", .fields = reduce_fields,
  .argsize = sizeof(reduce_args),
  .shape = reduce_shape, .forward = sum_forward, .grad = sum_grad
};

OPFN nx_tensor *nx_sum (nx_ctx *C, nx_tensor *x, nx_ints dims, int keepdim) {
  reduce_args a = {dims, keepdim};
  return nx_apply(C, &nx_op_sum, &a, 1, &x);
}

OPFN nx_tensor *nx_sum_all (nx_ctx *C, nx_tensor *x) {
  reduce_args a = {{-1, {0}}, 0};
  return nx_apply(C, &nx_op_sum, &a, 1, &x);
}


static int mean_shape (nx_ctx *C, nx_node *n) {
  if (nx_want_float(C, n, 0)) return nx_status(C);
  return reduce_shape(C, n);
}

/* How many elements of x make one of y. */
static double share (const nx_tensor *x, const nx_tensor *y) {
  return y->len ? (double)x->len / (double)y->len : 0;
}

/* y = sum / count; of nothing NaN */
static int mean_forward (nx_ctx *C, nx_node *n) {
  double c[2] = {1 / share(n->in[0], n->out[0]), 0};
  nx_tensor *y = n->out[0];
  if (sum_forward(C, n)) return nx_status(C);
  if (n->in[0]->len == 0) c[1] = 0.0 / 0.0, c[0] = 0;
  return nx_map(C, nx_kernels_for(C, y->dtype)->scale, c, y, 1, &y);
}

/* gx = gy / count, repeated */
static int mean_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                      nx_tensor **gx) {
  double k = 1 / share(n->in[0], gy[0]);
  gx[0] = spread(C, n, nx_mul(C, gy[0], nx_from_number(C, k)));
  return nx_status(C);
}

const nx_op nx_op_mean = {
  .name = "mean",
  .doc = "Mean over dimensions.",
  .inputs = "x", .outputs = "y", .fields = reduce_fields,
  .argsize = sizeof(reduce_args),
  .shape = mean_shape, .forward = mean_forward, .grad = mean_grad
};

OPFN nx_tensor *nx_mean_all (nx_ctx *C, nx_tensor *x) {
  reduce_args a = {{-1, {0}}, 0};
  return nx_apply(C, &nx_op_mean, &a, 1, &x);
}
