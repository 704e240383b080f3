/*
** The lattice of a convolution.
*/
#include <string.h>
#include "op/lattice.h"

/* Sizes beyond this cannot be meant, and keep products below overflow. */
#define MOST ((int64_t)1 << 31)


/* how far the kernel reaches along a dimension of the lattice */
static int64_t reach (const nx_lattice *l, int d) {
  if (l->out[d] == 0) return 0;
  return (l->out[d] - 1) * l->stride[d] +
         (l->kernel[d] - 1) * l->dilation[d] + 1;
}


int nx_lattice_plan (nx_ctx *C, const char *who, int64_t channels,
                     nx_lattice *l) {
  int64_t size[3];
  int bare = l->stride[2] == 1;
  l->taps = l->places = 1;
  for (int d = 0; d < 3; d++) {
    if (l->in[d] >= MOST || l->out[d] >= MOST || l->kernel[d] >= MOST ||
        l->stride[d] >= MOST || l->dilation[d] >= MOST ||
        l->first[d] <= -MOST || reach(l, d) >= MOST)
      return nx_fail(C, NEAP_ESHAPE, "%s: the sizes are too large", who);
    size[d] = reach(l, d);
    bare &= l->first[d] == 0 && size[d] <= l->in[d];
    l->taps *= l->kernel[d];
    l->places *= l->out[d];
  }
  l->bare = bare;
  for (int d = 0; bare && d < 3; d++) size[d] = l->in[d];
  if (nx_count(C, who, NEAP_F64, 4,
               (int64_t[]){channels, size[0], size[1],
                           size[2] + l->stride[2]}) < 0) return nx_status(C);
  l->part = (size[2] + l->stride[2] - 1) / l->stride[2];
  l->row = l->part * l->stride[2];
  l->plane = size[1] * l->row;
  l->channel = size[0] * l->plane;
  return 0;
}


/* the dimension that bands cut */
static int line_dim (const nx_lattice *l) { return l->out[0] > 1 ? 0 : 1; }

int64_t nx_lattice_lines (const nx_lattice *l) { return l->out[line_dim(l)]; }

nx_lattice nx_lattice_band (const nx_lattice *l, int64_t from, int64_t to) {
  nx_lattice b = *l;
  int d = line_dim(l);
  b.first[d] += from * l->stride[d];
  b.out[d] = to - from;
  b.places = b.out[0] * b.out[1] * b.out[2];
  return b;
}


nx_lattice nx_lattice_low (const nx_lattice *l, int64_t lines) {
  nx_lattice low = *l, band = nx_lattice_band(l, 0, lines);
  if (l->bare) return low;
  low.plane = reach(&band, 1) * l->row;
  low.channel = reach(&band, 0) * low.plane;
  return low;
}


nx_tensor *nx_distances (nx_ctx *C, int64_t n) {
  return nx_new(C, NEAP_U8, 2, (int64_t[]){n, sizeof(ptrdiff_t)});
}

void nx_lattice_taps (const nx_lattice *l, int64_t channels, ptrdiff_t *tap) {
  const int64_t *k = l->kernel;
  for (int64_t c = 0; c < channels; c++)
    for (int64_t i = 0; i < k[0]; i++)
      for (int64_t j = 0; j < k[1]; j++)
        for (int64_t m = 0; m < k[2]; m++) {
          int64_t column = m * l->dilation[2];
          *tap++ = c * l->channel + i * l->dilation[0] * l->plane +
                   j * l->dilation[1] * l->row +
                   column % l->stride[2] * l->part + column / l->stride[2];
        }
}


ptrdiff_t nx_lattice_place (const nx_lattice *l, int64_t place) {
  int64_t w = place % l->out[2], rest = place / l->out[2];
  return rest / l->out[1] * l->stride[0] * l->plane +
         rest % l->out[1] * l->stride[1] * l->row + w;
}


size_t nx_lattice_runs (const nx_lattice *l, int64_t place, int64_t n,
                        nx_run *run) {
  size_t count = 0;
  for (int64_t now; n > 0; n -= now, place += now) {
    ptrdiff_t from = nx_lattice_place(l, place);
    now = l->out[2] - place % l->out[2];
    if (now > n) now = n;
    if (count && run[count - 1].from + (ptrdiff_t)run[count - 1].length
                 == from)
      run[count - 1].length += (size_t)now;
    else {
      run[count].from = from;
      run[count++].length = (size_t)now;
    }
  }
  return count;
}


/*
** Columns of the image [from, to) that the lattice's row has.
*/
static void covered (const nx_lattice *l, int64_t *from, int64_t *to) {
  *from = l->first[2] > 0 ? l->first[2] : 0;
  *to = l->first[2] + reach(l, 2);
  if (*to > l->in[2]) *to = l->in[2];
}

/* the place in a lattice's row of a column, counted from its first */
static int64_t in_row (const nx_lattice *l, int64_t column) {
  return column % l->stride[2] * l->part + column / l->stride[2];
}

/* rows of the image that the lattice reaches, along dimension d */
static void lines (const nx_lattice *l, int d, int64_t *from, int64_t *to) {
  *from = l->first[d] > 0 ? l->first[d] : 0;
  *to = l->first[d] + reach(l, d);
  if (*to > l->in[d]) *to = l->in[d];
}


