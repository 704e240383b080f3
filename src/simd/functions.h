/*
** Vector functions, in the vocabulary of vocabulary.h. Polynomials are
** Taylor's on reduced arguments, or interpolate at Chebyshev's nodes where
** that is said; errors were measured against the C library in extended
** precision: see spec/simd.
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
** e^x - 1 = 2^n ((e^r - 1) + (1 - 2^-n)), exact near 0. Below -40 it is -1
** in both precisions.
*/
ALWAYS V FN(vexpm1) (V given) {
  V n, r, x;
  x = vmin(vset(EXP_HIGH), vmax(vset(-40), given));
  n = vround(vmul(x, vset((T)1.44269504088896340736)));
  r = vfnma(n, vset(LN2_LO), vfnma(n, vset(LN2_HI), x));
  r = vadd(FN(vexpm1_small)(r), vsub(vset(1), vscale(vset(1), vneg(n))));
  return vsel(veq(given, vset(0)), given, vscale(r, n));   /* -0 is -0 */
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
** log(1 + x) = log(u) - ((u - 1) - x) / u with u = 1 + x as rounded: the
** second term gives back what rounding took.
*/
ALWAYS V FN(vlog1p) (V x) {
  V u = vadd(x, vset(1));
  V y = vsub(FN(vlog)(u), vdiv(vsub(vsub(u, vset(1)), x), u));
  y = vsel(veq(u, vset(0)), vset(-(T)INFINITY), y);
  y = vsel(veq(x, vset(0)), x, y);                  /* -0 is -0 */
  return vsel(vlt(x, vset((T)INFINITY)), y, x);     /* infinity, NaN */
}

/* log(1 + e^x) = max(x, 0) + log(1 + e^-|x|) */
ALWAYS V FN(vsoftplus) (V x) {
  return vadd(vmax(vset(0), x), FN(vlog1p)(FN(vexp)(vneg(vabs(x)))));
}


/*
** Sine and cosine for |t| <= pi / 4.
*/
ALWAYS void FN(vsincos_small) (V t, V *sine, V *cosine) {
  V z = vmul(t, t), s, c;
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
  *sine = vfma(vmul(s, z), t, t);
  c = vfma(c, z, vset((T)1 / (T)40320));
  c = vfma(c, z, vset((T)-1 / (T)720));
  c = vfma(c, z, vset((T)1 / (T)24));
  c = vfma(c, z, vset((T)-0.5));
  *cosine = vfma(c, z, vset(1));
}

/* more than a quarter away from a whole number: true of halves */
#define IS_HALF(h) vlt(vset((T)0.25), vabs(vsub(h, vround(h))))


/*
** Sine and cosine of 2 pi u for 0 <= u < 1: the quarter turn q nearest to
** u is taken away exactly.
*/
ALWAYS void FN(vturn) (V u, V *sine, V *cosine) {
  V q = vround(vmul(u, vset(4))), s, c, sign;
  M odd = IS_HALF(vmul(q, vset((T)0.5)));
  FN(vsincos_small)(vmul(vfnma(q, vset((T)0.25), u),
                         vset((T)6.28318530717958647693)), &s, &c);
  /* q = 1: (c, -s); q = 2: (-s, -c); q = 3: (-c, s); q = 4: (s, c) */
  sign = vsel(vle(vset(2), q), vsel(vlt(q, vset(4)), vset(-1), vset(1)),
              vset(1));
  *sine = vmul(sign, vsel(odd, c, s));
  *cosine = vmul(sign, vsel(odd, vneg(s), c));
}


/*
** Sine and cosine of any x: q quarter turns are taken away in three parts
** of pi / 2, of which the first two have so few bits that their products
** with q are exact up to the limit. Beyond it (and for infinity) elements
** go to the C library, which reduces them with as many digits as it takes.
*/
#if NX_DOUBLE
#define TURN_1 0x1.921fb544p+0
#define TURN_2 0x1.0b4611a6p-34
#define TURN_3 0x1.3198a2e037073p-69
#define TURN_LIMIT 1e6
#else
#define TURN_1 0x1.92p+0f
#define TURN_2 0x1.fb4p-12f
#define TURN_3 0x1.4442d2p-24f
#define TURN_LIMIT 8e3f
#endif

static V FN(turn_far) (V x, V y, int cosine) {
  T a[W], b[W];
  vstore(a, x);
  vstore(b, y);
  for (int i = 0; i < W; i++)
    if (!(fabs((double)a[i]) <= TURN_LIMIT))
      b[i] = (T)(cosine ? cos((double)a[i]) : sin((double)a[i]));
  return vload(b);
}

ALWAYS V FN(vsin_or_cos) (V x, int cosine) {
  V q = vround(vmul(x, vset((T)0x1.45f306dc9c883p-1))), s, c, r, y;
  V t = vfnma(q, vset(TURN_3), vfnma(q, vset(TURN_2),
                                     vfnma(q, vset(TURN_1), x)));
  M odd = IS_HALF(vmul(q, vset((T)0.5)));
  FN(vsincos_small)(t, &s, &c);
  r = vsub(q, vmul(vset(4), vround(vmul(q, vset((T)0.25)))));  /* -2 .. 2 */
  if (cosine) {            /* of 0: c; 1: -s; 2: -c; 3: s */
    y = vsel(odd, s, c);
    y = vsel(vlt(vset((T)0.5), r), vneg(y), y);
    y = vsel(vlt(r, vset((T)-1.5)), vneg(y), y);
  }
  else {                   /* of 0: s; 1: c; 2: -s; 3: -c */
    y = vsel(odd, c, s);
    y = vsel(vlt(vset((T)1.5), r), vneg(y), y);
    y = vsel(vlt(r, vset((T)-0.5)), vneg(y), y);
  }
  if (vany(vlt(vset(TURN_LIMIT), vabs(x)))) y = FN(turn_far)(x, y, cosine);
  return cosine ? y : vsel(veq(x, vset(0)), x, y);         /* -0 is -0 */
}


/*
** The error function, erf x = 2 / sqrt(pi) times the integral of e^-t^2
** from 0 to x.
**
** In single precision x P(x^2) / Q(x^2), a rational function fitted to
** erf(x) / x on [0, 3.93] by weighted least squares with 40 digits; its
** largest relative error is 1.9e-8. From 3.92 on erf is 1.
**
** In double precision x P(x^2) up to |x| = 1, beyond it 1 - e^-x^2 Q(t) with
** t = (|x| - 3) / (|x| + 3). P and Q interpolate erf(x) / x and
** erfc(x) e^x^2 at Chebyshev's nodes, computed with 60 digits; their largest
** relative errors are 8.2e-18 and 1.1e-16 (of at most 0.16).
*/
#if NX_DOUBLE
ALWAYS V FN(verf) (V x) {
  V a = vabs(x), z = vmul(x, x), p, q, t;
  VI sign = iand(vint(x), iset((UI)1 << (8 * sizeof(T) - 1)));
  const V k = vset(3);
  V far = vmin(a, vset(6));
  p = vset(-0x1.ac9585a44fe29p-31);
  p = vfma(p, z, vset(0x1.d76af6ca49787p-27));
  p = vfma(p, z, vset(-0x1.5c131500d3f88p-23));
  p = vfma(p, z, vset(0x1.b981d78881a5dp-20));
  p = vfma(p, z, vset(-0x1.f4ca838adb73bp-17));
  p = vfma(p, z, vset(0x1.f9a2be4f731a1p-14));
  p = vfma(p, z, vset(-0x1.c02db0665e53dp-11));
  p = vfma(p, z, vset(0x1.565bccfa44156p-8));
  p = vfma(p, z, vset(-0x1.b82ce31203772p-6));
  p = vfma(p, z, vset(0x1.ce2f21a040f66p-4));
  p = vfma(p, z, vset(-0x1.812746b0379c1p-2));
  p = vfma(p, z, vset(0x1.20dd750429b6dp+0));
  t = vdiv(vsub(far, k), vadd(far, k));
  q = vset(0x1.57a5fe2b9b75ep-20);
  q = vfma(q, t, vset(0x1.0f9a79cee3e31p-19));
  q = vfma(q, t, vset(-0x1.0cb4611cc29f6p-17));
  q = vfma(q, t, vset(-0x1.af2329d757293p-17));
  q = vfma(q, t, vset(0x1.0cb1db32e0c9fp-14));
  q = vfma(q, t, vset(0x1.7b9fc8eb630e9p-15));
  q = vfma(q, t, vset(-0x1.39085a31b18abp-11));
  q = vfma(q, t, vset(0x1.73101ea8fe252p-11));
  q = vfma(q, t, vset(0x1.17c838fea5806p-8));
  q = vfma(q, t, vset(-0x1.8fa58eb5bd68fp-6));
  q = vfma(q, t, vset(0x1.258b13b0139fep-4));
  q = vfma(q, t, vset(-0x1.336ffbef08cbbp-3));
  q = vfma(q, t, vset(0x1.f6ff20410599bp-3));
  q = vfma(q, t, vset(-0x1.4e102b9cf8512p-2));
  q = vfma(q, t, vset(0x1.6e9827d229d2dp-3));
  q = vfnma(FN(vexp)(vneg(vmul(far, far))), q, vset(1));
  q = vreal(ior(vint(q), sign));
  return vsel(vlt(a, vset(1)), vmul(x, p), vsel(veq(x, x), q, x));
}
#else
ALWAYS V FN(verf) (V x) {
  V a = vmin(vset(3.92f), vmax(vset(-3.92f), x)), z = vmul(a, a), p, q;
  p = vset(2.0465124634938547e-06f);
  p = vfma(p, z, vset(0.0002847720170393586f));
  p = vfma(p, z, vset(0.003769542556256056f));
  p = vfma(p, z, vset(0.05276000127196312f));
  p = vfma(p, z, vset(0.19052433967590332f));
  p = vfma(p, z, vset(1.1283791065216064f));
  q = vset(3.804905281867832e-05f);
  q = vfma(q, z, vset(0.0011631211964413524f));
  q = vfma(q, z, vset(0.014977176673710346f));
  q = vfma(q, z, vset(0.11415392905473709f));
  q = vfma(q, z, vset(0.5021805763244629f));
  q = vfma(q, z, vset(1));
  return vdiv(vmul(a, p), q);
}
#endif


/*
** Density and distribution of the normal distribution, for GELU.
*/
ALWAYS V FN(vnormal_cdf) (V x) {       /* (1 + erf(x / sqrt 2)) / 2 */
  V e = FN(verf)(vmul(x, vset((T)0.70710678118654752440)));
  return vmul(vset((T)0.5), vadd(vset(1), e));
}

ALWAYS V FN(vnormal_pdf) (V x) {       /* e^(-x^2 / 2) / sqrt(2 pi) */
  V e = FN(vexp)(vmul(vset((T)-0.5), vmul(x, x)));
  return vmul(vset((T)0.39894228040143267794), e);
}


/* Whole numbers near x; vround takes the even one of two equally near. */
ALWAYS V FN(vfloor) (V x) {
  V r = vround(x);
  return vsel(vlt(x, r), vsub(r, vset(1)), r);
}

ALWAYS V FN(vceil) (V x) {
  V r = vround(x);
  VI sign = iand(vint(x), iset((UI)1 << (8 * sizeof(T) - 1)));
  return vreal(ior(vint(vsel(vlt(r, x), vadd(r, vset(1)), r)), sign));
}

ALWAYS V FN(vtrunc) (V x) {
  V r = FN(vfloor)(vabs(x));
  VI sign = iand(vint(x), iset((UI)1 << (8 * sizeof(T) - 1)));
  return vreal(ior(vint(r), sign));
}


/* The larger and the smaller; NaN where either is NaN. */
ALWAYS V FN(vlarger) (V a, V b) { return vsel(veq(a, a), vmax(a, b), a); }
ALWAYS V FN(vsmaller) (V a, V b) { return vsel(veq(a, a), vmin(a, b), a); }

#undef IS_HALF
#undef TURN_1
#undef TURN_2
#undef TURN_3
#undef TURN_LIMIT
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
