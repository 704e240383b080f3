/*
** Losses as layers.
*/
#include <string.h>
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


/*
** Losses whose options include weights: buffers of the layer.
*/
typedef struct weighted_layer {
  nx_module m;
  nx_tensor *weight, *pos_weight;      /* owned by 'm' */
  int64_t ignore_index;
  double p, margin;
  int reduction;
} weighted_layer;

#define WEIGHT(text) NX_TENSOR(weighted_layer, weight, text)

static const nx_field nll_layer_fields[] = {
  WEIGHT("a factor for each class"),
  NX_INT(weighted_layer, ignore_index, -100, "label that counts for nothing"),
  REDUCTION(weighted_layer), NX_END
};

static const nx_field bce_layer_fields[] = {
  WEIGHT("factors that broadcast to x"), REDUCTION(weighted_layer), NX_END
};

static const nx_field bce_logits_layer_fields[] = {
  WEIGHT("factors that broadcast to x"),
  REDUCTION(weighted_layer),
  NX_TENSOR(weighted_layer, pos_weight, "factors of targets 1"), NX_END
};

static const nx_field multi_margin_layer_fields[] = {
  NX_NUMBER(weighted_layer, p, 1, "1 or 2"),
  NX_NUMBER(weighted_layer, margin, 1, "by how much"),
  WEIGHT("a factor for each class"), REDUCTION(weighted_layer), NX_END
};

static int keep_weight (nx_ctx *C, nx_module *m, const char *name,
                        nx_tensor **at) {
  nx_tensor *given = *at;
  if (given == NULL) return 0;
  return nx_module_set_tensor(C, m, NX_SLOT_BUFFER, name, given, at);
}

static int weighted_init (nx_ctx *C, nx_module *m) {
  weighted_layer *l = (weighted_layer *)m;
  keep_weight(C, m, "weight", &l->weight);
  return keep_weight(C, m, "pos_weight", &l->pos_weight);
}

/* Sets a field of an operation's options by name; others have defaults. */
static void set_option (const nx_op *op, void *args, const char *name,
                        const void *value, size_t size) {
  const nx_field *f = nx_field_find(op->fields, name);
  if (f) memcpy((char *)args + f->offset, value, size);
}

static nx_tensor *weighted_loss (nx_ctx *C, nx_module *m,
                                 nx_tensor *const *in, const nx_op *op) {
  weighted_layer *l = (weighted_layer *)m;
  union { char bytes[256]; double d; int64_t i; } a;
  int n = op == &nx_op_binary_cross_entropy_with_logits ? 4 : 3;
  nx_fields_default(C, op->fields, a.bytes);
  set_option(op, a.bytes, "reduction", &l->reduction, sizeof(int));
  set_option(op, a.bytes, "ignore_index", &l->ignore_index,
             sizeof(int64_t));
  set_option(op, a.bytes, "p", &l->p, sizeof(double));
  set_option(op, a.bytes, "margin", &l->margin, sizeof(double));
  return nx_apply(C, op, a.bytes, n, (nx_tensor *[]){in[0], in[1], l->weight,
                                                     l->pos_weight});
}

#define WEIGHTED(id, title, options, text) \
static nx_tensor *id##_layer_forward (nx_ctx *C, nx_module *m, \
                                      nx_tensor *const *in) { \
  return weighted_loss(C, m, in, &nx_op_##id); \
} \
const nx_layer nx_layer_##id = { \
  .name = title, .doc = text, .inputs = "x target", .fields = options, \
  .size = sizeof(weighted_layer), .init = weighted_init, \
  .forward = id##_layer_forward \
};

WEIGHTED(nll_loss, "NLLLoss", nll_layer_fields,
         "Minus the log-probability x of the label of each row.")
WEIGHTED(binary_cross_entropy, "BCELoss", bce_layer_fields,
         "Binary cross entropy of probabilities x; targets are 0 to 1.")
WEIGHTED(binary_cross_entropy_with_logits, "BCEWithLogitsLoss",
         bce_logits_layer_fields,
         "Binary cross entropy of sigmoid(x); targets are 0 to 1.")
WEIGHTED(multi_margin_loss, "MultiMarginLoss", multi_margin_layer_fields,
         "The score of the right class should be above all others by a "
         "margin.")


/* An operation as it is, with its options. */
#define LOSS(id, title) \
const nx_layer nx_layer_##id = {.name = title, .op = &nx_op_##id};

LOSS(mse_loss, "MSELoss")
LOSS(l1_loss, "L1Loss")
LOSS(smooth_l1_loss, "SmoothL1Loss")
LOSS(huber_loss, "HuberLoss")
LOSS(kl_div, "KLDivLoss")
LOSS(poisson_nll_loss, "PoissonNLLLoss")
LOSS(gaussian_nll_loss, "GaussianNLLLoss")
LOSS(hinge_loss, "HingeLoss")
LOSS(hinge_embedding_loss, "HingeEmbeddingLoss")
LOSS(soft_margin_loss, "SoftMarginLoss")
LOSS(margin_ranking_loss, "MarginRankingLoss")
LOSS(cosine_embedding_loss, "CosineEmbeddingLoss")
LOSS(triplet_margin_loss, "TripletMarginLoss")
LOSS(sigmoid_focal_loss, "FocalLoss")
LOSS(dice_loss, "DiceLoss")
LOSS(ctc_loss, "CTCLoss")
