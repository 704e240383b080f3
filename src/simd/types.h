/*
** The bodies for float and, unless FLOAT_ONLY, for double, for the
** instruction set ISA.
*/
#define NX_DOUBLE 0
#define T float
#define UI uint32_t
#define FN(name) CAT(CAT(name, _f32_), ISA)
#define TABLE CAT(nx_kernels_f32_, ISA)
#include VECTOR_H
#include "simd/vocabulary.h"
#include "simd/functions.h"
#include "simd/maps.h"
#include "simd/steps.h"
#include "simd/folds.h"
#include "simd/rows.h"
#include "simd/normalise.h"
#include "simd/random.h"
#include "simd/product.h"
#include "simd/cells.h"
#include "simd/attention.h"
#include "simd/convolve.h"
#include "simd/table.h"
#include "simd/vector_end.h"
#undef NX_DOUBLE

#if !defined(FLOAT_ONLY)
#define NX_DOUBLE 1
#define T double
#define UI uint64_t
#define FN(name) CAT(CAT(name, _f64_), ISA)
#define TABLE CAT(nx_kernels_f64_, ISA)
#include VECTOR_H
#include "simd/vocabulary.h"
#include "simd/functions.h"
#include "simd/maps.h"
#include "simd/steps.h"
#include "simd/folds.h"
#include "simd/rows.h"
#include "simd/normalise.h"
#include "simd/random.h"
#include "simd/product.h"
#include "simd/cells.h"
#include "simd/attention.h"
#include "simd/convolve.h"
#include "simd/table.h"
#include "simd/vector_end.h"
#undef NX_DOUBLE
#endif
