/*
** Planned inference.
*/
#include <string.h>
#include "base/scratch.h"
#include "plan/batch.h"
#include "plan/buffers.h"
#include "plan/cut.h"
#include "plan/plan.h"

/* What a result hands to the next run (or the next piece of this one). */
typedef struct carry {
  nx_tensor *from, *to;        /* 'to' is the state, dense */
} carry;

struct nx_plan {
  nx_arena arena;
  nx_ctx *C;
  nx_tensor *pool;             /* all buffers */
  nx_tensor **wires;           /* of the graph; NULL: not needed */
  nx_piece *pieces;            /* what runs, one after the other */
  nx_batch *batch;             /* where the rows are in all of it */
  int *root;                   /* of each wire */
  char *own;                   /* wires that a call of the graph made */
  int *input, *output;         /* wires */
  char **home;                 /* of inputs, then outputs */
  carry *carries;
  int nwires, npieces, ncarries, ninputs, noutputs;
  int piece_room, carry_room;
  int next;                    /* piece; 0 between runs */
  const nx_packs *shared;      /* weights that the model has packed */
  void *held;                  /* what it uses */
  void (*release) (void *held);
};


/*
** Making. Everything lies in the arena and is never given back piece by
** piece: the runtime that holds it ends as a whole.
*/
static void *room (nx_plan *p, size_t n, size_t size) {
  void *block = nx_alloc(p->C, n * size + (n == 0));
  if (block) memset(block, 0, n * size);
  return block;
}

static int copy_frame (nx_plan *p, const nx_graph *g) {
  size_t n = (size_t)g->nwires;
  p->nwires = g->nwires;
  p->ninputs = g->ngiven;
  p->noutputs = g->noutputs;
  p->wires = room(p, n, sizeof(*p->wires));
  p->root = room(p, n, sizeof(*p->root));
  p->own = room(p, n, 1);
  p->input = room(p, (size_t)p->ninputs, sizeof(int));
  p->output = room(p, (size_t)p->noutputs, sizeof(int));
  p->home = room(p, (size_t)(p->ninputs + p->noutputs), sizeof(char *));
  if (nx_status(p->C)) return nx_status(p->C);
  for (int i = 0; i < g->nwires; i++) {
    p->root[i] = g->wires[i].root;
    p->own[i] = g->wires[i].origin == NX_RESULT;
  }
  for (int i = 0; i < p->ninputs; i++) p->input[i] = i;
  memcpy(p->output, g->outputs, (size_t)p->noutputs * sizeof(int));
  return 0;
}


/* Inputs are wanted in row order. */
static int place_input (nx_plan *p, const nx_wire *w, int i, int64_t fill) {
  nx_tensor *t = nx_header(p->C, w->t->dtype, w->t->ndim, w->t->shape);
  if (t == NULL || nx_materialize(p->C, t)) return nx_status(p->C);
  p->wires[i] = nx_keep(t);
  if (nx_is_float(t->dtype)) fill = 0;
  for (int64_t k = 0; k < t->len; k++)
    nx_put_integer(t, t->data + k * (int64_t)nx_dtype_size(t->dtype), fill);
  return nx_batch_given(p->C, p->batch, i, t);
}

/* Weights stay where they are; what ends with the graph is copied. */
static int place_weight (nx_plan *p, const nx_wire *w, int i) {
  nx_tensor *t;
  if (w->passing) {
    t = nx_new_like(p->C, w->t);
    if (t) nx_copy(p->C, t, nx_alias(p->C, w->t));
  }
  else t = nx_alias(p->C, w->t);
  if (t) t->flags |= w->t->flags & NX_IS_NUMBER_FLAG;
  p->wires[i] = nx_keep(t);
  return nx_status(p->C);
}

static int place_outside (nx_plan *p, const nx_graph *g, int64_t fill) {
  for (int i = 0; i < g->nwires && nx_status(p->C) == 0; i++) {
    const nx_wire *w = &g->wires[i];
    if (w->origin == NX_GIVEN) place_input(p, w, i, fill);
    else if (w->origin != NX_RESULT && w->t) place_weight(p, w, i);
  }
  return nx_status(p->C);
}


