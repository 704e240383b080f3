/*
** conv1d, conv2d, conv3d and conv_transpose1d, 2d, 3d: what users call.
** They check, complete their options and call the sums of convolve.c.
*/
#include <stdio.h>
#include <string.h>
#include "op/composed.h"
#include "op/convolution.h"
#include "op/image.h"

enum { X, W, B };

#define CONV_FIELDS \
  NX_INTS(nx_conv_args, stride, 1, "places between results")
#define GROUPS \
  NX_INT(nx_conv_args, groups, 1, "groups of channels that do not meet")
#define DILATION \
  NX_INTS(nx_conv_args, dilation, 1, "places between taps of the kernel")
#define ACTIVATION \
  NX_ENUM(nx_conv_args, activation, NX_ACTIVATIONS, NX_NONE, \
          "what follows: none, relu, tanh, sigmoid")

static const nx_field conv_fields[] = {
  CONV_FIELDS,
  NX_INTS_OR(nx_conv_args, padding, NX_PADDING_WORDS, 0,
             "zeros on both sides, or same: the result has the size of x"),
  DILATION, GROUPS, ACTIVATION, NX_END
};

static const nx_field conv_transpose_fields[] = {
  CONV_FIELDS,
  NX_INTS(nx_conv_args, padding, 0, "places that are cut off on both sides"),
  NX_INTS(nx_conv_args, output_padding, 0, "places more at the end"),
  GROUPS, DILATION, NX_END
};


/* what x should be, in words */
static const char *wanted (int dims, int64_t channels, char *out,
                           size_t room) {
  static const char *const sizes[] = {"length", "height, width",
                                      "depth, height, width"};
  snprintf(out, room, "(batch, %lld, %s) or (%lld, %s)", (long long)channels,
           sizes[dims - 1], (long long)channels, sizes[dims - 1]);
  return out;
}

static int check_types (nx_ctx *C, const nx_node *n) {
  const nx_tensor *x = n->in[X], *w = n->in[W];
  const nx_tensor *b = n->nin > B ? n->in[B] : NULL;
  if (nx_want_float(C, n, X) || nx_want_float(C, n, W)) return nx_status(C);
  if (x->dtype != w->dtype || (b && b->dtype != w->dtype))
    return nx_op_fail(C, n, NEAP_EDTYPE, "x is %s, but the weights are %s",
                      nx_dtype_name(x->dtype), nx_dtype_name(w->dtype));
  return 0;
}

/* 'in' channels of x, 'out' of the result, 'divided' of them in groups */
static int check_shapes (nx_ctx *C, const nx_node *n, int64_t groups,
                         int64_t in, int64_t out) {
  const nx_tensor *x = n->in[X], *w = n->in[W];
  const nx_tensor *b = n->nin > B ? n->in[B] : NULL;
  int dims = nx_image_dims(n), lead = x->ndim - dims;
  char have[NX_SHAPE_TEXT], weight[NX_SHAPE_TEXT], want[120];
  if (groups < 1 || w->shape[0] % groups != 0)
    return nx_op_fail(C, n, NEAP_ESHAPE, "weight (%s) cannot be divided into "
                      "%lld groups", nx_shape_of(w, weight),
                      (long long)groups);
  if (lead < 1 || lead > 2 || x->shape[lead - 1] != in)
    return nx_op_fail(C, n, NEAP_ESHAPE, "x is %s, expected %s (weight is "
                      "%s)", nx_shape_of(x, have),
                      wanted(dims, in, want, sizeof(want)),
                      nx_shape_of(w, weight));
  if (b && (b->ndim != 1 || b->len != out))
    return nx_op_fail(C, n, NEAP_ESHAPE, "bias is %s, expected %lld",
                      nx_shape_of(b, have), (long long)out);
  return 0;
}

static int check_weight (nx_ctx *C, const nx_node *n) {
  const nx_tensor *w = n->in[W];
  char text[NX_SHAPE_TEXT];
  if (w->ndim != nx_image_dims(n) + 2 || w->len == 0)
    return nx_op_fail(C, n, NEAP_ESHAPE, "weight is %s, expected %d "
                      "dimensions that are not empty", nx_shape_of(w, text),
                      nx_image_dims(n) + 2);
  return check_types(C, n);
}


/* x with a batch, as the sums want it */
static nx_tensor *batched (nx_ctx *C, const nx_node *n) {
  nx_tensor *x = n->in[X];
  return x->ndim == nx_image_dims(n) + 1 ? nx_unsqueeze(C, x, 0) : x;
}

static int finish (nx_ctx *C, nx_node *n, nx_tensor *y) {
  if (y && n->in[X]->ndim == nx_image_dims(n) + 1) y = nx_select(C, y, 0, 0);
  return nx_composed(C, n, y);
}


/*
** size = (x + padding on both sides - reach of the kernel) / stride + 1;
** "same" needs d (k - 1) in all, the odd one at the end.
*/
static int result_size (nx_ctx *C, const nx_node *n, const nx_conv_args *a,
                        convolution_args *c) {
  const nx_tensor *x = n->in[X], *w = n->in[W];
  int dims = nx_image_dims(n), same = a->padding.n == NX_PADDING_SAME;
  char have[NX_SHAPE_TEXT], kernel[NX_SHAPE_TEXT];
  for (int d = 0; d < dims; d++) {
    int64_t in = x->shape[x->ndim - dims + d];
    int64_t reach = (w->shape[2 + d] - 1) * c->dilation.v[d];
    if (same && c->stride.v[d] != 1)
      return nx_op_fail(C, n, NEAP_EARG, "padding \"same\" needs a stride of "
                        "1");
    if (same) c->padding.v[d] = reach / 2;
    in += same ? reach : 2 * c->padding.v[d];
    if (in < reach + 1)
      return nx_op_fail(C, n, NEAP_ESHAPE, "the kernel (%s) does not fit into "
                        "x (%s) with this padding",
                        nx_shape_text(dims, w->shape + 2, kernel),
                        nx_shape_of(x, have));
    c->size.v[d] = (in - reach - 1) / c->stride.v[d] + 1;
  }
  return 0;
}

