/*
** CSV in Lua: an open file is a userdata, which holds the strings that the
** reader refers to as user values.
*/
#include <string.h>
#include "io/csv.h"
#include "lua/lneap.h"
#include "tensor/dtype.h"

enum { PATH = 1, BYTES, WORDS, NHELD = WORDS };

typedef struct csv_handle {
  nl_state *S;
  nx_csv v;
} csv_handle;

static int csv_gc (lua_State *L) {
  csv_handle *h = lua_touserdata(L, 1);
  if (h->S == NULL) return 0;
  nx_csv_close(&h->v);
  nl_unuse(h->S);
  h->S = NULL;
  return 0;
}

static char one_char (lua_State *L, int i) {
  const char *s = luaL_optstring(L, i, "");
  return s[0];
}

static nx_csv *new_csv (lua_State *L, nl_state *S) {
  csv_handle *h = lua_newuserdatauv(L, sizeof(*h), NHELD);
  memset(h, 0, sizeof(*h));
  if (luaL_newmetatable(L, "neap.csv")) {
    lua_pushcfunction(L, csv_gc);
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, "__gc");
    lua_setfield(L, -2, "__close");
  }
  lua_setmetatable(L, -2);
  h->S = S;
  S->handles++;
  return &h->v;
}

/*
** _csv_open(path, bytes, separator, quote, decimal, comment, header, skip,
** rows, ragged, missing words) -> file. What is no string is not set;
** header is true, false or nil (look).
*/
static int n_csv_open (lua_State *L) {
  nl_state *S = nl_S(L);
  nx_csv_options o;
  nx_source s;
  nx_csv *v;
  size_t size;
  const char *path = luaL_checkstring(L, 1);
  const char *bytes = lua_tolstring(L, 2, &size);
  o.separator = one_char(L, 3);
  o.quote = one_char(L, 4);
  o.point = one_char(L, 5);
  o.comment = one_char(L, 6);
  o.header = lua_isnil(L, 7) ? -1 : lua_toboolean(L, 7);
  o.skip = luaL_checkinteger(L, 8);
  o.most = luaL_checkinteger(L, 9);
  o.ragged = (int)luaL_checkinteger(L, 10);
  o.missing = luaL_checkstring(L, 11);
  lua_settop(L, 11);
  v = new_csv(L, S);
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, -2, PATH);
  lua_pushvalue(L, 2);
  lua_setiuservalue(L, -2, BYTES);
  lua_pushvalue(L, 11);
  lua_setiuservalue(L, -2, WORDS);
  if (bytes ? nx_source_bytes(S->C, &s, path, bytes, size)
            : nx_source_open(S->C, &s, path)) nx_source_close(&s);
  else nx_csv_open(v, &s, &o);
  nl_check(L, S);
  return 1;
}


static nx_csv *check_csv (lua_State *L) {
  csv_handle *h = luaL_checkudata(L, 1, "neap.csv");
  luaL_argcheck(L, h->S != NULL, 1, "the file is closed");
  return &h->v;
}

/* _csv_columns(file) -> list of {name, kind, empty, marked, numbers, words,
   word, line}: the last two of the first word */
