/*
** Parameters that are computed of others whenever their layer is called:
** weight_norm and spectral_norm.
**
** The slot of the parameter stays empty; the layer's own forward finds the
** computed tensor there while it runs.
*/
#include <stdio.h>
#include <string.h>
#include "nn/reparametrize.h"
#include "op/composed.h"

static nx_slot *slot_of (const nx_module *m, const nx_reparam *r,
                         const char *suffix) {
  char name[NX_MAXNAME + 8];
  snprintf(name, sizeof(name), "%s_%s", r->name, suffix);
  return nx_module_slot(m, name);
}

static nx_tensor *tensor_of (const nx_module *m, const nx_reparam *r,
                             const char *suffix) {
  nx_slot *s = slot_of(m, r, suffix);
  return s ? nx_slot_tensor(s) : NULL;
}

/* where the layer finds the parameter */
static nx_tensor **place_of (nx_slot *s) { return s->at ? s->at : &s->own; }

static int set_tensor (nx_ctx *C, nx_module *m, const nx_reparam *r,
                       const char *suffix, int learn, nx_tensor *t) {
  char name[NX_MAXNAME + 8];
  if (t == NULL) return nx_status(C);
  snprintf(name, sizeof(name), "%s_%s", r->name, suffix);
  if (learn) return nx_learned(C, m, name, NULL, t);
  return nx_module_set_tensor(C, m, NX_SLOT_BUFFER, name, t, NULL);
}

/* a leaf of its own with the elements of t */
static nx_tensor *leaf_of (nx_ctx *C, nx_tensor *t) {
  nx_tensor *leaf = t ? nx_new_like(C, t) : NULL;
  return leaf && nx_copy(C, leaf, t) == 0 ? leaf : NULL;
}


/* the norm of v over all dimensions but 'dim' (-1: over all), kept */
static nx_tensor *norm_except (nx_ctx *C, nx_tensor *v, int64_t dim) {
  nx_ints others = {0, {0}};
  for (int d = 0; d < v->ndim; d++)
    if (d != dim) others.v[others.n++] = d;
  return nx_norm(C, v, 2, others, 1);
}

/*
** weight_norm: w = g v / |v|, length and direction apart, a length for each
** slice along a dimension (Salimans and Kingma 2016, equation 2).
*/
static int weight_norm_make (nx_ctx *C, nx_module *m, const nx_reparam *r,
                             nx_tensor *w) {
  nx_tensor *g = norm_except(C, w, r->dim);
  if (set_tensor(C, m, r, "g", 1, leaf_of(C, g))) return nx_status(C);
  return set_tensor(C, m, r, "v", 1, leaf_of(C, w));
}

static nx_tensor *weight_norm_compute (nx_ctx *C, nx_module *m,
                                       const nx_reparam *r) {
  nx_tensor *v = tensor_of(m, r, "v"), *g = tensor_of(m, r, "g");
  return MUL(v, DIV(g, norm_except(C, v, r->dim)));
}


/* w as a matrix with 'dim' in front, as two dimensions */
static nx_tensor *as_matrix (nx_ctx *C, nx_tensor *w, int64_t dim) {
  int64_t shape[2];
  nx_ints order = {w->ndim, {0}};
  order.v[0] = dim;
  for (int d = 0, k = 1; d < w->ndim; d++)
    if (d != dim) order.v[k++] = d;
  shape[0] = w->shape[dim];
  shape[1] = shape[0] ? w->len / shape[0] : 0;
  return nx_reshape(C, nx_permute(C, w, order), 2, shape);
}

/* x / (|x| + eps), in place */
static int to_unit (nx_ctx *C, nx_tensor *x, double eps) {
  nx_ints all = {1, {0}};
  nx_tensor *norm = ADD(nx_norm(C, x, 2, all, 0), NUM(eps));
  nx_tensor *y = norm ? DIV(x, norm) : NULL;
  return y ? nx_copy(C, x, y) : nx_status(C);
}

/*
** spectral_norm: w / s, with s the largest singular value, u^T w v for the
** vectors u and v that power iteration finds (Miyato et al. 2018,
** algorithm 1): v = w^T u and u = w v, each of length 1, once a call.
*/
static int iterate (nx_ctx *C, nx_module *m, const nx_reparam *r,
                    nx_tensor *w, int64_t times) {
  nx_tensor *u = tensor_of(m, r, "u"), *v = tensor_of(m, r, "v"), *x;
  int recording = C->recording;
  C->recording = 0;
  for (int64_t i = 0; i < times && nx_status(C) == 0; i++) {
    x = nx_matmul(C, nx_transpose(C, w, 0, 1), u);
    if (x && nx_copy(C, v, x) == 0) to_unit(C, v, r->eps);
    x = nx_matmul(C, w, v);
    if (x && nx_copy(C, u, x) == 0) to_unit(C, u, r->eps);
  }
  C->recording = recording;
  return nx_status(C);
}

static int spectral_norm_make (nx_ctx *C, nx_module *m, const nx_reparam *r,
                               nx_tensor *w) {
  nx_tensor *matrix = as_matrix(C, w, r->dim), *u, *v;
  if (matrix == NULL) return nx_status(C);
  u = nx_new(C, w->dtype, 1, &matrix->shape[0]);
  v = nx_new(C, w->dtype, 1, &matrix->shape[1]);
  if (u == NULL || v == NULL) return nx_status(C);
  u = nx_normal(C, u, 0, 1, NX_FRESH);
  v = nx_normal(C, v, 0, 1, NX_FRESH);
  if (u == NULL || v == NULL || to_unit(C, u, r->eps) ||
      to_unit(C, v, r->eps) ||
      set_tensor(C, m, r, "orig", 1, leaf_of(C, w)) ||
      set_tensor(C, m, r, "u", 0, u) || set_tensor(C, m, r, "v", 0, v))
    return nx_status(C);
  return iterate(C, m, r, matrix, 15);
}

