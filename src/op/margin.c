/*
** Losses with a margin: what is right must be better than what is wrong by
** so much, and then costs nothing.
*/
#include "op/composed.h"
#include "op/index.h"
#include "op/loss.h"

typedef struct margin_args {
  double margin, p, eps;
  int swap, reduction;
  int64_t base;
} margin_args;

#define MARGIN(fallback) \
  NX_NUMBER(margin_args, margin, fallback, "by how much")

static nx_tensor *above_zero (nx_ctx *C, nx_tensor *x) {
  return x ? nx_relu(C, x) : NULL;
}


static const nx_field hinge_fields[] = {
  MARGIN(1), NX_REDUCTION(margin_args), NX_END
};

static const nx_field from_zero_fields[] = {
  MARGIN(0), NX_REDUCTION(margin_args), NX_END
};

/* max(0, margin - t x) for t of -1 and 1 */
static int hinge_loss_compose (nx_ctx *C, nx_node *n) {
  const margin_args *a = n->a;
  if (nx_want_alike(C, n, 0, 1)) return nx_status(C);
  return nx_reduce_loss(C, n, above_zero(C, SUB(NUM(a->margin),
                                            MUL(n->in[0], n->in[1]))),
                    a->reduction);
}

const nx_op nx_op_hinge_loss = {
  .name = "hinge_loss",
  .doc = "max(0, margin - target x) for targets -1 and 1: that of support "
         "vector machines.",
  .inputs = "x target", .outputs = "y", .fields = hinge_fields,
  .argsize = sizeof(margin_args), .compose = hinge_loss_compose
};


/* x where t is 1, max(0, margin - x) where it is -1 */
static int hinge_embedding_loss_compose (nx_ctx *C, nx_node *n) {
  const margin_args *a = n->a;
  nx_tensor *x = n->in[0], *t = n->in[1], *far, *each;
  if (nx_want_alike(C, n, 0, 1)) return nx_status(C);
  far = above_zero(C, SUB(NUM(a->margin), x));
  each = nx_where(C, nx_eq(C, t, NUM(1)), x,
                  nx_where(C, nx_eq(C, t, NUM(-1)), far, ADD(x, far)));
  return nx_reduce_loss(C, n, each, a->reduction);
}

const nx_op nx_op_hinge_embedding_loss = {
  .name = "hinge_embedding_loss",
  .doc = "Distances x where target is 1, max(0, margin - x) where it is -1.",
  .inputs = "x target", .outputs = "y", .fields = hinge_fields,
  .argsize = sizeof(margin_args), .compose = hinge_embedding_loss_compose
};


/* log(1 + e^(-t x)) */
static const nx_field soft_margin_fields[] = {
  NX_REDUCTION(margin_args), NX_END
};

static int soft_margin_loss_compose (nx_ctx *C, nx_node *n) {
  if (nx_want_alike(C, n, 0, 1)) return nx_status(C);
  return nx_reduce_loss(C, n, nx_neg(C, nx_logsigmoid(C, MUL(n->in[0],
                                                         n->in[1]))),
                    ((margin_args *)n->a)->reduction);
}

const nx_op nx_op_soft_margin_loss = {
  .name = "soft_margin_loss",
  .doc = "log(1 + e^(-target x)) for targets -1 and 1.",
  .inputs = "x target", .outputs = "y", .fields = soft_margin_fields,
  .argsize = sizeof(margin_args), .compose = soft_margin_loss_compose
};


/* max(0, margin - t (x - z)) */
static int margin_ranking_loss_compose (nx_ctx *C, nx_node *n) {
  const margin_args *a = n->a;
  nx_tensor *d;
  if (nx_want_alike(C, n, 0, 1)) return nx_status(C);
  d = MUL(n->in[2], SUB(n->in[0], n->in[1]));
  return nx_reduce_loss(C, n, above_zero(C, SUB(NUM(a->margin), d)),
                    a->reduction);
}

const nx_op nx_op_margin_ranking_loss = {
  .name = "margin_ranking_loss",
  .doc = "max(0, margin - target (x - z)): x should be above z where target "
         "is 1, below where it is -1.",
  .inputs = "x z target", .outputs = "y", .fields = from_zero_fields,
  .argsize = sizeof(margin_args), .compose = margin_ranking_loss_compose
};


static nx_tensor *last_sum (nx_ctx *C, nx_tensor *x) {
  nx_ints last = {1, {-1}};
  return x ? nx_sum(C, x, last, 0) : NULL;
}

/* 1 - cos(x, z) where t is 1, max(0, cos - margin) where it is -1 */
static int cosine_embedding_loss_compose (nx_ctx *C, nx_node *n) {
  const margin_args *a = n->a;
  nx_tensor *x = n->in[0], *z = n->in[1], *t = n->in[2], *cos, *norms, *each;
  nx_tensor *e = NUM(1e-12);
  char text[NX_SHAPE_TEXT];
  if (nx_want_alike(C, n, 0, 1)) return nx_status(C);
  if ((x->ndim != 1 && x->ndim != 2) || t->ndim != x->ndim - 1 ||
      (t->ndim == 1 && t->len != x->shape[0]))
    return nx_op_fail(C, n, NEAP_ESHAPE, "target is %s; expected (batch) for "
                      "x and z of (batch, size), or no dimensions for "
                      "vectors", nx_shape_of(t, text));
  norms = MUL(ADD(last_sum(C, MUL(x, x)), e), ADD(last_sum(C, MUL(z, z)), e));
  cos = DIV(last_sum(C, MUL(x, z)), norms ? nx_sqrt(C, norms) : NULL);
  each = nx_where(C, nx_eq(C, t, NUM(1)), SUB(NUM(1), cos),
                  above_zero(C, SUB(cos, NUM(a->margin))));
  return nx_reduce_loss(C, n, each, a->reduction);
}

