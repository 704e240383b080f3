/*
** npy (numpy.org/neps/nep-0001-npy-format): a magic string, a version, the
** length of the header, the header (a Python dictionary with three fixed
** keys), the elements.
**
** The header is read by a parser of its own, which knows these keys and
** nothing else of Python: objects are never made from a file.
*/
#include <stdio.h>
#include <string.h>
#include "io/npy.h"
#include "tensor/dtype.h"
#include "tensor/view.h"
#include "tensor/walk.h"

#define MAXHEADER 10000

/* the file's type and ours; those that are not ours are widened */
static const struct { char kind; int bytes, dtype, own; } npy_types[] = {
  {'f', 4, NEAP_F32, 1}, {'f', 8, NEAP_F64, 1}, {'f', 2, NEAP_F16, 1},
  {'i', 8, NEAP_I64, 1}, {'i', 4, NEAP_I32, 1}, {'i', 1, NEAP_I8, 1},
  {'u', 1, NEAP_U8, 1}, {'b', 1, NEAP_BOOL, 1}, {'i', 2, NEAP_I32, 0},
  {'u', 2, NEAP_I32, 0}, {'u', 4, NEAP_I64, 0}, {'u', 8, NEAP_I64, 0}
};
enum { NNPY = sizeof(npy_types) / sizeof(npy_types[0]) };

typedef struct npy_header {
  int type, big, fortran, ndim;
  int seen;                    /* keys, as bits */
  int64_t shape[NEAP_MAXDIM];
} npy_header;

/* the header's text */
typedef struct npy_text {
  nx_source *s;
  const char *p, *end;
} npy_text;


static int refuse (npy_text *t, const char *why) {
  return nx_fail(t->s->C, NEAP_EFORMAT, "%s: the header of the array %s",
                 t->s->what, why);
}


static void skip_blanks (npy_text *t) {
  while (t->p < t->end && (*t->p == ' ' || *t->p == '\n')) t->p++;
}

static int next_is (npy_text *t, char c) {
  skip_blanks(t);
  if (t->p == t->end || *t->p != c) return 0;
  t->p++;
  return 1;
}

static int next_word (npy_text *t, const char *word) {
  size_t n = strlen(word);
  skip_blanks(t);
  if ((size_t)(t->end - t->p) < n || memcmp(t->p, word, n) != 0) return 0;
  t->p += n;
  return 1;
}


/* 'text' or "text", without escapes */
static int read_string (npy_text *t, char *out, size_t room) {
  const char *close;
  char quote;
  size_t n;
  skip_blanks(t);
  if (t->p == t->end || (*t->p != '\'' && *t->p != '"'))
    return refuse(t, "lacks a quoted word");
  quote = *t->p++;
  close = memchr(t->p, quote, (size_t)(t->end - t->p));
  if (close == NULL) return refuse(t, "has an open quote");
  n = (size_t)(close - t->p);
  if (n >= room || memchr(t->p, '\\', n) || memchr(t->p, '\0', n))
    return refuse(t, "has a word that is none of the format");
  memcpy(out, t->p, n);
  out[n] = '\0';
  t->p = close + 1;
  return 0;
}


/* "<f4": the order of bytes, a kind, the number of bytes */
static int read_descr (npy_text *t, npy_header *h) {
  char text[32];
  skip_blanks(t);
  if (t->p < t->end && *t->p == '[')
    return refuse(t, "names fields: arrays of structures cannot be read");
  if (read_string(t, text, sizeof(text))) return nx_status(t->s->C);
  for (int i = 0; i < NNPY; i++)
    if (strlen(text) == 3 && strchr("<>|=", text[0]) &&
        text[1] == npy_types[i].kind &&
        text[2] - '0' == npy_types[i].bytes) {
      h->type = i;
      h->big = text[0] == '>';
      return 0;
    }
  return nx_fail(t->s->C, NEAP_EFORMAT, "%s: has elements of type '%s'; "
                 "numbers and booleans can be read (f2 f4 f8, i1 to i8, u1 "
                 "to u8, b1)", t->s->what, text);
}


static int read_size (npy_text *t, int64_t *size) {
  const char *start = t->p;
  *size = 0;
  for (; t->p < t->end && *t->p >= '0' && *t->p <= '9'; t->p++) {
    if (*size > (INT64_MAX - 9) / 10) return refuse(t, "has a huge size");
    *size = *size * 10 + (*t->p - '0');
  }
  return t->p > start ? 0 : refuse(t, "lacks a size in its shape");
}

