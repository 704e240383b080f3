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
#include "ops.h"

typedef struct init_args {
  double gain, a, b, mean, std, sparsity;
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


static const nx_field lecun_fields[] = {
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

static double lecun_std (const nx_node *n) {
  return 1 / sqrt(fan(n->in[0], 0));
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
INITIALISER(lecun_uniform, lecun, 0,
            "Even, with variance 1 / fan_in (LeCun et al. 1998, section "
            "4.6).")
INITIALISER(lecun_normal, lecun, 1, "Normal, with variance 1 / fan_in.")


#define RANDOM_FLAGS \
  (NX_NOGRAD | NX_RANDOM | NX_INPLACE | NX_INITIALISER)

static int any_shape (nx_ctx *C, nx_node *n) {
  if (nx_want_float(C, n, 0) == 0) nx_out_like(C, n, 0, n->in[0]);
  return nx_status(C);
}


/*
** trunc_normal: normal, but only between a and b. With the distribution
** function F, x = F^-1(u) for u even in [F(a), F(b)].
*/
static const nx_field trunc_normal_fields[] = {
  NX_NUMBER(init_args, mean, 0, "mean of the whole distribution"),
  NX_NUMBER(init_args, std, 1, "its standard deviation"),
  NX_NUMBER(init_args, a, -2, "least value"),
  NX_NUMBER(init_args, b, 2, "largest value"),
  NX_DRAW(init_args, generator), NX_END
};

static int trunc_normal_shape (nx_ctx *C, nx_node *n) {
  const init_args *a = n->a;
  if (!(a->std > 0) || !(a->a < a->b))
    return nx_op_fail(C, n, NEAP_EARG, "std is %g, a %g and b %g; expected "
                      "std above 0 and a below b", a->std, a->a, a->b);
  return any_shape(C, n);
}

static int trunc_normal_forward (nx_ctx *C, nx_node *n) {
  const init_args *a = n->a;
  double scale = a->std * sqrt(2);
  double low = erf((a->a - a->mean) / scale);
  double high = erf((a->b - a->mean) / scale);
  nx_tensor *y = n->out[0], *u = nx_new(C, NEAP_F64, y->ndim, y->shape);
  if (u == NULL || nx_fill_random(C, u, a->generator, 0, low, high))
    return nx_status(C);
  u = nx_apply(C, &nx_op_erfinv, NULL, 1, &u);
  if (u == NULL) return nx_status(C);
  for (int64_t i = 0; i < u->len; i++) {
    double *x = (double *)(void *)u->data + i;
    *x = a->mean + scale * *x;
    *x = *x < a->a ? a->a : *x > a->b ? a->b : *x;
  }
  return nx_copy(C, y, u);
}

const nx_op nx_op_trunc_normal = {
  .name = "trunc_normal", .doc = "Normal, but only between a and b.",
  .inputs = "w", .outputs = "y", .fields = trunc_normal_fields,
  .argsize = sizeof(init_args), .flags = RANDOM_FLAGS,
  .shape = trunc_normal_shape, .forward = trunc_normal_forward
};


/*
** sparse: normal, with a share of zeros in each column (Martens 2010).
*/
static const nx_field sparse_fields[] = {
  NX_NUMBER(init_args, sparsity, NX_REQUIRED, "share of zeros in a column"),
  NX_NUMBER(init_args, std, 0.01, "standard deviation of the others"),
  NX_DRAW(init_args, generator), NX_END
};

static int sparse_shape (nx_ctx *C, nx_node *n) {
  const init_args *a = n->a;
  char text[NX_SHAPE_TEXT];
  if (n->in[0]->ndim != 2)
    return nx_op_fail(C, n, NEAP_ESHAPE, "w is %s, expected two dimensions",
                      nx_shape_of(n->in[0], text));
  if (!(a->sparsity >= 0 && a->sparsity <= 1))
    return nx_op_fail(C, n, NEAP_EARG, "sparsity is %g, expected 0 to 1",
                      a->sparsity);
  return any_shape(C, n);
}

/* another stream: what is 0 must not depend on what the values are */
static nx_draw other_stream (nx_draw d) {
  d.key ^= UINT64_C(0x9E3779B97F4A7C15);
  return d;
}

/* of each column the places whose even numbers are smallest become 0 */
static int sparse_forward (nx_ctx *C, nx_node *n) {
  const init_args *a = n->a;
  nx_tensor *w = n->out[0], *u, *sorted;
  int64_t zeros = (int64_t)ceil(a->sparsity * (double)w->shape[0]);
  int64_t columns = w->shape[1], size = (int64_t)nx_dtype_size(w->dtype);
  const double *at, *last;
  u = nx_new(C, NEAP_F64, 2, w->shape);
  if (u == NULL || nx_fill_random(C, w, a->generator, 1, 0, a->std) ||
      nx_fill_random(C, u, other_stream(a->generator), 0, 0, 1))
    return nx_status(C);
  sorted = nx_sort(C, u, 0);
  if (sorted == NULL || zeros == 0) return nx_status(C);
  at = (const double *)(void *)u->data;
  last = (const double *)(void *)sorted->data + (zeros - 1) * columns;
  for (int64_t i = 0; i < u->len; i++)
    if (at[i] <= last[i % columns])
      nx_put_number(w, w->data + size * (i / columns * w->stride[0] +
                                         i % columns * w->stride[1]), 0);
  return 0;
}

const nx_op nx_op_sparse = {
  .name = "sparse",
  .doc = "Normal, with a share of zeros in each column (Martens 2010).",
  .inputs = "w", .outputs = "y", .fields = sparse_fields,
  .argsize = sizeof(init_args), .flags = RANDOM_FLAGS,
  .shape = sparse_shape, .forward = sparse_forward
};


/*
** eye, dirac: what leaves x as it is, for Linear and for convolutions.
*/
typedef struct dirac_args { int64_t groups; } dirac_args;

static const nx_field dirac_fields[] = {
  NX_INT(dirac_args, groups, 1, "of the convolution"), NX_END
};

static int identity_shape (nx_ctx *C, nx_node *n) {
  const nx_tensor *w = n->in[0];
  const dirac_args *a = n->a;
  int least = n->op == &nx_op_dirac ? 3 : 2;
  int most = n->op == &nx_op_dirac ? 5 : 2;
  char text[NX_SHAPE_TEXT];
  if (w->ndim < least || w->ndim > most)
    return nx_op_fail(C, n, NEAP_ESHAPE, "w is %s, expected %d%s dimensions",
                      nx_shape_of(w, text), least, most > least ? " to 5"
                                                                : "");
  if (least == 3 && (a->groups < 1 || w->shape[0] % a->groups))
    return nx_op_fail(C, n, NEAP_EARG, "%lld channels cannot be divided into "
                      "%lld groups", (long long)w->shape[0],
                      (long long)a->groups);
  return any_shape(C, n);
}

/* ones where a channel meets itself, in the middle of its kernel */
static int ones_on_path (nx_ctx *C, nx_tensor *w, int64_t groups) {
  int64_t per = groups ? w->shape[0] / groups : 0, size, at = 0;
  nx_tensor *zeros = nx_zeros(C, w->dtype, w->ndim, w->shape);
  if (zeros == NULL || zeros->len == 0) return nx_status(C);
  size = (int64_t)nx_dtype_size(w->dtype);
  for (int d = 2; d < w->ndim; d++) at += w->shape[d] / 2 * zeros->stride[d];
  for (int64_t g = 0; g < groups; g++)
    for (int64_t c = 0; c < per && c < w->shape[1]; c++)
      nx_put_number(zeros, zeros->data + size * (at + (g * per + c) *
                    zeros->stride[0] + c * zeros->stride[1]), 1);
  return nx_copy(C, w, zeros);
}

static int eye_forward (nx_ctx *C, nx_node *n) {
  return ones_on_path(C, n->out[0], 1);
}

static int dirac_forward (nx_ctx *C, nx_node *n) {
  return ones_on_path(C, n->out[0], ((dirac_args *)n->a)->groups);
}

const nx_op nx_op_identity = {
  .name = "identity",
  .doc = "Ones on the diagonal of a matrix, else zeros: Linear leaves x.",
  .inputs = "w", .outputs = "y",
  .flags = NX_NOGRAD | NX_INPLACE | NX_INITIALISER,
  .shape = identity_shape, .forward = eye_forward
};

const nx_op nx_op_dirac = {
  .name = "dirac",
  .doc = "A kernel that leaves the channels of x as they are.",
  .inputs = "w", .outputs = "y", .fields = dirac_fields,
  .argsize = sizeof(dirac_args),
  .flags = NX_NOGRAD | NX_INPLACE | NX_INITIALISER,
  .shape = identity_shape, .forward = dirac_forward
};
