/*
** Choosing between values: by a mask, by size, between bounds.
*/
#include <string.h>
#include "ops.h"
#include "op/broadcast.h"
#include "op/unary.h"


/* the shape to which the first 'n' inputs broadcast */
static int broadcast_all (nx_ctx *C, const nx_node *n, nx_tensor *so_far) {
  int64_t shape[NEAP_MAXDIM];
  int ndim;
  memset(so_far, 0, sizeof(*so_far));        /* only a shape: a number's */
  for (int i = 0; i < n->nin; i++) {
    if (n->in[i] == NULL) continue;
    if (nx_broadcast(C, n->op->name, so_far, n->in[i], &ndim, shape))
      return nx_status(C);
    so_far->ndim = (unsigned char)ndim;
    memcpy(so_far->shape, shape, sizeof(shape));
  }
  return 0;
}


/* y = x where the condition holds, else z */
static int where_shape (nx_ctx *C, nx_node *n) {
  int type = nx_promote(n->in[1], n->in[2]);
  nx_tensor all;
  if (nx_want_mask(C, n, 0)) return nx_status(C);
  n->in[1] = nx_operand(C, n, n->in[1], type);
  n->in[2] = nx_operand(C, n, n->in[2], type);
  if (nx_status(C) || broadcast_all(C, n, &all)) return nx_status(C);
  nx_out(C, n, 0, type, all.ndim, all.shape);
  return nx_status(C);
}

static int where_forward (nx_ctx *C, nx_node *n) {
  return nx_map(C, nx_kernels_for(C, n->in[1]->dtype)->select, NULL,
                n->out[0], 3, n->in);
}

/* gx = gy where the condition holds, gz where not */
static int where_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                       nx_tensor **gx) {
  nx_tensor *m = n->in[0], *zero = nx_from_number(C, 0);
  if (n->wants[1])
    gx[1] = nx_sum_to(C, nx_where(C, m, gy[0], zero), n->in[1]);
  if (n->wants[2])
    gx[2] = nx_sum_to(C, nx_where(C, m, zero, gy[0]), n->in[2]);
  return nx_status(C);
}

const nx_op nx_op_where = {
  .name = "where",
  .doc = "x where the condition is true, else z; all three broadcast.",
  .inputs = "condition x z", .outputs = "y", .saves = "condition",
  .cuts = "*", .shape = where_shape, .forward = where_forward,
  .grad = NX_LEARN(where_grad)
};

OPFN nx_tensor *nx_where (nx_ctx *C, nx_tensor *condition, nx_tensor *x,
                          nx_tensor *z) {
  return nx_apply(C, &nx_op_where, NULL, 3,
                  (nx_tensor *[]){condition, x, z});
}


/* y = x, but the value where the mask is true */
static int masked_fill_shape (nx_ctx *C, nx_node *n) {
  int64_t shape[NEAP_MAXDIM];
  int ndim;
  char vt[NX_SHAPE_TEXT];
  if (nx_want_mask(C, n, 1)) return nx_status(C);
  if (n->in[2]->len != 1)
    return nx_op_fail(C, n, NEAP_ESHAPE, "value is %s, expected one number",
                      nx_shape_of(n->in[2], vt));
  if (nx_is_float(n->in[2]->dtype) && nx_is_whole(n->in[0]->dtype))
    return nx_op_fail(C, n, NEAP_EDTYPE, "value is not an integer, but x is "
                      "%s", nx_dtype_name(n->in[0]->dtype));
  n->in[2] = nx_operand(C, n, n->in[2], n->in[0]->dtype);
  if (n->in[2] && n->in[2]->ndim > 0)      /* it does not widen the result */
    n->in[2] = nx_reshape(C, n->in[2], 0, NULL);
  if (nx_status(C) || nx_broadcast(C, n->op->name, n->in[0], n->in[1],
                                   &ndim, shape)) return nx_status(C);
  nx_out(C, n, 0, n->in[0]->dtype, ndim, shape);
  return nx_status(C);
}

static int masked_fill_forward (nx_ctx *C, nx_node *n) {
  nx_tensor *in[3];
  in[0] = n->in[1];
  in[1] = n->in[2];
  in[2] = n->in[0];
  return nx_map(C, nx_kernels_for(C, n->in[0]->dtype)->select, NULL,
                n->out[0], 3, in);
}

