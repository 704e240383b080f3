/*
** Kernels that make one element of a row, in the vocabulary of
** vocabulary.h; searches; running sums.
*/

/*
** Sums: four vectors at a time within blocks, blocks in pairs, so that
** rounding errors grow with the logarithm of the length.
*/
#define BLOCK ((size_t)(128 + 64 * W))

#define BLOCK_SUM(name, step) \
static T FN(name##_block) (size_t n, const T *x) { \
  V s0 = vset(0), s1 = s0, s2 = s0, s3 = s0; \
  size_t i = 0; \
  for (; i + 4 * W <= n; i += 4 * W) { \
    s0 = step(vload(x + i), s0); \
    s1 = step(vload(x + i + W), s1); \
    s2 = step(vload(x + i + 2 * W), s2); \
    s3 = step(vload(x + i + 3 * W), s3); \
  } \
  for (; i + W <= n; i += W) s0 = step(vload(x + i), s0); \
  if (PARTIAL(i)) s1 = step(vload_n(x + i, n - i), s1); \
  return FN(across_sum)(vadd(vadd(s0, s1), vadd(s2, s3))); \
} \
static T FN(name##_pairs) (size_t n, const T *x) { \
  size_t half; \
  if (n <= BLOCK) return FN(name##_block)(n, x); \
  half = (n / BLOCK + 1) / 2 * BLOCK; \
  return FN(name##_pairs)(half, x) + FN(name##_pairs)(n - half, x + half); \
} \
static void FN(name) (size_t n, const void *x, void *y) { \
  *(T *)y = FN(name##_pairs)(n, x); \
}

#define PLUS(v, s) vadd(s, v)
#define PLUS_SQUARE(v, s) vfma(v, v, s)
BLOCK_SUM(sum, PLUS)
#define PLUS_ABS(v, s) vadd(s, vabs(v))
BLOCK_SUM(sum_squares, PLUS_SQUARE)
BLOCK_SUM(sum_abs, PLUS_ABS)


/*
** Sum of (x - shift)^2; the same order as sums in blocks of one size.
*/
static T FN(squares_block) (size_t n, const T *x, V shift) {
  V s0 = vset(0), s1 = s0;
  size_t i = 0;
  T rest = 0;
  for (; i + 2 * W <= n; i += 2 * W) {
    V a = vsub(vload(x + i), shift), b = vsub(vload(x + i + W), shift);
    s0 = vfma(a, a, s0);
    s1 = vfma(b, b, s1);
  }
  if (i < n) {           /* what is masked out would count as 0 */
    T d[2 * W];
    size_t m = n - i;
    memset(d, 0, sizeof(d));
    memcpy(d, x + i, m * sizeof(T));
    vstore(d, vsub(vload(d), shift));
    vstore(d + W, vsub(vload(d + W), shift));
    for (size_t j = 0; j < m; j++) rest += d[j] * d[j];
  }
  return FN(across_sum)(vadd(s0, s1)) + rest;
}

static T FN(squares_pairs) (size_t n, const T *x, V shift) {
  size_t half;
  if (n <= BLOCK) return FN(squares_block)(n, x, shift);
  half = (n / BLOCK + 1) / 2 * BLOCK;
  return FN(squares_pairs)(half, x, shift) +
         FN(squares_pairs)(n - half, x + half, shift);
}

static void FN(squares_around) (size_t n, const void *x, double shift,
                                void *y) {
  *(T *)y = FN(squares_pairs)(n, x, vset(shift));
}


static void FN(prod) (size_t n, const void *px, void *y) {
  const T *x = px;
  V p = vset(1);
  T a[W], rest = 1;
  size_t i = 0;
  for (; i + W <= n; i += W) p = vmul(p, vload(x + i));
  for (; i < n; i++) rest *= x[i];
  vstore(a, p);
  for (int j = 0; j < W; j++) rest *= a[j];
  *(T *)y = rest;
}


/*
** The largest and the smallest element, NaN where there is one; and where
** it is first. A product with 0 is 0 unless there is NaN or infinity: only
** then each element is looked at.
*/
#define EXTREME(name, best_of, better, kept, fold, rival) \
static T FN(fold##_slow) (size_t n, const T *x) { \
  T best = x[0]; \
  for (size_t i = 1; i < n && best == best; i++) \
    if (x[i] better best || x[i] != x[i]) best = x[i]; \
  return best; \
} \
static void FN(fold) (size_t n, const void *px, void *y) { \
  const T *x = px; \
  T best = x[0]; \
  size_t i = 0; \
  if (n >= 4 * W) { \
    T a[W]; \
    V m0 = vload(x), m1 = vload(x + W), zero = vset(0); \
    V m2 = vload(x + 2 * W), m3 = vload(x + 3 * W); \
    V odd0 = vmul(vadd(m0, m1), zero), odd1 = vmul(vadd(m2, m3), zero); \
    for (i = 4 * W; i + 4 * W <= n; i += 4 * W) { \
      V v0 = vload(x + i), v1 = vload(x + i + W); \
      V v2 = vload(x + i + 2 * W), v3 = vload(x + i + 3 * W); \
      odd0 = vfma(vadd(v0, v1), zero, odd0); \
      odd1 = vfma(vadd(v2, v3), zero, odd1); \
      m0 = best_of(m0, v0); \
      m1 = best_of(m1, v1); \
      m2 = best_of(m2, v2); \
      m3 = best_of(m3, v3); \
    } \
    if (!(FN(across_sum)(vadd(odd0, odd1)) == 0)) { \
      *(T *)y = FN(fold##_slow)(n, x); \
      return; \
    } \
    vstore(a, best_of(best_of(m0, m1), best_of(m2, m3))); \
    best = a[0]; \
    for (int j = 1; j < W; j++) if (a[j] better best) best = a[j]; \
  } \
  for (; i < n && best == best; i++) \
    if (x[i] better best || x[i] != x[i]) best = x[i]; \
  *(T *)y = best; \
} \
static void FN(name) (size_t n, const void *px, void *value, int64_t *at) { \
  const T *x = px; \
  T best; \
  size_t i = 0; \
  FN(fold)(n, px, &best); \
  *(T *)value = best; \
  if (best != best) while (x[i] == x[i]) i++; \
  else { \
    const V v = vset(best); \
    while (i + W <= n && !vany(veq(v, vload(x + i)))) i += W; \
    while (x[i] != best) i++; \
  } \
  *at = (int64_t)i; \
} \
static void FN(rival) (size_t n, const void *px, uint32_t row, void *pbest, \
                       uint32_t *at) { \
  const T *x = px; \
  T *best = pbest; \
  size_t i = RIVALS(n, x, row, best, at, kept); \
  for (; i < n; i++) { \
    const int wins = (x[i] better best[i]) | \
                     ((x[i] != x[i]) & (best[i] == best[i])); \
    best[i] = wins ? x[i] : best[i]; \
    at[i] = wins ? row : at[i]; \
  } \
}

/*
** All elements as vectors, where positions are as wide as numbers: a
** number that is not kept wins, unless it meets NaN.
*/
#if W > 1 && !NX_DOUBLE
#define RIVALS(n, x, row, best, at, kept) \
  FN(rivals_##kept)(n, x, row, best, at)
#define RIVALS_OF(kept) \
static size_t FN(rivals_##kept) (size_t n, const T *x, uint32_t row, \
                                 T *best, uint32_t *at) { \
  const V r = vreal(iset(row)); \
  size_t i = 0; \
  for (; i + W <= n; i += W) { \
    V v = vload(x + i), b = vload(best + i); \
    V p = vload((const T *)(const void *)(at + i)); \
    RIVAL(kept) \
    vstore(best + i, keep); \
    vstore((T *)(void *)(at + i), where); \
  } \
  if (PARTIAL(i)) { \
    V v = vload_n(x + i, n - i), b = vload_n(best + i, n - i); \
    V p = vload_n((const T *)(const void *)(at + i), n - i); \
    RIVAL(kept) \
    vstore_n(best + i, keep, n - i); \
    vstore_n((T *)(void *)(at + i), where, n - i); \
  } \
  return n; \
}
#define RIVAL(kept) \
  V keep = vsel(kept(v, b), b, vsel(veq(b, b), v, b)); \
  V where = vsel(kept(v, b), p, vsel(veq(b, b), r, p));
#define at_most(v, b) vle(v, b)
#define at_least(v, b) vle(b, v)
RIVALS_OF(at_most)
RIVALS_OF(at_least)
#undef RIVALS_OF
#else
#define RIVALS(n, x, row, best, at, kept) 0
#endif

EXTREME(max, vmax, >, at_most, largest, max_rival)
EXTREME(min, vmin, <, at_least, smallest, min_rival)
#undef RIVALS
#undef RIVAL
#undef at_most
#undef at_least


/* y[i] = x[0] + ... + x[i], and the product; in double precision */
static void FN(cumsum) (size_t n, const void *g, const void *px, void *py) {
  const T *x = px;
  T *y = py;
  double s = 0;
  (void)g;
  for (size_t i = 0; i < n; i++) y[i] = (T)(s += (double)x[i]);
}

static void FN(cumprod) (size_t n, const void *g, const void *px, void *py) {
  const T *x = px;
  T *y = py;
  double s = 1;
  (void)g;
  for (size_t i = 0; i < n; i++) y[i] = (T)(s *= (double)x[i]);
}

#undef BLOCK
#undef BLOCK_SUM
#undef PLUS
#undef PLUS_SQUARE
#undef PLUS_ABS
#undef EXTREME
