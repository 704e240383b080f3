/*
** Tensors of one value or of random numbers; and filling given ones.
*/
#include <string.h>
#include "ops.h"

/* the names of neap.h's list, for an enum field */
#define NEAP_X(id, name, bytes) name " "
#define DTYPES NEAP_DTYPE_LIST(NEAP_X)

typedef struct make_args {
  nx_ints size;
  double value;
  int dtype;
  nx_draw generator;
} make_args;

#define SIZE \
  NX_INTS(make_args, size, NX_REQUIRED, "sizes of the dimensions")
#define DTYPE \
  NX_ENUM(make_args, dtype, DTYPES, NEAP_F32, "type of the elements")


static int make_shape (nx_ctx *C, nx_node *n) {
  make_args *a = n->a;
  if (nx_count(C, n->op->name, a->dtype, a->size.n, a->size.v) < 0)
    return nx_status(C);
  nx_out(C, n, 0, a->dtype, a->size.n, a->size.v);
  return nx_status(C);
}


static int fill_with (nx_ctx *C, nx_tensor *y, double value) {
  nx_tensor *v = nx_from_number(C, value);
  return v ? nx_copy(C, y, v) : nx_status(C);
}


static const nx_field plain_fields[] = { SIZE, DTYPE, NX_END };

static int zeros_forward (nx_ctx *C, nx_node *n) {
  return fill_with(C, n->out[0], 0);
}

const nx_op nx_op_zeros = {
  .name = "zeros", .doc = "A new tensor of zeros.",
  .inputs = "", .outputs = "y", .fields = plain_fields,
  .argsize = sizeof(make_args), .flags = NX_NOGRAD,
  .shape = make_shape, .forward = zeros_forward
};

static int ones_forward (nx_ctx *C, nx_node *n) {
  return fill_with(C, n->out[0], 1);
}

const nx_op nx_op_ones = {
  .name = "ones", .doc = "A new tensor of ones.",
  .inputs = "", .outputs = "y", .fields = plain_fields,
  .argsize = sizeof(make_args), .flags = NX_NOGRAD,
  .shape = make_shape, .forward = ones_forward
};


static const nx_field full_fields[] = {
  SIZE,
  NX_NUMBER(make_args, value, NX_REQUIRED, "what every element is"),
  DTYPE, NX_END
};

static int full_forward (nx_ctx *C, nx_node *n) {
  return fill_with(C, n->out[0], ((make_args *)n->a)->value);
}

const nx_op nx_op_full = {
  .name = "full", .doc = "A new tensor whose elements are all 'value'.",
  .inputs = "", .outputs = "y", .fields = full_fields,
  .argsize = sizeof(make_args), .flags = NX_NOGRAD,
  .shape = make_shape, .forward = full_forward
};


/*
** Random numbers, in pieces of whole batches of the stream.
*/
typedef struct stream {
  nx_fill_fn *f;
  nx_draw from;
  double a, b;
  char *y;
  int64_t len, size, per;        /* numbers from one batch of counters */
} stream;

#define PIECE ((int64_t)4096)

static void fill_pieces (void *arg, int64_t first, int64_t last) {
  const stream *s = arg;
  for (int64_t i = first; i < last; i++) {
    int64_t at = i * PIECE, n = s->len - at < PIECE ? s->len - at : PIECE;
    nx_draw from = s->from;
    from.counter += (uint64_t)(at / s->per * NX_BATCH);
    s->f((size_t)n, from, s->a, s->b, s->y + at * s->size);
  }
}

OPFN int nx_fill_random (nx_ctx *C, nx_tensor *y, nx_draw from, int normal,
                         double a, double b) {
  const nx_kernels *K = nx_kernels_for(C, y->dtype);
  nx_tensor *to = nx_is_dense(y) ? y : nx_new_like(C, y);
  stream s;
  if (to == NULL) return nx_status(C);
  s.f = normal ? K->normal : K->uniform;
  s.from = from;
  s.a = a;
  s.b = b;
  s.y = to->data;
  s.len = y->len;
  s.size = (int64_t)nx_dtype_size(y->dtype);
  s.per = y->dtype == NEAP_F64 ? 2 * NX_BATCH : 4 * NX_BATCH;
  nx_pieces(C, (s.len + PIECE - 1) / PIECE, PIECE, fill_pieces, &s);
  return to == y ? 0 : nx_copy(C, y, to);
}


static const nx_field random_fields[] = {
  SIZE, DTYPE, NX_DRAW(make_args, generator), NX_END
};

