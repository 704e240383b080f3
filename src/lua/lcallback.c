/*
** Lua functions that the tape calls: hooks, and operations whose forward
** and backward are written in Lua.
**
** The node (or leaf) holds the function through the registry, and lets go
** when its graph is freed. A function that itself refers to a tensor
** computed by that node keeps both alive until a backward, or until the
** hook is removed.
*/
#include <stdio.h>
#include <string.h>
#include "grad/tape.h"
#include "lua/lneap.h"

static const char error_key = 0;         /* registry: the error that waits */

struct nl_callback {
  nl_state *S;
  int ref;                     /* LUA_NOREF: removed */
  int users;
};


nl_callback *nl_callback_new (lua_State *L, nl_state *S, int i) {
  nl_callback *c;
  int ref;
  lua_pushvalue(L, i);
  ref = luaL_ref(L, LUA_REGISTRYINDEX);
  c = nx_alloc(S->C, sizeof(*c));
  if (c == NULL) {
    luaL_unref(L, LUA_REGISTRYINDEX, ref);
    nl_raise(L, S);
    return NULL;
  }
  c->S = S;
  c->users = 1;
  c->ref = ref;
  S->handles++;
  return c;
}

static void forget (nl_callback *c) {
  luaL_unref(c->S->main, LUA_REGISTRYINDEX, c->ref);
  c->ref = LUA_NOREF;
}

void nl_callback_release (void *callback) {
  nl_callback *c = callback;
  nl_state *S = c->S;
  if (--c->users > 0) return;
  forget(c);
  nx_free(S->C, c, sizeof(*c));
  nl_unuse(S);
}


int nl_protected (nl_state *S, lua_CFunction body, void *ud) {
  lua_State *L = S->thread;
  size_t mark = S->mark;
  int recording = S->C->recording, status = LUA_ERRMEM;
  if (lua_checkstack(L, 8)) {
    lua_pushcfunction(L, body);
    lua_pushlightuserdata(L, ud);
    status = lua_pcall(L, 1, 0, 0);
  }
  if (S->thread != L) nl_switch(L, S); /* a coroutine came in between */
  S->mark = mark;
  S->C->recording = recording;
  if (status == LUA_OK) return 0;
  if (!S->raised) lua_rawsetp(L, LUA_REGISTRYINDEX, &error_key);
  else lua_pop(L, 1);
  S->raised = 1;
  neap_clear(S->C);
  return nx_fail(S->C, NEAP_EARG, "an error in a Lua function");
}


void nl_check_raised (lua_State *L, nl_state *S) {
  if (!S->raised) {
    nl_check(L, S);
    return;
  }
  S->raised = 0;
  neap_clear(S->C);
  nx_pop(S->C, S->mark, NULL);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &error_key);
  lua_pushnil(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &error_key);
  lua_error(L);
}


/* a handle for a tensor that C lends to a function */
static void push_tensor (lua_State *L, nl_state *S, nx_tensor *t) {
  nl_tensor *h;
  if (t == NULL) {
    lua_pushnil(L);
    return;
  }
  h = nl_newhandle(L, S);
  nl_fill(S, h, t);
}


/*
** Hooks.
*/
typedef struct hook_call {
  nl_callback *c;
  nx_tensor *g, *result;
} hook_call;

static int hook_body (lua_State *L) {
  hook_call *h = lua_touserdata(L, 1);
  nl_state *S = h->c->S;
  lua_rawgeti(L, LUA_REGISTRYINDEX, h->c->ref);
  push_tensor(L, S, h->g);
  lua_call(L, 1, 1);
  if (lua_isnil(L, -1)) return 0;
  h->result = nl_totensor(L, S, -1);
  if (h->result == NULL)
    return luaL_error(L, "hook: expected a tensor or nothing, not %s",
                      luaL_typename(L, -1));
  nx_keep(h->result);
  return 0;
}

static nx_tensor *call_hook (nx_ctx *C, void *ud, nx_tensor *g) {
  hook_call h = {ud, g, NULL};
  if (h.c->ref == LUA_NOREF) return NULL;
  if (nl_protected(h.c->S, hook_body, &h)) return NULL;
  if (h.result) {                      /* to the scope of the caller */
    nx_tensor *kept = nx_snapshot(C, h.result);
    nx_unref(h.result);
    return kept;
  }
  return NULL;
}


static int handle_gc (lua_State *L) {
  nl_callback **p = lua_touserdata(L, 1);
  if (*p) nl_callback_release(*p);
  *p = NULL;
  return 0;
}

/* handle:remove() */
static int handle_remove (lua_State *L) {
  nl_callback **p = luaL_checkudata(L, 1, "neap.hook");
  if (*p) forget(*p);
  return 0;
}

