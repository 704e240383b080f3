/*
** Windows that slide over images: the largest element of each, or the sum.
** Images are the last dimensions of x, as many as the window has; all
** others are planes. A plane is laid out as a lattice (lattice.h), so that
** a row of results meets each place of the window as a row.
*/
#include <math.h>
#include <string.h>
#include "base/threads.h"
#include "op/composed.h"
#include "op/image.h"
#include "op/lattice.h"
#include "op/windows.h"
#include "tensor/dtype.h"
#include "tensor/walk.h"

#define FIELDS \
  NX_INTS(nx_windows_args, kernel, NX_REQUIRED, "sizes of the window"), \
  NX_INTS(nx_windows_args, stride, NX_REQUIRED, "places between windows"), \
  NX_INTS(nx_windows_args, padding, NX_REQUIRED, "room before the image"), \
  NX_INTS(nx_windows_args, dilation, NX_REQUIRED, \
          "places between elements of the window"), \
  NX_INTS(nx_windows_args, size, NX_REQUIRED, "sizes that are made")

static const nx_field max_windows_fields[] = {
  FIELDS,
  NX_BOOL(nx_windows_args, indices, 1, "also where they were"),
  NX_BASE(nx_windows_args, base), NX_END
};

static const nx_field sum_windows_fields[] = {FIELDS, NX_END};


static int check_lists (nx_ctx *C, const nx_node *n, const nx_tensor *t) {
  const nx_windows_args *a = n->a;
  int dims = a->kernel.n;
  if (dims < 1 || dims > 3 || t->ndim < dims || a->stride.n != dims ||
      a->padding.n != dims || a->dilation.n != dims || a->size.n != dims)
    return nx_op_fail(C, n, NEAP_EARG, "expected windows of 1 to 3 "
                      "dimensions, no more than x has");
  for (int d = 0; d < dims; d++)
    if (a->kernel.v[d] < 1 || a->stride.v[d] < 1 || a->dilation.v[d] < 1 ||
        a->padding.v[d] < 0 || a->size.v[d] < 1)
      return nx_op_fail(C, n, NEAP_EARG, "kernel, stride, dilation and size "
                        "must be at least 1, padding at least 0");
  return 0;
}

/* 'image' and 'result' are tensors of these sizes, or shapes alone */
static int plan (nx_ctx *C, const nx_node *n, const nx_tensor *image,
                 const nx_tensor *result, nx_lattice *l) {
  const nx_windows_args *a = n->a;
  int dims = a->kernel.n;
  for (int d = 0; d < 3; d++) {
    int i = d - (3 - dims);
    l->kernel[d] = nx_image_entry(&a->kernel, d, 1);
    l->stride[d] = nx_image_entry(&a->stride, d, 1);
    l->dilation[d] = nx_image_entry(&a->dilation, d, 1);
    l->first[d] = -nx_image_entry(&a->padding, d, 0);
    l->in[d] = i < 0 ? 1 : image->shape[image->ndim - dims + i];
    l->out[d] = i < 0 ? 1 : result->shape[result->ndim - dims + i];
    if (l->in[d] < 1)
      return nx_op_fail(C, n, NEAP_ESHAPE, "the image is empty");
  }
  return nx_lattice_plan(C, nx_title(n), 1, l);
}

/* a result like x but with other sizes of the image */
static int windows_shape (nx_ctx *C, nx_node *n) {
  const nx_windows_args *a = n->a;
  nx_tensor *x = n->in[0];
  int64_t shape[NEAP_MAXDIM];
  if (nx_want_float(C, n, 0) || check_lists(C, n, x)) return nx_status(C);
  memcpy(shape, x->shape, sizeof(shape));
  for (int d = 0; d < a->size.n; d++)
    shape[x->ndim - a->size.n + d] = a->size.v[d];
  nx_out(C, n, 0, x->dtype, x->ndim, shape);
  if (n->op == &nx_op_max_windows && a->indices)
    nx_out(C, n, 1, NEAP_I64, x->ndim, shape);
  return nx_status(C);
}


