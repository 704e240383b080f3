/*
** Optimisers.
*/
#include <string.h>
#include "grad/tape.h"
#include "optim/optimizer.h"
#include "tensor/walk.h"


nx_optimizer *nx_optimizer_new (nx_ctx *C, const nx_optim *kind) {
  nx_optimizer *o = nx_alloc(C, sizeof(*o));
  if (o == NULL) return NULL;
  memset(o, 0, sizeof(*o));
  o->C = C;
  o->kind = kind;
  return o;
}


static void free_group (nx_optimizer *o, nx_group *g) {
  for (int i = 0; i < g->n; i++) {
    nx_unref(g->states[i].param);
    for (int s = 0; s < NX_MAXSLOTS; s++) nx_unref(g->states[i].slot[s]);
  }
  nx_free(o->C, g->states, (size_t)g->n * sizeof(*g->states));
  nx_free(o->C, g->args, o->kind->argsize);
}

void nx_optimizer_free (nx_optimizer *o) {
  if (o == NULL) return;
  for (int i = 0; i < o->ngroups; i++) free_group(o, &o->groups[i]);
  nx_free(o->C, o->groups, (size_t)o->ngroups * sizeof(*o->groups));
  nx_free(o->C, o, sizeof(*o));
}


static int has_param (const nx_optimizer *o, const nx_tensor *p) {
  for (int g = 0; g < o->ngroups; g++)
    for (int i = 0; i < o->groups[g].n; i++)
      if (o->groups[g].states[i].param == p) return 1;
  return 0;
}


static int check_params (nx_ctx *C, const nx_optimizer *o, int n,
                         nx_tensor *const *params) {
  for (int i = 0; i < n; i++) {
    const nx_trace *t = nx_trace_of(params[i]);
    int again = has_param(o, params[i]);
    for (int j = 0; j < i; j++) again |= params[j] == params[i];
    if (again)
      return nx_fail(C, NEAP_EARG, "%s: parameter %d is given twice",
                     o->kind->name, i + C->base);
    if (t && t->node)
      return nx_fail(C, NEAP_EARG, "%s: parameter %d was computed from "
                     "others; only leaves can be optimised",
                     o->kind->name, i + C->base);
    if (!nx_is_float(params[i]->dtype))
      return nx_fail(C, NEAP_EDTYPE, "%s: parameter %d is %s",
                     o->kind->name, i + C->base,
                     nx_dtype_name(params[i]->dtype));
  }
  return 0;
}


/* options that do not go together, in the optimiser's name */
static int checked (nx_ctx *C, const nx_optim *k, const void *args) {
  if (k->check && k->check(C, args)) nx_prefix(C, "%s: ", k->name);
  return nx_status(C);
}


int nx_optimizer_add (nx_ctx *C, nx_optimizer *o, const void *args, int n,
                      nx_tensor *const *params) {
  size_t old = (size_t)o->ngroups * sizeof(nx_group);
  nx_group g, *groups;
  if (nx_fields_check(C, o->kind->name, o->kind->fields, args) ||
      checked(C, o->kind, args) ||
      check_params(C, o, n, params)) return nx_status(C);
  memset(&g, 0, sizeof(g));
  g.args = nx_alloc(C, o->kind->argsize);
  g.states = nx_alloc(C, (size_t)n * sizeof(*g.states));
  groups = nx_realloc(C, NULL, 0, old + sizeof(g));
  if (nx_status(C)) {
    nx_free(C, g.args, o->kind->argsize);
    nx_free(C, g.states, (size_t)n * sizeof(*g.states));
    nx_free(C, groups, old + sizeof(g));
    return nx_status(C);
  }
  memcpy(g.args, args, o->kind->argsize);
  memset(g.states, 0, (size_t)n * sizeof(*g.states));
  g.n = n;
  for (int i = 0; i < n; i++) g.states[i].param = nx_keep(params[i]);
  if (old) memcpy(groups, o->groups, old);
  nx_free(C, o->groups, old);
  o->groups = groups;
  o->groups[o->ngroups++] = g;
  return 0;
}