/* x:register_hook(f) -> handle; f(gradient) may return another one */
static int t_register_hook (lua_State *L) {
  nl_state *S = nl_S(L);
  nx_tensor *t = nl_checktensor(L, S, 1);
  nl_callback **p;
  if (!lua_isfunction(L, 2))
    return nl_error(L, S, "register_hook: expected a function, not %s",
                    luaL_typename(L, 2));
  if (!nx_requires(t))
    return nl_error(L, S, "register_hook: this tensor wants no gradient");
  p = lua_newuserdatauv(L, sizeof(*p), 0);
  *p = NULL;
  luaL_setmetatable(L, "neap.hook");
  *p = nl_callback_new(L, S, 2);
  (*p)->users++;
  nx_hook_add(S->C, t, call_hook, nl_callback_release, *p);
  nl_check(L, S);
  return 1;
}

/* x:retain_grad() */
static int t_retain_grad (lua_State *L) {
  nl_state *S = nl_S(L);
  nx_retain_grad(S->C, nl_checktensor(L, S, 1));
  nl_check(L, S);
  lua_settop(L, 1);
  return 1;
}


/*
** An operation in Lua. Its forward has run; 'results' are what it gave. The
** node's gradient calls backward(gradients ...).
*/
typedef struct function_args {
  nl_callback *backward;
  nx_tensor **results;
  int nresults;
  char name[64];               /* of the class */
} function_args;

static const char *function_title (const nx_node *n) {
  return ((const function_args *)n->a)->name;
}

static int function_shape (nx_ctx *C, nx_node *n) {
  function_args *a = n->a;
  if (nx_out_room(C, n, a->nresults)) return nx_status(C);
  for (int i = 0; i < a->nresults; i++) {
    n->out[i] = nx_alias(C, a->results[i]);
    n->nout = i + 1;
  }
  return nx_status(C);
}

typedef struct backward_call {
  nl_callback *c;
  nx_node *n;
  nx_tensor **gy, **gx;
} backward_call;

/* _made(result, k) -> the same elements as result k of the operation whose
   backward runs, on the tape */
static int n_made (lua_State *L) {
  nl_state *S = nl_S(L);
  nx_tensor *t = nl_checktensor(L, S, 1);
  int k = (int)luaL_checkinteger(L, 2);
  size_t mark = S->mark;
  nl_tensor *h = nl_newhandle(L, S);
  if (S->running == NULL || k < 1 || k > S->running->nout)
    return nl_error(L, S, "saved_tensors: no backward runs");
  t = nx_alias(S->C, t);
  if (t) nx_trace_at(S->C, t, S->running, k - 1);
  return nl_result(L, S, h, t, mark);
}

static int backward_body (lua_State *L) {
  backward_call *b = lua_touserdata(L, 1);
  nl_state *S = b->c->S;
  int base = lua_gettop(L) + 1;
  luaL_checkstack(L, b->n->nout + b->n->nin + 8, "backward");
  lua_rawgeti(L, LUA_REGISTRYINDEX, b->c->ref);
  for (int i = 0; i < b->n->nout; i++) push_tensor(L, S, b->gy[i]);
  lua_call(L, b->n->nout, b->n->nin);
  for (int i = 0; i < b->n->nin; i++) {
    nx_tensor *g = nl_totensor(L, S, base + i), *x = b->n->in[i];
    char gt[NX_SHAPE_TEXT], xt[NX_SHAPE_TEXT];
    if (g == NULL && !lua_isnil(L, base + i) && lua_toboolean(L, base + i))
      return luaL_error(L, "backward: result %d is %s, expected a tensor",
                        i + 1, luaL_typename(L, base + i));
    if (g == NULL || x == NULL) continue;
    if (!nx_same_shape(g, x) || g->dtype != x->dtype)
      return luaL_error(L, "backward: result %d is %s %s, but input %d is %s "
                        "%s", i + 1, nx_dtype_name(g->dtype),
                        nx_shape_of(g, gt), i + 1, nx_dtype_name(x->dtype),
                        nx_shape_of(x, xt));
    b->gx[i] = nx_keep(g);
  }
  return 0;
}

static int function_grad (nx_ctx *C, nx_node *n, nx_tensor **gy,
                          nx_tensor **gx) {
  function_args *a = n->a;
  backward_call b = {a->backward, n, gy, gx};
  nl_state *S = a->backward->S;
  nx_node *outer = S->running;
  S->running = n;
  nl_protected(S, backward_body, &b);
  S->running = outer;
  for (int i = 0; i < n->nin; i++) {
    nx_tensor *kept = gx[i];
    if (kept == NULL) continue;
    gx[i] = nx_status(C) ? NULL : nx_snapshot(C, kept);
    nx_unref(kept);
  }
  return nx_status(C);
}

static const nx_op function_op = {
  .name = "Function", .doc = "An operation written in Lua.",
  .inputs = "xs*", .outputs = "ys*", .argsize = sizeof(function_args),
  .flags = NX_INNER | NX_ANYTYPE, .shape = function_shape,
  .grad = function_grad, .title = function_title
};


