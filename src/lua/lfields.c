/*
** Options between Lua and fields.
*/
#include <string.h>
#include "lua/lneap.h"


/* a list of numbers */
static void read_list (lua_State *L, int i, nx_value *v) {
  lua_Integer n = (lua_Integer)lua_rawlen(L, i);
  v->tag = NX_IS_INTS;
  if (n > NX_MAXLIST) {
    v->tag = NX_IS_OTHER;
    v->text = "a list of more than 60 entries";
    return;
  }
  for (lua_Integer k = 1; k <= n; k++) {
    int whole;
    lua_rawgeti(L, i, k);
    if (lua_type(L, -1) != LUA_TNUMBER) {
      v->tag = NX_IS_OTHER;
      v->text = "a list of other things than numbers";
    }
    else {
      v->whole[k - 1] = lua_tointegerx(L, -1, &whole);
      v->numbers[k - 1] = lua_tonumber(L, -1);
      if (!whole && v->tag == NX_IS_INTS) v->tag = NX_IS_NUMBERS;
    }
    lua_pop(L, 1);
  }
  v->n = (int)n;
}


void nl_value (lua_State *L, nl_state *S, int i, nx_value *v) {
  int whole;
  nx_value_clear(v);
  switch (lua_type(L, i)) {
    case LUA_TNIL: case LUA_TNONE: v->tag = NX_IS_NIL; break;
    case LUA_TBOOLEAN:
      v->tag = NX_IS_BOOL;
      v->i = lua_toboolean(L, i); break;
    case LUA_TNUMBER:
      v->i = lua_tointegerx(L, i, &whole);
      v->number = lua_tonumber(L, i);
      v->tag = whole ? NX_IS_INT : NX_IS_NUMBER; break;
    case LUA_TSTRING:
      v->tag = NX_IS_TEXT;
      v->text = lua_tostring(L, i); break;
    case LUA_TTABLE: read_list(L, i, v); break;
    default:
      v->tensor = nl_totensor(L, S, i);
      v->tag = v->tensor ? NX_IS_TENSOR : NX_IS_OTHER;
      v->text = luaL_typename(L, i); break;
  }
}


void nl_setfield (lua_State *L, nl_state *S, const char *who,
                  const nx_field *f, void *args, int i) {
  nx_value v;
  nl_value(L, S, i, &v);
  if (v.tag == NX_IS_NIL) return;
  nx_field_set(S->C, who, f, args, &v);
  nl_check(L, S);
}


void nl_pushfield (lua_State *L, nl_state *S, const nx_field *f,
                   const void *args) {
  nx_value v;
  nx_field_get(S->C, f, args, &v);
  switch (v.tag) {
    case NX_IS_BOOL: lua_pushboolean(L, (int)v.i); break;
    case NX_IS_INT: lua_pushinteger(L, v.i); break;
    case NX_IS_NUMBER: lua_pushnumber(L, v.number); break;
    case NX_IS_TEXT: lua_pushlstring(L, v.text, (size_t)v.i); break;
    case NX_IS_INTS: case NX_IS_NUMBERS:
      lua_createtable(L, v.n, 0);
      for (int k = 0; k < v.n; k++) {
        if (v.tag == NX_IS_INTS) lua_pushinteger(L, v.whole[k]);
        else lua_pushnumber(L, v.numbers[k]);
        lua_rawseti(L, -2, k + 1);
      }
      break;
    case NX_IS_TENSOR: nl_pushheld(L, S, v.tensor); break;
    default: lua_pushnil(L); break;
  }
}


void nl_onlykeys (lua_State *L, nl_state *S, const char *who, int i,
                  const char *keys) {
  if (!lua_istable(L, i)) return;
  lua_pushnil(L);
  while (lua_next(L, i)) {
    lua_pop(L, 1);
    if (lua_type(L, -1) == LUA_TSTRING &&
        nx_names_find(keys, lua_tostring(L, -1)) < 0) {
      nx_fields_unknown(S->C, who, NULL, keys, lua_tostring(L, -1));
      nl_raise(L, S);
    }
  }
}


void nl_readnamed (lua_State *L, nl_state *S, const char *who,
                   const nx_field *f, void *args, int i) {
  lua_pushnil(L);
  while (lua_next(L, i)) {
    const nx_field *field;
    if (lua_type(L, -2) == LUA_TSTRING) {
      const char *key = lua_tostring(L, -2);
      field = nx_field_find(f, key);
      if (field == NULL) {
        nx_fields_unknown(S->C, who, f, "", key);
        nl_raise(L, S);
      }
      nl_setfield(L, S, who, field, args, lua_gettop(L));
    }
    lua_pop(L, 1);
  }
}


/*
** A last table is options, unless it is the list that the field of its
** place wants; a table with both is both.
*/
void nl_readfields (lua_State *L, nl_state *S, const char *who,
                    const nx_field *f, void *args, int first) {
  int top = lua_gettop(L);
  const nx_field *next = f;
  for (int i = first; i <= top; i++) {
    if (lua_type(L, i) == LUA_TTABLE && i == top) {
      int list = next && next->name && lua_rawlen(L, i) > 0 && i > first;
      if (next && next->name &&
          (next->kind == NX_KIND_INTS || next->kind == NX_KIND_DIMS ||
           next->kind == NX_KIND_PAIR)) list = lua_rawlen(L, i) > 0;
      if (list) nl_setfield(L, S, who, next, args, i);
      else
        for (lua_Integer k = 1; k <= (lua_Integer)lua_rawlen(L, i); k++) {
          lua_rawgeti(L, i, k);
          if (next == NULL || next->name == NULL)
            nl_error(L, S, "%s: too many arguments", who);
          nl_setfield(L, S, who, next++, args, lua_gettop(L));
          lua_pop(L, 1);
        }
      nl_readnamed(L, S, who, f, args, i);
      return;
    }
    if (next == NULL || next->name == NULL)
      nl_error(L, S, "%s: too many arguments", who);
    nl_setfield(L, S, who, next++, args, i);
  }
}
