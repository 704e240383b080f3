/*
** convolve_kernel: what an image and results of a convolution give to the
** kernel: the gradient of its weights.
**
** Lanes are channels of the results, rows the taps: an element of the image
** meets a row of results, so that the image is read where it lies in its
** lattice. Images are added in parts of fixed size, and the parts in their
** order: the number of threads changes no bit.
*/
#include <string.h>
#include "base/threads.h"
#include "op/composed.h"
#include "op/convolution.h"
#include "simd/turn.h"
#include "tensor/dtype.h"
#include "tensor/view.h"
#include "tensor/walk.h"

#define PART_WORK 4e6          /* multiply-adds of a part */
#define MOST_PARTS 8
#define MOST_BYTES ((int64_t)1 << 25)     /* of all parts */

enum { Y, X };


static int convolve_kernel_shape (nx_ctx *C, nx_node *n) {
  const convolution_args *a = n->a;
  nx_tensor *y = n->in[Y], *x = n->in[X];
  int64_t shape[NEAP_MAXDIM];
  nx_lattice l;
  if (nx_want_float(C, n, Y) || nx_want_float(C, n, X)) return nx_status(C);
  if (x->ndim < 3 || x->ndim > 5 || y->ndim != x->ndim ||
      a->size.n != x->ndim - 2 || a->groups < 1)
    return nx_op_fail(C, n, NEAP_ESHAPE, "inputs must have 3 to 5 "
                      "dimensions");
  shape[0] = y->shape[1];
  shape[1] = x->shape[1] / a->groups;
  for (int d = 2; d < x->ndim; d++) shape[d] = a->size.v[d - 2];
  if (nx_out(C, n, 0, x->dtype, x->ndim, shape) == NULL) return nx_status(C);
  return nx_convolution_lattice(C, n, x, n->out[0], y, &l);
}


typedef struct weighing {
  const nx_kernels *K;
  nx_lattice l;
  nx_weights w;
  const char *x, *y;
  const ptrdiff_t *tap;
  char *room, *parts;
  int64_t size, k, lines, bands, units;
  int64_t columns;             /* panels of channels of the results */
  int64_t nparts, splits;      /* pieces: groups x splits x parts */
  int64_t lattice, each;
} weighing;

/* rows of the results' channels become columns of a panel */
static void turn (const weighing *s, const char *y, int64_t rows,
                  int64_t places, char *panel) {
  int64_t nr = s->K->cols, ys = s->l.places * s->size, ps = nr * s->size;
  for (int64_t p = 0; p < places; p += NX_TILE)
    for (int64_t r = 0; r < rows; r += NX_TILE) {
      int64_t h = places - p < NX_TILE ? places - p : NX_TILE;
      int64_t w = rows - r < NX_TILE ? rows - r : NX_TILE;
      nx_turn_tile((size_t)s->size, panel + p * ps + r * s->size, ps,
                   y + r * ys + p * s->size, ys, (int)h, (int)w);
    }
}

/* Panels [from, to) of channels, for a band of one image. */
static void weigh_band (const weighing *s, const nx_lattice *l,
                        const char *x, const char *y, int64_t from,
                        int64_t to, char *out, char *room) {
  const int64_t nr = s->K->cols;
  int64_t rows = l->out[0] * l->out[1];
  ptrdiff_t *row = (ptrdiff_t *)(void *)room;
  char *panel = room + (rows * (int64_t)sizeof(*row) + NX_ALIGN - 1) /
                NX_ALIGN * NX_ALIGN;
  for (int64_t r = 0; r < rows; r++)
    row[r] = nx_lattice_place(l, r * l->out[2]);
  for (int64_t c = from; c < to; c++) {
    int64_t n = s->w.rows - c * nr < nr ? s->w.rows - c * nr : nr;
    turn(s, y + c * nr * s->l.places * s->size, n, l->places, panel);
    s->K->weigh((size_t)s->k, (size_t)n, s->tap, x, (size_t)rows, row,
                (size_t)l->out[2], panel, out + c * s->k * nr * s->size);
  }
}

