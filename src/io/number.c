/*
** Numbers in text.
**
** Digits are gathered in 64 bits. Where they and a power of ten are exact,
** one multiplication or division gives the nearest double (Clinger 1990:
** How to read floating point numbers accurately). The rest is left to
** strtod.
*/
#include <float.h>
#include <math.h>
#include <string.h>
#include "base/os.h"
#include "io/number.h"

#define MAXTEXT 800            /* digits that can matter to a double: 767 */

typedef struct digits {
  uint64_t value;
  int count;                   /* significant ones that are in 'value' */
  int lost;                    /* some did not fit */
  int any;
  int64_t exponent;            /* of ten */
} digits;


static int is_digit (char c) { return c >= '0' && c <= '9'; }

/* those beyond the 19th only move the point */
static const char *more_digits (const char *s, const char *end,
                                int fraction, digits *d) {
  for (; s < end && is_digit(*s); s++) {
    d->lost |= *s != '0';
    d->exponent += !fraction;
  }
  return s;
}

static inline const char *read_digits (const char *s, const char *end,
                                       int fraction, digits *d) {
  const char *start = s;
  uint64_t value = d->value;
  int count = d->count;
  for (; s < end && is_digit(*s) && count < 19; s++) {
    value = value * 10 + (uint64_t)(*s - '0');
    count += value != 0;
  }
  d->value = value;
  d->count = count;
  d->any |= s > start;
  d->exponent -= fraction ? s - start : 0;
  return s < end && is_digit(*s) ? more_digits(s, end, fraction, d) : s;
}


static const char *read_exponent (const char *s, const char *end,
                                  digits *d) {
  int64_t e = 0;
  int negative = 0;
  if (s < end && (*s == '+' || *s == '-')) negative = *s++ == '-';
  if (s == end || !is_digit(*s)) return NULL;
  for (; s < end && is_digit(*s); s++)
    if (e < 100000) e = e * 10 + (*s - '0');
  d->exponent += negative ? -e : e;
  return s;
}


/*
** The nearest double by one operation on exact operands; 0 if that cannot
** be told.
*/
static int nearest (const digits *d, double *x) {
  static const double ten[] = {
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12,
    1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22
  };
  if (d->value >> 53 || d->exponent < -22 || d->exponent > 22) return 0;
  *x = (double)(int64_t)d->value;
  if (d->exponent < 0) *x /= ten[-d->exponent];
  else if (d->exponent > 0) *x *= ten[d->exponent];
  return 1;
}


/*
** The same with the 64 bits of the extended format, rounded once more:
** that is only wrong where the first result lay half way.
*/
#if LDBL_MANT_DIG == 64
static int nearest_extended (const digits *d, double *x) {
  static const long double ten[] = {
    1e0L, 1e1L, 1e2L, 1e3L, 1e4L, 1e5L, 1e6L, 1e7L, 1e8L, 1e9L, 1e10L,
    1e11L, 1e12L, 1e13L, 1e14L, 1e15L, 1e16L, 1e17L, 1e18L, 1e19L, 1e20L,
    1e21L, 1e22L, 1e23L, 1e24L, 1e25L, 1e26L, 1e27L
  };
  long double v = (long double)d->value;
  uint64_t bits;
  if (d->exponent < -27 || d->exponent > 27) return 0;
  if (d->exponent < 0) v /= ten[-d->exponent];
  else v *= ten[d->exponent];
  memcpy(&bits, &v, sizeof(bits));
  bits &= 0x7ff;               /* what a double has no room for */
  if (bits >= 0x3ff && bits <= 0x401) return 0;
  *x = (double)v;
  return 1;
}
#else
static int nearest_extended (const digits *d, double *x) {
  (void)d; (void)x;
  return 0;
}
#endif


static int by_library (const char *s, size_t n, char point, double *x) {
  char text[MAXTEXT], *end, *at;
  if (n >= sizeof(text)) return 0;
  memcpy(text, s, n);
  text[n] = '\0';
  if (point != '.' && (at = strchr(text, point)) != NULL) *at = '.';
  *x = nx_strtod(text, &end);
  return end == text + n;
}


static int same_word (const char *s, size_t n, const char *word) {
  if (n != strlen(word)) return 0;
  for (size_t i = 0; i < n; i++)
    if ((s[i] | 32) != word[i]) return 0;
  return 1;
}

static nx_number_kind special (const char *s, size_t n, int negative,
                               double *x) {
  if (same_word(s, n, "nan")) *x = NAN;
  else if (same_word(s, n, "inf") || same_word(s, n, "infinity"))
    *x = negative ? -INFINITY : INFINITY;
  else return NX_NO_NUMBER;
  return NX_REAL;
}


nx_number_kind nx_number (const char *s, size_t n, char point, int64_t *i,
                          double *x) {
  const char *p = s, *end = s + n;
  digits d = {0, 0, 0, 0, 0};
  int negative = 0, whole = 1;
  if (p < end && (*p == '-' || *p == '+')) negative = *p++ == '-';
  if (p < end && (*p | 32) > '9')
    return special(p, (size_t)(end - p), negative, x);
  p = read_digits(p, end, 0, &d);
  if (p < end && *p == point) {
    whole = 0;
    p = read_digits(p + 1, end, 1, &d);
  }
  if (!d.any) return NX_NO_NUMBER;
  if (p < end && (*p | 32) == 'e') {
    whole = 0;
    p = read_exponent(p + 1, end, &d);
  }
  if (p != end) return NX_NO_NUMBER;
  if (whole && d.exponent == 0 &&
      d.value <= (uint64_t)INT64_MAX + (unsigned)negative) {
    *i = negative ? (int64_t)(0 - d.value) : (int64_t)d.value;
    *x = negative ? -(double)d.value : (double)d.value;    /* -0 too */
    return NX_INTEGER;
  }
  if (!d.lost && (nearest(&d, x) || nearest_extended(&d, x)))
    *x = negative ? -*x : *x;
  else if (!by_library(s, n, point, x)) return NX_NO_NUMBER;
  return NX_REAL;
}
