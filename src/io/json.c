/*
** JSON. Values live in chunks that grow with what was really read, so
** that a short hostile text cannot claim much memory; all strings live in
** one block, since they cannot be longer than the text.
*/
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/os.h"
#include "io/json.h"

#define MAXDEPTH 100

struct nx_json_chunk {
  nx_json_chunk *next;
  size_t used, room;
  nx_json v[];
};

typedef struct reader {
  nx_json_file *f;
  const char *what, *start, *p, *end;
  char *out;                   /* where the next string goes */
  int depth;
} reader;


static int bad (reader *r, const char *why) {
  return nx_fail(r->f->C, NEAP_EFORMAT, "%s: %s at byte %zu", r->what, why,
                 (size_t)(r->p - r->start));
}


static void blanks (reader *r) {
  while (r->p < r->end && (*r->p == ' ' || *r->p == '\t' || *r->p == '\n' ||
                           *r->p == '\r')) r->p++;
}


static int hex4 (const char *p, unsigned *out) {
  *out = 0;
  for (int i = 0; i < 4; i++) {
    char c = p[i];
    unsigned d = c >= '0' && c <= '9' ? (unsigned)(c - '0')
               : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10)
               : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A' + 10) : 16;
    if (d == 16) return 0;
    *out = *out << 4 | d;
  }
  return 1;
}


static void put_utf8 (reader *r, unsigned c) {
  if (c < 0x80) *r->out++ = (char)c;
  else if (c < 0x800) {
    *r->out++ = (char)(0xC0 | c >> 6);
    *r->out++ = (char)(0x80 | (c & 63));
  }
  else if (c < 0x10000) {
    *r->out++ = (char)(0xE0 | c >> 12);
    *r->out++ = (char)(0x80 | (c >> 6 & 63));
    *r->out++ = (char)(0x80 | (c & 63));
  }
  else {
    *r->out++ = (char)(0xF0 | c >> 18);
    *r->out++ = (char)(0x80 | (c >> 12 & 63));
    *r->out++ = (char)(0x80 | (c >> 6 & 63));
    *r->out++ = (char)(0x80 | (c & 63));
  }
}


/* \u and four digits, or two of them for a pair of surrogates; p is
   behind the u */
static int read_unicode (reader *r) {
  unsigned c, low;
  if (r->end - r->p < 4 || !hex4(r->p, &c)) return bad(r, "bad \\u");
  r->p += 4;
  if (c >= 0xD800 && c < 0xDC00) {
    if (r->end - r->p < 6 || r->p[0] != '\\' || r->p[1] != 'u' ||
        !hex4(r->p + 2, &low) || low < 0xDC00 || low > 0xDFFF)
      return bad(r, "half of a surrogate pair");
    r->p += 6;
    c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
  }
  else if (c >= 0xDC00 && c < 0xE000)
    return bad(r, "half of a surrogate pair");
  put_utf8(r, c);
  return 0;
}


/* the length of a valid UTF-8 sequence at p, or 0 */
static int utf8_length (const unsigned char *p, const unsigned char *end) {
  int n = *p < 0x80 ? 1 : *p >= 0xC2 && *p < 0xE0 ? 2
        : *p >= 0xE0 && *p < 0xF0 ? 3 : *p >= 0xF0 && *p < 0xF5 ? 4 : 0;
  if (n == 0 || end - p < n) return 0;
  for (int i = 1; i < n; i++) if ((p[i] & 0xC0) != 0x80) return 0;
  if (n == 3 && *p == 0xE0 && p[1] < 0xA0) return 0;        /* too long */
  if (n == 3 && *p == 0xED && p[1] > 0x9F) return 0;        /* surrogates */
  if (n == 4 && *p == 0xF0 && p[1] < 0x90) return 0;
  if (n == 4 && *p == 0xF4 && p[1] > 0x8F) return 0;
  return n;
}


