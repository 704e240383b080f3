/*
** Rows of a table by number: embedding, and bags of them added up.
**
** The gradient of the table is zeros with the rows of gy added in the order
** of their numbers; with 'sparse' only the rows that are there, so that a
** step on a large table touches nothing else.
*/
#include <math.h>
#include <string.h>
#include "ops.h"
#include "op/embedding.h"
#include "op/fold.h"
#include "op/index.h"

typedef struct embedding_args {
  int64_t padding_idx;         /* NX_UNSET_INT: none */
  int scale_grad_by_freq, sparse;
  int64_t base;
} embedding_args;

static const nx_field embedding_fields[] = {
  NX_INDEX(embedding_args, padding_idx, NX_UNSET,
           "the row whose gradient is 0; none: all have one"),
  NX_BOOL(embedding_args, scale_grad_by_freq, 0,
          "divide the gradient of a row by how often x has it"),
  NX_BOOL(embedding_args, sparse, 0,
          "the gradient of weight holds the rows in x only"),
  NX_BASE(embedding_args, base),
  NX_END
};

int nx_want_table (nx_ctx *C, const nx_node *n, int i) {
  const nx_tensor *w = n->in[i];
  char text[NX_SHAPE_TEXT];
  if (nx_want_float(C, n, i)) return nx_status(C);
  if (w->ndim == 2) return 0;
  return nx_op_fail(C, n, NEAP_ESHAPE, "weight is %s, expected (embeddings, "
                    "size)", nx_shape_of(w, text));
}


int nx_padding (nx_ctx *C, const nx_node *n, int64_t given, int64_t rows,
                int64_t *row) {
  *row = -1;
  if (given == NX_UNSET_INT) return 0;
  *row = given < 0 ? given + rows : given;
  if (*row >= 0 && *row < rows) return 0;
  return nx_op_fail(C, n, NEAP_EINDEX, "padding_idx: position %lld is outside "
                    "the %lld embeddings",
                    (long long)(given < 0 ? given : given + C->base),
                    (long long)rows);
}


static int embedding_shape (nx_ctx *C, nx_node *n) {
  const nx_tensor *x = n->in[0], *w = n->in[1];
  const embedding_args *a = n->a;
  int64_t shape[NEAP_MAXDIM], padding;
  if (nx_want_whole(C, n, 0) || nx_want_table(C, n, 1) ||
      nx_padding(C, n, a->padding_idx, w->shape[0], &padding))
    return nx_status(C);
  if (a->sparse && a->scale_grad_by_freq)
    return nx_op_fail(C, n, NEAP_EARG, "sparse does not go with "
                      "scale_grad_by_freq");
  if (x->ndim == NEAP_MAXDIM)
    return nx_op_fail(C, n, NEAP_ESHAPE, "x has %d dimensions already",
                      x->ndim);
  memcpy(shape, x->shape, sizeof(shape));
  shape[x->ndim] = w->shape[1];
  nx_out(C, n, 0, w->dtype, x->ndim + 1, shape);
  return nx_status(C);
}


typedef struct rows {
  const char *w;
  char *y;
  const int64_t *at;
  int64_t row;                 /* bytes */
} rows;

static void copy_rows (void *arg, int64_t first, int64_t last) {
  const rows *r = arg;
  for (int64_t i = first; i < last; i++)
    memcpy(r->y + i * r->row, r->w + r->at[i] * r->row, (size_t)r->row);
}

/* y[i] = w[x[i]] */
static int embedding_forward (nx_ctx *C, nx_node *n) {
  const embedding_args *a = n->a;
  nx_tensor *w = nx_dense(C, n->in[1]), *at;
  rows r;
  if (w == NULL) return nx_status(C);
  at = nx_labels(C, n, 0, w->shape[0], a->base, "embeddings");
  if (at == NULL) return nx_status(C);
  r.w = w->data;
  r.y = n->out[0]->data;
  r.at = (const int64_t *)at->data;
  r.row = w->shape[1] * (int64_t)nx_dtype_size(w->dtype);
  nx_pieces(C, at->len, w->shape[1], copy_rows, &r);
  return 0;
}

