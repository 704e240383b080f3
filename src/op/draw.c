/*
** Random numbers: new tensors of them, and given ones filled with them.
*/
#include <float.h>
#include <math.h>
#include <string.h>
#include "ops.h"
#include "op/fill.h"
#include "tensor/order.h"

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


/* n even numbers in [0, 1), in double precision */
static nx_tensor *uniform_doubles (nx_ctx *C, int64_t n, nx_draw from) {
  nx_tensor *u = nx_new(C, NEAP_F64, 1, &n);
  return u && nx_fill_random(C, u, from, 0, 0, 1) == 0 ? u : NULL;
}


typedef struct random_args {
  nx_ints size;
  int dtype;
  nx_draw generator;
} random_args;

static const nx_field random_fields[] = {
  NX_INTS(random_args, size, NX_REQUIRED, "sizes of the dimensions"),
  NX_ENUM(random_args, dtype, NX_DTYPES, NEAP_F32, "type of the elements"),
  NX_DRAW(random_args, generator), NX_END
};

static int want_real (nx_ctx *C, const nx_node *n, int dtype) {
  if (nx_is_float(dtype)) return 0;
  return nx_op_fail(C, n, NEAP_EDTYPE, "dtype is %s, expected float32 or "
                    "float64", nx_dtype_name(dtype));
}

static int random_shape (nx_ctx *C, nx_node *n) {
  random_args *a = n->a;
  if (want_real(C, n, a->dtype) ||
      nx_count(C, n->op->name, a->dtype, a->size.n, a->size.v) < 0)
    return nx_status(C);
  nx_out(C, n, 0, a->dtype, a->size.n, a->size.v);
  return nx_status(C);
}

#define RANDOM(id, normal, text) \
static int id##_forward (nx_ctx *C, nx_node *n) { \
  return nx_fill_random(C, n->out[0], ((random_args *)n->a)->generator, \
                        normal, 0, 1); \
} \
const nx_op nx_op_##id = { \
  .name = #id, .doc = text, .inputs = "", .outputs = "y", \
  .fields = random_fields, .argsize = sizeof(random_args), \
  .flags = NX_NOGRAD | NX_RANDOM, .shape = random_shape, \
  .forward = id##_forward \
};

RANDOM(rand, 0, "Random numbers, even in [0, 1).")
RANDOM(randn, 1, "Random numbers, normal with mean 0, variance 1.")


typedef struct like_args { int dtype; nx_draw generator; } like_args;

static const nx_field like_fields[] = {
  NX_ENUM(like_args, dtype, NX_DTYPES, -1, "type; none: that of x"),
  NX_DRAW(like_args, generator), NX_END
};

static int like_shape (nx_ctx *C, nx_node *n) {
  like_args *a = n->a;
  nx_tensor *x = n->in[0];
  if (a->dtype < 0) a->dtype = x->dtype;
  if (want_real(C, n, a->dtype) == 0)
    nx_out(C, n, 0, a->dtype, x->ndim, x->shape);
  return nx_status(C);
}

#define RANDOM_LIKE(id, normal, text) \
static int id##_forward (nx_ctx *C, nx_node *n) { \
  return nx_fill_random(C, n->out[0], ((like_args *)n->a)->generator, \
                        normal, 0, 1); \
} \
const nx_op nx_op_##id = { \
  .name = #id, .doc = text, .inputs = "x", .outputs = "y", \
  .fields = like_fields, .argsize = sizeof(like_args), \
  .flags = NX_NOGRAD | NX_RANDOM, .shape = like_shape, \
  .forward = id##_forward \
};

RANDOM_LIKE(rand_like, 0, "Random numbers in the shape of x, even in [0, 1).")
RANDOM_LIKE(randn_like, 1, "Random numbers in the shape of x, normal.")


/*
** randint: whole numbers, both ends included; randperm: 1 to n in random
** order (Fisher and Yates).
*/
typedef struct randint_args {
  int64_t low, high;
  nx_ints size;
  int dtype;
  nx_draw generator;
} randint_args;

static const nx_field randint_fields[] = {
  NX_INT(randint_args, low, NX_REQUIRED, "the smallest"),
  NX_INT(randint_args, high, NX_REQUIRED, "the largest"),
  NX_INTS(randint_args, size, NX_REQUIRED, "sizes of the dimensions"),
  NX_ENUM(randint_args, dtype, NX_DTYPES, NEAP_I64, "type of the elements"),
  NX_DRAW(randint_args, generator), NX_END
};

