/*
** mse_loss: squared differences.
*/
#include "ops.h"
#include "op/loss.h"

typedef struct mse_args { int reduction; } mse_args;

static const nx_field mse_fields[] = {NX_REDUCTION(mse_args), NX_END};


static int mse_loss_shape (nx_ctx *C, nx_node *n) {
  mse_args *a = n->a;
  nx_tensor *x = n->in[0];
  if (nx_want_alike(C, n, 0, 1)) return nx_status(C);
  nx_out(C, n, 0, x->dtype, a->reduction == NX_EACH ? x->ndim : 0, x->shape);
  return nx_status(C);
}

/* y = (x - t)^2 */
static int mse_loss_forward (nx_ctx *C, nx_node *n) {
  mse_args *a = n->a;
  nx_tensor *x = n->in[0], *y = n->out[0], *d, *in[2];
  const nx_kernels *K = nx_kernels_for(C, x->dtype);
  d = a->reduction == NX_EACH ? y : nx_new_like(C, x);
  if (d == NULL || nx_map(C, K->sub, NULL, d, 2, n->in)) return nx_status(C);
  in[0] = in[1] = d;
  nx_map(C, K->mul, NULL, d, 2, in);
  if (a->reduction == NX_EACH) return nx_status(C);
  d = a->reduction == NX_MEAN ? nx_mean_all(C, d) : nx_sum_all(C, d);
  return d ? nx_copy(C, y, d) : nx_status(C);
}

/* gx = 2 (x - t) gy / count, gt = -gx */
static int mse_loss_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                          nx_tensor **gx) {
  mse_args *a = n->a;
  nx_tensor *x = n->in[0], *t = n->in[1], *g;
  double k = 2;
  if (a->reduction == NX_MEAN) k = x->len ? 2 / (double)x->len : 0;
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
  .grad = NX_LEARN(mse_loss_grad)
};
