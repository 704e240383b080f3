/*
** Files in Lua.
*/
#include <string.h>
#include "io/idx.h"
#include "io/npy.h"
#include "io/safetensors.h"
#include "io/zip.h"
#include "lua/lneap.h"
#include "tensor/dtype.h"
#include "tensor/walk.h"


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


static int source_gc (lua_State *L) {
  nx_source_close(lua_touserdata(L, 1));
  return 0;
}

static nx_source *new_source (lua_State *L) {
  return nl_newclosing(L, sizeof(nx_source), source_gc);
}

/* A file that is one tensor. */
static int load_one (lua_State *L, nx_tensor *(*read) (nx_source *s)) {
  nl_state *S = nl_S(L);
  const char *path = luaL_checkstring(L, 1);
  size_t mark = S->mark;
  nx_source *s = new_source(L);
  nl_tensor *h = nl_newhandle(L, S);
  nx_source_open(S->C, s, path);
  nl_check(L, S);
  return nl_result(L, S, h, read(s), mark);
}

static int n_load_idx (lua_State *L) { return load_one(L, nx_idx_read); }

static int n_load_npy (lua_State *L) { return load_one(L, nx_npy_read); }


/* save_npy(path, x) */
static int n_save_npy (lua_State *L) {
  nl_state *S = nl_S(L);
  const char *path = luaL_checkstring(L, 1);
  nx_npy_save(S->C, path, nl_checktensor(L, S, 2));
  nl_check(L, S);
  nx_pop(S->C, S->mark, NULL);
  return 0;
}


static int zip_gc (lua_State *L) {
  nx_zip_close(lua_touserdata(L, 1));
  return 0;
}

/* the name of an entry without ".npy" */
static void push_name (lua_State *L, const nx_zip *z, size_t i) {
  const char *file = z->entries[i].name;
  size_t n = z->entries[i].length;
  if (n > 4 && strcmp(file + n - 4, ".npy") == 0) n -= 4;
  lua_pushlstring(L, file, n);
}

/* the array of an entry on the stack */
static void push_entry (lua_State *L, nl_state *S, nx_zip *z, size_t i,
                        size_t mark) {
  const char *what = lua_pushfstring(L, "%s in %s", z->entries[i].name,
                                     z->source.what);
  nx_source *s;
  nx_tensor *t;
  nl_tensor *h;
  s = new_source(L);
  h = nl_newhandle(L, S);
  nx_zip_get(z, i, what, s);
  nl_check(L, S);
  t = nx_npy_read(s);
  nl_check(L, S);
  nl_fill(S, h, t);
  nx_pop(S->C, mark, NULL);
  nl_scope_add(S, h);
  lua_replace(L, -3);
  lua_pop(L, 1);               /* closes the source */
}

/* The name on top is to be read: then it need not be looked for again. */
static int is_wanted (lua_State *L, int wanted) {
  int found;
  if (!lua_istable(L, wanted)) return 1;
  lua_pushvalue(L, -1);
  found = lua_rawget(L, wanted) != LUA_TNIL;
  lua_pop(L, 1);
  if (found) {
    lua_pushvalue(L, -1);
    lua_pushnil(L);
    lua_rawset(L, wanted);
  }
  return found;
}

/*
** _load_npz(path, wanted) -> tensors by name: all, or those that are keys
** of 'wanted', which are taken out of it.
*/
static int n_load_npz (lua_State *L) {
  nl_state *S = nl_S(L);
  const char *path = luaL_checkstring(L, 1);
  size_t mark = S->mark;
  nx_zip *z = nl_newclosing(L, sizeof(*z), zip_gc);
  nx_source *s = new_source(L);
  nx_source_open(S->C, s, path);
  nl_check(L, S);
  nx_zip_open(z, s);
  nl_check(L, S);
  lua_createtable(L, 0, (int)z->n);
  for (size_t i = 0; i < z->n; i++) {
    push_name(L, z, i);
    if (is_wanted(L, 2)) {
      push_entry(L, S, z, i, mark);
      lua_rawset(L, -3);
    }
    else lua_pop(L, 1);
  }
  nl_tell(L, S);
  return 1;
}


static int zipper_gc (lua_State *L) {
  nx_zipper *z = lua_touserdata(L, 1);
  nx_ctx *C = z->w.C;
  if (C == NULL) return 0;
  nx_fail(C, NEAP_EARG, "an error of Lua's");      /* keeps the old file */
  nx_zipper_close(z);
  neap_clear(C);
  return 0;
}

static void put_array (lua_State *L, nl_state *S, nx_zipper *z,
                       const char *name, nx_tensor *t) {
  char header[NX_NPY_HEADER];
  size_t n = nx_npy_header(S->C, t, header), mark = nx_push(S->C);
  nx_tensor *d = n ? nx_dense(S->C, t) : NULL;
  const char *file = lua_pushfstring(L, "%s.npy", name);
  if (d) nx_zipper_put(z, file, header, n, d->data,
                       (size_t)d->len * nx_dtype_size(d->dtype));
  nx_pop(S->C, mark, NULL);
  lua_pop(L, 1);
}

/* _save_npz(path, names, tensors, compress): lists side by side */
static int n_save_npz (lua_State *L) {
  nl_state *S = nl_S(L);
  const char *path = luaL_checkstring(L, 1);
  nx_zipper *z = nl_newclosing(L, sizeof(*z), zipper_gc);
  lua_Integer n = (lua_Integer)lua_rawlen(L, 2);
  nx_zipper_open(S->C, z, path, lua_toboolean(L, 4));
  for (lua_Integer i = 1; i <= n && nx_status(S->C) == 0; i++) {
    nx_tensor *t;
    lua_rawgeti(L, 2, i);
    lua_rawgeti(L, 3, i);
    t = nl_totensor(L, S, -1);
    if (t == NULL || lua_type(L, -2) != LUA_TSTRING) {
      nx_fail(S->C, NEAP_EARG, "save_npz: expected tensors by name");
      break;
    }
    put_array(L, S, z, lua_tostring(L, -2), t);
    lua_pop(L, 2);
  }
  nx_zipper_close(z);
  nl_check(L, S);
  return 0;
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
  {"load_npy", n_load_npy}, {"save_npy", n_save_npy},
  {"_load_npz", n_load_npz}, {"_save_npz", n_save_npz},
  {"_json_decode", n_json_decode}, {NULL, NULL}
};

void nl_open_file (lua_State *L, nl_state *S) {
  nl_setfuncs(L, S, functions);
}
