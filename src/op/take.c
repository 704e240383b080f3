/*
** Indexing by several tensors of positions at once: what x[{i, j}] does.
**
** The tensors of positions broadcast to one shape, which stands in the
** result where the indexed dimensions were, or, if these were not
** neighbours, in front (as NumPy has it).
*/
#include <string.h>
#include "ops.h"
#include "op/fold.h"
#include "op/broadcast.h"
#include "op/index.h"
#include "op/take.h"
#include "tensor/view.h"

static const nx_field take_fields[] = {
  NX_INTS(nx_take_args, dims, NX_REQUIRED, "indexed dimensions, from 0"),
  NX_BOOL(nx_take_args, accumulate, 0, "add instead of replacing"),
  NX_BASE(nx_take_args, base),
  NX_END
};

/* What an application comes to. */
typedef struct taken {
  nx_tensor *at;               /* rows of the grid below, from 0 */
  int64_t grid[NEAP_MAXDIM];   /* shape of the positions */
  int ngrid, first;            /* where it stands in the result */
  int64_t order[NEAP_MAXDIM];  /* of x: indexed dimensions, then the rest */
  int nrest;
} taken;


static int neighbours (const nx_ints *dims) {
  for (int i = 1; i < dims->n; i++)
    if (dims->v[i] != dims->v[i - 1] + 1) return 0;
  return 1;
}

/* the shape that the positions broadcast to */
static int grid_of (nx_ctx *C, const nx_node *n, int from, taken *t) {
  nx_tensor so_far;
  memset(&so_far, 0, sizeof(so_far));
  for (int i = from; i < n->nin; i++) {
    int type = n->in[i]->dtype;
    if (!nx_is_whole(type) || type == NEAP_BOOL)
      return nx_op_fail(C, n, NEAP_EDTYPE, "positions are %s, expected "
                        "integers (use :to(\"int64\"))", nx_dtype_name(type));
    if (nx_broadcast(C, n->op->name, &so_far, n->in[i], &t->ngrid, t->grid))
      return nx_status(C);
    so_far.ndim = (unsigned char)t->ngrid;
    memcpy(so_far.shape, t->grid, sizeof(t->grid));
  }
  return 0;
}

static int take_order (nx_ctx *C, const nx_node *n, int from, taken *t) {
  const nx_take_args *a = n->a;
  const nx_tensor *x = n->in[0];
  unsigned indexed = 0;
  int k = 0;
  if (a->dims.n != n->nin - from)
    return nx_op_fail(C, n, NEAP_EARG, "%d dimensions for %d tensors of "
                      "positions", a->dims.n, n->nin - from);
  for (int i = 0; i < a->dims.n; i++) {
    if (a->dims.v[i] < 0 || a->dims.v[i] >= x->ndim)
      return nx_op_fail(C, n, NEAP_EINDEX, "there is no such dimension");
    indexed |= 1u << a->dims.v[i];
    t->order[k++] = a->dims.v[i];
  }
  for (int d = 0; d < x->ndim; d++)
    if (!(indexed >> d & 1)) t->order[k++] = d;
  t->nrest = x->ndim - a->dims.n;
  t->first = neighbours(&a->dims) ? (int)a->dims.v[0] : 0;
  return grid_of(C, n, from, t);
}


/* the result's shape: what is before, the grid, the rest */
static int result_shape (nx_ctx *C, const nx_node *n, const taken *t,
                         int64_t *shape) {
  const nx_tensor *x = n->in[0];
  const int64_t *rest = t->order + (x->ndim - t->nrest);
  int k = 0;
  if (t->nrest + t->ngrid > NEAP_MAXDIM) {
    nx_op_fail(C, n, NEAP_ESHAPE, "more than %d dimensions", NEAP_MAXDIM);
    return -1;
  }
  for (int i = 0; i < t->first; i++) shape[k++] = x->shape[rest[i]];
  for (int i = 0; i < t->ngrid; i++) shape[k++] = t->grid[i];
  for (int i = t->first; i < t->nrest; i++) shape[k++] = x->shape[rest[i]];
  return k;
}


/*
** For each place of the grid, which row of x (seen with its indexed
** dimensions in front, as one) it means.
*/
static int rows_of (nx_ctx *C, const nx_node *n, int from, taken *t) {
  const nx_take_args *a = n->a;
  const nx_tensor *x = n->in[0];
  int64_t *row;
  t->at = nx_zeros(C, NEAP_I64, t->ngrid, t->grid);
  if (t->at == NULL) return nx_status(C);
  row = (int64_t *)t->at->data;
  for (int i = from; i < n->nin; i++) {
    int64_t d = a->dims.v[i - from], size = x->shape[d];
    nx_node one = *n;                     /* for the name in the message */
    nx_tensor *p, *in[3];
    in[0] = n->in[0];
    in[1] = in[2] = n->in[i];
    one.in = in;
    p = nx_positions(C, &one, from, size, d, a->base);
    p = p ? nx_view_expand(C, p, t->ngrid, t->grid) : NULL;
    p = p ? nx_dense(C, p) : NULL;
    if (p == NULL) return nx_status(C);
    for (int64_t k = 0; k < p->len; k++)
      row[k] = row[k] * size + ((const int64_t *)p->data)[k];
  }
  return 0;
}

