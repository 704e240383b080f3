/*
** Embedding and EmbeddingBag: learned vectors for numbers.
*/
#include "nn/module.h"
#include "tensor/view.h"

typedef struct embedding_layer {
  nx_module m;
  int64_t num_embeddings, embedding_dim, padding_idx;
  double max_norm, norm_type;
  int scale_grad_by_freq, sparse, mode, include_last_offset;
  nx_tensor *weight;                   /* owned by 'm' */
} embedding_layer;

#define SIZES \
  NX_INT(embedding_layer, num_embeddings, NX_REQUIRED, \
         "how many numbers there are"), \
  NX_INT(embedding_layer, embedding_dim, NX_REQUIRED, \
         "size of each vector")
#define NORM \
  NX_NUMBER_OR_FALSE(embedding_layer, max_norm, NX_UNSET, \
                     "vectors that are used and longer are scaled down to " \
                     "it; false: none"), \
  NX_NUMBER(embedding_layer, norm_type, 2, "p of the norm of max_norm")

static const nx_field embedding_layer_fields[] = {
  SIZES,
  NX_INDEX(embedding_layer, padding_idx, NX_UNSET,
           "number of the vector that starts as 0 and does not learn"),
  NORM,
  NX_BOOL(embedding_layer, scale_grad_by_freq, 0,
          "divide the gradient of a vector by how often a batch has it"),
  NX_BOOL(embedding_layer, sparse, 0,
          "the gradient holds only the vectors in x: for SparseAdam, and "
          "for SGD and Adagrad without momentum and weight decay; others "
          "make it whole"),
  NX_END
};

static const nx_field embedding_bag_layer_fields[] = {
  SIZES, NORM,
  NX_ENUM(embedding_layer, mode, "sum mean max", 1, "what becomes of a bag"),
  NX_BOOL(embedding_layer, include_last_offset, 0,
          "the last offset is the end of the last bag"),
  NX_INDEX(embedding_layer, padding_idx, NX_UNSET,
           "number that counts nowhere"),
  NX_END
};


static int set_padding (nx_ctx *C, embedding_layer *l) {
  int64_t row = l->padding_idx;
  nx_tensor *zero, *part;
  if (row == NX_UNSET_INT) return 0;
  if (row < 0) row += l->num_embeddings;
  if (row < 0 || row >= l->num_embeddings)
    return nx_fail(C, NEAP_EINDEX, "%s: padding_idx: position %lld is "
                   "outside the %lld embeddings", l->m.class_name,
                   (long long)(l->padding_idx < 0 ? l->padding_idx
                               : l->padding_idx + C->base),
                   (long long)l->num_embeddings);
  zero = nx_zeros(C, l->weight->dtype, 1, &l->embedding_dim);
  part = nx_view_part(C, l->weight, 0, row, 1, 1);
  return zero && part ? nx_copy(C, part, zero) : nx_status(C);
}

/* PyTorch's default: normal, with mean 0 and variance 1 */
static int embedding_layer_init (nx_ctx *C, nx_module *m) {
  embedding_layer *l = (embedding_layer *)m;
  int64_t shape[2];
  nx_tensor *w;
  int recording = C->recording;
  if (l->num_embeddings < 1 || l->embedding_dim < 1)
    return nx_fail(C, NEAP_EARG, "%s: %lld embeddings of size %lld, expected "
                   "at least 1", m->class_name,
                   (long long)l->num_embeddings, (long long)l->embedding_dim);
  if (l->max_norm != NX_UNSET &&
      (!(l->max_norm >= 0) || !(l->norm_type > 0)))
    return nx_fail(C, NEAP_EARG, "%s: max_norm is %g and norm_type %g, "
                   "expected 0 or more and above 0", m->class_name,
                   l->max_norm, l->norm_type);
  shape[0] = l->num_embeddings;
  shape[1] = l->embedding_dim;
  C->recording = 0;
  w = nx_new(C, NEAP_F32, 2, shape);
  if (w) w = nx_normal(C, w, 0, 1, NX_FRESH);
  if (nx_learned(C, m, "weight", &l->weight, w) == 0) set_padding(C, l);
  C->recording = recording;
  return nx_status(C);
}


static int limit_norms (nx_ctx *C, embedding_layer *l, nx_tensor *x) {
  if (l->max_norm == NX_UNSET) return 0;
  return nx_embedding_renorm(C, l->weight, x, l->max_norm, l->norm_type);
}

static nx_tensor *embedding_layer_forward (nx_ctx *C, nx_module *m,
                                           nx_tensor *const *in) {
  embedding_layer *l = (embedding_layer *)m;
  if (limit_norms(C, l, in[0])) return NULL;
  return nx_embedding(C, in[0], l->weight, l->padding_idx,
                      l->scale_grad_by_freq, l->sparse);
}

const nx_layer nx_layer_embedding = {
  .name = "Embedding",
  .doc = "A learned vector for each number: x of any shape, the result has "
         "a dimension more.",
  .inputs = "x", .fields = embedding_layer_fields,
  .size = sizeof(embedding_layer), .init = embedding_layer_init,
  .forward = embedding_layer_forward
};


static nx_tensor *embedding_bag_layer_forward (nx_ctx *C, nx_module *m,
                                               nx_tensor *const *in) {
  embedding_layer *l = (embedding_layer *)m;
  int fits = (in[1] != NULL) == (in[0]->ndim == 1);   /* else it fails */
  if (fits && limit_norms(C, l, in[0])) return NULL;
  return nx_embedding_bag(C, (nx_tensor *[]){in[0], l->weight, in[1], in[2]},
                          l->mode, l->padding_idx, l->include_last_offset);
}

const nx_layer nx_layer_embedding_bag = {
  .name = "EmbeddingBag",
  .doc = "For each bag of numbers the sum, mean or largest elements of their "
         "vectors; bags are the rows of x, or begin at offsets.",
  .inputs = "x offsets? per_sample_weights?",
  .fields = embedding_bag_layer_fields, .size = sizeof(embedding_layer),
  .init = embedding_layer_init, .forward = embedding_bag_layer_forward
};
