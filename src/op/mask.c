/*
** Elements by a mask: how many results there are depends on its contents.
*/
#include <string.h>
#include "ops.h"
#include "op/broadcast.h"
#include "tensor/view.h"


static int64_t count_true (const nx_tensor *dense) {
  const uint8_t *m = (const uint8_t *)dense->data;
  int64_t k = 0;
  for (int64_t i = 0; i < dense->len; i++) k += m[i] != 0;
  return k;
}

/* x and mask in the shape that both broadcast to, dense */
static int meet (nx_ctx *C, const nx_node *n, nx_tensor **x, nx_tensor **m) {
  int64_t shape[NEAP_MAXDIM];
  int ndim;
  if (nx_broadcast(C, n->op->name, n->in[0], n->in[1], &ndim, shape))
    return nx_status(C);
  *x = nx_view_expand(C, n->in[0], ndim, shape);
  *x = *x ? nx_dense(C, *x) : NULL;
  *m = nx_view_expand(C, n->in[1], ndim, shape);
  *m = *m ? nx_dense(C, *m) : NULL;
  return nx_status(C);
}


static int masked_select_shape (nx_ctx *C, nx_node *n) {
  nx_tensor *x, *m;
  int64_t count;
  if (nx_want_mask(C, n, 1) || meet(C, n, &x, &m)) return nx_status(C);
  count = count_true(m);
  nx_out(C, n, 0, x->dtype, 1, &count);
  return nx_status(C);
}

static int masked_select_forward (nx_ctx *C, nx_node *n) {
  nx_tensor *x, *m;
  char *to = n->out[0]->data;
  int64_t size = (int64_t)nx_dtype_size(n->in[0]->dtype);
  if (meet(C, n, &x, &m)) return nx_status(C);
  for (int64_t i = 0; i < m->len; i++)
    if (m->data[i]) {
      memcpy(to, x->data + i * size, (size_t)size);
      to += size;
    }
  return 0;
}

/* gx = zeros with gy where the mask is true */
static int masked_select_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                               nx_tensor **gx) {
  nx_tensor *x = n->in[0], *m = n->in[1], *g;
  int64_t shape[NEAP_MAXDIM];
  int ndim;
  if (nx_broadcast(C, n->op->name, x, m, &ndim, shape)) return nx_status(C);
  g = nx_masked_scatter(C, nx_zeros(C, x->dtype, ndim, shape), m, gy[0]);
  gx[0] = nx_sum_to(C, g, x);
  return nx_status(C);
}

const nx_op nx_op_masked_select = {
  .name = "masked_select",
  .doc = "The elements of x where the mask is true, in row order.",
  .inputs = "x mask", .outputs = "y", .saves = "mask", .sized_by = "mask",
  .shape = masked_select_shape, .forward = masked_select_forward,
  .grad = NX_LEARN(masked_select_grad)
};

OPFN nx_tensor *nx_masked_select (nx_ctx *C, nx_tensor *x, nx_tensor *mask) {
  return nx_apply(C, &nx_op_masked_select, NULL, 2,
                  (nx_tensor *[]){x, mask});
}


static int masked_scatter_shape (nx_ctx *C, nx_node *n) {
  nx_tensor *x = n->in[0], *z = n->in[2], *m;
  int64_t count;
  if (nx_want_mask(C, n, 1)) return nx_status(C);
  if (x->dtype != z->dtype)
    return nx_op_fail(C, n, NEAP_EDTYPE, "source is %s, but x is %s",
                      nx_dtype_name(z->dtype), nx_dtype_name(x->dtype));
  m = nx_view_expand(C, n->in[1], n->in[1]->ndim, n->in[1]->shape);
  if (m == NULL) return nx_status(C);
  {
    int64_t shape[NEAP_MAXDIM];
    char xt[NX_SHAPE_TEXT], mt[NX_SHAPE_TEXT];
    int ndim;
    if (nx_broadcast(C, n->op->name, x, m, &ndim, shape))
      return nx_status(C);
    if (ndim != x->ndim ||
        memcmp(shape, x->shape, (size_t)ndim * sizeof(*shape)) != 0)
      return nx_op_fail(C, n, NEAP_ESHAPE, "mask is %s and does not fit into "
                        "x, which is %s", nx_shape_of(m, mt),
                        nx_shape_of(x, xt));
    m = nx_view_expand(C, m, ndim, shape);
    m = m ? nx_dense(C, m) : NULL;
  }
  if (m == NULL) return nx_status(C);
  count = count_true(m);
  if (count > z->len)
    return nx_op_fail(C, n, NEAP_ESHAPE, "source has %lld elements, but the "
                      "mask wants %lld", (long long)z->len,
                      (long long)count);
  nx_out_like(C, n, 0, x);
  return nx_status(C);
}

