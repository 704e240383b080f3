/*
** Arithmetic, element by element, with broadcasting.
**
** Types meet as nx_promote tells; bare numbers adapt to their partner.
** In place the first operand keeps its type.
*/
#include "ops.h"
#include "op/broadcast.h"

typedef struct add_args { double alpha; } add_args;

static const nx_field add_fields[] = {
  NX_NUMBER(add_args, alpha, 1, "factor of the second operand"),
  NX_END
};


static int arithmetic_shape (nx_ctx *C, nx_node *n) {
  return nx_meet(C, n, nx_meeting_type(n));
}


static const nx_kernels *kernels_of (nx_ctx *C, const nx_node *n) {
  return nx_kernels_for(C, n->in[0]->dtype);
}


/* y = x + alpha z; whole numbers know no factor but 1 and -1 */
static int weighted_sum (nx_ctx *C, nx_node *n, double alpha) {
  const nx_kernels *K = kernels_of(C, n);
  nx_tensor *in[3];
  if (alpha == 1) return nx_map(C, K->add, NULL, n->out[0], 2, n->in);
  if (alpha == -1) return nx_map(C, K->sub, NULL, n->out[0], 2, n->in);
  if (K->muladd == NULL)
    return nx_op_fail(C, n, NEAP_EARG, "alpha is %.14g, but integers take "
                      "only 1", alpha);
  in[0] = n->in[1];
  in[1] = nx_typed(C, nx_from_number(C, alpha), n->in[1]->dtype);
  in[2] = n->in[0];
  if (nx_status(C)) return nx_status(C);
  return nx_map(C, K->muladd, NULL, n->out[0], 3, in);
}


static nx_tensor *times (nx_ctx *C, nx_tensor *g, double factor) {
  return factor == 1 ? g : nx_mul(C, g, nx_from_number(C, factor));
}


/* gx = gy, gz = alpha gy, each summed over the dimensions it was spread */
static int sum_grad (nx_ctx *C, nx_node *n, nx_tensor *gy, double alpha,
                     nx_tensor **gx) {
  if (n->wants[0]) gx[0] = nx_sum_to(C, gy, n->in[0]);
  if (n->wants[1]) gx[1] = nx_sum_to(C, times(C, gy, alpha), n->in[1]);
  return nx_status(C);
}


/* y = x + alpha z */
static int add_forward (nx_ctx *C, nx_node *n) {
  return weighted_sum(C, n, ((add_args *)n->a)->alpha);
}

static int add_grad (nx_ctx *C, nx_node *n, nx_tensor **gy, nx_tensor **gx) {
  return sum_grad(C, n, gy[0], ((add_args *)n->a)->alpha, gx);
}

const nx_op nx_op_add = {
  .name = "add",
  .doc = "x + alpha z.",
  .inputs = "x z", .outputs = "y", .fields = add_fields,
  .argsize = sizeof(add_args), .flags = NX_INPLACE,
  .shape = arithmetic_shape, .forward = add_forward, .grad = add_grad
};

OPFN nx_tensor *nx_add (nx_ctx *C, nx_tensor *x, nx_tensor *z) {
  add_args a = {1};
  return nx_apply(C, &nx_op_add, &a, 2, (nx_tensor *[]){x, z});
}


/* y = x - alpha z */
static int sub_forward (nx_ctx *C, nx_node *n) {
  return weighted_sum(C, n, -((add_args *)n->a)->alpha);
}

static int sub_grad (nx_ctx *C, nx_node *n, nx_tensor **gy, nx_tensor **gx) {
  return sum_grad(C, n, gy[0], -((add_args *)n->a)->alpha, gx);
}

const nx_op nx_op_sub = {
  .name = "sub",
  .doc = "x - alpha z.",
  .inputs = "x z", .outputs = "y", .fields = add_fields,
  .argsize = sizeof(add_args), .flags = NX_INPLACE,
  .shape = arithmetic_shape, .forward = sub_forward, .grad = sub_grad
};

OPFN nx_tensor *nx_sub (nx_ctx *C, nx_tensor *x, nx_tensor *z) {
  add_args a = {1};
  return nx_apply(C, &nx_op_sub, &a, 2, (nx_tensor *[]){x, z});
}


/* y = x z: gx = gy z, gz = gy x */
static int mul_forward (nx_ctx *C, nx_node *n) {
  return nx_map(C, kernels_of(C, n)->mul, NULL, n->out[0], 2, n->in);
}

static int mul_grad (nx_ctx *C, nx_node *n, nx_tensor **gy, nx_tensor **gx) {
  nx_tensor *x = n->in[0], *z = n->in[1];
  if (n->wants[0]) gx[0] = nx_sum_to(C, nx_mul(C, gy[0], z), x);
  if (n->wants[1]) gx[1] = nx_sum_to(C, nx_mul(C, gy[0], x), z);
  return nx_status(C);
}

const nx_op nx_op_mul = {
  .name = "mul",
  .doc = "x z.",
  .inputs = "x z", .outputs = "y", .saves = "x z", .flags = NX_INPLACE,
  .shape = arithmetic_shape, .forward = mul_forward, .grad = mul_grad
};

OPFN nx_tensor *nx_mul (nx_ctx *C, nx_tensor *x, nx_tensor *z) {
  return nx_apply(C, &nx_op_mul, NULL, 2, (nx_tensor *[]){x, z});
}


/* y = x / z; integers are divided as float32 */
static int div_shape (nx_ctx *C, nx_node *n) {
  int type = nx_meeting_type(n);
  return nx_meet(C, n, nx_is_float(type) ? type : NEAP_F32);
}

static int div_forward (nx_ctx *C, nx_node *n) {
  return nx_map(C, kernels_of(C, n)->div, NULL, n->out[0], 2, n->in);
}

/* gx = gy / z, gz = -(gy / z) (x / z) */
static int div_grad (nx_ctx *C, nx_node *n, nx_tensor **gy, nx_tensor **gx) {
  nx_tensor *x = n->in[0], *z = n->in[1], *g = nx_div(C, gy[0], z);
  if (n->wants[0]) gx[0] = nx_sum_to(C, g, x);
  if (n->wants[1])
    gx[1] = nx_sum_to(C, nx_neg(C, nx_mul(C, g, nx_div(C, x, z))), z);
  return nx_status(C);
}

const nx_op nx_op_div = {
  .name = "div",
  .doc = "x / z, always as real numbers.",
  .inputs = "x z", .outputs = "y", .saves = "x z", .flags = NX_INPLACE,
  .shape = div_shape, .forward = div_forward, .grad = div_grad
};

OPFN nx_tensor *nx_div (nx_ctx *C, nx_tensor *x, nx_tensor *z) {
  return nx_apply(C, &nx_op_div, NULL, 2, (nx_tensor *[]){x, z});
}
