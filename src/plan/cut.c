/*
** Long calls in pieces.
*/
#include <string.h>
#include "plan/cut.h"

#define LEVELS 4
#define MAX_PIECES 100000

/* A level: some places of a dimension of the results at a time, then, if
   one is still too long, of the next dimension. */
typedef struct level {
  const char *rule;            /* "y0 x0", up to a comma; NULL: all inputs */
  int dim;                     /* of the first result */
  int64_t size, rows, count;
} level;


static double work_of (const nx_node *n) {
  double most = 0;
  if (n->op->work) return n->op->work(n);
  for (int i = 0; i < n->nin; i++)
    if (n->in[i] && (double)n->in[i]->len > most)
      most = (double)n->in[i]->len;
  for (int i = 0; i < n->nout; i++)
    if (n->out[i] && (double)n->out[i]->len > most)
      most = (double)n->out[i]->len;
  return 2 * most;
}


static int has_size (const nx_tensor *t, int dim, int64_t size) {
  dim = nx_word_dim(t, dim);
  return dim >= 0 && dim < t->ndim && t->shape[dim] == size;
}


/*
** Does the rule, which begins with the first result, cut this dimension?
** Results that it does not name must be states that are handed on.
*/
static int rule_fits (const nx_node *n, const char *rule, int dim,
                      int64_t size, int carried) {
  int results = 0;
  nx_word w = nx_word_read(&rule, n->op);
  if (nx_word_dim(n->out[0], w.dim) != dim) return 0;
  for (int i = 1; i < n->nout; i++) results += n->out[i] != NULL;
  while (*rule && *rule != ',') {
    const nx_tensor *t;
    w = nx_word_read(&rule, n->op);
    t = nx_word_tensor(n, &w);
    results -= w.result && t != NULL;
    if (t && !w.optional && !w.whole && !has_size(t, w.dim, size)) return 0;
  }
  return results == 0 || carried;
}

static const char *find_rule (const nx_node *n, const char *rules, int dim,
                              int64_t size, int carried) {
  while (rules && *rules) {
    if (rule_fits(n, rules, dim, size, carried)) return rules;
    rules = nx_next_rule(rules);
  }
  return NULL;
}


/*
** Levels for a node: dimensions of the result from the front, as long as
** pieces are too long. What is before a dimension that is cut has size 1,
** so that a piece of the result is one stretch of memory; unless the
** operation says that it can do without.
*/
#define PANELS 64              /* columns: whole panels of packed matrices */

static void set_rows (level *l, double work, int64_t multiple) {
  double rows = NX_PIECE_WORK / (work / (double)l->size);
  l->rows = rows < 1 ? 1 : (int64_t)rows;
  l->rows = (l->rows + multiple - 1) / multiple * multiple;
  l->count = (l->size + l->rows - 1) / l->rows;
}

/*
** "~y0 x0, y-1 w0 b0": dimensions that may all be cut at once, the last one
** into whole panels; those before it into blocks of some rows, if there are
** many. (One row at a time would read the weights for each.)
*/
#define MANY_ROWS 64
#define BLOCK_ROWS 32

static int cut_at_once (const nx_node *n, const char *rules, int carried,
                        double work, level *l) {
  const nx_tensor *y = n->out[0];
  int64_t rows = 1, many;
  int count = 0;
  if (work <= NX_PIECE_WORK) return 0;
  while (*rules && count < LEVELS) {
    const char *p = rules;
    level *own = &l[count++];
    own->rule = rules;
    own->dim = nx_word_dim(y, nx_word_read(&p, n->op).dim);
    own->size = own->dim >= 0 && own->dim < y->ndim ? y->shape[own->dim] : 0;
    if (own->size == 0 || !rule_fits(n, rules, own->dim, own->size, carried))
      return 0;
    rules = nx_next_rule(rules);
    if (*rules) rows *= own->size;
  }
  many = rows > MANY_ROWS;
  for (int i = 0; i < count - 1; i++) {
    rows /= l[i].size;                           /* of the levels inside */
    l[i].rows = many ? BLOCK_ROWS / rows : l[i].size;
    if (l[i].rows < 1) l[i].rows = 1;
    if (l[i].rows > l[i].size) l[i].rows = l[i].size;
    l[i].count = (l[i].size + l[i].rows - 1) / l[i].rows;
    work *= (double)l[i].rows / (double)l[i].size;
  }
  set_rows(&l[count - 1], work, PANELS);
  return count;
}

