/*
** Parts of a tensor: narrow along one dimension, slice along all, and
** their reverse, which puts a part into a tensor.
*/
#include <string.h>
#include "ops.h"
#include "op/broadcast.h"
#include "op/slice.h"
#include "tensor/view.h"

typedef struct narrow_args { int64_t dim, start, length; } narrow_args;

static const nx_field narrow_fields[] = {
  NX_DIM(narrow_args, dim, NX_REQUIRED, "dimension to cut"),
  NX_INDEX(narrow_args, start, NX_REQUIRED, "first position"),
  NX_INT(narrow_args, length, NX_REQUIRED, "how many positions"),
  NX_END
};


static int narrow_shape (nx_ctx *C, nx_node *n) {
  narrow_args *a = n->a;
  nx_tensor *x = n->in[0];
  int64_t size;
  char text[NX_SHAPE_TEXT];
  if (nx_dim(C, "narrow", x, &a->dim)) return nx_status(C);
  if (x->ndim == 0)
    return nx_op_fail(C, n, NEAP_ESHAPE, "a 0-d tensor has no dimensions");
  size = x->shape[a->dim];
  if (a->start < 0) a->start += size;
  if (a->length < 0 || a->start < 0 || a->start > size ||
      a->length > size - a->start)
    return nx_op_fail(C, n, NEAP_EINDEX, "%lld positions from %lld on do not "
                      "fit into dimension %lld of size %lld (x is %s)",
                      (long long)a->length, (long long)a->start + C->base,
                      (long long)a->dim + C->base, (long long)size,
                      nx_shape_of(x, text));
  n->out[0] = nx_view_part(C, x, (int)a->dim, a->start, a->length, 1);
  n->nout = 1;
  return nx_status(C);
}

/* gx = zeros with gy in its place */
static int narrow_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                        nx_tensor **gx) {
  narrow_args *a = n->a;
  nx_tensor *x = n->in[0];
  slice_args s;
  nx_slice_all(x, &s);
  s.start.v[a->dim] = a->start;
  s.count.v[a->dim] = a->length;
  gx[0] = nx_slice_scatter(C, nx_zeros(C, x->dtype, x->ndim, x->shape),
                           gy[0], &s);
  return nx_status(C);
}

const nx_op nx_op_narrow = {
  .name = "narrow",
  .doc = "'length' positions of a dimension from 'start' on, without a copy.",
  .inputs = "x", .outputs = "y", .fields = narrow_fields,
  .argsize = sizeof(narrow_args), .flags = NX_VIEW,
  .shape = narrow_shape, .grad = NX_LEARN(narrow_grad)
};

OPFN nx_tensor *nx_narrow (nx_ctx *C, nx_tensor *x, int64_t dim,
                           int64_t start, int64_t length) {
  narrow_args a = {dim, start, length};
  return nx_apply(C, &nx_op_narrow, &a, 1, &x);
}


/*
** A slice names for every dimension where it starts (from 0), how many
** positions it takes and how far they are apart, and which dimensions of
** size 1 it drops. Bindings compute these from ranges.
*/
static const nx_field slice_fields[] = {
  NX_INTS(slice_args, start, NX_REQUIRED, "first position, from 0"),
  NX_INTS(slice_args, count, NX_REQUIRED, "how many"),
  NX_INTS(slice_args, step, NX_REQUIRED, "distance"),
  NX_INTS(slice_args, drop, NX_REQUIRED, "1 where the dimension goes away"),
  NX_END
};


static int check_slice (nx_ctx *C, const nx_node *n) {
  const slice_args *a = n->a;
  const nx_tensor *x = n->in[0];
  char text[NX_SHAPE_TEXT];
  if (a->start.n != x->ndim || a->count.n != x->ndim ||
      a->step.n != x->ndim || a->drop.n != x->ndim)
    return nx_op_fail(C, n, NEAP_EARG, "a slice of x needs %d entries in "
                      "each list", x->ndim);
  for (int d = 0; d < x->ndim; d++) {
    int64_t i = a->start.v[d], k = a->count.v[d], s = a->step.v[d];
    int64_t room = x->shape[d] - i;
    if (k < 0 || s < 1 || (k > 0 && (i < 0 || room < 1 ||
                                     k - 1 > (room - 1) / s)))
      return nx_op_fail(C, n, NEAP_EINDEX, "dimension %d has no %lld "
                        "positions from %lld on with step %lld (x is %s)",
                        d + C->base, (long long)k, (long long)i + C->base,
                        (long long)s, nx_shape_of(x, text));
    if (a->drop.v[d] && k != 1)
      return nx_op_fail(C, n, NEAP_EARG, "only a single position can be "
                        "dropped");
  }
  return 0;
}


/*
** Without 'keep' the dimensions marked in 'drop' go away.
*/
static nx_tensor *sliced (nx_ctx *C, nx_tensor *x, const slice_args *a) {
  int64_t size = (int64_t)nx_dtype_size(x->dtype);
  nx_tensor *v = nx_alias(C, x);
  int k = 0;
  if (v == NULL) return NULL;
  v->len = 1;
  for (int d = 0; d < x->ndim; d++) {
    if (a->count.v[d] > 0) v->data += a->start.v[d] * x->stride[d] * size;
    if (a->drop.v[d]) continue;
    v->shape[k] = a->count.v[d];
    v->stride[k] = x->stride[d] * (a->count.v[d] > 1 ? a->step.v[d] : 1);
    v->len *= v->shape[k++];
  }
  v->ndim = (unsigned char)k;
  return v;
}


static int slice_shape (nx_ctx *C, nx_node *n) {
  if (check_slice(C, n)) return nx_status(C);
  n->out[0] = sliced(C, n->in[0], n->a);
  n->nout = 1;
  return nx_status(C);
}

