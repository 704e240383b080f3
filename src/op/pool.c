/*
** max_pool, avg_pool, lp_pool, their adaptive forms and max_unpool, for
** images of 1, 2 and 3 dimensions with any dimensions before them. They
** complete their options and call the windows of windows.c.
*/
#include <string.h>
#include "op/composed.h"
#include "op/image.h"
#include "op/windows.h"

typedef struct pool_args {
  nx_ints kernel_size, stride, padding, dilation, output_size;
  int64_t divisor_override;
  double norm_type;
  int ceil_mode, return_indices, count_include_pad;
  int64_t base;
} pool_args;

#define KERNEL_SIZE NX_INTS(pool_args, kernel_size, NX_REQUIRED, \
                       "sizes of the window")
#define STRIDE NX_INTS(pool_args, stride, NX_UNSET, \
                       "places between windows; that of the window")
#define PADDING NX_INTS(pool_args, padding, 0, "room on both sides")
#define CEIL NX_BOOL(pool_args, ceil_mode, 0, \
                     "also windows that only begin inside")
#define INDICES \
  NX_BOOL(pool_args, return_indices, 0, "also where the largest were"), \
  NX_BASE(pool_args, base)
#define OUTPUT NX_INTS(pool_args, output_size, NX_REQUIRED, \
                       "sizes of the result; -1: that of x")

static const nx_field max_pool_fields[] = {
  KERNEL_SIZE, STRIDE, PADDING,
  NX_INTS(pool_args, dilation, 1, "places between elements of a window"),
  CEIL, INDICES, NX_END
};

static const nx_field avg_pool_fields[] = {
  KERNEL_SIZE, STRIDE, PADDING, CEIL,
  NX_BOOL(pool_args, count_include_pad, 1, "room counts as zeros"),
  NX_INT(pool_args, divisor_override, NX_UNSET,
         "what sums are divided by; the number of elements"),
  NX_END
};

static const nx_field lp_pool_fields[] = {
  NX_NUMBER(pool_args, norm_type, NX_REQUIRED, "the power p"),
  KERNEL_SIZE, STRIDE, CEIL, NX_END
};

static const nx_field adaptive_avg_pool_fields[] = {OUTPUT, NX_END};
static const nx_field adaptive_max_pool_fields[] = {OUTPUT, INDICES, NX_END};

static const nx_field max_unpool_fields[] = {
  KERNEL_SIZE, STRIDE, PADDING,
  NX_INTS(pool_args, output_size, NX_UNSET, "sizes of the image"),
  NX_BASE(pool_args, base), NX_END
};


/* size of the image along its dimension d */
static int64_t side (const nx_node *n, int d) {
  const nx_tensor *x = n->in[0];
  return x->shape[x->ndim - nx_image_dims(n) + d];
}

static int check_image (nx_ctx *C, const nx_node *n) {
  const nx_tensor *x = n->in[0];
  char text[NX_SHAPE_TEXT];
  if (nx_want_float(C, n, 0)) return nx_status(C);
  if (x->ndim < nx_image_dims(n))
    return nx_op_fail(C, n, NEAP_ESHAPE, "x is %s, expected at least %d "
                      "dimensions", nx_shape_of(x, text), nx_image_dims(n));
  for (int d = 0; d < nx_image_dims(n); d++)
    if (side(n, d) < 1)
      return nx_op_fail(C, n, NEAP_ESHAPE, "x is %s: there is nothing in its "
                        "images", nx_shape_of(x, text));
  return 0;
}


/*
** windows = (x + 2 padding - reach of the window) / stride + 1, rounded up
** with ceil_mode, where the last one must begin inside or in the room
** before the end
*/
static int64_t windows (const nx_windows_args *w, int64_t in, int d,
                        int ceil_mode) {
  int64_t s = w->stride.v[d], p = w->padding.v[d];
  int64_t rest = in + 2 * p - (w->kernel.v[d] - 1) * w->dilation.v[d] - 1;
  int64_t n = (rest + (ceil_mode ? s - 1 : 0)) / s + 1;
  if (ceil_mode && (n - 1) * s >= in + p) n--;
  return rest < 0 ? 0 : n;
}

static int complete (nx_ctx *C, const nx_node *n, nx_windows_args *w) {
  const pool_args *a = n->a;
  nx_ints zero = {1, {0}}, one = {1, {1}};
  memset(w, 0, sizeof(*w));
  w->kernel = a->kernel_size;
  w->stride = a->stride.n > 0 ? a->stride : a->kernel_size;
  w->padding = a->padding.n > 0 ? a->padding : zero;
  w->dilation = a->dilation.n > 0 ? a->dilation : one;
  w->size.n = nx_image_dims(n);
  w->base = a->base;
  return nx_image_widen(C, n, "kernel_size", &w->kernel, 1) ||
         nx_image_widen(C, n, "stride", &w->stride, 1) ||
         nx_image_widen(C, n, "padding", &w->padding, 0) ||
         nx_image_widen(C, n, "dilation", &w->dilation, 1);
}

