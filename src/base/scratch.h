/*
** Scratch memory of a context: while it is open, blocks come one after the
** other from chunks, and all of them are given back at once. What asks for
** the same blocks in the same order as before, or for smaller ones, finds
** them here; a cache by sizes would miss when the sizes change.
*/
#ifndef nx_scratch_h
#define nx_scratch_h

#include "neap.h"

typedef struct nx_scratch nx_scratch;

int nx_scratch_open (neap_ctx *C);
void nx_scratch_clear (neap_ctx *C);         /* blocks, not chunks */
void nx_scratch_close (neap_ctx *C);

/* Blocks that stay: between pause and resume they are none of its own. */
nx_scratch *nx_scratch_pause (neap_ctx *C);
void nx_scratch_resume (neap_ctx *C, nx_scratch *s);

/* For nx_alloc and nx_free. NULL leaves the error; 0: no block of its own. */
void *nx_scratch_take (neap_ctx *C, size_t size);
int nx_scratch_return (neap_ctx *C, void *block, size_t size);

#endif
