/*
** Parameters that are computed of others, in Lua: nn.utils.weight_norm and
** its kin call these.
*/
#include <string.h>
#include "lua/lmodule.h"
#include "nn/reparametrize.h"

int nl_pushcomputed (lua_State *L, nl_state *S, nx_module *m,
                     const char *name) {
  nl_tensor *h = nl_newhandle(L, S);
  size_t mark = S->mark;
  nx_tensor *t = nx_reparam_value(S->C, m, name);
  nl_check(L, S);
  return nl_result(L, S, h, t, mark);
}

/* m:_reparametrize(kind, name, dim from 1 or nil, iterations, eps) */
static int m_reparametrize (lua_State *L) {
  nl_state *S = nl_S(L);
  nx_module *m = nl_checkmodule(L, S, 1);
  nx_reparam r;
  size_t mark = S->mark;
  const char *name = luaL_checkstring(L, 3);
  memset(&r, 0, sizeof(r));
  r.kind = nx_reparam_named(luaL_checkstring(L, 2));
  if (r.kind == NULL)
    return nl_error(L, S, "no parameter is computed by '%s'",
                    lua_tostring(L, 2));
  strncpy(r.name, name, NX_MAXNAME - 1);
  r.dim = NX_UNSET_INT;
  if (!lua_isnil(L, 4)) {
    r.dim = luaL_checkinteger(L, 4);
    if (r.dim == 0)
      return nl_error(L, S, "%s: dimensions count from 1", r.kind->name);
    if (r.dim > 0) r.dim--;
  }
  r.iterations = luaL_checkinteger(L, 5);
  r.eps = luaL_checknumber(L, 6);
  nx_reparametrize(S->C, m, &r);
  nx_pop(S->C, mark, NULL);
  nl_check(L, S);
  lua_settop(L, 1);
  return 1;
}

static int m_reparam_remove (lua_State *L) {
  nl_state *S = nl_S(L);
  nx_module *m = nl_checkmodule(L, S, 1);
  size_t mark = S->mark;
  nx_reparam_remove(S->C, m, luaL_checkstring(L, 2));
  nx_pop(S->C, mark, NULL);
  nl_check(L, S);
  lua_settop(L, 1);
  return 1;
}

/* m:_reparams() -> list of {kind, name, dim, iterations, eps}, the oldest
   first */
static int m_reparams (lua_State *L) {
  nx_module *m = nl_checkmodule(L, nl_S(L), 1);
  lua_Integer n = 0;
  for (nx_reparam *r = m->reparams; r; r = r->next) n++;
  lua_createtable(L, (int)n, 0);
  for (nx_reparam *r = m->reparams; r; r = r->next, n--) {
    lua_createtable(L, 0, 5);
    lua_pushstring(L, r->kind->name);
    lua_setfield(L, -2, "kind");
    lua_pushstring(L, r->name);
    lua_setfield(L, -2, "name");
    if (r->dim != NX_UNSET_INT) {
      lua_pushinteger(L, r->dim + 1);
      lua_setfield(L, -2, "dim");
    }
    lua_pushinteger(L, r->iterations);
    lua_setfield(L, -2, "iterations");
    lua_pushnumber(L, r->eps);
    lua_setfield(L, -2, "eps");
    lua_rawseti(L, -2, n);
  }
  return 1;
}


static const luaL_Reg methods[] = {
  {"_reparametrize", m_reparametrize},
  {"_reparam_remove", m_reparam_remove}, {"_reparams", m_reparams},
  {NULL, NULL}
};

void nl_open_reparam (lua_State *L, nl_state *S) {
  nl_setfuncs(L, S, methods);
}
