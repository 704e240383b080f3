/*
** Hostile input: npz.
*/
#include "spec/fuzz/fuzz.h"
#include "io/npy.h"
#include "io/zip.h"

void fuzz_one (nx_ctx *C, const uint8_t *bytes, size_t size) {
  nx_source s, entry;
  nx_zip z;
  if (nx_source_bytes(C, &s, "fuzz", bytes, size)) {
    nx_source_close(&s);
    return;
  }
  nx_zip_open(&z, &s);
  for (size_t i = 0; nx_status(C) == 0 && i < z.n && i < 100; i++) {
    if (nx_zip_get(&z, i, "fuzz", &entry) == 0) nx_npy_read(&entry);
    nx_source_close(&entry);
  }
  nx_zip_close(&z);
}
