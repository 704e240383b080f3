/*
** Images made larger or smaller.
**
** Every way is a linear map along one dimension at a time: a result is a
** sum of at most four elements. 'resample' is that map, or, the other way
** round ('back'), its gradient; so each is the gradient of the other.
*/
#include <math.h>
#include <string.h>
#include "ops.h"

#define WAYS "nearest nearest-exact linear cubic"
enum { NEAREST, NEAREST_EXACT, LINEAR, CUBIC };

typedef struct resample_args {
  int64_t dim, small, large;   /* sizes of x and y (back: of y and x) */
  int way, align_corners, back;
  double scale;                /* places of x for one of y; 0: from sizes */
} resample_args;

static const nx_field resample_fields[] = {
  NX_DIM(resample_args, dim, NX_REQUIRED, "dimension"),
  NX_INT(resample_args, small, NX_REQUIRED, "its size before"),
  NX_INT(resample_args, large, NX_REQUIRED, "its size after"),
  NX_ENUM(resample_args, way, WAYS, LINEAR, "how elements are mixed"),
  NX_BOOL(resample_args, align_corners, 0, "the ends lie on each other"),
  NX_BOOL(resample_args, back, 0, "the transposed map"),
  NX_NUMBER(resample_args, scale, 0, "places of x for one of y"),
  NX_END
};

#define TAPS 4

/* The elements of x that make one of y. */
typedef struct mixture {
  int64_t at[TAPS];
  double weight[TAPS];
} mixture;


/* Keys' cubic with a = -0.75, as PyTorch has it */
static void cubic_weights (double t, double *w) {
  const double a = -0.75;
  for (int k = 0; k < TAPS; k++) {
    double d = fabs(t + 1 - k);
    w[k] = d <= 1 ? ((a + 2) * d - (a + 3)) * d * d + 1
                  : ((a * d - 5 * a) * d + 8 * a) * d - 4 * a;
  }
}

static int64_t inside (int64_t i, int64_t n) {
  return i < 0 ? 0 : i < n ? i : n - 1;
}

/* where element j of the result lies among those of x */
static double source_of (const resample_args *a, int64_t j) {
  double scale = a->scale > 0 ? a->scale
                              : (double)a->small / (double)a->large;
  if (a->way == NEAREST) return (double)j * scale;
  if (a->way == NEAREST_EXACT) return ((double)j + 0.5) * scale;
  if (a->align_corners)
    return a->large < 2 ? 0
         : (double)j * (double)(a->small - 1) / (double)(a->large - 1);
  return ((double)j + 0.5) * scale - 0.5;
}

static mixture mixture_of (const resample_args *a, int64_t j) {
  mixture m = {{0}, {1}};
  double s = source_of(a, j);
  int64_t i;
  if (a->way == LINEAR && s < 0) s = 0;
  i = (int64_t)floor(s);
  if (a->way == CUBIC) {
    cubic_weights(s - (double)i, m.weight);
    for (int k = 0; k < TAPS; k++) m.at[k] = inside(i - 1 + k, a->small);
    return m;
  }
  m.at[0] = inside(i, a->small);
  if (a->way != LINEAR) return m;
  m.at[1] = inside(i + 1, a->small);
  m.weight[1] = m.at[1] > m.at[0] ? s - (double)i : 0;
  m.weight[0] = 1 - m.weight[1];
  return m;
}


static int resample_shape (nx_ctx *C, nx_node *n) {
  const resample_args *a = n->a;
  nx_tensor *x = n->in[0];
  int64_t shape[NEAP_MAXDIM];
  memcpy(shape, x->shape, sizeof(shape));
  shape[a->dim] = a->back ? a->small : a->large;
  nx_out(C, n, 0, x->dtype, x->ndim, shape);
  return nx_status(C);
}


/* a dense tensor as slabs x size x inner */
typedef struct slabs {
  const resample_args *a;
  const mixture *mix;
  int64_t inner;
  int taps;
  const char *x;
  char *y;
} slabs;