/* (), (3,), (3, 4) */
static int read_tuple (npy_text *t, npy_header *h) {
  if (!next_is(t, '(')) return refuse(t, "lacks the shape");
  while (!next_is(t, ')')) {
    if (h->ndim == NEAP_MAXDIM)
      return refuse(t, "has more dimensions than the 8 that are possible");
    if (read_size(t, &h->shape[h->ndim++])) return nx_status(t->s->C);
    if (!next_is(t, ',')) {
      if (!next_is(t, ')')) return refuse(t, "has a broken shape");
      return 0;
    }
  }
  return 0;
}


static int read_entry (npy_text *t, npy_header *h) {
  static const char *const keys[] = {"descr", "fortran_order", "shape"};
  char key[32];
  int k = 0;
  if (read_string(t, key, sizeof(key))) return nx_status(t->s->C);
  while (k < 3 && strcmp(key, keys[k]) != 0) k++;
  if (k == 3 || h->seen >> k & 1 || !next_is(t, ':'))
    return refuse(t, "has other keys than descr, fortran_order, shape");
  h->seen |= 1 << k;
  if (k == 0) return read_descr(t, h);
  if (k == 2) return read_tuple(t, h);
  h->fortran = next_word(t, "True");
  if (!h->fortran && !next_word(t, "False"))
    return refuse(t, "lacks True or False");
  return 0;
}

static int read_header (npy_text *t, npy_header *h) {
  memset(h, 0, sizeof(*h));
  if (!next_is(t, '{')) return refuse(t, "is no dictionary");
  while (!next_is(t, '}')) {
    if (read_entry(t, h)) return nx_status(t->s->C);
    if (!next_is(t, ',') && (t->p == t->end || *t->p != '}'))
      return refuse(t, "is broken");
  }
  skip_blanks(t);
  if (t->p != t->end || h->seen != 7) return refuse(t, "is not complete");
  return 0;
}


/* the header's text, by its version */
static int find_header (nx_source *s, npy_text *t) {
  const unsigned char *p, *length;
  int version, bytes;
  uint64_t n;
  t->s = s;
  p = nx_left(s) < 8 ? NULL : nx_next_bytes(s, 8);
  if (p == NULL || memcmp(p, "\x93NUMPY", 6) != 0)
    return nx_fail(s->C, NEAP_EFORMAT, "%s: is not an npy file", s->what);
  version = p[6];
  if (version < 1 || version > 3)
    return nx_fail(s->C, NEAP_EFORMAT, "%s: is npy version %d; 1 to 3 are "
                   "known", s->what, version);
  bytes = version == 1 ? 2 : 4;
  length = nx_next_bytes(s, (size_t)bytes);
  if (length == NULL) return nx_status(s->C);
  n = nx_little(length, bytes);
  if (n > MAXHEADER)
    return nx_fail(s->C, NEAP_EFORMAT, "%s: a header of %llu bytes (at most "
                   "%d are taken)", s->what, (unsigned long long)n,
                   MAXHEADER);
  t->p = (const char *)nx_next_bytes(s, (size_t)n);
  t->end = t->p ? t->p + n : NULL;
  return nx_status(s->C);
}


/* the sizes must account for every byte that is left */
static int check_sizes (nx_source *s, const npy_header *h) {
  size_t bytes = (size_t)npy_types[h->type].bytes;
  char text[NX_SHAPE_TEXT];
  for (int d = 0; d < h->ndim; d++) {
    size_t size = (size_t)h->shape[d];
    if (bytes != SIZE_MAX && size && bytes > SIZE_MAX / 2 / size)
      bytes = SIZE_MAX;
    else if (bytes != SIZE_MAX) bytes *= size;
  }
  if (bytes == nx_left(s)) return 0;
  return nx_fail(s->C, NEAP_EFORMAT, "%s: %s elements of %d bytes do not fit "
                 "the %zu bytes of data", s->what,
                 nx_shape_text(h->ndim, h->shape, text),
                 npy_types[h->type].bytes, nx_left(s));
}


