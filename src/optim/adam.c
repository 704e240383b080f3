/*
** Adam (Kingma and Ba 2015, algorithm 1), and its kin.
**
**   m = b1 m + (1 - b1) g          v = b2 v + (1 - b2) g^2
**   w = w - lr / (1 - b1^t) m / (sqrt(v) / sqrt(1 - b2^t) + eps)
** AMSGrad (Reddi et al. 2018) divides by the largest v so far instead.
*/
#include <math.h>
#include "optim/optimizer.h"

typedef struct adam_args {
  double lr, betas[2], eps, weight_decay;
  int amsgrad, maximize;
} adam_args;

#define LR(s, fallback) NX_NUMBER(s, lr, fallback, "learning rate")
#define MOMENTS(s) \
  NX_PAIR(s, betas, "0.9 0.999", \
          "memory of the mean and of the mean square"), \
  NX_NUMBER(s, eps, 1e-8, "added to the denominator")
#define L2_PENALTY(s) \
  NX_NUMBER(s, weight_decay, 0, "L2 penalty in the gradient")
#define VARIANTS(s) \
  NX_BOOL(s, amsgrad, 0, "never let the denominator shrink"), \
  NX_BOOL(s, maximize, 0, "climb instead of descending")

static const nx_field adam_fields[] = {
  LR(adam_args, 1e-3), MOMENTS(adam_args), L2_PENALTY(adam_args),
  VARIANTS(adam_args), NX_END
};

static const nx_field adamw_fields[] = {
  LR(adam_args, 1e-3), MOMENTS(adam_args),
  NX_NUMBER(adam_args, weight_decay, 1e-2,
            "share of a parameter that each step takes, times lr"),
  VARIANTS(adam_args), NX_END
};

static const nx_field radam_fields[] = {
  LR(adam_args, 1e-3), MOMENTS(adam_args), L2_PENALTY(adam_args), NX_END
};


