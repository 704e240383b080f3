/*
** A plan for fewer rows than it was made for.
*/
#include <string.h>
#include "plan/batch.h"

/* Where the rows are in a tensor: 'each' places of 'dim' for every row. */
typedef struct place {
  int dim;                     /* -1: nowhere */
  int64_t each;
} place;

/* A header that gets shorter: it has 'most' places from the place 'from'. */
typedef struct spot {
  nx_tensor *t;
  place at;
  int64_t from, most;
  int piece;                   /* -1: of no single piece */
  int own;                     /* made here */
} spot;

struct nx_batch {
  int64_t most, rows;
  place *wires;
  place *in;                   /* of the inputs of the latest call */
  spot *spots;
  char *skip;                  /* for each piece */
  const char *obstacle;        /* an operation; NULL: fewer rows are fine */
  int nin, nspots, spot_room, pieces, piece_room;
};


/* Room for more than n entries. */
static void *more (nx_ctx *C, void *old, int n, int *room, size_t size) {
  int wanted = 2 * n + 8;
  char *fresh = nx_realloc(C, old, (size_t)*room * size,
                           (size_t)wanted * size);
  if (fresh == NULL) return NULL;
  memset(fresh + (size_t)*room * size, 0, (size_t)(wanted - *room) * size);
  *room = wanted;
  return fresh;
}

static int add_spot (nx_ctx *C, nx_batch *b, nx_tensor *t, place at,
                     int64_t from, int piece, int own) {
  spot *s;
  if (b->nspots == b->spot_room) {
    s = more(C, b->spots, b->nspots, &b->spot_room, sizeof(*s));
    if (s == NULL) return nx_status(C);
    b->spots = s;
  }
  s = &b->spots[b->nspots++];
  s->t = t;
  s->at = at;
  s->from = from;
  s->most = t->shape[at.dim];
  s->piece = piece;
  s->own = own;
  return 0;
}


nx_batch *nx_batch_new (nx_ctx *C, const nx_graph *g) {
  nx_batch *b = nx_alloc(C, sizeof(*b));
  if (b == NULL) return NULL;
  memset(b, 0, sizeof(*b));
  b->most = -1;
  b->wires = nx_alloc(C, (size_t)g->nwires * sizeof(*b->wires));
  if (b->wires == NULL) return NULL;
  for (int i = 0; i < g->nwires; i++) b->wires[i].dim = -1;
  return b;
}

/* The first input tells how many rows there are. */
int nx_batch_given (nx_ctx *C, nx_batch *b, int wire, nx_tensor *t) {
  place first = {0, 1};
  if (b->most < 0) b->most = b->rows = t->ndim ? t->shape[0] : 0;
  if (t->ndim == 0 || t->shape[0] != b->most) return 0;
  b->wires[wire] = first;
  return add_spot(C, b, t, first, 0, -1, 0);
}


/* Has it all the places that all rows need? */
static int whole (const nx_batch *b, const nx_tensor *t, place at) {
  return at.dim >= 0 && at.dim < t->ndim &&
         t->shape[at.dim] == b->most * at.each;
}

/*
** Results that see the memory of x: their rows are as far apart in memory.
*/
static place seen_in (const nx_batch *b, const nx_tensor *x, place at,
                      const nx_tensor *y) {
  int64_t apart = x->stride[at.dim] * at.each;
  place found = {-1, 0};
  if (apart == 0 || b->most == 0) return found;
  for (int d = 0; d < y->ndim && found.dim < 0; d++)
    if (y->shape[d] % b->most == 0 && y->shape[d] > 0 &&
        y->stride[d] * (y->shape[d] / b->most) == apart) {
      found.dim = d;
      found.each = y->shape[d] / b->most;
    }
  return found;
}

/* The same elements in the same order, in another shape. */
static place reordered (const nx_batch *b, const nx_tensor *x, place at,
                        const nx_tensor *y) {
  place found = {-1, 0};
  if (at.dim != 0 || x->len != y->len || y->ndim == 0 || b->most == 0 ||
      y->shape[0] % b->most != 0) return found;
  found.dim = 0;
  found.each = y->shape[0] / b->most;
  return found;
}


