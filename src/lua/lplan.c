/*
** Recording models, and plans of model files, for the part that is written
** in Lua.
*/
#include <stdio.h>
#include <string.h>
#include "base/os.h"
#include "base/text.h"
#include "lua/lneap.h"
#include "plan/fuse.h"
#include "plan/graphfile.h"
#include "plan/model.h"
#include "plan/recorder.h"

static const char plan_meta_key = 0;

typedef struct nl_plan {
  nl_state *S;
  nx_plan *p;
} nl_plan;


/*
** Recording. One goes on at a time; it is kept by the context.
*/

/* _trace_begin({x, ...}, numbers may be read) */
static int n_trace_begin (lua_State *L) {
  nl_state *S = nl_S(L);
  int n;
  nx_tensor **in = nl_tensors(L, S, 1, &n);
  S->unguarded = lua_toboolean(L, 2);
  nx_recorder_begin(S->C, n, in);
  nl_check(L, S);
  return 0;
}

void nl_may_read (lua_State *L, nl_state *S, const nx_tensor *t) {
  if (S->C->applied == NULL || S->unguarded || !nx_recorder_depends(S->C, t))
    return;
  nl_error(L, S, "export: the model reads numbers of a tensor that depends "
           "on its input, which a recorded graph cannot follow (compute with "
           "tensors, or give the option allow_numbers = true if they are "
           "always the same)");
}

/* _recording(): is a model being recorded? */
static int n_recording (lua_State *L) {
  nl_state *S = nl_S(L);
  lua_pushboolean(L, S->C->applied != NULL);
  return 1;
}

/* _trace_cancel(): if one goes on */
static int n_trace_cancel (lua_State *L) {
  nl_state *S = nl_S(L);
  nx_recorder_cancel(S->C->applied_ud);
  return 0;
}


/* names of weights: those of the module (stack: names, tensors), and of
   constants, which come into the table at 'constants' */
static void name_weights (lua_State *L, nl_state *S, nx_graph *g, int names,
                          int constants) {
  int n, count = 0;
  nx_tensor **own = nl_tensors(L, S, names + 1, &n);
  for (int i = 0; i < g->nwires; i++) {
    nx_wire *w = &g->wires[i];
    if (w->origin != NX_WEIGHT || w->t == NULL) continue;
    for (int k = 0; k < n && !*w->name; k++)
      if (nx_same_elements(own[k], w->t)) {
        lua_rawgeti(L, names, k + 1);
        snprintf(w->name, sizeof(w->name), "%s", lua_tostring(L, -1));
        lua_pop(L, 1);
      }
    if (*w->name) continue;
    snprintf(w->name, sizeof(w->name), "neap.constant.%d", ++count);
    {
      nl_tensor *h = nl_newhandle(L, S);
      nl_fill(S, h, w->t);
    }
    lua_setfield(L, constants, w->name);
  }
  lua_pop(L, 1);
}

static int graph_gc (lua_State *L) {
  nx_graph **g = lua_touserdata(L, 1);
  nx_graph_free(*g);
  *g = NULL;
  return 0;
}

static int text_gc (lua_State *L) {
  nx_text *t = lua_touserdata(L, 1);
  if (t->C) nx_text_close(t);
  return 0;
}

/* _trace_end({y, ...}, {names of inputs}, {names}, {tensors}, fold) -> the
   graph as text, constants by name */
static int n_trace_end (lua_State *L) {
  nl_state *S = nl_S(L);
  nx_graph **g;
  nx_text *text;
  int n, constants;
  nx_tensor **out;
  nx_recorder *r = S->C->applied_ud;
  if (r == NULL) return nl_error(L, S, "nothing is being recorded");
  lua_settop(L, 5);
  out = nl_tensors(L, S, 1, &n);
  g = nl_newclosing(L, sizeof(*g), graph_gc);
  text = nl_newclosing(L, sizeof(*text), text_gc);
  *g = nx_recorder_end(r, n, out);
  if (*g && lua_toboolean(L, 5)) nx_graph_fold(*g);
  nl_check(L, S);
  for (int i = 0; i < (*g)->ngiven; i++) {
    lua_rawgeti(L, 2, i + 1);
    snprintf((*g)->wires[i].name, sizeof((*g)->wires[i].name), "%s",
             luaL_optstring(L, -1, ""));
    lua_pop(L, 1);
  }
  lua_newtable(L);
  constants = lua_gettop(L);
  name_weights(L, S, *g, 3, constants);
  nx_text_open(S->C, text);
  nx_graph_put(S->C, *g, text);
  nl_check(L, S);
  lua_pushlstring(L, text->s, text->n);
  lua_insert(L, constants);
  return 2;
}


