/*
** Vectors of 512 bits. See vocabulary.h for the vocabulary.
*/
#if NX_DOUBLE
#define W 8
#define V __m512d
#define M __mmask8
#define PD(op) _mm512_##op##_pd
#define NX_MASKED(op) _mm512_mask_##op##_pd
#define vlt(a, b) _mm512_cmp_pd_mask(a, b, _CMP_LT_OQ)
#define vle(a, b) _mm512_cmp_pd_mask(a, b, _CMP_LE_OQ)
#define veq(a, b) _mm512_cmp_pd_mask(a, b, _CMP_EQ_OQ)
#define vload_n(p, n) _mm512_maskz_loadu_pd((M)((1u << (n)) - 1), p)
#define vint(v) _mm512_castpd_si512(v)
#define vreal(i) _mm512_castsi512_pd(i)
#define iset(x) _mm512_set1_epi64((int64_t)(x))
#define iadd(a, b) _mm512_add_epi64(a, b)
#define vexponent(i) _mm512_cvtepi64_pd(_mm512_srli_epi64(i, 52))
#define vfrom_words(p) \
  _mm512_cvtepi32_pd(_mm256_loadu_si256((const void *)(p)))
#else
#define W 16
#define V __m512
#define M __mmask16
#define PD(op) _mm512_##op##_ps
#define NX_MASKED(op) _mm512_mask_##op##_ps
#define vlt(a, b) _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ)
#define vle(a, b) _mm512_cmp_ps_mask(a, b, _CMP_LE_OQ)
#define veq(a, b) _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ)
#define vload_n(p, n) _mm512_maskz_loadu_ps((M)((1u << (n)) - 1), p)
#define vint(v) _mm512_castps_si512(v)
#define vreal(i) _mm512_castsi512_ps(i)
#define iset(x) _mm512_set1_epi32((int32_t)(x))
#define iadd(a, b) _mm512_add_epi32(a, b)
#define vexponent(i) _mm512_cvtepi32_ps(_mm512_srli_epi32(i, 23))
#define vfrom_words(p) _mm512_cvtepi32_ps(_mm512_loadu_si512(p))
#endif
#define VI __m512i
#define vload(p) PD(loadu)(p)
#if NX_DOUBLE
#define veven(a, b) _mm512_permutex2var_pd(a, \
  _mm512_setr_epi64(0, 2, 4, 6, 8, 10, 12, 14), b)
#define vodd(a, b) _mm512_permutex2var_pd(a, \
  _mm512_setr_epi64(1, 3, 5, 7, 9, 11, 13, 15), b)
#define vload_2(p, q) _mm512_insertf64x4( \
  _mm512_castpd256_pd512(_mm256_loadu_pd(p)), _mm256_loadu_pd(q), 1)
#else
#define veven(a, b) _mm512_permutex2var_ps(a, _mm512_setr_epi32( \
  0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30), b)
#define vodd(a, b) _mm512_permutex2var_ps(a, _mm512_setr_epi32( \
  1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31), b)
#define vload_2(p, q) _mm512_insertf32x8( \
  _mm512_castps256_ps512(_mm256_loadu_ps(p)), _mm256_loadu_ps(q), 1)
#endif
#define vstore(p, v) PD(storeu)(p, v)
#define vstore_n(p, v, n) NX_MASKED(storeu)(p, (M)((1u << (n)) - 1), v)
#define vset(x) PD(set1)((T)(x))
#define vadd(a, b) PD(add)(a, b)
#define vsub(a, b) PD(sub)(a, b)
#define vmul(a, b) PD(mul)(a, b)
#define vdiv(a, b) PD(div)(a, b)
#define vfma(a, b, c) PD(fmadd)(a, b, c)
#define vfnma(a, b, c) PD(fnmadd)(a, b, c)
#define vmin(a, b) PD(min)(a, b)
#define vmax(a, b) PD(max)(a, b)
#define vany(m) ((m) != 0)
#define vsel(m, a, b) NX_MASKED(blend)(m, b, a)
#define vsqrt(v) PD(sqrt)(v)
#define vround(v) \
  PD(roundscale)(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)
#define vscale(v, n) PD(scalef)(v, n)
#define iand(a, b) _mm512_and_si512(a, b)
#define ior(a, b) _mm512_or_si512(a, b)
#define MR 8
#define NV 2
