/*
** Arithmetic, element by element, with broadcasting.
**
** Types meet as nx_promote tells; bare numbers adapt to their partner.
** In place the first operand keeps its type.
*/
#include <math.h>
#include "ops.h"
#include "op/broadcast.h"
#include "op/fold.h"

typedef struct add_args { double alpha; } add_args;

static const nx_field add_fields[] = {
  NX_NUMBER(add_args, alpha, 1, "factor of the second operand"),
  NX_END
};


/*
** Masks have no sums: what adds, joins ('or'), what multiplies, meets
** ('and'); a difference is refused.
*/
static int arithmetic_shape (nx_ctx *C, nx_node *n) {
  int type = nx_meeting_type(n);
  if (type == NEAP_BOOL && n->op == &nx_op_sub)
    return nx_op_fail(C, n, NEAP_EDTYPE, "both operands are bool, for which "
                      "there is no difference (use x:ne(z), or "
                      "x:to(\"int64\"))");
  return nx_meet(C, n, type);
}


static const nx_kernels *kernels_of (nx_ctx *C, const nx_node *n) {
  return nx_kernels_for(C, n->in[0]->dtype);
}


/* y = x + alpha z; whole numbers know no factor but 1 and -1 */
static int weighted_sum (nx_ctx *C, nx_node *n, double alpha) {
  const nx_kernels *K = kernels_of(C, n);
  nx_tensor *in[3];
  if (n->in[0]->dtype == NEAP_BOOL)
    return nx_map(C, K->maximum, NULL, n->out[0], 2, n->in);
  if (alpha == 1) return nx_map(C, K->add, NULL, n->out[0], 2, n->in);
  if (alpha == -1) return nx_map(C, K->sub, NULL, n->out[0], 2, n->in);
  if (K->muladd == NULL && alpha != rint(alpha))
    return nx_op_fail(C, n, NEAP_EARG, "alpha is %.14g, but the operands are "
                      "integers", fabs(alpha));
  in[1] = nx_typed(C, nx_from_number(C, alpha), n->in[1]->dtype);
  if (K->muladd == NULL) {
    in[0] = n->in[0];
    in[1] = in[1] ? nx_mul(C, n->in[1], in[1]) : NULL;
    return in[1] ? nx_map(C, K->add, NULL, n->out[0], 2, in) : nx_status(C);
  }
  in[0] = n->in[1];
  in[2] = n->in[0];
  if (nx_status(C)) return nx_status(C);
  return nx_map(C, K->muladd, NULL, n->out[0], 3, in);
}


static nx_tensor *times (nx_ctx *C, nx_tensor *g, double factor) {
  return factor == 1 ? g : nx_mul(C, g, nx_from_number(C, factor));
}


/* gx = gy, gz = alpha gy, each summed over the dimensions it was spread */
static int sum_grad (nx_ctx *C, nx_node *n, nx_tensor *gy, double alpha,
                     nx_tensor **gx) {
  if (n->wants[0]) gx[0] = nx_sum_to(C, gy, n->in[0]);
  if (n->wants[1]) gx[1] = nx_sum_to(C, times(C, gy, alpha), n->in[1]);
  return nx_status(C);
}


/* y = x + alpha z */
static int add_forward (nx_ctx *C, nx_node *n) {
  return weighted_sum(C, n, ((add_args *)n->a)->alpha);
}

static int add_grad (nx_ctx *C, nx_node *n, nx_tensor **gy, nx_tensor **gx) {
  return sum_grad(C, n, gy[0], ((add_args *)n->a)->alpha, gx);
}

const nx_op nx_op_add = {
  .name = "add",
  .doc = "x + alpha z.",
  .inputs = "x z", .outputs = "y", .fields = add_fields,
  .argsize = sizeof(add_args), .flags = NX_INPLACE,
  .cuts = "*", .shape = arithmetic_shape, .forward = add_forward,
  .grad = NX_LEARN(add_grad)
};

OPFN nx_tensor *nx_add (nx_ctx *C, nx_tensor *x, nx_tensor *z) {
  add_args a = {1};
  return nx_apply(C, &nx_op_add, &a, 2, (nx_tensor *[]){x, z});
}


/* y = x - alpha z */
static int sub_forward (nx_ctx *C, nx_node *n) {
  return weighted_sum(C, n, -((add_args *)n->a)->alpha);
}

static int sub_grad (nx_ctx *C, nx_node *n, nx_tensor **gy, nx_tensor **gx) {
  return sum_grad(C, n, gy[0], -((add_args *)n->a)->alpha, gx);
}

