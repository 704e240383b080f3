/*
** Convolutions and transposed convolutions as layers.
*/
#include <math.h>
#include <string.h>
#include "nn/module.h"

enum { ZEROS, REFLECT, REPLICATE, CIRCULAR };      /* as modes of pad */

typedef struct conv_layer {
  nx_module m;
  int64_t in_channels, out_channels;
  nx_ints kernel_size, stride, padding, output_padding, dilation;
  int64_t groups;
  int bias, padding_mode;
  nx_tensor *weight, *b;       /* owned by 'm' */
} conv_layer;

#define CHANNELS \
  NX_INT(conv_layer, in_channels, NX_REQUIRED, "channels of x"), \
  NX_INT(conv_layer, out_channels, NX_REQUIRED, "channels of the result"), \
  NX_INTS(conv_layer, kernel_size, NX_REQUIRED, "sizes of the kernel"), \
  NX_INTS(conv_layer, stride, 1, "places between results")
#define GROUPS \
  NX_INT(conv_layer, groups, 1, "groups of channels that do not meet"), \
  NX_BOOL(conv_layer, bias, 1, "learn an additive bias")
#define DILATION \
  NX_INTS(conv_layer, dilation, 1, "places between taps of the kernel")

static const nx_field conv_layer_fields[] = {
  CHANNELS,
  NX_INTS_OR(conv_layer, padding, NX_PADDING_WORDS, 0,
             "what is added on both sides, or same: the result has the size "
             "of x"),
  DILATION, GROUPS,
  NX_ENUM(conv_layer, padding_mode, "zeros reflect replicate circular",
          ZEROS, "what is added"),
  NX_END
};

static const nx_field conv_transpose_layer_fields[] = {
  CHANNELS,
  NX_INTS(conv_layer, padding, 0, "places that are cut off on both sides"),
  NX_INTS(conv_layer, output_padding, 0, "places more at the end"),
  GROUPS, DILATION, NX_END
};


/* from the layer's name: Conv2d, ConvTranspose2d */
static int is_transposed (const nx_module *m) {
  return strncmp(m->layer->name, "ConvTranspose", 13) == 0;
}

static int dims_of (const nx_module *m) {
  return m->layer->name[strlen(m->layer->name) - 2] - '0';
}


static int check_options (nx_ctx *C, const nx_module *m) {
  const conv_layer *l = (const conv_layer *)m;
  int dims = dims_of(m);
  if (l->in_channels < 1 || l->out_channels < 1 || l->groups < 1 ||
      l->in_channels % l->groups || l->out_channels % l->groups)
    return nx_fail(C, NEAP_EARG, "%s: %lld channels to %lld cannot be divided "
                   "into %lld groups", m->class_name,
                   (long long)l->in_channels, (long long)l->out_channels,
                   (long long)l->groups);
  if (l->kernel_size.n != 1 && l->kernel_size.n != dims)
    return nx_fail(C, NEAP_EARG, "%s: kernel_size has %d entries, expected 1 "
                   "or %d", m->class_name, l->kernel_size.n, dims);
  if (l->padding_mode != ZEROS && l->padding.n > 1 && l->padding.n != dims)
    return nx_fail(C, NEAP_EARG, "%s: padding has %d entries, expected 1 or "
                   "%d", m->class_name, l->padding.n, dims);
  for (int i = 0; i < l->kernel_size.n; i++)
    if (l->kernel_size.v[i] < 1)
      return nx_fail(C, NEAP_EARG, "%s: kernel_size is %lld, expected at "
                     "least 1", m->class_name,
                     (long long)l->kernel_size.v[i]);
  return 0;
}