/* unit u: a band of an image; group g */
static void weigh_unit (const weighing *s, int64_t u, int64_t g,
                        int64_t from, int64_t to, char *out, char *room) {
  int64_t image = u / s->bands, first = u % s->bands * s->lines;
  int64_t all = nx_lattice_lines(&s->l), last = first + s->lines;
  nx_lattice l = nx_lattice_band(&s->l, first, last < all ? last : all);
  int64_t plane = l.in[0] * l.in[1] * l.in[2];
  const char *x = s->x + (image * s->w.groups + g) * s->w.channels * plane *
                  s->size;
  const char *y = s->y + ((image * s->w.groups + g) * s->w.rows *
                          s->l.places + first * (s->l.places / all)) *
                  s->size;
  if (s->bands > 1) nx_lattice_edge(&l, s->w.channels, s->size, room);
  x = nx_lattice_lay(s->K, &l, s->w.channels, s->size, x, room);
  weigh_band(s, &l, x, y, from, to, out, room + s->lattice * s->size);
}

/* piece i: a part of the units, a share of the panels, a group */
static void weigh_piece (void *arg, int64_t i, int place) {
  const weighing *s = arg;
  int64_t part = i % s->nparts, split = i / s->nparts % s->splits;
  int64_t g = i / s->nparts / s->splits;
  int64_t first = part * s->units / s->nparts;
  int64_t last = (part + 1) * s->units / s->nparts;
  int64_t from = split * s->columns / s->splits;
  int64_t to = (split + 1) * s->columns / s->splits;
  char *out = s->parts + (g * s->nparts + part) * s->columns * s->k *
              s->K->cols * s->size;
  for (int64_t u = first; u < last; u++)
    weigh_unit(s, u, g, from, to, out, s->room + place * s->each);
}


/* how the work is cut, by sizes alone */
static void cut (weighing *s, int64_t images) {
  double work;
  int64_t most;
  s->bands = nx_lattice_cut(&s->l, &s->w, s->size, &s->lines);
  s->units = images * s->bands;
  s->columns = (s->w.rows + s->K->cols - 1) / s->K->cols;
  work = (double)images * (double)s->l.places * (double)s->w.rows *
         (double)s->k;
  most = MOST_BYTES / (s->w.groups * s->columns * s->k * s->K->cols *
                       s->size + 1);
  if (most > MOST_PARTS) most = MOST_PARTS;
  if (most > s->units) most = s->units;
  s->nparts = work / PART_WORK < (double)most ? (int64_t)(work / PART_WORK)
                                              : most;
  if (s->nparts < 1) s->nparts = 1;
  s->splits = s->nparts < MOST_PARTS && work > PART_WORK ? s->columns : 1;
}

static nx_tensor *make_room (nx_ctx *C, weighing *s, int places) {
  int64_t all = nx_lattice_lines(&s->l), line = s->l.places / all;
  int64_t rows = s->l.out[0] * s->l.out[1];
  s->l = nx_lattice_low(&s->l, s->lines);
  s->lattice = s->l.bare ? 0 : (s->w.channels * s->l.channel + 15) / 16 * 16;
  s->each = (s->lattice + s->lines * line * s->K->cols) * s->size +
            rows * (int64_t)sizeof(ptrdiff_t) + 2 * NX_ALIGN;
  s->each = (s->each + NX_ALIGN - 1) / NX_ALIGN * NX_ALIGN;
  return nx_zeros(C, NEAP_U8, 2, (int64_t[]){places, s->each});
}

