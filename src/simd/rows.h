/*
** Kernels of whole rows, in the vocabulary of vocabulary.h: softmax and its
** kin.
*/

/*
** Rows of exponentials. Without taking the largest element away, exp
** overflows in single precision from 89 on. An infinite maximum must not
** be taken away (infinity - infinity is NaN): -infinity everywhere means
** a row without weight, as PyTorch has it NaN.
*/
static void FN(softened) (size_t n, const void *px, double shift,
                          double coef, void *py) {
  const T *x = px;
  T *y = py;
  const V s = vset(shift), k = vset(coef);
  size_t i = 0;
  for (; i + W <= n; i += W)
    vstore(y + i, vmul(FN(vexp)(vsub(vload(x + i), s)), k));
  if (PARTIAL(i))
    vstore_n(y + i, vmul(FN(vexp)(vsub(vload_n(x + i, n - i), s)), k),
             n - i);
}

static T FN(row_max) (size_t n, const T *x) {
  T best = x[0];
  size_t i = 0;
  if (n >= W) {
    V m = vload(x);
    for (i = W; i + W <= n; i += W) m = vmax(m, vload(x + i));
    best = FN(across_max)(m);
  }
  for (; i < n; i++) if (x[i] > best) best = x[i];
  return best;
}

/* Sum of e^(x - shift), four vectors at a time. */
static T FN(sum_exp) (size_t n, const T *x, T shift) {
  const V s = vset(shift);
  V s0 = vset(0), s1 = s0;
  size_t i = 0;
  T rest = 0;
  for (; i + 2 * W <= n; i += 2 * W) {
    s0 = vadd(s0, FN(vexp)(vsub(vload(x + i), s)));
    s1 = vadd(s1, FN(vexp)(vsub(vload(x + i + W), s)));
  }
  for (; i + W <= n; i += W) s0 = vadd(s0, FN(vexp)(vsub(vload(x + i), s)));
  if (PARTIAL(i)) {
    T tail[W];
    vstore(tail, FN(vexp)(vsub(vload_n(x + i, n - i), s)));
    for (size_t j = 0; j < n - i; j++) rest += tail[j];
  }
  return FN(across_sum)(vadd(s0, s1)) + rest;
}

/* log(sum(exp(x))) = max + log(sum(exp(x - max))) */
static void FN(logsumexp) (size_t n, const void *x, void *y) {
  T max = FN(row_max)(n, x), sum;
  if (max == (T)INFINITY || max == -(T)INFINITY) {
    *(T *)y = max;
    for (size_t i = 0; i < n; i++)
      if (((const T *)x)[i] != ((const T *)x)[i]) *(T *)y = (T)NAN;
    return;
  }
  sum = FN(sum_exp)(n, x, max);
  *(T *)y = max + (T)log((double)sum);
}

static void FN(softmax) (size_t n, const void *g, const void *px, void *py) {
  const T *x = px;
  T *y = py, max = FN(row_max)(n, x);
  V s0 = vset(0), shift = vset(max), k;
  T rest = 0;
  size_t i = 0;
  (void)g;
  for (; i + W <= n; i += W) {
    V e = FN(vexp)(vsub(vload(x + i), shift));
    vstore(y + i, e);
    s0 = vadd(s0, e);
  }
  if (PARTIAL(i)) {
    T tail[W];
    vstore(tail, FN(vexp)(vsub(vload_n(x + i, n - i), shift)));
    for (size_t j = 0; j < n - i; j++) rest += (y[i + j] = tail[j]);
  }
  k = vset((T)1 / (FN(across_sum)(s0) + rest));
  for (i = 0; i + W <= n; i += W) vstore(y + i, vmul(vload(y + i), k));
  if (PARTIAL(i)) vstore_n(y + i, vmul(vload_n(y + i, n - i), k), n - i);
}

/* y = (x - max) - log(sum(exp(x - max))) */
static void FN(log_softmax) (size_t n, const void *g, const void *px,
                             void *py) {
  const T *x = px;
  T *y = py, max = FN(row_max)(n, x);
  const V shift = vset(max), lse = vset(log((double)FN(sum_exp)(n, x, max)));
  size_t i = 0;
  (void)g;
  for (; i + W <= n; i += W)
    vstore(y + i, vsub(vsub(vload(x + i), shift), lse));
  if (PARTIAL(i))
    vstore_n(y + i, vsub(vsub(vload_n(x + i, n - i), shift), lse), n - i);
}

/* Sum of products of two rows. */
static T FN(dot) (size_t n, const T *a, const T *b) {
  V s0 = vset(0), s1 = s0;
  size_t i = 0;
  for (; i + 2 * W <= n; i += 2 * W) {
    s0 = vfma(vload(a + i), vload(b + i), s0);
    s1 = vfma(vload(a + i + W), vload(b + i + W), s1);
  }
  for (; i + W <= n; i += W) s0 = vfma(vload(a + i), vload(b + i), s0);
  if (PARTIAL(i))
    s1 = vfma(vload_n(a + i, n - i), vload_n(b + i, n - i), s1);
  return FN(across_sum)(vadd(s0, s1));
}

/* gx = y (g - sum(g y)), with y the softmax */
static void FN(softmax_grad) (size_t n, const void *pg, const void *py,
                              void *px) {
  const T *g = pg, *y = py;
  T *x = px;
  const V s = vset(FN(dot)(n, g, y));
  size_t i = 0;
  for (; i + W <= n; i += W)
    vstore(x + i, vmul(vload(y + i), vsub(vload(g + i), s)));
  if (PARTIAL(i))
    vstore_n(x + i, vmul(vload_n(y + i, n - i),
                         vsub(vload_n(g + i, n - i), s)), n - i);
}

/* gx = g - e^y sum(g), with y the log_softmax */
static void FN(log_softmax_grad) (size_t n, const void *pg, const void *py,
                                  void *px) {
  const T *g = pg, *y = py;
  T *x = px;
  const V s = vset(FN(sum_pairs)(n, g));
  size_t i = 0;
  for (; i + W <= n; i += W)
    vstore(x + i, vfnma(FN(vexp)(vload(y + i)), s, vload(g + i)));
  if (PARTIAL(i))
    vstore_n(x + i, vfnma(FN(vexp)(vload_n(y + i, n - i)), s,
                          vload_n(g + i, n - i)), n - i);
}
