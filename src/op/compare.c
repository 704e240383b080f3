/*
** Comparisons: masks of bool.
*/
#include <math.h>
#include "ops.h"
#include "op/broadcast.h"


static int compare_shape (nx_ctx *C, nx_node *n) {
  int64_t shape[NEAP_MAXDIM];
  int ndim;
  if (nx_meet_inputs(C, n, nx_promote(n->in[0], n->in[1])) == 0 &&
      nx_broadcast(C, n->op->name, n->in[0], n->in[1], &ndim, shape) == 0)
    nx_out(C, n, 0, NEAP_BOOL, ndim, shape);
  return nx_status(C);
}


#define COMPARISON(id, text) \
static int id##_forward (nx_ctx *C, nx_node *n) { \
  return nx_map(C, nx_kernels_for(C, n->in[0]->dtype)->id, NULL, n->out[0], \
                2, n->in); \
} \
const nx_op nx_op_##id = { \
  .name = #id, .doc = "True where x " text " z.", .inputs = "x z", \
  .outputs = "y", .flags = NX_NOGRAD, .shape = compare_shape, \
  .forward = id##_forward \
}; \
OPFN nx_tensor *nx_##id (nx_ctx *C, nx_tensor *x, nx_tensor *z) { \
  return nx_apply(C, &nx_op_##id, NULL, 2, (nx_tensor *[]){x, z}); \
}

COMPARISON(eq, "equals")
COMPARISON(ne, "differs from")
COMPARISON(lt, "is less than")
COMPARISON(le, "is at most")
COMPARISON(gt, "is greater than")
COMPARISON(ge, "is at least")


/*
** Questions about one number; whole numbers are always finite.
*/
static int question_shape (nx_ctx *C, nx_node *n) {
  nx_out(C, n, 0, NEAP_BOOL, n->in[0]->ndim, n->in[0]->shape);
  return nx_status(C);
}

#define ASK(id, T, formula) \
static void id##_##T (size_t n, void *const *p, unsigned fixed, \
                      const double *c) { \
  uint8_t *y = p[0]; \
  const T *px = p[1]; \
  const size_t s = !(fixed & 2); \
  (void)c; \
  for (size_t i = 0; i < n; i++) { \
    const T x = px[i * s]; \
    y[i] = (uint8_t)(formula); \
  } \
}

#define QUESTION(id, text, formula) \
ASK(id, float, formula) \
ASK(id, double, formula) \
static int id##_forward (nx_ctx *C, nx_node *n) { \
  nx_tensor *x = n->in[0]; \
  if (!nx_is_float(x->dtype)) x = nx_typed(C, x, NEAP_F64); \
  if (x == NULL) return nx_status(C); \
  return nx_map(C, x->dtype == NEAP_F64 ? id##_double : id##_float, NULL, \
                n->out[0], 1, &x); \
} \
const nx_op nx_op_##id = { \
  .name = #id, .doc = text, .inputs = "x", .outputs = "y", \
  .flags = NX_NOGRAD, .shape = question_shape, .forward = id##_forward \
};

QUESTION(isnan, "True where x is not a number.", x != x)
QUESTION(isinf, "True where x is infinite.", x - x != 0 && x == x)
QUESTION(isfinite, "True where x is neither infinite nor NaN.", x - x == 0)
QUESTION(signbit, "True where x is negative, also where it is -0.",
         signbit(x) != 0)


/*
** |x - z| <= atol + rtol |z|
*/
typedef struct isclose_args {
  double rtol, atol;
  int equal_nan;
} isclose_args;

static const nx_field isclose_fields[] = {
  NX_NUMBER(isclose_args, rtol, 1e-5, "how far apart, relative to z"),
  NX_NUMBER(isclose_args, atol, 1e-8, "how far apart at least"),
  NX_BOOL(isclose_args, equal_nan, 0, "NaN is close to NaN"),
  NX_END
};

static void close (size_t n, void *const *p, unsigned fixed,
                   const double *c) {
  uint8_t *y = p[0];
  const double *px = p[1], *pz = p[2];
  const size_t sx = !(fixed & 2), sz = !(fixed & 4);
  for (size_t i = 0; i < n; i++) {
    const double x = px[i * sx], z = pz[i * sz];
    y[i] = x == z || (isfinite(z) && fabs(x - z) <= c[1] + c[0] * fabs(z)) ||
           (c[2] != 0 && x != x && z != z);
  }
}

static int isclose_forward (nx_ctx *C, nx_node *n) {
  const isclose_args *a = n->a;
  double c[3] = {a->rtol, a->atol, a->equal_nan};
  nx_tensor *in[2];
  in[0] = nx_typed(C, n->in[0], NEAP_F64);
  in[1] = nx_typed(C, n->in[1], NEAP_F64);
  if (nx_status(C)) return nx_status(C);
  return nx_map(C, close, c, n->out[0], 2, in);
}

const nx_op nx_op_isclose = {
  .name = "isclose", .doc = "True where |x - z| <= atol + rtol |z|.",
  .inputs = "x z", .outputs = "y", .fields = isclose_fields,
  .argsize = sizeof(isclose_args), .flags = NX_NOGRAD,
  .shape = compare_shape, .forward = isclose_forward
};
