/*
** Training without Lua: a small net learns which points lie in a circle,
** is saved, and runs as a plan.
**
**   ./train_in_c circle.safetensors
*/
#include <stdio.h>
#include <stdlib.h>
#include "neap.h"

#define POINTS 256

static neap_module *make_net (neap_ctx *C) {
  neap_module *net = neap_layer(C, "Sequential", NULL);
  neap_add(C, net, NULL, neap_layer(C, "Linear",
                                    "in_features=2 out_features=32"));
  neap_add(C, net, NULL, neap_layer(C, "Tanh", NULL));
  neap_add(C, net, NULL, neap_layer(C, "Linear",
                                    "in_features=32 out_features=1"));
  return net;
}

static float random_number (unsigned *seed) {      /* from -1 to 1 */
  *seed = *seed * 1664525u + 1013904223u;
  return (float)(*seed >> 8) / (1 << 23) - 1;
}

static int right (const float *label, const float *logit) {
  int n = 0;
  for (int i = 0; i < POINTS; i++) n += (logit[i] > 0) == (label[i] > 0.5f);
  return n;
}

int main (int argc, char **argv) {
  const char *path = argc > 1 ? argv[1] : "circle.safetensors";
  int64_t shape[2] = {POINTS, 2};
  float x[POINTS][2], label[POINTS], logit[POINTS];
  unsigned seed = 1;
  neap_rt *rt = neap_open(NULL);
  neap_ctx *C = neap_ctx_open(rt);
  neap_module *net = make_net(C);
  neap_module *criterion = neap_layer(C, "BCEWithLogitsLoss", NULL);
  neap_tensor *parameters[8], *in[2];
  neap_optim *optim;
  neap_view points = neap_view_of(x, NEAP_F32, 2, shape), v;
  neap_model *m;
  neap_plan *p;
  int n = neap_parameters(C, net, 8, parameters);
  for (int i = 0; i < POINTS; i++) {
    x[i][0] = random_number(&seed);
    x[i][1] = random_number(&seed);
    label[i] = x[i][0] * x[i][0] + x[i][1] * x[i][1] < 0.5f;
  }
  shape[1] = 1;
  optim = neap_optimizer(C, "Adam", "lr=0.02", n, parameters);
  in[1] = neap_from(C, NEAP_F32, 2, shape, label);
  for (int step = 0; step < 400 && neap_status(C) == NEAP_OK; step++) {
    neap_tensor *given = neap_borrow(C, &points), *loss;
    in[0] = neap_call(C, net, 1, &given);
    loss = neap_call(C, criterion, 2, in);
    neap_optimizer_zero_grad(optim);
    neap_backward(C, loss);
    neap_optimizer_step(optim);
    if (step == 399) neap_read(C, in[0], logit, sizeof(logit));
    neap_unref(loss);
    neap_unref(in[0]);
    neap_unref(given);
  }
  neap_save(C, net, path);
  if (neap_status(C) != NEAP_OK) {
    fprintf(stderr, "train_in_c: %s\n", neap_message(C));
    return 1;
  }
  printf("trained: %d of %d right\n", right(label, logit), POINTS);
  m = neap_model_open(C, path);
  p = m ? neap_plan_new(C, m, 1, &points, NULL, 0) : NULL;
  if (p == NULL) {
    fprintf(stderr, "train_in_c: %s\n", neap_message(C));
    return 1;
  }
  neap_plan_bind_input(p, 0, x);
  neap_plan_run(p);
  neap_plan_output(p, 0, &v);
  printf("from the file: %d right\n", right(label, v.data));
  neap_plan_free(p);
  neap_model_unref(m);
  neap_unref(in[1]);
  neap_optimizer_free(optim);
  neap_module_unref(criterion);
  neap_module_unref(net);
  neap_ctx_close(C);
  return neap_close(rt) != NEAP_OK;
}