/* Images do not meet: only the dimensions in front of them are cut. */
static const char *windows_cutting (const nx_node *n) {
  const nx_windows_args *a = n->a;
  int lead = n->in[0]->ndim - a->size.n;
  return lead == 1 ? "y0 x0" : lead == 2 ? "y0 x0, y1 x1" : NULL;
}

typedef struct sliding {
  const nx_kernels *K;
  nx_lattice l;
  const char *x;
  char *y, *room;
  int64_t *at;                 /* where the largest were; may be NULL */
  const ptrdiff_t *tap;
  const int64_t *flat;         /* of a tap in the image */
  int64_t size, base, planes, per;
  int64_t lattice, each;
} sliding;

static const char *laid_out (const sliding *s, int64_t plane, char *room) {
  return nx_lattice_lay(s->K, &s->l, 1, s->size,
                        s->x + plane * s->l.in[0] * s->l.in[1] *
                        s->l.in[2] * s->size, room);
}

/* planes [i per, ...) on the thread of 'place' */
#define PLANES(name, one) \
static void name (void *arg, int64_t i, int place) { \
  const sliding *s = arg; \
  int64_t last = (i + 1) * s->per < s->planes ? (i + 1) * s->per \
                                              : s->planes; \
  for (int64_t p = i * s->per; p < last; p++) \
    one(s, p, s->room + place * s->each); \
}


/* where a row of results begins in its image, counted without room */
static int64_t flat_row (const nx_lattice *l, int64_t row) {
  int64_t d = row / l->out[1] * l->stride[0] + l->first[0];
  int64_t h = row % l->out[1] * l->stride[1] + l->first[1];
  return (d * l->in[1] + h) * l->in[2] + l->first[2];
}

/* a window in which nothing is larger than what is beside the image: the
   first of its elements that are inside */
static int64_t first_inside (const nx_lattice *l, int64_t place) {
  int64_t o[3] = {place / l->out[2] / l->out[1],
                  place / l->out[2] % l->out[1], place % l->out[2]};
  int64_t flat = 0;
  for (int d = 0; d < 3; d++) {
    int64_t at = o[d] * l->stride[d] + l->first[d];
    if (at < 0)
      at += (-at + l->dilation[d] - 1) / l->dilation[d] * l->dilation[d];
    flat = flat * l->in[d] + (at < l->in[d] ? at : 0);
  }
  return flat;
}

static void note (const sliding *s, int64_t row, const uint32_t *tap,
                  int64_t *at) {
  int64_t begin = flat_row(&s->l, row);
  for (int64_t w = 0; w < s->l.out[2]; w++)
    at[w] = s->base +
      (tap[w] == UINT32_MAX ? first_inside(&s->l, row * s->l.out[2] + w)
                            : begin + w * s->l.stride[2] + s->flat[tap[w]]);
}

static void lowest (const sliding *s, char *to, int64_t n) {
  for (int64_t i = 0; i < n; i++)
    if (s->size == sizeof(float)) ((float *)(void *)to)[i] = -INFINITY;
    else ((double *)(void *)to)[i] = -INFINITY;
}

static void max_plane (const sliding *s, int64_t plane, char *room) {
  const char *lattice = laid_out(s, plane, room);
  uint32_t *tap = (uint32_t *)(void *)(room + s->lattice * s->size);
  int64_t rows = s->l.out[0] * s->l.out[1], width = s->l.out[2];
  char *y = s->y + plane * s->l.places * s->size;
  for (int64_t r = 0; r < rows; r++, y += width * s->size) {
    const char *x = lattice + nx_lattice_place(&s->l, r * width) * s->size;
    lowest(s, y, width);
    memset(tap, 0xff, (size_t)width * sizeof(*tap));
    for (int64_t t = 0; t < s->l.taps; t++)
      s->K->max_rival((size_t)width, x + s->tap[t] * s->size, (uint32_t)t, y,
                      tap);
    if (s->at) note(s, r, tap, s->at + plane * s->l.places + r * width);
  }
}

