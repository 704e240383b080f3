/*
** zip archives (PKWARE's APPNOTE). The directory at the end of the file is
** what counts; local headers only say where the contents begin. Sizes of
** 4 GiB and more are in an extra field (zip64).
*/
#include <limits.h>
#include <string.h>
#include "io/zip.h"

#define LOCAL 0x04034b50u      /* signatures and sizes of the records */
#define LOCAL_SIZE 30
#define CENTRAL 0x02014b50u
#define CENTRAL_SIZE 46
#define END 0x06054b50u
#define END_SIZE 22
#define END64 0x06064b50u
#define END64_SIZE 56
#define LOCATOR64 0x07064b50u
#define LOCATOR64_SIZE 20
#define MAXCOMMENT 65535
#define MAXRATIO 1100          /* deflate's own limit is 1032 */
#define MAXNAME 1024


static int broken (nx_zip *z, const char *why) {
  return nx_fail(z->source.C, NEAP_EFORMAT, "%s: %s", z->source.what, why);
}

/* n bytes at a place of the archive, or NULL */
static const unsigned char *at (const nx_zip *z, uint64_t place, size_t n) {
  size_t size = (size_t)(z->source.end - z->start);
  if (place > size || size - place < n) return NULL;
  return z->start + place;
}


/* the last record of an archive, before a comment */
static const unsigned char *find_end (const nx_zip *z) {
  size_t size = (size_t)(z->source.end - z->start);
  for (size_t back = END_SIZE; back <= size && back <= END_SIZE + MAXCOMMENT;
       back++) {
    const unsigned char *p = z->source.end - back;
    if (nx_little(p, 4) == END && nx_little(p + 20, 2) == back - END_SIZE)
      return p;
  }
  return NULL;
}


/* where the directory is, how many entries and bytes it has */
static int find_directory (nx_zip *z, uint64_t *place, uint64_t *n,
                           uint64_t *bytes) {
  const unsigned char *end = find_end(z), *p;
  if (end == NULL) return broken(z, "is not a zip (npz) file, or cut off");
  *n = nx_little(end + 10, 2);
  *bytes = nx_little(end + 12, 4);
  *place = nx_little(end + 16, 4);
  if (*n != 0xffff && *bytes != 0xffffffffu && *place != 0xffffffffu)
    return 0;
  if (end - z->start < LOCATOR64_SIZE) return 0;
  p = end - LOCATOR64_SIZE;
  if (nx_little(p, 4) != LOCATOR64) return 0;      /* they are that large */
  p = at(z, nx_little(p + 8, 8), END64_SIZE);
  if (p == NULL || nx_little(p, 4) != END64)
    return broken(z, "has a broken directory");
  *n = nx_little(p + 32, 8);
  *bytes = nx_little(p + 40, 8);
  *place = nx_little(p + 48, 8);
  return 0;
}


/* what does not fit 32 bits stands in an extra field, in this order */
static int read_extra (nx_zip *z, nx_zip_entry *e, const unsigned char *p,
                       size_t n) {
  uint64_t *wide[3] = {&e->size, &e->packed, &e->at};
  size_t size, used = 4;
  for (; n >= 4; p += size + 4, n -= size + 4) {
    size = (size_t)nx_little(p + 2, 2);
    if (size > n - 4) return broken(z, "has a broken directory");
    if (nx_little(p, 2) != 1) continue;
    for (int i = 0; i < 3; i++)
      if (*wide[i] == 0xffffffffu) {
        if (used + 8 > size + 4) return broken(z, "has a broken directory");
        *wide[i] = nx_little(p + used, 8);
        used += 8;
      }
    return 0;
  }
  return 0;
}


static int read_central (nx_zip *z, const unsigned char *p,
                         nx_zip_entry *e) {
  nx_ctx *C = z->source.C;
  size_t extra = (size_t)nx_little(p + 30, 2);
  e->length = (size_t)nx_little(p + 28, 2);
  e->method = (int)nx_little(p + 10, 2);
  e->crc = (uint32_t)nx_little(p + 16, 4);
  e->packed = nx_little(p + 20, 4);
  e->size = nx_little(p + 24, 4);
  e->at = nx_little(p + 42, 4);
  if (nx_little(p + 8, 2) & 1) return broken(z, "is encrypted");
  if (e->length > MAXNAME || e->length == 0 ||
      memchr(p + CENTRAL_SIZE, 0, e->length))
    return broken(z, "has an entry with a bad name");
  if (read_extra(z, e, p + CENTRAL_SIZE + e->length, extra))
    return nx_status(C);
  e->name = nx_alloc(C, e->length + 1);
  if (e->name == NULL) return nx_status(C);
  memcpy(e->name, p + CENTRAL_SIZE, e->length);
  e->name[e->length] = '\0';
  return 0;
}


