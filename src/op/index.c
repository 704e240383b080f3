/*
** Elements and rows by tensors of positions. 'base' is what positions
** count from; they are checked before anything is done.
*/
#include <stdio.h>
#include <string.h>
#include "ops.h"
#include "op/fold.h"
#include "op/broadcast.h"
#include "op/index.h"
#include "op/slice.h"
#include "tensor/view.h"

typedef struct index_args { int64_t dim, base; } index_args;

static const nx_field index_fields[] = {
  NX_DIM(index_args, dim, NX_REQUIRED, "dimension that positions count"),
  NX_BASE(index_args, base),
  NX_END
};


static nx_tensor *whole_numbers (nx_ctx *C, const nx_node *n, int i) {
  nx_tensor *t = nx_typed(C, n->in[i], NEAP_I64);
  return t ? nx_dense(C, t) : NULL;
}

nx_tensor *nx_positions (nx_ctx *C, const nx_node *n, int i, int64_t size,
                         int64_t dim, int64_t base) {
  nx_tensor *t = whole_numbers(C, n, i), *p;
  const int64_t *from;
  int64_t *to;
  char name[32], where[48] = "x";
  if (t == NULL || (p = nx_new_like(C, t)) == NULL) return NULL;
  from = (const int64_t *)t->data;
  to = (int64_t *)p->data;
  for (int64_t k = 0; k < t->len; k++) {
    int64_t at = from[k] < 0 ? from[k] + size : from[k] - base;
    if (at < 0 || at >= size) {
      if (dim >= 0)
        snprintf(where, sizeof(where), "dimension %lld",
                 (long long)dim + C->base);
      nx_op_fail(C, n, NEAP_EINDEX, "%s[%lld] is %lld, but %s has positions "
                 "%lld to %lld", nx_names_at(n->op->inputs, i, name),
                 (long long)k + C->base, (long long)from[k], where,
                 (long long)base, (long long)(size - 1 + base));
      return NULL;
    }
    to[k] = at;
  }
  return p;
}


nx_tensor *nx_labels (nx_ctx *C, const nx_node *n, int i, int64_t size,
                      int64_t base, const char *what) {
  nx_tensor *t = whole_numbers(C, n, i), *p;
  char name[32];
  if (t == NULL || (p = nx_new_like(C, t)) == NULL) return NULL;
  for (int64_t k = 0; k < t->len; k++) {
    int64_t v = ((const int64_t *)t->data)[k];
    if (v < base || v - base >= size) {
      nx_op_fail(C, n, NEAP_EINDEX, "%s[%lld] is %lld, but %s are %lld to "
                 "%lld", nx_names_at(n->op->inputs, i, name),
                 (long long)k + C->base, (long long)v, what, (long long)base,
                 (long long)(size - 1 + base));
      return NULL;
    }
    ((int64_t *)p->data)[k] = v - base;
  }
  return p;
}

static nx_tensor *positions (nx_ctx *C, const nx_node *n, int input,
                             int64_t size) {
  const index_args *a = n->a;
  return nx_positions(C, n, input, size, a->dim, a->base);
}


/*
** A dense tensor as outer x size x inner around a dimension.
*/
typedef struct around { int64_t outer, size, inner; } around;

static around around_dim (const nx_tensor *t, int64_t dim) {
  around s = {1, 1, 1};
  for (int d = 0; d < t->ndim; d++)
    if (d < dim) s.outer *= t->shape[d];
    else if (d > dim) s.inner *= t->shape[d];
  if (t->ndim > 0) s.size = t->shape[dim];
  return s;
}


static int index_select_shape (nx_ctx *C, nx_node *n) {
  index_args *a = n->a;
  nx_tensor *x = n->in[0], *index = n->in[1];
  int64_t shape[NEAP_MAXDIM];
  char text[NX_SHAPE_TEXT];
  if (nx_dim(C, n->op->name, x, &a->dim) || nx_want_whole(C, n, 1))
    return nx_status(C);
  if (index->ndim > 1 || (x->ndim == 0 && index->len != 1))
    return nx_op_fail(C, n, NEAP_ESHAPE, "index is %s, expected one "
                      "dimension (and one position for a 0-d x)",
                      nx_shape_of(index, text));
  memcpy(shape, x->shape, sizeof(shape));
  if (x->ndim > 0) shape[a->dim] = index->len;
  nx_out(C, n, 0, x->dtype, x->ndim, shape);
  return nx_status(C);
}


