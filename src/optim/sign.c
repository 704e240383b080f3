/*
** Optimisers that look at signs: Rprop and Lion.
*/
#include "optim/optimizer.h"

/*
** Rprop (Riedmiller and Braun 1993): each element has a step of its own,
** which grows while the gradient keeps its sign and shrinks where it
** turns; there no step is made.
*/
typedef struct rprop_args {
  double lr, etas[2], step_sizes[2];
  int maximize;
} rprop_args;

static const nx_field rprop_fields[] = {
  NX_NUMBER(rprop_args, lr, 1e-2, "first step"),
  NX_PAIR(rprop_args, etas, "0.5 1.2",
          "factors of a step where the gradient turns, and where not"),
  NX_PAIR(rprop_args, step_sizes, "1e-6 50", "least and largest step"),
  NX_BOOL(rprop_args, maximize, 0, "climb instead of descending"),
  NX_END
};

static int rprop_check (nx_ctx *C, const void *args) {
  const rprop_args *a = args;
  if (!(a->lr >= 0))
    return nx_fail(C, NEAP_EARG, "lr is %g, expected 0 or more", a->lr);
  if (!(a->etas[0] > 0 && a->etas[0] < 1 && a->etas[1] > 1))
    return nx_fail(C, NEAP_EARG, "etas are %g and %g, expected one below and "
                   "one above 1", a->etas[0], a->etas[1]);
  if (!(a->step_sizes[0] >= 0 && a->step_sizes[0] <= a->step_sizes[1]))
    return nx_fail(C, NEAP_EARG, "step_sizes are %g and %g, expected the "
                   "least and the largest", a->step_sizes[0],
                   a->step_sizes[1]);
  return 0;
}

enum { PREV, STEP_SIZE };

static double rprop_start (const void *args, int i) {
  return i == STEP_SIZE ? ((const rprop_args *)args)->lr : 0;
}

static nx_map_fn *rprop_plan (const void *args, const nx_kernels *K,
                              int64_t step, double *c) {
  const rprop_args *a = args;
  (void)step;
  c[0] = a->step_sizes[0];
  c[1] = a->step_sizes[1];
  c[2] = a->etas[0];
  c[3] = a->etas[1];
  c[5] = a->maximize ? -1 : 1;
  return K->rprop;
}

const nx_optim nx_optim_rprop = {
  .name = "Rprop",
  .doc = "Steps that follow the sign of the gradient alone; for whole data "
         "sets, not batches.",
  .fields = rprop_fields, .argsize = sizeof(rprop_args),
  .slots = "prev step_size", .check = rprop_check, .start = rprop_start,
  .plan = rprop_plan
};


/*
** Lion (Chen et al. 2023, algorithm 2):
**   w = w - lr (sign(b1 m + (1 - b1) g) + weight_decay w)
**   m = b2 m + (1 - b2) g
*/
typedef struct lion_args {
  double lr, betas[2], weight_decay;
  int maximize;
} lion_args;

static const nx_field lion_fields[] = {
  NX_NUMBER(lion_args, lr, 1e-4, "length of a step in each element"),
  NX_PAIR(lion_args, betas, "0.9 0.99", "memory in the step and of the mean"),
  NX_NUMBER(lion_args, weight_decay, 0,
            "share of a parameter that each step takes, times lr"),
  NX_BOOL(lion_args, maximize, 0, "climb instead of descending"),
  NX_END
};

static int lion_check (nx_ctx *C, const void *args) {
  const lion_args *a = args;
  if (!(a->lr >= 0) || !(a->weight_decay >= 0))
    return nx_fail(C, NEAP_EARG, "lr and weight_decay must not be negative");
  if (!(a->betas[0] >= 0 && a->betas[0] < 1 &&
        a->betas[1] >= 0 && a->betas[1] < 1))
    return nx_fail(C, NEAP_EARG, "betas are %g and %g, expected 0 to below 1",
                   a->betas[0], a->betas[1]);
  return 0;
}

static nx_map_fn *lion_plan (const void *args, const nx_kernels *K,
                             int64_t step, double *c) {
  const lion_args *a = args;
  (void)step;
  c[0] = a->lr;
  c[1] = a->betas[0];
  c[2] = a->betas[1];
  c[5] = a->maximize ? -1 : 1;
  c[6] = 1 - a->lr * a->weight_decay;
  return K->lion;
}

const nx_optim nx_optim_lion = {
  .name = "Lion",
  .doc = "Steps of one length, in the sign of a mean of gradients.",
  .fields = lion_fields, .argsize = sizeof(lion_args), .slots = "exp_avg",
  .check = lion_check, .plan = lion_plan
};
