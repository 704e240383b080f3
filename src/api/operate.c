/*
** neap.h for C hosts: tensors over their memory, operations by name.
*/
#include <string.h>
#include "grad/tape.h"

/*
** What the core makes belongs to a scope; what a host gets is its own.
*/
static neap_tensor *hand_over (nx_ctx *C, size_t mark, nx_tensor *t) {
  if (nx_status(C)) t = NULL;
  nx_keep(t);
  nx_pop(C, mark, NULL);
  return t;
}


neap_tensor *neap_new (neap_ctx *C, neap_dtype dtype, int ndim,
                       const int64_t *shape) {
  size_t mark = nx_push(C);
  if (nx_status(C)) return NULL;
  if (neap_dtype_name(dtype) == NULL || ndim < 0) {
    nx_fail(C, NEAP_EARG, "neap_new: there is no such type or shape");
    return NULL;
  }
  return hand_over(C, mark, nx_zeros(C, dtype, ndim, shape));
}


neap_tensor *neap_from (neap_ctx *C, neap_dtype dtype, int ndim,
                        const int64_t *shape, const void *data) {
  neap_tensor *t = neap_new(C, dtype, ndim, shape);
  if (t) memcpy(t->data, data, (size_t)t->len * nx_dtype_size(dtype));
  return t;
}


/*
** Views.
*/
neap_view neap_view_of (void *data, neap_dtype dtype, int ndim,
                        const int64_t *shape) {
  neap_view v;
  memset(&v, 0, sizeof(v));
  v.data = data;
  v.dtype = dtype;
  v.ndim = ndim < 0 || ndim > NEAP_MAXDIM ? -1 : ndim;
  for (int i = 0; i < v.ndim; i++) v.shape[i] = shape[i];
  return v;
}

void neap_look (const neap_tensor *t, neap_view *v) {
  memset(v, 0, sizeof(*v));
  v->data = t->data;
  v->dtype = (neap_dtype)t->dtype;
  v->ndim = t->ndim;
  memcpy(v->shape, t->shape, t->ndim * sizeof(*t->shape));
  memcpy(v->stride, t->stride, t->ndim * sizeof(*t->stride));
}

/* the storage is a header of its own: freeing it leaves the elements */
neap_tensor *neap_borrow (neap_ctx *C, const neap_view *v) {
  size_t mark = nx_push(C);
  nx_tensor *t;
  int strided = 0;
  if (nx_status(C)) return NULL;
  if (neap_dtype_name(v->dtype) == NULL || v->ndim < 0) {
    nx_fail(C, NEAP_EARG, "neap_borrow: there is no such type or shape");
    return NULL;
  }
  t = nx_borrow(C, v->dtype, v->ndim, v->shape, v->data);
  for (int i = 0; i < v->ndim; i++) strided |= v->stride[i] != 0;
  if (t && strided)
    memcpy(t->stride, v->stride, (size_t)v->ndim * sizeof(*v->stride));
  return hand_over(C, mark, t);
}


neap_code neap_read (neap_ctx *C, const neap_tensor *t, void *data,
                     size_t bytes) {
  size_t mark = nx_push(C), need;
  nx_tensor *d;
  if (nx_status(C)) return C->status;
  need = (size_t)t->len * nx_dtype_size(t->dtype);
  if (bytes != need)
    return (neap_code)nx_fail(C, NEAP_EARG, "neap_read: the tensor has %zu "
                              "bytes, room is for %zu", need, bytes);
  d = nx_dense(C, (nx_tensor *)(uintptr_t)t);
  if (d) memcpy(data, d->data, bytes);
  nx_pop(C, mark, NULL);
  return C->status;
}


static int check_count (nx_ctx *C, const nx_op *op, int nin) {
  int optional, list, n = nx_names_count(op->inputs, &optional, &list);
  if (list ? nin < 1 : (nin > n || nin < n - optional))
    return nx_fail(C, NEAP_EARG, "%s: %d inputs, expected %s", op->name, nin,
                   *op->inputs ? op->inputs : "none");
  return 0;
}


/* inputs that were left out at the end are NULL */
static int apply_padded (nx_ctx *C, const nx_op *op, void *args, int nin,
                         neap_tensor *const *in, int nout,
                         nx_tensor **out) {
  nx_tensor *all[16] = {0};
  int optional, list, n = nx_names_count(op->inputs, &optional, &list);
  if (list || nin == n)
    return nx_apply_all(C, op, args, nin, in, NX_NEW, nout, out);
  for (int i = 0; i < nin; i++) all[i] = in[i];
  return nx_apply_all(C, op, args, n, all, NX_NEW, nout, out);
}


/* results that are for the gradient only are not for hosts */
static int visible (const nx_op *op, int n) {
  const char *p = op->outputs;
  int k = 0;
  while (*p && k < n) {
    size_t len = strcspn(p, " ");
    if (p[len - 1] == '~') break;
    if (p[len - 1] == '*') return n;
    k++;
    p += len + (p[len] == ' ');
  }
  return k;
}


neap_code neap_apply (neap_ctx *C, const char *name, const char *options,
                      int nin, neap_tensor *const *in, int nout,
                      neap_tensor **out) {
  union { char bytes[NX_MAXARGS]; double d; int64_t i; void *p; } args;
  const nx_op *op = nx_op_named(name);
  size_t mark = nx_push(C);
  int n;
  for (int i = 0; i < nout; i++) out[i] = NULL;
  if (nx_status(C)) return C->status;
  if (op == NULL)
    return (neap_code)nx_fail(C, NEAP_EARG, "neap_apply: there is no "
                              "operation '%.40s'", name);
  memset(args.bytes, 0, sizeof(args.bytes));   /* also what no field is */
  nx_fields_default(C, op->fields, args.bytes);
  if (nx_fields_parse(C, name, op->fields, args.bytes, options) ||
      nx_fields_check(C, name, op->fields, args.bytes) ||
      check_count(C, op, nin)) return C->status;
  n = visible(op, apply_padded(C, op, args.bytes, nin, in, nout, out));
  for (int i = 0; i < nout; i++)
    out[i] = nx_status(C) == 0 && i < n ? nx_keep(out[i]) : NULL;
  nx_pop(C, mark, NULL);
  return C->status;
}
