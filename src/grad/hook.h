/*
** Hooks: functions that see a gradient, and may change it, when it is
** complete. Those of a tensor that was computed belong to the node that
** made it, those of a leaf to the leaf.
*/
#ifndef nx_hook_h
#define nx_hook_h

#include "grad/op.h"

/* The gradient instead of 'g', or NULL: 'g' itself. May fail. */
typedef nx_tensor *nx_hook_fn (nx_ctx *C, void *ud, nx_tensor *g);

struct nx_hook {
  nx_hook *next;
  int out;                     /* which result of a node */
  nx_hook_fn *call;            /* may be NULL: only to be released */
  void (*release) (void *ud);  /* may be NULL */
  void *ud;
};

/* 'ud' is released with the node or leaf, or at once on an error. */
int nx_hook_add (nx_ctx *C, nx_tensor *t, nx_hook_fn *call,
                 void (*release) (void *ud), void *ud);
void nx_hooks_free (nx_ctx *C, nx_hook **list);

/* The gradient after all hooks of 'out'; NULL leaves the error. */
nx_tensor *nx_hooks_call (nx_ctx *C, const nx_hook *list, int out,
                          nx_tensor *g);

/* Keeps the gradient of a tensor that was computed, too. */
int nx_retain_grad (nx_ctx *C, nx_tensor *t);

#endif
