/*
** Runtime and context. A runtime owns memory, threads and the choice of
** instruction set; it is safe from any thread and keeps no error. A
** context belongs to a runtime and to one thread at a time; it keeps the
** first error, the gradient mode, the generator and the scopes.
*/
#ifndef nx_context_h
#define nx_context_h

#include "base/memory.h"
#include "base/random.h"

typedef neap_rt nx_rt;
typedef neap_ctx nx_ctx;
typedef neap_tensor nx_tensor;

#if defined(__GNUC__)
#define NX_PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define NX_PRINTF(f, a)
#endif

struct nx_pool;
struct nx_node;
struct nx_packs;

struct neap_rt {
  nx_account memory;
  struct nx_pool *pool;
  int deterministic;
  int isa, widest;            /* instruction sets: see base/cpu.h */
  atomic_int contexts;        /* open contexts */
  void (*log) (void *ud, const char *text);
  uint64_t (*now_ns) (void *ud);
  void *ud;
};

/* Tensors that the C code of operations and layers made: nx_push. */
typedef struct nx_scope {
  nx_tensor **made;
  size_t count, room;
} nx_scope;

/*
** Which inputs and results the gradient of an operation reads, as bits:
** found in its lists of names once, then kept by the context.
*/
typedef struct nx_known {
  const void *op, *saves;
  uint32_t in, out;
} nx_known;

#define NX_NKNOWN 128

struct neap_ctx {
  nx_rt *rt;
  neap_code status;
  char message[512];
  nx_cache cache;
  nx_scope scope;
  nx_generator random;
  struct nx_packs *packs;     /* matrices that are packed once, or NULL */
  int base;                   /* how the user counts: 1 in Lua, 0 in C */
  int recording;              /* gradient mode */
  int anomaly;                /* note where nodes come from, look for NaN */
  int finite;                 /* layers may not give NaN or infinity */
  /* told of each layer that was called, with its input and result */
  void (*watch) (void *ud, const void *module, nx_tensor *x, nx_tensor *y);
  void *watch_ud;
  /* told of each operation that was applied, but not of those inside it */
  void (*applied) (void *ud, struct nx_node *n);
  void *applied_ud;
  /* where the user's program is; false if that cannot be told */
  int (*where) (void *ud, char *out, size_t room);
  void *where_ud;
  uint64_t sequence;          /* number of the next node of the tape */
  struct nx_node *doomed;     /* nodes waiting to be freed, iteratively */
  int freeing;
  int64_t tensors;            /* live ones: tests count them */
  nx_known known[NX_NKNOWN];
};

static inline int nx_status (const nx_ctx *C) { return (int)C->status; }

/*
** Leaves an error, if it is the first, and returns the status.
*/
int nx_fail (nx_ctx *C, neap_code status, const char *fmt, ...)
  NX_PRINTF(3, 4);

/* Puts text in front of the message of the error that is there. */
void nx_prefix (nx_ctx *C, const char *fmt, ...) NX_PRINTF(2, 3);

#endif
