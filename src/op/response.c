/*
** local_response_norm: each element divided by the strength of its
** neighbours in other channels (Krizhevsky et al. 2012, section 3.3; the
** sum is divided by size, as PyTorch does).
*/
#include "op/composed.h"

typedef struct response_args {
  int64_t size;
  double alpha, beta, k;
} response_args;

static const nx_field response_fields[] = {
  NX_INT(response_args, size, NX_REQUIRED, "how many channels count"),
  NX_NUMBER(response_args, alpha, 1e-4, "factor of the mean of squares"),
  NX_NUMBER(response_args, beta, 0.75, "exponent"),
  NX_NUMBER(response_args, k, 1, "added to it"),
  NX_END
};

/* y = x / (k + alpha mean of x^2 over channels around)^beta */
static int local_response_norm_compose (nx_ctx *C, nx_node *n) {
  const response_args *a = n->a;
  nx_tensor *x = n->in[0], *squares, *sum = NULL;
  nx_list pad = {0, {0}};
  if (nx_want_float(C, n, 0)) return nx_status(C);
  if (x->ndim < 2 || a->size < 1 || a->size > INT16_MAX)
    return nx_op_fail(C, n, NEAP_EARG, "x has %d dimensions and size is %lld; "
                      "expected a batch and channels, and at least 1",
                      x->ndim, (long long)a->size);
  pad.n = 2 * (x->ndim - 1);             /* from the last dimension on */
  pad.v[pad.n - 2] = a->size / 2;
  pad.v[pad.n - 1] = (a->size - 1) / 2;
  squares = nx_pad(C, MUL(x, x), pad, 0, 0);
  for (int64_t i = 0; squares && i < a->size; i++) {
    nx_tensor *part = nx_narrow(C, squares, 1, i, x->shape[1]);
    sum = sum ? ADD(sum, part) : part;
  }
  if (sum == NULL) return nx_status(C);
  sum = ADD(MUL(sum, NUM(a->alpha / (double)a->size)), NUM(a->k));
  return nx_composed(C, n, MUL(x, nx_pow(C, sum, NUM(-a->beta))));
}

const nx_op nx_op_local_response_norm = {
  .name = "local_response_norm",
  .doc = "Each element divided by the strength of its neighbours in other "
         "channels.",
  .inputs = "x", .outputs = "y", .fields = response_fields,
  .argsize = sizeof(response_args), .compose = local_response_norm_compose
};
