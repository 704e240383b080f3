/*
** Scopes, and modes of coroutines.
**
** A scope remembers the handles that operations made while it was open,
** in a table with weak keys; closing it frees their tensors, except those
** that were kept. Gradient mode and open scope belong to a coroutine: a
** new one begins with those of the coroutine that resumes it first.
*/
#include "lua/lneap.h"

static const char threads_key = 0;       /* registry: thread -> modes */
static const char scope_key = 0;         /* registry: the open scope */
static const char scope_meta_key = 0;
static const char running_key = 0;       /* registry: S->thread, held */

typedef struct modes {
  int recording, scoped;
} modes;                                 /* user value: the scope */


static void save_modes (lua_State *L, nl_state *S) {
  modes *m;
  nl_registry(L, &threads_key, "k");
  lua_rawgetp(L, LUA_REGISTRYINDEX, &running_key);
  m = lua_newuserdatauv(L, sizeof(*m), 1);
  m->recording = S->C->recording;
  m->scoped = S->scoped;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &scope_key);
  lua_setiuservalue(L, -2, 1);
  lua_rawset(L, -3);
  lua_pop(L, 1);
}


void nl_switch (lua_State *L, nl_state *S) {
  modes *m;
  luaL_checkstack(L, 8, "modes of a coroutine");
  save_modes(L, S);
  lua_pushthread(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &running_key);
  S->thread = L;
  nl_registry(L, &threads_key, "k");
  lua_pushthread(L);
  if (lua_rawget(L, -2) == LUA_TUSERDATA) {
    m = lua_touserdata(L, -1);
    S->C->recording = m->recording;
    S->scoped = m->scoped;
    lua_getiuservalue(L, -1, 1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &scope_key);
  }
  lua_pop(L, 2);
}


/*
** A scope: user value 1 is the table of handles, 2 the scope around.
*/
typedef struct scope { int open; } scope;

void nl_scope_add (lua_State *L, nl_state *S, int i) {
  if (!S->scoped) return;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &scope_key);
  lua_getiuservalue(L, -1, 1);
  lua_pushvalue(L, i);
  lua_pushboolean(L, 1);
  lua_rawset(L, -3);
  lua_pop(L, 2);
}


static int n_open_scope (lua_State *L) {
  nl_state *S = nl_S(L);
  scope *s = lua_newuserdatauv(L, sizeof(*s), 2);
  s->open = 0;
  lua_newtable(L);
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "k");
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
  lua_setiuservalue(L, -2, 1);
  if (S->scoped) lua_rawgetp(L, LUA_REGISTRYINDEX, &scope_key);
  else lua_pushnil(L);
  lua_setiuservalue(L, -2, 2);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &scope_meta_key);
  lua_setmetatable(L, -2);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &scope_key);
  S->scoped = 1;
  s->open = 1;
  return 1;
}


static scope *check_scope (lua_State *L, nl_state *S) {
  scope *s = lua_touserdata(L, 1);
  int same = 0;
  if (s && lua_getmetatable(L, 1)) {
    lua_rawgetp(L, LUA_REGISTRYINDEX, &scope_meta_key);
    same = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
  }
  if (!same) nl_error(L, S, "a scope expected, not %s", luaL_typename(L, 1));
  return s;
}


/* s:keep(t): t outlives the scope; it belongs to the one around */
static int s_keep (lua_State *L) {
  nl_state *S = nl_S(L);
  scope *s = check_scope(L, S);
  nl_checktensor(L, S, 2);
  lua_getiuservalue(L, 1, 1);
  lua_pushvalue(L, 2);
  if (s->open && lua_rawget(L, -2) != LUA_TNIL) {    /* made in it */
    lua_pop(L, 1);
    lua_pushvalue(L, 2);
    lua_pushnil(L);
    lua_rawset(L, -3);
    if (lua_getiuservalue(L, 1, 2) == LUA_TUSERDATA) {
      lua_getiuservalue(L, -1, 1);
      lua_pushvalue(L, 2);
      lua_pushboolean(L, 1);
      lua_rawset(L, -3);
    }
  }
  lua_settop(L, 2);
  return 1;
}


/*
** Frees what is left. Parameters, buffers, gradients and what optimisers
** hold are never a scope's.
*/
static void free_handles (lua_State *L, int i) {
  lua_pushnil(L);
  while (lua_next(L, i)) {
    nl_tensor *h = lua_touserdata(L, -2);
    if (h->t != NULL && !(h->t->flags & NX_HELD)) {
      nx_unref(h->t);
      h->t = NULL;
    }
    lua_pop(L, 1);
  }
}

static int s_close (lua_State *L) {
  nl_state *S = nl_S(L);
  scope *s = check_scope(L, S);
  if (!s->open) return 0;
  s->open = 0;
  lua_settop(L, 1);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &scope_key);
  if (lua_rawequal(L, 1, -1)) {          /* the innermost, as it should be */
    S->scoped = lua_getiuservalue(L, 1, 2) == LUA_TUSERDATA;
    lua_rawsetp(L, LUA_REGISTRYINDEX, &scope_key);
  }
  lua_getiuservalue(L, 1, 1);
  free_handles(L, lua_gettop(L));
  return 0;
}


/* t:free(): gives the elements back at once */
static int t_free (lua_State *L) {
  nl_state *S = nl_S(L);
  nl_tensor *h;
  nl_checktensor(L, S, 1);
  h = lua_touserdata(L, 1);
  nx_unref(h->t);
  h->t = NULL;
  return 0;
}


static const luaL_Reg scope_methods[] = {
  {"keep", s_keep}, {"close", s_close}, {NULL, NULL}
};
static const luaL_Reg scope_functions[] = {
  {"_open_scope", n_open_scope}, {NULL, NULL}
};
static const luaL_Reg tensor_methods[] = {{"free", t_free}, {NULL, NULL}};

void nl_open_scope (lua_State *L, nl_state *S) {
  lua_pushthread(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &running_key);
  nl_setfuncs(L, S, scope_functions);
  lua_getfield(L, -1, "Tensor");
  nl_setfuncs(L, S, tensor_methods);
  lua_pop(L, 1);
  lua_newtable(L);
  lua_newtable(L);
  nl_setfuncs(L, S, scope_methods);
  lua_getfield(L, -1, "close");
  lua_setfield(L, -3, "__close");
  lua_setfield(L, -2, "__index");
  lua_pushliteral(L, "neap.scope");
  lua_setfield(L, -2, "__name");
  lua_rawsetp(L, LUA_REGISTRYINDEX, &scope_meta_key);
}
