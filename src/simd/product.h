/*
** Matrix products of one thread, in the vocabulary of vocabulary.h.
**
** A tile of MR x (NV W) results stays in registers while k runs; B is read
** in place when its rows are contiguous and few rows of A use it, else it
** is packed into panels first. Tiles at the edges do the same arithmetic
** with masks, and blocks of k continue the chain where the last one
** stopped, so every element is one chain of multiply-adds in the order of
** k: its bits do not depend on m, n or on how they are cut.
*/
#define NR (NV * W)
#define KC ((size_t)192)

/*
** c[0..mr)[0..nr) (+)= a b over k. 'part' is 0 or the number of columns of
** the last vector.
*/
ALWAYS void FN(tile) (int mr, int nv, size_t k, const T *a, ptrdiff_t rsa,
                      ptrdiff_t csa, const T *b, ptrdiff_t ldb, T *c,
                      ptrdiff_t ldc, size_t part, int add) {
  V acc[MR][NV];
  UNROLL
  for (int i = 0; i < mr; i++) {
    UNROLL
    for (int j = 0; j < nv; j++)
      acc[i][j] = !add ? vset(0)
                : (part && j == nv - 1) ? vload_n(c + i * ldc + j * W, part)
                : vload(c + i * ldc + j * W);
  }
  for (; k > 0; k--, a += csa, b += ldb) {
    V row[NV];
    UNROLL
    for (int j = 0; j < nv; j++)
      row[j] = (part && j == nv - 1) ? vload_n(b + j * W, part)
                                     : vload(b + j * W);
    UNROLL
    for (int i = 0; i < mr; i++) {
      V x = vset(a[i * rsa]);
      UNROLL
      for (int j = 0; j < nv; j++) acc[i][j] = vfma(x, row[j], acc[i][j]);
    }
  }
  UNROLL
  for (int i = 0; i < mr; i++) {
    UNROLL
    for (int j = 0; j < nv; j++)
      if (part && j == nv - 1)
        vstore_n(c + i * ldc + j * W, acc[i][j], part);
      else vstore(c + i * ldc + j * W, acc[i][j]);
  }
}


/*
** The number of rows and of vectors must be constants where the tile is
** compiled, so that its results are registers: EACH_ROWS gives a TILE for
** each number of rows.
*/
#define ROWS(m) case m: TILE(m) break;
#if MR == 8
#define EACH_ROWS \
  ROWS(1) ROWS(2) ROWS(3) ROWS(4) ROWS(5) ROWS(6) ROWS(7) ROWS(8)
#elif MR == 6
#define EACH_ROWS ROWS(1) ROWS(2) ROWS(3) ROWS(4) ROWS(5) ROWS(6)
#else
#define EACH_ROWS ROWS(1) ROWS(2) ROWS(3) ROWS(4)
#endif

#define TILE_HEAD(name) \
static void FN(name) (int mr, size_t k, const T *a, ptrdiff_t rsa, \
                      ptrdiff_t csa, const T *b, ptrdiff_t ldb, T *c, \
                      ptrdiff_t ldc, size_t part, int add)
#define TILE_OF(m, v) \
  if (part) FN(tile)(m, v, k, a, rsa, csa, b, ldb, c, ldc, part, add); \
  else FN(tile)(m, v, k, a, rsa, csa, b, ldb, c, ldc, 0, add);

#define TILE(m) TILE_OF(m, NV)
TILE_HEAD(tile_full) { switch (mr) { EACH_ROWS } }
#undef TILE
#if W > 1
#define TILE(m) TILE_OF(m, 1)
TILE_HEAD(tile_one) { switch (mr) { EACH_ROWS } }
#undef TILE
#endif


/*
** One panel: all rows of A against at most NR columns.
*/
static void FN(panel) (size_t m, size_t nr, size_t k, const T *a,
                       ptrdiff_t rsa, ptrdiff_t csa, const T *b,
                       ptrdiff_t ldb, T *c, ptrdiff_t ldc, int add) {
  for (size_t i = 0; i < m; i += MR) {
    int mr = m - i < MR ? (int)(m - i) : MR;
    const T *ai = a + (ptrdiff_t)i * rsa;
    T *ci = c + (ptrdiff_t)i * ldc;
#if W > 1
    if (nr <= W)
      FN(tile_one)(mr, k, ai, rsa, csa, b, ldb, ci, ldc, nr % W, add);
    else
      FN(tile_full)(mr, k, ai, rsa, csa, b, ldb, ci, ldc, nr % W, add);
#else
    if (nr == NR) FN(tile_full)(mr, k, ai, rsa, csa, b, ldb, ci, ldc, 0, add);
    else
      for (int r = 0; r < mr; r++)
        for (size_t j = 0; j < nr; j++) {
          T s = add ? ci[r * ldc + (ptrdiff_t)j] : 0;
          for (size_t p = 0; p < k; p++)
            s = ai[r * rsa + (ptrdiff_t)p * csa] *
                b[(ptrdiff_t)p * ldb + (ptrdiff_t)j] + s;
          ci[r * ldc + (ptrdiff_t)j] = s;
        }
#endif
  }
}


#if W > 1
/*
** W rows of W numbers become columns. Laid end to end, they are turned by
** log2(W) times taking the even elements of all before the odd ones.
*/
ALWAYS void FN(turn_square) (V *v) {
  UNROLL
  for (int s = 1; s < W; s *= 2) {
    V half[W];
    UNROLL
    for (int i = 0; i < W / 2; i++) {
      half[i] = veven(v[2 * i], v[2 * i + 1]);
      half[W / 2 + i] = vodd(v[2 * i], v[2 * i + 1]);
    }
    UNROLL
    for (int i = 0; i < W; i++) v[i] = half[i];
  }
}

