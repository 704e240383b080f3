/*
** SGD: gradient descent with momentum.
**
** With g the gradient plus weight_decay w:
**   v = momentum v + (1 - dampening) g      (the first time v = g)
**   w = w - lr (g + momentum v if nesterov, else v)
** That is momentum_form "torch". Books also have
**   "classic":  v = momentum v + lr g,              w = w - v
** (Polyak 1964), the same while lr does not change, and
**   "average":  v = momentum v + (1 - momentum) g,  w = w - lr v,
** whose steps are 1 - momentum times as long.
*/
#include "optim/optimizer.h"

enum { TORCH, CLASSIC, AVERAGE };

typedef struct sgd_args {
  double lr, momentum, dampening, weight_decay;
  int nesterov, maximize, momentum_form;
} sgd_args;

static const nx_field sgd_fields[] = {
  NX_NUMBER(sgd_args, lr, 1e-3, "learning rate"),
  NX_NUMBER(sgd_args, momentum, 0, "share of the last velocity"),
  NX_NUMBER(sgd_args, dampening, 0, "what the gradient's share lacks to 1"),
  NX_NUMBER(sgd_args, weight_decay, 0, "L2 penalty"),
  NX_BOOL(sgd_args, nesterov, 0, "look ahead along the velocity"),
  NX_BOOL(sgd_args, maximize, 0, "climb instead of descending"),
  NX_ENUM(sgd_args, momentum_form, "torch classic average", TORCH,
          "what the velocity is"),
  NX_END
};


static int sgd_check (nx_ctx *C, const void *args) {
  const sgd_args *a = args;
  if (!(a->lr >= 0))
    return nx_fail(C, NEAP_EARG, "lr is %g, expected 0 or more", a->lr);
  if (!(a->momentum >= 0) || !(a->weight_decay >= 0))
    return nx_fail(C, NEAP_EARG, "momentum and weight_decay must not "
                   "be negative");
  if (a->nesterov && (a->momentum <= 0 || a->dampening != 0))
    return nx_fail(C, NEAP_EARG, "nesterov needs momentum and no "
                   "dampening");
  if (a->momentum_form != TORCH && a->dampening != 0)
    return nx_fail(C, NEAP_EARG, "dampening belongs to momentum_form "
                   "torch");
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
  if (a->momentum_form == AVERAGE) c[2] = 1 - a->momentum;
  if (a->momentum_form == CLASSIC) {     /* lr inside */
    c[0] = c[2] = 1;
    c[3] *= a->lr;
    c[5] *= a->lr;
  }
  return K->sgd;
}

static int sgd_rows (const void *args) {
  const sgd_args *a = args;
  return a->momentum == 0 && a->weight_decay == 0 ? NX_ROWS_ONLY
                                                  : NX_ROWS_WHOLE;
}

const nx_optim nx_optim_sgd = {
  .name = "SGD", .doc = "Gradient descent with momentum.",
  .fields = sgd_fields, .argsize = sizeof(sgd_args),
  .slots = "momentum_buffer", .check = sgd_check, .uses = sgd_uses,
  .plan = sgd_plan, .rows = sgd_rows
};
