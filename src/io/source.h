/*
** What a reader reads: the contents of a file, unpacked if it was gzip,
** and a cursor that cannot leave them.
*/
#ifndef nx_source_h
#define nx_source_h

#include "base/context.h"

typedef struct nx_source {
  nx_ctx *C;
  const char *what;            /* names it in messages */
  const unsigned char *p, *end;       /* what is left */
  void *block;                 /* the contents, if they are ours */
  size_t room;
} nx_source;

/* Close in any case. */
int nx_source_open (nx_ctx *C, nx_source *s, const char *path);
/* From memory, which must stay. */
int nx_source_bytes (nx_ctx *C, nx_source *s, const char *what,
                     const void *bytes, size_t size);
void nx_source_close (nx_source *s);

#define nx_left(s) ((size_t)((s)->end - (s)->p))

/* The next n bytes; NULL leaves the error that they are not there. */
const unsigned char *nx_next_bytes (nx_source *s, size_t n);

/* Whole numbers of n bytes. */
uint64_t nx_little (const unsigned char *p, int n);
uint64_t nx_big (const unsigned char *p, int n);

/*
** n elements of 'size' bytes into memory, turned round if their bytes lie
** the other way than this machine's.
*/
void nx_elements (const unsigned char *p, int64_t n, int size, int big,
                  char *out);

#endif
