/*
** The one door to memory: counted, limited, cached, and able to fail on
** demand.
*/
#ifndef nx_memory_h
#define nx_memory_h

#include <stdatomic.h>
#include "neap.h"

/* Blocks are aligned for the widest vector. */
#define NX_ALIGN 64

/* What a runtime knows of its memory. */
typedef struct nx_account {
  void *(*alloc) (void *ud, void *block, size_t old, size_t size,
                  size_t align);
  void *ud;
  atomic_size_t used, cached, peak, limit;
  atomic_uint_fast64_t requests, system;
  atomic_int_fast64_t fail_in;   /* requests until one fails; < 0: never */
  atomic_int fail_forever;       /* all later ones fail too */
} nx_account;

/*
** Freed blocks of one context, by size class. A class is a multiple of
** 64 bytes up to 1 KiB, then an eighth of a power of two: at most 12.5 %
** of a block is wasted, and a training loop finds every block it needs
** here from its second step on.
*/
#define NX_CLASSES 352

typedef struct nx_block nx_block;
struct nx_scratch;             /* base/scratch.h */

typedef struct nx_cache {
  nx_block *list[NX_CLASSES];
  struct nx_scratch *scratch;  /* in place of all others; or NULL */
  size_t bytes;
  /* what the runtime's account has not been told yet: see nx_publish */
  int64_t used, cached;
  uint64_t requests;
} nx_cache;

void nx_account_init (nx_account *m, const neap_config *c);

/* Blocks of a runtime itself: not cached. NULL if there is no memory. */
void *nx_raw_alloc (nx_account *m, size_t size);
void nx_raw_free (nx_account *m, void *block, size_t size);

/*
** Blocks of a context. The size given back must be the size asked for.
** Failing leaves the error in the context. Contents are not cleared.
*/
void *nx_alloc (neap_ctx *C, size_t size);
void nx_free (neap_ctx *C, void *block, size_t size);
void *nx_realloc (neap_ctx *C, void *block, size_t old, size_t size);
void nx_cache_flush (neap_ctx *C);

/*
** Tells the runtime what this context took and gave back. It happens at
** every 64 KiB of difference and before anything is asked of the system:
** atomic counters on each small block would cost more than the block.
*/
void nx_publish (neap_ctx *C);

#endif
