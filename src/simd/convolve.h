/*
** Convolutions, in the vocabulary of vocabulary.h. What they work on is
** explained in op/lattice.h: an image with room around it, in which the
** element that a tap of the kernel meets lies at a fixed distance from the
** place of the result.
*/

/* rows of n elements, which lie 'xs' apart in x and 'ys' in y */
static void FN(lay) (size_t rows, size_t n, const void *px, ptrdiff_t xs,
                     void *py, ptrdiff_t ys) {
  const T *x = px;
  T *y = py;
  for (; rows > 0; rows--, x += xs, y += ys) {
    size_t i = 0;
    for (; i + W <= n; i += W) vstore(y + i, vload(x + i));
    if (PARTIAL(i)) vstore_n(y + i, vload_n(x + i, n - i), n - i);
  }
}

/* the same with x[0], x[2] ... in y, and x[1], x[3] ... from y + odd on */
static void FN(deal) (size_t rows, size_t n, const void *px, ptrdiff_t xs,
                      void *py, ptrdiff_t ys, ptrdiff_t odd) {
  const T *x = px;
  T *y = py;
  for (; rows > 0; rows--, x += xs, y += ys) {
    size_t i = 0;
#if W > 1
    for (; i + 2 * W <= n; i += 2 * W) {
      V a = vload(x + i), b = vload(x + i + W);
      vstore(y + i / 2, veven(a, b));
      vstore(y + odd + i / 2, vodd(a, b));
    }
    if (i + W <= n) {
      V a = vload(x + i);
      vstore_n(y + i / 2, veven(a, a), W / 2);
      vstore_n(y + odd + i / 2, vodd(a, a), W / 2);
      i += W;
    }
#endif
    for (; i < n; i++) y[i % 2 * odd + (ptrdiff_t)i / 2] = x[i];
  }
}


/* a copy of half a vector needs no mask */
#define HALF (W / 2 * sizeof(T))

/*
** A panel: for each of k taps a row of NR elements, those that it meets at
** NR places. The places come as runs of neighbours.
*/
static void FN(collect) (size_t k, const ptrdiff_t *tap, const void *px,
                         size_t runs, const nx_run *run, void *pout) {
  const T *x = px;
  T *out = pout;
  for (; k > 0; k--, tap++, out += NR) {
    T *o = out;
    for (size_t r = 0; r < runs; r++) {
      const T *from = x + *tap + run[r].from;
      size_t i = 0, n = run[r].length;
      for (; i + W <= n; i += W) vstore(o + i, vload(from + i));
      if (W > 1 && i + W / 2 == n) memcpy(o + i, from + i, HALF);
      else if (PARTIAL(i)) vstore_n(o + i, vload_n(from + i, n - i), n - i);
      o += n;
    }
  }
}
#undef HALF


ALWAYS void FN(add_half) (T *restrict to, const T *restrict from) {
  for (int i = 0; i < (W > 1 ? W / 2 : 1); i++) to[i] += from[i];
}

/* The way back: each row of a panel is added to where it came from. */
static void FN(spread) (size_t k, const ptrdiff_t *tap, void *px,
                        size_t runs, const nx_run *run, const void *pfrom) {
  T *x = px;
  const T *from = pfrom;
  for (; k > 0; k--, tap++, from += NR) {
    const T *f = from;
    for (size_t r = 0; r < runs; r++) {
      T *to = x + *tap + run[r].from;
      size_t i = 0, n = run[r].length;
      for (; i + W <= n; i += W)
        vstore(to + i, vadd(vload(to + i), vload(f + i)));
      if (W > 1 && i + W / 2 == n) FN(add_half)(to + i, f + i);
      else if (PARTIAL(i))
        vstore_n(to + i, vadd(vload_n(to + i, n - i), vload_n(f + i, n - i)),
                 n - i);
      f += n;
    }
  }
}


/* one tap: each of mr weights times a row of elements */
ALWAYS void FN(meet) (int mr, int nv, V acc[MR][NV], const T *a,
                      const V *row) {
  UNROLL
  for (int i = 0; i < mr; i++) {
    V x = vset(a[i]);
    UNROLL
    for (int j = 0; j < nv; j++) acc[i][j] = vfma(x, row[j], acc[i][j]);
  }
}

/* 'part' is the number of columns of the last vector, or 0 */
ALWAYS void FN(put_tile) (int mr, int nv, size_t part, V acc[MR][NV], T *c,
                          ptrdiff_t ldc, int relu) {
  UNROLL
  for (int i = 0; i < mr; i++) {
    UNROLL
    for (int j = 0; j < nv; j++) {
      V y = acc[i][j];
      if (relu) y = vsel(vlt(y, vset(0)), vset(0), y);
      if (part && j == nv - 1) vstore_n(c + i * ldc + j * W, y, part);
      else vstore(c + i * ldc + j * W, y);
    }
  }
}

