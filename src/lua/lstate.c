/*
** The module: opening, closing, errors, and how the collector hears of
** memory that is not Lua's.
*/
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "lua/lembed.h"
#include "lua/lneap.h"

#define THRESHOLD ((size_t)32 << 20)

static const char state_key = 0;

static void release (nl_state *S) {
  nx_rt *rt = S->rt;
  if (!S->closed || S->handles > 0) return;
  neap_ctx_close(S->C);
  neap_close(rt);
  free(S);
}


static int state_gc (lua_State *L) {
  nl_state **p = lua_touserdata(L, 1);
  if (*p != NULL) {
    (*p)->closed = 1;
    (*p)->handles--;
    release(*p);
    *p = NULL;
  }
  return 0;
}


void nl_unuse (nl_state *S) {
  S->handles--;
  release(S);
}


nl_state *nl_enter (lua_State *L, nl_state *S) {
  if (L != S->thread) nl_switch(L, S);
  S->mark = nx_push(S->C);
  return S;
}


void nl_setfuncs (lua_State *L, nl_state *S, const luaL_Reg *l) {
  lua_pushlightuserdata(L, S);
  luaL_setfuncs(L, l, 1);
}


void nl_registry (lua_State *L, const void *key, const char *mode) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, key) == LUA_TTABLE) return;
  lua_pop(L, 1);
  lua_newtable(L);
  if (mode) {
    lua_createtable(L, 0, 1);
    lua_pushstring(L, mode);
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
  }
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, key);
}


/*
** Pushes the place of the nearest Lua code that is not the library's own.
*/
static void where (lua_State *L) {
  lua_Debug ar;
  for (int level = 1; lua_getstack(L, level, &ar); level++) {
    lua_getinfo(L, "Sl", &ar);
    if (ar.currentline > 0 && strncmp(ar.source, "@neap/", 6) != 0) {
      lua_pushfstring(L, "%s:%d: ", ar.short_src, ar.currentline);
      return;
    }
  }
  lua_pushliteral(L, "");
}

int nl_raise (lua_State *L, nl_state *S) {
  nx_pop(S->C, S->mark, NULL);         /* first: what follows may collect */
  where(L);
  lua_pushstring(L, neap_message(S->C));
  neap_clear(S->C);
  lua_concat(L, 2);
  return lua_error(L);
}

void nl_check (lua_State *L, nl_state *S) {
  if (nx_status(S->C)) nl_raise(L, S);
}


int nl_error (lua_State *L, nl_state *S, const char *fmt, ...) {
  va_list ap;
  neap_clear(S->C);
  nx_pop(S->C, S->mark, NULL);
  where(L);
  va_start(ap, fmt);
  lua_pushvfstring(L, fmt, ap);
  va_end(ap);
  lua_concat(L, 2);
  return lua_error(L);
}


static int collector_runs (lua_State *L) {
  return lua_gc(L, LUA_GCISRUNNING);
}

int nl_again (lua_State *L, nl_state *S, int *tried) {
  int status = nx_status(S->C);
  if ((status != NEAP_ENOMEM && status != NEAP_ELIMIT) || *tried ||
      !S->retries || !collector_runs(L)) return 0;
  *tried = 1;
  neap_clear(S->C);
  lua_gc(L, LUA_GCCOLLECT);
  return 1;
}


/*
** Lua sees a few bytes where a tensor has millions. Small tensors (and what
** any tensor costs beside its elements) are told to the collector as if
** Lua had allocated them. For large ones that would be five to ten times
** too much work; instead, from half a threshold of new tensors on (as much
** as was alive after the last cycle, at least 32 MiB) the collector is
** pushed in 64 slices, each as if a 64th of the Lua heap had been
** allocated: no pauses, and the peak stays near twice what is alive.
*/
#define SMALL ((size_t)4096)
#define HANDLE_COST ((size_t)512)
#define SLICE ((size_t)16384)

void nl_fill (nl_state *S, nl_tensor *h, nx_tensor *t) {
  size_t bytes = (size_t)t->len * nx_dtype_size(t->dtype);
  h->t = nx_keep(t);
  S->small += HANDLE_COST + (bytes < SMALL ? bytes : SMALL);
  S->fresh += bytes;
}

static size_t less (size_t a, size_t b) { return a > b ? a - b : 0; }

void nl_release (nl_state *S, nl_tensor *h) {
  size_t bytes = (size_t)h->t->len * nx_dtype_size(h->t->dtype);
  S->small = less(S->small, HANDLE_COST + (bytes < SMALL ? bytes : SMALL));
  S->since = less(S->since, bytes);
  S->debt = less(S->debt, bytes);
  nx_unref(h->t);
  h->t = NULL;
}


static void push_collector (lua_State *L, nl_state *S, int kilobytes) {
  if (!collector_runs(L) || !lua_gc(L, LUA_GCSTEP, kilobytes)) return;
  S->live = atomic_load(&S->rt->memory.used);
  S->since = 0;
}

void nl_tell (lua_State *L, nl_state *S) {
  size_t threshold = S->live > THRESHOLD ? S->live : THRESHOLD;
  S->since += S->fresh;
  S->debt += S->fresh;
  S->fresh = 0;
  if (S->small >= SLICE) {
    S->small = 0;
    push_collector(L, S, SLICE / 1024);
  }
  if (S->since < threshold / 2 || S->debt < threshold / 128) return;
  S->debt = 0;
  push_collector(L, S, lua_gc(L, LUA_GCCOUNT) / 64 + 1);
}

