/*
** Compressed files (zlib).
*/
#ifndef nx_gzip_h
#define nx_gzip_h

#include "base/context.h"

int nx_is_gzip (const void *bytes, size_t size);

/*
** The contents of gzip bytes, in a block from nx_alloc of '*room' bytes,
** '*size' of which are used. Fails beyond 'limit' bytes, so that a small
** file cannot fill the memory. NULL leaves the error.
*/
void *nx_gunzip (nx_ctx *C, const char *what, const void *bytes, size_t n,
                 size_t limit, size_t *size, size_t *room);

#endif