static nx_tensor *spectral_norm_compute (nx_ctx *C, nx_module *m,
                                         const nx_reparam *r) {
  nx_tensor *w = tensor_of(m, r, "orig");
  nx_tensor *matrix = as_matrix(C, w, r->dim), *u, *v, *s;
  if (matrix == NULL || (m->training && iterate(C, m, r, matrix,
                                                r->iterations)))
    return NULL;
  u = leaf_of(C, tensor_of(m, r, "u"));      /* they change at the next call */
  v = leaf_of(C, tensor_of(m, r, "v"));
  if (u == NULL || v == NULL) return NULL;
  s = nx_matmul(C, u, nx_matmul(C, matrix, v));
  return DIV(w, s);
}


static const nx_reparam_kind kinds[] = {
  {"weight_norm", "g v", weight_norm_make, weight_norm_compute},
  {"spectral_norm", "orig u v", spectral_norm_make, spectral_norm_compute}
};

const nx_reparam_kind *nx_reparam_named (const char *name) {
  for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
    if (strcmp(kinds[i].name, name) == 0) return &kinds[i];
  return NULL;
}


nx_reparam *nx_reparam_find (const nx_module *m, const char *name) {
  nx_reparam *r = m->reparams;
  while (r && strcmp(r->name, name) != 0) r = r->next;
  return r;
}

static nx_tensor *compute (nx_ctx *C, nx_module *m, const nx_reparam *r) {
  return r->kind->compute(C, m, r);
}

nx_tensor *nx_reparam_value (nx_ctx *C, nx_module *m, const char *name) {
  nx_reparam *r = nx_reparam_find(m, name);
  return r ? compute(C, m, r) : NULL;
}


int nx_reparam_fill (nx_ctx *C, nx_module *m) {
  for (nx_reparam *r = m->reparams; r; r = r->next) {
    nx_tensor *t = compute(C, m, r);
    if (t == NULL) return nx_status(C);
    *place_of(nx_module_slot(m, r->name)) = t;
  }
  return 0;
}

void nx_reparam_empty (nx_module *m) {
  for (nx_reparam *r = m->reparams; r; r = r->next)
    *place_of(nx_module_slot(m, r->name)) = NULL;
}


static int check_target (nx_ctx *C, const nx_module *m, nx_reparam *r,
                         const nx_slot *s) {
  const nx_tensor *w = s ? nx_slot_tensor(s) : NULL;
  if (nx_reparam_find(m, r->name))
    return nx_fail(C, NEAP_EARG, "%s: %s.%s is computed already",
                   r->kind->name, m->class_name, r->name);
  if (s == NULL || s->child || w == NULL || (m->layer->flags & NX_FOREIGN) ||
      s->kind != NX_SLOT_PARAMETER)
    return nx_fail(C, NEAP_EARG, "%s: %s has no parameter '%s' of its own",
                   r->kind->name, m->class_name, r->name);
  if (w->ndim == 0 || (r->dim != NX_UNSET_INT && nx_dim(C, r->kind->name, w,
                                                        &r->dim)))
    return nx_fail(C, NEAP_EARG, "%s: %s has no dimensions", r->kind->name,
                   r->name);
  return 0;
}

/* the tensors that it keeps, as far as they are there */
static void remove_parts (nx_module *m, const nx_reparam *r) {
  const char *p = r->kind->parts;
  for (; *p; p += *p == ' ') {
    char part[8] = "";
    size_t n = strcspn(p, " ");
    nx_slot *s;
    memcpy(part, p, n < sizeof(part) - 1 ? n : sizeof(part) - 1);
    if ((s = slot_of(m, r, part)) != NULL) nx_module_remove(m, s->name);
    p += n;
  }
}

int nx_reparametrize (nx_ctx *C, nx_module *m, const nx_reparam *given) {
  nx_slot *s = nx_module_slot(m, given->name);
  nx_reparam *r = nx_alloc(C, sizeof(*r));
  int recording = C->recording;
  if (r == NULL) return nx_status(C);
  *r = *given;
  C->recording = 0;
  if (check_target(C, m, r, s) == 0 &&
      r->kind->make(C, m, r, nx_slot_tensor(s))) remove_parts(m, r);
  C->recording = recording;
  if (nx_status(C)) {
    nx_free(C, r, sizeof(*r));
    return nx_status(C);
  }
  s = nx_module_slot(m, given->name);      /* slots may have moved */
  nx_unref(*place_of(s));
  *place_of(s) = NULL;
  r->next = m->reparams;
  m->reparams = r;
  return 0;
}


static void unlink_reparam (nx_module *m, nx_reparam *r) {
  nx_reparam **p = &m->reparams;
  while (*p != r) p = &(*p)->next;
  *p = r->next;
  nx_free(m->C, r, sizeof(*r));
}

int nx_reparam_remove (nx_ctx *C, nx_module *m, const char *name) {
  nx_reparam *r = nx_reparam_find(m, name);
  nx_tensor *w;
  int recording = C->recording;
  if (r == NULL)
    return nx_fail(C, NEAP_EARG, "%s.%s is not computed of others",
                   m->class_name, name);
  C->recording = 0;
  w = leaf_of(C, compute(C, m, r));
  C->recording = recording;
  if (w == NULL) return nx_status(C);
  if (nx_learned(C, m, name, NULL, w)) return nx_status(C);
  remove_parts(m, r);
  unlink_reparam(m, r);
  return 0;
}

void nx_reparam_close (nx_module *m) {
  while (m->reparams) unlink_reparam(m, m->reparams);
}
