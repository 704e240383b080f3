/*
** Kernels of random numbers, in the vocabulary of vocabulary.h.
*/

/*
** Random numbers. A batch of NX_BATCH counters makes four runs of
** NX_BATCH words, and Philox works on all counters of a batch side by
** side (see base/random.h for the order and base/random.c for the rounds).
*/
#if defined(PD)
#if defined(NX_MASKED)
#define WORDS 16
#define WI(op) _mm512_##op
#define ODD(a, b) _mm512_mask_blend_epi32(0xaaaa, a, b)
#define WORDS_LOAD(p) _mm512_loadu_si512(p)
#define WORDS_STORE(p, v) _mm512_storeu_si512(p, v)
#define WORDS_XOR(a, b) _mm512_xor_si512(a, b)
#else
#define WORDS 8
#define WI(op) _mm256_##op
#define ODD(a, b) _mm256_blend_epi32(a, b, 0xaa)
#define WORDS_LOAD(p) _mm256_loadu_si256((const __m256i *)(p))
#define WORDS_STORE(p, v) _mm256_storeu_si256((__m256i *)(p), v)
#define WORDS_XOR(a, b) _mm256_xor_si256(a, b)
#endif

/* low and high halves of 32-bit products: even lanes, then odd ones */
#define MULTIPLY(x, m, low, high) { \
    VI even_ = WI(mul_epu32)(x, m); \
    VI odd_ = WI(mul_epu32)(WI(srli_epi64)(x, 32), m); \
    low = ODD(even_, WI(slli_epi64)(odd_, 32)); \
    high = ODD(WI(srli_epi64)(even_, 32), odd_); \
  }

static void FN(batch) (nx_draw d, uint32_t out[4 * NX_BATCH]) {
  const VI m0 = WI(set1_epi32)((int)0xD2511F53u);
  const VI m1 = WI(set1_epi32)((int)0xCD9E8D57u);
  for (int i = 0; i < NX_BATCH; i++) {
    out[i] = (uint32_t)(d.counter + (uint64_t)i);
    out[NX_BATCH + i] = (uint32_t)((d.counter + (uint64_t)i) >> 32);
  }
  for (int i = 0; i < NX_BATCH; i += WORDS) {
    uint32_t k0 = (uint32_t)d.key, k1 = (uint32_t)(d.key >> 32);
    VI x0 = WORDS_LOAD(out + i), x1 = WORDS_LOAD(out + NX_BATCH + i);
    VI x2 = WI(set1_epi32)(0), x3 = x2;
    for (int r = 0; r < 10; r++) {
      VI low0, high0, low1, high1;
      MULTIPLY(x0, m0, low0, high0)
      MULTIPLY(x2, m1, low1, high1)
      x0 = WORDS_XOR(WORDS_XOR(high1, x1), WI(set1_epi32)((int)k0));
      x2 = WORDS_XOR(WORDS_XOR(high0, x3), WI(set1_epi32)((int)k1));
      x1 = low1;
      x3 = low0;
      k0 += 0x9E3779B9u;
      k1 += 0xBB67AE85u;
    }
    WORDS_STORE(out + i, x0);
    WORDS_STORE(out + NX_BATCH + i, x1);
    WORDS_STORE(out + 2 * NX_BATCH + i, x2);
    WORDS_STORE(out + 3 * NX_BATCH + i, x3);
  }
}

