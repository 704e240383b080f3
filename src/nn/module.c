/*
** Modules: the tree of layers.
*/
#include <stdio.h>
#include <string.h>
#include "base/text.h"
#include "grad/tape.h"
#include "nn/module.h"
#include "nn/reparametrize.h"

#define MAXDEPTH 200           /* a tree deeper than this is a mistake */


const nx_layer *nx_layer_named (const char *name) {
  for (const nx_layer *const *p = nx_layers; *p != NULL; p++)
    if (strcmp((*p)->name, name) == 0) return *p;
  return NULL;
}


const nx_field *nx_layer_fields (const nx_layer *l) {
  return l->op ? l->op->fields : l->fields;
}

const char *nx_layer_doc (const nx_layer *l) {
  return l->op ? l->op->doc : l->doc;
}

const char *nx_layer_inputs (const nx_layer *l) {
  return l->op ? l->op->inputs : l->inputs;
}

static size_t layer_size (const nx_layer *l) {
  return l->op ? sizeof(nx_module) + l->op->argsize : l->size;
}

void *nx_module_args (nx_module *m) {
  return m->layer->op ? m + 1 : m;
}


nx_module *nx_module_new (nx_ctx *C, const nx_layer *layer) {
  nx_module *m = nx_alloc(C, layer_size(layer));
  if (m == NULL) return NULL;
  memset(m, 0, layer_size(layer));
  m->C = C;
  m->layer = layer;
  m->refs = 1;
  m->training = 1;
  snprintf(m->class_name, sizeof(m->class_name), "%s", layer->name);
  nx_fields_default(C, nx_layer_fields(layer), nx_module_args(m));
  return m;
}


int nx_module_init (nx_ctx *C, nx_module *m) {
  size_t mark = nx_push(C);
  if (nx_fields_check(C, m->layer->name, nx_layer_fields(m->layer),
                      nx_module_args(m)) == 0 &&
      m->layer->init)
    m->layer->init(C, m);
  nx_pop(C, mark, NULL);
  return nx_status(C);
}


nx_module *nx_module_ref (nx_module *m) {
  if (m) m->refs++;
  return m;
}


static void drop_child (nx_module *m, nx_slot *s) {
  if (s->child == NULL) return;
  if (s->child->parent == m) s->child->parent = NULL;
  nx_module_unref(s->child);
  s->child = NULL;
}


void nx_module_unref (nx_module *m) {
  if (m == NULL || --m->refs > 0) return;
  for (int i = 0; i < m->nslots; i++) {
    nx_unref(nx_slot_tensor(&m->slots[i]));
    drop_child(m, &m->slots[i]);
  }
  nx_reparam_close(m);
  nx_free(m->C, m->slots, (size_t)m->room * sizeof(*m->slots));
  nx_free(m->C, m, layer_size(m->layer));
}


nx_tensor *nx_slot_tensor (const nx_slot *s) {
  return s->at ? *s->at : s->own;
}


nx_slot *nx_module_slot (const nx_module *m, const char *name) {
  for (int i = 0; i < m->nslots; i++)
    if (strcmp(m->slots[i].name, name) == 0) return &m->slots[i];
  return NULL;
}


static nx_slot *new_slot (nx_ctx *C, nx_module *m, const char *name) {
  nx_slot *s;
  if (strlen(name) >= NX_MAXNAME || *name == '\0' || strchr(name, '.')) {
    nx_fail(C, NEAP_EARG, "%s: '%.80s' cannot be the name of a parameter or "
            "module (1 to %d bytes without a dot)", m->class_name, name,
            NX_MAXNAME - 1);
    return NULL;
  }
  if (m->nslots == m->room) {
    int room = m->room ? m->room * 2 : 4;
    nx_slot *slots = nx_realloc(C, m->slots,
                                (size_t)m->room * sizeof(*slots),
                                (size_t)room * sizeof(*slots));
    if (slots == NULL) return NULL;
    m->slots = slots;
    m->room = room;
  }
  s = &m->slots[m->nslots++];
  memset(s, 0, sizeof(*s));
  strcpy(s->name, name);
  return s;
}


int nx_module_set_tensor (nx_ctx *C, nx_module *m, nx_slot_kind kind,
                          const char *name, nx_tensor *t, nx_tensor **at) {
  nx_slot *s = nx_module_slot(m, name);
  if (s == NULL) {
    s = new_slot(C, m, name);
    if (s == NULL) return nx_status(C);
    s->at = at;
    if (at) *at = NULL;        /* an option was borrowed, not owned */
  }
  drop_child(m, s);
  s->kind = kind;
  if (t) {
    nx_keep(t);
    t->flags |= NX_HELD;
    if (kind == NX_SLOT_PARAMETER) t->flags |= NX_LEARNED;
  }
  nx_unref(nx_slot_tensor(s));
  if (s->at) *s->at = t;
  else s->own = t;
  return 0;
}