static int place_windows (nx_ctx *C, const nx_node *n, nx_windows_args *w) {
  char text[NX_SHAPE_TEXT];
  if (check_image(C, n) || complete(C, n, w)) return nx_status(C);
  for (int d = 0; d < w->size.n; d++) {
    if (2 * w->padding.v[d] > w->kernel.v[d])
      return nx_op_fail(C, n, NEAP_EARG, "padding is %lld, expected at most "
                        "half of the kernel_size %lld",
                        (long long)w->padding.v[d],
                        (long long)w->kernel.v[d]);
    w->size.v[d] = windows(w, side(n, d), d,
                           ((const pool_args *)n->a)->ceil_mode);
    if (w->size.v[d] < 1)
      return nx_op_fail(C, n, NEAP_ESHAPE, "the window does not fit into x "
                        "(%s)", nx_shape_of(n->in[0], text));
  }
  return 0;
}


/* y, and where they were if that is asked for */
static int two_results (nx_ctx *C, nx_node *n, nx_tensor *y, nx_tensor *at) {
  n->out[0] = y;
  n->out[1] = at;
  n->nout = ((const pool_args *)n->a)->return_indices ? 2 : 1;
  return nx_status(C);
}

static int max_pool_compose (nx_ctx *C, nx_node *n) {
  nx_windows_args w;
  nx_tensor *out[2] = {NULL, NULL};
  if (place_windows(C, n, &w)) return nx_status(C);
  w.indices = C->recording || ((const pool_args *)n->a)->return_indices;
  nx_max_windows(C, n->in[0], &w, out);
  return two_results(C, n, out[0], out[1]);
}


/* elements in window o of dimension d, 'all': with the room around x */
static int64_t elements (const nx_windows_args *w, int64_t in, int d,
                         int64_t o, int all) {
  int64_t from = o * w->stride.v[d] - w->padding.v[d];
  int64_t to = from + w->kernel.v[d], end = in + w->padding.v[d];
  if (to > end) to = end;
  if (!all && from < 0) from = 0;
  if (!all && to > in) to = in;
  return to - from;
}

/* 1 / (elements in each window), in the sizes of the result */
static nx_tensor *shares (nx_ctx *C, const nx_node *n,
                          const nx_windows_args *w) {
  int all = ((const pool_args *)n->a)->count_include_pad;
  nx_tensor *t = nx_new(C, n->in[0]->dtype, w->size.n, w->size.v);
  char *at = t ? t->data : NULL;
  for (int64_t i = 0; t && i < t->len; i++) {
    int64_t rest = i, count = 1;
    for (int d = w->size.n - 1; d >= 0; d--) {
      count *= elements(w, side(n, d), d, rest % w->size.v[d], all);
      rest /= w->size.v[d];
    }
    nx_put_number(t, at, 1 / (double)count);
    at += nx_dtype_size(t->dtype);
  }
  return t;
}

/* all windows have all of their elements */
static int is_even (const nx_node *n, const nx_windows_args *w) {
  int all = ((const pool_args *)n->a)->count_include_pad;
  for (int d = 0; d < w->size.n; d++)
    if (elements(w, side(n, d), d, 0, all) != w->kernel.v[d] ||
        elements(w, side(n, d), d, w->size.v[d] - 1, all) !=
        w->kernel.v[d]) return 0;
  return 1;
}

static double volume (const nx_ints *v) {
  double n = 1;
  for (int d = 0; d < v->n; d++) n *= (double)v->v[d];
  return n;
}

static int avg_pool_compose (nx_ctx *C, nx_node *n) {
  const pool_args *a = n->a;
  nx_windows_args w;
  nx_tensor *y, *share;
  if (place_windows(C, n, &w)) return nx_status(C);
  if (a->divisor_override == 0)
    return nx_op_fail(C, n, NEAP_EARG, "divisor_override must not be 0");
  y = nx_sum_windows(C, n->in[0], &w);
  if (a->divisor_override != NX_UNSET_INT)
    share = NUM(1 / (double)a->divisor_override);
  else share = is_even(n, &w) ? NUM(1 / volume(&w.kernel))
                              : shares(C, n, &w);
  return nx_composed(C, n, MUL(y, share));
}

