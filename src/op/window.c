/*
** unfold: windows that slide along a dimension, as a new last dimension;
** without a copy, so that windows may overlap.
*/
#include <string.h>
#include "ops.h"
#include "tensor/view.h"

typedef struct unfold_args { int64_t dimension, size, step; } unfold_args;

static const nx_field unfold_fields[] = {
  NX_DIM(unfold_args, dimension, NX_REQUIRED, "dimension to slide along"),
  NX_INT(unfold_args, size, NX_REQUIRED, "positions in a window"),
  NX_INT(unfold_args, step, NX_REQUIRED, "positions between windows"),
  NX_END
};


static int unfold_shape (nx_ctx *C, nx_node *n) {
  unfold_args *a = n->a;
  nx_tensor *x = n->in[0], *v;
  int d;
  char text[NX_SHAPE_TEXT];
  if (nx_dim(C, "unfold", x, &a->dimension)) return nx_status(C);
  d = (int)a->dimension;
  if (x->ndim == 0 || x->ndim == NEAP_MAXDIM)
    return nx_op_fail(C, n, NEAP_ESHAPE, "x has %d dimensions, expected 1 to "
                      "%d", x->ndim, NEAP_MAXDIM - 1);
  if (a->size < 1 || a->step < 1 || a->size > x->shape[d])
    return nx_op_fail(C, n, NEAP_EARG, "windows of %lld with step %lld do "
                      "not fit into dimension %d of x (%s)",
                      (long long)a->size, (long long)a->step, d + C->base,
                      nx_shape_of(x, text));
  v = nx_view_part(C, x, d, 0, (x->shape[d] - a->size) / a->step + 1, 1);
  if (v == NULL) return nx_status(C);
  if (v->len > INT64_MAX / a->size)
    return nx_op_fail(C, n, NEAP_ESHAPE, "the result is too large");
  v->stride[d] = x->stride[d] * a->step;
  v->shape[x->ndim] = a->size;
  v->stride[x->ndim] = x->stride[d];
  v->len *= a->size;
  v->ndim++;
  n->out[0] = v;
  n->nout = 1;
  return 0;
}


/* which positions of the dimension the windows show, one after the other */
static nx_tensor *shown (nx_ctx *C, const unfold_args *a, int64_t windows) {
  nx_tensor *at = nx_new(C, NEAP_I64, 1, &(int64_t){windows * a->size});
  for (int64_t i = 0; at && i < at->len; i++)
    ((int64_t *)at->data)[i] = i / a->size * a->step + i % a->size;
  return at;
}

/* gx: each position gets the sum of gy over the windows that show it */
static int unfold_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                        nx_tensor **gx) {
  unfold_args *a = n->a;
  nx_tensor *x = n->in[0], *g = gy[0], *at;
  int64_t shape[NEAP_MAXDIM];
  nx_ints order = {x->ndim + 1, {0}};
  int d = (int)a->dimension;
  for (int i = 0, k = 0; i <= x->ndim; i++)    /* the window beside it */
    order.v[i] = i == d + 1 ? x->ndim : k++;
  at = shown(C, a, g->shape[d]);
  g = nx_permute(C, g, order);
  memcpy(shape, x->shape, sizeof(shape));
  if (at) shape[d] = at->len;
  g = g ? nx_reshape(C, g, x->ndim, shape) : NULL;
  gx[0] = nx_index_add(C, nx_zeros(C, x->dtype, x->ndim, x->shape), d, at, g,
                       0);
  return nx_status(C);
}

const nx_op nx_op_unfold = {
  .name = "unfold",
  .doc = "Windows that slide along a dimension, as a new last one.",
  .inputs = "x", .outputs = "y", .fields = unfold_fields,
  .argsize = sizeof(unfold_args), .flags = NX_VIEW,
  .shape = unfold_shape, .grad = NX_LEARN(unfold_grad)
};
