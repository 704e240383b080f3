/*
** Modules in Lua.
**
** A module is a userdata: the C module, a table of what Lua gave it (user
** value 1) and its class (user value 2). A class is a table; instances
** find methods along its chain of '__index'. Built-in layers and classes
** written in Lua differ only in their 'init' and 'forward'.
*/
#include <string.h>
#include "grad/tape.h"
#include "lua/lmodule.h"
#include "nn/reparametrize.h"

static const char modules_key = 0;       /* registry: pointer -> handle */
static const char classes_key = 0;       /* registry: layer -> class */

enum { FIELDS = 1, CLASS = 2 };


static int module_gc (lua_State *L) {
  nl_module *h = lua_touserdata(L, 1);
  nl_state *S = h->S;
  if (S == NULL) return 0;
  h->S = NULL;
  nx_module_unref(h->m);
  h->m = NULL;
  nl_unuse(S);
  return 0;
}


nl_module *nl_tomodule (lua_State *L, nl_state *S, int i) {
  nl_module *h = lua_touserdata(L, i);
  const void *meta;
  if (h == NULL || !lua_getmetatable(L, i)) return NULL;
  meta = lua_topointer(L, -1);
  lua_pop(L, 1);
  return meta == S->module_meta ? h : NULL;
}

nx_module *nl_checkmodule (lua_State *L, nl_state *S, int i) {
  nl_module *h = nl_tomodule(L, S, i);
  if (h == NULL || h->m == NULL)
    nl_error(L, S, "argument %d must be a module, not %s", i,
             luaL_typename(L, i));
  return h->m;
}


/* a handle without a module, of the class at 'class' (0: none yet) */
static nl_module *new_handle (lua_State *L, nl_state *S, int class) {
  nl_module *h = lua_newuserdatauv(L, sizeof(*h), 2);
  h->S = NULL;
  h->m = NULL;
  lua_rawgetp(L, LUA_REGISTRYINDEX, S->module_meta);
  lua_setmetatable(L, -2);
  h->S = S;
  S->handles++;
  lua_newtable(L);
  lua_setiuservalue(L, -2, FIELDS);
  if (class) {
    lua_pushvalue(L, class);
    lua_setiuservalue(L, -2, CLASS);
  }
  return h;
}

static void remember (lua_State *L, nx_module *m) {
  nl_registry(L, &modules_key, "v");
  lua_pushvalue(L, -2);
  lua_rawsetp(L, -2, m);
  lua_pop(L, 1);
}


void nl_pushmodule (lua_State *L, nl_state *S, nx_module *m) {
  nl_module *h;
  nl_registry(L, &modules_key, "v");
  if (lua_rawgetp(L, -1, m) == LUA_TUSERDATA &&
      ((nl_module *)lua_touserdata(L, -1))->m == m) {
    lua_remove(L, -2);
    return;
  }
  lua_pop(L, 2);
  nl_registry(L, &classes_key, NULL);
  lua_rawgetp(L, -1, m->layer);
  lua_remove(L, -2);
  h = new_handle(L, S, lua_gettop(L));
  lua_remove(L, -2);
  h->m = nx_module_ref(m);
  remember(L, m);
}


/* keeps a child's handle alive as long as its parent's */
static void keep_handle (lua_State *L, int parent, const char *name) {
  lua_getiuservalue(L, parent, FIELDS);
  lua_pushvalue(L, -2);
  lua_setfield(L, -2, name);
  lua_pop(L, 1);
}

void nl_pushchild (lua_State *L, nl_state *S, int parent,
                        const nx_slot *s) {
  nl_pushmodule(L, S, s->child);
  keep_handle(L, parent, s->name);
}


static nx_slot *nth_child (const nx_module *m, lua_Integer i) {
  lua_Integer n = nx_module_children(m);
  if (i < 0) i += n + 1;
  for (int k = 0; k < m->nslots; k++)
    if (m->slots[k].child && --i == 0) return &m->slots[k];
  return NULL;
}


