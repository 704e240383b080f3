/*
** Functions of one variable, element by element. Whole numbers are
** computed as float32, except where the result is whole too (neg, relu).
*/
#include <math.h>
#include "ops.h"


static int real_shape (nx_ctx *C, nx_node *n) {
  if (!nx_is_float(n->in[0]->dtype)) {
    if (n->inplace) return nx_want_float(C, n, 0);
    n->in[0] = nx_to(C, n->in[0], NEAP_F32);
    if (n->in[0] == NULL) return nx_status(C);
  }
  nx_out_like(C, n, 0, n->in[0]);
  return nx_status(C);
}

static int whole_shape (nx_ctx *C, nx_node *n) {
  if (n->in[0]->dtype == NEAP_BOOL)
    return nx_op_fail(C, n, NEAP_EDTYPE, "x is bool, expected numbers");
  nx_out_like(C, n, 0, n->in[0]);
  return nx_status(C);
}


/*
** A function: name, how its result is shaped, what the gradient reads.
** name_grad stands before.
*/
#define UNARY(id, how, saved, text) \
static nx_map_fn *id##_kernel (nx_ctx *C, int dtype) { \
  return nx_kernels_for(C, dtype)->id; \
} \
DESCRIBE(id, how, saved, text)

/*
** The same for a formula in x, in double, where nobody has asked for a
** vector kernel yet.
*/
#define PLAIN(id, how, saved, text, formula) \
LOOP(id, float, formula) \
LOOP(id, double, formula) \
static nx_map_fn *id##_kernel (nx_ctx *C, int dtype) { \
  (void)C; \
  return dtype == NEAP_F64 ? id##_double : id##_float; \
} \
DESCRIBE(id, how, saved, text)

#define LOOP(id, T, formula) \
static void id##_##T (size_t n, void *const *p, unsigned fixed, \
                      const double *c) { \
  const T *in = p[1]; \
  const size_t step = !(fixed & 2); \
  (void)c; \
  for (size_t i = 0; i < n; i++) { \
    const double x = in[i * step]; \
    ((T *)p[0])[i] = (T)(formula); \
  } \
}

#define DESCRIBE(id, how, saved, text) \
static int id##_forward (nx_ctx *C, nx_node *n) { \
  return nx_map(C, id##_kernel(C, n->in[0]->dtype), NULL, n->out[0], 1, \
                n->in); \
} \
const nx_op nx_op_##id = { \
  .name = #id, .doc = text, .inputs = "x", .outputs = "y", \
  .saves = saved, .flags = NX_INPLACE, .shape = how##_shape, \
  .forward = id##_forward, .grad = id##_grad, .fused = id##_fused \
};

/* One pass over gy and y (or x). */
static int fused_pass (nx_ctx *C, nx_map_fn *f, nx_tensor *gy, nx_tensor *y,
                       nx_tensor **gx) {
  nx_tensor *in[2];
  in[0] = gy;
  in[1] = y;
  gx[0] = nx_new_like(C, gy);
  if (gx[0] == NULL) return nx_status(C);
  return nx_map(C, f, NULL, gx[0], 2, in);
}

#define FUSED(id, kernel) \
static int id##_fused (nx_ctx *C, nx_node *n, nx_tensor **gy, \
                       nx_tensor **gx) { \
  return fused_pass(C, nx_kernels_for(C, gy[0]->dtype)->kernel, gy[0], \
                    n->out[0], gx); \
}


/* gx = -gy */
static int neg_grad (nx_ctx *C, nx_node *n, nx_tensor **gy, nx_tensor **gx) {
  (void)n;
  gx[0] = nx_neg(C, gy[0]);
  return nx_status(C);
}
#define neg_fused NULL
UNARY(neg, whole, NULL, "-x.")

OPFN nx_tensor *nx_neg (nx_ctx *C, nx_tensor *x) {
  return nx_apply(C, &nx_op_neg, NULL, 1, &x);
}


