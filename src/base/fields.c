/*
** Option fields.
*/
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/fields.h"
#include "base/os.h"

#define AT(args, f, T) (*(T *)((char *)(args) + (f)->offset))
#define AT_CONST(args, f, T) \
  (*(const T *)((const char *)(args) + (f)->offset))


const char *nx_kind_name (nx_kind kind) {
  static const char *const name[] = {
#define NX_X(id, text) text,
    NX_KIND_LIST(NX_X)
#undef NX_X
  };
  return name[kind];
}


const nx_field *nx_field_find (const nx_field *f, const char *name) {
  if (f == NULL) return NULL;
  for (; f->name != NULL; f++)
    if (strcmp(f->name, name) == 0) return f;
  return NULL;
}


void nx_value_clear (nx_value *v) {
  v->tag = NX_IS_NIL;
  v->i = 0;
  v->number = 0;
  v->text = NULL;
  v->tensor = NULL;
  v->n = 0;
}


static int64_t whole_default (double d) {
  return (d == NX_REQUIRED || d == NX_UNSET) ? NX_UNSET_INT : (int64_t)d;
}


static void ints_default (nx_ints *v, double d) {
  v->n = (d == NX_REQUIRED || d == NX_UNSET) ? -1 : 1;
  v->v[0] = v->n == 1 ? (int64_t)d : 0;
}


static void field_default (nx_ctx *C, const nx_field *f, void *args) {
  switch (f->kind) {
    case NX_KIND_INT: case NX_KIND_DIM: case NX_KIND_INDEX:
      AT(args, f, int64_t) = whole_default(f->fallback); break;
    case NX_KIND_NUMBER: AT(args, f, double) = f->fallback; break;
    case NX_KIND_BOOL: AT(args, f, int) = f->fallback > 0; break;
    case NX_KIND_ENUM: AT(args, f, int) = (int)f->fallback; break;
    case NX_KIND_INTS: case NX_KIND_DIMS:
      ints_default(&AT(args, f, nx_ints), f->fallback); break;
    case NX_KIND_LIST: AT(args, f, nx_list).n = -1; break;
    case NX_KIND_BASE: AT(args, f, int64_t) = C->base; break;
    case NX_KIND_DRAW:             /* taken when the operation is applied */
      AT(args, f, nx_draw).key = 0;
      AT(args, f, nx_draw).counter = NX_NOT_DRAWN;
      break;
    case NX_NKINDS: break;
    case NX_KIND_TEXT: AT(args, f, char) = '\0'; break;
    case NX_KIND_TENSOR: AT(args, f, nx_tensor *) = NULL; break;
    case NX_KIND_PAIR: {
      char *second;
      AT(args, f, double) = nx_strtod(f->names, &second);
      (&AT(args, f, double))[1] = nx_strtod(second, NULL);
      break;
    }
  }
}


void nx_fields_default (nx_ctx *C, const nx_field *f, void *args) {
  if (f == NULL) return;
  for (; f->name != NULL; f++) field_default(C, f, args);
}


static const char *tag_name (const nx_value *v) {
  switch (v->tag) {
    case NX_IS_NIL: return "nothing";
    case NX_IS_BOOL: return "a boolean";
    case NX_IS_INT: case NX_IS_NUMBER: return "a number";
    case NX_IS_TEXT: return "a string";
    case NX_IS_INTS: case NX_IS_NUMBERS: return "a list";
    case NX_IS_TENSOR: return "a tensor";
    default: return v->text ? v->text : "something else";
  }
}


static int expected (nx_ctx *C, const char *who, const nx_field *f,
                     const char *what, const nx_value *v) {
  if (v->tag == NX_IS_NUMBER)
    return nx_fail(C, NEAP_EARG, "%s: %s must be %s, not %.14g", who,
                   f->name, what, v->number);
  return nx_fail(C, NEAP_EARG, "%s: %s must be %s, not %s", who, f->name,
                 what, tag_name(v));
}