/*
** module[i], module.name
*/
static int push_field (lua_State *L, nl_state *S, const char *key) {
  nx_module *m = nl_tomodule(L, S, 1)->m;
  nx_slot *s = nx_module_slot(m, key);
  const nx_field *f;
  if (s != NULL) {
    if (s->child) nl_pushchild(L, S, 1, s);
    else if (nx_reparam_find(m, key)) return nl_pushcomputed(L, S, m, key);
    else nl_pushheld(L, S, nx_slot_tensor(s));
    return 1;
  }
  if (strcmp(key, "training") == 0) {
    lua_pushboolean(L, m->training);
    return 1;
  }
  if ((f = nx_field_find(nx_layer_fields(m->layer), key)) != NULL) {
    nl_pushfield(L, S, f, nx_module_args(m));
    return 1;
  }
  return 0;
}

static int m_index (lua_State *L) {
  nl_state *S = nl_S(L);
  nx_module *m = nl_checkmodule(L, S, 1);
  if (lua_isinteger(L, 2)) {
    nx_slot *s = nth_child(m, lua_tointeger(L, 2));
    if (s == NULL) return 0;
    nl_pushchild(L, S, 1, s);
    return 1;
  }
  lua_getiuservalue(L, 1, FIELDS);
  lua_pushvalue(L, 2);
  if (lua_rawget(L, -2) != LUA_TNIL) return 1;
  if (lua_type(L, 2) != LUA_TSTRING) return 1;
  lua_getiuservalue(L, 1, CLASS);
  lua_pushvalue(L, 2);
  if (lua_gettable(L, -2) != LUA_TNIL) return 1;
  return push_field(L, S, lua_tostring(L, 2));
}


/* the name of an entry: strings as they are, positions as in files */
static const char *slot_name (lua_State *L, nl_state *S, nx_module *m,
                              int i) {
  if (lua_isinteger(L, i)) {
    lua_Integer k = lua_tointeger(L, i);
    nx_slot *s = nth_child(m, k);
    if (s) return s->name;
    if (k != nx_module_children(m) + 1)
      nl_error(L, S, "module %I follows number %d", k,
               nx_module_children(m));
    return lua_pushfstring(L, "%I", k - 1);
  }
  return lua_tostring(L, i);
}


static int all_modules (lua_State *L, nl_state *S, int i) {
  lua_Integer n = (lua_Integer)lua_rawlen(L, i);
  int all = n > 0;
  for (lua_Integer k = 1; k <= n && all; k++) {
    lua_rawgeti(L, i, k);
    all = nl_tomodule(L, S, -1) != NULL;
    lua_pop(L, 1);
  }
  return all;
}


static void add_children (lua_State *L, nl_state *S, int self, int list);

/* a plain table of modules becomes a ModuleList */
static int to_list (lua_State *L, nl_state *S, int i) {
  const nx_layer *layer = nx_layer_named("ModuleList");
  nl_module *h;
  nl_registry(L, &classes_key, NULL);
  lua_rawgetp(L, -1, layer);
  h = new_handle(L, S, lua_gettop(L));
  h->m = nx_module_new(S->C, layer);
  nl_check(L, S);
  remember(L, h->m);
  add_children(L, S, lua_gettop(L), i);
  return lua_gettop(L);
}


static void set_child (lua_State *L, nl_state *S, int self,
                       const char *name, int value) {
  nx_module *m = nl_checkmodule(L, S, self);
  nx_module_set_child(S->C, m, name, nl_tomodule(L, S, value)->m);
  nl_check(L, S);
  lua_pushvalue(L, value);
  keep_handle(L, self, name);
  lua_pop(L, 1);
}

void nl_setslot (lua_State *L, nl_state *S, int self,
                        nx_slot_kind kind, const char *name, int value) {
  nx_module *m = nl_checkmodule(L, S, self);
  nx_tensor *t = lua_isnil(L, value) ? NULL : nl_checktensor(L, S, value);
  nx_module_set_tensor(S->C, m, kind, name, t, NULL);
  nl_check(L, S);
  lua_getiuservalue(L, self, FIELDS);     /* nothing may hide it */
  lua_pushnil(L);
  lua_setfield(L, -2, name);
  lua_pop(L, 1);
}

static void set_plain (lua_State *L, int key) {
  lua_getiuservalue(L, 1, FIELDS);
  lua_pushvalue(L, key);
  lua_pushvalue(L, 3);
  lua_rawset(L, -3);
}