/*
** All inputs go with the result, counted from the last dimension.
*/
static int goes_along (nx_batch *b, const nx_node *n, const char *rules,
                       place *y) {
  int behind = -1;
  y->dim = -1;
  for (int k = 0; k < n->nin; k++) {
    place at = b->in[k];
    if (at.dim < 0) continue;
    if (behind >= 0 && (n->in[k]->ndim - at.dim != behind ||
                        at.each != y->each)) return 0;
    behind = n->in[k]->ndim - at.dim;
    y->each = at.each;
  }
  for (int i = 1; i < n->nout; i++)
    if (n->out[i]) return 0;
  y->dim = n->out[0]->ndim - behind;
  if (!whole(b, n->out[0], *y) || !nx_goes_with(rules, y->dim)) return 0;
  for (int k = 0; k < n->nin; k++) {
    const nx_tensor *t = n->in[k];
    place at = {t ? t->ndim - behind : -1, y->each};
    if (t && b->in[k].dim < 0 && b->most > 1 && whole(b, t, at))
      b->in[k] = at;
  }
  return 1;
}

/*
** One rule: it must name all inputs that have rows, where these are, and all
** results.
*/
static int rule_holds (nx_batch *b, const nx_node *n, const char *rule,
                       place *in, place *y) {
  int with_rows = 0, results = 0;
  int64_t each = 0;
  for (int k = 0; k < n->nin; k++) {
    in[k] = b->in[k];
    if (in[k].dim < 0) continue;
    with_rows++;
    each = in[k].each;
  }
  for (int i = 0; i < n->nout; i++) results += n->out[i] != NULL;
  while (*rule && *rule != ',') {
    nx_word w = nx_word_read(&rule, n->op);
    nx_tensor *t = nx_word_tensor(n, &w);
    place at = {t ? nx_word_dim(t, w.dim) : -1, each};
    if (t == NULL) continue;
    if (w.result) results--;
    if (w.whole) continue;
    if (!w.result && in[w.which].dim >= 0) {
      with_rows--;
      if (in[w.which].dim != at.dim || in[w.which].each != each) return 0;
    }
    else if (!whole(b, t, at)) {
      if (w.optional) continue;
      return 0;
    }
    if (w.result) y[w.which] = at;
    else in[w.which] = at;
  }
  return with_rows == 0 && results == 0;
}

#define MANY 64                /* inputs and results of a rule */

static int follows_rule (nx_batch *b, const nx_node *n, const char *rules,
                         place *y) {
  place in[MANY];
  if (n->nin > MANY) return 0;
  if (*rules == '~') rules++;
  for (; *rules; rules = nx_next_rule(rules)) {
    if (!rule_holds(b, n, rules, in, y)) continue;
    memcpy(b->in, in, (size_t)n->nin * sizeof(*in));
    return 1;
  }
  return 0;
}


static int sees_first (const nx_node *n) {
  return !n->inplace && n->in[0] && n->out[0] &&
         n->out[0]->store == n->in[0]->store;
}

/* where the rows are in the results; 0: nobody knows */
static int find_rows (nx_batch *b, const nx_node *n, place *y) {
  const char *rules = nx_cut_rules(n);
  const nx_tensor *x = n->in[0];
  if (n->nout > MANY || n->nout == 0) return 0;
  if (sees_first(n)) {
    if (b->in[0].dim < 0) return 0;
    for (int i = 0; i < n->nout; i++) {
      if (n->out[i]) y[i] = seen_in(b, x, b->in[0], n->out[i]);
      if (n->out[i] && y[i].dim < 0) return 0;
    }
    return 1;
  }
  if ((n->op->flags & NX_VIEW) && x && b->in[0].dim >= 0 && n->nout == 1) {
    y[0] = reordered(b, x, b->in[0], n->out[0]);
    return y[0].dim >= 0;
  }
  if (rules == NULL || n->op->carries || n->out[0] == NULL || nx_draws(n))
    return 0;
  if (n->inplace && b->in[0].dim < 0) return 0;   /* others see it whole */
  return *rules == '*' ? goes_along(b, n, rules, y)
                       : follows_rule(b, n, rules, y);
}

/* the inputs of a call: do any have rows? */
static int take_inputs (nx_ctx *C, nx_batch *b, const nx_call *c,
                        const nx_node *n) {
  int any = 0;
  if (n->nin > b->nin) {
    place *in = more(C, b->in, n->nin, &b->nin, sizeof(*in));
    if (in == NULL) return 0;
    b->in = in;
  }
  for (int k = 0; k < n->nin; k++) {
    b->in[k].dim = -1;
    if (k < c->nin && c->in[k] >= 0) b->in[k] = b->wires[c->in[k]];
    any |= b->in[k].dim >= 0;
  }
  return any;
}

