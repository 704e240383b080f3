/*
** convolve: the sums of a convolution, forward.
**
** The matrix of all that the kernel meets is never built. A piece of work
** is a band of rows of one image and one group: its lattice (lattice.h)
** is laid out, panels of it (a tap's elements for some places) are
** gathered where the nearest caches hold them, and each panel meets all
** weights in tiles of registers. An element is one chain of multiply-adds
** over channels and taps: its bits do not depend on how work is cut.
*/
#include <string.h>
#include "base/threads.h"
#include "op/composed.h"
#include "op/convolution.h"
#include "tensor/dtype.h"
#include "tensor/walk.h"

/* Taps of a panel: a panel of 32 columns then fills 64 KiB. */
#define DEPTH ((int64_t)256)
/* Weights above these bytes meet several panels at once. */
#define LARGE_WEIGHTS ((int64_t)1 << 17)
#define MOST_PANELS 4
#define MOST_HALVES 16         /* of vectors, side by side in a tile */

enum { X, W, B };

typedef struct sums {
  const nx_kernels *K;
  nx_lattice l;
  nx_weights w;
  const char *x, *packed, *bias;
  char *y, *room;
  const ptrdiff_t *tap;
  int64_t size, k, lines, bands, panels;
  int64_t lattice, each;       /* elements in the room of a place */
  int relu;
} sums;

/* One panel of a band: its places, and where they lie. */
typedef struct panel {
  int64_t place, n;
  size_t runs;
  nx_run *run;
  char *data;
} panel;

/* The room of a place: lattice, panels, runs. */
static char *room_of (const sums *s, int place) {
  return s->room + place * s->each;
}

/* Tiles of all results of a group with some panels, for taps [from, to). */
static void meet (const sums *s, const char *packed, const char *bias,
                  char *y, const panel *p, int panels, int64_t from,
                  int64_t to) {
  const int mr = s->K->rows;
  int last = to == s->k;
  for (int64_t r = 0; r < s->w.rows; r += mr) {
    int64_t rows = s->w.rows - r < mr ? s->w.rows - r : mr;
    const char *a = packed + (r * s->k + from * mr) * s->size;
    for (int i = 0; i < panels; i++)
      s->K->patch((size_t)rows, (size_t)p[i].n, (size_t)(to - from), a,
                  p[i].data, y + (r * s->l.places + p[i].place) * s->size,
                  s->l.places, from == 0 ? bias + r * s->size : NULL,
                  s->relu && last);
  }
}

/* All places of a band from its lattice. */
static void band_sums (const sums *s, const nx_lattice *l, const char *x,
                       const char *packed, const char *bias, char *y,
                       char *room) {
  const int nr = s->K->cols;
  panel p[MOST_PANELS];
  for (int i = 0; i < s->panels; i++) {
    p[i].data = room + i * DEPTH * nr * s->size;
    p[i].run = (nx_run *)(void *)(room + s->panels * DEPTH * nr * s->size) +
               i * nr;
  }
  for (int64_t place = 0; place < l->places;) {
    int count = 0;
    for (; count < s->panels && place < l->places; count++) {
      panel *q = &p[count];
      q->place = place;
      q->n = l->places - place < nr ? l->places - place : nr;
      q->runs = nx_lattice_runs(l, place, q->n, q->run);
      place += q->n;
    }
    for (int64_t k = 0; k < s->k; k += DEPTH) {
      int64_t to = k + DEPTH < s->k ? k + DEPTH : s->k;
      for (int i = 0; i < count; i++)
        s->K->collect((size_t)(to - k), s->tap + k, x, p[i].runs, p[i].run,
                      p[i].data);
      meet(s, packed, bias, y, p, count, k, to);
    }
  }
}

/*
** The same where rows of places are whole vectors, or halves of them: they
** are read from the lattice.
*/
static void band_sweep (const sums *s, const nx_lattice *l, const char *x,
                        const char *packed, const char *bias, char *y) {
  const int mr = s->K->rows, nr = s->K->cols;
  const int halves = l->out[2] % s->K->lanes != 0;
  const int step = halves ? s->K->lanes / 2 : s->K->lanes;
  ptrdiff_t at[MOST_HALVES + 1];
  for (int64_t place = 0; place < l->places; place += nr) {
    int n = 0;
    for (; n < nr / step && place + n * step < l->places; n++)
      at[n] = nx_lattice_place(l, place + n * step);
    at[n] = at[n - 1];
    for (int64_t r = 0; r < s->w.rows; r += mr) {
      int64_t rows = s->w.rows - r < mr ? s->w.rows - r : mr;
      s->K->sweep((size_t)rows, (size_t)n, halves, (size_t)s->k,
                  packed + r * s->k * s->size, s->tap, x, at,
                  y + (r * s->l.places + place) * s->size, s->l.places,
                  bias + r * s->size, s->relu);
    }
  }
}