/*
** A user's dimension or position, counted from 0 inside; negative ones
** count from the end everywhere and stay as they are.
*/
static int count_from_zero (nx_ctx *C, const char *who, const nx_field *f,
                            int64_t given, int64_t *out) {
  if (C->base == 1 && given == 0)
    return nx_fail(C, NEAP_EINDEX, "%s: %s is 0, but %s count from 1 (or "
                   "from the end with -1)", who, f->name,
                   f->kind == NX_KIND_INDEX ? "positions" : "dimensions");
  *out = given > 0 ? given - C->base : given;
  return 0;
}


/*
** A list of integers, or one that stands for a list; at most 'room'.
*/
static int take_ints (nx_ctx *C, const char *who, const nx_field *f,
                      const nx_value *v, int room, int *n, int64_t *out) {
  int count = v->tag == NX_IS_INT ? 1 : v->n;
  if (v->tag != NX_IS_INT && v->tag != NX_IS_INTS)
    return expected(C, who, f, "an integer or a list of integers", v);
  if (count > room)
    return nx_fail(C, NEAP_EARG, "%s: %s has %d entries, at most %d are "
                   "possible", who, f->name, count, room);
  for (int i = 0; i < count; i++) {
    out[i] = v->tag == NX_IS_INT ? v->i : v->whole[i];
    if (f->kind == NX_KIND_DIMS &&
        count_from_zero(C, who, f, out[i], &out[i])) return nx_status(C);
  }
  *n = count;
  return 0;
}

/*
** The position of a word in "a b c"; -1 if it is not there.
*/
static int word_position (const char *words, const char *w) {
  size_t len = strlen(w);
  for (int i = 0; *words; i++) {
    size_t n = strcspn(words, " ");
    if (n == len && memcmp(words, w, n) == 0) return i;
    words += n + (words[n] != '\0');
  }
  return -1;
}


static int set_ints (nx_ctx *C, const char *who, const nx_field *f,
                     nx_ints *out, const nx_value *v) {
  nx_ints in;
  if (v->tag == NX_IS_TEXT && f->names) {
    int at = word_position(f->names, v->text);
    if (at < 0)
      return nx_fail(C, NEAP_EARG, "%s: %s must be integers or one of %s, not "
                     "'%s'", who, f->name, f->names, v->text);
    out->n = NX_WORD(at);
    return 0;
  }
  if (take_ints(C, who, f, v, NEAP_MAXDIM, &in.n, in.v)) return nx_status(C);
  *out = in;
  return 0;
}

static int set_list (nx_ctx *C, const char *who, const nx_field *f,
                     nx_list *out, const nx_value *v) {
  nx_list in;
  if (take_ints(C, who, f, v, NX_MAXLIST, &in.n, in.v)) return nx_status(C);
  *out = in;
  return 0;
}


static int set_enum (nx_ctx *C, const char *who, const nx_field *f,
                     int *out, const nx_value *v) {
  const char *word = v->tag == NX_IS_TEXT ? v->text
                   : v->tag != NX_IS_BOOL ? NULL : v->i ? "true" : "false";
  int at = word ? word_position(f->names, word) : -1;
  if (v->tag != NX_IS_TEXT && at < 0)
    return expected(C, who, f, "a string", v);
  if (at < 0)
    return nx_fail(C, NEAP_EARG, "%s: %s must be one of %s, not '%s'", who,
                   f->name, f->names, v->text);
  *out = at;
  return 0;
}


static int set_number (nx_ctx *C, const char *who, const nx_field *f,
                       double *out, const nx_value *v) {
  if (v->tag == NX_IS_INT) *out = (double)v->i;
  else if (v->tag == NX_IS_NUMBER) *out = v->number;
  else if (v->tag == NX_IS_BOOL && !v->i && f->names) *out = NX_UNSET;
  else return expected(C, who, f, "a number", v);
  return 0;
}