/* rows of 'inner' bytes taken by position */
typedef struct take {
  const char *x;
  char *y;
  const int64_t *at;
  int64_t count, size, row;      /* row: bytes */
} take;

static void take_rows (void *arg, int64_t first, int64_t last) {
  const take *t = arg;
  for (int64_t i = first; i < last; i++) {
    int64_t outer = i / t->count, at = t->at[i % t->count];
    memcpy(t->y + i * t->row, t->x + (outer * t->size + at) * t->row,
           (size_t)t->row);
  }
}

static int index_select_forward (nx_ctx *C, nx_node *n) {
  index_args *a = n->a;
  nx_tensor *x = nx_dense(C, n->in[0]), *at;
  around s;
  take t;
  if (x == NULL) return nx_status(C);
  s = around_dim(x, a->dim);
  at = positions(C, n, 1, s.size);
  if (at == NULL) return nx_status(C);
  t.x = x->data;
  t.y = n->out[0]->data;
  t.at = (const int64_t *)at->data;
  t.count = at->len;
  t.size = s.size;
  t.row = s.inner * (int64_t)nx_dtype_size(x->dtype);
  nx_pieces(C, s.outer * t.count, s.inner, take_rows, &t);
  return 0;
}

/* gx = zeros with the rows of gy added in their places */
static int index_select_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                              nx_tensor **gx) {
  index_args *a = n->a;
  nx_tensor *x = n->in[0];
  if (!n->wants[0]) return 0;
  gx[0] = nx_index_add(C, nx_zeros(C, x->dtype, x->ndim, x->shape), a->dim,
                       n->in[1], gy[0], a->base);
  return nx_status(C);
}

const nx_op nx_op_index_select = {
  .name = "index_select",
  .doc = "The slices of x along a dimension at the given positions.",
  .inputs = "x index", .outputs = "y", .call = "x dim index",
  .fields = index_fields, .argsize = sizeof(index_args), .saves = "index",
  .shape = index_select_shape, .forward = index_select_forward,
  .grad = NX_LEARN(index_select_grad)
};

OPFN nx_tensor *nx_index_select (nx_ctx *C, nx_tensor *x, int64_t dim,
                                 nx_tensor *index, int64_t base) {
  index_args a = {dim, base};
  return nx_apply(C, &nx_op_index_select, &a, 2, (nx_tensor *[]){x, index});
}


static int index_add_shape (nx_ctx *C, nx_node *n) {
  index_args *a = n->a;
  nx_tensor *x = n->in[0], *index = n->in[1], *z = n->in[2];
  char xt[NX_SHAPE_TEXT], zt[NX_SHAPE_TEXT];
  int fits = x->ndim == z->ndim && x->dtype == z->dtype;
  if (nx_dim(C, n->op->name, x, &a->dim) || nx_want_whole(C, n, 1))
    return nx_status(C);
  for (int d = 0; fits && d < x->ndim; d++)
    fits = z->shape[d] == (d == a->dim ? index->len : x->shape[d]);
  if (!fits || index->ndim > 1 || (x->ndim == 0 && index->len != 1))
    return nx_op_fail(C, n, NEAP_ESHAPE, "source (%s %s) does not fit x (%s "
                      "%s) with %lld positions", nx_dtype_name(z->dtype),
                      nx_shape_of(z, zt), nx_dtype_name(x->dtype),
                      nx_shape_of(x, xt), (long long)index->len);
  nx_out_like(C, n, 0, x);
  return nx_status(C);
}

