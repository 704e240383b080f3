/*
** Losses as layers.
*/
#include "nn/module.h"

#define REDUCTION(s) \
  NX_ENUM(s, reduction, "none mean sum", 1, \
          "one loss for each row or element, their mean or sum")

typedef struct cross_entropy_layer {
  nx_module m;
  nx_tensor *weight;                   /* owned by 'm' */
  int64_t ignore_index;
  int reduction;
  double label_smoothing;
} cross_entropy_layer;

static const nx_field cross_entropy_layer_fields[] = {
  NX_TENSOR(cross_entropy_layer, weight, "a factor for each class"),
  NX_INT(cross_entropy_layer, ignore_index, -100,
         "label that counts for nothing"),
  REDUCTION(cross_entropy_layer),
  NX_NUMBER(cross_entropy_layer, label_smoothing, 0,
            "share of the target spread over all classes"),
  NX_END
};


static int cross_entropy_layer_init (nx_ctx *C, nx_module *m) {
  cross_entropy_layer *l = (cross_entropy_layer *)m;
  nx_tensor *given = l->weight;
  if (given == NULL) return 0;
  return nx_module_set_tensor(C, m, NX_SLOT_BUFFER, "weight", given,
                              &l->weight);
}

static nx_tensor *cross_entropy_layer_forward (nx_ctx *C, nx_module *m,
                                               nx_tensor *const *in) {
  cross_entropy_layer *l = (cross_entropy_layer *)m;
  return nx_cross_entropy(C, in[0], in[1], l->weight, l->ignore_index,
                          l->reduction, l->label_smoothing);
}

const nx_layer nx_layer_cross_entropy = {
  .name = "CrossEntropyLoss",
  .doc = "Negative log-likelihood of targets (labels or probabilities) "
         "under softmax(x).",
  .inputs = "x target", .fields = cross_entropy_layer_fields,
  .size = sizeof(cross_entropy_layer), .init = cross_entropy_layer_init,
  .forward = cross_entropy_layer_forward
};


typedef struct mse_layer {
  nx_module m;
  int reduction;
} mse_layer;

static const nx_field mse_layer_fields[] = { REDUCTION(mse_layer), NX_END };

static nx_tensor *mse_layer_forward (nx_ctx *C, nx_module *m,
                                     nx_tensor *const *in) {
  return nx_mse_loss(C, in[0], in[1], ((mse_layer *)m)->reduction);
}

const nx_layer nx_layer_mse = {
  .name = "MSELoss", .doc = "Squared differences of x and target.",
  .inputs = "x target", .fields = mse_layer_fields,
  .size = sizeof(mse_layer), .forward = mse_layer_forward
};
