/*
** Compressed data (zlib).
*/
#include <limits.h>
#include <string.h>
#include "io/compress.h"


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


static void z_open (nx_ctx *C, z_stream *z) {
  memset(z, 0, sizeof(*z));
  z->zalloc = z_alloc;
  z->zfree = z_free;
  z->opaque = C;
}

/* how much of n bytes zlib takes at once */
static unsigned some_of (size_t n) {
  return n > UINT_MAX / 2 ? UINT_MAX / 2 : (unsigned)n;
}

static int no_memory (nx_ctx *C) {
  return nx_fail(C, NEAP_ENOMEM, "not enough memory");
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
  z_open(C, &z);
  *size = *room = 0;
  if (inflateInit2(&z, 15 + 16) != Z_OK) {
    no_memory(C);
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
    z.avail_in = some_of(in);
    z.avail_out = some_of(space);
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


int nx_inflate_exact (nx_ctx *C, const char *what, const void *bytes,
                      size_t n, void *out, size_t size) {
  const Bytef *end = (const Bytef *)bytes + n;
  Bytef *out_end = (Bytef *)out + size, spare;
  z_stream z;
  int r = Z_OK;
  z_open(C, &z);
  if (inflateInit2(&z, -15) != Z_OK) return no_memory(C);
  z.next_in = (Bytef *)(uintptr_t)bytes;
  z.next_out = size ? out : &spare;
  if (size == 0) out_end = &spare;
  while (r == Z_OK) {
    z.avail_in = some_of((size_t)(end - z.next_in));
    z.avail_out = some_of((size_t)(out_end - z.next_out));
    r = inflate(&z, Z_NO_FLUSH);
  }
  inflateEnd(&z);
  if (r == Z_MEM_ERROR) return no_memory(C);
  if (r != Z_STREAM_END || z.next_out != out_end)
    return nx_fail(C, NEAP_EFORMAT, "%s: the compressed data is damaged or "
                   "tells a wrong size", what);
  return 0;
}


static int feed (z_stream *z, const void *bytes, size_t n, Bytef *end,
                 int last) {
  int r = Z_OK;
  z->next_in = (Bytef *)(uintptr_t)bytes;
  do {
    const Bytef *stop = (const Bytef *)bytes + n;
    size_t left = (size_t)(stop - z->next_in);
    z->avail_in = some_of(left);
    z->avail_out = some_of((size_t)(end - z->next_out));
    r = deflate(z, last && left <= z->avail_in ? Z_FINISH : Z_NO_FLUSH);
    if (z->next_in == stop && (!last || r == Z_STREAM_END)) break;
  } while (r == Z_OK);
  return r;
}

size_t nx_deflate (nx_ctx *C, const void *head, size_t nhead,
                   const void *data, size_t size, void *out, size_t room) {
  Bytef *end = (Bytef *)out + room;
  z_stream z;
  int r;
  z_open(C, &z);
  if (deflateInit2(&z, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
    no_memory(C);
    return 0;
  }
  z.next_out = out;
  feed(&z, head, nhead, end, 0);
  r = feed(&z, data, size, end, 1);
  deflateEnd(&z);
  if (r != Z_STREAM_END) nx_fail(C, NEAP_EIO, "zlib cannot pack the data");
  return (size_t)(z.next_out - (Bytef *)out);
}

/* deflate's own bound, with room for blocks that are stored as they are */
size_t nx_deflate_bound (size_t size) {
  return size + (size >> 3) + 4096;
}


uint32_t nx_crc32 (const void *bytes, size_t n, uint32_t so_far) {
  return (uint32_t)crc32_z(so_far, bytes, n);
}

#else

void *nx_gunzip (nx_ctx *C, const char *what, const void *bytes, size_t n,
                 size_t limit, size_t *size, size_t *room) {
  (void)bytes; (void)n; (void)limit; (void)size; (void)room;
  nx_fail(C, NEAP_EUNSUP, "%s: is compressed, and this build has no zlib "
          "(make ZLIB=zlib, or unpack it with gunzip)", what);
  return NULL;
}

#endif