/*
** Rows in the order of the index, on one thread: added, or the last one for
** a position stays.
*/
static int rows_into (nx_ctx *C, nx_node *n, int add) {
  index_args *a = n->a;
  nx_tensor *y = n->out[0], *z, *at, *into = y;
  around s = around_dim(y, a->dim);
  int64_t size = (int64_t)nx_dtype_size(y->dtype), row = s.inner * size;
  nx_map_fn *sum = nx_summing(C, y->dtype);
  z = nx_dense_apart(C, n->in[2], y);
  at = positions(C, n, 1, s.size);
  if (z == NULL || at == NULL) return nx_status(C);
  if (!n->inplace && nx_copy(C, y, n->in[0])) return nx_status(C);
  if (!nx_is_dense(y) && (into = nx_dense(C, y)) == NULL)
    return nx_status(C);
  for (int64_t i = 0; i < s.outer * at->len; i++) {
    int64_t to = i / at->len * s.size + ((int64_t *)at->data)[i % at->len];
    void *p[3];
    p[0] = p[1] = into->data + to * row;
    p[2] = z->data + i * row;
    if (add) sum((size_t)s.inner, p, 0, NULL);
    else memcpy(p[0], p[2], (size_t)row);
  }
  return into == y ? nx_status(C) : nx_copy(C, y, into);
}

static int index_add_forward (nx_ctx *C, nx_node *n) {
  return rows_into(C, n, 1);
}

static int index_copy_forward (nx_ctx *C, nx_node *n) {
  return rows_into(C, n, 0);
}

/* gx = gy, gz = the rows of gy at the positions */
static int index_add_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                           nx_tensor **gx) {
  index_args *a = n->a;
  gx[0] = gy[0];
  if (n->wants[2])
    gx[2] = nx_index_select(C, gy[0], a->dim, n->in[1], a->base);
  return nx_status(C);
}

const nx_op nx_op_index_add = {
  .name = "index_add",
  .doc = "x with slices of source added at positions along a dimension.",
  .inputs = "x index source", .outputs = "y", .call = "x dim index source",
  .fields = index_fields, .argsize = sizeof(index_args), .saves = "index",
  .flags = NX_INPLACE, .shape = index_add_shape,
  .forward = index_add_forward, .grad = NX_LEARN(index_add_grad)
};

OPFN nx_tensor *nx_index_add (nx_ctx *C, nx_tensor *x, int64_t dim,
                              nx_tensor *index, nx_tensor *source,
                              int64_t base) {
  index_args a = {dim, base};
  return nx_apply(C, &nx_op_index_add, &a, 3,
                  (nx_tensor *[]){x, index, source});
}


/* gx = gy with zeros in the rows that were written, gz = those rows */
static int index_copy_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                            nx_tensor **gx) {
  index_args a = *(index_args *)n->a;
  nx_tensor *z = n->in[2], *in[3];
  in[0] = gy[0];
  in[1] = n->in[1];
  in[2] = nx_zeros(C, z->dtype, z->ndim, z->shape);
  if (n->wants[0]) gx[0] = nx_apply(C, &nx_op_index_copy, &a, 3, in);
  if (n->wants[2])
    gx[2] = nx_index_select(C, gy[0], a.dim, n->in[1], a.base);
  return nx_status(C);
}

const nx_op nx_op_index_copy = {
  .name = "index_copy",
  .doc = "x with slices of source in place of those at positions along a "
         "dimension; of several for one position the last stays.",
  .inputs = "x index source", .outputs = "y", .call = "x dim index source",
  .fields = index_fields, .argsize = sizeof(index_args), .saves = "index",
  .flags = NX_INPLACE, .shape = index_add_shape,
  .forward = index_copy_forward, .grad = NX_LEARN(index_copy_grad)
};


/*
** index_fill: one number in whole slices.
*/
typedef struct index_fill_args {
  int64_t dim, base;
  double value;
} index_fill_args;

static const nx_field index_fill_fields[] = {
  NX_DIM(index_fill_args, dim, NX_REQUIRED, "dimension that positions count"),
  NX_NUMBER(index_fill_args, value, NX_REQUIRED, "what they become"),
  NX_BASE(index_fill_args, base),
  NX_END
};

