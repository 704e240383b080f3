/*
** Options of operations on images.
*/
#include <string.h>
#include "op/image.h"


int nx_image_dims (const nx_node *n) {
  const char *name = n->op->name;
  return name[strlen(name) - 2] - '0';
}


int nx_image_widen (nx_ctx *C, const nx_node *n, const char *name,
                    nx_ints *v, int64_t least) {
  int dims = nx_image_dims(n);
  if (v->n == 1)
    while (v->n < dims) v->v[v->n++] = v->v[0];
  if (v->n != dims)
    return nx_op_fail(C, n, NEAP_EARG, "%s has %d entries, expected 1 or %d",
                      name, v->n, dims);
  for (int d = 0; d < dims; d++) {
    int low = v->v[d] < least;
    if (low || v->v[d] > INT32_MAX)
      return nx_op_fail(C, n, NEAP_EARG, "%s is %lld, expected at %s %lld",
                        name, (long long)v->v[d], low ? "least" : "most",
                        low ? (long long)least : INT32_MAX);
  }
  return 0;
}


int64_t nx_image_entry (const nx_ints *v, int d, int64_t missing) {
  int i = d - (3 - v->n);
  return i < 0 ? missing : v->v[i];
}