/* gw: the rows of gy added where they came from */
static int embedding_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                           nx_tensor **gx) {
  if (!n->wants[1]) return 0;
  gx[1] = nx_embedding_rows(C, n->in[0], gy[0], n->in[1]->shape[0],
                            n->a);
  return nx_status(C);
}

static int embedding_row_grad (nx_ctx *C, nx_node *n, nx_tensor *gy,
                               nx_rows *r) {
  const embedding_args *a = n->a;
  int64_t rows = n->in[1]->shape[0], padding;
  nx_tensor *at;
  if (!a->sparse) return 0;
  at = nx_labels(C, n, 0, rows, a->base, "embeddings");
  if (at == NULL || nx_padding(C, n, a->padding_idx, rows, &padding))
    return nx_status(C);
  return nx_rows_sum(C, at, gy, padding, r);
}

const nx_op nx_op_embedding = {
  .name = "embedding",
  .doc = "The rows of weight whose numbers x holds.",
  .inputs = "x weight", .outputs = "y", .fields = embedding_fields,
  .argsize = sizeof(embedding_args), .saves = "x",
  .cuts = "y0 x0, y1 x1", .shape = embedding_shape,
  .forward = embedding_forward,
  .grad = NX_LEARN(embedding_grad), .rows = embedding_row_grad, .table = 1
};

OPFN nx_tensor *nx_embedding (nx_ctx *C, nx_tensor *x, nx_tensor *weight,
                              int64_t padding_idx, int scale_grad_by_freq,
                              int sparse) {
  embedding_args a = {padding_idx, scale_grad_by_freq, sparse, C->base};
  return nx_apply(C, &nx_op_embedding, &a, 2, (nx_tensor *[]){x, weight});
}


/*
** embedding_rows: a table of zeros with rows added at their numbers; the
** gradient of embedding, whose gradient it is in turn.
*/
typedef struct embedding_rows_args {
  embedding_args e;
  int64_t embeddings;
} embedding_rows_args;

static const nx_field embedding_rows_fields[] = {
  {"padding_idx", NX_KIND_INDEX, offsetof(embedding_rows_args, e.padding_idx),
   NX_UNSET, NULL, "row that stays 0"},
  {"scale_grad_by_freq", NX_KIND_BOOL,
   offsetof(embedding_rows_args, e.scale_grad_by_freq), 0, NULL,
   "divide by how often a row is met"},
  {"base", NX_KIND_BASE, offsetof(embedding_rows_args, e.base), 0, NULL,
   "what x counts from"},
  NX_INT(embedding_rows_args, embeddings, NX_REQUIRED, "rows of the table"),
  NX_END
};

static int embedding_rows_shape (nx_ctx *C, nx_node *n) {
  const embedding_rows_args *a = n->a;
  const nx_tensor *g = n->in[1];
  int64_t shape[2];
  shape[0] = a->embeddings;
  shape[1] = g->shape[g->ndim - 1];
  nx_out(C, n, 0, g->dtype, 2, shape);
  return nx_status(C);
}

typedef struct adding {
  const int64_t *at;
  int64_t n, rows, size, width, padding;
  const char *g;
  char *y;
  nx_map_fn *add;
} adding;

#define RANGES 8               /* of rows: by size, never by threads */

/* ranges of the table: each looks for its rows, so that no two meet */
static void add_range (void *arg, int64_t first, int64_t last) {
  const adding *a = arg;
  for (int64_t r = first; r < last; r++) {
    int64_t from = a->rows * r / RANGES, to = a->rows * (r + 1) / RANGES;
    memset(a->y + from * a->width, 0, (size_t)((to - from) * a->width));
    for (int64_t i = 0; i < a->n; i++) {
      int64_t at = a->at[i];
      void *p[3];
      if (at < from || at >= to || at == a->padding) continue;
      p[0] = p[1] = a->y + at * a->width;
      p[2] = (void *)(uintptr_t)(a->g + i * a->width);
      a->add((size_t)a->size, p, 0, NULL);
    }
  }
}