static int index_fill_shape (nx_ctx *C, nx_node *n) {
  index_fill_args *a = n->a;
  char text[NX_SHAPE_TEXT];
  if (nx_dim(C, n->op->name, n->in[0], &a->dim) || nx_want_whole(C, n, 1))
    return nx_status(C);
  if (n->in[1]->ndim > 1)
    return nx_op_fail(C, n, NEAP_ESHAPE, "index is %s, expected one "
                      "dimension", nx_shape_of(n->in[1], text));
  nx_out_like(C, n, 0, n->in[0]);
  return nx_status(C);
}

static int index_fill_forward (nx_ctx *C, nx_node *n) {
  index_fill_args *a = n->a;
  nx_tensor *y = n->out[0], *at, *value = nx_from_number(C, a->value);
  int64_t size = y->ndim ? y->shape[a->dim] : 1;
  at = nx_positions(C, n, 1, size, a->dim, a->base);
  if (at == NULL || (!n->inplace && nx_copy(C, y, n->in[0])))
    return nx_status(C);
  for (int64_t i = 0; i < at->len; i++) {
    int64_t p = ((const int64_t *)at->data)[i];
    nx_tensor *part = y->ndim ? nx_view_part(C, y, (int)a->dim, p, 1, 1) : y;
    if (part == NULL || nx_copy(C, part, value)) return nx_status(C);
  }
  return 0;
}

static int index_fill_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                            nx_tensor **gx) {
  index_fill_args a = *(index_fill_args *)n->a;
  nx_tensor *in[2];
  a.value = 0;
  in[0] = gy[0];
  in[1] = n->in[1];
  gx[0] = nx_apply(C, &nx_op_index_fill, &a, 2, in);
  return nx_status(C);
}

const nx_op nx_op_index_fill = {
  .name = "index_fill",
  .doc = "x with one number in the slices at positions along a dimension.",
  .inputs = "x index", .outputs = "y", .call = "x dim index value",
  .fields = index_fill_fields, .argsize = sizeof(index_fill_args),
  .saves = "index", .flags = NX_INPLACE, .shape = index_fill_shape,
  .forward = index_fill_forward, .grad = NX_LEARN(index_fill_grad)
};


/*
** gather, scatter, scatter_add: one position for every element.
*/
static int same_but_dim (nx_ctx *C, const nx_node *n, const nx_tensor *x,
                         const nx_tensor *index, int64_t dim) {
  char xt[NX_SHAPE_TEXT], it[NX_SHAPE_TEXT];
  int fits = x->ndim == index->ndim;
  for (int d = 0; fits && d < x->ndim; d++)
    fits = d == dim || index->shape[d] <= x->shape[d];
  if (fits) return 0;
  return nx_op_fail(C, n, NEAP_ESHAPE, "index is %s and does not fit x, "
                    "which is %s (only dimension %lld may be larger)",
                    nx_shape_of(index, it), nx_shape_of(x, xt),
                    (long long)dim + C->base);
}

static int gather_shape (nx_ctx *C, nx_node *n) {
  index_args *a = n->a;
  nx_tensor *x = n->in[0], *index = n->in[1];
  if (nx_dim(C, n->op->name, x, &a->dim) || nx_want_whole(C, n, 1) ||
      same_but_dim(C, n, x, index, a->dim)) return nx_status(C);
  nx_out(C, n, 0, x->dtype, index->ndim, index->shape);
  return nx_status(C);
}

/*
** Where element i of a dense tensor of the shape of 'index' lies in 'x'
** when 'at' replaces its position along 'dim'.
*/
static int64_t element_at (const nx_tensor *x, const nx_tensor *index,
                           int64_t i, int64_t dim, int64_t at) {
  int64_t to = 0;
  for (int d = index->ndim - 1; d >= 0; d--) {
    int64_t p = i % index->shape[d];
    i /= index->shape[d];
    to += (d == dim ? at : p) * x->stride[d];
  }
  return to;
}

