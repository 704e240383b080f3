/*
** Hostile input for the readers: what all targets share. A target gives
** 'fuzz_one'; this file runs it in a context of its own, under a limit of
** memory, and sees to it that nothing is left over.
**
**   make fuzz TARGET=csv SECONDS=600      with clang's fuzzer
**   make replay                           the corpora, with any compiler
*/
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "spec/fuzz/fuzz.h"

#define LIMIT ((size_t)256 << 20)

static void insist (int condition, const char *what) {
  if (condition) return;
  fprintf(stderr, "fuzz: %s\n", what);
  abort();
}

int LLVMFuzzerTestOneInput (const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput (const uint8_t *bytes, size_t size) {
  neap_config config;
  neap_memory memory;
  neap_rt *rt;
  nx_ctx *C;
  size_t mark;
  memset(&config, 0, sizeof(config));
  config.size = sizeof(config);
  config.threads = 1;
  rt = neap_open(&config);
  insist(rt != NULL, "no runtime");
  neap_set_memory_limit(rt, LIMIT);
  C = neap_ctx_open(rt);
  insist(C != NULL, "no context");
  mark = nx_push(C);
  fuzz_one(C, bytes, size);
  insist(nx_status(C) == 0 || neap_message(C)[0] != '\0',
         "an error without a sentence");
  neap_clear(C);
  nx_pop(C, mark, NULL);
  insist(C->tensors == 0, "a tensor was left over");
  nx_cache_flush(C);
  neap_memory_info(rt, &memory);
  insist(memory.used <= 64 * 1024, "memory was left over");
  neap_ctx_close(C);
  insist(neap_close(rt) == NEAP_OK, "the runtime is busy");
  return 0;
}


#if defined(REPLAY)
/* Runs the files that are named: a corpus, or what a fuzzer found. */
int main (int argc, char **argv) {
  for (int i = 1; i < argc; i++) {
    FILE *f = fopen(argv[i], "rb");
    uint8_t *bytes;
    long n;
    insist(f != NULL, argv[i]);
    fseek(f, 0, SEEK_END);
    n = ftell(f);
    rewind(f);
    bytes = malloc(n > 0 ? (size_t)n : 1);
    insist(bytes != NULL && fread(bytes, 1, (size_t)n, f) == (size_t)n,
           "cannot read");
    LLVMFuzzerTestOneInput(bytes, (size_t)n);
    free(bytes);
    fclose(f);
  }
  printf("%d inputs\n", argc - 1);
  return 0;
}
#endif
