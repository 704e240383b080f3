/*
** rotary_embedding: positions as turns (Su and others 2021, eq. 34). Element
** i of the first half of a vector and i of the second are turned, at step m,
** by the angle m base^(-2 i / size), so that products of two vectors depend
** on how far they are apart.
*/
#include <math.h>
#include <string.h>
#include "grad/op.h"
#include "tensor/walk.h"
#include "ops.h"

typedef struct rotary_args {
  double base;
  int64_t offset;
  int inverse;
} rotary_args;

static const nx_field rotary_fields[] = {
  NX_NUMBER(rotary_args, base, 10000, "the longest wave is 2 pi of it"),
  NX_INT(rotary_args, offset, 0, "steps that came before those of x"),
  NX_BOOL(rotary_args, inverse, 0, "turn the other way"),
  NX_END
};

static int rotary_embedding_shape (nx_ctx *C, nx_node *n) {
  const rotary_args *a = n->a;
  const nx_tensor *x = n->in[0];
  char text[NX_SHAPE_TEXT];
  if (nx_want_float(C, n, 0)) return nx_status(C);
  if (x->ndim < 2 || x->shape[x->ndim - 1] % 2 != 0)
    return nx_op_fail(C, n, NEAP_ESHAPE, "x is %s, expected (..., steps, an "
                      "even size)", nx_shape_of(x, text));
  if (!(a->base > 0) || a->offset < 0)
    return nx_op_fail(C, n, NEAP_EARG, "base is %g and offset %lld, expected "
                      "above 0 and 0 or more", a->base,
                      (long long)a->offset);
  nx_out_like(C, n, 0, x);
  return nx_status(C);
}


typedef struct turning {
  const nx_kernels *K;
  const char *x, *cosine, *sine;       /* these: (steps, half) */
  char *y, *room;
  int64_t steps, half, size;
} turning;

/* y1 = x1 cos - x2 sin,  y2 = x2 cos + x1 sin */
static void turn_row (const turning *t, int64_t row) {
  int64_t half = t->half * t->size, step = row % t->steps * half;
  char *y1 = t->y + row * 2 * half, *y2 = y1 + half;
  void *x1 = (void *)(uintptr_t)(t->x + row * 2 * half);
  void *x2 = (void *)(uintptr_t)(t->x + row * 2 * half + half);
  void *c = (void *)(uintptr_t)(t->cosine + step);
  void *s = (void *)(uintptr_t)(t->sine + step);
  void *less = t->room + row * half;
  size_t n = (size_t)t->half;
  t->K->mul(n, (void *[]){less, x2, s}, 0, NULL);
  t->K->mul(n, (void *[]){y1, x1, c}, 0, NULL);
  t->K->sub(n, (void *[]){y1, y1, less}, 0, NULL);
  t->K->mul(n, (void *[]){less, x1, s}, 0, NULL);
  t->K->muladd(n, (void *[]){y2, x2, c, less}, 0, NULL);
}

static void turn_rows (void *arg, int64_t first, int64_t last) {
  for (int64_t i = first; i < last; i++) turn_row(arg, i);
}

/* cos and sin of all angles, one table after the other */
static nx_tensor *angles (nx_ctx *C, const rotary_args *a, int dtype,
                          int64_t steps, int64_t half) {
  int64_t shape[3] = {2, 0, 0}, size = (int64_t)nx_dtype_size(dtype);
  nx_tensor *t;
  shape[1] = steps;
  shape[2] = half;
  t = nx_new(C, dtype, 3, shape);
  for (int64_t m = 0; t && m < steps; m++)
    for (int64_t i = 0; i < half; i++) {
      double angle = ((double)m + (double)a->offset) *
                     pow(a->base, -(double)i / (double)half);
      char *at = t->data + (m * half + i) * size;
      nx_put_number(t, at, cos(angle));
      nx_put_number(t, at + steps * half * size,
                    a->inverse ? -sin(angle) : sin(angle));
    }
  return t;
}

static int rotary_embedding_forward (nx_ctx *C, nx_node *n) {
  nx_tensor *x = nx_dense(C, n->in[0]), *table, *room;
  int64_t steps, half, len;
  turning t;
  if (x == NULL || x->len == 0) return nx_status(C);
  steps = x->shape[x->ndim - 2];
  half = x->shape[x->ndim - 1] / 2;
  len = x->len / 2;
  table = angles(C, n->a, x->dtype, steps, half);
  room = nx_new(C, x->dtype, 1, &len);
  if (table == NULL || room == NULL) return nx_status(C);
  t.K = nx_kernels_for(C, x->dtype);
  t.size = (int64_t)nx_dtype_size(x->dtype);
  t.x = x->data;
  t.y = n->out[0]->data;
  t.room = room->data;
  t.cosine = table->data;
  t.sine = table->data + steps * half * t.size;
  t.steps = steps;
  t.half = half;
  nx_pieces(C, len / half, 4 * half, turn_rows, &t);
  return 0;
}

/* gx: gy turned back */
static int rotary_embedding_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                                  nx_tensor **gx) {
  rotary_args a = *(const rotary_args *)n->a;
  a.inverse = !a.inverse;
  gx[0] = nx_apply(C, &nx_op_rotary_embedding, &a, 1, gy);
  return nx_status(C);
}

static const char *rotary_embedding_cutting (const nx_node *n) {
  return n->in[0]->ndim > 2 ? "y0 x0" : NULL;
}

const nx_op nx_op_rotary_embedding = {
  .name = "rotary_embedding",
  .doc = "Vectors (..., steps, size) turned by their positions: queries and "
         "keys before their product.",
  .inputs = "x", .outputs = "y", .fields = rotary_fields,
  .argsize = sizeof(rotary_args), .cutting = rotary_embedding_cutting,
  .shape = rotary_embedding_shape,
  .forward = rotary_embedding_forward, .grad = NX_LEARN(rotary_embedding_grad)
};