/* y = (sum x^p)^(1/p) */
static int lp_pool_compose (nx_ctx *C, nx_node *n) {
  const pool_args *a = n->a;
  nx_windows_args w;
  nx_tensor *y;
  if (place_windows(C, n, &w)) return nx_status(C);
  if (!(a->norm_type > 0))
    return nx_op_fail(C, n, NEAP_EARG, "norm_type is %g, expected more than "
                      "0", a->norm_type);
  y = nx_sum_windows(C, nx_pow(C, n->in[0], NUM(a->norm_type)), &w);
  return nx_composed(C, n, nx_pow(C, y, NUM(1 / a->norm_type)));
}


/*
** Adaptive windows: of n windows over m elements the i-th has those from
** floor(i m / n) to ceil((i + 1) m / n).
*/
static int64_t begins (int64_t i, int64_t n, int64_t m) { return i * m / n; }

static int64_t ends (int64_t i, int64_t n, int64_t m) {
  return ((i + 1) * m + n - 1) / n;
}

static int adaptive_size (nx_ctx *C, const nx_node *n, nx_ints *size) {
  *size = ((const pool_args *)n->a)->output_size;
  if (check_image(C, n) || nx_image_widen(C, n, "output_size", size, -1))
    return nx_status(C);
  for (int d = 0; d < size->n; d++) {
    if (size->v[d] == -1) size->v[d] = side(n, d);
    if (size->v[d] < 1)
      return nx_op_fail(C, n, NEAP_EARG, "output_size is %lld, expected at "
                        "least 1", (long long)size->v[d]);
  }
  return 0;
}

/* the plain windows that do the same; false if there are none */
static int is_regular (const nx_node *n, const nx_ints *size,
                       nx_windows_args *w) {
  memset(w, 0, sizeof(*w));
  w->kernel.n = w->padding.n = w->dilation.n = size->n;
  w->size = *size;
  for (int d = 0; d < size->n; d++) {
    if (side(n, d) % size->v[d] != 0) return 0;
    w->kernel.v[d] = side(n, d) / size->v[d];
    w->dilation.v[d] = 1;
  }
  w->stride = w->kernel;
  w->base = ((const pool_args *)n->a)->base;
  return 1;
}

/* the mean of whole images */
static nx_tensor *global_mean (nx_ctx *C, const nx_node *n) {
  nx_ints dims = {0, {0}};
  for (int d = -nx_image_dims(n); d < 0; d++) dims.v[dims.n++] = d;
  return nx_mean(C, n->in[0], dims, 1);
}

/* the mean over windows of dimension d as a product with shares */
static nx_tensor *mean_along (nx_ctx *C, nx_tensor *x, int64_t dim,
                              int64_t size) {
  int64_t in = x->shape[dim], shape[2];
  nx_tensor *w;
  shape[0] = in;
  shape[1] = size;
  w = nx_zeros(C, x->dtype, 2, shape);
  for (int64_t o = 0; w && o < size; o++)
    for (int64_t i = begins(o, size, in); i < ends(o, size, in); i++)
      nx_put_number(w, w->data + (i * size + o) *
                    (int64_t)nx_dtype_size(w->dtype),
                    1 / (double)(ends(o, size, in) - begins(o, size, in)));
  x = nx_matmul(C, nx_transpose(C, x, dim, -1), w);
  return x ? nx_transpose(C, x, dim, -1) : NULL;
}

static int adaptive_avg_pool_compose (nx_ctx *C, nx_node *n) {
  nx_ints size;
  nx_windows_args w;
  nx_tensor *x = n->in[0];
  if (adaptive_size(C, n, &size)) return nx_status(C);
  if (volume(&size) == 1) return nx_composed(C, n, global_mean(C, n));
  if (is_regular(n, &size, &w))
    return nx_composed(C, n, MUL(nx_sum_windows(C, x, &w),
                                 NUM(1 / volume(&w.kernel))));
  for (int d = 0; x && d < size.n; d++)
    x = mean_along(C, x, x->ndim - size.n + d, size.v[d]);
  return nx_composed(C, n, x);
}


/*
** Uneven windows of dimension d, as long as the longest: a shorter one
** shows its last element again, which changes no maximum.
*/
static nx_tensor *window_table (nx_ctx *C, int64_t in, int64_t size,
                                int64_t *width) {
  int64_t shape[2], *at;
  nx_tensor *t;
  *width = 0;
  for (int64_t o = 0; o < size; o++)
    if (ends(o, size, in) - begins(o, size, in) > *width)
      *width = ends(o, size, in) - begins(o, size, in);
  shape[0] = size;
  shape[1] = *width;
  t = nx_new(C, NEAP_I64, 2, shape);
  at = t ? (int64_t *)(void *)t->data : NULL;
  for (int64_t o = 0; t && o < size; o++)
    for (int64_t k = 0; k < *width; k++) {
      int64_t i = begins(o, size, in) + k, last = ends(o, size, in) - 1;
      *at++ = i < last ? i : last;
    }
  return t;
}

