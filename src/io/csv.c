/*
** CSV: records and cells (RFC 4180, with what is met beside it: other
** separators, blank lines, comments, a mark of UTF-8 in front).
*/
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "io/csv.h"
#include "io/number.h"

#define MAXLINE ((size_t)16 << 20)
#define MAXCOLUMNS ((size_t)1 << 20)


const char *nx_csv_kind_name (nx_csv_kind kind) {
  static const char *const names[] = {
#define NX_X(id, name) name,
    NX_CSV_KIND_LIST(NX_X)
#undef NX_X
  };
  return names[kind];
}


static int fail_at (nx_csv *v, int64_t line, const char *why) {
  return nx_fail(v->source.C, NEAP_EFORMAT, "%s, line %lld: %s",
                 v->source.what, (long long)line, why);
}


int nx_csv_fail (nx_csv *v, size_t column, const char *fmt, ...) {
  char text[300];
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(text, sizeof(text), fmt, ap);
  va_end(ap);
  return nx_fail(v->source.C, NEAP_EFORMAT, "%s, line %lld, column %zu (%s): "
                 "%s", v->source.what, (long long)v->record_line, column + 1,
                 column < v->ncolumns ? v->columns[column].name : "?", text);
}


static nx_csv_cell *new_cell (nx_csv *v) {
  if (v->ncells == v->cell_room) {
    size_t room = v->cell_room ? 2 * v->cell_room : 64;
    nx_csv_cell *cells;
    if (room > MAXCOLUMNS) {
      fail_at(v, v->record_line, "more than 1048576 cells");
      return NULL;
    }
    cells = nx_realloc(v->source.C, v->cells, v->cell_room * sizeof(*cells),
                       room * sizeof(*cells));
    if (cells == NULL) return NULL;
    v->cells = cells;
    v->cell_room = room;
  }
  return &v->cells[v->ncells++];
}


static int is_blank (char c) { return c == ' ' || c == '\t'; }

static void trim (nx_csv_cell *c) {
  while (c->n > 0 && is_blank(c->s[0])) {
    c->s++;
    c->n--;
  }
  while (c->n > 0 && is_blank(c->s[c->n - 1])) c->n--;
}


/* after a line break of either kind, which is at p */
static const char *past_break (nx_csv *v, const char *p) {
  v->line++;
  return p + (*p == '\r' && p + 1 < v->end && p[1] == '\n' ? 2 : 1);
}

static int is_break (char c) { return c == '\n' || c == '\r'; }


/*
** A cell in quotes: p is behind the first one. Gives the place behind the
** last one, or NULL.
*/
static const char *quoted_cell (nx_csv *v, const char *p, nx_csv_cell *c) {
  int64_t line = v->line;
  const char *limit = (size_t)(v->end - p) > MAXLINE ? p + MAXLINE : v->end;
  c->s = p;
  c->quoted = 1;
  while (p < limit) {
    if (*p == v->o.quote) {
      if (p + 1 == v->end || p[1] != v->o.quote) {
        c->n = (size_t)(p - c->s);
        return p + 1;
      }
      c->escaped = 1;
      p += 2;
    }
    else if (is_break(*p)) p = past_break(v, p);
    else p++;
  }
  fail_at(v, line, "a quoted cell that begins here does not end");
  return NULL;
}


static const char *plain_cell (nx_csv *v, const char *p, nx_csv_cell *c) {
  const char separator = v->o.separator;
  c->s = p;
  while (p < v->end && *p != separator && *p != '\n' && *p != '\r') p++;
  c->n = (size_t)(p - c->s);
  trim(c);
  return p;
}


/* one cell at p; gives the separator or line break behind it, or the end */
static const char *read_cell (nx_csv *v, const char *p) {
  nx_csv_cell *c = new_cell(v);
  const char *q = p;
  if (c == NULL) return NULL;
  c->quoted = c->escaped = 0;
  while (q < v->end && is_blank(*q) && *q != v->o.separator) q++;
  if (q == v->end || *q != v->o.quote || v->o.quote == 0)
    return plain_cell(v, p, c);
  if ((p = quoted_cell(v, q + 1, c)) == NULL) return NULL;
  while (p < v->end && is_blank(*p) && *p != v->o.separator) p++;
  if (p == v->end || *p == v->o.separator || is_break(*p)) return p;
  nx_csv_fail(v, v->ncells - 1, "text follows the closing quote (a quote "
              "inside a quoted cell is written twice)");
  return NULL;
}


