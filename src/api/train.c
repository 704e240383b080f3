/*
** neap.h for C hosts: gradients, layers, optimisers, their files.
*/
#include <stdio.h>
#include <string.h>
#include "grad/tape.h"
#include "io/safetensors.h"
#include "nn/tree.h"
#include "optim/optimizer.h"

static nx_module *module_of (neap_module *m) { return (nx_module *)m; }
static nx_optimizer *optimizer_of (neap_optim *o) {
  return (nx_optimizer *)o;
}


/*
** Gradients.
*/
void neap_require_grad (neap_ctx *C, neap_tensor *t) {
  if (t) nx_require(C, t, 1);
}

neap_code neap_backward (neap_ctx *C, neap_tensor *loss) {
  if (loss == NULL) nx_fail(C, NEAP_EARG, "neap_backward: there is no loss");
  if (nx_status(C)) return C->status;
  nx_backward(C, 1, &loss, NULL, 0, NULL, NULL, 0);
  return C->status;
}

neap_tensor *neap_grad (neap_tensor *t) {
  return t ? nx_keep(nx_grad_of(t)) : NULL;
}


/*
** Layers.
*/
neap_module *neap_layer (neap_ctx *C, const char *name,
                         const char *options) {
  const nx_layer *layer = nx_layer_named(name);
  nx_module *m;
  if (nx_status(C)) return NULL;
  if (layer == NULL || (layer->flags & NX_FOREIGN)) {
    nx_fail(C, NEAP_EARG, "neap_layer: there is no layer '%.40s'", name);
    return NULL;
  }
  m = nx_module_new(C, layer);
  if (m == NULL) return NULL;
  if (nx_fields_parse(C, name, nx_layer_fields(layer), nx_module_args(m),
                      options) ||
      nx_fields_check(C, name, nx_layer_fields(layer), nx_module_args(m)) ||
      nx_module_init(C, m)) {
    nx_module_unref(m);
    return NULL;
  }
  return (neap_module *)m;
}

neap_code neap_add (neap_ctx *C, neap_module *container, const char *name,
                    neap_module *layer) {
  char number[24];
  if (container && layer && nx_status(C) == 0) {
    nx_module *in = module_of(container);
    snprintf(number, sizeof(number), "%d", nx_module_children(in));
    if (!(in->layer->flags & NX_CONTAINER))
      nx_fail(C, NEAP_EARG, "neap_add: %s is no container",
              in->layer->name);
    else if (name && strlen(name) >= NX_MAXNAME)
      nx_fail(C, NEAP_EARG, "neap_add: a name of more than %d bytes",
              NX_MAXNAME - 1);
    else nx_module_set_child(C, in, name ? name : number, module_of(layer));
  }
  nx_module_unref(module_of(layer));
  return C->status;
}

void neap_module_unref (neap_module *m) { nx_module_unref(module_of(m)); }

void neap_train (neap_ctx *C, neap_module *m, int on) {
  if (m) nx_module_train(C, module_of(m), on);
}

neap_tensor *neap_call (neap_ctx *C, neap_module *m, int nin,
                        neap_tensor *const *in) {
  size_t mark = nx_push(C);
  nx_tensor *y;
  if (nx_status(C) || m == NULL) return NULL;
  y = nx_module_call(C, module_of(m), nin, in);
  if (nx_status(C)) y = NULL;
  nx_keep(y);
  nx_pop(C, mark, NULL);
  return y;
}


typedef struct parameters {
  neap_tensor **out;
  int n, room;
} parameters;

/* one that has several names comes once */
static int add_parameter (void *ud, const char *path, nx_slot *s) {
  parameters *p = ud;
  nx_tensor *t = nx_slot_tensor(s);
  (void)path;
  if (s->kind != NX_SLOT_PARAMETER) return 0;
  for (int i = 0; i < p->n && i < p->room; i++)
    if (p->out[i] == t) return 0;
  if (p->n < p->room) p->out[p->n] = t;
  p->n++;
  return 0;
}

int neap_parameters (neap_ctx *C, neap_module *m, int room,
                     neap_tensor **out) {
  parameters p = {out, 0, room};
  if (m) nx_module_visit(C, module_of(m), add_parameter, &p);
  return p.n;
}


