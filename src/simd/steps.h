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
  if (PARTIAL(i)) SGD(LOAD, STORE, p2 != NULL)
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
  if (PARTIAL(i)) ADAM(LOAD, STORE)
}
#undef SGD
#undef ADAM


/*
** The others. Of each: x is the parameter, g the gradient with its sign
** (c[5]) and weight decay (c[4]), GET(k) and PUT(k, v) the k-th state; the
** body leaves the new parameter in x.
*/
#define K(k) vset(c[k])
#define PICK(m, x, y) vsel(m, x, y)

#define BODY(load, store, body) { \
    V x = load(w + i), g = vfma(x, K(4), vmul(load(p1 + i), K(5))); \
    body(load, store) \
    store(w + i, x); \
  }

#define STEP(name, body) \
static void FN(name) (size_t n, void *const *p, unsigned fixed, \
                      const double *c) { \
  T *w = p[0], *s0 = p[2], *s1 = p[3], *s2 = p[4]; \
  const T *p1 = p[1]; \
  size_t i = 0; \
  (void)fixed; (void)s1; (void)s2; \
  for (; i + W <= n; i += W) BODY(vload, vstore, body) \
  if (PARTIAL(i)) BODY(LOAD, STORE, body) \
}

/* c: 0 step size, 3 epsilon */
#define ADAGRAD(load, store) \
    V sum = vfma(g, g, load(s0 + i)); \
    store(s0 + i, sum); \
    x = vfnma(vdiv(g, vadd(vsqrt(sum), K(3))), K(0), x);
STEP(adagrad, ADAGRAD)

/* c: 0 learning rate, 1 rho, 3 epsilon */
#define ADADELTA(load, store) \
    V keep = K(1), lose = vset(1 - c[1]); \
    V sq = vfma(load(s0 + i), keep, vmul(vmul(g, g), lose)); \
    V acc = load(s1 + i); \
    V d = vmul(vdiv(vsqrt(vadd(acc, K(3))), vsqrt(vadd(sq, K(3)))), g); \
    store(s0 + i, sq); \
    store(s1 + i, vfma(acc, keep, vmul(vmul(d, d), lose))); \
    x = vfnma(d, K(0), x);
STEP(adadelta, ADADELTA)

/* c: 0 learning rate, 1 alpha, 2 momentum, 3 epsilon; s1: velocity or NULL,
   s2: mean of the gradient or NULL */
#define RMSPROP(load, store) \
    V lose = vset(1 - c[1]); \
    V sq = vfma(load(s0 + i), K(1), vmul(vmul(g, g), lose)), root = sq; \
    store(s0 + i, sq); \
    if (s2) { \
      V mean = vfma(load(s2 + i), K(1), vmul(g, lose)); \
      store(s2 + i, mean); \
      root = vfnma(mean, mean, sq); \
    } \
    g = vdiv(g, vadd(vsqrt(root), K(3))); \
    if (s1) { \
      g = vfma(load(s1 + i), K(2), g); \
      store(s1 + i, g); \
    } \
    x = vfnma(g, K(0), x);
STEP(rmsprop, RMSPROP)

/* c: 0 step size, 1 beta1, 2 beta2, 3 epsilon */
#define ADAMAX(load, store) \
    V m = vfma(load(s0 + i), K(1), vmul(g, vset(1 - c[1]))); \
    V u = vmax(vmul(load(s1 + i), K(2)), vadd(vabs(g), K(3))); \
    store(s0 + i, m); \
    store(s1 + i, u); \
    x = vfnma(vdiv(m, u), K(0), x);
STEP(adamax, ADAMAX)

/* c: 0 step along m, 6 step along g, 7 as in Adam, 8 whether it is divided
   at all */
#define NADAM(load, store) \
    V m = vfma(load(s0 + i), K(1), vmul(g, vset(1 - c[1]))); \
    V v = vfma(load(s1 + i), K(2), vmul(vmul(g, g), vset(1 - c[2]))); \
    V d = vfma(m, K(0), vmul(g, K(6))); \
    store(s0 + i, m); \
    store(s1 + i, v); \
    if (c[8] != 0) d = vdiv(d, vfma(vsqrt(v), K(7), K(3))); \
    x = vsub(x, d);
STEP(nadam, NADAM)

/* c: 0 and 1 least and largest step, 2 and 3 factors where the gradient
   turns and where it does not; s0: gradient before, s1: step */
#define RPROP(load, store) \
    V turn = vmul(g, load(s0 + i)), size = load(s1 + i), none = vset(0); \
    size = vmul(size, PICK(vlt(none, turn), K(3), \
                           PICK(vlt(turn, none), K(2), vset(1)))); \
    size = vmin(vmax(size, K(0)), K(1)); \
    g = PICK(vlt(turn, none), none, g); \
    store(s0 + i, g); \
    store(s1 + i, size); \
    x = vsub(x, PICK(vlt(none, g), size, \
                     PICK(vlt(g, none), vsub(none, size), none)));
STEP(rprop, RPROP)

/* c: 0 learning rate, 1 beta1, 2 beta2, 6 factor of the parameter */
#define LION(load, store) \
    V m = load(s0 + i), none = vset(0); \
    V d = vfma(m, K(1), vmul(g, vset(1 - c[1]))); \
    store(s0 + i, vfma(m, K(2), vmul(g, vset(1 - c[2])))); \
    d = PICK(vlt(none, d), K(0), \
             PICK(vlt(d, none), vsub(none, K(0)), none)); \
    x = vsub(vmul(x, K(6)), d);
STEP(lion, LION)

#undef ADAGRAD
#undef ADADELTA
#undef RMSPROP
#undef ADAMAX
#undef NADAM
#undef RPROP
#undef LION
#undef STEP
#undef BODY
#undef PICK
#undef K
#undef LOAD
#undef STORE
