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
  X(EBUSY, "still in use") \
  X(AGAIN, "not done yet: call once more")

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
  void *ud;             /* handed to the functions here */
  size_t memory_limit;  /* bytes of tensors and buffers; 0: no limit */
  int threads;          /* 0: one for each processor; 1: only the caller;
                           they start with the first work for several */
  int deterministic;    /* matrix products of our own, never BLAS */
  /* a line about something that is no error, or for which there is no
     context: a runtime that cannot be closed yet; NULL: nobody hears it */
  void (*log) (void *ud, const char *text);
  /* nanoseconds that only grow; NULL: the system's clock */
  uint64_t (*now_ns) (void *ud);
  /* runs job(arg, 0) ... job(arg, n - 1), in any order, on the host's own
     workers, and returns when all are done; n is at most 'threads'. NULL:
     threads of our own. Jobs neither wait nor ask for memory. */
  void (*parallel) (void *ud, int n, void (*job) (void *arg, int i),
                    void *arg);
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
** A view of elements in memory that belongs to somebody else: sizes, and
** distances in elements. Distances that are all 0 mean row order.
*/
typedef struct neap_view {
  void *data;
  neap_dtype dtype;
  int ndim;
  int64_t shape[NEAP_MAXDIM], stride[NEAP_MAXDIM];
} neap_view;

/* A view in row order; its name is short, since hosts write many. */
NEAP_API neap_view neap_view_of (void *data, neap_dtype dtype, int ndim,
                                 const int64_t *shape);


/*
** Tensors. A function that returns a tensor gives one reference to the
** caller, who gives it back with neap_unref.
*/
NEAP_API neap_tensor *neap_new (neap_ctx *C, neap_dtype dtype, int ndim,
                                const int64_t *shape);   /* zeros */
NEAP_API neap_tensor *neap_from (neap_ctx *C, neap_dtype dtype, int ndim,
                                 const int64_t *shape, const void *data);
/* over the host's memory, which must stay as long as tensors see it */
NEAP_API neap_tensor *neap_borrow (neap_ctx *C, const neap_view *v);
NEAP_API neap_tensor *neap_ref (neap_tensor *t);
NEAP_API void neap_unref (neap_tensor *t);               /* NULL is fine */

NEAP_API neap_dtype neap_dtype_of (const neap_tensor *t);
NEAP_API int neap_ndim (const neap_tensor *t);
NEAP_API int64_t neap_size (const neap_tensor *t, int dim);
NEAP_API int64_t neap_numel (const neap_tensor *t);

/* Where the elements are, as long as the tensor is there. */
NEAP_API void neap_look (const neap_tensor *t, neap_view *v);

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


/*
** Layers, by the names and options they have in Lua: neap_layer(C,
** "Linear", "in_features=3 out_features=2"). Dimensions count from 0. A
** module belongs to its context; one reference belongs to the caller.
*/
typedef struct neap_module neap_module;

NEAP_API neap_module *neap_layer (neap_ctx *C, const char *name,
                                  const char *options);
/* Puts a layer into a container (Sequential ...), under a name or (NULL) the
   next number, and takes over the caller's reference. */
NEAP_API neap_code neap_add (neap_ctx *C, neap_module *container,
                             const char *name, neap_module *layer);
NEAP_API void neap_module_unref (neap_module *m);        /* NULL is fine */
NEAP_API void neap_train (neap_ctx *C, neap_module *m, int on);
/* The layer's first result. */
NEAP_API neap_tensor *neap_call (neap_ctx *C, neap_module *m, int nin,
                                 neap_tensor *const *in);
/* How many parameters there are; 'out' receives at most 'room' of them,
   which stay the module's. */
NEAP_API int neap_parameters (neap_ctx *C, neap_module *m, int room,
                              neap_tensor **out);

/* How a file's tensors met a module's: by their names. */
typedef struct neap_report {
  int used;             /* loaded */
  int missing;          /* of the module, not in the file */
  int unused;           /* of the file, not in the module */
  int misfit;           /* with another shape; not loaded */
} neap_report;

/*
** Loads parameters and buffers from a safetensors file. If some are
** missing, left over or do not fit, 'strict' is an error that names them,
** and nothing is loaded; else what fits is loaded. 'r' may be NULL.
*/
NEAP_API neap_code neap_load (neap_ctx *C, neap_module *m, const char *path,
                              int strict, neap_report *r);
/* Writes the layers and all their tensors: nn.load in Lua and
   neap_model_open read it. The file is replaced as a whole. */
NEAP_API neap_code neap_save (neap_ctx *C, neap_module *m, const char *path);


/*
** Optimisers, by their names in Lua: neap_optimizer(C, "Adam", "lr=0.001",
** n, parameters).
*/
typedef struct neap_optim neap_optim;

NEAP_API neap_optim *neap_optimizer (neap_ctx *C, const char *name,
                                     const char *options, int n,
                                     neap_tensor *const *parameters);
NEAP_API void neap_optimizer_free (neap_optim *o);       /* NULL is fine */
NEAP_API neap_code neap_optimizer_set (neap_optim *o, const char *options);
NEAP_API neap_code neap_optimizer_zero_grad (neap_optim *o);
NEAP_API neap_code neap_optimizer_step (neap_optim *o);


