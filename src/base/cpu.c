/*
** The processor's instruction sets.
*/
#include <string.h>
#include "base/cpu.h"
#include "base/os.h"

static const char *const isa_name[] = {
#define NX_X(id, name) name,
  NX_ISA_LIST(NX_X)
#undef NX_X
};

const char *nx_cpu_name (int isa) { return isa_name[isa]; }


int nx_cpu_widest (void) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") &&
      __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl"))
    return NX_ISA_AVX512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    return NX_ISA_AVX2;
#endif
  return NX_ISA_C;
}


int nx_cpu_choose (void) {
  const char *asked = nx_getenv("NEAP_CPU");
  int have = nx_cpu_widest();
  if (asked != NULL)
    for (int i = 0; i <= have; i++)
      if (strcmp(asked, isa_name[i]) == 0) return i;
  return have;
}