static nx_tensor *new_slot (nx_ctx *C, const nx_optim *k, const void *args,
                            int i, const nx_tensor *w) {
  nx_tensor *t = nx_zeros(C, w->dtype, w->ndim, w->shape), *value;
  if (t == NULL || k->start == NULL) return t;
  value = nx_from_number(C, k->start(args, i));
  return value && nx_copy(C, t, value) == 0 ? t : NULL;
}

/*
** The state of a parameter at its first step, or in the type that the
** parameter has now. Nothing of it is used
** before all of it is there.
*/
static int make_slots (nx_ctx *C, const nx_optim *k, const void *args,
                       nx_optim_state *s) {
  nx_tensor *made[NX_MAXSLOTS] = {0};
  const char *p = k->slots;
  for (int i = 0; *p; i++) {
    size_t n = strcspn(p, " ");
    nx_tensor *w = s->param;
    nx_tensor *old = s->slot[i];
    if (old && !nx_same_shape(old, w))
      return nx_fail(C, NEAP_ESHAPE, "%s: a parameter has another shape than "
                     "its state", k->name);
    if (old && old->dtype != w->dtype) made[i] = nx_typed(C, old, w->dtype);
    else if (old == NULL && (k->uses == NULL || k->uses(args, i)))
      made[i] = new_slot(C, k, args, i, w);
    if (nx_status(C)) return nx_status(C);
    p += n + (p[n] != '\0');
  }
  for (int i = 0; i < NX_MAXSLOTS; i++)
    if (made[i]) {
      nx_unref(s->slot[i]);
      s->slot[i] = nx_keep(made[i]);
      made[i]->flags |= NX_HELD;
    }
  return 0;
}


/*
** One piece of one parameter, ready to run.
*/
typedef struct update {
  nx_map_fn *f;
  double c[NX_MAXCONSTANTS];
  char *p[2 + NX_MAXSLOTS];    /* parameter, gradient, slots */
  nx_tensor *param, *dense;    /* written back where 'param' has strides */
  const int64_t *at;           /* the gradient is these rows; NULL: all */
  int64_t width;               /* of a row */
  int64_t first, len, size;    /* first: of all elements of the step */
} update;

typedef struct updates {
  update *v;
  int n;
  int64_t len;
} updates;

/* n elements from 'to' on, whose gradient is from 'from' on */
static void run_part (const update *u, int64_t to, int64_t from, int64_t n) {
  void *p[2 + NX_MAXSLOTS];
  for (int i = 0; i < 2 + NX_MAXSLOTS; i++)
    p[i] = u->p[i] ? u->p[i] + (i == 1 ? from : to) * u->size : NULL;
  u->f((size_t)n, p, 0, u->c);
}

static void run_update (const update *u, int64_t from, int64_t n) {
  if (u->at == NULL) {
    run_part(u, from, from, n);
    return;
  }
  while (n > 0) {                        /* row by row */
    int64_t row = from / u->width, in = from % u->width;
    int64_t part = u->width - in < n ? u->width - in : n;
    run_part(u, u->at[row] * u->width + in, from, part);
    from += part;
    n -= part;
  }
}

/* elements first ... last - 1 of all parameters, laid end to end */
static void run_updates (void *arg, int64_t first, int64_t last) {
  const updates *all = arg;
  int low = 0, high = all->n;
  while (high - low > 1) {               /* the parameter that has 'first' */
    int mid = (low + high) / 2;
    if (all->v[mid].first <= first) low = mid;
    else high = mid;
  }
  for (; first < last; low++) {
    const update *u = &all->v[low];
    int64_t from = first - u->first, n = u->len - from;
    if (n > last - first) n = last - first;
    run_update(u, from, n);
    first += n;
  }
}