/* 1 / how often each row is met; rows that are not: 1 */
static nx_tensor *shares (nx_ctx *C, int dtype, const nx_tensor *at,
                          int64_t rows) {
  int64_t shape[2] = {0, 1};
  nx_tensor *count;
  shape[0] = rows;
  count = nx_zeros(C, NEAP_F64, 2, shape);
  if (count == NULL) return NULL;
  for (int64_t i = 0; i < at->len; i++)
    ((double *)(void *)count->data)[((int64_t *)(void *)at->data)[i]]++;
  for (int64_t i = 0; i < rows; i++) {
    double *c = (double *)(void *)count->data + i;
    *c = *c > 0 ? 1 / *c : 1;
  }
  return nx_typed(C, count, dtype);
}

static int embedding_rows_forward (nx_ctx *C, nx_node *n) {
  const embedding_rows_args *args = n->a;
  nx_tensor *at = nx_labels(C, n, 0, args->embeddings, args->e.base,
                            "embeddings");
  nx_tensor *g = nx_dense(C, n->in[1]), *y = n->out[0], *in[2];
  adding a;
  if (at == NULL || g == NULL ||
      nx_padding(C, n, args->e.padding_idx, args->embeddings, &a.padding))
    return nx_status(C);
  a.at = (const int64_t *)(void *)at->data;
  a.n = at->len;
  a.rows = args->embeddings;
  a.size = y->shape[1];
  a.width = a.size * (int64_t)nx_dtype_size(y->dtype);
  a.g = g->data;
  a.y = y->data;
  a.add = nx_summing(C, y->dtype);
  nx_pieces(C, RANGES, a.rows * a.size / RANGES + a.n * a.size / RANGES + 1,
            add_range, &a);
  if (!args->e.scale_grad_by_freq) return 0;
  in[0] = y;
  in[1] = shares(C, y->dtype, at, a.rows);
  if (in[1] == NULL) return nx_status(C);
  return nx_map(C, nx_kernels_for(C, y->dtype)->mul, NULL, y, 2, in);
}

/* g with zeros in a row */
static nx_tensor *without_row (nx_ctx *C, nx_tensor *g, int64_t row) {
  int64_t one = 1;
  nx_tensor *at = nx_new(C, NEAP_I64, 1, &one);
  if (at == NULL) return NULL;
  *(int64_t *)(void *)at->data = row;
  return nx_sub(C, g, nx_index_add(C, nx_zeros(C, g->dtype, 2, g->shape), 0,
                                   at, nx_index_select(C, g, 0, at, 0), 0));
}

/* gg = the rows of gy at the numbers, 0 at the padding's */
static int embedding_rows_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                                nx_tensor **gx) {
  const embedding_rows_args *a = n->a;
  embedding_args plain = {NX_UNSET_INT, 0, 0, a->e.base};
  nx_tensor *in[2], *at;
  int64_t padding;
  if (!n->wants[1] || nx_padding(C, n, a->e.padding_idx, a->embeddings,
                                 &padding)) return nx_status(C);
  in[0] = n->in[0];
  in[1] = padding < 0 ? gy[0] : without_row(C, gy[0], padding);
  if (a->e.scale_grad_by_freq) {
    at = nx_labels(C, n, 0, a->embeddings, a->e.base, "embeddings");
    if (at == NULL) return nx_status(C);
    in[1] = nx_mul(C, in[1], shares(C, gy[0]->dtype, at, a->embeddings));
  }
  gx[1] = nx_apply(C, &nx_op_embedding, &plain, 2, in);
  return nx_status(C);
}

const nx_op nx_op_embedding_rows = {
  .name = "embedding_rows",
  .doc = "A table of zeros with rows added at their numbers.",
  .inputs = "x rows", .outputs = "y", .fields = embedding_rows_fields,
  .argsize = sizeof(embedding_rows_args), .saves = "x", .flags = NX_INNER,
  .shape = embedding_rows_shape, .forward = embedding_rows_forward,
  .grad = NX_LEARN(embedding_rows_grad)
};

