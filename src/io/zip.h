/*
** zip archives, as far as npz needs them: entries that are stored or
** deflated.
*/
#ifndef nx_zip_h
#define nx_zip_h

#include "base/os.h"
#include "io/source.h"

typedef struct nx_zip_entry {
  char *name;                  /* ends in a zero */
  size_t length;               /* of the name */
  int method;                  /* 0: stored, 8: deflated */
  uint32_t crc;
  uint64_t packed, size, at;   /* bytes; where its local header is */
} nx_zip_entry;

typedef struct nx_zip {
  nx_source source;            /* all of the archive */
  const unsigned char *start;
  nx_zip_entry *entries;
  size_t n, room;
} nx_zip;

/* Reads the directory; takes over the source, which close closes. */
int nx_zip_open (nx_zip *z, nx_source *s);
void nx_zip_close (nx_zip *z);
/* The contents of an entry, checked; close the source. 'what' must stay. */
int nx_zip_get (nx_zip *z, size_t i, const char *what, nx_source *out);

/* Writing: entries one after the other, then close, which keeps the file
   only if all went well. */
typedef struct nx_zipper {
  nx_writer w;
  int compress;
  uint64_t at;
  nx_zip_entry *entries;
  size_t n, room;
} nx_zipper;

int nx_zipper_open (nx_ctx *C, nx_zipper *z, const char *path, int compress);
/* An entry of two parts: header and contents. */
int nx_zipper_put (nx_zipper *z, const char *name, const void *head,
                   size_t nhead, const void *data, size_t size);
int nx_zipper_close (nx_zipper *z);

#endif
