/*
** Vectors of one element: plain C for any processor. See vocabulary.h for the
** vocabulary.
*/
#define W 1
#define V T
#define VI UI
#define M int
#define vload(p) (*(p))
#define vload_2(p, q) ((void)(q), *(p))
#define vstore(p, v) (*(p) = (v))
#define vload_n(p, n) ((void)(n), *(p))
#define vstore_n(p, v, n) ((void)(n), *(p) = (v))
#define vset(x) ((T)(x))
#define vadd(a, b) ((a) + (b))
#define vsub(a, b) ((a) - (b))
#define vmul(a, b) ((a) * (b))
#define vdiv(a, b) ((a) / (b))
#define vfma(a, b, c) ((a) * (b) + (c))
#define vfnma(a, b, c) ((c) - (a) * (b))
#define vmin(a, b) FN(least)(a, b)
#define vmax(a, b) FN(most)(a, b)
#define vlt(a, b) ((a) < (b))
#define vle(a, b) ((a) <= (b))
#define veq(a, b) ((a) == (b))
#define vany(m) (m)
#define vsel(m, a, b) ((m) ? (a) : (b))
#define vint(v) FN(to_bits)(v)
#define vreal(i) FN(from_bits)(i)
#define iset(x) ((UI)(x))
#define iadd(a, b) ((a) + (b))
#define iand(a, b) ((a) & (b))
#define ior(a, b) ((a) | (b))
#if NX_DOUBLE
#define vsqrt(v) sqrt(v)
#define vround(v) rint(v)
#define vexponent(i) ((T)((i) >> 52))
#define vfrom_words(p) FN(from_word)(p)
#else
#define vsqrt(v) sqrtf(v)
#define vround(v) rintf(v)
#define vexponent(i) ((T)((i) >> 23))
#define vfrom_words(p) FN(from_word)(p)
#endif
#define vscale(v, n) FN(scale_by)(v, n)
#define MR 4
#define NV 8
