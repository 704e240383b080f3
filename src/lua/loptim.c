/*
** Optimisers in Lua.
*/
#include <string.h>
#include "lua/lneap.h"

static const char optim_meta_key = 0, group_meta_key = 0;

typedef struct nl_optim {
  nl_state *S;
  nx_optimizer *o;
} nl_optim;                              /* user value: param_groups */

typedef struct nl_group { int at; } nl_group;   /* user value: optimiser */


static int optim_gc (lua_State *L) {
  nl_optim *h = lua_touserdata(L, 1);
  nl_state *S = h->S;
  if (S == NULL) return 0;
  h->S = NULL;
  nx_optimizer_free(h->o);
  h->o = NULL;
  nl_unuse(S);
  return 0;
}


static void *check_meta (lua_State *L, nl_state *S, int i, const void *key,
                         const char *what) {
  void *p = lua_touserdata(L, i);
  int same = 0;
  if (p && lua_getmetatable(L, i)) {
    lua_rawgetp(L, LUA_REGISTRYINDEX, key);
    same = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
  }
  if (!same) nl_error(L, S, "%s expected, not %s", what,
                      luaL_typename(L, i));
  return p;
}

static nx_optimizer *check_optim (lua_State *L, nl_state *S, int i) {
  nl_optim *h = check_meta(L, S, i, &optim_meta_key, "an optimiser");
  if (h->o == NULL) nl_error(L, S, "this optimiser is closed");
  return h->o;
}


/*
** A group in Lua: options by name, and 'params'.
*/
static nx_group *group_at (lua_State *L, nl_state *S) {
  nl_group *g = check_meta(L, S, 1, &group_meta_key, "a parameter group");
  nl_optim *h;
  lua_getiuservalue(L, 1, 1);
  h = lua_touserdata(L, -1);
  lua_pop(L, 1);
  return &h->o->groups[g->at];
}

static const nx_field *group_field (lua_State *L, nl_state *S,
                                    const char **who) {
  nl_optim *h;
  lua_getiuservalue(L, 1, 1);
  h = lua_touserdata(L, -1);
  lua_pop(L, 1);
  *who = h->o->kind->name;
  (void)S;
  return nx_field_find(h->o->kind->fields, luaL_checkstring(L, 2));
}

static int g_index (lua_State *L) {
  nl_state *S = nl_S(L);
  nx_group *g = group_at(L, S);
  const char *who;
  const nx_field *f;
  if (strcmp(luaL_checkstring(L, 2), "params") == 0) {
    lua_createtable(L, g->n, 0);
    for (int i = 0; i < g->n; i++) {
      nl_pushheld(L, S, g->states[i].param);
      lua_rawseti(L, -2, i + 1);
    }
    return 1;
  }
  if ((f = group_field(L, S, &who)) != NULL) {
    nl_pushfield(L, S, f, g->args);
    return 1;
  }
  lua_getiuservalue(L, 1, 2);             /* what schedules note there */
  lua_pushvalue(L, 2);
  lua_rawget(L, -2);
  return 1;
}

static int g_newindex (lua_State *L) {
  nl_state *S = nl_S(L);
  nx_group *g = group_at(L, S);
  const char *who;
  const nx_field *f = group_field(L, S, &who);
  if (f != NULL) {
    nl_setfield(L, S, who, f, g->args, 3);
    return 0;
  }
  if (strcmp(lua_tostring(L, 2), "params") == 0)
    return nl_error(L, S, "%s: parameters are added with add_param_group",
                    who);
  lua_getiuservalue(L, 1, 2);
  lua_pushvalue(L, 2);
  lua_pushvalue(L, 3);
  lua_rawset(L, -3);
  return 0;
}

static void push_group (lua_State *L, int optim, int at) {
  nl_group *g = lua_newuserdatauv(L, sizeof(*g), 2);
  g->at = at;
  lua_pushvalue(L, optim);
  lua_setiuservalue(L, -2, 1);
  lua_newtable(L);
  lua_setiuservalue(L, -2, 2);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &group_meta_key);
  lua_setmetatable(L, -2);
}


