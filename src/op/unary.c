/*
** Functions of one variable, element by element. Whole numbers are
** computed as float32, except where the result is whole too.
*/
#include <math.h>
#include "base/os.h"
#include "op/unary.h"


int nx_real_shape (nx_ctx *C, nx_node *n) {
  if (!nx_is_float(n->in[0]->dtype)) {
    if (n->inplace) return nx_want_float(C, n, 0);
    n->in[0] = nx_to(C, n->in[0], NEAP_F32);
    if (n->in[0] == NULL) return nx_status(C);
  }
  nx_out_like(C, n, 0, n->in[0]);
  return nx_status(C);
}

int nx_whole_shape (nx_ctx *C, nx_node *n) {
  if (n->in[0]->dtype == NEAP_BOOL)
    return nx_op_fail(C, n, NEAP_EDTYPE, "x is bool, expected numbers");
  nx_out_like(C, n, 0, n->in[0]);
  return nx_status(C);
}


int nx_fused_pass (nx_ctx *C, nx_map_fn *f, const double *c, nx_tensor *gy,
                   nx_tensor *x, nx_tensor **gx) {
  nx_tensor *in[2];
  in[0] = gy;
  in[1] = x;
  gx[0] = nx_new_like(C, gy);
  if (gx[0] == NULL) return nx_status(C);
  return nx_map(C, f, c, gx[0], 2, in);
}


/*
** A function: name, how its result is shaped, what the gradient reads and
** how it is computed.
*/
#define FUNCTION(id, how, reads, text, formula) \
GRADIENT(id, formula) \
static int id##_forward (nx_ctx *C, nx_node *n) { \
  return nx_map_node(C, n, id##_map(C, n->in[0]->dtype), NULL); \
} \
const nx_op nx_op_##id = { \
  .name = #id, .doc = text, .inputs = "x", .outputs = "y", \
  .saves = reads, .flags = NX_INPLACE, .shape = nx_##how##_shape, \
  .cuts = "*", .forward = id##_forward, .grad = NX_LEARN(id##_grad) \
}; \
OPFN nx_tensor *nx_##id (nx_ctx *C, nx_tensor *x) { \
  return nx_apply(C, &nx_op_##id, NULL, 1, &x); \
}

#define NOTHING nx_zeros(C, g->dtype, g->ndim, g->shape)


/*
** Signs and steps. Their derivative is 0 wherever there is one.
*/
KERNEL(neg)
FUNCTION(neg, whole, NULL, "-x.", nx_neg(C, g))
KERNEL(abs)
FUNCTION(abs, whole, "x", "|x|, the absolute value.",
         nx_mul(C, g, nx_sign(C, x)))
KERNEL(sign)
FUNCTION(sign, whole, NULL, "1, 0 or -1: the sign of x.", NOTHING)
KERNEL(floor)
FUNCTION(floor, whole, NULL, "The largest whole number up to x.", NOTHING)
KERNEL(ceil)
FUNCTION(ceil, whole, NULL, "The smallest whole number from x on.", NOTHING)
KERNEL(round)
FUNCTION(round, whole, NULL,
         "The nearest whole number; of two equally near the even one.",
         NOTHING)
KERNEL(trunc)
FUNCTION(trunc, whole, NULL, "x without what follows its point.", NOTHING)
KERNEL(frac)
FUNCTION(frac, real, NULL, "What follows the point of x; with its sign.", g)


/*
** Powers and roots.
*/
KERNEL(square)
FUNCTION(square, whole, "x", "x^2.", nx_mul(C, g, nx_mul(C, x, NUMBER(2))))
KERNEL(sqrt)
FUNCTION(sqrt, real, "y", "Square root; NaN below 0.",
         nx_div(C, nx_mul(C, g, NUMBER(0.5)), y))
KERNEL(rsqrt)
FUNCTION(rsqrt, real, "y", "1 / sqrt(x).",
         nx_mul(C, g, nx_mul(C, NUMBER(-0.5), nx_mul(C, y, nx_square(C, y)))))
KERNEL(reciprocal)
FUNCTION(reciprocal, real, "y", "1 / x.",
         nx_neg(C, nx_mul(C, g, nx_square(C, y))))


/*
** Exponentials and logarithms.
*/
KERNEL(exp)
FUNCTION(exp, real, "y", "e to the power of x.", nx_mul(C, g, y))
FORMULA(exp2, exp2(x))
FUNCTION(exp2, real, "y", "2 to the power of x.",
         nx_mul(C, g, nx_mul(C, y, NUMBER(0.69314718055994530942))))
