/*
** What a module contains: its tensors, modules and options, for the part
** that is written in Lua.
*/
#include <string.h>
#include "grad/tape.h"
#include "lua/lmodule.h"


/*
** What the Lua part builds on: names, tensors and kinds of the whole tree.
** Walks call back with values that must not raise errors inside: pointers
** are gathered first.
*/
typedef struct found {
  char path[1024];
  void *p;
  nx_slot_kind kind;
} found;

typedef struct gathered {
  nx_ctx *C;
  found *v;
  size_t n, room;
} gathered;

static int gather (gathered *g, const char *path, void *p,
                   nx_slot_kind kind) {
  if (g->n == g->room) {
    size_t room = g->room ? g->room * 2 : 16;
    found *v = nx_realloc(g->C, g->v, g->room * sizeof(*v),
                          room * sizeof(*v));
    if (v == NULL) return 1;
    g->v = v;
    g->room = room;
  }
  strcpy(g->v[g->n].path, path);
  g->v[g->n].p = p;
  g->v[g->n++].kind = kind;
  return 0;
}

static int gather_tensor (void *ud, const char *path, nx_slot *s) {
  return gather(ud, path, nx_slot_tensor(s), s->kind);
}

static int gather_module (void *ud, const char *path, nx_module *m) {
  return gather(ud, path, m, NX_SLOT_CHILD);
}

/* the gathered block lives in a userdata, so that errors free it */
static int gathered_gc (lua_State *L) {
  gathered *g = lua_touserdata(L, 1);
  if (g->C) nx_free(g->C, g->v, g->room * sizeof(*g->v));
  g->v = NULL;
  g->room = 0;
  return 0;
}

static gathered *new_gathered (lua_State *L, nl_state *S) {
  gathered *g = nl_newclosing(L, sizeof(*g), gathered_gc);
  g->C = S->C;
  return g;
}

/* m:_tensors() -> names, tensors, "parameter" or "buffer" */
static int m_tensors (lua_State *L) {
  nl_state *S = nl_S(L);
  nx_module *m = nl_checkmodule(L, S, 1);
  gathered *g = new_gathered(L, S);
  int base;
  nx_module_visit(S->C, m, gather_tensor, g);
  nl_check(L, S);
  lua_newtable(L);
  lua_newtable(L);
  lua_newtable(L);
  base = lua_gettop(L);
  for (size_t i = 0; i < g->n; i++) {
    lua_pushstring(L, g->v[i].path);
    lua_rawseti(L, base - 2, (lua_Integer)i + 1);
    nl_pushheld(L, S, g->v[i].p);
    lua_rawseti(L, base - 1, (lua_Integer)i + 1);
    lua_pushstring(L, g->v[i].kind == NX_SLOT_BUFFER ? "buffer"
                                                     : "parameter");
    lua_rawseti(L, base, (lua_Integer)i + 1);
  }
  return 3;
}

/* m:_modules() -> names, modules; the first is m itself, named "" */
static int m_modules (lua_State *L) {
  nl_state *S = nl_S(L);
  nx_module *m = nl_checkmodule(L, S, 1);
  gathered *g = new_gathered(L, S);
  int base;
  nx_module_visit_modules(S->C, m, gather_module, g);
  nl_check(L, S);
  lua_newtable(L);
  lua_newtable(L);
  base = lua_gettop(L);
  for (size_t i = 0; i < g->n; i++) {
    lua_pushstring(L, g->v[i].path);
    lua_rawseti(L, base - 1, (lua_Integer)i + 1);
    nl_pushmodule(L, S, g->v[i].p);
    lua_rawseti(L, base, (lua_Integer)i + 1);
  }
  return 2;
}

/* m:_children() -> names, modules of the level below */
static int m_children (lua_State *L) {
  nl_state *S = nl_S(L);
  nx_module *m = nl_checkmodule(L, S, 1);
  lua_Integer n = 0;
  lua_settop(L, 1);
  lua_newtable(L);
  lua_newtable(L);
  for (int i = 0; i < m->nslots; i++) {
    if (m->slots[i].child == NULL) continue;
    lua_pushstring(L, m->slots[i].name);
    lua_rawseti(L, 2, ++n);
    nl_pushchild(L, S, 1, &m->slots[i]);
    lua_rawseti(L, 3, n);
  }
  return 2;
}

/* m:_options() -> class name, options by name (nil for a Lua class),
   tensors among them, a list of the names in their order */