/* gx = gy e^x */
static int exp_grad (nx_ctx *C, nx_node *n, nx_tensor **gy, nx_tensor **gx) {
  gx[0] = nx_mul(C, gy[0], n->out[0]);
  return nx_status(C);
}
#define exp_fused NULL
UNARY(exp, real, "y", "e to the power of x.")

OPFN nx_tensor *nx_exp (nx_ctx *C, nx_tensor *x) {
  return nx_apply(C, &nx_op_exp, NULL, 1, &x);
}


/* gx = gy / x */
static int log_grad (nx_ctx *C, nx_node *n, nx_tensor **gy, nx_tensor **gx) {
  gx[0] = nx_div(C, gy[0], n->in[0]);
  return nx_status(C);
}
#define log_fused NULL
UNARY(log, real, "x", "Natural logarithm; NaN below 0.")

OPFN nx_tensor *nx_log (nx_ctx *C, nx_tensor *x) {
  return nx_apply(C, &nx_op_log, NULL, 1, &x);
}


/* gx = gy / (2 sqrt(x)) */
static int sqrt_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                      nx_tensor **gx) {
  gx[0] = nx_div(C, nx_mul(C, gy[0], nx_from_number(C, 0.5)), n->out[0]);
  return nx_status(C);
}
#define sqrt_fused NULL
UNARY(sqrt, real, "y", "Square root; NaN below 0.")

OPFN nx_tensor *nx_sqrt (nx_ctx *C, nx_tensor *x) {
  return nx_apply(C, &nx_op_sqrt, NULL, 1, &x);
}


/* gx = gy where y > 0, else 0 (at 0 itself by convention) */
static int relu_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                      nx_tensor **gx) {
  nx_tensor *mask = nx_gt(C, n->out[0], nx_from_number(C, 0));
  gx[0] = nx_mul(C, gy[0], nx_to(C, mask, gy[0]->dtype));
  return nx_status(C);
}
FUSED(relu, relu_grad)
UNARY(relu, whole, "y", "The larger of x and 0.")

OPFN nx_tensor *nx_relu (nx_ctx *C, nx_tensor *x) {
  return nx_apply(C, &nx_op_relu, NULL, 1, &x);
}


/* gx = gy (1 - y^2) */
static int tanh_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                      nx_tensor **gx) {
  nx_tensor *y = n->out[0];
  gx[0] = nx_mul(C, gy[0], nx_sub(C, nx_from_number(C, 1), nx_mul(C, y, y)));
  return nx_status(C);
}
FUSED(tanh, tanh_grad)
UNARY(tanh, real, "y", "Hyperbolic tangent.")

OPFN nx_tensor *nx_tanh (nx_ctx *C, nx_tensor *x) {
  return nx_apply(C, &nx_op_tanh, NULL, 1, &x);
}


/* gx = gy y (1 - y) */
static int sigmoid_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                         nx_tensor **gx) {
  nx_tensor *y = n->out[0];
  nx_tensor *d = nx_mul(C, y, nx_sub(C, nx_from_number(C, 1), y));
  gx[0] = nx_mul(C, gy[0], d);
  return nx_status(C);
}
FUSED(sigmoid, sigmoid_grad)
UNARY(sigmoid, real, "y", "1 / (1 + e^-x).")

OPFN nx_tensor *nx_sigmoid (nx_ctx *C, nx_tensor *x) {
  return nx_apply(C, &nx_op_sigmoid, NULL, 1, &x);
}


/* gx = gy (y + 1) */
static int expm1_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                       nx_tensor **gx) {
  gx[0] = nx_mul(C, gy[0], nx_add(C, n->out[0], nx_from_number(C, 1)));
  return nx_status(C);
}
#define expm1_fused NULL
PLAIN(expm1, real, "y", "e^x - 1, exact for small x.", expm1(x))
