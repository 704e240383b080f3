/*
** Tensors: making, counting, sharing.
*/
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/scratch.h"
#include "tensor/dtype.h"
#include "tensor/tensor.h"

/* elements follow the header in the same block, aligned for vectors */
#define HEADER ((size_t)NX_ALIGN)


const char *nx_shape_text (int ndim, const int64_t *shape, char *out) {
  int n = 0;
  if (ndim == 0) strcpy(out, "()");
  for (int i = 0; i < ndim; i++)
    n += snprintf(out + n, (size_t)(NX_SHAPE_TEXT - n), "%s%lld",
                  i ? "x" : "", (long long)shape[i]);
  return out;
}


/*
** Scopes: a stack of the tensors that were made and not yet kept.
*/
size_t nx_push (nx_ctx *C) { return C->scope.count; }


static int scope_add (nx_ctx *C, nx_tensor *t) {
  nx_scope *s = &C->scope;
  if (s->count == s->room) {
    size_t room = s->room ? s->room * 2 : 64;
    nx_scratch *held = nx_scratch_pause(C);
    nx_tensor **made = nx_realloc(C, s->made, s->room * sizeof(*made),
                                  room * sizeof(*made));
    nx_scratch_resume(C, held);
    if (made == NULL) return nx_status(C);
    s->made = made;
    s->room = room;
  }
  s->made[s->count++] = t;
  return 0;
}


nx_tensor *nx_pop (nx_ctx *C, size_t mark, nx_tensor *result) {
  nx_scope *s = &C->scope;
  int moved = 0;
  while (s->count > mark) {
    nx_tensor *t = s->made[--s->count];
    if (t == result && !moved) moved = 1;     /* its reference goes up */
    else nx_unref(t);
  }
  if (moved) s->made[s->count++] = result;
  return result;
}


nx_tensor *nx_keep (nx_tensor *t) {
  if (t) t->refs++;
  return t;
}


static void storage_unref (nx_ctx *C, nx_storage *s) {
  if (s && atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) == 1)
    nx_free(C, s, s->size);
}


void nx_unref (nx_tensor *t) {
  nx_ctx *C;
  if (t == NULL || --t->refs > 0) return;
  C = t->C;
  if (t->link) t->link->release(C, t->link);
  storage_unref(C, t->store);
  C->tensors--;
  nx_free(C, t, sizeof(*t));
}


int64_t nx_count (nx_ctx *C, const char *who, int dtype, int ndim,
                  const int64_t *shape) {
  int64_t n = 1, most = INT64_MAX / 2 / (int64_t)nx_dtype_size(dtype);
  int empty = 0;
  if (ndim > NEAP_MAXDIM) {
    nx_fail(C, NEAP_ESHAPE, "%s: %d dimensions, at most %d are possible",
            who, ndim, NEAP_MAXDIM);
    return -1;
  }
  for (int i = 0; i < ndim; i++) {
    if (shape[i] < 0) {
      nx_fail(C, NEAP_ESHAPE, "%s: size %lld is negative", who,
              (long long)shape[i]);
      return -1;
    }
    if (shape[i] == 0) empty = 1;
    else if (n > most / shape[i]) {
      char text[NX_SHAPE_TEXT];
      nx_fail(C, NEAP_ESHAPE, "%s: a tensor of %s elements is too large",
              who, nx_shape_text(ndim, shape, text));
      return -1;
    }
    else n *= shape[i];
  }
  return empty ? 0 : n;
}


void nx_set_dense (nx_tensor *t) {
  int64_t n = 1;
  for (int i = t->ndim - 1; i >= 0; i--) {
    t->stride[i] = n;
    n *= t->shape[i] > 0 ? t->shape[i] : 1;
  }
}


