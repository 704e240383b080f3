/*
** Kernel bodies in the vector vocabulary. Included once for each type and
** instruction set, with T, UI, FN and the vocabulary defined:
**
**   V W M VI        vector, its elements, its mask, its bits as integers
**   vload vstore    unaligned; the _n forms touch the first n elements
**   vset            all elements alike
**   vadd ... vfma   vfma(a,b,c) = a b + c; vfnma(a,b,c) = c - a b
**   vmin vmax       the second operand where one is NaN
**   vlt vle veq     masks; vsel(m,a,b) = a where m, else b
**   vint vreal      bits of a vector and back; iset iadd iand ior
**   vexponent       biased exponent, as numbers, of bits without a sign
**   vscale(v,n)     v 2^n for whole n
**   vfrom_words     W numbers from 32-bit signed integers
*/

#if NX_DOUBLE
#define MANTISSA 52
#define EXP_LOW (-746.0)       /* below: 0 */
#define EXP_HIGH 710.0         /* above: infinity */
#define LN2_HI 0x1.62e42fefa38p-1
#define LN2_LO 0x1.ef35793c7673p-45
#define SQRT_HALF_BITS 0x3fe6a09e667f3bcd
#define ONE_BITS 0x3ff0000000000000
#define LOW_BITS 0x000fffffffffffff
#define TINY 0x1p-1022
#define BIAS 1023
#else
#define MANTISSA 23
#define EXP_LOW (-104.0f)
#define EXP_HIGH 89.0f
#define LN2_HI 0x1.62e3p-1f
#define LN2_LO 0x1.2fefa2p-17f
#define SQRT_HALF_BITS 0x3f3504f3
#define ONE_BITS 0x3f800000
#define LOW_BITS 0x007fffff
#define TINY 0x1p-126f
#define BIAS 127
#endif

#define vneg(a) vsub(vset(-0.0), a)
#define vabs(a) vreal(iand(vint(a), iset((UI)-1 >> 1)))


/*
** What some instruction sets lack.
*/
#if W == 1
ALWAYS T FN(least) (T a, T b) { return a < b ? a : b; }
ALWAYS T FN(most) (T a, T b) { return a > b ? a : b; }
ALWAYS UI FN(to_bits) (T v) { UI i; memcpy(&i, &v, sizeof(i)); return i; }
ALWAYS T FN(from_bits) (UI i) { T v; memcpy(&v, &i, sizeof(v)); return v; }
ALWAYS T FN(from_word) (const void *p) {
  int32_t i;
  memcpy(&i, p, sizeof(i));
  return (T)i;
}
#endif

#if !defined(PD)
/* twice half the exponent, so that results may be subnormal */
ALWAYS V FN(scale_by) (V v, V n) {
  int k = n > -4000 && n < 4000 ? (int)n : 0;
  int h = k / 2;
  v *= FN(from_bits)((UI)(h + BIAS) << MANTISSA);
  return v * FN(from_bits)((UI)(k - h + BIAS) << MANTISSA);
}
#elif !defined(NX_MASKED)
ALWAYS V FN(power_of_two) (V n) {
#if NX_DOUBLE
  __m128i k = _mm256_cvtpd_epi32(n);
  return vreal(_mm256_slli_epi64(iadd(_mm256_cvtepi32_epi64(k), iset(BIAS)),
                                 MANTISSA));
#else
  return vreal(_mm256_slli_epi32(iadd(_mm256_cvtps_epi32(n), iset(BIAS)),
                                 MANTISSA));
#endif
}
ALWAYS V FN(scale_by) (V v, V n) {
  V h = vround(vmul(n, vset(0.5)));
  return vmul(vmul(v, FN(power_of_two)(h)), FN(power_of_two)(vsub(n, h)));
}
#endif


/* Sum and largest of a vector's elements, in pairs. */
ALWAYS T FN(across_sum) (V v) {
  T a[W];
  vstore(a, v);
  for (int h = W / 2; h > 0; h /= 2)
    for (int i = 0; i < h; i++) a[i] += a[i + h];
  return a[0];
}

ALWAYS T FN(across_max) (V v) {
  T a[W];
  vstore(a, v);
  for (int i = 1; i < W; i++)
    if (a[i] > a[0]) a[0] = a[i];
  return a[0];
}


