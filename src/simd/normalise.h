/*
** Rows to mean 0 and variance 1, in the vocabulary of vocabulary.h.
*/

/*
** h = (x - mean) rstd, y = h w + b. Without 'centre' the mean counts as 0
** (RMS). w and b may be NULL.
*/
static void FN(normalise) (size_t n, const void *px, const void *pw,
                           const void *pb, int centre, double eps, void *py,
                           void *pmean, void *prstd) {
  const T *x = px, *w = pw, *b = pb;
  T *y = py, mean = 0, squares;
  size_t i = 0;
  V m, r;
  if (centre) mean = FN(sum_pairs)(n, x) / (T)n;
  FN(squares_around)(n, x, mean, &squares);
  *(T *)prstd = (T)(1 / sqrt((double)squares / (double)n + eps));
  if (pmean) *(T *)pmean = mean;
  m = vset(mean);
  r = vset(*(T *)prstd);
#define SCALED(load, at) { \
    V h = vmul(vsub(load(x, at), m), r); \
    if (w) h = b ? vfma(h, load(w, at), load(b, at)) \
                 : vmul(h, load(w, at)); \
    else if (b) h = vadd(h, load(b, at));
#define LOAD(p, at) vload(p + at)
#define LOAD_N(p, at) vload_n(p + at, n - at)
  for (; i + W <= n; i += W) SCALED(LOAD, i) vstore(y + i, h); }
  if (PARTIAL(i)) SCALED(LOAD_N, i) vstore_n(y + i, h, n - i); }
#undef SCALED
}


/*
** With k = g w and h as above, sums over the row:
**   gx = rstd (k - sum(k) / n - h sum(k h) / n)
** (without 'centre' the middle term is not there); gw += g h, gb += g.
** gx, gw and gb may be NULL.
*/
static void FN(normalise_grad) (size_t n, const void *pg, const void *px,
                                const void *pw, int centre, double mean,
                                double rstd, void *pgx, void *pgw,
                                void *pgb) {
  const T *g = pg, *x = px, *w = pw;
  T *gx = pgx, *gw = pgw, *gb = pgb, sk, skh;
  const V m = vset(mean), r = vset(rstd);
  V s0 = vset(0), s1 = s0, a, c;
  size_t i = 0;
#define PARTS(load, at) \
  V d = load(g, at), h = vmul(vsub(load(x, at), m), r); \
  V k = w ? vmul(d, load(w, at)) : d;
#define SUMS(load, at) { \
    PARTS(load, at) \
    s0 = vadd(s0, k); \
    s1 = vfma(k, h, s1); }
  for (; i + W <= n; i += W) SUMS(LOAD, i)
  if (PARTIAL(i)) {             /* masked elements of g are 0 */
    SUMS(LOAD_N, i)
  }
  sk = centre ? FN(across_sum)(s0) / (T)n : 0;
  skh = FN(across_sum)(s1) / (T)n;
  a = vset(sk);
  c = vset(skh);
#define RESULTS(load, store, at) { \
    PARTS(load, at) \
    if (gx) store(gx, at, vmul(r, vfnma(h, c, vsub(k, a)))); \
    if (gw) store(gw, at, vfma(d, h, load(gw, at))); \
    if (gb) store(gb, at, vadd(load(gb, at), d)); }
#define STORE(p, at, v) vstore(p + at, v)
#define STORE_N(p, at, v) vstore_n(p + at, v, n - at)
  for (i = 0; i + W <= n; i += W) RESULTS(LOAD, STORE, i)
  if (PARTIAL(i)) RESULTS(LOAD_N, STORE_N, i)
#undef PARTS
#undef SUMS
#undef RESULTS
#undef LOAD
#undef LOAD_N
#undef STORE
#undef STORE_N
}


/*
** Sums over a row: out[0] of g, out[1] of g (x - shift). Where 'y' is given
** g counts only where y > 0: the gradient before a rectifier.
*/
ALWAYS void FN(gradient_sums_body) (size_t n, const T *g, const T *x,
                                    const T *y, double shift, double *out) {
  const V m = vset(shift), zero = vset(0);
  V s0 = zero, s1 = zero, t0 = zero, t1 = zero;
  size_t i = 0;
#define TERM(load, at, s, t) { \
    V a = load(g, at); \
    if (y) a = vsel(vlt(zero, load(y, at)), a, zero); \
    s = vadd(s, a); \
    t = vfma(a, vsub(load(x, at), m), t); }
#define LOAD(p, at) vload(p + at)
#define LOAD_N(p, at) vload_n(p + at, n - at)
  for (; i + 2 * W <= n; i += 2 * W) {
    TERM(LOAD, i, s0, t0)
    TERM(LOAD, i + W, s1, t1)
  }
  for (; i + W <= n; i += W) TERM(LOAD, i, s0, t0)
  if (PARTIAL(i)) {             /* masked elements of g are 0 */
    TERM(LOAD_N, i, s0, t0)
  }
#undef TERM
#undef LOAD
#undef LOAD_N
  out[0] += (double)FN(across_sum)(vadd(s0, s1));
  out[1] += (double)FN(across_sum)(vadd(t0, t1));
}

static void FN(gradient_sums) (size_t n, const void *g, const void *x,
                               const void *y, double shift, double *out) {
  if (y) FN(gradient_sums_body)(n, g, x, y, shift, out);
  else FN(gradient_sums_body)(n, g, x, NULL, shift, out);
}
