/*
** A square tile turned over, in a buffer that stays in the first cache:
** every line of memory is read once and written once.
*/
#include <string.h>
#include "simd/turn.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#define TURN(T) \
static void turn_##T (char *dst, ptrdiff_t ds, const char *src, \
                      ptrdiff_t ss, int rows, int cols) { \
  T buffer[NX_TILE][NX_TILE]; \
  for (int c = 0; c < cols; c++) { \
    const T *from = (const T *)(const void *)(src + c * ss); \
    for (int r = 0; r < rows; r++) buffer[r][c] = from[r]; \
  } \
  for (int r = 0; r < rows; r++) \
    memcpy(dst + r * ds, buffer[r], (size_t)cols * sizeof(T)); \
}

TURN(uint8_t)
TURN(uint16_t)
TURN(uint32_t)
TURN(uint64_t)


#if defined(__SSE2__)
/* four rows of four words become four columns */
static void turn_four (char *dst, ptrdiff_t ds, const char *src,
                       ptrdiff_t ss) {
  __m128 a = _mm_loadu_ps((const float *)(const void *)src);
  __m128 b = _mm_loadu_ps((const float *)(const void *)(src + ss));
  __m128 c = _mm_loadu_ps((const float *)(const void *)(src + 2 * ss));
  __m128 d = _mm_loadu_ps((const float *)(const void *)(src + 3 * ss));
  _MM_TRANSPOSE4_PS(a, b, c, d);
  _mm_storeu_ps((float *)(void *)dst, a);
  _mm_storeu_ps((float *)(void *)(dst + ds), b);
  _mm_storeu_ps((float *)(void *)(dst + 2 * ds), c);
  _mm_storeu_ps((float *)(void *)(dst + 3 * ds), d);
}

/* a full tile of words: four rows of the result at a time */
static void turn_words (char *dst, ptrdiff_t ds, const char *src,
                        ptrdiff_t ss) {
  for (int r = 0; r < NX_TILE; r += 4)
    for (int c = 0; c < NX_TILE; c += 4)
      turn_four(dst + r * ds + 4 * c, ds, src + c * ss + 4 * r, ss);
}
#endif


void nx_turn_tile (size_t size, char *dst, ptrdiff_t ds, const char *src,
                   ptrdiff_t ss, int rows, int cols) {
  switch (size) {
    case 1: turn_uint8_t(dst, ds, src, ss, rows, cols); break;
    case 2: turn_uint16_t(dst, ds, src, ss, rows, cols); break;
    case 4:
#if defined(__SSE2__)
      if (rows == NX_TILE && cols == NX_TILE) {
        turn_words(dst, ds, src, ss);
        break;
      }
#endif
      turn_uint32_t(dst, ds, src, ss, rows, cols);
      break;
    default: turn_uint64_t(dst, ds, src, ss, rows, cols); break;
  }
}