static int randint_shape (nx_ctx *C, nx_node *n) {
  randint_args *a = n->a;
  if (a->low > a->high ||
      (uint64_t)a->high - (uint64_t)a->low > (uint64_t)1 << 53)
    return nx_op_fail(C, n, NEAP_EARG, "from %lld to %lld is empty or too "
                      "large", (long long)a->low, (long long)a->high);
  if (!nx_fits(a->dtype, a->low) || !nx_fits(a->dtype, a->high))
    return nx_op_fail(C, n, NEAP_EARG, "%lld to %lld does not fit %s",
                      (long long)a->low, (long long)a->high,
                      nx_dtype_name(a->dtype));
  if (nx_count(C, n->op->name, a->dtype, a->size.n, a->size.v) >= 0)
    nx_out(C, n, 0, a->dtype, a->size.n, a->size.v);
  return nx_status(C);
}

static int randint_forward (nx_ctx *C, nx_node *n) {
  randint_args *a = n->a;
  nx_tensor *y = n->out[0], *u = uniform_doubles(C, y->len, a->generator), *v;
  double range = (double)(a->high - a->low) + 1;
  v = nx_new(C, NEAP_I64, y->ndim, y->shape);
  if (nx_status(C)) return nx_status(C);
  for (int64_t i = 0; i < y->len; i++)
    ((int64_t *)v->data)[i] =
      a->low + (int64_t)(((const double *)u->data)[i] * range);
  return nx_copy(C, y, v);
}

const nx_op nx_op_randint = {
  .name = "randint",
  .doc = "Random whole numbers from low to high, both included.",
  .inputs = "", .outputs = "y", .fields = randint_fields,
  .argsize = sizeof(randint_args), .flags = NX_NOGRAD | NX_RANDOM,
  .shape = randint_shape, .forward = randint_forward
};


typedef struct randperm_args {
  int64_t n;
  int dtype;
  int64_t base;
  nx_draw generator;
} randperm_args;

static const nx_field randperm_fields[] = {
  NX_INT(randperm_args, n, NX_REQUIRED, "how many"),
  NX_ENUM(randperm_args, dtype, NX_DTYPES, NEAP_I64, "type of the elements"),
  NX_BASE(randperm_args, base),
  NX_DRAW(randperm_args, generator), NX_END
};

static int randperm_shape (nx_ctx *C, nx_node *n) {
  randperm_args *a = n->a;
  if (nx_count(C, n->op->name, NEAP_I64, 1, &a->n) < 0) return nx_status(C);
  if (!nx_fits(a->dtype, a->n))
    return nx_op_fail(C, n, NEAP_EARG, "1 to %lld does not fit %s",
                      (long long)a->n, nx_dtype_name(a->dtype));
  nx_out(C, n, 0, a->dtype, 1, &a->n);
  return nx_status(C);
}

static int randperm_forward (nx_ctx *C, nx_node *n) {
  randperm_args *a = n->a;
  nx_tensor *u = uniform_doubles(C, a->n, a->generator), *order;
  int64_t *v;
  order = nx_new(C, NEAP_I64, 1, &a->n);
  if (nx_status(C)) return nx_status(C);
  v = (int64_t *)order->data;
  for (int64_t i = 0; i < a->n; i++) v[i] = i + a->base;
  for (int64_t i = a->n - 1; i > 0; i--) {
    int64_t j = (int64_t)(((const double *)u->data)[i] * (double)(i + 1));
    int64_t x = v[i];
    v[i] = v[j];
    v[j] = x;
  }
  return nx_copy(C, n->out[0], order);
}

const nx_op nx_op_randperm = {
  .name = "randperm", .doc = "All positions up to n in random order.",
  .inputs = "", .outputs = "y", .fields = randperm_fields,
  .argsize = sizeof(randperm_args), .flags = NX_NOGRAD | NX_RANDOM,
  .shape = randperm_shape, .forward = randperm_forward
};


/*
** In place: x:uniform_(from, to), x:normal_(mean, std), ...
*/
typedef struct spread_args { double a, b; nx_draw generator; } spread_args;

static int spread_shape (nx_ctx *C, nx_node *n) {
  if (nx_want_float(C, n, 0) == 0) nx_out_like(C, n, 0, n->in[0]);
  return nx_status(C);
}

static const nx_field uniform_fields[] = {
  NX_NUMBER_AS(spread_args, a, "from", 0, "smallest value"),
  NX_NUMBER_AS(spread_args, b, "to", 1, "values are below"),
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
  .shape = spread_shape, .forward = uniform_forward
};

OPFN nx_tensor *nx_uniform (nx_ctx *C, nx_tensor *x, double from,
                            double to) {
  spread_args a = {from, to, {0, NX_NOT_DRAWN}};
  return nx_apply(C, &nx_op_uniform, &a, 1, &x);
}

