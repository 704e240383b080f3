/*
** Other shapes of the same elements: views where strides allow, copies
** where not.
*/
#include <string.h>
#include "ops.h"
#include "tensor/view.h"

typedef struct size_args { nx_ints size; } size_args;


/* a view of x as the shape, or where there is none what 'seen_forward'
   fills */
static int seen_as (nx_ctx *C, nx_node *n, int ndim, const int64_t *shape) {
  nx_tensor *x = n->in[0];
  n->out[0] = nx_view_shape(C, x, ndim, shape);
  n->nout = 1;
  if (n->out[0] == NULL && nx_status(C) == 0)
    nx_out(C, n, 0, x->dtype, ndim, shape);
  return nx_status(C);
}

static int seen_forward (nx_ctx *C, nx_node *n) {
  nx_tensor *x = n->in[0], *y = n->out[0];
  if (y->store == x->store) return 0;
  y = nx_view_shape(C, y, x->ndim, x->shape);
  return y ? nx_copy(C, y, x) : nx_status(C);
}


/*
** Replaces one -1 by what is left of 'len' elements.
*/
static int infer_size (nx_ctx *C, const nx_node *n, int64_t len,
                       const char *where, nx_ints *size) {
  int64_t known = 1;
  int open = -1;
  char a[NX_SHAPE_TEXT], b[NX_SHAPE_TEXT];
  for (int i = 0; i < size->n; i++) {
    if (size->v[i] == -1 && open < 0) open = i;
    else if (size->v[i] < 0)
      return nx_op_fail(C, n, NEAP_ESHAPE, "size %lld is negative (one may "
                        "be -1: what is left)", (long long)size->v[i]);
    else if (size->v[i] > 0 && known > INT64_MAX / size->v[i])
      return nx_op_fail(C, n, NEAP_ESHAPE, "the sizes are too large");
    else known *= size->v[i];
  }
  if (open >= 0 && known > 0) size->v[open] = len / known;
  if (open >= 0) known = known > 0 ? known * size->v[open] : -1;
  if (known != len)
    return nx_op_fail(C, n, NEAP_ESHAPE, "x is %s, %lld elements%s, and "
                      "cannot become %s", nx_shape_of(n->in[0], a),
                      (long long)len, where,
                      nx_shape_text(size->n, size->v, b));
  return 0;
}


static const nx_field reshape_fields[] = {
  NX_INTS(size_args, size, NX_REQUIRED, "the new shape; one -1: what is left"),
  NX_END
};

static int reshape_shape (nx_ctx *C, nx_node *n) {
  size_args *a = n->a;
  if (infer_size(C, n, n->in[0]->len, "", &a->size)) return nx_status(C);
  return seen_as(C, n, a->size.n, a->size.v);
}

/* gx = gy in the shape of x */
static int reshape_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                         nx_tensor **gx) {
  gx[0] = nx_reshape(C, gy[0], n->in[0]->ndim, n->in[0]->shape);
  return nx_status(C);
}

const nx_op nx_op_reshape = {
  .name = "reshape",
  .doc = "The same elements in row order as another shape; a view where "
         "possible.",
  .inputs = "x", .outputs = "y", .fields = reshape_fields,
  .argsize = sizeof(size_args), .flags = NX_VIEW,
  .shape = reshape_shape, .forward = seen_forward,
  .grad = NX_LEARN(reshape_grad)
};

OPFN nx_tensor *nx_reshape (nx_ctx *C, nx_tensor *x, int ndim,
                            const int64_t *shape) {
  size_args a;
  if (x == NULL) return NULL;
  if (x->ndim == ndim && (ndim == 0 ||
      memcmp(x->shape, shape, (size_t)ndim * sizeof(*shape)) == 0)) return x;
  a.size.n = ndim;
  for (int i = 0; i < ndim; i++) a.size.v[i] = shape[i];
  return nx_apply(C, &nx_op_reshape, &a, 1, &x);
}


