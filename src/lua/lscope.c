/*
** Scopes, and modes of coroutines.
**
** A scope remembers the handles that operations made while it was open;
** closing it frees their tensors, except those that were kept. Gradient
** mode and open scope belong to a coroutine: a new one begins with those of
** the coroutine that resumes it first.
*/
#include "lua/lneap.h"

static const char threads_key = 0;       /* registry: thread -> modes */
static const char scope_key = 0;         /* registry: the open scope */
static const char scope_meta_key = 0;
static const char running_key = 0;       /* registry: S->thread, held */

typedef struct modes {
  int recording;
  nl_scope *scope;
} modes;                                 /* user value: the scope */


static void save_modes (lua_State *L, nl_state *S) {
  modes *m;
  nl_registry(L, &threads_key, "k");
  lua_rawgetp(L, LUA_REGISTRYINDEX, &running_key);
  m = lua_newuserdatauv(L, sizeof(*m), 1);
  m->recording = S->C->recording;
  m->scope = S->scope;
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
    S->scope = m->scope;
    lua_getiuservalue(L, -1, 1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &scope_key);
  }
  lua_pop(L, 2);
}


/*
** A scope: a list of the handles that were made in it. Its user value is
** the scope around, so that this lives as long.
*/
struct nl_scope {
  nl_state *S;
  int open;
  nl_tensor *first;
  nl_scope *around;
};


static void link_handle (nl_scope *s, nl_tensor *h) {
  h->scope = s;
  h->next = s->first;
  h->back = &s->first;
  if (h->next) h->next->back = &h->next;
  s->first = h;
}

void nl_scope_add (nl_state *S, nl_tensor *h) {
  if (S->scope && h->scope == NULL) link_handle(S->scope, h);
}

void nl_scope_remove (nl_tensor *h) {
  if (h->scope == NULL) return;
  *h->back = h->next;
  if (h->next) h->next->back = h->back;
  h->scope = NULL;
}


static int n_open_scope (lua_State *L) {
  nl_state *S = nl_S(L);
  nl_scope *s = lua_newuserdatauv(L, sizeof(*s), 1);
  s->S = S;
  s->open = 0;
  s->first = NULL;
  s->around = S->scope;
  if (S->scope) {
    lua_rawgetp(L, LUA_REGISTRYINDEX, &scope_key);
    lua_setiuservalue(L, -2, 1);
  }
  lua_rawgetp(L, LUA_REGISTRYINDEX, &scope_meta_key);
  lua_setmetatable(L, -2);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &scope_key);
  S->scope = s;
  s->open = 1;
  return 1;
}


static nl_scope *check_scope (lua_State *L, nl_state *S) {
  nl_scope *s = lua_touserdata(L, 1);
  int same = 0;
  if (s && lua_getmetatable(L, 1)) {
    lua_rawgetp(L, LUA_REGISTRYINDEX, &scope_meta_key);
    same = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
  }
  if (!same) nl_error(L, S, "a scope expected, not %s", luaL_typename(L, 1));
  return s;
}


/* a tensor, or those in a table; 'seen' is where the table of the tables
   stands that were met */
static void keep_value (lua_State *L, nl_state *S, nl_scope *s, int i,
                        int seen) {
  nl_tensor *h;
  if (lua_istable(L, i)) {
    luaL_checkstack(L, 4, "tables that are kept");
    if (lua_rawgetp(L, seen, lua_topointer(L, i)) == LUA_TNIL) {
      lua_pushboolean(L, 1);
      lua_rawsetp(L, seen, lua_topointer(L, i));
      lua_pushnil(L);
      while (lua_next(L, i)) {
        if (nl_totensor(L, S, lua_gettop(L)) || lua_istable(L, -1))
          keep_value(L, S, s, lua_gettop(L), seen);
        lua_pop(L, 1);
      }
    }
    lua_pop(L, 1);
    return;
  }
  nl_checktensor(L, S, i);
  h = lua_touserdata(L, i);
  if (s->open && h->scope == s) {
    nl_scope_remove(h);
    if (s->around) link_handle(s->around, h);
  }
}

/* s:keep(t, ...): tensors, or tables with tensors in them, outlive the
   scope; they belong to the one around. Returns what it was given */
static int s_keep (lua_State *L) {
  nl_state *S = nl_S(L);
  nl_scope *s = check_scope(L, S);
  int n = lua_gettop(L);
  lua_newtable(L);
  for (int i = 2; i <= n; i++)
    if (!lua_isnil(L, i)) keep_value(L, S, s, i, n + 1);
  lua_settop(L, n);
  return n - 1;
}


/*
** Frees what is left. Parameters, buffers, gradients and what optimisers
** hold are never a scope's.
*/
static void free_handles (nl_scope *s) {
  while (s->first) {
    nl_tensor *h = s->first;
    nl_scope_remove(h);
    if (h->t != NULL && !(h->t->flags & NX_HELD)) nl_release(s->S, h);
  }
}

static int s_close (lua_State *L) {
  nl_state *S = nl_S(L);
  nl_scope *s = check_scope(L, S);
  if (!s->open) return 0;
  s->open = 0;
  lua_settop(L, 1);
  if (S->scope == s) {                   /* the innermost, as it should be */
    S->scope = s->around;
    lua_getiuservalue(L, 1, 1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &scope_key);
  }
  free_handles(s);
  return 0;
}

/* a scope that nobody closed, such as a dead coroutine's: its handles go
   on alone */
static int s_gc (lua_State *L) {
  nl_scope *s = lua_touserdata(L, 1);
  while (s->first) nl_scope_remove(s->first);
  s->open = 0;
  return 0;
}


/* t:free(): gives the elements back at once */
static int t_free (lua_State *L) {
  nl_state *S = nl_S(L);
  nl_tensor *h;
  nl_checktensor(L, S, 1);
  h = lua_touserdata(L, 1);
  nl_scope_remove(h);
  nl_release(S, h);
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
  lua_pushcfunction(L, s_gc);
  lua_setfield(L, -2, "__gc");
  lua_pushliteral(L, "neap.scope");
  lua_setfield(L, -2, "__name");
  lua_rawsetp(L, LUA_REGISTRYINDEX, &scope_meta_key);
}