/*
** Adds the group of tensors in the table at 'params', with options (0:
** none) over the defaults at 'args'.
*/
static void add_group (lua_State *L, nl_state *S, nl_optim *h, int optim,
                       int params, int options, const void *defaults) {
  const nx_optim *k = h->o->kind;
  lua_Integer n = (lua_Integer)lua_rawlen(L, params);
  union { char bytes[256]; double d; } args;
  nx_tensor **list = lua_newuserdatauv(L, (size_t)(n + 1) * sizeof(*list),
                                       0);
  memcpy(args.bytes, defaults, k->argsize);
  if (n == 0) nl_error(L, S, "%s: the list of parameters is empty", k->name);
  for (lua_Integer i = 1; i <= n; i++) {
    lua_rawgeti(L, params, i);
    list[i - 1] = nl_totensor(L, S, -1);
    if (list[i - 1] == NULL)
      nl_error(L, S, "%s: parameter %I is %s, not a tensor", k->name, i,
               luaL_typename(L, -1));
    lua_pop(L, 1);
  }
  if (options) {
    lua_pushnil(L);
    while (lua_next(L, options)) {
      if (lua_type(L, -2) == LUA_TSTRING &&
          strcmp(lua_tostring(L, -2), "params") != 0) {
        const nx_field *f = nx_field_find(k->fields, lua_tostring(L, -2));
        if (f == NULL) {
          nx_fields_unknown(S->C, k->name, k->fields, "params",
                            lua_tostring(L, -2));
          nl_raise(L, S);
        }
        nl_setfield(L, S, k->name, f, args.bytes, lua_gettop(L));
      }
      lua_pop(L, 1);
    }
  }
  nx_optimizer_add(S->C, h->o, args.bytes, (int)n, list);
  nl_check(L, S);
  for (lua_Integer i = 1; i <= n; i++) {      /* their handles stay keys */
    list[i - 1]->flags |= NX_HELD;
    lua_rawgeti(L, params, i);
    nl_adopt(L, lua_gettop(L), list[i - 1]);
    lua_pop(L, 1);
  }
  lua_getiuservalue(L, optim, 1);
  push_group(L, optim, h->o->ngroups - 1);
  lua_rawseti(L, -2, h->o->ngroups);
  lua_pop(L, 2);
}


/* optim.Kind(params, options), or a list of groups {params = ..., lr = ...} */
static int n_optim (lua_State *L) {
  nl_state *S = nl_S(L);
  const nx_optim *k = lua_touserdata(L, lua_upvalueindex(2));
  union { char bytes[256]; double d; } args;
  nl_optim *h;
  int self;
  memset(args.bytes, 0, sizeof(args.bytes));   /* options it does not have */
  nx_fields_default(S->C, k->fields, args.bytes);
  if (nl_tomodule(L, S, 1) != NULL)
    return nl_error(L, S, "%s: expected a list of parameters, not a module; "
                    "its parameters are net:parameters()", k->name);
  if (!lua_istable(L, 1))
    return nl_error(L, S, "%s: expected a list of parameters, not %s",
                    k->name, luaL_typename(L, 1));
  if (lua_gettop(L) > 2 || !(lua_isnoneornil(L, 2) || lua_istable(L, 2)))
    return nl_error(L, S, "%s: expected parameters and a table of options, "
                    "as in optim.%s(params, {lr = 0.1})", k->name, k->name);
  lua_settop(L, 2);
  if (lua_isnil(L, 2)) lua_copy(L, 1, 2);      /* SGD{w, lr = 0.1} */
  nl_readnamed(L, S, k->name, k->fields, args.bytes, 2);
  h = lua_newuserdatauv(L, sizeof(*h), 1);
  h->S = NULL;
  h->o = NULL;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &optim_meta_key);
  lua_setmetatable(L, -2);
  h->S = S;
  S->handles++;
  lua_newtable(L);
  lua_setiuservalue(L, -2, 1);
  h->o = nx_optimizer_new(S->C, k);
  nl_check(L, S);
  self = lua_gettop(L);
  lua_rawgeti(L, 1, 1);
  if (lua_istable(L, -1)) {
    lua_Integer n = (lua_Integer)lua_rawlen(L, 1);
    for (lua_Integer i = 1; i <= n; i++) {
      lua_rawgeti(L, 1, i);
      if (!lua_istable(L, -1) ||
          lua_getfield(L, -1, "params") != LUA_TTABLE)
        return nl_error(L, S, "%s: group %I has no list of params", k->name,
                        i);
      add_group(L, S, h, self, lua_gettop(L), lua_gettop(L) - 1,
                args.bytes);
      lua_pop(L, 2);
    }
  }
  else add_group(L, S, h, self, 1, 0, args.bytes);
  lua_settop(L, self);
  return 1;
}


