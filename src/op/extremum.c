/*
** The largest and the smallest element, and where they are. NaN counts as
** both; of equal ones the first is taken.
*/
#include <string.h>
#include "ops.h"
#include "op/fold.h"

typedef struct extremum_args {
  int64_t dim;
  int keepdim;
  int64_t base;
} extremum_args;

static const nx_field extremum_fields[] = {
  NX_DIM(extremum_args, dim, NX_UNSET, "dimension to search; none: all"),
  NX_BOOL(extremum_args, keepdim, 0, "keep the dimension with size 1"),
  NX_BASE(extremum_args, base),
  NX_END
};


/* one dimension or all, as the marks of a reduction */
static int searched (nx_ctx *C, nx_node *n, unsigned char *mark) {
  extremum_args *a = n->a;
  const nx_tensor *x = n->in[0];
  char text[NX_SHAPE_TEXT];
  if (a->dim == NX_UNSET_INT) memset(mark, 1, NEAP_MAXDIM);
  else {
    if (nx_dim(C, n->op->name, x, &a->dim)) return nx_status(C);
    memset(mark, 0, NEAP_MAXDIM);
    mark[a->dim] = 1;
  }
  for (int d = 0; d < x->ndim; d++)
    if (mark[d] && x->shape[d] == 0)
      return nx_op_fail(C, n, NEAP_ESHAPE, "there is no largest or smallest "
                        "among no elements (x is %s)", nx_shape_of(x, text));
  return 0;
}


/*
** A search along a group of dimensions: outer x rows x inner, by rows where
** nothing is inside, else by columns, a strip at a time.
*/
typedef struct search {
  nx_best_fn *best;
  nx_rival_fn *rival;
  const char *x;
  char *value;                 /* may be NULL, and so may 'at' */
  int64_t *at;
  int64_t rows, inner, strips, size, base;
} search;

#define STRIP 512

static void search_rows (void *arg, int64_t first, int64_t last) {
  const search *s = arg;
  char unused[8];
  for (int64_t i = first; i < last; i++) {
    int64_t at;
    s->best((size_t)s->rows, s->x + i * s->rows * s->size,
            s->value ? s->value + i * s->size : unused, &at);
    if (s->at) s->at[i] = at + s->base;
  }
}

static void search_strip (void *arg, int64_t first, int64_t last) {
  const search *s = arg;
  for (int64_t i = first; i < last; i++) {
    double best[STRIP];
    uint32_t at[STRIP];
    int64_t outer = i / s->strips, col = i % s->strips * STRIP;
    int64_t n = s->inner - col < STRIP ? s->inner - col : STRIP;
    int64_t to = outer * s->inner + col;
    const char *x = s->x + (outer * s->rows * s->inner + col) * s->size;
    memcpy(best, x, (size_t)(n * s->size));
    memset(at, 0, sizeof(at));
    for (int64_t r = 1; r < s->rows; r++)
      s->rival((size_t)n, x + r * s->inner * s->size, (uint32_t)r, best, at);
    if (s->value) memcpy(s->value + to * s->size, best,
                         (size_t)(n * s->size));
    for (int64_t j = 0; s->at && j < n; j++)
      s->at[to + j] = (int64_t)at[j] + s->base;
  }
}


/* 'value' and 'at' are in the order of l->x; either may be NULL */
static void run_search (nx_ctx *C, const nx_layout *l, search *s,
                        nx_tensor *value, nx_tensor *at) {
  int64_t outer = 1;
  int d = 0;
  s->rows = s->inner = 1;
  for (; d < l->x->ndim && !l->mark[d]; d++) outer *= l->x->shape[d];
  for (; d < l->x->ndim && l->mark[d]; d++) s->rows *= l->x->shape[d];
  for (; d < l->x->ndim; d++) s->inner *= l->x->shape[d];
  s->strips = (s->inner + STRIP - 1) / STRIP;
  s->x = l->x->data;
  s->size = (int64_t)nx_dtype_size(l->x->dtype);
  s->value = value ? value->data : NULL;
  s->at = at ? (int64_t *)at->data : NULL;
  if (s->inner == 1) nx_pieces(C, outer, s->rows, search_rows, s);
  else nx_pieces(C, outer * s->strips,
                 s->rows * (s->inner < STRIP ? s->inner : STRIP),
                 search_strip, s);
}