/*
** Loading by name: first everything is compared, then copied.
*/
typedef struct loading {
  nx_ctx *C;
  const nx_safe *file;
  neap_report r;
  int copying;
  char names[300];             /* of what does not fit, as far as it goes */
} loading;

static void note (loading *l, const char *why, const char *name) {
  size_t n = strlen(l->names);
  snprintf(l->names + n, sizeof(l->names) - n, "%s%s %s",
           n ? ", " : "", why, name);
}

static const nx_entry *entry_of (const nx_safe *s, const char *name) {
  for (size_t i = 0; i < s->n; i++)
    if (strcmp(s->entries[i].name, name) == 0) return &s->entries[i];
  return NULL;
}

static int load_slot (void *ud, const char *path, nx_slot *s) {
  loading *l = ud;
  nx_tensor *own = nx_slot_tensor(s), *t;
  const nx_entry *e = entry_of(l->file, path);
  size_t mark = nx_push(l->C);
  int fits = e && e->ndim == own->ndim &&
             memcmp(e->shape, own->shape,
                    own->ndim * sizeof(*own->shape)) == 0;
  if (!l->copying) {
    if (e == NULL) l->r.missing++;
    else if (fits) l->r.used++;
    else l->r.misfit++;
    if (!fits) note(l, e ? "misfit" : "missing", path);
    return 0;
  }
  if (!fits) return 0;
  t = nx_safe_tensor(l->C, l->file, e);
  if (t) nx_copy(l->C, own, t);
  if (t) own->store->version++;
  nx_pop(l->C, mark, NULL);
  return nx_status(l->C);
}

typedef struct wanted { const char *name; int found; } wanted;

static int is_wanted (void *ud, const char *path, nx_slot *s) {
  wanted *w = ud;
  (void)s;
  w->found |= strcmp(path, w->name) == 0;
  return w->found;
}

static void count_unused (loading *l, nx_module *m) {
  for (size_t i = 0; i < l->file->n; i++) {
    wanted w = {l->file->entries[i].name, 0};
    nx_module_visit(l->C, m, is_wanted, &w);
    if (w.found) continue;
    l->r.unused++;
    note(l, "unused", w.name);
  }
}

neap_code neap_load (neap_ctx *C, neap_module *m, const char *path,
                     int strict, neap_report *r) {
  int recording = C->recording;
  loading l;
  nx_safe file;
  memset(&l, 0, sizeof(l));
  if (nx_status(C) || m == NULL) return C->status;
  if (nx_safe_open(C, &file, path) == 0) {
    l.C = C;
    l.file = &file;
    C->recording = 0;
    nx_module_visit(C, module_of(m), load_slot, &l);
    count_unused(&l, module_of(m));
    if (strict && l.r.missing + l.r.unused + l.r.misfit > 0)
      nx_fail(C, NEAP_EFORMAT, "neap_load: %s does not fit the module: %s",
              path, l.names);
    l.copying = 1;
    if (nx_status(C) == 0) nx_module_visit(C, module_of(m), load_slot, &l);
    C->recording = recording;
  }
  nx_safe_close(&file);
  if (r) *r = l.r;
  return C->status;
}


/*
** Saving: a tensor with several names is written once.
*/
#define MOST_SAVED 20000

typedef struct saving {
  nx_ctx *C;
  nx_tensor **tensors;
  char **names, **tied;        /* tied: second name, first name, ... */
  size_t n, ntied, room;
} saving;

static char *name_kept (nx_ctx *C, const char *s) {
  char *own = nx_alloc(C, strlen(s) + 1);
  if (own) strcpy(own, s);
  return own;
}

static int save_slot (void *ud, const char *path, nx_slot *s) {
  saving *v = ud;
  nx_tensor *t = nx_slot_tensor(s);
  char *name = v->n < v->room ? name_kept(v->C, path) : NULL;
  if (name == NULL)
    return nx_fail(v->C, NEAP_EARG, "neap_save: more than %zu tensors",
                   v->room);
  for (size_t i = 0; i < v->n; i++)
    if (v->tensors[i] == t) {
      v->tied[2 * v->ntied] = name;
      v->tied[2 * v->ntied++ + 1] = v->names[i];
      return 0;
    }
  v->tensors[v->n] = t;
  v->names[v->n++] = name;
  return 0;
}