static int read_directory (nx_zip *z) {
  nx_ctx *C = z->source.C;
  uint64_t place = 0, n = 0, bytes = 0;
  if (find_directory(z, &place, &n, &bytes)) return nx_status(C);
  if (n > bytes / CENTRAL_SIZE || at(z, place, (size_t)bytes) == NULL)
    return broken(z, "has a broken directory");
  z->room = (size_t)n;
  z->entries = n ? nx_alloc(C, (size_t)n * sizeof(*z->entries)) : NULL;
  if (nx_status(C)) return nx_status(C);
  for (size_t i = 0; i < n; i++) {
    const unsigned char *p = at(z, place, CENTRAL_SIZE);
    size_t size = CENTRAL_SIZE;
    if (p == NULL || nx_little(p, 4) != CENTRAL)
      return broken(z, "has a broken directory");
    size += (size_t)(nx_little(p + 28, 2) + nx_little(p + 30, 2) +
                     nx_little(p + 32, 2));
    if (at(z, place, size) == NULL)
      return broken(z, "has a broken directory");
    if (read_central(z, p, &z->entries[i])) return nx_status(C);
    z->n = i + 1;
    place += size;
  }
  return 0;
}


int nx_zip_open (nx_zip *z, nx_source *s) {
  memset(z, 0, sizeof(*z));
  z->source = *s;
  z->start = s->p;
  memset(s, 0, sizeof(*s));
  return read_directory(z);
}


static void free_entries (nx_ctx *C, nx_zip_entry *e, size_t n,
                          size_t room) {
  for (size_t i = 0; i < n; i++) nx_free(C, e[i].name, e[i].length + 1);
  if (e) nx_free(C, e, room * sizeof(*e));
}

void nx_zip_close (nx_zip *z) {
  if (z->source.C == NULL) return;
  free_entries(z->source.C, z->entries, z->n, z->room);
  nx_source_close(&z->source);
  memset(z, 0, sizeof(*z));
}


#if defined(NX_ZLIB)
#include "io/compress.h"

/* the packed bytes of an entry, or NULL with an error */
static const unsigned char *contents (nx_zip *z, const nx_zip_entry *e) {
  const unsigned char *p = at(z, e->at, LOCAL_SIZE);
  uint64_t start;
  if (p == NULL || nx_little(p, 4) != LOCAL) {
    broken(z, "has a broken entry");
    return NULL;
  }
  start = e->at + LOCAL_SIZE + nx_little(p + 26, 2) + nx_little(p + 28, 2);
  if (e->packed > SIZE_MAX ||
      (p = at(z, start, (size_t)e->packed)) == NULL)
    broken(z, "has an entry that is cut off");
  return p;
}


int nx_zip_get (nx_zip *z, size_t i, const char *what, nx_source *out) {
  const nx_zip_entry *e = &z->entries[i];
  const unsigned char *p = contents(z, e);
  nx_ctx *C = z->source.C;
  memset(out, 0, sizeof(*out));
  out->C = C;
  out->what = what;
  if (p == NULL) return nx_status(C);
  if (e->method != 0 && e->method != 8)
    return nx_fail(C, NEAP_EFORMAT, "%s: is packed by method %d; stored and "
                   "deflated entries can be read", what, e->method);
  if (e->size / MAXRATIO > e->packed || (!e->method && e->size != e->packed))
    return nx_fail(C, NEAP_EFORMAT, "%s: tells a wrong size", what);
  if (e->method == 8) {
    out->room = e->size ? (size_t)e->size : 1;
    out->block = nx_alloc(C, out->room);
    if (out->block == NULL) return nx_status(C);
    if (nx_inflate_exact(C, what, p, (size_t)e->packed, out->block,
                         (size_t)e->size)) return nx_status(C);
    p = out->block;
  }
  if (nx_crc32(p, (size_t)e->size, 0) != e->crc)
    return nx_fail(C, NEAP_EFORMAT, "%s: its checksum is wrong, the file is "
                   "damaged", what);
  out->p = p;
  out->end = p + e->size;
  return 0;
}


static void put_little (unsigned char *p, int n, uint64_t u) {
  for (int i = 0; i < n; i++, u >>= 8) p[i] = (unsigned char)u;
}

static int put (nx_zipper *z, const void *data, size_t size) {
  z->at += size;
  return nx_writer_put(&z->w, data, size);
}


int nx_zipper_open (nx_ctx *C, nx_zipper *z, const char *path,
                    int compress) {
  memset(z, 0, sizeof(*z));
  z->compress = compress;
  return nx_writer_open(C, &z->w, path);
}


static nx_zip_entry *new_entry (nx_zipper *z, const char *name) {
  nx_ctx *C = z->w.C;
  nx_zip_entry *e;
  if (z->n == z->room) {
    size_t room = z->room ? 2 * z->room : 16;
    e = nx_realloc(C, z->entries, z->room * sizeof(*e), room * sizeof(*e));
    if (e == NULL) return NULL;
    z->entries = e;
    z->room = room;
  }
  e = &z->entries[z->n];
  memset(e, 0, sizeof(*e));
  e->length = strlen(name);
  e->name = nx_alloc(C, e->length + 1);
  if (e->name == NULL) return NULL;
  memcpy(e->name, name, e->length + 1);
  z->n++;
  return e;
}