/*
** What a name already means decides what may be assigned to it. A module
** replaces a module; a Parameter a parameter; a plain tensor only a buffer
** of the same shape and type; nil removes what Lua put there.
*/
static void replace_slot (lua_State *L, nl_state *S, nx_module *m,
                          nx_slot *s, const char *name) {
  nx_tensor *t = nl_totensor(L, S, 3), *old = nx_slot_tensor(s);
  nx_reparam *r = nx_reparam_find(m, name);
  const char *what = s->child ? "module"
                   : s->kind == NX_SLOT_BUFFER ? "buffer" : "parameter";
  if (r)
    nl_error(L, S, "%s.%s is computed by %s and cannot be assigned",
             m->class_name, name, r->kind->name);
  if (lua_isnil(L, 3)) {
    if (!(m->layer->flags & (NX_FOREIGN | NX_CONTAINER)))
      nl_error(L, S, "%s.%s is a %s of the layer and cannot be removed",
               m->class_name, name, what);
    nx_module_remove(m, name);
    lua_pushnil(L);
    keep_handle(L, 1, name);
  }
  else if (t && !s->child && (t->flags & NX_LEARNED))
    nl_setslot(L, S, 1, NX_SLOT_PARAMETER, name, 3);
  else if (t && s->kind == NX_SLOT_BUFFER && !s->child) {
    if (old && (!nx_same_shape(t, old) || t->dtype != old->dtype))
      nl_error(L, S, "%s.%s must keep its shape and type", m->class_name,
               name);
    nl_setslot(L, S, 1, NX_SLOT_BUFFER, name, 3);
  }
  else
    nl_error(L, S, "%s.%s is a %s and cannot become a %s%s", m->class_name,
             name, what, luaL_typename(L, 3),
             t ? " that is no nn.Parameter" : "");
}

/* an option of the layer; a tensor among them becomes a buffer */
static void set_layer_field (lua_State *L, nl_state *S, nx_module *m,
                             const nx_field *f) {
  nx_tensor *t = nl_totensor(L, S, 3);
  if (f->kind != NX_KIND_TENSOR) {
    if (t) nl_error(L, S, "%s was made without %s", m->class_name, f->name);
    nl_setfield(L, S, m->class_name, f, nx_module_args(m), 3);
    return;
  }
  if (t == NULL) nl_error(L, S, "%s.%s must be a tensor", m->class_name,
                          f->name);
  nx_module_set_tensor(S->C, m, NX_SLOT_BUFFER, f->name, t,
                       (nx_tensor **)((char *)m + f->offset));
  nl_check(L, S);
}

static int m_newindex (lua_State *L) {
  nl_state *S = nl_S(L);
  nx_module *m = nl_checkmodule(L, S, 1);
  const char *name;
  const nx_field *f;
  nx_slot *s;
  nx_tensor *t = nl_totensor(L, S, 3);
  if (lua_type(L, 2) != LUA_TSTRING && !lua_isinteger(L, 2)) {
    set_plain(L, 2);
    return 0;
  }
  name = slot_name(L, S, m, 2);
  s = nx_module_slot(m, name);
  if (s && !s->child && !(m->layer->flags & NX_FOREIGN) &&
      nl_tomodule(L, S, 3))
    return nl_error(L, S, "%s.%s is a tensor of the layer and cannot become "
                    "a module", m->class_name, name);
  if (nl_tomodule(L, S, 3)) set_child(L, S, 1, name, 3);
  else if (lua_istable(L, 3) && all_modules(L, S, 3))
    set_child(L, S, 1, name, to_list(L, S, 3));
  else if (s) replace_slot(L, S, m, s, name);
  else if (lua_isinteger(L, 2))
    return nl_error(L, S, "%s[%I] must be a module, not %s", m->class_name,
                    lua_tointeger(L, 2), luaL_typename(L, 3));
  else if (strcmp(name, "training") == 0)
    m->training = lua_toboolean(L, 3);
  else if ((f = nx_field_find(nx_layer_fields(m->layer), name)) != NULL)
    set_layer_field(L, S, m, f);
  else if (t && (t->flags & NX_LEARNED))
    nl_setslot(L, S, 1, NX_SLOT_PARAMETER, name, 3);
  else set_plain(L, 2);
  return 0;
}


