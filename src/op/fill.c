/*
** Tensors of given values: constants, rows of even steps, unit matrices;
** new ones and ones like others.
*/
#include <math.h>
#include <string.h>
#include "ops.h"
#include "op/broadcast.h"
#include "op/fill.h"

typedef struct make_args { nx_ints size; int dtype; } make_args;

static const nx_field make_fields[] = {
  NX_INTS(make_args, size, NX_REQUIRED, "sizes of the dimensions"),
  NX_ENUM(make_args, dtype, NX_DTYPES, -1,
          "type of the elements; none: float32 (of true and false: bool)"),
  NX_END
};


static int make (nx_ctx *C, nx_node *n, int dtype, int ndim,
                 const int64_t *shape) {
  if (nx_count(C, n->op->name, dtype, ndim, shape) >= 0)
    nx_out(C, n, 0, dtype, ndim, shape);
  return nx_status(C);
}

static int make_shape (nx_ctx *C, nx_node *n) {
  make_args *a = n->a;
  if (a->dtype < 0) a->dtype = NEAP_F32;
  return make(C, n, a->dtype, a->size.n, a->size.v);
}

static int fill_with (nx_ctx *C, nx_tensor *y, double value) {
  nx_tensor *v = nx_from_number(C, value);
  return v ? nx_copy(C, y, v) : nx_status(C);
}

static int fill_zeros (nx_ctx *C, nx_node *n) {
  return fill_with(C, n->out[0], 0);
}

static int fill_ones (nx_ctx *C, nx_node *n) {
  return fill_with(C, n->out[0], 1);
}

/* the only input that is a value is the last one */
static int fill_value (nx_ctx *C, nx_node *n) {
  nx_tensor *v = nx_operand(C, n, n->in[n->nin - 1], n->out[0]->dtype);
  return v ? nx_copy(C, n->out[0], v) : nx_status(C);
}


#define MAKER(id, how, text) \
const nx_op nx_op_##id = { \
  .name = #id, .doc = text, .inputs = "", .outputs = "y", \
  .fields = make_fields, .argsize = sizeof(make_args), \
  .flags = NX_NOGRAD, .shape = make_shape, .forward = how \
};

MAKER(zeros, fill_zeros, "A new tensor of zeros.")
MAKER(ones, fill_ones, "A new tensor of ones.")
MAKER(empty, NULL, "A new tensor whose elements are not set.")


static int one_value (nx_ctx *C, const nx_node *n, const nx_tensor *v) {
  char text[NX_SHAPE_TEXT];
  if (v->len == 1) return 0;
  return nx_op_fail(C, n, NEAP_ESHAPE, "value is %s, expected one number",
                    nx_shape_of(v, text));
}

static int full_shape (nx_ctx *C, nx_node *n) {
  make_args *a = n->a;
  nx_tensor *v = n->in[0];
  if (one_value(C, n, v)) return nx_status(C);
  if (a->dtype < 0) a->dtype = v->dtype == NEAP_BOOL ? NEAP_BOOL : NEAP_F32;
  return make(C, n, a->dtype, a->size.n, a->size.v);
}

const nx_op nx_op_full = {
  .name = "full", .doc = "A new tensor whose elements are all 'value'.",
  .inputs = "value", .outputs = "y", .call = "size value",
  .fields = make_fields, .argsize = sizeof(make_args), .flags = NX_NOGRAD,
  .shape = full_shape, .forward = fill_value
};


/*
** eye: ones on the diagonal of a matrix of zeros.
*/
typedef struct eye_args { int64_t n, m; int dtype; } eye_args;

static const nx_field eye_fields[] = {
  NX_INT(eye_args, n, NX_REQUIRED, "rows"),
  NX_INT(eye_args, m, NX_UNSET, "columns; none: as many"),
  NX_ENUM(eye_args, dtype, NX_DTYPES, NEAP_F32, "type of the elements"),
  NX_END
};

static int eye_shape (nx_ctx *C, nx_node *n) {
  eye_args *a = n->a;
  if (a->m == NX_UNSET_INT) a->m = a->n;
  return make(C, n, a->dtype, 2, (int64_t[]){a->n, a->m});
}

static int eye_forward (nx_ctx *C, nx_node *n) {
  nx_tensor *y = n->out[0], *diagonal;
  if (fill_with(C, y, 0)) return nx_status(C);
  diagonal = nx_diagonal(C, y, 0, 0, 1);
  return diagonal ? fill_with(C, diagonal, 1) : nx_status(C);
}

