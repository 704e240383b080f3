/*
** Compressed data (zlib): gzip files, and the entries of zip archives.
*/
#ifndef nx_compress_h
#define nx_compress_h

#include "base/context.h"

int nx_is_gzip (const void *bytes, size_t size);

/*
** The contents of gzip bytes, in a block from nx_alloc of '*room' bytes,
** '*size' of which are used. Fails beyond 'limit' bytes, so that a small
** file cannot fill the memory. NULL leaves the error.
*/
void *nx_gunzip (nx_ctx *C, const char *what, const void *bytes, size_t n,
                 size_t limit, size_t *size, size_t *room);

/* Of a build with zlib only. */

/* Raw deflate data that must give exactly 'size' bytes into 'out'. */
int nx_inflate_exact (nx_ctx *C, const char *what, const void *bytes,
                      size_t n, void *out, size_t size);
/* Two parts as one raw deflate stream into 'out': its bytes. */
size_t nx_deflate (nx_ctx *C, const void *head, size_t nhead,
                   const void *data, size_t size, void *out, size_t room);
size_t nx_deflate_bound (size_t size);
uint32_t nx_crc32 (const void *bytes, size_t n, uint32_t so_far);

#endif