/*
** Plans.
*/
static int plan_gc (lua_State *L) {
  nl_plan *h = lua_touserdata(L, 1);
  nl_state *S = h->S;
  if (S == NULL) return 0;
  h->S = NULL;
  nx_plan_free(h->p);
  h->p = NULL;
  nl_unuse(S);
  return 0;
}

static nx_plan *check_plan (lua_State *L, nl_state *S) {
  nl_plan *h = lua_touserdata(L, 1);
  int same = 0;
  if (h && lua_getmetatable(L, 1)) {
    lua_rawgetp(L, LUA_REGISTRYINDEX, &plan_meta_key);
    same = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
  }
  if (!same) nl_error(L, S, "a plan expected, not %s", luaL_typename(L, 1));
  if (h->p == NULL) nl_error(L, S, "this plan is closed");
  return h->p;
}

static int model_gc (lua_State *L) {
  nx_model **m = lua_touserdata(L, 1);
  nx_model_unref(*m);
  *m = NULL;
  return 0;
}

static nx_model **open_model (lua_State *L, nl_state *S) {
  nx_model **m = nl_newclosing(L, sizeof(*m), model_gc);
  *m = nx_model_open(S->C, luaL_checkstring(L, 1));
  nl_check(L, S);
  return m;
}

/* _plan(path, {x, ...}): for inputs like these; {}: as recorded */
static int n_plan (lua_State *L) {
  nl_state *S = nl_S(L);
  nl_plan *h;
  nx_model **m;
  nx_tensor **in;
  int n;
  lua_settop(L, 2);
  m = open_model(L, S);
  in = nl_tensors(L, S, 2, &n);
  h = lua_newuserdatauv(L, sizeof(*h), 0);
  h->S = NULL;
  h->p = NULL;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &plan_meta_key);
  lua_setmetatable(L, -2);
  h->p = nx_model_plan(S->C, *m, n, (const nx_tensor *const *)in, NULL, 0);
  nl_check(L, S);
  h->S = S;
  S->handles++;
  return 1;
}

/* _check_model(path) -> number of examples, worst relative difference */
static int n_check_model (lua_State *L) {
  nl_state *S = nl_S(L);
  nx_model **m = open_model(L, S);
  double worst;
  int n = nx_model_check(S->C, *m, &worst);
  nl_check(L, S);
  lua_pushinteger(L, n);
  lua_pushnumber(L, worst);
  return 2;
}


static void fail_as_plan (lua_State *L, nl_state *S, nx_plan *p) {
  nx_ctx *own = nx_plan_context(p);
  if (nx_status(own) == 0) return;
  nx_fail(S->C, own->status, "%s", own->message);
  neap_clear(own);
  nl_check(L, S);
}

/* Fewer rows than planned are asked for by giving them. */
static void give_rows (lua_State *L, nl_state *S, nx_plan *p) {
  int64_t most = nx_plan_most_rows(p), rows = most;
  const nx_tensor *x, *own;
  if (nx_plan_inputs(p) == 0) return;
  x = nl_checktensor(L, S, 2);
  own = nx_plan_input(p, 0);
  if (x->dtype == own->dtype && x->ndim == own->ndim && x->ndim > 0 &&
      x->shape[0] > 0 && x->shape[0] < most &&
      memcmp(x->shape + 1, own->shape + 1,
             (size_t)(x->ndim - 1) * sizeof(*x->shape)) == 0)
    rows = x->shape[0];
  if (own->ndim > 0) nx_plan_rows(p, rows);
  fail_as_plan(L, S, p);
}

/* plan:give(x, ...): copies them to where the plan reads them */
static int p_give (lua_State *L) {
  nl_state *S = nl_S(L);
  nx_plan *p = check_plan(L, S);
  int n = nx_plan_inputs(p);
  size_t mark = S->mark;
  if (lua_gettop(L) - 1 != n)
    nl_error(L, S, "the plan takes %d tensors, not %d", n,
             lua_gettop(L) - 1);
  give_rows(L, S, p);
  for (int i = 0; i < n; i++) {
    nx_tensor *x = nl_checktensor(L, S, i + 2);
    const nx_tensor *own = nx_plan_input(p, i);
    char a[NX_SHAPE_TEXT], b[NX_SHAPE_TEXT];
    if (x->dtype != own->dtype || !nx_same_shape(x, own))
      nl_error(L, S, "input %d is %s %s, but the plan is for %s %s", i + 1,
               nx_dtype_name(x->dtype), nx_shape_of(x, a),
               nx_dtype_name(own->dtype), nx_shape_of(own, b));
    x = nx_dense(S->C, x);
    nl_check(L, S);
    memcpy(own->data, x->data, (size_t)x->len * nx_dtype_size(x->dtype));
  }
  nx_pop(S->C, mark, NULL);
  lua_settop(L, 1);
  return 1;
}