/* parts (groups, parts, columns, k, nr) become weights (groups, rows, k) */
static int gather (nx_ctx *C, const weighing *s, nx_tensor *parts,
                   nx_tensor *w) {
  nx_ints second = {1, {1}};
  int64_t g = s->w.groups, nr = s->K->cols;
  nx_tensor *t = nx_sum(C, parts, second, 0);
  if (t == NULL) return nx_status(C);
  t = nx_view_swap(C, t, 2, 3);              /* (groups, columns, nr, k) */
  t = t ? nx_reshape(C, t, 3, (int64_t[]){g, s->columns * nr, s->k}) : NULL;
  t = t ? nx_view_part(C, t, 1, 0, s->w.rows, 1) : NULL;
  w = nx_view_shape(C, w, 3, (int64_t[]){g, s->w.rows, s->k});
  return t && w ? nx_copy(C, w, t) : nx_status(C);
}

static int weigh_all (nx_ctx *C, weighing *s, nx_tensor *y, nx_tensor *x,
                      nx_tensor *w) {
  nx_tensor *room, *tap, *parts;
  int places = nx_pool_threads(C->rt->pool);
  cut(s, x->shape[0]);
  tap = nx_distances(C, s->k);
  room = make_room(C, s, places);
  parts = nx_zeros(C, x->dtype, 5, (int64_t[]){s->w.groups, s->nparts,
                                               s->columns, s->k,
                                               s->K->cols});
  if (nx_status(C)) return nx_status(C);
  nx_lattice_taps(&s->l, s->w.channels, (ptrdiff_t *)(void *)tap->data);
  s->tap = (ptrdiff_t *)(void *)tap->data;
  s->x = x->data;
  s->y = y->data;
  s->room = room->data;
  s->parts = parts->data;
  nx_parallel_within(C->rt->pool, s->w.groups * s->splits * s->nparts,
                     places, weigh_piece, s);
  return gather(C, s, parts, w);
}

static int convolve_kernel_forward (nx_ctx *C, nx_node *n) {
  nx_tensor *y = nx_dense(C, n->in[Y]), *x = nx_dense(C, n->in[X]);
  nx_tensor *w = n->out[0];
  weighing s;
  if (nx_status(C) || nx_convolution_lattice(C, n, x, w, y, &s.l))
    return nx_status(C);
  if (w->len == 0) return 0;
  if (y->len == 0) {
    memset(w->data, 0, (size_t)w->len * nx_dtype_size(w->dtype));
    return 0;
  }
  s.K = nx_kernels_for(C, x->dtype);
  s.w = nx_weights_of(w, ((const convolution_args *)n->a)->groups);
  s.size = (int64_t)nx_dtype_size(x->dtype);
  s.k = s.w.channels * s.w.taps;
  return weigh_all(C, &s, y, x, w);
}


/* With h the gradient of the kernel: gy = convolve(x, h), gx from y and h */
static int convolve_kernel_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                                 nx_tensor **gx) {
  convolution_args a = *(convolution_args *)n->a;
  nx_tensor *y = n->in[Y], *x = n->in[X];
  memcpy(a.size.v, y->shape + 2, sizeof(*y->shape) * (size_t)a.size.n);
  if (n->wants[Y]) gx[Y] = nx_convolve(C, x, gy[0], NULL, &a);
  memcpy(a.size.v, x->shape + 2, sizeof(*x->shape) * (size_t)a.size.n);
  if (n->wants[X]) gx[X] = nx_convolve_image(C, y, gy[0], &a);
  return nx_status(C);
}

const nx_op nx_op_convolve_kernel = {
  .name = "convolve_kernel",
  .doc = "What an image and results of a convolution give to the kernel.",
  .inputs = "y x", .outputs = "w", .fields = nx_convolution_fields,
  .argsize = sizeof(convolution_args), .saves = "y x", .flags = NX_INNER,
  .shape = convolve_kernel_shape, .forward = convolve_kernel_forward,
  .grad = NX_LEARN(convolve_kernel_grad)
};

OPFN nx_tensor *nx_convolve_kernel (nx_ctx *C, nx_tensor *y, nx_tensor *x,
                                    const convolution_args *args) {
  convolution_args a = *args;
  return nx_apply(C, &nx_op_convolve_kernel, &a, 2, (nx_tensor *[]){y, x});
}
