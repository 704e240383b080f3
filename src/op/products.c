/*
** Products made of others: with something added, of all pairs, distances.
*/
#include <math.h>
#include <string.h>
#include "op/composed.h"


/* y = x z^T for vectors */
static int outer_compose (nx_ctx *C, nx_node *n) {
  nx_tensor *x = n->in[0], *z = n->in[1];
  char xt[NX_SHAPE_TEXT], zt[NX_SHAPE_TEXT];
  if (x->ndim != 1 || z->ndim != 1)
    return nx_op_fail(C, n, NEAP_ESHAPE, "x is %s and z is %s, expected one "
                      "dimension for both", nx_shape_of(x, xt),
                      nx_shape_of(z, zt));
  return nx_composed(C, n, MUL(nx_unsqueeze(C, x, 1), z));
}

const nx_op nx_op_outer = {
  .name = "outer", .doc = "The products of all pairs of elements.",
  .inputs = "x z", .outputs = "y", .compose = outer_compose
};


/*
** y = beta x + alpha m1 m2; with beta = 0, x is not looked at.
*/
typedef struct addmm_args { double beta, alpha; } addmm_args;

static const nx_field addmm_fields[] = {
  NX_NUMBER(addmm_args, beta, 1, "factor of x; 0: x is not looked at"),
  NX_NUMBER(addmm_args, alpha, 1, "factor of the product"),
  NX_END
};

static nx_tensor *times (nx_ctx *C, nx_tensor *t, double factor) {
  return factor == 1 ? t : MUL(t, NUM(factor));
}

static int add_product (nx_ctx *C, nx_node *n, int m1, int m2) {
  const addmm_args *a = n->a;
  nx_tensor *p;
  char xt[NX_SHAPE_TEXT], zt[NX_SHAPE_TEXT];
  if (n->in[1]->ndim != m1 || n->in[2]->ndim != m2)
    return nx_op_fail(C, n, NEAP_ESHAPE, "m1 is %s and m2 is %s, expected %d "
                      "and %d dimensions", nx_shape_of(n->in[1], xt),
                      nx_shape_of(n->in[2], zt), m1, m2);
  p = times(C, nx_matmul(C, n->in[1], n->in[2]), a->alpha);
  if (a->beta != 0) p = ADD(times(C, n->in[0], a->beta), p);
  return nx_composed(C, n, p);
}

#define PLUS_PRODUCT(id, m1, m2, text) \
static int id##_compose (nx_ctx *C, nx_node *n) { \
  return add_product(C, n, m1, m2); \
} \
const nx_op nx_op_##id = { \
  .name = #id, .doc = text, .inputs = "x m1 m2", .outputs = "y", \
  .fields = addmm_fields, .argsize = sizeof(addmm_args), \
  .compose = id##_compose \
};

PLUS_PRODUCT(addmm, 2, 2, "beta x + alpha m1 m2, for matrices.")
PLUS_PRODUCT(addmv, 2, 1, "beta x + alpha m1 m2, for a matrix and a vector.")
PLUS_PRODUCT(baddbmm, 3, 3, "beta x + alpha m1 m2, for batches of matrices.")


/*
** tensordot: the sum over pairs of dimensions, the last of x with the first
** of z, or those that are named.
*/
typedef struct tensordot_args { int64_t count; nx_ints x, z; } tensordot_args;

static const nx_field tensordot_fields[] = {
  NX_INT(tensordot_args, count, 2,
         "how many dimensions, where none are named"),
  {"x_dims", NX_KIND_DIMS, offsetof(tensordot_args, x), NX_UNSET, NULL,
   "dimensions of x to sum over"},
  {"z_dims", NX_KIND_DIMS, offsetof(tensordot_args, z), NX_UNSET, NULL,
   "dimensions of z, one for each of x"},
  NX_END
};

/* t as a matrix: 'last' dimensions behind (or in front), others joined */
static nx_tensor *as_matrix (nx_ctx *C, nx_tensor *t, const nx_ints *dims,
                             int behind, int64_t *kept, int *nkept) {
  unsigned chosen = 0;
  nx_ints order = {0, {0}};
  int64_t shape[2] = {1, 1};
  for (int i = 0; i < dims->n; i++) {
    chosen |= 1u << dims->v[i];
    shape[behind] *= t->shape[dims->v[i]];
  }
  if (!behind)
    for (int i = 0; i < dims->n; i++) order.v[order.n++] = dims->v[i];
  for (int d = 0; d < t->ndim; d++) {
    if (chosen >> d & 1) continue;
    order.v[order.n++] = d;
    kept[(*nkept)++] = t->shape[d];
    shape[!behind] *= t->shape[d];
  }
  if (behind)
    for (int i = 0; i < dims->n; i++) order.v[order.n++] = dims->v[i];
  return nx_reshape(C, nx_permute(C, t, order), 2, shape);
}

