/*
** How long a run of a plan takes: the median and 99.9 % of many.
**
**   cc -O2 -Isrc spec/bench/latency.c build/libneap.a $(make -s print-libs)
**   ./a.out model.safetensors 100000
*/
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "neap.h"

static double now (void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int by_size (const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

int main (int argc, char **argv) {
  int runs = argc > 2 ? atoi(argv[2]) : 100000;
  double *times = malloc((size_t)runs * sizeof(*times)), start;
  neap_rt *rt = neap_open(NULL);
  neap_ctx *C = neap_ctx_open(rt);
  neap_model *m = neap_model_open(C, argc > 1 ? argv[1] : "");
  neap_plan *p = m ? neap_plan_new(C, m, 0, NULL, NULL, 0) : NULL;
  if (p == NULL) {
    fprintf(stderr, "latency: %s\n", neap_message(C));
    return 1;
  }
  for (int i = 0; i < 1000; i++) neap_plan_run(p);
  for (int i = 0; i < runs; i++) {
    start = now();
    neap_plan_run(p);
    times[i] = now() - start;
  }
  qsort(times, (size_t)runs, sizeof(*times), by_size);
  printf("median %.2f us, 99.9 %% %.2f us, longest %.1f us; %d bytes\n",
         times[runs / 2] * 1e6, times[(int)(runs * 0.999)] * 1e6,
         times[runs - 1] * 1e6, (int)neap_plan_bytes(p));
  neap_plan_free(p);
  neap_model_unref(m);
  neap_ctx_close(C);
  free(times);
  return neap_close(rt) != NEAP_OK;
}
