/*
** Counting values, and finding their places among others.
*/
#include <math.h>
#include <string.h>
#include "ops.h"
#include "op/index.h"
#include "tensor/order.h"
#include "tensor/view.h"


/*
** one_hot: a row of zeros with a 1 at the label's place.
*/
typedef struct one_hot_args { int64_t num_classes, base; } one_hot_args;

static const nx_field one_hot_fields[] = {
  NX_INT(one_hot_args, num_classes, -1, "-1: as many as the largest label"),
  NX_BASE(one_hot_args, base),
  NX_END
};

/* the number of the largest label, counted from 1 */
static int64_t largest_label (const nx_tensor *dense, int64_t base) {
  int64_t most = 0;
  for (int64_t i = 0; i < dense->len; i++) {
    int64_t v = nx_get_integer(dense, dense->data + i *
                               (int64_t)nx_dtype_size(dense->dtype));
    if (v >= base && v - base >= most) most = v - base + 1;
  }
  return most;
}

static int one_hot_shape (nx_ctx *C, nx_node *n) {
  one_hot_args *a = n->a;
  nx_tensor *x = n->in[0], *dense;
  int64_t shape[NEAP_MAXDIM];
  if (nx_want_whole(C, n, 0)) return nx_status(C);
  if (x->ndim == NEAP_MAXDIM)
    return nx_op_fail(C, n, NEAP_ESHAPE, "more than %d dimensions",
                      NEAP_MAXDIM);
  if (a->num_classes < 0) {
    dense = nx_dense(C, x);
    if (dense == NULL) return nx_status(C);
    if (dense->len == 0)
      return nx_op_fail(C, n, NEAP_EARG, "num_classes is missing, and there "
                        "is no label to tell");
    a->num_classes = largest_label(dense, a->base);
  }
  memcpy(shape, x->shape, sizeof(shape));
  shape[x->ndim] = a->num_classes;
  nx_out(C, n, 0, NEAP_I64, x->ndim + 1, shape);
  return nx_status(C);
}

static int one_hot_forward (nx_ctx *C, nx_node *n) {
  one_hot_args *a = n->a;
  nx_tensor *y = n->out[0], *at;
  at = nx_labels(C, n, 0, a->num_classes, a->base, "the classes");
  if (at == NULL) return nx_status(C);
  memset(y->data, 0, (size_t)y->len * sizeof(int64_t));
  for (int64_t i = 0; i < at->len; i++)
    ((int64_t *)y->data)[i * a->num_classes +
                         ((const int64_t *)at->data)[i]] = 1;
  return 0;
}

const nx_op nx_op_one_hot = {
  .name = "one_hot",
  .doc = "For each label a row of zeros with a 1 at its place.",
  .inputs = "x", .outputs = "y", .fields = one_hot_fields,
  .argsize = sizeof(one_hot_args), .flags = NX_NOGRAD,
  .shape = one_hot_shape, .forward = one_hot_forward
};


/*
** bincount: how often each whole number occurs, or the sum of its weights.
** Numbers count as positions do: from 1 in Lua.
*/
typedef struct bincount_args { int64_t minlength, base; } bincount_args;

static const nx_field bincount_fields[] = {
  NX_INT(bincount_args, minlength, 0, "length of the result at least"),
  NX_BASE(bincount_args, base),
  NX_END
};

static int bincount_shape (nx_ctx *C, nx_node *n) {
  bincount_args *a = n->a;
  nx_tensor *x = n->in[0], *w = n->in[1], *dense;
  char xt[NX_SHAPE_TEXT], wt[NX_SHAPE_TEXT];
  int64_t len;
  if (nx_want_whole(C, n, 0)) return nx_status(C);
  if (x->ndim != 1 || (w && !nx_same_shape(x, w)))
    return nx_op_fail(C, n, NEAP_ESHAPE, "x is %s%s%s, expected one "
                      "dimension%s", nx_shape_of(x, xt),
                      w ? " and weights are " : "", w ? nx_shape_of(w, wt)
                      : "", w ? " for both" : "");
  if (a->minlength < 0)
    return nx_op_fail(C, n, NEAP_EARG, "minlength is negative");
  dense = nx_dense(C, x);
  if (dense == NULL) return nx_status(C);
  len = largest_label(dense, a->base);
  if (len < a->minlength) len = a->minlength;
  nx_out(C, n, 0, w == NULL ? NEAP_I64 : w->dtype == NEAP_F32 ? NEAP_F32
         : NEAP_F64, 1, &len);
  return nx_status(C);
}

