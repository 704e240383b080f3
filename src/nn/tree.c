/*
** Layer trees of model files.
*/
#include <stdio.h>
#include <string.h>
#include "grad/tape.h"
#include "nn/tree.h"

#define MAX_PATH 1024
#define MAX_DEPTH 60

typedef struct planting {
  nx_ctx *C;
  nx_stored_fn *stored;
  void *ud;
  nx_module *root;
  int depth;
} planting;


static const char *text_of (const nx_json *object, const char *key) {
  const nx_json *j = nx_json_get(object, key);
  return j && j->type == NX_JSON_STRING && strlen(j->text) == j->length
         ? j->text : NULL;
}

static int malformed (nx_ctx *C, const char *why) {
  return nx_fail(C, NEAP_EFORMAT, "the layer tree %s", why);
}


/*
** Making one layer. Its options are counted as Lua counts.
*/
static int set_options (planting *p, nx_module *m, const nx_json *tree) {
  const nx_field *fields = nx_layer_fields(m->layer), *f;
  const nx_json *j = nx_json_get(tree, "options");
  nx_value v;
  if (j && j->type == NX_JSON_ARRAY && j->length == 0) return 0;
  for (j = j ? j->child : NULL; j; j = j->next) {
    f = fields && j->key ? nx_field_find(fields, j->key) : NULL;
    if (f == NULL)
      return nx_fail(p->C, NEAP_EFORMAT, "the layer tree has the option "
                     "'%.40s' of %s, which has none",
                     j->key ? j->key : "?", m->layer->name);
    if (nx_json_value(p->C, m->layer->name, j, &v) ||
        nx_field_set(p->C, m->layer->name, f, nx_module_args(m), &v))
      return nx_status(p->C);
  }
  return 0;
}

/* options that are tensors: the file has them under the layer's path */
static int set_tensors (planting *p, nx_module *m, const nx_json *tree,
                        const char *path) {
  const nx_field *fields = nx_layer_fields(m->layer), *f;
  const nx_json *j = nx_json_get(tree, "tensors");
  char name[MAX_PATH];
  nx_value v;
  for (j = j && j->type == NX_JSON_ARRAY ? j->child : NULL; j; j = j->next) {
    if (j->type != NX_JSON_STRING) return malformed(p->C, "is malformed");
    snprintf(name, sizeof(name), "%s%s%s", path, *path ? "." : "", j->text);
    f = fields ? nx_field_find(fields, j->text) : NULL;
    nx_value_clear(&v);
    v.tag = NX_IS_TENSOR;
    v.tensor = p->stored(p->ud, name);
    if (f == NULL || v.tensor == NULL)
      return nx_fail(p->C, NEAP_EFORMAT, "the layer tree wants a tensor "
                     "'%.80s', which is not there", name);
    v.tensor = nx_alias(p->C, v.tensor);
    if (v.tensor == NULL ||
        nx_field_set(p->C, m->layer->name, f, nx_module_args(m), &v))
      return nx_status(p->C);
  }
  return nx_status(p->C);
}

static nx_module *plant (planting *p, const nx_json *tree);

static nx_module *at_path (planting *p, const char *path) {
  nx_module *m = p->root;
  while (m && *path) {
    char name[NX_MAXNAME];
    size_t n = strcspn(path, ".");
    nx_slot *s;
    if (n >= sizeof(name)) return NULL;
    memcpy(name, path, n);
    name[n] = '\0';
    s = nx_module_slot(m, name);
    m = s ? s->child : NULL;
    path += n + (path[n] == '.');
  }
  return m;
}