/* W columns (zeros from 'cols' on) whose k numbers lie together */
static void FN(pack_columns) (size_t k, size_t cols, const T *b,
                              ptrdiff_t csb, T *out) {
  for (size_t p = 0; p < k; p += W) {
    size_t n = k - p < W ? k - p : W;
    V v[W];
    UNROLL
    for (int i = 0; i < W; i++)
      v[i] = (size_t)i < cols ? vload_n(b + i * csb + (ptrdiff_t)p, n)
                              : vset(0);
    FN(turn_square)(v);
    UNROLL
    for (int i = 0; i < W; i++)
      if ((size_t)i < n) vstore(out + (p + (size_t)i) * NR, v[i]);
  }
}
#endif

/*
** k rows of at most NR columns of B, one after the other, zeros behind.
** The loops follow the direction in which B is contiguous.
*/
static void FN(pack_panel) (size_t k, size_t nr, const T *b, ptrdiff_t rsb,
                            ptrdiff_t csb, T *out) {
#if W > 1
  if (rsb == 1) {
    for (size_t j = 0; j < NR; j += W)
      FN(pack_columns)(k, j < nr ? nr - j : 0, b + (ptrdiff_t)j * csb, csb,
                       out + j);
    return;
  }
#endif
  if (rsb == 1)
    for (size_t j = 0; j < nr; j++) {
      const T *bj = b + (ptrdiff_t)j * csb;
      for (size_t p = 0; p < k; p++) out[p * NR + j] = bj[p];
    }
  else
    for (size_t p = 0; p < k; p++)
      for (size_t j = 0; j < nr; j++)
        out[p * NR + j] = b[(ptrdiff_t)p * rsb + (ptrdiff_t)j * csb];
  if (nr < NR)
    for (size_t p = 0; p < k; p++)
      memset(out + p * NR + nr, 0, (NR - nr) * sizeof(T));
}


static void FN(product) (size_t m, size_t n, size_t k, const void *pa,
                         ptrdiff_t rsa, ptrdiff_t csa, const void *pb,
                         ptrdiff_t rsb, ptrdiff_t csb, void *pc,
                         ptrdiff_t ldc, int add) {
  const T *a = pa, *b = pb;
  T *c = pc;
  T work[KC * NR];             /* 24 KiB at most */
  const int packs = csb != 1 || m > 4 * MR;
  if (k == 0 && !add)
    for (size_t i = 0; i < m; i++)
      memset(c + (ptrdiff_t)i * ldc, 0, n * sizeof(T));
  for (size_t p = 0; p < k; p += KC) {
    size_t kc = k - p < KC ? k - p : KC;
    const T *ap = a + (ptrdiff_t)p * csa;
    for (size_t j = 0; j < n; j += NR) {
      size_t nr = n - j < NR ? n - j : NR;
      const T *bj = b + (ptrdiff_t)p * rsb + (ptrdiff_t)j * csb;
      if (packs) FN(pack_panel)(kc, nr, bj, rsb, csb, work);
      FN(panel)(m, nr, kc, ap, rsa, csa, packs ? work : bj,
                packs ? (ptrdiff_t)NR : rsb, c + j, ldc, add || p > 0);
    }
  }
}


static void FN(pack) (size_t n, size_t k, const void *b, ptrdiff_t rsb,
                      ptrdiff_t csb, void *packed) {
  T *out = packed;
  for (size_t j = 0; j < n; j += NR, out += k * NR)
    FN(pack_panel)(k, n - j < NR ? n - j : NR,
                   (const T *)b + (ptrdiff_t)j * csb, rsb, csb, out);
}

static void FN(packed) (size_t m, size_t n, size_t k, const void *pa,
                        ptrdiff_t lda, const void *packed, void *pc,
                        ptrdiff_t ldc, int add) {
  const T *a = pa, *b = packed;
  T *c = pc;
  for (size_t j = 0; j < n; j += NR, b += k * NR)
    for (size_t p = 0; p < k; p += KC)
      FN(panel)(m, n - j < NR ? n - j : NR, k - p < KC ? k - p : KC, a + p,
                lda, 1, b + p * NR, NR, c + j, ldc, add || p > 0);
}


/*
** What follows a product while its rows are still near: bias, activation.
*/
#define FINISH(formula) \
  for (size_t i = 0; i < m; i++, c += ldc) { \
    size_t j = 0; \
    for (; j + W <= n; j += W) { \
      V a = vload(c + j); \
      if (bias) a = vadd(a, vload(bias + j)); \
      vstore(c + j, formula); \
    } \
    if (j < n) { \
      V a = vload_n(c + j, n - j); \
      if (bias) a = vadd(a, vload_n(bias + j, n - j)); \
      vstore_n(c + j, formula, n - j); \
    } \
  }

static void FN(finish) (size_t m, size_t n, void *pc, ptrdiff_t ldc,
                        const void *pbias, int activation) {
  T *c = pc;
  const T *bias = pbias;
  switch (activation) {
    case NX_RELU: FINISH(vsel(vlt(a, vset(0)), vset(0), a)) break;
    case NX_TANH: FINISH(FN(vtanh)(a)) break;
    case NX_SIGMOID: FINISH(FN(vsigmoid)(a)) break;
    default: if (bias) { FINISH(a) } break;
  }
}

#undef KC
#undef TILE_HEAD
#undef TILE_OF
#undef FINISH
