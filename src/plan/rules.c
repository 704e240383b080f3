/*
** How the places of a call's tensors belong together.
*/
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "plan/rules.h"


const char *nx_cut_rules (const nx_node *n) {
  return n->op->cutting ? n->op->cutting(n) : n->op->cuts;
}


nx_word nx_word_read (const char **rule, const nx_op *op) {
  char name[32];
  size_t n = strcspn(*rule, "-0123456789~");
  char *end;
  nx_word w;
  memcpy(name, *rule, n);
  name[n] = '\0';
  w.dim = (int)strtol(*rule + n, &end, 10);
  w.optional = *end == '?';
  w.whole = (*rule)[n] == '~';
  if (w.whole) end = (char *)(uintptr_t)(*rule + n + 1);
  w.which = nx_names_find(op->outputs, name);
  w.result = w.which >= 0;
  if (!w.result) w.which = nx_names_find(op->inputs, name);
  *rule = end + w.optional;
  *rule += strspn(*rule, " ");
  return w;
}

nx_tensor *nx_word_tensor (const nx_node *n, const nx_word *w) {
  if (w->result) return w->which < n->nout ? n->out[w->which] : NULL;
  return w->which >= 0 && w->which < n->nin ? n->in[w->which] : NULL;
}

int nx_word_dim (const nx_tensor *t, int dim) {
  return dim < 0 ? dim + t->ndim : dim;
}

const char *nx_next_rule (const char *rule) {
  rule += strcspn(rule, ",");
  return rule + strspn(rule, ", ");
}

int nx_goes_with (const char *rule, int dim) {
  return rule[0] == '*' && (rule[1] == '\0' || rule[1] - '0' == dim);
}

int nx_draws (const nx_node *n) {
  return (n->op->flags & NX_RANDOM) &&
         (n->op->draws == NULL || n->op->draws(n) > 0);
}
