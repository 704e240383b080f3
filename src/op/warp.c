/*
** Batches of images turned, scaled, mirrored and moved, an affine map for
** each; and boxes of them replaced. For augmentation: no gradients.
*/
#include <math.h>
#include <string.h>
#include "ops.h"

enum { BILINEAR, NEAREST };
enum { ZEROS, BORDER, REFLECTION };

typedef struct warp_args { int mode, padding_mode; } warp_args;

static const nx_field warp_fields[] = {
  NX_ENUM(warp_args, mode, "bilinear nearest", BILINEAR,
          "how pixels are mixed"),
  NX_ENUM(warp_args, padding_mode, "zeros border reflection", ZEROS,
          "what is outside"),
  NX_END
};

static int want_images (nx_ctx *C, const nx_node *n) {
  const nx_tensor *x = n->in[0];
  char text[NX_SHAPE_TEXT];
  if (nx_want_float(C, n, 0)) return nx_status(C);
  if (x->ndim == 4) return 0;
  return nx_op_fail(C, n, NEAP_ESHAPE, "x is %s, expected (batch, channels, "
                    "height, width)", nx_shape_of(x, text));
}

static int warp_shape (nx_ctx *C, nx_node *n) {
  const nx_tensor *x = n->in[0], *m = n->in[1];
  char text[NX_SHAPE_TEXT];
  if (want_images(C, n) || nx_want_float(C, n, 1)) return nx_status(C);
  if (m->ndim != 2 || m->shape[0] != x->shape[0] || m->shape[1] != 6)
    return nx_op_fail(C, n, NEAP_ESHAPE, "matrix is %s, expected %lldx6",
                      nx_shape_of(m, text), (long long)x->shape[0]);
  nx_out_like(C, n, 0, x);
  return nx_status(C);
}


typedef struct warp {
  const warp_args *a;
  const double *m;
  const char *x;
  char *y;
  int64_t channels, height, width, size;
} warp;

/* place i of a line of n pixels, or -1 where there is nothing */
static int64_t outside (int64_t i, int64_t n, int padding_mode) {
  if (i >= 0 && i < n) return i;
  if (padding_mode == ZEROS) return -1;
  if (padding_mode == BORDER || n == 1) return i < 0 ? 0 : n - 1;
  i %= 2 * (n - 1);
  if (i < 0) i += 2 * (n - 1);
  return i < n ? i : 2 * (n - 1) - i;
}

/* The pixels that make one of the result: at most four. */
typedef struct mixed {
  int64_t at[4];               /* in a plane; -1: nothing */
  double weight[4];
  int n;
} mixed;

static void add_pixel (const warp *w, mixed *m, int64_t i, int64_t j,
                       double weight) {
  int mode = w->a->padding_mode;
  if (weight == 0) return;
  i = outside(i, w->height, mode);
  j = outside(j, w->width, mode);
  if (i < 0 || j < 0) return;
  m->at[m->n] = i * w->width + j;
  m->weight[m->n++] = weight;
}

/* far outside all is alike; numbers stay small enough for int64 */
static double within (double v) {
  return v > 1e9 ? 1e9 : v > -1e9 ? v : -1e9;     /* also of NaN */
}

static mixed mixed_at (const warp *w, const double *m, int64_t i,
                       int64_t j) {
  double cy = (double)(w->height - 1) / 2, cx = (double)(w->width - 1) / 2;
  double dy = (double)i - cy, dx = (double)j - cx;
  double x = within(m[0] * dx + m[1] * dy + m[2] + cx);
  double y = within(m[3] * dx + m[4] * dy + m[5] + cy);
  mixed out = {{0}, {0}, 0};
  double fy, fx;
  if (w->a->mode == NEAREST) {
    add_pixel(w, &out, (int64_t)floor(y + 0.5), (int64_t)floor(x + 0.5), 1);
    return out;
  }
  fy = floor(y);
  fx = floor(x);
  for (int k = 0; k < 4; k++) {
    double wy = k / 2 ? y - fy : 1 - (y - fy);
    double wx = k % 2 ? x - fx : 1 - (x - fx);
    add_pixel(w, &out, (int64_t)fy + k / 2, (int64_t)fx + k % 2, wy * wx);
  }
  return out;
}

#define WARP(id, real) \
static void warp_##id (void *arg, int64_t first, int64_t last) { \
  const warp *w = arg; \
  int64_t plane = w->height * w->width; \
  for (int64_t n = first; n < last; n++) { \
    const real *x = (const real *)(const void *)w->x; \
    real *y = (real *)(void *)w->y; \
    x += n * w->channels * plane; \
    y += n * w->channels * plane; \
    for (int64_t p = 0; p < plane; p++) { \
      mixed m = mixed_at(w, w->m + n * 6, p / w->width, p % w->width); \
      for (int64_t c = 0; c < w->channels; c++) { \
        double sum = 0; \
        for (int k = 0; k < m.n; k++) \
          sum += m.weight[k] * (double)x[c * plane + m.at[k]]; \
        y[c * plane + p] = (real)sum; \
      } \
    } \
  } \
}

WARP(f32, float)
WARP(f64, double)