#define SPREAD(T) \
static void fill_##T (const nx_lattice *l, const char *image, char *row) { \
  const T *x = (const T *)(const void *)image; \
  T *y = (T *)(void *)row; \
  int64_t from, to; \
  covered(l, &from, &to); \
  for (int64_t i = from; i < to; i++) \
    y[in_row(l, i - l->first[2])] = x[i]; \
}

SPREAD(float)
SPREAD(double)

/* rows [h, end) of one plane of a channel, into row 'to' of the lattice */
static void fill_rows (const nx_kernels *K, const nx_lattice *l,
                       int64_t size, const char *image, int64_t rows,
                       char *to) {
  int64_t from, end;
  covered(l, &from, &end);
  if (end <= from) return;
  if (l->stride[2] == 1)
    K->lay((size_t)rows, (size_t)(end - from), image + from * size, l->in[2],
           to + (from - l->first[2]) * size, l->row);
  else if (l->stride[2] == 2 && (from - l->first[2]) % 2 == 0)
    K->deal((size_t)rows, (size_t)(end - from), image + from * size,
            l->in[2], to + (from - l->first[2]) / 2 * size, l->row, l->part);
  else if (l->stride[2] == 2 && end - from > 1) {   /* the first one is odd */
    int64_t column = from - l->first[2];
    K->lay((size_t)rows, 1, image + from * size, l->in[2],
           to + in_row(l, column) * size, l->row);
    K->deal((size_t)rows, (size_t)(end - from - 1),
            image + (from + 1) * size, l->in[2],
            to + (column + 1) / 2 * size, l->row, l->part);
  }
  else
    for (int64_t r = 0; r < rows; r++) {
      const char *x = image + r * l->in[2] * size;
      if (size == sizeof(float)) fill_float(l, x, to + r * l->row * size);
      else fill_double(l, x, to + r * l->row * size);
    }
}

const char *nx_lattice_lay (const nx_kernels *K, const nx_lattice *l,
                            int64_t channels, int64_t size,
                            const char *image, char *lattice) {
  int64_t d0, d1, h0, h1;
  if (l->bare)
    return image + (l->first[0] * l->plane + l->first[1] * l->row) * size;
  lines(l, 0, &d0, &d1);
  lines(l, 1, &h0, &h1);
  for (int64_t c = 0; c < channels && h1 > h0; c++)
    for (int64_t d = d0; d < d1; d++)
      fill_rows(K, l, size,
                image + ((c * l->in[0] + d) * l->in[1] + h0) * l->in[2] *
                size, h1 - h0,
                lattice + (c * l->channel + (d - l->first[0]) * l->plane +
                           (h0 - l->first[1]) * l->row) * size);
  return lattice;
}


void nx_lattice_edge (const nx_lattice *l, int64_t channels, int64_t size,
                      char *lattice) {
  int64_t d0, d1, h0, h1;
  if (l->bare) return;
  lines(l, 0, &d0, &d1);
  lines(l, 1, &h0, &h1);
  for (int64_t c = 0; c < channels; c++)
    for (int64_t i = 0; i < reach(l, 0); i++)
      for (int64_t j = 0; j < reach(l, 1); j++) {
        int64_t d = i + l->first[0], h = j + l->first[1];
        if (d < d0 || d >= d1 || h < h0 || h >= h1)
          memset(lattice + (c * l->channel + i * l->plane + j * l->row) *
                 size, 0, (size_t)(l->row * size));
      }
}


/*
** Back into a row of the image.
*/
#define READ(T) \
static void read_##T (const nx_lattice *l, const char *row, char *image) { \
  const T *y = (const T *)(const void *)row; \
  T *x = (T *)(void *)image; \
  int64_t from, to, s = l->stride[2]; \
  covered(l, &from, &to); \
  for (int64_t i = 0; i < from && i < l->in[2]; i++) x[i] = 0; \
  for (int64_t f = 0; f < s && from + f < to; f++) { \
    const T *at = y + in_row(l, from + f - l->first[2]); \
    for (int64_t i = from + f; i < to; i += s) x[i] = *at++; \
  } \
  for (int64_t i = to > from ? to : from; i < l->in[2]; i++) x[i] = 0; \
}

READ(float)
READ(double)

/*
** A row (d, h) of a channel of the image in the lattice, or -1 where that
** does not reach.
*/
static int64_t lattice_row (const nx_lattice *l, int64_t c, int64_t d,
                            int64_t h) {
  int64_t i = d - l->first[0], j = h - l->first[1];
  if (i < 0 || i >= reach(l, 0) || j < 0 || j >= reach(l, 1)) return -1;
  return c * l->channel + i * l->plane + j * l->row;
}

void nx_lattice_read (const nx_lattice *l, int64_t channels, int64_t size,
                      const char *lattice, char *image) {
  int64_t line = l->in[2] * size;
  for (int64_t c = 0; c < channels; c++)
    for (int64_t d = 0; d < l->in[0]; d++)
      for (int64_t h = 0; h < l->in[1]; h++, image += line) {
        int64_t row = lattice_row(l, c, d, h);
        if (row < 0) memset(image, 0, (size_t)line);
        else if (size == sizeof(float))
          read_float(l, lattice + row * size, image);
        else read_double(l, lattice + row * size, image);
      }
}