static int m_len (lua_State *L) {
  nl_state *S = nl_S(L);
  lua_pushinteger(L, nx_module_children(nl_checkmodule(L, S, 1)));
  return 1;
}


/*
** Making instances.
*/
static void refuse_child (lua_State *L, nl_state *S, const nx_module *m,
                          lua_Integer k) {
  const char *what = luaL_typename(L, -1), *name;
  if (lua_istable(L, -1) && lua_getfield(L, -1, "_name") == LUA_TSTRING) {
    name = lua_tostring(L, -1);
    nl_error(L, S, "%s: entry %I is the class %s, expected a module of it: "
             "%s()", m->class_name, k, name, name);
  }
  nl_error(L, S, "%s: entry %I is %s, expected a module", m->class_name, k,
           what);
}

static void add_children (lua_State *L, nl_state *S, int self, int list) {
  lua_Integer n = (lua_Integer)lua_rawlen(L, list);
  nx_module *m = nl_checkmodule(L, S, self);
  for (lua_Integer k = 1; k <= n; k++) {
    const char *name;
    lua_rawgeti(L, list, k);
    if (nl_tomodule(L, S, -1) == NULL)
      refuse_child(L, S, m, k);
    name = lua_pushfstring(L, "%I", k - 1);
    set_child(L, S, self, name, lua_gettop(L) - 1);
    lua_pop(L, 2);
  }
}

/* Layer.init(self, ...): options, or modules, then parameters */
static int c_init (lua_State *L) {
  nl_state *S = nl_S(L);
  nx_module *m = nl_checkmodule(L, S, 1);
  const nx_layer *layer = m->layer;
  if (m->ready)
    return nl_error(L, S, "%s: init is called once, by the class",
                    m->class_name);
  if (layer->flags & NX_CONTAINER) {
    int list = 2;
    if (nl_tomodule(L, S, 2)) {           /* Sequential(a, b, c) */
      luaL_checkstack(L, 4, "modules");
      lua_createtable(L, lua_gettop(L) - 1, 0);
      lua_insert(L, 2);
      for (int k = lua_gettop(L) - 2; k >= 1; k--) lua_rawseti(L, 2, k);
    }
    if (!lua_isnoneornil(L, 2)) {
      if (!lua_istable(L, 2))
        return nl_error(L, S, "%s: expected a list of modules, not %s",
                        layer->name, luaL_typename(L, 2));
      add_children(L, S, 1, list);
      if (layer->fields == NULL) nl_onlykeys(L, S, layer->name, list, "");
      else nl_readnamed(L, S, m->class_name, layer->fields,
                        nx_module_args(m), list);
    }
  }
  else nl_readfields(L, S, m->class_name, nx_layer_fields(layer),
                     nx_module_args(m), 2);
  nx_module_init(S->C, m);
  nl_check(L, S);
  m->ready = 1;
  return 0;
}


static const nx_layer *layer_of (lua_State *L, int class) {
  const nx_layer *layer;
  lua_getfield(L, class, "_layer");
  layer = lua_touserdata(L, -1);
  lua_pop(L, 1);
  for (const nx_layer *const *p = nx_layers; *p != NULL; p++)
    if (*p == layer) return layer;         /* scripts may put anything there */
  return NULL;
}

static int construct_end (lua_State *L, int status, lua_KContext at) {
  (void)status;
  lua_settop(L, (int)at);
  return 1;
}

/* m:_fields() -> what was assigned to it and is no tensor, by name */
static int m_fields (lua_State *L) {
  nl_checkmodule(L, nl_S(L), 1);
  lua_getiuservalue(L, 1, FIELDS);
  return 1;
}

