/*
** What operations on several operands share.
*/
#include "ops.h"
#include "op/broadcast.h"
#include "tensor/view.h"


int nx_meeting_type (const nx_node *n) {
  int type = nx_promote(n->in[0], n->in[1]), own = n->in[0]->dtype;
  if (n->inplace && (nx_is_float(own) || !nx_is_float(type))) return own;
  return type;
}


nx_tensor *nx_operand (nx_ctx *C, const nx_node *n, nx_tensor *t,
                       int dtype) {
  if (t == NULL) return NULL;
  if (!(t->flags & NX_IS_NUMBER_FLAG))
    return t->dtype == dtype ? t : nx_to(C, t, dtype);
  if (t->dtype == NEAP_I64 && !nx_fits(dtype, *(int64_t *)t->data)) {
    nx_op_fail(C, n, NEAP_EARG, "%lld does not fit %s",
               (long long)*(int64_t *)t->data, nx_dtype_name(dtype));
    return NULL;
  }
  return nx_typed(C, t, dtype);
}


int nx_meet_inputs (nx_ctx *C, nx_node *n, int dtype) {
  if (n->inplace && n->in[0]->dtype != dtype)
    return nx_op_fail(C, n, NEAP_EDTYPE, "the result is %s, but x, which it "
                      "would replace, is %s", nx_dtype_name(dtype),
                      nx_dtype_name(n->in[0]->dtype));
  n->in[0] = nx_operand(C, n, n->in[0], dtype);
  n->in[1] = nx_operand(C, n, n->in[1], dtype);
  return nx_status(C);
}


int nx_meet (nx_ctx *C, nx_node *n, int dtype) {
  int64_t shape[NEAP_MAXDIM];
  int ndim;
  if (nx_meet_inputs(C, n, dtype)) return nx_status(C);
  if (nx_same_shape(n->in[0], n->in[1]))
    nx_out_like(C, n, 0, n->in[0]);
  else if (nx_broadcast(C, n->op->name, n->in[0], n->in[1], &ndim,
                        shape) == 0)
    nx_out(C, n, 0, dtype, ndim, shape);
  return nx_status(C);
}


nx_tensor *nx_sum_to (nx_ctx *C, nx_tensor *g, const nx_tensor *like) {
  nx_ints dims = {0, {0}};
  int lead;
  if (g == NULL || nx_same_shape(g, like)) return g;
  lead = g->ndim - like->ndim;
  for (int d = 0; d < g->ndim; d++)
    if (d < lead || (like->shape[d - lead] == 1 && g->shape[d] != 1))
      dims.v[dims.n++] = d;
  g = nx_sum(C, g, dims, 1);
  return nx_reshape(C, g, like->ndim, like->shape);
}


nx_tensor *nx_rows_along (nx_ctx *C, nx_tensor *x, int dim) {
  if (x->ndim > 0 && dim != x->ndim - 1)
    x = nx_view_swap(C, x, dim, x->ndim - 1);
  return x ? nx_dense(C, x) : NULL;
}
