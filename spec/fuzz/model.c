/*
** Hostile input: model files, from opening to the second run of a plan,
** and one of a single row.
*/
#include "plan/model.h"
#include "spec/fuzz/fuzz.h"

/* A tree of layers is asked for a small input of one to four dimensions. */
static nx_plan *plan_of (nx_ctx *C, nx_model *m, size_t choice) {
  int64_t shape[4] = {1, 2, 4, 4};
  const nx_tensor *x;
  if (nx_model_inputs(m) >= 0) return nx_model_plan(C, m, 0, NULL, NULL, 0);
  x = nx_header(C, choice % 5 == 4 ? NEAP_I64 : NEAP_F32,
                1 + (int)(choice % 4), shape);
  return x ? nx_model_plan(C, m, 1, &x, NULL, 0) : NULL;
}

void fuzz_one (nx_ctx *C, const uint8_t *bytes, size_t size) {
  nx_model *m = nx_model_bytes(C, bytes, size);
  nx_plan *p = m ? plan_of(C, m, size) : NULL;
  if (p) {
    for (int i = 0; i < nx_plan_inputs(p); i++) {      /* any numbers */
      const nx_tensor *x = nx_plan_input(p, i);
      for (int64_t k = 0; k < x->len * (int64_t)nx_dtype_size(x->dtype); k++)
        x->data[k] = (char)(k * 37 + (int64_t)size);
    }
    nx_plan_run(p);
    neap_clear(nx_plan_context(p));
    while (nx_plan_step(p, 0, NULL, NULL)) {}
    neap_clear(nx_plan_context(p));
    if (nx_plan_rows(p, 1) == 0) nx_plan_run(p);
  }
  nx_plan_free(p);
  nx_model_unref(m);
}
