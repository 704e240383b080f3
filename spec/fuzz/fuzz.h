/*
** Hostile input for the readers.
*/
#ifndef fuzz_h
#define fuzz_h

#include "io/source.h"
#include "tensor/tensor.h"

/* Reads the bytes as a file; what it makes belongs to the scope. */
void fuzz_one (nx_ctx *C, const uint8_t *bytes, size_t size);

#endif