static int set_text (nx_ctx *C, const char *who, const nx_field *f,
                     char *out, const nx_value *v) {
  if (v->tag != NX_IS_TEXT) return expected(C, who, f, "a string", v);
  if (strlen(v->text) >= NX_MAXTEXT)
    return nx_fail(C, NEAP_EARG, "%s: %s is longer than %d bytes", who,
                   f->name, NX_MAXTEXT - 1);
  strcpy(out, v->text);
  return 0;
}


int nx_field_set (nx_ctx *C, const char *who, const nx_field *f, void *args,
                  const nx_value *v) {
  switch (f->kind) {
    case NX_KIND_INT: case NX_KIND_BASE:
      if (v->tag != NX_IS_INT) return expected(C, who, f, "an integer", v);
      AT(args, f, int64_t) = v->i;
      return 0;
    case NX_KIND_DIM: case NX_KIND_INDEX:
      if (v->tag != NX_IS_INT) return expected(C, who, f, "an integer", v);
      return count_from_zero(C, who, f, v->i, &AT(args, f, int64_t));
    case NX_KIND_NUMBER:
      return set_number(C, who, f, &AT(args, f, double), v);
    case NX_KIND_BOOL:
      if (v->tag != NX_IS_BOOL) return expected(C, who, f, "a boolean", v);
      AT(args, f, int) = (int)v->i;
      return 0;
    case NX_KIND_ENUM: return set_enum(C, who, f, &AT(args, f, int), v);
    case NX_KIND_INTS: case NX_KIND_DIMS:
      return set_ints(C, who, f, &AT(args, f, nx_ints), v);
    case NX_KIND_LIST: return set_list(C, who, f, &AT(args, f, nx_list), v);
    case NX_KIND_TEXT: return set_text(C, who, f, &AT(args, f, char), v);
    case NX_KIND_PAIR:
      if ((v->tag != NX_IS_INTS && v->tag != NX_IS_NUMBERS) ||
          v->n != 2)
        return expected(C, who, f, "a list of two numbers", v);
      memcpy(&AT(args, f, double), v->numbers, 2 * sizeof(double));
      return 0;
    case NX_KIND_TENSOR:
      if (v->tag != NX_IS_TENSOR) return expected(C, who, f, "a tensor", v);
      AT(args, f, nx_tensor *) = v->tensor;
      return 0;
    case NX_KIND_DRAW:
      if (v->tag != NX_IS_INTS || v->n != 2)
        return expected(C, who, f, "a key and a counter", v);
      AT(args, f, nx_draw).key = (uint64_t)v->whole[0];
      AT(args, f, nx_draw).counter = (uint64_t)v->whole[1];
      return 0;
    case NX_NKINDS: break;
  }
  return 0;
}


static void get_whole (nx_ctx *C, const nx_field *f, int64_t i,
                       nx_value *v) {
  if (i == NX_UNSET_INT) return;
  v->tag = NX_IS_INT;
  v->i = i;
  if ((f->kind == NX_KIND_DIM || f->kind == NX_KIND_INDEX) && i >= 0)
    v->i += C->base;
}


static void get_word (const nx_field *f, int at, nx_value *v) {
  static const char *const none = "?";
  const char *p = f->names;
  if (at < 0) return;            /* not given */
  for (; at > 0; at--) {
    p += strcspn(p, " ");
    p += *p != '\0';
  }
  v->tag = NX_IS_TEXT;           /* the caller takes the first word */
  v->text = *p ? p : none;
  v->i = (int64_t)strcspn(v->text, " ");
}


static void get_ints (nx_ctx *C, const nx_field *f, int n, const int64_t *in,
                      nx_value *v) {
  if (n < -1) {
    get_word(f, NX_WORD(n), v);
    return;
  }
  v->tag = n < 0 ? NX_IS_NIL : NX_IS_INTS;
  v->n = n;
  for (int i = 0; i < n; i++) {
    v->whole[i] = in[i];
    if (f->kind == NX_KIND_DIMS && in[i] >= 0) v->whole[i] += C->base;
  }
}


