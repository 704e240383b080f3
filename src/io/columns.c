/*
** CSV: the columns as tensors.
*/
#include <math.h>
#include <string.h>
#include "io/csv.h"
#include "tensor/dtype.h"
#include "tensor/view.h"
#include "tensor/walk.h"

static int type_of (nx_csv_kind kind) {
  switch (kind) {
    case NX_CSV_BOOL: return NEAP_BOOL;
    case NX_CSV_INTEGER: case NX_CSV_TEXT: return NEAP_I64;
    default: return NEAP_F64;
  }
}


static int complain (nx_csv *v, const nx_csv_target *t,
                     const nx_csv_cell *c, const char *expected) {
  return nx_csv_fail(v, t->column, "'%.*s%s' is not %s",
                     c->n > 40 ? 40 : (int)c->n, c->s,
                     c->n > 40 ? "..." : "", expected);
}

/*
** A cell that has nothing: 1 if the record is left out, -1 with an error.
*/
static int put_missing (nx_csv *v, nx_csv_target *t, int64_t row) {
  const nx_csv_cell *c = &v->cells[t->column];
  char *at = t->tensor->data + row * (int64_t)nx_dtype_size(t->tensor->dtype);
  switch (t->missing) {
    case NX_MISSING_NAN:
      nx_put_number(t->tensor, at, NAN);
      return 0;
    case NX_MISSING_FILL:
      nx_put_number(t->tensor, at, t->fill);
      return 0;
    case NX_MISSING_DROP: return 1;
    default:
      nx_csv_fail(v, t->column, "%s%.*s%s; say what to do by missing = "
                  "\"nan\", \"drop\" or a number",
                  c->n ? "'" : "the cell is empty", (int)c->n, c->s,
                  c->n ? "' counts as nothing" : "");
      return -1;
  }
}


/* text without doubled quotes, in 'scratch' if it has some */
static const char *plain_text (const nx_csv *v, const nx_csv_cell *c,
                               nx_text *scratch, size_t *n) {
  const char *p = c->s, *end = p + c->n;
  *n = c->n;
  if (!c->escaped) return p;
  scratch->n = 0;
  while (p < end) {
    const char *q = memchr(p, v->o.quote, (size_t)(end - p));
    q = q ? q + 1 : end;
    if (nx_text_add(scratch, p, (size_t)(q - p))) return NULL;
    p = q + (q < end);         /* over the second one */
  }
  *n = scratch->n;
  return scratch->s;
}

static int put_word (nx_csv *v, nx_csv_target *t, int64_t row,
                     const nx_csv_cell *c, nx_text *scratch) {
  size_t n;
  const char *s = plain_text(v, c, scratch, &n);
  int64_t id;
  if (s == NULL) return -1;
  id = t->closed ? nx_vocabulary_find(t->words, s, n)
                 : nx_vocabulary_add(t->words, s, n);
  if (id < 0) {
    complain(v, t, c, "among the categories that were given");
    return -1;
  }
  ((int64_t *)(void *)t->tensor->data)[row] = id;
  return 0;
}


/* a cell of numbers or truth values; see put_missing */
static int put_value (nx_csv *v, nx_csv_target *t, int64_t row,
                      const nx_csv_cell *c) {
  int64_t i = 0;
  double x = 0;
  nx_csv_kind kind = nx_csv_classify(v, c, &i, &x);
  char *data = t->tensor->data;
  if (kind == NX_CSV_EMPTY) return put_missing(v, t, row);
  if (t->kind == NX_CSV_BOOL) {
    if (kind == NX_CSV_BOOL || (kind == NX_CSV_INTEGER && (i == 0 || i == 1)))
      data[row] = (char)i;
    else return complain(v, t, c, "true or false (other words are a "
                         "category, and t:column(name):eq(1) a mask)")
             ? -1 : 0;
  }
  else if (t->kind == NX_CSV_INTEGER) {
    if (kind == NX_CSV_REAL && x == rint(x) && fabs(x) < 9e15) i = (int64_t)x;
    else if (kind != NX_CSV_INTEGER && kind != NX_CSV_BOOL)
      return complain(v, t, c, "an integer") ? -1 : 0;
    ((int64_t *)(void *)data)[row] = i;
  }
  else {
    if (kind == NX_CSV_BOOL) x = (double)i;
    else if (kind == NX_CSV_TEXT)
      return complain(v, t, c, "a number") ? -1 : 0;
    ((double *)(void *)data)[row] = x;
  }
  return 0;
}

