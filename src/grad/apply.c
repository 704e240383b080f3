/*
** Applying an operation: check, make results, compute, record.
*/
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "grad/op.h"
#include "grad/tape.h"

#define SMALL 12               /* inputs and outputs without a heap block */


const nx_op *nx_op_named (const char *name) {
  for (const nx_op *const *p = nx_ops; *p != NULL; p++)
    if (strcmp((*p)->name, name) == 0) return *p;
  return NULL;
}


static size_t name_length (const char *p) { return strcspn(p, " "); }

static const char *name_next (const char *p) {
  p += name_length(p);
  return p + (*p == ' ');
}


int nx_names_count (const char *names, int *optional, int *list) {
  int n = 0;
  *optional = *list = 0;
  for (; *names; names = name_next(names), n++) {
    char last = names[name_length(names) - 1];
    if (last == '?' || last == '~') (*optional)++;
    if (last == '*') *list = 1;
  }
  return n;
}


const char *nx_names_at (const char *names, int i, char *out) {
  size_t n;
  for (; i > 0; i--) names = name_next(names);
  n = strcspn(names, " ?*~");
  if (n > 31) n = 31;
  memcpy(out, names, n);
  out[n] = '\0';
  return out;
}


int nx_names_find (const char *names, const char *name) {
  size_t n = strlen(name);
  for (int i = 0; names && *names; names = name_next(names), i++)
    if (strcspn(names, " ?*~") == n && memcmp(names, name, n) == 0) return i;
  return -1;
}


const char *nx_title (const nx_node *n) {
  return n->op->title ? n->op->title(n) : n->op->name;
}


int nx_op_fail (nx_ctx *C, const nx_node *n, neap_code status,
                const char *fmt, ...) {
  char text[400];
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(text, sizeof(text), fmt, ap);
  va_end(ap);
  return nx_fail(C, status, "%s: %s", n->op->name, text);
}


int nx_fail_empty (nx_ctx *C, const nx_node *n) {
  char text[NX_SHAPE_TEXT];
  return nx_op_fail(C, n, NEAP_ESHAPE, "there is none among no elements (x "
                    "is %s)", nx_shape_of(n->in[0], text));
}


int nx_want_float (nx_ctx *C, const nx_node *n, int i) {
  char name[32];
  const nx_tensor *t = n->in[i];
  if (nx_is_float(t->dtype)) return 0;
  return nx_op_fail(C, n, NEAP_EDTYPE, "%s is %s, expected float32 or "
                    "float64 (use %s:to(\"float32\"))",
                    nx_names_at(n->op->inputs, i, name),
                    nx_dtype_name(t->dtype), name);
}


int nx_want_mask (nx_ctx *C, const nx_node *n, int i) {
  char name[32];
  if (n->in[i]->dtype == NEAP_BOOL) return 0;
  return nx_op_fail(C, n, NEAP_EDTYPE, "%s is %s, expected bool (a mask such "
                    "as x:gt(0))", nx_names_at(n->op->inputs, i, name),
                    nx_dtype_name(n->in[i]->dtype));
}


int nx_want_whole (nx_ctx *C, const nx_node *n, int i) {
  char name[32];
  const nx_tensor *t = n->in[i];
  if (t->dtype == NEAP_I64 || t->dtype == NEAP_I32 || t->dtype == NEAP_U8)
    return 0;
  return nx_op_fail(C, n, NEAP_EDTYPE, "%s is %s, expected integers (use "
                    "%s:to(\"int64\"))",
                    nx_names_at(n->op->inputs, i, name),
                    nx_dtype_name(t->dtype), name);
}


