/*
** Hooks.
*/
#include "grad/hook.h"
#include "grad/tape.h"


static nx_hook **list_of (nx_trace *t) {
  return t->node ? &t->node->hooks : &t->hooks;
}


/*
** A retained gradient is kept by a hook that knows the tensor's trace. The
** trace takes it away again when it goes, or goes on to another node.
*/
static nx_tensor *keep_gradient (nx_ctx *C, void *ud, nx_tensor *g) {
  nx_trace *r = ud;
  nx_tensor *sum = r->grad ? nx_add_gradients(C, r->grad, g)
                           : nx_snapshot(C, g);
  if (sum == NULL) return NULL;
  nx_keep(sum);
  sum->flags |= NX_HELD;
  nx_unref(r->grad);
  r->grad = sum;
  return NULL;
}

/*
** Hooks are called in the order in which they were added; the one that
** retains the gradient comes last.
*/
int nx_hook_add (nx_ctx *C, nx_tensor *t, nx_hook_fn *call,
                 void (*release) (void *ud), void *ud) {
  nx_trace *r = nx_trace_of(t);
  nx_hook *h, **at;
  if (!nx_requires(t))
    nx_fail(C, NEAP_EGRAD, "hook: this tensor wants no gradient");
  h = nx_status(C) ? NULL : nx_alloc(C, sizeof(*h));
  if (h == NULL) {
    if (release) release(ud);
    return nx_status(C);
  }
  h->out = r->node ? r->out : 0;
  h->call = call;
  h->release = release;
  h->ud = ud;
  for (at = list_of(r); *at; at = &(*at)->next)
    if ((*at)->call == keep_gradient && call != keep_gradient) break;
  h->next = *at;
  *at = h;
  return 0;
}


void nx_hooks_free (nx_ctx *C, nx_hook **list) {
  while (*list) {
    nx_hook *h = *list;
    *list = h->next;
    if (h->release) h->release(h->ud);
    nx_free(C, h, sizeof(*h));
  }
}


nx_tensor *nx_hooks_call (nx_ctx *C, const nx_hook *list, int out,
                          nx_tensor *g) {
  for (const nx_hook *h = list; h; h = h->next) {
    nx_tensor *other;
    if (h->out != out || h->call == NULL) continue;
    other = h->call(C, h->ud, g);
    if (nx_status(C)) return NULL;
    if (other == NULL) continue;
    if (!nx_same_shape(other, g) || other->dtype != g->dtype) {
      char a[NX_SHAPE_TEXT], b[NX_SHAPE_TEXT];
      nx_fail(C, NEAP_EGRAD, "hook: the gradient is %s %s, but what a hook "
              "gave is %s %s", nx_dtype_name(g->dtype), nx_shape_of(g, a),
              nx_dtype_name(other->dtype), nx_shape_of(other, b));
      return NULL;
    }
    g = other;
  }
  return g;
}


int nx_retain_grad (nx_ctx *C, nx_tensor *t) {
  nx_trace *r = nx_trace_of(t);
  if (!nx_requires(t))
    return nx_fail(C, NEAP_EGRAD, "retain_grad: this tensor wants no "
                   "gradient");
  if (r->node == NULL || r->retains) return 0;
  if (nx_hook_add(C, t, keep_gradient, NULL, r)) return nx_status(C);
  r->retains = 1;
  return 0;
}

void nx_retain_move (nx_ctx *C, nx_trace *r, nx_node *to, int out) {
  nx_hook **at, *h;
  if (!r->retains || r->node == NULL) return;
  at = &r->node->hooks;
  while (*at && (*at)->ud != r) at = &(*at)->next;
  h = *at;
  if (h == NULL) return;               /* the graph was freed */
  *at = h->next;
  if (to == NULL) {
    nx_free(C, h, sizeof(*h));
    return;
  }
  h->out = out;
  h->next = to->hooks;
  to->hooks = h;
}