static int masked_fill_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                             nx_tensor **gx) {
  nx_tensor *m = n->in[1], *zero = nx_from_number(C, 0);
  if (n->wants[0])
    gx[0] = nx_sum_to(C, nx_where(C, m, zero, gy[0]), n->in[0]);
  if (n->wants[2])
    gx[2] = nx_sum_to(C, nx_where(C, m, gy[0], zero), n->in[2]);
  return nx_status(C);
}

const nx_op nx_op_masked_fill = {
  .name = "masked_fill",
  .doc = "x with one value wherever the mask is true.",
  .inputs = "x mask value", .outputs = "y", .saves = "mask",
  .flags = NX_INPLACE, .shape = masked_fill_shape,
  .forward = masked_fill_forward, .grad = NX_LEARN(masked_fill_grad)
};


/*
** The larger or the smaller of two. Where they are equal each gets half of
** the gradient.
*/
static int pair_shape (nx_ctx *C, nx_node *n) {
  return nx_meet(C, n, nx_meeting_type(n));
}

static nx_tensor *share (nx_ctx *C, nx_tensor *g, nx_tensor *wins,
                         nx_tensor *x, nx_tensor *z) {
  nx_tensor *half = nx_mul(C, g, nx_from_number(C, 0.5));
  nx_tensor *tie = nx_where(C, nx_eq(C, x, z), half, nx_from_number(C, 0));
  return nx_where(C, wins, g, tie);
}

static int larger_grad (nx_ctx *C, nx_node *n, nx_tensor *gy, int larger,
                        nx_tensor **gx) {
  nx_tensor *x = n->in[0], *z = n->in[1];
  nx_tensor *a = larger ? x : z, *b = larger ? z : x;
  if (n->wants[0])
    gx[0] = nx_sum_to(C, share(C, gy, nx_gt(C, a, b), x, z), x);
  if (n->wants[1])
    gx[1] = nx_sum_to(C, share(C, gy, nx_gt(C, b, a), x, z), z);
  return nx_status(C);
}

#define LARGER(id, larger, text) \
static int id##_forward (nx_ctx *C, nx_node *n) { \
  return nx_map_node(C, n, nx_kernels_for(C, n->in[0]->dtype)->id, NULL); \
} \
static int id##_grad (nx_ctx *C, nx_node *n, nx_tensor **gy, \
                      nx_tensor **gx) { \
  return larger_grad(C, n, gy[0], larger, gx); \
} \
const nx_op nx_op_##id = { \
  .name = #id, .doc = text, .inputs = "x z", .outputs = "y", \
  .saves = "x z", .flags = NX_INPLACE, .shape = pair_shape, \
  .cuts = "*", .forward = id##_forward, .grad = NX_LEARN(id##_grad) \
}; \
OPFN nx_tensor *nx_##id (nx_ctx *C, nx_tensor *x, nx_tensor *z) { \
  return nx_apply(C, &nx_op_##id, NULL, 2, (nx_tensor *[]){x, z}); \
}

LARGER(maximum, 1, "The larger of x and z; NaN where either is.")
LARGER(minimum, 0, "The smaller of x and z; NaN where either is.")


/*
** clamp: not below min nor above max, each a number, a tensor, or left out.
** If min is above max, max holds.
*/
static int clamp_shape (nx_ctx *C, nx_node *n) {
  nx_tensor all, *x = n->in[0];
  int type = x->dtype;
  if (type == NEAP_BOOL) return nx_whole_shape(C, n);
  if (!n->in[1] && !n->in[2])
    return nx_op_fail(C, n, NEAP_EARG, "min and max are both missing");
  for (int i = 1; i < 3; i++) {
    nx_tensor so_far = *x;
    so_far.dtype = (unsigned char)type;
    if (n->in[i]) type = nx_promote(&so_far, n->in[i]);
  }
  if (n->inplace && nx_is_float(x->dtype)) type = x->dtype;
  for (int i = 0; i < 3; i++)
    if (n->in[i] && (i > 0 || !n->inplace))
      n->in[i] = nx_operand(C, n, n->in[i], type);
  if (nx_status(C) || broadcast_all(C, n, &all)) return nx_status(C);
  nx_out(C, n, 0, type, all.ndim, all.shape);
  return nx_status(C);
}