/* Weights that products want in another order are put in that once. */
static int keep_packs (nx_plan *p, const nx_graph *g) {
  p->C->packs = nx_packs_new(p->C, p->shared);
  for (int i = 0; p->C->packs && i < g->nwires; i++)
    if (g->wires[i].origin == NX_WEIGHT && p->wires[i] &&
        nx_packs_add(p->C->packs, p->wires[i])) break;
  return nx_status(p->C);
}


/* A buffer is a storage of its own, whose elements lie in the pool: what
   shares memory in turn is not the same memory for an operation. */
static int place_in_pool (nx_plan *p, nx_tensor *y, size_t at) {
  nx_storage *s = room(p, 1, sizeof(*s));
  if (s == NULL) return nx_status(p->C);
  atomic_init(&s->refs, 1);
  s->size = sizeof(*s);
  y->store = s;
  y->data = p->pool->data + at;
  return 0;
}


/*
** A call becomes a node whose results lie where the layout put them. What
** its shape function says must be what was recorded.
*/
static int place_results (nx_plan *p, const nx_graph *g, const nx_call *c,
                          nx_node *n, const size_t *place) {
  for (int k = 0; k < n->nout; k++) {
    const nx_wire *w = &g->wires[c->out + k];
    nx_tensor *y = n->out[k];
    if (y == NULL && (k >= c->nout || w->t == NULL)) continue;
    if (k >= c->nout || y == NULL || w->t == NULL ||
        !nx_same_shape(y, w->t) || y->dtype != w->t->dtype ||
        (y->store != NULL) != (w->root != c->out + k))
      return nx_fail(p->C, NEAP_EUNSUP, "%s: the size of its result depends "
                     "on values, which a plan cannot know", c->op->name);
    if (y->store == NULL && (place[c->out + k] == NX_NOWHERE
                             ? nx_materialize(p->C, y)
                             : place_in_pool(p, y, place[c->out + k])))
      return nx_status(p->C);
    p->wires[c->out + k] = nx_keep(y);
  }
  return nx_status(p->C);
}

/* A call whose shapes follow the elements of an input that varies. */
static int check_sizes (nx_plan *p, const nx_graph *g, const nx_call *c) {
  char name[32];
  for (int i = 0; i < c->nin; i++) {
    int wire = c->in[i];
    if (wire < 0 || !g->wires[g->wires[wire].root].varies ||
        nx_names_find(c->op->sized_by,
                      nx_names_at(c->op->inputs, i, name)) < 0) continue;
    return nx_fail(p->C, NEAP_EUNSUP, "%s: the size of its result depends on "
                   "the elements of %s, which a plan cannot know", c->op->name,
                   name);
  }
  return 0;
}

static int make_node (nx_plan *p, const nx_graph *g, const nx_call *c,
                      const size_t *place, nx_node *n) {
  int most = c->nout > 12 ? c->nout : 12, optional, list;
  int names = nx_names_count(c->op->inputs, &optional, &list);
  memset(n, 0, sizeof(*n));
  n->op = c->op;
  n->nin = list || c->nin > names ? c->nin : names;
  n->inplace = c->inplace;
  n->a = room(p, c->op->argsize, 1);
  n->in = room(p, (size_t)n->nin + 1, sizeof(*n->in));
  n->out = room(p, (size_t)most, sizeof(*n->out));
  if (nx_status(p->C) || check_sizes(p, g, c)) return nx_status(p->C);
  memcpy(n->a, c->a, c->op->argsize);
  for (int k = 0; k < c->nin; k++)
    n->in[k] = c->in[k] < 0 ? NULL : p->wires[c->in[k]];
  n->target = n->in[0];
  if (c->op->shape(p->C, n)) return nx_status(p->C);
  for (int k = 0; k < c->nin; k++)
    if (n->in[k] != (c->in[k] < 0 ? NULL : p->wires[c->in[k]]))
      return nx_fail(p->C, NEAP_EUNSUP, "%s converts its inputs, which a plan "
                     "cannot do: give them the types that it works with",
                     c->op->name);
  return place_results(p, g, c, n, place);
}


