/*
** Dimensions in another order, without a copy.
*/
#include <string.h>
#include "ops.h"
#include "tensor/view.h"

typedef struct transpose_args { int64_t dim0, dim1; } transpose_args;

static const nx_field transpose_fields[] = {
  NX_DIM(transpose_args, dim0, NX_REQUIRED, "one dimension"),
  NX_DIM(transpose_args, dim1, NX_REQUIRED, "the other one"),
  NX_END
};

static int transpose_shape (nx_ctx *C, nx_node *n) {
  transpose_args *a = n->a;
  if (nx_dim(C, "transpose", n->in[0], &a->dim0) ||
      nx_dim(C, "transpose", n->in[0], &a->dim1)) return nx_status(C);
  n->out[0] = n->in[0]->ndim == 0 ? nx_alias(C, n->in[0])
              : nx_view_swap(C, n->in[0], (int)a->dim0, (int)a->dim1);
  n->nout = 1;
  return nx_status(C);
}

/* gx = gy with the same two dimensions swapped */
static int transpose_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                           nx_tensor **gx) {
  transpose_args *a = n->a;
  gx[0] = nx_transpose(C, gy[0], a->dim0, a->dim1);
  return nx_status(C);
}

const nx_op nx_op_transpose = {
  .name = "transpose",
  .doc = "Two dimensions exchanged, without a copy.",
  .inputs = "x", .outputs = "y", .fields = transpose_fields,
  .argsize = sizeof(transpose_args), .flags = NX_VIEW,
  .shape = transpose_shape, .grad = NX_LEARN(transpose_grad)
};

OPFN nx_tensor *nx_transpose (nx_ctx *C, nx_tensor *x, int64_t dim0,
                              int64_t dim1) {
  transpose_args a = {dim0, dim1};
  return nx_apply(C, &nx_op_transpose, &a, 1, &x);
}


/*
** t: a matrix turned over; what has less than two dimensions stays.
*/
static int t_shape (nx_ctx *C, nx_node *n) {
  nx_tensor *x = n->in[0];
  char text[NX_SHAPE_TEXT];
  if (x->ndim > 2)
    return nx_op_fail(C, n, NEAP_ESHAPE, "x is %s, expected at most two "
                      "dimensions (use x:transpose)", nx_shape_of(x, text));
  n->out[0] = x->ndim < 2 ? nx_alias(C, x) : nx_view_swap(C, x, 0, 1);
  n->nout = 1;
  return nx_status(C);
}

static int t_grad (nx_ctx *C, nx_node *n, nx_tensor **gy, nx_tensor **gx) {
  (void)n;
  gx[0] = gy[0]->ndim < 2 ? gy[0] : nx_transpose(C, gy[0], 0, 1);
  return nx_status(C);
}

const nx_op nx_op_t = {
  .name = "t", .doc = "A matrix with rows and columns exchanged.",
  .inputs = "x", .outputs = "y", .flags = NX_VIEW, .shape = t_shape,
  .grad = NX_LEARN(t_grad)
};


typedef struct permute_args { nx_ints dims; } permute_args;

static const nx_field permute_fields[] = {
  NX_DIMS(permute_args, dims, NX_REQUIRED,
          "all dimensions in their new order"),
  NX_END
};

static int permute_shape (nx_ctx *C, nx_node *n) {
  nx_ints *dims = &((permute_args *)n->a)->dims;
  nx_tensor *x = n->in[0];
  unsigned seen = 0;
  if (dims->n != x->ndim)
    return nx_op_fail(C, n, NEAP_EARG, "%d dimensions are given for a tensor "
                      "of %d", dims->n, x->ndim);
  for (int i = 0; i < dims->n; i++) {
    if (nx_dim(C, "permute", x, &dims->v[i])) return nx_status(C);
    if (seen >> dims->v[i] & 1)
      return nx_op_fail(C, n, NEAP_EARG, "dimension %lld is given twice",
                        (long long)dims->v[i] + C->base);
    seen |= 1u << dims->v[i];
  }
  n->out[0] = nx_view_permute(C, x, dims->v);
  n->nout = 1;
  return nx_status(C);
}

/* gx = gy with its dimensions back in their places */
static int permute_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                         nx_tensor **gx) {
  const nx_ints *dims = &((permute_args *)n->a)->dims;
  nx_ints back = {dims->n, {0}};
  for (int i = 0; i < dims->n; i++) back.v[dims->v[i]] = i;
  gx[0] = nx_permute(C, gy[0], back);
  return nx_status(C);
}

const nx_op nx_op_permute = {
  .name = "permute", .doc = "All dimensions in another order.",
  .inputs = "x", .outputs = "y", .fields = permute_fields,
  .argsize = sizeof(permute_args), .flags = NX_VIEW,
  .shape = permute_shape, .grad = NX_LEARN(permute_grad)
};

OPFN nx_tensor *nx_permute (nx_ctx *C, nx_tensor *x, nx_ints dims) {
  permute_args a = {dims};
  return nx_apply(C, &nx_op_permute, &a, 1, &x);
}


/*
** movedim: some dimensions go to new places, the others keep their order.
*/
typedef struct movedim_args { nx_ints source, destination; } movedim_args;

static const nx_field movedim_fields[] = {
  NX_DIMS(movedim_args, source, NX_REQUIRED, "dimensions to move"),
  NX_DIMS(movedim_args, destination, NX_REQUIRED, "where they go"),
  NX_END
};

/* the order of a permutation that moves the dimensions */
static int moved (nx_ctx *C, const nx_node *n, nx_ints *order) {
  movedim_args *a = n->a;
  const nx_tensor *x = n->in[0];
  unsigned from = 0, to = 0;
  if (a->source.n != a->destination.n)
    return nx_op_fail(C, n, NEAP_EARG, "source has %d dimensions, but "
                      "destination %d", a->source.n, a->destination.n);
  order->n = x->ndim;
  for (int i = 0; i < a->source.n; i++) {
    int64_t *s = &a->source.v[i], *d = &a->destination.v[i];
    if (nx_dim(C, "movedim", x, s) || nx_dim(C, "movedim", x, d))
      return nx_status(C);
    if (from >> *s & 1 || to >> *d & 1)
      return nx_op_fail(C, n, NEAP_EARG, "a dimension is given twice");
    from |= 1u << *s;
    to |= 1u << *d;
    order->v[*d] = *s;
  }
  for (int d = 0, s = 0; d < x->ndim; d++) {
    if (to >> d & 1) continue;
    while (from >> s & 1) s++;
    order->v[d] = s++;
  }
  return 0;
}

static int movedim_shape (nx_ctx *C, nx_node *n) {
  nx_ints order = {0, {0}};
  if (moved(C, n, &order)) return nx_status(C);
  n->out[0] = nx_view_permute(C, n->in[0], order.v);
  n->nout = 1;
  return nx_status(C);
}

static int movedim_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                         nx_tensor **gx) {
  movedim_args back = *(movedim_args *)n->a, *a = n->a;
  back.source = a->destination;
  back.destination = a->source;
  gx[0] = nx_apply(C, &nx_op_movedim, &back, 1, gy);
  return nx_status(C);
}

const nx_op nx_op_movedim = {
  .name = "movedim",
  .doc = "Dimensions moved to other places; the rest keeps its order.",
  .inputs = "x", .outputs = "y", .fields = movedim_fields,
  .argsize = sizeof(movedim_args), .flags = NX_VIEW,
  .shape = movedim_shape, .grad = NX_LEARN(movedim_grad)
};