/*
** Mathematics. Polynomials are Taylor's on reduced arguments; errors were
** measured against the C library: see spec/simd.
*/

/*
** e^r - 1 for |r| <= ln(2) / 2: r + r^2 (1/2! + r (1/3! + ...))
*/
ALWAYS V FN(vexpm1_small) (V r) {
#if NX_DOUBLE
  V p = vset(1.0 / 6227020800.0);
  p = vfma(p, r, vset(1.0 / 479001600.0));
  p = vfma(p, r, vset(1.0 / 39916800.0));
  p = vfma(p, r, vset(1.0 / 3628800.0));
  p = vfma(p, r, vset(1.0 / 362880.0));
  p = vfma(p, r, vset(1.0 / 40320.0));
  p = vfma(p, r, vset(1.0 / 5040.0));
#else
  V p = vset(1.0f / 5040.0f);
#endif
  p = vfma(p, r, vset((T)1 / (T)720));
  p = vfma(p, r, vset((T)1 / (T)120));
  p = vfma(p, r, vset((T)1 / (T)24));
  p = vfma(p, r, vset((T)1 / (T)6));
  p = vfma(p, r, vset((T)0.5));
  return vfma(vmul(r, r), p, r);
}


/*
** e^x = 2^n e^r with n = round(x / ln 2) and r = x - n ln 2, where ln 2
** is taken away in two parts so that r is exact. NaN passes through.
*/
ALWAYS V FN(vexp) (V x) {
  V n, r;
  x = vmin(vset(EXP_HIGH), vmax(vset(EXP_LOW), x));
  n = vround(vmul(x, vset((T)1.44269504088896340736)));
  r = vfnma(n, vset(LN2_LO), vfnma(n, vset(LN2_HI), x));
  return vscale(vadd(FN(vexpm1_small)(r), vset(1)), n);
}


/*
** e^x - 1, exact near 0, for 0 <= x <= 80: 2^n (e^r - 1) + (2^n - 1)
*/
ALWAYS V FN(vexpm1) (V x) {
  V n = vround(vmul(x, vset((T)1.44269504088896340736)));
  V r = vfnma(n, vset(LN2_LO), vfnma(n, vset(LN2_HI), x));
  V two = vscale(vset(1), n);
  return vfma(two, FN(vexpm1_small)(r), vsub(two, vset(1)));
}


/*
** log x = k ln 2 + log(1 + f) with 1 + f in [sqrt(1/2), sqrt(2)) and,
** with s = f / (2 + f), log(1 + f) = f - (f^2/2 - s (f^2/2 + R)),
** R = 2 s^2 (1/3 + s^2 (1/5 + ...)) (the form of FreeBSD's e_log.c).
*/
ALWAYS V FN(vlog) (V x) {
  V tiny = vsel(vlt(x, vset(TINY)), vset((T)0x1p54), vset(1));
  V shift = vsel(vlt(x, vset(TINY)), vset(54), vset(0));
  VI i = iadd(vint(vmul(x, tiny)), iset((UI)ONE_BITS - (UI)SQRT_HALF_BITS));
  V k = vsub(vexponent(iand(i, iset((UI)-1 >> 1))), vadd(vset(BIAS), shift));
  V f = vsub(vreal(iadd(iand(i, iset(LOW_BITS)), iset(SQRT_HALF_BITS))),
             vset(1));
  V s = vdiv(f, vadd(f, vset(2))), z = vmul(s, s);
  V half = vmul(vset((T)0.5), vmul(f, f)), r, y;
#if NX_DOUBLE
  r = vset(2.0 / 23.0);
  r = vfma(r, z, vset(2.0 / 21.0));
  r = vfma(r, z, vset(2.0 / 19.0));
  r = vfma(r, z, vset(2.0 / 17.0));
  r = vfma(r, z, vset(2.0 / 15.0));
  r = vfma(r, z, vset(2.0 / 13.0));
  r = vfma(r, z, vset(2.0 / 11.0));
  r = vfma(r, z, vset(2.0 / 9.0));
#else
  r = vset(2.0f / 9.0f);
#endif
  r = vfma(r, z, vset((T)2 / (T)7));
  r = vfma(r, z, vset((T)2 / (T)5));
  r = vfma(r, z, vset((T)2 / (T)3));
  r = vmul(r, z);
  y = vfma(s, vadd(half, r), vmul(k, vset(LN2_LO)));
  y = vadd(vsub(f, vsub(half, y)), vmul(k, vset(LN2_HI)));
  y = vsel(vlt(x, vset(0)), vset((T)NAN), y);
  y = vsel(veq(x, vset(0)), vset(-(T)INFINITY), y);
  return vsel(vlt(x, vset((T)INFINITY)), y, x);     /* infinity, NaN */
}


