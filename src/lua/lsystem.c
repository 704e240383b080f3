/*
** The machine: threads, memory, clock, terminal.
*/
#include "base/cpu.h"
#include "base/os.h"
#include "base/threads.h"
#include "lua/lneap.h"
#include "tensor/blas.h"


static int n_set_num_threads (lua_State *L) {
  nl_state *S = nl_S(L);
  lua_Integer n = luaL_checkinteger(L, 1);
  if (n < 0 || n > 4096)
    return nl_error(L, S, "set_num_threads: %I is not a number of threads "
                    "(0: one for each processor)", n);
  nx_pool_set_threads(S->rt->pool, (int)n);
  return 0;
}

static int n_get_num_threads (lua_State *L) {
  nl_state *S = nl_S(L);
  lua_pushinteger(L, nx_pool_threads(S->rt->pool));
  return 1;
}


static int n_set_memory_limit (lua_State *L) {
  nl_state *S = nl_S(L);
  lua_Integer n = luaL_checkinteger(L, 1);
  if (n < 0) return nl_error(L, S, "set_memory_limit: bytes must not be "
                             "negative (0: no limit)");
  neap_set_memory_limit(S->rt, (size_t)n);
  return 0;
}

static int n_empty_cache (lua_State *L) {
  nl_state *S = nl_S(L);
  nx_cache_flush(S->C);
  return 0;
}


static void set_size (lua_State *L, const char *name, size_t n) {
  lua_pushinteger(L, (lua_Integer)n);
  lua_setfield(L, -2, name);
}

/* neap.memory() -> used, cached, peak, limit, requests, system, tensors */
static int n_memory (lua_State *L) {
  nl_state *S = nl_S(L);
  neap_memory m;
  nx_publish(S->C);
  neap_memory_info(S->rt, &m);
  lua_newtable(L);
  set_size(L, "used", m.used);
  set_size(L, "cached", m.cached);
  set_size(L, "peak", m.peak);
  set_size(L, "limit", m.limit);
  set_size(L, "requests", (size_t)m.requests);
  set_size(L, "system", (size_t)m.system);
  set_size(L, "tensors", (size_t)S->C->tensors);
  set_size(L, "resident", nx_resident_bytes(0));
  set_size(L, "resident_peak", nx_resident_bytes(1));
  return 1;
}


/* neap.info() -> version, cpu, blas, threads, deterministic */
static int n_info (lua_State *L) {
  nl_state *S = nl_S(L);
  lua_newtable(L);
  lua_pushstring(L, neap_version());
  lua_setfield(L, -2, "version");
  lua_pushstring(L, nx_cpu_name(S->rt->isa));
  lua_setfield(L, -2, "cpu");
  lua_pushstring(L, nx_blas_name());
  lua_setfield(L, -2, "blas");
  lua_pushinteger(L, nx_pool_threads(S->rt->pool));
  lua_setfield(L, -2, "threads");
  lua_pushboolean(L, S->rt->deterministic);
  lua_setfield(L, -2, "deterministic");
  return 1;
}

static int n_set_deterministic (lua_State *L) {
  nl_state *S = nl_S(L);
  luaL_checktype(L, 1, LUA_TBOOLEAN);
  S->rt->deterministic = lua_toboolean(L, 1);
  return 0;
}


/* _raise(message): at the nearest line that is not the library's */
static int n_raise (lua_State *L) {
  nl_state *S = nl_S(L);
  return nl_error(L, S, "%s", luaL_checkstring(L, 1));
}

/* _nearest(words, name) -> the word that may have been meant, or nil */
static int n_nearest (lua_State *L) {
  char near[64];
  if (nx_nearest(luaL_checkstring(L, 1), luaL_checkstring(L, 2), near,
                 sizeof(near))) lua_pushstring(L, near);
  else lua_pushnil(L);
  return 1;
}


/* neap.clock(): seconds that only go forward */
static int n_clock (lua_State *L) {
  lua_pushnumber(L, (double)nx_clock_ns() * 1e-9);
  return 1;
}

/* neap.terminal_columns(): of the terminal behind stderr, or nil */
static int n_terminal_columns (lua_State *L) {
  int n = nx_terminal_columns();
  if (n > 0) lua_pushinteger(L, n);
  else lua_pushnil(L);
  return 1;
}


static const luaL_Reg functions[] = {
  {"set_num_threads", n_set_num_threads},
  {"get_num_threads", n_get_num_threads},
  {"set_memory_limit", n_set_memory_limit},
  {"empty_cache", n_empty_cache}, {"memory", n_memory}, {"info", n_info},
  {"set_deterministic", n_set_deterministic}, {"clock", n_clock},
  {"_nearest", n_nearest}, {"_raise", n_raise},
  {"terminal_columns", n_terminal_columns}, {NULL, NULL}
};

void nl_open_system (lua_State *L, nl_state *S) {
  nl_setfuncs(L, S, functions);
}
