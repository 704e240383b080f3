/*
** The one door to memory.
*/
#include <string.h>
#include "base/context.h"
#include "base/memory.h"
#include "base/os.h"
#include "base/scratch.h"

struct nx_block { nx_block *next; };


static void *own_alloc (void *ud, void *block, size_t old, size_t size,
                        size_t align) {
  void *fresh;
  (void)ud;
  if (size == 0) {
    nx_os_free(block);
    return NULL;
  }
  fresh = nx_os_alloc(size, align);
  if (fresh != NULL && block != NULL) {
    memcpy(fresh, block, old < size ? old : size);
    nx_os_free(block);
  }
  return fresh;
}


void nx_account_init (nx_account *m, const neap_config *c) {
  m->alloc = c->alloc ? c->alloc : own_alloc;
  m->ud = c->ud;
  atomic_init(&m->used, 0);
  atomic_init(&m->cached, 0);
  atomic_init(&m->peak, 0);
  atomic_init(&m->limit, c->memory_limit);
  atomic_init(&m->requests, 0);
  atomic_init(&m->system, 0);
  atomic_init(&m->fail_in, -1);
  atomic_init(&m->fail_forever, 0);
}


/*
** True if a test wants this request to fail.
*/
static int must_fail (nx_account *m) {
  int64_t left = atomic_load_explicit(&m->fail_in, memory_order_relaxed);
  if (left < 0) return 0;
  if (left > 0) {
    atomic_store_explicit(&m->fail_in, left - 1, memory_order_relaxed);
    return 0;
  }
  if (!atomic_load(&m->fail_forever)) atomic_store(&m->fail_in, -1);
  return 1;
}


static void count_used (nx_account *m, size_t size) {
  size_t used = atomic_fetch_add_explicit(&m->used, size,
                                          memory_order_relaxed) + size;
  size_t peak = atomic_load_explicit(&m->peak, memory_order_relaxed);
  while (used > peak &&
         !atomic_compare_exchange_weak(&m->peak, &peak, used)) {}
}


static int over_limit (nx_account *m, size_t size) {
  size_t limit = atomic_load_explicit(&m->limit, memory_order_relaxed);
  return limit != 0 &&
         atomic_load(&m->used) + atomic_load(&m->cached) + size > limit;
}


static void *from_system (nx_account *m, size_t size) {
  atomic_fetch_add_explicit(&m->system, 1, memory_order_relaxed);
  return m->alloc(m->ud, NULL, 0, size, NX_ALIGN);
}


void *nx_raw_alloc (nx_account *m, size_t size) {
  void *p;
  atomic_fetch_add_explicit(&m->requests, 1, memory_order_relaxed);
  if (must_fail(m) || over_limit(m, size)) return NULL;
  p = from_system(m, size);
  if (p) count_used(m, size);
  return p;
}


void nx_raw_free (nx_account *m, void *block, size_t size) {
  if (block == NULL) return;
  m->alloc(m->ud, block, size, 0, NX_ALIGN);
  atomic_fetch_sub_explicit(&m->used, size, memory_order_relaxed);
}


/*
** The class of a size, and in '*rounded' the size of its blocks. Sizes
** too large for a class are not cached (-1).
*/
static int class_of (size_t size, size_t *rounded) {
  size_t units = (size + 63) / 64;
  int shift = 0, c;
  if (units == 0) units = 1;
  if (units <= 16) {
    *rounded = units * 64;
    return (int)units - 1;
  }
  while ((units - 1) >> shift >= 16) shift++;
  units = (units + ((size_t)1 << shift) - 1) >> shift;    /* 9 .. 16 */
  *rounded = (units << shift) * 64;
  c = 16 + (shift - 1) * 8 + (int)(units - 9);
  return (c < NX_CLASSES && *rounded >= size) ? c : -1;
}


#define UNTOLD ((int64_t)65536)

void nx_publish (nx_ctx *C) {
  nx_account *m = &C->rt->memory;
  nx_cache *c = &C->cache;
  if (c->used > 0) count_used(m, (size_t)c->used);
  else if (c->used < 0)
    atomic_fetch_sub_explicit(&m->used, (size_t)-c->used,
                              memory_order_relaxed);
  if (c->cached != 0)             /* wraps around to the right sum */
    atomic_fetch_add_explicit(&m->cached, (size_t)c->cached,
                              memory_order_relaxed);
  atomic_fetch_add_explicit(&m->requests, c->requests,
                            memory_order_relaxed);
  c->used = c->cached = 0;
  c->requests = 0;
}

