/*
** embedding_bag: rows of a table added up, or their mean or largest
** elements, for each bag of numbers.
*/
#include <string.h>
#include "op/composed.h"
#include "op/embedding.h"
#include "op/index.h"

enum { SUM, MEAN, MAX };
enum { IDS, WEIGHT, OFFSETS, SAMPLE_WEIGHTS };

typedef struct bag_args {
  int mode;
  int64_t padding_idx;         /* NX_UNSET_INT: none */
  int include_last_offset;
  int64_t base;
} bag_args;

static const nx_field bag_fields[] = {
  NX_ENUM(bag_args, mode, "sum mean max", MEAN, "what becomes of a bag"),
  NX_INDEX(bag_args, padding_idx, NX_UNSET, "the row that counts nowhere"),
  NX_BOOL(bag_args, include_last_offset, 0,
          "the last offset is the end of the last bag"),
  NX_BASE(bag_args, base),
  NX_END
};

static nx_tensor *optional (const nx_node *n, int i) {
  return i < n->nin ? n->in[i] : NULL;
}

/* How many bags there are; numbers behind the last one count as in one
   more, which is cut off in the end. */
static int64_t bags_of (const nx_node *n) {
  const bag_args *a = n->a;
  const nx_tensor *offsets = optional(n, OFFSETS);
  if (n->in[IDS]->ndim == 2) return n->in[IDS]->shape[0];
  return offsets->len - (a->include_last_offset != 0);
}

static int check_bags (nx_ctx *C, const nx_node *n) {
  const bag_args *a = n->a;
  nx_tensor *x = n->in[IDS], *weights = optional(n, SAMPLE_WEIGHTS);
  char text[NX_SHAPE_TEXT];
  if (nx_want_whole(C, n, IDS)) return nx_status(C);
  if (x->ndim != 1 && x->ndim != 2)
    return nx_op_fail(C, n, NEAP_ESHAPE, "x is %s, expected (bags, numbers), "
                      "or one dimension with offsets",
                      nx_shape_of(x, text));
  if ((optional(n, OFFSETS) != NULL) != (x->ndim == 1))
    return nx_op_fail(C, n, NEAP_EARG, "offsets belong to an x of one "
                      "dimension (x is %s)", nx_shape_of(x, text));
  if (x->ndim == 1 && nx_want_whole(C, n, OFFSETS)) return nx_status(C);
  if (x->ndim == 1 && (n->in[OFFSETS]->ndim != 1 || bags_of(n) < 0))
    return nx_op_fail(C, n, NEAP_ESHAPE, "offsets is %s, expected one "
                      "dimension, and the end of the last bag with "
                      "include_last_offset",
                      nx_shape_of(n->in[OFFSETS], text));
  if (weights && (a->mode != SUM || weights->dtype != n->in[WEIGHT]->dtype ||
                  !nx_same_shape(weights, x)))
    return nx_op_fail(C, n, NEAP_EARG, "per_sample_weights belong to mode "
                      "sum, in the shape of x and the type of weight");
  return 0;
}

/* offset i as a place in x; between the one before and the end */
static int64_t offset_at (nx_ctx *C, const nx_node *n, int64_t i,
                          int64_t before) {
  const bag_args *a = n->a;
  nx_tensor *t = n->in[OFFSETS];
  int64_t size = (int64_t)nx_dtype_size(t->dtype);
  int64_t v = nx_get_integer(t, t->data + i * t->stride[0] * size) - a->base;
  if (v >= before && v <= n->in[IDS]->len) return v;
  nx_op_fail(C, n, NEAP_EINDEX, "offsets[%lld] is %lld, expected a rising "
             "place of x", (long long)(i + C->base),
             (long long)(v + a->base));
  return before;
}

/* for each number of x its bag, from 0; those behind the last: one more */
static nx_tensor *bag_numbers (nx_ctx *C, const nx_node *n) {
  int64_t len = n->in[IDS]->len, bags = bags_of(n), from = 0, to;
  nx_tensor *t = nx_zeros(C, NEAP_I64, 1, &len);
  int64_t *bag = t ? (int64_t *)(void *)t->data : NULL;
  if (t == NULL) return NULL;
  if (n->in[IDS]->ndim == 2) {
    for (int64_t i = 0; i < len; i++) bag[i] = i / n->in[IDS]->shape[1];
    return t;
  }
  for (int64_t i = 0; i < len; i++) bag[i] = bags;
  for (int64_t b = 0; b < bags && nx_status(C) == 0; b++) {
    from = offset_at(C, n, b, from);
    if (b == 0 && from != 0)
      nx_op_fail(C, n, NEAP_EINDEX, "the first offset must be the first place "
                 "of x");
    to = b + 1 < n->in[OFFSETS]->len ? offset_at(C, n, b + 1, from) : len;
    for (int64_t i = from; i < to && nx_status(C) == 0; i++) bag[i] = b;
  }
  return nx_status(C) ? NULL : t;
}

