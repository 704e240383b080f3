/*
** Blocks of attention: scores of some queries for some keys, in the
** vocabulary of vocabulary.h. See op/attention.c.
*/

/* the columns that row r sees: all, or, with a limit, fewer in early rows */
ALWAYS size_t FN(attend_seen) (const nx_attend *a, size_t r) {
  ptrdiff_t n = a->limit + (ptrdiff_t)r;
  if (!a->causal || n > (ptrdiff_t)a->cols) return a->cols;
  return n > 0 ? (size_t)n : 0;
}

/* z = scale s + mask, in place; returns the largest */
static T FN(attend_scores) (const nx_attend *a, T *s, const T *mask,
                            size_t n) {
  const V scale = vset(a->scale);
  V most = vset(-INFINITY);
  T rest = -(T)INFINITY;
  size_t i = 0;
  for (; i + W <= n; i += W) {
    V z = vmul(vload(s + i), scale);
    if (mask) z = vadd(z, vload(mask + i));
    vstore(s + i, z);
    most = vmax(most, z);
  }
  for (; i < n; i++) {
    s[i] = s[i] * (T)a->scale + (mask ? mask[i] : 0);
    if (s[i] > rest) rest = s[i];
  }
  if (n >= W && FN(across_max)(most) > rest) rest = FN(across_max)(most);
  return rest;
}

/* p = exp(z - shift), in place; returns their sum */
static T FN(attend_exp) (T *z, size_t n, T shift) {
  const V s = vset(shift);
  V sum = vset(0);
  T rest = 0;
  size_t i = 0;
  for (; i + W <= n; i += W) {
    V p = FN(vexp)(vsub(vload(z + i), s));
    vstore(z + i, p);
    sum = vadd(sum, p);
  }
  if (PARTIAL(i)) {
    vstore_n(z + i, FN(vexp)(vsub(vload_n(z + i, n - i), s)), n - i);
    for (; i < n; i++) rest += z[i];
  }
  return FN(across_sum)(sum) + rest;
}

static void FN(attend_scale) (T *y, size_t n, T factor) {
  const V f = vset(factor);
  size_t i = 0;
  for (; i + W <= n; i += W) vstore(y + i, vmul(vload(y + i), f));
  for (; i < n; i++) y[i] *= factor;
}

/*
** A block of scores becomes weights exp(z - max), where max is the largest
** of each row so far (Milakov and Gimelshein 2018): where it grows, the sum
** and the row of outputs that are there shrink by exp(old - new). Rows that
** see nothing have weights 0.
*/
static void FN(attend) (const nx_attend *a) {
  T *max = a->max, *sum = a->sum;
  for (size_t r = 0; r < a->rows; r++) {
    T *s = (T *)a->s + (ptrdiff_t)r * a->lds;
    const T *mask = a->mask ? (const T *)a->mask + (ptrdiff_t)r * a->ldm
                            : NULL;
    size_t n = FN(attend_seen)(a, r);
    T most = FN(attend_scores)(a, s, mask, n), old = max[r];
    memset(s + n, 0, (a->cols - n) * sizeof(T));
    if (!(most <= old)) {                /* also where it is NaN */
      T shrink = old == -(T)INFINITY ? 0 : (T)exp((double)(old - most));
      FN(attend_scale)((T *)a->y + (ptrdiff_t)r * a->ldy, a->width, shrink);
      sum[r] *= shrink;
      max[r] = most;
    }
    if (max[r] == -(T)INFINITY) memset(s, 0, n * sizeof(T));
    else sum[r] += FN(attend_exp)(s, n, max[r]);
  }
}

/* The same weights again, whole: exp(z - lse). */
static void FN(attend_again) (const nx_attend *a) {
  const T *lse = a->max;
  for (size_t r = 0; r < a->rows; r++) {
    T *s = (T *)a->s + (ptrdiff_t)r * a->lds;
    const T *mask = a->mask ? (const T *)a->mask + (ptrdiff_t)r * a->ldm
                            : NULL;
    size_t n = FN(attend_seen)(a, r);
    memset(s + n, 0, (a->cols - n) * sizeof(T));
    FN(attend_scores)(a, s, mask, n);
    if (lse[r] == -(T)INFINITY) memset(s, 0, n * sizeof(T));
    else FN(attend_exp)(s, n, lse[r]);
  }
}

/*
** From gradients g of the weights p those of the scores, in place of g:
** p (g - d) scale, where d is the row's sum of outputs times gradients.
*/
static void FN(attend_slope) (const nx_attend *a) {
  const T *d = a->sum;
  const V scale = vset(a->scale);
  for (size_t r = 0; r < a->rows; r++) {
    const T *p = (const T *)a->s + (ptrdiff_t)r * a->lds;
    T *g = (T *)a->y + (ptrdiff_t)r * a->ldy;
    const V less = vset(d[r]);
    size_t i = 0;
    for (; i + W <= a->cols; i += W)
      vstore(g + i, vmul(vmul(vload(p + i), vsub(vload(g + i), less)),
                         scale));
    for (; i < a->cols; i++) g[i] = p[i] * (g[i] - d[r]) * (T)a->scale;
  }
}