/* _record(inputs, results, backward, name) -> results on the tape */
static int n_record (lua_State *L) {
  nl_state *S = nl_S(L);
  size_t mark = S->mark;
  function_args a;
  nx_tensor **in, **out;
  nl_tensor **h;
  int nin, n, k;
  in = nl_tensors(L, S, 1, &nin);
  a.results = nl_tensors(L, S, 2, &a.nresults);
  n = a.nresults;
  out = lua_newuserdatauv(L, ((size_t)n + 1) * sizeof(*out), 0);
  h = lua_newuserdatauv(L, ((size_t)n + 1) * sizeof(*h), 0);
  lua_createtable(L, n, 0);
  for (int i = 0; i < n; i++) {
    h[i] = nl_newhandle(L, S);
    lua_rawseti(L, -2, i + 1);
  }
  snprintf(a.name, sizeof(a.name), "%s", luaL_checkstring(L, 4));
  a.backward = nl_callback_new(L, S, 3);
  nx_apply_all(S->C, &function_op, &a, nin, in, NX_NEW, n, out);
  for (k = 0; nx_status(S->C) == 0 && k < n; k++)
    if (nx_requires(out[k])) break;    /* integers are not on the tape */
  if (nx_status(S->C) == 0 && k < n)
    nx_hook_add(S->C, out[k], NULL, nl_callback_release, a.backward);
  else nl_callback_release(a.backward);
  nl_check(L, S);
  for (int i = 0; i < n; i++) nl_fill(S, h[i], out[i]);
  nx_pop(S->C, mark, NULL);
  nl_tell(L, S);
  for (int i = 0; i < n; i++) nl_scope_add(S, h[i]);
  return 1;
}


/*
** Anomaly mode: the nearest line of Lua that is not the library's own.
*/
static int where (void *ud, char *out, size_t room) {
  lua_State *L = ((nl_state *)ud)->thread;
  lua_Debug ar;
  for (int level = 0; lua_getstack(L, level, &ar); level++) {
    lua_getinfo(L, "Sl", &ar);
    if (ar.currentline > 0 && strncmp(ar.source, "@neap/", 6) != 0) {
      snprintf(out, room, "%s:%d", ar.short_src, ar.currentline);
      return 1;
    }
  }
  return 0;
}

/* set_detect_anomaly(on) -> what it was */
static int n_set_detect_anomaly (lua_State *L) {
  nl_state *S = nl_S(L);
  luaL_checktype(L, 1, LUA_TBOOLEAN);
  lua_pushboolean(L, S->C->anomaly);
  S->C->anomaly = lua_toboolean(L, 1);
  S->C->where = where;
  S->C->where_ud = S;
  return 1;
}

/* _set_finite_layers(on) -> what it was */
static int n_set_finite_layers (lua_State *L) {
  nl_state *S = nl_S(L);
  lua_pushboolean(L, S->C->finite);
  S->C->finite = lua_toboolean(L, 1);
  return 1;
}


/*
** Watching layers: a function that gets each module that was called, its
** input and its result.
*/
typedef struct watched {
  nl_callback *c;
  const void *module;
  nx_tensor *x, *y;
} watched;

static int watch_body (lua_State *L) {
  watched *w = lua_touserdata(L, 1);
  nl_state *S = w->c->S;
  lua_rawgeti(L, LUA_REGISTRYINDEX, w->c->ref);
  nl_pushmodule(L, S, (nx_module *)(uintptr_t)w->module);
  push_tensor(L, S, w->x);
  push_tensor(L, S, w->y);
  lua_call(L, 3, 0);
  return 0;
}

static void watch (void *ud, const void *module, nx_tensor *x,
                   nx_tensor *y) {
  watched w;
  w.c = ud;
  w.module = module;
  w.x = x;
  w.y = y;
  nl_protected(w.c->S, watch_body, &w);
}

/* _watch_layers(f): f(module, x, y) after each call; nil: no more */
static int n_watch_layers (lua_State *L) {
  nl_state *S = nl_S(L);
  nl_callback *old = S->C->watch ? S->C->watch_ud : NULL;
  S->C->watch = NULL;
  if (old) nl_callback_release(old);
  if (lua_isnoneornil(L, 1)) return 0;
  luaL_checktype(L, 1, LUA_TFUNCTION);
  S->C->watch_ud = nl_callback_new(L, S, 1);
  S->C->watch = watch;
  return 0;
}


static const luaL_Reg functions[] = {
  {"_watch_layers", n_watch_layers},
  {"_set_finite_layers", n_set_finite_layers},
  {"_record", n_record}, {"_made", n_made},
  {"set_detect_anomaly", n_set_detect_anomaly},
  {NULL, NULL}
};

static const luaL_Reg methods[] = {
  {"register_hook", t_register_hook}, {"retain_grad", t_retain_grad},
  {NULL, NULL}
};

static const luaL_Reg handle[] = {{"remove", handle_remove}, {NULL, NULL}};

void nl_open_callback (lua_State *L, nl_state *S) {
  nl_setfuncs(L, S, functions);
  lua_getfield(L, -1, "Tensor");
  nl_setfuncs(L, S, methods);
  lua_pop(L, 1);
  luaL_newmetatable(L, "neap.hook");
  lua_pushcfunction(L, handle_gc);
  lua_setfield(L, -2, "__gc");
  luaL_newlib(L, handle);
  lua_setfield(L, -2, "__index");
  lua_pushliteral(L, "neap.hook");
  lua_setfield(L, -2, "__metatable");
  lua_pop(L, 1);
}