static const char *read_string (reader *r, size_t *length) {
  static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
  char *start = r->out;
  r->p++;                                  /* opening quote */
  while (r->p < r->end && *r->p != '"') {
    if ((unsigned char)*r->p < 0x20) {
      bad(r, "control character in a string");
      return NULL;
    }
    if (*r->p == '\\') {
      const char *e;
      if (++r->p == r->end) break;
      if (*r->p == 'u') {
        r->p++;
        if (read_unicode(r)) return NULL;
        continue;
      }
      e = strchr(from, *r->p);
      if (e == NULL || *e == '\0') {
        bad(r, "unknown escape in a string");
        return NULL;
      }
      *r->out++ = to[e - from];
      r->p++;
    }
    else {
      int n = utf8_length((const unsigned char *)r->p,
                          (const unsigned char *)r->end);
      if (n == 0) {
        bad(r, "string is not UTF-8");
        return NULL;
      }
      for (; n > 0; n--) *r->out++ = *r->p++;
    }
  }
  if (r->p == r->end) {
    bad(r, "string without an end");
    return NULL;
  }
  r->p++;
  *length = (size_t)(r->out - start);
  *r->out++ = '\0';
  return start;
}


static int digits (reader *r) {
  const char *p = r->p;
  while (r->p < r->end && *r->p >= '0' && *r->p <= '9') r->p++;
  return (int)(r->p - p);
}

static int read_number (reader *r, nx_json *n) {
  const char *start = r->p;
  char copy[64];
  int whole = 1, first;
  size_t len;
  if (*r->p == '-') r->p++;
  first = r->p < r->end ? *r->p : 0;
  len = (size_t)digits(r);
  if (len == 0 || (first == '0' && len > 1)) return bad(r, "bad number");
  if (r->p < r->end && *r->p == '.') {
    whole = 0;
    r->p++;
    if (digits(r) == 0) return bad(r, "bad number");
  }
  if (r->p < r->end && (*r->p == 'e' || *r->p == 'E')) {
    whole = 0;
    r->p++;
    if (r->p < r->end && (*r->p == '+' || *r->p == '-')) r->p++;
    if (digits(r) == 0) return bad(r, "bad number");
  }
  len = (size_t)(r->p - start);
  if (len >= sizeof(copy)) return bad(r, "number is too long");
  memcpy(copy, start, len);
  copy[len] = '\0';
  n->number = nx_strtod(copy, NULL);
  n->type = NX_JSON_NUMBER;
  if (whole && n->number >= -0x1p63 && n->number < 0x1p63) {
    n->type = NX_JSON_INT;
    n->i = strtoll(copy, NULL, 10);
  }
  return 0;
}


static size_t chunk_size (size_t room) {
  return sizeof(nx_json_chunk) + room * sizeof(nx_json);
}

static nx_json *new_node (reader *r) {
  nx_json_chunk *c = r->f->chunks;
  nx_json *n;
  if (c == NULL || c->used == c->room) {
    size_t room = c == NULL ? 8 : c->room < 4096 ? 2 * c->room : c->room;
    nx_json_chunk *fresh = nx_alloc(r->f->C, chunk_size(room));
    if (fresh == NULL) return NULL;
    fresh->next = c;
    fresh->used = 0;
    fresh->room = room;
    r->f->chunks = c = fresh;
  }
  n = &c->v[c->used++];
  memset(n, 0, sizeof(*n));
  return n;
}

static nx_json *read_value (reader *r);

static int has_key (const nx_json *object, const char *key) {
  for (const nx_json *c = object->child; c; c = c->next)
    if (c->key && strcmp(c->key, key) == 0) return 1;
  return 0;
}

