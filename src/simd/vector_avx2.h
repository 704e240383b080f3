/*
** Vectors of 256 bits. See vocabulary.h for the vocabulary.
*/
#if NX_DOUBLE
#define W 4
#define V __m256d
#define M __m256d
#define PD(op) _mm256_##op##_pd
#define NX_TAIL(n) \
  _mm256_loadu_si256((const __m256i *)(nx_tail64 + 4 - (n)))
#define vint(v) _mm256_castpd_si256(v)
#define vreal(i) _mm256_castsi256_pd(i)
#define iset(x) _mm256_set1_epi64x((int64_t)(x))
#define iadd(a, b) _mm256_add_epi64(a, b)
/* 2^52 + n as bits is n in the last places: there is no such conversion */
#define vexponent(i) \
  vsub(vreal(ior(_mm256_srli_epi64(i, 52), iset(0x4330000000000000))), \
       vset(0x1p52))
#define vscale(v, n) FN(scale_by)(v, n)
#define vfrom_words(p) _mm256_cvtepi32_pd(_mm_loadu_si128((const void *)(p)))
#else
#define W 8
#define V __m256
#define M __m256
#define PD(op) _mm256_##op##_ps
#define NX_TAIL(n) \
  _mm256_loadu_si256((const __m256i *)(nx_tail32 + 8 - (n)))
#define vint(v) _mm256_castps_si256(v)
#define vreal(i) _mm256_castsi256_ps(i)
#define iset(x) _mm256_set1_epi32((int32_t)(x))
#define iadd(a, b) _mm256_add_epi32(a, b)
#define vexponent(i) _mm256_cvtepi32_ps(_mm256_srli_epi32(i, 23))
#define vscale(v, n) FN(scale_by)(v, n)
#define vfrom_words(p) \
  _mm256_cvtepi32_ps(_mm256_loadu_si256((const void *)(p)))
#endif
#define VI __m256i
#define vload(p) PD(loadu)(p)
#if NX_DOUBLE
#define veven(a, b) \
  _mm256_permute4x64_pd(_mm256_unpacklo_pd(a, b), 0xd8)
#define vodd(a, b) \
  _mm256_permute4x64_pd(_mm256_unpackhi_pd(a, b), 0xd8)
#define vload_2(p, q) _mm256_insertf128_pd( \
  _mm256_castpd128_pd256(_mm_loadu_pd(p)), _mm_loadu_pd(q), 1)
#else
#define DEALT(a, b, which) _mm256_castpd_ps(_mm256_permute4x64_pd( \
  _mm256_castps_pd(_mm256_shuffle_ps(a, b, which)), 0xd8))
#define veven(a, b) DEALT(a, b, 0x88)
#define vodd(a, b) DEALT(a, b, 0xdd)
#define vload_2(p, q) _mm256_insertf128_ps( \
  _mm256_castps128_ps256(_mm_loadu_ps(p)), _mm_loadu_ps(q), 1)
#endif
#define vstore(p, v) PD(storeu)(p, v)
#define vload_n(p, n) PD(maskload)(p, NX_TAIL(n))
#define vstore_n(p, v, n) PD(maskstore)(p, NX_TAIL(n), v)
#define vset(x) PD(set1)((T)(x))
#define vadd(a, b) PD(add)(a, b)
#define vsub(a, b) PD(sub)(a, b)
#define vmul(a, b) PD(mul)(a, b)
#define vdiv(a, b) PD(div)(a, b)
#define vfma(a, b, c) PD(fmadd)(a, b, c)
#define vfnma(a, b, c) PD(fnmadd)(a, b, c)
#define vmin(a, b) PD(min)(a, b)
#define vmax(a, b) PD(max)(a, b)
#define vlt(a, b) PD(cmp)(a, b, _CMP_LT_OQ)
#define vle(a, b) PD(cmp)(a, b, _CMP_LE_OQ)
#define veq(a, b) PD(cmp)(a, b, _CMP_EQ_OQ)
#define vany(m) (PD(movemask)(m) != 0)
#define vsel(m, a, b) PD(blendv)(b, a, m)
#define vsqrt(v) PD(sqrt)(v)
#define vround(v) \
  PD(round)(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)
#define iand(a, b) _mm256_and_si256(a, b)
#define ior(a, b) _mm256_or_si256(a, b)
#define MR 6
#define NV 2
