/*
** polygamma: the n-th derivative of digamma.
*/
#include <math.h>
#include "op/unary.h"

typedef struct polygamma_args { int64_t n; } polygamma_args;

static const nx_field polygamma_fields[] = {
  NX_INT(polygamma_args, n, NX_REQUIRED, "which derivative; 0: digamma"),
  NX_END
};


/*
** The sum over k >= 0 of (x + k)^-s for s >= 2: ten terms, then the formula
** of Euler and Maclaurin with eight of Bernoulli's numbers (Abramowitz and
** Stegun 23.1.30).
*/
static double zeta (double s, double x) {
  static const double bernoulli[] = {   /* B_2k / (2k)! */
    1.0 / 12, -1.0 / 720, 1.0 / 30240, -1.0 / 1209600, 1.0 / 47900160,
    -691.0 / 1307674368000, 1.0 / 74724249600, -3617.0 / 10670622842880000
  };
  double sum = 0, a = x + 10, factor = s, power;
  for (int k = 0; k < 10; k++) sum += pow(x + k, -s);
  power = pow(a, -s);
  sum += a * power / (s - 1) + power / 2;
  power /= a;
  for (int k = 0; k < 8; k++) {
    sum += bernoulli[k] * factor * power;
    factor *= (s + 2 * k + 1) * (s + 2 * k + 2);
    power /= a * a;
  }
  return sum;
}

/*
** (-1)^(n + 1) n! zeta(n + 1, x) for x > 0 (6.4.10); the first derivative
** also below, by reflection (6.4.7).
*/
static double polygamma (int n, double x) {
  double factorial = n % 2 ? 1 : -1;
  if (x <= 0) {
    double s = sin(PI * (x - rint(x)));
    if (x == floor(x)) return n % 2 ? INFINITY : NAN;
    if (n > 1) return NAN;
    return PI * PI / (s * s) - polygamma(1, 1 - x);
  }
  for (int k = 2; k <= n; k++) factorial *= k;
  return factorial * zeta(n + 1, x);
}

#define LOOP(T) \
static void polygamma_##T (size_t n, void *const *p, unsigned fixed, \
                           const double *c) { \
  const T *x = p[1]; \
  const size_t step = !(fixed & 2); \
  for (size_t i = 0; i < n; i++) \
    ((T *)p[0])[i] = (T)polygamma((int)c[0], x[i * step]); \
}
LOOP(float)
LOOP(double)


static int polygamma_shape (nx_ctx *C, nx_node *n) {
  int64_t k = ((polygamma_args *)n->a)->n;
  if (k < 0 || k > 100)
    return nx_op_fail(C, n, NEAP_EARG, "n is %lld, expected 0 to 100",
                      (long long)k);
  return nx_real_shape(C, n);
}

static int polygamma_forward (nx_ctx *C, nx_node *n) {
  double c[1] = {(double)((polygamma_args *)n->a)->n};
  nx_tensor *x = n->in[0], *y;
  if (c[0] == 0) {
    y = nx_digamma(C, x);
    return y ? nx_copy(C, n->out[0], y) : nx_status(C);
  }
  return nx_map(C, x->dtype == NEAP_F64 ? polygamma_double : polygamma_float,
                c, n->out[0], 1, &x);
}

static int polygamma_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                           nx_tensor **gx) {
  int64_t k = ((polygamma_args *)n->a)->n;
  gx[0] = nx_mul(C, gy[0], nx_polygamma(C, n->in[0], k + 1));
  return nx_status(C);
}

const nx_op nx_op_polygamma = {
  .name = "polygamma", .doc = "The n-th derivative of digamma.",
  .inputs = "x", .outputs = "y", .fields = polygamma_fields,
  .argsize = sizeof(polygamma_args), .saves = "x", .flags = NX_INPLACE,
  .shape = polygamma_shape, .forward = polygamma_forward,
  .grad = NX_LEARN(polygamma_grad)
};

OPFN nx_tensor *nx_polygamma (nx_ctx *C, nx_tensor *x, int64_t n) {
  polygamma_args a = {n};
  return nx_apply(C, &nx_op_polygamma, &a, 1, &x);
}
