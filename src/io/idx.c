/*
** IDX (yann.lecun.com/exdb/mnist): two zero bytes, a type, the number of
** dimensions, their sizes as big-endian 32-bit integers, the elements in
** row order, big-endian too.
*/
#include <string.h>
#include "base/os.h"
#include "io/gzip.h"
#include "io/idx.h"
#include "tensor/dtype.h"

/* the data of a gzip file may be this many times its size (deflate's own
   limit is 1032) */
#define MAXRATIO 1100

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


/* one element: 16-bit integers become 32-bit ones */
static void read_element (const unsigned char *p, int bytes, char *out) {
  uint64_t u = 0;
  for (int i = 0; i < bytes; i++) u = u << 8 | p[i];
  if (bytes == 2) {
    int32_t v = (int16_t)u;
    memcpy(out, &v, 4);
  }
  else if (bytes == 4) {
    uint32_t v = (uint32_t)u;
    memcpy(out, &v, 4);
  }
  else memcpy(out, &u, 8);
}


static nx_tensor *parse_idx (nx_ctx *C, const char *path,
                             const unsigned char *p, size_t size) {
  int64_t shape[NEAP_MAXDIM];
  nx_tensor *t;
  size_t header, bytes;
  int type, ndim;
  if (size < 4 || p[0] != 0 || p[1] != 0 || (type = idx_type(p[2])) < 0) {
    nx_fail(C, NEAP_EFORMAT, "%s: is not an IDX file", path);
    return NULL;
  }
  ndim = p[3];
  header = 4 + 4 * (size_t)ndim;
  if (ndim > NEAP_MAXDIM || size < header) {
    nx_fail(C, NEAP_EFORMAT, "%s: %d dimensions do not fit (at most %d, in "
            "%zu bytes)", path, ndim, NEAP_MAXDIM, size);
    return NULL;
  }
  bytes = (size_t)idx_types[type].bytes;
  for (int d = 0; d < ndim; d++) {
    const unsigned char *q = p + 4 + 4 * d;
    shape[d] = (int64_t)q[0] << 24 | q[1] << 16 | q[2] << 8 | q[3];
    if (shape[d] && bytes > SIZE_MAX / 2 / (size_t)shape[d]) bytes = SIZE_MAX;
    else if (bytes != SIZE_MAX) bytes *= (size_t)shape[d];
  }
  if (bytes != size - header) {
    char text[NX_SHAPE_TEXT];
    nx_fail(C, NEAP_EFORMAT, "%s: %s elements of %d bytes do not fit the %zu "
            "bytes of data", path, nx_shape_text(ndim, shape, text),
            idx_types[type].bytes, size - header);
    return NULL;
  }
  t = nx_new(C, idx_types[type].dtype, ndim, shape);
  if (t == NULL) return NULL;
  if (idx_types[type].bytes == 1) memcpy(t->data, p + header, bytes);
  else
    for (int64_t i = 0; i < t->len; i++)
      read_element(p + header + i * idx_types[type].bytes,
                   idx_types[type].bytes,
                   t->data + i * (int64_t)nx_dtype_size(t->dtype));
  return t;
}


nx_tensor *nx_load_idx (nx_ctx *C, const char *path) {
  size_t size, room, plain_size;
  void *file = nx_read_file(C, path, &size), *plain;
  nx_tensor *t = NULL;
  if (file == NULL) return NULL;
  if (!nx_is_gzip(file, size)) t = parse_idx(C, path, file, size);
  else {
    plain = nx_gunzip(C, path, file, size, size * MAXRATIO, &plain_size,
                      &room);
    if (plain) {
      t = parse_idx(C, path, plain, plain_size);
      nx_free(C, plain, room);
    }
  }
  nx_free(C, file, size ? size : 1);
  return t;
}
