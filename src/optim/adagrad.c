/*
** Optimisers with a rate of its own for each element, from the squares of
** its gradients: Adagrad, Adadelta, RMSprop, and Adamax.
*/
#include <math.h>
#include "optim/optimizer.h"

static int want_not_negative (nx_ctx *C, const char *name, double v) {
  if (v >= 0) return 0;
  return nx_fail(C, NEAP_EARG, "%s is %g, expected 0 or more", name, v);
}

static int want_share (nx_ctx *C, const char *name, double v) {
  if (v >= 0 && v < 1) return 0;
  return nx_fail(C, NEAP_EARG, "%s is %g, expected 0 to below 1", name, v);
}


/*
** Adagrad (Duchi et al. 2011): with s the sum of all g^2,
**   w = w - lr / (1 + (t - 1) lr_decay) g / (sqrt(s) + eps)
*/
typedef struct adagrad_args {
  double lr, lr_decay, weight_decay, initial_accumulator_value, eps;
  int maximize;
} adagrad_args;

static const nx_field adagrad_fields[] = {
  NX_NUMBER(adagrad_args, lr, 1e-2, "learning rate"),
  NX_NUMBER(adagrad_args, lr_decay, 0, "how the rate falls with the steps"),
  NX_NUMBER(adagrad_args, weight_decay, 0, "L2 penalty in the gradient"),
  NX_NUMBER(adagrad_args, initial_accumulator_value, 0,
            "what the sum of squares starts with"),
  NX_NUMBER(adagrad_args, eps, 1e-10, "added to the denominator"),
  NX_BOOL(adagrad_args, maximize, 0, "climb instead of descending"),
  NX_END
};

static int adagrad_check (nx_ctx *C, const void *args) {
  const adagrad_args *a = args;
  return want_not_negative(C, "lr", a->lr) ||
         want_not_negative(C, "lr_decay", a->lr_decay) ||
         want_not_negative(C, "weight_decay", a->weight_decay) ||
         want_not_negative(C, "initial_accumulator_value",
                           a->initial_accumulator_value) ||
         want_not_negative(C, "eps", a->eps);
}

static double adagrad_start (const void *args, int i) {
  (void)i;
  return ((const adagrad_args *)args)->initial_accumulator_value;
}

static nx_map_fn *adagrad_plan (const void *args, const nx_kernels *K,
                                int64_t step, double *c) {
  const adagrad_args *a = args;
  c[0] = a->lr / (1 + (double)(step - 1) * a->lr_decay);
  c[3] = a->eps;
  c[4] = a->weight_decay;
  c[5] = a->maximize ? -1 : 1;
  return K->adagrad;
}

static int adagrad_rows (const void *args) {
  return ((const adagrad_args *)args)->weight_decay == 0 ? NX_ROWS_ONLY
                                                         : NX_ROWS_WHOLE;
}

const nx_optim nx_optim_adagrad = {
  .name = "Adagrad",
  .doc = "Steps divided by the root of the sum of all squared gradients.",
  .fields = adagrad_fields, .argsize = sizeof(adagrad_args), .slots = "sum",
  .check = adagrad_check, .start = adagrad_start, .plan = adagrad_plan,
  .rows = adagrad_rows
};


/*
** Adadelta (Zeiler 2012, algorithm 1): with running means of g^2 and d^2,
**   d = sqrt(mean d^2 + eps) / sqrt(mean g^2 + eps) g,  w = w - lr d
*/
typedef struct adadelta_args {
  double lr, rho, eps, weight_decay;
  int maximize;
} adadelta_args;

static const nx_field adadelta_fields[] = {
  NX_NUMBER(adadelta_args, lr, 1, "factor of a step"),
  NX_NUMBER(adadelta_args, rho, 0.9, "memory of the means"),
  NX_NUMBER(adadelta_args, eps, 1e-6, "added inside the roots"),
  NX_NUMBER(adadelta_args, weight_decay, 0, "L2 penalty in the gradient"),
  NX_BOOL(adadelta_args, maximize, 0, "climb instead of descending"),
  NX_END
};

static int adadelta_check (nx_ctx *C, const void *args) {
  const adadelta_args *a = args;
  return want_not_negative(C, "lr", a->lr) || want_share(C, "rho", a->rho) ||
         want_not_negative(C, "eps", a->eps) ||
         want_not_negative(C, "weight_decay", a->weight_decay);
}

static nx_map_fn *adadelta_plan (const void *args, const nx_kernels *K,
                                 int64_t step, double *c) {
  const adadelta_args *a = args;
  (void)step;
  c[0] = a->lr;
  c[1] = a->rho;
  c[3] = a->eps;
  c[4] = a->weight_decay;
  c[5] = a->maximize ? -1 : 1;
  return K->adadelta;
}