/*
** A tensor that a result replaces must have its type and shape, and each
** element a place of its own.
*/
static int check_target (nx_ctx *C, const nx_node *n, const char *name,
                         const nx_tensor *x, int dtype, int ndim,
                         const int64_t *shape) {
  char xt[NX_SHAPE_TEXT], yt[NX_SHAPE_TEXT];
  if (ndim != x->ndim ||
      memcmp(shape, x->shape, (size_t)ndim * sizeof(*shape)) != 0)
    return nx_op_fail(C, n, NEAP_ESHAPE, "the result is %s, but %s, which "
                      "it would replace, is %s",
                      nx_shape_text(ndim, shape, yt), name,
                      nx_shape_of(x, xt));
  if (dtype != x->dtype)
    return nx_op_fail(C, n, NEAP_EDTYPE, "the result is %s, but %s, which "
                      "it would replace, is %s", nx_dtype_name(dtype), name,
                      nx_dtype_name(x->dtype));
  if (nx_overlaps_itself(x))
    return nx_op_fail(C, n, NEAP_ESHAPE, "%s is expanded: several of its "
                      "elements are the same memory, so it cannot be changed "
                      "in place", name);
  return 0;
}


/*
** The result goes straight into the tensor given for it, where a loop may
** write in row order and reads nothing of it; else it is copied there.
*/
static nx_tensor *out_into (nx_ctx *C, const nx_node *n) {
  nx_tensor *t = n->into;
  int apart = nx_is_dense(t);
  for (int i = 0; i < n->nin; i++)
    if (n->in[i] && n->in[i]->store == t->store) apart = 0;
  return apart ? nx_alias(C, t) : nx_header(C, t->dtype, t->ndim, t->shape);
}


nx_tensor *nx_out (nx_ctx *C, nx_node *n, int i, int dtype, int ndim,
                   const int64_t *shape) {
  nx_tensor *y = NULL;
  if (i == 0 && (n->inplace || n->into)) {
    nx_tensor *t = n->inplace ? n->in[0] : n->into;
    if (check_target(C, n, n->inplace ? "x" : "out", t, dtype, ndim,
                     shape) == 0)
      y = n->inplace ? nx_alias(C, t) : out_into(C, n);
  }
  else y = nx_header(C, dtype, ndim, shape);
  n->out[i] = y;
  if (i >= n->nout) n->nout = i + 1;
  return y;
}


int nx_out_room (nx_ctx *C, nx_node *n, int count) {
  if (count <= SMALL) return nx_status(C);
  n->out = nx_alloc(C, (size_t)count * sizeof(*n->out));
  if (n->out == NULL) return nx_status(C);
  memset(n->out, 0, (size_t)count * sizeof(*n->out));
  n->room = count;
  return 0;
}


int nx_composed (nx_ctx *C, nx_node *n, nx_tensor *y) {
  n->out[0] = y;
  n->nout = 1;
  return nx_status(C);
}


int nx_map_node (nx_ctx *C, nx_node *n, nx_map_fn *f, const double *c) {
  if (f == NULL)
    return nx_op_fail(C, n, NEAP_EDTYPE, "x is %s, for which this is not "
                      "defined", nx_dtype_name(n->in[0]->dtype));
  return nx_map(C, f, c, n->out[0], n->nin, n->in);
}


nx_tensor *nx_out_like (nx_ctx *C, nx_node *n, int i, const nx_tensor *t) {
  return nx_out(C, n, i, t->dtype, t->ndim, t->shape);
}


static int storage_only (nx_ctx *C, const nx_node *n, int i) {
  char name[32];
  return nx_op_fail(C, n, NEAP_EDTYPE, "%s is %s, which is for storage only "
                    "(use %s:to(\"float32\"))",
                    nx_names_at(n->op->inputs, i, name),
                    nx_dtype_name(n->in[i]->dtype), name);
}

static int check_inputs (nx_ctx *C, const nx_node *n) {
  const char *p = n->op->inputs, *end;
  char name[32], last;
  for (int i = 0; *p; i++) {
    for (end = p; *end != ' ' && *end != '\0'; end++) {}
    last = end[-1];
    if (i < n->nin && n->in[i] != NULL) {
      if (nx_is_storage_only(n->in[i]->dtype) &&
          !(n->op->flags & (NX_ANYTYPE | NX_VIEW)))
        return storage_only(C, n, i);
    }
    else if (last == '*' && i > 0) return 0;
    else if (last != '?')
      return nx_op_fail(C, n, NEAP_EARG, "%s is missing",
                        nx_names_at(n->op->inputs, i, name));
    if (last != '*') p = end + (*end == ' ');
  }
  return 0;
}