const nx_op nx_op_cosine_embedding_loss = {
  .name = "cosine_embedding_loss",
  .doc = "1 - cos(x, z) where target is 1, max(0, cos(x, z) - margin) where "
         "it is -1.",
  .inputs = "x z target", .outputs = "y", .fields = from_zero_fields,
  .argsize = sizeof(margin_args), .compose = cosine_embedding_loss_compose
};


/*
** triplet_margin_loss: max(0, |a - p + eps| - |a - n + eps| + margin), the
** norms along the last dimension (Balntas et al. 2016; swap: their
** section 3.3).
*/
static const nx_field triplet_fields[] = {
  MARGIN(1),
  NX_NUMBER(margin_args, p, 2, "of the norm"),
  NX_NUMBER(margin_args, eps, 1e-6, "added to differences"),
  NX_BOOL(margin_args, swap, 0, "use the distance of p and n if it is "
          "smaller than that of a and n"),
  NX_REDUCTION(margin_args), NX_END
};

static nx_tensor *apart (nx_ctx *C, const margin_args *a, nx_tensor *x,
                         nx_tensor *z) {
  nx_ints last = {1, {x->ndim - 1}};
  nx_tensor *d = ADD(SUB(x, z), NUM(a->eps));
  return d ? nx_norm(C, d, a->p, last, 0) : NULL;
}

static int triplet_margin_loss_compose (nx_ctx *C, nx_node *n) {
  const margin_args *a = n->a;
  nx_tensor *near, *far;
  if (nx_want_alike(C, n, 0, 1) || nx_want_alike(C, n, 0, 2))
    return nx_status(C);
  if (n->in[0]->ndim == 0)
    return nx_op_fail(C, n, NEAP_ESHAPE, "anchor has no dimensions");
  near = apart(C, a, n->in[0], n->in[1]);
  far = apart(C, a, n->in[0], n->in[2]);
  if (a->swap && far)
    far = nx_minimum(C, far, apart(C, a, n->in[1], n->in[2]));
  return nx_reduce_loss(C, n, above_zero(C, ADD(SUB(near, far),
                                            NUM(a->margin))), a->reduction);
}

const nx_op nx_op_triplet_margin_loss = {
  .name = "triplet_margin_loss",
  .doc = "The anchor should be nearer to the positive than to the negative, "
         "by a margin.",
  .inputs = "anchor positive negative", .outputs = "y",
  .fields = triplet_fields, .argsize = sizeof(margin_args),
  .compose = triplet_margin_loss_compose
};


/*
** multi_margin_loss: of each row, the sum over the wrong classes j of
** max(0, margin - x_t + x_j)^p / classes, times the weight of t (Crammer
** and Singer 2001).
*/
static const nx_field multi_margin_fields[] = {
  NX_NUMBER(margin_args, p, 1, "1 or 2"),
  MARGIN(1), NX_REDUCTION(margin_args), NX_BASE(margin_args, base), NX_END
};

static int multi_margin_loss_compose (nx_ctx *C, nx_node *n) {
  const margin_args *a = n->a;
  nx_tensor *x = n->in[0], *w = n->nin > 2 ? n->in[2] : NULL;
  nx_tensor *at, *right, *cost, *is_right;
  int64_t shape[2];
  char xt[NX_SHAPE_TEXT], tt[NX_SHAPE_TEXT];
  if (nx_want_float(C, n, 0) || nx_want_whole(C, n, 1)) return nx_status(C);
  if (x->ndim != 2 || n->in[1]->ndim != 1 || n->in[1]->len != x->shape[0])
    return nx_op_fail(C, n, NEAP_ESHAPE, "x is %s and target %s, expected "
                      "(batch, classes) and (batch)", nx_shape_of(x, xt),
                      nx_shape_of(n->in[1], tt));
  if (a->p != 1 && a->p != 2)
    return nx_op_fail(C, n, NEAP_EARG, "p is %g, expected 1 or 2", a->p);
  at = nx_labels(C, n, 1, x->shape[1], a->base, "classes");
  if (at == NULL) return nx_status(C);
  shape[0] = x->shape[0];
  shape[1] = 1;
  at = nx_reshape(C, at, 2, shape);
  right = nx_gather(C, x, 1, at, 0);
  cost = above_zero(C, ADD(SUB(x, right), NUM(a->margin)));
  if (a->p == 2) cost = MUL(cost, cost);
  is_right = nx_scatter_add(C, nx_zeros(C, x->dtype, 2, x->shape), 1, at,
                            ADD(nx_zeros(C, x->dtype, 2, shape), NUM(1)), 0);
  cost = MUL(cost, SUB(NUM(1), is_right));
  if (w) cost = MUL(cost, nx_reshape(C, nx_gather(C, w, 0, nx_reshape(C, at,
                    1, shape), 0), 2, shape));
  return nx_reduce_loss(C, n, DIV(last_sum(C, cost), NUM((double)x->shape[1])),
                    a->reduction);
}

const nx_op nx_op_multi_margin_loss = {
  .name = "multi_margin_loss",
  .doc = "The score of the right class should be above all others by a "
         "margin.",
  .inputs = "x target weight?", .outputs = "y",
  .fields = multi_margin_fields, .argsize = sizeof(margin_args),
  .compose = multi_margin_loss_compose
};