/* Neighbours fill at least halves of vectors. */
static int sweeps (const sums *s, const nx_lattice *l) {
  int lanes = s->K->lanes;
  return l->out[2] % (lanes > 1 ? lanes / 2 : 1) == 0;
}

/* piece i: an image, a group, a band */
static void sums_piece (void *arg, int64_t i, int place) {
  const sums *s = arg;
  int64_t band = i % s->bands, g = i / s->bands % s->w.groups;
  int64_t image = i / s->bands / s->w.groups;
  int64_t from = band * s->lines, all = nx_lattice_lines(&s->l);
  int64_t to = from + s->lines < all ? from + s->lines : all;
  nx_lattice l = nx_lattice_band(&s->l, from, to);
  int64_t plane = l.in[0] * l.in[1] * l.in[2];
  int64_t blocks = (s->w.rows + s->K->rows - 1) / s->K->rows;
  const char *x = s->x + (image * s->w.groups + g) * s->w.channels * plane *
                  s->size;
  const char *packed, *bias;
  char *room = room_of(s, place);
  char *y = s->y + ((image * s->w.groups + g) * s->w.rows * s->l.places +
                    from * (s->l.places / all)) * s->size;
  if (s->bands > 1) nx_lattice_edge(&l, s->w.channels, s->size, room);
  x = nx_lattice_lay(s->K, &l, s->w.channels, s->size, x, room);
  packed = s->packed + g * blocks * s->K->rows * s->k * s->size;
  bias = s->bias + g * s->w.rows * s->size;
  if (sweeps(s, &l))
    band_sweep(s, &l, x, packed, bias, y);
  else
    band_sums(s, &l, x, packed, bias, y, room + s->lattice * s->size);
}


/* Room for each thread that may take part; zeros beside the image stay. */
static nx_tensor *make_room (nx_ctx *C, sums *s, int places) {
  const int nr = s->K->cols;
  s->l = nx_lattice_low(&s->l, s->lines);
  s->lattice = s->l.bare ? 0 : (s->w.channels * s->l.channel + 15) / 16 * 16;
  s->panels = s->w.rows * s->k * s->size > LARGE_WEIGHTS ? MOST_PANELS : 1;
  s->each = (s->lattice + s->panels * DEPTH * nr) * s->size +
            s->panels * nr * (int64_t)sizeof(nx_run);
  s->each = (s->each + NX_ALIGN - 1) / NX_ALIGN * NX_ALIGN;
  return nx_zeros(C, NEAP_U8, 2, (int64_t[]){places, s->each});
}

int nx_convolve_into (nx_ctx *C, const nx_lattice *l, const nx_weights *w,
                      nx_tensor *x, nx_tensor *bias, nx_tensor *y,
                      int relu) {
  sums s;
  nx_tensor *packed, *room, *taps;
  int places = nx_pool_threads(C->rt->pool);
  if (y->len == 0) return 0;
  if (bias == NULL) bias = nx_zeros(C, y->dtype, 1, &y->shape[1]);
  packed = nx_weights_pack(C, x->dtype, w);
  taps = nx_distances(C, w->channels * w->taps);
  if (nx_status(C)) return nx_status(C);
  s.K = nx_kernels_for(C, x->dtype);
  s.l = *l;
  s.w = *w;
  s.size = (int64_t)nx_dtype_size(x->dtype);
  s.k = w->channels * w->taps;
  s.relu = relu;
  s.bands = nx_lattice_cut(l, w, s.size, &s.lines);
  room = make_room(C, &s, places);
  if (room == NULL) return nx_status(C);
  nx_lattice_taps(&s.l, w->channels, (ptrdiff_t *)(void *)taps->data);
  s.tap = (const ptrdiff_t *)(const void *)taps->data;
  s.x = x->data;
  s.packed = packed->data;
  s.bias = bias->data;
  s.y = y->data;
  s.room = room->data;
  nx_parallel_within(C->rt->pool, x->shape[0] * w->groups * s.bands, places,
                     sums_piece, &s);
  return nx_status(C);
}


