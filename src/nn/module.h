/*
** Modules: the tree of layers, with parameters and buffers.
*/
#ifndef nx_module_h
#define nx_module_h

#include "ops.h"

typedef struct nx_module nx_module;
typedef struct nx_reparam nx_reparam;    /* nn/reparametrize.h */

/*
** The description of a layer. 'fields' are the options of its structure,
** whose first member is the module.
*/
typedef struct nx_layer {
  const char *name, *doc;
  const char *inputs;          /* of a call, as an operation's */
  const char *outputs;         /* likewise; NULL: "y" */
  const nx_field *fields;
  size_t size;
  /* makes parameters and buffers from the options */
  int (*init) (nx_ctx *C, nx_module *m);
  /* 'in' has as many entries as 'inputs' has names, NULL where left out */
  nx_tensor *(*forward) (nx_ctx *C, nx_module *m, nx_tensor *const *in);
  /* the same for layers with several results: how many, or -1 */
  int (*results) (nx_ctx *C, nx_module *m, nx_tensor *const *in,
                  nx_tensor **out);
  /* forward followed by an activation, where that is one operation */
  nx_tensor *(*forward_act) (nx_ctx *C, nx_module *m, nx_tensor *const *in,
                             int activation);
  int activation;              /* what this layer is, if it is just that */
  unsigned flags;
  /* a layer that is just an operation: its options, which follow the
     module, and its description are the operation's; only 'name' is set */
  const nx_op *op;
} nx_layer;

enum {
  NX_CONTAINER = 1,            /* its arguments are modules */
  NX_FOREIGN = 2               /* its forward is not in C */
};

/* What a layer says of itself, or its operation for it. */
const nx_field *nx_layer_fields (const nx_layer *l);
const char *nx_layer_doc (const nx_layer *l);
const char *nx_layer_inputs (const nx_layer *l);
int nx_layer_results (const nx_layer *l);      /* how many at most */

extern const nx_layer *const nx_layers[];
const nx_layer *nx_layer_named (const char *name);

/* What a module holds under a name. */
typedef enum nx_slot_kind {
  NX_SLOT_PARAMETER, NX_SLOT_BUFFER, NX_SLOT_CHILD
} nx_slot_kind;

#define NX_MAXNAME 64

typedef struct nx_slot {
  char name[NX_MAXNAME];
  nx_slot_kind kind;
  nx_tensor **at;              /* a member of the layer's structure or ... */
  nx_tensor *own;              /* ... this; NULL: registered, but none */
  nx_module *child;
} nx_slot;

struct nx_module {
  nx_ctx *C;
  const nx_layer *layer;
  int refs, training;
  int ready;                   /* its init is done */
  nx_module *parent;           /* the last that took it in; may be NULL */
  nx_slot *slots;
  int nslots, room;
  nx_reparam *reparams;        /* parameters that are computed */
  char class_name[NX_MAXNAME]; /* as the user calls it */
};

/*
** A new layer with default options: set its fields, then nx_module_init.
** One reference belongs to the caller.
*/
nx_module *nx_module_new (nx_ctx *C, const nx_layer *layer);
int nx_module_init (nx_ctx *C, nx_module *m);
void *nx_module_args (nx_module *m);   /* the structure of its fields */
nx_module *nx_module_ref (nx_module *m);
void nx_module_unref (nx_module *m);

/* Registers; a name that is there already gets the new value. */
int nx_module_set_tensor (nx_ctx *C, nx_module *m, nx_slot_kind kind,
                          const char *name, nx_tensor *t, nx_tensor **at);
int nx_module_set_child (nx_ctx *C, nx_module *m, const char *name,
                         nx_module *child);
/* Forgets a name; false if it is not there. */
int nx_module_remove (nx_module *m, const char *name);
nx_slot *nx_module_slot (const nx_module *m, const char *name);
nx_tensor *nx_slot_tensor (const nx_slot *s);         /* may be NULL */
int nx_module_children (const nx_module *m);

/* A parameter with random values between -bound and bound, or zeros. */
int nx_parameter (nx_ctx *C, nx_module *m, const char *name, nx_tensor **at,
                  int ndim, const int64_t *shape, double bound);
/* A tensor that was made as a parameter. */
int nx_learned (nx_ctx *C, nx_module *m, const char *name, nx_tensor **at,
                nx_tensor *t);
/* A buffer, or (with 'learn') a parameter, filled with a value. */
int nx_filled (nx_ctx *C, nx_module *m, const char *name, nx_tensor **at,
               int learn, int dtype, int ndim, const int64_t *shape,
               double value);

/* A layer of this one's own, with options "a=1 b=true", under a name. */
int nx_make_child (nx_ctx *C, nx_module *m, const char *name,
                   const char *layer, const char *options);
/* Calls a child by its name; fails if it is gone. */
nx_tensor *nx_call_child (nx_ctx *C, nx_module *m, const char *name, int nin,
                          nx_tensor *const *in);

/*
** Calls the layer; errors name its place in the tree. The first form gives
** all results and how many there are, or -1.
*/
#define NX_MAXRESULTS 4
int nx_module_call_all (nx_ctx *C, nx_module *m, int nin,
                        nx_tensor *const *in, nx_tensor **out);
nx_tensor *nx_module_call (nx_ctx *C, nx_module *m, int nin,
                           nx_tensor *const *in);
/* The same for a layer that does the activation in passing. */
nx_tensor *nx_module_call_act (nx_ctx *C, nx_module *m, nx_tensor *x,
                               int activation);
/* True if some module of the tree has its forward outside C. */
int nx_module_foreign (const nx_module *m);
/* Puts the module's place in front of the error that is there. */
void nx_module_blame (nx_ctx *C, const nx_module *m);
/* The result y of a layer for x: blames it for an error, or for numbers
   that are not finite where the context forbids them, and tells who
   watches. */
nx_tensor *nx_module_result (nx_ctx *C, const nx_module *m, nx_tensor *x,
                             nx_tensor *y);

/*
** Visits tensors (parameters, then buffers, then those of the children)
** with their names in state_dict; a result other than 0 stops the walk.
*/
typedef int nx_visit_fn (void *ud, const char *path, nx_slot *s);
int nx_module_visit (nx_ctx *C, nx_module *m, nx_visit_fn *f, void *ud);
/* Visits the module and all below it. */
typedef int nx_visit_module_fn (void *ud, const char *path, nx_module *m);
int nx_module_visit_modules (nx_ctx *C, nx_module *m,
                             nx_visit_module_fn *f, void *ud);

void nx_module_train (nx_ctx *C, nx_module *m, int on);
/* All floating-point parameters and buffers in another type, in place. */
int nx_module_to (nx_ctx *C, nx_module *m, int dtype);

#endif
