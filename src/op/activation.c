/*
** Activations: functions between layers, element by element, each with its
** derivative. Kernels compute both in one pass; the formulas are for second
** derivatives. Where a derivative jumps, its value is PyTorch's.
*/
#include "op/unary.h"

/* g where m, else h */
#define PICK(m, g, h) nx_where(C, m, g, h)
#define ABOVE(x, v) nx_gt(C, x, NUMBER(v))
#define TIMES(a, b) nx_mul(C, a, b)


/*
** Without options; 'which' (x or y) is what the kernel of the gradient
** reads beside gy, 'reads' what the formula reads too.
*/
#define ACTIVATION(id, how, which, reads, text, formula) \
GRADIENT(id, formula) \
static int id##_forward (nx_ctx *C, nx_node *n) { \
  return nx_map_node(C, n, nx_kernels_for(C, n->in[0]->dtype)->id, NULL); \
} \
static int id##_fused (nx_ctx *C, nx_node *n, nx_tensor **gy, \
                       nx_tensor **gx) { \
  nx_tensor *x = n->in[0], *y = n->out[0]; \
  (void)x; (void)y; \
  return nx_fused_pass(C, nx_kernels_for(C, gy[0]->dtype)->id##_grad, \
                       NULL, gy[0], which, gx); \
} \
const nx_op nx_op_##id = { \
  .name = #id, .doc = text, .inputs = "x", .outputs = "y", \
  .saves = reads, .flags = NX_INPLACE, .shape = nx_##how##_shape, \
  .cuts = "*", .forward = id##_forward, .grad = NX_LEARN(id##_grad), \
  .fused = NX_LEARN(id##_fused) \
}; \
OPFN nx_tensor *nx_##id (nx_ctx *C, nx_tensor *x) { \
  return nx_apply(C, &nx_op_##id, NULL, 1, &x); \
}

/*
** With options: id_args is a structure of doubles, id_fields describes
** them; kernels get them as their constants. 'a' in the formula.
*/
#define SHAPED(id, kernel, text, formula) \
static int id##_grad (nx_ctx *C, nx_node *n, nx_tensor **gy, \
                      nx_tensor **gx) { \
  const id##_args *a = n->a; \
  nx_tensor *g = gy[0], *x = n->in[0]; \
  (void)a; \
  gx[0] = formula; \
  return nx_status(C); \
} \
static int id##_forward (nx_ctx *C, nx_node *n) { \
  return nx_map_node(C, n, nx_kernels_for(C, n->in[0]->dtype)->kernel, \
                     n->a); \
} \
static int id##_fused (nx_ctx *C, nx_node *n, nx_tensor **gy, \
                       nx_tensor **gx) { \
  return nx_fused_pass(C, nx_kernels_for(C, gy[0]->dtype)->kernel##_grad, \
                       n->a, gy[0], n->in[0], gx); \
} \
const nx_op nx_op_##id = { \
  .name = #id, .doc = text, .inputs = "x", .outputs = "y", \
  .fields = id##_fields, .argsize = sizeof(id##_args), .saves = "x", \
  .flags = NX_INPLACE, .shape = nx_real_shape, \
  .cuts = "*", .forward = id##_forward, .grad = NX_LEARN(id##_grad), \
  .fused = NX_LEARN(id##_fused) \
};


/* 0 at 0 itself */
ACTIVATION(relu, whole, y, "y", "The larger of x and 0.",
           PICK(nx_le(C, y, NUMBER(0)), NUMBER(0), g))

/* 1 - y^2 */
ACTIVATION(tanh, real, y, "y", "Hyperbolic tangent.",
           TIMES(g, nx_sub(C, NUMBER(1), nx_square(C, y))))

/* y (1 - y) */
ACTIVATION(sigmoid, real, y, "y", "1 / (1 + e^-x).",
           TIMES(g, TIMES(y, nx_sub(C, NUMBER(1), y))))


/* s (1 + x (1 - s)) */
static nx_tensor *silu_slope (nx_ctx *C, nx_tensor *x) {
  nx_tensor *s = nx_sigmoid(C, x), *rest = nx_sub(C, NUMBER(1), s);
  return TIMES(s, nx_add(C, TIMES(x, rest), NUMBER(1)));
}

