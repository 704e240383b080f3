/*
** Vocabularies: words and their numbers from 0.
*/
#ifndef nx_vocabulary_h
#define nx_vocabulary_h

#include "base/text.h"

typedef struct nx_vocabulary {
  nx_text text;                /* all words, one after the other */
  size_t *start;               /* of each in it; one more for the end */
  uint32_t *slot;              /* by hash: number + 1; 0: free */
  size_t n, room, nslots;
} nx_vocabulary;

void nx_vocabulary_open (nx_ctx *C, nx_vocabulary *v);
void nx_vocabulary_close (nx_vocabulary *v);
/* The number of a word, -1 if it is not there. */
int64_t nx_vocabulary_find (const nx_vocabulary *v, const char *s, size_t n);
/* The same, and it is added if it is not there; -1 with an error. */
int64_t nx_vocabulary_add (nx_vocabulary *v, const char *s, size_t n);
const char *nx_vocabulary_word (const nx_vocabulary *v, size_t i, size_t *n);
/* The number that each word has in the order of bytes; -1 with an error,
   else 'rank' is a block of nx_alloc for v->n. */
int nx_vocabulary_ranks (const nx_vocabulary *v, uint32_t **rank);

#endif
