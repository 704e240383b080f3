/*
** Starting values of weights, in place: nn.init.xavier_uniform_(w) ...
**
** A weight has the shape (out, in, ...): fan_in and fan_out are its second
** and first size times what follows. Xavier's variance is
** 2 / (fan_in + fan_out) (Glorot and Bengio 2010, equation 12); some books
** give 1 / fan_in. Kaiming's is 2 / ((1 + a^2) fan_in) for a rectifier with
** slope a below 0 (He et al. 2015).
*/
#include <math.h>
#include <string.h>
#include "ops.h"

typedef struct init_args {
  double gain, a;
  int mode, nonlinearity;
  nx_draw generator;
} init_args;

enum { FAN_IN, FAN_OUT };
enum { LINEAR, SIGMOID, TANH, RELU, LEAKY_RELU, SELU };

static const nx_field xavier_fields[] = {
  NX_NUMBER(init_args, gain, 1, "factor of the deviation"),
  NX_DRAW(init_args, generator), NX_END
};

static const nx_field kaiming_fields[] = {
  NX_NUMBER(init_args, a, 0, "slope of a leaky rectifier below 0"),
  NX_ENUM(init_args, mode, "fan_in fan_out", FAN_IN, "what to divide by"),
  NX_ENUM(init_args, nonlinearity,
          "linear sigmoid tanh relu leaky_relu selu", LEAKY_RELU,
          "what follows the weight"),
  NX_DRAW(init_args, generator), NX_END
};


static int init_shape (nx_ctx *C, nx_node *n) {
  char text[NX_SHAPE_TEXT];
  if (nx_want_float(C, n, 0)) return nx_status(C);
  if (n->in[0]->ndim < 2)
    return nx_op_fail(C, n, NEAP_ESHAPE, "w is %s, but fan_in and fan_out "
                      "need two dimensions", nx_shape_of(n->in[0], text));
  nx_out_like(C, n, 0, n->in[0]);
  return nx_status(C);
}

static double fan (const nx_tensor *w, int out) {
  double n = (double)w->shape[out ? 0 : 1];
  for (int d = 2; d < w->ndim; d++) n *= (double)w->shape[d];
  return n;
}

/* Recommended gains; 5/3 for tanh and 3/4 for selu as PyTorch has them. */
static double gain_of (const init_args *a) {
  switch (a->nonlinearity) {
    case TANH: return 5.0 / 3;
    case RELU: return sqrt(2);
    case LEAKY_RELU: return sqrt(2 / (1 + a->a * a->a));
    case SELU: return 0.75;
    default: return 1;
  }
}

static double xavier_std (const nx_node *n) {
  const nx_tensor *w = n->in[0];
  return ((init_args *)n->a)->gain * sqrt(2 / (fan(w, 0) + fan(w, 1)));
}

static double kaiming_std (const nx_node *n) {
  const init_args *a = n->a;
  return gain_of(a) / sqrt(fan(n->in[0], a->mode == FAN_OUT));
}


/* even in +-sqrt(3) std has that deviation */
static int draw_into (nx_ctx *C, nx_node *n, int normal, double std) {
  nx_draw d = ((init_args *)n->a)->generator;
  double bound = sqrt(3) * std;
  return normal ? nx_fill_random(C, n->out[0], d, 1, 0, std)
                : nx_fill_random(C, n->out[0], d, 0, -bound, bound);
}

#define INITIALISER(id, rule, normal, text) \
static int id##_forward (nx_ctx *C, nx_node *n) { \
  return draw_into(C, n, normal, rule##_std(n)); \
} \
const nx_op nx_op_##id = { \
  .name = #id, .doc = text, .inputs = "w", .outputs = "y", \
  .fields = rule##_fields, .argsize = sizeof(init_args), \
  .flags = NX_NOGRAD | NX_RANDOM | NX_INPLACE | NX_INITIALISER, \
  .shape = init_shape, .forward = id##_forward \
};

INITIALISER(xavier_uniform, xavier, 0,
            "Even, with variance gain^2 2 / (fan_in + fan_out).")
INITIALISER(xavier_normal, xavier, 1,
            "Normal, with variance gain^2 2 / (fan_in + fan_out).")
INITIALISER(kaiming_uniform, kaiming, 0,
            "Even, with variance gain^2 / fan.")
INITIALISER(kaiming_normal, kaiming, 1,
            "Normal, with variance gain^2 / fan.")