ACTIVATION(silu, real, x, "x",
           "x sigmoid(x), also called swish (Elfwing et al. 2017).",
           TIMES(g, silu_slope(C, x)))


/* w + x s (1 - w^2) with w = tanh(softplus(x)), s = sigmoid(x) */
static nx_tensor *mish_slope (nx_ctx *C, nx_tensor *x) {
  nx_tensor *plus = nx_neg(C, nx_logsigmoid(C, nx_neg(C, x)));
  nx_tensor *w = nx_tanh(C, plus);
  nx_tensor *rest = nx_sub(C, NUMBER(1), nx_square(C, w));
  return nx_add(C, w, TIMES(TIMES(x, nx_sigmoid(C, x)), rest));
}

ACTIVATION(mish, real, x, "x", "x tanh(log(1 + e^x)) (Misra 2019).",
           TIMES(g, mish_slope(C, x)))


/* 0, (2 x + 3) / 6 or 1 */
static nx_tensor *hardswish_slope (nx_ctx *C, nx_tensor *x) {
  nx_tensor *middle = nx_add(C, TIMES(x, NUMBER(1.0 / 3)), NUMBER(0.5));
  middle = PICK(nx_ge(C, x, NUMBER(3)), NUMBER(1), middle);
  return PICK(nx_gt(C, NUMBER(-3), x), NUMBER(0), middle);
}

ACTIVATION(hardswish, real, x, "x",
           "x min(max(x + 3, 0), 6) / 6 (Howard et al. 2019).",
           TIMES(g, hardswish_slope(C, x)))

ACTIVATION(hardsigmoid, real, x, "x", "min(max(x + 3, 0), 6) / 6.",
           PICK(nx_gt(C, NUMBER(3), nx_abs(C, x)),
                TIMES(g, NUMBER(1.0 / 6)), NUMBER(0)))

ACTIVATION(logsigmoid, real, x, "x",
           "log(sigmoid(x)), safe for large and small x.",
           TIMES(g, nx_sigmoid(C, nx_neg(C, x))))

ACTIVATION(softsign, real, x, "x", "x / (1 + |x|).",
           nx_div(C, g, nx_square(C, nx_add(C, nx_abs(C, x), NUMBER(1)))))

ACTIVATION(tanhshrink, real, x, "x", "x - tanh(x).",
           TIMES(g, nx_square(C, nx_tanh(C, x))))


/* for the formulas: e^min(x, 0), so that nothing overflows unseen */
static nx_tensor *exp_below (nx_ctx *C, nx_tensor *x) {
  return nx_exp(C, nx_minimum(C, x, NUMBER(0)));
}

typedef struct elu_args { double alpha; } elu_args;

static const nx_field elu_fields[] = {
  NX_NUMBER(elu_args, alpha, 1, "minus the limit far below 0"),
  NX_END
};

SHAPED(elu, elu, "x above 0, alpha (e^x - 1) below (Clevert et al. 2015).",
       PICK(ABOVE(x, 0), g, TIMES(g, TIMES(exp_below(C, x),
                                           NUMBER(a->alpha)))))


typedef struct celu_args { double alpha; } celu_args;

static const nx_field celu_fields[] = {
  NX_NUMBER(celu_args, alpha, 1, "minus the limit far below 0; not 0"),
  NX_END
};

SHAPED(celu, celu,
       "x above 0, alpha (e^(x / alpha) - 1) below (Barron 2017).",
       PICK(ABOVE(x, 0), g,
            TIMES(g, exp_below(C, TIMES(x, NUMBER(1 / a->alpha))))))


/*
** The constants keep mean 0 and variance 1 from layer to layer (Klambauer
** et al. 2017, section 2).
*/
#define SELU_ALPHA 1.6732632423543772848170429916717
#define SELU_SCALE 1.0507009873554804934193349852946

static const double selu_constants[2] = {SELU_ALPHA, SELU_SCALE};

