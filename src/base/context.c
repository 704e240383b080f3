/*
** Runtime and context: opening, closing, errors.
*/
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/scratch.h"
#include "base/context.h"
#include "base/cpu.h"
#include "base/threads.h"


void neap_config_init (neap_config *c) {
  memset(c, 0, sizeof(*c));
  c->size = sizeof(*c);
}


const char *neap_version (void) { return NEAP_VERSION; }


neap_rt *neap_open (const neap_config *given) {
  neap_config c;
  nx_account account;
  nx_rt *rt;
  neap_config_init(&c);
  if (given != NULL)         /* an older host knows fewer members */
    memcpy(&c, given, given->size < c.size ? given->size : c.size);
  nx_account_init(&account, &c);
  rt = nx_raw_alloc(&account, sizeof(*rt));
  if (rt == NULL) return NULL;
  memset(rt, 0, sizeof(*rt));
  nx_account_init(&rt->memory, &c);
  rt->isa = nx_cpu_choose();
  rt->widest = nx_cpu_widest();
  rt->deterministic = c.deterministic;
  rt->log = c.log;
  rt->now_ns = c.now_ns;
  rt->ud = c.ud;
  rt->pool = nx_pool_new(&rt->memory, &c);
  if (rt->pool == NULL) {
    nx_raw_free(&account, rt, sizeof(*rt));
    return NULL;
  }
  return rt;
}


static void log_busy (nx_rt *rt) {
  char text[100];
  snprintf(text, sizeof(text), "neap_close: %d contexts and models are open",
           atomic_load(&rt->contexts));
  if (rt->log) rt->log(rt->ud, text);
}

neap_code neap_close (neap_rt *rt) {
  nx_account account;
  if (rt == NULL) return NEAP_OK;
  if (atomic_load(&rt->contexts) > 0) {
    log_busy(rt);
    return NEAP_EBUSY;
  }
  nx_pool_free(&rt->memory, rt->pool);
  account.alloc = rt->memory.alloc;
  account.ud = rt->memory.ud;
  account.alloc(account.ud, rt, sizeof(*rt), 0, NX_ALIGN);
  return NEAP_OK;
}


void neap_memory_info (const neap_rt *rt, neap_memory *m) {
  const nx_account *a = &rt->memory;
  m->used = atomic_load(&a->used);
  m->cached = atomic_load(&a->cached);
  m->peak = atomic_load(&a->peak);
  m->limit = atomic_load(&a->limit);
  m->requests = atomic_load(&a->requests);
  m->system = atomic_load(&a->system);
}


void neap_set_memory_limit (neap_rt *rt, size_t bytes) {
  atomic_store(&rt->memory.limit, bytes);
}


neap_ctx *neap_ctx_open (neap_rt *rt) {
  nx_ctx *C = nx_raw_alloc(&rt->memory, sizeof(*C));
  if (C == NULL) return NULL;
  memset(C, 0, sizeof(*C));
  C->rt = rt;
  C->recording = 1;
  C->random.key = 42;
  atomic_fetch_add(&rt->contexts, 1);
  return C;
}


void neap_ctx_close (neap_ctx *C) {
  nx_rt *rt;
  if (C == NULL) return;
  rt = C->rt;
  nx_scratch_close(C);
  nx_free(C, C->scope.made, C->scope.room * sizeof(*C->scope.made));
  nx_cache_flush(C);           /* publishes too */
  nx_raw_free(&rt->memory, C, sizeof(*C));
  atomic_fetch_sub(&rt->contexts, 1);
}


int nx_fail (nx_ctx *C, neap_code status, const char *fmt, ...) {
  if (C->status == NEAP_OK) {
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(C->message, sizeof(C->message), fmt, ap);
    va_end(ap);
    C->status = status;
  }
  return (int)C->status;
}


void nx_prefix (nx_ctx *C, const char *fmt, ...) {
  char old[sizeof(C->message)];
  va_list ap;
  int n;
  if (C->status == NEAP_OK) return;
  memcpy(old, C->message, sizeof(old));
  va_start(ap, fmt);
  n = vsnprintf(C->message, sizeof(C->message), fmt, ap);
  va_end(ap);
  if (n >= 0 && (size_t)n < sizeof(C->message))
    snprintf(C->message + n, sizeof(C->message) - (size_t)n, "%s", old);
}


neap_code neap_status (const neap_ctx *C) { return C->status; }

const char *neap_message (const neap_ctx *C) {
  return C->status == NEAP_OK ? "" : C->message;
}

void neap_clear (neap_ctx *C) { C->status = NEAP_OK; }


const char *neap_status_name (int status) {
  static const char *const name[] = {
#define NEAP_X(code, text) text,
    NEAP_STATUS_LIST(NEAP_X)
#undef NEAP_X
  };
  return status >= 0 && status < NEAP_NSTATUS ? name[status] : NULL;
}


void neap_manual_seed (neap_ctx *C, uint64_t seed) {
  C->random.key = seed;
  C->random.counter = 0;
}


int neap_set_grad_enabled (neap_ctx *C, int on) {
  int old = C->recording;
  C->recording = on != 0;
  return old;
}