static int widen (nx_source *s, const npy_header *h, nx_tensor *t,
                  const unsigned char *p) {
  int bytes = npy_types[h->type].bytes, kind = npy_types[h->type].kind;
  for (int64_t i = 0; i < t->len; i++, p += bytes) {
    uint64_t u = h->big ? nx_big(p, bytes) : nx_little(p, bytes);
    int64_t v = kind == 'i' ? (int16_t)u : (int64_t)u;
    if (v < 0 && kind == 'u')
      return nx_fail(s->C, NEAP_EFORMAT, "%s: element %lld is %llu, more than "
                     "an int64 holds", s->what, (long long)i + s->C->base,
                     (unsigned long long)u);
    if (t->dtype == NEAP_I32) ((int32_t *)(void *)t->data)[i] = (int32_t)v;
    else ((int64_t *)(void *)t->data)[i] = v;
  }
  return 0;
}

static int fill (nx_source *s, const npy_header *h, nx_tensor *t) {
  const unsigned char *p = nx_next_bytes(s, nx_left(s));
  if (!npy_types[h->type].own) return widen(s, h, t, p);
  nx_elements(p, t->len, npy_types[h->type].bytes, h->big, t->data);
  if (t->dtype == NEAP_BOOL)
    for (int64_t i = 0; i < t->len; i++) t->data[i] = t->data[i] != 0;
  return 0;
}


/* by columns: the array of the reversed shape, seen the other way */
static nx_tensor *turned (nx_ctx *C, nx_tensor *t) {
  int64_t order[NEAP_MAXDIM];
  for (int d = 0; d < t->ndim; d++) order[d] = t->ndim - 1 - d;
  t = nx_view_permute(C, t, order);
  return t ? nx_dense(C, t) : NULL;
}


nx_tensor *nx_npy_read (nx_source *s) {
  nx_ctx *C = s->C;
  int64_t shape[NEAP_MAXDIM];
  npy_header h;
  npy_text text;
  nx_tensor *t;
  if (find_header(s, &text) || read_header(&text, &h) || check_sizes(s, &h))
    return NULL;
  for (int d = 0; d < h.ndim; d++)
    shape[d] = h.shape[h.fortran ? h.ndim - 1 - d : d];
  t = nx_new(C, npy_types[h.type].dtype, h.ndim, shape);
  if (t == NULL || fill(s, &h, t)) return NULL;
  return h.fortran && h.ndim > 1 ? turned(C, t) : t;
}


/*
** Padded with blanks, so that the elements begin at a multiple of 64.
*/
size_t nx_npy_header (nx_ctx *C, const nx_tensor *t, char *out) {
  int type = 0, n;
  size_t room;
  while (type < NNPY && npy_types[type].dtype != t->dtype) type++;
  if (type == NNPY) {
    nx_fail(C, NEAP_EDTYPE, "npy has no type for %s (use x:to(\"float32\"))",
            nx_dtype_name(t->dtype));
    return 0;
  }
  n = snprintf(out + 10, NX_NPY_HEADER - 10,
               "{'descr': '%c%c%d', 'fortran_order': False, 'shape': (",
               npy_types[type].bytes == 1 ? '|' : '<', npy_types[type].kind,
               npy_types[type].bytes) + 10;
  for (int d = 0; d < t->ndim; d++)
    n += snprintf(out + n, (size_t)(NX_NPY_HEADER - n), "%s%lld%s",
                  d ? " " : "", (long long)t->shape[d],
                  d < t->ndim - 1 || t->ndim == 1 ? "," : "");
  n += snprintf(out + n, (size_t)(NX_NPY_HEADER - n), "), }");
  room = ((size_t)n + 1 + 63) / 64 * 64;
  memset(out + n, ' ', room - (size_t)n);
  out[room - 1] = '\n';
  memcpy(out, "\x93NUMPY\x01\x00", 8);
  out[8] = (char)((room - 10) & 255);
  out[9] = (char)((room - 10) >> 8);
  return room;
}


int nx_npy_save (nx_ctx *C, const char *path, nx_tensor *t) {
  char header[NX_NPY_HEADER];
  size_t n = nx_npy_header(C, t, header);
  nx_tensor *d = n ? nx_dense(C, t) : NULL;
  nx_writer w;
  if (d == NULL || nx_status(C)) return nx_status(C);
  if (nx_writer_open(C, &w, path) == 0) {
    nx_writer_put(&w, header, n);
    nx_writer_put(&w, d->data, (size_t)d->len * nx_dtype_size(d->dtype));
  }
  return nx_writer_close(&w);
}
