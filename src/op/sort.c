/*
** Sorting along a dimension, and what takes some elements by their rank.
** NaN is largest; equal elements keep their order.
*/
#include <string.h>
#include "ops.h"
#include "op/broadcast.h"
#include "op/fold.h"
#include "tensor/order.h"
#include "tensor/view.h"

/* All operations here: some fields of this. */
typedef struct sort_args {
  int64_t k, dim;
  int descending, largest, sorted, stable, keepdim;
  int64_t base;
} sort_args;

static const nx_field sort_fields[] = {
  NX_DIM(sort_args, dim, -1, "dimension to sort along"),
  NX_BOOL(sort_args, descending, 0, "the largest first"),
  NX_BOOL(sort_args, stable, 1, "equal ones keep their order (always true)"),
  NX_BASE(sort_args, base),
  NX_END
};


/*
** Rows along a dimension, 'k' results of each: values and positions.
*/
typedef struct rank_job {
  const char *x;
  char *value;                 /* may be NULL, and so may 'at' */
  int64_t *at;
  int64_t n, k, size, base;
  int sorted;                  /* they are wanted in order */
  int64_t rank;                /* which one is wanted */
  int real;                    /* elements may be NaN */
} rank_job;

static void put_ranked (const rank_job *j, int64_t row, const nx_ranked *v) {
  const char *x = j->x + row * j->n * j->size;
  char *value = j->value + row * j->k * j->size;
  for (int64_t i = 0; j->value && i < j->k; i++)
    memcpy(value + i * j->size, x + v[i].at * j->size, (size_t)j->size);
  for (int64_t i = 0; j->at && i < j->k; i++)
    j->at[row * j->k + i] = v[i].at + j->base;
}

static void rank_row (const void *arg, int64_t row, nx_ranked *v,
                      nx_ranked *spare) {
  const rank_job *j = arg;
  if (j->sorted) nx_rank_smallest(v, (size_t)j->n, (size_t)j->k, spare);
  else nx_rank_select(v, (size_t)j->n, (size_t)j->k);
  put_ranked(j, row, v);
}


/*
** Results along 'dim' of x, from rows: values (or NULL) and positions.
*/
static int ranked_along (nx_ctx *C, nx_tensor *x, int64_t dim, int falling,
                         rank_job *j, nx_ranked_fn *f, nx_tensor *value,
                         nx_tensor *at) {
  nx_tensor *rows, *v = NULL, *i = NULL;
  int64_t shape[NEAP_MAXDIM];
  int last = x->ndim - 1;
  if (at->len == 0) return nx_status(C);
  rows = nx_rows_along(C, x, (int)dim);
  if (rows == NULL) return nx_status(C);
  j->n = x->ndim ? x->shape[dim] : 1;
  memcpy(shape, rows->shape, sizeof(shape));
  if (x->ndim) shape[last] = j->k;
  if (value) v = nx_new(C, x->dtype, x->ndim, shape);
  i = nx_new(C, NEAP_I64, x->ndim, shape);
  if (nx_status(C)) return nx_status(C);
  j->x = rows->data;
  j->value = v ? v->data : NULL;
  j->at = (int64_t *)i->data;
  j->size = (int64_t)nx_dtype_size(x->dtype);
  if (nx_each_ranked(C, rows, j->n, falling, f, j)) return nx_status(C);
  if (x->ndim) {
    if (v) v = nx_view_swap(C, v, (int)dim, last);
    i = nx_view_swap(C, i, (int)dim, last);
  }
  if (v) v = nx_view_shape(C, v, value->ndim, value->shape);
  i = i ? nx_view_shape(C, i, at->ndim, at->shape) : NULL;
  if (nx_status(C) || (value && nx_copy(C, value, v))) return nx_status(C);
  return nx_copy(C, at, i);
}