static int bincount_forward (nx_ctx *C, nx_node *n) {
  bincount_args *a = n->a;
  nx_tensor *y = n->out[0], *at, *w = n->in[1], *sum;
  at = nx_labels(C, n, 0, y->len, a->base, "numbers to count");
  if (w) w = nx_typed(C, w, NEAP_F64);
  if (w) w = nx_dense(C, w);
  sum = nx_zeros(C, w ? NEAP_F64 : NEAP_I64, 1, &y->len);
  if (nx_status(C)) return nx_status(C);
  for (int64_t i = 0; i < at->len; i++) {
    int64_t k = ((const int64_t *)at->data)[i];
    if (w) ((double *)sum->data)[k] += ((const double *)w->data)[i];
    else ((int64_t *)sum->data)[k]++;
  }
  return nx_copy(C, y, sum);
}

const nx_op nx_op_bincount = {
  .name = "bincount",
  .doc = "How often each whole number occurs in x, or the sum of its "
         "weights.",
  .inputs = "x weights?", .outputs = "y", .sized_by = "x",
  .fields = bincount_fields,
  .argsize = sizeof(bincount_args), .flags = NX_NOGRAD,
  .shape = bincount_shape, .forward = bincount_forward
};


/*
** histc: how many elements lie in each of equal parts of a range.
*/
typedef struct histc_args { int64_t bins; double min, max; } histc_args;

static const nx_field histc_fields[] = {
  NX_INT(histc_args, bins, 100, "how many parts"),
  NX_NUMBER(histc_args, min, 0, "lower end of the range"),
  NX_NUMBER(histc_args, max, 0,
            "upper end, included; equal to min: the range of x"),
  NX_END
};

static int histc_shape (nx_ctx *C, nx_node *n) {
  histc_args *a = n->a;
  if (nx_want_float(C, n, 0)) return nx_status(C);
  if (a->bins < 1)
    return nx_op_fail(C, n, NEAP_EARG, "bins is %lld, expected 1 or more",
                      (long long)a->bins);
  if (a->max < a->min)
    return nx_op_fail(C, n, NEAP_EARG, "max is less than min");
  nx_out(C, n, 0, n->in[0]->dtype, 1, &a->bins);
  return nx_status(C);
}

static void range_of (const nx_tensor *x, double *low, double *high) {
  const double *v = (const double *)x->data;
  *low = *high = x->len ? v[0] : 0;
  for (int64_t i = 1; i < x->len; i++) {
    if (v[i] < *low) *low = v[i];
    if (v[i] > *high) *high = v[i];
  }
}

static int histc_forward (nx_ctx *C, nx_node *n) {
  histc_args *a = n->a;
  nx_tensor *x = nx_typed(C, n->in[0], NEAP_F64), *sum;
  double low = a->min, high = a->max;
  x = x ? nx_dense(C, x) : NULL;
  sum = nx_zeros(C, NEAP_F64, 1, &a->bins);
  if (nx_status(C)) return nx_status(C);
  if (low == high) range_of(x, &low, &high);
  if (!isfinite(low) || !isfinite(high))
    return nx_op_fail(C, n, NEAP_EARG, "the range is not finite");
  if (low == high) {
    low -= 1;
    high += 1;
  }
  for (int64_t i = 0; i < x->len; i++) {
    double v = ((const double *)x->data)[i];
    int64_t k;
    if (!(v >= low && v <= high)) continue;
    k = (int64_t)((v - low) / (high - low) * (double)a->bins);
    ((double *)sum->data)[k < a->bins ? k : a->bins - 1]++;
  }
  return nx_copy(C, n->out[0], sum);
}

const nx_op nx_op_histc = {
  .name = "histc",
  .doc = "How many elements lie in each of equal parts of a range.",
  .inputs = "x", .outputs = "y", .fields = histc_fields,
  .argsize = sizeof(histc_args), .flags = NX_NOGRAD,
  .shape = histc_shape, .forward = histc_forward
};


/*
** searchsorted: where values would be put into a sorted row so that it
** stays sorted: before equal ones, or behind them ('right').
*/
typedef struct search_args { int right; int64_t base; } search_args;

static const nx_field searchsorted_fields[] = {
  NX_BOOL(search_args, right, 0, "behind equal ones instead of before"),
  NX_BASE(search_args, base),
  NX_END
};

static int searchsorted_shape (nx_ctx *C, nx_node *n) {
  nx_tensor *s = n->in[0], *x = n->in[1];
  int type = nx_promote(s, x), fits = s->ndim >= 1;
  char st[NX_SHAPE_TEXT], xt[NX_SHAPE_TEXT];
  if (s->ndim > 1) {
    fits = x->ndim == s->ndim;
    for (int d = 0; fits && d < s->ndim - 1; d++)
      fits = s->shape[d] == x->shape[d];
  }
  if (!fits)
    return nx_op_fail(C, n, NEAP_ESHAPE, "sorted is %s and values are %s; "
                      "all but the last dimension must be the same",
                      nx_shape_of(s, st), nx_shape_of(x, xt));
  n->in[0] = nx_typed(C, s, type);
  n->in[1] = nx_typed(C, x, type);
  if (nx_status(C)) return nx_status(C);
  nx_out(C, n, 0, NEAP_I64, x->ndim, x->shape);
  return nx_status(C);
}

