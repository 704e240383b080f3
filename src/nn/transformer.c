/*
** TransformerEncoderLayer, TransformerDecoderLayer (Vaswani and others
** 2017, section 3.1): attention and two linear layers, each with a way
** around it and a layer norm, after the sum, or before (norm_first; Xiong
** and others 2020):
**   x = norm(x + f(x)),   or   x = x + f(norm(x))
** Names and options are PyTorch's.
*/
#include <stdio.h>
#include "nn/module.h"

typedef struct transformer_layer {
  nx_module m;
  int64_t d_model, nhead, dim_feedforward;
  double dropout, layer_norm_eps;
  int activation, batch_first, norm_first;
} transformer_layer;

enum { RELU, GELU, SILU, SWIGLU };

static const nx_field transformer_fields[] = {
  NX_INT(transformer_layer, d_model, NX_REQUIRED, "features of a vector"),
  NX_INT(transformer_layer, nhead, NX_REQUIRED, "heads of attention"),
  NX_INT(transformer_layer, dim_feedforward, 2048,
         "units between the linear layers"),
  NX_NUMBER(transformer_layer, dropout, 0.1, "in training"),
  NX_ENUM(transformer_layer, activation, "relu gelu silu swiglu", RELU,
          "between the linear layers; swiglu: silu(a) b, of twice the units "
          "(Shazeer 2020)"),
  NX_NUMBER(transformer_layer, layer_norm_eps, 1e-5, "of the layer norms"),
  NX_BOOL(transformer_layer, batch_first, 0,
          "vectors come as (batch, steps, features)"),
  NX_BOOL(transformer_layer, norm_first, 0, "layer norms come first"),
  NX_END
};


static int add_attention (nx_ctx *C, transformer_layer *l,
                          const char *name) {
  char options[160];
  snprintf(options, sizeof(options), "embed_dim=%lld num_heads=%lld "
           "dropout=%.17g batch_first=%s", (long long)l->d_model,
           (long long)l->nhead, l->dropout,
           l->batch_first ? "true" : "false");
  return nx_make_child(C, &l->m, name, "MultiheadAttention", options);
}

static int add_linear (nx_ctx *C, transformer_layer *l, const char *name,
                       int64_t in, int64_t out) {
  char options[96];
  snprintf(options, sizeof(options), "in_features=%lld out_features=%lld",
           (long long)in, (long long)out);
  return nx_make_child(C, &l->m, name, "Linear", options);
}

static int add_norm (nx_ctx *C, transformer_layer *l, const char *name) {
  char options[96];
  snprintf(options, sizeof(options), "normalized_shape=%lld eps=%.17g",
           (long long)l->d_model, l->layer_norm_eps);
  return nx_make_child(C, &l->m, name, "LayerNorm", options);
}

static int add_children (nx_ctx *C, transformer_layer *l, int decoder) {
  int64_t units = l->dim_feedforward;
  int64_t made = l->activation == SWIGLU ? 2 * units : units;
  if (!(l->dropout >= 0 && l->dropout < 1) || units < 1 ||
      units > INT32_MAX)
    return nx_fail(C, NEAP_EARG, "%s: dropout is %g, expected 0 to below 1, "
                   "and dim_feedforward %lld, expected at least 1",
                   l->m.class_name, l->dropout,
                   (long long)l->dim_feedforward);
  return add_attention(C, l, "self_attn") ||
         (decoder && add_attention(C, l, "multihead_attn")) ||
         add_linear(C, l, "linear1", l->d_model, made) ||
         add_linear(C, l, "linear2", units, l->d_model) ||
         add_norm(C, l, "norm1") || add_norm(C, l, "norm2") ||
         (decoder && add_norm(C, l, "norm3"));
}

static int encoder_init (nx_ctx *C, nx_module *m) {
  return add_children(C, (transformer_layer *)m, 0);
}

static int decoder_init (nx_ctx *C, nx_module *m) {
  return add_children(C, (transformer_layer *)m, 1);
}


static nx_tensor *dropped (nx_ctx *C, const transformer_layer *l,
                           nx_tensor *x) {
  if (x == NULL || !l->m.training || l->dropout == 0) return x;
  return nx_dropout(C, x, l->dropout, NX_FRESH);
}