/*
** Recurrent operations go on where the last run ended: the state that they
** begin with, when the graph gives none, is the one they ended with. Not if
** something of the model goes through the steps backwards: it would begin
** at the end of what comes next.
*/
static int is_reversed (const nx_call *c) {
  const nx_field *f = nx_field_find(c->op->fields, "reverse");
  return f && *(const int *)(const void *)((const char *)c->a + f->offset);
}

/* All that can be cut into steps, and what only goes on. */
static int goes_on (const nx_node *n) {
  return n->op->carries && (n->op->sized_by == NULL || nx_cut_rules(n));
}

static int carries_state (const nx_graph *g) {
  for (int i = 0; i < g->ncalls; i++)
    if (g->calls[i].op->carries && is_reversed(&g->calls[i])) return 0;
  return 1;
}

static int add_carry (nx_plan *p, nx_node *n, const char *result,
                      const char *input, int inplace) {
  int from = nx_names_find(n->op->outputs, result);
  int to = nx_names_find(n->op->inputs, input);
  nx_tensor *y, *state;
  if (to >= n->nin || n->in[to] != NULL) return 0;
  y = n->out[from];
  state = nx_zeros(p->C, y->dtype, y->ndim, y->shape);
  if (state == NULL) return nx_status(p->C);
  if (p->ncarries == p->carry_room) {
    size_t more = 2 * (size_t)p->carry_room + 4;
    carry *fresh = room(p, more, sizeof(*fresh));
    if (fresh == NULL) return nx_status(p->C);
    if (p->ncarries)
      memcpy(fresh, p->carries, (size_t)p->ncarries * sizeof(*fresh));
    p->carries = fresh;
    p->carry_room = (int)more;
  }
  n->in[to] = nx_keep(state);
  if (inplace) nx_share(y, state, state->data);    /* nothing to hand on */
  p->carries[p->ncarries].from = y;
  p->carries[p->ncarries++].to = state;
  return 0;
}

/* "h>h0 c=c0": results, and the inputs that they become */
static int add_carries (nx_plan *p, nx_node *n) {
  const char *s = n->op->carries;
  char result[32], input[32];
  while (*s && nx_status(p->C) == 0) {
    size_t a = strcspn(s, ">="), b = strcspn(s + a, " ") - 1;
    memcpy(result, s, a);
    result[a] = '\0';
    memcpy(input, s + a + 1, b);
    input[b] = '\0';
    add_carry(p, n, result, input, s[a] == '=');
    s += a + 1 + b;
    s += strspn(s, " ");
  }
  return nx_status(p->C);
}


static int add_piece (nx_plan *p, const nx_piece *q) {
  if (p->npieces == p->piece_room) {
    size_t more = 2 * (size_t)p->piece_room + 16;
    nx_piece *fresh = room(p, more, sizeof(*fresh));
    if (fresh == NULL) return nx_status(p->C);
    if (p->npieces)
      memcpy(fresh, p->pieces, (size_t)p->npieces * sizeof(*fresh));
    p->pieces = fresh;
    p->piece_room = (int)more;
  }
  p->pieces[p->npieces++] = *q;
  return 0;
}

/* the pieces that a node is cut into, each handing on its state */
static int add_node (nx_plan *p, const nx_call *c, const nx_node *n,
                     int carry) {
  int carried = p->ncarries > carry, count = nx_cut_count(n, carried);
  for (int i = 0; i < count && nx_status(p->C) == 0; i++) {
    nx_piece piece;
    memset(&piece, 0, sizeof(piece));
    piece.n = *n;
    piece.carry = carry;
    piece.carries = p->ncarries - carry;
    if ((count == 1 || nx_cut(p->C, i, carried, &piece) == 0) &&
        nx_batch_piece(p->C, p->batch, c, n, &piece, p->npieces) == 0)
      add_piece(p, &piece);
  }
  return nx_status(p->C);
}