static int clamp_forward (nx_ctx *C, nx_node *n) {
  const nx_kernels *K = nx_kernels_for(C, n->in[0]->dtype);
  nx_tensor *in[2];
  in[0] = n->in[0];
  in[1] = n->in[1] ? n->in[1] : n->in[2];
  if (n->in[1] && n->in[2])
    return nx_map(C, K->clamp, NULL, n->out[0], 3, n->in);
  return nx_map(C, n->in[1] ? K->maximum : K->minimum, NULL, n->out[0], 2,
                in);
}

/* true where x is beyond a bound (and another bound does not hold) */
static nx_tensor *beyond (nx_ctx *C, nx_node *n, int bound) {
  nx_tensor *x = n->in[0], *low = n->in[1], *high = n->in[2], *out;
  if (bound == 2) {
    out = nx_gt(C, x, high);
    return low ? nx_logical_or(C, out, nx_gt(C, low, high)) : out;
  }
  out = nx_gt(C, low, x);
  return high ? nx_logical_and(C, out, nx_ge(C, high, low)) : out;
}

/* gy goes to x between the bounds and at them, else to the bound */
static int clamp_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                       nx_tensor **gx) {
  nx_tensor *zero = nx_from_number(C, 0), *gone = NULL;
  for (int i = 1; i < 3; i++) {
    nx_tensor *out = n->in[i] ? beyond(C, n, i) : NULL;
    if (out && n->wants[i])
      gx[i] = nx_sum_to(C, nx_where(C, out, gy[0], zero), n->in[i]);
    if (out) gone = gone ? nx_logical_or(C, gone, out) : out;
  }
  if (n->wants[0])
    gx[0] = nx_sum_to(C, nx_where(C, gone, zero, gy[0]), n->in[0]);
  return nx_status(C);
}

const nx_op nx_op_clamp = {
  .name = "clamp",
  .doc = "x, but not below min nor above max; either may be left out.",
  .inputs = "x min? max?", .outputs = "y", .saves = "x min max",
  .flags = NX_INPLACE, .shape = clamp_shape, .forward = clamp_forward,
  .grad = NX_LEARN(clamp_grad)
};


/* y = x + weight (stop - x) */
static int lerp_shape (nx_ctx *C, nx_node *n) {
  nx_tensor all;
  int type = n->in[0]->dtype;
  if (nx_want_float(C, n, 0)) return nx_status(C);
  for (int i = 1; i < 3; i++) {
    if (n->in[i]->flags & NX_IS_NUMBER_FLAG || n->in[i]->len == 1)
      n->in[i] = nx_operand(C, n, n->in[i], type);
    if (nx_status(C)) return nx_status(C);
    if (n->in[i]->dtype != type)
      return nx_op_fail(C, n, NEAP_EDTYPE, "x is %s, but %s is %s",
                        nx_dtype_name(type), i == 1 ? "stop" : "weight",
                        nx_dtype_name(n->in[i]->dtype));
  }
  if (broadcast_all(C, n, &all)) return nx_status(C);
  nx_out(C, n, 0, type, all.ndim, all.shape);
  return nx_status(C);
}

static int lerp_forward (nx_ctx *C, nx_node *n) {
  return nx_map_node(C, n, nx_kernels_for(C, n->in[0]->dtype)->lerp, NULL);
}

/* gx = gy (1 - w), gstop = gy w, gw = gy (stop - x) */
static int lerp_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                      nx_tensor **gx) {
  nx_tensor *x = n->in[0], *stop = n->in[1], *w = n->in[2], *g = gy[0];
  nx_tensor *to = nx_mul(C, g, w);
  if (n->wants[0]) gx[0] = nx_sum_to(C, nx_sub(C, g, to), x);
  if (n->wants[1]) gx[1] = nx_sum_to(C, to, stop);
  if (n->wants[2])
    gx[2] = nx_sum_to(C, nx_mul(C, g, nx_sub(C, stop, x)), w);
  return nx_status(C);
}