const nx_optim nx_optim_adadelta = {
  .name = "Adadelta",
  .doc = "Steps in the units of the parameter, from means of their squares.",
  .fields = adadelta_fields, .argsize = sizeof(adadelta_args),
  .slots = "square_avg acc_delta", .check = adadelta_check,
  .plan = adadelta_plan
};


/*
** RMSprop (Tieleman and Hinton 2012): v = alpha v + (1 - alpha) g^2,
**   d = g / (sqrt(v - mean(g)^2 if centered, else v) + eps)
**   w = w - lr d, or with momentum b = momentum b + d, w = w - lr b
*/
typedef struct rmsprop_args {
  double lr, alpha, eps, weight_decay, momentum;
  int centered, maximize;
} rmsprop_args;

static const nx_field rmsprop_fields[] = {
  NX_NUMBER(rmsprop_args, lr, 1e-2, "learning rate"),
  NX_NUMBER(rmsprop_args, alpha, 0.99, "memory of the mean square"),
  NX_NUMBER(rmsprop_args, eps, 1e-8, "added to the denominator"),
  NX_NUMBER(rmsprop_args, weight_decay, 0, "L2 penalty in the gradient"),
  NX_NUMBER(rmsprop_args, momentum, 0, "share of the last velocity"),
  NX_BOOL(rmsprop_args, centered, 0, "divide by the deviation"),
  NX_BOOL(rmsprop_args, maximize, 0, "climb instead of descending"),
  NX_END
};

static int rmsprop_check (nx_ctx *C, const void *args) {
  const rmsprop_args *a = args;
  return want_not_negative(C, "lr", a->lr) ||
         want_share(C, "alpha", a->alpha) ||
         want_not_negative(C, "eps", a->eps) ||
         want_not_negative(C, "weight_decay", a->weight_decay) ||
         want_not_negative(C, "momentum", a->momentum);
}

enum { SQUARE_AVG, MOMENTUM_BUFFER, GRAD_AVG };

static int rmsprop_uses (const void *args, int i) {
  const rmsprop_args *a = args;
  if (i == MOMENTUM_BUFFER) return a->momentum != 0;
  return i == SQUARE_AVG || a->centered;
}

static nx_map_fn *rmsprop_plan (const void *args, const nx_kernels *K,
                                int64_t step, double *c) {
  const rmsprop_args *a = args;
  (void)step;
  c[0] = a->lr;
  c[1] = a->alpha;
  c[2] = a->momentum;
  c[3] = a->eps;
  c[4] = a->weight_decay;
  c[5] = a->maximize ? -1 : 1;
  return K->rmsprop;
}

const nx_optim nx_optim_rmsprop = {
  .name = "RMSprop",
  .doc = "Steps divided by the root of the mean of squared gradients.",
  .fields = rmsprop_fields, .argsize = sizeof(rmsprop_args),
  .slots = "square_avg momentum_buffer grad_avg", .check = rmsprop_check,
  .uses = rmsprop_uses, .plan = rmsprop_plan
};


/*
** Adamax (Kingma and Ba 2015, algorithm 2): m as Adam's, and
**   u = max(b2 u, |g| + eps),  w = w - lr / (1 - b1^t) m / u
*/
typedef struct adamax_args {
  double lr, betas[2], eps, weight_decay;
  int maximize;
} adamax_args;

static const nx_field adamax_fields[] = {
  NX_NUMBER(adamax_args, lr, 2e-3, "learning rate"),
  NX_PAIR(adamax_args, betas, "0.9 0.999",
          "memory of the mean and of the largest"),
  NX_NUMBER(adamax_args, eps, 1e-8, "added to |g|"),
  NX_NUMBER(adamax_args, weight_decay, 0, "L2 penalty in the gradient"),
  NX_BOOL(adamax_args, maximize, 0, "climb instead of descending"),
  NX_END
};

static int adamax_check (nx_ctx *C, const void *args) {
  const adamax_args *a = args;
  return want_not_negative(C, "lr", a->lr) ||
         want_share(C, "the first of betas", a->betas[0]) ||
         want_share(C, "the second of betas", a->betas[1]) ||
         want_not_negative(C, "eps", a->eps) ||
         want_not_negative(C, "weight_decay", a->weight_decay);
}

static nx_map_fn *adamax_plan (const void *args, const nx_kernels *K,
                               int64_t step, double *c) {
  const adamax_args *a = args;
  c[0] = a->lr / (1 - pow(a->betas[0], (double)step));
  c[1] = a->betas[0];
  c[2] = a->betas[1];
  c[3] = a->eps;
  c[4] = a->weight_decay;
  c[5] = a->maximize ? -1 : 1;
  return K->adamax;
}

const nx_optim nx_optim_adamax = {
  .name = "Adamax",
  .doc = "Adam with the largest gradient in place of the mean square.",
  .fields = adamax_fields, .argsize = sizeof(adamax_args),
  .slots = "exp_avg exp_inf", .check = adamax_check, .plan = adamax_plan
};
