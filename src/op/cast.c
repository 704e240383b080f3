/*
** Copies and conversions.
*/
#include <string.h>
#include "ops.h"
#include "op/broadcast.h"
#include "op/fill.h"

typedef struct to_args { int dtype; } to_args;

static const nx_field to_fields[] = {
  NX_ENUM(to_args, dtype, NX_DTYPES, NEAP_F32, "type of the result"),
  NX_END
};


static int to_shape (nx_ctx *C, nx_node *n) {
  nx_out(C, n, 0, ((to_args *)n->a)->dtype, n->in[0]->ndim, n->in[0]->shape);
  return nx_status(C);
}

static int to_forward (nx_ctx *C, nx_node *n) {
  return nx_copy(C, n->out[0], n->in[0]);
}

/* gx = gy in the type of x */
static int to_grad (nx_ctx *C, nx_node *n, nx_tensor **gy, nx_tensor **gx) {
  gx[0] = nx_to(C, gy[0], n->in[0]->dtype);
  return nx_status(C);
}

const nx_op nx_op_to = {
  .name = "to",
  .doc = "x in another type; numbers are cut toward 0 to integers.",
  .inputs = "x", .outputs = "y", .fields = to_fields,
  .argsize = sizeof(to_args), .flags = NX_ANYTYPE,
  .cuts = "*", .shape = to_shape, .forward = to_forward,
  .grad = NX_LEARN(to_grad)
};

OPFN nx_tensor *nx_to (nx_ctx *C, nx_tensor *x, int dtype) {
  to_args a = {dtype};
  return nx_apply(C, &nx_op_to, &a, 1, &x);
}


static int clone_shape (nx_ctx *C, nx_node *n) {
  nx_out_like(C, n, 0, n->in[0]);
  return nx_status(C);
}

static int clone_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                       nx_tensor **gx) {
  (void)C; (void)n;
  gx[0] = gy[0];
  return 0;
}

const nx_op nx_op_clone = {
  .name = "clone",
  .doc = "A copy of x, in row order.",
  .inputs = "x", .outputs = "y", .flags = NX_ANYTYPE,
  .cuts = "*", .shape = clone_shape, .forward = to_forward,
  .grad = NX_LEARN(clone_grad)
};

OPFN nx_tensor *nx_clone (nx_ctx *C, nx_tensor *x) {
  return nx_apply(C, &nx_op_clone, NULL, 1, &x);
}


/*
** y = z in the shape and place of x: x:copy_(z).
*/
static int copy_shape (nx_ctx *C, nx_node *n) {
  nx_tensor *x = n->in[0], *z = n->in[1];
  int64_t shape[NEAP_MAXDIM];
  int ndim;
  if (nx_broadcast(C, "copy", x, z, &ndim, shape)) return nx_status(C);
  nx_out_like(C, n, 0, x);
  if (nx_status(C)) return nx_status(C);
  if (ndim != x->ndim ||
      memcmp(shape, x->shape, (size_t)ndim * sizeof(*shape)) != 0) {
    char a[NX_SHAPE_TEXT], b[NX_SHAPE_TEXT];
    return nx_op_fail(C, n, NEAP_ESHAPE, "z is %s and does not fit into x, "
                      "which is %s", nx_shape_of(z, b), nx_shape_of(x, a));
  }
  return 0;
}

static int copy_forward (nx_ctx *C, nx_node *n) {
  return nx_copy(C, n->out[0], n->in[1]);
}

static int copy_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                      nx_tensor **gx) {
  if (n->wants[1])
    gx[1] = nx_to(C, nx_sum_to(C, gy[0], n->in[1]), n->in[1]->dtype);
  return nx_status(C);
}

const nx_op nx_op_copy = {
  .name = "copy",
  .doc = "The elements of z, broadcast to the shape and type of x.",
  .inputs = "x z", .outputs = "y", .flags = NX_INPLACE,
  .shape = copy_shape, .forward = copy_forward, .grad = NX_LEARN(copy_grad)
};
