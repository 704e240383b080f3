/*
** nll_loss: minus the log-probability of each label, times its weight; the
** mean divides by the sum of the weights.
*/
#include "op/composed.h"
#include "op/index.h"
#include "op/loss.h"

typedef struct nll_args {
  int64_t ignore_index;
  int reduction;
  int64_t base;
} nll_args;

static const nx_field nll_fields[] = {
  NX_INT(nll_args, ignore_index, -100, "label that counts for nothing"),
  NX_REDUCTION(nll_args), NX_BASE(nll_args, base), NX_END
};

static int check_shapes (nx_ctx *C, const nx_node *n) {
  const nx_tensor *x = n->in[0], *t = n->in[1];
  const nx_tensor *w = n->nin > 2 ? n->in[2] : NULL;
  char xt[NX_SHAPE_TEXT], tt[NX_SHAPE_TEXT];
  int k = x->ndim > 1, fits = t->ndim == x->ndim - 1;
  if (nx_want_float(C, n, 0) || nx_want_whole(C, n, 1)) return nx_status(C);
  for (int d = 0; fits && d < t->ndim; d++)
    fits = t->shape[d] == x->shape[d < k ? d : d + 1];
  if (!fits)
    return nx_op_fail(C, n, NEAP_ESHAPE, "target is %s, expected a label for "
                      "each row of x (%s), whose classes are dimension %d",
                      nx_shape_of(t, tt), nx_shape_of(x, xt), k + C->base);
  if (w && (w->ndim != 1 || w->len != x->shape[k] || w->dtype != x->dtype))
    return nx_op_fail(C, n, NEAP_ESHAPE, "weight (%s %s) must have one %s for "
                      "each of the %lld classes", nx_dtype_name(w->dtype),
                      nx_shape_of(w, tt), nx_dtype_name(x->dtype),
                      (long long)x->shape[k]);
  return 0;
}

/*
** Labels from 0, and 1 where they count; what is ignored becomes class 0
** and 0. The tensors are dense int64 and of x's type.
*/
static nx_tensor *labels (nx_ctx *C, nx_node *n, int64_t classes,
                          nx_tensor **counts) {
  const nll_args *a = n->a;
  nx_tensor *t = nx_typed(C, n->in[1], NEAP_I64), *in[2];
  nx_node one = *n;
  int64_t *label;
  t = t ? nx_clone(C, t) : NULL;
  *counts = t ? nx_new(C, n->in[0]->dtype, t->ndim, t->shape) : NULL;
  if (*counts == NULL) return NULL;
  label = (int64_t *)(void *)t->data;
  for (int64_t i = 0; i < t->len; i++) {
    int ignored = label[i] == a->ignore_index;
    nx_put_number(*counts, (*counts)->data +
                  i * (int64_t)nx_dtype_size((*counts)->dtype), !ignored);
    if (ignored) label[i] = a->base;
  }
  in[0] = n->in[0];
  in[1] = t;
  one.in = in;
  return nx_labels(C, &one, 1, classes, a->base, "classes");
}

static int nll_loss_compose (nx_ctx *C, nx_node *n) {
  const nll_args *a = n->a;
  nx_tensor *x = n->in[0], *w = n->nin > 2 ? n->in[2] : NULL;
  nx_tensor *t, *counts, *each;
  int k = x->ndim > 1;
  if (x->ndim == 0)
    return nx_op_fail(C, n, NEAP_ESHAPE, "x has no class dimension");
  if (check_shapes(C, n)) return nx_status(C);
  t = labels(C, n, x->shape[k], &counts);
  if (t == NULL) return nx_status(C);
  if (w)
    counts = MUL(counts, nx_reshape(C, nx_index_select(C, w, 0,
                 nx_reshape(C, t, 1, &t->len), 0), t->ndim, t->shape));
  each = nx_gather(C, x, k, nx_unsqueeze(C, t, k), 0);
  each = each ? nx_reshape(C, each, t->ndim, t->shape) : NULL;
  each = MUL(nx_neg(C, each), counts);
  if (a->reduction != NX_MEAN) return nx_reduce_loss(C, n, each, a->reduction);
  if (each == NULL || counts == NULL) return nx_status(C);
  return nx_composed(C, n, DIV(nx_sum_all(C, each), nx_sum_all(C, counts)));
}

const nx_op nx_op_nll_loss = {
  .name = "nll_loss",
  .doc = "Minus the log-probability x of the label of each row.",
  .inputs = "x target weight?", .outputs = "y", .fields = nll_fields,
  .argsize = sizeof(nll_args), .compose = nll_loss_compose
};