static int64_t place_in (const nx_ranked *row, int64_t n, uint64_t key,
                         int right) {
  int64_t low = 0, high = n;
  while (low < high) {
    int64_t middle = low + (high - low) / 2;
    if (row[middle].key < key || (right && row[middle].key == key))
      low = middle + 1;
    else high = middle;
  }
  return low;
}

static int searchsorted_forward (nx_ctx *C, nx_node *n) {
  search_args *a = n->a;
  nx_tensor *s = nx_dense(C, n->in[0]), *x = nx_dense(C, n->in[1]);
  int64_t cols, per;
  nx_ranked *rows, *v;
  size_t bytes;
  if (s == NULL || x == NULL || x->len == 0) return nx_status(C);
  cols = s->shape[s->ndim - 1];
  per = s->ndim == 1 ? x->len : x->shape[x->ndim - 1];
  bytes = (size_t)(s->len + x->len + 1) * sizeof(*rows);
  rows = nx_alloc(C, bytes);
  if (rows == NULL) return nx_status(C);
  v = rows + s->len;
  nx_rank(s->dtype, (size_t)s->len, s->data, 0, rows);
  nx_rank(x->dtype, (size_t)x->len, x->data, 0, v);
  for (int64_t i = 0; i < x->len; i++)
    ((int64_t *)n->out[0]->data)[i] =
      place_in(rows + (s->ndim == 1 ? 0 : i / per * cols), cols, v[i].key,
               a->right) + a->base;
  nx_free(C, rows, bytes);
  return 0;
}

const nx_op nx_op_searchsorted = {
  .name = "searchsorted",
  .doc = "The positions at which values would go into a sorted row.",
  .inputs = "sorted values", .outputs = "y", .fields = searchsorted_fields,
  .argsize = sizeof(search_args), .flags = NX_NOGRAD,
  .shape = searchsorted_shape, .forward = searchsorted_forward
};


/*
** unique: the values that occur, in rising order; along a dimension, the
** slices that occur. Everything is found in 'shape', since the sizes of
** the results depend on it.
*/
typedef struct unique_args {
  int sorted, return_inverse, return_counts;
  int64_t dim, base;
} unique_args;

static const nx_field unique_fields[] = {
  NX_BOOL(unique_args, sorted, 1, "in rising order (always true)"),
  NX_BOOL(unique_args, return_inverse, 0, "also where each element went"),
  NX_BOOL(unique_args, return_counts, 0, "also how often each occurs"),
  NX_DIM(unique_args, dim, NX_UNSET, "whose slices; none: all elements"),
  NX_BASE(unique_args, base),
  NX_END
};

/* slices as rows of keys */
typedef struct slices {
  const nx_ranked *keys;
  int64_t count, width;
} slices;

static int compare_slices (const slices *s, int64_t a, int64_t b) {
  const nx_ranked *x = s->keys + a * s->width, *y = s->keys + b * s->width;
  for (int64_t i = 0; i < s->width; i++)
    if (x[i].key != y[i].key) return x[i].key < y[i].key ? -1 : 1;
  return 0;
}

/* merge sort of slice numbers, stable */
static void sort_slices (const slices *s, int64_t *v, int64_t n,
                         int64_t *spare) {
  int64_t half = n / 2, i = 0, j = half;
  if (n < 2) return;
  sort_slices(s, v, half, spare);
  sort_slices(s, v + half, n - half, spare);
  for (int64_t k = 0; k < n; k++)
    spare[k] = i < half && (j >= n || compare_slices(s, v[i], v[j]) <= 0)
               ? v[i++] : v[j++];
  memcpy(v, spare, (size_t)n * sizeof(*v));
}


/* x seen as count slices of 'width' elements; dense */
static nx_tensor *as_slices (nx_ctx *C, nx_tensor *x, int64_t dim) {
  if (dim == NX_UNSET_INT) return nx_dense(C, x);
  if (x->ndim > 0 && dim != 0) x = nx_view_swap(C, x, 0, (int)dim);
  return x ? nx_dense(C, x) : NULL;
}