/*
** mr x n results c = start + a b over k; without 'start' they continue what
** is in c.
*/
ALWAYS void FN(patch_tile) (int mr, int nv, size_t part, size_t k,
                            const T *a, const T *b, T *c, ptrdiff_t ldc,
                            const T *start, int relu) {
  V acc[MR][NV];
  UNROLL
  for (int i = 0; i < mr; i++) {
    UNROLL
    for (int j = 0; j < nv; j++)
      acc[i][j] = start ? vset(start[i])
        : (part && j == nv - 1) ? vload_n(c + i * ldc + j * W, part)
        : vload(c + i * ldc + j * W);
  }
  for (; k > 0; k--, a += MR, b += NR) {
    V row[NV];
    UNROLL
    for (int j = 0; j < nv; j++) row[j] = vload(b + j * W);
    FN(meet)(mr, nv, acc, a, row);
  }
  FN(put_tile)(mr, nv, part, acc, c, ldc, relu);
}

#define TILE(m) \
  FN(patch_tile)(m, NV, part, k, a, b, c, ldc, start, relu);
static void FN(patch_wide) (int mr, size_t part, size_t k, const T *a,
                            const T *b, T *c, ptrdiff_t ldc, const T *start,
                            int relu) {
  switch (mr) { EACH_ROWS }
}
#undef TILE

#define TILE(m) \
  FN(patch_tile)(m, 1, part, k, a, b, c, ldc, start, relu);
static void FN(patch_narrow) (int mr, size_t part, size_t k, const T *a,
                              const T *b, T *c, ptrdiff_t ldc,
                              const T *start, int relu) {
  switch (mr) { EACH_ROWS }
}
#undef TILE

/*
** One tile of at most MR x NR results: 'a' has MR weights for each of the
** k taps, 'b' a panel's rows.
*/
static void FN(patch) (size_t mr, size_t n, size_t k, const void *pa,
                       const void *pb, void *pc, ptrdiff_t ldc,
                       const void *start, int relu) {
  const T *b = pb;
  T *c = pc;
  while (n > 0) {
    size_t width = n > NR - W ? NR : W;
    size_t now = n < width ? n : width;
    if (width == NR)
      FN(patch_wide)((int)mr, now % W, k, pa, b, c, ldc, start, relu);
    else FN(patch_narrow)((int)mr, now % W, k, pa, b, c, ldc, start, relu);
    b += now;
    c += now;
    n -= now;
  }
}


/*
** The same for places in rows of whole vectors (or, with 'halves', of half
** vectors), which need no panel: the elements of part i lie at x + at[i],
** each tap's at its distance.
*/
ALWAYS void FN(sweep_tile) (int mr, int nv, int halves, size_t part,
                            size_t k, const T *a, const ptrdiff_t *tap,
                            const T *x, const ptrdiff_t *at, T *c,
                            ptrdiff_t ldc, const T *start, int relu) {
  V acc[MR][NV];
  const T *low[NV], *high[NV];
  UNROLL
  for (int j = 0; j < nv; j++) {
    low[j] = x + at[halves ? 2 * j : j];
    high[j] = x + at[halves ? 2 * j + 1 : j];
  }
  UNROLL
  for (int i = 0; i < mr; i++) {
    UNROLL
    for (int j = 0; j < nv; j++) acc[i][j] = vset(start[i]);
  }
  for (; k > 0; k--, a += MR, tap++) {
    V row[NV];
    UNROLL
    for (int j = 0; j < nv; j++)
      row[j] = halves ? vload_2(low[j] + *tap, high[j] + *tap)
                      : vload(low[j] + *tap);
    FN(meet)(mr, nv, acc, a, row);
  }
  FN(put_tile)(mr, nv, part, acc, c, ldc, relu);
}

#define SWEEP(name) \
static void FN(name) (int mr, size_t part, size_t k, const T *a, \
                      const ptrdiff_t *tap, const T *x, const ptrdiff_t *at, \
                      T *c, ptrdiff_t ldc, const T *start, int relu) { \
  (void)part; \
  switch (mr) { EACH_ROWS } \
}

#define TILE(m) \
  FN(sweep_tile)(m, NV, 0, 0, k, a, tap, x, at, c, ldc, start, relu);
SWEEP(sweep_wide)
#undef TILE
#define TILE(m) \
  FN(sweep_tile)(m, 1, 0, 0, k, a, tap, x, at, c, ldc, start, relu);
