/*
** safetensors (github.com/huggingface/safetensors): 8 bytes with the
** length of the header, a JSON header, the data. Everything is checked
** before anything is believed: see refusals in read_entry and check_holes.
*/
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/os.h"
#include "io/safetensors.h"
#include "tensor/dtype.h"
#include "tensor/walk.h"

#define MAXHEADER ((uint64_t)100000000)
#define MAXTENSORS 1000000
#define MAXKEY 1024

/* types of the format: name, ours (widened where there is no own), bytes */
static const struct { const char *name; int dtype, bytes, own; } types[] = {
  {"BOOL", NEAP_BOOL, 1, 1}, {"U8", NEAP_U8, 1, 1}, {"I8", NEAP_I8, 1, 1},
  {"I16", NEAP_I32, 2, 0}, {"U16", NEAP_I32, 2, 0}, {"F16", NEAP_F16, 2, 1},
  {"BF16", NEAP_BF16, 2, 1}, {"I32", NEAP_I32, 4, 1},
  {"U32", NEAP_I64, 4, 0}, {"F32", NEAP_F32, 4, 1}, {"F64", NEAP_F64, 8, 1},
  {"I64", NEAP_I64, 8, 1}
};
enum { NTYPES = sizeof(types) / sizeof(types[0]) };


static int refuse (nx_safe *s, const char *what, const char *name,
                   const char *why) {
  return nx_fail(s->C, NEAP_EFORMAT, "%s: '%.60s' %s", what, name, why);
}


static int read_whole (const nx_json *v, uint64_t *out) {
  if (v == NULL || v->type != NX_JSON_INT || v->i < 0) return 0;
  *out = (uint64_t)v->i;
  return 1;
}


static int read_type (nx_safe *s, const char *what, const nx_json *v,
                      nx_entry *e) {
  const nx_json *t = nx_json_get(v, "dtype");
  if (t == NULL || t->type != NX_JSON_STRING)
    return refuse(s, what, v->key, "has no dtype");
  for (int i = 0; i < NTYPES; i++)
    if (strcmp(t->text, types[i].name) == 0) {
      e->dtype = types[i].dtype;
      e->widen = i;
      return 0;
    }
  return nx_fail(s->C, NEAP_EFORMAT, "%s: '%.60s' has type '%.20s', which is "
                 "not known here", what, v->key, t->text);
}


static int read_shape (nx_safe *s, const char *what, const nx_json *v,
                       nx_entry *e, uint64_t *bytes) {
  const nx_json *shape = nx_json_get(v, "shape");
  *bytes = (uint64_t)types[e->widen].bytes;
  if (shape == NULL || shape->type != NX_JSON_ARRAY)
    return refuse(s, what, v->key, "has no shape");
  if (shape->length > NEAP_MAXDIM)
    return refuse(s, what, v->key, "has more than 8 dimensions");
  for (const nx_json *d = shape->child; d; d = d->next) {
    uint64_t size;
    if (!read_whole(d, &size))
      return refuse(s, what, v->key, "has a size that is no whole number");
    if (size > 0 && *bytes > (uint64_t)INT64_MAX / size)
      return refuse(s, what, v->key, "is too large");
    *bytes *= size;
    e->shape[e->ndim++] = (int64_t)size;
  }
  return 0;
}


static int read_entry (nx_safe *s, const char *what, const nx_json *v,
                       uint64_t size, nx_entry *e) {
  const nx_json *offsets = nx_json_get(v, "data_offsets");
  uint64_t begin, end, bytes;
  memset(e, 0, sizeof(*e));
  e->name = v->key;
  if (strlen(v->key) > MAXKEY)
    return refuse(s, what, v->key, "... is a name of over 1024 bytes");
  if (v->type != NX_JSON_OBJECT || v->length != 3)
    return refuse(s, what, v->key, "is not dtype, shape and data_offsets");
  if (read_type(s, what, v, e) || read_shape(s, what, v, e, &bytes))
    return nx_status(s->C);
  if (offsets == NULL || offsets->type != NX_JSON_ARRAY ||
      offsets->length != 2 || !read_whole(offsets->child, &begin) ||
      !read_whole(offsets->child->next, &end))
    return refuse(s, what, v->key, "has no data_offsets");
  if (end < begin || end > size)
    return refuse(s, what, v->key, "lies outside the file");
  if (end - begin != bytes)
    return refuse(s, what, v->key, "has a shape that does not fit its bytes");
  e->begin = (size_t)begin;
  e->end = (size_t)end;
  return 0;
}


