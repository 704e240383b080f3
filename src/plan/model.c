/*
** Models from files.
*/
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "io/safetensors.h"
#include "nn/tree.h"
#include "plan/graphfile.h"
#include "plan/model.h"
#include "plan/recorder.h"

typedef struct named {
  char *name;
  nx_tensor *t;
} named;

typedef struct meta {
  char *key, *value;
} meta;

struct nx_model {
  atomic_int refs;
  nx_ctx *C;                   /* whoever opens or closes the model */
  named *tensors;              /* sorted by name */
  meta *meta;
  nx_graph *g;                 /* NULL: a tree */
  nx_packs *packs;             /* of its weights; never changes */
  size_t n, nmeta;
  size_t tensors_block, meta_block;
  size_t bytes;                /* of the file */
  int64_t base;
};


/*
** Opening.
*/
static char *copied (nx_ctx *C, const char *s) {
  size_t n = strlen(s) + 1;
  char *own = nx_alloc(C, n);
  if (own) memcpy(own, s, n);
  return own;
}

static void drop (nx_ctx *C, char *s) {
  if (s) nx_free(C, s, strlen(s) + 1);
}

static int by_name (const void *a, const void *b) {
  return strcmp(((const named *)a)->name, ((const named *)b)->name);
}

static int keep_tensors (nx_model *m, const nx_safe *s, int borrowed) {
  m->tensors_block = s->n * sizeof(*m->tensors) + 1;
  m->tensors = nx_alloc(m->C, m->tensors_block);
  if (m->tensors == NULL) return nx_status(m->C);
  for (m->n = 0; m->n < s->n; m->n++) {
    named *own = &m->tensors[m->n];
    const nx_entry *e = &s->entries[m->n];
    own->t = nx_keep(borrowed ? nx_safe_borrow(m->C, s, e)
                              : nx_safe_tensor(m->C, s, e));
    own->name = own->t ? copied(m->C, s->entries[m->n].name) : NULL;
    if (own->name == NULL) {
      nx_unref(own->t);
      return nx_status(m->C);
    }
  }
  if (m->n > 1) qsort(m->tensors, m->n, sizeof(*m->tensors), by_name);
  nx_pop(m->C, 0, NULL);
  return 0;
}

static int keep_meta (nx_model *m, const nx_safe *s) {
  m->meta_block = s->nmetadata * sizeof(*m->meta) + 1;
  m->meta = nx_alloc(m->C, m->meta_block);
  if (m->meta == NULL) return nx_status(m->C);
  for (m->nmeta = 0; m->nmeta < s->nmetadata; m->nmeta++) {
    meta *own = &m->meta[m->nmeta];
    own->key = copied(m->C, s->metadata[m->nmeta].key);
    own->value = own->key ? copied(m->C, s->metadata[m->nmeta].value) : NULL;
    if (own->value == NULL) {
      drop(m->C, own->key);
      return nx_status(m->C);
    }
  }
  return 0;
}

static nx_tensor *stored (void *ud, const char *name) {
  return nx_model_tensor(ud, name);
}

/*
** Weights of linear layers are packed once, for all plans.
*/
static int is_packed (const nx_model *m, int call) {
  const nx_call *c = &m->g->calls[call];
  for (int i = 0; i < call; i++)
    if (m->g->calls[i].op == c->op && m->g->calls[i].in[1] == c->in[1])
      return 1;
  return 0;
}

static int pack_weights (nx_model *m) {
  m->packs = nx_packs_new(m->C, NULL);
  for (int i = 0; m->packs && i < m->g->ncalls; i++) {
    const nx_call *c = &m->g->calls[i];
    const nx_wire *w = c->nin > 1 && c->in[1] >= 0 ? &m->g->wires[c->in[1]]
                                                   : NULL;
    if (w == NULL || strcmp(c->op->name, "linear") != 0 ||
        w->origin != NX_WEIGHT || w->t->ndim != 2 ||
        !nx_is_float(w->t->dtype) || is_packed(m, i)) continue;
    if (nx_packs_keep(m->packs, w->t->dtype,
                      nx_transposed(nx_matrix_of(w->t)))) break;
  }
  nx_pop(m->C, 0, NULL);
  return nx_status(m->C);
}