static int contains (const nx_module *m, const nx_module *other, int depth) {
  if (m == other || depth > MAXDEPTH) return 1;
  for (int i = 0; i < m->nslots; i++)
    if (m->slots[i].child && contains(m->slots[i].child, other, depth + 1))
      return 1;
  return 0;
}


int nx_module_set_child (nx_ctx *C, nx_module *m, const char *name,
                         nx_module *child) {
  nx_slot *s = nx_module_slot(m, name);
  if (contains(child, m, 0))
    return nx_fail(C, NEAP_EARG, "%s: '%s' would contain itself (or more "
                   "than %d levels)", m->class_name, name, MAXDEPTH);
  if (s == NULL && (s = new_slot(C, m, name)) == NULL) return nx_status(C);
  nx_module_ref(child);
  drop_child(m, s);
  nx_unref(nx_slot_tensor(s));
  if (s->at) *s->at = NULL;
  s->own = NULL;
  s->kind = NX_SLOT_CHILD;
  s->child = child;
  child->parent = m;
  return 0;
}


int nx_module_remove (nx_module *m, const char *name) {
  nx_slot *s = nx_module_slot(m, name);
  if (s == NULL) return 0;
  nx_unref(nx_slot_tensor(s));
  if (s->at) *s->at = NULL;
  drop_child(m, s);
  m->nslots--;
  memmove(s, s + 1, (size_t)(m->slots + m->nslots - s) * sizeof(*s));
  return 1;
}


int nx_module_children (const nx_module *m) {
  int n = 0;
  for (int i = 0; i < m->nslots; i++) n += m->slots[i].child != NULL;
  return n;
}


static int register_made (nx_ctx *C, nx_module *m, const char *name,
                          nx_tensor **at, int learn, nx_tensor *t) {
  if (t == NULL) return nx_status(C);
  if (learn && nx_require(C, t, 1)) return nx_status(C);
  return nx_module_set_tensor(C, m, learn ? NX_SLOT_PARAMETER
                                          : NX_SLOT_BUFFER, name, t, at);
}


int nx_parameter (nx_ctx *C, nx_module *m, const char *name, nx_tensor **at,
                  int ndim, const int64_t *shape, double bound) {
  nx_tensor *t = nx_zeros(C, NEAP_F32, ndim, shape);
  if (t && bound > 0) t = nx_uniform(C, t, -bound, bound);
  return register_made(C, m, name, at, 1, t);
}


int nx_learned (nx_ctx *C, nx_module *m, const char *name, nx_tensor **at,
                nx_tensor *t) {
  return register_made(C, m, name, at, 1, t);
}


int nx_filled (nx_ctx *C, nx_module *m, const char *name, nx_tensor **at,
               int learn, int dtype, int ndim, const int64_t *shape,
               double value) {
  nx_tensor *t = nx_new(C, dtype, ndim, shape);
  nx_tensor *v = nx_from_number(C, value);
  if (t && v && nx_copy(C, t, v) == 0) register_made(C, m, name, at, learn,
                                                     t);
  return nx_status(C);
}


int nx_make_child (nx_ctx *C, nx_module *m, const char *name,
                   const char *layer, const char *options) {
  nx_module *child = nx_module_new(C, nx_layer_named(layer));
  if (child == NULL) return nx_status(C);
  if (nx_fields_parse(C, name, nx_layer_fields(child->layer),
                      nx_module_args(child), options) == 0 &&
      nx_module_init(C, child) == 0) {
    child->ready = 1;
    nx_module_set_child(C, m, name, child);
  }
  nx_module_unref(child);
  return nx_status(C);
}

nx_tensor *nx_call_child (nx_ctx *C, nx_module *m, const char *name, int nin,
                          nx_tensor *const *in) {
  nx_slot *s = nx_module_slot(m, name);
  if (nx_status(C)) return NULL;
  if (s && s->child) return nx_module_call(C, s->child, nin, in);
  nx_fail(C, NEAP_EARG, "%s is missing", name);
  return NULL;
}


int nx_module_foreign (const nx_module *m) {
  if (m->layer->flags & NX_FOREIGN) return 1;
  for (int i = 0; i < m->nslots; i++)
    if (m->slots[i].child && nx_module_foreign(m->slots[i].child)) return 1;
  return 0;
}


