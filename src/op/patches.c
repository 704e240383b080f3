/*
** im2col and col2im (PyTorch's unfold and fold of images): the patches of
** an image as columns, and columns added up to an image. Each is the
** gradient of the other. Convolution does not use them.
*/
#include <string.h>
#include "ops.h"

typedef struct patch_args {
  nx_ints output_size, kernel_size, dilation, padding, stride;
} patch_args;

#define PATCH \
  NX_INTS(patch_args, kernel_size, NX_REQUIRED, "sizes of a patch"), \
  NX_INTS(patch_args, dilation, 1, "places between its elements"), \
  NX_INTS(patch_args, padding, 0, "zeros on both sides of the image"), \
  NX_INTS(patch_args, stride, 1, "places between patches")

static const nx_field im2col_fields[] = {PATCH, NX_END};

static const nx_field col2im_fields[] = {
  NX_INTS(patch_args, output_size, NX_REQUIRED, "height and width of the "
          "image"),
  PATCH, NX_END
};

/* What an application comes to: height and width of everything. */
typedef struct grid {
  int64_t image[2], kernel[2], dilation[2], padding[2], stride[2];
  int64_t places[2];           /* of patches */
  int64_t planes;              /* batch x channels */
} grid;


static int pair (nx_ctx *C, const nx_node *n, const char *name,
                 const nx_ints *v, int64_t least, int64_t *out) {
  if (v->n != 1 && v->n != 2)
    return nx_op_fail(C, n, NEAP_EARG, "%s has %d entries, expected 1 or 2",
                      name, v->n);
  for (int d = 0; d < 2; d++) {
    out[d] = v->v[v->n == 1 ? 0 : d];
    if (out[d] < least || out[d] > INT32_MAX)
      return nx_op_fail(C, n, NEAP_EARG, "%s is %lld, expected at least %lld",
                        name, (long long)out[d], (long long)least);
  }
  return 0;
}

/* 'image' is set; completes the rest */
static int plan (nx_ctx *C, const nx_node *n, grid *g) {
  const patch_args *a = n->a;
  if (pair(C, n, "kernel_size", &a->kernel_size, 1, g->kernel) ||
      pair(C, n, "dilation", &a->dilation, 1, g->dilation) ||
      pair(C, n, "padding", &a->padding, 0, g->padding) ||
      pair(C, n, "stride", &a->stride, 1, g->stride)) return nx_status(C);
  for (int d = 0; d < 2; d++) {
    int64_t room = g->image[d] + 2 * g->padding[d] -
                   g->dilation[d] * (g->kernel[d] - 1) - 1;
    if (room < 0)
      return nx_op_fail(C, n, NEAP_ESHAPE, "a patch of %lldx%lld does not fit "
                        "into an image of %lldx%lld",
                        (long long)g->kernel[0], (long long)g->kernel[1],
                        (long long)g->image[0], (long long)g->image[1]);
    g->places[d] = room / g->stride[d] + 1;
    if (g->places[d] > INT32_MAX)
      return nx_op_fail(C, n, NEAP_ESHAPE, "the result is too large");
  }
  return 0;
}

/* channels x taps, or -1: too many */
static int64_t rows_of (nx_ctx *C, const nx_node *n, const grid *g,
                        int64_t channels) {
  int64_t taps = g->kernel[0] * g->kernel[1];
  if (channels == 0 || taps <= INT64_MAX / channels) return channels * taps;
  nx_op_fail(C, n, NEAP_ESHAPE, "the result is too large");
  return -1;
}


/* Calls f(elements of a row, where in the image and in the columns they
   begin) for each row of a tap of a plane. */
typedef void row_fn (int64_t count, int64_t step, char *image, char *column);

typedef struct patches {
  const grid *g;
  char *image, *columns;
  int64_t size;                /* of an element */
  row_fn *f;
} patches;