/* gx: each gy goes to the element that was taken */
static int taken_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                       nx_tensor **gx) {
  sort_args *a = n->a;
  nx_tensor *x = n->in[0], *g = gy[0], *at = n->out[1];
  if (x->ndim > 0 && at->ndim < x->ndim) {
    g = nx_unsqueeze(C, g, a->dim);
    at = nx_unsqueeze(C, at, a->dim);
  }
  gx[0] = x->ndim == 0 ? g
        : nx_scatter_add(C, nx_zeros(C, x->dtype, x->ndim, x->shape), a->dim,
                         at, g, a->base);
  return nx_status(C);
}


static int sort_shape (nx_ctx *C, nx_node *n) {
  sort_args *a = n->a;
  nx_tensor *x = n->in[0];
  int argsort = n->op == &nx_op_argsort;
  if (nx_dim(C, n->op->name, x, &a->dim)) return nx_status(C);
  if (!argsort) nx_out_like(C, n, 0, x);
  nx_out(C, n, !argsort, NEAP_I64, x->ndim, x->shape);
  return nx_status(C);
}

static int sort_forward (nx_ctx *C, nx_node *n) {
  sort_args *a = n->a;
  nx_tensor *x = n->in[0];
  rank_job j = {.k = x->ndim ? x->shape[a->dim] : 1, .base = a->base,
                .sorted = 1};
  return ranked_along(C, x, a->dim, a->descending, &j, rank_row,
                      n->nout > 1 ? n->out[0] : NULL, n->out[n->nout - 1]);
}

const nx_op nx_op_sort = {
  .name = "sort",
  .doc = "Elements along a dimension in rising order, and where they were.",
  .inputs = "x", .outputs = "values indices", .fields = sort_fields,
  .argsize = sizeof(sort_args), .saves = "indices",
  .shape = sort_shape, .forward = sort_forward, .grad = NX_LEARN(taken_grad)
};

/* only the values */
OPFN nx_tensor *nx_sort (nx_ctx *C, nx_tensor *x, int64_t dim) {
  sort_args a = {.dim = dim, .base = C->base};
  return nx_apply(C, &nx_op_sort, &a, 1, &x);
}

const nx_op nx_op_argsort = {
  .name = "argsort",
  .doc = "Positions of the elements along a dimension in rising order.",
  .inputs = "x", .outputs = "indices", .fields = sort_fields,
  .argsize = sizeof(sort_args), .flags = NX_NOGRAD,
  .shape = sort_shape, .forward = sort_forward
};


static const nx_field topk_fields[] = {
  NX_INT(sort_args, k, NX_REQUIRED, "how many"),
  NX_DIM(sort_args, dim, -1, "dimension to look along"),
  NX_BOOL(sort_args, largest, 1, "the largest; false: the smallest"),
  NX_BOOL(sort_args, sorted, 1, "in order"),
  NX_BASE(sort_args, base),
  NX_END
};

static int check_k (nx_ctx *C, const nx_node *n, int64_t least) {
  const sort_args *a = n->a;
  const nx_tensor *x = n->in[0];
  int64_t size = x->ndim ? x->shape[a->dim] : 1;
  char text[NX_SHAPE_TEXT];
  if (a->k >= least && a->k <= size) return 0;
  return nx_op_fail(C, n, NEAP_EARG, "k is %lld, but dimension %lld has %lld "
                    "elements (x is %s)", (long long)a->k,
                    (long long)a->dim + C->base, (long long)size,
                    nx_shape_of(x, text));
}

static int topk_shape (nx_ctx *C, nx_node *n) {
  sort_args *a = n->a;
  nx_tensor *x = n->in[0];
  int64_t shape[NEAP_MAXDIM];
  if (nx_dim(C, n->op->name, x, &a->dim) || check_k(C, n, 0))
    return nx_status(C);
  memcpy(shape, x->shape, sizeof(shape));
  if (x->ndim) shape[a->dim] = a->k;
  nx_out(C, n, 0, x->dtype, x->ndim, shape);
  nx_out(C, n, 1, NEAP_I64, x->ndim, shape);
  return nx_status(C);
}

