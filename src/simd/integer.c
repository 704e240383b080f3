/*
** Kernels for whole numbers: plain loops, which compilers vectorise.
** Arithmetic wraps around, as Lua's integers do; dividing by zero gives 0
** rather than a trap (operations refuse it before).
*/
#include <string.h>
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

#define ALTER(T, name, formula) \
static void name##_##T (size_t n, void *const *p, unsigned fixed, \
                        const double *c) { \
  T *y = p[0]; \
  const T *x = p[1]; \
  const size_t s = !(fixed & 2); \
  (void)c; \
  for (size_t i = 0; i < n; i++) { \
    const T a = x[i * s]; \
    y[i] = (T)(formula); \
  } \
}

#define EXTREME(T, name, better, fold, rival) \
static void name##_##T (size_t n, const void *px, void *value, \
                        int64_t *at) { \
  const T *x = px; \
  size_t best = 0; \
  for (size_t i = 1; i < n; i++) if (x[i] better x[best]) best = i; \
  *(T *)value = x[best]; \
  *at = (int64_t)best; \
} \
static void fold##_##T (size_t n, const void *px, void *y) { \
  const T *x = px; \
  T best = x[0]; \
  for (size_t i = 1; i < n; i++) if (x[i] better best) best = x[i]; \
  *(T *)y = best; \
} \
static void rival##_##T (size_t n, const void *px, uint32_t row, \
                         void *pbest, uint32_t *at) { \
  const T *x = px; \
  T *best = pbest; \
  for (size_t i = 0; i < n; i++) { \
    const int wins = x[i] better best[i]; \
    best[i] = wins ? x[i] : best[i]; \
    at[i] = wins ? row : at[i]; \
  } \
}

/* running sums and products, and the last of them */
#define RUN(T, U, name, start, op, fold) \
static void name##_##T (size_t n, const void *g, const void *px, \
                        void *py) { \
  const T *x = px; \
  T *y = py; \
  U s = start; \
  (void)g; \
  for (size_t i = 0; i < n; i++) y[i] = (T)(s = s op (U)x[i]); \
} \
static void fold##_##T (size_t n, const void *px, void *y) { \
  const T *x = px; \
  U s = start; \
  for (size_t i = 0; i < n; i++) s = s op (U)x[i]; \
  *(T *)y = (T)s; \
}

/*
** Quotients rounded down, as Lua's; the smallest number divided by -1
** wraps around. Shifts by more than the width give 0 (or -1: right shifts
** keep the sign).
*/
#define WIDTH(T) ((int64_t)(8 * sizeof(T)))
#define QUOTIENT(T, U, a, b) \
  ((b) == 0 ? 0 : opposes(b) ? (T)(0 - (U)(a)) : (a) / (b))
#define REST(T, a, b) \
  ((b) == 0 || opposes(b) ? 0 : (a) % (b))
#define DOWN(a, b, r) ((r) != 0 && negative(a) != negative(b))

/* functions, since compilers frown on such questions to unsigned ones */
static inline int negative (int64_t a) { return a < 0; }
static inline int opposes (int64_t a) { return a == -1; }

static int64_t int_power (int64_t base, int64_t e) {
  uint64_t b = (uint64_t)base, y = 1;
  if (e < 0) return base == 1 ? 1 : base == -1 ? (e % 2 ? -1 : 1) : 0;
  for (; e > 0; e /= 2, b *= b) if (e % 2) y *= b;
  return (int64_t)y;
}

static void select_bytes (size_t n, void *const *p, unsigned fixed,
                          size_t size) {
  const uint8_t *m = p[1];
  const char *a = p[2], *b = p[3];
  char *y = p[0];
  for (size_t i = 0; i < n; i++)
    memcpy(y + i * size, m[fixed & 2 ? 0 : i]
           ? a + (fixed & 4 ? 0 : i) * size
           : b + (fixed & 8 ? 0 : i) * size, size);
}

/* U is the unsigned partner of T: its overflow is defined */
#define BODY(T, U) \
OPERATE(T, U, add, (U)a + (U)b) \
OPERATE(T, U, sub, (U)a - (U)b) \
OPERATE(T, U, mul, (U)a * (U)b) \
OPERATE(T, U, maximum, a > b ? a : b) \
OPERATE(T, U, minimum, a < b ? a : b) \
OPERATE(T, U, bit_and, a & b) \
OPERATE(T, U, bit_or, a | b) \
OPERATE(T, U, bit_xor, a ^ b) \
OPERATE(T, U, shift_left, negative(b) || b >= WIDTH(T) ? 0 : (U)a << b) \
OPERATE(T, U, shift_right, negative(b) || b >= WIDTH(T) ? -negative(a) \
                                                        : a >> b) \