static const nx_field normal_fields[] = {
  NX_NUMBER_AS(spread_args, a, "mean", 0, "mean"),
  NX_NUMBER_AS(spread_args, b, "std", 1, "standard deviation"),
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
  .shape = spread_shape, .forward = normal_forward
};

OPFN nx_tensor *nx_normal (nx_ctx *C, nx_tensor *x, double mean, double std,
                           nx_draw from) {
  spread_args a = {mean, std, from};
  return nx_apply(C, &nx_op_normal, &a, 1, &x);
}


/*
** exponential: -log(1 - u) / lambd; bernoulli: 1 with a probability, which
** is each element of x itself, or one number.
*/
static const nx_field exponential_fields[] = {
  NX_NUMBER_AS(spread_args, a, "lambd", 1, "1 / mean"),
  NX_DRAW(spread_args, generator), NX_END
};

static int exponential_forward (nx_ctx *C, nx_node *n) {
  spread_args *a = n->a;
  nx_tensor *y = n->out[0];
  double c[2] = {-1 / a->a, 0};
  const nx_kernels *K = nx_kernels_for(C, y->dtype);
  if (!(a->a > 0))
    return nx_op_fail(C, n, NEAP_EARG, "lambd is %g, expected more than 0",
                      a->a);
  if (nx_fill_random(C, y, a->generator, 0, 0, -1) ||
      nx_map(C, K->log1p, NULL, y, 1, &y)) return nx_status(C);
  return nx_map(C, K->scale, c, y, 1, &y);
}

const nx_op nx_op_exponential = {
  .name = "exponential",
  .doc = "Random numbers in the shape of x, with density l e^(-l x).",
  .inputs = "x", .outputs = "y", .fields = exponential_fields,
  .argsize = sizeof(spread_args),
  .flags = NX_NOGRAD | NX_RANDOM | NX_INPLACE,
  .shape = spread_shape, .forward = exponential_forward
};


static const nx_field bernoulli_fields[] = {
  NX_NUMBER_AS(spread_args, a, "p", NX_UNSET,
               "probability of a 1; none: each element of x"),
  NX_DRAW(spread_args, generator), NX_END
};

static int bernoulli_shape (nx_ctx *C, nx_node *n) {
  if (((spread_args *)n->a)->a == NX_UNSET && nx_want_float(C, n, 0))
    return nx_status(C);
  nx_out_like(C, n, 0, n->in[0]);
  return nx_status(C);
}

static int bernoulli_forward (nx_ctx *C, nx_node *n) {
  spread_args *a = n->a;
  nx_tensor *y = n->out[0], *p = n->in[0], *u, *v;
  u = uniform_doubles(C, y->len, a->generator);
  v = nx_new(C, NEAP_U8, y->ndim, y->shape);
  p = a->a == NX_UNSET ? nx_typed(C, p, NEAP_F64) : NULL;
  if (p) p = nx_dense(C, p);
  if (nx_status(C)) return nx_status(C);
  for (int64_t i = 0; i < y->len; i++) {
    double q = p ? ((const double *)p->data)[i] : a->a;
    if (!(q >= 0 && q <= 1))
      return nx_op_fail(C, n, NEAP_EARG, "a probability is %g, expected 0 to "
                        "1", q);
    v->data[i] = ((const double *)u->data)[i] < q;
  }
  return nx_copy(C, y, v);
}

const nx_op nx_op_bernoulli = {
  .name = "bernoulli",
  .doc = "1 or 0 at random, 1 with a probability.",
  .inputs = "x", .outputs = "y", .fields = bernoulli_fields,
  .argsize = sizeof(spread_args),
  .flags = NX_NOGRAD | NX_RANDOM | NX_INPLACE,
  .shape = bernoulli_shape, .forward = bernoulli_forward
};


/*
** multinomial: positions drawn from rows of weights. With replacement, a
** number below the sum is looked up in running sums; without, the smallest
** of exponential numbers divided by the weights win (Efraimidis and
** Spirakis 2006).
*/
typedef struct multinomial_args {
  int64_t num_samples;
  int replacement;
  int64_t base;
  nx_draw generator;
} multinomial_args;

static const nx_field multinomial_fields[] = {
  NX_INT(multinomial_args, num_samples, NX_REQUIRED, "how many for each row"),
  NX_BOOL(multinomial_args, replacement, 0, "a position may come again"),
  NX_BASE(multinomial_args, base),
  NX_DRAW(multinomial_args, generator), NX_END
};