int nx_recorded (const nx_ctx *C, const nx_node *n) {
  if (!C->recording || (n->op->flags & NX_NOGRAD)) return 0;
  for (int i = 0; i < n->nin; i++)
    if (n->in[i] && n->in[i]->link && nx_requires(n->in[i])) return 1;
  return 0;
}


/*
** Before a change in place, inputs that the gradient reads and that lie in
** the storage to be changed are copied, with their place on the tape.
*/
static int copy_for_tape (nx_ctx *C, nx_node *n) {
  nx_storage *store = n->target->store;
  char name[32];
  for (int i = 0; i < n->nin; i++) {
    nx_tensor *x = n->in[i], *old;
    if (x == NULL || x->store != store ||
        nx_names_find(nx_saves(n), nx_names_at(n->op->inputs, i, name)) < 0)
      continue;
    old = nx_new_like(C, x);
    if (old == NULL || nx_copy(C, old, x) || nx_trace_like(C, old, x))
      return nx_status(C);
    n->in[i] = old;
  }
  return 0;
}


static int materialize (nx_ctx *C, nx_node *n) {
  for (int i = 0; i < n->nout; i++) {
    nx_tensor *y = n->out[i];
    if (y == NULL) return nx_status(C);
    if (y->store == NULL && nx_materialize(C, y)) return nx_status(C);
  }
  return nx_status(C);
}


static int compute (nx_ctx *C, nx_node *n) {
  int recording = C->recording;
  if (n->op->forward == NULL) return nx_status(C);
  C->recording = 0;                /* operations inside are not on the tape */
  n->op->forward(C, n);
  C->recording = recording;
  return nx_status(C);
}


/*
** Random operations take their part of the context's stream, unless the
** caller gave one: a counter for each element of the result, or of the
** input, where that has more.
*/
static nx_draw *draw_of (const nx_node *n) {
  const nx_field *f = n->op->fields;
  while (f->kind != NX_KIND_DRAW) f++;
  return (nx_draw *)((char *)n->a + f->offset);
}

static void draw (nx_ctx *C, const nx_node *n) {
  nx_draw *d = draw_of(n);
  int64_t most;
  if (n->out[0] == NULL) return;
  most = n->out[0]->len;
  if (n->nin > 0 && n->in[0] && n->in[0]->len > most) most = n->in[0]->len;
  if (n->op->draws) most = n->op->draws(n);
  if (d->counter == NX_NOT_DRAWN &&
      (n->inplace || n->into || n->out[0]->store == NULL ||
       n->nin == 0 || n->in[0] == NULL ||
       n->out[0]->store != n->in[0]->store))                /* else y is x */
    *d = nx_reserve(&C->random, (uint64_t)most);
}


void nx_redraw (nx_ctx *C, const nx_node *n) {
  *draw_of(n) = NX_FRESH;
  draw(C, n);
}


/* May the result go into the tensor that was given for it? */
static int check_into (nx_ctx *C, const nx_node *n, int record) {
  if (n->op->flags & NX_VIEW)
    return nx_op_fail(C, n, NEAP_EARG, "the result is a view of x and cannot "
                      "go into 'out'");
  if (n->nout != 1)
    return nx_op_fail(C, n, NEAP_EARG, "there are %d results; 'out' takes "
                      "one", n->nout);
  if (record || (C->recording && nx_requires(n->into)))
    return nx_op_fail(C, n, NEAP_EGRAD, "'out' cannot be used where "
                      "gradients are recorded (use neap.no_grad)");
  return 0;
}