/* x with the indexed dimensions in front */
static nx_tensor *indexed_first (nx_ctx *C, nx_tensor *x, const taken *t) {
  return nx_view_permute(C, x, t->order);
}

/* a tensor of the shape (grid, rest) seen as the result, or back */
static nx_tensor *grid_in_place (nx_ctx *C, nx_tensor *v, const taken *t,
                                 int back) {
  int64_t order[NEAP_MAXDIM];
  int k = 0, n = v->ndim;
  if (back) {
    for (int i = 0; i < t->ngrid; i++) order[k++] = t->first + i;
    for (int i = 0; i < t->first; i++) order[k++] = i;
  }
  else {
    for (int i = 0; i < t->first; i++) order[k++] = t->ngrid + i;
    for (int i = 0; i < t->ngrid; i++) order[k++] = i;
  }
  for (; k < n; k++) order[k] = k;
  return nx_view_permute(C, v, order);
}

static int64_t rest_size (const nx_tensor *x, const taken *t) {
  int64_t n = 1;
  for (int i = x->ndim - t->nrest; i < x->ndim; i++)
    n *= x->shape[t->order[i]];
  return n;
}


static int take_shape (nx_ctx *C, nx_node *n) {
  int64_t shape[NEAP_MAXDIM];
  taken t;
  int ndim;
  if (take_order(C, n, 1, &t)) return nx_status(C);
  ndim = result_shape(C, n, &t, shape);
  if (ndim >= 0) nx_out(C, n, 0, n->in[0]->dtype, ndim, shape);
  return nx_status(C);
}

typedef struct row_copy {
  const char *x;
  char *y;
  const int64_t *at;
  int64_t bytes;
} row_copy;

static void copy_rows (void *arg, int64_t first, int64_t last) {
  const row_copy *r = arg;
  for (int64_t i = first; i < last; i++)
    memcpy(r->y + i * r->bytes, r->x + r->at[i] * r->bytes,
           (size_t)r->bytes);
}

static int take_forward (nx_ctx *C, nx_node *n) {
  nx_tensor *x = n->in[0], *y = n->out[0], *to, *v;
  int64_t shape[NEAP_MAXDIM], rest;
  taken t;
  row_copy r;
  if (take_order(C, n, 1, &t) || rows_of(C, n, 1, &t)) return nx_status(C);
  rest = rest_size(x, &t);
  v = indexed_first(C, x, &t);
  v = v ? nx_dense(C, v) : NULL;
  memcpy(shape, t.grid, sizeof(shape));
  for (int i = 0; i < t.nrest; i++)
    shape[t.ngrid + i] = x->shape[t.order[x->ndim - t.nrest + i]];
  to = t.first == 0 ? y : nx_new(C, x->dtype, y->ndim, shape);
  if (v == NULL || to == NULL || y->len == 0) return nx_status(C);
  r.x = v->data;
  r.y = to->data;
  r.at = (const int64_t *)t.at->data;
  r.bytes = rest * (int64_t)nx_dtype_size(x->dtype);
  nx_pieces(C, t.at->len, rest + 4, copy_rows, &r);
  if (to == y) return 0;
  to = grid_in_place(C, to, &t, 0);
  return to ? nx_copy(C, y, to) : nx_status(C);
}

/* gx = zeros with gy added at the places */
static int take_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                      nx_tensor **gx) {
  nx_tensor *x = n->in[0];
  nx_take_args a = *(nx_take_args *)n->a;
  a.accumulate = 1;
  gx[0] = nx_put(C, nx_zeros(C, x->dtype, x->ndim, x->shape), gy[0], &a,
                 n->nin - 1, n->in + 1);
  return nx_status(C);
}

const nx_op nx_op_index = {
  .name = "index",
  .doc = "Elements of x by tensors of positions; what x[{i, j}] does.",
  .inputs = "x at*", .outputs = "y", .fields = take_fields,
  .argsize = sizeof(nx_take_args), .saves = "at", .flags = NX_INNER,
  .shape = take_shape, .forward = take_forward, .grad = NX_LEARN(take_grad)
};