/*
** A tensor without storage, owned by the caller.
*/
static nx_tensor *bare (nx_ctx *C, int dtype, int ndim,
                        const int64_t *shape) {
  int64_t len = nx_count(C, "tensor", dtype, ndim, shape);
  nx_tensor *t;
  if (len < 0 || nx_status(C)) return NULL;
  t = nx_alloc(C, sizeof(*t));
  if (t == NULL) return NULL;
  t->C = C;
  t->refs = 1;
  t->dtype = (unsigned char)dtype;
  t->ndim = (unsigned char)ndim;
  t->flags = 0;
  t->len = len;
  t->store = NULL;
  t->data = NULL;
  t->link = NULL;
  if (ndim > 0) memcpy(t->shape, shape, (size_t)ndim * sizeof(*shape));
  nx_set_dense(t);
  C->tensors++;
  return t;
}


int nx_give (nx_ctx *C, nx_tensor *t) {
  if (t && scope_add(C, t)) nx_unref(t);
  return nx_status(C);
}

nx_tensor *nx_header (nx_ctx *C, int dtype, int ndim,
                      const int64_t *shape) {
  nx_tensor *t = bare(C, dtype, ndim, shape);
  if (t && scope_add(C, t)) {
    nx_unref(t);
    return NULL;
  }
  return t;
}


nx_tensor *nx_ghost (nx_ctx *C, const nx_tensor *t) {
  return bare(C, t->dtype, t->ndim, t->shape);
}


int nx_materialize (nx_ctx *C, nx_tensor *t) {
  size_t size = HEADER + (size_t)t->len * nx_dtype_size(t->dtype);
  nx_storage *s = nx_alloc(C, size);
  if (s == NULL) return nx_status(C);
  atomic_init(&s->refs, 1);
  s->version = 0;
  s->size = size;
  t->store = s;
  t->data = (char *)s + HEADER;
  return 0;
}


nx_tensor *nx_second_header (nx_ctx *C, const nx_tensor *t) {
  nx_tensor *own = nx_ghost(C, t);
  if (own == NULL) return NULL;
  memcpy(own->stride, t->stride, sizeof(t->stride));
  own->store = t->store;
  own->data = t->data;
  own->flags = t->flags;
  return own;
}


nx_tensor *nx_borrow (nx_ctx *C, int dtype, int ndim, const int64_t *shape,
                      void *data) {
  nx_tensor *t = nx_header(C, dtype, ndim, shape);
  nx_storage *s = t ? nx_alloc(C, sizeof(*s)) : NULL;
  if (s == NULL) return NULL;
  atomic_init(&s->refs, 1);
  s->version = 0;
  s->size = sizeof(*s);
  t->store = s;
  t->data = data;
  return t;
}


nx_tensor *nx_new (nx_ctx *C, int dtype, int ndim, const int64_t *shape) {
  nx_tensor *t = nx_header(C, dtype, ndim, shape);
  return t && nx_materialize(C, t) == 0 ? t : NULL;
}


nx_tensor *nx_zeros (nx_ctx *C, int dtype, int ndim, const int64_t *shape) {
  nx_tensor *t = nx_new(C, dtype, ndim, shape);
  if (t) memset(t->data, 0, (size_t)t->len * nx_dtype_size(dtype));
  return t;
}


nx_tensor *nx_new_like (nx_ctx *C, const nx_tensor *t) {
  return nx_new(C, t->dtype, t->ndim, t->shape);
}


nx_tensor *nx_from_number (nx_ctx *C, double x) {
  nx_tensor *t = nx_new(C, NEAP_F64, 0, NULL);
  if (t == NULL) return NULL;
  t->flags |= NX_IS_NUMBER_FLAG;
  *(double *)t->data = x;
  return t;
}


nx_tensor *nx_from_integer (nx_ctx *C, int64_t i) {
  nx_tensor *t = nx_new(C, NEAP_I64, 0, NULL);
  if (t == NULL) return NULL;
  t->flags |= NX_IS_NUMBER_FLAG;
  *(int64_t *)t->data = i;
  return t;
}