static int find_levels (const nx_node *n, int carried, level *l) {
  const char *rules = nx_cut_rules(n);
  const nx_tensor *y = n->nout > 0 ? n->out[0] : NULL;
  double work = work_of(n);
  int count = 0;
  if (rules == NULL || y == NULL || n->inplace || !nx_is_dense(y)) return 0;
  if ((n->op->carries && !carried) || nx_draws(n)) return 0;
  if (*rules == '~') return cut_at_once(n, rules + 1, carried, work, l);
  for (int d = 0; d < y->ndim && count < LEVELS; d++) {
    level *own = &l[count];
    if (work <= NX_PIECE_WORK) break;
    if (y->shape[d] <= 1) continue;
    own->dim = d;
    own->size = y->shape[d];
    own->rule = *rules == '*' ? (nx_goes_with(rules, d) ? rules : NULL)
              : find_rule(n, rules, d, own->size, carried);
    if (own->rule == NULL) break;
    set_rows(own, work, 1);
    count++;
    if (own->rows > 1) break;
    work /= (double)own->size;
  }
  return count;
}

int nx_cut_count (const nx_node *n, int carried) {
  level l[LEVELS];
  int levels = find_levels(n, carried, l);
  int64_t count = 1;
  for (int i = 0; i < levels; i++) {
    if (l[i].count > MAX_PIECES / count) return 1;
    count *= l[i].count;
  }
  return (int)count;
}


static void narrow (nx_tensor *t, int dim, int64_t from, int64_t n) {
  t->data += from * t->stride[dim] * (int64_t)nx_dtype_size(t->dtype);
  t->len = t->shape[dim] ? t->len / t->shape[dim] * n : 0;
  t->shape[dim] = n;
}

/* places of one tensor of a piece; 'mark' remembers that it is its own */
static int take (nx_ctx *C, nx_tensor **at, char *mark, int dim,
                 const level *l, int64_t i) {
  int64_t from = i * l->rows;
  int64_t n = l->size - from < l->rows ? l->size - from : l->rows;
  if (!*mark && (*at = nx_second_header(C, *at)) == NULL) return nx_status(C);
  *mark = 1;
  narrow(*at, dim, from, n);
  return 0;
}

/* every input that has this dimension, counted from the last */
static int take_aligned (nx_ctx *C, nx_piece *q, const level *l, int64_t i) {
  int behind = q->n.out[0]->ndim - l->dim;
  for (int k = 0; k < q->n.nin; k++) {
    const nx_tensor *t = q->n.in[k];
    int d = t ? t->ndim - behind : -1;
    if (d >= 0 && t->shape[d] == l->size && t->shape[d] > 1 &&
        take(C, &q->n.in[k], &q->cut->in[k], d, l, i)) return nx_status(C);
  }
  return take(C, &q->n.out[0], &q->cut->out[0], l->dim, l, i);
}

static int take_by_rule (nx_ctx *C, nx_piece *q, const level *l, int64_t i) {
  const char *rule = l->rule;
  while (*rule && *rule != ',') {
    nx_word w = nx_word_read(&rule, q->n.op);
    nx_tensor *t = nx_word_tensor(&q->n, &w);
    nx_tensor **at = w.result ? q->n.out : q->n.in;
    char *mark = w.result ? q->cut->out : q->cut->in;
    if (t == NULL || w.whole ||
        (w.optional && !has_size(t, w.dim, l->size))) continue;
    if (take(C, &at[w.which], &mark[w.which], nx_word_dim(t, w.dim), l, i))
      return nx_status(C);
  }
  return 0;
}


static int own_lists (nx_ctx *C, nx_piece *q) {
  size_t nin = (size_t)q->n.nin + 1, nout = (size_t)q->n.nout + 1;
  nx_tensor **in = nx_alloc(C, nin * sizeof(*in));
  nx_tensor **out = nx_alloc(C, nout * sizeof(*out));
  char *marks = nx_alloc(C, sizeof(nx_cut_marks) + nin + nout);
  void *a = nx_alloc(C, q->n.op->argsize);
  if (nx_status(C)) return nx_status(C);
  memset(marks, 0, sizeof(nx_cut_marks) + nin + nout);
  q->cut = (nx_cut_marks *)(void *)marks;
  q->cut->in = marks + sizeof(nx_cut_marks);
  q->cut->out = q->cut->in + nin;
  memcpy(in, q->n.in, (size_t)q->n.nin * sizeof(*in));
  memcpy(out, q->n.out, (size_t)q->n.nout * sizeof(*out));
  memcpy(a, q->n.a, q->n.op->argsize);
  q->n.in = in;
  q->n.out = out;
  q->n.a = a;
  return 0;
}

int nx_cut (nx_ctx *C, int i, int carried, nx_piece *q) {
  level l[LEVELS];
  int levels = find_levels(&q->n, carried, l);
  int64_t rest = i;
  if (own_lists(C, q)) return nx_status(C);
  for (int k = levels - 1; k >= 0; k--) {
    int64_t at = rest % l[k].count;
    rest /= l[k].count;
    if (*l[k].rule == '*' ? take_aligned(C, q, &l[k], at)
                          : take_by_rule(C, q, &l[k], at))
      return nx_status(C);
  }
  q->n.target = q->n.in[0];
  return 0;
}