OPERATE(T, U, trunc_divide, QUOTIENT(T, U, a, b)) \
OPERATE(T, U, floor_divide, QUOTIENT(T, U, a, b) - \
                            DOWN(a, b, REST(T, a, b))) \
OPERATE(T, U, fmod, REST(T, a, b)) \
OPERATE(T, U, remainder, REST(T, a, b) + \
                         (DOWN(a, b, REST(T, a, b)) ? b : 0)) \
OPERATE(T, U, power, int_power(a, b)) \
COMPARE(T, U, eq, ==) COMPARE(T, U, ne, !=) COMPARE(T, U, lt, <) \
COMPARE(T, U, le, <=) COMPARE(T, U, gt, >) COMPARE(T, U, ge, >=) \
ALTER(T, neg, 0 - (U)a) \
ALTER(T, abs, negative(a) ? 0 - (U)a : (U)a) \
ALTER(T, sign, (a > 0) - negative(a)) \
ALTER(T, square, (U)a * (U)a) \
ALTER(T, relu, a > 0 ? a : 0) \
ALTER(T, bit_not, ~a) \
ALTER(T, same, a) \
static void select_##T (size_t n, void *const *p, unsigned fixed, \
                        const double *c) { \
  (void)c; \
  select_bytes(n, p, fixed, sizeof(T)); \
} \
static void clamp_##T (size_t n, void *const *p, unsigned fixed, \
                       const double *c) { \
  void *q[3]; \
  maximum_##T(n, p, fixed & 7, c); \
  q[0] = q[1] = p[0]; \
  q[2] = p[3]; \
  minimum_##T(n, q, fixed & 8 ? 4 : 0, c); \
} \
EXTREME(T, max, >, largest, max_rival) \
EXTREME(T, min, <, smallest, min_rival) \
RUN(T, U, cumsum, 0, +, sum) RUN(T, U, cumprod, 1, *, prod) \
static void product_##T (size_t m, size_t n, size_t k, const void *pa, \
                         ptrdiff_t rsa, ptrdiff_t csa, const void *pb, \
                         ptrdiff_t rsb, ptrdiff_t csb, void *pc, \
                         ptrdiff_t ldc, int add) { \
  const T *a = pa, *b = pb; \
  for (size_t i = 0; i < m; i++) { \
    T *c = (T *)pc + (ptrdiff_t)i * ldc; \
    for (size_t j = 0; j < n; j++) { \
      U s = add ? (U)c[j] : 0; \
      for (size_t p = 0; p < k; p++) \
        s += (U)a[(ptrdiff_t)i * rsa + (ptrdiff_t)p * csa] * \
             (U)b[(ptrdiff_t)p * rsb + (ptrdiff_t)j * csb]; \
      c[j] = (T)s; \
    } \
  } \
} \
static const nx_kernels table_##T = { \
  .add = add_##T, .sub = sub_##T, .mul = mul_##T, .neg = neg_##T, \
  .abs = abs_##T, .sign = sign_##T, .square = square_##T, \
  .floor = same_##T, .ceil = same_##T, .round = same_##T, \
  .trunc = same_##T, .relu = relu_##T, .maximum = maximum_##T, \
  .minimum = minimum_##T, .clamp = clamp_##T, .select = select_##T, \
  .bit_and = bit_and_##T, .bit_or = bit_or_##T, .bit_xor = bit_xor_##T, \
  .bit_not = bit_not_##T, .shift_left = shift_left_##T, \
  .shift_right = shift_right_##T, .floor_divide = floor_divide_##T, \
  .trunc_divide = trunc_divide_##T, .remainder = remainder_##T, \
  .fmod = fmod_##T, .power = power_##T, \
  .eq = eq_##T, .ne = ne_##T, .lt = lt_##T, .le = le_##T, .gt = gt_##T, \
  .ge = ge_##T, .sum = sum_##T, .prod = prod_##T, \
  .largest = largest_##T, .smallest = smallest_##T, .max = max_##T, \
  .min = min_##T, .max_rival = max_rival_##T, .min_rival = min_rival_##T, \
  .cumsum = cumsum_##T, .cumprod = cumprod_##T, .product = product_##T \
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
