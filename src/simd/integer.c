/*
** Kernels for whole numbers: plain loops, which compilers vectorise.
** Arithmetic wraps around, as Lua's integers do; dividing by zero gives 0
** rather than a trap.
*/
#include "neap.h"
#include "simd/integer.h"

#define OPERATE(T, U, name, formula) \
static void name##_##T (size_t n, void *const *p, unsigned fixed, \
                        const double *c) { \
  T *y = p[0]; \
  const T *x1 = p[1], *x2 = p[2]; \
  const size_t s1 = !(fixed & 2), s2 = !(fixed & 4); \
  (void)c; \
  if (s1 && s2) \
    for (size_t i = 0; i < n; i++) { \
      const T a = x1[i], b = x2[i]; \
      y[i] = (T)(formula); \
    } \
  else \
    for (size_t i = 0; i < n; i++) { \
      const T a = x1[i * s1], b = x2[i * s2]; \
      y[i] = (T)(formula); \
    } \
}

#define COMPARE(T, U, name, op) \
static void name##_##T (size_t n, void *const *p, unsigned fixed, \
                        const double *c) { \
  uint8_t *y = p[0]; \
  const T *x1 = p[1], *x2 = p[2]; \
  const size_t s1 = !(fixed & 2), s2 = !(fixed & 4); \
  (void)c; \
  for (size_t i = 0; i < n; i++) y[i] = x1[i * s1] op x2[i * s2]; \
}

/* U is the unsigned partner of T: its overflow is defined */
#define BODY(T, U) \
OPERATE(T, U, add, (U)a + (U)b) \
OPERATE(T, U, sub, (U)a - (U)b) \
OPERATE(T, U, mul, (U)a * (U)b) \
COMPARE(T, U, eq, ==) COMPARE(T, U, ne, !=) COMPARE(T, U, lt, <) \
COMPARE(T, U, le, <=) COMPARE(T, U, gt, >) COMPARE(T, U, ge, >=) \
static void neg_##T (size_t n, void *const *p, unsigned fixed, \
                     const double *c) { \
  T *y = p[0]; \
  const T *x = p[1]; \
  const size_t s = !(fixed & 2); \
  (void)c; \
  for (size_t i = 0; i < n; i++) y[i] = (T)(0 - (U)x[i * s]); \
} \
static void relu_##T (size_t n, void *const *p, unsigned fixed, \
                      const double *c) { \
  T *y = p[0]; \
  const T *x = p[1]; \
  const size_t s = !(fixed & 2); \
  (void)c; \
  for (size_t i = 0; i < n; i++) y[i] = x[i * s] > 0 ? x[i * s] : (T)0; \
} \
static void sum_##T (size_t n, const void *px, void *y) { \
  const T *x = px; \
  uint64_t s = 0; \
  for (size_t i = 0; i < n; i++) s += (uint64_t)(int64_t)x[i]; \
  *(T *)y = (T)s; \
} \
static void max_##T (size_t n, const void *px, void *value, int64_t *at) { \
  const T *x = px; \
  size_t best = 0; \
  for (size_t i = 1; i < n; i++) if (x[i] > x[best]) best = i; \
  *(T *)value = x[best]; \
  *at = (int64_t)best; \
} \
static const nx_kernels table_##T = { \
  .add = add_##T, .sub = sub_##T, .mul = mul_##T, .neg = neg_##T, \
  .relu = relu_##T, .eq = eq_##T, .ne = ne_##T, .lt = lt_##T, \
  .le = le_##T, .gt = gt_##T, .ge = ge_##T, .sum = sum_##T, .max = max_##T \
};

BODY(uint8_t, uint32_t)
BODY(int32_t, uint32_t)
BODY(int64_t, uint64_t)


const nx_kernels *nx_integer_kernels (int dtype) {
  switch (dtype) {
    case NEAP_I64: return &table_int64_t;
    case NEAP_I32: return &table_int32_t;
    default: return &table_uint8_t;
  }
}
