/*
** npy: one array in a file, as NumPy writes it.
*/
#ifndef nx_npy_h
#define nx_npy_h

#include "base/os.h"
#include "io/source.h"
#include "tensor/tensor.h"

/*
** All of a source as a tensor in the current scope. Integers of 16 bits
** and those without a sign widen: int32 for uint16, int64 for the larger.
*/
nx_tensor *nx_npy_read (nx_source *s);

/* What stands in front of the elements of a tensor. */
#define NX_NPY_HEADER 256
size_t nx_npy_header (nx_ctx *C, const nx_tensor *t, char *out);

/* Writes a file as a whole or not at all. */
int nx_npy_save (nx_ctx *C, const char *path, nx_tensor *t);

#endif