static int selu_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                      nx_tensor **gx) {
  nx_tensor *x = n->in[0], *g = TIMES(gy[0], NUMBER(SELU_SCALE));
  nx_tensor *below = TIMES(g, TIMES(exp_below(C, x), NUMBER(SELU_ALPHA)));
  gx[0] = PICK(ABOVE(x, 0), g, below);
  return nx_status(C);
}

static int selu_forward (nx_ctx *C, nx_node *n) {
  return nx_map_node(C, n, nx_kernels_for(C, n->in[0]->dtype)->selu,
                     selu_constants);
}

static int selu_fused (nx_ctx *C, nx_node *n, nx_tensor **gy,
                       nx_tensor **gx) {
  return nx_fused_pass(C, nx_kernels_for(C, gy[0]->dtype)->selu_grad,
                       selu_constants, gy[0], n->in[0], gx);
}

const nx_op nx_op_selu = {
  .name = "selu",
  .doc = "1.0507 times x above 0 and 1.6733 (e^x - 1) below.",
  .inputs = "x", .outputs = "y", .saves = "x", .flags = NX_INPLACE,
  .cuts = "*", .shape = nx_real_shape, .forward = selu_forward,
  .grad = NX_LEARN(selu_grad),
  .fused = NX_LEARN(selu_fused)
};


typedef struct leaky_relu_args { double negative_slope; } leaky_relu_args;

static const nx_field leaky_relu_fields[] = {
  NX_NUMBER(leaky_relu_args, negative_slope, 0.01, "slope below 0"),
  NX_END
};

SHAPED(leaky_relu, leaky_relu,
       "x above 0, negative_slope x below (Maas et al. 2013).",
       PICK(ABOVE(x, 0), g, TIMES(g, NUMBER(a->negative_slope))))


typedef struct hardtanh_args { double min_val, max_val; } hardtanh_args;

static const nx_field hardtanh_fields[] = {
  NX_NUMBER(hardtanh_args, min_val, -1, "smallest result"),
  NX_NUMBER(hardtanh_args, max_val, 1, "largest result"),
  NX_END
};

/* between two bounds: 1, at them and outside 0 */
static nx_tensor *between (nx_ctx *C, nx_tensor *g, nx_tensor *x,
                           double low, double high) {
  return PICK(ABOVE(x, low), PICK(nx_gt(C, NUMBER(high), x), g, NUMBER(0)),
              NUMBER(0));
}

SHAPED(hardtanh, hardtanh, "x, but not below min_val nor above max_val.",
       between(C, g, x, a->min_val, a->max_val))


static const double relu6_constants[2] = {0, 6};

static int relu6_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                       nx_tensor **gx) {
  gx[0] = between(C, gy[0], n->in[0], 0, 6);
  return nx_status(C);
}

static int relu6_forward (nx_ctx *C, nx_node *n) {
  return nx_map_node(C, n, nx_kernels_for(C, n->in[0]->dtype)->hardtanh,
                     relu6_constants);
}

static int relu6_fused (nx_ctx *C, nx_node *n, nx_tensor **gy,
                        nx_tensor **gx) {
  return nx_fused_pass(C, nx_kernels_for(C, gy[0]->dtype)->hardtanh_grad,
                       relu6_constants, gy[0], n->in[0], gx);
}

const nx_op nx_op_relu6 = {
  .name = "relu6", .doc = "x, but not below 0 nor above 6.",
  .inputs = "x", .outputs = "y", .saves = "x", .flags = NX_INPLACE,
  .cuts = "*", .shape = nx_real_shape, .forward = relu6_forward,
  .grad = NX_LEARN(relu6_grad),
  .fused = NX_LEARN(relu6_fused)
};


typedef struct softplus_args { double beta, threshold; } softplus_args;

static const nx_field softplus_fields[] = {
  NX_NUMBER(softplus_args, beta, 1, "how sharply it bends"),
  NX_NUMBER(softplus_args, threshold, 20, "from beta x above this on, y is x"),
  NX_END
};