int nl_result (lua_State *L, nl_state *S, nl_tensor *h, nx_tensor *t,
               size_t mark) {
  nl_check(L, S);
  nl_fill(S, h, t);
  nx_pop(S->C, mark, NULL);
  nl_tell(L, S);
  nl_scope_add(S, h);
  return 1;
}


void nl_newhandles (lua_State *L, nl_state *S, int n, nl_tensor **h) {
  for (int i = 0; i < n; i++) h[i] = nl_newhandle(L, S);
}

int nl_results (lua_State *L, nl_state *S, int room, nl_tensor **h, int n,
                nx_tensor **t, size_t mark) {
  nl_check(L, S);
  for (int i = 0; i < n; i++) nl_fill(S, h[i], t[i]);
  nx_pop(S->C, mark, NULL);
  nl_tell(L, S);
  for (int i = 0; i < n; i++) nl_scope_add(S, h[i]);
  lua_settop(L, lua_gettop(L) - (room - n));
  return n;
}


void *nl_newclosing (lua_State *L, size_t size, lua_CFunction gc) {
  void *p = lua_newuserdatauv(L, size, 0);
  memset(p, 0, size);
  lua_createtable(L, 0, 2);
  lua_pushcfunction(L, gc);
  lua_pushvalue(L, -1);
  lua_setfield(L, -3, "__gc");
  lua_setfield(L, -2, "__close");
  lua_setmetatable(L, -2);
  lua_toclose(L, -1);
  return p;
}


static nl_state *state_new (lua_State *L) {
  nl_state **p = lua_newuserdatauv(L, sizeof(*p), 0), *S;
  *p = NULL;
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, state_gc);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  S = calloc(1, sizeof(*S));
  if (S == NULL) luaL_error(L, "not enough memory");
  S->rt = neap_open(NULL);
  S->C = S->rt ? neap_ctx_open(S->rt) : NULL;
  if (S->C == NULL) {
    neap_close(S->rt);
    free(S);
    luaL_error(L, "not enough memory");
    return NULL;
  }
  S->C->base = 1;
  S->handles = 1;
  S->retries = 1;
  S->print = nx_print_default;
  S->thread = L;
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
  S->main = lua_tothread(L, -1);
  lua_pop(L, 1);
  *p = S;
  lua_rawsetp(L, LUA_REGISTRYINDEX, &state_key);
  return S;
}


/*
** Puts the embedded Lua files where 'require' finds them.
*/
static int load_embedded (lua_State *L) {
  const nl_file *f = lua_touserdata(L, lua_upvalueindex(1));
  luaL_requiref(L, "neap", luaopen_neap, 0);
  lua_pop(L, 1);
  if (luaL_loadbufferx(L, f->text, f->size, f->chunk, "t") != LUA_OK)
    return lua_error(L);
  lua_insert(L, 1);
  lua_call(L, lua_gettop(L) - 1, 1);
  return 1;
}

int nl_open_embedded (lua_State *L, const char *module) {
  for (const nl_file *f = nl_files; f->module != NULL; f++)
    if (strcmp(f->module, module) == 0) {
      lua_pushlightuserdata(L, (void *)(uintptr_t)f);
      lua_pushcclosure(L, load_embedded, 1);
      lua_pushstring(L, module);
      lua_call(L, 1, 1);
      return 1;
    }
  return luaL_error(L, "no module '%s'", module);
}

void nl_preload (lua_State *L) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  for (const nl_file *f = nl_files; f->module != NULL; f++) {
    lua_pushlightuserdata(L, (void *)(uintptr_t)f);
    lua_pushcclosure(L, load_embedded, 1);
    lua_setfield(L, -2, f->module);
  }
  lua_pop(L, 1);
}


/*
** neap is the table of the C functions, which neap/init.lua completes.
*/
int luaopen_neap (lua_State *L) {
  nl_state *S;
  luaL_checkversion(L);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  if (lua_getfield(L, -1, "neap") == LUA_TTABLE) return 1;
  lua_pop(L, 2);
  S = state_new(L);
  nl_preload(L);
  lua_newtable(L);
  lua_pushliteral(L, NEAP_VERSION);
  lua_setfield(L, -2, "_VERSION");
  nl_open_tensor(L, S);
  nl_open_ops(L, S);
  nl_finish_tensor(L, S);
  nl_open_index(L, S);
  nl_open_grad(L, S);
  nl_open_callback(L, S);
  nl_open_scope(L, S);
  nl_open_random(L, S);
  nl_open_module(L, S);
  nl_open_stream(L, S);
  nl_open_plan(L, S);
  nl_open_optim(L, S);
  nl_open_file(L, S);
  nl_open_csv(L, S);
  nl_open_system(L, S);
  nl_open_test(L, S);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  lua_pushvalue(L, -2);                  /* its files require "neap" */
  lua_setfield(L, -2, "neap");
  lua_pop(L, 1);
  lua_getglobal(L, "require");
  lua_pushliteral(L, "neap.init");
  lua_call(L, 1, 0);
  return 1;
}
