/*
** pad: dimensions made longer (or, with negative sizes, shorter) at their
** ends.
*/
#include <string.h>
#include "ops.h"
#include "tensor/view.h"

#define MODES "constant reflect replicate circular"
enum { CONSTANT, REFLECT, REPLICATE, CIRCULAR };

typedef struct pad_args {
  nx_list pad;
  int mode;
  double value;
} pad_args;

static const nx_field pad_fields[] = {
  NX_LIST(pad_args, pad, NX_REQUIRED,
          "how many before and after the last dimension, then the one "
          "before it, ..."),
  NX_ENUM(pad_args, mode, MODES, CONSTANT,
          "where new elements come from"),
  NX_NUMBER(pad_args, value, 0, "new elements of mode constant"),
  NX_END
};


static int64_t before (const pad_args *a, int ndim, int d) {
  int k = 2 * (ndim - 1 - d);
  return k < a->pad.n ? a->pad.v[k] : 0;
}

static int64_t after (const pad_args *a, int ndim, int d) {
  int k = 2 * (ndim - 1 - d) + 1;
  return k < a->pad.n ? a->pad.v[k] : 0;
}


/* reflection has no second mirror, a circle goes round once */
static int check_mode (nx_ctx *C, const nx_node *n, int64_t p, int64_t size) {
  static const char *const name[] = {"constant", "reflect", "replicate",
                                     "circular"};
  int mode = ((pad_args *)n->a)->mode;
  int64_t most = mode == REFLECT ? size - 1 : mode == CIRCULAR ? size
               : size > 0 ? INT64_MAX : 0;
  if (mode == CONSTANT || p <= 0 || p <= most) return 0;
  return nx_op_fail(C, n, NEAP_EARG, "%lld new elements in mode %s beside "
                    "%lld that are there: at most %lld are possible",
                    (long long)p, name[mode], (long long)size,
                    (long long)(most > 0 ? most : 0));
}

static int pad_shape (nx_ctx *C, nx_node *n) {
  pad_args *a = n->a;
  nx_tensor *x = n->in[0];
  int64_t shape[NEAP_MAXDIM];
  char text[NX_SHAPE_TEXT];
  if (a->pad.n % 2 || a->pad.n > 2 * x->ndim)
    return nx_op_fail(C, n, NEAP_EARG, "pad has %d entries; expected two for "
                      "each of at most %d dimensions", a->pad.n, x->ndim);
  for (int d = 0; d < x->ndim; d++) {
    int64_t p = before(a, x->ndim, d), q = after(a, x->ndim, d);
    if (p > INT32_MAX || q > INT32_MAX || p < -INT32_MAX || q < -INT32_MAX)
      return nx_op_fail(C, n, NEAP_EARG, "pad is too large");
    shape[d] = x->shape[d] + p + q;
    if (shape[d] < 0)
      return nx_op_fail(C, n, NEAP_ESHAPE, "pad takes more from dimension %d "
                        "than there is (x is %s)", d + C->base,
                        nx_shape_of(x, text));
    if (check_mode(C, n, p > q ? p : q, x->shape[d])) return nx_status(C);
  }
  nx_out(C, n, 0, x->dtype, x->ndim, shape);
  return nx_status(C);
}


/*
** The part of y that comes from x, and the part of x that goes there.
*/
static int middle (nx_ctx *C, const pad_args *a, nx_tensor **y,
                   nx_tensor **x) {
  int ndim = (*x)->ndim;
  for (int d = 0; d < ndim; d++) {
    int64_t p = before(a, ndim, d), q = after(a, ndim, d);
    int64_t from = p < 0 ? -p : 0, to = p > 0 ? p : 0;
    int64_t len = (*x)->shape[d] - from - (q < 0 ? -q : 0);
    if (len < 0) len = 0;
    *x = nx_view_part(C, *x, d, from, len, 1);
    *y = *x ? nx_view_part(C, *y, d, to, len, 1) : NULL;
    if (*y == NULL) return nx_status(C);
  }
  return 0;
}

/* positions of x, counted from 0, for one dimension of y */
static nx_tensor *sources (nx_ctx *C, int mode, int64_t p, int64_t len,
                           int64_t size) {
  nx_tensor *at = nx_new(C, NEAP_I64, 1, &len);
  for (int64_t i = 0; at && i < len; i++) {
    int64_t j = i - p;
    if (mode == REFLECT) {
      if (j < 0) j = -j;
      if (j >= size) j = 2 * (size - 1) - j;
    }
    else if (mode == CIRCULAR) j = ((j % size) + size) % size;
    else j = j < 0 ? 0 : j >= size ? size - 1 : j;
    ((int64_t *)at->data)[i] = j;
  }
  return at;
}

static int pad_forward (nx_ctx *C, nx_node *n) {
  pad_args *a = n->a;
  nx_tensor *x = n->in[0], *y = n->out[0], *part = y, *value;
  if (y->len == 0) return 0;
  if (a->mode == CONSTANT) {
    value = nx_from_number(C, a->value);
    if (value == NULL || nx_copy(C, y, value) || middle(C, a, &part, &x))
      return nx_status(C);
    return nx_copy(C, part, x);
  }
  for (int d = 0; d < x->ndim; d++) {
    int64_t p = before(a, x->ndim, d), len = y->shape[d];
    if (p == 0 && len == x->shape[d]) continue;
    x = nx_index_select(C, x, d, sources(C, a->mode, p, len, x->shape[d]), 0);
    if (x == NULL) return nx_status(C);
  }
  return nx_copy(C, y, x);
}

/* gx: every element of gy goes back to where it came from */
static int pad_grad (nx_ctx *C, nx_node *n, nx_tensor **gy, nx_tensor **gx) {
  pad_args back = *(pad_args *)n->a;
  const nx_tensor *x = n->in[0];
  nx_tensor *g = gy[0];
  if (back.mode == CONSTANT) {
    for (int i = 0; i < back.pad.n; i++) back.pad.v[i] *= -1;
    back.value = 0;
    gx[0] = nx_apply(C, &nx_op_pad, &back, 1, &g);
    return nx_status(C);
  }
  for (int d = 0; g && d < x->ndim; d++) {
    int64_t p = before(&back, x->ndim, d), size = x->shape[d];
    int64_t shape[NEAP_MAXDIM];
    if (p == 0 && g->shape[d] == size) continue;
    memcpy(shape, g->shape, sizeof(shape));
    shape[d] = size;
    g = nx_index_add(C, nx_zeros(C, g->dtype, g->ndim, shape), d,
                     sources(C, back.mode, p, g->shape[d], size), g, 0);
  }
  gx[0] = g;
  return nx_status(C);
}

static const char *pad_cutting (const nx_node *n) {
  int ndim = n->in[0]->ndim;
  return before(n->a, ndim, 0) || after(n->a, ndim, 0) ? NULL : "y0 x0";
}

const nx_op nx_op_pad = {
  .name = "pad",
  .doc = "Dimensions made longer at their ends; shorter where pad is "
         "negative.",
  .inputs = "x", .outputs = "y", .fields = pad_fields,
  .cutting = pad_cutting,
  .argsize = sizeof(pad_args),
  .shape = pad_shape, .forward = pad_forward, .grad = NX_LEARN(pad_grad)
};

OPFN nx_tensor *nx_pad (nx_ctx *C, nx_tensor *x, nx_list pad, int mode,
                        double value) {
  pad_args a = {pad, mode, value};
  return nx_apply(C, &nx_op_pad, &a, 1, &x);
}
