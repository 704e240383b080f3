/*
** Views.
*/
#include <string.h>
#include "tensor/dtype.h"
#include "tensor/view.h"


nx_tensor *nx_view_swap (nx_ctx *C, nx_tensor *t, int a, int b) {
  nx_tensor *v = nx_alias(C, t);
  if (v == NULL) return NULL;
  v->shape[a] = t->shape[b];
  v->shape[b] = t->shape[a];
  v->stride[a] = t->stride[b];
  v->stride[b] = t->stride[a];
  return v;
}


static void recount (nx_tensor *v) {
  v->len = 1;
  for (int i = 0; i < v->ndim; i++) v->len *= v->shape[i];
}


nx_tensor *nx_view_part (nx_ctx *C, nx_tensor *t, int dim, int64_t start,
                         int64_t length, int64_t step) {
  nx_tensor *v = nx_alias(C, t);
  if (v == NULL) return NULL;
  if (length > 0)
    v->data += start * t->stride[dim] * (int64_t)nx_dtype_size(t->dtype);
  v->shape[dim] = length;
  v->stride[dim] = t->stride[dim] * (length > 1 ? step : 1);
  recount(v);
  return v;
}


nx_tensor *nx_view_expand (nx_ctx *C, nx_tensor *t, int ndim,
                           const int64_t *shape) {
  nx_tensor *v = nx_header(C, t->dtype, ndim, shape);
  int lead = ndim - t->ndim;
  if (v == NULL) return NULL;
  nx_share(v, t, t->data);
  for (int i = 0; i < ndim; i++) {
    int own = i - lead;
    v->stride[i] = own < 0 || (t->shape[own] == 1 && shape[i] != 1)
                   ? 0 : t->stride[own];
  }
  return v;
}


/*
** Old dimensions are taken in groups that lie one after the other in
** memory; new ones must divide such groups.
*/
nx_tensor *nx_view_shape (nx_ctx *C, nx_tensor *t, int ndim,
                          const int64_t *shape) {
  nx_tensor *v = nx_header(C, t->dtype, ndim, shape);
  int old = t->ndim - 1, fresh = ndim - 1;
  if (v == NULL) return NULL;
  nx_share(v, t, t->data);
  if (t->len == 0 || nx_is_dense(t)) return v;
  while (old >= 0) {
    int64_t group = t->shape[old], step = t->stride[old], done = 1;
    while (old > 0 && (t->shape[old - 1] == 1 ||
                       t->stride[old - 1] == step * group)) {
      old--;
      group *= t->shape[old];
    }
    old--;
    while (fresh >= 0 && (done < group || shape[fresh] == 1)) {
      v->stride[fresh] = step * done;
      done *= shape[fresh--];
    }
    if (done != group) return NULL;
  }
  return v;
}


nx_tensor *nx_view_permute (nx_ctx *C, nx_tensor *t, const int64_t *order) {
  nx_tensor *v = nx_alias(C, t);
  if (v == NULL) return NULL;
  for (int i = 0; i < t->ndim; i++) {
    v->shape[i] = t->shape[order[i]];
    v->stride[i] = t->stride[order[i]];
  }
  return v;
}


/*
** Insertion sort, stable: equal strides (of size 1, mostly) stay in order.
*/
nx_tensor *nx_view_sorted (nx_ctx *C, nx_tensor *t, int *order) {
  int64_t by[NEAP_MAXDIM];
  for (int d = 0; d < t->ndim; d++) {
    int i = d;
    for (; i > 0 && t->stride[by[i - 1]] < t->stride[d]; i--)
      by[i] = by[i - 1];
    by[i] = d;
  }
  for (int d = 0; d < t->ndim; d++) order[d] = (int)by[d];
  return nx_view_permute(C, t, by);
}