/* Class(...): a new instance, then its init, which may yield */
static int c_construct (lua_State *L) {
  nl_state *S = nl_S(L);
  int n = lua_gettop(L), self;
  const nx_layer *layer = layer_of(L, 1);
  nl_module *h;
  if (layer == NULL) return nl_error(L, S, "this class has no layer");
  luaL_checkstack(L, n + 8, "arguments of a module");
  h = new_handle(L, S, 1);
  h->m = nx_module_new(S->C, layer);
  nl_check(L, S);
  lua_getfield(L, 1, "_name");
  if (lua_isstring(L, -1))
    strncpy(h->m->class_name, lua_tostring(L, -1), NX_MAXNAME - 1);
  lua_pop(L, 1);
  remember(L, h->m);
  if (strcmp(h->m->class_name, layer->name) != 0 ||
      (layer->flags & NX_FOREIGN)) {      /* for files: its arguments */
    lua_getiuservalue(L, -1, FIELDS);
    lua_createtable(L, n, 1);
    for (int k = 2; k <= n; k++) {
      lua_pushvalue(L, k);
      lua_rawseti(L, -2, k - 1);
    }
    lua_pushinteger(L, n - 1);
    lua_setfield(L, -2, "n");
    lua_setfield(L, -2, "_arguments");
    lua_pop(L, 1);
  }
  self = lua_gettop(L);
  if (lua_getfield(L, 1, "init") == LUA_TNIL) {
    lua_settop(L, self);
    return 1;
  }
  lua_pushvalue(L, self);
  for (int k = 2; k <= n; k++) lua_pushvalue(L, k);
  lua_callk(L, n, 0, self, construct_end);
  return construct_end(L, LUA_OK, self);
}


/*
** Calling.
*/
static int read_inputs (lua_State *L, nl_state *S, const nx_module *m,
                        nx_tensor **in) {
  int top = lua_gettop(L), n = 0, most = 8;
  for (int i = 2; i <= top; i++) {
    nx_tensor *t = nl_totensor(L, S, i);
    if (t == NULL && lua_istable(L, i) && i == top) {
      lua_pushnil(L);
      while (lua_next(L, i)) {
        int at = lua_type(L, -2) == LUA_TSTRING
                 ? nx_names_find(nx_layer_inputs(m->layer),
                                 lua_tostring(L, -2)) : -1;
        if (at < 0 && lua_isinteger(L, -2))
          nl_error(L, S, "%s: argument %d is a list, expected a tensor "
                   "(neap.tensor makes one of it%s)", m->class_name, i - 1,
                   i > 2 ? "; of a second result of a call in the argument, "
                   "as in f((g(x))), parentheses get rid" : "");
        if (at < 0)
          nl_error(L, S, "%s: a call takes %s", m->class_name,
                   nx_layer_inputs(m->layer));
        in[at] = nl_checktensor(L, S, lua_gettop(L));
        if (at >= n) n = at + 1;
        lua_pop(L, 1);
      }
      return n;
    }
    if (t == NULL && !lua_isnil(L, i))
      nl_error(L, S, "%s: argument %d is %s, expected a tensor",
               m->class_name, i - 1, luaL_typename(L, i));
    if (n == most) nl_error(L, S, "%s: too many arguments", m->class_name);
    in[n++] = t;
  }
  return n;
}

static int call_in_c (lua_State *L, nl_state *S, nx_module *m) {
  nx_tensor *in[8] = {0}, *out[NX_MAXRESULTS];
  nl_tensor *h[NX_MAXRESULTS];
  size_t mark = S->mark;
  int n = read_inputs(L, S, m, in), tried = 0, count;
  int room = nx_layer_results(m->layer);
  nl_newhandles(L, S, room, h);
  do count = nx_module_call_all(S->C, m, n, in, out);
  while (count < 0 && nl_again(L, S, &tried));
  nl_check_raised(L, S);
  return nl_results(L, S, room, h, count < room ? count : room, out, mark);
}


/*
** Sequential with a Lua layer in it: child after child, so that each may
** yield. The stack is the module and what goes on.
*/
static int sequential (lua_State *L, int status, lua_KContext next) {
  nl_state *S = nl_S(L);
  nx_module *m = nl_checkmodule(L, S, 1);
  (void)status;
  for (lua_Integer i = (lua_Integer)next; ; i++) {
    nx_slot *s = nth_child(m, i);
    if (i > 1) {
      lua_settop(L, 3);                   /* a layer's first result */
      lua_replace(L, 2);
    }
    if (s == NULL || i > nx_module_children(m)) return 1;
    nl_pushchild(L, S, 1, s);
    lua_pushvalue(L, 2);
    lua_callk(L, 1, 1, (lua_KContext)i + 1, sequential);
    S = nl_S(L);
  }
}