static int o_add_param_group (lua_State *L) {
  nl_state *S = nl_S(L);
  nl_optim *h = check_meta(L, S, 1, &optim_meta_key, "an optimiser");
  union { char bytes[256]; double d; } args;
  luaL_checktype(L, 2, LUA_TTABLE);
  if (lua_getfield(L, 2, "params") != LUA_TTABLE)
    return nl_error(L, S, "%s: the group has no list of params",
                    h->o->kind->name);
  nx_fields_default(S->C, h->o->kind->fields, args.bytes);
  if (h->o->ngroups)
    memcpy(args.bytes, h->o->groups[0].args, h->o->kind->argsize);
  add_group(L, S, h, 1, 3, 2, args.bytes);
  return 0;
}


/* opt:_step() */
static int o_step (lua_State *L) {
  nl_state *S = nl_S(L);
  nx_optimizer_step(S->C, check_optim(L, S, 1));
  nl_check(L, S);
  return 0;
}

static int o_zero_grad (lua_State *L) {
  nl_state *S = nl_S(L);
  nx_optimizer_zero_grad(S->C, check_optim(L, S, 1));
  nl_check(L, S);
  return 0;
}


/* the i-th parameter over all groups, from 1 */
static nx_optim_state *state_at (lua_State *L, nl_state *S,
                                 nx_optimizer *o, lua_Integer i) {
  lua_Integer k = i;
  for (int g = 0; g < o->ngroups; g++) {
    if (k >= 1 && k <= o->groups[g].n) return &o->groups[g].states[k - 1];
    k -= o->groups[g].n;
  }
  nl_error(L, S, "%s: there is no parameter %I", o->kind->name, i);
  return NULL;
}

static const char *slot_name (const nx_optim *k, int i, char *out) {
  const char *p = k->slots;
  size_t n;
  for (; i > 0 && *p; i--) {
    p += strcspn(p, " ");
    p += *p == ' ';
  }
  n = strcspn(p, " ");
  memcpy(out, p, n);
  out[n] = '\0';
  return n ? out : NULL;
}

/* opt:_state(i) -> steps, {slot = tensor} */
static int o_state (lua_State *L) {
  nl_state *S = nl_S(L);
  nx_optimizer *o = check_optim(L, S, 1);
  nx_optim_state *s = state_at(L, S, o, luaL_checkinteger(L, 2));
  char name[64];
  lua_pushinteger(L, s->step);
  lua_newtable(L);
  for (int i = 0; i < NX_MAXSLOTS && slot_name(o->kind, i, name); i++) {
    nl_pushheld(L, S, s->slot[i]);
    lua_setfield(L, -2, name);
  }
  return 2;
}

/* opt:_set_state(i, steps, {slot = tensor}): copies, in the parameter's
   type */
