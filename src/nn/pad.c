/*
** Padding layers: pad, with the number of dimensions and the mode in their
** names.
*/
#include <string.h>
#include "nn/module.h"

enum { CONSTANT, REFLECT, REPLICATE, CIRCULAR };   /* as modes of pad */

typedef struct pad_layer {
  nx_module m;
  nx_ints padding;
  double value;
} pad_layer;

#define PADDING \
  NX_INTS(pad_layer, padding, NX_REQUIRED, \
          "on all sides; or before and after the last dimension, then the " \
          "one before it ...")

static const nx_field pad_layer_fields[] = {PADDING, NX_END};

static const nx_field constant_pad_fields[] = {
  PADDING, NX_NUMBER(pad_layer, value, 0, "new elements"), NX_END
};

static int dims_of (const nx_module *m) {
  return m->layer->name[strlen(m->layer->name) - 2] - '0';
}

static int pad_layer_init (nx_ctx *C, nx_module *m) {
  nx_ints *p = &((pad_layer *)m)->padding;
  int dims = dims_of(m);
  if (p->n == 1)
    while (p->n < 2 * dims) p->v[p->n++] = p->v[0];
  if (p->n == 2 * dims) return 0;
  return nx_fail(C, NEAP_EARG, "%s: padding has %d entries, expected 1 or %d",
                 m->class_name, p->n, 2 * dims);
}

static nx_tensor *padded (nx_ctx *C, nx_module *m, nx_tensor *x, int mode) {
  const pad_layer *l = (const pad_layer *)m;
  nx_list pad = {l->padding.n, {0}};
  char text[NX_SHAPE_TEXT];
  int dims = dims_of(m);
  if (x->ndim < dims + 1 || x->ndim > dims + 2) {
    nx_fail(C, NEAP_ESHAPE, "x is %s, expected channels and %d dimensions, "
            "with or without a batch", nx_shape_of(x, text), dims);
    return NULL;
  }
  memcpy(pad.v, l->padding.v, (size_t)pad.n * sizeof(*pad.v));
  return nx_pad(C, x, pad, mode, l->value);
}

#define PAD(id, title, options, mode, text) \
static nx_tensor *id##_layer_forward (nx_ctx *C, nx_module *m, \
                                nx_tensor *const *in) { \
  return padded(C, m, in[0], mode); \
} \
const nx_layer nx_layer_##id = { \
  .name = title, .doc = text, .inputs = "x", .fields = options, \
  .size = sizeof(pad_layer), .init = pad_layer_init, \
  .forward = id##_layer_forward \
};

#define CONSTANT_PAD(id, title) \
PAD(id, title, constant_pad_fields, CONSTANT, "A number around images.")
#define ZERO_PAD(id, title) \
PAD(id, title, pad_layer_fields, CONSTANT, "Zeros around images.")
#define REFLECTION_PAD(id, title) \
PAD(id, title, pad_layer_fields, REFLECT, "Images mirrored at their edges.")
#define REPLICATION_PAD(id, title) \
PAD(id, title, pad_layer_fields, REPLICATE, "The edges of images go on.")
#define CIRCULAR_PAD(id, title) \
PAD(id, title, pad_layer_fields, CIRCULAR, "Images that go round.")

CONSTANT_PAD(constant_pad1d, "ConstantPad1d")
CONSTANT_PAD(constant_pad2d, "ConstantPad2d")
CONSTANT_PAD(constant_pad3d, "ConstantPad3d")
ZERO_PAD(zero_pad1d, "ZeroPad1d")
ZERO_PAD(zero_pad2d, "ZeroPad2d")
ZERO_PAD(zero_pad3d, "ZeroPad3d")
REFLECTION_PAD(reflection_pad1d, "ReflectionPad1d")
REFLECTION_PAD(reflection_pad2d, "ReflectionPad2d")
REFLECTION_PAD(reflection_pad3d, "ReflectionPad3d")
REPLICATION_PAD(replication_pad1d, "ReplicationPad1d")
REPLICATION_PAD(replication_pad2d, "ReplicationPad2d")
REPLICATION_PAD(replication_pad3d, "ReplicationPad3d")
CIRCULAR_PAD(circular_pad1d, "CircularPad1d")
CIRCULAR_PAD(circular_pad2d, "CircularPad2d")
CIRCULAR_PAD(circular_pad3d, "CircularPad3d")
