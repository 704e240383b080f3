/*
** Layers made of layers.
*/
#include "nn/module.h"


/*
** An activation that follows a layer which can do it in passing is done
** there: Linear and ReLU are one operation.
*/
static nx_tensor *sequential_forward (nx_ctx *C, nx_module *m,
                                      nx_tensor *const *in) {
  nx_tensor *x = in[0];
  for (int i = 0; i < m->nslots && x != NULL; i++) {
    nx_module *child = m->slots[i].child, *next = NULL;
    if (child == NULL) continue;
    if (i + 1 < m->nslots) next = m->slots[i + 1].child;
    if (next && next->layer->activation && child->layer->forward_act) {
      x = child->layer->forward_act(C, child, &x, next->layer->activation);
      x = nx_module_result(C, child, x);
      i++;
    }
    else x = nx_module_call(C, child, 1, &x);
  }
  return x;
}

const nx_layer nx_layer_sequential = {
  .name = "Sequential",
  .doc = "Layers one after the other; each gets the first result of the one "
         "before.",
  .inputs = "x", .size = sizeof(nx_module), .forward = sequential_forward,
  .flags = NX_CONTAINER
};


const nx_layer nx_layer_module_list = {
  .name = "ModuleList",
  .doc = "A list of modules; it does nothing by itself.",
  .inputs = "", .size = sizeof(nx_module), .flags = NX_CONTAINER
};


typedef struct flatten_layer {
  nx_module m;
  int64_t start_dim, end_dim;
} flatten_layer;

static const nx_field flatten_layer_fields[] = {
  NX_DIM(flatten_layer, start_dim, 1, "first dimension to join"),
  NX_DIM(flatten_layer, end_dim, -1, "last dimension to join"),
  NX_END
};

static nx_tensor *flatten_layer_forward (nx_ctx *C, nx_module *m,
                                         nx_tensor *const *in) {
  flatten_layer *l = (flatten_layer *)m;
  return nx_flatten(C, in[0], l->start_dim, l->end_dim);
}

const nx_layer nx_layer_flatten = {
  .name = "Flatten",
  .doc = "All dimensions but the batch joined into one.",
  .inputs = "x", .fields = flatten_layer_fields,
  .size = sizeof(flatten_layer), .forward = flatten_layer_forward
};


static nx_tensor *identity_forward (nx_ctx *C, nx_module *m,
                                    nx_tensor *const *in) {
  (void)C; (void)m;
  return in[0];
}

const nx_layer nx_layer_identity = {
  .name = "Identity", .doc = "x itself: a place to put a layer later.",
  .inputs = "x", .size = sizeof(nx_module), .forward = identity_forward
};