static int m_options (lua_State *L) {
  nl_state *S = nl_S(L);
  nx_module *m = nl_checkmodule(L, S, 1);
  lua_Integer n = 0;
  lua_pushstring(L, m->class_name);
  if (m->layer->flags & NX_FOREIGN) return 1;
  lua_newtable(L);
  lua_newtable(L);
  lua_newtable(L);
  for (const nx_field *f = nx_layer_fields(m->layer); f && f->name; f++) {
    if (f->kind == NX_KIND_BASE) continue;       /* Lua's is 1 */
    lua_pushstring(L, f->name);
    lua_rawseti(L, -2, ++n);
    nl_pushfield(L, S, f, nx_module_args(m));
    lua_setfield(L, f->kind == NX_KIND_TENSOR ? -3 : -4, f->name);
  }
  return 4;
}


/* m:_is_container() -> are its arguments modules? */
static int m_is_container (lua_State *L) {
  nx_module *m = nl_checkmodule(L, nl_S(L), 1);
  lua_pushboolean(L, (m->layer->flags & NX_CONTAINER) != 0);
  return 1;
}

static int m_train (lua_State *L) {
  nl_state *S = nl_S(L);
  nx_module *m = nl_checkmodule(L, S, 1);
  nx_module_train(S->C, m, lua_isnone(L, 2) || lua_toboolean(L, 2));
  nl_check(L, S);
  lua_settop(L, 1);
  return 1;
}

static int m_to (lua_State *L) {
  nl_state *S = nl_S(L);
  nx_module *m = nl_checkmodule(L, S, 1);
  const char *name;
  int dtype;
  if (lua_istable(L, 2)) lua_getfield(L, 2, "dtype");
  name = luaL_checkstring(L, -1);
  dtype = nx_dtype_named(name);
  if (dtype < 0) return nl_error(L, S, "to: no dtype '%s'", name);
  nx_module_to(S->C, m, dtype);
  nl_check(L, S);
  lua_settop(L, 1);
  return 1;
}


static int m_register_buffer (lua_State *L) {
  nl_state *S = nl_S(L);
  lua_settop(L, 3);
  nl_checkmodule(L, S, 1);
  nl_setslot(L, S, 1, NX_SLOT_BUFFER, luaL_checkstring(L, 2), 3);
  return 0;
}

static int m_register_parameter (lua_State *L) {
  nl_state *S = nl_S(L);
  lua_settop(L, 3);
  nl_checkmodule(L, S, 1);
  nl_setslot(L, S, 1, NX_SLOT_PARAMETER, luaL_checkstring(L, 2), 3);
  return 0;
}


/* nn.Parameter(t, requires_grad): t itself as a leaf that is learned */
static int n_parameter (lua_State *L) {
  nl_state *S = nl_S(L);
  nx_tensor *t = nl_checktensor(L, S, 1), *leaf;
  size_t mark = S->mark;
  nl_tensor *h = nl_newhandle(L, S);
  leaf = nx_detach(S->C, t);
  if (leaf) {
    leaf->flags |= NX_LEARNED | NX_HELD;
    nx_require(S->C, leaf, lua_isnoneornil(L, 2) || lua_toboolean(L, 2));
  }
  nl_check(L, S);
  nl_adopt(L, lua_gettop(L), leaf);
  return nl_result(L, S, h, leaf, mark);
}


/* m:_foreign() -> is some layer in it written in Lua? */
static int m_foreign (lua_State *L) {
  lua_pushboolean(L, nx_module_foreign(nl_checkmodule(L, nl_S(L), 1)));
  return 1;
}


static const luaL_Reg methods[] = {
  {"_foreign", m_foreign},
  {"_tensors", m_tensors}, {"_modules", m_modules},
  {"_children", m_children}, {"_options", m_options},
  {"_is_container", m_is_container},
  {"train", m_train}, {"to", m_to},
  {"register_buffer", m_register_buffer},
  {"register_parameter", m_register_parameter}, {NULL, NULL}
};


void nl_open_content (lua_State *L, nl_state *S) {
  nl_setfuncs(L, S, methods);
}

void nl_setparameter (lua_State *L, nl_state *S, int nn) {
  lua_pushlightuserdata(L, S);
  lua_pushcclosure(L, n_parameter, 1);
  lua_setfield(L, nn, "Parameter");
}
