/*
** IDX (yann.lecun.com/exdb/mnist): two zero bytes, a type, the number of
** dimensions, their sizes as big-endian 32-bit integers, the elements in
** row order, big-endian too.
*/
#include "io/idx.h"
#include "tensor/dtype.h"

static const struct { int code, dtype, bytes; } idx_types[] = {
  {0x08, NEAP_U8, 1}, {0x09, NEAP_I8, 1}, {0x0B, NEAP_I32, 2},
  {0x0C, NEAP_I32, 4}, {0x0D, NEAP_F32, 4}, {0x0E, NEAP_F64, 8}
};
enum { NIDX = sizeof(idx_types) / sizeof(idx_types[0]) };


static int idx_type (int code) {
  for (int i = 0; i < NIDX; i++)
    if (idx_types[i].code == code) return i;
  return -1;
}


/*
** The sizes must account for every byte of the file: then nothing is
** allocated that the file does not fill.
*/
static int read_sizes (nx_source *s, int type, int ndim, int64_t *shape) {
  size_t bytes = (size_t)idx_types[type].bytes;
  const unsigned char *p = nx_next_bytes(s, 4 * (size_t)ndim);
  char text[NX_SHAPE_TEXT];
  if (p == NULL) return nx_status(s->C);
  for (int d = 0; d < ndim; d++) {
    shape[d] = (int64_t)nx_big(p + 4 * d, 4);
    if (bytes != SIZE_MAX && shape[d] != 0 &&
        bytes > SIZE_MAX / 2 / (size_t)shape[d]) bytes = SIZE_MAX;
    else if (bytes != SIZE_MAX) bytes *= (size_t)shape[d];
  }
  if (bytes == nx_left(s)) return 0;
  return nx_fail(s->C, NEAP_EFORMAT, "%s: %s elements of %d bytes do not fit "
                 "the %zu bytes of data", s->what,
                 nx_shape_text(ndim, shape, text), idx_types[type].bytes,
                 nx_left(s));
}


/* 16-bit integers become 32-bit ones */
static void widen (nx_tensor *t, const unsigned char *p) {
  for (int64_t i = 0; i < t->len; i++)
    ((int32_t *)(void *)t->data)[i] = (int16_t)nx_big(p + 2 * i, 2);
}


nx_tensor *nx_idx_read (nx_source *s) {
  const unsigned char *p = nx_left(s) < 4 ? NULL : nx_next_bytes(s, 4);
  int64_t shape[NEAP_MAXDIM];
  nx_tensor *t;
  int type, ndim;
  if (p == NULL || p[0] != 0 || p[1] != 0 || (type = idx_type(p[2])) < 0) {
    nx_fail(s->C, NEAP_EFORMAT, "%s: is not an IDX file", s->what);
    return NULL;
  }
  ndim = p[3];
  if (ndim > NEAP_MAXDIM) {
    nx_fail(s->C, NEAP_EFORMAT, "%s: has %d dimensions, at most %d are "
            "possible", s->what, ndim, NEAP_MAXDIM);
    return NULL;
  }
  if (read_sizes(s, type, ndim, shape)) return NULL;
  t = nx_new(s->C, idx_types[type].dtype, ndim, shape);
  p = t ? nx_next_bytes(s, nx_left(s)) : NULL;
  if (p == NULL) return NULL;
  if (idx_types[type].bytes == 2) widen(t, p);
  else nx_elements(p, t->len, idx_types[type].bytes, 1, t->data);
  return t;
}
