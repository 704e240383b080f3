/*
** dropout: elements set to 0 at random, the others scaled up.
**
** No mask is kept: the gradient makes the same choice again from the same
** part of the random stream.
*/
#include "ops.h"
#include "op/noise.h"

static const nx_field dropout_fields[] = {
  NX_NOISE_FIELDS("p", 0.5, "probability of an element to become 0")
};


static int is_identity (const nx_noise_args *a) {
  return !a->training || a->p == 0;
}

static int dropout_shape (nx_ctx *C, nx_node *n) {
  nx_noise_args *a = n->a;
  if (nx_want_float(C, n, 0)) return nx_status(C);
  if (!(a->p >= 0 && a->p <= 1))
    return nx_op_fail(C, n, NEAP_EARG, "p is %g, expected 0 to 1", a->p);
  if (is_identity(a) && !n->inplace) {
    n->out[0] = nx_alias(C, n->in[0]);
    n->nout = 1;
  }
  else nx_out_like(C, n, 0, n->in[0]);
  return nx_status(C);
}


typedef struct drop {
  const nx_kernels *K;
  const nx_noise_args *a;
  const char *x;
  char *y;
  int64_t len, size;
} drop;

#define PIECE ((int64_t)16384)         /* whole batches of the stream */

static void drop_pieces (void *arg, int64_t first, int64_t last) {
  const drop *d = arg;
  for (int64_t i = first; i < last; i++) {
    int64_t at = i * PIECE, n = d->len - at < PIECE ? d->len - at : PIECE;
    nx_draw from = d->a->generator;
    double keep = 1 - d->a->p;
    from.counter += (uint64_t)at / 4;    /* four words for each counter */
    d->K->drop((size_t)n, from, keep, keep > 0 ? 1 / keep : 0,
               d->x + at * d->size, d->y + at * d->size);
  }
}

/* y = x / (1 - p) with probability 1 - p, else 0 */
static int dropout_forward (nx_ctx *C, nx_node *n) {
  nx_noise_args *a = n->a;
  nx_tensor *x, *y = n->out[0], *to = y;
  drop d;
  if (is_identity(a) || y->len == 0) return 0;
  x = nx_dense(C, n->in[0]);
  if (!nx_is_dense(y)) to = nx_new_like(C, y);
  if (x == NULL || to == NULL) return nx_status(C);
  d.K = nx_kernels_for(C, x->dtype);
  d.a = a;
  d.x = x->data;
  d.y = to->data;
  d.len = x->len;
  d.size = (int64_t)nx_dtype_size(x->dtype);
  nx_pieces(C, (x->len + PIECE - 1) / PIECE, PIECE, drop_pieces, &d);
  return to == y ? 0 : nx_copy(C, y, to);
}

/* gx: the same choice from gy */
static int dropout_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                         nx_tensor **gx) {
  nx_noise_args a = *(nx_noise_args *)n->a;
  gx[0] = nx_apply(C, &nx_op_dropout, &a, 1, gy);
  return nx_status(C);
}

const nx_op nx_op_dropout = {
  .name = "dropout",
  .doc = "Elements become 0 with probability p, the others are divided by "
         "1 - p (Srivastava et al. 2014, in the inverted form).",
  .inputs = "x", .outputs = "y", .fields = dropout_fields,
  .argsize = sizeof(nx_noise_args), .flags = NX_RANDOM | NX_INPLACE,
  .shape = dropout_shape, .forward = dropout_forward,
  .grad = NX_LEARN(dropout_grad)
};

OPFN nx_tensor *nx_dropout (nx_ctx *C, nx_tensor *x, double p,
                            nx_draw from) {
  nx_noise_args a = {p, 1, from};
  return nx_apply(C, &nx_op_dropout, &a, 1, &x);
}
