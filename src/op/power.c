/*
** Powers, and other functions of two variables.
*/
#include <math.h>
#include "ops.h"
#include "op/broadcast.h"


#define BINARY(id, T, formula) \
static void id##_##T (size_t n, void *const *p, unsigned fixed, \
                      const double *c) { \
  T *y = p[0]; \
  const T *px = p[1], *pz = p[2]; \
  const size_t sx = !(fixed & 2), sz = !(fixed & 4); \
  (void)c; \
  for (size_t i = 0; i < n; i++) { \
    const double x = px[i * sx], z = pz[i * sz]; \
    y[i] = (T)(formula); \
  } \
}

/*
** A function of x and z by a formula in double; integers become float32.
** In the gradients' formulas g is gy, and x, z, y what they are called.
*/
#define BIVARIATE(id, reads, text, formula, toward_x, toward_z) \
BINARY(id, float, formula) \
BINARY(id, double, formula) \
static int id##_forward (nx_ctx *C, nx_node *n) { \
  return nx_map(C, n->in[0]->dtype == NEAP_F64 ? id##_double : id##_float, \
                NULL, n->out[0], 2, n->in); \
} \
static int id##_grad (nx_ctx *C, nx_node *n, nx_tensor **gy, \
                      nx_tensor **gx) { \
  nx_tensor *x = n->in[0], *z = n->in[1], *y = n->out[0], *g = gy[0]; \
  (void)y; \
  if (n->wants[0]) gx[0] = nx_sum_to(C, nx_mul(C, g, toward_x), x); \
  if (n->wants[1]) gx[1] = nx_sum_to(C, nx_mul(C, g, toward_z), z); \
  return nx_status(C); \
} \
const nx_op nx_op_##id = { \
  .name = #id, .doc = text, .inputs = "x z", .outputs = "y", \
  .saves = reads, .flags = NX_INPLACE, .shape = real_pair_shape, \
  .forward = id##_forward, .grad = NX_LEARN(id##_grad) \
};

static int real_pair_shape (nx_ctx *C, nx_node *n) {
  int type = nx_meeting_type(n);
  return nx_meet(C, n, nx_is_float(type) ? type : NEAP_F32);
}


/*
** y = x^z. One exponent for all, without a gradient, has shorter ways for
** some values; 'alone' is true then.
*/
static int alone (const nx_tensor *z, double *value) {
  if (z->len != 1 || z->link || z->store == NULL) return 0;
  *value = nx_get_number(z, z->data);
  return 1;
}

static int pow_shape (nx_ctx *C, nx_node *n) {
  int type = nx_meeting_type(n);
  return nx_meet(C, n, type == NEAP_BOOL ? NEAP_I64 : type);
}

BINARY(pow, float, pow(x, z))
BINARY(pow, double, pow(x, z))

static int pow_forward (nx_ctx *C, nx_node *n) {
  int type = n->in[0]->dtype;
  const nx_kernels *K = nx_kernels_for(C, type);
  nx_tensor *y = n->out[0], *in[2];
  double e;
  if (!nx_is_float(type)) return nx_map_node(C, n, K->power, NULL);
  in[0] = in[1] = n->in[0];
  if (alone(n->in[1], &e)) {
    if (e == 2) return nx_map(C, K->square, NULL, y, 1, in);
    if (e == 0.5) return nx_map(C, K->sqrt, NULL, y, 1, in);
    if (e == -0.5) return nx_map(C, K->rsqrt, NULL, y, 1, in);
    if (e == -1) return nx_map(C, K->reciprocal, NULL, y, 1, in);
    if (e == 3 && y->store != in[0]->store) {
      if (nx_map(C, K->square, NULL, y, 1, in)) return nx_status(C);
      in[1] = y;
      return nx_map(C, K->mul, NULL, y, 2, in);
    }
  }
  return nx_map(C, type == NEAP_F64 ? pow_double : pow_float, NULL, y, 2,
                n->in);
}

