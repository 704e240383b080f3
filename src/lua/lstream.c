/*
** Recurrent layers step by step, in Lua: stream(x) is a step.
*/
#include "lua/lneap.h"
#include "nn/stream.h"

static const char stream_meta_key = 0;

typedef struct nl_stream {
  nl_state *S;
  nx_stream *s;
} nl_stream;                             /* user value: the output's handle */


static int stream_gc (lua_State *L) {
  nl_stream *h = lua_touserdata(L, 1);
  nl_state *S = h->S;
  if (S == NULL) return 0;
  h->S = NULL;
  nx_stream_free(h->s);
  h->s = NULL;
  nl_unuse(S);
  return 0;
}

static nx_stream *check_stream (lua_State *L, nl_state *S) {
  nl_stream *h = lua_touserdata(L, 1);
  int same = 0;
  if (h && lua_getmetatable(L, 1)) {
    lua_rawgetp(L, LUA_REGISTRYINDEX, &stream_meta_key);
    same = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
  }
  if (!same) nl_error(L, S, "a stream expected, not %s", luaL_typename(L, 1));
  if (h->s == NULL) nl_error(L, S, "this stream is closed");
  return h->s;
}


/* _stream(module, batch) */
static int n_stream (lua_State *L) {
  nl_state *S = nl_S(L);
  nx_module *m = nl_checkmodule(L, S, 1);
  int64_t batch = luaL_optinteger(L, 2, 0);
  nl_stream *h = lua_newuserdatauv(L, sizeof(*h), 1);
  int tried = 0;
  h->S = NULL;
  h->s = NULL;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &stream_meta_key);
  lua_setmetatable(L, -2);
  do h->s = nx_stream_new(S->C, m, batch);
  while (h->s == NULL && nl_again(L, S, &tried));
  nl_check(L, S);
  h->S = S;
  S->handles++;
  nl_pushheld(L, S, nx_stream_output(h->s));
  lua_setiuservalue(L, -2, 1);
  return 1;
}


static nx_tensor *check_input (lua_State *L, nl_state *S,
                               const nx_stream *s) {
  nx_tensor *x = nl_checktensor(L, S, 2);
  const nx_tensor *y = nx_stream_output(s);
  int64_t in = nx_stream_inputs(s);
  int ndim = y->ndim;
  if (ndim == 2) in /= y->shape[0];
  if (x->dtype != nx_stream_dtype(s))
    nl_error(L, S, "stream: x is %s, but the weights are %s",
             nx_dtype_name(x->dtype), nx_dtype_name(nx_stream_dtype(s)));
  if (x->ndim != ndim || x->shape[ndim - 1] != in ||
      (ndim == 2 && x->shape[0] != y->shape[0])) {
    char text[NX_SHAPE_TEXT];
    if (ndim == 1)
      nl_error(L, S, "stream: x is %s, expected %I", nx_shape_of(x, text),
               (lua_Integer)in);
    nl_error(L, S, "stream: x is %s, expected %Ix%I", nx_shape_of(x, text),
             (lua_Integer)y->shape[0], (lua_Integer)in);
  }
  return x;
}

/* stream(x) -> y, which the next step overwrites */
static int s_call (lua_State *L) {
  nl_state *S = nl_S(L);
  nx_stream *s = check_stream(L, S);
  nx_tensor *x = check_input(L, S, s);
  size_t mark = S->mark;
  x = nx_dense(S->C, x);
  nl_check(L, S);
  nx_stream_step(s, x->data);
  nx_pop(S->C, mark, NULL);
  lua_getiuservalue(L, 1, 1);
  return 1;
}

/* stream:_state() -> h, c, as the stream has them */
static int s_state (lua_State *L) {
  nl_state *S = nl_S(L);
  nx_stream *s = check_stream(L, S);
  nl_pushheld(L, S, nx_stream_hidden(s));
  nl_pushheld(L, S, nx_stream_cell(s));
  return 2;
}

/* stream:reset() */
static int s_reset (lua_State *L) {
  nl_state *S = nl_S(L);
  nx_stream_reset(check_stream(L, S));
  nl_check(L, S);
  lua_settop(L, 1);
  return 1;
}


static const luaL_Reg methods[] = {
  {"_state", s_state}, {"reset", s_reset}, {NULL, NULL}
};

static const luaL_Reg meta[] = {{"__call", s_call}, {NULL, NULL}};

static const luaL_Reg functions[] = {{"_stream", n_stream}, {NULL, NULL}};

void nl_open_stream (lua_State *L, nl_state *S) {
  nl_setfuncs(L, S, functions);
  lua_newtable(L);
  nl_setfuncs(L, S, meta);
  lua_newtable(L);
  nl_setfuncs(L, S, methods);
  lua_pushvalue(L, -1);
  lua_setfield(L, -4, "_stream_methods");
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, stream_gc);
  lua_setfield(L, -2, "__gc");
  lua_pushliteral(L, "neap.stream");
  lua_pushvalue(L, -1);
  lua_setfield(L, -3, "__metatable");
  lua_setfield(L, -2, "__name");
  lua_rawsetp(L, LUA_REGISTRYINDEX, &stream_meta_key);
}
