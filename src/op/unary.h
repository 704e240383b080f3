/*
** How operations of one variable are described: unary.c, activation.c.
*/
#ifndef nx_unary_h
#define nx_unary_h

#include "ops.h"

/* Whole numbers are computed as float32. */
int nx_real_shape (nx_ctx *C, nx_node *n);
/* Whole numbers stay what they are; masks are refused. */
int nx_whole_shape (nx_ctx *C, nx_node *n);

/* gx[0] = f(gy, x) in one pass, with the constants c. */
int nx_fused_pass (nx_ctx *C, nx_map_fn *f, const double *c, nx_tensor *gy,
                   nx_tensor *x, nx_tensor **gx);

/*
** Where a function is computed: by a kernel of its name, ...
*/
#define KERNEL(id) \
static nx_map_fn *id##_map (nx_ctx *C, int dtype) { \
  return nx_kernels_for(C, dtype)->id; \
}

/*
** ... or by a formula in x, in double, where nobody has asked for a vector
** kernel yet.
*/
#define FORMULA(id, formula) \
FORMULA_LOOP(id, float, formula) \
FORMULA_LOOP(id, double, formula) \
static nx_map_fn *id##_map (nx_ctx *C, int dtype) { \
  (void)C; \
  return dtype == NEAP_F64 ? id##_double : id##_float; \
}

#define FORMULA_LOOP(id, T, formula) \
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

/* g, x and y in the formula of a gradient; 'reads' names which it reads */
#define GRADIENT(id, formula) \
static int id##_grad (nx_ctx *C, nx_node *n, nx_tensor **gy, \
                      nx_tensor **gx) { \
  nx_tensor *g = gy[0], *x = n->in[0], *y = n->out[0]; \
  (void)g; (void)x; (void)y; \
  gx[0] = formula; \
  return nx_status(C); \
}

#define NUMBER(v) nx_from_number(C, v)
#define PI 3.14159265358979323846

#endif