static int slice_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                       nx_tensor **gx) {
  nx_tensor *x = n->in[0];
  gx[0] = nx_slice_scatter(C, nx_zeros(C, x->dtype, x->ndim, x->shape),
                           gy[0], n->a);
  return nx_status(C);
}

const nx_op nx_op_slice = {
  .name = "slice",
  .doc = "Part of x along all dimensions, without a copy; what x[...] does.",
  .inputs = "x", .outputs = "y", .fields = slice_fields,
  .argsize = sizeof(slice_args), .flags = NX_VIEW | NX_INNER,
  .shape = slice_shape, .grad = NX_LEARN(slice_grad)
};

OPFN nx_tensor *nx_slice (nx_ctx *C, nx_tensor *x, const slice_args *s) {
  slice_args a = *s;
  return nx_apply(C, &nx_op_slice, &a, 1, &x);
}


static int slice_scatter_shape (nx_ctx *C, nx_node *n) {
  const slice_args *s = n->a;
  nx_tensor *x = n->in[0], *z = n->in[1], part = *x;    /* only a shape */
  int64_t shape[NEAP_MAXDIM];
  int ndim;
  char a[NX_SHAPE_TEXT], b[NX_SHAPE_TEXT];
  if (check_slice(C, n)) return nx_status(C);
  part.ndim = 0;
  for (int d = 0; d < x->ndim; d++)
    if (!s->drop.v[d]) part.shape[part.ndim++] = s->count.v[d];
  if (nx_broadcast(C, n->op->name, &part, z, &ndim, shape))
    return nx_status(C);
  if (ndim != part.ndim ||
      memcmp(shape, part.shape, (size_t)ndim * sizeof(*shape)) != 0)
    return nx_op_fail(C, n, NEAP_ESHAPE, "z is %s and does not fit into a "
                      "part of %s", nx_shape_of(z, b), nx_shape_of(&part, a));
  nx_out_like(C, n, 0, x);
  return nx_status(C);
}

/* y = x with z in the part */
static int slice_scatter_forward (nx_ctx *C, nx_node *n) {
  nx_tensor *y = n->out[0], *part;
  if (!n->inplace && nx_copy(C, y, n->in[0])) return nx_status(C);
  part = sliced(C, y, n->a);
  return part ? nx_copy(C, part, n->in[1]) : nx_status(C);
}

/* gx = gy with zeros in the part, gz = the part of gy */
static int slice_scatter_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                               nx_tensor **gx) {
  nx_tensor *z = n->in[1];
  if (n->wants[0])
    gx[0] = nx_slice_scatter(C, gy[0], nx_from_number(C, 0), n->a);
  if (n->wants[1])
    gx[1] = nx_to(C, nx_sum_to(C, nx_slice(C, gy[0], n->a), z), z->dtype);
  return nx_status(C);
}

const nx_op nx_op_slice_scatter = {
  .name = "slice_scatter",
  .doc = "x with z, broadcast, in place of a part; what x[...] = z does.",
  .inputs = "x z", .outputs = "y", .fields = slice_fields,
  .argsize = sizeof(slice_args), .flags = NX_INPLACE | NX_INNER,
  .shape = slice_scatter_shape, .forward = slice_scatter_forward,
  .grad = NX_LEARN(slice_scatter_grad)
};

OPFN nx_tensor *nx_slice_scatter (nx_ctx *C, nx_tensor *x, nx_tensor *z,
                                  const slice_args *s) {
  slice_args a = *s;
  return nx_apply(C, &nx_op_slice_scatter, &a, 2, (nx_tensor *[]){x, z});
}


/*
** select: one position of a dimension, which goes away.
*/
typedef struct select_args { int64_t dim, index; } select_args;

static const nx_field select_fields[] = {
  NX_DIM(select_args, dim, NX_REQUIRED, "dimension to look into"),
  NX_INDEX(select_args, index, NX_REQUIRED, "which position"),
  NX_END
};

/* the arguments as those of a slice */
static void as_slice (const nx_tensor *x, const select_args *a,
                      slice_args *s) {
  nx_slice_all(x, s);
  s->start.v[a->dim] = a->index;
  s->count.v[a->dim] = 1;
  s->drop.v[a->dim] = 1;
}

static int select_shape (nx_ctx *C, nx_node *n) {
  select_args *a = n->a;
  nx_tensor *x = n->in[0];
  slice_args s;
  if (nx_dim(C, "select", x, &a->dim)) return nx_status(C);
  if (x->ndim == 0)
    return nx_op_fail(C, n, NEAP_ESHAPE, "a 0-d tensor has no dimensions");
  if (nx_position(C, "select", x, (int)a->dim, &a->index))
    return nx_status(C);
  as_slice(x, a, &s);
  n->out[0] = sliced(C, x, &s);
  n->nout = 1;
  return nx_status(C);
}

static int select_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                        nx_tensor **gx) {
  nx_tensor *x = n->in[0];
  slice_args s;
  as_slice(x, n->a, &s);
  gx[0] = nx_slice_scatter(C, nx_zeros(C, x->dtype, x->ndim, x->shape),
                           gy[0], &s);
  return nx_status(C);
}

const nx_op nx_op_select = {
  .name = "select",
  .doc = "One position of a dimension, which goes away; without a copy.",
  .inputs = "x", .outputs = "y", .fields = select_fields,
  .argsize = sizeof(select_args), .flags = NX_VIEW,
  .shape = select_shape, .grad = NX_LEARN(select_grad)
};

OPFN nx_tensor *nx_select (nx_ctx *C, nx_tensor *x, int64_t dim,
                           int64_t index) {
  select_args a = {dim, index};
  return nx_apply(C, &nx_op_select, &a, 1, &x);
}