/* Each dimension of the image as (windows, elements), in place of one. */
typedef struct unrolled {
  nx_tensor *x, *flat;         /* elements, and where they are in an image */
  int64_t width[3];
} unrolled;

static int unroll (nx_ctx *C, const nx_node *n, const nx_ints *size,
                   unrolled *u) {
  nx_tensor *flat = NULL;
  int64_t step = 1, shape[NEAP_MAXDIM];
  u->x = n->in[0];
  for (int d = size->n - 1; d >= 0; d--) {
    nx_tensor *t = window_table(C, side(n, d), size->v[d], &u->width[d]);
    int dim = n->in[0]->ndim - size->n + d;
    if (t == NULL) return nx_status(C);
    u->x = nx_index_select(C, u->x, dim,
                           nx_reshape(C, t, 1, (int64_t[]){t->len}), 0);
    for (int k = 0; k < 2 * size->n; k++) shape[k] = 1;
    shape[2 * d] = size->v[d];
    shape[2 * d + 1] = u->width[d];
    t = nx_reshape(C, MUL(t, nx_from_integer(C, step)), 2 * size->n, shape);
    flat = flat ? ADD(flat, t) : t;
    step *= side(n, d);
  }
  u->flat = flat;
  return nx_status(C);
}

/* (planes, windows..., elements of a window) of what 'unroll' made */
static nx_tensor *by_window (nx_ctx *C, const nx_ints *size,
                             const unrolled *u, nx_tensor *t,
                             int64_t planes) {
  int64_t shape[NEAP_MAXDIM];
  nx_ints order = {2 * size->n + 1, {0}};
  shape[0] = planes;
  for (int d = 0; d < size->n; d++) {
    shape[1 + 2 * d] = size->v[d];
    shape[2 + 2 * d] = u->width[d];
    order.v[1 + d] = 1 + 2 * d;
    order.v[1 + size->n + d] = 2 + 2 * d;
  }
  t = t ? nx_reshape(C, t, 2 * size->n + 1, shape) : NULL;
  t = t ? nx_permute(C, t, order) : NULL;
  shape[1] = (int64_t)volume(size);
  shape[2] = 1;
  for (int d = 0; d < size->n; d++) shape[2] *= u->width[d];
  return t ? nx_reshape(C, t, 3, shape) : NULL;
}

static int uneven_max (nx_ctx *C, nx_node *n, const nx_ints *size) {
  const pool_args *a = n->a;
  nx_tensor *x = n->in[0], *out[2], *flat, *y;
  int64_t shape[NEAP_MAXDIM], planes = x->len;
  unrolled u;
  memcpy(shape, x->shape, sizeof(shape));
  for (int d = 0; d < size->n; d++) {
    shape[x->ndim - size->n + d] = size->v[d];
    planes /= side(n, d);
  }
  if (unroll(C, n, size, &u)) return nx_status(C);
  y = by_window(C, size, &u, u.x, planes);
  flat = by_window(C, size, &u, u.flat, 1);
  if (y == NULL || flat == NULL || nx_max_along(C, y, 2, out))
    return nx_status(C);
  flat = nx_expand(C, flat, 3, y->shape);
  flat = flat ? nx_gather(C, flat, 2, nx_unsqueeze(C, out[1], 2), 0) : NULL;
  flat = flat ? ADD(flat, nx_from_integer(C, a->base)) : NULL;
  if (nx_status(C)) return nx_status(C);
  return two_results(C, n, nx_reshape(C, out[0], x->ndim, shape),
                     nx_reshape(C, flat, x->ndim, shape));
}

static int adaptive_max_pool_compose (nx_ctx *C, nx_node *n) {
  nx_ints size;
  nx_windows_args w;
  nx_tensor *out[2] = {NULL, NULL};
  if (adaptive_size(C, n, &size)) return nx_status(C);
  if (!is_regular(n, &size, &w)) return uneven_max(C, n, &size);
  w.indices = C->recording || ((const pool_args *)n->a)->return_indices;
  nx_max_windows(C, n->in[0], &w, out);
  return two_results(C, n, out[0], out[1]);
}


