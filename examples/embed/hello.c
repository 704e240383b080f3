/*
** A model in a host program: reads one, runs it, prints what came out.
**
**   cc hello.c libneap_infer.a -lm -lpthread -o hello
**   ./hello hello.safetensors
*/
#include <stdio.h>
#include "neap.h"

int main (int argc, char **argv) {
  neap_rt *rt = neap_open(NULL);
  neap_ctx *C = neap_ctx_open(rt);
  neap_model *m = neap_model_open(C, argc > 1 ? argv[1] : "");
  neap_plan *p = m ? neap_plan_new(C, m, 0, NULL, NULL, 0) : NULL;
  neap_view x, y;
  if (p == NULL) {
    fprintf(stderr, "hello: %s\n", neap_message(C));
    return 1;
  }
  neap_plan_input(p, 0, &x);
  neap_plan_output(p, 0, &y);
  for (int i = 0; i < x.shape[1]; i++)
    ((float *)x.data)[i] = (float)i / 64;
  if (neap_plan_run(p) != NEAP_OK) printf("%s\n", neap_plan_message(p));
  for (int i = 0; i < y.shape[1]; i++) printf("%g ", ((float *)y.data)[i]);
  printf("\n");
  neap_plan_free(p);
  neap_model_unref(m);
  neap_ctx_close(C);
  return neap_close(rt) != NEAP_OK;
}
