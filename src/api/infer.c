/*
** neap.h for C hosts: models and plans.
*/
#include <string.h>
#include "base/os.h"
#include "plan/model.h"


/* A handle is the core's own structure. */
static nx_model *model_of (const neap_model *m) {
  return (nx_model *)(uintptr_t)m;
}
static nx_plan *plan_of (const neap_plan *p) {
  return (nx_plan *)(uintptr_t)p;
}


/*
** Models.
*/
neap_model *neap_model_open (neap_ctx *C, const char *path) {
  return (neap_model *)nx_model_open(C, path);
}

neap_model *neap_model_bytes (neap_ctx *C, const void *bytes, size_t size) {
  return (neap_model *)nx_model_bytes(C, bytes, size);
}

neap_model *neap_model_borrow (neap_ctx *C, const void *bytes, size_t size) {
  return (neap_model *)nx_model_borrow(C, bytes, size);
}

neap_model *neap_model_ref (neap_model *m) {
  return (neap_model *)nx_model_ref(model_of(m));
}

void neap_model_unref (neap_model *m) { nx_model_unref(model_of(m)); }

const char *neap_model_meta (const neap_model *m, const char *key) {
  return nx_model_meta(model_of(m), key);
}

int neap_model_index_base (const neap_model *m) {
  return (int)nx_model_base(model_of(m));
}

int neap_model_inputs (const neap_model *m) {
  return nx_model_inputs(model_of(m));
}

neap_code neap_model_input (const neap_model *m, int i, neap_view *v) {
  const nx_tensor *t = nx_model_input(model_of(m), i);
  if (t == NULL) return NEAP_EARG;
  neap_look(t, v);
  return NEAP_OK;
}

int neap_model_check (neap_ctx *C, neap_model *m, double *worst) {
  return nx_model_check(C, model_of(m), worst);
}


/*
** Plans.
*/
static int headers (nx_ctx *C, int nin, const neap_view *in,
                    const nx_tensor **out) {
  if (nin < 0 || nin > NX_MAXSHOWN)
    return nx_fail(C, NEAP_EARG, "neap_plan_new: %d inputs, at most %d are "
                   "possible", nin, NX_MAXSHOWN);
  for (int i = 0; i < nin; i++) {
    if (neap_dtype_name(in[i].dtype) == NULL || in[i].ndim < 0)
      return nx_fail(C, NEAP_EARG, "neap_plan_new: input %d has no type or "
                     "shape", i);
    out[i] = nx_header(C, in[i].dtype, in[i].ndim, in[i].shape);
  }
  return nx_status(C);
}

neap_plan *neap_plan_new (neap_ctx *C, neap_model *m, int nin,
                          const neap_view *in, void *memory, size_t size) {
  const nx_tensor *shapes[NX_MAXSHOWN];
  size_t mark = nx_push(C);
  nx_plan *p = NULL;
  if (nx_status(C)) return NULL;
  if (headers(C, nin, in, shapes) == 0)
    p = nx_model_plan(C, model_of(m), nin, shapes, memory, size);
  nx_pop(C, mark, NULL);
  return (neap_plan *)p;
}

size_t neap_plan_size (neap_ctx *C, neap_model *m, int nin,
                       const neap_view *in) {
  neap_plan *p = neap_plan_new(C, m, nin, in, NULL, 0);
  size_t n = p ? neap_plan_bytes(p) : 0;
  neap_plan_free(p);
  return n;
}

void neap_plan_free (neap_plan *p) { nx_plan_free(plan_of(p)); }

size_t neap_plan_bytes (const neap_plan *p) {
  return nx_plan_bytes(plan_of(p));
}

int neap_plan_inputs (const neap_plan *p) {
  return nx_plan_inputs(plan_of(p));
}

int neap_plan_outputs (const neap_plan *p) {
  return nx_plan_outputs(plan_of(p));
}


/* Every call begins without an error of the one before. */
static nx_ctx *fresh (neap_plan *p) {
  nx_ctx *C = nx_plan_context(plan_of(p));
  neap_clear(C);
  return C;
}

static neap_code none (nx_ctx *C, const char *what, int i, int most) {
  return (neap_code)nx_fail(C, NEAP_EARG, "the plan has %d %s, none with the "
                            "number %d", most, what, i);
}

neap_code neap_plan_input (neap_plan *p, int i, neap_view *v) {
  nx_ctx *C = fresh(p);
  int most = neap_plan_inputs(p);
  if (i < 0 || i >= most) return none(C, "inputs", i, most);
  neap_look(nx_plan_input(plan_of(p), i), v);
  return NEAP_OK;
}

neap_code neap_plan_output (neap_plan *p, int i, neap_view *v) {
  nx_ctx *C = fresh(p);
  int most = neap_plan_outputs(p);
  if (i < 0 || i >= most) return none(C, "outputs", i, most);
  neap_look(nx_plan_output(plan_of(p), i), v);
  return NEAP_OK;
}

neap_code neap_plan_bind_input (neap_plan *p, int i, void *data) {
  fresh(p);
  return (neap_code)nx_plan_bind(plan_of(p), 0, i, data);
}

neap_code neap_plan_bind_output (neap_plan *p, int i, void *data) {
  fresh(p);
  return (neap_code)nx_plan_bind(plan_of(p), 1, i, data);
}


neap_code neap_plan_rows (neap_plan *p, int64_t rows) {
  fresh(p);
  return (neap_code)nx_plan_rows(plan_of(p), rows);
}

neap_code neap_plan_run (neap_plan *p) {
  fresh(p);
  return (neap_code)nx_plan_run(plan_of(p));
}

static uint64_t own_clock (void *ud) {
  (void)ud;
  return nx_clock_ns();
}

neap_code neap_plan_step (neap_plan *p, uint64_t budget_ns) {
  nx_ctx *C = fresh(p);
  const nx_rt *rt = nx_plan_runtime(plan_of(p));
  int left = nx_plan_step(plan_of(p), budget_ns,
                          rt->now_ns ? rt->now_ns : own_clock, rt->ud);
  return left ? NEAP_AGAIN : C->status;
}


void neap_plan_reset (neap_plan *p) { nx_plan_reset(plan_of(p)); }

size_t neap_plan_state_size (const neap_plan *p) {
  return nx_plan_state_bytes(plan_of(p));
}

static int right_size (neap_plan *p, const char *who, size_t size) {
  size_t want = neap_plan_state_size(p);
  nx_ctx *C = fresh(p);
  if (size == want) return 1;
  nx_fail(C, NEAP_EARG, "%s: the state has %zu bytes, not %zu", who, want,
          size);
  return 0;
}

neap_code neap_plan_save_state (neap_plan *p, void *out, size_t size) {
  if (!right_size(p, "neap_plan_save_state", size)) return NEAP_EARG;
  nx_plan_save_state(plan_of(p), out);
  return NEAP_OK;
}

neap_code neap_plan_load_state (neap_plan *p, const void *in, size_t size) {
  if (!right_size(p, "neap_plan_load_state", size)) return NEAP_EARG;
  nx_plan_load_state(plan_of(p), in);
  return NEAP_OK;
}

const char *neap_plan_message (const neap_plan *p) {
  return neap_message(nx_plan_context(plan_of(p)));
}