/* x (batch, in, ...), w (out, in / groups, ...), b (out) */
static int convolve_shape (nx_ctx *C, nx_node *n) {
  const convolution_args *a = n->a;
  nx_tensor *x = n->in[X], *w = n->in[W], *b = n->nin > B ? n->in[B] : NULL;
  int64_t shape[NEAP_MAXDIM];
  nx_lattice l;
  if (nx_want_float(C, n, X) || nx_want_float(C, n, W)) return nx_status(C);
  if (x->ndim < 3 || x->ndim > 5 || a->size.n != x->ndim - 2 ||
      w->ndim != x->ndim || nx_convolution_lists(C, n, x->ndim - 2))
    return nx_status(C) ? nx_status(C)
      : nx_op_fail(C, n, NEAP_ESHAPE, "inputs must have 3 to 5 dimensions");
  shape[0] = x->shape[0];
  shape[1] = w->shape[0];
  for (int d = 2; d < x->ndim; d++) shape[d] = a->size.v[d - 2];
  nx_out(C, n, 0, x->dtype, x->ndim, shape);
  if (nx_status(C)) return nx_status(C);
  if (b && (b->ndim != 1 || b->len != w->shape[0] || b->dtype != x->dtype))
    return nx_op_fail(C, n, NEAP_ESHAPE, "the bias needs one %s for each of "
                      "%lld channels", nx_dtype_name(x->dtype),
                      (long long)w->shape[0]);
  return nx_convolution_lattice(C, n, x, w, n->out[0], &l);
}

/* without groups, channels of the result go with those of the weight */
static const char *convolve_cutting (const nx_node *n) {
  return n->in[X]->shape[1] == n->in[W]->shape[1] ? "y0 x0, y1 w0 b0"
                                                  : "y0 x0";
}

static double convolve_work (const nx_node *n) {
  const nx_tensor *w = n->in[W];
  return (double)n->out[0]->len * (double)w->len /
         (double)(w->shape[0] > 0 ? w->shape[0] : 1);
}

static int convolve_forward (nx_ctx *C, nx_node *n) {
  const convolution_args *a = n->a;
  nx_tensor *x = nx_dense(C, n->in[X]), *w = nx_dense(C, n->in[W]);
  nx_tensor *b = n->nin > B && n->in[B] ? nx_dense(C, n->in[B]) : NULL;
  nx_tensor *y = n->out[0];
  nx_lattice l;
  nx_weights v;
  if (nx_status(C) || nx_convolution_lattice(C, n, x, w, y, &l))
    return nx_status(C);
  v = nx_weights_of(w, a->groups);
  if (nx_convolve_into(C, &l, &v, x, b, y, a->activation == NX_RELU))
    return nx_status(C);
  if (a->activation == NX_TANH)
    return nx_map(C, nx_kernels_for(C, y->dtype)->tanh, NULL, y, 1, &y);
  if (a->activation == NX_SIGMOID)
    return nx_map(C, nx_kernels_for(C, y->dtype)->sigmoid, NULL, y, 1, &y);
  return 0;
}


/* With g the gradient before the activation: gx and gw are the two other
   sums, gb = sum of g over all but the channels */
static int convolve_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                          nx_tensor **gx) {
  convolution_args a = *(convolution_args *)n->a;
  nx_tensor *x = n->in[X], *w = n->in[W], *y = n->out[0], *g;
  nx_ints most = {0, {0}};
  g = nx_before_activation(C, gy[0], y, a.activation);
  if (g == NULL) return nx_status(C);
  a.activation = NX_NONE;
  for (int d = 0; d < g->ndim; d++) if (d != 1) most.v[most.n++] = d;
  a.size.n = x->ndim - 2;
  memcpy(a.size.v, x->shape + 2, sizeof(*x->shape) * (size_t)a.size.n);
  if (n->wants[X]) gx[X] = nx_convolve_image(C, g, w, &a);
  memcpy(a.size.v, w->shape + 2, sizeof(*w->shape) * (size_t)a.size.n);
  if (n->wants[W]) gx[W] = nx_convolve_kernel(C, g, x, &a);
  if (n->nin > B && n->wants[B]) gx[B] = nx_sum(C, g, most, 0);
  return nx_status(C);
}

static const char *convolve_saved (const nx_node *n) {
  return ((const convolution_args *)n->a)->activation == NX_NONE
    ? "x w" : "x w y";
}

const nx_op nx_op_convolve = {
  .name = "convolve",
  .doc = "Sums of a convolution: the image under the kernel at each place.",
  .inputs = "x w b?", .outputs = "y", .fields = nx_convolution_fields,
  .argsize = sizeof(convolution_args), .saved = convolve_saved,
  .flags = NX_INNER | NX_ACTIVATES, .cutting = convolve_cutting,
  .work = convolve_work, .shape = convolve_shape, .forward = convolve_forward,
  .grad = NX_LEARN(convolve_grad)
};

OPFN nx_tensor *nx_convolve (nx_ctx *C, nx_tensor *x, nx_tensor *w,
                             nx_tensor *b, const convolution_args *args) {
  convolution_args a = *args;
  return nx_apply(C, &nx_op_convolve, &a, 3, (nx_tensor *[]){x, w, b});
}