/* the places of row tap kw whose element lies in the image */
static void inside (const grid *g, int64_t kw, int64_t *from, int64_t *to) {
  int64_t at = kw * g->dilation[1] - g->padding[1], s = g->stride[1];
  *from = at < 0 ? (-at + s - 1) / s : 0;
  *to = g->image[1] - at <= 0 ? 0 : (g->image[1] - at + s - 1) / s;
  if (*to > g->places[1]) *to = g->places[1];
}

static void tap_rows (const patches *p, int64_t plane, int64_t kh,
                      int64_t kw) {
  const grid *g = p->g;
  int64_t tap = (plane * g->kernel[0] + kh) * g->kernel[1] + kw, from, to;
  char *column = p->columns + tap * g->places[0] * g->places[1] * p->size;
  inside(g, kw, &from, &to);
  for (int64_t h = 0; h < g->places[0] && from < to; h++) {
    int64_t y = h * g->stride[0] + kh * g->dilation[0] - g->padding[0];
    int64_t x = from * g->stride[1] + kw * g->dilation[1] - g->padding[1];
    if (y < 0 || y >= g->image[0]) continue;
    p->f(to - from, g->stride[1],
         p->image + ((plane * g->image[0] + y) * g->image[1] + x) * p->size,
         column + (h * g->places[1] + from) * p->size);
  }
}

static void plane_rows (void *arg, int64_t first, int64_t last) {
  const patches *p = arg;
  for (int64_t c = first; c < last; c++)
    for (int64_t kh = 0; kh < p->g->kernel[0]; kh++)
      for (int64_t kw = 0; kw < p->g->kernel[1]; kw++)
        tap_rows(p, c, kh, kw);
}

#define ROWS(id, real) \
static void read_##id (int64_t count, int64_t step, char *image, \
                       char *column) { \
  const real *x = (const real *)(void *)image; \
  real *c = (real *)(void *)column; \
  for (int64_t i = 0; i < count; i++) c[i] = x[i * step]; \
} \
static void add_##id (int64_t count, int64_t step, char *image, \
                      char *column) { \
  real *x = (real *)(void *)image; \
  const real *c = (const real *)(void *)column; \
  for (int64_t i = 0; i < count; i++) x[i * step] += c[i]; \
}

ROWS(f32, float)
ROWS(f64, double)

static int run (nx_ctx *C, nx_node *n, const grid *g, int add) {
  nx_tensor *x = nx_dense(C, n->in[0]), *y = n->out[0];
  int wide = y->dtype == NEAP_F64;
  patches p;
  if (x == NULL) return nx_status(C);
  p.g = g;
  p.image = add ? y->data : x->data;
  p.columns = add ? x->data : y->data;
  p.size = (int64_t)nx_dtype_size(y->dtype);
  p.f = add ? (wide ? add_f64 : add_f32) : wide ? read_f64 : read_f32;
  memset(y->data, 0, (size_t)y->len * (size_t)p.size);
  nx_pieces(C, g->planes, g->kernel[0] * g->kernel[1] * g->places[0] *
            g->places[1], plane_rows, &p);
  return nx_status(C);
}


/* x: (batch, channels, height, width), or without a batch */
static int im2col_plan (nx_ctx *C, const nx_node *n, grid *g) {
  const nx_tensor *x = n->in[0];
  char text[NX_SHAPE_TEXT];
  if (nx_want_float(C, n, 0)) return nx_status(C);
  if (x->ndim != 3 && x->ndim != 4)
    return nx_op_fail(C, n, NEAP_ESHAPE, "x is %s, expected (batch, channels, "
                      "height, width)", nx_shape_of(x, text));
  g->planes = x->shape[x->ndim - 3] * (x->ndim == 4 ? x->shape[0] : 1);
  memcpy(g->image, x->shape + x->ndim - 2, sizeof(g->image));
  return plan(C, n, g);
}

