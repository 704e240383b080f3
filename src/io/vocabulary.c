/*
** Vocabularies: an open hash table (FNV-1a) of at most half its slots.
*/
#include <string.h>
#include "io/vocabulary.h"


void nx_vocabulary_open (nx_ctx *C, nx_vocabulary *v) {
  memset(v, 0, sizeof(*v));
  nx_text_open(C, &v->text);
}


void nx_vocabulary_close (nx_vocabulary *v) {
  nx_ctx *C = v->text.C;
  if (C == NULL) return;
  nx_free(C, v->start, (v->room + 1) * sizeof(*v->start));
  nx_free(C, v->slot, v->nslots * sizeof(*v->slot));
  nx_text_close(&v->text);
  memset(v, 0, sizeof(*v));
}


static uint64_t hash_of (const char *s, size_t n) {
  uint64_t h = 14695981039346656037u;
  for (size_t i = 0; i < n; i++)
    h = (h ^ (unsigned char)s[i]) * 1099511628211u;
  return h ^ h >> 32;
}


const char *nx_vocabulary_word (const nx_vocabulary *v, size_t i, size_t *n) {
  *n = v->start[i + 1] - v->start[i];
  return v->text.s + v->start[i];
}


/* where a word is in the table, or the free slot where it would be */
static size_t place_of (const nx_vocabulary *v, const char *s, size_t n) {
  size_t i = hash_of(s, n) & (v->nslots - 1), length;
  for (; v->slot[i]; i = (i + 1) & (v->nslots - 1)) {
    const char *word = nx_vocabulary_word(v, v->slot[i] - 1, &length);
    if (length == n && memcmp(word, s, n) == 0) break;
  }
  return i;
}


int64_t nx_vocabulary_find (const nx_vocabulary *v, const char *s,
                            size_t n) {
  if (v->n == 0) return -1;
  return (int64_t)v->slot[place_of(v, s, n)] - 1;
}


static int grow_slots (nx_vocabulary *v) {
  nx_ctx *C = v->text.C;
  size_t nslots = v->nslots ? 2 * v->nslots : 64;
  uint32_t *slot = nx_alloc(C, nslots * sizeof(*slot));
  if (slot == NULL) return nx_status(C);
  memset(slot, 0, nslots * sizeof(*slot));
  nx_free(C, v->slot, v->nslots * sizeof(*slot));
  v->slot = slot;
  v->nslots = nslots;
  for (size_t i = 0; i < v->n; i++) {
    size_t n;
    const char *s = nx_vocabulary_word(v, i, &n);
    slot[place_of(v, s, n)] = (uint32_t)i + 1;
  }
  return 0;
}

static int grow_words (nx_vocabulary *v) {
  nx_ctx *C = v->text.C;
  size_t room = v->room ? 2 * v->room : 32;
  size_t *start = nx_realloc(C, v->start,
                             v->start ? (v->room + 1) * sizeof(*start) : 0,
                             (room + 1) * sizeof(*start));
  if (start == NULL) return nx_status(C);
  if (v->room == 0) start[0] = 0;
  v->start = start;
  v->room = room;
  return 0;
}


int64_t nx_vocabulary_add (nx_vocabulary *v, const char *s, size_t n) {
  size_t place;
  if (2 * (v->n + 1) > v->nslots && grow_slots(v)) return -1;
  place = place_of(v, s, n);
  if (v->slot[place]) return (int64_t)v->slot[place] - 1;
  if (v->n == UINT32_MAX - 1) {
    nx_fail(v->text.C, NEAP_EARG, "a vocabulary of more than 4 thousand "
            "million words");
    return -1;
  }
  if (v->n == v->room && grow_words(v)) return -1;
  if (nx_text_add(&v->text, s, n)) return -1;
  v->slot[place] = (uint32_t)++v->n;
  v->start[v->n] = v->text.n;
  return (int64_t)v->n - 1;
}


/* negative if word a comes before word b */
static int compare (const nx_vocabulary *v, uint32_t a, uint32_t b) {
  size_t na, nb;
  const char *s = nx_vocabulary_word(v, a, &na);
  const char *t = nx_vocabulary_word(v, b, &nb);
  int r = memcmp(s, t, na < nb ? na : nb);
  if (r != 0) return r;
  return na < nb ? -1 : na > nb;
}

/* a heap: sorts in place, at worst in n log n */
static void sift (const nx_vocabulary *v, uint32_t *order, size_t i,
                  size_t n) {
  for (;;) {
    size_t child = 2 * i + 1;
    uint32_t top = order[i];
    if (child >= n) return;
    if (child + 1 < n && compare(v, order[child], order[child + 1]) < 0)
      child++;
    if (compare(v, top, order[child]) >= 0) return;
    order[i] = order[child];
    order[child] = top;
    i = child;
  }
}

static void sort_words (const nx_vocabulary *v, uint32_t *order) {
  for (size_t i = 0; i < v->n; i++) order[i] = (uint32_t)i;
  for (size_t i = v->n / 2; i > 0; i--) sift(v, order, i - 1, v->n);
  for (size_t n = v->n; n > 1; n--) {
    uint32_t last = order[n - 1];
    order[n - 1] = order[0];
    order[0] = last;
    sift(v, order, 0, n - 1);
  }
}


int nx_vocabulary_ranks (const nx_vocabulary *v, uint32_t **rank) {
  nx_ctx *C = v->text.C;
  uint32_t *order = nx_alloc(C, (v->n + 1) * sizeof(*order));
  *rank = nx_alloc(C, (v->n + 1) * sizeof(**rank));
  if (nx_status(C) == 0) {
    sort_words(v, order);
    for (size_t i = 0; i < v->n; i++) (*rank)[order[i]] = (uint32_t)i;
  }
  else {
    nx_free(C, *rank, (v->n + 1) * sizeof(**rank));
    *rank = NULL;
  }
  nx_free(C, order, (v->n + 1) * sizeof(*order));
  return nx_status(C);
}
