/*
** The memory of a plan.
*/
#include "plan/arena.h"

static size_t rounded (size_t size) {
  return (size + NX_ALIGN - 1) / NX_ALIGN * NX_ALIGN;
}


/* in front of a block from the runtime around, NX_ALIGN bytes */
struct nx_arena_block {
  nx_arena_block *next;
  size_t size;
};

static void *from_around (nx_arena *a, size_t size) {
  nx_arena_block *b = nx_raw_alloc(&a->around->memory, size + NX_ALIGN);
  if (b == NULL) return NULL;
  b->next = a->blocks;
  b->size = size + NX_ALIGN;
  a->blocks = b;
  return (char *)b + NX_ALIGN;
}

void *nx_arena_take (nx_arena *a, size_t size) {
  void *p;
  size = rounded(size);
  if (a->base == NULL) p = from_around(a, size);
  else p = size <= a->size - a->used ? a->base + a->used : NULL;
  if (p) a->used += size;
  return p;
}


/* as an allocator of a runtime; blocks never grow */
static void *arena_alloc (void *ud, void *block, size_t old, size_t size,
                          size_t align) {
  (void)block; (void)old; (void)align;
  return size > 0 ? nx_arena_take(ud, size) : NULL;
}


void nx_arena_init (nx_arena *a, nx_rt *around, void *base, size_t size) {
  a->around = around;
  a->base = base;
  a->size = size;
  a->used = 0;
  a->blocks = NULL;
  a->rt = NULL;
}


/*
** A plan is one thread's. Its products are our own, whose bits do not depend
** on how they are cut.
*/
neap_code nx_arena_open (nx_arena *a) {
  neap_config c;
  neap_config_init(&c);
  c.alloc = arena_alloc;
  c.ud = a;
  c.threads = 1;
  c.deterministic = 1;
  a->rt = neap_open(&c);
  if (a->rt == NULL) return a->base ? NEAP_ELIMIT : NEAP_ENOMEM;
  a->rt->isa = a->around->isa;
  a->rt->widest = a->around->widest;
  return NEAP_OK;
}


void nx_arena_close (nx_arena *a) {
  nx_account *m = &a->around->memory;
  nx_arena_block *b = a->blocks, *next;
  if (a->rt) neap_close(a->rt);
  for (; b; b = next) {
    next = b->next;
    nx_raw_free(m, b, b->size);
  }
}
