/*
** MultiheadAttention (Vaswani and others 2017, section 3.2.2): heads that
** look at the same vectors, each through projections of its own.
**
** Parameters are PyTorch's: in_proj_weight (3 embed_dim, embed_dim) of
** queries, keys and values (or q_proj_weight, k_proj_weight, v_proj_weight
** where keys or values have other sizes), in_proj_bias, and the Linear
** out_proj. Masks of bool are true where a key may NOT be looked at.
*/
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "nn/module.h"

typedef struct attention_layer {
  nx_module m;
  int64_t embed_dim, num_heads, kdim, vdim;
  double dropout;
  int bias, batch_first;
  nx_tensor *in_weight, *weight[3], *in_bias;    /* owned by 'm' */
} attention_layer;

static const nx_field attention_layer_fields[] = {
  NX_INT(attention_layer, embed_dim, NX_REQUIRED, "features of a vector"),
  NX_INT(attention_layer, num_heads, NX_REQUIRED,
         "heads, which share the features"),
  NX_NUMBER(attention_layer, dropout, 0, "of the weights, in training"),
  NX_BOOL(attention_layer, bias, 1, "learn biases"),
  NX_INT(attention_layer, kdim, NX_UNSET, "features of keys, if others"),
  NX_INT(attention_layer, vdim, NX_UNSET, "features of values, if others"),
  NX_BOOL(attention_layer, batch_first, 0,
          "vectors come as (batch, steps, features)"),
  NX_END
};

static int64_t size_or (int64_t given, int64_t fallback) {
  return given == NX_UNSET_INT ? fallback : given;
}


static int check_options (nx_ctx *C, const attention_layer *l) {
  if (l->embed_dim < 1 || l->num_heads < 1 ||
      l->embed_dim % l->num_heads != 0)
    return nx_fail(C, NEAP_EARG, "%s: embed_dim %lld and num_heads %lld: "
                   "expected as many features for each head",
                   l->m.class_name, (long long)l->embed_dim,
                   (long long)l->num_heads);
  if (size_or(l->kdim, 1) < 1 || size_or(l->vdim, 1) < 1)
    return nx_fail(C, NEAP_EARG, "%s: kdim and vdim must be at least 1",
                   l->m.class_name);
  if (l->dropout >= 0 && l->dropout < 1) return 0;
  return nx_fail(C, NEAP_EARG, "%s: dropout is %g, expected 0 to below 1",
                 l->m.class_name, l->dropout);
}

/* Xavier's even distribution (Glorot and Bengio 2010) */
static int add_weight (nx_ctx *C, nx_module *m, const char *name,
                       nx_tensor **at, int64_t rows, int64_t cols) {
  int64_t shape[2];
  shape[0] = rows;
  shape[1] = cols;
  return nx_parameter(C, m, name, at, 2, shape,
                      sqrt(6.0 / (double)(rows + cols)));
}

/* the output layer, whose bias begins with zeros */
static int add_output (nx_ctx *C, attention_layer *l) {
  char options[128];
  const nx_slot *s;
  nx_tensor *bias;
  snprintf(options, sizeof(options), "in_features=%lld out_features=%lld "
           "bias=%s", (long long)l->embed_dim, (long long)l->embed_dim,
           l->bias ? "true" : "false");
  if (nx_make_child(C, &l->m, "out_proj", "Linear", options))
    return nx_status(C);
  s = nx_module_slot(nx_module_slot(&l->m, "out_proj")->child, "bias");
  bias = s ? nx_slot_tensor(s) : NULL;
  if (bias) memset(bias->data, 0, (size_t)bias->len *
                                  nx_dtype_size(bias->dtype));
  return 0;
}

static int attention_layer_init (nx_ctx *C, nx_module *m) {
  attention_layer *l = (attention_layer *)m;
  int64_t n = l->embed_dim, rows = 3 * n;
  int64_t k = size_or(l->kdim, n), v = size_or(l->vdim, n);
  if (check_options(C, l)) return nx_status(C);
  if (k == n && v == n)
    add_weight(C, m, "in_proj_weight", &l->in_weight, rows, n);
  else {
    add_weight(C, m, "q_proj_weight", &l->weight[0], n, n);
    add_weight(C, m, "k_proj_weight", &l->weight[1], n, k);
    add_weight(C, m, "v_proj_weight", &l->weight[2], n, v);
  }
  if (l->bias)
    nx_parameter(C, m, "in_proj_bias", &l->in_bias, 1, &rows, 0);
  return nx_status(C) ? nx_status(C) : add_output(C, l);
}


