/*
** The kernels of all instruction sets. types.h includes their bodies for
** float and for double, and is included once for each instruction set; the
** target is set by pragma, so that this file compiles with the flags of all
** others, and the project joined into one file compiles too. With NX_SMALL
** there are vectors for float only, and none of AVX-512: for hosts that count
** kilobytes.
*/
#include <math.h>
#include <string.h>
#include "simd/kernels.h"

#define CAT_(a, b) a##b
#define CAT(a, b) CAT_(a, b)
/* elements are left for a last vector, which they do not fill */
#define PARTIAL(i) (W > 1 && (i) < n)

#if defined(__clang__)
#define UNROLLED _Pragma("clang loop unroll(full)")
#else
#define UNROLLED _Pragma("GCC unroll 16")
#endif
#define ALWAYS static inline __attribute__((always_inline))

/* portable; where there are better ones beside it, small before fast */
#if defined(NX_SMALL) && defined(__x86_64__)
#define UNROLL
#else
#define UNROLL UNROLLED
#endif
#define ISA c
#define VECTOR_H "simd/vector_c.h"
#include "simd/types.h"
#undef ISA
#undef VECTOR_H
#undef UNROLL
#define UNROLL UNROLLED

#if defined(__x86_64__)
#include <immintrin.h>
/* 'n' set lanes start at the end minus 'n': masks for tails */
static const int32_t nx_tail32[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
static const int64_t nx_tail64[8] = {-1, -1, -1, -1};

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), \
                             apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#endif
#if defined(NX_SMALL)
#define FLOAT_ONLY
#endif
#define ISA avx2
#define VECTOR_H "simd/vector_avx2.h"
#include "simd/types.h"
#undef ISA
#undef VECTOR_H
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#undef FLOAT_ONLY

#if !defined(NX_SMALL)
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target( \
  "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512dq,avx512bw,avx512vl,avx2,fma")
#pragma GCC target("prefer-vector-width=512")
#endif
#define ISA avx512
#define VECTOR_H "simd/vector_avx512.h"
#include "simd/types.h"
#undef ISA
#undef VECTOR_H
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
#endif


const nx_kernels *nx_kernels_get (int isa, int wide) {
#if defined(__x86_64__) && defined(NX_SMALL)
  if (isa >= NX_ISA_AVX2 && !wide) return &nx_kernels_f32_avx2;
#elif defined(__x86_64__)
  if (isa == NX_ISA_AVX512)
    return wide ? &nx_kernels_f64_avx512 : &nx_kernels_f32_avx512;
  if (isa == NX_ISA_AVX2)
    return wide ? &nx_kernels_f64_avx2 : &nx_kernels_f32_avx2;
#endif
  (void)isa;
  return wide ? &nx_kernels_f64_c : &nx_kernels_f32_c;
}
