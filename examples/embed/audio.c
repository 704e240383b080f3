/*
** Sound: a recurrent model turns each sample into another, in the time that
** a sample has. All memory is the host's, and it is told how much that is.
**
**   ./audio audio.safetensors
*/
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "neap.h"

#define RATE 48000

static double now (void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void *room (size_t size) {
  void *block = NULL;
  return posix_memalign(&block, NEAP_ALIGN, size) == 0 ? block : NULL;
}

int main (int argc, char **argv) {
  neap_rt *rt = neap_open(NULL);
  neap_ctx *C = neap_ctx_open(rt);
  neap_model *m = neap_model_open(C, argc > 1 ? argv[1] : "");
  size_t size = m ? neap_plan_size(C, m, 0, NULL) : 0;
  void *memory = size ? room(size) : NULL;
  neap_plan *p = memory ? neap_plan_new(C, m, 0, NULL, memory, size) : NULL;
  float in, out;
  double start, sum = 0;
  if (p == NULL) {
    fprintf(stderr, "audio: %s\n", neap_message(C));
    return 1;
  }
  neap_plan_bind_input(p, 0, &in);       /* nothing is copied */
  neap_plan_bind_output(p, 0, &out);
  start = now();
  for (int i = 0; i < RATE; i++) {
    in = (float)sin(i * 2 * 3.14159265358979 * 440 / RATE);
    neap_plan_run(p);
    sum += out * out;
  }
  start = now() - start;
  printf("plan of %d bytes; %.2f us a sample (there are %.2f), loudness "
         "%.3f\n", (int)size, start * 1e6 / RATE, 1e6 / RATE,
         sqrt(sum / RATE));
  neap_plan_free(p);
  free(memory);
  neap_model_unref(m);
  neap_ctx_close(C);
  return neap_close(rt) != NEAP_OK;
}
