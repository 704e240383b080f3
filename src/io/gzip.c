/*
** Compressed files (zlib).
*/
#include <limits.h>
#include <string.h>
#include "io/gzip.h"


int nx_is_gzip (const void *bytes, size_t size) {
  const unsigned char *p = bytes;
  return size >= 2 && p[0] == 0x1f && p[1] == 0x8b;
}


#if defined(NX_ZLIB)
#include <zlib.h>

/* zlib's memory comes through our door as well; it does not tell sizes */
static void *z_alloc (void *C, unsigned items, unsigned size) {
  size_t n = (size_t)items * size + NX_ALIGN;
  size_t *p = nx_alloc(C, n);
  if (p == NULL) return NULL;
  *p = n;
  return (char *)p + NX_ALIGN;
}

static void z_free (void *C, void *p) {
  size_t *block = (size_t *)(void *)((char *)p - NX_ALIGN);
  nx_free(C, block, *block);
}


static void *grow (nx_ctx *C, void *out, size_t limit, size_t *room) {
  size_t more = *room ? *room * 2 : (size_t)1 << 16;
  void *p;
  if (more > limit) more = limit;
  p = nx_realloc(C, out, *room, more);
  if (p == NULL) {
    nx_free(C, out, *room);
    return NULL;
  }
  *room = more;
  return p;
}


void *nx_gunzip (nx_ctx *C, const char *what, const void *bytes, size_t n,
                 size_t limit, size_t *size, size_t *room) {
  z_stream z;
  char *out = NULL;
  int r = Z_OK;
  memset(&z, 0, sizeof(z));
  z.zalloc = z_alloc;
  z.zfree = z_free;
  z.opaque = C;
  *size = *room = 0;
  if (inflateInit2(&z, 15 + 16) != Z_OK) {
    nx_fail(C, NEAP_ENOMEM, "not enough memory");
    return NULL;
  }
  z.next_in = (Bytef *)(uintptr_t)bytes;
  while (r != Z_STREAM_END) {
    size_t in = n - (size_t)((const char *)z.next_in - (const char *)bytes);
    size_t space;
    if (*size == *room) {
      if (*room == limit && *room > 0) {
        nx_fail(C, NEAP_EFORMAT, "%s: unpacks to more than %zu bytes", what,
                limit);
        break;
      }
      if ((out = grow(C, out, limit, room)) == NULL) break;
    }
    space = *room - *size;
    z.avail_in = in > UINT_MAX / 2 ? UINT_MAX / 2 : (unsigned)in;
    z.avail_out = space > UINT_MAX / 2 ? UINT_MAX / 2 : (unsigned)space;
    z.next_out = (Bytef *)out + *size;
    r = inflate(&z, Z_NO_FLUSH);
    *size = (size_t)((char *)z.next_out - out);
    in = n - (size_t)((const char *)z.next_in - (const char *)bytes);
    if (r == Z_STREAM_END && in > 0) r = inflateReset(&z);  /* next member */
    if (r != Z_OK && r != Z_STREAM_END) {
      nx_fail(C, r == Z_MEM_ERROR ? NEAP_ENOMEM : NEAP_EFORMAT,
              r == Z_MEM_ERROR ? "not enough memory"
              : "%s: the compressed data is damaged or cut off", what);
      break;
    }
  }
  inflateEnd(&z);
  if (nx_status(C)) {
    nx_free(C, out, *room);
    return NULL;
  }
  return out;
}

#else

void *nx_gunzip (nx_ctx *C, const char *what, const void *bytes, size_t n,
                 size_t limit, size_t *size, size_t *room) {
  (void)bytes; (void)n; (void)limit; (void)size; (void)room;
  nx_fail(C, NEAP_EUNSUP, "%s: is compressed, and this build has no zlib "
          "(make ZLIB=yes, or unpack it with gunzip)", what);
  return NULL;
}

#endif