static int im2col_shape (nx_ctx *C, nx_node *n) {
  const nx_tensor *x = n->in[0];
  int64_t shape[3], *s = shape;
  grid g;
  if (im2col_plan(C, n, &g)) return nx_status(C);
  if (x->ndim == 4) *s++ = x->shape[0];
  *s = rows_of(C, n, &g, x->shape[x->ndim - 3]);
  if (*s++ < 0) return nx_status(C);
  *s++ = g.places[0] * g.places[1];
  nx_out(C, n, 0, x->dtype, (int)(s - shape), shape);
  return nx_status(C);
}

static int im2col_forward (nx_ctx *C, nx_node *n) {
  grid g;
  return im2col_plan(C, n, &g) ? nx_status(C) : run(C, n, &g, 0);
}

static int im2col_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                        nx_tensor **gx) {
  const nx_tensor *x = n->in[0];
  patch_args a = *(patch_args *)n->a;
  a.output_size.n = 2;
  memcpy(a.output_size.v, x->shape + x->ndim - 2, 2 * sizeof(int64_t));
  gx[0] = nx_apply(C, &nx_op_col2im, &a, 1, gy);
  return nx_status(C);
}

const nx_op nx_op_im2col = {
  .name = "im2col",
  .doc = "The patches of images as columns: (batch, channels x patch, "
         "places).",
  .inputs = "x", .outputs = "y", .fields = im2col_fields,
  .argsize = sizeof(patch_args), .shape = im2col_shape,
  .forward = im2col_forward, .grad = NX_LEARN(im2col_grad)
};


static int col2im_plan (nx_ctx *C, const nx_node *n, grid *g) {
  const patch_args *a = n->a;
  const nx_tensor *x = n->in[0];
  int64_t patch, channels;
  char text[NX_SHAPE_TEXT];
  if (nx_want_float(C, n, 0)) return nx_status(C);
  if (pair(C, n, "output_size", &a->output_size, 1, g->image) ||
      plan(C, n, g)) return nx_status(C);
  patch = g->kernel[0] * g->kernel[1];
  if ((x->ndim != 2 && x->ndim != 3) || x->shape[x->ndim - 2] % patch ||
      x->shape[x->ndim - 1] != g->places[0] * g->places[1])
    return nx_op_fail(C, n, NEAP_ESHAPE, "x is %s, expected (batch, channels "
                      "x %lld, %lld) for these sizes", nx_shape_of(x, text),
                      (long long)patch,
                      (long long)(g->places[0] * g->places[1]));
  channels = x->shape[x->ndim - 2] / patch;
  g->planes = channels * (x->ndim == 3 ? x->shape[0] : 1);
  return 0;
}

static int col2im_shape (nx_ctx *C, nx_node *n) {
  const nx_tensor *x = n->in[0];
  int64_t shape[4], *s = shape;
  grid g;
  if (col2im_plan(C, n, &g)) return nx_status(C);
  if (x->ndim == 3) *s++ = x->shape[0];
  *s++ = x->shape[x->ndim - 2] / (g.kernel[0] * g.kernel[1]);
  *s++ = g.image[0];
  *s++ = g.image[1];
  nx_out(C, n, 0, x->dtype, (int)(s - shape), shape);
  return nx_status(C);
}

static int col2im_forward (nx_ctx *C, nx_node *n) {
  grid g;
  return col2im_plan(C, n, &g) ? nx_status(C) : run(C, n, &g, 1);
}

static int col2im_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                        nx_tensor **gx) {
  patch_args a = *(patch_args *)n->a;
  gx[0] = nx_apply(C, &nx_op_im2col, &a, 1, gy);
  return nx_status(C);
}

const nx_op nx_op_col2im = {
  .name = "col2im",
  .doc = "Columns of patches added up to images, where patches meet.",
  .inputs = "x", .outputs = "y", .fields = col2im_fields,
  .argsize = sizeof(patch_args), .shape = col2im_shape,
  .forward = col2im_forward, .grad = NX_LEARN(col2im_grad)
};