static int random_shape (nx_ctx *C, nx_node *n) {
  int dtype = ((make_args *)n->a)->dtype;
  if (!nx_is_float(dtype))
    return nx_op_fail(C, n, NEAP_EDTYPE, "dtype is %s, expected float32 or "
                      "float64", nx_dtype_name(dtype));
  return make_shape(C, n);
}

static int rand_forward (nx_ctx *C, nx_node *n) {
  make_args *a = n->a;
  return nx_fill_random(C, n->out[0], a->generator, 0, 0, 1);
}

const nx_op nx_op_rand = {
  .name = "rand", .doc = "Random numbers, even in [0, 1).",
  .inputs = "", .outputs = "y", .fields = random_fields,
  .argsize = sizeof(make_args), .flags = NX_NOGRAD | NX_RANDOM,
  .shape = random_shape, .forward = rand_forward
};

static int randn_forward (nx_ctx *C, nx_node *n) {
  make_args *a = n->a;
  return nx_fill_random(C, n->out[0], a->generator, 1, 0, 1);
}

const nx_op nx_op_randn = {
  .name = "randn", .doc = "Random numbers, normal with mean 0, variance 1.",
  .inputs = "", .outputs = "y", .fields = random_fields,
  .argsize = sizeof(make_args), .flags = NX_NOGRAD | NX_RANDOM,
  .shape = random_shape, .forward = randn_forward
};


/*
** In place: x:fill_(v), x:uniform_(from, to), x:normal_(mean, std).
*/
typedef struct spread_args { double a, b; nx_draw generator; } spread_args;

static int like_shape (nx_ctx *C, nx_node *n) {
  if (!(n->op->flags & NX_RANDOM) || nx_want_float(C, n, 0) == 0)
    nx_out_like(C, n, 0, n->in[0]);
  return nx_status(C);
}

static const nx_field fill_fields[] = {
  {"value", NX_KIND_NUMBER, offsetof(spread_args, a), NX_REQUIRED, NULL,
   "what every element becomes"},
  NX_END
};

static int fill_forward (nx_ctx *C, nx_node *n) {
  return fill_with(C, n->out[0], ((spread_args *)n->a)->a);
}

const nx_op nx_op_fill = {
  .name = "fill", .doc = "A tensor like x whose elements are all 'value'.",
  .inputs = "x", .outputs = "y", .fields = fill_fields,
  .argsize = sizeof(spread_args), .flags = NX_NOGRAD | NX_INPLACE,
  .shape = like_shape, .forward = fill_forward
};

static const nx_field uniform_fields[] = {
  {"from", NX_KIND_NUMBER, offsetof(spread_args, a), 0, NULL,
   "smallest value"},
  {"to", NX_KIND_NUMBER, offsetof(spread_args, b), 1, NULL,
   "values are below"},
  NX_DRAW(spread_args, generator), NX_END
};

static int uniform_forward (nx_ctx *C, nx_node *n) {
  spread_args *a = n->a;
  return nx_fill_random(C, n->out[0], a->generator, 0, a->a, a->b);
}

const nx_op nx_op_uniform = {
  .name = "uniform",
  .doc = "Random numbers in the shape of x, even in [from, to).",
  .inputs = "x", .outputs = "y", .fields = uniform_fields,
  .argsize = sizeof(spread_args),
  .flags = NX_NOGRAD | NX_RANDOM | NX_INPLACE,
  .shape = like_shape, .forward = uniform_forward
};

OPFN nx_tensor *nx_uniform (nx_ctx *C, nx_tensor *x, double from,
                            double to) {
  spread_args a = {from, to, {0, NX_NOT_DRAWN}};
  return nx_apply(C, &nx_op_uniform, &a, 1, &x);
}

static const nx_field normal_fields[] = {
  {"mean", NX_KIND_NUMBER, offsetof(spread_args, a), 0, NULL, "mean"},
  {"std", NX_KIND_NUMBER, offsetof(spread_args, b), 1, NULL,
   "standard deviation"},
  NX_DRAW(spread_args, generator), NX_END
};

static int normal_forward (nx_ctx *C, nx_node *n) {
  spread_args *a = n->a;
  return nx_fill_random(C, n->out[0], a->generator, 1, a->a, a->b);
}

const nx_op nx_op_normal = {
  .name = "normal",
  .doc = "Random numbers in the shape of x, normal.",
  .inputs = "x", .outputs = "y", .fields = normal_fields,
  .argsize = sizeof(spread_args),
  .flags = NX_NOGRAD | NX_RANDOM | NX_INPLACE,
  .shape = like_shape, .forward = normal_forward
};
