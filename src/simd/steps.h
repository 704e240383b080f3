/*
** Steps of optimisers, in the vocabulary of vocabulary.h. p[0], p[1]:
** parameter and gradient; p[2] ...: state.
*/

/*
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
#undef SGD
#undef ADAM
