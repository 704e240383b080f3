/*
** Elementwise kernels, in the vocabulary of vocabulary.h. A fixed operand
** is read once; compilers move the choice out of the loop.
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
  const T *x1 = p[1]; \
  if ((fixed & 2) && n > 1) {          /* the first, for all */ \
    FN(name)(1, p, 0, c); \
    for (at = 1; at < n; at++) y[at] = y[0]; \
    return; \
  } \
  for (; at + W <= n; at += W) { \
    V a = vload(x1 + at); \
    vstore(y + at, formula); \
  } \
  if (PARTIAL(at)) { \
    V a = vload_n(x1 + at, n - at); \
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
  if (PARTIAL(at)) { \
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
  if (PARTIAL(at)) { \
    V a = AT_N(1), b = AT_N(2), d = AT_N(3); \
    vstore_n(y + at, formula, n - at); \
  } \
}

MAP2(add, vadd(a, b))
MAP2(sub, vsub(a, b))
MAP2(mul, vmul(a, b))
MAP2(div, vdiv(a, b))
MAP2(maximum, FN(vlarger)(a, b))
MAP2(minimum, FN(vsmaller)(a, b))
MAP3(clamp, FN(vsmaller)(FN(vlarger)(a, b), d))
MAP1(scale, vfma(a, vset(c[0]), vset(c[1])))
MAP3(muladd, vfma(a, b, d))
/* what a channel is normalised with, and its gradient: see batchnorm.c */
#define CENTRED vfma(vsub(a, vset(c[2])), vset(c[0]), vset(c[1]))
MAP1(affine, CENTRED)
MAP1(affine_relu, vsel(vlt(CENTRED, vset(0)), vset(0), CENTRED))
#undef CENTRED
#define MIXED(g) \
  vfma(g, vset(c[0]), vfma(vsub(b, vset(c[3])), vset(c[1]), vset(c[2])))
MAP2(mix, MIXED(a))
MAP3(mix_relu, MIXED(vsel(vlt(vset(0), d), a, vset(0))))
#undef MIXED
/* a + d (b - a), from the nearer end, so that both ends are exact */
MAP3(lerp, vsel(vlt(d, vset((T)0.5)), vfma(d, vsub(b, a), a),
                vfnma(vsub(vset(1), d), vsub(b, a), b)))
MAP3(square_from, vfma(vsub(b, d), vsub(b, d), a))

MAP1(neg, vneg(a))
MAP1(abs, vabs(a))
MAP1(sign, vsel(vlt(vset(0), a), vset(1), vsel(vlt(a, vset(0)), vset(-1), a)))
MAP1(square, vmul(a, a))
MAP1(sqrt, vsqrt(a))
MAP1(rsqrt, vdiv(vset(1), vsqrt(a)))
MAP1(reciprocal, vdiv(vset(1), a))
MAP1(exp, FN(vexp)(a))
MAP1(expm1, FN(vexpm1)(a))
MAP1(log, FN(vlog)(a))
MAP1(log1p, FN(vlog1p)(a))
MAP1(sin, FN(vsin_or_cos)(a, 0))
MAP1(cos, FN(vsin_or_cos)(a, 1))
MAP1(erf, FN(verf)(a))
MAP1(floor, FN(vfloor)(a))
MAP1(ceil, FN(vceil)(a))
MAP1(round, vround(a))
MAP1(trunc, FN(vtrunc)(a))
MAP1(frac, vsub(a, FN(vtrunc)(a)))


/*
** Activations. In gradients a is gy, b is y for relu, tanh and sigmoid,
** and x for all others. Constants c are the operation's options in order.
*/
#define WHERE(m, x, y) vsel(m, x, y)
#define K(i) vset(c[i])

MAP1(relu, WHERE(vlt(a, vset(0)), vset(0), a))          /* NaN stays NaN */
MAP2(relu_grad, WHERE(vle(b, vset(0)), vset(0), a))
MAP1(tanh, FN(vtanh)(a))
MAP2(tanh_grad, vmul(a, vfnma(b, b, vset(1))))
MAP1(sigmoid, FN(vsigmoid)(a))
MAP2(sigmoid_grad, vmul(a, vmul(b, vsub(vset(1), b))))

/* x s(x); its derivative is s (1 + x (1 - s)) */
ALWAYS V FN(silu_slope) (V x) {
  V s = FN(vsigmoid)(x);
  return vmul(s, vfma(x, vsub(vset(1), s), vset(1)));
}
MAP1(silu, vmul(a, FN(vsigmoid)(a)))
MAP2(silu_grad, vmul(a, FN(silu_slope)(b)))

/* x times the normal distribution of x; its derivative adds x times the
   density */
MAP1(gelu, vmul(a, FN(vnormal_cdf)(a)))
MAP2(gelu_grad, vmul(a, vfma(b, FN(vnormal_pdf)(b), FN(vnormal_cdf)(b))))

/* x (1 + tanh u) / 2 with u = k (x + 0.044715 x^3), k = sqrt(2 / pi) */
#define ROOT ((T)0.79788456080286535588)
ALWAYS V FN(gelu_inner) (V x) {
  V cube = vmul(vmul(x, x), x);
  return FN(vtanh)(vmul(vset(ROOT), vfma(vset((T)0.044715), cube, x)));
}
ALWAYS V FN(gelu_tanh_slope) (V x) {
  V t = FN(gelu_inner)(x);
  V du = vmul(vset(ROOT), vfma(vset((T)0.134145), vmul(x, x), vset(1)));
  V rest = vmul(vmul(x, vfnma(t, t, vset(1))), du);
  return vmul(vset((T)0.5), vadd(vadd(vset(1), t), rest));
}
MAP1(gelu_tanh, vmul(vmul(vset((T)0.5), a),
                     vadd(vset(1), FN(gelu_inner)(a))))
MAP2(gelu_tanh_grad, vmul(a, FN(gelu_tanh_slope)(b)))
#undef ROOT

/*
** x w with w = tanh(log(1 + e^x)) = m / (m + 2), m = e^x (e^x + 2); its
** derivative is w + x s (1 - w^2), where 1 - w^2 = 4 (m + 1) / (m + 2)^2
** and s = e^x / (1 + e^x). From x = 20 on w is 1.
*/
ALWAYS V FN(mish_both) (V x, int slope) {
  V e = FN(vexp)(vmin(vset(20), x)), m = vmul(e, vadd(e, vset(2)));
  V two = vadd(m, vset(2)), w = vdiv(m, two), rest;
  if (!slope) return vmul(x, w);
  rest = vdiv(vmul(vset(4), vadd(m, vset(1))), vmul(two, two));
  rest = vmul(rest, vdiv(e, vadd(e, vset(1))));
  return vsel(vlt(vset(20), x), vset(1), vfma(x, rest, w));
}
MAP1(mish, FN(mish_both)(a, 0))
MAP2(mish_grad, vmul(a, FN(mish_both)(b, 1)))

MAP1(elu, WHERE(vlt(vset(0), a), a, vmul(K(0), FN(vexpm1)(a))))
MAP2(elu_grad, WHERE(vlt(vset(0), b), a,
                     vmul(a, vmul(K(0), FN(vexp)(b)))))
MAP1(celu, WHERE(vlt(vset(0), a), a,
                 vmul(K(0), FN(vexpm1)(vdiv(a, K(0))))))
MAP2(celu_grad, WHERE(vlt(vset(0), b), a,
                      vmul(a, FN(vexp)(vdiv(b, K(0))))))
MAP1(selu, vmul(K(1), WHERE(vlt(vset(0), a), a,
                            vmul(K(0), FN(vexpm1)(a)))))
MAP2(selu_grad, vmul(vmul(K(1), a), WHERE(vlt(vset(0), b), vset(1),
                                          vmul(K(0), FN(vexp)(b)))))
MAP1(leaky_relu, WHERE(vlt(a, vset(0)), vmul(a, K(0)), a))
MAP2(leaky_relu_grad, WHERE(vlt(vset(0), b), a, vmul(a, K(0))))
MAP1(hardtanh, vmin(K(1), vmax(K(0), a)))
MAP2(hardtanh_grad, WHERE(vlt(K(0), b), WHERE(vlt(b, K(1)), a, vset(0)),
                          vset(0)))
/* x min(max(x + 3, 0), 6) / 6; between -3 and 3 the slope is (2 x + 3) / 6 */
MAP1(hardswish, vmul(a, vmul(vmin(vset(6), vmax(vset(0), vadd(a, vset(3)))),
                             vset((T)1 / (T)6))))
MAP2(hardswish_grad,
     WHERE(vlt(b, vset(-3)), vset(0),
           WHERE(vlt(b, vset(3)),
                 vmul(a, vfma(b, vset((T)1 / (T)3), vset((T)0.5))), a)))
MAP1(hardsigmoid, vmin(vset(1), vmax(vset(0), vfma(a, vset((T)1 / (T)6),
                                                   vset((T)0.5)))))
MAP2(hardsigmoid_grad,
     WHERE(vlt(vabs(b), vset(3)), vmul(a, vset((T)1 / (T)6)), vset(0)))
MAP1(softplus, WHERE(vlt(K(1), vmul(K(0), a)), a,
                     vdiv(FN(vsoftplus)(vmul(K(0), a)), K(0))))
MAP2(softplus_grad, WHERE(vlt(K(1), vmul(K(0), b)), a,
                          vmul(a, FN(vsigmoid)(vmul(K(0), b)))))
MAP1(logsigmoid, vneg(FN(vsoftplus)(vneg(a))))
MAP2(logsigmoid_grad, vmul(a, FN(vsigmoid)(vneg(b))))
MAP1(softsign, vdiv(a, vadd(vset(1), vabs(a))))
MAP2(softsign_grad, vdiv(a, vmul(vadd(vset(1), vabs(b)),
                                 vadd(vset(1), vabs(b)))))
MAP1(tanhshrink, vsub(a, FN(vtanh)(a)))
MAP2(tanhshrink_grad, vmul(a, vmul(FN(vtanh)(b), FN(vtanh)(b))))
MAP1(softshrink, WHERE(vlt(K(0), a), vsub(a, K(0)),
                       WHERE(vlt(a, vneg(K(0))), vadd(a, K(0)),
                             vmul(a, vset(0)))))
/* c: l1 and 2 l2; a + l1 sign(b) + 2 l2 b */
MAP2(elastic_slope, vadd(vfma(b, K(1), a),
     WHERE(vlt(vset(0), b), K(0), WHERE(vlt(b, vset(0)), vsub(vset(0), K(0)),
                                        vset(0)))))
/* c: t and a factor; a moved towards 0 by t, not past it, then scaled */
MAP1(elastic_shrink,
     WHERE(vlt(K(0), a), vmul(vsub(a, K(0)), K(1)),
           WHERE(vlt(a, vsub(vset(0), K(0))), vmul(vadd(a, K(0)), K(1)),
                 vsub(a, a))))           /* 0, and NaN stays */
MAP2(softshrink_grad, WHERE(vlt(K(0), vabs(b)), a, vset(0)))
MAP1(hardshrink, WHERE(vle(vabs(a), K(0)), vset(0), a))
MAP2(hardshrink_grad, WHERE(vle(vabs(b), K(0)), vset(0), a))
MAP1(threshold, WHERE(vle(a, K(0)), K(1), a))
MAP2(threshold_grad, WHERE(vle(b, K(0)), vset(0), a))
#undef WHERE
#undef K

MAP_HEAD(blend)
  OPERAND(1) OPERAND(2) OPERAND(3) OPERAND(4) OPERAND(5)
  for (; at + W <= n; at += W)
    vstore(y + at, vfma(AT(1), AT(2), vfma(AT(3), AT(4), AT(5))));
  if (PARTIAL(at))
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
** One of two, by a byte. Compilers make masked moves of it.
*/
static void FN(select) (size_t n, void *const *p, unsigned fixed,
                        const double *c) {
  T *y = p[0];
  const uint8_t *m = p[1];
  const T *a = p[2], *b = p[3];
  (void)c;
  if ((fixed & 14) == 0)
    for (size_t i = 0; i < n; i++) y[i] = m[i] ? a[i] : b[i];
  else if ((fixed & 14) == 4) {
    const T k = *a;
    for (size_t i = 0; i < n; i++) y[i] = m[i] ? k : b[i];
  }
  else if ((fixed & 14) == 8) {
    const T k = *b;
    for (size_t i = 0; i < n; i++) y[i] = m[i] ? a[i] : k;
  }
  else
    for (size_t i = 0; i < n; i++)
      y[i] = m[fixed & 2 ? 0 : i] ? a[fixed & 4 ? 0 : i]
                                  : b[fixed & 8 ? 0 : i];
}

#undef MAP_HEAD
#undef MAP1
#undef MAP2
#undef MAP3
#undef OPERAND
#undef AT
#undef AT_N
#undef COMPARE
