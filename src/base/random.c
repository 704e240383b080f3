/*
** Philox 4x32-10.
*/
#include "base/random.h"


/*
** Ten rounds. Each multiplies two words by fixed odd numbers and mixes
** the halves with the key, which steps by Weyl constants.
*/
void nx_philox (uint64_t key, uint64_t counter, uint32_t out[4]) {
  uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
  uint32_t x0 = (uint32_t)counter, x1 = (uint32_t)(counter >> 32);
  uint32_t x2 = 0, x3 = 0;
  for (int i = 0; i < 10; i++) {
    uint64_t a = (uint64_t)0xD2511F53u * x0;
    uint64_t b = (uint64_t)0xCD9E8D57u * x2;
    uint32_t y0 = (uint32_t)(b >> 32) ^ x1 ^ k0;
    uint32_t y2 = (uint32_t)(a >> 32) ^ x3 ^ k1;
    x1 = (uint32_t)b;
    x3 = (uint32_t)a;
    x0 = y0;
    x2 = y2;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  out[0] = x0; out[1] = x1; out[2] = x2; out[3] = x3;
}


nx_draw nx_reserve (nx_generator *g, uint64_t counters) {
  nx_draw d = *g;
  g->counter += (counters + NX_BATCH - 1) / NX_BATCH * NX_BATCH;
  return d;
}


double nx_random_number (nx_generator *g) {
  nx_draw d = nx_reserve(g, 1);
  uint32_t w[4];
  nx_philox(d.key, d.counter, w);
  return (double)(((uint64_t)w[0] << 21) ^ (w[1] >> 11)) * 0x1p-53;
}