int nx_batch_call (nx_ctx *C, nx_batch *b, const nx_call *c, nx_node *n) {
  place y[MANY];
  if (!take_inputs(C, b, c, n) || b->obstacle) return nx_status(C);
  for (int i = 0; i < n->nout && i < MANY; i++) y[i].dim = -1;
  if (!find_rows(b, n, y)) {
    b->obstacle = n->op->name;
    return nx_status(C);
  }
  for (int i = 0; i < c->nout; i++) {
    if (n->out[i] == NULL || y[i].dim < 0) continue;
    b->wires[c->out + i] = y[i];
    add_spot(C, b, n->out[i], y[i], 0, -1, 0);
  }
  for (int k = 0; k < n->nin; k++) {
    if (b->in[k].dim < 0 || b->wires[c->in[k]].dim >= 0) continue;
    n->in[k] = nx_second_header(C, n->in[k]);
    if (n->in[k]) add_spot(C, b, n->in[k], b->in[k], 0, -1, 1);
  }
  n->target = n->in[0];
  return nx_status(C);
}


/*
** At which place of a dimension a part of t begins: the distance is made of
** whole steps along its dimensions, the longest first.
*/
static int64_t begins_at (const nx_tensor *t, const nx_tensor *part,
                          int dim) {
  int64_t rest = (part->data - t->data) / (int64_t)nx_dtype_size(t->dtype);
  unsigned done = 0;
  for (int i = 0; i < t->ndim; i++) {
    int most = -1;
    for (int d = 0; d < t->ndim; d++)
      if (!(done >> d & 1) && t->shape[d] > 1 && t->stride[d] > 0 &&
          (most < 0 || t->stride[d] > t->stride[most])) most = d;
    if (most < 0) break;
    done |= 1u << most;
    if (most == dim) return rest / t->stride[most];
    rest %= t->stride[most];
  }
  return 0;
}

static int add_part (nx_ctx *C, nx_batch *b, const nx_tensor *t,
                     nx_tensor *part, place at, int piece) {
  if (at.dim < 0) return 0;
  return add_spot(C, b, part, at, begins_at(t, part, at.dim), piece, 0);
}

int nx_batch_piece (nx_ctx *C, nx_batch *b, const nx_call *c,
                    const nx_node *n, const nx_piece *q, int piece) {
  if (piece >= b->piece_room) {
    char *fresh = more(C, b->skip, piece, &b->piece_room, 1);
    if (fresh == NULL) return nx_status(C);
    b->skip = fresh;
  }
  b->pieces = piece + 1;
  if (b->obstacle || q->cut == NULL) return 0;
  for (int k = 0; k < n->nin; k++)
    if (q->cut->in[k])
      add_part(C, b, n->in[k], q->n.in[k], b->in[k], piece);
  for (int k = 0; k < c->nout; k++)
    if (q->cut->out[k])
      add_part(C, b, n->out[k], q->n.out[k], b->wires[c->out + k], piece);
  return nx_status(C);
}


static void shorten (nx_batch *b, const spot *s) {
  int64_t n = b->rows * s->at.each - s->from, len = 1;
  if (n < 0) n = 0;
  if (n > s->most) n = s->most;
  s->t->shape[s->at.dim] = n;
  for (int d = 0; d < s->t->ndim; d++) len *= s->t->shape[d];
  s->t->len = len;
  if (s->piece >= 0 && n == 0) b->skip[s->piece] = 1;
}

int nx_batch_set (nx_ctx *C, nx_batch *b, int64_t rows) {
  if (rows == b->rows) return 0;
  if (rows < 1 || rows > b->most)
    return nx_fail(C, NEAP_EARG, "%lld rows: the plan is for 1 to %lld",
                   (long long)rows, (long long)b->most);
  if (b->obstacle)
    return nx_fail(C, NEAP_EUNSUP, "a plan for %lld rows cannot run %lld: "
                   "%s does not show which results belong to which row",
                   (long long)b->most, (long long)rows, b->obstacle);
  b->rows = rows;
  if (b->pieces) memset(b->skip, 0, (size_t)b->pieces);
  for (int i = 0; i < b->nspots; i++) shorten(b, &b->spots[i]);
  return 0;
}

int64_t nx_batch_most (const nx_batch *b) { return b->most; }
int64_t nx_batch_rows (const nx_batch *b) { return b->rows; }

int nx_batch_can (const nx_batch *b) {
  return b->obstacle == NULL && b->most > 0;
}

int nx_batch_skips (const nx_batch *b, int piece) { return b->skip[piece]; }

void nx_batch_move (nx_batch *b, const nx_storage *store, ptrdiff_t by) {
  for (int i = 0; i < b->nspots; i++)
    if (b->spots[i].own && b->spots[i].t->store == store)
      b->spots[i].t->data += by;
}