static int by_name (const void *a, const void *b) {
  return strcmp(((const nx_entry *)a)->name, ((const nx_entry *)b)->name);
}

static int by_place (const void *a, const void *b) {
  const nx_entry *x = a, *y = b;
  if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
  return x->end < y->end ? -1 : x->end > y->end;
}

/*
** No name twice; the data of all tensors side by side, without a hole or
** an overlap, up to the end of the file.
*/
static int check_holes (nx_safe *s, const char *what, uint64_t size) {
  size_t at = 0;
  if (s->n) qsort(s->entries, s->n, sizeof(*s->entries), by_place);
  for (size_t i = 0; i < s->n; i++) {
    if (s->entries[i].begin != at)
      return refuse(s, what, s->entries[i].name,
                    "does not begin where the one before ends");
    at = s->entries[i].end;
  }
  if (at != size)
    return nx_fail(s->C, NEAP_EFORMAT, "%s: the tensors end at byte %zu of "
                   "%llu", what, at, (unsigned long long)size);
  if (s->n) qsort(s->entries, s->n, sizeof(*s->entries), by_name);
  for (size_t i = 1; i < s->n; i++)
    if (strcmp(s->entries[i - 1].name, s->entries[i].name) == 0)
      return refuse(s, what, s->entries[i].name, "is there twice");
  return 0;
}


static int read_metadata (nx_safe *s, const char *what, const nx_json *v) {
  if (v->type != NX_JSON_OBJECT)
    return nx_fail(s->C, NEAP_EFORMAT, "%s: __metadata__ is not an object",
                   what);
  s->meta_room = v->length * sizeof(*s->metadata);
  s->metadata = nx_alloc(s->C, s->meta_room);
  if (s->metadata == NULL) return nx_status(s->C);
  for (const nx_json *m = v->child; m; m = m->next) {
    if (m->type != NX_JSON_STRING || strlen(m->text) != m->length)
      return refuse(s, what, m->key, "in __metadata__ is not a string");
    s->metadata[s->nmetadata].key = m->key;
    s->metadata[s->nmetadata++].value = m->text;
  }
  return 0;
}


static int read_table (nx_safe *s, const char *what, const nx_json *root,
                       uint64_t size) {
  if (root->type != NX_JSON_OBJECT)
    return nx_fail(s->C, NEAP_EFORMAT, "%s: the header is not an object",
                   what);
  if (root->length > MAXTENSORS)
    return nx_fail(s->C, NEAP_EFORMAT, "%s: more than %d tensors", what,
                   MAXTENSORS);
  s->room = root->length * sizeof(*s->entries);
  s->entries = nx_alloc(s->C, s->room);
  if (s->entries == NULL) return nx_status(s->C);
  for (const nx_json *v = root->child; v; v = v->next) {
    if (strcmp(v->key, "__metadata__") == 0) {
      if (s->metadata)
        return refuse(s, what, v->key, "is there twice");
      if (read_metadata(s, what, v)) return nx_status(s->C);
    }
    else if (read_entry(s, what, v, size, &s->entries[s->n]) == 0) s->n++;
    else return nx_status(s->C);
  }
  return check_holes(s, what, size);
}


