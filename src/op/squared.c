/*
** mse_loss: squared differences.
*/
#include "ops.h"

enum { NONE, MEAN, SUM };

typedef struct mse_args { int reduction; } mse_args;

static const nx_field mse_fields[] = {
  NX_ENUM(mse_args, reduction, "none mean sum", MEAN,
          "one loss for each element, their mean or sum"),
  NX_END
};


/* n x 1 against n, which broadcasting would make a silent n x n */
static const char *remedy (const nx_tensor *x, const nx_tensor *t) {
  int one = x->len == t->len && (x->ndim == t->ndim + 1 ||
                                 t->ndim == x->ndim + 1);
  if (one && x->ndim > t->ndim)
    return "; x:squeeze(-1), or nn.Flatten(1) at the end of a net, drops the "
           "last dimension, target:unsqueeze(-1) adds one";
  if (one) return "; target:squeeze(-1) drops its last dimension";
  return "";
}

static int mse_loss_shape (nx_ctx *C, nx_node *n) {
  mse_args *a = n->a;
  nx_tensor *x = n->in[0], *t = n->in[1];
  char xt[NX_SHAPE_TEXT], tt[NX_SHAPE_TEXT];
  if (nx_want_float(C, n, 0)) return nx_status(C);
  if (x->dtype != t->dtype)
    return nx_op_fail(C, n, NEAP_EDTYPE, "target is %s, expected %s as x is "
                      "(use target:to(\"%s\"))", nx_dtype_name(t->dtype),
                      nx_dtype_name(x->dtype), nx_dtype_name(x->dtype));
  if (!nx_same_shape(x, t))
    return nx_op_fail(C, n, NEAP_ESHAPE, "target is %s, expected %s as x is"
                      "%s", nx_shape_of(t, tt), nx_shape_of(x, xt),
                      remedy(x, t));
  nx_out(C, n, 0, x->dtype, a->reduction == NONE ? x->ndim : 0, x->shape);
  return nx_status(C);
}

/* y = (x - t)^2 */
static int mse_loss_forward (nx_ctx *C, nx_node *n) {
  mse_args *a = n->a;
  nx_tensor *x = n->in[0], *y = n->out[0], *d, *in[2];
  const nx_kernels *K = nx_kernels_for(C, x->dtype);
  d = a->reduction == NONE ? y : nx_new_like(C, x);
  if (d == NULL || nx_map(C, K->sub, NULL, d, 2, n->in)) return nx_status(C);
  in[0] = in[1] = d;
  nx_map(C, K->mul, NULL, d, 2, in);
  if (a->reduction == NONE) return nx_status(C);
  d = a->reduction == MEAN ? nx_mean_all(C, d) : nx_sum_all(C, d);
  return d ? nx_copy(C, y, d) : nx_status(C);
}

/* gx = 2 (x - t) gy / count, gt = -gx */
static int mse_loss_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                          nx_tensor **gx) {
  mse_args *a = n->a;
  nx_tensor *x = n->in[0], *t = n->in[1], *g;
  double k = 2;
  if (a->reduction == MEAN) k = x->len ? 2 / (double)x->len : 0;
  g = nx_mul(C, gy[0], nx_from_number(C, k));
  g = nx_mul(C, nx_sub(C, x, t), g);
  if (n->wants[0]) gx[0] = g;
  if (n->wants[1]) gx[1] = nx_neg(C, g);
  return nx_status(C);
}

const nx_op nx_op_mse_loss = {
  .name = "mse_loss",
  .doc = "Squared differences of x and target.",
  .inputs = "x target", .outputs = "y", .fields = mse_fields,
  .argsize = sizeof(mse_args), .saves = "x target",
  .shape = mse_loss_shape, .forward = mse_loss_forward,
  .grad = mse_loss_grad
};

OPFN nx_tensor *nx_mse_loss (nx_ctx *C, nx_tensor *x, nx_tensor *target,
                             int reduction) {
  mse_args a = {reduction};
  return nx_apply(C, &nx_op_mse_loss, &a, 2, (nx_tensor *[]){x, target});
}