/*
** A call: (batch, steps, features) inside.
*/
static nx_tensor *as_batch (nx_ctx *C, const attention_layer *l,
                            nx_tensor *x) {
  if (x->ndim == 2) return nx_unsqueeze(C, x, 0);
  return l->batch_first ? x : nx_transpose(C, x, 0, 1);
}

static int check_vectors (nx_ctx *C, const nx_tensor *x, const char *name,
                          int ndim, int64_t size) {
  char text[NX_SHAPE_TEXT];
  if ((x->ndim == 2 || x->ndim == 3) && x->ndim == ndim &&
      x->shape[ndim - 1] == size) return 0;
  return nx_fail(C, NEAP_ESHAPE, "%s is %s, expected %d dimensions, the last "
                 "one of %lld features", name, nx_shape_of(x, text),
                 ndim == 2 ? 2 : 3, (long long)size);
}

/* part i (query, key, value) of the projections, (batch, steps, embed) */
static nx_tensor *projected (nx_ctx *C, const attention_layer *l,
                             nx_tensor *x, int i) {
  int64_t n = l->embed_dim;
  nx_tensor *w = l->weight[i], *b = NULL;
  if (l->in_weight) w = nx_narrow(C, l->in_weight, 0, i * n, n);
  if (l->in_bias) b = nx_narrow(C, l->in_bias, 0, i * n, n);
  return w ? nx_linear(C, x, w, b, NX_NONE) : NULL;
}

/* (batch, steps, embed) to (batch, heads, steps, size) */
static nx_tensor *in_heads (nx_ctx *C, const attention_layer *l,
                            nx_tensor *x) {
  int64_t shape[4];
  if (x == NULL) return NULL;
  shape[0] = x->shape[0];
  shape[1] = x->shape[1];
  shape[2] = l->num_heads;
  shape[3] = l->embed_dim / l->num_heads;
  x = nx_reshape(C, x, 4, shape);
  return x ? nx_transpose(C, x, 1, 2) : NULL;
}

/* self-attention is one product for all three */
static int project_all (nx_ctx *C, const attention_layer *l,
                        nx_tensor *const *x, nx_tensor **out) {
  nx_tensor *all = NULL;
  int64_t n = l->embed_dim;
  if (l->in_weight && x[1] == x[0] && x[2] == x[0])
    all = nx_linear(C, x[0], l->in_weight, l->in_bias, NX_NONE);
  for (int i = 0; i < 3 && nx_status(C) == 0; i++)
    out[i] = in_heads(C, l, all ? nx_narrow(C, all, -1, i * n, n)
                                : projected(C, l, x[i], i));
  return nx_status(C);
}


/* a mask whose bool means "not" as numbers to add; numbers as they are */
static nx_tensor *added (nx_ctx *C, nx_tensor *mask, int dtype) {
  nx_tensor *t;
  if (mask->dtype != NEAP_BOOL) return mask;
  mask = nx_dense(C, mask);
  t = mask ? nx_new(C, dtype, mask->ndim, mask->shape) : NULL;
  for (int64_t i = 0; t && i < mask->len; i++)
    nx_put_number(t, t->data + i * (int64_t)nx_dtype_size(dtype),
                  mask->data[i] ? -HUGE_VAL : 0);
  return t;
}

/* (queries, keys), or (batch heads, queries, keys), to be broadcast */
static nx_tensor *look_mask (nx_ctx *C, const attention_layer *l,
                             nx_tensor *m, int64_t batch, int64_t queries,
                             int64_t keys) {
  int64_t shape[4], n = m->ndim;
  char text[NX_SHAPE_TEXT];
  shape[0] = batch;
  shape[1] = l->num_heads;
  shape[2] = queries;
  shape[3] = keys;
  if ((n == 2 || (n == 3 && m->shape[0] == batch * l->num_heads)) &&
      m->shape[n - 2] == queries && m->shape[n - 1] == keys)
    return n == 2 ? m : nx_reshape(C, m, 4, shape);
  nx_fail(C, NEAP_ESHAPE, "attn_mask is %s, expected %lldx%lld, or "
          "%lldx%lldx%lld (batch * heads)", nx_shape_of(m, text),
          (long long)queries, (long long)keys,
          (long long)(batch * l->num_heads), (long long)queries,
          (long long)keys);
  return NULL;
}