/* the gradient of an update: its rows, or all of it */
static int find_gradient (nx_ctx *C, const nx_optim *k, const void *args,
                          update *u) {
  int rows = k->rows ? k->rows(args) : NX_ROWS_WHOLE;
  const nx_rows *r = nx_row_grad(u->param);
  nx_tensor *g;
  if (r && rows != NX_ROWS_WHOLE) {
    u->at = (const int64_t *)(void *)r->at->data;
    u->width = r->values->shape[1];
    u->len = r->values->len;
    u->p[1] = r->values->data;
    return 0;
  }
  if (rows == NX_ROWS_NEEDED)
    return nx_fail(C, NEAP_EGRAD, "%s: a gradient of %lld elements is whole, "
                   "expected rows as of nn.Embedding{sparse = true} (hooks, "
                   "and reading its .grad, make it whole)", k->name,
                   (long long)u->param->len);
  g = nx_grad_of(u->param);
  if (g) g = nx_dense(C, g);
  if (g == NULL) return nx_status(C);
  u->len = g->len;
  u->p[1] = g->data;
  return 0;
}

static int prepare_one (nx_ctx *C, const nx_optim *k, const void *args,
                        nx_optim_state *s, update *u) {
  nx_tensor *w = s->param;
  memset(u, 0, sizeof(*u));
  u->param = w;
  if (find_gradient(C, k, args, u) || make_slots(C, k, args, s))
    return nx_status(C);
  u->dense = nx_dense(C, w);
  if (u->dense == NULL) return nx_status(C);
  u->f = k->plan(args, nx_kernels_for(C, w->dtype), s->step + 1, u->c);
  u->p[0] = u->dense->data;
  for (int i = 0; i < NX_MAXSLOTS; i++)
    u->p[2 + i] = s->slot[i] ? s->slot[i]->data : NULL;
  u->size = (int64_t)nx_dtype_size(w->dtype);
  return 0;
}

/*
** Everything that may fail is done before the first element changes.
*/
static int prepare (nx_ctx *C, nx_optimizer *o, updates *all) {
  for (int g = 0; g < o->ngroups; g++) {
    nx_group *group = &o->groups[g];
    if (checked(C, o->kind, group->args)) return nx_status(C);
    for (int i = 0; i < group->n; i++) {
      nx_optim_state *s = &group->states[i];
      update *u = &all->v[all->n];
      if (!nx_has_grad(s->param) || s->param->len == 0) continue;
      if (prepare_one(C, o->kind, group->args, s, u)) return nx_status(C);
      u->first = all->len;
      all->len += u->len;
      all->n++;
    }
  }
  return 0;
}


int nx_optimizer_step (nx_ctx *C, nx_optimizer *o) {
  size_t room = 0, mark = nx_push(C);
  updates all = {NULL, 0, 0};
  if (nx_status(C)) return nx_status(C);
  for (int g = 0; g < o->ngroups; g++) room += (size_t)o->groups[g].n;
  all.v = nx_alloc(C, room * sizeof(*all.v));
  if (all.v && prepare(C, o, &all) == 0) {
    if (all.len > 0) nx_pieces(C, all.len, 4, run_updates, &all);
    for (int i = 0; i < all.n; i++) {
      update *u = &all.v[i];
      if (u->dense != u->param) nx_copy(C, u->param, u->dense);
      u->param->store->version++;
    }
    for (int g = 0; g < o->ngroups; g++)
      for (int i = 0; i < o->groups[g].n; i++)
        if (nx_has_grad(o->groups[g].states[i].param))
          o->groups[g].states[i].step++;
  }
  nx_free(C, all.v, room * sizeof(*all.v));
  nx_pop(C, mark, NULL);
  return nx_status(C);
}


int nx_optimizer_zero_grad (nx_ctx *C, nx_optimizer *o) {
  for (int g = 0; g < o->ngroups; g++)
    for (int i = 0; i < o->groups[g].n; i++)
      nx_set_grad(C, o->groups[g].states[i].param, NULL);
  return nx_status(C);
}