#undef WORDS
#undef WI
#undef ODD
#undef WORDS_LOAD
#undef WORDS_STORE
#undef WORDS_XOR
#undef MULTIPLY
#else
static void FN(batch) (nx_draw d, uint32_t out[4 * NX_BATCH]) {
  uint32_t *x0 = out, *x1 = x0 + NX_BATCH, *x2 = x1 + NX_BATCH;
  uint32_t *x3 = x2 + NX_BATCH;
  uint32_t k0 = (uint32_t)d.key, k1 = (uint32_t)(d.key >> 32);
  for (int i = 0; i < NX_BATCH; i++) {
    x0[i] = (uint32_t)(d.counter + (uint64_t)i);
    x1[i] = (uint32_t)((d.counter + (uint64_t)i) >> 32);
    x2[i] = x3[i] = 0;
  }
  for (int r = 0; r < 10; r++) {
    for (int i = 0; i < NX_BATCH; i++) {
      uint64_t a = (uint64_t)0xD2511F53u * x0[i];
      uint64_t b = (uint64_t)0xCD9E8D57u * x2[i];
      x0[i] = (uint32_t)(b >> 32) ^ x1[i] ^ k0;
      x2[i] = (uint32_t)(a >> 32) ^ x3[i] ^ k1;
      x1[i] = (uint32_t)b;
      x3[i] = (uint32_t)a;
    }
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
}
#endif

/*
** Words to numbers in [0, 1): 24 bits for float, 53 for double (two words
** each). PER_BATCH numbers come from one batch.
*/
#if NX_DOUBLE
#define PER_BATCH (2 * NX_BATCH)
static void FN(unit) (const uint32_t *w, T *u) {
  for (int h = 0; h < 2; h++)
    for (int i = 0; i < NX_BATCH; i++) {
      uint64_t high = w[2 * h * NX_BATCH + i] >> 5;
      uint64_t low = w[(2 * h + 1) * NX_BATCH + i] >> 6;
      u[h * NX_BATCH + i] = (T)(high << 26 | low) * 0x1p-53;
    }
}
#else
#define PER_BATCH (4 * NX_BATCH)
static void FN(unit) (const uint32_t *w, T *u) {
  for (int i = 0; i < PER_BATCH; i++)
    u[i] = (T)(int32_t)(w[i] >> 8) * 0x1p-24f;
}
#endif

/* uniform in [a, b) */
static void FN(uniform) (size_t n, nx_draw d, double a, double b, void *py) {
  T *y = py;
  const T low = (T)a, range = (T)(b - a);
  for (size_t at = 0; at < n; at += PER_BATCH, d.counter += NX_BATCH) {
    uint32_t w[4 * NX_BATCH];
    T u[PER_BATCH];
    size_t m = n - at < PER_BATCH ? n - at : PER_BATCH;
    FN(batch)(d, w);
    FN(unit)(w, u);
    for (size_t i = 0; i < PER_BATCH; i++) u[i] = low + range * u[i];
    memcpy(y + at, u, m * sizeof(T));
  }
}

/*
** Normal with mean a and deviation b (Box and Muller 1958):
** sqrt(-2 log(1 - u)) times cosine and sine of 2 pi v, where u is the
** first half of a batch and v the second.
*/
static void FN(normal) (size_t n, nx_draw d, double a, double b, void *py) {
  T *y = py;
  const V mean = vset(a), deviation = vset(b);
  for (size_t at = 0; at < n; at += PER_BATCH, d.counter += NX_BATCH) {
    uint32_t w[4 * NX_BATCH];
    T u[PER_BATCH];
    size_t m = n - at < PER_BATCH ? n - at : PER_BATCH;
    FN(batch)(d, w);
    FN(unit)(w, u);
    for (size_t i = 0; i < PER_BATCH / 2; i += W) {
      V l = FN(vlog)(vsub(vset(1), vload(u + i)));
      V r = vmul(deviation, vsqrt(vmul(vset(-2), l))), s, c;
      FN(vturn)(vload(u + PER_BATCH / 2 + i), &s, &c);
      vstore(u + i, vfma(r, c, mean));
      vstore(u + PER_BATCH / 2 + i, vfma(r, s, mean));
    }
    memcpy(y + at, u, m * sizeof(T));
  }
}

/*
** An element is kept where its word is below keep * 2^32. The same draw
** gives the same choice for float and for double.
*/
static void FN(drop) (size_t n, nx_draw d, double keep, double scale,
                      const void *px, void *py) {
  const T *x = px;
  T *y = py;
  const T k = (T)scale;
  const uint64_t bound = (uint64_t)(keep * 0x1p32);
  const uint32_t last = (uint32_t)(bound ? bound - 1 : 0);
  for (size_t at = 0; at < n; at += 4 * NX_BATCH, d.counter += NX_BATCH) {
    uint32_t w[4 * NX_BATCH];
    size_t m = n - at < 4 * NX_BATCH ? n - at : 4 * NX_BATCH;
    FN(batch)(d, w);
    if (bound == 0) memset(w, 0xff, sizeof(w));
    for (size_t i = 0; i < m; i++)
      y[at + i] = w[i] <= last && bound ? x[at + i] * k : (T)0;
  }
}

#undef PER_BATCH