static int topk_forward (nx_ctx *C, nx_node *n) {
  sort_args *a = n->a;
  rank_job j = {.k = n->in[0]->ndim ? a->k : 1, .base = a->base,
                .sorted = a->sorted};
  return ranked_along(C, n->in[0], a->dim, a->largest, &j, rank_row,
                      n->out[0], n->out[1]);
}

const nx_op nx_op_topk = {
  .name = "topk",
  .doc = "The k largest (or smallest) elements along a dimension, and where "
         "they were.",
  .inputs = "x", .outputs = "values indices", .fields = topk_fields,
  .argsize = sizeof(sort_args), .saves = "indices",
  .shape = topk_shape, .forward = topk_forward, .grad = NX_LEARN(taken_grad)
};


/*
** One element of each row: the k-th, the middle one, the most frequent.
*/
static int one_of_each (nx_ctx *C, nx_node *n) {
  sort_args *a = n->a;
  const nx_tensor *x = n->in[0];
  unsigned char mark[NEAP_MAXDIM] = {0};
  if (x->ndim && x->shape[a->dim] == 0) return nx_fail_empty(C, n);
  mark[a->dim] = 1;
  nx_reduced_out(C, n, 0, x->dtype, mark, a->keepdim);
  nx_reduced_out(C, n, 1, NEAP_I64, mark, a->keepdim);
  return nx_status(C);
}

static const nx_field kthvalue_fields[] = {
  NX_INT(sort_args, k, NX_REQUIRED, "1: the smallest"),
  NX_DIM(sort_args, dim, -1, "dimension to look along"),
  NX_BOOL(sort_args, keepdim, 0, "keep the dimension with size 1"),
  NX_BASE(sort_args, base),
  NX_END
};

static int kthvalue_shape (nx_ctx *C, nx_node *n) {
  sort_args *a = n->a;
  if (nx_dim(C, n->op->name, n->in[0], &a->dim) || check_k(C, n, 1))
    return nx_status(C);
  return one_of_each(C, n);
}

/* the k smallest are in front then, and the last of them is the one */
static void kth_row (const void *arg, int64_t row, nx_ranked *v,
                     nx_ranked *spare) {
  const rank_job *j = arg;
  size_t k = (size_t)j->rank, most = 0;
  (void)spare;
  nx_rank_select(v, (size_t)j->n, k);
  for (size_t i = 1; i < k; i++)
    if (v[i].key > v[most].key ||
        (v[i].key == v[most].key && v[i].at > v[most].at)) most = i;
  put_ranked(j, row, v + most);
}

static int kthvalue_forward (nx_ctx *C, nx_node *n) {
  sort_args *a = n->a;
  rank_job j = {.k = 1, .base = a->base, .rank = a->k};
  return ranked_along(C, n->in[0], a->dim, 0, &j, kth_row, n->out[0],
                      n->out[1]);
}

const nx_op nx_op_kthvalue = {
  .name = "kthvalue",
  .doc = "The k-th smallest element along a dimension, and where it was.",
  .inputs = "x", .outputs = "values indices", .fields = kthvalue_fields,
  .argsize = sizeof(sort_args), .saves = "indices",
  .shape = kthvalue_shape, .forward = kthvalue_forward,
  .grad = NX_LEARN(taken_grad)
};


static const nx_field median_fields[] = {
  NX_DIM(sort_args, dim, NX_UNSET, "dimension to look along; none: all"),
  NX_BOOL(sort_args, keepdim, 0, "keep the dimension with size 1"),
  NX_BASE(sort_args, base),
  NX_END
};

static const nx_field mode_fields[] = {
  NX_DIM(sort_args, dim, -1, "dimension to look along"),
  NX_BOOL(sort_args, keepdim, 0, "keep the dimension with size 1"),
  NX_BASE(sort_args, base),
  NX_END
};