const nx_op nx_op_eye = {
  .name = "eye", .doc = "A matrix with ones on the diagonal, else zeros.",
  .inputs = "", .outputs = "y", .fields = eye_fields,
  .argsize = sizeof(eye_args), .flags = NX_NOGRAD, .shape = eye_shape,
  .forward = eye_forward
};


/*
** linspace, logspace: both ends are included. The second half is counted
** back from the end, so that the end is met exactly.
*/
typedef struct space_args {
  double start, stop;
  int64_t steps;
  double base;
  int dtype;
} space_args;

#define SPACE \
  NX_NUMBER(space_args, start, NX_REQUIRED, "the first"), \
  NX_NUMBER(space_args, stop, NX_REQUIRED, "the last"), \
  NX_INT(space_args, steps, NX_REQUIRED, "how many")

static const nx_field linspace_fields[] = {
  SPACE,
  NX_ENUM(space_args, dtype, NX_DTYPES, NEAP_F32, "type of the elements"),
  NX_END
};

static const nx_field logspace_fields[] = {
  SPACE,
  NX_NUMBER(space_args, base, 10, "what is raised to the powers"),
  NX_ENUM(space_args, dtype, NX_DTYPES, NEAP_F32, "type of the elements"),
  NX_END
};

static int space_shape (nx_ctx *C, nx_node *n) {
  space_args *a = n->a;
  return make(C, n, a->dtype, 1, &a->steps);
}

static double step_at (const space_args *a, int64_t i) {
  double step = (a->stop - a->start) / (double)(a->steps - 1);
  if (a->steps == 1) return a->start;
  return i < a->steps / 2 ? a->start + step * (double)i
                          : a->stop - step * (double)(a->steps - 1 - i);
}

static int space_forward (nx_ctx *C, nx_node *n) {
  const space_args *a = n->a;
  nx_tensor *y = n->out[0];
  int logarithmic = n->op == &nx_op_logspace;
  (void)C;
  for (int64_t i = 0; i < y->len; i++) {
    double v = step_at(a, i);
    nx_put_number(y, y->data + i * (int64_t)nx_dtype_size(y->dtype),
                  logarithmic ? pow(a->base, v) : v);
  }
  return 0;
}

const nx_op nx_op_linspace = {
  .name = "linspace", .doc = "Numbers in even steps, both ends included.",
  .inputs = "", .outputs = "y", .fields = linspace_fields,
  .argsize = sizeof(space_args), .flags = NX_NOGRAD, .shape = space_shape,
  .forward = space_forward
};

const nx_op nx_op_logspace = {
  .name = "logspace", .doc = "Powers with exponents in even steps.",
  .inputs = "", .outputs = "y", .fields = logspace_fields,
  .argsize = sizeof(space_args), .flags = NX_NOGRAD, .shape = space_shape,
  .forward = space_forward
};


/*
** In the shape (and, if no other is given, the type) of x.
*/
typedef struct like_args { int dtype; } like_args;

static const nx_field like_fields[] = {
  NX_ENUM(like_args, dtype, NX_DTYPES, -1, "type; none: that of x"),
  NX_END
};

static int like_shape (nx_ctx *C, nx_node *n) {
  const like_args *a = n->a;
  nx_tensor *x = n->in[0];
  if (n->nin > 1 && one_value(C, n, n->in[1])) return nx_status(C);
  nx_out(C, n, 0, a->dtype < 0 ? x->dtype : a->dtype, x->ndim, x->shape);
  return nx_status(C);
}

#define LIKE(id, names, how, text) \
const nx_op nx_op_##id = { \
  .name = #id, .doc = text, .inputs = names, .outputs = "y", \
  .fields = like_fields, .argsize = sizeof(like_args), \
  .flags = NX_NOGRAD | NX_ANYTYPE, .shape = like_shape, .forward = how \
};

LIKE(zeros_like, "x", fill_zeros, "Zeros in the shape and type of x.")
LIKE(ones_like, "x", fill_ones, "Ones in the shape and type of x.")
LIKE(empty_like, "x", NULL, "Elements that are not set, in the shape of x.")
LIKE(full_like, "x value", fill_value, "One value in the shape of x.")


/*
** x:fill_(value)
*/
static int fill_shape (nx_ctx *C, nx_node *n) {
  if (one_value(C, n, n->in[1]) == 0) nx_out_like(C, n, 0, n->in[0]);
  return nx_status(C);
}

const nx_op nx_op_fill = {
  .name = "fill", .doc = "A tensor like x whose elements are all 'value'.",
  .inputs = "x value", .outputs = "y", .flags = NX_NOGRAD | NX_INPLACE,
  .shape = fill_shape, .forward = fill_value
};
