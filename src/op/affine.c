/*
** linear: y = f(x w^T + b), with an optional activation f, in one go.
*/
#include <string.h>
#include "ops.h"
#include "tensor/product.h"
#include "tensor/view.h"

typedef struct linear_args { int activation; } linear_args;

static const nx_field linear_fields[] = {
  NX_ENUM(linear_args, activation, NX_ACTIVATIONS, NX_NONE,
          "what follows: none, relu, tanh, sigmoid"),
  NX_END
};


/* x (..., in), w (out, in), b (out) */
static int linear_shape (nx_ctx *C, nx_node *n) {
  nx_tensor *x = n->in[0], *w = n->in[1];
  nx_tensor *b = n->nin > 2 ? n->in[2] : NULL;
  int64_t shape[NEAP_MAXDIM];
  char xt[NX_SHAPE_TEXT], wt[NX_SHAPE_TEXT];
  if (nx_want_float(C, n, 0) || nx_want_float(C, n, 1)) return nx_status(C);
  if (w->ndim != 2 || x->ndim == 0)
    return nx_op_fail(C, n, NEAP_ESHAPE, "x is %s and w is %s, expected at "
                      "least one and exactly two dimensions",
                      nx_shape_of(x, xt), nx_shape_of(w, wt));
  if (x->shape[x->ndim - 1] != w->shape[1])
    return nx_op_fail(C, n, NEAP_ESHAPE, "x has %lld features in its last "
                      "dim, expected %lld (x is %s)",
                      (long long)x->shape[x->ndim - 1],
                      (long long)w->shape[1], nx_shape_of(x, xt));
  if (x->dtype != w->dtype || (b && b->dtype != w->dtype))
    return nx_op_fail(C, n, NEAP_EDTYPE, "x is %s, but the weights are %s",
                      nx_dtype_name(x->dtype), nx_dtype_name(w->dtype));
  if (b && (b->ndim != 1 || b->len != w->shape[0]))
    return nx_op_fail(C, n, NEAP_ESHAPE, "b is %s, expected %lld",
                      nx_shape_of(b, xt), (long long)w->shape[0]);
  memcpy(shape, x->shape, sizeof(shape));
  shape[x->ndim - 1] = w->shape[0];
  nx_out(C, n, 0, x->dtype, x->ndim, shape);
  return nx_status(C);
}


/* all but the last dimension as rows; a copy where that is no view */
static nx_tensor *as_rows (nx_ctx *C, nx_tensor *t) {
  int64_t shape[2];
  nx_tensor *v;
  if (t == NULL || t->ndim == 2) return t;
  shape[1] = t->shape[t->ndim - 1];
  shape[0] = 1;
  for (int d = 0; d < t->ndim - 1; d++) shape[0] *= t->shape[d];
  v = nx_view_shape(C, t, 2, shape);
  if (v || nx_status(C)) return v;
  t = nx_dense(C, t);
  return t ? nx_view_shape(C, t, 2, shape) : NULL;
}


static int64_t row_count (const nx_tensor *t) {
  int64_t n = 1;
  for (int d = 0; d < t->ndim - 1; d++) n *= t->shape[d];
  return n;
}


/* Rows go with those of x, columns with rows of the weight. */
static const char *linear_cutting (const nx_node *n) {
  static const char *const rules[] = {
    NULL, "~y0 w0 b0", "~y0 x0, y1 w0 b0", "~y0 x0, y1 x1, y2 w0 b0",
    "~y0 x0, y1 x1, y2 x2, y3 w0 b0"};
  int ndim = n->out[0]->ndim;
  return ndim < 5 ? rules[ndim] : NULL;
}

static double linear_work (const nx_node *n) {
  return (double)n->out[0]->len * (double)n->in[1]->shape[1];
}

static int linear_forward (nx_ctx *C, nx_node *n) {
  linear_args *a = n->a;
  nx_tensor *x = as_rows(C, n->in[0]), *w = n->in[1];
  nx_tensor *y = as_rows(C, n->out[0]);
  nx_tensor *b = n->nin > 2 && n->in[2] ? nx_dense(C, n->in[2]) : NULL;
  if (nx_status(C)) return nx_status(C);
  nx_product(C, y->dtype, nx_matrix_of(x), nx_transposed(nx_matrix_of(w)),
             nx_matrix_of(y), b ? b->data : NULL, a->activation);
  return 0;
}