static int is_view (const nx_node *n) {
  return (n->op->flags & NX_VIEW) && n->out[0] &&
         n->out[0]->store == n->in[0]->store;
}

static int add_call (nx_plan *p, const nx_graph *g, const nx_call *c,
                     const size_t *place, int carrying) {
  nx_node n;
  int carry = p->ncarries;
  if (make_node(p, g, c, place, &n)) return nx_status(p->C);
  if (carrying && goes_on(&n)) add_carries(p, &n);
  if (nx_status(p->C) || nx_batch_call(p->C, p->batch, c, &n) ||
      c->op->forward == NULL || is_view(&n)) return nx_status(p->C);
  return add_node(p, c, &n, carry);
}


static int build (nx_plan *p, const nx_graph *g, const size_t *place,
                  size_t total, int64_t fill) {
  int carrying = carries_state(g);
  int64_t bytes = (int64_t)total;
  if (copy_frame(p, g)) return nx_status(p->C);
  p->batch = nx_batch_new(p->C, g);
  if (p->batch == NULL) return nx_status(p->C);
  p->pool = nx_keep(nx_zeros(p->C, NEAP_U8, 1, &bytes));
  if (p->pool == NULL || place_outside(p, g, fill) || keep_packs(p, g))
    return nx_status(p->C);
  for (int i = 0; i < g->ncalls; i++)
    if (add_call(p, g, &g->calls[i], place, carrying))
      return nx_status(p->C);
  for (int i = 0; i < p->ninputs; i++) p->home[i] = p->wires[i]->data;
  for (int i = 0; i < p->noutputs; i++)
    p->home[p->ninputs + i] = p->wires[p->output[i]]->data;
  nx_pop(p->C, 0, NULL);
  return 0;
}


/*
** Its own error becomes the caller's; that there is no more memory in the
** arena is said with what there was.
*/
static void no_room (nx_ctx *C, const nx_arena *a) {
  if (a->base)
    nx_fail(C, NEAP_ELIMIT, "the plan needs more than the %zu bytes given",
            a->size);
  else nx_fail(C, NEAP_ENOMEM, "not enough memory");
}

static void hand_error (nx_ctx *C, nx_plan *p) {
  if (p->C->status == NEAP_ENOMEM) no_room(C, &p->arena);
  else nx_fail(C, p->C->status, "%s", p->C->message);
}

static nx_plan *open_plan (nx_ctx *C, void *memory, size_t size) {
  nx_arena arena;
  nx_plan *p;
  nx_arena_init(&arena, C->rt, memory, size);
  p = nx_arena_take(&arena, sizeof(*p));
  if (p == NULL) {
    no_room(C, &arena);
    return NULL;
  }
  memset(p, 0, sizeof(*p));
  p->arena = arena;
  if (nx_arena_open(&p->arena) == NEAP_OK)
    p->C = neap_ctx_open(p->arena.rt);
  if (p->C == NULL) {
    no_room(C, &p->arena);
    nx_plan_free(p);
    return NULL;
  }
  p->C->recording = 0;
  p->C->base = C->base;
  return p;
}

/*
** A run takes its memory from chunks that earlier ones asked for. With fewer
** rows blocks are not larger; but a call may go another way, so some numbers
** of rows are tried.
*/
static int try_runs (nx_plan *p) {
  int64_t most = nx_batch_most(p->batch);
  if (nx_scratch_open(p->C) || nx_plan_run(p)) return nx_status(p->C);
  for (int64_t n = 1; n < most && nx_batch_can(p->batch); n *= 2)
    if (nx_plan_rows(p, n) || nx_plan_run(p)) return nx_status(p->C);
  return nx_batch_can(p->batch) ? nx_plan_rows(p, most) : 0;
}