typedef struct flatten_args { int64_t start_dim, end_dim; } flatten_args;

static const nx_field flatten_fields[] = {
  NX_DIM(flatten_args, start_dim, 0, "first dimension to join"),
  NX_DIM(flatten_args, end_dim, -1, "last dimension to join"),
  NX_END
};

static int flatten_shape (nx_ctx *C, nx_node *n) {
  flatten_args *a = n->a;
  nx_tensor *x = n->in[0];
  int64_t shape[NEAP_MAXDIM] = {1};
  int ndim = 0;
  if (nx_dim(C, "flatten", x, &a->start_dim) ||
      nx_dim(C, "flatten", x, &a->end_dim)) return nx_status(C);
  if (a->start_dim > a->end_dim)
    return nx_op_fail(C, n, NEAP_EARG, "start_dim comes after end_dim");
  for (int d = 0; d < x->ndim; d++)
    if (d > a->start_dim && d <= a->end_dim) shape[ndim - 1] *= x->shape[d];
    else shape[ndim++] = x->shape[d];
  return seen_as(C, n, x->ndim == 0 ? 1 : ndim, shape);
}

const nx_op nx_op_flatten = {
  .name = "flatten",
  .doc = "Dimensions start_dim to end_dim joined into one.",
  .inputs = "x", .outputs = "y", .fields = flatten_fields,
  .argsize = sizeof(flatten_args), .flags = NX_VIEW,
  .shape = flatten_shape, .forward = seen_forward,
  .grad = NX_LEARN(reshape_grad)
};

OPFN nx_tensor *nx_flatten (nx_ctx *C, nx_tensor *x, int64_t start_dim,
                            int64_t end_dim) {
  flatten_args a = {start_dim, end_dim};
  return nx_apply(C, &nx_op_flatten, &a, 1, &x);
}


/*
** view: reshape that never copies.
*/
static int view_shape (nx_ctx *C, nx_node *n) {
  size_args *a = n->a;
  char xt[NX_SHAPE_TEXT], yt[NX_SHAPE_TEXT];
  if (infer_size(C, n, n->in[0]->len, "", &a->size)) return nx_status(C);
  n->out[0] = nx_view_shape(C, n->in[0], a->size.n, a->size.v);
  n->nout = 1;
  if (n->out[0] || nx_status(C)) return nx_status(C);
  return nx_op_fail(C, n, NEAP_ESHAPE, "x is %s and its elements do not lie "
                    "in memory so that they can be seen as %s without a copy "
                    "(use x:reshape)", nx_shape_of(n->in[0], xt),
                    nx_shape_text(a->size.n, a->size.v, yt));
}

const nx_op nx_op_view = {
  .name = "view",
  .doc = "The same elements in row order as another shape, never a copy.",
  .inputs = "x", .outputs = "y", .fields = reshape_fields,
  .argsize = sizeof(size_args), .flags = NX_VIEW,
  .shape = view_shape, .forward = seen_forward,
  .grad = NX_LEARN(reshape_grad)
};


typedef struct unflatten_args { int64_t dim; nx_ints sizes; } unflatten_args;

static const nx_field unflatten_fields[] = {
  NX_DIM(unflatten_args, dim, NX_REQUIRED, "dimension to divide"),
  NX_INTS(unflatten_args, sizes, NX_REQUIRED,
          "sizes it becomes; one -1: what is left"),
  NX_END
};

