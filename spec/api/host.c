/*
** A C host: fits y = 2 x - 1 by gradient descent, provokes errors, and
** gives everything back. Compiled as C99 and run by host_spec.lua.
*/
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "neap.h"

static size_t held;                      /* bytes the host's allocator gave */

static void *counting (void *ud, void *block, size_t old, size_t size,
                       size_t align) {
  void *fresh;
  (void)ud;
  if (size == 0) {
    held -= old;
    free(block);
    return NULL;
  }
  if (posix_memalign(&fresh, align, size) != 0) return NULL;
  held += size;
  if (block != NULL) {
    memcpy(fresh, block, old < size ? old : size);
    held -= old;
    free(block);
  }
  return fresh;
}

static void fail (const char *what) {
  printf("failed: %s\n", what);
  exit(1);
}

static neap_tensor *op (neap_ctx *C, const char *name, const char *options,
                        neap_tensor *a, neap_tensor *b) {
  neap_tensor *in[2], *y = NULL;
  in[0] = a;
  in[1] = b;
  neap_apply(C, name, options, b != NULL ? 2 : 1, in, 1, &y);
  return y;
}

static void fit (neap_ctx *C) {
  static const float xs[4] = {0, 1, 2, 3}, ys[4] = {-1, 1, 3, 5};
  const int64_t n = 4;
  float w = 0, b = 0;
  int step;
  neap_tensor *x = neap_from(C, NEAP_F32, 1, &n, xs);
  neap_tensor *y = neap_from(C, NEAP_F32, 1, &n, ys);
  for (step = 0; step < 500; step++) {
    neap_tensor *wt = neap_from(C, NEAP_F32, 0, NULL, &w);
    neap_tensor *bt = neap_from(C, NEAP_F32, 0, NULL, &b);
    neap_tensor *wx, *p, *loss, *gw, *gb;
    float dw = 0, db = 0;
    neap_require_grad(C, wt);
    neap_require_grad(C, bt);
    wx = op(C, "mul", NULL, x, wt);
    p = op(C, "add", NULL, wx, bt);
    loss = op(C, "mse_loss", "reduction=mean", p, y);
    neap_backward(C, loss);
    gw = neap_grad(wt);
    gb = neap_grad(bt);
    if (neap_status(C) != NEAP_OK) fail(neap_message(C));
    neap_read(C, gw, &dw, sizeof(dw));
    neap_read(C, gb, &db, sizeof(db));
    w -= 0.1f * dw;
    b -= 0.1f * db;
    neap_unref(wt); neap_unref(bt); neap_unref(wx); neap_unref(p);
    neap_unref(loss); neap_unref(gw); neap_unref(gb);
  }
  printf("w %.3f b %.3f\n", (double)w, (double)b);
  neap_unref(x);
  neap_unref(y);
}

static void describe (neap_ctx *C, neap_rt *rt) {
  const int64_t shape[2] = {2, 3};
  neap_tensor *t = neap_new(C, NEAP_F64, 2, shape), *same = neap_ref(t);
  neap_memory m;
  if (neap_ndim(t) != 2 || neap_size(t, 1) != 3 || neap_size(t, 2) != -1 ||
      neap_numel(t) != 6 || neap_dtype_of(t) != NEAP_F64) fail("a shape");
  if (strcmp(neap_dtype_name(NEAP_BF16), "bfloat16") != 0 ||
      neap_dtype_name(99) != NULL || neap_status_name(-1) != NULL ||
      strcmp(neap_status_name(NEAP_OK), "no error") != 0) fail("a name");
  if (strcmp(neap_version(), NEAP_VERSION) != 0) fail("the version");
  neap_memory_info(rt, &m);
  if (m.used == 0 || m.used > held || m.requests < m.system) fail("memory");
  neap_set_memory_limit(rt, m.used + m.cached + 4096);
  if (neap_new(C, NEAP_F64, 1, &(const int64_t){1 << 20}) != NULL ||
      neap_status(C) != NEAP_ELIMIT) fail("the limit");
  neap_clear(C);
  neap_set_memory_limit(rt, 0);
  neap_unref(t);
  neap_unref(same);
}

static void modes (neap_ctx *C) {
  neap_tensor *a, *b;
  double x, y;
  neap_manual_seed(C, 7);
  neap_apply(C, "rand", "size=1 dtype=float64", 0, NULL, 1, &a);
  neap_manual_seed(C, 7);
  neap_apply(C, "rand", "size=1 dtype=float64", 0, NULL, 1, &b);
  neap_read(C, a, &x, sizeof(x));
  neap_read(C, b, &y, sizeof(y));
  if (neap_status(C) != NEAP_OK || x != y) fail("the seed");
  neap_require_grad(C, a);
  if (neap_set_grad_enabled(C, 0) != 1) fail("the gradient mode");
  neap_unref(b);
  b = op(C, "mul", NULL, a, a);
  if (neap_backward(C, b) != NEAP_EGRAD) fail("recorded all the same");
  neap_clear(C);
  neap_set_grad_enabled(C, 1);
  neap_unref(a);
  neap_unref(b);
}

static void errors (neap_ctx *C) {
  const int64_t two = 2, three = 3;
  neap_tensor *a = neap_new(C, NEAP_F32, 1, &two);
  neap_tensor *b = neap_new(C, NEAP_F32, 1, &three), *y;
  y = op(C, "add", NULL, a, b);
  if (y != NULL || neap_status(C) != NEAP_ESHAPE) fail("no shape error");
  printf("%s\n", neap_message(C));
  y = op(C, "add", NULL, a, a);          /* the first error sticks */
  if (y != NULL) fail("an error was forgotten");
  neap_clear(C);
  y = op(C, "softmax", "dim=0", a, NULL);
  if (y == NULL) fail(neap_message(C));
  neap_unref(y);
  op(C, "softmax", "dimm=0", a, NULL);
  printf("%s\n", neap_message(C));
  neap_clear(C);
  y = op(C, "argmax", NULL, a, NULL);    /* positions count from 0 in C */
  {
    int64_t at = -1;
    neap_read(C, y, &at, sizeof(at));
    if (at != 0) fail("argmax does not count from 0");
  }
  neap_unref(y);
  neap_unref(a);
  neap_unref(b);
  neap_unref(NULL);
}

int main (void) {
  neap_config c;
  neap_rt *rt;
  neap_ctx *C;
  neap_config_init(&c);
  c.alloc = counting;
  c.threads = 1;
  rt = neap_open(&c);
  C = neap_ctx_open(rt);
  if (C == NULL) fail("no context");
  fit(C);
  errors(C);
  describe(C, rt);
  modes(C);
  if (neap_close(rt) != NEAP_EBUSY) fail("closed with an open context");
  neap_ctx_close(C);
  if (neap_close(rt) != NEAP_OK) fail("not closed");
  if (held != 0) fail("bytes are left");
  printf("done\n");
  return 0;
}
