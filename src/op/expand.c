/*
** Repeating elements: without a copy (expand), as blocks (tile), one by one
** (repeat_interleave).
*/
#include <string.h>
#include "ops.h"
#include "op/broadcast.h"
#include "tensor/view.h"

typedef struct size_args { nx_ints size; } size_args;

static const nx_field expand_fields[] = {
  NX_INTS(size_args, size, NX_REQUIRED, "the new shape; -1: as it is"),
  NX_END
};

static int expand_shape (nx_ctx *C, nx_node *n) {
  nx_ints *size = &((size_args *)n->a)->size;
  nx_tensor *x = n->in[0];
  int lead = size->n - x->ndim, fits = lead >= 0;
  char a[NX_SHAPE_TEXT], b[NX_SHAPE_TEXT];
  for (int i = 0; i < size->n && fits; i++) {
    int64_t own = i < lead ? 1 : x->shape[i - lead];
    if (size->v[i] == -1 && i >= lead) size->v[i] = own;
    fits = size->v[i] >= 0 && (own == 1 || own == size->v[i]);
  }
  if (!fits)
    return nx_op_fail(C, n, NEAP_ESHAPE, "x is %s and cannot be expanded to "
                      "%s", nx_shape_of(x, a),
                      nx_shape_text(size->n, size->v, b));
  n->out[0] = nx_view_expand(C, x, size->n, size->v);
  n->nout = 1;
  return nx_status(C);
}

/* gx = gy summed over what was repeated */
static int expand_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                        nx_tensor **gx) {
  gx[0] = nx_sum_to(C, gy[0], n->in[0]);
  return nx_status(C);
}

const nx_op nx_op_expand = {
  .name = "expand",
  .doc = "Dimensions of size 1 repeated, and new ones in front, without a "
         "copy.",
  .inputs = "x", .outputs = "y", .fields = expand_fields,
  .argsize = sizeof(size_args), .flags = NX_VIEW,
  .shape = expand_shape, .grad = NX_LEARN(expand_grad)
};

OPFN nx_tensor *nx_expand (nx_ctx *C, nx_tensor *x, int ndim,
                           const int64_t *shape) {
  size_args a;
  if (x == NULL) return NULL;
  a.size.n = ndim;
  memcpy(a.size.v, shape, (size_t)ndim * sizeof(*shape));
  return nx_apply(C, &nx_op_expand, &a, 1, &x);
}


/*
** tile: x repeated as often as the sizes say; missing ones in front are 1.
** Every dimension becomes two, (times, size), of which the first is
** expanded.
*/
static const nx_field tile_fields[] = {
  NX_INTS(size_args, size, NX_REQUIRED, "how often, for each dimension"),
  NX_END
};

static int tile_shape (nx_ctx *C, nx_node *n) {
  nx_ints *times = &((size_args *)n->a)->size;
  nx_tensor *x = n->in[0];
  int ndim = times->n > x->ndim ? times->n : x->ndim;
  int64_t shape[NEAP_MAXDIM];
  for (int d = 0; d < ndim; d++) {
    int t = d - (ndim - times->n), own = d - (ndim - x->ndim);
    int64_t k = t < 0 ? 1 : times->v[t], size = own < 0 ? 1 : x->shape[own];
    if (k < 0)
      return nx_op_fail(C, n, NEAP_EARG, "size[%d] is %lld, but nothing is "
                        "repeated less than 0 times", t + C->base,
                        (long long)k);
    if (size > 0 && k > INT64_MAX / size)
      return nx_op_fail(C, n, NEAP_ESHAPE, "the result is too large");
    shape[d] = k * size;
  }
  nx_out(C, n, 0, x->dtype, ndim, shape);
  return nx_status(C);
}

/* copies of x, one after the other, into the places of y */
static int tile_forward (nx_ctx *C, nx_node *n) {
  nx_tensor *x = n->in[0], *y = n->out[0], *part;
  int64_t at[NEAP_MAXDIM] = {0}, size = (int64_t)nx_dtype_size(y->dtype);
  int lead = y->ndim - x->ndim, d;
  if (y->len == 0) return 0;
  part = nx_alias(C, y);
  if (part == NULL) return nx_status(C);
  part->len = x->len;
  for (d = 0; d < y->ndim; d++)
    part->shape[d] = d < lead ? 1 : x->shape[d - lead];
  for (;;) {
    if (nx_copy(C, part, x)) return nx_status(C);
    for (d = y->ndim - 1; d >= 0; d--) {
      at[d] += part->shape[d];
      part->data += part->shape[d] * y->stride[d] * size;
      if (at[d] < y->shape[d]) break;
      part->data -= at[d] * y->stride[d] * size;
      at[d] = 0;
    }
    if (d < 0) return 0;
  }
}