static int check_pairs (nx_ctx *C, nx_node *n) {
  tensordot_args *a = n->a;
  nx_tensor *x = n->in[0], *z = n->in[1];
  char xt[NX_SHAPE_TEXT], zt[NX_SHAPE_TEXT];
  unsigned sx = 0, sz = 0;
  if (a->x.n < 0 && a->z.n < 0) {
    if (a->count < 0 || a->count > x->ndim || a->count > z->ndim)
      return nx_op_fail(C, n, NEAP_EARG, "count is %lld for tensors of %d and "
                        "%d dimensions", (long long)a->count, x->ndim,
                        z->ndim);
    a->x.n = a->z.n = (int)a->count;
    for (int i = 0; i < a->x.n; i++) {
      a->x.v[i] = x->ndim - a->count + i;
      a->z.v[i] = i;
    }
  }
  if (a->x.n != a->z.n)
    return nx_op_fail(C, n, NEAP_EARG, "x_dims and z_dims must be equally "
                      "many");
  for (int i = 0; i < a->x.n; i++) {
    if (nx_dim(C, n->op->name, x, &a->x.v[i]) ||
        nx_dim(C, n->op->name, z, &a->z.v[i])) return nx_status(C);
    if ((sx >> a->x.v[i] & 1) || (sz >> a->z.v[i] & 1))
      return nx_op_fail(C, n, NEAP_EARG, "a dimension is given twice");
    sx |= 1u << a->x.v[i];
    sz |= 1u << a->z.v[i];
    if (x->shape[a->x.v[i]] != z->shape[a->z.v[i]])
      return nx_op_fail(C, n, NEAP_ESHAPE, "x is %s and z is %s: dimensions "
                        "%lld and %lld differ", nx_shape_of(x, xt),
                        nx_shape_of(z, zt), (long long)a->x.v[i] + C->base,
                        (long long)a->z.v[i] + C->base);
  }
  return 0;
}

static int tensordot_compose (nx_ctx *C, nx_node *n) {
  tensordot_args *a = n->a;
  int64_t shape[2 * NEAP_MAXDIM];
  int ndim = 0;
  nx_tensor *x, *z;
  if (check_pairs(C, n)) return nx_status(C);
  x = as_matrix(C, n->in[0], &a->x, 1, shape, &ndim);
  z = as_matrix(C, n->in[1], &a->z, 0, shape, &ndim);
  if (ndim > NEAP_MAXDIM)
    return nx_op_fail(C, n, NEAP_ESHAPE, "more than %d dimensions",
                      NEAP_MAXDIM);
  return nx_composed(C, n, nx_reshape(C, nx_matmul(C, x, z), ndim, shape));
}

const nx_op nx_op_tensordot = {
  .name = "tensordot",
  .doc = "The sum of products over pairs of dimensions.",
  .inputs = "x z", .outputs = "y", .fields = tensordot_fields,
  .argsize = sizeof(tensordot_args), .compose = tensordot_compose
};


/*
** kron: every element of x times all of z, as blocks: (a, 1) times (1, b)
** for each dimension, joined.
*/
static int kron_compose (nx_ctx *C, nx_node *n) {
  nx_tensor *x = n->in[0], *z = n->in[1], *y;
  int ndim = x->ndim > z->ndim ? x->ndim : z->ndim;
  int64_t xs[NEAP_MAXDIM], zs[NEAP_MAXDIM], joined[NEAP_MAXDIM];
  if (2 * ndim > NEAP_MAXDIM)
    return nx_op_fail(C, n, NEAP_ESHAPE, "%d dimensions, at most %d are "
                      "possible", ndim, NEAP_MAXDIM / 2);
  for (int d = 0; d < ndim; d++) {
    int dx = d - (ndim - x->ndim), dz = d - (ndim - z->ndim);
    xs[2 * d] = dx < 0 ? 1 : x->shape[dx];
    zs[2 * d + 1] = dz < 0 ? 1 : z->shape[dz];
    xs[2 * d + 1] = zs[2 * d] = 1;
    joined[d] = xs[2 * d] * zs[2 * d + 1];
  }
  y = MUL(nx_reshape(C, x, 2 * ndim, xs), nx_reshape(C, z, 2 * ndim, zs));
  return nx_composed(C, n, nx_reshape(C, y, ndim, joined));
}

const nx_op nx_op_kron = {
  .name = "kron", .doc = "Every element of x times all of z, as blocks.",
  .inputs = "x z", .outputs = "y", .compose = kron_compose
};


/*
** cdist: distances (sum |x - z|^p)^(1/p) between all rows of x and of z.
*/
typedef struct cdist_args { double p; } cdist_args;

static const nx_field cdist_fields[] = {
  NX_NUMBER(cdist_args, p, 2, "exponent; also math.huge and 0"),
  NX_END
};