/* z x^(z - 1), 0 where z is 0 (also for x = 0) */
static nx_tensor *pow_slope (nx_ctx *C, nx_tensor *x, nx_tensor *z) {
  nx_tensor *one = nx_from_number(C, 1), *none, *less, *slope;
  double e;
  if (alone(z, &e)) {
    if (e == 0) return nx_from_number(C, 0);
    slope = e == 2 ? x : nx_pow(C, x, nx_from_number(C, e - 1));
    return nx_mul(C, slope, nx_from_number(C, e));
  }
  none = nx_eq(C, z, nx_from_number(C, 0));
  less = nx_where(C, none, one, nx_sub(C, z, one));
  return nx_where(C, none, nx_from_number(C, 0),
                  nx_mul(C, z, nx_pow(C, x, less)));
}

/* y log x, 0 where x is 0 and z is not negative */
static nx_tensor *pow_growth (nx_ctx *C, nx_tensor *x, nx_tensor *z,
                              nx_tensor *y) {
  nx_tensor *zero = nx_from_number(C, 0);
  nx_tensor *safe = nx_logical_and(C, nx_eq(C, x, zero),
                                   nx_ge(C, z, zero));
  nx_tensor *base = nx_where(C, safe, nx_from_number(C, 1), x);
  return nx_where(C, safe, zero, nx_mul(C, y, nx_log(C, base)));
}

static int pow_grad (nx_ctx *C, nx_node *n, nx_tensor **gy, nx_tensor **gx) {
  nx_tensor *x = n->in[0], *z = n->in[1], *y = n->out[0];
  if (n->wants[0])
    gx[0] = nx_sum_to(C, nx_mul(C, gy[0], pow_slope(C, x, z)), x);
  if (n->wants[1])
    gx[1] = nx_sum_to(C, nx_mul(C, gy[0], pow_growth(C, x, z, y)), z);
  return nx_status(C);
}

const nx_op nx_op_pow = {
  .name = "pow",
  .doc = "x to the power of z; of integers an integer (0 below 1).",
  .inputs = "x z", .outputs = "y", .saves = "x z y", .flags = NX_INPLACE,
  .shape = pow_shape, .forward = pow_forward, .grad = NX_LEARN(pow_grad)
};

OPFN nx_tensor *nx_pow (nx_ctx *C, nx_tensor *x, nx_tensor *z) {
  return nx_apply(C, &nx_op_pow, NULL, 2, (nx_tensor *[]){x, z});
}


/* x^2 + z^2 */
static nx_tensor *squares (nx_ctx *C, nx_tensor *x, nx_tensor *z) {
  return nx_add(C, nx_square(C, x), nx_square(C, z));
}

BIVARIATE(atan2, "x z",
          "The angle in radians of the point (z, x), from -pi to pi.",
          atan2(x, z), nx_div(C, z, squares(C, x, z)),
          nx_neg(C, nx_div(C, x, squares(C, x, z))))

BIVARIATE(hypot, "x z y", "sqrt(x^2 + z^2), without overflow between.",
          hypot(x, z), nx_div(C, x, y), nx_div(C, z, y))

/* the larger one comes out first; both infinite are equal */
static double logaddexp (double x, double z, double base) {
  double high = x > z ? x : z, low = x > z ? z : x;
  if (x == z && isinf(x)) return x;
  return high + log1p(exp((low - high) * base)) / base;
}

#define LN2 0.69314718055994530942

/* e^x / (e^x + e^z) */
static nx_tensor *share (nx_ctx *C, nx_tensor *x, nx_tensor *z, double base) {
  nx_tensor *more = nx_sub(C, x, z);
  if (base != 1) more = nx_mul(C, more, nx_from_number(C, base));
  return nx_sigmoid(C, more);
}

BIVARIATE(logaddexp, "x z", "log(e^x + e^z), safe for large x and z.",
          logaddexp(x, z, 1), share(C, x, z, 1), share(C, z, x, 1))

BIVARIATE(logaddexp2, "x z", "log2(2^x + 2^z), safe for large x and z.",
          logaddexp(x, z, LN2), share(C, x, z, LN2), share(C, z, x, LN2))

/* the sign of y over the sign of x, 0 where x is 0 */
BIVARIATE(copysign, "x y", "|x| with the sign of z.", copysign(x, z),
          nx_mul(C, nx_sign(C, x), nx_sign(C, y)), nx_from_number(C, 0))
