/*
** SGD: gradient descent with momentum.
**
** With g the gradient plus weight_decay w:
**   v = momentum v + (1 - dampening) g      (the first time v = g)
**   w = w - lr (g + momentum v if nesterov, else v)
** This is PyTorch's form; books often put lr inside the velocity, which
** is the same while lr does not change.
*/
#include "optim/optimizer.h"

typedef struct sgd_args {
  double lr, momentum, dampening, weight_decay;
  int nesterov, maximize;
} sgd_args;

static const nx_field sgd_fields[] = {
  NX_NUMBER(sgd_args, lr, 1e-3, "learning rate"),
  NX_NUMBER(sgd_args, momentum, 0, "share of the last velocity"),
  NX_NUMBER(sgd_args, dampening, 0, "what the gradient's share lacks to 1"),
  NX_NUMBER(sgd_args, weight_decay, 0, "L2 penalty"),
  NX_BOOL(sgd_args, nesterov, 0, "look ahead along the velocity"),
  NX_BOOL(sgd_args, maximize, 0, "climb instead of descending"),
  NX_END
};


static int sgd_check (nx_ctx *C, const void *args) {
  const sgd_args *a = args;
  if (!(a->lr >= 0))
    return nx_fail(C, NEAP_EARG, "SGD: lr is %g, expected 0 or more", a->lr);
  if (!(a->momentum >= 0) || !(a->weight_decay >= 0))
    return nx_fail(C, NEAP_EARG, "SGD: momentum and weight_decay must not "
                   "be negative");
  if (a->nesterov && (a->momentum <= 0 || a->dampening != 0))
    return nx_fail(C, NEAP_EARG, "SGD: nesterov needs momentum and no "
                   "dampening");
  return 0;
}

static int sgd_uses (const void *args, int i) {
  (void)i;
  return ((const sgd_args *)args)->momentum != 0;
}

static nx_map_fn *sgd_plan (const void *args, const nx_kernels *K,
                            int64_t step, double *c) {
  const sgd_args *a = args;
  c[0] = a->lr;
  c[1] = a->momentum;
  c[2] = step == 1 ? 1 : 1 - a->dampening;
  c[3] = a->weight_decay;
  c[4] = a->nesterov;
  c[5] = a->maximize ? -1 : 1;
  return K->sgd;
}

const nx_optim nx_optim_sgd = {
  .name = "SGD", .doc = "Gradient descent with momentum.",
  .fields = sgd_fields, .argsize = sizeof(sgd_args),
  .slots = "momentum_buffer", .check = sgd_check, .uses = sgd_uses,
  .plan = sgd_plan
};
