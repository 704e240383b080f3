/*
** Scratch memory.
*/
#include "base/context.h"
#include "base/scratch.h"

#define LEAST 1024             /* bytes of a chunk */

typedef struct chunk {
  struct chunk *next, *before;
  size_t size, used;           /* without this head, of NX_ALIGN bytes */
} chunk;

struct nx_scratch {
  chunk *first, *now;          /* blocks come from 'now' */
};


int nx_scratch_open (nx_ctx *C) {
  nx_scratch *s = nx_raw_alloc(&C->rt->memory, sizeof(*s));
  if (s == NULL) return nx_fail(C, NEAP_ENOMEM, "not enough memory");
  s->first = s->now = NULL;
  C->cache.scratch = s;
  return 0;
}

void nx_scratch_clear (nx_ctx *C) {
  nx_scratch *s = C->cache.scratch;
  for (chunk *c = s->first; c; c = c->next) c->used = 0;
  s->now = s->first;
}

void nx_scratch_close (nx_ctx *C) {
  nx_scratch *s = C->cache.scratch;
  chunk *next;
  if (s == NULL) return;
  C->cache.scratch = NULL;
  for (chunk *c = s->first; c; c = next) {
    next = c->next;
    nx_raw_free(&C->rt->memory, c, c->size + NX_ALIGN);
  }
  nx_raw_free(&C->rt->memory, s, sizeof(*s));
}

nx_scratch *nx_scratch_pause (nx_ctx *C) {
  nx_scratch *s = C->cache.scratch;
  C->cache.scratch = NULL;
  return s;
}

void nx_scratch_resume (nx_ctx *C, nx_scratch *s) { C->cache.scratch = s; }


static char *data_of (chunk *c) { return (char *)c + NX_ALIGN; }

static size_t rounded (size_t size) {
  return size ? (size + NX_ALIGN - 1) / NX_ALIGN * NX_ALIGN : NX_ALIGN;
}

/* behind the last chunk */
static chunk *new_chunk (nx_ctx *C, nx_scratch *s, size_t size) {
  chunk *c, *last = s->first;
  if (size < LEAST) size = LEAST;
  c = nx_raw_alloc(&C->rt->memory, size + NX_ALIGN);
  if (c == NULL) {
    nx_fail(C, NEAP_ENOMEM, "not enough memory");
    return NULL;
  }
  while (last && last->next) last = last->next;
  c->next = NULL;
  c->before = last;
  c->size = size;
  c->used = 0;
  if (last) last->next = c;
  else s->first = c;
  return c;
}

void *nx_scratch_take (nx_ctx *C, size_t size) {
  nx_scratch *s = C->cache.scratch;
  chunk *c = s->now;
  size = rounded(size);
  while (c && c->size - c->used < size) c = c->next;
  if (c == NULL) c = new_chunk(C, s, size);
  if (c == NULL) return NULL;
  s->now = c;
  c->used += size;
  return data_of(c) + c->used - size;
}

/* The latest block's room is used again, that of others when all are given
   back. */
int nx_scratch_return (nx_ctx *C, void *block, size_t size) {
  nx_scratch *s = C->cache.scratch;
  char *p = block;
  size = rounded(size);
  for (chunk *c = s->now; c; c = c->before) {
    if (p < data_of(c) || p >= data_of(c) + c->size) continue;
    if (c == s->now && p + size == data_of(c) + c->used) c->used -= size;
    while (s->now->used == 0 && s->now->before) s->now = s->now->before;
    return 1;
  }
  return 0;
}