PLANES(max_planes, max_plane)


static void sum_plane (const sliding *s, int64_t plane, char *room) {
  const char *lattice = laid_out(s, plane, room);
  int64_t rows = s->l.out[0] * s->l.out[1], width = s->l.out[2];
  char *y = s->y + plane * s->l.places * s->size;
  for (int64_t r = 0; r < rows; r++, y += width * s->size) {
    const char *x = lattice + nx_lattice_place(&s->l, r * width) * s->size;
    memset(y, 0, (size_t)(width * s->size));
    for (int64_t t = 0; t < s->l.taps; t++) {
      void *p[3] = {y, y, (void *)(uintptr_t)(x + s->tap[t] * s->size)};
      s->K->add((size_t)width, p, 0, NULL);
    }
  }
}

PLANES(sum_planes, sum_plane)

/* here x is the result, and y the image */
static void image_plane (const sliding *s, int64_t plane, char *room) {
  int64_t rows = s->l.out[0] * s->l.out[1], width = s->l.out[2];
  int64_t pixels = s->l.in[0] * s->l.in[1] * s->l.in[2];
  const char *x = s->x + plane * s->l.places * s->size;
  memset(room, 0, (size_t)(s->lattice * s->size));
  for (int64_t r = 0; r < rows; r++, x += width * s->size) {
    char *to = room + nx_lattice_place(&s->l, r * width) * s->size;
    for (int64_t t = 0; t < s->l.taps; t++) {
      void *p[3] = {to + s->tap[t] * s->size, to + s->tap[t] * s->size,
                    (void *)(uintptr_t)x};
      s->K->add((size_t)width, p, 0, NULL);
    }
  }
  nx_lattice_read(&s->l, 1, s->size, room,
                  s->y + plane * pixels * s->size);
}

PLANES(image_planes, image_plane)


/* distances of taps in the lattice and in the image */
static void measure (sliding *s, ptrdiff_t *tap, int64_t *flat) {
  const nx_lattice *l = &s->l;
  nx_lattice_taps(l, 1, tap);
  for (int64_t t = 0; t < l->taps; t++) {
    int64_t w = t % l->kernel[2], rest = t / l->kernel[2];
    int64_t h = rest % l->kernel[1], d = rest / l->kernel[1];
    flat[t] = (d * l->dilation[0] * l->in[1] + h * l->dilation[1]) *
              l->in[2] + w * l->dilation[2];
  }
  s->tap = tap;
  s->flat = flat;
}

/*
** Slides over all planes. Beside the image there is 0, or nothing that
** could be the largest.
*/
static int slide (nx_ctx *C, sliding *s, nx_tensor *x, nx_tensor *y,
                  nx_job *job, int largest) {
  nx_tensor *room, *tap, *flat;
  int places = nx_pool_threads(C->rt->pool);
  int64_t pixels = s->l.in[0] * s->l.in[1] * s->l.in[2];
  s->K = nx_kernels_for(C, x->dtype);
  s->size = (int64_t)nx_dtype_size(x->dtype);
  s->x = x->data;
  s->y = y->data;
  s->planes = y->len / (job == image_planes ? pixels : s->l.places);
  s->per = NX_GRAIN / (s->l.places * s->l.taps + pixels) + 1;
  s->lattice = (s->l.channel + 15) / 16 * 16;
  s->each = s->lattice * s->size + s->l.out[2] * (int64_t)sizeof(uint32_t);
  s->each = (s->each + NX_ALIGN - 1) / NX_ALIGN * NX_ALIGN;
  room = nx_zeros(C, NEAP_U8, 2, (int64_t[]){places, s->each});
  tap = nx_distances(C, s->l.taps);
  flat = nx_new(C, NEAP_I64, 1, &s->l.taps);
  if (nx_status(C)) return nx_status(C);
  measure(s, (ptrdiff_t *)(void *)tap->data, (int64_t *)(void *)flat->data);
  s->room = room->data;
  for (int i = 0; largest && i < places; i++)
    lowest(s, s->room + i * s->each, s->lattice);
  nx_parallel_within(C->rt->pool, (s->planes + s->per - 1) / s->per, places,
                     job, s);
  return nx_status(C);
}