void nx_field_get (nx_ctx *C, const nx_field *f, const void *args,
                   nx_value *v) {
  nx_value_clear(v);
  switch (f->kind) {
    case NX_KIND_INT: case NX_KIND_DIM: case NX_KIND_INDEX: case NX_KIND_BASE:
      get_whole(C, f, AT_CONST(args, f, int64_t), v); break;
    case NX_KIND_NUMBER:
      v->number = AT_CONST(args, f, double);
      v->tag = v->number != NX_UNSET ? NX_IS_NUMBER
               : f->names ? NX_IS_BOOL : NX_IS_NIL; break;
    case NX_KIND_PAIR:
      v->tag = NX_IS_NUMBERS;
      v->n = 2;
      memcpy(v->numbers, &AT_CONST(args, f, double), 2 * sizeof(double));
      break;
    case NX_KIND_TENSOR:
      v->tensor = *(nx_tensor *const *)(const void *)
                  ((const char *)args + f->offset);
      v->tag = v->tensor ? NX_IS_TENSOR : NX_IS_NIL; break;
    case NX_KIND_BOOL:
      v->tag = NX_IS_BOOL; v->i = AT_CONST(args, f, int); break;
    case NX_KIND_ENUM: get_word(f, AT_CONST(args, f, int), v); break;
    case NX_KIND_INTS: case NX_KIND_DIMS:
      get_ints(C, f, AT_CONST(args, f, nx_ints).n,
               AT_CONST(args, f, nx_ints).v, v); break;
    case NX_KIND_LIST:
      get_ints(C, f, AT_CONST(args, f, nx_list).n,
               AT_CONST(args, f, nx_list).v, v); break;
    case NX_KIND_TEXT:
      v->text = &AT_CONST(args, f, char);
      v->tag = *v->text ? NX_IS_TEXT : NX_IS_NIL;
      v->i = (int64_t)strlen(v->text); break;
    case NX_KIND_DRAW:
      v->tag = NX_IS_INTS; v->n = 2;
      v->whole[0] = (int64_t)AT_CONST(args, f, nx_draw).key;
      v->whole[1] = (int64_t)AT_CONST(args, f, nx_draw).counter; break;
    case NX_NKINDS: break;
  }
}


int nx_field_given (const nx_field *f, const void *args) {
  if (f->fallback != NX_REQUIRED) return 1;
  switch (f->kind) {
    case NX_KIND_INT: case NX_KIND_DIM: case NX_KIND_INDEX:
      return AT_CONST(args, f, int64_t) != NX_UNSET_INT;
    case NX_KIND_NUMBER: return AT_CONST(args, f, double) != NX_REQUIRED;
    case NX_KIND_INTS: case NX_KIND_DIMS:
      return AT_CONST(args, f, nx_ints).n >= 0;
    case NX_KIND_LIST: return AT_CONST(args, f, nx_list).n >= 0;
    case NX_KIND_TEXT: return AT_CONST(args, f, char) != '\0';
    default: return 1;
  }
}


int nx_fields_check (nx_ctx *C, const char *who, const nx_field *f,
                     const void *args) {
  if (f == NULL) return 0;
  for (; f->name != NULL; f++)
    if (!nx_field_given(f, args))
      return nx_fail(C, NEAP_EARG, "%s: %s is missing (%s)", who, f->name,
                     f->doc);
  return 0;
}