/* over empty lines and comments */
static void skip_idle (nx_csv *v) {
  while (v->p < v->end) {
    if (v->o.comment && *v->p == v->o.comment)
      while (v->p < v->end && !is_break(*v->p)) v->p++;
    if (v->p == v->end || !is_break(*v->p)) return;
    v->p = past_break(v, v->p);
  }
}


/* A blank as a separator means any number of them, also around records. */
static const char *over_blanks (const nx_csv *v, const char *p) {
  if (v->o.separator == ' ')
    while (p < v->end && is_blank(*p)) p++;
  return p;
}

/* true if no separator follows */
static int at_end (const nx_csv *v, const char *p) {
  p = over_blanks(v, p);
  return p == v->end || is_break(*p);
}


static int next_record (nx_csv *v) {
  const char *p, *start;
  skip_idle(v);
  v->ncells = 0;
  v->record_line = v->line;
  if ((start = v->p) == v->end) return 0;
  for (p = over_blanks(v, start); ; p = over_blanks(v, p + 1)) {
    if ((p = read_cell(v, p)) == NULL) return -1;
    if ((size_t)(p - start) > MAXLINE) {
      fail_at(v, v->record_line, "longer than 16 MiB");
      return -1;
    }
    if (at_end(v, p)) break;
  }
  p = over_blanks(v, p);
  v->p = p == v->end ? p : past_break(v, p);
  return 1;
}


static int is_word (const nx_csv_cell *c, const char *word) {
  for (size_t i = 0; i < c->n; i++)
    if ((c->s[i] | 32) != word[i]) return 0;
  return word[c->n] == '\0';
}

/* the next of words that blanks part; n 0: none is left */
static const char *next_word (const char *w, size_t *n) {
  w += *n;
  w += strspn(w, " ");
  *n = strcspn(w, " ");
  return w;
}

static int is_missing (const nx_csv *v, const nx_csv_cell *c) {
  size_t n = 0;
  for (const char *w = v->o.missing; w = next_word(w, &n), n > 0; )
    if (n == c->n && memcmp(w, c->s, n) == 0) return 1;
  return 0;
}

static int number_among (const char *words, char point) {
  size_t n = 0;
  int64_t i;
  double x;
  for (const char *w = words; w = next_word(w, &n), n > 0; )
    if (nx_number(w, n, point, &i, &x) != NX_NO_NUMBER && x == x) return 1;
  return 0;
}


nx_csv_kind nx_csv_classify (const nx_csv *v, const nx_csv_cell *c,
                             int64_t *i, double *x) {
  if (c->n == 0 || (v->marked_numbers && is_missing(v, c)))
    return NX_CSV_EMPTY;
  switch (nx_number(c->s, c->n, v->o.point, i, x)) {
    case NX_INTEGER: return NX_CSV_INTEGER;
    case NX_REAL: if (*x == *x || !is_missing(v, c)) return NX_CSV_REAL;
    default: break;
  }
  if (is_missing(v, c)) return NX_CSV_EMPTY;
  *i = c->n == 4 && is_word(c, "true");
  *x = (double)*i;
  return *i || (c->n == 5 && is_word(c, "false")) ? NX_CSV_BOOL
                                                  : NX_CSV_TEXT;
}


static nx_csv_kind wider (nx_csv_kind a, nx_csv_kind b) {
  if (a == NX_CSV_EMPTY) return b;
  if (b == NX_CSV_EMPTY || a == b) return a;
  if (a == NX_CSV_BOOL || b == NX_CSV_BOOL) return NX_CSV_TEXT;
  return a > b ? a : b;
}