static int put_cell (nx_csv *v, nx_csv_target *t, int64_t row,
                     nx_text *scratch) {
  const nx_csv_cell *c = &v->cells[t->column];
  if (t->kind != NX_CSV_TEXT) return put_value(v, t, row, c);
  if (c->n == 0 && !c->quoted) {
    if (t->missing == NX_MISSING_DROP) return 1;
    if (t->missing == NX_MISSING_ERROR)
      return nx_csv_fail(v, t->column, "the cell is empty") ? -1 : 0;
  }
  return put_word(v, t, row, c, scratch);
}


/* all records; returns how many were taken, -1 with an error */
static int64_t read_records (nx_csv *v, nx_csv_target *targets, size_t n) {
  nx_text scratch;
  int64_t row = 0;
  int r = 1;
  nx_text_open(v->source.C, &scratch);
  nx_csv_rewind(v);
  for (int64_t k = 0; r >= 0 && k < v->records; k++) {
    if ((r = nx_csv_next(v)) <= 0) break;
    r = 0;
    for (size_t i = 0; r == 0 && i < n; i++)
      r = put_cell(v, &targets[i], row, &scratch);
    row += r == 0;
  }
  nx_text_close(&scratch);
  return r < 0 ? -1 : row;
}


/* numbers in the order of words, counted as the user does */
static int number_words (nx_ctx *C, nx_csv_target *t) {
  int64_t *id = (int64_t *)(void *)t->tensor->data;
  uint32_t *rank = NULL;
  if (!t->closed && nx_vocabulary_ranks(t->words, &rank))
    return nx_status(C);
  for (int64_t i = 0; i < t->tensor->len; i++)
    id[i] = (rank ? (int64_t)rank[id[i]] : id[i]) + C->base;
  nx_free(C, rank, (t->words->n + 1) * sizeof(*rank));
  return 0;
}

/* the words too in that order */
static int sort_vocabulary (nx_ctx *C, nx_vocabulary *v) {
  nx_vocabulary sorted;
  uint32_t *rank, *order;
  if (nx_vocabulary_ranks(v, &rank)) return nx_status(C);
  nx_vocabulary_open(C, &sorted);
  order = nx_alloc(C, (v->n + 1) * sizeof(*order));
  for (size_t i = 0; order && i < v->n; i++) order[rank[i]] = (uint32_t)i;
  for (size_t i = 0; order && i < v->n; i++) {
    size_t n;
    const char *s = nx_vocabulary_word(v, order[i], &n);
    if (nx_vocabulary_add(&sorted, s, n) < 0) break;
  }
  nx_free(C, order, (v->n + 1) * sizeof(*order));
  nx_free(C, rank, (v->n + 1) * sizeof(*rank));
  nx_vocabulary_close(nx_status(C) ? &sorted : v);
  if (nx_status(C) == 0) *v = sorted;
  return nx_status(C);
}


static int finish (nx_ctx *C, nx_csv_target *t, int64_t rows) {
  if (rows < t->tensor->len) {           /* some records were left out */
    nx_tensor *part = nx_view_part(C, t->tensor, 0, 0, rows, 1);
    nx_tensor *copy = part ? nx_new_like(C, part) : NULL;
    if (copy == NULL || nx_copy(C, copy, part)) return nx_status(C);
    t->tensor = copy;
  }
  if (t->kind != NX_CSV_TEXT) return 0;
  if (number_words(C, t)) return nx_status(C);
  return t->closed ? 0 : sort_vocabulary(C, t->words);
}


/* what is missing may need a real column to be told in */
static nx_csv_kind kind_for (const nx_csv *v, const nx_csv_target *t) {
  const nx_csv_column *c = &v->columns[t->column];
  int gaps = c->empty + c->marked > 0;
  if (t->kind == NX_CSV_EMPTY) return NX_CSV_REAL;
  if (t->kind == NX_CSV_TEXT || !gaps) return t->kind;
  if (t->missing == NX_MISSING_NAN) return NX_CSV_REAL;
  if (t->missing == NX_MISSING_FILL && t->fill != rint(t->fill))
    return NX_CSV_REAL;
  return t->kind;
}


int nx_csv_read (nx_csv *v, nx_csv_target *targets, size_t n) {
  nx_ctx *C = v->source.C;
  int64_t rows;
  for (size_t i = 0; i < n; i++) {
    nx_csv_target *t = &targets[i];
    t->kind = kind_for(v, t);
    t->tensor = nx_new(C, type_of(t->kind), 1, &v->records);
    if (t->tensor == NULL) return nx_status(C);
  }
  rows = read_records(v, targets, n);
  for (size_t i = 0; rows >= 0 && i < n; i++)
    if (finish(C, &targets[i], rows)) break;
  return nx_status(C);
}
