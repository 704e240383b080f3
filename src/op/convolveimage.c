/*
** convolve_image: what results of a convolution give back to the image; a
** transposed convolution is nothing else.
*/
#include <string.h>
#include "base/threads.h"
#include "op/composed.h"
#include "op/convolution.h"
#include "tensor/dtype.h"
#include "tensor/walk.h"

/* Fewer images than this are cut by their channels too. */
#define FEW_IMAGES 8

enum { Y, W };


static int convolve_image_shape (nx_ctx *C, nx_node *n) {
  const convolution_args *a = n->a;
  nx_tensor *y = n->in[Y], *w = n->in[W];
  int64_t shape[NEAP_MAXDIM];
  nx_lattice l;
  if (nx_want_float(C, n, Y) || nx_want_float(C, n, W)) return nx_status(C);
  if (w->ndim < 3 || w->ndim > 5 || a->size.n != w->ndim - 2)
    return nx_op_fail(C, n, NEAP_ESHAPE, "inputs must have 3 to 5 "
                      "dimensions");
  shape[0] = y->ndim ? y->shape[0] : 0;
  shape[1] = w->shape[1] * a->groups;
  for (int d = 2; d < w->ndim; d++) shape[d] = a->size.v[d - 2];
  if (nx_out(C, n, 0, w->dtype, w->ndim, shape) == NULL) return nx_status(C);
  return nx_convolution_lattice(C, n, n->out[0], w, y, &l);
}


/*
** With stride 1 it is a convolution with the kernel turned over, in which
** channels and results have changed places, and with as much room around
** as the kernel has taken away. That room is work for nothing: where it is
** much, giving is faster (measured: from about 1.4 times the places on).
*/
#define MOST_ROOM 1.4

static int is_plain (const nx_lattice *l) {
  double image = (double)(l->in[0] * l->in[1] * l->in[2]);
  for (int d = 0; d < 3; d++)
    if (l->stride[d] != 1 ||
        (l->kernel[d] - 1) * l->dilation[d] + l->first[d] < 0) return 0;
  return image < MOST_ROOM * (double)l->places;
}

static int turned_over (nx_ctx *C, const nx_lattice *l, const nx_weights *w,
                        nx_tensor *y, nx_tensor *x) {
  nx_lattice t = *l;
  nx_weights v = *w;
  for (int d = 0; d < 3; d++) {
    t.in[d] = l->out[d];
    t.out[d] = l->in[d];
    t.first[d] = -(l->kernel[d] - 1) * l->dilation[d] - l->first[d];
  }
  v.rows = w->channels;
  v.row = w->channel;
  v.channels = w->rows;
  v.channel = w->row;
  v.data += (w->taps - 1) * (int64_t)nx_dtype_size(x->dtype);
  v.tap = -1;
  if (nx_lattice_plan(C, "convolve_image", v.channels, &t))
    return nx_status(C);
  return nx_convolve_into(C, &t, &v, y, NULL, x, 0);
}


/*
** Else, for a panel of results at a time: for each tap the product of its
** weights with the panel, added to the lattice where the tap reaches. The
** taps come outside, the channels inside: rows that follow each other are
** then far apart, and no sum waits for the one before it.
*/
typedef struct giving {
  const nx_kernels *K;
  nx_lattice l;
  nx_weights w;                /* sets: taps; rows: channels of the image */
  const char *y, *packed;
  const ptrdiff_t *tap, *step; /* of the image, of the results' channels */
  char *x, *room;
  int64_t size;
  int64_t chunk, chunks;       /* channels of a piece */
  int64_t blocks;              /* of channels, in the packed weights */
  int64_t lattice, each;
} giving;

/* The room of a thread: lattice, panel, tile, zeros, runs, distances. */
typedef struct giving_room {
  char *lattice, *panel, *tile, *zeros;
  nx_run *runs;
  ptrdiff_t *to;
} giving_room;