static int save_all (nx_ctx *C, nx_module *m, const char *path,
                     saving *v) {
  nx_text tree;
  nx_pair meta[2];
  nx_text_open(C, &tree);
  if (nx_module_visit(C, m, save_slot, v) == 0 &&
      nx_tree_put(C, m, (int)v->ntied, (const char *const *)v->tied,
                  &tree) == 0) {
    meta[0].key = "neap.version";
    meta[0].value = NEAP_VERSION;
    meta[1].key = "neap.module";
    meta[1].value = tree.s;
    nx_safe_save(C, path, v->n, (const char *const *)v->names, v->tensors, 2,
                 meta);
  }
  nx_text_close(&tree);
  return nx_status(C);
}

neap_code neap_save (neap_ctx *C, neap_module *m, const char *path) {
  size_t pointers = MOST_SAVED * sizeof(void *);
  saving v;
  if (nx_status(C) || m == NULL) return C->status;
  memset(&v, 0, sizeof(v));
  v.C = C;
  v.room = MOST_SAVED / 2;
  v.tensors = nx_alloc(C, pointers);
  v.names = nx_alloc(C, pointers);
  v.tied = nx_alloc(C, 2 * pointers);
  if (nx_status(C) == 0) save_all(C, module_of(m), path, &v);
  for (size_t i = 0; i < v.n; i++)
    nx_free(C, v.names[i], strlen(v.names[i]) + 1);
  for (size_t i = 0; i < v.ntied; i++)
    nx_free(C, v.tied[2 * i], strlen(v.tied[2 * i]) + 1);
  nx_free(C, v.tensors, pointers);
  nx_free(C, v.names, pointers);
  nx_free(C, v.tied, 2 * pointers);
  return C->status;
}


/*
** Optimisers.
*/
static const nx_optim *optim_named (const char *name) {
  for (const nx_optim *const *p = nx_optims; *p; p++)
    if (strcmp((*p)->name, name) == 0) return *p;
  return NULL;
}

neap_optim *neap_optimizer (neap_ctx *C, const char *name,
                            const char *options, int n,
                            neap_tensor *const *parameters) {
  union { char bytes[NX_MAXARGS]; double d; int64_t i; void *p; } args;
  const nx_optim *kind = optim_named(name);
  nx_optimizer *o;
  if (nx_status(C)) return NULL;
  if (kind == NULL) {
    nx_fail(C, NEAP_EARG, "neap_optimizer: there is no optimiser '%.40s'",
            name);
    return NULL;
  }
  memset(args.bytes, 0, sizeof(args.bytes));
  nx_fields_default(C, kind->fields, args.bytes);
  if (nx_fields_parse(C, name, kind->fields, args.bytes, options) ||
      nx_fields_check(C, name, kind->fields, args.bytes)) return NULL;
  o = nx_optimizer_new(C, kind);
  if (o && nx_optimizer_add(C, o, args.bytes, n, parameters)) {
    nx_optimizer_free(o);
    o = NULL;
  }
  return (neap_optim *)o;
}

void neap_optimizer_free (neap_optim *o) {
  if (o) nx_optimizer_free(optimizer_of(o));
}

neap_code neap_optimizer_set (neap_optim *given, const char *options) {
  nx_optimizer *o = optimizer_of(given);
  if (o == NULL) return NEAP_EARG;
  for (int i = 0; i < o->ngroups && nx_status(o->C) == 0; i++)
    nx_fields_parse(o->C, o->kind->name, o->kind->fields, o->groups[i].args,
                    options);
  return o->C->status;
}

neap_code neap_optimizer_zero_grad (neap_optim *o) {
  if (o == NULL) return NEAP_EARG;
  return (neap_code)nx_optimizer_zero_grad(optimizer_of(o)->C,
                                           optimizer_of(o));
}

neap_code neap_optimizer_step (neap_optim *o) {
  if (o == NULL) return NEAP_EARG;
  return (neap_code)nx_optimizer_step(optimizer_of(o)->C, optimizer_of(o));
}