static int n_csv_columns (lua_State *L) {
  nx_csv *v = check_csv(L);
  lua_createtable(L, (int)v->ncolumns, 0);
  for (size_t i = 0; i < v->ncolumns; i++) {
    const nx_csv_column *c = &v->columns[i];
    lua_createtable(L, 0, 8);
    lua_pushinteger(L, c->numbers);
    lua_setfield(L, -2, "numbers");
    lua_pushinteger(L, c->words);
    lua_setfield(L, -2, "words");
    lua_pushlstring(L, c->word.s ? c->word.s : "",
                    c->word.n < 40 ? c->word.n : 40);
    lua_setfield(L, -2, "word");
    lua_pushinteger(L, c->word_line);
    lua_setfield(L, -2, "line");
    lua_pushlstring(L, c->name, c->length);
    lua_setfield(L, -2, "name");
    lua_pushstring(L, nx_csv_kind_name(c->kind));
    lua_setfield(L, -2, "kind");
    lua_pushinteger(L, c->empty);
    lua_setfield(L, -2, "empty");
    lua_pushinteger(L, c->marked);
    lua_setfield(L, -2, "marked");
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 1;
}


/* what is read, closed with the function */
typedef struct reading {
  nx_ctx *C;
  nx_csv_target *targets;
  nx_vocabulary *words;
  size_t n;
} reading;

static int reading_gc (lua_State *L) {
  reading *r = lua_touserdata(L, 1);
  if (r->C == NULL) return 0;
  for (size_t i = 0; i < r->n; i++) nx_vocabulary_close(&r->words[i]);
  nx_free(r->C, r->words, r->n * sizeof(*r->words));
  nx_free(r->C, r->targets, r->n * sizeof(*r->targets));
  r->C = NULL;
  return 0;
}

static nx_csv_kind kind_named (lua_State *L, nl_state *S, const char *name) {
  for (int k = 0; k < NX_CSV_NKINDS; k++)
    if (strcmp(nx_csv_kind_name(k), name) == 0) return (nx_csv_kind)k;
  nl_error(L, S, "load_csv: no kind of column is called '%s'", name);
  return NX_CSV_TEXT;
}

/* the table on the top: {column, kind, missing, fill, categories} */
static void read_target (lua_State *L, nl_state *S, nx_csv_target *t,
                         nx_vocabulary *words) {
  nx_vocabulary_open(S->C, words);
  t->words = words;
  lua_getfield(L, -1, "column");
  t->column = (size_t)(lua_tointeger(L, -1) - 1);
  lua_getfield(L, -2, "kind");
  t->kind = kind_named(L, S, luaL_checkstring(L, -1));
  lua_getfield(L, -3, "missing");
  t->missing = (int)lua_tointeger(L, -1);
  lua_getfield(L, -4, "fill");
  t->fill = lua_tonumber(L, -1);
  lua_getfield(L, -5, "categories");
  t->closed = lua_istable(L, -1);
  for (lua_Integer i = 1; t->closed; i++) {
    size_t n;
    const char *s;
    if (lua_rawgeti(L, -1, i) == LUA_TNIL) break;
    s = luaL_checklstring(L, -1, &n);
    nx_vocabulary_add(words, s, n);
    nl_check(L, S);
    lua_pop(L, 1);
  }
  lua_pop(L, 6 + t->closed);
}


static void push_words (lua_State *L, const nx_vocabulary *v) {
  lua_createtable(L, (int)v->n, 0);
  for (size_t i = 0; i < v->n; i++) {
    size_t n;
    const char *s = nx_vocabulary_word(v, i, &n);
    lua_pushlstring(L, s, n);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
}


/*
** _csv_read(file, targets) -> list of tensors, list of categories (false
** where a column has none)
*/
static int n_csv_read (lua_State *L) {
  nl_state *S = nl_S(L);
  nx_csv *v = check_csv(L);
  size_t mark = S->mark, n = (size_t)lua_rawlen(L, 2);
  nl_tensor *h;
  reading *r;
  lua_settop(L, 2);
  r = nl_newclosing(L, sizeof(*r), reading_gc);
  r->targets = nx_alloc(S->C, n * sizeof(*r->targets));
  r->words = r->targets ? nx_alloc(S->C, n * sizeof(*r->words)) : NULL;
  r->C = S->C;
  nl_check(L, S);
  memset(r->targets, 0, n * sizeof(*r->targets));
  memset(r->words, 0, n * sizeof(*r->words));
  r->n = n;
  for (size_t i = 0; i < n; i++) {
    lua_rawgeti(L, 2, (lua_Integer)i + 1);
    read_target(L, S, &r->targets[i], &r->words[i]);
    if (r->targets[i].column >= v->ncolumns)
      return nl_error(L, S, "load_csv: no such column");
  }
  nx_csv_read(v, r->targets, n);
  nl_check(L, S);
  lua_createtable(L, (int)n, 0);
  lua_createtable(L, (int)n, 0);
  for (size_t i = 0; i < n; i++) {
    h = nl_newhandle(L, S);
    nl_fill(S, h, r->targets[i].tensor);
    nl_scope_add(S, h);
    lua_rawseti(L, -3, (lua_Integer)i + 1);
    if (r->targets[i].kind == NX_CSV_TEXT) push_words(L, &r->words[i]);
    else lua_pushboolean(L, 0);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  nx_pop(S->C, mark, NULL);
  nl_tell(L, S);
  return 2;
}


static const luaL_Reg functions[] = {
  {"_csv_open", n_csv_open}, {"_csv_columns", n_csv_columns},
  {"_csv_read", n_csv_read}, {NULL, NULL}
};

void nl_open_csv (lua_State *L, nl_state *S) {
  nl_setfuncs(L, S, functions);
}
