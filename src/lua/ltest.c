/*
** The inside, for tests: neap._test. Nothing else may use it.
*/
#include <math.h>
#include <string.h>
#include "base/cpu.h"
#include "lua/lneap.h"


/* fail(n, forever): the n-th request for memory from now fails (0: none);
   no second try after a collection */
static int x_fail (lua_State *L) {
  nl_state *S = nl_S(L);
  lua_Integer n = luaL_checkinteger(L, 1);
  atomic_store(&S->rt->memory.fail_in, n - 1);
  atomic_store(&S->rt->memory.fail_forever, lua_toboolean(L, 2));
  S->retries = n == 0;
  return 0;
}

/* pending() -> true if the failure has not come yet */
static int x_pending (lua_State *L) {
  nl_state *S = nl_S(L);
  lua_pushboolean(L, atomic_load(&S->rt->memory.fail_in) >= 0);
  return 1;
}

/* live() -> tensors, bytes in use, entries of the scope */
static int x_live (lua_State *L) {
  nl_state *S = nl_S(L);
  nx_publish(S->C);
  lua_pushinteger(L, S->C->tensors);
  lua_pushinteger(L, (lua_Integer)atomic_load(&S->rt->memory.used));
  lua_pushinteger(L, (lua_Integer)S->C->scope.count);
  return 3;
}

/* cpu(name): kernels of another instruction set; false if it is not here */
static int x_cpu (lua_State *L) {
  nl_state *S = nl_S(L);
  const char *name = luaL_checkstring(L, 1);
  for (int i = 0; i <= nx_cpu_widest(); i++)
    if (strcmp(nx_cpu_name(i), name) == 0) {
      S->rt->isa = i;
      lua_pushboolean(L, 1);
      return 1;
    }
  lua_pushboolean(L, 0);
  return 1;
}


static const char *item_text (const char *s) { return s ? s : ""; }

static void push_fields (lua_State *L, const nx_field *f) {
  lua_Integer n = 0;
  lua_newtable(L);
  for (; f && f->name; f++) {
    lua_newtable(L);
    lua_pushstring(L, f->name);
    lua_setfield(L, -2, "name");
    lua_pushstring(L, nx_kind_name(f->kind));
    lua_setfield(L, -2, "kind");
    lua_pushstring(L, item_text(f->doc));
    lua_setfield(L, -2, "doc");
    lua_pushboolean(L, f->fallback == NX_REQUIRED);
    lua_setfield(L, -2, "required");
    lua_rawseti(L, -2, ++n);
  }
}

/* ops() -> descriptors as tables */
static int x_ops (lua_State *L) {
  lua_Integer n = 0;
  lua_newtable(L);
  for (const nx_op *const *p = nx_ops; *p; p++) {
    lua_newtable(L);
    lua_pushstring(L, (*p)->name);
    lua_setfield(L, -2, "name");
    lua_pushstring(L, item_text((*p)->doc));
    lua_setfield(L, -2, "doc");
    lua_pushstring(L, (*p)->inputs);
    lua_setfield(L, -2, "inputs");
    lua_pushstring(L, (*p)->call);
    lua_setfield(L, -2, "call");
    lua_pushboolean(L, (*p)->grad != NULL);
    lua_setfield(L, -2, "grad");
    lua_pushboolean(L, ((*p)->flags & NX_INPLACE) != 0);
    lua_setfield(L, -2, "inplace");
    lua_pushboolean(L, ((*p)->flags & NX_INITIALISER) != 0);
    lua_setfield(L, -2, "initialiser");
    lua_pushboolean(L, ((*p)->flags & NX_INNER) != 0);
    lua_setfield(L, -2, "inner");
    lua_pushboolean(L, ((*p)->flags & (NX_ANYTYPE | NX_VIEW)) != 0);
    lua_setfield(L, -2, "anytype");
    push_fields(L, (*p)->fields);
    lua_setfield(L, -2, "fields");
    lua_rawseti(L, -2, ++n);
  }
  return 1;
}

/* layers(), optims() -> the same for these */
static int x_layers (lua_State *L) {
  lua_Integer n = 0;
  lua_newtable(L);
  for (const nx_layer *const *p = nx_layers; *p; p++) {
    lua_newtable(L);
    lua_pushstring(L, (*p)->name);
    lua_setfield(L, -2, "name");
    lua_pushstring(L, item_text(nx_layer_doc(*p)));
    lua_setfield(L, -2, "doc");
    push_fields(L, nx_layer_fields(*p));
    lua_setfield(L, -2, "fields");
    lua_rawseti(L, -2, ++n);
  }
  return 1;
}