/*
** The name of a child in its parent: for people 'model[3]' or 'model.fc',
** for files "2" or "fc".
*/
static const char *name_in (const nx_module *parent, const nx_module *m,
                            int *position) {
  int n = 0;
  for (int i = 0; i < parent->nslots; i++) {
    if (parent->slots[i].child == NULL) continue;
    n++;
    if (parent->slots[i].child != m) continue;
    *position = n;
    return parent->slots[i].name;
  }
  return "?";
}

static void put_path (const nx_module *m, int depth, char *people,
                      char *file, size_t room) {
  const char *name;
  size_t p, f;
  int at = 0;
  if (m->parent == NULL || depth > 20) return;
  put_path(m->parent, depth + 1, people, file, room);
  name = name_in(m->parent, m, &at);
  p = strlen(people);
  f = strlen(file);
  if (*name >= '0' && *name <= '9')
    snprintf(people + p, room - p, "[%d]", at);
  else snprintf(people + p, room - p, ".%s", name);
  snprintf(file + f, room - f, "%s%s", f ? "." : "", name);
}

void nx_module_blame (nx_ctx *C, const nx_module *m) {
  char people[160] = "model", file[160] = "", *rest;
  if (nx_status(C) == 0 || strchr(C->message, '\1')) return;
  rest = strstr(C->message, ": ");         /* the operation's own name */
  if (rest != NULL && rest - C->message < 32 &&
      memchr(C->message, ' ', (size_t)(rest - C->message)) == NULL)
    memmove(C->message, rest + 2, strlen(rest + 2) + 1);
  put_path(m, 0, people, file, sizeof(people));
  if (*file) nx_prefix(C, "%s (%s \"%s\"): ", m->class_name, people, file);
  else nx_prefix(C, "%s: ", m->class_name);
}


#define MAXIN 8

/* a layer that is just an operation; its options stay as they were given */
static int apply_op (nx_ctx *C, nx_module *m, int n, nx_tensor *const *in,
                     nx_tensor **out) {
  union { char bytes[640]; double d; int64_t i; void *p; } args;
  memcpy(args.bytes, nx_module_args(m), m->layer->op->argsize);
  return nx_apply_all(C, m->layer->op, args.bytes, n, in, NX_NEW,
                      NX_MAXRESULTS, out);
}


int nx_layer_results (const nx_layer *l) {
  const char *names = l->op ? l->op->outputs
                    : l->outputs ? l->outputs : "y";
  int n = 0;
  for (; *names; names += *names == ' ') {
    names += strcspn(names, " ");
    n += names[-1] != '~';
  }
  return n < NX_MAXRESULTS ? n : NX_MAXRESULTS;
}


nx_tensor *nx_module_result (nx_ctx *C, const nx_module *m, nx_tensor *x,
                             nx_tensor *y) {
  if (y && C->finite && !nx_all_finite(C, y)) {
    nx_fail(C, NEAP_EARG, "the output holds NaN or infinity");
    y = NULL;
  }
  if (y && C->watch) C->watch(C->watch_ud, m, x, y);
  if (y == NULL || nx_status(C)) {
    nx_module_blame(C, m);
    return NULL;
  }
  return y;
}


int nx_module_call_all (nx_ctx *C, nx_module *m, int nin,
                        nx_tensor *const *in, nx_tensor **out) {
  const nx_layer *l = m->layer;
  const char *inputs = nx_layer_inputs(l);
  nx_tensor *all[MAXIN] = {0};
  int optional, list, n = nx_names_count(inputs, &optional, &list);
  int results = 1;
  if (nx_status(C)) return -1;
  if (l->forward == NULL && l->results == NULL && l->op == NULL) {
    nx_fail(C, NEAP_EUNSUP, "%s: this layer has no forward in C",
            m->class_name);
    return -1;
  }
  if (nin > n || nin < n - optional) {
    nx_fail(C, NEAP_EARG, "%s: called with %d tensors, expected %s",
            m->class_name, nin, inputs);
    return -1;
  }
  for (int i = 0; i < nin; i++) all[i] = in[i];
  if (nx_reparam_fill(C, m)) results = -1;
  else if (l->op) results = apply_op(C, m, n, all, out);
  else if (l->results) results = l->results(C, m, all, out);
  else out[0] = l->forward(C, m, all);
  nx_reparam_empty(m);
  if (results < 0) out[0] = NULL;
  if (!(l->flags & NX_CONTAINER))
    out[0] = nx_module_result(C, m, all[0], out[0]);
  return out[0] ? results : -1;
}


nx_tensor *nx_module_call (nx_ctx *C, nx_module *m, int nin,
                           nx_tensor *const *in) {
  nx_tensor *out[NX_MAXRESULTS];
  return nx_module_call_all(C, m, nin, in, out) > 0 ? out[0] : NULL;
}