static int plant_children (planting *p, nx_module *m, const nx_json *tree) {
  const nx_json *j = nx_json_get(tree, "modules");
  const nx_json *named = nx_json_get(tree, "names");
  char name[NX_MAXNAME];
  int i = 0;
  if (j && j->type != NX_JSON_ARRAY) return malformed(p->C, "is malformed");
  named = named && named->type == NX_JSON_ARRAY ? named->child : NULL;
  for (j = j ? j->child : NULL; j; j = j->next) {
    const char *same = text_of(j, "neap.same");
    nx_module *child = same ? nx_module_ref(at_path(p, same)) : plant(p, j);
    if (child == NULL) {
      if (nx_status(p->C) == 0) malformed(p->C, "refers to no module");
      return nx_status(p->C);
    }
    if (named && named->type == NX_JSON_STRING)
      snprintf(name, sizeof(name), "%s", named->text);
    else snprintf(name, sizeof(name), "%d", i);
    if (named) named = named->next;
    i++;
    nx_module_set_child(p->C, m, name, child);
    nx_module_unref(child);
    if (nx_status(p->C)) return nx_status(p->C);
  }
  return 0;
}


static nx_module *plant (planting *p, const nx_json *tree) {
  const char *class = text_of(tree, "neap.class");
  const char *path = text_of(tree, "path");
  const nx_layer *layer = class ? nx_layer_named(class) : NULL;
  nx_module *m;
  if (class == NULL) {
    malformed(p->C, "has an entry without a class");
    return NULL;
  }
  if (layer == NULL || (layer->flags & NX_FOREIGN) ||
      nx_json_get(tree, "arguments")) {
    nx_fail(p->C, NEAP_EUNSUP, "%s%s%.60s is a layer written in Lua: export "
            "the model (net:export) to run it without Lua",
            path && *path ? path : "", path && *path ? ": " : "", class);
    return NULL;
  }
  if (++p->depth > MAX_DEPTH) {
    malformed(p->C, "is nested too deep");
    return NULL;
  }
  m = nx_module_new(p->C, layer);
  if (m && p->root == NULL) p->root = m;
  if (m == NULL || set_options(p, m, tree) ||
      set_tensors(p, m, tree, path ? path : "") ||
      nx_fields_check(p->C, layer->name, nx_layer_fields(layer),
                      nx_module_args(m)) ||
      nx_module_init(p->C, m) || plant_children(p, m, tree)) {
    nx_module_unref(m);
    m = NULL;
  }
  p->depth--;
  return m;
}


/*
** Parameters and buffers see the file's tensors.
*/
typedef struct filling {
  planting *p;
  const nx_json *tied;
} filling;

/* the name under which the file has a tensor: second names are not in it */
static const char *stored_name (const filling *f, const char *path) {
  const nx_json *pair = f->tied && f->tied->type == NX_JSON_ARRAY
                        ? f->tied->child : NULL;
  for (; pair; pair = pair->next) {
    const nx_json *a = pair->type == NX_JSON_ARRAY ? pair->child : NULL;
    if (a && a->next && a->type == NX_JSON_STRING &&
        a->next->type == NX_JSON_STRING && strcmp(a->text, path) == 0)
      return a->next->text;
  }
  return path;
}

static int fill (void *ud, const char *path, nx_slot *s) {
  filling *f = ud;
  nx_ctx *C = f->p->C;
  nx_tensor *own = nx_slot_tensor(s), *t;
  char a[NX_SHAPE_TEXT], b[NX_SHAPE_TEXT];
  t = f->p->stored(f->p->ud, stored_name(f, path));
  if (t == NULL)
    return nx_fail(C, NEAP_EFORMAT, "the file has no tensor '%.80s'", path);
  if (!nx_same_shape(own, t))
    return nx_fail(C, NEAP_EFORMAT, "%.80s is %s in the file, but the layer "
                   "wants %s", path, nx_shape_of(t, a), nx_shape_of(own, b));
  t = nx_alias(C, t);
  if (t == NULL) return nx_status(C);
  if (s->at == NULL) {           /* the old one is kept by nobody else */
    nx_unref(s->own);
    s->own = nx_keep(t);
    return 0;
  }
  nx_unref(*s->at);
  *s->at = nx_keep(t);
  return 0;
}