/*
** One value of text: a number, numbers with commas, true, false, a word.
*/
static void parse_value (char *text, nx_value *v) {
  char *end, *comma = strchr(text, ',');
  nx_value_clear(v);
  if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0) {
    v->tag = NX_IS_BOOL;
    v->i = *text == 't';
    return;
  }
  if (comma != NULL) {
    v->tag = NX_IS_INTS;
    for (char *p = text; v->n < NX_MAXLIST; p = end + 1) {
      char *whole;
      v->whole[v->n] = strtoll(p, &whole, 10);
      v->numbers[v->n++] = nx_strtod(p, &end);
      if (whole != end) v->tag = NX_IS_NUMBERS;
      if (end == p || (*end != ',' && *end != '\0')) break;
      if (*end == '\0' || end[1] == '\0') return;
    }
    v->tag = NX_IS_TEXT;           /* not a list of numbers after all */
    v->text = text;
    return;
  }
  v->i = strtoll(text, &end, 10);
  v->tag = NX_IS_INT;
  if (*text != '\0' && *end == '\0') return;
  v->number = nx_strtod(text, &end);
  v->tag = NX_IS_NUMBER;
  if (*text != '\0' && *end == '\0') return;
  v->tag = NX_IS_TEXT;
  v->text = text;
}


int nx_fields_parse (nx_ctx *C, const char *who, const nx_field *f,
                     void *args, const char *text) {
  char word[256];
  while (text != NULL && *(text += strspn(text, " ")) != '\0') {
    size_t n = strcspn(text, " ");
    const nx_field *field;
    char *equals;
    nx_value v;
    if (n >= sizeof(word))
      return nx_fail(C, NEAP_EARG, "%s: an option is too long", who);
    memcpy(word, text, n);
    word[n] = '\0';
    text += n;
    equals = strchr(word, '=');
    if (equals == NULL)
      return nx_fail(C, NEAP_EARG, "%s: option '%s' has no value", who, word);
    *equals = '\0';
    field = nx_field_find(f, word);
    if (field == NULL) return nx_fields_unknown(C, who, f, "", word);
    parse_value(equals + 1, &v);
    if (nx_field_set(C, who, field, args, &v)) return nx_status(C);
  }
  return nx_status(C);
}


/*
** Edits that turn one word into the other (Levenshtein), short words only.
*/
static int distance (const char *a, size_t na, const char *b, size_t nb) {
  int row[40];
  if (na >= 39 || nb >= 39) return 99;
  for (size_t j = 0; j <= nb; j++) row[j] = (int)j;
  for (size_t i = 1; i <= na; i++) {
    int diagonal = row[0];
    row[0] = (int)i;
    for (size_t j = 1; j <= nb; j++) {
      int above = row[j];
      int best = diagonal + (a[i - 1] != b[j - 1]);
      if (above + 1 < best) best = above + 1;
      if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
      diagonal = above;
      row[j] = best;
    }
  }
  return row[nb];
}


int nx_nearest (const char *words, const char *name, char *out,
                size_t room) {
  size_t len = strlen(name);
  int best = (int)(len / 2) + 1;
  *out = '\0';
  while (words != NULL && *words) {
    size_t n = strcspn(words, " ");
    int d = distance(name, len, words, n);
    if (d < best && n < room) {
      best = d;
      memcpy(out, words, n);
      out[n] = '\0';
    }
    words += n + (words[n] != '\0');
  }
  return *out != '\0';
}


int nx_fields_unknown (nx_ctx *C, const char *who, const nx_field *f,
                       const char *more, const char *name) {
  char words[512], near[64];
  size_t n = 0;
  words[0] = '\0';
  for (; f != NULL && f->name != NULL; f++)
    if (f->kind != NX_KIND_BASE && n < sizeof(words))
      n += (size_t)snprintf(words + n, sizeof(words) - n, "%s%s",
                            n ? " " : "", f->name);
  if (*more && n < sizeof(words))
    snprintf(words + n, sizeof(words) - n, "%s%s", n ? " " : "", more);
  if (nx_nearest(words, name, near, sizeof(near)))
    return nx_fail(C, NEAP_EARG, "%s: no option '%.40s'; did you mean '%s'?",
                   who, name, near);
  return nx_fail(C, NEAP_EARG, "%s: no option '%.40s'; there is %s", who,
                 name, words[0] ? words : "none");
}