static nx_tensor *softplus_slope (nx_ctx *C, nx_tensor *x,
                                  const softplus_args *a) {
  nx_tensor *bx = TIMES(x, NUMBER(a->beta));
  return PICK(ABOVE(bx, a->threshold), NUMBER(1), nx_sigmoid(C, bx));
}

SHAPED(softplus, softplus, "log(1 + e^(beta x)) / beta.",
       TIMES(g, softplus_slope(C, x, a)))


typedef struct softshrink_args { double lambd; } softshrink_args;

static const nx_field softshrink_fields[] = {
  NX_NUMBER(softshrink_args, lambd, 0.5, "half the width of what becomes 0"),
  NX_END
};

SHAPED(softshrink, softshrink, "x moved towards 0 by lambd, not past it.",
       PICK(ABOVE(nx_abs(C, x), a->lambd), g, NUMBER(0)))


typedef struct hardshrink_args { double lambd; } hardshrink_args;

static const nx_field hardshrink_fields[] = {
  NX_NUMBER(hardshrink_args, lambd, 0.5, "half the width of what becomes 0"),
  NX_END
};

SHAPED(hardshrink, hardshrink, "x, but 0 from -lambd to lambd.",
       PICK(ABOVE(nx_abs(C, x), a->lambd), g, NUMBER(0)))


typedef struct threshold_args { double threshold, value; } threshold_args;

static const nx_field threshold_fields[] = {
  NX_NUMBER(threshold_args, threshold, NX_REQUIRED, "x stays above this"),
  NX_NUMBER(threshold_args, value, NX_REQUIRED, "what the rest becomes"),
  NX_END
};

SHAPED(threshold, threshold, "x above the threshold, else value.",
       PICK(ABOVE(x, a->threshold), g, NUMBER(0)))


/*
** gelu: x times the probability that a normal number is below x (Hendrycks
** and Gimpel 2016); 'tanh' is their approximation.
*/
typedef struct gelu_args { int approximate; } gelu_args;

static const nx_field gelu_fields[] = {
  NX_ENUM(gelu_args, approximate, "none tanh", 0,
          "none: with erf; tanh: the approximation with tanh"),
  NX_END
};

static int gelu_forward (nx_ctx *C, nx_node *n) {
  const nx_kernels *K = nx_kernels_for(C, n->in[0]->dtype);
  const gelu_args *a = n->a;
  return nx_map_node(C, n, a->approximate ? K->gelu_tanh : K->gelu, NULL);
}

static int gelu_fused (nx_ctx *C, nx_node *n, nx_tensor **gy,
                       nx_tensor **gx) {
  const nx_kernels *K = nx_kernels_for(C, gy[0]->dtype);
  const gelu_args *a = n->a;
  return nx_fused_pass(C, a->approximate ? K->gelu_tanh_grad : K->gelu_grad,
                       NULL, gy[0], n->in[0], gx);
}

/* (1 + erf(x / sqrt 2)) / 2 + x e^(-x^2 / 2) / sqrt(2 pi) */
static nx_tensor *gelu_slope (nx_ctx *C, nx_tensor *x) {
  nx_tensor *e = nx_erf(C, TIMES(x, NUMBER(0.70710678118654752440)));
  nx_tensor *bell = nx_exp(C, TIMES(nx_square(C, x), NUMBER(-0.5)));
  e = TIMES(nx_add(C, e, NUMBER(1)), NUMBER(0.5));
  bell = TIMES(bell, NUMBER(0.39894228040143267794));
  return nx_add(C, e, TIMES(x, bell));
}

/*
** (1 + t) / 2 + x (1 - t^2) u' / 2 with t = tanh(u), u = k (x + c x^3),
** u' = k (1 + 3 c x^2), k = sqrt(2 / pi), c = 0.044715
*/
static nx_tensor *gelu_tanh_slope (nx_ctx *C, nx_tensor *x) {
  const double k = 0.79788456080286535588, c = 0.044715;
  nx_tensor *x2 = nx_square(C, x), *t, *u, *du;
  u = nx_add(C, TIMES(x2, NUMBER(k * c)), NUMBER(k));
  du = nx_add(C, TIMES(x2, NUMBER(3 * k * c)), NUMBER(k));
  t = nx_tanh(C, TIMES(x, u));
  du = TIMES(TIMES(x, du), nx_sub(C, NUMBER(1), nx_square(C, t)));
  return TIMES(nx_add(C, nx_add(C, t, NUMBER(1)), du), NUMBER(0.5));
}