/*
** Members of an object or an array up to 'close'. Keys of small objects
** are compared here; a table of a million tensors is checked by its
** reader, which sorts.
*/
static int read_members (reader *r, nx_json *n, char close) {
  nx_json **last = &n->child;
  r->p++;
  blanks(r);
  if (r->p < r->end && *r->p == close) {
    r->p++;
    return 0;
  }
  for (;;) {
    const char *key = NULL;
    size_t length = 0;
    nx_json *v;
    blanks(r);
    if (close == '}') {
      if (r->p == r->end || *r->p != '"') return bad(r, "key expected");
      if ((key = read_string(r, &length)) == NULL) return -1;
      if (strlen(key) != length) return bad(r, "zero byte in a key");
      if (n->length < 64 && has_key(n, key)) return bad(r, "key given twice");
      blanks(r);
      if (r->p == r->end || *r->p != ':') return bad(r, "':' expected");
      r->p++;
    }
    if ((v = read_value(r)) == NULL) return -1;
    v->key = key;
    *last = v;
    last = &v->next;
    n->length++;
    blanks(r);
    if (r->p == r->end) return bad(r, "text ends too early");
    if (*r->p == close) {
      r->p++;
      return 0;
    }
    if (*r->p != ',') return bad(r, "',' expected");
    r->p++;
  }
}


static int literal (reader *r, const char *word) {
  size_t n = strlen(word);
  if ((size_t)(r->end - r->p) < n || memcmp(r->p, word, n) != 0) return 0;
  r->p += n;
  return 1;
}

static int read_into (reader *r, nx_json *n) {
  switch (*r->p) {
    case '{': n->type = NX_JSON_OBJECT; return read_members(r, n, '}');
    case '[': n->type = NX_JSON_ARRAY; return read_members(r, n, ']');
    case '"':
      n->type = NX_JSON_STRING;
      n->text = read_string(r, &n->length);
      return n->text == NULL;
    case 't': case 'f':
      n->type = NX_JSON_BOOL;
      n->i = *r->p == 't';
      return literal(r, n->i ? "true" : "false") ? 0 : bad(r, "bad word");
    case 'n':
      n->type = NX_JSON_NULL;
      return literal(r, "null") ? 0 : bad(r, "bad word");
    default: return read_number(r, n);
  }
}

static nx_json *read_value (reader *r) {
  nx_json *n;
  blanks(r);
  if (r->p == r->end) {
    bad(r, "text ends too early");
    return NULL;
  }
  if (++r->depth > MAXDEPTH) {
    bad(r, "values are nested too deeply");
    return NULL;
  }
  n = new_node(r);
  if (n != NULL && read_into(r, n)) n = NULL;
  r->depth--;
  return n;
}


nx_json *nx_json_open (nx_ctx *C, nx_json_file *f, const char *what,
                       const char *text, size_t size) {
  reader r;
  nx_json *root;
  memset(f, 0, sizeof(*f));
  f->C = C;
  f->size = size + 1;                    /* an escape is longer than what it
                                            stands for */
  f->text = nx_alloc(C, f->size);
  if (f->text == NULL) return NULL;
  r.f = f;
  r.what = what;
  r.start = r.p = text;
  r.end = text + size;
  r.out = f->text;
  r.depth = 0;
  root = read_value(&r);
  if (root == NULL) return NULL;
  blanks(&r);
  if (r.p != r.end) {
    bad(&r, "something follows");
    return NULL;
  }
  return root;
}


void nx_json_close (nx_json_file *f) {
  while (f->chunks != NULL) {
    nx_json_chunk *c = f->chunks;
    f->chunks = c->next;
    nx_free(f->C, c, chunk_size(c->room));
  }
  nx_free(f->C, f->text, f->size);
  f->text = NULL;
}


const nx_json *nx_json_get (const nx_json *object, const char *key) {
  if (object == NULL || object->type != NX_JSON_OBJECT) return NULL;
  for (const nx_json *c = object->child; c; c = c->next)
    if (strcmp(c->key, key) == 0) return c;
  return NULL;
}


int nx_json_put_string (nx_text *t, const char *s, size_t n) {
  nx_text_add(t, "\"", 1);
  for (size_t i = 0; i < n; i++) {
    unsigned char c = (unsigned char)s[i];
    if (c == '"' || c == '\\') nx_text_put(t, "\\%c", c);
    else if (c < 0x20) nx_text_put(t, "\\u%04x", c);
    else nx_text_add(t, s + i, 1);
  }
  return nx_text_add(t, "\"", 1);
}