static int cdist_compose (nx_ctx *C, nx_node *n) {
  nx_tensor *x = n->in[0], *z = n->in[1], *far;
  nx_ints last = {1, {-1}};
  char xt[NX_SHAPE_TEXT], zt[NX_SHAPE_TEXT];
  if (x->ndim < 2 || z->ndim < 2 || x->ndim == NEAP_MAXDIM ||
      x->shape[x->ndim - 1] != z->shape[z->ndim - 1])
    return nx_op_fail(C, n, NEAP_ESHAPE, "x is %s and z is %s, expected rows "
                      "of one length", nx_shape_of(x, xt),
                      nx_shape_of(z, zt));
  far = SUB(nx_unsqueeze(C, x, x->ndim - 1), nx_unsqueeze(C, z, z->ndim - 2));
  return nx_composed(C, n, nx_norm(C, far, ((cdist_args *)n->a)->p, last, 0));
}

const nx_op nx_op_cdist = {
  .name = "cdist", .doc = "Distances between all rows of x and all of z.",
  .inputs = "x z", .outputs = "y", .fields = cdist_fields,
  .argsize = sizeof(cdist_args), .compose = cdist_compose
};


typedef struct pairwise_args { double p, eps; int keepdim; } pairwise_args;

static const nx_field pairwise_fields[] = {
  NX_NUMBER(pairwise_args, p, 2, "exponent"),
  NX_NUMBER(pairwise_args, eps, 1e-6, "added to each difference"),
  NX_BOOL(pairwise_args, keepdim, 0, "keep the last dimension with size 1"),
  NX_END
};

static int pairwise_distance_compose (nx_ctx *C, nx_node *n) {
  const pairwise_args *a = n->a;
  nx_ints last = {1, {-1}};
  nx_tensor *far = ADD(SUB(n->in[0], n->in[1]), NUM(a->eps));
  return nx_composed(C, n, nx_norm(C, far, a->p, last, a->keepdim));
}

const nx_op nx_op_pairwise_distance = {
  .name = "pairwise_distance",
  .doc = "The distance of each row of x from the same row of z.",
  .inputs = "x z", .outputs = "y", .fields = pairwise_fields,
  .argsize = sizeof(pairwise_args), .compose = pairwise_distance_compose
};


/*
** normalize: x / max(norm, eps) along a dimension; cosine_similarity: the
** product of two directions.
*/
typedef struct normalize_args { double p; int64_t dim; double eps; }
  normalize_args;

static const nx_field normalize_fields[] = {
  NX_NUMBER(normalize_args, p, 2, "exponent of the norm"),
  NX_DIM(normalize_args, dim, 1, "dimension whose norm becomes 1"),
  NX_NUMBER(normalize_args, eps, 1e-12, "the norm counts as this at least"),
  NX_END
};

static nx_tensor *norm_at_least (nx_ctx *C, nx_tensor *x, double p,
                                 int64_t dim, double eps) {
  nx_ints dims = {1, {dim}};
  return nx_maximum(C, nx_norm(C, x, p, dims, 1), NUM(eps));
}

static int normalize_compose (nx_ctx *C, nx_node *n) {
  const normalize_args *a = n->a;
  nx_tensor *x = n->in[0];
  return nx_composed(C, n, DIV(x, norm_at_least(C, x, a->p, a->dim, a->eps)));
}

const nx_op nx_op_normalize = {
  .name = "normalize", .doc = "x divided by its norm along a dimension.",
  .inputs = "x", .outputs = "y", .fields = normalize_fields,
  .argsize = sizeof(normalize_args), .compose = normalize_compose
};


typedef struct cosine_args { int64_t dim; double eps; } cosine_args;

static const nx_field cosine_fields[] = {
  NX_DIM(cosine_args, dim, 1, "dimension of the vectors"),
  NX_NUMBER(cosine_args, eps, 1e-8, "norms count as this at least"),
  NX_END
};

static int cosine_similarity_compose (nx_ctx *C, nx_node *n) {
  const cosine_args *a = n->a;
  nx_ints dims = {1, {a->dim}};
  nx_tensor *x = n->in[0], *z = n->in[1];
  int64_t shape[NEAP_MAXDIM];
  int ndim;
  if (nx_broadcast(C, n->op->name, x, z, &ndim, shape)) return nx_status(C);
  x = nx_expand(C, x, ndim, shape);
  z = nx_expand(C, z, ndim, shape);
  x = DIV(x, norm_at_least(C, x, 2, a->dim, a->eps));
  z = DIV(z, norm_at_least(C, z, 2, a->dim, a->eps));
  return nx_composed(C, n, nx_sum(C, MUL(x, z), dims, 0));
}

const nx_op nx_op_cosine_similarity = {
  .name = "cosine_similarity",
  .doc = "The cosine of the angle between vectors.",
  .inputs = "x z", .outputs = "y", .fields = cosine_fields,
  .argsize = sizeof(cosine_args), .compose = cosine_similarity_compose
};