static int median_shape (nx_ctx *C, nx_node *n) {
  sort_args *a = n->a;
  nx_tensor *x = n->in[0];
  if (a->dim == NX_UNSET_INT) {
    if (x->len == 0) return nx_fail_empty(C, n);
    nx_out(C, n, 0, x->dtype, 0, NULL);
    return nx_status(C);
  }
  if (nx_dim(C, n->op->name, x, &a->dim)) return nx_status(C);
  return one_of_each(C, n);
}

/* the lower of two middle ones; a NaN anywhere is the median */
static void median_row (const void *arg, int64_t row, nx_ranked *v,
                        nx_ranked *spare) {
  const rank_job *j = arg;
  int64_t middle = (j->n - 1) / 2;
  nx_rank_sort(v, (size_t)j->n, spare);
  if (j->real && v[j->n - 1].key == NX_KEY_NAN)
    for (middle = 0; v[middle].key != NX_KEY_NAN; ) middle++;
  put_ranked(j, row, v + middle);
}

/* over all elements x is seen as one row */
static int median_forward (nx_ctx *C, nx_node *n) {
  sort_args *a = n->a;
  nx_tensor *x = n->in[0], *at = n->nout > 1 ? n->out[1] : NULL;
  rank_job j = {.k = 1, .base = a->base, .real = nx_is_float(x->dtype)};
  if (at == NULL) {
    x = nx_reshape(C, x, 1, &x->len);
    at = nx_new(C, NEAP_I64, 0, NULL);
    if (nx_status(C)) return nx_status(C);
  }
  return ranked_along(C, x, n->nout > 1 ? a->dim : 0, 0, &j, median_row,
                      n->out[0], at);
}

static int median_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                        nx_tensor **gx) {
  nx_ints all = {-1, {0}};
  if (n->nout > 1) return taken_grad(C, n, gy, gx);
  gx[0] = nx_to_equal_ones(C, n->in[0], n->out[0], gy[0], &all);
  return nx_status(C);
}

static const char *median_saved (const nx_node *n) {
  return ((sort_args *)n->a)->dim == NX_UNSET_INT ? "x values" : "indices";
}

const nx_op nx_op_median = {
  .name = "median",
  .doc = "The middle element (of two the lower one), along a dimension also "
         "where it was; NaN where there is one.",
  .inputs = "x", .outputs = "values indices?", .fields = median_fields,
  .argsize = sizeof(sort_args), .saved = median_saved,
  .shape = median_shape, .forward = median_forward,
  .grad = NX_LEARN(median_grad)
};


/* the longest run of equal ones, of equally long ones the smallest; its
   last position */
static void mode_row (const void *arg, int64_t row, nx_ranked *v,
                      nx_ranked *spare) {
  const rank_job *j = arg;
  int64_t best = 0, longest = 0, start = 0;
  nx_rank_sort(v, (size_t)j->n, spare);
  for (int64_t i = 0; i < j->n; i++) {
    if (v[i].key != v[start].key) start = i;
    if (i - start + 1 > longest) {
      longest = i - start + 1;
      best = i;
    }
  }
  put_ranked(j, row, v + best);
}

static int mode_shape (nx_ctx *C, nx_node *n) {
  sort_args *a = n->a;
  if (nx_dim(C, n->op->name, n->in[0], &a->dim)) return nx_status(C);
  return one_of_each(C, n);
}

static int mode_forward (nx_ctx *C, nx_node *n) {
  sort_args *a = n->a;
  rank_job j = {.k = 1, .base = a->base};
  return ranked_along(C, n->in[0], a->dim, 0, &j, mode_row, n->out[0],
                      n->out[1]);
}

const nx_op nx_op_mode = {
  .name = "mode",
  .doc = "The most frequent element along a dimension (of several the "
         "smallest), and where it is last.",
  .inputs = "x", .outputs = "values indices", .fields = mode_fields,
  .argsize = sizeof(sort_args), .saves = "indices",
  .shape = mode_shape, .forward = mode_forward, .grad = NX_LEARN(taken_grad)
};