nx_plan *nx_plan_new (nx_ctx *C, const nx_graph *g, const nx_packs *shared,
                      int64_t fill, void *memory, size_t size) {
  size_t block = (size_t)g->nwires * sizeof(size_t), total;
  size_t *place;
  nx_plan *p = NULL;
  if (nx_status(C)) return NULL;
  if (memory && (uintptr_t)memory % NX_ALIGN != 0) {
    nx_fail(C, NEAP_EARG, "the memory of a plan must be aligned to %d bytes",
            NX_ALIGN);
    return NULL;
  }
  place = nx_alloc(C, block);
  if (place == NULL) return NULL;
  if (nx_place_buffers(C, g, place, &total) == 0)
    p = open_plan(C, memory, size);
  if (p) p->shared = shared;
  if (p && (build(p, g, place, total, fill) || try_runs(p)))
    hand_error(C, p);
  nx_free(C, place, block);
  if (p == NULL || nx_status(C)) {
    nx_plan_free(p);
    return NULL;
  }
  nx_plan_reset(p);
  return p;
}


/* Tensors let go of the weights; the rest ends with the arena. */
void nx_plan_free (nx_plan *p) {
  nx_arena arena;
  void *held;
  void (*release) (void *held);
  if (p == NULL) return;
  held = p->held;
  release = p->release;
  if (p->C) nx_pop(p->C, 0, NULL);
  for (int i = 0; p->wires && i < p->nwires; i++) nx_unref(p->wires[i]);
  neap_ctx_close(p->C);
  arena = p->arena;                   /* the plan lies in it */
  nx_arena_close(&arena);
  if (held) release(held);
}

void nx_plan_hold (nx_plan *p, void *held, void (*release) (void *held)) {
  p->held = held;
  p->release = release;
}


size_t nx_plan_bytes (const nx_plan *p) { return p->arena.used; }
int nx_plan_inputs (const nx_plan *p) { return p->ninputs; }
int nx_plan_outputs (const nx_plan *p) { return p->noutputs; }
int nx_plan_pieces (const nx_plan *p) { return p->npieces; }
nx_ctx *nx_plan_context (nx_plan *p) { return p->C; }
const nx_rt *nx_plan_runtime (const nx_plan *p) { return p->arena.around; }

const nx_tensor *nx_plan_input (const nx_plan *p, int i) {
  return p->wires[p->input[i]];
}

const nx_tensor *nx_plan_output (const nx_plan *p, int i) {
  return p->wires[p->output[i]];
}


/*
** All tensors over the same memory move with it.
*/
static void move (nx_tensor *t, const nx_storage *store, ptrdiff_t by) {
  if (t && t->store == store) t->data += by;
}

static void move_all (nx_plan *p, const nx_storage *store, ptrdiff_t by) {
  for (int i = 0; i < p->nwires; i++) move(p->wires[i], store, by);
  nx_batch_move(p->batch, store, by);
  for (int i = 0; i < p->npieces; i++) {
    nx_piece *q = &p->pieces[i];
    if (!q->cut) continue;
    for (int k = 0; k < q->n.nin; k++)
      if (q->cut->in[k]) move(q->n.in[k], store, by);
    for (int k = 0; k < q->n.nout; k++)
      if (q->cut->out[k]) move(q->n.out[k], store, by);
  }
}

/* An output that a host may place: all of a memory that is only its own. */
static int is_whole (const nx_plan *p, int output) {
  int wire = p->output[output];
  const nx_tensor *t = p->wires[wire];
  for (int i = 0; i < p->noutputs; i++)
    if (i != output && p->root[p->output[i]] == p->root[wire]) return 0;
  return t->store != NULL && p->own[p->root[wire]] && nx_is_dense(t) &&
         t->len == p->wires[p->root[wire]]->len;
}