static int warp_forward (nx_ctx *C, nx_node *n) {
  nx_tensor *x = nx_dense(C, n->in[0]), *y = n->out[0], *m;
  warp w;
  m = nx_typed(C, n->in[1], NEAP_F64);
  m = m ? nx_dense(C, m) : NULL;
  if (x == NULL || m == NULL) return nx_status(C);
  w.a = n->a;
  w.m = (const double *)(void *)m->data;
  w.x = x->data;
  w.y = y->data;
  w.channels = x->shape[1];
  w.height = x->shape[2];
  w.width = x->shape[3];
  nx_pieces(C, x->shape[0], 16 * (x->shape[0] ? x->len / x->shape[0] : 0),
            y->dtype == NEAP_F64 ? warp_f64 : warp_f32, &w);
  return nx_status(C);
}

const nx_op nx_op_warp = {
  .name = "warp",
  .doc = "Each image (batch, channels, height, width) by a map of its own: a "
         "row a, b, c, d, e, f of matrix takes the pixel (a u + b v + c, d u "
         "+ e v + f) of x for the pixel (u, v) of the result, both counted "
         "from the middle to the right and down.",
  .inputs = "x matrix", .outputs = "y", .fields = warp_fields,
  .argsize = sizeof(warp_args), .flags = NX_NOGRAD, .shape = warp_shape,
  .forward = warp_forward
};


/*
** paste: a box of each image becomes that of another image, or a number.
*/
typedef struct paste_args {
  double value;
  int64_t base;
} paste_args;

static const nx_field paste_fields[] = {
  NX_NUMBER(paste_args, value, 0, "what boxes become without z"),
  NX_BASE(paste_args, base),
  NX_END
};

static int paste_shape (nx_ctx *C, nx_node *n) {
  const nx_tensor *x = n->in[0], *b = n->in[1];
  const nx_tensor *z = n->nin > 2 ? n->in[2] : NULL;
  char text[NX_SHAPE_TEXT];
  if (want_images(C, n) || nx_want_whole(C, n, 1)) return nx_status(C);
  if (b->ndim != 2 || b->shape[0] != x->shape[0] || b->shape[1] != 4)
    return nx_op_fail(C, n, NEAP_ESHAPE, "boxes is %s, expected %lldx4 (top, "
                      "left, height, width)", nx_shape_of(b, text),
                      (long long)x->shape[0]);
  if (z && (z->dtype != x->dtype || !nx_same_shape(z, x)))
    return nx_op_fail(C, n, NEAP_ESHAPE, "z (%s %s) must be like x",
                      nx_dtype_name(z->dtype), nx_shape_of(z, text));
  nx_out_like(C, n, 0, x);
  return nx_status(C);
}

typedef struct box { int64_t top, left, bottom, right; } box;

/* the part of [from, from + count) that lies in [0, size); 'from' counts
   from the base, and any numbers may come */
static void span (int64_t from, int64_t count, int64_t base, int64_t size,
                  int64_t *first, int64_t *end) {
  *first = *end = 0;
  if (count <= 0 || from > size + base || from < -size) return;
  from -= base;
  *first = from > 0 ? from : 0;
  *end = count < size - from ? from + count : size;
}

/* what lies in the image of the box; positions count from the base */
static box box_of (const int64_t *b, int64_t base, int64_t height,
                   int64_t width) {
  box r;
  span(b[0], b[2], base, height, &r.top, &r.bottom);
  span(b[1], b[3], base, width, &r.left, &r.right);
  return r;
}

static void paste_plane (nx_tensor *y, const nx_tensor *z, int64_t plane,
                         box b, double value) {
  int64_t size = (int64_t)nx_dtype_size(y->dtype), width = y->shape[3];
  for (int64_t i = b.top; i < b.bottom && b.left < b.right; i++) {
    int64_t at = ((plane * y->shape[2] + i) * width + b.left) * size;
    if (z) memcpy(y->data + at, z->data + at,
                  (size_t)((b.right - b.left) * size));
    else
      for (int64_t j = b.left; j < b.right; j++, at += size)
        nx_put_number(y, y->data + at, value);
  }
}

static int paste_forward (nx_ctx *C, nx_node *n) {
  const paste_args *a = n->a;
  nx_tensor *y = n->out[0], *b, *z = n->nin > 2 ? n->in[2] : NULL;
  b = nx_typed(C, n->in[1], NEAP_I64);
  b = b ? nx_dense(C, b) : NULL;
  if (b == NULL || (z && (z = nx_dense(C, z)) == NULL) ||
      nx_copy(C, y, n->in[0])) return nx_status(C);
  for (int64_t k = 0; k < y->shape[0]; k++) {
    box r = box_of((const int64_t *)(void *)b->data + 4 * k, a->base,
                   y->shape[2], y->shape[3]);
    for (int64_t c = 0; c < y->shape[1]; c++)
      paste_plane(y, z, k * y->shape[1] + c, r, a->value);
  }
  return nx_status(C);
}

const nx_op nx_op_paste = {
  .name = "paste",
  .doc = "A box of each image, (top, left, height, width), becomes that of "
         "the image z, or a number.",
  .inputs = "x boxes z?", .outputs = "y", .fields = paste_fields,
  .argsize = sizeof(paste_args), .flags = NX_NOGRAD, .shape = paste_shape,
  .forward = paste_forward
};
