/*
** Attention step by step: keys and values that were seen are kept, so that
** a new step costs one step. Between calls they are the caller's: a plan
** hands them on by itself.
*/
#include <string.h>
#include "op/attention.h"
#include "ops.h"
#include "tensor/view.h"

typedef struct cached_args {
  int64_t longest;
  double scale;
} cached_args;

static const nx_field cached_fields[] = {
  NX_INT(cached_args, longest, NX_REQUIRED, "steps that there is room for"),
  NX_NUMBER(cached_args, scale, NX_UNSET,
            "factor of the scores; 1 / sqrt(last size of q) unless given"),
  NX_END
};

enum { Q, K_, V_, KEYS, VALUES, POSITION };
enum { Y, NEW_KEYS, NEW_VALUES, NEW_POSITION };

static nx_tensor *given (const nx_node *n, int i) {
  return i < n->nin ? n->in[i] : NULL;
}


static int check_four (nx_ctx *C, const nx_node *n) {
  const nx_tensor *q = n->in[Q], *k = n->in[K_], *v = n->in[V_];
  char qt[NX_SHAPE_TEXT], kt[NX_SHAPE_TEXT], vt[NX_SHAPE_TEXT];
  for (int i = Q; i <= V_; i++)
    if (nx_want_float(C, n, i)) return nx_status(C);
  if (q->ndim == 4 && k->ndim == 4 && v->ndim == 4 &&
      q->dtype == k->dtype && q->dtype == v->dtype &&
      q->shape[0] == k->shape[0] && q->shape[2] == k->shape[2] &&
      q->shape[3] == k->shape[3] && k->shape[1] > 0 &&
      q->shape[1] % k->shape[1] == 0 &&
      memcmp(k->shape, v->shape, 3 * sizeof(*k->shape)) == 0) return 0;
  return nx_op_fail(C, n, NEAP_ESHAPE, "q is %s, k is %s, v is %s: expected "
                    "(batch, heads, steps, size), all new, of one type",
                    nx_shape_of(q, qt), nx_shape_of(k, kt),
                    nx_shape_of(v, vt));
}

/* the room of keys or values; one that is given must be like it */
static int make_cache (nx_ctx *C, nx_node *n, int new_one, int cache,
                       int result) {
  const cached_args *a = n->a;
  const nx_tensor *t = n->in[new_one], *old = given(n, cache), *y;
  char text[NX_SHAPE_TEXT], want[NX_SHAPE_TEXT];
  int64_t shape[NEAP_MAXDIM];
  memcpy(shape, t->shape, sizeof(shape));
  shape[2] = a->longest;
  y = nx_out(C, n, result, t->dtype, 4, shape);
  if (y == NULL || old == NULL || (nx_same_shape(y, old) &&
                                   y->dtype == old->dtype))
    return nx_status(C);
  return nx_op_fail(C, n, NEAP_ESHAPE, "%s is %s, expected %s",
                    cache == KEYS ? "keys" : "values",
                    nx_shape_of(old, text), nx_shape_of(y, want));
}

static int cached_attention_shape (nx_ctx *C, nx_node *n) {
  const cached_args *a = n->a;
  const nx_tensor *q = n->in[Q], *at = given(n, POSITION);
  int64_t shape[4];
  if (check_four(C, n)) return nx_status(C);
  if (a->longest < q->shape[2])
    return nx_op_fail(C, n, NEAP_EARG, "%lld steps, but there is room for "
                      "%lld", (long long)q->shape[2], (long long)a->longest);
  if (at && (at->ndim != 0 || at->dtype != NEAP_I64))
    return nx_op_fail(C, n, NEAP_EARG, "position must be an int64 without "
                      "dimensions");
  if ((given(n, KEYS) == NULL) != (at == NULL) ||
      (given(n, VALUES) == NULL) != (at == NULL))
    return nx_op_fail(C, n, NEAP_EARG, "keys, values and position go "
                      "together");
  memcpy(shape, q->shape, sizeof(shape));
  shape[3] = n->in[V_]->shape[3];
  nx_out(C, n, Y, q->dtype, 4, shape);
  make_cache(C, n, K_, KEYS, NEW_KEYS);
  make_cache(C, n, V_, VALUES, NEW_VALUES);
  nx_out(C, n, NEW_POSITION, NEAP_I64, 0, NULL);
  return nx_status(C);
}


