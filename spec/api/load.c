/*
** A host that loads a file whose tensors do not all fit; run by
** infer_spec.lua.
*/
#include <stdio.h>
#include "neap.h"

int main (int argc, char **argv) {
  neap_rt *rt = neap_open(NULL);
  neap_ctx *C = neap_ctx_open(rt);
  neap_module *net = neap_layer(C, "Sequential", NULL);
  neap_tensor *parameters[4];
  float w[6], sum = 0;
  neap_report r;
  neap_view v;
  neap_add(C, net, NULL, neap_layer(C, "Linear",
                                    "in_features=3 out_features=2"));
  neap_add(C, net, NULL, neap_layer(C, "Linear",
                                    "in_features=2 out_features=1"));
  neap_train(C, net, 0);
  neap_load(C, net, argc > 1 ? argv[1] : "", 1, &r);
  printf("used %d, missing %d, unused %d, misfit %d\n%s\n", r.used, r.missing,
         r.unused, r.misfit, neap_message(C));
  neap_clear(C);
  if (neap_load(C, net, argc > 1 ? argv[1] : "", 0, &r) != NEAP_OK)
    return 1;
  if (neap_parameters(C, net, 4, parameters) != 4) return 1;
  if (neap_read(C, parameters[0], w, sizeof(w)) != NEAP_OK) return 1;
  neap_look(parameters[0], &v);
  if (v.ndim != 2 || v.stride[0] != 3 || v.data == NULL) return 1;
  for (int i = 0; i < 6; i++) sum += w[i];
  printf("sum %g\n", sum);
  if (neap_layer(C, "Linear", "in_features=3") != NULL) return 1;
  printf("%s\n", neap_message(C));
  neap_clear(C);
  if (neap_layer(C, "Linaer", NULL) != NULL) return 1;
  printf("%s\n", neap_message(C));
  neap_clear(C);
  if (neap_backward(C, NULL) != NEAP_EARG) return 1;
  neap_module_unref(net);
  neap_ctx_close(C);
  return neap_close(rt) != NEAP_OK;
}
