/*
** A tensor in pieces along a dimension, without a copy: as many results as
** there are pieces. Their gradients are joined in one go.
*/
#include <string.h>
#include "ops.h"
#include "tensor/view.h"


static int piece (nx_ctx *C, nx_node *n, int i, int64_t dim, int64_t from,
                  int64_t size) {
  n->out[i] = nx_view_part(C, n->in[0], (int)dim, from, size, 1);
  n->nout = i + 1;
  return nx_status(C);
}

/* pieces of one size, the last one maybe smaller; one empty for nothing */
static int equal_pieces (nx_ctx *C, nx_node *n, int64_t dim, int64_t size) {
  int64_t total = n->in[0]->shape[dim];
  int64_t count = total > 0 ? total / size + (total % size != 0) : 1;
  if (count > INT32_MAX)
    return nx_op_fail(C, n, NEAP_EARG, "too many pieces");
  if (nx_out_room(C, n, (int)count)) return nx_status(C);
  for (int64_t i = 0; i < count; i++) {
    int64_t from = i * size, rest = total - from;
    if (piece(C, n, (int)i, dim, from, rest < size ? rest : size))
      return nx_status(C);
  }
  return 0;
}

static int some_dim (nx_ctx *C, const nx_node *n, int64_t *dim) {
  if (n->in[0]->ndim == 0)
    return nx_op_fail(C, n, NEAP_ESHAPE, "a 0-d tensor has no dimensions");
  return nx_dim(C, n->op->name, n->in[0], dim);
}


/* gx = all gy, one after the other */
static int joined (nx_ctx *C, const nx_node *n, int64_t dim, nx_tensor **gy,
                   nx_tensor **gx) {
  gx[0] = n->nout == 1 ? gy[0] : nx_cat(C, n->nout, gy, dim);
  return nx_status(C);
}


typedef struct split_args { nx_list sizes; int64_t dim; } split_args;

static const nx_field split_fields[] = {
  NX_LIST(split_args, sizes, NX_REQUIRED,
          "the size of every piece, or a list of all sizes"),
  NX_DIM(split_args, dim, 0, "dimension to cut"),
  NX_END
};

static int split_shape (nx_ctx *C, nx_node *n) {
  split_args *a = n->a;
  int64_t total = 0, size;
  char text[NX_SHAPE_TEXT];
  if (some_dim(C, n, &a->dim)) return nx_status(C);
  size = n->in[0]->shape[a->dim];
  for (int i = 0; i < a->sizes.n; i++) {
    if (a->sizes.v[i] < 0 || (a->sizes.n == 1 && a->sizes.v[i] == 0 && size))
      return nx_op_fail(C, n, NEAP_EARG, "a piece of size %lld is not "
                        "possible", (long long)a->sizes.v[i]);
    total = a->sizes.v[i] > INT64_MAX - total ? INT64_MAX
            : total + a->sizes.v[i];
  }
  if (a->sizes.n == 1) return equal_pieces(C, n, a->dim, a->sizes.v[0]);
  if (total != size)
    return nx_op_fail(C, n, NEAP_ESHAPE, "the sizes add up to %lld, but "
                      "dimension %lld has %lld (x is %s)", (long long)total,
                      (long long)a->dim + C->base, (long long)size,
                      nx_shape_of(n->in[0], text));
  if (nx_out_room(C, n, a->sizes.n)) return nx_status(C);
  total = 0;
  for (int i = 0; i < a->sizes.n; i++) {
    if (piece(C, n, i, a->dim, total, a->sizes.v[i])) return nx_status(C);
    total += a->sizes.v[i];
  }
  return 0;
}

static int split_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                       nx_tensor **gx) {
  return joined(C, n, ((split_args *)n->a)->dim, gy, gx);
}