const nx_op nx_op_lerp = {
  .name = "lerp",
  .doc = "x + weight (stop - x): from x at weight 0 to stop at weight 1.",
  .inputs = "x stop weight", .outputs = "y", .saves = "x stop weight",
  .flags = NX_INPLACE, .shape = lerp_shape, .forward = lerp_forward,
  .grad = NX_LEARN(lerp_grad)
};


/*
** addcmul, addcdiv: y = x + value t1 t2, y = x + value t1 / t2; for hand-
** written optimisers.
*/
typedef struct addc_args { double value; } addc_args;

static const nx_field addc_fields[] = {
  NX_NUMBER(addc_args, value, 1, "factor of what is added"),
  NX_END
};

static int addc_shape (nx_ctx *C, nx_node *n) {
  nx_tensor all;
  int type = n->in[0]->dtype;
  if (nx_want_float(C, n, 0)) return nx_status(C);
  for (int i = 1; i < 3; i++)
    if ((n->in[i] = nx_operand(C, n, n->in[i], type)) == NULL)
      return nx_status(C);
  if (broadcast_all(C, n, &all)) return nx_status(C);
  nx_out(C, n, 0, type, all.ndim, all.shape);
  return nx_status(C);
}

static int addc_forward (nx_ctx *C, nx_node *n, nx_map_fn *f) {
  const nx_kernels *K = nx_kernels_for(C, n->in[0]->dtype);
  nx_tensor *in[3], *part = nx_new_like(C, n->out[0]);
  if (part == NULL || nx_map(C, f, NULL, part, 2, n->in + 1))
    return nx_status(C);
  in[0] = part;
  in[1] = nx_operand(C, n, nx_from_number(C, ((addc_args *)n->a)->value),
                    part->dtype);
  in[2] = n->in[0];
  return nx_map(C, K->muladd, NULL, n->out[0], 3, in);
}

static int addcmul_forward (nx_ctx *C, nx_node *n) {
  return addc_forward(C, n, nx_kernels_for(C, n->in[0]->dtype)->mul);
}

static int addcdiv_forward (nx_ctx *C, nx_node *n) {
  return addc_forward(C, n, nx_kernels_for(C, n->in[0]->dtype)->div);
}

/* with g = value gy: gt1 = g t2 or g / t2, gt2 = g t1 or -g t1 / t2^2 */
static int addc_grad (nx_ctx *C, nx_node *n, nx_tensor *gy, int divide,
                      nx_tensor **gx) {
  nx_tensor *a = n->in[1], *b = n->in[2], *g;
  g = nx_mul(C, gy, nx_from_number(C, ((addc_args *)n->a)->value));
  if (n->wants[0]) gx[0] = nx_sum_to(C, gy, n->in[0]);
  if (divide) g = nx_div(C, g, b);
  if (n->wants[1]) gx[1] = nx_sum_to(C, divide ? g : nx_mul(C, g, b), a);
  if (!n->wants[2]) return nx_status(C);
  g = nx_mul(C, g, divide ? nx_neg(C, nx_div(C, a, b)) : a);
  gx[2] = nx_sum_to(C, g, b);
  return nx_status(C);
}

static int addcmul_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                         nx_tensor **gx) {
  return addc_grad(C, n, gy[0], 0, gx);
}

static int addcdiv_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                         nx_tensor **gx) {
  return addc_grad(C, n, gy[0], 1, gx);
}

const nx_op nx_op_addcmul = {
  .name = "addcmul", .doc = "x + value t1 t2.",
  .inputs = "x t1 t2", .outputs = "y", .fields = addc_fields,
  .argsize = sizeof(addc_args), .saves = "x t1 t2", .flags = NX_INPLACE,
  .shape = addc_shape, .forward = addcmul_forward,
  .grad = NX_LEARN(addcmul_grad)
};

const nx_op nx_op_addcdiv = {
  .name = "addcdiv", .doc = "x + value t1 / t2.",
  .inputs = "x t1 t2", .outputs = "y", .fields = addc_fields,
  .argsize = sizeof(addc_args), .saves = "x t1 t2", .flags = NX_INPLACE,
  .shape = addc_shape, .forward = addcdiv_forward,
  .grad = NX_LEARN(addcdiv_grad)
};