/*
** Positions over all elements count in row order, so other layouts are
** copied for them; a column of over 2^32 rows does not exist.
*/
static int search_into (nx_ctx *C, nx_node *n, int largest,
                        nx_tensor *value, nx_tensor *at) {
  const extremum_args *a = n->a;
  nx_tensor *x = n->in[0], *y = value ? value : at, *v = NULL, *i = NULL;
  const nx_kernels *K = nx_kernels_for(C, x->dtype);
  unsigned char mark[NEAP_MAXDIM];
  nx_layout l;
  search s;
  if (y->len == 0) return 0;
  memset(mark, a->dim == NX_UNSET_INT, sizeof(mark));
  if (a->dim != NX_UNSET_INT) mark[a->dim] = 1;
  else if (at && (x = nx_dense(C, x)) == NULL) return nx_status(C);
  if (nx_layout_of(C, x, mark, &l)) return nx_status(C);
  s.best = largest ? K->max : K->min;
  s.rival = largest ? K->max_rival : K->min_rival;
  s.base = a->base;
  if (value) v = nx_layout_out(C, &l, value);
  if (at) i = nx_layout_out(C, &l, at);
  if (nx_status(C)) return nx_status(C);
  run_search(C, &l, &s, v, i);
  if (value && nx_layout_back(C, &l, v, value)) return nx_status(C);
  return at ? nx_layout_back(C, &l, i, at) : nx_status(C);
}


static int extreme_shape (nx_ctx *C, nx_node *n) {
  extremum_args *a = n->a;
  unsigned char mark[NEAP_MAXDIM];
  if (searched(C, n, mark)) return nx_status(C);
  nx_reduced_out(C, n, 0, n->in[0]->dtype, mark, a->keepdim);
  if (a->dim != NX_UNSET_INT)
    nx_reduced_out(C, n, 1, NEAP_I64, mark, a->keepdim);
  return nx_status(C);
}


/*
** Along a dimension the element that was taken gets the gradient; over all,
** equal ones share it (as PyTorch does).
*/
static nx_tensor *to_its_place (nx_ctx *C, nx_tensor *x, nx_tensor *at,
                                nx_tensor *g, int64_t dim, int64_t base) {
  int64_t kept[NEAP_MAXDIM];
  if (x->ndim == 0) return g;
  memcpy(kept, x->shape, sizeof(kept));
  kept[dim] = 1;
  at = nx_reshape(C, at, x->ndim, kept);
  g = nx_reshape(C, g, x->ndim, kept);
  return nx_scatter_add(C, nx_zeros(C, x->dtype, x->ndim, x->shape), dim, at,
                        g, base);
}

static int extreme_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                         nx_tensor **gx) {
  extremum_args *a = n->a;
  nx_ints all = {-1, {0}};
  gx[0] = a->dim == NX_UNSET_INT
          ? nx_to_equal_ones(C, n->in[0], n->out[0], gy[0], &all)
          : to_its_place(C, n->in[0], n->out[1], gy[0], a->dim, a->base);
  return nx_status(C);
}

static const char *extreme_saved (const nx_node *n) {
  extremum_args *a = n->a;
  return a->dim == NX_UNSET_INT ? "x values" : "indices";
}

static int keeps_rows (const nx_node *n) {
  int64_t dim = ((const extremum_args *)n->a)->dim;
  return dim != NX_UNSET_INT && dim > 0;
}

static const char *extreme_cutting (const nx_node *n) {
  return keeps_rows(n) ? "values0 x0 indices0" : NULL;
}

static const char *position_cutting (const nx_node *n) {
  return keeps_rows(n) ? "y0 x0" : NULL;
}

#define EXTREME(id, largest, text) \
static int id##_forward (nx_ctx *C, nx_node *n) { \
  return search_into(C, n, largest, n->out[0], \
                     n->nout > 1 ? n->out[1] : NULL); \
} \
const nx_op nx_op_##id = { \
  .name = #id, .doc = text, .inputs = "x", .outputs = "values indices?", \
  .fields = extremum_fields, .argsize = sizeof(extremum_args), \
  .saved = extreme_saved, .cutting = extreme_cutting, \
  .shape = extreme_shape, \
  .forward = id##_forward, .grad = NX_LEARN(extreme_grad) \
};