/*
** tanh x = m / (m + 2) with m = e^(2|x|) - 1, and the sign of x. From
** |x| = 20 on it is 1.
*/
ALWAYS V FN(vtanh) (V x) {
  V a = vmin(vset(20), vabs(x));
  V m = FN(vexpm1)(vadd(a, a));
  V y = vdiv(m, vadd(m, vset(2)));
  VI sign = iand(vint(x), iset((UI)1 << (8 * sizeof(T) - 1)));
  return vreal(ior(vint(y), sign));
}


/*
** 1 / (1 + e^-x); for negative x as e^x / (1 + e^x), which stays exact
** where the other form would be 1 divided by infinity.
*/
ALWAYS V FN(vsigmoid) (V x) {
  V e = FN(vexp)(vneg(vabs(x)));
  V top = vsel(vlt(x, vset(0)), e, vset(1));
  return vdiv(top, vadd(vset(1), e));
}


/*
** Sine and cosine of 2 pi u for 0 <= u < 1: the quarter turn q nearest to
** u is taken away exactly, then Taylor for |t| <= pi / 4.
*/
ALWAYS void FN(vturn) (V u, V *sine, V *cosine) {
  V q = vround(vmul(u, vset(4)));
  V t = vmul(vfnma(q, vset((T)0.25), u), vset((T)6.28318530717958647693));
  V z = vmul(t, t), s, c, sign;
  M odd = vlt(vset((T)0.25), vabs(vsub(vmul(q, vset((T)0.5)),
                                       vround(vmul(q, vset((T)0.5))))));
#if NX_DOUBLE
  s = vset(-1.0 / 1307674368000.0);
  s = vfma(s, z, vset(1.0 / 6227020800.0));
  s = vfma(s, z, vset(-1.0 / 39916800.0));
  s = vfma(s, z, vset(1.0 / 362880.0));
  c = vset(1.0 / 20922789888000.0);
  c = vfma(c, z, vset(-1.0 / 87178291200.0));
  c = vfma(c, z, vset(1.0 / 479001600.0));
  c = vfma(c, z, vset(-1.0 / 3628800.0));
#else
  s = vset(1.0f / 362880.0f);
  c = vset(-1.0f / 3628800.0f);
#endif
  s = vfma(s, z, vset((T)-1 / (T)5040));
  s = vfma(s, z, vset((T)1 / (T)120));
  s = vfma(s, z, vset((T)-1 / (T)6));
  s = vfma(vmul(s, z), t, t);
  c = vfma(c, z, vset((T)1 / (T)40320));
  c = vfma(c, z, vset((T)-1 / (T)720));
  c = vfma(c, z, vset((T)1 / (T)24));
  c = vfma(c, z, vset((T)-0.5));
  c = vfma(c, z, vset(1));
  /* q = 1: (c, -s); q = 2: (-s, -c); q = 3: (-c, s); q = 4: (s, c) */
  sign = vsel(vle(vset(2), q), vsel(vlt(q, vset(4)), vset(-1), vset(1)),
              vset(1));
  *sine = vmul(sign, vsel(odd, c, s));
  *cosine = vmul(sign, vsel(odd, vneg(s), c));
}


/*
** Elementwise. A fixed operand is read once; compilers move the choice
** out of the loop.
*/
#define OPERAND(i) \
  const T *x##i = p[i]; \
  const V k##i = (fixed >> i & 1) ? vset(*x##i) : vset(0);
#define AT(i) ((fixed >> i & 1) ? k##i : vload(x##i + at))
#define AT_N(i) ((fixed >> i & 1) ? k##i : vload_n(x##i + at, n - at))

