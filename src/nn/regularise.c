/*
** Layers that act only in training.
*/
#include "nn/module.h"

typedef struct dropout_layer {
  nx_module m;
  double p;
} dropout_layer;

static const nx_field dropout_layer_fields[] = {
  NX_NUMBER(dropout_layer, p, 0.5, "probability of an element to become 0"),
  NX_END
};


static int dropout_layer_init (nx_ctx *C, nx_module *m) {
  double p = ((dropout_layer *)m)->p;
  if (p >= 0 && p <= 1) return 0;
  return nx_fail(C, NEAP_EARG, "Dropout: p is %g, expected 0 to 1", p);
}

static nx_tensor *dropout_layer_forward (nx_ctx *C, nx_module *m,
                                         nx_tensor *const *in) {
  return nx_dropout(C, in[0], ((dropout_layer *)m)->p, m->training);
}

const nx_layer nx_layer_dropout = {
  .name = "Dropout",
  .doc = "In training, elements become 0 with probability p and the others "
         "are divided by 1 - p; otherwise x itself.",
  .inputs = "x", .fields = dropout_layer_fields,
  .size = sizeof(dropout_layer), .init = dropout_layer_init,
  .forward = dropout_layer_forward
};
