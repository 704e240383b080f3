/*
** Layers made of layers.
*/
#include "nn/module.h"


/*
** Children one after the other. An activation that follows a layer which
** can do it in passing is done there: Linear and ReLU are one operation
** (two, where somebody watches layers).
*/
static nx_tensor *in_turn (nx_ctx *C, nx_module *m, nx_tensor *x) {
  for (int i = 0; i < m->nslots && x != NULL; i++) {
    nx_module *child = m->slots[i].child, *next = NULL;
    if (child == NULL) continue;
    if (i + 1 < m->nslots && !C->watch) next = m->slots[i + 1].child;
    if (next && next->layer->activation && child->layer->forward_act) {
      x = nx_module_call_act(C, child, x, next->layer->activation);
      i++;
    }
    else x = nx_module_call(C, child, 1, &x);
  }
  return x;
}

static nx_tensor *sequential_forward (nx_ctx *C, nx_module *m,
                                      nx_tensor *const *in) {
  return in_turn(C, m, in[0]);
}

const nx_layer nx_layer_sequential = {
  .name = "Sequential",
  .doc = "Layers one after the other; each gets the first result of the one "
         "before.",
  .inputs = "x", .size = sizeof(nx_module), .forward = sequential_forward,
  .flags = NX_CONTAINER
};


const nx_layer nx_layer_module_list = {
  .name = "ModuleList",
  .doc = "A list of modules; it does nothing by itself.",
  .inputs = "", .size = sizeof(nx_module), .flags = NX_CONTAINER
};


const nx_layer nx_layer_module_dict = {
  .name = "ModuleDict",
  .doc = "Modules by name; it does nothing by itself.",
  .inputs = "", .size = sizeof(nx_module), .flags = NX_CONTAINER
};


/* y = x + f(x) (He et al. 2016) */
static nx_tensor *residual_forward (nx_ctx *C, nx_module *m,
                                    nx_tensor *const *in) {
  nx_tensor *y = in_turn(C, m, in[0]);
  if (y && (y = nx_add(C, in[0], y)) == NULL) nx_module_blame(C, m);
  return y;
}

const nx_layer nx_layer_residual = {
  .name = "Residual",
  .doc = "x plus what its layers, one after the other, make of it.",
  .inputs = "x", .size = sizeof(nx_module), .forward = residual_forward,
  .flags = NX_CONTAINER
};


/*
** Parallel: branches that all get x, and what becomes of their results.
*/
#define MERGES "cat sum mul"
enum { CAT, SUM, MUL };
#define MAXBRANCHES 64

typedef struct parallel_layer {
  nx_module m;
  int merge;
  int64_t dim;
} parallel_layer;

static const nx_field parallel_fields[] = {
  NX_ENUM(parallel_layer, merge, MERGES, CAT,
          "results one after the other, added or multiplied"),
  NX_DIM(parallel_layer, dim, 1, "of cat: the dimension, 2 for channels"),
  NX_END
};

static nx_tensor *parallel_forward (nx_ctx *C, nx_module *m,
                                    nx_tensor *const *in) {
  const parallel_layer *l = (const parallel_layer *)m;
  nx_tensor *all[MAXBRANCHES], *y;
  int n = 0;
  for (int i = 0; i < m->nslots; i++) {
    if (m->slots[i].child == NULL) continue;
    if (n == MAXBRANCHES) {
      nx_fail(C, NEAP_EARG, "%s: more than %d branches", m->class_name,
              MAXBRANCHES);
      return NULL;
    }
    all[n] = nx_module_call(C, m->slots[i].child, 1, in);
    if (all[n++] == NULL) return NULL;
  }
  if (n == 0) return in[0];
  y = all[0];
  if (l->merge == CAT) y = nx_cat(C, n, all, l->dim);
  else
    for (int i = 1; y && i < n; i++)
      y = l->merge == SUM ? nx_add(C, y, all[i]) : nx_mul(C, y, all[i]);
  if (y == NULL) nx_module_blame(C, m);
  return y;
}

const nx_layer nx_layer_parallel = {
  .name = "Parallel",
  .doc = "Branches that all get x; their results follow each other along a "
         "dimension, or are added or multiplied.",
  .inputs = "x", .fields = parallel_fields, .size = sizeof(parallel_layer),
  .forward = parallel_forward, .flags = NX_CONTAINER
};


typedef struct flatten_layer {
  nx_module m;
  int64_t start_dim, end_dim;
} flatten_layer;

static const nx_field flatten_layer_fields[] = {
  NX_DIM(flatten_layer, start_dim, 1, "first dimension to join"),
  NX_DIM(flatten_layer, end_dim, -1, "last dimension to join"),
  NX_END
};

static nx_tensor *flatten_layer_forward (nx_ctx *C, nx_module *m,
                                         nx_tensor *const *in) {
  flatten_layer *l = (flatten_layer *)m;
  return nx_flatten(C, in[0], l->start_dim, l->end_dim);
}

const nx_layer nx_layer_flatten = {
  .name = "Flatten",
  .doc = "All dimensions but the batch joined into one.",
  .inputs = "x", .fields = flatten_layer_fields,
  .size = sizeof(flatten_layer), .forward = flatten_layer_forward
};


const nx_layer nx_layer_unflatten = {.name = "Unflatten",
                                     .op = &nx_op_unflatten};


static nx_tensor *identity_forward (nx_ctx *C, nx_module *m,
                                    nx_tensor *const *in) {
  (void)C; (void)m;
  return in[0];
}

const nx_layer nx_layer_identity = {
  .name = "Identity", .doc = "x itself: a place to put a layer later.",
  .inputs = "x", .size = sizeof(nx_module), .forward = identity_forward
};
