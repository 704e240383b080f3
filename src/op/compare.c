/*
** Comparisons: masks of bool.
*/
#include "ops.h"
#include "op/broadcast.h"


static int compare_shape (nx_ctx *C, nx_node *n) {
  int64_t shape[NEAP_MAXDIM];
  int ndim;
  if (nx_meet_inputs(C, n, nx_promote(n->in[0], n->in[1])) == 0 &&
      nx_broadcast(C, n->op->name, n->in[0], n->in[1], &ndim, shape) == 0)
    nx_out(C, n, 0, NEAP_BOOL, ndim, shape);
  return nx_status(C);
}


#define COMPARISON(id, text) \
static int id##_forward (nx_ctx *C, nx_node *n) { \
  return nx_map(C, nx_kernels_for(C, n->in[0]->dtype)->id, NULL, n->out[0], \
                2, n->in); \
} \
const nx_op nx_op_##id = { \
  .name = #id, .doc = "True where x " text " z.", .inputs = "x z", \
  .outputs = "y", .flags = NX_NOGRAD, .shape = compare_shape, \
  .forward = id##_forward \
};

COMPARISON(eq, "equals")
COMPARISON(ne, "differs from")
COMPARISON(lt, "is less than")
COMPARISON(le, "is at most")
COMPARISON(gt, "is greater than")
COMPARISON(ge, "is at least")

OPFN nx_tensor *nx_gt (nx_ctx *C, nx_tensor *x, nx_tensor *z) {
  return nx_apply(C, &nx_op_gt, NULL, 2, (nx_tensor *[]){x, z});
}

OPFN nx_tensor *nx_eq (nx_ctx *C, nx_tensor *x, nx_tensor *z) {
  return nx_apply(C, &nx_op_eq, NULL, 2, (nx_tensor *[]){x, z});
}