/* gx = the sum of gy over the repetitions */
static int tile_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                      nx_tensor **gx) {
  nx_tensor *x = n->in[0], *g = gy[0];
  for (int d = g->ndim - 1; g && d >= 0; d--) {
    int own = d - (gy[0]->ndim - x->ndim);
    int64_t size = own < 0 ? 1 : x->shape[own], times;
    nx_ints split = {0, {0}}, along = {1, {d}};
    if (size == g->shape[d]) continue;
    times = size ? g->shape[d] / size : 0;
    if (g->ndim == NEAP_MAXDIM) {              /* no room for one more */
      nx_tensor *sum = nx_narrow(C, g, d, 0, size);
      for (int64_t k = 1; sum && k < times; k++)
        sum = nx_add(C, sum, nx_narrow(C, g, d, k * size, size));
      g = sum;
      continue;
    }
    for (int k = 0; k < g->ndim; k++) {
      if (k == d) split.v[split.n++] = times;
      split.v[split.n++] = k == d ? size : g->shape[k];
    }
    g = nx_sum(C, nx_reshape(C, g, split.n, split.v), along, 0);
  }
  gx[0] = g ? nx_reshape(C, g, x->ndim, x->shape) : NULL;
  return nx_status(C);
}

const nx_op nx_op_tile = {
  .name = "tile",
  .doc = "x repeated along its dimensions (PyTorch's repeat and tile).",
  .inputs = "x", .outputs = "y", .fields = tile_fields,
  .argsize = sizeof(size_args),
  .shape = tile_shape, .forward = tile_forward, .grad = NX_LEARN(tile_grad)
};


/*
** repeat_interleave: each slice of a dimension several times in a row.
*/
typedef struct interleave_args { int64_t repeats, dim; } interleave_args;

static const nx_field interleave_fields[] = {
  NX_INT(interleave_args, repeats, NX_REQUIRED, "how often each"),
  NX_DIM(interleave_args, dim, NX_UNSET,
         "whose slices; none: elements in row order"),
  NX_END
};

static int interleave_shape (nx_ctx *C, nx_node *n) {
  interleave_args *a = n->a;
  nx_tensor *x = n->in[0];
  int64_t shape[NEAP_MAXDIM];
  if (a->repeats < 0)
    return nx_op_fail(C, n, NEAP_EARG, "repeats is negative");
  if (a->dim == NX_UNSET_INT || x->ndim == 0) {
    n->in[0] = x = nx_reshape(C, x, 1, &(int64_t){x->len});
    a->dim = 0;
  }
  if (x == NULL || nx_dim(C, n->op->name, x, &a->dim)) return nx_status(C);
  memcpy(shape, x->shape, sizeof(shape));
  if (shape[a->dim] > 0 && a->repeats > INT64_MAX / shape[a->dim])
    return nx_op_fail(C, n, NEAP_ESHAPE, "the result is too large");
  shape[a->dim] *= a->repeats;
  nx_out(C, n, 0, x->dtype, x->ndim, shape);
  return nx_status(C);
}

/* y seen as (..., size, repeats, ...) at one of the repeats */
static int interleave_forward (nx_ctx *C, nx_node *n) {
  interleave_args *a = n->a;
  for (int64_t k = 0; k < a->repeats; k++) {
    nx_tensor *x = n->in[0], *part;
    part = nx_view_part(C, n->out[0], (int)a->dim, k, x->shape[a->dim],
                        a->repeats);
    if (part == NULL || nx_copy(C, part, x)) return nx_status(C);
  }
  return 0;
}

static int interleave_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                            nx_tensor **gx) {
  interleave_args *a = n->a;
  nx_tensor *x = n->in[0], *sum = NULL;
  for (int64_t k = 0; k < a->repeats; k++) {
    slice_args s;
    nx_tensor *part;
    nx_slice_all(gy[0], &s);
    s.start.v[a->dim] = x->shape[a->dim] ? k : 0;
    s.step.v[a->dim] = a->repeats;
    s.count.v[a->dim] = x->shape[a->dim];
    part = nx_slice(C, gy[0], &s);
    sum = sum ? nx_add(C, sum, part) : part;
  }
  gx[0] = sum ? sum : nx_zeros(C, x->dtype, x->ndim, x->shape);
  return nx_status(C);
}

const nx_op nx_op_repeat_interleave = {
  .name = "repeat_interleave",
  .doc = "Each slice of a dimension repeated on the spot.",
  .inputs = "x", .outputs = "y", .fields = interleave_fields,
  .argsize = sizeof(interleave_args),
  .shape = interleave_shape, .forward = interleave_forward,
  .grad = NX_LEARN(interleave_grad)
};