KERNEL(expm1)
FUNCTION(expm1, real, "y", "e^x - 1, exact for small x.",
         nx_mul(C, g, nx_add(C, y, NUMBER(1))))
KERNEL(log)
FUNCTION(log, real, "x", "Natural logarithm; NaN below 0.",
         nx_div(C, g, x))
FORMULA(log2, log2(x))
FUNCTION(log2, real, "x", "Logarithm to the base 2.",
         nx_div(C, g, nx_mul(C, x, NUMBER(0.69314718055994530942))))
FORMULA(log10, log10(x))
FUNCTION(log10, real, "x", "Logarithm to the base 10.",
         nx_div(C, g, nx_mul(C, x, NUMBER(2.30258509299404568402))))
KERNEL(log1p)
FUNCTION(log1p, real, "x", "log(1 + x), exact for small x.",
         nx_div(C, g, nx_add(C, x, NUMBER(1))))


/*
** Circular and hyperbolic functions and their inverses.
*/
KERNEL(sin)
FUNCTION(sin, real, "x", "Sine of x in radians.",
         nx_mul(C, g, nx_cos(C, x)))
KERNEL(cos)
FUNCTION(cos, real, "x", "Cosine of x in radians.",
         nx_neg(C, nx_mul(C, g, nx_sin(C, x))))
FORMULA(tan, tan(x))
FUNCTION(tan, real, "y", "Tangent of x in radians.",
         nx_mul(C, g, nx_add(C, nx_square(C, y), NUMBER(1))))

/* 1 - x^2, and the roots that inverse functions have in common */
static nx_tensor *one_minus_square (nx_ctx *C, nx_tensor *x) {
  return nx_sub(C, NUMBER(1), nx_square(C, x));
}

static nx_tensor *one_plus_square (nx_ctx *C, nx_tensor *x) {
  return nx_add(C, nx_square(C, x), NUMBER(1));
}

FORMULA(asin, asin(x))
FUNCTION(asin, real, "x", "Angle in radians whose sine is x.",
         nx_mul(C, g, nx_rsqrt(C, one_minus_square(C, x))))
FORMULA(acos, acos(x))
FUNCTION(acos, real, "x", "Angle in radians whose cosine is x.",
         nx_neg(C, nx_mul(C, g, nx_rsqrt(C, one_minus_square(C, x)))))
FORMULA(atan, atan(x))
FUNCTION(atan, real, "x", "Angle in radians whose tangent is x.",
         nx_div(C, g, one_plus_square(C, x)))
FORMULA(sinh, sinh(x))
FUNCTION(sinh, real, "x", "Hyperbolic sine.", nx_mul(C, g, nx_cosh(C, x)))
FORMULA(cosh, cosh(x))
FUNCTION(cosh, real, "x", "Hyperbolic cosine.", nx_mul(C, g, nx_sinh(C, x)))
FORMULA(asinh, asinh(x))
FUNCTION(asinh, real, "x", "Number whose hyperbolic sine is x.",
         nx_mul(C, g, nx_rsqrt(C, one_plus_square(C, x))))
FORMULA(acosh, acosh(x))
FUNCTION(acosh, real, "x", "Number whose hyperbolic cosine is x.",
         nx_mul(C, g, nx_rsqrt(C, nx_sub(C, nx_square(C, x), NUMBER(1)))))
FORMULA(atanh, atanh(x))
FUNCTION(atanh, real, "x", "Number whose hyperbolic tangent is x.",
         nx_div(C, g, one_minus_square(C, x)))


/*
** Functions of statistics. erf' = 2 / sqrt(pi) e^-x^2; the inverse of erf
** has the derivative sqrt(pi) / 2 e^y^2.
*/
static nx_tensor *bell (nx_ctx *C, nx_tensor *x, double factor, int sign) {
  nx_tensor *z = nx_square(C, x);
  if (sign < 0) z = nx_neg(C, z);
  return nx_mul(C, nx_exp(C, z), NUMBER(factor));
}

KERNEL(erf)
FUNCTION(erf, real, "x", "The error function.",
         nx_mul(C, g, bell(C, x, 1.12837916709551257390, -1)))
