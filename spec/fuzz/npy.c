/*
** Hostile input: npy, plain and gzip.
*/
#include "spec/fuzz/fuzz.h"
#include "io/npy.h"

void fuzz_one (nx_ctx *C, const uint8_t *bytes, size_t size) {
  nx_source s;
  if (nx_source_bytes(C, &s, "fuzz", bytes, size) == 0) nx_npy_read(&s);
  nx_source_close(&s);
}