/* the fields that local headers and the directory share */
static void put_common (unsigned char *p, const nx_zip_entry *e) {
  put_little(p, 2, 20);                        /* version needed */
  put_little(p + 2, 2, 0x800);                 /* names are UTF-8 */
  put_little(p + 4, 2, (uint64_t)e->method);
  put_little(p + 6, 2, 0);                     /* time: none, so that the */
  put_little(p + 8, 2, 0x21);                  /* same data, same bytes */
  put_little(p + 10, 4, e->crc);
  put_little(p + 14, 4, e->packed);
  put_little(p + 18, 4, e->size);
  put_little(p + 22, 2, e->length);
}

static int put_local (nx_zipper *z, const nx_zip_entry *e) {
  unsigned char p[LOCAL_SIZE] = {0};
  put_little(p, 4, LOCAL);
  put_common(p + 4, e);
  put(z, p, sizeof(p));
  return put(z, e->name, e->length);
}


/* head and data as one block, packed if that is asked for and pays */
static void *pack (nx_zipper *z, nx_zip_entry *e, const void *head,
                   size_t nhead, const void *data, size_t size,
                   size_t *room) {
  nx_ctx *C = z->w.C;
  char *out;
  *room = nx_deflate_bound(nhead + size);
  out = nx_alloc(C, *room);
  if (out == NULL) return NULL;
  e->packed = nx_deflate(C, head, nhead, data, size, out, *room);
  if (nx_status(C)) {
    nx_free(C, out, *room);
    return NULL;
  }
  return out;
}


int nx_zipper_put (nx_zipper *z, const char *name, const void *head,
                   size_t nhead, const void *data, size_t size) {
  nx_ctx *C = z->w.C;
  nx_zip_entry *e;
  void *packed = NULL;
  size_t room = 0;
  if (nx_status(C)) return nx_status(C);
  if ((uint64_t)size + nhead + z->at + 65536 > UINT32_MAX)
    return nx_fail(C, NEAP_EUNSUP, "%s: an npz of 4 GiB and more is not "
                   "written; use neap.save (safetensors)", z->w.path);
  if ((e = new_entry(z, name)) == NULL) return nx_status(C);
  e->at = z->at;
  e->size = e->packed = nhead + size;
  e->crc = nx_crc32(data, size, nx_crc32(head, nhead, 0));
  if (z->compress) {
    packed = pack(z, e, head, nhead, data, size, &room);
    if (packed == NULL) return nx_status(C);
    e->method = 8;
  }
  put_local(z, e);
  if (packed) {
    put(z, packed, (size_t)e->packed);
    nx_free(C, packed, room);
    return nx_status(C);
  }
  put(z, head, nhead);
  return put(z, data, size);
}


static void put_directory (nx_zipper *z) {
  uint64_t start = z->at;
  unsigned char end[END_SIZE] = {0};
  for (size_t i = 0; i < z->n; i++) {
    unsigned char p[CENTRAL_SIZE] = {0};
    put_little(p, 4, CENTRAL);
    put_little(p + 4, 2, 20);                  /* version made by */
    put_common(p + 6, &z->entries[i]);
    put_little(p + 42, 4, z->entries[i].at);
    put(z, p, sizeof(p));
    put(z, z->entries[i].name, z->entries[i].length);
  }
  put_little(end, 4, END);
  put_little(end + 8, 2, z->n);
  put_little(end + 10, 2, z->n);
  put_little(end + 12, 4, z->at - start);
  put_little(end + 16, 4, start);
  put(z, end, sizeof(end));
}


int nx_zipper_close (nx_zipper *z) {
  nx_ctx *C = z->w.C;
  if (C == NULL) return 0;
  if (z->n > 65534)
    nx_fail(C, NEAP_EUNSUP, "%s: an npz holds at most 65534 arrays",
            z->w.path);
  if (nx_status(C) == 0) put_directory(z);
  free_entries(C, z->entries, z->n, z->room);
  nx_writer_close(&z->w);
  memset(z, 0, sizeof(*z));
  return nx_status(C);
}

#else

#define NO_ZLIB "this build has no zlib, which npz needs (make ZLIB=zlib)"

int nx_zip_get (nx_zip *z, size_t i, const char *what, nx_source *out) {
  (void)i;
  memset(out, 0, sizeof(*out));
  return nx_fail(z->source.C, NEAP_EUNSUP, "%s: %s", what, NO_ZLIB);
}

int nx_zipper_open (nx_ctx *C, nx_zipper *z, const char *path,
                    int compress) {
  (void)compress;
  memset(z, 0, sizeof(*z));
  return nx_fail(C, NEAP_EUNSUP, "%s: %s", path, NO_ZLIB);
}

int nx_zipper_put (nx_zipper *z, const char *name, const void *head,
                   size_t nhead, const void *data, size_t size) {
  (void)z; (void)name; (void)head; (void)nhead; (void)data; (void)size;
  return 0;
}

int nx_zipper_close (nx_zipper *z) {
  (void)z;
  return 0;
}

#endif