static int masked_scatter_forward (nx_ctx *C, nx_node *n) {
  nx_tensor *y = n->out[0], *to = y, *m, *z = nx_dense_apart(C, n->in[2], y);
  const char *from;
  int64_t size = (int64_t)nx_dtype_size(y->dtype);
  m = nx_view_expand(C, n->in[1], y->ndim, y->shape);
  m = m ? nx_dense_apart(C, m, y) : NULL;
  if (!nx_is_dense(y)) to = nx_new_like(C, y);
  if (z == NULL || m == NULL || to == NULL || nx_copy(C, to, n->in[0]))
    return nx_status(C);
  from = z->data;
  for (int64_t i = 0; i < m->len; i++)
    if (m->data[i]) {
      memcpy(to->data + i * size, from, (size_t)size);
      from += size;
    }
  return to == y ? 0 : nx_copy(C, y, to);
}

/* gx = gy but 0 where the mask is true, gz = gy there, then zeros */
static int masked_scatter_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                                nx_tensor **gx) {
  nx_tensor *m = n->in[1], *z = n->in[2], *zero = nx_from_number(C, 0);
  if (n->wants[0]) gx[0] = nx_where(C, m, zero, gy[0]);
  if (n->wants[2]) {
    nx_tensor *parts[2];
    int64_t rest;
    parts[0] = nx_masked_select(C, gy[0], m);
    if (parts[0] == NULL) return nx_status(C);
    rest = z->len - parts[0]->len;
    parts[1] = nx_zeros(C, z->dtype, 1, &rest);
    gx[2] = nx_reshape(C, nx_cat(C, 2, parts, 0), z->ndim, z->shape);
  }
  return nx_status(C);
}

const nx_op nx_op_masked_scatter = {
  .name = "masked_scatter",
  .doc = "x with the elements of source, in row order, where the mask is "
         "true.",
  .inputs = "x mask source", .outputs = "y", .saves = "mask",
  .sized_by = "mask",
  .flags = NX_INPLACE, .shape = masked_scatter_shape,
  .forward = masked_scatter_forward, .grad = NX_LEARN(masked_scatter_grad)
};

OPFN nx_tensor *nx_masked_scatter (nx_ctx *C, nx_tensor *x, nx_tensor *mask,
                                   nx_tensor *source) {
  return nx_apply(C, &nx_op_masked_scatter, NULL, 3,
                  (nx_tensor *[]){x, mask, source});
}


/*
** nonzero: one row for each element that differs from 0, one column for
** each dimension.
*/
typedef struct nonzero_args { int64_t base; } nonzero_args;

static const nx_field nonzero_fields[] = {
  NX_BASE(nonzero_args, base), NX_END
};

static nx_tensor *truth (nx_ctx *C, nx_tensor *x) {
  nx_tensor *m = nx_typed(C, x, NEAP_BOOL);
  return m ? nx_dense(C, m) : NULL;
}

static int nonzero_shape (nx_ctx *C, nx_node *n) {
  nx_tensor *m = truth(C, n->in[0]);
  if (m == NULL) return nx_status(C);
  nx_out(C, n, 0, NEAP_I64, 2, (int64_t[]){count_true(m), m->ndim});
  return nx_status(C);
}

static int nonzero_forward (nx_ctx *C, nx_node *n) {
  nx_tensor *m = truth(C, n->in[0]);
  int64_t *to = (int64_t *)n->out[0]->data;
  int64_t base = ((nonzero_args *)n->a)->base;
  if (m == NULL) return nx_status(C);
  for (int64_t i = 0; i < m->len; i++) {
    int64_t rest = i;
    if (!m->data[i]) continue;
    for (int d = m->ndim - 1; d >= 0; d--) {
      to[d] = rest % m->shape[d] + base;
      rest /= m->shape[d];
    }
    to += m->ndim;
  }
  return 0;
}

const nx_op nx_op_nonzero = {
  .name = "nonzero",
  .doc = "Positions of the elements that differ from 0: a row for each, a "
         "column for each dimension.",
  .inputs = "x", .outputs = "y", .sized_by = "x", .fields = nonzero_fields,
  .argsize = sizeof(nonzero_args), .flags = NX_NOGRAD,
  .shape = nonzero_shape, .forward = nonzero_forward
};

OPFN nx_tensor *nx_nonzero (nx_ctx *C, nx_tensor *x, int64_t base) {
  nonzero_args a = {base};
  return nx_apply(C, &nx_op_nonzero, &a, 1, &x);
}