typedef struct pick {
  const nx_tensor *x, *at;
  char *y;
  int64_t dim, size;
} pick;

static void pick_elements (void *arg, int64_t first, int64_t last) {
  const pick *p = arg;
  const int64_t *at = (const int64_t *)p->at->data;
  for (int64_t i = first; i < last; i++)
    memcpy(p->y + i * p->size,
           p->x->data + element_at(p->x, p->at, i, p->dim, at[i]) * p->size,
           (size_t)p->size);
}

static int gather_forward (nx_ctx *C, nx_node *n) {
  index_args *a = n->a;
  nx_tensor *x = n->in[0];
  pick p;
  p.at = positions(C, n, 1, x->ndim ? x->shape[a->dim] : 1);
  if (p.at == NULL) return nx_status(C);
  p.x = x;
  p.y = n->out[0]->data;
  p.dim = a->dim;
  p.size = (int64_t)nx_dtype_size(x->dtype);
  nx_pieces(C, p.at->len, 4, pick_elements, &p);
  return 0;
}

static int gather_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                        nx_tensor **gx) {
  index_args *a = n->a;
  nx_tensor *x = n->in[0];
  gx[0] = nx_scatter_add(C, nx_zeros(C, x->dtype, x->ndim, x->shape),
                         a->dim, n->in[1], gy[0], a->base);
  return nx_status(C);
}

const nx_op nx_op_gather = {
  .name = "gather",
  .doc = "For each element of index, the element of x with that position "
         "along a dimension and the same place along all others.",
  .inputs = "x index", .outputs = "y", .call = "x dim index",
  .fields = index_fields, .argsize = sizeof(index_args), .saves = "index",
  .shape = gather_shape, .forward = gather_forward,
  .grad = NX_LEARN(gather_grad)
};

OPFN nx_tensor *nx_gather (nx_ctx *C, nx_tensor *x, int64_t dim,
                           nx_tensor *index, int64_t base) {
  index_args a = {dim, base};
  return nx_apply(C, &nx_op_gather, &a, 2, (nx_tensor *[]){x, index});
}


/* a number as source stands for as many as there are positions */
static int spread_number (nx_ctx *C, nx_node *n) {
  nx_tensor *z = n->in[2], *index = n->in[1];
  if (!(z->flags & NX_IS_NUMBER_FLAG)) return 0;
  z = nx_typed(C, z, n->in[0]->dtype);
  n->in[2] = z ? nx_expand(C, z, index->ndim, index->shape) : NULL;
  return nx_status(C);
}

static int scatter_shape (nx_ctx *C, nx_node *n) {
  index_args *a = n->a;
  nx_tensor *x = n->in[0], *index = n->in[1], *z;
  char it[NX_SHAPE_TEXT], zt[NX_SHAPE_TEXT];
  int fits;
  if (spread_number(C, n)) return nx_status(C);
  z = n->in[2];
  if (nx_dim(C, n->op->name, x, &a->dim) || nx_want_whole(C, n, 1) ||
      same_but_dim(C, n, x, index, a->dim)) return nx_status(C);
  fits = z->ndim == index->ndim;
  for (int d = 0; fits && d < index->ndim; d++)
    fits = z->shape[d] >= index->shape[d];
  if (!fits)
    return nx_op_fail(C, n, NEAP_ESHAPE, "source is %s, smaller than index, "
                      "which is %s", nx_shape_of(z, zt),
                      nx_shape_of(index, it));
  if (z->dtype != x->dtype)
    return nx_op_fail(C, n, NEAP_EDTYPE, "source is %s, but x is %s",
                      nx_dtype_name(z->dtype), nx_dtype_name(x->dtype));
  nx_out_like(C, n, 0, x);
  return nx_status(C);
}