SWEEP(sweep_narrow)
#undef TILE
#if W > 1
#define TILE(m) \
  FN(sweep_tile)(m, NV, 1, 0, k, a, tap, x, at, c, ldc, start, relu);
SWEEP(sweep_wide_halves)
#undef TILE
#define TILE(m) \
  FN(sweep_tile)(m, 1, 1, part, k, a, tap, x, at, c, ldc, start, relu);
SWEEP(sweep_narrow_halves)
#undef TILE
#endif
#undef SWEEP

/*
** mr x (n vectors) results, n <= NV; with 'halves' n counts halves, and the
** last one may be alone: 'at' has one entry more then.
*/
static void FN(sweep) (size_t mr, size_t n, int halves, size_t k,
                       const void *a, const ptrdiff_t *tap, const void *x,
                       const ptrdiff_t *at, void *pc, ptrdiff_t ldc,
                       const void *start, int relu) {
  T *c = pc;
  int m = (int)mr;
#if W > 1
  if (halves && n == 2 * NV)
    FN(sweep_wide_halves)(m, 0, k, a, tap, x, at, c, ldc, start, relu);
  else if (halves)
    for (size_t i = 0; i < n; i += 2, c += W)
      FN(sweep_narrow_halves)(m, n - i == 1 ? W / 2 : 0, k, a, tap, x,
                              at + i, c, ldc, start, relu);
  else
#endif
  if (n == NV)
    FN(sweep_wide)(m, 0, k, a, tap, x, at, c, ldc, start, relu);
  else
    for (size_t i = 0; i < n; i++, c += W)
      FN(sweep_narrow)(m, 0, k, a, tap, x, at + i, c, ldc, start, relu);
  (void)halves;
}


/*
** The gradient of weights: c[i][0..NR) += sum over all places p of
** x[p + tap[i]] g[p][0..NR). Places are rows of 'cols' neighbours.
*/
ALWAYS void FN(weigh_tile) (int mr, int nv, const ptrdiff_t *tap, const T *x,
                            size_t rows, const ptrdiff_t *row, size_t cols,
                            const T *g, T *c) {
  V acc[MR][NV];
  const T *from[MR];
  UNROLL
  for (int i = 0; i < mr; i++) {
    from[i] = x + tap[i];
    UNROLL
    for (int j = 0; j < nv; j++) acc[i][j] = vload(c + i * NR + j * W);
  }
  for (; rows > 0; rows--, row++) {
    const ptrdiff_t end = *row + (ptrdiff_t)cols;
    for (ptrdiff_t q = *row; q < end; q++, g += NR) {
      V y[NV];
      UNROLL
      for (int j = 0; j < nv; j++) y[j] = vload(g + j * W);
      UNROLL
      for (int i = 0; i < mr; i++) {
        V s = vset(from[i][q]);
        UNROLL
        for (int j = 0; j < nv; j++) acc[i][j] = vfma(s, y[j], acc[i][j]);
      }
    }
  }
  UNROLL
  for (int i = 0; i < mr; i++) {
    UNROLL
    for (int j = 0; j < nv; j++) vstore(c + i * NR + j * W, acc[i][j]);
  }
}

#define TILE(m) FN(weigh_tile)(m, NV, tap, x, rows, row, cols, g, c);
static void FN(weigh_wide) (int mr, const ptrdiff_t *tap, const T *x,
                            size_t rows, const ptrdiff_t *row, size_t cols,
                            const T *g, T *c) {
  switch (mr) { EACH_ROWS }
}
#undef TILE

#define TILE(m) FN(weigh_tile)(m, 1, tap, x, rows, row, cols, g, c);
static void FN(weigh_narrow) (int mr, const ptrdiff_t *tap, const T *x,
                              size_t rows, const ptrdiff_t *row, size_t cols,
                              const T *g, T *c) {
  switch (mr) { EACH_ROWS }
}
#undef TILE

/* All of m taps; the first n columns count. */
static void FN(weigh) (size_t m, size_t n, const ptrdiff_t *tap,
                       const void *px, size_t rows, const ptrdiff_t *row,
                       size_t cols, const void *g, void *pc) {
  T *c = pc;
  for (size_t i = 0; i < m; i += MR, c += MR * NR) {
    int mr = m - i < MR ? (int)(m - i) : MR;
    if (n <= W && W > 1)
      FN(weigh_narrow)(mr, tap + i, px, rows, row, cols, g, c);
    else FN(weigh_wide)(mr, tap + i, px, rows, row, cols, g, c);
  }
}
#undef ROWS
#undef EACH_ROWS