static int adam_check (nx_ctx *C, const void *args) {
  const adam_args *a = args;
  if (!(a->lr >= 0))
    return nx_fail(C, NEAP_EARG, "lr is %g, expected 0 or more",
                   a->lr);
  if (!(a->betas[0] >= 0 && a->betas[0] < 1 &&
        a->betas[1] >= 0 && a->betas[1] < 1))
    return nx_fail(C, NEAP_EARG, "betas are %g and %g, expected 0 to "
                   "below 1", a->betas[0], a->betas[1]);
  if (!(a->eps >= 0) || !(a->weight_decay >= 0))
    return nx_fail(C, NEAP_EARG, "eps and weight_decay must not be "
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


/*
** AdamW: weights decay by lr weight_decay beside the step, not through the
** gradient (Loshchilov and Hutter 2019, algorithm 2). Some books take the
** starting weights there: the present ones are meant.
*/
static nx_map_fn *adamw_plan (const void *args, const nx_kernels *K,
                              int64_t step, double *c) {
  const adam_args *a = args;
  nx_map_fn *f = adam_plan(args, K, step, c);
  c[4] = 0;
  c[6] = 1 - a->lr * a->weight_decay;
  return f;
}

const nx_optim nx_optim_adamw = {
  .name = "AdamW",
  .doc = "Adam whose weights decay by themselves.",
  .fields = adamw_fields, .argsize = sizeof(adam_args),
  .slots = "exp_avg exp_avg_sq max_exp_avg_sq", .check = adam_check,
  .uses = adam_uses, .plan = adamw_plan
};


/*
** SparseAdam: Adam for tables of which a batch uses some rows; moments of
** the others stay as they are, and so do the rows. 'eps' is added before
** the moments' bias is taken out:
**   w = w - lr sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + eps)
*/
static const nx_field sparseadam_fields[] = {
  LR(adam_args, 1e-3), MOMENTS(adam_args),
  NX_BOOL(adam_args, maximize, 0, "climb instead of descending"), NX_END
};

static nx_map_fn *sparseadam_plan (const void *args, const nx_kernels *K,
                                   int64_t step, double *c) {
  nx_map_fn *f = adam_plan(args, K, step, c);
  c[0] /= c[7];
  c[7] = 1;
  return f;
}

static int sparseadam_rows (const void *args) {
  (void)args;
  return NX_ROWS_NEEDED;
}

const nx_optim nx_optim_sparseadam = {
  .name = "SparseAdam",
  .doc = "Adam for the rows of a table that have a gradient.",
  .fields = sparseadam_fields, .argsize = sizeof(adam_args),
  .slots = "exp_avg exp_avg_sq", .check = adam_check,
  .plan = sparseadam_plan, .rows = sparseadam_rows
};


/*
** RAdam: while too few steps were taken to know the variance of v, a step
** is along m alone; then Adam's times a factor that goes to 1 (Liu et al.
** 2020, algorithm 2).
*/
static nx_map_fn *radam_plan (const void *args, const nx_kernels *K,
                              int64_t step, double *c) {
  const adam_args *a = args;
  double t = (double)step, b2t = pow(a->betas[1], t);
  double most = 2 / (1 - a->betas[1]) - 1;
  double rho = most - 2 * t * b2t / (1 - b2t), factor;
  adam_plan(args, K, step, c);
  c[6] = 0;
  c[8] = rho > 5;
  if (rho > 5) {
    factor = (rho - 4) * (rho - 2) * most / ((most - 4) * (most - 2) * rho);
    c[0] *= sqrt(factor) * sqrt(1 - b2t);
    c[7] = 1;
  }
  return K->nadam;
}

const nx_optim nx_optim_radam = {
  .name = "RAdam",
  .doc = "Adam that begins with plain momentum.",
  .fields = radam_fields, .argsize = sizeof(adam_args),
  .slots = "exp_avg exp_avg_sq", .check = adam_check, .plan = radam_plan
};


/*
** NAdam: Adam that looks ahead along m as Nesterov does (Dozat 2016), with
** b1 replaced by u_t = b1 (1 - 0.96^(t decay) / 2) in
**   w = w - lr ((1 - u_t) / (1 - U_t) g
**              + u_{t+1} / (1 - U_t u_t u_{t+1}) m) / ...
** where U_t is the product of u_1 ... u_t. Dozat has U_t u_{t+1} in the
** last denominator; these are the numbers of PyTorch 1.13, which takes u_t
** twice there. The difference is gone after some ten steps.
*/
typedef struct nadam_args {
  double lr, betas[2], eps, weight_decay, momentum_decay;
} nadam_args;

static const nx_field nadam_fields[] = {
  LR(nadam_args, 2e-3), MOMENTS(nadam_args), L2_PENALTY(nadam_args),
  NX_NUMBER(nadam_args, momentum_decay, 4e-3, "how fast u_t goes to beta1"),
  NX_END
};

static int nadam_check (nx_ctx *C, const void *args) {
  const nadam_args *a = args;
  adam_args as_adam = {a->lr, {a->betas[0], a->betas[1]}, a->eps,
                       a->weight_decay, 0, 0};
  return adam_check(C, &as_adam);
}

static double nadam_share (const nadam_args *a, int64_t t) {
  return a->betas[0] * (1 - 0.5 * pow(0.96, (double)t * a->momentum_decay));
}

/* U_t, in single precision, as PyTorch keeps it; after some hundred steps
   it is 0, so this is never long */
static float nadam_product (const nadam_args *a, int64_t step) {
  float u = 1;
  for (int64_t t = 1; t <= step; t++) {
    u *= (float)nadam_share(a, t);
    if (u == 0) break;         /* too small for a number: 0 from here on */
  }
  return u;
}

static nx_map_fn *nadam_plan (const void *args, const nx_kernels *K,
                              int64_t step, double *c) {
  const nadam_args *a = args;
  double now = nadam_share(a, step), next = nadam_share(a, step + 1);
  float product = nadam_product(a, step);
  c[0] = a->lr * next / (1 - (double)(product * (float)now * (float)next));
  c[1] = a->betas[0];
  c[2] = a->betas[1];
  c[3] = a->eps;
  c[4] = a->weight_decay;
  c[5] = 1;
  c[6] = a->lr * (1 - now) / (1 - (double)product);
  c[7] = 1 / sqrt(1 - pow(a->betas[1], (double)step));
  c[8] = 1;
  return K->nadam;
}

const nx_optim nx_optim_nadam = {
  .name = "NAdam",
  .doc = "Adam with Nesterov's momentum.",
  .fields = nadam_fields, .argsize = sizeof(nadam_args),
  .slots = "exp_avg exp_avg_sq", .check = nadam_check, .plan = nadam_plan
};