nx_tensor *nx_module_call_act (nx_ctx *C, nx_module *m, nx_tensor *x,
                               int activation) {
  nx_tensor *y = NULL;
  if (nx_reparam_fill(C, m) == 0)
    y = m->layer->forward_act(C, m, &x, activation);
  nx_reparam_empty(m);
  return nx_module_result(C, m, x, y);
}


/*
** Walks. The path is built in one buffer; a module is entered once for
** each name it has.
*/
#define MAXPATH 1024

typedef struct visit {
  nx_ctx *C;
  nx_visit_fn *tensor;
  nx_visit_module_fn *module;
  void *ud;
  char path[MAXPATH];
} visit;

static int visit_kind (visit *v, nx_module *m, size_t at,
                       nx_slot_kind kind) {
  for (int i = 0; i < m->nslots; i++) {
    nx_slot *s = &m->slots[i];
    if (s->child || s->kind != kind || nx_slot_tensor(s) == NULL) continue;
    snprintf(v->path + at, MAXPATH - at, "%s", s->name);
    if (v->tensor(v->ud, v->path, s)) return 1;
  }
  return 0;
}

static int visit_tree (visit *v, nx_module *m, size_t at) {
  if (v->module) {
    v->path[at ? at - 1 : 0] = '\0';
    if (v->module(v->ud, v->path, m)) return 1;
    if (at) v->path[at - 1] = '.';
  }
  else if (visit_kind(v, m, at, NX_SLOT_PARAMETER) ||
           visit_kind(v, m, at, NX_SLOT_BUFFER)) return 1;
  for (int i = 0; i < m->nslots; i++) {
    size_t n = strlen(m->slots[i].name);
    if (m->slots[i].child == NULL) continue;
    if (at + n + NX_MAXNAME + 2 > MAXPATH) {
      nx_fail(v->C, NEAP_EARG, "the names of nested modules are too long");
      return 1;
    }
    memcpy(v->path + at, m->slots[i].name, n);
    v->path[at + n] = '.';
    if (visit_tree(v, m->slots[i].child, at + n + 1)) return 1;
  }
  return 0;
}

int nx_module_visit (nx_ctx *C, nx_module *m, nx_visit_fn *f, void *ud) {
  visit v;
  v.C = C;
  v.tensor = f;
  v.module = NULL;
  v.ud = ud;
  visit_tree(&v, m, 0);
  return nx_status(C);
}

int nx_module_visit_modules (nx_ctx *C, nx_module *m,
                             nx_visit_module_fn *f, void *ud) {
  visit v;
  v.C = C;
  v.tensor = NULL;
  v.module = f;
  v.ud = ud;
  visit_tree(&v, m, 0);
  return nx_status(C);
}


static int set_training (void *ud, const char *path, nx_module *m) {
  (void)path;
  m->training = *(int *)ud;
  return 0;
}

void nx_module_train (nx_ctx *C, nx_module *m, int on) {
  nx_module_visit_modules(C, m, set_training, &on);
}


/*
** A tensor takes over the elements of another and stays the same object:
** tied parameters stay tied, optimisers and tables keep their keys.
*/
static int convert_slot (void *ud, const char *path, nx_slot *s) {
  int dtype = *(int *)ud;
  nx_tensor *t = nx_slot_tensor(s), *fresh, *g;
  nx_ctx *C = t->C;
  size_t mark = nx_push(C);
  nx_storage *store;
  (void)path;
  if (!nx_is_float(t->dtype) || t->dtype == dtype) return 0;
  fresh = nx_typed(C, t, dtype);
  g = nx_grad_of(t);
  if (g) g = nx_typed(C, g, dtype);
  if (nx_status(C)) return 1;
  store = t->store;
  t->store = fresh->store;
  t->data = fresh->data;
  t->dtype = (unsigned char)dtype;
  nx_set_dense(t);
  fresh->store = store;                /* freed with it */
  if (g) nx_set_grad(C, t, g);
  nx_pop(C, mark, NULL);
  return nx_status(C);
}

int nx_module_to (nx_ctx *C, nx_module *m, int dtype) {
  if (!nx_is_float(dtype))
    return nx_fail(C, NEAP_EDTYPE, "to: modules are float32 or float64, not "
                   "%s", nx_dtype_name(dtype));
  return nx_module_visit(C, m, convert_slot, &dtype);
}


/*
** Layers whose forward is written elsewhere, in Lua or by a host.
*/
const nx_layer nx_layer_module = {
  .name = "Module", .doc = "The base of layers written in Lua.",
  .inputs = "", .size = sizeof(nx_module), .flags = NX_FOREIGN
};
