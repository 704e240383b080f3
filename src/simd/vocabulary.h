/*
** The vector vocabulary of kernels: what it means, and what some
** instruction sets lack of it. Kernels are included once for each type and
** instruction set, with T, UI, FN and these defined:
**
**   V W M VI        vector, its elements, its mask, its bits as integers
**   vload vstore    unaligned; the _n forms touch the first n elements
**   vload_2(p, q)   the lower half from p, the upper one from q
**   veven vodd      elements 0, 2 ... (1, 3 ...) of two vectors, as one
**   vset            all elements alike
**   vadd ... vfma   vfma(a,b,c) = a b + c; vfnma(a,b,c) = c - a b
**   vmin vmax       the second operand where one is NaN
**   vlt vle veq     masks; vsel(m,a,b) = a where m, else b; vany(m)
**   vint vreal      bits of a vector and back; iset iadd iand ior
**   vexponent       biased exponent, as numbers, of bits without a sign
**   vscale(v,n)     v 2^n for whole n
**   vfrom_words     W numbers from 32-bit signed integers
*/

#if NX_DOUBLE
#define MANTISSA 52
#define EXP_LOW (-746.0)       /* below: 0 */
#define EXP_HIGH 710.0         /* above: infinity */
#define LN2_HI 0x1.62e42fefa38p-1
#define LN2_LO 0x1.ef35793c7673p-45
#define SQRT_HALF_BITS 0x3fe6a09e667f3bcd
#define ONE_BITS 0x3ff0000000000000
#define LOW_BITS 0x000fffffffffffff
#define TINY 0x1p-1022
#define BIAS 1023
#else
#define MANTISSA 23
#define EXP_LOW (-104.0f)
#define EXP_HIGH 89.0f
#define LN2_HI 0x1.62e3p-1f
#define LN2_LO 0x1.2fefa2p-17f
#define SQRT_HALF_BITS 0x3f3504f3
#define ONE_BITS 0x3f800000
#define LOW_BITS 0x007fffff
#define TINY 0x1p-126f
#define BIAS 127
#endif

#define vneg(a) vsub(vset(-0.0), a)
#define vabs(a) vreal(iand(vint(a), iset((UI)-1 >> 1)))


/*
** What some instruction sets lack.
*/
#if W == 1
ALWAYS T FN(least) (T a, T b) { return a < b ? a : b; }
ALWAYS T FN(most) (T a, T b) { return a > b ? a : b; }
ALWAYS UI FN(to_bits) (T v) { UI i; memcpy(&i, &v, sizeof(i)); return i; }
ALWAYS T FN(from_bits) (UI i) { T v; memcpy(&v, &i, sizeof(v)); return v; }
ALWAYS T FN(from_word) (const void *p) {
  int32_t i;
  memcpy(&i, p, sizeof(i));
  return (T)i;
}
#endif

#if !defined(PD)
/* twice half the exponent, so that results may be subnormal */
ALWAYS V FN(scale_by) (V v, V n) {
  int k = n > -4000 && n < 4000 ? (int)n : 0;
  int h = k / 2;
  v *= FN(from_bits)((UI)(h + BIAS) << MANTISSA);
  return v * FN(from_bits)((UI)(k - h + BIAS) << MANTISSA);
}
#elif !defined(NX_MASKED)
ALWAYS V FN(power_of_two) (V n) {
#if NX_DOUBLE
  __m128i k = _mm256_cvtpd_epi32(n);
  return vreal(_mm256_slli_epi64(iadd(_mm256_cvtepi32_epi64(k), iset(BIAS)),
                                 MANTISSA));
#else
  return vreal(_mm256_slli_epi32(iadd(_mm256_cvtps_epi32(n), iset(BIAS)),
                                 MANTISSA));
#endif
}
ALWAYS V FN(scale_by) (V v, V n) {
  V h = vround(vmul(n, vset(0.5)));
  return vmul(vmul(v, FN(power_of_two)(h)), FN(power_of_two)(vsub(n, h)));
}
#endif


/*
** Sum of a vector's elements: the upper half is added to the lower one,
** again and again.
*/
#if defined(NX_MASKED)
ALWAYS T FN(across_sum) (V v) { return (T)PD(reduce_add)(v); }
#else
ALWAYS T FN(across_sum) (V v) {
  T a[W];
  vstore(a, v);
  for (int h = W / 2; h > 0; h /= 2)
    for (int i = 0; i < h; i++) a[i] += a[i + h];
  return a[0];
}
#endif

ALWAYS T FN(across_max) (V v) {
  T a[W];
  vstore(a, v);
  for (int i = 1; i < W; i++)
    if (a[i] > a[0]) a[0] = a[i];
  return a[0];
}