static nx_tensor *activated (nx_ctx *C, const transformer_layer *l,
                             nx_tensor *x) {
  union { char bytes[64]; double d; int64_t i; } args;
  int64_t n = l->dim_feedforward;
  nx_tensor *gate;
  if (x == NULL) return NULL;
  if (l->activation == RELU) return nx_relu(C, x);
  if (l->activation == SILU) return nx_silu(C, x);
  if (l->activation == SWIGLU) {
    gate = nx_narrow(C, x, -1, 0, n);
    gate = gate ? nx_silu(C, gate) : NULL;
    x = nx_narrow(C, x, -1, n, n);
    return gate && x ? nx_mul(C, gate, x) : NULL;
  }
  nx_fields_default(C, nx_op_gelu.fields, args.bytes);
  return nx_apply(C, &nx_op_gelu, args.bytes, 1, &x);
}

/* one of the parts of a layer: y = f(x), with what else it looks at */
typedef struct part {
  const char *attention;       /* NULL: the linear layers */
  const char *norm;
  nx_tensor *memory, *mask, *padding;
} part;

static nx_tensor *run (nx_ctx *C, transformer_layer *l, const part *p,
                       nx_tensor *x) {
  if (x == NULL) return NULL;
  if (p->attention) {
    nx_tensor *in[5];
    in[0] = x;
    in[1] = in[2] = p->memory;           /* NULL: x itself */
    in[3] = p->mask;
    in[4] = p->padding;
    return dropped(C, l, nx_call_child(C, &l->m, p->attention, 5, in));
  }
  x = activated(C, l, nx_call_child(C, &l->m, "linear1", 1, &x));
  x = dropped(C, l, x);
  x = x ? nx_call_child(C, &l->m, "linear2", 1, &x) : NULL;
  return dropped(C, l, x);
}

static nx_tensor *with_part (nx_ctx *C, transformer_layer *l, const part *p,
                             nx_tensor *x) {
  nx_tensor *y;
  if (x == NULL) return NULL;
  if (l->norm_first) {
    y = run(C, l, p, nx_call_child(C, &l->m, p->norm, 1, &x));
    return y ? nx_add(C, x, y) : NULL;
  }
  y = run(C, l, p, x);
  y = y ? nx_add(C, x, y) : NULL;
  return y ? nx_call_child(C, &l->m, p->norm, 1, &y) : NULL;
}


static nx_tensor *encoder_forward (nx_ctx *C, nx_module *m,
                                   nx_tensor *const *in) {
  transformer_layer *l = (transformer_layer *)m;
  part look = {"self_attn", "norm1", NULL, in[1], in[2]};
  part think = {NULL, "norm2", NULL, NULL, NULL};
  return with_part(C, l, &think, with_part(C, l, &look, in[0]));
}

static nx_tensor *decoder_forward (nx_ctx *C, nx_module *m,
                                   nx_tensor *const *in) {
  transformer_layer *l = (transformer_layer *)m;
  part look = {"self_attn", "norm1", NULL, in[2], in[4]};
  part ask = {"multihead_attn", "norm2", in[1], in[3], in[5]};
  part think = {NULL, "norm3", NULL, NULL, NULL};
  return with_part(C, l, &think,
                   with_part(C, l, &ask, with_part(C, l, &look, in[0])));
}


const nx_layer nx_layer_transformer_encoder_layer = {
  .name = "TransformerEncoderLayer",
  .doc = "Self-attention and two linear layers over vectors src (steps, "
         "batch, d_model). Masks of bool are true where nothing may be "
         "looked at.",
  .inputs = "src src_mask? src_key_padding_mask?",
  .fields = transformer_fields, .size = sizeof(transformer_layer),
  .init = encoder_init, .forward = encoder_forward
};

const nx_layer nx_layer_transformer_decoder_layer = {
  .name = "TransformerDecoderLayer",
  .doc = "Self-attention over tgt, attention to memory, and two linear "
         "layers. Masks of bool are true where nothing may be looked at.",
  .inputs = "tgt memory tgt_mask? memory_mask? tgt_key_padding_mask? "
            "memory_key_padding_mask?",
  .fields = transformer_fields, .size = sizeof(transformer_layer),
  .init = decoder_init, .forward = decoder_forward
};