static int complete (nx_ctx *C, const nx_node *n, const nx_conv_args *a,
                     convolution_args *c) {
  nx_ints none = {1, {0}};
  memset(c, 0, sizeof(*c));
  c->stride = a->stride;
  c->padding = a->padding.n < 0 ? none : a->padding;
  c->dilation = a->dilation;
  c->size.n = nx_image_dims(n);
  c->groups = a->groups;
  c->activation = a->activation;
  if (nx_image_widen(C, n, "stride", &c->stride, 1) ||
      nx_image_widen(C, n, "padding", &c->padding, 0) ||
      nx_image_widen(C, n, "dilation", &c->dilation, 1)) return nx_status(C);
  return 0;
}

static int conv_compose (nx_ctx *C, nx_node *n) {
  const nx_conv_args *a = n->a;
  nx_tensor *w = n->in[W], *b = n->nin > B ? n->in[B] : NULL;
  convolution_args c;
  if (check_weight(C, n) || complete(C, n, a, &c) ||
      check_shapes(C, n, a->groups, w->shape[1] * a->groups, w->shape[0]) ||
      result_size(C, n, a, &c)) return nx_status(C);
  return finish(C, n, nx_convolve(C, batched(C, n), w, b, &c));
}


/* size = (x - 1) stride - 2 padding + reach of the kernel + output_padding */
static int image_size (nx_ctx *C, const nx_node *n, nx_ints more,
                       convolution_args *c) {
  const nx_tensor *x = n->in[X], *w = n->in[W];
  int dims = nx_image_dims(n);
  char have[NX_SHAPE_TEXT];
  if (nx_image_widen(C, n, "output_padding", &more, 0)) return nx_status(C);
  for (int d = 0; d < dims; d++) {
    int64_t in = x->shape[x->ndim - dims + d];
    if (more.v[d] >= c->stride.v[d] && more.v[d] >= c->dilation.v[d])
      return nx_op_fail(C, n, NEAP_EARG, "output_padding is %lld, expected "
                        "less than the stride or the dilation",
                        (long long)more.v[d]);
    c->size.v[d] = (in - 1) * c->stride.v[d] - 2 * c->padding.v[d] +
                   (w->shape[2 + d] - 1) * c->dilation.v[d] + more.v[d] + 1;
    if (in < 1 || c->size.v[d] < 1)
      return nx_op_fail(C, n, NEAP_ESHAPE, "nothing is left of x (%s) with "
                        "this padding", nx_shape_of(x, have));
  }
  return 0;
}

static int conv_transpose_compose (nx_ctx *C, nx_node *n) {
  const nx_conv_args *a = n->a;
  nx_tensor *w = n->in[W], *b = n->nin > B ? n->in[B] : NULL, *y;
  int64_t shape[NEAP_MAXDIM] = {1, 1, 1, 1, 1};
  convolution_args c;
  if (check_weight(C, n) || complete(C, n, a, &c) ||
      check_shapes(C, n, a->groups, w->shape[0], w->shape[1] * a->groups) ||
      image_size(C, n, a->output_padding, &c)) return nx_status(C);
  y = nx_convolve_image(C, batched(C, n), w, &c);
  if (y && b) {
    shape[1] = b->len;
    y = ADD(y, nx_reshape(C, b, y->ndim, shape));
  }
  return finish(C, n, y);
}


#define CONV(id, sizes) \
const nx_op nx_op_##id = { \
  .name = #id, \
  .doc = "The sum of a kernel over each place of x (batch, channels, " \
         sizes "), plus bias; weight is (out, in / groups, " sizes ").", \
  .inputs = "x weight bias?", .outputs = "y", .fields = conv_fields, \
  .argsize = sizeof(nx_conv_args), .compose = conv_compose \
};

CONV(conv1d, "length")
CONV(conv2d, "height, width")
CONV(conv3d, "depth, height, width")

#define TRANSPOSED(id, sizes) \
const nx_op nx_op_##id = { \
  .name = #id, \
  .doc = "Each element of x (batch, channels, " sizes ") times a kernel, " \
         "added where they meet; weight is (in, out / groups, " sizes ").", \
  .inputs = "x weight bias?", .outputs = "y", \
  .fields = conv_transpose_fields, .argsize = sizeof(nx_conv_args), \
  .compose = conv_transpose_compose \
};

TRANSPOSED(conv_transpose1d, "length")
TRANSPOSED(conv_transpose2d, "height, width")
TRANSPOSED(conv_transpose3d, "depth, height, width")


/* 'in': x, weight and bias (or NULL) */
OPFN nx_tensor *nx_conv (nx_ctx *C, int dims, int transposed,
                         nx_tensor *const *in, const nx_conv_args *args) {
  static const nx_op *const ops[2][3] = {
    {&nx_op_conv1d, &nx_op_conv2d, &nx_op_conv3d},
    {&nx_op_conv_transpose1d, &nx_op_conv_transpose2d,
     &nx_op_conv_transpose3d}};
  nx_conv_args a = *args;
  return nx_apply(C, ops[transposed][dims - 1], &a, 3, in);
}
