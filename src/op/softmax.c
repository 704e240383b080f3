/*
** softmax and log_softmax along one dimension.
*/
#include <string.h>
#include "ops.h"
#include "op/broadcast.h"
#include "tensor/view.h"

typedef struct softmax_args { int64_t dim; } softmax_args;

static const nx_field softmax_fields[] = {
  NX_DIM(softmax_args, dim, -1, "dimension whose elements belong together"),
  NX_END
};


static int softmax_shape (nx_ctx *C, nx_node *n) {
  softmax_args *a = n->a;
  if (nx_want_float(C, n, 0) || nx_dim(C, n->op->name, n->in[0], &a->dim))
    return nx_status(C);
  nx_out_like(C, n, 0, n->in[0]);
  return nx_status(C);
}


typedef struct rows {
  nx_row_fn *f;
  const char *g, *x;
  char *y;
  int64_t cols, size;
} rows;

static void run_rows (void *arg, int64_t first, int64_t last) {
  const rows *r = arg;
  for (int64_t i = first; i < last; i++) {
    int64_t at = i * r->cols * r->size;
    r->f((size_t)r->cols, r->g ? r->g + at : NULL, r->x + at, r->y + at);
  }
}

/*
** y = f(g, x) along 'dim'; other layouts than rows go through copies.
*/
static int along (nx_ctx *C, nx_row_fn *f, int64_t dim, nx_tensor *g,
                  nx_tensor *x, nx_tensor *y) {
  int last = x->ndim - 1, moved = x->ndim > 0 && dim != last;
  nx_tensor *xr, *gr = NULL, *yr = y;
  rows r;
  if (x->len == 0) return 0;
  xr = nx_rows_along(C, x, (int)dim);
  if (g) gr = nx_rows_along(C, g, (int)dim);
  if (moved || !nx_is_dense(y)) yr = xr ? nx_new_like(C, xr) : NULL;
  if (nx_status(C)) return nx_status(C);
  r.f = f;
  r.g = gr ? gr->data : NULL;
  r.x = xr->data;
  r.y = yr->data;
  r.cols = x->ndim ? x->shape[dim] : 1;
  r.size = (int64_t)nx_dtype_size(x->dtype);
  nx_pieces(C, x->len / r.cols, r.cols, run_rows, &r);
  if (yr == y) return 0;
  if (moved) yr = nx_view_swap(C, yr, (int)dim, last);
  return yr ? nx_copy(C, y, yr) : nx_status(C);
}


/* y = e^(x - max) / sum(e^(x - max)) */
static int softmax_forward (nx_ctx *C, nx_node *n) {
  softmax_args *a = n->a;
  return along(C, nx_kernels_for(C, n->in[0]->dtype)->softmax, a->dim, NULL,
               n->in[0], n->out[0]);
}

/* gx = y (gy - sum(gy y)) */
static int softmax_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                         nx_tensor **gx) {
  softmax_args *a = n->a;
  nx_tensor *y = n->out[0], *gyy = nx_mul(C, gy[0], y);
  nx_ints dim = {1, {a->dim}};
  if (y->ndim == 0) dim.n = 0;
  gx[0] = nx_sub(C, gyy, nx_mul(C, y, nx_sum(C, gyy, dim, 1)));
  return nx_status(C);
}

static int softmax_fused (nx_ctx *C, nx_node *n, nx_tensor **gy,
                          nx_tensor **gx) {
  softmax_args *a = n->a;
  gx[0] = nx_new_like(C, gy[0]);
  if (gx[0] == NULL) return nx_status(C);
  return along(C, nx_kernels_for(C, gy[0]->dtype)->softmax_grad, a->dim,
               gy[0], n->out[0], gx[0]);
}

static const char *softmax_cutting (const nx_node *n) {
  const softmax_args *a = n->a;
  return a->dim == 0 ? "y1 x1" : a->dim == 1 ? "y0 x0" : "y0 x0, y1 x1";
}

const nx_op nx_op_softmax = {
  .name = "softmax",
  .doc = "e^x along a dimension, divided by its sum there; safe for large x.",
  .inputs = "x", .outputs = "y", .fields = softmax_fields,
  .argsize = sizeof(softmax_args), .saves = "y",
  .cutting = softmax_cutting, .shape = softmax_shape,
  .forward = softmax_forward,
  .grad = NX_LEARN(softmax_grad), .fused = NX_LEARN(softmax_fused)
};

OPFN nx_tensor *nx_softmax (nx_ctx *C, nx_tensor *x, int64_t dim) {
  softmax_args a = {dim};
  return nx_apply(C, &nx_op_softmax, &a, 1, &x);
}


/* y = x - max - log(sum(e^(x - max))) */
static int log_softmax_forward (nx_ctx *C, nx_node *n) {
  softmax_args *a = n->a;
  return along(C, nx_kernels_for(C, n->in[0]->dtype)->log_softmax, a->dim,
               NULL, n->in[0], n->out[0]);
}

/* gx = gy - e^y sum(gy) */
static int log_softmax_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                             nx_tensor **gx) {
  softmax_args *a = n->a;
  nx_tensor *y = n->out[0];
  nx_ints dim = {1, {a->dim}};
  if (y->ndim == 0) dim.n = 0;
  gx[0] = nx_sub(C, gy[0], nx_mul(C, nx_exp(C, y),
                                  nx_sum(C, gy[0], dim, 1)));
  return nx_status(C);
}

static int log_softmax_fused (nx_ctx *C, nx_node *n, nx_tensor **gy,
                              nx_tensor **gx) {
  softmax_args *a = n->a;
  gx[0] = nx_new_like(C, gy[0]);
  if (gx[0] == NULL) return nx_status(C);
  return along(C, nx_kernels_for(C, gy[0]->dtype)->log_softmax_grad, a->dim,
               gy[0], n->out[0], gx[0]);
}

const nx_op nx_op_log_softmax = {
  .name = "log_softmax",
  .doc = "Logarithm of softmax along a dimension; safe for large x.",
  .inputs = "x", .outputs = "y", .fields = softmax_fields,
  .argsize = sizeof(softmax_args), .saves = "y",
  .cutting = softmax_cutting, .shape = softmax_shape,
  .forward = log_softmax_forward,
  .grad = NX_LEARN(log_softmax_grad), .fused = NX_LEARN(log_softmax_fused)
};

OPFN nx_tensor *nx_log_softmax (nx_ctx *C, nx_tensor *x, int64_t dim) {
  softmax_args a = {dim};
  return nx_apply(C, &nx_op_log_softmax, &a, 1, &x);
}