/*
** One element after the other, in the order of the index: with 'add' each
** is added, else the last one for a place stays.
*/
static int scatter_into (nx_ctx *C, nx_node *n, int add) {
  index_args *a = n->a;
  nx_tensor *y = n->out[0], *z, *at;
  int64_t size = (int64_t)nx_dtype_size(y->dtype);
  nx_map_fn *sum = nx_summing(C, y->dtype);
  z = nx_dense_apart(C, n->in[2], y);
  at = positions(C, n, 1, y->ndim ? y->shape[a->dim] : 1);
  if (z == NULL || at == NULL) return nx_status(C);
  if (!n->inplace && nx_copy(C, y, n->in[0])) return nx_status(C);
  for (int64_t i = 0; i < at->len; i++) {
    int64_t to = element_at(y, at, i, a->dim, ((int64_t *)at->data)[i]);
    void *p[3];
    p[0] = p[1] = y->data + to * size;
    p[2] = z->data + element_at(z, at, i, -1, 0) * size;
    if (add) sum(1, p, 0, NULL);
    else memcpy(p[0], p[2], (size_t)size);
  }
  return 0;
}

static int scatter_add_forward (nx_ctx *C, nx_node *n) {
  return scatter_into(C, n, 1);
}

static int scatter_forward (nx_ctx *C, nx_node *n) {
  return scatter_into(C, n, 0);
}

/* gz = gy at the places; what the index did not reach was not used */
static nx_tensor *from_places (nx_ctx *C, nx_node *n, nx_tensor *gy) {
  index_args *a = n->a;
  nx_tensor *z = n->in[2], *index = n->in[1], *g;
  slice_args s;
  g = nx_gather(C, gy, a->dim, index, a->base);
  if (g == NULL || nx_same_shape(z, index)) return g;
  nx_slice_all(index, &s);
  return nx_slice_scatter(C, nx_zeros(C, z->dtype, z->ndim, z->shape), g,
                          &s);
}

static int scatter_add_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                             nx_tensor **gx) {
  gx[0] = gy[0];
  if (n->wants[2]) gx[2] = from_places(C, n, gy[0]);
  return nx_status(C);
}

/* gx = gy, but 0 at the places that were written */
static int scatter_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                         nx_tensor **gx) {
  index_args *a = n->a;
  nx_tensor *index = n->in[1];
  if (n->wants[0])
    gx[0] = nx_scatter(C, gy[0], a->dim, index,
                       nx_zeros(C, gy[0]->dtype, index->ndim, index->shape),
                       a->base);
  if (n->wants[2]) gx[2] = from_places(C, n, gy[0]);
  return nx_status(C);
}

const nx_op nx_op_scatter_add = {
  .name = "scatter_add",
  .doc = "x with each element of source added at its position along a "
         "dimension.",
  .inputs = "x index source", .outputs = "y", .call = "x dim index source",
  .fields = index_fields, .argsize = sizeof(index_args), .saves = "index",
  .flags = NX_INPLACE, .shape = scatter_shape,
  .forward = scatter_add_forward, .grad = NX_LEARN(scatter_add_grad)
};

OPFN nx_tensor *nx_scatter_add (nx_ctx *C, nx_tensor *x, int64_t dim,
                                nx_tensor *index, nx_tensor *source,
                                int64_t base) {
  index_args a = {dim, base};
  return nx_apply(C, &nx_op_scatter_add, &a, 3,
                  (nx_tensor *[]){x, index, source});
}


const nx_op nx_op_scatter = {
  .name = "scatter",
  .doc = "x with each element of source at its position along a dimension; "
         "of several for one place the last stays.",
  .inputs = "x index source", .outputs = "y", .call = "x dim index source",
  .fields = index_fields, .argsize = sizeof(index_args), .saves = "index",
  .flags = NX_INPLACE, .shape = scatter_shape,
  .forward = scatter_forward, .grad = NX_LEARN(scatter_grad)
};

OPFN nx_tensor *nx_scatter (nx_ctx *C, nx_tensor *x, int64_t dim,
                            nx_tensor *index, nx_tensor *source,
                            int64_t base) {
  index_args a = {dim, base};
  return nx_apply(C, &nx_op_scatter, &a, 3,
                  (nx_tensor *[]){x, index, source});
}
