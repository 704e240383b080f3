/*
** Sequences of several lengths.
*/
#include "nn/lengths.h"
#include "tensor/order.h"

static int64_t *numbers (const nx_tensor *t) {
  return (int64_t *)(void *)t->data;
}

static nx_tensor *new_numbers (nx_ctx *C, int64_t n) {
  return nx_new(C, NEAP_I64, 1, &n);
}


static nx_tensor *checked (nx_ctx *C, const char *who, nx_tensor *lengths,
                           int64_t steps, int64_t batch) {
  nx_tensor *t;
  char text[NX_SHAPE_TEXT];
  if (nx_is_float(lengths->dtype) || lengths->dtype == NEAP_BOOL) {
    nx_fail(C, NEAP_EDTYPE, "%s: lengths are %s, expected integers (use "
            "lengths:to(\"int64\"))", who, nx_dtype_name(lengths->dtype));
    return NULL;
  }
  if (lengths->ndim != 1 || lengths->len != batch) {
    nx_fail(C, NEAP_ESHAPE, "%s: lengths are %s, expected one for each of "
            "%lld sequences", who, nx_shape_of(lengths, text),
            (long long)batch);
    return NULL;
  }
  t = nx_typed(C, lengths, NEAP_I64);
  if (t) t = nx_dense(C, t);
  for (int64_t i = 0; t && i < batch; i++)
    if (numbers(t)[i] < 1 || numbers(t)[i] > steps) {
      nx_fail(C, NEAP_EARG, "%s: lengths[%lld] is %lld, expected 1 to %lld",
              who, (long long)(i + C->base), (long long)numbers(t)[i],
              (long long)steps);
      return NULL;
    }
  return t;
}


/* the longest first, equal ones in their order */
static int sort_lengths (nx_ctx *C, const nx_tensor *lengths,
                         nx_lengths *out) {
  size_t n = (size_t)lengths->len, block = (2 * n + 1) * sizeof(nx_ranked);
  nx_ranked *v = nx_alloc(C, block);
  out->order = new_numbers(C, lengths->len);
  out->back = new_numbers(C, lengths->len);
  if (v && out->order && out->back) {
    nx_rank(NEAP_I64, n, lengths->data, 1, v);
    nx_rank_sort(v, n, v + n);
    for (size_t i = 0; i < n; i++) {
      numbers(out->order)[i] = v[i].at;
      numbers(out->back)[v[i].at] = (int64_t)i;
    }
  }
  nx_free(C, v, block);
  return nx_status(C);
}


int nx_lengths_read (nx_ctx *C, const char *who, nx_tensor *lengths,
                     int64_t steps, int64_t batch, int batch_first,
                     nx_lengths *out) {
  int64_t rows = 0, longest = 0, at = 0, live = batch;
  lengths = checked(C, who, lengths, steps, batch);
  if (lengths == NULL || sort_lengths(C, lengths, out)) return nx_status(C);
  for (int64_t i = 0; i < batch; i++) {
    int64_t n = numbers(lengths)[i];
    rows += n;
    if (n > longest) longest = n;
  }
  out->sizes = new_numbers(C, longest);
  out->rows = new_numbers(C, rows);
  if (nx_status(C)) return nx_status(C);
  for (int64_t t = 0; t < longest; t++) {
    while (numbers(lengths)[numbers(out->order)[live - 1]] <= t) live--;
    numbers(out->sizes)[t] = live;
    for (int64_t i = 0; i < live; i++) {
      int64_t b = numbers(out->order)[i];
      numbers(out->rows)[at++] = batch_first ? b * steps + t : t * batch + b;
    }
  }
  return 0;
}


nx_tensor *nx_lengths_pack (nx_ctx *C, const nx_lengths *l, nx_tensor *x) {
  int64_t shape[2];
  shape[0] = x->shape[0] * x->shape[1];
  shape[1] = x->shape[2];
  x = nx_reshape(C, x, 2, shape);
  return x ? nx_index_select(C, x, 0, l->rows, 0) : NULL;
}

nx_tensor *nx_lengths_pad (nx_ctx *C, const nx_lengths *l, nx_tensor *y,
                           int64_t a, int64_t b) {
  int64_t shape[3];
  nx_tensor *z;
  if (y == NULL) return NULL;
  shape[0] = a * b;
  shape[1] = y->shape[1];
  z = nx_zeros(C, y->dtype, 2, shape);
  if (z) z = nx_index_add(C, z, 0, l->rows, y, 0);
  shape[2] = shape[1];
  shape[0] = a;
  shape[1] = b;
  return z ? nx_reshape(C, z, 3, shape) : NULL;
}