int nx_is_utf8 (const char *s, size_t n) {
  const unsigned char *p = (const unsigned char *)s, *end = p + n;
  while (p < end) {
    int k = utf8_length(p, end);
    if (k == 0) return 0;
    p += k;
  }
  return 1;
}


/*
** Values of option fields.
*/
static int json_list (nx_ctx *C, const char *what, const nx_json *j,
                      nx_value *v) {
  v->tag = NX_IS_INTS;
  if (j->length > NX_MAXLIST)
    return nx_fail(C, NEAP_EFORMAT, "%s: a list of %zu entries, at most %d "
                   "are possible", what, j->length, NX_MAXLIST);
  for (j = j->child; j; j = j->next) {
    if (j->type != NX_JSON_INT && j->type != NX_JSON_NUMBER)
      return nx_fail(C, NEAP_EFORMAT, "%s: a list of other things than "
                     "numbers", what);
    if (j->type == NX_JSON_NUMBER) v->tag = NX_IS_NUMBERS;
    v->whole[v->n] = j->i;
    v->numbers[v->n++] = j->number;
  }
  return 0;
}

/* numbers that JSON has no words for */
static int is_special (const nx_json *j, double *x) {
  if (strcmp(j->text, "inf") == 0) *x = INFINITY;
  else if (strcmp(j->text, "-inf") == 0) *x = -INFINITY;
  else if (strcmp(j->text, "nan") == 0) *x = NAN;
  else return 0;
  return 1;
}

int nx_json_value (nx_ctx *C, const char *what, const nx_json *j,
                   nx_value *v) {
  nx_value_clear(v);
  v->n = 0;
  switch (j->type) {
    case NX_JSON_NULL: return 0;
    case NX_JSON_BOOL: v->tag = NX_IS_BOOL; v->i = j->i; return 0;
    case NX_JSON_INT:
      v->tag = NX_IS_INT; v->i = j->i; v->number = j->number; return 0;
    case NX_JSON_NUMBER:
      v->tag = NX_IS_NUMBER; v->number = j->number; return 0;
    case NX_JSON_STRING:
      if (strlen(j->text) != j->length) break;
      v->tag = is_special(j, &v->number) ? NX_IS_NUMBER : NX_IS_TEXT;
      v->text = j->text; return 0;
    case NX_JSON_ARRAY: return json_list(C, what, j, v);
    case NX_JSON_OBJECT: break;
  }
  return nx_fail(C, NEAP_EFORMAT, "%s: a value that no option can have",
                 what);
}


/*
** Writing values.
*/
int nx_json_put_number (nx_text *out, double x) {
  char text[40];
  if (isnan(x)) return nx_text_put(out, "\"nan\"");
  if (isinf(x)) return nx_text_put(out, x > 0 ? "\"inf\"" : "\"-inf\"");
  snprintf(text, sizeof(text), "%.17g", x);
  for (char *p = text; *p; p++)            /* the host's locale may differ */
    if (*p == ',') *p = '.';
  return nx_text_put(out, "%s", text);
}

int nx_json_put_value (nx_text *out, const nx_value *v) {
  switch (v->tag) {
    case NX_IS_BOOL: return nx_text_put(out, v->i ? "true" : "false");
    case NX_IS_INT: return nx_text_put(out, "%lld", (long long)v->i);
    case NX_IS_NUMBER: return nx_json_put_number(out, v->number);
    case NX_IS_TEXT: return nx_json_put_string(out, v->text, (size_t)v->i);
    case NX_IS_INTS: case NX_IS_NUMBERS:
      nx_text_put(out, "[");
      for (int i = 0; i < v->n; i++) {
        if (i) nx_text_put(out, ",");
        if (v->tag == NX_IS_INTS)
          nx_text_put(out, "%lld", (long long)v->whole[i]);
        else nx_json_put_number(out, v->numbers[i]);
      }
      return nx_text_put(out, "]");
    default: return nx_text_put(out, "null");
  }
}
