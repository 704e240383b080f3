/*
** A graph as a picture. Nodes are visited by a list on the heap, each once.
*/
#include <string.h>
#include "grad/picture.h"
#include "grad/tape.h"

typedef struct picture {
  nx_ctx *C;
  nx_text *text;
  nx_nodes found;
  uint64_t mark;
  int nnamed;
  nx_tensor *const *named;
  const char *const *names;
} picture;


static int find (picture *p, nx_node *n) {
  if (n == NULL || n->mark == p->mark) return 0;
  n->mark = p->mark;
  return nx_nodes_add(p->C, &p->found, n);
}


/* text within quotes */
static void put_quoted (nx_text *text, const char *s) {
  for (; *s; s++)
    nx_text_put(text, *s == '"' || *s == '\\' ? "\\%c" : "%c", *s);
}

static void put_leaf (picture *p, const nx_tensor *t) {
  char shape[NX_SHAPE_TEXT];
  const char *name = "";
  for (int i = 0; i < p->nnamed; i++)
    if (p->named[i] == t) name = p->names[i];
  nx_text_put(p->text, "  \"t%p\" [shape=box, label=\"", (const void *)t);
  put_quoted(p->text, name);
  nx_text_put(p->text, "%s%s %s\"];\n", *name ? "\\n" : "",
              nx_dtype_name(t->dtype), nx_shape_of(t, shape));
}

static void put_node (picture *p, const nx_node *n) {
  char name[32], shape[NX_SHAPE_TEXT];
  nx_text_put(p->text, "  n%llu [label=\"",
              (unsigned long long)n->sequence);
  put_quoted(p->text, nx_title(n));
  nx_text_put(p->text, "\"];\n");
  for (int i = 0; i < n->nin; i++) {
    const nx_edge *e = &n->edge[i];
    if (e->node == NULL && e->leaf == NULL) continue;
    if (e->leaf) {
      put_leaf(p, e->leaf);
      nx_text_put(p->text, "  \"t%p\"", (const void *)e->leaf);
    }
    else nx_text_put(p->text, "  n%llu",
                     (unsigned long long)e->node->sequence);
    nx_text_put(p->text, " -> n%llu [label=\"%s%s%s\"];\n",
                (unsigned long long)n->sequence,
                nx_names_at(n->op->inputs, i, name), *name ? " " : "",
                n->in[i] ? nx_shape_of(n->in[i], shape) : "");
  }
}


int nx_picture (nx_text *text, nx_tensor *root, int n,
                nx_tensor *const *named, const char *const *names) {
  nx_ctx *C = text->C;
  nx_trace *t = nx_trace_of(root);
  char shape[NX_SHAPE_TEXT];
  picture p = {C, text, {NULL, 0, 0}, ++C->sequence, n, named, names};
  nx_text_put(text, "digraph {\n  rankdir = BT;\n");
  if (t && t->node) find(&p, t->node);
  else put_leaf(&p, root);
  for (size_t i = 0; i < p.found.n && nx_status(C) == 0; i++) {
    nx_node *node = p.found.v[i];
    put_node(&p, node);
    for (int k = 0; k < node->nin; k++) find(&p, node->edge[k].node);
  }
  if (t && t->node)
    nx_text_put(text, "  result [shape=box, label=\"%s %s\"];\n"
                "  n%llu -> result;\n", nx_dtype_name(root->dtype),
                nx_shape_of(root, shape),
                (unsigned long long)t->node->sequence);
  nx_text_put(text, "}\n");
  nx_nodes_free(C, &p.found);
  return nx_status(C);
}