/*
** 'order' receives the numbers of the slices, sorted; 'group' the number
** of the distinct one each belongs to. Returns how many are distinct.
*/
static int64_t find_distinct (nx_ctx *C, const nx_tensor *x, slices *s,
                              int64_t *order, int64_t *group) {
  size_t bytes = (size_t)(2 * x->len + 1) * sizeof(nx_ranked);
  nx_ranked *keys = nx_alloc(C, bytes);
  int64_t distinct = 0;
  if (keys == NULL) return -1;
  nx_rank(x->dtype, (size_t)x->len, x->data, 0, keys);
  s->keys = keys;
  if (s->width == 1) {
    nx_ranked *v = keys + x->len;
    memcpy(v, keys, (size_t)x->len * sizeof(*v));
    nx_rank_sort(v, (size_t)x->len, keys);
    for (int64_t i = 0; i < x->len; i++) order[i] = v[i].at;
    nx_rank(x->dtype, (size_t)x->len, x->data, 0, keys);
  }
  else {
    for (int64_t i = 0; i < s->count; i++) order[i] = i;
    sort_slices(s, order, s->count, group);
  }
  for (int64_t i = 0; i < s->count; i++) {
    if (i > 0 && compare_slices(s, order[i - 1], order[i]) != 0) distinct++;
    group[order[i]] = distinct;
  }
  nx_free(C, keys, bytes);
  return s->count ? distinct + 1 : 0;
}

/* the first slice of each group, its size, and each slice's group */
static int put_distinct (nx_ctx *C, nx_node *n, nx_tensor *x,
                         const slices *s, const int64_t *order,
                         const int64_t *group, int64_t distinct) {
  unique_args *a = n->a;
  int64_t shape[NEAP_MAXDIM] = {distinct};
  int64_t bytes = s->width * (int64_t)nx_dtype_size(x->dtype);
  int all = a->dim == NX_UNSET_INT, k = 1;
  nx_tensor *v, *y, *c = NULL;
  if (!all) memcpy(shape + 1, x->shape + 1, sizeof(shape) - sizeof(*shape));
  v = nx_new(C, x->dtype, all ? 1 : x->ndim, shape);
  if (v == NULL) return nx_status(C);
  for (int64_t i = s->count - 1; i >= 0; i--)      /* the first stays */
    memcpy(v->data + group[order[i]] * bytes, x->data + order[i] * bytes,
           (size_t)bytes);
  if (!all && a->dim != 0) v = nx_view_swap(C, v, 0, (int)a->dim);
  y = v ? nx_out(C, n, 0, x->dtype, v->ndim, v->shape) : NULL;
  if (y == NULL || (y->store == NULL && nx_materialize(C, y)) ||
      nx_copy(C, y, v))
    return nx_status(C);
  if (a->return_inverse) {
    nx_tensor *in = n->in[0];
    y = all ? nx_out(C, n, k++, NEAP_I64, in->ndim, in->shape)
            : nx_out(C, n, k++, NEAP_I64, 1, &s->count);
    if (y == NULL || nx_materialize(C, y)) return nx_status(C);
    for (int64_t i = 0; i < s->count; i++)
      ((int64_t *)y->data)[i] = group[i] + a->base;
  }
  if (a->return_counts) {
    c = nx_out(C, n, k++, NEAP_I64, 1, &distinct);
    if (c == NULL || nx_materialize(C, c)) return nx_status(C);
    memset(c->data, 0, (size_t)distinct * sizeof(int64_t));
    for (int64_t i = 0; i < s->count; i++) ((int64_t *)c->data)[group[i]]++;
  }
  return nx_status(C);
}

static int unique_shape (nx_ctx *C, nx_node *n) {
  unique_args *a = n->a;
  nx_tensor *x = n->in[0];
  int64_t *order, distinct;
  size_t bytes;
  slices s;
  if (a->dim != NX_UNSET_INT && x->ndim == 0) a->dim = NX_UNSET_INT;
  if (a->dim != NX_UNSET_INT && nx_dim(C, n->op->name, x, &a->dim))
    return nx_status(C);
  x = as_slices(C, x, a->dim);
  if (x == NULL) return nx_status(C);
  s.count = a->dim == NX_UNSET_INT ? x->len : x->shape[0];
  s.width = s.count ? x->len / s.count : 1;
  bytes = (size_t)(2 * s.count + 1) * sizeof(*order);
  order = nx_alloc(C, bytes);
  if (order == NULL) return nx_status(C);
  distinct = find_distinct(C, x, &s, order, order + s.count);
  if (distinct >= 0)
    put_distinct(C, n, x, &s, order, order + s.count, distinct);
  nx_free(C, order, bytes);
  return nx_status(C);
}

const nx_op nx_op_unique = {
  .name = "unique",
  .doc = "The values that occur in x, in rising order; the slices along a "
         "dimension.",
  .inputs = "x", .outputs = "values inverse? counts?", .sized_by = "x",
  .fields = unique_fields, .argsize = sizeof(unique_args),
  .flags = NX_NOGRAD, .shape = unique_shape
};