/* y = the largest of each window, the first of equal ones; NaN wins */
static int max_windows_forward (nx_ctx *C, nx_node *n) {
  const nx_windows_args *a = n->a;
  nx_tensor *x = nx_dense(C, n->in[0]), *y = n->out[0];
  sliding s;
  if (x == NULL || plan(C, n, x, y, &s.l) || y->len == 0)
    return nx_status(C);
  s.at = a->indices ? (int64_t *)(void *)n->out[1]->data : NULL;
  s.base = a->base;
  return slide(C, &s, x, y, max_planes, 1);
}

/* x and positions in it as (planes, elements) */
static nx_tensor *as_planes (nx_ctx *C, nx_tensor *t, int dims) {
  int64_t shape[2] = {1, 1};
  if (t == NULL) return NULL;
  for (int d = 0; d < t->ndim; d++)
    shape[d >= t->ndim - dims] *= t->shape[d];
  return nx_reshape(C, t, 2, shape);
}

static int check_indices (nx_ctx *C, const nx_node *n) {
  if (((const nx_windows_args *)n->a)->indices) return 0;
  return nx_op_fail(C, n, NEAP_EGRAD, "the gradient needs indices");
}

/* gx: each position the sum of gy over the windows that it won */
static int max_windows_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                             nx_tensor **gx) {
  const nx_windows_args *a = n->a;
  nx_tensor *x = n->in[0], *g = as_planes(C, gy[0], a->kernel.n);
  nx_tensor *at, *zero;
  int64_t shape[2];
  if (check_indices(C, n)) return nx_status(C);
  at = as_planes(C, n->out[1], a->kernel.n);
  if (g == NULL || at == NULL) return nx_status(C);
  shape[0] = g->shape[0];
  shape[1] = shape[0] ? x->len / shape[0] : 0;
  zero = nx_zeros(C, g->dtype, 2, shape);
  g = nx_scatter_add(C, zero, 1, at, g, a->base);
  gx[0] = g ? nx_reshape(C, g, x->ndim, x->shape) : NULL;
  return nx_status(C);
}


typedef struct returning {
  const char *g;
  const int64_t *at;
  char *gx;
  int64_t places, pixels, base;
  int wide;
} returning;

static void return_planes (void *arg, int64_t first, int64_t last) {
  const returning *r = arg;
  for (int64_t p = first; p < last; p++) {
    const int64_t *at = r->at + p * r->places;
    if (r->wide) {
      const double *g = (const double *)(const void *)r->g + p * r->places;
      double *x = (double *)(void *)r->gx + p * r->pixels - r->base;
      for (int64_t i = 0; i < r->places; i++) x[at[i]] += g[i];
    }
    else {
      const float *g = (const float *)(const void *)r->g + p * r->places;
      float *x = (float *)(void *)r->gx + p * r->pixels - r->base;
      for (int64_t i = 0; i < r->places; i++) x[at[i]] += g[i];
    }
  }
}

/* the same at once: the positions are our own, and inside */
static int max_windows_fused (nx_ctx *C, nx_node *n, nx_tensor **gy,
                              nx_tensor **gx) {
  const nx_windows_args *a = n->a;
  nx_tensor *x = n->in[0], *g = nx_dense(C, gy[0]), *at = n->out[1];
  returning r;
  if (check_indices(C, n)) return nx_status(C);
  gx[0] = nx_zeros(C, x->dtype, x->ndim, x->shape);
  if (nx_status(C) || g->len == 0) return nx_status(C);
  r.g = g->data;
  r.at = (const int64_t *)(const void *)at->data;
  r.gx = gx[0]->data;
  r.places = r.pixels = 1;
  for (int d = 0; d < a->kernel.n; d++) {
    r.places *= g->shape[g->ndim - 1 - d];
    r.pixels *= x->shape[x->ndim - 1 - d];
  }
  r.base = a->base;
  r.wide = x->dtype == NEAP_F64;
  nx_pieces(C, g->len / r.places, r.pixels + r.places, return_planes, &r);
  return 0;
}