static int finish_into (nx_ctx *C, nx_node *n) {
  nx_tensor *y = n->out[0];
  if (nx_status(C)) return nx_status(C);
  if (!nx_same_elements(y, n->into) && nx_copy(C, n->into, y))
    return nx_status(C);
  n->into->store->version++;
  n->out[0] = n->into;
  return 0;
}


/* the result of others goes where it is wanted */
static int compose (nx_ctx *C, nx_node *n) {
  nx_tensor *y;
  if (n->op->compose(C, n) || n->into == NULL) return nx_status(C);
  y = n->out[0];
  if (check_into(C, n, nx_requires(y)) ||
      check_target(C, n, "out", n->into, y->dtype, y->ndim, y->shape))
    return nx_status(C);
  return finish_into(C, n);
}


static int evaluate (nx_ctx *C, nx_node *n) {
  nx_node *r = NULL;
  int record;
  if (n->op->shape(C, n)) return nx_status(C);
  record = nx_recorded(C, n);
  if (n->into && check_into(C, n, record)) return nx_status(C);
  if (n->op->flags & NX_RANDOM) draw(C, n);
  if (n->inplace && nx_check_inplace(C, n)) return nx_status(C);
  if (n->inplace && record && copy_for_tape(C, n)) return nx_status(C);
  if (materialize(C, n)) return nx_status(C);
  if (record && (r = nx_record_begin(C, n)) == NULL) return nx_status(C);
  compute(C, n);
  if (n->inplace) {
    n->target->store->version++;
    n->out[0] = n->target;               /* the same tensor goes on */
    if (C->recording && (n->op->flags & NX_NOGRAD) && nx_status(C) == 0)
      nx_untrace(C, n->target);
  }
  if (n->into) finish_into(C, n);
  nx_record_end(C, n, r, nx_status(C) == 0);
  return nx_status(C);
}


/* Nobody is told of what runs inside: it belongs to the operation. */
static int run (nx_ctx *C, nx_node *n) {
  void (*applied) (void *ud, nx_node *n) = C->applied;
  n->target = n->in[0];
  if (check_inputs(C, n)) return nx_status(C);
  if (n->op->compose) return compose(C, n);
  C->applied = NULL;
  evaluate(C, n);
  C->applied = applied;
  if (applied && nx_status(C) == 0) applied(C->applied_ud, n);
  return nx_status(C);
}


int nx_apply_all (nx_ctx *C, const nx_op *op, void *args, int nin,
                  nx_tensor *const *in, int mode, int room,
                  nx_tensor **out) {
  nx_tensor *ins[SMALL], *outs[SMALL];
  nx_node n;
  size_t block = 0, mark = nx_push(C);
  if (nx_status(C)) return -1;
  memset(&n, 0, sizeof(n));
  memset(outs, 0, sizeof(outs));
  n.op = op;
  n.a = args;
  n.nin = nin;
  n.in = ins;
  n.out = outs;
  n.inplace = mode == NX_IN_PLACE;
  n.into = mode == NX_INTO ? out[0] : NULL;
  if (nin > SMALL) {
    block = (size_t)nin * sizeof(*n.in);
    n.in = nx_alloc(C, block);
    if (n.in == NULL) return -1;
  }
  if (nin > 0) memcpy(n.in, in, (size_t)nin * sizeof(*n.in));
  if (nin == 0) ins[0] = NULL;
  run(C, &n);
  if (block) nx_free(C, n.in, block);
  for (int i = 0; i < n.nout && i < room; i++) out[i] = n.out[i];
  if (n.room) nx_free(C, n.out, (size_t)n.room * sizeof(*n.out));
  if (nx_status(C)) {
    nx_pop(C, mark, NULL);
    return -1;
  }
  return n.nout;
}


nx_tensor *nx_apply (nx_ctx *C, const nx_op *op, void *args, int nin,
                     nx_tensor *const *in) {
  nx_tensor *y = NULL;
  return nx_apply_all(C, op, args, nin, in, 0, 1, &y) > 0 ? y : NULL;
}