static int o_set_state (lua_State *L) {
  nl_state *S = nl_S(L);
  nx_optimizer *o = check_optim(L, S, 1);
  nx_optim_state *s = state_at(L, S, o, luaL_checkinteger(L, 2));
  lua_Integer step = luaL_checkinteger(L, 3);
  nx_tensor *fresh[NX_MAXSLOTS] = {0};
  size_t mark = S->mark;
  char name[64];
  luaL_checktype(L, 4, LUA_TTABLE);
  for (int i = 0; i < NX_MAXSLOTS && slot_name(o->kind, i, name); i++) {
    nx_tensor *t;
    if (lua_getfield(L, 4, name) == LUA_TNIL) continue;
    t = nl_checktensor(L, S, lua_gettop(L));
    if (!nx_same_shape(t, s->param)) {
      char a[NX_SHAPE_TEXT], b[NX_SHAPE_TEXT];
      return nl_error(L, S, "%s: %s of parameter %d is %s, expected %s",
                      o->kind->name, name, (int)lua_tointeger(L, 2),
                      nx_shape_of(t, a), nx_shape_of(s->param, b));
    }
    fresh[i] = nx_new(S->C, s->param->dtype, t->ndim, t->shape);
    if (fresh[i]) nx_copy(S->C, fresh[i], t);
    nl_check(L, S);
  }
  for (int i = 0; i < NX_MAXSLOTS; i++) {
    nx_unref(s->slot[i]);
    s->slot[i] = nx_keep(fresh[i]);
    if (fresh[i]) fresh[i]->flags |= NX_HELD;
  }
  s->step = step;
  nx_pop(S->C, mark, NULL);
  return 0;
}


static int o_index (lua_State *L) {
  nl_state *S = nl_S(L);
  lua_pushvalue(L, 2);
  if (lua_rawget(L, lua_upvalueindex(2)) != LUA_TNIL) return 1;
  if (lua_type(L, 2) == LUA_TSTRING) {
    if (strcmp(lua_tostring(L, 2), "param_groups") == 0) {
      lua_getiuservalue(L, 1, 1);
      return 1;
    }
    if (strcmp(lua_tostring(L, 2), "name") == 0) {
      lua_pushstring(L, check_optim(L, S, 1)->kind->name);
      return 1;
    }
  }
  return 0;
}


/* opt:_options() -> names of the options of a group */
static int o_options (lua_State *L) {
  nl_state *S = nl_S(L);
  const nx_field *f = check_optim(L, S, 1)->kind->fields;
  lua_newtable(L);
  for (lua_Integer i = 1; f->name; f++, i++) {
    lua_pushstring(L, f->name);
    lua_rawseti(L, -2, i);
  }
  return 1;
}


static const luaL_Reg methods[] = {
  {"_step", o_step}, {"_options", o_options}, {"zero_grad", o_zero_grad},
  {"_state", o_state},
  {"_set_state", o_set_state}, {"add_param_group", o_add_param_group},
  {NULL, NULL}
};

static const luaL_Reg group_meta[] = {
  {"__index", g_index}, {"__newindex", g_newindex}, {NULL, NULL}
};


void nl_open_optim (lua_State *L, nl_state *S) {
  lua_newtable(L);                        /* metatable of optimisers */
  lua_newtable(L);                        /* methods */
  nl_setfuncs(L, S, methods);
  lua_pushvalue(L, -1);
  lua_setfield(L, -4, "_optim_methods");
  lua_pushvalue(L, -2);
  lua_setfield(L, -4, "_optim_meta");
  lua_pushlightuserdata(L, S);
  lua_insert(L, -2);
  lua_pushcclosure(L, o_index, 2);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, optim_gc);
  lua_setfield(L, -2, "__gc");
  lua_pushliteral(L, "neap.optim");
  lua_pushvalue(L, -1);
  lua_setfield(L, -3, "__metatable");
  lua_setfield(L, -2, "__name");
  lua_rawsetp(L, LUA_REGISTRYINDEX, &optim_meta_key);
  lua_newtable(L);
  nl_setfuncs(L, S, group_meta);
  lua_pushliteral(L, "neap.optim.group");
  lua_pushvalue(L, -1);
  lua_setfield(L, -3, "__metatable");
  lua_setfield(L, -2, "__name");
  lua_rawsetp(L, LUA_REGISTRYINDEX, &group_meta_key);
  lua_newtable(L);
  for (const nx_optim *const *p = nx_optims; *p != NULL; p++) {
    lua_pushlightuserdata(L, S);
    lua_pushlightuserdata(L, (void *)(uintptr_t)*p);
    lua_pushcclosure(L, n_optim, 2);
    lua_setfield(L, -2, (*p)->name);
  }
  lua_setfield(L, -2, "optim");
}
