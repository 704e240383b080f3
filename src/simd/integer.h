/*
** Kernels for whole numbers.
*/
#ifndef nx_integer_h
#define nx_integer_h

#include "simd/kernels.h"

/* For bool, uint8, int32 or int64; entries of real mathematics are NULL. */
const nx_kernels *nx_integer_kernels (int dtype);

#endif