static int understand (nx_model *m) {
  const char *graph = nx_model_meta(m, "neap.graph");
  const char *base = nx_model_meta(m, "neap.index_base");
  m->base = base && strcmp(base, "0") == 0 ? 0 : 1;
  if (graph) m->g = nx_graph_get(m->C, graph, strlen(graph), stored, m);
  if (m->g) pack_weights(m);
  else if (!graph && nx_model_meta(m, "neap.module") == NULL)
    nx_fail(m->C, NEAP_EFORMAT, "the file holds tensors, but neither a "
            "recorded graph nor a tree of layers (net:export or net:save "
            "writes one)");
  return nx_status(m->C);
}


static void close_model (nx_model *m) {
  nx_ctx *C = m->C;
  nx_rt *rt = C->rt;
  nx_packs_free(m->packs);
  nx_graph_free(m->g);
  for (size_t i = 0; i < m->n; i++) {
    nx_unref(m->tensors[i].t);
    drop(C, m->tensors[i].name);
  }
  for (size_t i = 0; i < m->nmeta; i++) {
    drop(C, m->meta[i].key);
    drop(C, m->meta[i].value);
  }
  nx_free(C, m->tensors, m->tensors_block);
  nx_free(C, m->meta, m->meta_block);
  nx_pop(C, 0, NULL);
  neap_ctx_close(C);
  nx_raw_free(&rt->memory, m, sizeof(*m));
}

/* 'path' or the bytes: what there is; 'borrowed': these stay */
static nx_model *open_model (nx_ctx *C, const char *path, const void *bytes,
                             size_t size, int borrowed) {
  nx_model *m;
  nx_safe s;
  if (nx_status(C)) return NULL;
  m = nx_raw_alloc(&C->rt->memory, sizeof(*m));
  if (m == NULL) {
    nx_fail(C, NEAP_ENOMEM, "not enough memory");
    return NULL;
  }
  memset(m, 0, sizeof(*m));
  m->C = neap_ctx_open(C->rt);
  if (m->C == NULL) {
    nx_raw_free(&C->rt->memory, m, sizeof(*m));
    nx_fail(C, NEAP_ENOMEM, "not enough memory");
    return NULL;
  }
  atomic_init(&m->refs, 1);
  if (path) nx_safe_open(m->C, &s, path);
  else nx_safe_open_bytes(m->C, &s, "the model", bytes, size);
  m->bytes = s.file_size ? s.file_size : size;
  if (nx_status(m->C) == 0 && keep_tensors(m, &s, borrowed) == 0 &&
      keep_meta(m, &s) == 0) understand(m);
  nx_safe_close(&s);
  if (nx_status(m->C) == 0) {
    nx_cache_flush(m->C);
    return m;
  }
  nx_fail(C, m->C->status, "%s", m->C->message);
  close_model(m);
  return NULL;
}

nx_model *nx_model_open (nx_ctx *C, const char *path) {
  return open_model(C, path, NULL, 0, 0);
}

nx_model *nx_model_bytes (nx_ctx *C, const void *bytes, size_t size) {
  return open_model(C, NULL, bytes, size, 0);
}

nx_model *nx_model_borrow (nx_ctx *C, const void *bytes, size_t size) {
  return open_model(C, NULL, bytes, size, 1);
}


nx_model *nx_model_ref (nx_model *m) {
  if (m) atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed);
  return m;
}

void nx_model_unref (nx_model *m) {
  if (m && atomic_fetch_sub_explicit(&m->refs, 1,
                                     memory_order_acq_rel) == 1)
    close_model(m);
}


/*
** What it says of itself.
*/
const char *nx_model_meta (const nx_model *m, const char *key) {
  for (size_t i = 0; i < m->nmeta; i++)
    if (strcmp(m->meta[i].key, key) == 0) return m->meta[i].value;
  return NULL;
}

int64_t nx_model_base (const nx_model *m) { return m->base; }
size_t nx_model_tensors (const nx_model *m) { return m->n; }

const char *nx_model_tensor_name (const nx_model *m, size_t i) {
  return i < m->n ? m->tensors[i].name : NULL;
}

nx_tensor *nx_model_tensor (const nx_model *m, const char *name) {
  size_t low = 0, high = m->n;
  while (low < high) {
    size_t mid = (low + high) / 2;
    int c = strcmp(m->tensors[mid].name, name);
    if (c == 0) return m->tensors[mid].t;
    if (c < 0) low = mid + 1;
    else high = mid;
  }
  return NULL;
}

