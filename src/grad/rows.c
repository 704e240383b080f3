/*
** Gradients that are rows of a table.
*/
#include <string.h>
#include "grad/rows.h"
#include "tensor/dtype.h"
#include "tensor/order.h"
#include "tensor/walk.h"


static int64_t *numbers (const nx_tensor *at) {
  return (int64_t *)(void *)at->data;
}

static size_t row_bytes (const nx_tensor *values) {
  return (size_t)values->shape[values->ndim - 1] *
         nx_dtype_size(values->dtype);
}


/* distinct numbers among sorted ones, without 'skip' */
static int64_t count_distinct (const nx_tensor *at, const nx_ranked *v,
                               int64_t skip) {
  const int64_t *row = numbers(at);
  int64_t n = 0;
  for (int64_t i = 0; i < at->len; i++)
    if (row[v[i].at] != skip && (i == 0 || v[i].key != v[i - 1].key)) n++;
  return n;
}


/* sums[k] += the rows of each run of equal numbers, in their order */
static void add_runs (nx_ctx *C, const nx_tensor *at, const nx_ranked *v,
                      const nx_tensor *values, int64_t skip, nx_rows *out) {
  nx_map_fn *add = nx_kernels_for(C, values->dtype)->add;
  size_t bytes = row_bytes(values);
  int64_t *row = numbers(at), k = -1;
  for (int64_t i = 0; i < at->len; i++) {
    char *from = values->data + (size_t)v[i].at * bytes;
    if (row[v[i].at] == skip) continue;
    if (i == 0 || v[i].key != v[i - 1].key) {
      numbers(out->at)[++k] = row[v[i].at];
      memcpy(out->values->data + (size_t)k * bytes, from, bytes);
    }
    else {
      char *to = out->values->data + (size_t)k * bytes;
      void *p[3] = {to, to, from};
      add((size_t)values->shape[values->ndim - 1], p, 0, NULL);
    }
  }
}


int nx_rows_sum (nx_ctx *C, const nx_tensor *at, nx_tensor *values,
                 int64_t skip, nx_rows *out) {
  size_t n = (size_t)at->len, block = (2 * n + 1) * sizeof(nx_ranked);
  nx_ranked *v = nx_alloc(C, block);
  int64_t shape[2] = {0, 0};
  values = nx_dense(C, values);
  if (v && values) {
    nx_rank(NEAP_I64, n, at->data, 0, v);
    nx_rank_sort(v, n, v + n);
    shape[0] = count_distinct(at, v, skip);
    shape[1] = values->shape[values->ndim - 1];
    out->at = nx_new(C, NEAP_I64, 1, shape);
    out->values = nx_new(C, values->dtype, 2, shape);
    if (out->at && out->values) add_runs(C, at, v, values, skip, out);
  }
  nx_free(C, v, block);
  return nx_status(C);
}


/* two lists of rows one after the other */
static nx_tensor *joined (nx_ctx *C, const nx_tensor *a, const nx_tensor *b) {
  size_t size = nx_dtype_size(a->dtype);
  int64_t shape[2] = {a->shape[0] + b->shape[0], a->shape[1]};
  nx_tensor *y = nx_new(C, a->dtype, a->ndim, shape);
  if (y == NULL) return NULL;
  memcpy(y->data, a->data, (size_t)a->len * size);
  memcpy(y->data + (size_t)a->len * size, b->data, (size_t)b->len * size);
  return y;
}

int nx_rows_add (nx_ctx *C, const nx_rows *a, const nx_rows *b,
                 nx_rows *out) {
  nx_tensor *at = joined(C, a->at, b->at);
  nx_tensor *values = joined(C, a->values, b->values);
  if (at == NULL || values == NULL) return nx_status(C);
  return nx_rows_sum(C, at, values, -1, out);
}


void nx_rows_into (nx_ctx *C, const nx_rows *r, nx_tensor *table) {
  nx_map_fn *add = nx_kernels_for(C, table->dtype)->add;
  size_t bytes = row_bytes(r->values);
  for (int64_t i = 0; i < r->at->len; i++) {
    void *p[3];
    p[0] = p[1] = table->data + (size_t)numbers(r->at)[i] * bytes;
    p[2] = r->values->data + (size_t)i * bytes;
    add((size_t)table->shape[1], p, 0, NULL);
  }
  table->store->version++;
}


nx_tensor *nx_rows_dense (nx_ctx *C, const nx_rows *r,
                          const nx_tensor *like) {
  nx_tensor *y = nx_zeros(C, like->dtype, like->ndim, like->shape);
  size_t bytes = row_bytes(r->values);
  if (y == NULL) return NULL;
  for (int64_t i = 0; i < r->at->len; i++)
    memcpy(y->data + (size_t)numbers(r->at)[i] * bytes,
           r->values->data + (size_t)i * bytes, bytes);
  return y;
}