OPFN nx_tensor *nx_embedding_rows (nx_ctx *C, nx_tensor *x, nx_tensor *rows,
                                   int64_t embeddings, const void *args) {
  embedding_rows_args a = {*(const embedding_args *)args, embeddings};
  return nx_apply(C, &nx_op_embedding_rows, &a, 2,
                  (nx_tensor *[]){x, rows});
}


/*
** embedding_renorm: rows that x names and whose p-norm is above max_norm
** are scaled down to it.
*/
typedef struct renorm_args {
  double max_norm, norm_type;
  int64_t base;
} renorm_args;

static const nx_field renorm_fields[] = {
  NX_NUMBER(renorm_args, max_norm, NX_REQUIRED, "largest norm of a row"),
  NX_NUMBER(renorm_args, norm_type, 2, "p of the p-norm"),
  NX_BASE(renorm_args, base),
  NX_END
};

static int embedding_renorm_shape (nx_ctx *C, nx_node *n) {
  const renorm_args *a = n->a;
  if (nx_want_table(C, n, 0) || nx_want_whole(C, n, 1))
    return nx_status(C);
  if (!(a->max_norm >= 0) || !(a->norm_type > 0))
    return nx_op_fail(C, n, NEAP_EARG, "max_norm is %g and norm_type %g, "
                      "expected 0 or more and above 0", a->max_norm,
                      a->norm_type);
  nx_out_like(C, n, 0, n->in[0]);
  return nx_status(C);
}

/* the p-norm of a row whose elements are 'step' bytes apart */
static double row_norm (const nx_tensor *t, const char *row, int64_t step,
                        double p) {
  double sum = 0;
  for (int64_t i = 0; i < t->shape[1]; i++) {
    double size = fabs(nx_get_number(t, row + i * step));
    if (isinf(p)) sum = size > sum ? size : sum;
    else sum += pow(size, p);
  }
  return isinf(p) ? sum : pow(sum, 1 / p);
}

static void renorm_row (nx_tensor *t, char *row, const renorm_args *a) {
  int64_t step = t->stride[1] * (int64_t)nx_dtype_size(t->dtype);
  double norm = row_norm(t, row, step, a->norm_type), scale;
  if (!(norm > a->max_norm)) return;
  scale = a->max_norm / (norm + 1e-7);           /* as PyTorch has it */
  for (int64_t i = 0; i < t->shape[1]; i++)
    nx_put_number(t, row + i * step,
                  nx_get_number(t, row + i * step) * scale);
}

static int embedding_renorm_forward (nx_ctx *C, nx_node *n) {
  const renorm_args *a = n->a;
  nx_tensor *y = n->out[0], *at;
  int64_t row = y->stride[0] * (int64_t)nx_dtype_size(y->dtype);
  at = nx_labels(C, n, 1, y->shape[0], a->base, "embeddings");
  if (at == NULL) return nx_status(C);
  if (!n->inplace && nx_copy(C, y, n->in[0])) return nx_status(C);
  for (int64_t i = 0; i < at->len; i++)
    renorm_row(y, y->data + ((int64_t *)(void *)at->data)[i] * row, a);
  return 0;
}

const nx_op nx_op_embedding_renorm = {
  .name = "embedding_renorm",
  .doc = "weight, where rows that x names have a p-norm of at most max_norm.",
  .inputs = "weight x", .outputs = "y", .fields = renorm_fields,
  .argsize = sizeof(renorm_args), .flags = NX_NOGRAD | NX_INPLACE,
  .shape = embedding_renorm_shape, .forward = embedding_renorm_forward
};

OPFN int nx_embedding_renorm (nx_ctx *C, nx_tensor *weight, nx_tensor *x,
                              double max_norm, double norm_type) {
  renorm_args a = {max_norm, norm_type, C->base};
  nx_tensor *y;
  int recording = C->recording;
  C->recording = 0;
  nx_apply_all(C, &nx_op_embedding_renorm, &a, 2,
               (nx_tensor *[]){weight, x}, NX_IN_PLACE, 1, &y);
  C->recording = recording;
  return nx_status(C);
}
