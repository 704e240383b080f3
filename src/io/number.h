/*
** Numbers in text, whatever the locale.
*/
#ifndef nx_number_h
#define nx_number_h

#include <stddef.h>
#include <stdint.h>

typedef enum nx_number_kind {
  NX_NO_NUMBER, NX_INTEGER, NX_REAL
} nx_number_kind;

/*
** All of the n bytes at s as a decimal number: "-12", "3.5e-2", "inf",
** "nan". 'point' is its decimal point. Of integers *i is the value and *x
** its rounded one; integers beyond 64 bits are real. Reals are the
** nearest double.
*/
nx_number_kind nx_number (const char *s, size_t n, char point, int64_t *i,
                          double *x);

#endif
