/*
** Types of elements.
*/
#ifndef nx_dtype_h
#define nx_dtype_h

#include "simd/kernels.h"
#include "tensor/tensor.h"

size_t nx_dtype_size (int dtype);
const char *nx_dtype_name (int dtype);
int nx_dtype_named (const char *name);          /* -1: no such type */
int nx_is_float (int dtype);                    /* float32, float64 */
/* True if the integer is a value of the type (real types take any). */
int nx_fits (int dtype, int64_t i);
int nx_is_whole (int dtype);                    /* bool and integers */
int nx_is_storage_only (int dtype);

/*
** The type two operands meet in: the wider of two floats, a float over
** integers, the wider integer; a bare number only turns integers into
** float32 when it has a fraction part of its own.
*/
int nx_promote (const nx_tensor *a, const nx_tensor *b);

/* Kernels for a type that can be computed with. */
const nx_kernels *nx_kernels_for (nx_ctx *C, int dtype);

/* n elements of one type into another; rounds toward zero to integers. */
nx_map_fn *nx_convert_fn (int from, int to);

#endif