#define MAP_HEAD(name) \
static void FN(name) (size_t n, void *const *p, unsigned fixed, \
                      const double *c) { \
  T *y = p[0]; \
  size_t at = 0; \
  (void)fixed; (void)c;

#define MAP1(name, formula) \
MAP_HEAD(name) \
  OPERAND(1) \
  for (; at + W <= n; at += W) { \
    V a = AT(1); \
    vstore(y + at, formula); \
  } \
  if (at < n) { \
    V a = AT_N(1); \
    vstore_n(y + at, formula, n - at); \
  } \
}

#define MAP2(name, formula) \
MAP_HEAD(name) \
  OPERAND(1) OPERAND(2) \
  for (; at + W <= n; at += W) { \
    V a = AT(1), b = AT(2); \
    vstore(y + at, formula); \
  } \
  if (at < n) { \
    V a = AT_N(1), b = AT_N(2); \
    vstore_n(y + at, formula, n - at); \
  } \
}

#define MAP3(name, formula) \
MAP_HEAD(name) \
  OPERAND(1) OPERAND(2) OPERAND(3) \
  for (; at + W <= n; at += W) { \
    V a = AT(1), b = AT(2), d = AT(3); \
    vstore(y + at, formula); \
  } \
  if (at < n) { \
    V a = AT_N(1), b = AT_N(2), d = AT_N(3); \
    vstore_n(y + at, formula, n - at); \
  } \
}

MAP2(add, vadd(a, b))
MAP2(sub, vsub(a, b))
MAP2(mul, vmul(a, b))
MAP2(div, vdiv(a, b))
MAP1(neg, vneg(a))
MAP1(exp, FN(vexp)(a))
MAP1(log, FN(vlog)(a))
MAP1(sqrt, vsqrt(a))
MAP1(relu, vsel(vlt(a, vset(0)), vset(0), a))           /* NaN stays NaN */
MAP1(tanh, FN(vtanh)(a))
MAP1(sigmoid, FN(vsigmoid)(a))
MAP2(relu_grad, vsel(vlt(vset(0), b), a, vset(0)))      /* a: gy, b: y */
MAP2(tanh_grad, vmul(a, vfnma(b, b, vset(1))))
MAP2(sigmoid_grad, vmul(a, vmul(b, vsub(vset(1), b))))
MAP1(scale, vfma(a, vset(c[0]), vset(c[1])))
MAP3(muladd, vfma(a, b, d))
MAP3(square_from, vfma(vsub(b, d), vsub(b, d), a))

MAP_HEAD(blend)
  OPERAND(1) OPERAND(2) OPERAND(3) OPERAND(4) OPERAND(5)
  for (; at + W <= n; at += W)
    vstore(y + at, vfma(AT(1), AT(2), vfma(AT(3), AT(4), AT(5))));
  if (at < n)
    vstore_n(y + at, vfma(AT_N(1), AT_N(2), vfma(AT_N(3), AT_N(4), AT_N(5))),
             n - at);
}


/*
** Comparisons: one byte for each element.
*/
#define COMPARE(name, op) \
static void FN(name) (size_t n, void *const *p, unsigned fixed, \
                      const double *c) { \
  uint8_t *y = p[0]; \
  const T *a = p[1], *b = p[2]; \
  (void)c; \
  if ((fixed & 6) == 0) \
    for (size_t i = 0; i < n; i++) y[i] = a[i] op b[i]; \
  else if ((fixed & 6) == 4) { \
    const T k = *b; \
    for (size_t i = 0; i < n; i++) y[i] = a[i] op k; \
  } \
  else \
    for (size_t i = 0; i < n; i++) \
      y[i] = a[fixed & 2 ? 0 : i] op b[fixed & 4 ? 0 : i]; \
}

COMPARE(eq, ==)
COMPARE(ne, !=)
COMPARE(lt, <)
COMPARE(le, <=)
COMPARE(gt, >)
COMPARE(ge, >=)


/*
** Optimisers. p[0], p[1]: parameter and gradient; p[2] ...: state.
** c: 0 learning rate, 1 momentum, 2 gradient's share of the new velocity,
** 3 weight decay, 4 Nesterov, 5 sign of the gradient.
*/
#define SGD(load, store, kept) { \
    V x = load(w + i), g = vmul(load(p1 + i), sign); \
    g = vfma(x, decay, g); \
    if (kept) { \
      V v = vfma(load(p2 + i), momentum, vmul(g, share)); \
      store(p2 + i, v); \
      g = nesterov ? vfma(v, momentum, g) : v; \
    } \
    store(w + i, vfnma(g, rate, x)); \
  }

