/*
** Joining tensors.
*/
#include <string.h>
#include "ops.h"
#include "tensor/view.h"

typedef struct cat_args { int64_t dim; } cat_args;

static const nx_field cat_fields[] = {
  NX_DIM(cat_args, dim, 0, "dimension along which tensors follow"),
  NX_END
};


/* PyTorch lets an empty 1-d tensor stand for nothing. */
static int is_nothing (const nx_tensor *t) {
  return t->ndim == 1 && t->len == 0;
}

static int cat_shape (nx_ctx *C, nx_node *n) {
  cat_args *a = n->a;
  nx_tensor *first = n->in[0];
  int64_t shape[NEAP_MAXDIM], total = 0;
  int dtype = first->dtype;
  char ft[NX_SHAPE_TEXT], it[NX_SHAPE_TEXT];
  for (int i = 0; i < n->nin; i++) {
    nx_tensor so_far = *first;
    so_far.dtype = (unsigned char)dtype;
    so_far.flags = 0;
    dtype = nx_promote(&so_far, n->in[i]);
    if (is_nothing(first)) first = n->in[i];
  }
  if (first->ndim == 0)
    return nx_op_fail(C, n, NEAP_ESHAPE, "0-d tensors have no dimension to "
                      "follow each other along (use stack)");
  if (nx_dim(C, n->op->name, first, &a->dim)) return nx_status(C);
  for (int i = 0; i < n->nin; i++) {
    nx_tensor *t = n->in[i];
    int fits = t->ndim == first->ndim;
    if (is_nothing(t) && first->ndim != 1) continue;
    for (int d = 0; fits && d < t->ndim; d++)
      fits = d == a->dim || t->shape[d] == first->shape[d];
    if (!fits)
      return nx_op_fail(C, n, NEAP_ESHAPE, "tensor %d is %s, but the others "
                        "are %s outside dimension %lld", i + C->base,
                        nx_shape_of(t, it), nx_shape_of(first, ft),
                        (long long)a->dim + C->base);
    if (t->shape[a->dim] > INT64_MAX - total)
      return nx_op_fail(C, n, NEAP_ESHAPE, "the result is too large");
    total += t->shape[a->dim];
    if (t->dtype != dtype && (n->in[i] = nx_to(C, t, dtype)) == NULL)
      return nx_status(C);
  }
  memcpy(shape, first->shape, sizeof(shape));
  shape[a->dim] = total;
  nx_out(C, n, 0, dtype, first->ndim, shape);
  return nx_status(C);
}


static int cat_forward (nx_ctx *C, nx_node *n) {
  cat_args *a = n->a;
  nx_tensor *y = n->out[0];
  int64_t at = 0;
  for (int i = 0; i < n->nin; i++) {
    nx_tensor *t = n->in[i], *part;
    if (t->ndim != y->ndim) continue;
    part = nx_view_part(C, y, (int)a->dim, at, t->shape[a->dim], 1);
    if (part == NULL || nx_copy(C, part, t)) return nx_status(C);
    at += t->shape[a->dim];
  }
  return nx_status(C);
}


/* each tensor's gradient is its part of gy */
static int cat_grad (nx_ctx *C, nx_node *n, nx_tensor **gy, nx_tensor **gx) {
  cat_args *a = n->a;
  int64_t at = 0;
  for (int i = 0; i < n->nin; i++) {
    const nx_tensor *t = n->in[i];
    if (t->ndim != gy[0]->ndim) continue;
    if (n->wants[i])
      gx[i] = nx_narrow(C, gy[0], a->dim, at, t->shape[a->dim]);
    at += t->shape[a->dim];
  }
  return nx_status(C);
}

static const char *cat_cutting (const nx_node *n) {
  return ((const cat_args *)n->a)->dim == 0 ? NULL : "*0";
}

const nx_op nx_op_cat = {
  .name = "cat",
  .doc = "Tensors one after the other along a dimension.",
  .inputs = "xs*", .outputs = "y", .fields = cat_fields,
  .argsize = sizeof(cat_args), .cutting = cat_cutting,
  .shape = cat_shape, .forward = cat_forward, .grad = NX_LEARN(cat_grad)
};

OPFN nx_tensor *nx_cat (nx_ctx *C, int n, nx_tensor *const *xs,
                        int64_t dim) {
  cat_args a = {dim};
  return nx_apply(C, &nx_op_cat, &a, n, xs);
}


/*
** stack: joined along a new dimension.
*/
typedef struct stack_args { int64_t dim; } stack_args;

static const nx_field stack_fields[] = {
  NX_DIM(stack_args, dim, 0, "where the new dimension stands"),
  NX_END
};

static int stack_shape (nx_ctx *C, nx_node *n) {
  stack_args *a = n->a;
  nx_tensor *first = n->in[0], wider = *first;       /* only to count */
  int64_t shape[NEAP_MAXDIM + 1];
  int dtype = first->dtype;
  char ft[NX_SHAPE_TEXT], it[NX_SHAPE_TEXT];
  wider.ndim++;
  if (nx_dim(C, n->op->name, &wider, &a->dim)) return nx_status(C);
  for (int i = 0; i < n->nin; i++) {
    nx_tensor so_far = *first;
    if (!nx_same_shape(first, n->in[i]))
      return nx_op_fail(C, n, NEAP_ESHAPE, "tensor %d is %s, but the first "
                        "is %s", i + C->base, nx_shape_of(n->in[i], it),
                        nx_shape_of(first, ft));
    so_far.dtype = (unsigned char)dtype;
    so_far.flags = 0;
    dtype = nx_promote(&so_far, n->in[i]);
  }
  for (int i = 0; i < n->nin; i++)
    if (n->in[i]->dtype != dtype &&
        (n->in[i] = nx_to(C, n->in[i], dtype)) == NULL) return nx_status(C);
  for (int d = 0, own = 0; d <= first->ndim; d++)
    shape[d] = d == a->dim ? n->nin : first->shape[own++];
  nx_out(C, n, 0, dtype, first->ndim + 1, shape);
  return nx_status(C);
}

static int stack_forward (nx_ctx *C, nx_node *n) {
  stack_args *a = n->a;
  for (int i = 0; i < n->nin; i++) {
    nx_tensor *part = nx_view_part(C, n->out[0], (int)a->dim, i, 1, 1), *t;
    t = nx_unsqueeze(C, n->in[i], a->dim);
    if (part == NULL || t == NULL || nx_copy(C, part, t)) return nx_status(C);
  }
  return 0;
}

/* each tensor's gradient is its slice of gy */
static int stack_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                       nx_tensor **gx) {
  stack_args *a = n->a;
  for (int i = 0; i < n->nin; i++)
    if (n->wants[i]) gx[i] = nx_select(C, gy[0], a->dim, i);
  return nx_status(C);
}

const nx_op nx_op_stack = {
  .name = "stack",
  .doc = "Tensors of one shape one after the other along a new dimension.",
  .inputs = "xs*", .outputs = "y", .fields = stack_fields,
  .argsize = sizeof(stack_args),
  .shape = stack_shape, .forward = stack_forward, .grad = NX_LEARN(stack_grad)
};

OPFN nx_tensor *nx_stack (nx_ctx *C, int n, nx_tensor *const *xs,
                          int64_t dim) {
  stack_args a = {dim};
  return nx_apply(C, &nx_op_stack, &a, n, xs);
}