nx_tensor *nx_from_boolean (nx_ctx *C, int b) {
  nx_tensor *t = nx_new(C, NEAP_BOOL, 0, NULL);
  if (t == NULL) return NULL;
  t->flags |= NX_IS_NUMBER_FLAG;
  *t->data = b != 0;
  return t;
}


void nx_share (nx_tensor *t, nx_tensor *from, char *data) {
  if (from->store)
    atomic_fetch_add_explicit(&from->store->refs, 1, memory_order_relaxed);
  t->store = from->store;
  t->data = data;
}


nx_tensor *nx_alias (nx_ctx *C, nx_tensor *t) {
  nx_tensor *a = nx_header(C, t->dtype, t->ndim, t->shape);
  if (a == NULL) return NULL;
  memcpy(a->stride, t->stride, sizeof(t->stride));
  nx_share(a, t, t->data);
  return a;
}


int nx_is_dense (const nx_tensor *t) {
  int64_t n = 1;
  for (int i = t->ndim - 1; i >= 0; i--) {
    if (t->shape[i] != 1 && t->stride[i] != n) return t->len == 0;
    n *= t->shape[i];
  }
  return 1;
}


int nx_same_shape (const nx_tensor *a, const nx_tensor *b) {
  return a->ndim == b->ndim &&
         memcmp(a->shape, b->shape, a->ndim * sizeof(*a->shape)) == 0;
}


/*
** By rising strides, each dimension must step over all that the ones before
** it reach.
*/
int nx_overlaps_itself (const nx_tensor *t) {
  int64_t reach = 0;
  unsigned done = 0;
  if (t->len < 2 || nx_is_dense(t)) return 0;
  for (int k = 0; k < t->ndim; k++) {
    int least = -1;
    int64_t step;
    for (int d = 0; d < t->ndim; d++)
      if (!(done >> d & 1) && (least < 0 || llabs(t->stride[d]) <
                                            llabs(t->stride[least])))
        least = d;
    done |= 1u << least;
    if (t->shape[least] == 1) continue;
    step = llabs(t->stride[least]);
    if (step <= reach) return 1;
    reach += (t->shape[least] - 1) * step;
  }
  return 0;
}


int nx_dim (nx_ctx *C, const char *who, const nx_tensor *t, int64_t *dim) {
  int n = t->ndim ? t->ndim : 1;        /* a 0-d tensor has dimension 0, -1 */
  int64_t d = *dim < 0 ? *dim + n : *dim;
  if (d < 0 || d >= n)
    return nx_fail(C, NEAP_EINDEX, "%s: no dimension %lld in a tensor of %d "
                   "dimensions", who,
                   (long long)(*dim < 0 ? *dim : *dim + C->base), t->ndim);
  *dim = d;
  return 0;
}


int nx_position (nx_ctx *C, const char *who, const nx_tensor *t, int dim,
                 int64_t *at) {
  int64_t n = t->shape[dim], i = *at < 0 ? *at + n : *at;
  char text[NX_SHAPE_TEXT];
  if (i < 0 || i >= n)
    return nx_fail(C, NEAP_EINDEX, "%s: position %lld is outside dimension "
                   "%d of size %lld (x is %s)", who,
                   (long long)(*at < 0 ? *at : *at + C->base), dim + C->base,
                   (long long)n, nx_shape_of(t, text));
  *at = i;
  return 0;
}


/*
** The public face.
*/
neap_tensor *neap_ref (neap_tensor *t) { return nx_keep(t); }
void neap_unref (neap_tensor *t) { nx_unref(t); }
neap_dtype neap_dtype_of (const neap_tensor *t) {
  return (neap_dtype)t->dtype;
}
int neap_ndim (const neap_tensor *t) { return t->ndim; }
int64_t neap_numel (const neap_tensor *t) { return t->len; }

int64_t neap_size (const neap_tensor *t, int dim) {
  return dim >= 0 && dim < t->ndim ? t->shape[dim] : -1;
}
