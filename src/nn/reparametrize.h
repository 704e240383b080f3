/*
** Parameters that are computed of others whenever their layer is called.
*/
#ifndef nx_reparametrize_h
#define nx_reparametrize_h

#include "nn/module.h"

typedef struct nx_reparam_kind {
  const char *name, *parts;    /* suffixes of the tensors it keeps */
  /* makes them from the parameter */
  int (*make) (nx_ctx *C, nx_module *m, const nx_reparam *r, nx_tensor *w);
  nx_tensor *(*compute) (nx_ctx *C, nx_module *m, const nx_reparam *r);
} nx_reparam_kind;

struct nx_reparam {
  const nx_reparam_kind *kind;
  char name[NX_MAXNAME];       /* of the parameter */
  int64_t dim;                 /* NX_UNSET_INT: none */
  int64_t iterations;
  double eps;
  nx_reparam *next;
};

const nx_reparam_kind *nx_reparam_named (const char *name);
nx_reparam *nx_reparam_find (const nx_module *m, const char *name);
/* Takes the parameter's place; 'given' is copied. */
int nx_reparametrize (nx_ctx *C, nx_module *m, const nx_reparam *given);
/* Makes a parameter of what is computed. */
int nx_reparam_remove (nx_ctx *C, nx_module *m, const char *name);
/* What the parameter is now; NULL if it is not computed. */
nx_tensor *nx_reparam_value (nx_ctx *C, nx_module *m, const char *name);
/* For a call: puts the tensors into their slots, and takes them out. */
int nx_reparam_fill (nx_ctx *C, nx_module *m);
void nx_reparam_empty (nx_module *m);
void nx_reparam_close (nx_module *m);

#endif