OPFN nx_tensor *nx_take (nx_ctx *C, nx_tensor *x, const nx_take_args *args,
                         int n, nx_tensor *const *at) {
  nx_take_args a = *args;
  nx_tensor *in[NEAP_MAXDIM + 1];
  in[0] = x;
  for (int i = 0; i < n; i++) in[i + 1] = at[i];
  return nx_apply(C, &nx_op_index, &a, n + 1, in);
}


static int put_shape (nx_ctx *C, nx_node *n) {
  nx_tensor *x = n->in[0], *z = n->in[1], place;
  int64_t shape[NEAP_MAXDIM];
  int ndim;
  taken t;
  char zt[NX_SHAPE_TEXT], pt[NX_SHAPE_TEXT];
  if (take_order(C, n, 2, &t)) return nx_status(C);
  memset(&place, 0, sizeof(place));
  ndim = result_shape(C, n, &t, place.shape);
  if (ndim < 0) return nx_status(C);
  place.ndim = (unsigned char)ndim;
  if (nx_broadcast(C, n->op->name, &place, z, &ndim, shape))
    return nx_status(C);
  if (ndim != place.ndim ||
      memcmp(shape, place.shape, (size_t)ndim * sizeof(*shape)) != 0)
    return nx_op_fail(C, n, NEAP_ESHAPE, "z is %s and does not fit into the "
                      "places (%s)", nx_shape_of(z, zt),
                      nx_shape_of(&place, pt));
  nx_out_like(C, n, 0, x);
  return nx_status(C);
}

/* rows in the order of the positions, on one thread: same bits */
static void put_rows (nx_map_fn *sum, nx_tensor *to, nx_tensor *z,
                      const taken *t, int64_t rest) {
  int64_t bytes = rest * (int64_t)nx_dtype_size(to->dtype);
  const int64_t *at = (const int64_t *)t->at->data;
  for (int64_t i = 0; i < t->at->len; i++) {
    void *p[3];
    p[0] = p[1] = to->data + at[i] * bytes;
    p[2] = z->data + i * bytes;
    if (sum) sum((size_t)rest, p, 0, NULL);
    else memcpy(p[0], p[2], (size_t)bytes);
  }
}

static int put_forward (nx_ctx *C, nx_node *n) {
  const nx_take_args *a = n->a;
  nx_tensor *x = n->in[0], *y = n->out[0], *z, *v, *to;
  int64_t shape[NEAP_MAXDIM];
  taken t;
  int ndim;
  if (take_order(C, n, 2, &t) || rows_of(C, n, 2, &t)) return nx_status(C);
  ndim = result_shape(C, n, &t, shape);
  z = nx_typed(C, n->in[1], x->dtype);
  z = z ? nx_view_expand(C, z, ndim, shape) : NULL;
  z = z ? grid_in_place(C, z, &t, 1) : NULL;
  z = z ? nx_dense_apart(C, z, y) : NULL;
  if (z == NULL || (!n->inplace && nx_copy(C, y, x))) return nx_status(C);
  v = indexed_first(C, y, &t);
  to = v ? nx_dense(C, v) : NULL;
  if (to == NULL) return nx_status(C);
  put_rows(a->accumulate ? nx_summing(C, x->dtype) : NULL, to, z, &t,
           rest_size(x, &t));
  return to == v ? 0 : nx_copy(C, v, to);
}

/* gx = gy, but 0 at places that were replaced; gz = gy at the places */
static int put_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                     nx_tensor **gx) {
  nx_take_args a = *(nx_take_args *)n->a;
  nx_tensor *z = n->in[1], *g;
  int count = n->nin - 2;
  if (n->wants[0])
    gx[0] = a.accumulate ? gy[0]
          : nx_put(C, gy[0], nx_from_number(C, 0), &a, count, n->in + 2);
  if (n->wants[1]) {
    g = nx_take(C, gy[0], &a, count, n->in + 2);
    gx[1] = nx_to(C, nx_sum_to(C, g, z), z->dtype);
  }
  return nx_status(C);
}

const nx_op nx_op_index_put = {
  .name = "index_put",
  .doc = "x with z, broadcast, at places given by tensors of positions; what "
         "x[{i, j}] = z does.",
  .inputs = "x z at*", .outputs = "y", .fields = take_fields,
  .argsize = sizeof(nx_take_args), .saves = "at",
  .flags = NX_INNER | NX_INPLACE,
  .shape = put_shape, .forward = put_forward, .grad = NX_LEARN(put_grad)
};

OPFN nx_tensor *nx_put (nx_ctx *C, nx_tensor *x, nx_tensor *z,
                        const nx_take_args *args, int n,
                        nx_tensor *const *at) {
  nx_take_args a = *args;
  nx_tensor *in[NEAP_MAXDIM + 2];
  in[0] = x;
  in[1] = z;
  for (int i = 0; i < n; i++) in[i + 2] = at[i];
  return nx_apply(C, &nx_op_index_put, &a, n + 2, in);
}