/* in operations, for second derivatives */
static nx_tensor *slope (nx_ctx *C, nx_tensor *y, int activation) {
  nx_tensor *one = nx_from_number(C, 1);
  switch (activation) {
    case NX_RELU:
      return nx_to(C, nx_gt(C, y, nx_from_number(C, 0)), y->dtype);
    case NX_TANH: return nx_sub(C, one, nx_mul(C, y, y));
    default: return nx_mul(C, y, nx_sub(C, one, y));
  }
}

/*
** The gradient before an activation that a product or a convolution ends
** with, from the gradient and the result after it.
*/
OPFN nx_tensor *nx_before_activation (nx_ctx *C, nx_tensor *gy, nx_tensor *y,
                                      int activation) {
  const nx_kernels *K;
  nx_tensor *in[2], *g;
  if (gy == NULL || activation == NX_NONE) return gy;
  if (C->recording) return nx_mul(C, gy, slope(C, y, activation));
  K = nx_kernels_for(C, gy->dtype);
  g = nx_new(C, gy->dtype, gy->ndim, gy->shape);
  in[0] = gy;
  in[1] = y;
  if (g == NULL ||
      nx_map(C, activation == NX_RELU ? K->relu_grad
                : activation == NX_TANH ? K->tanh_grad : K->sigmoid_grad,
             NULL, g, 2, in)) return NULL;
  return g;
}

/*
** With g the gradient before the activation, rows flattened:
** gx = g w, gw = g^T x, gb = sum of the rows of g
*/
static int linear_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                        nx_tensor **gx) {
  linear_args *a = n->a;
  nx_tensor *x = n->in[0], *w = n->in[1], *rows, *xrows;
  nx_tensor *g = nx_before_activation(C, gy[0], n->out[0], a->activation);
  nx_ints first = {1, {0}};
  if (g == NULL) return nx_status(C);
  if (n->wants[0]) gx[0] = nx_matmul(C, g, w);
  rows = nx_reshape(C, g, 2, (int64_t[]){row_count(x), w->shape[0]});
  if (n->wants[1]) {
    xrows = nx_reshape(C, x, 2, (int64_t[]){row_count(x), w->shape[1]});
    gx[1] = nx_matmul(C, nx_transpose(C, rows, 0, 1), xrows);
  }
  if (n->nin > 2 && n->wants[2]) gx[2] = nx_sum(C, rows, first, 0);
  return nx_status(C);
}


/* the same with products straight into their places */
static int linear_fused (nx_ctx *C, nx_node *n, nx_tensor **gy,
                         nx_tensor **gx) {
  nx_tensor *x = as_rows(C, n->in[0]), *w = n->in[1], *out;
  linear_args *a = n->a;
  nx_tensor *g = nx_before_activation(C, gy[0], n->out[0], a->activation);
  nx_ints first = {1, {0}};
  g = g ? as_rows(C, nx_dense(C, g)) : NULL;
  if (nx_status(C)) return nx_status(C);
  if (n->wants[0]) {
    gx[0] = nx_new(C, x->dtype, n->in[0]->ndim, n->in[0]->shape);
    out = as_rows(C, gx[0]);
    if (out == NULL) return nx_status(C);
    nx_product(C, g->dtype, nx_matrix_of(g), nx_matrix_of(w),
               nx_matrix_of(out), NULL, NX_NONE);
  }
  if (n->wants[1]) {
    gx[1] = nx_new(C, w->dtype, 2, w->shape);
    if (gx[1] == NULL) return nx_status(C);
    nx_product(C, g->dtype, nx_transposed(nx_matrix_of(g)), nx_matrix_of(x),
               nx_matrix_of(gx[1]), NULL, NX_NONE);
  }
  if (n->nin > 2 && n->wants[2]) gx[2] = nx_sum(C, g, first, 0);
  return nx_status(C);
}

static const char *linear_saved (const nx_node *n) {
  return ((linear_args *)n->a)->activation == NX_NONE ? "x w" : "x w y";
}

const nx_op nx_op_linear = {
  .name = "linear",
  .doc = "x w^T + b: an affine map of the last dimension.",
  .inputs = "x w b?", .outputs = "y", .fields = linear_fields,
  .argsize = sizeof(linear_args), .saved = linear_saved,
  .flags = NX_ACTIVATES,
  .cutting = linear_cutting, .work = linear_work,
  .shape = linear_shape, .forward = linear_forward,
  .grad = NX_LEARN(linear_grad),
  .fused = NX_LEARN(linear_fused)
};

OPFN nx_tensor *nx_linear (nx_ctx *C, nx_tensor *x, nx_tensor *w,
                           nx_tensor *b, int activation) {
  linear_args a = {activation};
  return nx_apply(C, &nx_op_linear, &a, 3, (nx_tensor *[]){x, w, b});
}