static uint64_t now_ns (void *ud) {
  (void)ud;
  return nx_clock_ns();
}

/* plan:step(seconds) -> true when it is done; nil: all of it */
static int p_step (lua_State *L) {
  nl_state *S = nl_S(L);
  nx_plan *p = check_plan(L, S);
  int left = 0;
  if (lua_isnoneornil(L, 2)) nx_plan_run(p);
  else left = nx_plan_step(p, (uint64_t)(luaL_checknumber(L, 2) * 1e9),
                           now_ns, NULL);
  fail_as_plan(L, S, p);
  lua_pushboolean(L, !left);
  return 1;
}

/* plan:results() -> copies of what it made */
static int p_results (lua_State *L) {
  nl_state *S = nl_S(L);
  nx_plan *p = check_plan(L, S);
  int n = nx_plan_outputs(p);
  nl_tensor *h[NX_MAXSHOWN];
  nx_tensor *y[NX_MAXSHOWN];
  size_t mark = S->mark;
  nl_newhandles(L, S, n, h);
  for (int i = 0; i < n; i++) {
    const nx_tensor *own = nx_plan_output(p, i);
    y[i] = nx_new(S->C, own->dtype, own->ndim, own->shape);
    if (y[i]) nx_copy(S->C, y[i], nx_alias(S->C,
                                           (nx_tensor *)(uintptr_t)own));
  }
  return nl_results(L, S, n, h, n, y, mark);
}

/* plan:state() -> what it hands to the next run, as bytes */
static int p_state (lua_State *L) {
  nl_state *S = nl_S(L);
  nx_plan *p = check_plan(L, S);
  luaL_Buffer b;
  size_t n = nx_plan_state_bytes(p);
  nx_plan_save_state(p, luaL_buffinitsize(L, &b, n));
  luaL_pushresultsize(&b, n);
  return 1;
}

/* plan:restore(state) */
static int p_restore (lua_State *L) {
  nl_state *S = nl_S(L);
  nx_plan *p = check_plan(L, S);
  size_t n, want = nx_plan_state_bytes(p);
  const char *s = luaL_checklstring(L, 2, &n);
  if (n != want)
    nl_error(L, S, "restore: a state of %I bytes, expected %I",
             (lua_Integer)n, (lua_Integer)want);
  nx_plan_load_state(p, s);
  lua_settop(L, 1);
  return 1;
}

static int p_reset (lua_State *L) {
  nl_state *S = nl_S(L);
  nx_plan_reset(check_plan(L, S));
  lua_settop(L, 1);
  return 1;
}

/* plan:info() -> {bytes =, pieces =, state =} */
static int p_info (lua_State *L) {
  nl_state *S = nl_S(L);
  nx_plan *p = check_plan(L, S);
  lua_newtable(L);
  lua_pushinteger(L, (lua_Integer)nx_plan_bytes(p));
  lua_setfield(L, -2, "bytes");
  lua_pushinteger(L, nx_plan_pieces(p));
  lua_setfield(L, -2, "pieces");
  lua_pushinteger(L, (lua_Integer)nx_plan_state_bytes(p));
  lua_setfield(L, -2, "state");
  return 1;
}

/* plan(x, ...) -> results */
static int p_call (lua_State *L) {
  nl_state *S = nl_S(L);
  nx_plan *p = check_plan(L, S);
  p_give(L);
  nx_plan_run(p);
  fail_as_plan(L, S, p);
  lua_settop(L, 1);
  return p_results(L);
}


static const luaL_Reg methods[] = {
  {"give", p_give}, {"step", p_step}, {"results", p_results},
  {"state", p_state}, {"restore", p_restore}, {"reset", p_reset},
  {"info", p_info}, {NULL, NULL}
};

static const luaL_Reg meta[] = {{"__call", p_call}, {NULL, NULL}};

static const luaL_Reg functions[] = {
  {"_recording", n_recording}, {"_trace_begin", n_trace_begin},
  {"_trace_cancel", n_trace_cancel},
  {"_trace_end", n_trace_end}, {"_plan", n_plan},
  {"_check_model", n_check_model}, {NULL, NULL}
};

void nl_open_plan (lua_State *L, nl_state *S) {
  nl_setfuncs(L, S, functions);
  lua_newtable(L);
  nl_setfuncs(L, S, meta);
  lua_newtable(L);
  nl_setfuncs(L, S, methods);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, plan_gc);
  lua_setfield(L, -2, "__gc");
  lua_pushliteral(L, "neap.plan");
  lua_pushvalue(L, -1);
  lua_setfield(L, -3, "__metatable");
  lua_setfield(L, -2, "__name");
  lua_rawsetp(L, LUA_REGISTRYINDEX, &plan_meta_key);
}
