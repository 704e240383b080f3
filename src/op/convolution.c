/*
** What the three sums of a convolution share: their arguments, the lattice
** of a node, weights, and how images are cut.
*/
#include "op/convolution.h"
#include "op/image.h"
#include "tensor/dtype.h"

/* Multiply-adds of a piece, and bytes of its lattice. */
#define PIECE 2e6
#define PIECE_BYTES 0x1p19

const nx_field nx_convolution_fields[] = {
  NX_INTS(convolution_args, stride, NX_REQUIRED, "places between results"),
  NX_INTS(convolution_args, padding, NX_REQUIRED, "zeros before the image"),
  NX_INTS(convolution_args, dilation, NX_REQUIRED, "places between taps"),
  NX_INTS(convolution_args, size, NX_REQUIRED, "sizes that the sum makes"),
  NX_INT(convolution_args, groups, 1, "groups of channels"),
  NX_ENUM(convolution_args, activation, NX_ACTIVATIONS, NX_NONE,
          "what follows: none, relu, tanh, sigmoid"),
  NX_END
};


static int64_t spatial (const nx_tensor *t, int d) {
  int i = d - (3 - (t->ndim - 2));
  return i < 0 ? 1 : t->shape[2 + i];
}

int nx_convolution_lists (nx_ctx *C, const nx_node *n, int dims) {
  const convolution_args *a = n->a;
  if (a->stride.n != dims || a->padding.n != dims || a->dilation.n != dims ||
      a->size.n != dims)
    return nx_op_fail(C, n, NEAP_EARG, "expected %d entries in stride, "
                      "padding, dilation and size", dims);
  for (int d = 0; d < dims; d++)
    if (a->stride.v[d] < 1 || a->dilation.v[d] < 1 || a->padding.v[d] < 0 ||
        a->size.v[d] < 0)
      return nx_op_fail(C, n, NEAP_EARG, "stride and dilation must be at "
                        "least 1, padding and sizes at least 0");
  return 0;
}

static int check_channels (nx_ctx *C, const nx_node *n, const nx_tensor *x,
                           const nx_tensor *w, const nx_tensor *y) {
  int64_t groups = ((const convolution_args *)n->a)->groups;
  char xt[NX_SHAPE_TEXT], wt[NX_SHAPE_TEXT], yt[NX_SHAPE_TEXT];
  if (groups >= 1 && x->shape[1] % groups == 0 &&
      y->shape[1] % groups == 0 && w->shape[0] == y->shape[1] &&
      w->shape[1] == x->shape[1] / groups && x->shape[0] == y->shape[0])
    return 0;
  return nx_op_fail(C, n, NEAP_ESHAPE, "image %s, kernel %s and result %s do "
                    "not fit in %lld groups", nx_shape_of(x, xt),
                    nx_shape_of(w, wt), nx_shape_of(y, yt),
                    (long long)groups);
}

int nx_convolution_lattice (nx_ctx *C, const nx_node *n, const nx_tensor *x,
                            const nx_tensor *w, const nx_tensor *y,
                            nx_lattice *l) {
  const convolution_args *a = n->a;
  if (x->ndim < 3 || x->ndim > 5 || w->ndim != x->ndim ||
      y->ndim != x->ndim || x->dtype != w->dtype || x->dtype != y->dtype)
    return nx_op_fail(C, n, NEAP_ESHAPE, "inputs must have the same type and "
                      "3 to 5 dimensions");
  if (nx_convolution_lists(C, n, x->ndim - 2) || check_channels(C, n, x, w, y))
    return nx_status(C);
  for (int d = 0; d < 3; d++) {
    l->in[d] = spatial(x, d);
    l->kernel[d] = spatial(w, d);
    l->out[d] = spatial(y, d);
    l->stride[d] = nx_image_entry(&a->stride, d, 1);
    l->dilation[d] = nx_image_entry(&a->dilation, d, 1);
    l->first[d] = -nx_image_entry(&a->padding, d, 0);
    if (l->kernel[d] < 1 || w->shape[1] < 1)
      return nx_op_fail(C, n, NEAP_ESHAPE, "the kernel is empty");
  }
  return nx_lattice_plan(C, nx_title(n), w->shape[1], l);
}


#define PACK(T) \
static void pack_##T (const nx_weights *w, int mr, T *out) { \
  const T *in = (const T *)(const void *)w->data; \
  for (int64_t g = 0; g < w->groups * w->sets; g++) \
    for (int64_t r = 0; r < w->rows; r += mr) \
      for (int64_t c = 0; c < w->channels; c++) \
        for (int64_t t = 0; t < w->taps; t++) { \
          const T *from = in + g / w->sets * w->group + \
                          g % w->sets * w->set + r * w->row + \
                          c * w->channel + t * w->tap; \
          for (int i = 0; i < mr; i++) \
            *out++ = r + i < w->rows ? from[i * w->row] : 0; \
        } \
}

PACK(float)
PACK(double)

nx_tensor *nx_weights_pack (nx_ctx *C, int dtype, const nx_weights *w) {
  int mr = nx_kernels_for(C, dtype)->rows;
  int64_t blocks = (w->rows + mr - 1) / mr;
  nx_tensor *t = nx_new(C, dtype, 4, (int64_t[]){w->groups * w->sets, blocks,
                                      w->channels * w->taps, mr});
  if (t == NULL) return NULL;
  if (dtype == NEAP_F32) pack_float(w, mr, (float *)(void *)t->data);
  else pack_double(w, mr, (double *)(void *)t->data);
  return t;
}


nx_weights nx_weights_of (const nx_tensor *w, int64_t groups) {
  int64_t taps = 1;
  nx_weights v;
  for (int d = 2; d < w->ndim; d++) taps *= w->shape[d];
  v.data = w->data;
  v.groups = groups;
  v.sets = 1;
  v.set = 0;
  v.rows = w->shape[0] / groups;
  v.channels = w->shape[1];
  v.taps = taps;
  v.row = v.channels * taps;
  v.group = v.rows * v.row;
  v.channel = taps;
  v.tap = 1;
  return v;
}


int64_t nx_lattice_cut (const nx_lattice *l, const nx_weights *w,
                        int64_t size, int64_t *lines) {
  int64_t all = nx_lattice_lines(l), bands;
  double work = (double)(l->places / all) * (double)(w->rows * w->taps) *
                (double)w->channels;
  double line = (double)l->channel / (double)all *
                (double)(w->channels * size);
  double want = PIECE / (work + 1), most = PIECE_BYTES / (line + 1);
  if (want > most) want = most;
  *lines = want < 1 ? 1 : want > (double)all ? all : (int64_t)want;
  bands = (all + *lines - 1) / *lines;
  *lines = (all + bands - 1) / bands;
  return (all + *lines - 1) / *lines;
}