static int open_table (nx_safe *s, const char *what, const void *bytes,
                       size_t size) {
  nx_ctx *C = s->C;
  const unsigned char *p = bytes;
  uint64_t length = 0;
  nx_json *root;
  if (size < 8)
    return nx_fail(C, NEAP_EFORMAT, "%s: %zu bytes are too few for a "
                   "safetensors file", what, size);
  for (int i = 7; i >= 0; i--) length = length << 8 | p[i];
  if (length > MAXHEADER || length > size - 8)
    return nx_fail(C, NEAP_EFORMAT, "%s: is not a safetensors file: a header "
                   "of %llu bytes does not fit the %zu there are", what,
                   (unsigned long long)length, size);
  s->data = (const char *)p + 8 + length;
  root = nx_json_open(C, &s->json, what, (const char *)p + 8,
                      (size_t)length);
  if (root == NULL) return nx_status(C);
  return read_table(s, what, root, size - 8 - length);
}


int nx_safe_open_bytes (nx_ctx *C, nx_safe *s, const char *what,
                        const void *bytes, size_t size) {
  memset(s, 0, sizeof(*s));
  s->C = C;
  return open_table(s, what, bytes, size);
}


int nx_safe_open (nx_ctx *C, nx_safe *s, const char *path) {
  memset(s, 0, sizeof(*s));
  s->C = C;
  s->file = nx_read_file(C, path, &s->file_size);
  if (s->file == NULL) return nx_status(C);
  return open_table(s, path, s->file, s->file_size);
}


void nx_safe_close (nx_safe *s) {
  nx_ctx *C = s->C;
  if (C == NULL) return;
  if (s->json.C) nx_json_close(&s->json);
  nx_free(C, s->entries, s->room);
  nx_free(C, s->metadata, s->meta_room);
  nx_free(C, s->file, s->file_size ? s->file_size : 1);
  memset(s, 0, sizeof(*s));
}


/*
** Types that we do not have, element by element (little-endian).
*/
static void widen (const nx_entry *e, const unsigned char *from,
                   nx_tensor *t) {
  int bytes = types[e->widen].bytes, is_signed = *types[e->widen].name == 'I';
  for (int64_t i = 0; i < t->len; i++, from += bytes) {
    uint32_t u = 0;
    for (int b = bytes - 1; b >= 0; b--) u = u << 8 | from[b];
    if (t->dtype == NEAP_I64) ((int64_t *)t->data)[i] = (int64_t)u;
    else ((int32_t *)t->data)[i] = is_signed ? (int16_t)u : (int32_t)u;
  }
}


nx_tensor *nx_safe_tensor (nx_ctx *C, const nx_safe *s, const nx_entry *e) {
  nx_tensor *t = nx_new(C, e->dtype, e->ndim, e->shape);
  const char *from = s->data + e->begin;
  if (t == NULL) return NULL;
  if (!types[e->widen].own) widen(e, (const unsigned char *)from, t);
  else memcpy(t->data, from, e->end - e->begin);
  if (e->dtype == NEAP_BOOL)             /* any byte but 0 is true */
    for (int64_t i = 0; i < t->len; i++) t->data[i] = t->data[i] != 0;
  return t;
}

/* The file's own memory where that is possible: bytes that mean what they
   are, at an address for their type. */
nx_tensor *nx_safe_borrow (nx_ctx *C, const nx_safe *s, const nx_entry *e) {
  const char *from = s->data + e->begin;
  if (!types[e->widen].own || e->dtype == NEAP_BOOL ||
      (uintptr_t)from % nx_dtype_size(e->dtype) != 0)
    return nx_safe_tensor(C, s, e);
  return nx_borrow(C, e->dtype, e->ndim, e->shape,
                   (char *)(uintptr_t)from);
}


/*
** Writing.
*/
typedef struct item {
  const char *name;
  nx_tensor *t;
  int type;
} item;

static int item_order (const void *a, const void *b) {
  const item *x = a, *y = b;
  int d = types[y->type].bytes - types[x->type].bytes;
  return d ? d : strcmp(x->name, y->name);
}

static int type_of (int dtype) {
  for (int i = 0; i < NTYPES; i++)
    if (types[i].own && types[i].dtype == dtype) return i;
  return -1;
}