const nx_op nx_op_split = {
  .name = "split",
  .doc = "A list of pieces of one size (the last may be smaller) or of "
         "given sizes.",
  .inputs = "x", .outputs = "ys*", .fields = split_fields,
  .argsize = sizeof(split_args), .flags = NX_VIEW,
  .shape = split_shape, .grad = NX_LEARN(split_grad)
};


typedef struct chunk_args { int64_t chunks, dim; } chunk_args;

static const nx_field chunk_fields[] = {
  NX_INT(chunk_args, chunks, NX_REQUIRED, "how many pieces at most"),
  NX_DIM(chunk_args, dim, 0, "dimension to cut"),
  NX_END
};

static int chunk_shape (nx_ctx *C, nx_node *n) {
  chunk_args *a = n->a;
  int64_t size;
  if (some_dim(C, n, &a->dim)) return nx_status(C);
  if (a->chunks < 1)
    return nx_op_fail(C, n, NEAP_EARG, "chunks is %lld, expected 1 or more",
                      (long long)a->chunks);
  size = n->in[0]->shape[a->dim];
  if (size == 0) {                     /* as many empty ones */
    if (a->chunks > INT32_MAX)
      return nx_op_fail(C, n, NEAP_EARG, "too many pieces");
    if (nx_out_room(C, n, (int)a->chunks))
      return nx_status(C);
    for (int i = 0; i < a->chunks; i++)
      if (piece(C, n, i, a->dim, 0, 0)) return nx_status(C);
    return 0;
  }
  size = size / a->chunks + (size % a->chunks != 0);
  return equal_pieces(C, n, a->dim, size ? size : 1);
}

static int chunk_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                       nx_tensor **gx) {
  return joined(C, n, ((chunk_args *)n->a)->dim, gy, gx);
}

const nx_op nx_op_chunk = {
  .name = "chunk",
  .doc = "A list of at most so many pieces of one size; the last may be "
         "smaller.",
  .inputs = "x", .outputs = "ys*", .fields = chunk_fields,
  .argsize = sizeof(chunk_args), .flags = NX_VIEW,
  .shape = chunk_shape, .grad = NX_LEARN(chunk_grad)
};


typedef struct unbind_args { int64_t dim; } unbind_args;

static const nx_field unbind_fields[] = {
  NX_DIM(unbind_args, dim, 0, "dimension to take apart"),
  NX_END
};

static int unbind_shape (nx_ctx *C, nx_node *n) {
  unbind_args *a = n->a;
  nx_tensor *x = n->in[0];
  int64_t shape[NEAP_MAXDIM], count;
  int ndim = 0;
  if (some_dim(C, n, &a->dim)) return nx_status(C);
  count = x->shape[a->dim];
  if (count > INT32_MAX)
    return nx_op_fail(C, n, NEAP_EARG, "too many pieces");
  for (int d = 0; d < x->ndim; d++)
    if (d != a->dim) shape[ndim++] = x->shape[d];
  if (nx_out_room(C, n, (int)count)) return nx_status(C);
  for (int64_t i = 0; i < count; i++) {
    nx_tensor *part = nx_view_part(C, x, (int)a->dim, i, 1, 1);
    n->out[i] = part ? nx_view_shape(C, part, ndim, shape) : NULL;
    n->nout = (int)i + 1;
    if (n->out[i] == NULL) return nx_status(C);
  }
  return 0;
}

/* gx = all gy, each with its dimension again, one after the other */
static int unbind_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                        nx_tensor **gx) {
  gx[0] = n->nout ? nx_stack(C, n->nout, gy, ((unbind_args *)n->a)->dim)
                  : NULL;
  return nx_status(C);
}

const nx_op nx_op_unbind = {
  .name = "unbind",
  .doc = "A list of the slices of a dimension, which they lose.",
  .inputs = "x", .outputs = "ys*", .fields = unbind_fields,
  .argsize = sizeof(unbind_args), .flags = NX_VIEW,
  .shape = unbind_shape, .grad = NX_LEARN(unbind_grad)
};