nx_module *nx_tree_read (nx_ctx *C, const char *text, size_t size,
                         nx_stored_fn *stored, void *ud) {
  nx_json_file file;
  nx_json *top = nx_json_open(C, &file, "the layer tree", text, size);
  planting p = {C, stored, ud, NULL, 0};
  const nx_json *computed = nx_json_get(top, "computed");
  nx_module *m = NULL;
  filling f;
  int base = C->base;
  C->base = 1;                   /* options as Lua wrote them */
  if (computed && computed->length > 0)
    nx_fail(C, NEAP_EUNSUP, "the model has parameters that are computed "
            "(weight_norm and the like): export it (net:export) to run it "
            "without Lua");
  else if (top) m = plant(&p, nx_json_get(top, "tree"));
  f.p = &p;
  f.tied = nx_json_get(top, "tied");
  if (m && (nx_module_visit(C, m, fill, &f))) {
    nx_module_unref(m);
    m = NULL;
  }
  if (m) nx_module_train(C, m, 0);
  C->base = base;
  nx_json_close(&file);
  return m;
}


/*
** Writing.
*/
static void put_path (const char *path, nx_text *out) {
  nx_json_put_string(out, path, strlen(path));
}

static void put_options (nx_ctx *C, nx_module *m, nx_text *out) {
  const nx_field *f = nx_layer_fields(m->layer);
  int n = 0;
  nx_value v;
  nx_text_put(out, ",\"options\":{");
  for (; f && f->name; f++) {
    nx_field_get(C, f, nx_module_args(m), &v);
    if (v.tag == NX_IS_NIL || v.tag == NX_IS_TENSOR ||
        f->kind == NX_KIND_BASE || f->kind == NX_KIND_DRAW) continue;
    nx_text_put(out, "%s\"%s\":", n++ ? "," : "", f->name);
    nx_json_put_value(out, &v);
  }
  nx_text_put(out, "}");
}

/* options that are tensors; the file has them */
static void put_tensors (nx_ctx *C, nx_module *m, nx_text *out) {
  const nx_field *f = nx_layer_fields(m->layer);
  int n = 0;
  nx_value v;
  for (; f && f->name; f++) {
    if (f->kind != NX_KIND_TENSOR) continue;
    nx_field_get(C, f, nx_module_args(m), &v);
    if (v.tag != NX_IS_TENSOR) continue;
    nx_text_put(out, "%s\"%s\"", n++ ? "," : ",\"tensors\":[", f->name);
  }
  if (n) nx_text_put(out, "]");
}

static int put_module (nx_ctx *C, nx_module *m, char *path, nx_text *out) {
  size_t at = strlen(path);
  int n = 0;
  if (m->layer->flags & NX_FOREIGN)
    return nx_fail(C, NEAP_EUNSUP, "save: %s is a layer written in Lua",
                   m->class_name);
  nx_text_put(out, "{\"neap.class\":\"%s\",\"path\":", m->layer->name);
  put_path(path, out);
  put_options(C, m, out);
  put_tensors(C, m, out);
  for (int i = 0; (m->layer->flags & NX_CONTAINER) && i < m->nslots; i++) {
    nx_slot *s = &m->slots[i];
    if (s->child == NULL) continue;
    if (at + strlen(s->name) + 2 > MAX_PATH)
      return nx_fail(C, NEAP_EARG, "save: names are nested too deep");
    nx_text_put(out, n++ ? "," : ",\"modules\":[");
    snprintf(path + at, MAX_PATH - at, "%s%s", at ? "." : "", s->name);
    if (put_module(C, s->child, path, out)) return nx_status(C);
    path[at] = '\0';
  }
  return nx_text_put(out, n ? "]}" : "}");
}

int nx_tree_put (nx_ctx *C, nx_module *m, int tied,
                 const char *const *names, nx_text *out) {
  char path[MAX_PATH] = "";
  int base = C->base;
  C->base = 1;
  nx_text_put(out, "{\"tree\":");
  put_module(C, m, path, out);
  nx_text_put(out, ",\"tied\":[");
  for (int i = 0; i < tied; i++) {
    nx_text_put(out, i ? ",[" : "[");
    put_path(names[2 * i], out);
    nx_text_put(out, ",");
    put_path(names[2 * i + 1], out);
    nx_text_put(out, "]");
  }
  nx_text_put(out, "],\"computed\":[]}");
  C->base = base;
  return nx_status(C);
}