EXTREME(max, 1, "Largest element; along a dimension also its position. Of "
                "equal ones the first; NaN is largest.")
EXTREME(min, 0, "Smallest element; along a dimension also its position. Of "
                "equal ones the first; NaN is smallest.")

/* Along one dimension: out[0] largest elements, out[1] where, from 0. */
OPFN int nx_max_along (nx_ctx *C, nx_tensor *x, int64_t dim,
                       nx_tensor **out) {
  extremum_args a = {dim, 0, 0};
  return nx_apply_all(C, &nx_op_max, &a, 1, &x, NX_NEW, 2, out) < 0;
}


static int position_shape (nx_ctx *C, nx_node *n) {
  unsigned char mark[NEAP_MAXDIM];
  if (searched(C, n, mark) == 0)
    nx_reduced_out(C, n, 0, NEAP_I64, mark, ((extremum_args *)n->a)->keepdim);
  return nx_status(C);
}

#define POSITION(id, largest, text) \
static int id##_forward (nx_ctx *C, nx_node *n) { \
  return search_into(C, n, largest, NULL, n->out[0]); \
} \
const nx_op nx_op_##id = { \
  .name = #id, .doc = text, .inputs = "x", .outputs = "y", \
  .fields = extremum_fields, .argsize = sizeof(extremum_args), \
  .flags = NX_NOGRAD, .cutting = position_cutting, \
  .shape = position_shape, .forward = id##_forward \
};

POSITION(argmax, 1, "Position of the largest element; without a dimension "
                    "in row order. Of equal ones the first; NaN is largest.")
POSITION(argmin, 0, "Position of the smallest element; without a dimension "
                    "in row order. Of equal ones the first; NaN is "
                    "smallest.")


/*
** amax, amin: over any dimensions, without positions; equal ones share the
** gradient.
*/
static const nx_field amount_fields[] = {
  NX_REDUCE_FIELDS(nx_reduce_args),
  NX_END
};

static int amount_shape (nx_ctx *C, nx_node *n) {
  nx_reduce_args *a = n->a;
  const nx_tensor *x = n->in[0];
  unsigned char mark[NEAP_MAXDIM];
  char text[NX_SHAPE_TEXT];
  if (nx_reduced(C, n, &a->dim, mark)) return nx_status(C);
  for (int d = 0; d < x->ndim; d++)
    if (mark[d] && x->shape[d] == 0)
      return nx_op_fail(C, n, NEAP_ESHAPE, "there is no largest or smallest "
                        "among no elements (x is %s)", nx_shape_of(x, text));
  nx_reduced_out(C, n, 0, x->dtype, mark, a->keepdim);
  return nx_status(C);
}

static int amount_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                        nx_tensor **gx) {
  nx_reduce_args *a = n->a;
  gx[0] = nx_to_equal_ones(C, n->in[0], n->out[0], gy[0], &a->dim);
  return nx_status(C);
}

#define AMOUNT(id, row, pair, text) \
static int id##_forward (nx_ctx *C, nx_node *n) { \
  const nx_kernels *K = nx_kernels_for(C, n->in[0]->dtype); \
  nx_reducer r = {K->row, K->pair, 0}; \
  unsigned char mark[NEAP_MAXDIM]; \
  nx_marks_of(&((nx_reduce_args *)n->a)->dim, mark); \
  return nx_reduce(C, &r, n->in[0], mark, n->out[0]); \
} \
const nx_op nx_op_##id = { \
  .name = #id, .doc = text, .inputs = "x", .outputs = "y", \
  .fields = amount_fields, .argsize = sizeof(nx_reduce_args), \
  .saves = "x y", .shape = amount_shape, .forward = id##_forward, \
  .grad = NX_LEARN(amount_grad) \
};

AMOUNT(amax, largest, maximum, "Largest element over dimensions.")
AMOUNT(amin, smallest, minimum, "Smallest element over dimensions.")
