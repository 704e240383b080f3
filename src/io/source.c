/*
** What a reader reads.
*/
#include <string.h>
#include "base/os.h"
#include "io/compress.h"
#include "io/source.h"

/* the data of a gzip file may be this many times its size (deflate's own
   limit is 1032) */
#define MAXRATIO 1100


int nx_source_bytes (nx_ctx *C, nx_source *s, const char *what,
                     const void *bytes, size_t size) {
  memset(s, 0, sizeof(*s));
  s->C = C;
  s->what = what;
  if (nx_is_gzip(bytes, size)) {
    s->block = nx_gunzip(C, what, bytes, size, size * MAXRATIO, &size,
                         &s->room);
    if (s->block == NULL) return nx_status(C);
    bytes = s->block;
  }
  s->p = bytes;
  s->end = s->p + size;
  return 0;
}


int nx_source_open (nx_ctx *C, nx_source *s, const char *path) {
  size_t size;
  void *file;
  memset(s, 0, sizeof(*s));
  s->C = C;
  file = nx_read_file(C, path, &size);
  if (file == NULL) return nx_status(C);
  nx_source_bytes(C, s, path, file, size);
  if (s->block != NULL || nx_status(C)) nx_free(C, file, size ? size : 1);
  else {
    s->block = file;
    s->room = size ? size : 1;
  }
  return nx_status(C);
}


void nx_source_close (nx_source *s) {
  if (s->block) nx_free(s->C, s->block, s->room);
  s->block = NULL;
  s->p = s->end = NULL;
}


const unsigned char *nx_next_bytes (nx_source *s, size_t n) {
  const unsigned char *p = s->p;
  if (nx_left(s) < n) {
    nx_fail(s->C, NEAP_EFORMAT, "%s: is cut off: %zu bytes are there where "
            "%zu are due", s->what, nx_left(s), n);
    return NULL;
  }
  s->p += n;
  return p;
}


uint64_t nx_little (const unsigned char *p, int n) {
  uint64_t u = 0;
  for (int i = n - 1; i >= 0; i--) u = u << 8 | p[i];
  return u;
}

uint64_t nx_big (const unsigned char *p, int n) {
  uint64_t u = 0;
  for (int i = 0; i < n; i++) u = u << 8 | p[i];
  return u;
}


static int machine_is_big (void) {
  const uint16_t one = 1;
  return *(const unsigned char *)&one == 0;
}

void nx_elements (const unsigned char *p, int64_t n, int size, int big,
                  char *out) {
  if (big == machine_is_big() || size == 1) {
    memcpy(out, p, (size_t)n * (size_t)size);
    return;
  }
  for (; n > 0; n--, p += size, out += size)
    for (int i = 0; i < size; i++) out[i] = (char)p[size - 1 - i];
}
