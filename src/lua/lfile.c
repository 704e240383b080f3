/*
** Files in Lua.
*/
#include <string.h>
#include "io/idx.h"
#include "io/safetensors.h"
#include "lua/lneap.h"


/* _save(path, names, tensors, keys, values): lists side by side */
static const char *plain_string (lua_State *L, nl_state *S) {
  size_t n;
  const char *s;
  if (lua_type(L, -1) != LUA_TSTRING)
    nl_error(L, S, "save: expected tensors and strings by name");
  s = lua_tolstring(L, -1, &n);
  if (strlen(s) != n) nl_error(L, S, "save: '%s' has a zero byte", s);
  return s;
}

static int n_save (lua_State *L) {
  nl_state *S = nl_S(L);
  const char *path = luaL_checkstring(L, 1);
  lua_Integer n = (lua_Integer)lua_rawlen(L, 2);
  lua_Integer k = (lua_Integer)lua_rawlen(L, 4);
  const char **names = lua_newuserdatauv(L, (size_t)(n + 1) *
                                         sizeof(*names), 0);
  nx_tensor **tensors = lua_newuserdatauv(L, (size_t)(n + 1) *
                                          sizeof(*tensors), 0);
  nx_pair *pairs = lua_newuserdatauv(L, (size_t)(k + 1) * sizeof(*pairs), 0);
  for (lua_Integer i = 0; i < n; i++) {      /* the lists hold the values */
    lua_rawgeti(L, 2, i + 1);
    names[i] = plain_string(L, S);
    lua_rawgeti(L, 3, i + 1);
    tensors[i] = nl_totensor(L, S, -1);
    if (tensors[i] == NULL)
      return nl_error(L, S, "save: expected tensors by name");
    lua_pop(L, 2);
  }
  for (lua_Integer i = 0; i < k; i++) {
    lua_rawgeti(L, 4, i + 1);
    pairs[i].key = plain_string(L, S);
    lua_rawgeti(L, 5, i + 1);
    pairs[i].value = plain_string(L, S);
    lua_pop(L, 2);
  }
  nx_safe_save(S->C, path, (size_t)n, names, tensors, (size_t)k, pairs);
  nl_check(L, S);
  return 0;
}


/* an open file in a userdata, so that errors close it */
static int safe_gc (lua_State *L) {
  nx_safe_close(lua_touserdata(L, 1));
  return 0;
}

static nx_safe *new_safe (lua_State *L) {
  return nl_newclosing(L, sizeof(nx_safe), safe_gc);
}

/* load(path) -> tensors by name, metadata */
static int n_load (lua_State *L) {
  nl_state *S = nl_S(L);
  const char *path = luaL_checkstring(L, 1);
  size_t mark = S->mark;
  nx_safe *s = new_safe(L);
  nx_safe_open(S->C, s, path);
  nl_check(L, S);
  lua_createtable(L, 0, (int)s->n);
  for (size_t i = 0; i < s->n; i++) {
    nl_tensor *h = nl_newhandle(L, S);
    nx_tensor *t = nx_safe_tensor(S->C, s, &s->entries[i]);
    nl_check(L, S);
    nl_fill(S, h, t);
    nx_pop(S->C, mark, NULL);
    nl_scope_add(S, h);
    lua_setfield(L, -2, s->entries[i].name);
  }
  lua_newtable(L);
  for (size_t i = 0; i < s->nmetadata; i++) {
    lua_pushstring(L, s->metadata[i].value);
    lua_setfield(L, -2, s->metadata[i].key);
  }
  nl_tell(L, S);
  return 2;
}


static int n_load_idx (lua_State *L) {
  nl_state *S = nl_S(L);
  const char *path = luaL_checkstring(L, 1);
  size_t mark = S->mark;
  nl_tensor *h = nl_newhandle(L, S);
  return nl_result(L, S, h, nx_load_idx(S->C, path), mark);
}


/*
** JSON to Lua: null is the value at 'null', numbers keep being integers or
** not.
*/
static void push_json (lua_State *L, const nx_json *j, int null) {
  lua_Integer n = 0;
  luaL_checkstack(L, 4, "JSON");
  switch (j->type) {
    case NX_JSON_NULL: lua_pushvalue(L, null); break;
    case NX_JSON_BOOL: lua_pushboolean(L, (int)j->i); break;
    case NX_JSON_INT: lua_pushinteger(L, j->i); break;
    case NX_JSON_NUMBER: lua_pushnumber(L, j->number); break;
    case NX_JSON_STRING: lua_pushlstring(L, j->text, j->length); break;
    default:
      lua_newtable(L);
      for (const nx_json *c = j->child; c; c = c->next) {
        push_json(L, c, null);
        if (j->type == NX_JSON_ARRAY) lua_rawseti(L, -2, ++n);
        else lua_setfield(L, -2, c->key);
      }
  }
}

static int json_gc (lua_State *L) {
  nx_json_file *f = lua_touserdata(L, 1);
  if (f->C) nx_json_close(f);
  f->C = NULL;
  return 0;
}

/* _json_decode(text, what, null) */
static int n_json_decode (lua_State *L) {
  nl_state *S = nl_S(L);
  size_t n;
  const char *text = luaL_checklstring(L, 1, &n);
  const char *what = luaL_optstring(L, 2, "json");
  nx_json_file *f;
  nx_json *root;
  lua_settop(L, 3);
  f = nl_newclosing(L, sizeof(*f), json_gc);
  root = nx_json_open(S->C, f, what, text, n);
  nl_check(L, S);
  push_json(L, root, 3);
  return 1;
}


static const luaL_Reg functions[] = {
  {"_save", n_save}, {"load", n_load}, {"load_idx", n_load_idx},
  {"_json_decode", n_json_decode}, {NULL, NULL}
};

void nl_open_file (lua_State *L, nl_state *S) {
  nl_setfuncs(L, S, functions);
}
