/*
** Operations on bits and on truth values.
*/
#include "ops.h"
#include "op/broadcast.h"


static int want_bits (nx_ctx *C, const nx_node *n, int i) {
  char name[32];
  if (nx_is_whole(n->in[i]->dtype)) return 0;
  return nx_op_fail(C, n, NEAP_EDTYPE, "%s is %s, expected integers or bool",
                    nx_names_at(n->op->inputs, i, name),
                    nx_dtype_name(n->in[i]->dtype));
}

static int bits_shape (nx_ctx *C, nx_node *n) {
  if (want_bits(C, n, 0) || want_bits(C, n, 1)) return nx_status(C);
  return nx_meet(C, n, nx_meeting_type(n));
}

static int shift_shape (nx_ctx *C, nx_node *n) {
  int type = nx_meeting_type(n);
  if (want_bits(C, n, 0) || want_bits(C, n, 1)) return nx_status(C);
  return nx_meet(C, n, type == NEAP_BOOL ? NEAP_I64 : type);
}

#define BITS(id, kernel, how, text) \
static int id##_forward (nx_ctx *C, nx_node *n) { \
  return nx_map_node(C, n, nx_kernels_for(C, n->in[0]->dtype)->kernel, \
                     NULL); \
} \
const nx_op nx_op_##id = { \
  .name = #id, .doc = text, .inputs = "x z", .outputs = "y", \
  .flags = NX_NOGRAD | NX_INPLACE, .shape = how##_shape, \
  .forward = id##_forward \
};

BITS(bitwise_and, bit_and, bits, "Bits that x and z both have; of bool: and.")
BITS(bitwise_or, bit_or, bits, "Bits that x or z have; of bool: or.")
BITS(bitwise_xor, bit_xor, bits,
     "Bits that only one of x and z has; of bool: either, not both.")
BITS(bitwise_left_shift, shift_left, shift, "Bits of x moved up by z.")
BITS(bitwise_right_shift, shift_right, shift,
     "Bits of x moved down by z; the sign stays.")


static int bitwise_not_shape (nx_ctx *C, nx_node *n) {
  if (want_bits(C, n, 0) == 0) nx_out_like(C, n, 0, n->in[0]);
  return nx_status(C);
}

static int bitwise_not_forward (nx_ctx *C, nx_node *n) {
  const nx_kernels *K = nx_kernels_for(C, n->in[0]->dtype);
  nx_tensor *in[2];
  if (n->in[0]->dtype != NEAP_BOOL)
    return nx_map(C, K->bit_not, NULL, n->out[0], 1, n->in);
  in[0] = n->in[0];
  in[1] = nx_typed(C, nx_from_integer(C, 1), NEAP_BOOL);
  return in[1] ? nx_map(C, K->bit_xor, NULL, n->out[0], 2, in)
               : nx_status(C);
}

const nx_op nx_op_bitwise_not = {
  .name = "bitwise_not", .doc = "All bits of x the other way; of bool: not.",
  .inputs = "x", .outputs = "y", .flags = NX_NOGRAD | NX_INPLACE,
  .shape = bitwise_not_shape, .forward = bitwise_not_forward
};


/*
** Truth values: of numbers, whether they differ from 0.
*/
static int logical_shape (nx_ctx *C, nx_node *n) {
  int64_t shape[NEAP_MAXDIM];
  int ndim;
  n->in[0] = nx_to(C, n->in[0], NEAP_BOOL);
  n->in[1] = nx_to(C, n->in[1], NEAP_BOOL);
  if (nx_status(C) == 0 &&
      nx_broadcast(C, n->op->name, n->in[0], n->in[1], &ndim, shape) == 0)
    nx_out(C, n, 0, NEAP_BOOL, ndim, shape);
  return nx_status(C);
}

#define LOGICAL(id, kernel, text) \
static int id##_forward (nx_ctx *C, nx_node *n) { \
  return nx_map_node(C, n, nx_kernels_for(C, NEAP_BOOL)->kernel, NULL); \
} \
const nx_op nx_op_##id = { \
  .name = #id, .doc = text, .inputs = "x z", .outputs = "y", \
  .flags = NX_NOGRAD, .shape = logical_shape, .forward = id##_forward \
}; \
OPFN nx_tensor *nx_##id (nx_ctx *C, nx_tensor *x, nx_tensor *z) { \
  return nx_apply(C, &nx_op_##id, NULL, 2, (nx_tensor *[]){x, z}); \
}

LOGICAL(logical_and, minimum, "True where x and z both differ from 0.")
LOGICAL(logical_or, maximum, "True where x or z differs from 0.")
LOGICAL(logical_xor, ne, "True where one of x and z differs from 0.")


static int logical_not_shape (nx_ctx *C, nx_node *n) {
  nx_out(C, n, 0, NEAP_BOOL, n->in[0]->ndim, n->in[0]->shape);
  return nx_status(C);
}

static int logical_not_forward (nx_ctx *C, nx_node *n) {
  nx_tensor *in[2];
  in[0] = n->in[0];
  in[1] = nx_typed(C, nx_from_integer(C, 0), in[0]->dtype);
  if (in[1] == NULL) return nx_status(C);
  return nx_map(C, nx_kernels_for(C, in[0]->dtype)->eq, NULL, n->out[0], 2,
                in);
}

const nx_op nx_op_logical_not = {
  .name = "logical_not", .doc = "True where x is 0.",
  .inputs = "x", .outputs = "y", .flags = NX_NOGRAD,
  .shape = logical_not_shape, .forward = logical_not_forward
};
