/*
** Optimisers: one fused pass over all parameters of a step.
*/
#ifndef nx_optimizer_h
#define nx_optimizer_h

#include "base/fields.h"
#include "tensor/dtype.h"
#include "tensor/tensor.h"

#define NX_MAXSLOTS 4
#define NX_MAXCONSTANTS 12

/*
** The description of an optimiser. Its state for each parameter are the
** tensors named in 'slots', in the shape of the parameter, and the number
** of steps it took.
*/
typedef struct nx_optim {
  const char *name, *doc;
  const nx_field *fields;
  size_t argsize;
  const char *slots;           /* "exp_avg exp_avg_sq" */
  /* fails if options do not go together; may be NULL */
  int (*check) (nx_ctx *C, const void *args);
  /* true if slot i is used with these options; NULL: all are */
  int (*uses) (const void *args, int i);
  /* what slot i starts with; NULL: zeros */
  double (*start) (const void *args, int i);
  /* the kernel and its constants for a parameter's step number 'step' */
  nx_map_fn *(*plan) (const void *args, const nx_kernels *K, int64_t step,
                      double *c);
  /* NX_ROWS_ONLY where nothing but these rows would change; NULL: never */
  int (*rows) (const void *args);
} nx_optim;

/* What a step makes of a gradient that is rows of a table. */
enum { NX_ROWS_WHOLE, NX_ROWS_ONLY, NX_ROWS_NEEDED };

extern const nx_optim *const nx_optims[];

typedef struct nx_optim_state {
  nx_tensor *param;
  int64_t step;
  nx_tensor *slot[NX_MAXSLOTS];          /* NULL until the first step */
} nx_optim_state;

typedef struct nx_group {
  void *args;                            /* a structure of 'fields' */
  nx_optim_state *states;
  int n;
} nx_group;

typedef struct nx_optimizer {
  nx_ctx *C;
  const nx_optim *kind;
  nx_group *groups;
  int ngroups;
} nx_optimizer;

nx_optimizer *nx_optimizer_new (nx_ctx *C, const nx_optim *kind);
void nx_optimizer_free (nx_optimizer *o);

/* A group with the options in 'args' (copied). A parameter may be in one. */
int nx_optimizer_add (nx_ctx *C, nx_optimizer *o, const void *args, int n,
                      nx_tensor *const *params);
/* Parameters without a gradient are left as they are. */
int nx_optimizer_step (nx_ctx *C, nx_optimizer *o);
int nx_optimizer_zero_grad (nx_ctx *C, nx_optimizer *o);

#endif