static void note (nx_ctx *C, int64_t used, int64_t cached) {
  nx_cache *c = &C->cache;
  c->used += used;
  c->cached += cached;
  if (c->used > UNTOLD || c->used < -UNTOLD) nx_publish(C);
}


void nx_cache_flush (neap_ctx *C) {
  nx_account *m = &C->rt->memory;
  nx_publish(C);
  for (int c = 0; c < NX_CLASSES; c++) {
    size_t size = c < 16 ? (size_t)(c + 1) * 64
                         : ((size_t)((c - 16) % 8 + 9) << ((c - 16) / 8 + 1))
                           * 64;
    nx_block *b = C->cache.list[c];
    C->cache.list[c] = NULL;
    while (b != NULL) {
      nx_block *next = b->next;
      m->alloc(m->ud, b, size, 0, NX_ALIGN);
      b = next;
    }
  }
  atomic_fetch_sub(&m->cached, C->cache.bytes);
  C->cache.bytes = 0;
}


/*
** Kept blocks of other sizes must not pile up when shapes change: when a
** new block would take the total a quarter and 64 MiB over what was ever
** in use at once, everything kept is given back first.
*/
static int hoards (nx_ctx *C, size_t size) {
  nx_account *m = &C->rt->memory;
  size_t used = atomic_load(&m->used) + size;
  size_t peak = atomic_load(&m->peak);
  if (peak < used) peak = used;
  return C->cache.bytes > 0 &&
         used + C->cache.bytes > peak + peak / 4 + ((size_t)64 << 20);
}


static void *fresh_block (nx_ctx *C, size_t size) {
  nx_account *m = &C->rt->memory;
  void *p;
  nx_publish(C);
  if (hoards(C, size) || over_limit(m, size)) nx_cache_flush(C);
  if (over_limit(m, size)) {
    nx_fail(C, NEAP_ELIMIT, "memory limit reached: %zu bytes in use, %zu "
            "more wanted, limit %zu", atomic_load(&m->used), size,
            atomic_load(&m->limit));
    return NULL;
  }
  p = from_system(m, size);
  if (p == NULL) {           /* what is kept may be what is missing */
    nx_cache_flush(C);
    p = from_system(m, size);
  }
  if (p == NULL) nx_fail(C, NEAP_ENOMEM, "not enough memory");
  return p;
}


void *nx_alloc (nx_ctx *C, size_t size) {
  size_t rounded = size;
  int c = class_of(size, &rounded);
  void *p;
  C->cache.requests++;
  if (must_fail(&C->rt->memory)) {
    nx_fail(C, NEAP_ENOMEM, "not enough memory");
    return NULL;
  }
  if (C->cache.scratch) return nx_scratch_take(C, size);
  if (c < 0) rounded = size;
  if (c >= 0 && C->cache.list[c] != NULL) {
    nx_block *b = C->cache.list[c];
    C->cache.list[c] = b->next;
    C->cache.bytes -= rounded;
    note(C, (int64_t)rounded, -(int64_t)rounded);
    return b;
  }
  p = fresh_block(C, rounded);
  if (p) note(C, (int64_t)rounded, 0);
  return p;
}


void nx_free (nx_ctx *C, void *block, size_t size) {
  size_t rounded = size;
  int c = class_of(size, &rounded);
  if (block == NULL ||
      (C->cache.scratch && nx_scratch_return(C, block, size))) return;
  if (c < 0) {
    nx_raw_free(&C->rt->memory, block, size);
    return;
  }
  ((nx_block *)block)->next = C->cache.list[c];
  C->cache.list[c] = block;
  C->cache.bytes += rounded;
  note(C, -(int64_t)rounded, (int64_t)rounded);
}


void *nx_realloc (nx_ctx *C, void *block, size_t old, size_t size) {
  void *fresh = nx_alloc(C, size);
  if (fresh == NULL) return NULL;
  if (block != NULL) memcpy(fresh, block, old < size ? old : size);
  nx_free(C, block, old);
  return fresh;
}
