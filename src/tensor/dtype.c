/*
** Types of elements: names, sizes, promotion, conversion.
*/
#include <math.h>
#include <string.h>
#include "simd/integer.h"
#include "tensor/dtype.h"

static const char *const dtype_name[] = {
#define NEAP_X(id, name, bytes) name,
  NEAP_DTYPE_LIST(NEAP_X)
#undef NEAP_X
};

static const unsigned char dtype_size[] = {
#define NEAP_X(id, name, bytes) bytes,
  NEAP_DTYPE_LIST(NEAP_X)
#undef NEAP_X
};

size_t nx_dtype_size (int dtype) { return dtype_size[dtype]; }
const char *nx_dtype_name (int dtype) { return dtype_name[dtype]; }

const char *neap_dtype_name (int dtype) {
  return dtype >= 0 && dtype < NEAP_NDTYPE ? dtype_name[dtype] : NULL;
}


int nx_dtype_named (const char *name) {
  for (int i = 0; i < NEAP_NDTYPE; i++)
    if (strcmp(name, dtype_name[i]) == 0) return i;
  return -1;
}


int nx_is_float (int d) { return d == NEAP_F32 || d == NEAP_F64; }
int nx_is_storage_only (int d) { return d >= NEAP_I8; }

int nx_is_whole (int d) {
  return d == NEAP_BOOL || d == NEAP_U8 || d == NEAP_I32 || d == NEAP_I64;
}


int nx_fits (int dtype, int64_t i) {
  switch (dtype) {
    case NEAP_U8: return i >= 0 && i <= UINT8_MAX;
    case NEAP_I8: return i >= INT8_MIN && i <= INT8_MAX;
    case NEAP_I32: return i >= INT32_MIN && i <= INT32_MAX;
    default: return 1;
  }
}


/* truth values, whole numbers, real numbers */
static int category (int d) {
  return d == NEAP_BOOL ? 0 : nx_is_whole(d) ? 1 : 2;
}

/*
** The order of the list in neap.h is the order of promotion. A tensor
** without dimensions does not widen another one of its category, so that
** one float64 number does not make a whole model float64.
*/
int nx_promote (const nx_tensor *a, const nx_tensor *b) {
  int an = a->flags & NX_IS_NUMBER_FLAG, bn = b->flags & NX_IS_NUMBER_FLAG;
  if (an && bn) {
    if (nx_is_float(a->dtype) || nx_is_float(b->dtype)) return NEAP_F32;
    return a->dtype > b->dtype ? a->dtype : b->dtype;
  }
  if (an || bn) {
    int t = an ? b->dtype : a->dtype, number = an ? a->dtype : b->dtype;
    if (nx_is_float(t) || number == NEAP_BOOL) return t;
    if (nx_is_float(number)) return NEAP_F32;
    return t == NEAP_BOOL ? NEAP_I64 : t;
  }
  if ((a->ndim == 0) != (b->ndim == 0)) {
    int one = a->ndim == 0 ? a->dtype : b->dtype;
    int many = a->ndim == 0 ? b->dtype : a->dtype;
    return category(one) > category(many) ? one : many;
  }
  return a->dtype > b->dtype ? a->dtype : b->dtype;
}


const nx_kernels *nx_kernels_for (nx_ctx *C, int dtype) {
  if (nx_is_float(dtype))
    return nx_kernels_get(C->rt->isa, dtype == NEAP_F64);
  return nx_integer_kernels(dtype);
}


/*
** Half precision: IEEE binary16 and the upper half of a float.
*/
static float half_to_float (uint16_t h) {
  uint32_t sign = (uint32_t)(h & 0x8000) << 16, e = h >> 10 & 31, m = h & 1023;
  uint32_t bits;
  float f;
  if (e == 0) {                      /* zero or subnormal: m 2^-24 */
    f = (float)m * 0x1p-24f;
    return sign ? -f : f;
  }
  bits = sign | (e == 31 ? 0x7f800000u : (e + 112) << 23) | m << 13;
  memcpy(&f, &bits, sizeof(f));
  return f;
}

static uint16_t float_to_half (float f) {
  uint32_t bits, sign, m;
  int e;
  memcpy(&bits, &f, sizeof(bits));
  sign = bits >> 16 & 0x8000;
  e = (int)(bits >> 23 & 255) - 112;
  m = bits & 0x7fffff;
  if (e == 143) return (uint16_t)(sign | 0x7c00 | (m ? 0x200 | m >> 13 : 0));
  if (e >= 31) return (uint16_t)(sign | 0x7c00);
  if (e <= 0) {                      /* subnormal: round m 2^(e-1) */
    float a = fabsf(f) * 0x1p24f;
    return (uint16_t)(sign | (uint32_t)(a < 1024 ? rintf(a) : 1024));
  }
  m += 0xfff + (m >> 13 & 1);        /* to nearest, ties to even */
  return (uint16_t)(sign | (((uint32_t)e << 10) + (m >> 13)));
}

static float brain_to_float (uint16_t h) {
  uint32_t bits = (uint32_t)h << 16;
  float f;
  memcpy(&f, &bits, sizeof(f));
  return f;
}

static uint16_t float_to_brain (float f) {
  uint32_t bits;
  memcpy(&bits, &f, sizeof(bits));
  if (f != f) return (uint16_t)(bits >> 16 | 0x40);
  return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}