static int multinomial_shape (nx_ctx *C, nx_node *n) {
  multinomial_args *a = n->a;
  nx_tensor *w = n->in[0];
  int64_t shape[2];
  char text[NX_SHAPE_TEXT];
  if (nx_want_float(C, n, 0)) return nx_status(C);
  if (w->ndim < 1 || w->ndim > 2)
    return nx_op_fail(C, n, NEAP_ESHAPE, "weights are %s, expected one or two "
                      "dimensions", nx_shape_of(w, text));
  if (a->num_samples < 0 || (!a->replacement &&
                             a->num_samples > w->shape[w->ndim - 1]))
    return nx_op_fail(C, n, NEAP_EARG, "%lld samples without replacement from "
                      "%lld weights", (long long)a->num_samples,
                      (long long)w->shape[w->ndim - 1]);
  shape[0] = w->shape[0];
  shape[w->ndim - 1] = a->num_samples;
  nx_out(C, n, 0, NEAP_I64, w->ndim, shape);
  return nx_status(C);
}

/* the sum of a row of weights; -1 with the error */
static double total (nx_ctx *C, const nx_node *n, const double *w,
                     int64_t size, int64_t least) {
  double sum = 0;
  int64_t positive = 0;
  for (int64_t i = 0; i < size; i++) {
    if (!(w[i] >= 0) || isinf(w[i])) {
      nx_op_fail(C, n, NEAP_EARG, "a weight is %g, expected 0 or more", w[i]);
      return -1;
    }
    positive += w[i] > 0;
    sum += w[i];
  }
  if (positive < least) {
    nx_op_fail(C, n, NEAP_EARG, "a row has %lld weights above 0, but %lld are "
               "needed", (long long)positive, (long long)least);
    return -1;
  }
  return sum;
}

static void with_replacement (const double *w, int64_t size, double sum,
                              const double *u, int64_t k, int64_t *out) {
  for (int64_t j = 0; j < k; j++) {
    double rest = u[j] * sum;
    int64_t i = 0, last = 0;
    for (; i < size; i++) {
      if (w[i] > 0) last = i;
      if (w[i] > 0 && rest < w[i]) break;
      rest -= w[i];
    }
    out[j] = last;
  }
}

static void without_replacement (const double *w, int64_t size,
                                 const double *u, double *race,
                                 nx_ranked *ranks, int64_t k,
                                 int64_t *out) {
  for (int64_t i = 0; i < size; i++)
    race[i] = w[i] > 0 ? fmin(-log1p(-u[i]) / w[i], DBL_MAX) : INFINITY;
  nx_rank(NEAP_F64, (size_t)size, race, 0, ranks);
  nx_rank_smallest(ranks, (size_t)size, (size_t)k, ranks + size);
  for (int64_t j = 0; j < k; j++) out[j] = ranks[j].at;
}

static int multinomial_forward (nx_ctx *C, nx_node *n) {
  multinomial_args *a = n->a;
  nx_tensor *w, *u, *race, *y = n->out[0];
  int64_t size, k = a->num_samples, per;
  size_t bytes;
  nx_ranked *ranks;
  w = nx_typed(C, n->in[0], NEAP_F64);
  w = w ? nx_dense(C, w) : NULL;
  if (w == NULL || y->len == 0) return nx_status(C);
  size = w->shape[w->ndim - 1];
  per = a->replacement ? k : size;
  u = uniform_doubles(C, y->len / k * per, a->generator);
  race = nx_new(C, NEAP_F64, 1, &size);
  bytes = (size_t)(2 * size) * sizeof(*ranks);
  ranks = nx_alloc(C, bytes);
  for (int64_t r = 0; nx_status(C) == 0 && r < y->len / k; r++) {
    const double *row = (const double *)w->data + r * size;
    const double *draws = (const double *)u->data + r * per;
    int64_t *out = (int64_t *)y->data + r * k;
    double sum = total(C, n, row, size, a->replacement ? 1 : k);
    if (sum < 0) break;
    if (a->replacement) with_replacement(row, size, sum, draws, k, out);
    else without_replacement(row, size, draws, (double *)race->data, ranks,
                             k, out);
    for (int64_t j = 0; j < k; j++) out[j] += a->base;
  }
  nx_free(C, ranks, ranks ? bytes : 0);
  return nx_status(C);
}

const nx_op nx_op_multinomial = {
  .name = "multinomial",
  .doc = "Positions drawn at random from rows of weights.",
  .inputs = "weights", .outputs = "y", .fields = multinomial_fields,
  .argsize = sizeof(multinomial_args), .flags = NX_NOGRAD | NX_RANDOM,
  .shape = multinomial_shape, .forward = multinomial_forward
};