/* y[j] = sum of w x[i], or back: y[i] += w x[j], for rows of 'inner' */
#define SLABS(id, real) \
static void slabs_##id (void *arg, int64_t first, int64_t last) { \
  const slabs *s = arg; \
  int64_t small = s->a->small, large = s->a->large, inner = s->inner; \
  for (int64_t o = first; o < last; o++) { \
    real *few = (real *)(void *)s->y, *many = (real *)(void *)s->y; \
    const real *x = (const real *)(const void *)s->x; \
    few += o * small * inner; \
    many += o * large * inner; \
    x += o * (s->a->back ? large : small) * inner; \
    for (int64_t j = 0; j < large; j++) \
      for (int k = 0; k < s->taps; k++) { \
        const mixture *m = &s->mix[j]; \
        real w = (real)m->weight[k]; \
        const real *p = x + (s->a->back ? j : m->at[k]) * inner; \
        real *q = s->a->back ? few + m->at[k] * inner : many + j * inner; \
        if (w != 0) \
          for (int64_t i = 0; i < inner; i++) q[i] += w * p[i]; \
      } \
  } \
}

SLABS(f32, float)
SLABS(f64, double)

static int resample_forward (nx_ctx *C, nx_node *n) {
  const resample_args *a = n->a;
  nx_tensor *x = nx_dense(C, n->in[0]), *y = n->out[0];
  size_t bytes = (size_t)a->large * sizeof(mixture);
  mixture *mix;
  slabs s = {a, NULL, 1, 1, NULL, NULL};
  int64_t outer = 1;
  if (x == NULL || y->len == 0) return nx_status(C);
  if ((mix = nx_alloc(C, bytes)) == NULL) return nx_status(C);
  for (int64_t j = 0; j < a->large; j++) mix[j] = mixture_of(a, j);
  for (int d = 0; d < x->ndim; d++)
    if (d < a->dim) outer *= x->shape[d];
    else if (d > a->dim) s.inner *= x->shape[d];
  s.mix = mix;
  s.taps = a->way == CUBIC ? TAPS : a->way == LINEAR ? 2 : 1;
  s.x = x->data;
  s.y = y->data;
  memset(y->data, 0, (size_t)y->len * nx_dtype_size(y->dtype));
  nx_pieces(C, outer, a->large * s.inner * s.taps,
            y->dtype == NEAP_F64 ? slabs_f64 : slabs_f32, &s);
  nx_free(C, mix, bytes);
  return nx_status(C);
}

static int resample_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                          nx_tensor **gx) {
  resample_args a = *(resample_args *)n->a;
  a.back = !a.back;
  gx[0] = nx_apply(C, &nx_op_resample, &a, 1, gy);
  return nx_status(C);
}

const nx_op nx_op_resample = {
  .name = "resample", .doc = "One dimension with more or fewer elements.",
  .inputs = "x", .outputs = "y", .fields = resample_fields,
  .argsize = sizeof(resample_args), .flags = NX_INNER,
  .shape = resample_shape, .forward = resample_forward,
  .grad = NX_LEARN(resample_grad)
};


/*
** interpolate: all dimensions behind batch and channels.
*/
#define MODES "nearest linear bilinear trilinear bicubic area nearest-exact"
enum { M_NEAREST, M_LINEAR, M_BILINEAR, M_TRILINEAR, M_BICUBIC, M_AREA,
       M_EXACT };

typedef struct interpolate_args {
  nx_ints size;
  double scale_factor;
  int mode, align_corners;
} interpolate_args;

static const nx_field interpolate_fields[] = {
  NX_INTS(interpolate_args, size, NX_UNSET, "sizes of the result"),
  NX_NUMBER(interpolate_args, scale_factor, NX_UNSET,
            "instead of size: how many times as large"),
  NX_ENUM(interpolate_args, mode, MODES, M_NEAREST, "how elements are mixed"),
  NX_BOOL(interpolate_args, align_corners, 0,
          "the corners of x and of the result lie on each other"),
  NX_END
};