/*
** Numbers to integers: NaN is 0, what is too large becomes the limit; in
** C both would be undefined.
*/
static int64_t to_int64 (double x) {
  if (x != x) return 0;
  if (x >= 0x1p63) return INT64_MAX;
  if (x < -0x1p63) return INT64_MIN;
  return (int64_t)x;
}

static int64_t clamp_to (int64_t i, int64_t low, int64_t high) {
  return i < low ? low : i > high ? high : i;
}

#define FROM_BOOL(x) ((x) != 0)
#define FROM_HALF(x) half_to_float(x)
#define FROM_BRAIN(x) brain_to_float(x)
#define PLAIN(x) (x)

/* how each type is reached from a real number and from an integer */
#define REAL_TO_BOOL(x) ((x) != 0)
#define REAL_TO_U8(x) ((uint8_t)clamp_to(to_int64(x), 0, 255))
#define REAL_TO_I8(x) ((int8_t)clamp_to(to_int64(x), -128, 127))
#define REAL_TO_I32(x) ((int32_t)clamp_to(to_int64(x), INT32_MIN, INT32_MAX))
#define REAL_TO_I64(x) to_int64(x)
#define REAL_TO_F32(x) ((float)(x))
#define REAL_TO_F64(x) ((double)(x))
#define REAL_TO_F16(x) float_to_half((float)(x))
#define REAL_TO_BF16(x) float_to_brain((float)(x))
#define WHOLE_TO_BOOL(x) ((x) != 0)
#define WHOLE_TO_U8(x) ((uint8_t)(x))
#define WHOLE_TO_I8(x) ((int8_t)(x))
#define WHOLE_TO_I32(x) ((int32_t)(x))
#define WHOLE_TO_I64(x) ((int64_t)(x))
#define WHOLE_TO_F32(x) ((float)(x))
#define WHOLE_TO_F64(x) ((double)(x))
#define WHOLE_TO_F16(x) float_to_half((float)(x))
#define WHOLE_TO_BF16(x) float_to_brain((float)(x))

#define TARGETS(X, from, kind, S, load) \
  X(from, kind, S, load, BOOL, uint8_t) X(from, kind, S, load, U8, uint8_t) \
  X(from, kind, S, load, I32, int32_t) X(from, kind, S, load, I64, int64_t) \
  X(from, kind, S, load, F32, float) X(from, kind, S, load, F64, double) \
  X(from, kind, S, load, I8, int8_t) X(from, kind, S, load, F16, uint16_t) \
  X(from, kind, S, load, BF16, uint16_t)

#define SOURCES(X) \
  TARGETS(X, BOOL, WHOLE, uint8_t, FROM_BOOL) \
  TARGETS(X, U8, WHOLE, uint8_t, PLAIN) \
  TARGETS(X, I32, WHOLE, int32_t, PLAIN) \
  TARGETS(X, I64, WHOLE, int64_t, PLAIN) \
  TARGETS(X, F32, REAL, float, PLAIN) \
  TARGETS(X, F64, REAL, double, PLAIN) \
  TARGETS(X, I8, WHOLE, int8_t, PLAIN) \
  TARGETS(X, F16, REAL, uint16_t, FROM_HALF) \
  TARGETS(X, BF16, REAL, uint16_t, FROM_BRAIN)

#define CONVERT(from, kind, S, load, to, D) \
static void from##_to_##to (size_t n, void *const *p, unsigned fixed, \
                            const double *c) { \
  const S *x = p[1]; \
  D *y = p[0]; \
  (void)c; \
  if (fixed & 2) { \
    const D v = kind##_TO_##to(load(*x)); \
    for (size_t i = 0; i < n; i++) y[i] = v; \
  } \
  else \
    for (size_t i = 0; i < n; i++) y[i] = kind##_TO_##to(load(x[i])); \
}
SOURCES(CONVERT)

nx_map_fn *nx_convert_fn (int from, int to) {
  static nx_map_fn *const table[NEAP_NDTYPE][NEAP_NDTYPE] = {
#define ENTRY(from, kind, S, load, to, D) \
    [NEAP_##from][NEAP_##to] = from##_to_##to,
    SOURCES(ENTRY)
  };
  return table[from][to];
}


double nx_get_number (const nx_tensor *t, const char *at) {
  double x;
  void *p[2];
  p[0] = &x;
  p[1] = (void *)(uintptr_t)at;
  nx_convert_fn(t->dtype, NEAP_F64)(1, p, 0, NULL);
  return x;
}

int64_t nx_get_integer (const nx_tensor *t, const char *at) {
  int64_t x;
  void *p[2];
  p[0] = &x;
  p[1] = (void *)(uintptr_t)at;
  nx_convert_fn(t->dtype, NEAP_I64)(1, p, 0, NULL);
  return x;
}

void nx_put_number (const nx_tensor *t, char *at, double x) {
  void *p[2];
  p[0] = at;
  p[1] = &x;
  nx_convert_fn(NEAP_F64, t->dtype)(1, p, 0, NULL);
}

void nx_put_integer (const nx_tensor *t, char *at, int64_t x) {
  void *p[2];
  p[0] = at;
  p[1] = &x;
  nx_convert_fn(NEAP_I64, t->dtype)(1, p, 0, NULL);
}