/*
** Elements back to where max_pool found them, zeros elsewhere. Without
** output_size the image is (x - 1) stride - 2 padding + window.
*/
static int unpool_size (nx_ctx *C, const nx_node *n, nx_ints *size) {
  const pool_args *a = n->a;
  nx_windows_args w;
  if (check_image(C, n) || complete(C, n, &w)) return nx_status(C);
  *size = a->output_size;
  if (size->n > nx_image_dims(n)) {              /* a whole shape: its end */
    memmove(size->v, size->v + size->n - nx_image_dims(n),
            sizeof(*size->v) * (size_t)nx_image_dims(n));
    size->n = nx_image_dims(n);
  }
  if (size->n >= 0) return nx_image_widen(C, n, "output_size", size, 1);
  size->n = nx_image_dims(n);
  for (int d = 0; d < size->n; d++)
    size->v[d] = (side(n, d) - 1) * w.stride.v[d] - 2 * w.padding.v[d] +
                 w.kernel.v[d];
  return 0;
}

static int max_unpool_compose (nx_ctx *C, nx_node *n) {
  nx_tensor *x = n->in[0], *at = n->in[1], *y;
  int64_t flat[2], shape[NEAP_MAXDIM], image[2];
  nx_ints size;
  if (unpool_size(C, n, &size) || nx_want_whole(C, n, 1))
    return nx_status(C);
  if (!nx_same_shape(x, at))
    return nx_op_fail(C, n, NEAP_ESHAPE, "indices must have the shape of x");
  memcpy(shape, x->shape, sizeof(shape));
  flat[1] = image[1] = 1;
  for (int d = 0; d < size.n; d++) {
    flat[1] *= side(n, d);
    image[1] *= size.v[d];
    shape[x->ndim - size.n + d] = size.v[d];
  }
  flat[0] = image[0] = x->len / flat[1];
  y = nx_zeros(C, x->dtype, 2, image);
  y = nx_scatter(C, y, 1, nx_reshape(C, at, 2, flat),
                 nx_reshape(C, x, 2, flat),
                 ((const pool_args *)n->a)->base);
  return nx_composed(C, n, y ? nx_reshape(C, y, x->ndim, shape) : NULL);
}


#define POOL(id, kind, inside, results, text) \
const nx_op nx_op_##id = { \
  .name = #id, .doc = text, .inputs = inside, .outputs = results, \
  .fields = kind##_fields, .argsize = sizeof(pool_args), \
  .compose = kind##_compose \
};

#define MAX(id) \
  POOL(id, max_pool, "x", "y indices?", \
  "The largest element of each window; indices: positions in the image " \
  "as one row.")
MAX(max_pool1d)
MAX(max_pool2d)
MAX(max_pool3d)

#define AVG(id) \
  POOL(id, avg_pool, "x", "y", \
       "The mean of each window.")
AVG(avg_pool1d)
AVG(avg_pool2d)
AVG(avg_pool3d)

#define LP(id) \
  POOL(id, lp_pool, "x", "y", \
  "(sum of x^p)^(1/p) over each window, p = norm_type.")
LP(lp_pool1d)
LP(lp_pool2d)
LP(lp_pool3d)

#define ADAPTIVE_AVG(id) \
  POOL(id, adaptive_avg_pool, "x", "y", \
  "The mean of windows that divide the image into output_size parts.")
ADAPTIVE_AVG(adaptive_avg_pool1d)
ADAPTIVE_AVG(adaptive_avg_pool2d)
ADAPTIVE_AVG(adaptive_avg_pool3d)

#define ADAPTIVE_MAX(id) \
  POOL(id, adaptive_max_pool, "x", "y indices?", \
  "The largest elements of windows that divide the image into output_size " \
  "parts.")
ADAPTIVE_MAX(adaptive_max_pool1d)
ADAPTIVE_MAX(adaptive_max_pool2d)
ADAPTIVE_MAX(adaptive_max_pool3d)

#define UNPOOL(id) \
  POOL(id, max_unpool, "x indices", "y", \
  "Elements back to the positions where max_pool found them, zeros " \
  "elsewhere.")
UNPOOL(max_unpool1d)
UNPOOL(max_unpool2d)
UNPOOL(max_unpool3d)

OPFN nx_tensor *nx_adaptive_avg_pool (nx_ctx *C, nx_tensor *x, nx_ints size) {
  static const nx_op *const forms[] = {
    &nx_op_adaptive_avg_pool1d, &nx_op_adaptive_avg_pool2d,
    &nx_op_adaptive_avg_pool3d
  };
  pool_args a;
  nx_fields_default(C, adaptive_avg_pool_fields, &a);
  a.output_size = size;
  return nx_apply(C, forms[size.n - 1], &a, 1, &x);
}
