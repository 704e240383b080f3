/*
** neap.h: deep learning in a host program.
**
** Plain C99 and C++; no globals. Nothing here ends the process or prints.
** Every function that can fail leaves a status and a sentence in its
** context: the first error sticks, later calls do nothing and return NULL,
** so a chain of calls is checked once, at its end, with neap_status.
*/
#ifndef NEAP_H
#define NEAP_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define NEAP_VERSION "0.1.0"

#if !defined(NEAP_API)
#if defined(__GNUC__)
#define NEAP_API __attribute__((visibility("default")))
#else
#define NEAP_API
#endif
#endif

/* A tensor has at most this many dimensions. */
#define NEAP_MAXDIM 8


/*
** Status codes: name, what it means.
*/
#define NEAP_STATUS_LIST(X) \
  X(OK, "no error") \
  X(ENOMEM, "not enough memory") \
  X(ELIMIT, "memory limit reached") \
  X(EARG, "bad argument") \
  X(ESHAPE, "shapes do not fit") \
  X(EDTYPE, "wrong type of elements") \
  X(EINDEX, "index out of range") \
  X(EGRAD, "gradient cannot be computed") \
  X(EFORMAT, "malformed file") \
  X(EIO, "input or output failed") \
  X(EUNSUP, "not available in this build") \
  X(EBUSY, "still in use")

typedef enum neap_code {
#define NEAP_X(name, text) NEAP_##name,
  NEAP_STATUS_LIST(NEAP_X)
#undef NEAP_X
  NEAP_NSTATUS
} neap_code;


/*
** Types of elements: name in C, name in Lua and in messages, bytes.
** The last three are for storage only: convert before computing.
*/
#define NEAP_DTYPE_LIST(X) \
  X(BOOL, "bool", 1) \
  X(U8, "uint8", 1) \
  X(I32, "int32", 4) \
  X(I64, "int64", 8) \
  X(F32, "float32", 4) \
  X(F64, "float64", 8) \
  X(I8, "int8", 1) \
  X(F16, "float16", 2) \
  X(BF16, "bfloat16", 2)

typedef enum neap_dtype {
#define NEAP_X(name, text, bytes) NEAP_##name,
  NEAP_DTYPE_LIST(NEAP_X)
#undef NEAP_X
  NEAP_NDTYPE
} neap_dtype;


/* Memory, limits, threads: shared by contexts, safe from any thread. */
typedef struct neap_rt neap_rt;

/* Where work is done and errors are kept: one thread at a time. */
typedef struct neap_ctx neap_ctx;

/* A counted, strided, typed array. Its count belongs to its context's
   thread; views of one storage may live in several. */
typedef struct neap_tensor neap_tensor;


/*
** Settings of a runtime. Call neap_config_init first: it writes the size
** of the structure that this header knows, so that later versions can add
** members, and the defaults.
*/
typedef struct neap_config {
  size_t size;          /* bytes of this structure */
  /* grows, shrinks or frees (size 0) a block; NULL: the C library */
  void *(*alloc) (void *ud, void *block, size_t old, size_t size,
                  size_t align);
  void *ud;             /* handed to 'alloc' */
  size_t memory_limit;  /* bytes of tensors and buffers; 0: no limit */
  int threads;          /* 0: one for each processor; 1: only the caller */
  int deterministic;    /* matrix products of our own, never BLAS */
} neap_config;

NEAP_API void neap_config_init (neap_config *c);

/* A new runtime, or NULL if there is no memory ('c' NULL: defaults). */
NEAP_API neap_rt *neap_open (const neap_config *c);

/* NEAP_EBUSY, and nothing is done, while contexts of it are open. */
NEAP_API neap_code neap_close (neap_rt *rt);

/* What the runtime holds now, held at most, and asked for. */
typedef struct neap_memory {
  size_t used;          /* bytes in use */
  size_t cached;        /* bytes kept for the next request */
  size_t peak;          /* largest 'used' so far */
  size_t limit;         /* 0: none */
  uint64_t requests;    /* blocks asked for, cached ones included */
  uint64_t system;      /* blocks asked from the allocator below */
} neap_memory;

NEAP_API void neap_memory_info (const neap_rt *rt, neap_memory *m);
NEAP_API void neap_set_memory_limit (neap_rt *rt, size_t bytes);
NEAP_API const char *neap_version (void);


/* A context of a runtime, or NULL if there is no memory. */
NEAP_API neap_ctx *neap_ctx_open (neap_rt *rt);
NEAP_API void neap_ctx_close (neap_ctx *C);        /* NULL is fine */

/* The first error since the last neap_clear, its sentence, forgetting it. */
NEAP_API neap_code neap_status (const neap_ctx *C);
NEAP_API const char *neap_message (const neap_ctx *C);
NEAP_API void neap_clear (neap_ctx *C);

/* The name of a status or of a type; NULL if there is no such number. */
NEAP_API const char *neap_status_name (int status);
NEAP_API const char *neap_dtype_name (int dtype);

NEAP_API void neap_manual_seed (neap_ctx *C, uint64_t seed);
NEAP_API int neap_set_grad_enabled (neap_ctx *C, int on);  /* old value */


/*
** Tensors. A function that returns a tensor gives one reference to the
** caller, who gives it back with neap_unref.
*/
NEAP_API neap_tensor *neap_new (neap_ctx *C, neap_dtype dtype, int ndim,
                                const int64_t *shape);   /* zeros */
NEAP_API neap_tensor *neap_from (neap_ctx *C, neap_dtype dtype, int ndim,
                                 const int64_t *shape, const void *data);
NEAP_API neap_tensor *neap_ref (neap_tensor *t);
NEAP_API void neap_unref (neap_tensor *t);               /* NULL is fine */

NEAP_API neap_dtype neap_dtype_of (const neap_tensor *t);
NEAP_API int neap_ndim (const neap_tensor *t);
NEAP_API int64_t neap_size (const neap_tensor *t, int dim);
NEAP_API int64_t neap_numel (const neap_tensor *t);

/* Copies all elements in row order to 'data' ('bytes' must be exact). */
NEAP_API neap_code neap_read (neap_ctx *C, const neap_tensor *t, void *data,
                              size_t bytes);

/*
** Applies the operation 'name'. 'options' reads like "dim=1 keepdim=true"
** (NULL: all defaults); dimensions and positions count from 0. 'in' has
** 'nin' tensors in the operation's order, NULL where an optional one is
** left out. Fills at most 'nout' results; the others are dropped.
*/
NEAP_API neap_code neap_apply (neap_ctx *C, const char *name,
                               const char *options, int nin,
                               neap_tensor *const *in, int nout,
                               neap_tensor **out);

NEAP_API void neap_require_grad (neap_ctx *C, neap_tensor *t);
NEAP_API neap_code neap_backward (neap_ctx *C, neap_tensor *loss);
/* a new reference, or NULL when there is none yet */
NEAP_API neap_tensor *neap_grad (neap_tensor *t);

#ifdef __cplusplus
}
#endif

#endif