/*
** What each number counts for: 1, or 1 / (numbers of its bag) for a mean; 0
** where it is the padding.
*/
static nx_tensor *counts_for (nx_ctx *C, const nx_node *n,
                              const nx_tensor *at, const nx_tensor *bag,
                              int64_t padding) {
  const bag_args *a = n->a;
  int64_t bags = bags_of(n) + 1, shape[2] = {0, 1};
  nx_tensor *count = nx_zeros(C, NEAP_F64, 1, &bags), *t;
  const int64_t *of = (const int64_t *)(void *)bag->data;
  shape[0] = at->len;
  t = nx_new(C, NEAP_F64, 2, shape);
  if (count == NULL || t == NULL) return NULL;
  for (int64_t i = 0; i < at->len; i++) {
    double one = ((int64_t *)(void *)at->data)[i] != padding;
    ((double *)(void *)t->data)[i] = one;
    ((double *)(void *)count->data)[of[i]] += one;
  }
  for (int64_t i = 0; a->mode == MEAN && i < at->len; i++) {
    double c = ((double *)(void *)count->data)[of[i]];
    if (c > 0) ((double *)(void *)t->data)[i] /= c;
  }
  return nx_typed(C, t, n->in[WEIGHT]->dtype);
}


/* the largest elements of the rows of each bag; 0 where it has none */
static nx_tensor *largest (nx_ctx *C, nx_node *n, nx_tensor *rows,
                           const nx_tensor *at, const nx_tensor *bag,
                           int64_t padding) {
  int64_t shape[2], width = rows->shape[1];
  nx_tensor *where, *values = nx_dense(C, rows);
  int64_t *best;
  if (values == NULL) return NULL;
  shape[0] = bags_of(n) + 1;
  shape[1] = width;
  where = nx_new(C, NEAP_I64, 2, shape);
  if (where == NULL) return NULL;
  best = (int64_t *)(void *)where->data;
  for (int64_t i = 0; i < where->len; i++) best[i] = at->len;
  for (int64_t i = 0; i < at->len; i++) {
    int64_t b = ((int64_t *)(void *)bag->data)[i];
    int64_t size = (int64_t)nx_dtype_size(values->dtype);
    if (((int64_t *)(void *)at->data)[i] == padding) continue;
    for (int64_t d = 0; d < width; d++) {
      int64_t *k = &best[b * width + d];
      double v = nx_get_number(values, values->data + (i * width + d) * size);
      if (*k == at->len || v > nx_get_number(values, values->data +
                                             (*k * width + d) * size))
        *k = i;
    }
  }
  shape[0] = 1;                /* a row of zeros for bags without numbers */
  rows = nx_cat(C, 2, (nx_tensor *[]){rows, nx_zeros(C, rows->dtype, 2,
                                                     shape)}, 0);
  return nx_gather(C, rows, 0, where, 0);
}


static int finish (nx_ctx *C, nx_node *n, nx_tensor *y) {
  return nx_composed(C, n, y ? nx_narrow(C, y, 0, 0, bags_of(n)) : NULL);
}

static int embedding_bag_compose (nx_ctx *C, nx_node *n) {
  const bag_args *a = n->a;
  nx_tensor *weights = optional(n, SAMPLE_WEIGHTS), *at, *bag, *rows;
  nx_tensor *w = n->in[WEIGHT], *counts, *flat;
  int64_t shape[2], padding;
  if (check_bags(C, n) || nx_want_table(C, n, WEIGHT) ||
      nx_padding(C, n, a->padding_idx, w->shape[0], &padding))
    return nx_status(C);
  at = nx_labels(C, n, IDS, w->shape[0], a->base, "embeddings");
  bag = at ? bag_numbers(C, n) : NULL;
  if (bag == NULL) return nx_status(C);
  flat = nx_reshape(C, at, 1, &at->len);
  rows = nx_index_select(C, w, 0, flat, 0);
  if (rows == NULL) return nx_status(C);
  if (a->mode == MAX)
    return finish(C, n, largest(C, n, rows, at, bag, padding));
  counts = counts_for(C, n, at, bag, padding);
  shape[0] = at->len;
  shape[1] = 1;
  if (weights) counts = MUL(counts, nx_reshape(C, weights, 2, shape));
  if (counts == NULL) return nx_status(C);
  shape[0] = bags_of(n) + 1;
  shape[1] = w->shape[1];
  return finish(C, n, nx_index_add(C, nx_zeros(C, w->dtype, 2, shape), 0, bag,
                                   MUL(rows, counts), 0));
}

const nx_op nx_op_embedding_bag = {
  .name = "embedding_bag",
  .doc = "For each bag of numbers the sum, mean or largest elements of their "
         "rows of weight; bags are the rows of x, or begin at offsets.",
  .inputs = "x weight offsets? per_sample_weights?", .outputs = "y",
  .fields = bag_fields, .argsize = sizeof(bag_args),
  .compose = embedding_bag_compose
};

OPFN nx_tensor *nx_embedding_bag (nx_ctx *C, nx_tensor *const *in, int mode,
                                  int64_t padding_idx,
                                  int include_last_offset) {
  bag_args a = {mode, padding_idx, include_last_offset, C->base};
  return nx_apply(C, &nx_op_embedding_bag, &a, 4, in);
}