static giving_room room_of (const giving *s, int place) {
  const int64_t mr = s->K->rows, nr = s->K->cols;
  giving_room r;
  r.lattice = s->room + place * s->each;
  r.panel = r.lattice + s->lattice * s->size;
  r.tile = r.panel + s->w.channels * nr * s->size;
  r.zeros = r.tile + mr * nr * s->size;
  r.runs = (nx_run *)(void *)(r.zeros + mr * s->size);
  r.to = (ptrdiff_t *)(void *)(r.runs + nr);
  return r;
}

/* n places of the results, to channels [from, to) of the image */
static void give_panel (const giving *s, const char *y, int64_t place,
                        int64_t n, int64_t from, int64_t to,
                        const char *packed, const giving_room *room) {
  const int mr = s->K->rows, nr = s->K->cols;
  const int64_t block = s->w.channels * mr * s->size;
  nx_run whole = {place, (size_t)n};
  size_t runs = nx_lattice_runs(&s->l, place, n, room->runs);
  s->K->collect((size_t)s->w.channels, s->step, y, 1, &whole, room->panel);
  for (int64_t t = 0; t < s->l.taps; t++)
    for (int64_t c = from; c < to; c += mr) {
      int rows = (int)(to - c < mr ? to - c : mr);
      for (int i = 0; i < rows; i++)
        room->to[i] = (c - from + i) * s->l.channel + s->tap[t];
      s->K->patch((size_t)rows, (size_t)n, (size_t)s->w.channels,
                  packed + (t * s->blocks + c / mr) * block, room->panel,
                  room->tile, nr, room->zeros, 0);
      s->K->spread((size_t)rows, room->to, room->lattice, runs, room->runs,
                   room->tile);
    }
}

/* piece i: an image, a group, some channels */
static void give_piece (void *arg, int64_t i, int place) {
  const giving *s = arg;
  const int mr = s->K->rows, nr = s->K->cols;
  giving_room room = room_of(s, place);
  int64_t from = i % s->chunks * s->chunk, to = from + s->chunk;
  int64_t g = i / s->chunks % s->w.groups, image = i / s->chunks / s->w.groups;
  int64_t plane = s->l.in[0] * s->l.in[1] * s->l.in[2];
  const char *y = s->y + (image * s->w.groups + g) * s->w.channels *
                  s->l.places * s->size;
  const char *packed = s->packed + g * s->w.sets * s->blocks * mr *
                       s->w.channels * s->size;
  char *x = s->x + ((image * s->w.groups + g) * s->w.rows + from) * plane *
            s->size;
  if (to > s->w.rows) to = s->w.rows;
  memset(room.lattice, 0, (size_t)(s->lattice * s->size));
  for (int64_t p = 0; p < s->l.places; p += nr)
    give_panel(s, y, p, s->l.places - p < nr ? s->l.places - p : nr, from,
               to, packed, &room);
  nx_lattice_read(&s->l, to - from, s->size, room.lattice, x);
}

/* A set for each tap: channels of the image from all results' channels. */
static nx_weights for_taps (const nx_weights *w) {
  nx_weights v = *w;
  v.sets = w->taps;
  v.set = w->tap;
  v.rows = w->channels;
  v.row = w->channel;
  v.channels = w->rows;
  v.channel = w->row;
  v.taps = 1;
  return v;
}

/* Channels of a piece fill whole blocks of the packed weights. */
static void cut (giving *s, int64_t images) {
  const int mr = s->K->rows;
  s->chunk = images * s->w.groups < FEW_IMAGES ? mr : s->w.rows;
  if (s->chunk > s->w.rows) s->chunk = s->w.rows;
  s->chunks = (s->w.rows + s->chunk - 1) / s->chunk;
  s->blocks = (s->w.rows + mr - 1) / mr;
}

