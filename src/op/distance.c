/*
** Losses that measure how far x is from a target: l1_loss, smooth_l1_loss,
** huber_loss. With d = |x - target|:
*/
#include "op/composed.h"
#include "op/loss.h"

typedef struct distance_args {
  double width;
  int reduction;
} distance_args;

static const nx_field l1_fields[] = {NX_REDUCTION(distance_args), NX_END};

static const nx_field smooth_fields[] = {
  NX_REDUCTION(distance_args),
  NX_NUMBER_AS(distance_args, width, "beta", 1,
               "below this the loss is a parabola"), NX_END
};

static const nx_field huber_fields[] = {
  NX_REDUCTION(distance_args),
  NX_NUMBER_AS(distance_args, width, "delta", 1,
               "below this the loss is a parabola"), NX_END
};

static nx_tensor *distance (nx_ctx *C, nx_node *n) {
  if (nx_want_alike(C, n, 0, 1)) return NULL;
  return nx_abs(C, SUB(n->in[0], n->in[1]));
}

/* d */
static nx_tensor *l1_loss (nx_ctx *C, nx_tensor *d, double width) {
  (void)C; (void)width;
  return d;
}

/* d^2 / (2 beta) below beta, d - beta / 2 above */
static nx_tensor *smooth_l1_loss (nx_ctx *C, nx_tensor *d, double beta) {
  if (beta == 0) return d;
  return nx_where(C, nx_lt(C, d, NUM(beta)),
                  MUL(MUL(d, d), NUM(0.5 / beta)), SUB(d, NUM(beta / 2)));
}

/* d^2 / 2 up to delta, delta (d - delta / 2) above (Huber 1964) */
static nx_tensor *huber_loss (nx_ctx *C, nx_tensor *d, double delta) {
  return nx_where(C, nx_le(C, d, NUM(delta)), MUL(MUL(d, d), NUM(0.5)),
                  MUL(SUB(d, NUM(delta / 2)), NUM(delta)));
}

#define DISTANCE(id, options, text) \
static int id##_compose (nx_ctx *C, nx_node *n) { \
  const distance_args *a = n->a; \
  nx_tensor *d = distance(C, n); \
  if (d && !(a->width >= 0)) \
    return nx_op_fail(C, n, NEAP_EARG, "%s is %g, expected 0 or more", \
                      n->op->fields[1].name, a->width); \
  return nx_reduce_loss(C, n, d ? id(C, d, a->width) : NULL, a->reduction); \
} \
const nx_op nx_op_##id = { \
  .name = #id, .doc = text, .inputs = "x target", .outputs = "y", \
  .fields = options, .argsize = sizeof(distance_args), \
  .compose = id##_compose \
};

DISTANCE(l1_loss, l1_fields, "Absolute differences of x and target.")
DISTANCE(smooth_l1_loss, smooth_fields,
         "Absolute differences, rounded by a parabola below beta.")
DISTANCE(huber_loss, huber_fields,
         "Squared differences up to delta, absolute ones above.")