static void FN(sgd) (size_t n, void *const *p, unsigned fixed,
                     const double *c) {
  T *w = p[0], *p2 = p[2];
  const T *p1 = p[1];
  const V rate = vset(c[0]), momentum = vset(c[1]), share = vset(c[2]);
  const V decay = vset(c[3]), sign = vset(c[5]);
  const int nesterov = c[4] != 0;
  size_t i = 0;
  (void)fixed;
  for (; i + W <= n; i += W) SGD(vload, vstore, p2 != NULL)
#define LOAD(q) vload_n(q, n - i)
#define STORE(q, v) vstore_n(q, v, n - i)
  if (i < n) SGD(LOAD, STORE, p2 != NULL)
}


/*
** c: 0 step size, 1 beta1, 2 beta2, 3 epsilon, 4 weight decay added to the
** gradient, 5 sign of the gradient, 6 factor of the parameter, 7 1 / sqrt
** of the second moment's bias correction. p[4]: largest second moments so
** far, or NULL.
*/
#define ADAM(load, store) { \
    V x = load(w + i), g = vfma(x, decay, vmul(load(p1 + i), sign)); \
    V m = vfma(load(p2 + i), b1, vmul(g, r1)); \
    V v = vfma(load(p3 + i), b2, vmul(vmul(g, g), r2)); \
    store(p2 + i, m); \
    store(p3 + i, v); \
    if (p4) { \
      v = vmax(load(p4 + i), v); \
      store(p4 + i, v); \
    } \
    store(w + i, vfnma(vdiv(m, vfma(vsqrt(v), correct, eps)), rate, \
                       vmul(x, shrink))); \
  }

static void FN(adam) (size_t n, void *const *p, unsigned fixed,
                      const double *c) {
  T *w = p[0], *p2 = p[2], *p3 = p[3], *p4 = p[4];
  const T *p1 = p[1];
  const V rate = vset(c[0]), b1 = vset(c[1]), b2 = vset(c[2]);
  const V r1 = vset(1 - c[1]), r2 = vset(1 - c[2]), eps = vset(c[3]);
  const V decay = vset(c[4]), sign = vset(c[5]), shrink = vset(c[6]);
  const V correct = vset(c[7]);
  size_t i = 0;
  (void)fixed;
  for (; i + W <= n; i += W) ADAM(vload, vstore)
  if (i < n) ADAM(LOAD, STORE)
}
#undef LOAD
#undef STORE


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
  if (i < n) s1 = step(vload_n(x + i, n - i), s1); \
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
BLOCK_SUM(sum_squares, PLUS_SQUARE)


/*
** The largest element and its first position; the first NaN if there is
** one. A vector of differences from itself finds NaN.
*/
static void FN(max) (size_t n, const void *px, void *value, int64_t *at) {
  const T *x = px;
  T best = x[0];
  size_t i = 0;
  if (n >= W) {
    V m = vload(x), nan = vsub(m, m);
    for (i = W; i + W <= n; i += W) {
      V a = vload(x + i);
      m = vmax(a, m);
      nan = vadd(nan, vsub(a, a));     /* NaN or infinity leave NaN */
    }
    best = FN(across_max)(m);
    if (!(FN(across_sum)(nan) == 0)) {   /* look closer */
      i = 0;
      best = x[0];
    }
  }
  for (; i < n; i++)
    if (x[i] > best || x[i] != x[i]) {
      best = x[i];
      if (best != best) break;
    }
  *(T *)value = best;
  if (best != best) {
    for (i = 0; i < n; i++) if (x[i] != x[i]) break;
  }
  else
    for (i = 0; i < n; i++) if (x[i] == best) break;
  *at = (int64_t)i;
}


#undef MAP_HEAD
#undef MAP1
#undef MAP2
#undef MAP3
#undef OPERAND
#undef AT
#undef AT_N
#undef COMPARE
#undef SGD
#undef ADAM
#undef BLOCK
#undef BLOCK_SUM
#undef PLUS
#undef PLUS_SQUARE
#undef MANTISSA
#undef EXP_LOW
#undef EXP_HIGH
#undef LN2_HI
#undef LN2_LO
#undef SQRT_HALF_BITS
#undef ONE_BITS
#undef LOW_BITS
#undef TINY
#undef BIAS