static int c_forward (lua_State *L) {
  nl_state *S = nl_S(L);
  nx_module *m = nl_checkmodule(L, S, 1);
  if ((m->layer->flags & NX_CONTAINER) && m->layer->forward &&
      nx_module_foreign(m)) {
    if (lua_gettop(L) != 2)
      return nl_error(L, S, "%s: expected one tensor", m->class_name);
    return sequential(L, LUA_OK, 1);
  }
  return call_in_c(L, S, m);
}


static int call_end (lua_State *L, int status, lua_KContext at) {
  (void)status;
  return lua_gettop(L) - (int)at;
}

/* module(...) is module:forward(...) */
static int m_call (lua_State *L) {
  int n = lua_gettop(L);
  if (lua_getfield(L, 1, "forward") == LUA_TNIL)
    return luaL_error(L, "this module has no forward");
  lua_insert(L, 1);
  lua_callk(L, n, LUA_MULTRET, 0, call_end);
  return call_end(L, LUA_OK, 0);
}


static const luaL_Reg construct[] = {
  {"_construct", c_construct}, {"_fields", m_fields}, {NULL, NULL}
};

static const luaL_Reg meta[] = {
  {"__index", m_index}, {"__newindex", m_newindex}, {"__len", m_len},
  {NULL, NULL}
};


static void new_class (lua_State *L, nl_state *S, const nx_layer *layer,
                       int base) {
  static const luaL_Reg own[] = {
    {"init", c_init}, {"forward", c_forward}, {NULL, NULL}
  };
  static const luaL_Reg call[] = {{"__call", c_construct}, {NULL, NULL}};
  lua_newtable(L);
  lua_pushlightuserdata(L, (void *)(uintptr_t)layer);
  lua_setfield(L, -2, "_layer");
  lua_pushstring(L, layer->name);
  lua_setfield(L, -2, "_name");
  lua_pushstring(L, nx_layer_doc(layer));
  lua_setfield(L, -2, "_doc");
  if (!(layer->flags & NX_FOREIGN)) nl_setfuncs(L, S, own);
  lua_newtable(L);                        /* of the class */
  nl_setfuncs(L, S, call);
  lua_pushvalue(L, base);
  lua_setfield(L, -2, "__index");
  lua_setmetatable(L, -2);
}


void nl_open_module (lua_State *L, nl_state *S) {
  int neap = lua_gettop(L), nn, classes, base;
  lua_newtable(L);
  S->module_meta = lua_topointer(L, -1);
  nl_setfuncs(L, S, meta);
  lua_pushcfunction(L, m_call);
  lua_setfield(L, -2, "__call");
  lua_pushcfunction(L, module_gc);
  lua_setfield(L, -2, "__gc");
  lua_pushliteral(L, "neap.Module");
  lua_pushvalue(L, -1);
  lua_setfield(L, -3, "__metatable");
  lua_setfield(L, -2, "__name");
  lua_pushvalue(L, -1);
  lua_setfield(L, neap, "_module_meta");
  lua_rawsetp(L, LUA_REGISTRYINDEX, S->module_meta);
  lua_newtable(L);
  nn = lua_gettop(L);
  nl_registry(L, &classes_key, NULL);
  classes = lua_gettop(L);
  lua_pushnil(L);                         /* Module has no class above */
  new_class(L, S, nx_layer_named("Module"), lua_gettop(L));
  nl_setfuncs(L, S, construct);
  nl_open_content(L, S);
  nl_open_reparam(L, S);
  base = lua_gettop(L);
  for (const nx_layer *const *p = nx_layers; *p != NULL; p++) {
    if ((*p)->flags & NX_FOREIGN) lua_pushvalue(L, base);
    else new_class(L, S, *p, base);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, classes, *p);
    lua_setfield(L, nn, (*p)->name);
  }
  nl_setparameter(L, S, nn);
  lua_pushvalue(L, nn);
  lua_setfield(L, neap, "nn");
  lua_settop(L, neap);
}