static int unflatten_shape (nx_ctx *C, nx_node *n) {
  unflatten_args *a = n->a;
  nx_tensor *x = n->in[0];
  nx_ints size = {0, {0}};
  if (nx_dim(C, "unflatten", x, &a->dim)) return nx_status(C);
  if (x->ndim - 1 + a->sizes.n > NEAP_MAXDIM)
    return nx_op_fail(C, n, NEAP_ESHAPE, "more than %d dimensions",
                      NEAP_MAXDIM);
  if (infer_size(C, n, x->ndim ? x->shape[a->dim] : 1, " along dim",
                 &a->sizes)) return nx_status(C);
  for (int d = 0; d < x->ndim; d++)
    if (d != a->dim) size.v[size.n++] = x->shape[d];
    else for (int i = 0; i < a->sizes.n; i++) size.v[size.n++] = a->sizes.v[i];
  return seen_as(C, n, size.n, size.v);
}

const nx_op nx_op_unflatten = {
  .name = "unflatten",
  .doc = "One dimension divided into several.",
  .inputs = "x", .outputs = "y", .fields = unflatten_fields,
  .argsize = sizeof(unflatten_args), .flags = NX_VIEW,
  .shape = unflatten_shape, .forward = seen_forward,
  .grad = NX_LEARN(reshape_grad)
};


/*
** Dimensions of size 1: taken away (all, or those named that have it) and
** put in.
*/
typedef struct squeeze_args { nx_ints dim; } squeeze_args;

static const nx_field squeeze_fields[] = {
  NX_DIMS(squeeze_args, dim, NX_UNSET,
          "dimensions to take away if their size is 1; none: all such"),
  NX_END
};

static int squeeze_shape (nx_ctx *C, nx_node *n) {
  nx_ints *dims = &((squeeze_args *)n->a)->dim;
  nx_tensor *x = n->in[0];
  int64_t shape[NEAP_MAXDIM];
  unsigned named = dims->n < 0 ? ~0u : 0;
  int ndim = 0;
  for (int i = 0; i < dims->n; i++) {
    if (nx_dim(C, "squeeze", x, &dims->v[i])) return nx_status(C);
    named |= 1u << dims->v[i];
  }
  for (int d = 0; d < x->ndim; d++)
    if (x->shape[d] != 1 || !(named >> d & 1)) shape[ndim++] = x->shape[d];
  return seen_as(C, n, ndim, shape);
}

const nx_op nx_op_squeeze = {
  .name = "squeeze", .doc = "x without dimensions of size 1.",
  .inputs = "x", .outputs = "y", .fields = squeeze_fields,
  .argsize = sizeof(squeeze_args), .flags = NX_VIEW,
  .shape = squeeze_shape, .forward = seen_forward,
  .grad = NX_LEARN(reshape_grad)
};


typedef struct unsqueeze_args { int64_t dim; } unsqueeze_args;

static const nx_field unsqueeze_fields[] = {
  NX_DIM(unsqueeze_args, dim, NX_REQUIRED,
         "where the new dimension stands in the result"),
  NX_END
};

static int unsqueeze_shape (nx_ctx *C, nx_node *n) {
  unsqueeze_args *a = n->a;
  nx_tensor *x = n->in[0], wider = *x;           /* only to count */
  int64_t shape[NEAP_MAXDIM + 1];
  wider.ndim++;
  if (nx_dim(C, "unsqueeze", &wider, &a->dim)) return nx_status(C);
  for (int d = 0, own = 0; d <= x->ndim; d++)
    shape[d] = d == a->dim ? 1 : x->shape[own++];
  return seen_as(C, n, x->ndim + 1, shape);
}

const nx_op nx_op_unsqueeze = {
  .name = "unsqueeze", .doc = "x with one more dimension, of size 1.",
  .inputs = "x", .outputs = "y", .fields = unsqueeze_fields,
  .argsize = sizeof(unsqueeze_args), .flags = NX_VIEW,
  .shape = unsqueeze_shape, .forward = seen_forward,
  .grad = NX_LEARN(reshape_grad)
};

OPFN nx_tensor *nx_unsqueeze (nx_ctx *C, nx_tensor *x, int64_t dim) {
  unsqueeze_args a = {dim};
  return nx_apply(C, &nx_op_unsqueeze, &a, 1, &x);
}