static const char *max_windows_saved (const nx_node *n) {
  return ((const nx_windows_args *)n->a)->indices ? "indices" : "";
}

const nx_op nx_op_max_windows = {
  .name = "max_windows",
  .doc = "The largest element of each window, and where it was.",
  .inputs = "x", .outputs = "y indices?", .fields = max_windows_fields,
  .argsize = sizeof(nx_windows_args), .saved = max_windows_saved,
  .flags = NX_INNER, .cutting = windows_cutting,
  .shape = windows_shape, .forward = max_windows_forward,
  .grad = NX_LEARN(max_windows_grad), .fused = NX_LEARN(max_windows_fused)
};

/* Results: y, and with 'indices' where they were; returns how many. */
OPFN int nx_max_windows (nx_ctx *C, nx_tensor *x,
                         const nx_windows_args *args, nx_tensor **out) {
  nx_windows_args a = *args;
  return nx_apply_all(C, &nx_op_max_windows, &a, 1, &x, NX_NEW, 2, out);
}


/* y = sum of each window */
static int sum_windows_forward (nx_ctx *C, nx_node *n) {
  nx_tensor *x = nx_dense(C, n->in[0]), *y = n->out[0];
  sliding s;
  if (x == NULL || plan(C, n, x, y, &s.l) || y->len == 0)
    return nx_status(C);
  return slide(C, &s, x, y, sum_planes, 0);
}

/* the other one of the two sums, for an image or result of this size */
static nx_tensor *other_way (nx_ctx *C, const nx_node *n, nx_tensor *g) {
  nx_windows_args a = *(nx_windows_args *)n->a;
  const nx_tensor *x = n->in[0];
  for (int d = 0; d < a.size.n; d++)
    a.size.v[d] = x->shape[x->ndim - a.size.n + d];
  return n->op == &nx_op_sum_windows ? nx_sum_windows_image(C, g, &a)
                                     : nx_sum_windows(C, g, &a);
}

static int sum_windows_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                             nx_tensor **gx) {
  gx[0] = other_way(C, n, gy[0]);
  return nx_status(C);
}

const nx_op nx_op_sum_windows = {
  .name = "sum_windows", .doc = "The sum of each window.",
  .inputs = "x", .outputs = "y", .fields = sum_windows_fields,
  .argsize = sizeof(nx_windows_args), .flags = NX_INNER,
  .cutting = windows_cutting, .shape = windows_shape,
  .forward = sum_windows_forward,
  .grad = NX_LEARN(sum_windows_grad)
};

OPFN nx_tensor *nx_sum_windows (nx_ctx *C, nx_tensor *x,
                                const nx_windows_args *args) {
  nx_windows_args a = *args;
  return nx_apply(C, &nx_op_sum_windows, &a, 1, &x);
}

/* each element of the image gets the sum over the windows that see it */
static int sum_windows_image_forward (nx_ctx *C, nx_node *n) {
  nx_tensor *x = nx_dense(C, n->in[0]), *y = n->out[0];
  sliding s;
  if (x == NULL || plan(C, n, y, x, &s.l) || y->len == 0)
    return nx_status(C);
  return slide(C, &s, x, y, image_planes, 0);
}

const nx_op nx_op_sum_windows_image = {
  .name = "sum_windows_image",
  .doc = "An image of the sums over the windows that see each element.",
  .inputs = "x", .outputs = "y", .fields = sum_windows_fields,
  .argsize = sizeof(nx_windows_args), .flags = NX_INNER,
  .shape = windows_shape, .forward = sum_windows_image_forward,
  .grad = NX_LEARN(sum_windows_grad)
};

OPFN nx_tensor *nx_sum_windows_image (nx_ctx *C, nx_tensor *x,
                                      const nx_windows_args *args) {
  nx_windows_args a = *args;
  return nx_apply(C, &nx_op_sum_windows_image, &a, 1, &x);
}
