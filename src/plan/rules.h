/*
** How the places of a call's tensors belong together: the rules of its
** description (see 'cuts' in grad/op.h).
*/
#ifndef nx_rules_h
#define nx_rules_h

#include "grad/op.h"

/* What its description says of this call; NULL: only as a whole. */
const char *nx_cut_rules (const nx_node *n);

/* A rule's next word: the tensor that it names (a result or an input) and
   its dimension. "?": only if the tensor has this dimension and size; "~":
   not cut. */
typedef struct nx_word {
  int result, which, dim, optional, whole;
} nx_word;

nx_word nx_word_read (const char **rule, const nx_op *op);
nx_tensor *nx_word_tensor (const nx_node *n, const nx_word *w);  /* or NULL */
/* A dimension of t, from the front. */
int nx_word_dim (const nx_tensor *t, int dim);
const char *nx_next_rule (const char *rule);
/* Do all inputs go with the first result along this dimension of it? */
int nx_goes_with (const char *rule, int dim);

/* Does a call take random numbers? Then its parts depend on their place. */
int nx_draws (const nx_node *n);

#endif