int nx_model_inputs (const nx_model *m) { return m->g ? m->g->ngiven : -1; }

const nx_tensor *nx_model_input (const nx_model *m, int i) {
  return m->g && i >= 0 && i < m->g->ngiven ? m->g->wires[i].t : NULL;
}


/*
** Its graph for given shapes, recorded in a context of the workshop: a
** runtime that ends as soon as the plan is made.
*/
typedef struct seen {
  const nx_model *m;
  nx_ctx *C;
} seen;

/* tensors of the model, as ones of the workshop's context */
static nx_tensor *seen_tensor (void *ud, const char *name) {
  const seen *s = ud;
  nx_tensor *t = nx_model_tensor(s->m, name);
  return t ? nx_alias(s->C, t) : NULL;
}

static nx_tensor *sample (nx_ctx *C, const nx_tensor *like, int64_t base) {
  nx_tensor *t = nx_new(C, like->dtype, like->ndim, like->shape);
  int64_t size = (int64_t)nx_dtype_size(like->dtype);
  if (nx_is_float(like->dtype)) base = 0;
  for (int64_t i = 0; t && i < t->len; i++)
    nx_put_integer(t, t->data + i * size, base);
  return t;
}

static int check_given (nx_ctx *C, const nx_model *m, int nin,
                        const nx_tensor *const *in) {
  if (m->g == NULL && (nin < 1 || nin > NX_MAXSHOWN))
    return nx_fail(C, NEAP_EARG, "the shapes of the inputs are needed: the "
                   "file holds layers, which take many");
  if (m->g && nin != m->g->ngiven)
    return nx_fail(C, NEAP_EARG, "the model has %d inputs, not %d",
                   m->g->ngiven, nin);
  for (int i = 0; i < nin && m->g; i++) {
    const nx_tensor *own = m->g->wires[i].t;
    char a[NX_SHAPE_TEXT], b[NX_SHAPE_TEXT];
    if (in[i]->dtype != own->dtype || in[i]->ndim != own->ndim)
      return nx_fail(C, NEAP_ESHAPE, "input %d is %s %s, but the model was "
                     "recorded for %s %s", i, nx_dtype_name(in[i]->dtype),
                     nx_shape_of(in[i], a), nx_dtype_name(own->dtype),
                     nx_shape_of(own, b));
  }
  return 0;
}

/* Layers, whose parameters have the file's memory: what they first made of
   their options may not be more than a file of this size explains. */
static nx_module *grow (nx_ctx *C, const nx_model *m) {
  const char *text = nx_model_meta(m, "neap.module");
  nx_module *made;
  seen s;
  s.m = m;
  s.C = C;
  neap_set_memory_limit(C->rt, 4 * m->bytes + ((size_t)16 << 20));
  made = nx_tree_read(C, text, strlen(text), seen_tensor, &s);
  neap_set_memory_limit(C->rt, 0);
  return made;
}

static int compute (nx_ctx *C, const nx_model *m, int nin,
                    nx_tensor *const *in, nx_tensor **out) {
  nx_module *layers;
  int n;
  if (m->g) {
    nx_graph_run(C, m->g, in, out);
    return m->g->noutputs;
  }
  layers = grow(C, m);
  if (layers == NULL) return 0;
  n = nx_module_call_all(C, layers, nin, in, out);
  for (int i = 0; i < n; i++) nx_keep(out[i]);
  nx_module_unref(layers);
  return n;
}

/* Constants that are not the model's own were made in the workshop. */
static void mark_passing (const nx_model *m, nx_graph *g) {
  for (int i = 0; g && i < g->nwires; i++) {
    nx_wire *w = &g->wires[i];
    if (w->origin == NX_RESULT || w->origin == NX_GIVEN || w->t == NULL)
      continue;
    w->passing = 1;
    for (size_t k = 0; k < m->n && w->passing; k++)
      if (m->tensors[k].t->store == w->t->store) w->passing = 0;
  }
}

/* in the workshop's context C; what fails there, fails there */
static nx_graph *record (nx_ctx *C, const nx_model *m, int nin,
                         const nx_tensor *const *in) {
  nx_tensor *given[NX_MAXSHOWN], *out[NX_MAXSHOWN];
  nx_recorder *r;
  int n;
  C->recording = 0;
  C->base = (int)m->base;
  for (int i = 0; i < nin; i++) given[i] = sample(C, in[i], m->base);
  r = nx_recorder_begin(C, nin, given);
  if (r == NULL) return NULL;
  n = compute(C, m, nin, given, out);
  if (nx_status(C)) {
    nx_recorder_cancel(r);
    return NULL;
  }
  return nx_recorder_end(r, n, out);
}


