/*
** The memory of a plan: a runtime of its own whose blocks come one after
** the other from a piece of memory that a host gave, or from the runtime
** around, and are counted either way. Blocks that are given back wait in
** the cache of its context, so a run that did once what it does needs none;
** the arena itself gives all back at its end.
*/
#ifndef nx_arena_h
#define nx_arena_h

#include "base/context.h"

typedef struct nx_arena_block nx_arena_block;

typedef struct nx_arena {
  nx_rt *around;
  char *base;                  /* NULL: blocks come from 'around' */
  size_t size, used;           /* of 'base'; so far */
  nx_arena_block *blocks;      /* from 'around' */
  nx_rt *rt;                   /* its own */
} nx_arena;

/* Bytes are counted in multiples of NX_ALIGN. */
void nx_arena_init (nx_arena *a, nx_rt *around, void *base, size_t size);
/* Opens its runtime. The arena must stay where it is from now on. */
neap_code nx_arena_open (nx_arena *a);
/* Contexts are closed before. The arena may lie in one of its blocks. */
void nx_arena_close (nx_arena *a);
/* A block beside the runtime. */
void *nx_arena_take (nx_arena *a, size_t size);

#endif
