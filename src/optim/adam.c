/*
** Adam (Kingma and Ba 2015, algorithm 1), and AMSGrad (Reddi et al. 2018).
**
**   m = b1 m + (1 - b1) g          v = b2 v + (1 - b2) g^2
**   w = w - lr / (1 - b1^t) m / (sqrt(v) / sqrt(1 - b2^t) + eps)
** AMSGrad divides by the largest v so far instead.
*/
#include <math.h>
#include "optim/optimizer.h"

typedef struct adam_args {
  double lr, betas[2], eps, weight_decay;
  int amsgrad, maximize;
} adam_args;

static const nx_field adam_fields[] = {
  NX_NUMBER(adam_args, lr, 1e-3, "learning rate"),
  NX_PAIR(adam_args, betas, "0.9 0.999",
          "memory of the mean and of the mean square"),
  NX_NUMBER(adam_args, eps, 1e-8, "added to the denominator"),
  NX_NUMBER(adam_args, weight_decay, 0, "L2 penalty in the gradient"),
  NX_BOOL(adam_args, amsgrad, 0, "never let the denominator shrink"),
  NX_BOOL(adam_args, maximize, 0, "climb instead of descending"),
  NX_END
};


static int adam_check (nx_ctx *C, const void *args) {
  const adam_args *a = args;
  if (!(a->lr >= 0))
    return nx_fail(C, NEAP_EARG, "Adam: lr is %g, expected 0 or more",
                   a->lr);
  if (!(a->betas[0] >= 0 && a->betas[0] < 1 &&
        a->betas[1] >= 0 && a->betas[1] < 1))
    return nx_fail(C, NEAP_EARG, "Adam: betas are %g and %g, expected 0 to "
                   "below 1", a->betas[0], a->betas[1]);
  if (!(a->eps >= 0) || !(a->weight_decay >= 0))
    return nx_fail(C, NEAP_EARG, "Adam: eps and weight_decay must not be "
                   "negative");
  return 0;
}

enum { EXP_AVG, EXP_AVG_SQ, MAX_EXP_AVG_SQ };

static int adam_uses (const void *args, int i) {
  return i != MAX_EXP_AVG_SQ || ((const adam_args *)args)->amsgrad;
}

static nx_map_fn *adam_plan (const void *args, const nx_kernels *K,
                             int64_t step, double *c) {
  const adam_args *a = args;
  double t = (double)step;
  c[0] = a->lr / (1 - pow(a->betas[0], t));
  c[1] = a->betas[0];
  c[2] = a->betas[1];
  c[3] = a->eps;
  c[4] = a->weight_decay;
  c[5] = a->maximize ? -1 : 1;
  c[6] = 1;
  c[7] = 1 / sqrt(1 - pow(a->betas[1], t));
  return K->adam;
}

const nx_optim nx_optim_adam = {
  .name = "Adam",
  .doc = "Steps scaled by running means of the gradient and its square.",
  .fields = adam_fields, .argsize = sizeof(adam_args),
  .slots = "exp_avg exp_avg_sq max_exp_avg_sq", .check = adam_check,
  .uses = adam_uses, .plan = adam_plan
};