static void put_header (nx_text *h, const item *items, size_t n,
                        size_t nmetadata, const nx_pair *metadata) {
  unsigned long long at = 0;
  nx_text_put(h, "{");
  if (nmetadata) {
    nx_text_put(h, "\"__metadata__\":{");
    for (size_t i = 0; i < nmetadata; i++) {
      nx_text_put(h, i ? "," : "");
      nx_json_put_string(h, metadata[i].key, strlen(metadata[i].key));
      nx_text_put(h, ":");
      nx_json_put_string(h, metadata[i].value, strlen(metadata[i].value));
    }
    nx_text_put(h, n ? "}," : "}");
  }
  for (size_t i = 0; i < n; i++) {
    const nx_tensor *t = items[i].t;
    unsigned long long bytes = (unsigned long long)t->len *
                               (unsigned)types[items[i].type].bytes;
    nx_json_put_string(h, items[i].name, strlen(items[i].name));
    nx_text_put(h, ":{\"dtype\":\"%s\",\"shape\":[",
                types[items[i].type].name);
    for (int d = 0; d < t->ndim; d++)
      nx_text_put(h, d ? ",%lld" : "%lld", (long long)t->shape[d]);
    nx_text_put(h, "],\"data_offsets\":[%llu,%llu]}%s", at, at + bytes,
                i + 1 < n ? "," : "");
    at += bytes;
  }
  nx_text_put(h, "}");
  while (nx_status(h->C) == 0 && (h->n + 8) % 64 != 0) nx_text_put(h, " ");
}


static int write_items (nx_ctx *C, const char *path, const nx_text *h,
                        const item *items, size_t n) {
  unsigned char length[8];
  nx_writer w;
  for (int i = 0; i < 8; i++)
    length[i] = (unsigned char)((uint64_t)h->n >> (8 * i));
  if (nx_writer_open(C, &w, path) == 0) {
    nx_writer_put(&w, length, 8);
    nx_writer_put(&w, h->s, h->n);
    for (size_t i = 0; i < n && nx_status(C) == 0; i++) {
      size_t mark = nx_push(C);
      nx_tensor *t = nx_dense(C, items[i].t);
      if (t) nx_writer_put(&w, t->data,
                           (size_t)t->len * nx_dtype_size(t->dtype));
      nx_pop(C, mark, NULL);
    }
  }
  return nx_writer_close(&w);
}


static int check_text (nx_ctx *C, const char *s) {
  if (nx_is_utf8(s, strlen(s))) return 0;
  return nx_fail(C, NEAP_EARG, "save: a name or a text is not UTF-8");
}

/* what the reader would refuse is not written */
static int check_items (nx_ctx *C, const item *items, size_t n,
                        size_t nmetadata, const nx_pair *metadata) {
  for (size_t i = 0; i < n; i++) {
    const char *name = items[i].name;
    if (strlen(name) > MAXKEY || strcmp(name, "__metadata__") == 0)
      nx_fail(C, NEAP_EARG, "save: '%.60s' cannot be the name of a tensor",
              name);
    check_text(C, name);
  }
  for (size_t i = 0; i < nmetadata; i++) {
    check_text(C, metadata[i].key);
    check_text(C, metadata[i].value);
  }
  return nx_status(C);
}


int nx_safe_save (nx_ctx *C, const char *path, size_t n,
                  const char *const *names, nx_tensor *const *tensors,
                  size_t nmetadata, const nx_pair *metadata) {
  item *items = nx_alloc(C, n * sizeof(*items));
  nx_text h;
  if (items == NULL) return nx_status(C);
  for (size_t i = 0; i < n; i++) {
    items[i].name = names[i];
    items[i].t = tensors[i];
    items[i].type = type_of(tensors[i]->dtype);
  }
  if (n) qsort(items, n, sizeof(*items), item_order);
  nx_text_open(C, &h);
  if (check_items(C, items, n, nmetadata, metadata) == 0)
    put_header(&h, items, n, nmetadata, metadata);
  if (nx_status(C) == 0) write_items(C, path, &h, items, n);
  nx_text_close(&h);
  nx_free(C, items, n * sizeof(*items));
  return nx_status(C);
}
