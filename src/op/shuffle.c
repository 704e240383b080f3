/*
** Channels that become places of an image, and back; groups of channels
** that mix.
*/
#include <string.h>
#include "op/composed.h"

typedef struct shuffle_args { int64_t factor; } shuffle_args;

#define FACTOR(id, name, doc) \
static const nx_field id##_fields[] = { \
  {name, NX_KIND_INT, offsetof(shuffle_args, factor), NX_REQUIRED, NULL, \
   doc}, NX_END \
};

FACTOR(up, "upscale_factor", "how many times as high and wide")
FACTOR(down, "downscale_factor", "how many times as low and narrow")
FACTOR(mix, "groups", "groups of channels that are dealt out")


/* x as (batch..., channels, height, width); the channels' dimension, or -1 */
static int channels_of (nx_ctx *C, nx_node *n, int least) {
  const nx_tensor *x = n->in[0];
  char text[NX_SHAPE_TEXT];
  if (x->ndim >= least && x->ndim + 2 <= NEAP_MAXDIM &&
      ((shuffle_args *)n->a)->factor >= 1 &&
      ((shuffle_args *)n->a)->factor <= INT16_MAX) return x->ndim - 3;
  nx_op_fail(C, n, NEAP_ESHAPE, "x is %s and %s %lld; expected (..., "
             "channels, height, width) and 1 to 32767", nx_shape_of(x, text),
             n->op->fields[0].name,
             (long long)((shuffle_args *)n->a)->factor);
  return -1;
}

/* dimension d of the shape becomes two */
static void part (int64_t *shape, int *ndim, int d, int64_t a, int64_t b) {
  memmove(shape + d + 1, shape + d,
          (size_t)(*ndim - d) * sizeof(*shape));
  shape[d] = a;
  shape[d + 1] = b;
  ++*ndim;
}

static nx_tensor *moved (nx_ctx *C, nx_tensor *x, int first,
                         const int64_t *tail, int ntail) {
  nx_ints order = {0, {0}};
  for (int d = 0; d < first; d++) order.v[order.n++] = d;
  for (int i = 0; i < ntail; i++) order.v[order.n++] = first + tail[i];
  return nx_permute(C, x, order);
}


/* (C r^2, H, W) -> (C, r, r, H, W) -> (C, H, r, W, r) -> (C, H r, W r) */
static int pixel_shuffle_compose (nx_ctx *C, nx_node *n) {
  static const int64_t order[] = {0, 3, 1, 4, 2};
  int64_t r = ((shuffle_args *)n->a)->factor, shape[NEAP_MAXDIM];
  nx_tensor *x = n->in[0], *y;
  int c = channels_of(C, n, 3), ndim = x->ndim;
  if (c < 0) return nx_status(C);
  if (x->shape[c] % (r * r))
    return nx_op_fail(C, n, NEAP_ESHAPE, "%lld channels are no multiple of "
                      "%lld^2", (long long)x->shape[c], (long long)r);
  memcpy(shape, x->shape, sizeof(shape));
  part(shape, &ndim, c, x->shape[c] / (r * r), r * r);
  part(shape, &ndim, c + 1, r, r);
  y = moved(C, nx_reshape(C, x, ndim, shape), c, order, 5);
  shape[c + 1] = x->shape[c + 1] * r;
  shape[c + 2] = x->shape[c + 2] * r;
  return nx_composed(C, n, nx_reshape(C, y, x->ndim, shape));
}

const nx_op nx_op_pixel_shuffle = {
  .name = "pixel_shuffle",
  .doc = "Groups of r^2 channels become images r times as large (Shi et al. "
         "2016).",
  .inputs = "x", .outputs = "y", .fields = up_fields,
  .argsize = sizeof(shuffle_args), .compose = pixel_shuffle_compose
};


/* (C, H r, W r) -> (C, H, r, W, r) -> (C, r, r, H, W) -> (C r^2, H, W) */
static int pixel_unshuffle_compose (nx_ctx *C, nx_node *n) {
  static const int64_t order[] = {0, 2, 4, 1, 3};
  int64_t r = ((shuffle_args *)n->a)->factor, shape[NEAP_MAXDIM];
  nx_tensor *x = n->in[0], *y;
  int c = channels_of(C, n, 3), ndim = x->ndim;
  char text[NX_SHAPE_TEXT];
  if (c < 0) return nx_status(C);
  if (x->shape[c + 1] % r || x->shape[c + 2] % r)
    return nx_op_fail(C, n, NEAP_ESHAPE, "x is %s, whose height and width are "
                      "no multiples of %lld", nx_shape_of(x, text),
                      (long long)r);
  memcpy(shape, x->shape, sizeof(shape));
  part(shape, &ndim, c + 2, x->shape[c + 2] / r, r);
  part(shape, &ndim, c + 1, x->shape[c + 1] / r, r);
  y = moved(C, nx_reshape(C, x, ndim, shape), c, order, 5);
  memcpy(shape, x->shape, sizeof(shape));
  shape[c] *= r * r;
  shape[c + 1] /= r;
  shape[c + 2] /= r;
  return nx_composed(C, n, nx_reshape(C, y, x->ndim, shape));
}

const nx_op nx_op_pixel_unshuffle = {
  .name = "pixel_unshuffle",
  .doc = "Squares of r x r places become channels: pixel_shuffle undone.",
  .inputs = "x", .outputs = "y", .fields = down_fields,
  .argsize = sizeof(shuffle_args), .compose = pixel_unshuffle_compose
};


/* (C, ...) -> (groups, C / groups, ...) -> (C / groups, groups, ...) */
static int channel_shuffle_compose (nx_ctx *C, nx_node *n) {
  int64_t g = ((shuffle_args *)n->a)->factor, shape[NEAP_MAXDIM];
  nx_tensor *x = n->in[0], *y;
  int ndim = x->ndim;
  if (ndim < 2 || ndim == NEAP_MAXDIM || g < 1 || x->shape[1] % g)
    return nx_op_fail(C, n, NEAP_ESHAPE, "x has %d dimensions and %lld "
                      "channels, which cannot be divided into %lld groups",
                      ndim, (long long)(ndim > 1 ? x->shape[1] : 0),
                      (long long)g);
  memcpy(shape, x->shape, sizeof(shape));
  part(shape, &ndim, 1, g, x->shape[1] / g);
  y = nx_transpose(C, nx_reshape(C, x, ndim, shape), 1, 2);
  return nx_composed(C, n, nx_reshape(C, y, x->ndim, x->shape));
}

const nx_op nx_op_channel_shuffle = {
  .name = "channel_shuffle",
  .doc = "Channels of groups dealt out in turn (Zhang et al. 2018).",
  .inputs = "x", .outputs = "y", .fields = mix_fields,
  .argsize = sizeof(shuffle_args), .compose = channel_shuffle_compose
};