const nx_op nx_op_sub = {
  .name = "sub",
  .doc = "x - alpha z.",
  .inputs = "x z", .outputs = "y", .fields = add_fields,
  .argsize = sizeof(add_args), .flags = NX_INPLACE,
  .cuts = "*", .shape = arithmetic_shape, .forward = sub_forward,
  .grad = NX_LEARN(sub_grad)
};

OPFN nx_tensor *nx_sub (nx_ctx *C, nx_tensor *x, nx_tensor *z) {
  add_args a = {1};
  return nx_apply(C, &nx_op_sub, &a, 2, (nx_tensor *[]){x, z});
}


/* y = x z: gx = gy z, gz = gy x */
static int mul_forward (nx_ctx *C, nx_node *n) {
  const nx_kernels *K = kernels_of(C, n);
  return nx_map(C, n->in[0]->dtype == NEAP_BOOL ? K->minimum : K->mul, NULL,
                n->out[0], 2, n->in);
}

static int mul_grad (nx_ctx *C, nx_node *n, nx_tensor **gy, nx_tensor **gx) {
  nx_tensor *x = n->in[0], *z = n->in[1];
  if (n->wants[0]) gx[0] = nx_sum_to(C, nx_mul(C, gy[0], z), x);
  if (n->wants[1]) gx[1] = nx_sum_to(C, nx_mul(C, gy[0], x), z);
  return nx_status(C);
}

const nx_op nx_op_mul = {
  .name = "mul",
  .doc = "x z.",
  .inputs = "x z", .outputs = "y", .saves = "x z", .flags = NX_INPLACE,
  .cuts = "*", .shape = arithmetic_shape, .forward = mul_forward,
  .grad = NX_LEARN(mul_grad)
};

OPFN nx_tensor *nx_mul (nx_ctx *C, nx_tensor *x, nx_tensor *z) {
  return nx_apply(C, &nx_op_mul, NULL, 2, (nx_tensor *[]){x, z});
}


/*
** Quotients: exact, or rounded to whole numbers. Integers are divided
** exactly as float32, and rounded as integers, where 0 is no divisor.
*/
enum { EXACT, TRUNC, FLOOR };

typedef struct div_args { int rounding_mode; } div_args;

static const nx_field div_fields[] = {
  NX_ENUM(div_args, rounding_mode, "none trunc floor", EXACT,
          "none: exact; trunc: towards 0; floor: down"),
  NX_END
};

static int check_divisor (nx_ctx *C, const nx_node *n) {
  if (nx_is_float(n->in[1]->dtype) || !nx_has_zero(C, n->in[1]))
    return nx_status(C);
  return nx_op_fail(C, n, NEAP_EARG, "z holds a 0, and integers cannot be "
                    "divided by 0");
}

static int quotient_shape (nx_ctx *C, nx_node *n, int rounding) {
  int type = nx_meeting_type(n);
  if (type == NEAP_BOOL) type = NEAP_I64;
  if (rounding == EXACT && !nx_is_float(type)) type = NEAP_F32;
  if (nx_meet(C, n, type)) return nx_status(C);
  return rounding == EXACT ? 0 : check_divisor(C, n);
}

static int quotient (nx_ctx *C, nx_node *n, int rounding) {
  const nx_kernels *K = kernels_of(C, n);
  nx_tensor *y = n->out[0];
  if (K->floor_divide && rounding != EXACT)
    return nx_map(C, rounding == FLOOR ? K->floor_divide : K->trunc_divide,
                  NULL, y, 2, n->in);
  if (nx_map(C, K->div, NULL, y, 2, n->in) || rounding == EXACT)
    return nx_status(C);
  return nx_map(C, rounding == FLOOR ? K->floor : K->trunc, NULL, y, 1, &y);
}


static int div_shape (nx_ctx *C, nx_node *n) {
  return quotient_shape(C, n, ((div_args *)n->a)->rounding_mode);
}

static int div_forward (nx_ctx *C, nx_node *n) {
  return quotient(C, n, ((div_args *)n->a)->rounding_mode);
}

/* gx = gy / z, gz = -(gy / z) (x / z); of rounded ones 0 */
static int div_grad (nx_ctx *C, nx_node *n, nx_tensor **gy, nx_tensor **gx) {
  nx_tensor *x = n->in[0], *z = n->in[1], *g;
  if (((div_args *)n->a)->rounding_mode != EXACT) return 0;
  g = nx_div(C, gy[0], z);
  if (n->wants[0]) gx[0] = nx_sum_to(C, g, x);
  if (n->wants[1])
    gx[1] = nx_sum_to(C, nx_neg(C, nx_mul(C, g, nx_div(C, x, z))), z);
  return nx_status(C);
}