/*
** PyTorch's default: even in +-1 / sqrt(fan_in), where the fan of a
** transposed kernel is that of its second size.
*/
static int conv_layer_init (nx_ctx *C, nx_module *m) {
  conv_layer *l = (conv_layer *)m;
  int dims = dims_of(m), transposed = is_transposed(m);
  int64_t shape[NEAP_MAXDIM];
  double bound;
  if (check_options(C, m)) return nx_status(C);
  shape[0] = transposed ? l->in_channels : l->out_channels;
  shape[1] = (transposed ? l->out_channels : l->in_channels) / l->groups;
  bound = (double)shape[1];
  for (int d = 0; d < dims; d++) {
    shape[2 + d] = l->kernel_size.v[l->kernel_size.n == 1 ? 0 : d];
    bound *= (double)shape[2 + d];
  }
  bound = 1 / sqrt(bound);
  nx_parameter(C, m, "weight", &l->weight, dims + 2, shape, bound);
  if (l->bias) nx_parameter(C, m, "bias", &l->b, 1, &l->out_channels, bound);
  return nx_status(C);
}


/* how many elements mode 'padding_mode' adds before and after dimension d */
static int64_t added (const conv_layer *l, int d, int after) {
  int64_t k = l->weight->shape[2 + d] - 1;
  int64_t dilation = l->dilation.v[l->dilation.n == 1 ? 0 : d];
  if (l->padding.n == NX_PADDING_VALID) return 0;
  if (l->padding.n == NX_PADDING_SAME)
    return after ? k * dilation - k * dilation / 2 : k * dilation / 2;
  return l->padding.v[l->padding.n == 1 ? 0 : d];
}

/* x with what a mode other than zeros adds around it */
static nx_tensor *surrounded (nx_ctx *C, const conv_layer *l, nx_tensor *x) {
  int dims = dims_of(&l->m);
  nx_list pad = {2 * dims, {0}};
  for (int d = 0; d < dims; d++) {
    pad.v[2 * (dims - 1 - d)] = added(l, d, 0);
    pad.v[2 * (dims - 1 - d) + 1] = added(l, d, 1);
  }
  return nx_pad(C, x, pad, l->padding_mode, 0);
}

static nx_tensor *conv_layer_forward_act (nx_ctx *C, nx_module *m,
                                          nx_tensor *const *in,
                                          int activation) {
  conv_layer *l = (conv_layer *)m;
  nx_tensor *x = in[0];
  nx_conv_args a = {l->stride, l->padding, l->output_padding, l->dilation,
                    l->groups, activation};
  if (l->padding_mode != ZEROS) {
    x = surrounded(C, l, x);
    a.padding.n = NX_PADDING_VALID;
    if (x == NULL) return NULL;
  }
  return nx_conv(C, dims_of(m), is_transposed(m),
                 (nx_tensor *[]){x, l->weight, l->b}, &a);
}

static nx_tensor *conv_layer_forward (nx_ctx *C, nx_module *m,
                                      nx_tensor *const *in) {
  return conv_layer_forward_act(C, m, in, NX_NONE);
}

#define CONV(id, title, sizes) \
const nx_layer nx_layer_##id = { \
  .name = title, \
  .doc = "The sum of a learned kernel over each place of x (batch, " \
         "channels, " sizes ") or (channels, " sizes ").", \
  .inputs = "x", .fields = conv_layer_fields, .size = sizeof(conv_layer), \
  .init = conv_layer_init, .forward = conv_layer_forward, \
  .forward_act = conv_layer_forward_act \
};

CONV(conv_1d, "Conv1d", "length")
CONV(conv_2d, "Conv2d", "height, width")
CONV(conv_3d, "Conv3d", "depth, height, width")

#define TRANSPOSED(id, title, sizes) \
const nx_layer nx_layer_##id = { \
  .name = title, \
  .doc = "Each element of x (batch, channels, " sizes ") or (channels, " \
         sizes ") times a learned kernel, added where they meet.", \
  .inputs = "x", .fields = conv_transpose_layer_fields, \
  .size = sizeof(conv_layer), .init = conv_layer_init, \
  .forward = conv_layer_forward \
};

TRANSPOSED(conv_transpose_1d, "ConvTranspose1d", "length")
TRANSPOSED(conv_transpose_2d, "ConvTranspose2d", "height, width")
TRANSPOSED(conv_transpose_3d, "ConvTranspose3d", "depth, height, width")
