/*
** What losses share: checks and reductions.
*/
#include "ops.h"
#include "op/loss.h"

static const char *remedy (const nx_tensor *x, const nx_tensor *t) {
  int one = x->len == t->len && (x->ndim == t->ndim + 1 ||
                                 t->ndim == x->ndim + 1);
  if (one && x->ndim > t->ndim)
    return "; x:squeeze(-1), or nn.Flatten(1) at the end of a net, drops the "
           "last dimension, target:unsqueeze(-1) adds one";
  if (one) return "; target:squeeze(-1) drops its last dimension";
  return "";
}


int nx_want_alike (nx_ctx *C, const nx_node *n, int x, int z) {
  const nx_tensor *a = n->in[x], *b = n->in[z];
  char at[NX_SHAPE_TEXT], bt[NX_SHAPE_TEXT], name[32], other[32];
  nx_names_at(n->op->inputs, x, name);
  nx_names_at(n->op->inputs, z, other);
  if (nx_want_float(C, n, x)) return nx_status(C);
  if (a->dtype != b->dtype)
    return nx_op_fail(C, n, NEAP_EDTYPE, "%s is %s, expected %s as %s is (use "
                      "%s:to(\"%s\"))", other, nx_dtype_name(b->dtype),
                      nx_dtype_name(a->dtype), name, other,
                      nx_dtype_name(a->dtype));
  if (nx_same_shape(a, b)) return 0;
  return nx_op_fail(C, n, NEAP_ESHAPE, "%s is %s, expected %s as %s is%s",
                    other, nx_shape_of(b, bt), nx_shape_of(a, at), name,
                    remedy(a, b));
}


int nx_reduce_loss (nx_ctx *C, nx_node *n, nx_tensor *each, int reduction) {
  if (each && reduction == NX_MEAN) each = nx_mean_all(C, each);
  else if (each && reduction == NX_TOTAL) each = nx_sum_all(C, each);
  return nx_composed(C, n, each);
}
