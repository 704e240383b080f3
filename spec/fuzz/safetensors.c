/*
** Hostile input: safetensors.
*/
#include "spec/fuzz/fuzz.h"
#include "io/safetensors.h"

void fuzz_one (nx_ctx *C, const uint8_t *bytes, size_t size) {
  nx_safe s;
  if (nx_safe_open_bytes(C, &s, "fuzz", bytes, size) == 0)
    for (size_t i = 0; i < s.n && nx_status(C) == 0; i++)
      nx_safe_tensor(C, &s, &s.entries[i]);
  nx_safe_close(&s);
}
