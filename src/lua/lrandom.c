/*
** Generators of random numbers, and the context's own.
*/
#include "lua/lneap.h"


static int generator_gc (lua_State *L) {
  nl_generator *g = lua_touserdata(L, 1);
  nl_state *S = g->S;
  g->S = NULL;
  if (S) nl_unuse(S);
  return 0;
}


nl_generator *nl_togenerator (lua_State *L, nl_state *S, int i) {
  nl_generator *g = lua_touserdata(L, i);
  const void *meta;
  if (g == NULL || !lua_getmetatable(L, i)) return NULL;
  meta = lua_topointer(L, -1);
  lua_pop(L, 1);
  return meta == S->generator_meta ? g : NULL;
}

static nx_generator *check_generator (lua_State *L, nl_state *S) {
  nl_generator *g = nl_togenerator(L, S, 1);
  if (g == NULL) nl_error(L, S, "a generator expected, not %s",
                          luaL_typename(L, 1));
  return &g->g;
}


/* neap.generator(seed) */
static int n_generator (lua_State *L) {
  nl_state *S = nl_S(L);
  lua_Integer seed = luaL_optinteger(L, 1, 42);
  nl_generator *g = lua_newuserdatauv(L, sizeof(*g), 0);
  g->S = NULL;
  g->g.key = (uint64_t)seed;
  g->g.counter = 0;
  lua_rawgetp(L, LUA_REGISTRYINDEX, S->generator_meta);
  lua_setmetatable(L, -2);
  g->S = S;
  S->handles++;
  return 1;
}


static int push_state (lua_State *L, const nx_generator *g) {
  lua_createtable(L, 2, 0);
  lua_pushinteger(L, (lua_Integer)g->key);
  lua_rawseti(L, -2, 1);
  lua_pushinteger(L, (lua_Integer)g->counter);
  lua_rawseti(L, -2, 2);
  return 1;
}

static int read_state (lua_State *L, nl_state *S, int i, nx_generator *g) {
  lua_Integer v[2];
  luaL_checktype(L, i, LUA_TTABLE);
  for (int k = 0; k < 2; k++) {
    int ok;
    lua_rawgeti(L, i, k + 1);
    v[k] = lua_tointegerx(L, -1, &ok);
    if (!ok) return nl_error(L, S, "a state is a list of two integers, as "
                             "get_state gives it");
    lua_pop(L, 1);
  }
  g->key = (uint64_t)v[0];
  g->counter = (uint64_t)v[1];
  return 0;
}

static int g_get_state (lua_State *L) {
  nl_state *S = nl_S(L);
  return push_state(L, check_generator(L, S));
}

static int g_set_state (lua_State *L) {
  nl_state *S = nl_S(L);
  return read_state(L, S, 2, check_generator(L, S));
}

static int g_manual_seed (lua_State *L) {
  nl_state *S = nl_S(L);
  nx_generator *g = check_generator(L, S);
  g->key = (uint64_t)luaL_checkinteger(L, 2);
  g->counter = 0;
  lua_settop(L, 1);
  return 1;
}

/* g:random() in [0, 1); g:random(n) in 1 .. n; g:random(a, b) in a .. b */
static int random_from (lua_State *L, nl_state *S, nx_generator *g, int i) {
  double u = nx_random_number(g);
  lua_Integer low = 1, high;
  if (lua_isnoneornil(L, i)) {
    lua_pushnumber(L, u);
    return 1;
  }
  high = luaL_checkinteger(L, i);
  if (!lua_isnoneornil(L, i + 1)) {
    low = high;
    high = luaL_checkinteger(L, i + 1);
  }
  if (low > high || (lua_Unsigned)high - (lua_Unsigned)low >
                    (lua_Unsigned)1 << 53)
    return nl_error(L, S, "random: the interval is empty or too large");
  lua_pushinteger(L, low + (lua_Integer)(u * ((double)(high - low) + 1)));
  return 1;
}

static int g_random (lua_State *L) {
  nl_state *S = nl_S(L);
  return random_from(L, S, check_generator(L, S), 2);
}


static int n_manual_seed (lua_State *L) {
  nl_state *S = nl_S(L);
  neap_manual_seed(S->C, (uint64_t)luaL_checkinteger(L, 1));
  return 0;
}

static int n_get_rng_state (lua_State *L) {
  nl_state *S = nl_S(L);
  return push_state(L, &S->C->random);
}

static int n_set_rng_state (lua_State *L) {
  nl_state *S = nl_S(L);
  return read_state(L, S, 1, &S->C->random);
}


static const luaL_Reg functions[] = {
  {"generator", n_generator}, {"manual_seed", n_manual_seed},
  {"get_rng_state", n_get_rng_state}, {"set_rng_state", n_set_rng_state},
  {NULL, NULL}
};

static const luaL_Reg methods[] = {
  {"get_state", g_get_state}, {"set_state", g_set_state},
  {"manual_seed", g_manual_seed}, {"random", g_random}, {NULL, NULL}
};

void nl_open_random (lua_State *L, nl_state *S) {
  nl_setfuncs(L, S, functions);
  lua_newtable(L);
  S->generator_meta = lua_topointer(L, -1);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, S->generator_meta);
  lua_newtable(L);
  nl_setfuncs(L, S, methods);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, generator_gc);
  lua_setfield(L, -2, "__gc");
  lua_pushliteral(L, "neap.generator");
  lua_pushvalue(L, -1);
  lua_setfield(L, -3, "__metatable");
  lua_setfield(L, -2, "__name");
  lua_pop(L, 1);
}