/*
** The separator that is most frequent in the first line, outside quotes;
** a comma if none is there.
*/
static char find_separator (const nx_csv *v) {
  static const char choice[] = ",\t;|";
  int64_t count[4] = {0}, best = 0;
  int inside = 0;
  char found = ',';
  for (const char *p = v->p; p < v->end && (inside || !is_break(*p)); p++) {
    const char *c = *p ? strchr(choice, *p) : NULL;
    if (*p == v->o.quote && v->o.quote) inside = !inside;
    else if (c && !inside) count[c - choice]++;
  }
  for (int i = 0; i < 4; i++)
    if (count[i] > best) {
      best = count[i];
      found = choice[i];
    }
  return found;
}


static int check_encoding (nx_csv *v) {
  const unsigned char *p = v->source.p;
  size_t n = nx_left(&v->source);
  const char *zero;
  if (n >= 2 && ((p[0] == 0xff && p[1] == 0xfe) ||
                 (p[0] == 0xfe && p[1] == 0xff)))
    return fail_at(v, 1, "the file is UTF-16; save it as UTF-8");
  if (n >= 3 && p[0] == 0xef && p[1] == 0xbb && p[2] == 0xbf) v->p += 3;
  zero = memchr(v->p, 0, (size_t)(v->end - v->p));
  if (zero == NULL) return 0;
  for (p = v->source.p; (const char *)p < zero; p++) v->line += *p == '\n';
  return fail_at(v, v->line, "a zero byte: this is not a text file");
}


static char *copy_name (nx_csv *v, const char *s, size_t n) {
  char *name = nx_alloc(v->source.C, n + 1);
  if (name == NULL) return NULL;
  memcpy(name, s, n);
  name[n] = '\0';
  return name;
}

/* names from the first record; an empty one is "c" and its number */
static int name_columns (nx_csv *v, int header) {
  nx_ctx *C = v->source.C;
  v->columns = nx_alloc(C, v->ncells * sizeof(*v->columns));
  if (v->columns == NULL) return nx_status(C);
  v->ncolumns = v->ncells;
  memset(v->columns, 0, v->ncolumns * sizeof(*v->columns));
  for (size_t i = 0; i < v->ncolumns; i++) {
    nx_csv_column *c = &v->columns[i];
    char text[32];
    const char *s = text;
    c->length = (size_t)snprintf(text, sizeof(text), "c%zu", i + 1);
    if (header && v->cells[i].n > 0) {
      s = v->cells[i].s;
      c->length = v->cells[i].n;
    }
    c->name = copy_name(v, s, c->length);
    if (c->name == NULL) return nx_status(C);
  }
  return 0;
}


/* a first record is names unless a cell of it is a number */
static int looks_like_names (const nx_csv *v) {
  int64_t i;
  double x;
  for (size_t k = 0; k < v->ncells; k++) {
    nx_csv_kind kind = nx_csv_classify(v, &v->cells[k], &i, &x);
    if (kind == NX_CSV_INTEGER || kind == NX_CSV_REAL) return 0;
  }
  return 1;
}


static int read_header (nx_csv *v) {
  const char *first;
  int64_t first_line;
  int header;
  skip_idle(v);
  if (v->o.separator == 0) v->o.separator = find_separator(v);
  first = v->p;
  first_line = v->line;
  if (next_record(v) <= 0)
    return nx_status(v->source.C) ? nx_status(v->source.C)
                                  : fail_at(v, 1, "there is nothing");
  header = v->o.header < 0 ? looks_like_names(v) : v->o.header;
  if (name_columns(v, header)) return nx_status(v->source.C);
  v->first = header ? v->p : first;
  v->first_line = header ? v->line : first_line;
  return 0;
}


void nx_csv_rewind (nx_csv *v) {
  v->p = v->first;
  v->line = v->first_line;
}