/* what was kept, unless it is the same memory, and the new steps behind */
static int append (nx_ctx *C, nx_tensor *cache, nx_tensor *old, nx_tensor *t,
                   int64_t at) {
  nx_tensor *part;
  if (old == NULL)
    memset(cache->data, 0,
           (size_t)cache->len * nx_dtype_size(cache->dtype));
  else if (old->data != cache->data && nx_copy(C, cache, old))
    return nx_status(C);
  part = nx_view_part(C, cache, 2, at, t->shape[2], 1);
  return part ? nx_copy(C, part, t) : nx_status(C);
}

static int cached_attention_forward (nx_ctx *C, nx_node *n) {
  const cached_args *a = n->a;
  nx_tensor *old = given(n, POSITION), *in[3], *y = NULL;
  int64_t at = old ? *(int64_t *)(void *)old->data : 0;
  int64_t t = n->in[Q]->shape[2];
  nx_attention_args look;
  if (at < 0 || at > a->longest - t)
    return nx_op_fail(C, n, NEAP_EARG, "%lld steps, but there is room for "
                      "%lld", (long long)(at + t), (long long)a->longest);
  if (append(C, n->out[NEW_KEYS], given(n, KEYS), n->in[K_], at) ||
      append(C, n->out[NEW_VALUES], given(n, VALUES), n->in[V_], at))
    return nx_status(C);
  *(int64_t *)(void *)n->out[NEW_POSITION]->data = at + t;
  memset(&look, 0, sizeof(look));
  look.scale = a->scale;
  look.is_causal = 1;
  look.before = at;
  look.generator = NX_FRESH;
  in[0] = n->in[Q];
  in[1] = nx_view_part(C, n->out[NEW_KEYS], 2, 0, at + t, 1);
  in[2] = nx_view_part(C, n->out[NEW_VALUES], 2, 0, at + t, 1);
  if (nx_status(C) == 0) y = nx_apply(C, &nx_op_attention, &look, 3, in);
  return y ? nx_copy(C, n->out[Y], y) : nx_status(C);
}

const nx_op nx_op_cached_attention = {
  .name = "cached_attention",
  .doc = "Causal attention of new steps (batch, heads, steps, size) to all "
         "steps so far: y, and the keys, values and number of steps for the "
         "next call (none at the first).",
  .inputs = "q k v keys? values? position?",
  .call = "q k v longest keys? values? position?",
  .outputs = "y keys values position", .fields = cached_fields,
  .argsize = sizeof(cached_args), .flags = NX_NOGRAD,
  .carries = "keys=keys values=values position=position",
  .shape = cached_attention_shape, .forward = cached_attention_forward
};


/*
** Positions of steps that come some at a time.
*/
typedef struct count_args { int64_t dim, base; } count_args;

static const nx_field count_fields[] = {
  NX_DIM(count_args, dim, NX_REQUIRED, "dimension of x that has the steps"),
  NX_BASE(count_args, base),
  NX_END
};

static int count_steps_shape (nx_ctx *C, nx_node *n) {
  count_args *a = n->a;
  nx_tensor *x = n->in[0], *at = given(n, 1);
  if (nx_dim(C, n->op->name, x, &a->dim)) return nx_status(C);
  if (at && (at->ndim != 0 || at->dtype != NEAP_I64))
    return nx_op_fail(C, n, NEAP_EARG, "position must be an int64 without "
                      "dimensions");
  nx_out(C, n, 0, NEAP_I64, 1, &(int64_t){x->ndim ? x->shape[a->dim] : 1});
  nx_out(C, n, 1, NEAP_I64, 0, NULL);
  return nx_status(C);
}

static int count_steps_forward (nx_ctx *C, nx_node *n) {
  const count_args *a = n->a;
  nx_tensor *old = given(n, 1);
  int64_t at = old ? *(int64_t *)(void *)old->data : 0;
  int64_t *y = (int64_t *)(void *)n->out[0]->data;
  (void)C;
  if (at < 0 || at > INT64_MAX / 2)
    return nx_op_fail(C, n, NEAP_EARG, "position is %lld", (long long)at);
  for (int64_t i = 0; i < n->out[0]->len; i++) y[i] = at + i + a->base;
  *(int64_t *)(void *)n->out[1]->data = at + n->out[0]->len;
  return 0;
}

const nx_op nx_op_count_steps = {
  .name = "count_steps",
  .doc = "Positions of the steps of x, which follow 'position' others (none "
         "at the first call), and how many there are now.",
  .inputs = "x position?", .outputs = "at position", .fields = count_fields,
  .argsize = sizeof(count_args), .flags = NX_NOGRAD | NX_ANYTYPE,
  .carries = "position=position",
  .shape = count_steps_shape, .forward = count_steps_forward
};