/* (batch, keys) to (batch, 1, 1, keys) */
static nx_tensor *padding_mask (nx_ctx *C, nx_tensor *m, int64_t batch,
                                int64_t keys) {
  int64_t shape[4] = {0, 1, 1, 0};
  char text[NX_SHAPE_TEXT];
  shape[0] = batch;
  shape[3] = keys;
  if (m->ndim == 1 && batch == 1) m = nx_unsqueeze(C, m, 0);
  if (m && m->ndim == 2 && m->shape[0] == batch && m->shape[1] == keys)
    return nx_reshape(C, m, 4, shape);
  if (m) nx_fail(C, NEAP_ESHAPE, "key_padding_mask is %s, expected %lldx%lld",
                 nx_shape_of(m, text), (long long)batch, (long long)keys);
  return NULL;
}

/* both masks as one; *mask stays NULL where there is none */
static int join_masks (nx_ctx *C, const attention_layer *l, nx_tensor *look,
                       nx_tensor *pad, nx_tensor *const *heads,
                       nx_tensor **mask) {
  int64_t batch = heads[0]->shape[0], queries = heads[0]->shape[2];
  int64_t keys = heads[1]->shape[2];
  int dtype = heads[0]->dtype;
  *mask = NULL;
  if (look) {
    look = look_mask(C, l, look, batch, queries, keys);
    *mask = look ? added(C, look, dtype) : NULL;
  }
  if (pad && nx_status(C) == 0) {
    pad = padding_mask(C, pad, batch, keys);
    pad = pad ? added(C, pad, dtype) : NULL;
    *mask = pad && *mask ? nx_add(C, *mask, pad) : pad;
  }
  return nx_status(C);
}

static nx_tensor *from_heads (nx_ctx *C, const attention_layer *l,
                              nx_tensor *y) {
  int64_t shape[3];
  shape[0] = y->shape[0];
  shape[1] = y->shape[2];
  shape[2] = l->embed_dim;
  y = nx_transpose(C, y, 1, 2);
  return y ? nx_reshape(C, y, 3, shape) : NULL;
}

static nx_tensor *attention_layer_forward (nx_ctx *C, nx_module *m,
                                           nx_tensor *const *in) {
  attention_layer *l = (attention_layer *)m;
  nx_tensor *x[3], *heads[3], *mask, *y;
  int ndim = in[0]->ndim;
  x[0] = in[0];
  x[1] = in[1] ? in[1] : in[0];
  x[2] = in[2] ? in[2] : x[1];
  if (check_vectors(C, x[0], "query", ndim, l->embed_dim) ||
      check_vectors(C, x[1], "key", ndim, size_or(l->kdim, l->embed_dim)) ||
      check_vectors(C, x[2], "value", ndim, size_or(l->vdim, l->embed_dim)))
    return NULL;
  {
    nx_tensor *q = as_batch(C, l, x[0]);
    nx_tensor *k = x[1] == x[0] ? q : as_batch(C, l, x[1]);
    x[2] = x[2] == x[0] ? q : x[2] == x[1] ? k : as_batch(C, l, x[2]);
    x[0] = q;
    x[1] = k;
  }
  if (nx_status(C) || project_all(C, l, x, heads) ||
      join_masks(C, l, in[3], in[4], heads, &mask)) return NULL;
  y = nx_sdpa(C, heads[0], heads[1], heads[2], mask, 0,
              m->training ? l->dropout : 0);
  y = y ? from_heads(C, l, y) : NULL;
  y = y ? nx_call_child(C, m, "out_proj", 1, &y) : NULL;
  if (y == NULL || ndim == 2) return y ? nx_select(C, y, 0, 0) : NULL;
  return l->batch_first ? y : nx_transpose(C, y, 0, 1);
}

const nx_layer nx_layer_multihead_attention = {
  .name = "MultiheadAttention",
  .doc = "Attention of several heads: query (steps, batch, embed_dim) to key "
         "and value (itself, unless given). Masks of bool are true where a "
         "key may not be looked at (key_padding_mask: of each sequence).",
  .inputs = "query key? value? attn_mask? key_padding_mask?",
  .fields = attention_layer_fields, .size = sizeof(attention_layer),
  .init = attention_layer_init, .forward = attention_layer_forward
};
