/*
** Elements at other places of the same dimension: turned around, rotated.
*/
#include <string.h>
#include "ops.h"
#include "tensor/view.h"


typedef struct flip_args { nx_ints dims; } flip_args;

static const nx_field flip_fields[] = {
  NX_DIMS(flip_args, dims, NX_UNSET, "dimensions to turn around; none: all"),
  NX_END
};

static int flip_shape (nx_ctx *C, nx_node *n) {
  nx_ints *dims = &((flip_args *)n->a)->dims;
  unsigned seen = 0;
  for (int i = 0; i < dims->n; i++) {
    if (nx_dim(C, "flip", n->in[0], &dims->v[i])) return nx_status(C);
    if (seen >> dims->v[i] & 1)
      return nx_op_fail(C, n, NEAP_EARG, "dimension %lld is given twice",
                        (long long)dims->v[i] + C->base);
    seen |= 1u << dims->v[i];
  }
  nx_out_like(C, n, 0, n->in[0]);
  return nx_status(C);
}

/* x read backwards: from the last position with the negative step */
static int flip_forward (nx_ctx *C, nx_node *n) {
  const nx_ints *dims = &((flip_args *)n->a)->dims;
  nx_tensor *v = nx_alias(C, n->in[0]);
  unsigned turned = dims->n < 0 ? ~0u : 0;
  if (v == NULL || v->len == 0) return nx_status(C);
  for (int i = 0; i < dims->n; i++) turned |= 1u << dims->v[i];
  for (int d = 0; d < v->ndim; d++) {
    if (!(turned >> d & 1)) continue;
    v->data += (v->shape[d] - 1) * v->stride[d] *
               (int64_t)nx_dtype_size(v->dtype);
    v->stride[d] = -v->stride[d];
  }
  return nx_copy(C, n->out[0], v);
}

static int flip_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                      nx_tensor **gx) {
  if (gy[0]->ndim == 0) gx[0] = gy[0];
  else gx[0] = nx_flip(C, gy[0], ((flip_args *)n->a)->dims);
  return nx_status(C);
}

const nx_op nx_op_flip = {
  .name = "flip", .doc = "The order of some dimensions turned around.",
  .inputs = "x", .outputs = "y", .fields = flip_fields,
  .argsize = sizeof(flip_args),
  .shape = flip_shape, .forward = flip_forward, .grad = NX_LEARN(flip_grad)
};

OPFN nx_tensor *nx_flip (nx_ctx *C, nx_tensor *x, nx_ints dims) {
  flip_args a = {dims};
  return nx_apply(C, &nx_op_flip, &a, 1, &x);
}


/*
** roll: what leaves at one end comes back at the other. Without dimensions
** all elements in row order.
*/
typedef struct roll_args { nx_ints shifts, dims; } roll_args;

static const nx_field roll_fields[] = {
  NX_INTS(roll_args, shifts, NX_REQUIRED, "by how many positions"),
  NX_DIMS(roll_args, dims, NX_UNSET,
          "one dimension for each shift; none: row order"),
  NX_END
};

static int roll_shape (nx_ctx *C, nx_node *n) {
  roll_args *a = n->a;
  if (a->dims.n >= 0 ? a->dims.n != a->shifts.n : a->shifts.n != 1)
    return nx_op_fail(C, n, NEAP_EARG, "there are %d shifts for %d "
                      "dimensions", a->shifts.n,
                      a->dims.n < 0 ? 1 : a->dims.n);
  for (int i = 0; i < a->dims.n; i++)
    if (nx_dim(C, "roll", n->in[0], &a->dims.v[i])) return nx_status(C);
  nx_out_like(C, n, 0, n->in[0]);
  return nx_status(C);
}

/* y[(i + shift) mod size] = x[i] along one dimension */
static int roll_dim (nx_ctx *C, nx_tensor *y, nx_tensor *x, int d,
                     int64_t shift) {
  int64_t size = x->shape[d], cut;
  nx_tensor *a, *b;
  if (size == 0) return 0;
  cut = ((shift % size) + size) % size;        /* where y's start goes on */
  a = nx_view_part(C, y, d, cut, size - cut, 1);
  b = nx_view_part(C, x, d, 0, size - cut, 1);
  if (nx_status(C) || nx_copy(C, a, b) || cut == 0) return nx_status(C);
  a = nx_view_part(C, y, d, 0, cut, 1);
  b = nx_view_part(C, x, d, size - cut, cut, 1);
  return nx_status(C) ? nx_status(C) : nx_copy(C, a, b);
}

static int roll_forward (nx_ctx *C, nx_node *n) {
  roll_args *a = n->a;
  nx_tensor *x = n->in[0], *y = n->out[0];
  if (x->ndim == 0 || a->shifts.n == 0) return nx_copy(C, y, x);
  if (a->dims.n < 0) {
    x = nx_dense(C, x);
    x = x ? nx_view_shape(C, x, 1, &x->len) : NULL;
    y = x ? nx_view_shape(C, y, 1, &y->len) : NULL;
    return y ? roll_dim(C, y, x, 0, a->shifts.v[0]) : nx_status(C);
  }
  for (int i = 0; i < a->dims.n; i++) {
    nx_tensor *to = i == a->dims.n - 1 ? y : nx_new_like(C, x);
    if (to == NULL || roll_dim(C, to, x, (int)a->dims.v[i], a->shifts.v[i]))
      return nx_status(C);
    x = to;
  }
  return 0;
}

/* gx = gy rolled back */
static int roll_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                      nx_tensor **gx) {
  roll_args back = *(roll_args *)n->a;
  for (int i = 0; i < back.shifts.n; i++) {
    int whole = back.dims.n < 0 || gy[0]->ndim == 0;
    int64_t size = whole ? gy[0]->len : gy[0]->shape[back.dims.v[i]];
    if (size > 0) back.shifts.v[i] = -(back.shifts.v[i] % size);
  }
  gx[0] = nx_apply(C, &nx_op_roll, &back, 1, gy);
  return nx_status(C);
}

const nx_op nx_op_roll = {
  .name = "roll",
  .doc = "Elements moved along dimensions; what leaves comes back in front.",
  .inputs = "x", .outputs = "y", .fields = roll_fields,
  .argsize = sizeof(roll_args),
  .shape = roll_shape, .forward = roll_forward, .grad = NX_LEARN(roll_grad)
};