/*
** Models: files that net:export or net:save wrote in Lua, or neap_save
** here. A model never changes; any number of plans, on any threads, share
** its weights. It belongs to the runtime: neap_close says NEAP_EBUSY while
** it is open. Files are checked before they are believed; one may still ask
** for large results when it is planned: where files come from strangers, set
** a limit of memory.
*/
typedef struct neap_model neap_model;

NEAP_API neap_model *neap_model_open (neap_ctx *C, const char *path);
/* from memory, which may go afterwards */
NEAP_API neap_model *neap_model_bytes (neap_ctx *C, const void *bytes,
                                       size_t size);
/* from memory that stays, unchanged, as long as the model and its plans:
   weights are read where they are (a mapped file, a program's constants) */
NEAP_API neap_model *neap_model_borrow (neap_ctx *C, const void *bytes,
                                        size_t size);
NEAP_API neap_model *neap_model_ref (neap_model *m);     /* on any thread */
NEAP_API void neap_model_unref (neap_model *m);          /* NULL is fine */

/* A text of the file's metadata, or NULL. */
NEAP_API const char *neap_model_meta (const neap_model *m, const char *key);
/* What the contents of its integer inputs and results (token ids, labels,
   argmax) count from: 1 for models from Lua, unless they say 0. */
NEAP_API int neap_model_index_base (const neap_model *m);
/* How many inputs an exported model has, and what the i-th was; -1 for a
   tree of layers (net:save), which takes many shapes. */
NEAP_API int neap_model_inputs (const neap_model *m);
NEAP_API neap_code neap_model_input (const neap_model *m, int i,
                                     neap_view *v);

/*
** Runs the example that net:export put into the file, and compares: how
** many examples there are (0 or 1), or -1 and the error. 'worst' becomes
** the largest difference, relative to the largest number of a result.
*/
NEAP_API int neap_model_check (neap_ctx *C, neap_model *m, double *worst);


/*
** Plans: a model for inputs of fixed shapes, with all memory that it needs.
** One thread uses a plan at a time, and a run stays on it; the plan keeps the
** model.
**
** neap_plan_run asks for no memory, takes no lock, calls no system. Its
** results do not depend on threads or on what is computed beside them, bit
** for bit.
*/
typedef struct neap_plan neap_plan;

/* Memory of a plan begins at a multiple of this. */
#define NEAP_ALIGN 64

/*
** The exact bytes of a plan for such inputs (their data is not looked at),
** or 0 and the error. nin = 0: the inputs that the model was exported with.
*/
NEAP_API size_t neap_plan_size (neap_ctx *C, neap_model *m, int nin,
                                const neap_view *in);
/*
** A plan in the host's 'memory' of 'size' bytes, which must stay until
** neap_plan_free (one byte less than neap_plan_size: NEAP_ELIMIT); or, with
** NULL, in memory of the runtime.
*/
NEAP_API neap_plan *neap_plan_new (neap_ctx *C, neap_model *m, int nin,
                                   const neap_view *in, void *memory,
                                   size_t size);
NEAP_API void neap_plan_free (neap_plan *p);             /* NULL is fine */
NEAP_API size_t neap_plan_bytes (const neap_plan *p);

/*
** Where inputs are written before a run and outputs are read after it. What
** is there is kept from run to run; during neap_plan_step it is the plan's.
*/
NEAP_API int neap_plan_inputs (const neap_plan *p);
NEAP_API int neap_plan_outputs (const neap_plan *p);
NEAP_API neap_code neap_plan_input (neap_plan *p, int i, neap_view *v);
NEAP_API neap_code neap_plan_output (neap_plan *p, int i, neap_view *v);
/* Memory of the host in its place, in row order; NULL: the plan's again. */
NEAP_API neap_code neap_plan_bind_input (neap_plan *p, int i, void *data);
NEAP_API neap_code neap_plan_bind_output (neap_plan *p, int i, void *data);

/*
** Fewer rows than planned, 1 or more, until it is called again: rows are the
** places of the first dimension of input 0 and of those inputs that have as
** many. Only the first rows are read, computed and written, with the bits
** that they always have; neap_plan_input and neap_plan_output show them.
** NEAP_EUNSUP, with the name of the operation, where rows meet in the model
** or an operation does not tell how they go through it.
*/
NEAP_API neap_code neap_plan_rows (neap_plan *p, int64_t rows);

NEAP_API neap_code neap_plan_run (neap_plan *p);
/*
** The same in slices: works about so many nanoseconds, at least one piece
** (of some 50 microseconds, where the operation can be cut), and says
** NEAP_AGAIN while something is left. The results have the bits of
** neap_plan_run, which finishes what a step began.
*/
NEAP_API neap_code neap_plan_step (neap_plan *p, uint64_t budget_ns);

/*
** Recurrent layers go on where the last run ended; a model of one step is
** thus run step by step. Layers that read backwards begin anew in each run.
** The state can be saved, restored (the bits come back) and reset. A run that
** fails (an index that is none) may have advanced a part of it: where that
** matters, save it before.
*/
NEAP_API void neap_plan_reset (neap_plan *p);
NEAP_API size_t neap_plan_state_size (const neap_plan *p);
NEAP_API neap_code neap_plan_save_state (neap_plan *p, void *out,
                                         size_t size);
NEAP_API neap_code neap_plan_load_state (neap_plan *p, const void *in,
                                         size_t size);

/* What went wrong in the last call with this plan; "" if nothing. */
NEAP_API const char *neap_plan_message (const neap_plan *p);

#ifdef __cplusplus
}
#endif

#endif