FORMULA(erfc, erfc(x))
FUNCTION(erfc, real, "x", "1 - erf(x), exact for large x.",
         nx_mul(C, g, bell(C, x, -1.12837916709551257390, -1)))

/*
** The inverse of erf: a guess good to 0.2 % (Winitzki, "A handy
** approximation for the error function and its inverse", 2008), then
** Halley's steps, each of which triples the digits.
*/
static double erfinv (double x) {
  const double k = 0.147;
  double a = fabs(x), l, h, y;
  if (!(a < 1)) return a == 1 ? x * INFINITY : NAN;
  l = log((1 - a) * (1 + a));
  h = 2 / (PI * k) + l / 2;
  y = sqrt(sqrt(h * h - l / k) - h);
  for (int i = 0; i < 4; i++) {
    double error = a > 0.5 ? (1 - a) - erfc(y) : erf(y) - a;
    double step = error * 0.88622692545275801365 * exp(y * y);
    y -= step / (1 + y * step);
  }
  return x < 0 ? -y : y;
}

FORMULA(erfinv, erfinv(x))
FUNCTION(erfinv, real, "y", "Number whose erf is x.",
         nx_mul(C, g, bell(C, y, 0.88622692545275801365, 1)))


/*
** Derivatives of log gamma. The first by recurrence up to 10 and then
** Bernoulli's asymptotic series, below 1/2 by reflection (Abramowitz and
** Stegun 6.3.5, 6.3.18, 6.3.7).
*/
static double digamma (double x) {
  double y = 0, z;
  if (x == 0) return -copysign(INFINITY, x);
  if (x < 0.5) {
    if (x == floor(x)) return NAN;
    return digamma(1 - x) - PI / tan(PI * (x - rint(x)));
  }
  for (; x < 10; x++) y -= 1 / x;
  z = 1 / (x * x);
  return y + log(x) - 0.5 / x -
         z * (1.0 / 12 - z * (1.0 / 120 - z * (1.0 / 252 - z *
              (1.0 / 240 - z * (1.0 / 132 - z * 691.0 / 32760)))));
}

FORMULA(lgamma, nx_log_gamma(x))
FUNCTION(lgamma, real, "x", "Logarithm of |gamma(x)|.",
         nx_mul(C, g, nx_digamma(C, x)))
FORMULA(digamma, digamma(x))
FUNCTION(digamma, real, "x", "Derivative of lgamma.",
         nx_mul(C, g, nx_polygamma(C, x, 1)))


/* sin(pi x) / (pi x); near 0 as 1 - (pi x)^2 / 6 */
static double sinc (double x) {
  double a = PI * x;
  return fabs(a) < 1e-4 ? 1 - a * a / 6 : sin(a) / a;
}

/*
** Near 0, with a = (pi x)^2: -pi^2 x / 3 (1 - a / 10 (1 - a / 28
** (1 - a / 54))), the series of the formula below.
*/
static nx_tensor *sinc_slope_near (nx_ctx *C, nx_tensor *x) {
  static const double over[] = {54, 28, 10};
  nx_tensor *a = nx_mul(C, nx_mul(C, x, x), NUMBER(-PI * PI));
  nx_tensor *sum = NUMBER(1);
  for (int i = 0; i < 3; i++)
    sum = nx_add(C, nx_mul(C, nx_mul(C, a, NUMBER(1 / over[i])), sum),
                 NUMBER(1));
  return nx_mul(C, nx_mul(C, x, NUMBER(-PI * PI / 3)), sum);
}

/*
** (cos(pi x) - y) / x. Near 0 the difference loses its digits; how far the
** series reaches depends on the digits there are.
*/
static nx_tensor *sinc_slope (nx_ctx *C, nx_tensor *x, nx_tensor *y) {
  double near = x->dtype == NEAP_F64 ? 0.03 : 0.25;
  nx_tensor *far = nx_gt(C, nx_abs(C, x), NUMBER(near));
  nx_tensor *safe = nx_where(C, far, x, NUMBER(1));
  nx_tensor *c = nx_cos(C, nx_mul(C, x, NUMBER(PI)));
  return nx_where(C, far, nx_div(C, nx_sub(C, c, y), safe),
                  sinc_slope_near(C, x));
}

FORMULA(sinc, sinc(x))
FUNCTION(sinc, real, "x y", "sin(pi x) / (pi x), and 1 at 0.",
         nx_mul(C, g, sinc_slope(C, x, y)))