const nx_op nx_op_div = {
  .name = "div",
  .doc = "x / z, as real numbers unless rounding_mode is given.",
  .inputs = "x z", .outputs = "y", .fields = div_fields,
  .argsize = sizeof(div_args), .saves = "x z", .flags = NX_INPLACE,
  .cuts = "*", .shape = div_shape, .forward = div_forward,
  .grad = NX_LEARN(div_grad)
};

OPFN nx_tensor *nx_div (nx_ctx *C, nx_tensor *x, nx_tensor *z) {
  div_args a = {EXACT};
  return nx_apply(C, &nx_op_div, &a, 2, (nx_tensor *[]){x, z});
}

OPFN nx_tensor *nx_div_rounded (nx_ctx *C, nx_tensor *x, nx_tensor *z,
                                int down) {
  div_args a = {down ? FLOOR : TRUNC};
  return nx_apply(C, &nx_op_div, &a, 2, (nx_tensor *[]){x, z});
}


static int floor_divide_shape (nx_ctx *C, nx_node *n) {
  return quotient_shape(C, n, FLOOR);
}

static int floor_divide_forward (nx_ctx *C, nx_node *n) {
  return quotient(C, n, FLOOR);
}

const nx_op nx_op_floor_divide = {
  .name = "floor_divide",
  .doc = "x / z rounded down, as Lua's //.",
  .inputs = "x z", .outputs = "y", .flags = NX_INPLACE | NX_NOGRAD,
  .shape = floor_divide_shape, .forward = floor_divide_forward
};


/*
** What a division leaves: with the sign of z (remainder, as Lua's %), or
** with the sign of x (fmod, as C's).
*/
#define REST(T, name, formula) \
static void name##_##T (size_t n, void *const *p, unsigned fixed, \
                        const double *c) { \
  T *y = p[0]; \
  const T *px = p[1], *pz = p[2]; \
  const size_t sx = !(fixed & 2), sz = !(fixed & 4); \
  (void)c; \
  for (size_t i = 0; i < n; i++) { \
    const double x = px[i * sx], z = pz[i * sz], r = fmod(x, z); \
    y[i] = (T)(formula); \
  } \
}

REST(float, remainder, r != 0 && (r < 0) != (z < 0) ? r + z : r)
REST(double, remainder, r != 0 && (r < 0) != (z < 0) ? r + z : r)
REST(float, fmod, r)
REST(double, fmod, r)

static int rest_shape (nx_ctx *C, nx_node *n) {
  int type = nx_meeting_type(n);
  if (nx_meet(C, n, type == NEAP_BOOL ? NEAP_I64 : type))
    return nx_status(C);
  return check_divisor(C, n);
}

static int remainder_forward (nx_ctx *C, nx_node *n) {
  int type = n->in[0]->dtype;
  return nx_map(C, type == NEAP_F32 ? remainder_float
                   : type == NEAP_F64 ? remainder_double
                   : kernels_of(C, n)->remainder, NULL, n->out[0], 2, n->in);
}

static int fmod_forward (nx_ctx *C, nx_node *n) {
  int type = n->in[0]->dtype;
  return nx_map(C, type == NEAP_F32 ? fmod_float
                   : type == NEAP_F64 ? fmod_double
                   : kernels_of(C, n)->fmod, NULL, n->out[0], 2, n->in);
}

/* y = x - z q with q whole: gx = gy, gz = -gy q */
static int rest_grad (nx_ctx *C, nx_node *n, nx_tensor *gy, int down,
                      nx_tensor **gx) {
  nx_tensor *x = n->in[0], *z = n->in[1], *q;
  if (n->wants[0]) gx[0] = nx_sum_to(C, gy, x);
  if (n->wants[1]) {
    q = nx_div_rounded(C, x, z, down);
    gx[1] = nx_sum_to(C, nx_neg(C, nx_mul(C, gy, q)), z);
  }
  return nx_status(C);
}

static int remainder_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                           nx_tensor **gx) {
  return rest_grad(C, n, gy[0], 1, gx);
}

static int fmod_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                      nx_tensor **gx) {
  return rest_grad(C, n, gy[0], 0, gx);
}

const nx_op nx_op_remainder = {
  .name = "remainder",
  .doc = "x - z floor(x / z), with the sign of z, as Lua's %.",
  .inputs = "x z", .outputs = "y", .saves = "x z", .flags = NX_INPLACE,
  .shape = rest_shape, .forward = remainder_forward,
  .grad = NX_LEARN(remainder_grad)
};

const nx_op nx_op_fmod = {
  .name = "fmod",
  .doc = "x - z trunc(x / z), with the sign of x.",
  .inputs = "x z", .outputs = "y", .saves = "x z", .flags = NX_INPLACE,
  .shape = rest_shape, .forward = fmod_forward, .grad = NX_LEARN(fmod_grad)
};