static void let_go (void *held) { nx_model_unref(held); }

/* A plan holds the model from its first block to its last. */
nx_plan *nx_model_plan (nx_ctx *C, nx_model *m, int nin,
                        const nx_tensor *const *in, void *memory,
                        size_t size) {
  const nx_tensor *recorded[NX_MAXSHOWN];
  nx_arena shop;
  nx_ctx *S = NULL;
  nx_graph *g = NULL;
  nx_plan *p = NULL;
  if (nx_status(C)) return NULL;
  if (m->g && nin == 0) {
    nin = m->g->ngiven;
    for (int i = 0; i < nin; i++) recorded[i] = m->g->wires[i].t;
    in = recorded;
  }
  if (check_given(C, m, nin, in)) return NULL;
  nx_arena_init(&shop, C->rt, NULL, 0);
  if (nx_arena_open(&shop) == NEAP_OK) S = neap_ctx_open(shop.rt);
  if (S) g = record(S, m, nin, in);
  mark_passing(m, g);
  if (S == NULL) nx_fail(C, NEAP_ENOMEM, "not enough memory");
  else if (g == NULL) nx_fail(C, S->status, "%s", S->message);
  else p = nx_plan_new(C, g, m->packs, m->base, memory, size);
  nx_graph_free(g);
  if (S) nx_pop(S, 0, NULL);
  neap_ctx_close(S);
  nx_arena_close(&shop);
  if (p) nx_plan_hold(p, nx_model_ref(m), let_go);
  return p;
}


/*
** Examples: tensors "neap.example.x1", ... and what became of them,
** "neap.example.y1", ...
*/
static nx_tensor *example (const nx_model *m, char what, int i) {
  char name[40];
  snprintf(name, sizeof(name), "neap.example.%c%d", what, i + 1);
  return nx_model_tensor(m, name);
}

static double difference (nx_ctx *C, const nx_tensor *y, nx_tensor *want) {
  int64_t size = (int64_t)nx_dtype_size(want->dtype);
  nx_tensor *d = nx_dense(C, nx_alias(C, (nx_tensor *)(uintptr_t)y));
  double worst = 0, most = 1e-30;
  if (d == NULL || !nx_same_shape(d, want) || d->dtype != want->dtype)
    return INFINITY;
  for (int64_t i = 0; i < want->len; i++) {
    double a = nx_get_number(d, d->data + i * size);
    double b = nx_get_number(want, want->data + i * size);
    if (fabs(b) > most && !isinf(b)) most = fabs(b);
    if (a == b || (isnan(a) && isnan(b))) continue;
    if (!(fabs(a - b) <= worst)) worst = fabs(a - b);
  }
  return worst / most;
}

int nx_model_check (nx_ctx *C, nx_model *m, double *worst) {
  const nx_tensor *in[NX_MAXSHOWN];
  size_t mark = nx_push(C);
  nx_plan *p;
  int n = 0, nout;
  *worst = 0;
  while (n < NX_MAXSHOWN && (in[n] = example(m, 'x', n)) != NULL) n++;
  if (n == 0) return 0;
  p = nx_model_plan(C, m, n, in, NULL, 0);
  if (p == NULL) return -1;
  for (int i = 0; i < n; i++)
    memcpy(nx_plan_input(p, i)->data, in[i]->data,
           (size_t)in[i]->len * nx_dtype_size(in[i]->dtype));
  if (nx_plan_run(p))
    nx_fail(C, nx_plan_context(p)->status, "%s",
            nx_plan_context(p)->message);
  nout = nx_plan_outputs(p);
  for (int i = 0; i < nout && nx_status(C) == 0; i++) {
    nx_tensor *want = example(m, 'y', i);
    double d = want ? difference(C, nx_plan_output(p, i), want) : INFINITY;
    if (!(d <= *worst)) *worst = d;
  }
  nx_pop(C, mark, NULL);             /* what sees the plan's memory */
  nx_plan_free(p);
  return nx_status(C) ? -1 : 1;
}