static nx_tensor *make_room (nx_ctx *C, giving *s, int places) {
  const int mr = s->K->rows, nr = s->K->cols;
  s->lattice = (s->chunk * s->l.channel + 15) / 16 * 16;
  s->each = (s->lattice + s->w.channels * nr + mr * nr + mr) * s->size +
            nr * (int64_t)sizeof(nx_run) + mr * (int64_t)sizeof(ptrdiff_t);
  s->each = (s->each + NX_ALIGN - 1) / NX_ALIGN * NX_ALIGN;
  return nx_zeros(C, NEAP_U8, 2, (int64_t[]){places, s->each});
}

static int give (nx_ctx *C, const nx_lattice *l, const nx_weights *w,
                 nx_tensor *y, nx_tensor *x) {
  giving s;
  nx_tensor *packed, *room, *tap, *step;
  int places = nx_pool_threads(C->rt->pool);
  s.K = nx_kernels_for(C, x->dtype);
  s.l = *l;
  s.w = for_taps(w);
  s.size = (int64_t)nx_dtype_size(x->dtype);
  cut(&s, x->shape[0]);
  packed = nx_weights_pack(C, x->dtype, &s.w);
  tap = nx_distances(C, l->taps);
  step = nx_distances(C, s.w.channels);
  room = make_room(C, &s, places);
  if (nx_status(C)) return nx_status(C);
  s.tap = (ptrdiff_t *)(void *)tap->data;
  s.step = (ptrdiff_t *)(void *)step->data;
  nx_lattice_taps(l, 1, (ptrdiff_t *)(void *)tap->data);
  for (int64_t i = 0; i < s.w.channels; i++)
    ((ptrdiff_t *)(void *)step->data)[i] = i * l->places;
  s.y = y->data;
  s.packed = packed->data;
  s.room = room->data;
  s.x = x->data;
  nx_parallel_within(C->rt->pool, x->shape[0] * w->groups * s.chunks, places,
                     give_piece, &s);
  return nx_status(C);
}


static int convolve_image_forward (nx_ctx *C, nx_node *n) {
  nx_tensor *y = nx_dense(C, n->in[Y]), *w = nx_dense(C, n->in[W]);
  nx_tensor *x = n->out[0];
  nx_lattice l;
  nx_weights v;
  if (nx_status(C) || nx_convolution_lattice(C, n, x, w, y, &l))
    return nx_status(C);
  v = nx_weights_of(w, ((const convolution_args *)n->a)->groups);
  if (x->len == 0) return 0;
  if (y->len == 0) {
    memset(x->data, 0, (size_t)x->len * nx_dtype_size(x->dtype));
    return 0;
  }
  return is_plain(&l) ? turned_over(C, &l, &v, y, x) : give(C, &l, &v, y, x);
}


/* With h the gradient of the image: gy = convolve(h, w), gw from y and h */
static int convolve_image_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                                nx_tensor **gx) {
  convolution_args a = *(convolution_args *)n->a;
  nx_tensor *y = n->in[Y], *w = n->in[W];
  memcpy(a.size.v, y->shape + 2, sizeof(*y->shape) * (size_t)a.size.n);
  if (n->wants[Y]) gx[Y] = nx_convolve(C, gy[0], w, NULL, &a);
  memcpy(a.size.v, w->shape + 2, sizeof(*w->shape) * (size_t)a.size.n);
  if (n->wants[W]) gx[W] = nx_convolve_kernel(C, y, gy[0], &a);
  return nx_status(C);
}

const nx_op nx_op_convolve_image = {
  .name = "convolve_image",
  .doc = "What results of a convolution give back to the image.",
  .inputs = "y w", .outputs = "x", .fields = nx_convolution_fields,
  .argsize = sizeof(convolution_args), .saves = "y w", .flags = NX_INNER,
  .shape = convolve_image_shape, .forward = convolve_image_forward,
  .grad = NX_LEARN(convolve_image_grad)
};

OPFN nx_tensor *nx_convolve_image (nx_ctx *C, nx_tensor *y, nx_tensor *w,
                                   const convolution_args *args) {
  convolution_args a = *args;
  return nx_apply(C, &nx_op_convolve_image, &a, 2, (nx_tensor *[]){y, w});
}