/*
** The number of cells must be that of the columns. 1: take the record, 0:
** leave it out, -1: an error.
*/
static int check_width (nx_csv *v) {
  char text[120];
  if (v->ncells == v->ncolumns) return 1;
  if (v->o.ragged == 2) return 0;
  if (v->o.ragged == 1 && v->ncells < v->ncolumns) {
    while (v->ncells < v->ncolumns) {
      nx_csv_cell *c = new_cell(v);
      if (c == NULL) return -1;
      memset(c, 0, sizeof(*c));
      c->s = "";
    }
    return 1;
  }
  snprintf(text, sizeof(text), "%zu cells, expected %zu as in the first "
           "record (see the option ragged)", v->ncells, v->ncolumns);
  fail_at(v, v->record_line, text);
  return -1;
}


int nx_csv_next (nx_csv *v) {
  for (;;) {
    int r = next_record(v);
    if (r <= 0) return r;
    if ((r = check_width(v)) != 0) return r;
  }
}


static void look_at (nx_csv *v, nx_csv_column *c, const nx_csv_cell *cell) {
  int64_t i;
  double x;
  nx_csv_kind kind;
  if (cell->n > 0 && c->words > c->numbers + 100 && !c->commas) return;
  kind = nx_csv_classify(v, cell, &i, &x);
  if (kind == NX_CSV_TEXT && c->commas)
    c->commas = nx_number(cell->s, cell->n, ',', &i, &x) != NX_NO_NUMBER;
  if (kind == NX_CSV_TEXT && c->words++ == 0) {
    c->word = *cell;
    c->word_line = v->record_line;
  }
  c->numbers += kind == NX_CSV_INTEGER || kind == NX_CSV_REAL;
  if (kind == NX_CSV_EMPTY) *(cell->n ? &c->marked : &c->empty) += 1;
  c->kind = wider(c->kind, kind);
}

static int look_at_all (nx_csv *v) {
  int r = 1;
  nx_csv_rewind(v);
  v->records = 0;
  for (size_t i = 0; i < v->ncolumns; i++) {
    v->columns[i].kind = NX_CSV_EMPTY;
    v->columns[i].empty = v->columns[i].marked = 0;
    v->columns[i].numbers = v->columns[i].words = 0;
    v->columns[i].commas = v->guess_point && v->o.separator != ',';
  }
  while (v->o.most < 0 || v->records < v->o.most) {
    if ((r = nx_csv_next(v)) <= 0) break;
    for (size_t i = 0; i < v->ncolumns; i++)
      look_at(v, &v->columns[i], &v->cells[i]);
    v->records++;
  }
  return r < 0 ? nx_status(v->source.C) : 0;
}


int nx_csv_open (nx_csv *v, nx_source *s, const nx_csv_options *o) {
  memset(v, 0, sizeof(*v));
  v->source = *s;
  memset(s, 0, sizeof(*s));
  v->o = *o;
  v->p = (const char *)v->source.p;
  v->end = (const char *)v->source.end;
  v->line = 1;
  v->guess_point = o->point == 0;
  if (v->guess_point) v->o.point = '.';
  v->marked_numbers = number_among(v->o.missing, v->o.point);
  if (nx_left(&v->source) == 0) return fail_at(v, 1, "the file is empty");
  if (check_encoding(v)) return nx_status(v->source.C);
  for (int64_t i = 0; i < v->o.skip && v->p < v->end; i++) {
    while (v->p < v->end && !is_break(*v->p)) v->p++;
    if (v->p < v->end) v->p = past_break(v, v->p);
  }
  if (read_header(v) || look_at_all(v)) return nx_status(v->source.C);
  for (size_t i = 0; i < v->ncolumns; i++)
    if (v->columns[i].kind == NX_CSV_TEXT && v->columns[i].commas) {
      v->o.point = ',';
      return look_at_all(v);
    }
  return 0;
}


void nx_csv_close (nx_csv *v) {
  nx_ctx *C = v->source.C;
  if (C == NULL) return;
  for (size_t i = 0; i < v->ncolumns; i++)
    nx_free(C, v->columns[i].name, v->columns[i].length + 1);
  nx_free(C, v->columns, v->ncolumns * sizeof(*v->columns));
  nx_free(C, v->cells, v->cell_room * sizeof(*v->cells));
  nx_source_close(&v->source);
  memset(v, 0, sizeof(*v));
}
