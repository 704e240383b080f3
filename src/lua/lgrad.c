/*
** Gradients in Lua.
*/
#include <string.h>
#include "grad/picture.h"
#include "grad/tape.h"
#include "lua/lneap.h"


static int option (lua_State *L, nl_state *S, const char *who, int i,
                   const char *name, int fallback) {
  int v = fallback;
  if (lua_isnoneornil(L, i)) return v;
  if (!lua_istable(L, i))
    nl_error(L, S, "%s: options must be a table, not %s", who,
             luaL_typename(L, i));
  if (lua_getfield(L, i, name) != LUA_TNIL) v = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return v;
}

static int flags_at (lua_State *L, nl_state *S, const char *who, int i,
                     const char *keys) {
  int create, retain;
  nl_onlykeys(L, S, who, i, keys);
  create = option(L, S, who, i, "create_graph", 0);
  retain = option(L, S, who, i, "retain_graph", create);
  return (create ? NX_CREATE_GRAPH : 0) | (retain ? NX_RETAIN_GRAPH : 0);
}


/* x:backward(gradient, {retain_graph, create_graph}) */
static int t_backward (lua_State *L) {
  nl_state *S = nl_S(L);
  nx_tensor *t = nl_checktensor(L, S, 1), *g = NULL;
  int options = 3, flags;
  if (lua_istable(L, 2)) options = 2;
  else if (!lua_isnoneornil(L, 2)) g = nl_checktensor(L, S, 2);
  flags = flags_at(L, S, "backward", options,
                   "retain_graph create_graph");
  nx_backward(S->C, 1, &t, &g, 0, NULL, NULL, flags);
  nl_check_raised(L, S);
  return 0;
}


nx_tensor **nl_tensors (lua_State *L, nl_state *S, int i, int *n) {
  nx_tensor *one = nl_totensor(L, S, i), **list;
  if (one) {
    list = lua_newuserdatauv(L, sizeof(*list), 0);
    list[0] = one;
    *n = 1;
    return list;
  }
  luaL_checktype(L, i, LUA_TTABLE);
  *n = (int)lua_rawlen(L, i);
  list = lua_newuserdatauv(L, (size_t)(*n + 1) * sizeof(*list), 0);
  for (int k = 0; k < *n; k++) {
    lua_rawgeti(L, i, k + 1);
    list[k] = nl_totensor(L, S, -1);
    if (list[k] == NULL)
      nl_error(L, S, "entry %d of the list is %s, not a tensor", k + 1,
               luaL_typename(L, -1));
    lua_pop(L, 1);
  }
  return list;
}


static int has_seed (lua_State *L, int i) {
  int yes;
  if (!lua_istable(L, i)) return 0;
  lua_getfield(L, i, "grad_outputs");
  yes = !lua_isnil(L, -1);
  if (yes) lua_replace(L, i);
  else lua_pop(L, 1);
  return yes;
}

/*
** neap.grad(outputs, inputs, {create_graph, retain_graph, grad_outputs}):
** a list of gradients, nil (false in the list) where there is no way; for
** a single input its gradient.
*/
static int n_grad (lua_State *L) {
  nl_state *S = nl_S(L);
  nx_tensor **y, **x, **seeds = NULL, **g;
  int ny, nx, ns, flags, single;
  nl_tensor **h;
  size_t mark = S->mark;
  lua_settop(L, 3);
  single = nl_totensor(L, S, 2) != NULL;
  y = nl_tensors(L, S, 1, &ny);
  x = nl_tensors(L, S, 2, &nx);
  flags = flags_at(L, S, "grad", 3,
                   "retain_graph create_graph grad_outputs");
  if (has_seed(L, 3)) {
    seeds = nl_tensors(L, S, 3, &ns);
    if (ns != ny) return nl_error(L, S, "grad: %d outputs, but %d "
                                  "grad_outputs", ny, ns);
  }
  g = lua_newuserdatauv(L, (size_t)(nx + 1) * sizeof(*g), 0);
  memset(g, 0, (size_t)(nx + 1) * sizeof(*g));
  h = lua_newuserdatauv(L, (size_t)(nx + 1) * sizeof(*h), 0);
  lua_createtable(L, nx, 0);
  for (int i = 0; i < nx; i++) {
    h[i] = nl_newhandle(L, S);
    lua_rawseti(L, -2, i + 1);
  }
  nx_backward(S->C, ny, y, seeds, nx, x, g, flags);
  if (nx_status(S->C)) {
    for (int i = 0; i < nx; i++) nx_unref(g[i]);
    nl_check_raised(L, S);
  }
  for (int i = 0; i < nx; i++)
    if (g[i]) {
      nl_fill(S, h[i], g[i]);
      nx_unref(g[i]);
      nl_scope_add(S, h[i]);
    }
    else {
      lua_pushboolean(L, 0);
      lua_rawseti(L, -2, i + 1);
    }
  nx_pop(S->C, mark, NULL);
  nl_tell(L, S);
  if (!single) return 1;
  lua_rawgeti(L, -1, 1);
  if (!lua_toboolean(L, -1)) lua_pushnil(L);
  return 1;
}


static int t_requires_grad_ (lua_State *L) {
  nl_state *S = nl_S(L);
  nx_tensor *t = nl_checktensor(L, S, 1);
  nx_require(S->C, t, lua_isnone(L, 2) || lua_toboolean(L, 2));
  nl_check(L, S);
  lua_settop(L, 1);
  return 1;
}


/* neap.set_grad_enabled(on) -> what it was */
static int n_set_grad_enabled (lua_State *L) {
  nl_state *S = nl_S(L);
  luaL_checktype(L, 1, LUA_TBOOLEAN);
  lua_pushboolean(L, neap_set_grad_enabled(S->C, lua_toboolean(L, 1)));
  return 1;
}

static int n_is_grad_enabled (lua_State *L) {
  nl_state *S = nl_S(L);
  lua_pushboolean(L, S->C->recording);
  return 1;
}


/* _graph(x, tensors, names) -> DOT */
static int n_graph (lua_State *L) {
  nl_state *S = nl_S(L);
  nx_tensor *t = nl_checktensor(L, S, 1), **named;
  const char **names;
  nx_text text;
  int n;
  named = nl_tensors(L, S, 2, &n);
  names = lua_newuserdatauv(L, ((size_t)n + 1) * sizeof(*names), 0);
  for (int i = 0; i < n; i++) {
    lua_rawgeti(L, 3, i + 1);
    names[i] = luaL_checkstring(L, -1);      /* stays in the table */
    lua_pop(L, 1);
  }
  nx_text_open(S->C, &text);
  nx_picture(&text, t, n, named, names);
  if (nx_status(S->C) == 0) lua_pushlstring(L, text.s, text.n);
  nx_text_close(&text);
  nl_check(L, S);
  return 1;
}


static const luaL_Reg functions[] = {
  {"grad", n_grad}, {"set_grad_enabled", n_set_grad_enabled},
  {"is_grad_enabled", n_is_grad_enabled}, {"_graph", n_graph},
  {NULL, NULL}
};

static const luaL_Reg methods[] = {
  {"backward", t_backward}, {"requires_grad_", t_requires_grad_},
  {NULL, NULL}
};

void nl_open_grad (lua_State *L, nl_state *S) {
  nl_setfuncs(L, S, functions);
  lua_getfield(L, -1, "Tensor");
  nl_setfuncs(L, S, methods);
  lua_pop(L, 1);
}