static const struct { int way, dims; } modes[] = {
  {NEAREST, 0}, {LINEAR, 1}, {LINEAR, 2}, {LINEAR, 3}, {CUBIC, 2},
  {LINEAR, 0}, {NEAREST_EXACT, 0}          /* 0: any */
};

/* the sizes of the result; fails where options do not fit */
static int plan_sizes (nx_ctx *C, nx_node *n, nx_ints *size) {
  const interpolate_args *a = n->a;
  const nx_tensor *x = n->in[0];
  int dims = x->ndim - 2, want = modes[a->mode].dims;
  char text[NX_SHAPE_TEXT];
  if (nx_want_float(C, n, 0)) return nx_status(C);
  if (dims < 1 || dims > 3 || (want && want != dims))
    return nx_op_fail(C, n, NEAP_ESHAPE, "x is %s, expected a batch, channels "
                      "and %d dimensions for this mode",
                      nx_shape_of(x, text), want ? want : 2);
  if (a->align_corners && (modes[a->mode].way != LINEAR || a->mode == M_AREA)
      && a->mode != M_BICUBIC)
    return nx_op_fail(C, n, NEAP_EARG, "align_corners belongs to linear, "
                      "bilinear, trilinear and bicubic");
  if ((a->size.n > 0) == (a->scale_factor != NX_UNSET))
    return nx_op_fail(C, n, NEAP_EARG, "expected one of size and "
                      "scale_factor");
  if (a->scale_factor != NX_UNSET && !(a->scale_factor > 0))
    return nx_op_fail(C, n, NEAP_EARG, "scale_factor is %g, expected more "
                      "than 0", a->scale_factor);
  *size = a->size;
  for (int d = 0; a->scale_factor != NX_UNSET && d < dims; d++)
    size->v[d] = (int64_t)floor((double)x->shape[2 + d] * a->scale_factor);
  if (a->scale_factor != NX_UNSET) size->n = dims;
  if (size->n == 1)
    while (size->n < dims) size->v[size->n++] = size->v[0];
  if (size->n != dims)
    return nx_op_fail(C, n, NEAP_EARG, "size has %d entries, expected 1 or "
                      "%d", size->n, dims);
  for (int d = 0; d < dims; d++)
    if (size->v[d] < 1 || size->v[d] > INT32_MAX || x->shape[2 + d] < 1)
      return nx_op_fail(C, n, NEAP_ESHAPE, "x is %s and the result would have "
                        "size %lld in dimension %d", nx_shape_of(x, text),
                        (long long)size->v[d], 2 + d + C->base);
  return 0;
}

static int interpolate_compose (nx_ctx *C, nx_node *n) {
  const interpolate_args *a = n->a;
  nx_tensor *y = n->in[0];
  nx_ints size;
  if (plan_sizes(C, n, &size)) return nx_status(C);
  if (a->mode == M_AREA)
    return nx_composed(C, n, nx_adaptive_avg_pool(C, y, size));
  for (int d = 0; y && d < size.n; d++) {
    resample_args r = {2 + d, y->shape[2 + d], size.v[d],
                       modes[a->mode].way, a->align_corners, 0, 0};
    if (a->scale_factor != NX_UNSET && !a->align_corners)
      r.scale = 1 / a->scale_factor;
    y = nx_apply(C, &nx_op_resample, &r, 1, &y);
  }
  return nx_composed(C, n, y);
}

const nx_op nx_op_interpolate = {
  .name = "interpolate",
  .doc = "Images of 1 to 3 dimensions in another size: (batch, channels, "
         "...).",
  .inputs = "x", .outputs = "y", .fields = interpolate_fields,
  .argsize = sizeof(interpolate_args), .compose = interpolate_compose
};