static int x_optims (lua_State *L) {
  lua_Integer n = 0;
  lua_newtable(L);
  for (const nx_optim *const *p = nx_optims; *p; p++) {
    lua_newtable(L);
    lua_pushstring(L, (*p)->name);
    lua_setfield(L, -2, "name");
    lua_pushstring(L, item_text((*p)->doc));
    lua_setfield(L, -2, "doc");
    push_fields(L, (*p)->fields);
    lua_setfield(L, -2, "fields");
    lua_rawseti(L, -2, ++n);
  }
  return 1;
}


/* apply(name, options, inputs, count) -> results, through neap.h, where
   everything counts from 0; false in the list: an input left out */
static int x_apply (lua_State *L) {
  nl_state *S = nl_S(L);
  const char *name = luaL_checkstring(L, 1), *options = lua_tostring(L, 2);
  nx_tensor *in[16] = {0}, *out[8] = {0};
  int n = (int)lua_rawlen(L, 3);
  int nout = (int)luaL_checkinteger(L, 4);
  nl_tensor *h[8];
  neap_code code;
  luaL_argcheck(L, n <= 16 && nout <= 8, 3, "too many");
  for (int i = 0; i < n; i++) {
    lua_rawgeti(L, 3, i + 1);
    in[i] = nl_totensor(L, S, -1);
    lua_pop(L, 1);
  }
  for (int i = 0; i < nout; i++) h[i] = nl_newhandle(L, S);
  S->C->base = 0;
  code = neap_apply(S->C, name, options, n, in, nout, out);
  S->C->base = 1;
  if (code != NEAP_OK) return nl_raise(L, S);
  for (int i = 0; i < nout && out[i]; i++) {
    nl_fill(S, h[i], out[i]);
    neap_unref(out[i]);
  }
  return nout;
}


/*
** Errors of vector functions, in units of the last place, against the C
** library's in extended precision.
*/
typedef struct exact {
  const char *name;
  long double (*f) (long double);
} exact;

static long double sigmoid_exact (long double x) {
  return 1 / (1 + expl(-x));
}

static long double gelu_exact (long double x) {
  return x * erfcl(-x / sqrtl(2)) / 2;
}

static const exact exacts[] = {
  {"exp", expl}, {"log", logl}, {"tanh", tanhl}, {"erf", erfl},
  {"sin", sinl}, {"cos", cosl}, {"expm1", expm1l}, {"log1p", log1pl},
  {"sigmoid", sigmoid_exact}, {"gelu", gelu_exact}, {NULL, NULL}
};

/* y as the type has it; the unit is that of the exact result */
static double ulp_of (long double y, double got, int wide) {
  int digits = wide ? 53 : 24, least = wide ? -1074 : -149, e;
  frexpl(y, &e);
  e = e - digits < least ? least : e - digits;
  return (double)(fabsl((long double)got - y) / ldexpl(1, e));
}

/* ulp(name, x) -> largest error of neap.name(x), and for which element */
static int x_ulp (lua_State *L) {
  nl_state *S = nl_S(L);
  const char *name = luaL_checkstring(L, 1);
  nx_tensor *x = nl_checktensor(L, S, 2), *y = nl_checktensor(L, S, 3);
  int64_t size = (int64_t)nx_dtype_size(x->dtype), at = 0;
  const exact *e = exacts;
  double worst = 0;
  while (e->name && strcmp(e->name, name) != 0) e++;
  luaL_argcheck(L, e->name != NULL, 1, "no such function");
  for (int64_t i = 0; i < x->len; i++) {
    long double right = e->f((long double)nx_get_number(x, x->data +
                                                        i * size));
    double got = nx_get_number(y, y->data + i * size);
    double error = ulp_of(right, got, x->dtype == NEAP_F64);
    if (!(error <= worst)) {
      worst = error;
      at = i;
    }
  }
  lua_pushnumber(L, worst);
  lua_pushnumber(L, nx_get_number(x, x->data + at * size));
  return 2;
}


static const luaL_Reg functions[] = {
  {"apply", x_apply}, {"ulp", x_ulp}, {"fail", x_fail},
  {"pending", x_pending}, {"live", x_live},
  {"cpu", x_cpu}, {"ops", x_ops}, {"layers", x_layers},
  {"optims", x_optims}, {NULL, NULL}
};

void nl_open_test (lua_State *L, nl_state *S) {
  lua_newtable(L);
  nl_setfuncs(L, S, functions);
  lua_setfield(L, -2, "_test");
}