static int gelu_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                      nx_tensor **gx) {
  const gelu_args *a = n->a;
  nx_tensor *x = n->in[0];
  gx[0] = TIMES(gy[0], a->approximate ? gelu_tanh_slope(C, x)
                                      : gelu_slope(C, x));
  return nx_status(C);
}

const nx_op nx_op_gelu = {
  .name = "gelu", .doc = "x times the normal distribution function of x.",
  .inputs = "x", .outputs = "y", .fields = gelu_fields,
  .argsize = sizeof(gelu_args), .saves = "x", .flags = NX_INPLACE,
  .cuts = "*", .shape = nx_real_shape, .forward = gelu_forward,
  .grad = NX_LEARN(gelu_grad),
  .fused = NX_LEARN(gelu_fused)
};


/*
** prelu: leaky_relu with learned slopes: one, or one for each channel
** (dimension 2).
*/
static int prelu_compose (nx_ctx *C, nx_node *n) {
  nx_tensor *x = n->in[0], *w = n->in[1];
  int64_t shape[NEAP_MAXDIM];
  char xt[NX_SHAPE_TEXT], wt[NX_SHAPE_TEXT];
  if (w->len != 1) {
    int channel = x->ndim > 1;
    if (x->ndim == 0 || x->shape[channel] != w->len)
      return nx_op_fail(C, n, NEAP_ESHAPE, "w is %s, expected one slope or "
                        "one for each channel (x is %s)", nx_shape_of(w, wt),
                        nx_shape_of(x, xt));
    for (int d = 0; d < x->ndim; d++) shape[d] = d == channel ? w->len : 1;
    w = nx_reshape(C, w, x->ndim, shape);
  }
  else w = nx_reshape(C, w, 0, NULL);
  return nx_composed(C, n, PICK(ABOVE(x, 0), x, TIMES(w, x)));
}

const nx_op nx_op_prelu = {
  .name = "prelu",
  .doc = "x above 0, w x below, with a slope for each channel (He et al. "
         "2015).",
  .inputs = "x w", .outputs = "y", .compose = prelu_compose
};

OPFN nx_tensor *nx_prelu (nx_ctx *C, nx_tensor *x, nx_tensor *w) {
  return nx_apply(C, &nx_op_prelu, NULL, 2, (nx_tensor *[]){x, w});
}


/*
** glu: one half of a dimension, gated by the other.
*/
typedef struct glu_args { int64_t dim; } glu_args;

static const nx_field glu_fields[] = {
  NX_DIM(glu_args, dim, -1, "dimension to halve"),
  NX_END
};

static int glu_compose (nx_ctx *C, nx_node *n) {
  glu_args *a = n->a;
  nx_tensor *x = n->in[0], *gate;
  int64_t half;
  char text[NX_SHAPE_TEXT];
  if (nx_want_float(C, n, 0) || nx_dim(C, n->op->name, x, &a->dim))
    return nx_status(C);
  if (x->ndim == 0 || x->shape[a->dim] % 2)
    return nx_op_fail(C, n, NEAP_ESHAPE, "x is %s: dimension %lld cannot be "
                      "halved", nx_shape_of(x, text),
                      (long long)a->dim + C->base);
  half = x->shape[a->dim] / 2;
  gate = nx_sigmoid(C, nx_narrow(C, x, a->dim, half, half));
  return nx_composed(C, n, TIMES(nx_narrow(C, x, a->dim, 0, half), gate));
}

const nx_op nx_op_glu = {
  .name = "glu",
  .doc = "The first half of a dimension times the sigmoid of the second "
         "(Dauphin et al. 2016).",
  .inputs = "x", .outputs = "y", .fields = glu_fields,
  .argsize = sizeof(glu_args), .compose = glu_compose
};