int nx_plan_bind (nx_plan *p, int output, int i, void *data) {
  int most = output ? p->noutputs : p->ninputs, slot;
  nx_tensor *t;
  if (i < 0 || i >= most)
    return nx_fail(p->C, NEAP_EARG, "the model has %d %s, none with the "
                   "number %d", most, output ? "outputs" : "inputs", i);
  if (output && !is_whole(p, i))
    return nx_fail(p->C, NEAP_EUNSUP, "output %d is seen through memory of "
                   "something else, so it cannot be put elsewhere", i);
  slot = output ? p->ninputs + i : i;
  t = p->wires[output ? p->output[i] : p->input[i]];
  if (data == NULL) data = p->home[slot];
  if ((uintptr_t)data % nx_dtype_size(t->dtype) != 0)
    return nx_fail(p->C, NEAP_EARG, "memory for %s must be aligned to its "
                   "%zu bytes", nx_dtype_name(t->dtype),
                   nx_dtype_size(t->dtype));
  move_all(p, t->store, (char *)data - t->data);
  return 0;
}


int nx_plan_rows (nx_plan *p, int64_t rows) {
  if (p->next > 0 && rows != nx_batch_rows(p->batch))
    return nx_fail(p->C, NEAP_EBUSY, "a run is half done: finish it, or "
                   "reset the plan, before the number of rows changes");
  return nx_batch_set(p->C, p->batch, rows);
}

int64_t nx_plan_most_rows (const nx_plan *p) {
  return nx_batch_most(p->batch);
}


/*
** Running.
*/
static int run_piece (nx_plan *p, int i) {
  nx_piece *q = &p->pieces[i];
  nx_node *n = &q->n;
  if (nx_batch_skips(p->batch, i)) return 0;
  if (n->op->flags & NX_RANDOM) nx_redraw(p->C, n);
  n->op->forward(p->C, n);
  for (int i = 0; i < q->carries; i++) {
    const carry *c = &p->carries[q->carry + i];
    if (c->to->data != c->from->data)
      memcpy(c->to->data, c->from->data,
             (size_t)c->to->len * nx_dtype_size(c->to->dtype));
  }
  nx_pop(p->C, 0, NULL);
  nx_scratch_clear(p->C);
  return nx_status(p->C);
}

int nx_plan_run (nx_plan *p) {
  while (p->next < p->npieces)
    if (run_piece(p, p->next++)) break;
  p->next = 0;
  return nx_status(p->C);
}

int nx_plan_step (nx_plan *p, uint64_t budget_ns,
                  uint64_t (*now_ns) (void *ud), void *ud) {
  uint64_t end = now_ns ? now_ns(ud) + budget_ns : 0;
  while (p->next < p->npieces) {
    if (run_piece(p, p->next++)) break;
    if (now_ns == NULL || now_ns(ud) >= end) break;
  }
  if (nx_status(p->C) == 0 && p->next < p->npieces) return 1;
  p->next = 0;
  return 0;
}


/*
** State.
*/
size_t nx_plan_state_bytes (const nx_plan *p) {
  size_t n = 0;
  for (int i = 0; i < p->ncarries; i++) {
    const nx_tensor *t = p->carries[i].to;
    n += (size_t)t->len * nx_dtype_size(t->dtype);
  }
  return n;
}

static void exchange (const nx_plan *p, char *out, const char *in) {
  size_t at = 0;
  for (int i = 0; i < p->ncarries; i++) {
    nx_tensor *t = p->carries[i].to;
    size_t n = (size_t)t->len * nx_dtype_size(t->dtype);
    if (out) memcpy(out + at, t->data, n);
    else if (in) memcpy(t->data, in + at, n);
    else memset(t->data, 0, n);
    at += n;
  }
}

void nx_plan_save_state (const nx_plan *p, void *out) {
  exchange(p, out, NULL);
}

void nx_plan_load_state (nx_plan *p, const void *in) {
  exchange(p, NULL, in);
}

void nx_plan_reset (nx_plan *p) {
  exchange(p, NULL, NULL);
  p->next = 0;
}
