/*
** Tensors in Lua: handles, properties, methods that are not operations,
** construction from Lua data.
*/
#include <string.h>
#include "grad/tape.h"
#include "lua/lneap.h"
#include "tensor/print.h"
#include "tensor/view.h"

static const char held_key = 0;          /* registry: pointer -> handle */


/*
** Handles.
*/
static int tensor_gc (lua_State *L) {
  nl_tensor *h = lua_touserdata(L, 1);
  nl_state *S = h->S;
  if (S == NULL) return 0;
  h->S = NULL;
  nl_scope_remove(h);
  nx_unref(h->t);
  h->t = NULL;
  nl_unuse(S);
  return 0;
}


nl_tensor *nl_newhandle (lua_State *L, nl_state *S) {
  nl_tensor *h = lua_newuserdatauv(L, sizeof(*h), 0);
  h->S = NULL;
  h->kind = S->tensor_meta;
  h->t = NULL;
  h->scope = NULL;
  lua_rawgetp(L, LUA_REGISTRYINDEX, S->tensor_meta);
  lua_setmetatable(L, -2);
  h->S = S;
  S->handles++;
  return h;
}


/* (what is in a userdata is only C's to write; light ones have no length) */
static nl_tensor *to_handle (lua_State *L, const nl_state *S, int i) {
  nl_tensor *h = lua_touserdata(L, i);
  if (h == NULL || lua_rawlen(L, i) != sizeof(*h)) return NULL;
  return h->kind == S->tensor_meta ? h : NULL;
}


nx_tensor *nl_totensor (lua_State *L, nl_state *S, int i) {
  nl_tensor *h = to_handle(L, S, i);
  if (h == NULL) return NULL;
  if (h->t == NULL) nl_error(L, S, "this tensor was freed: its scope ended "
                             "(s:keep(t) keeps it)");
  return h->t;
}


nx_tensor *nl_checktensor (lua_State *L, nl_state *S, int i) {
  nx_tensor *t = nl_totensor(L, S, i);
  if (t == NULL) nl_error(L, S, "argument %d must be a tensor, not %s", i,
                          luaL_typename(L, i));
  return t;
}


/*
** Parameters, buffers and gradients have one handle each, so that they can
** be keys of tables.
*/
void nl_pushheld (lua_State *L, nl_state *S, nx_tensor *t) {
  nl_tensor *h;
  if (t == NULL) {
    lua_pushnil(L);
    return;
  }
  nl_registry(L, &held_key, "v");
  if (lua_rawgetp(L, -1, t) == LUA_TUSERDATA) {
    h = lua_touserdata(L, -1);
    if (h->t == t) {
      lua_remove(L, -2);
      return;
    }
  }
  lua_pop(L, 1);
  h = nl_newhandle(L, S);
  h->t = nx_keep(t);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, -3, t);
  lua_remove(L, -2);
}

void nl_adopt (lua_State *L, int i, nx_tensor *t) {
  nl_registry(L, &held_key, "v");
  lua_pushvalue(L, i);
  lua_rawsetp(L, -2, t);
  lua_pop(L, 1);
}


void nl_pushelement (lua_State *L, const nx_tensor *t, const char *at) {
  if (t->dtype == NEAP_BOOL) lua_pushboolean(L, *at != 0);
  else if (nx_is_whole(t->dtype) || t->dtype == NEAP_I8)
    lua_pushinteger(L, nx_get_integer(t, at));
  else lua_pushnumber(L, nx_get_number(t, at));
}


static int t_item (lua_State *L) {
  nl_state *S = nl_S(L);
  nx_tensor *t = nl_checktensor(L, S, 1);
  char text[NX_SHAPE_TEXT];
  if (t->len != 1)
    return nl_error(L, S, "item: the tensor is %s, expected one element",
                    nx_shape_of(t, text));
  nl_may_read(L, S, t);
  nl_pushelement(L, t, t->data);
  return 1;
}


static const char shape_meta_key = 0;    /* how a shape prints */

static void push_shape (lua_State *L, const nx_tensor *t) {
  lua_createtable(L, t->ndim, 0);
  for (int d = 0; d < t->ndim; d++) {
    lua_pushinteger(L, t->shape[d]);
    lua_rawseti(L, -2, d + 1);
  }
  lua_rawgetp(L, LUA_REGISTRYINDEX, &shape_meta_key);
  lua_setmetatable(L, -2);
}


static int t_size (lua_State *L) {
  nl_state *S = nl_S(L);
  nx_tensor *t = nl_checktensor(L, S, 1);
  lua_Integer d;
  int64_t dim;
  if (lua_isnoneornil(L, 2)) {
    push_shape(L, t);
    return 1;
  }
  d = luaL_checkinteger(L, 2);
  if (d == 0) return nl_error(L, S, "size: dimensions count from 1");
  dim = d > 0 ? d - 1 : d;
  if (t->ndim == 0) return nl_error(L, S, "size: a 0-d tensor has no sizes");
  nx_dim(S->C, "size", t, &dim);
  nl_check(L, S);
  lua_pushinteger(L, t->shape[dim]);
  return 1;
}


static int t_len (lua_State *L) {
  nl_state *S = nl_S(L);
  nx_tensor *t = nl_checktensor(L, S, 1);
  if (t->ndim == 0)
    return nl_error(L, S, "a 0-d tensor has no length (use t:item())");
  lua_pushinteger(L, t->shape[0]);
  return 1;
}


static int t_numel (lua_State *L) {
  nl_state *S = nl_S(L);
  lua_pushinteger(L, nl_checktensor(L, S, 1)->len);
  return 1;
}

static int t_dim (lua_State *L) {
  nl_state *S = nl_S(L);
  lua_pushinteger(L, nl_checktensor(L, S, 1)->ndim);
  return 1;
}


static int t_stride (lua_State *L) {
  nl_state *S = nl_S(L);
  nx_tensor *t = nl_checktensor(L, S, 1);
  lua_createtable(L, t->ndim, 0);
  for (int d = 0; d < t->ndim; d++) {
    lua_pushinteger(L, t->stride[d]);
    lua_rawseti(L, -2, d + 1);
  }
  return 1;
}


static int t_is_contiguous (lua_State *L) {
  nl_state *S = nl_S(L);
  lua_pushboolean(L, nx_is_dense(nl_checktensor(L, S, 1)));
  return 1;
}


static void to_table (lua_State *L, const nx_tensor *t, int dim,
                      const char *at) {
  int64_t step;
  if (dim == t->ndim) {
    nl_pushelement(L, t, at);
    return;
  }
  luaL_checkstack(L, 4, "tensor to table");
  step = t->stride[dim] * (int64_t)nx_dtype_size(t->dtype);
  lua_createtable(L, (int)t->shape[dim], 0);
  for (int64_t i = 0; i < t->shape[dim]; i++) {
    to_table(L, t, dim + 1, at + i * step);
    lua_rawseti(L, -2, i + 1);
  }
}

static int t_totable (lua_State *L) {
  nl_state *S = nl_S(L);
  nx_tensor *t = nl_checktensor(L, S, 1);
  nl_may_read(L, S, t);
  to_table(L, t, 0, t->data);
  return 1;
}


static int t_tostring (lua_State *L) {
  nl_state *S = nl_S(L);
  nl_tensor *h = to_handle(L, S, 1);
  size_t mark = S->mark;
  nx_text text;
  if (h == NULL) return nl_error(L, S, "a tensor expected");
  if (h->t == NULL) {
    lua_pushliteral(L, "tensor (freed)");
    return 1;
  }
  nx_text_open(S->C, &text);
  nx_print(&text, h->t, nx_requires(h->t), &S->print);
  if (nx_status(S->C) == 0) lua_pushlstring(L, text.s, text.n);
  nx_text_close(&text);
  nl_check(L, S);
  nx_pop(S->C, mark, NULL);
  return 1;
}


/*
** set_printoptions{precision, threshold, edgeitems, linewidth, sci_mode}:
** those that are given; none: the defaults.
*/
typedef struct print_options {
  int64_t precision, threshold, edgeitems, linewidth;
  int sci_mode;
} print_options;

static const nx_field print_fields[] = {
  NX_INT(print_options, precision, 4, "digits behind the point"),
  NX_INT(print_options, threshold, 1000, "elements that are all shown"),
  NX_INT(print_options, edgeitems, 3, "elements shown of each end"),
  NX_INT(print_options, linewidth, 79, "columns"),
  NX_ENUM(print_options, sci_mode, "auto never always", 0,
          "numbers with an exponent; true: always, false: never"),
  NX_END
};

static int within (int64_t v, int least, int most) {
  return (int)(v < least ? least : v > most ? most : v);
}

/* the options at 1 as a copy, with sci_mode's true and false as names */
static void copy_options (lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_newtable(L);
  for (lua_pushnil(L); lua_next(L, 1); ) {
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    lua_settable(L, 2);
  }
  if (lua_getfield(L, 2, "sci_mode") == LUA_TBOOLEAN) {
    lua_pushstring(L, lua_toboolean(L, -1) ? "always" : "never");
    lua_setfield(L, 2, "sci_mode");
  }
  lua_settop(L, 2);
}

static int n_set_printoptions (lua_State *L) {
  nl_state *S = nl_S(L);
  print_options o;
  lua_settop(L, 1);
  if (lua_isnil(L, 1)) {
    S->print = nx_print_default;
    return 0;
  }
  copy_options(L);
  o.precision = S->print.precision;
  o.threshold = S->print.threshold;
  o.edgeitems = S->print.edgeitems;
  o.linewidth = S->print.linewidth;
  o.sci_mode = S->print.sci_mode - NX_SCI_AUTO;
  nl_readnamed(L, S, "set_printoptions", print_fields, &o, 2);
  S->print.sci_mode = o.sci_mode + NX_SCI_AUTO;
  S->print.precision = within(o.precision, 0, 17);
  S->print.threshold = o.threshold;
  S->print.edgeitems = within(o.edgeitems, 1, 1000);
  S->print.linewidth = within(o.linewidth, 20, 100000);
  return 0;
}


/*
** x:contiguous(), x:detach(): new handles where there is something to do.
*/
static int t_contiguous (lua_State *L) {
  nl_state *S = nl_S(L);
  nx_tensor *t = nl_checktensor(L, S, 1);
  size_t mark = S->mark;
  nl_tensor *h;
  if (nx_is_dense(t)) {
    lua_settop(L, 1);
    return 1;
  }
  h = nl_newhandle(L, S);
  return nl_result(L, S, h, nx_clone(S->C, t), mark);
}

static int t_detach (lua_State *L) {
  nl_state *S = nl_S(L);
  nx_tensor *t = nl_checktensor(L, S, 1);
  size_t mark = S->mark;
  nl_tensor *h = nl_newhandle(L, S);
  return nl_result(L, S, h, nx_detach(S->C, t), mark);
}


/*
** tensor(data, options): numbers, booleans and tables of them, all of one
** size at each level.
*/
typedef struct builder {
  nx_tensor *t;
  int64_t shape[NEAP_MAXDIM];
  int ndim, booleans;
} builder;

static void measure (lua_State *L, nl_state *S, builder *b, int i) {
  lua_pushvalue(L, i);
  while (lua_type(L, -1) == LUA_TTABLE) {
    if (b->ndim == NEAP_MAXDIM)
      nl_error(L, S, "tensor: tables are nested more than %d deep",
               NEAP_MAXDIM);
    b->shape[b->ndim++] = (int64_t)lua_rawlen(L, -1);
    lua_rawgeti(L, -1, 1);
    lua_remove(L, -2);
  }
  b->booleans = lua_type(L, -1) == LUA_TBOOLEAN;
  lua_pop(L, 1);
}

static char *store_value (lua_State *L, nl_state *S, builder *b, char *at) {
  if (lua_type(L, -1) == LUA_TBOOLEAN)
    nx_put_integer(b->t, at, lua_toboolean(L, -1));
  else if (lua_type(L, -1) != LUA_TNUMBER)
    nl_error(L, S, "tensor: the data holds %s, expected numbers (tables must "
             "be equally long at each level)", luaL_typename(L, -1));
  else if (lua_isinteger(L, -1)) {
    if (!nx_fits(b->t->dtype, lua_tointeger(L, -1)))
      nl_error(L, S, "tensor: %I does not fit %s", lua_tointeger(L, -1),
               nx_dtype_name(b->t->dtype));
    nx_put_integer(b->t, at, lua_tointeger(L, -1));
  }
  else nx_put_number(b->t, at, lua_tonumber(L, -1));
  return at + nx_dtype_size(b->t->dtype);
}

static char *store (lua_State *L, nl_state *S, builder *b, int dim,
                    char *at) {
  if (dim == b->ndim) return store_value(L, S, b, at);
  if (lua_type(L, -1) != LUA_TTABLE ||
      (int64_t)lua_rawlen(L, -1) != b->shape[dim])
    nl_error(L, S, "tensor: tables in dimension %d are not all of length %I",
             dim + 1, (lua_Integer)b->shape[dim]);
  luaL_checkstack(L, 2, "tensor");
  for (int64_t i = 1; i <= b->shape[dim]; i++) {
    lua_rawgeti(L, -1, i);
    at = store(L, S, b, dim + 1, at);
    lua_pop(L, 1);
  }
  return at;
}


/* {dtype = ..., requires_grad = ...} */
static void tensor_options (lua_State *L, nl_state *S, const char *who,
                            int i, int *dtype, int *requires) {
  lua_pushnil(L);
  while (lua_next(L, i)) {
    const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2)
                                                     : NULL;
    if (key && strcmp(key, "dtype") == 0) {
      const char *name = luaL_checkstring(L, -1);
      *dtype = nx_dtype_named(name);
      if (*dtype < 0) nl_error(L, S, "%s: no dtype '%s'", who, name);
    }
    else if (key && strcmp(key, "requires_grad") == 0)
      *requires = lua_toboolean(L, -1);
    else if (key) {
      nx_fields_unknown(S->C, who, NULL, "dtype requires_grad", key);
      nl_raise(L, S);
    }
    lua_pop(L, 1);
  }
}


static int n_tensor (lua_State *L) {
  nl_state *S = nl_S(L);
  size_t mark = S->mark;
  int dtype = -1, requires = 0, tried = 0;
  nl_tensor *h;
  builder b;
  memset(&b, 0, sizeof(b));
  lua_settop(L, 2);
  if (lua_isnil(L, 2) && lua_istable(L, 1)) {    /* tensor{1, 2, dtype = } */
    tensor_options(L, S, "tensor", 1, &dtype, &requires);
  }
  if (nl_totensor(L, S, 1))
    return nl_error(L, S, "tensor: this is a tensor already (use "
                    "x:clone():detach())");
  if (!lua_istable(L, 1) && !lua_isnumber(L, 1) && !lua_isboolean(L, 1))
    return nl_error(L, S, "tensor: data must be a number, a boolean or a "
                    "table, not %s", luaL_typename(L, 1));
  if (!lua_isnil(L, 2)) {
    luaL_checktype(L, 2, LUA_TTABLE);
    tensor_options(L, S, "tensor", 2, &dtype, &requires);
  }
  measure(L, S, &b, 1);
  if (dtype < 0) dtype = b.booleans ? NEAP_BOOL : NEAP_F32;
  h = nl_newhandle(L, S);
  do b.t = nx_new(S->C, dtype, b.ndim, b.shape);
  while (b.t == NULL && nl_again(L, S, &tried));
  nl_check(L, S);
  lua_pushvalue(L, 1);
  store(L, S, &b, 0, b.t->data);
  lua_pop(L, 1);
  if (requires) nx_require(S->C, b.t, 1);
  return nl_result(L, S, h, b.t, mark);
}


/*
** arange(n), arange(first, last), arange(first, last, step): the end is
** included. Integers give int64, other numbers float32.
*/
static int n_arange (lua_State *L) {
  nl_state *S = nl_S(L);
  size_t mark = S->mark;
  int dtype = -1, requires = 0, top = lua_gettop(L), whole = 1;
  double first = 1, last, step = 1, count;
  nl_tensor *h;
  nx_tensor *t;
  if (top > 0 && lua_istable(L, top))
    tensor_options(L, S, "arange", top--, &dtype, &requires);
  if (top < 1 || top > 3)
    return nl_error(L, S, "arange: expected arange(last) or arange(first, "
                    "last, step)");
  for (int i = 1; i <= top; i++) whole &= lua_isinteger(L, i);
  last = luaL_checknumber(L, top == 1 ? 1 : 2);
  if (top > 1) first = luaL_checknumber(L, 1);
  if (top > 2) step = luaL_checknumber(L, 3);
  if (step == 0 || step != step)
    return nl_error(L, S, "arange: step must not be 0");
  count = (last - first) / step;
  if (!(count < 0x1p40))
    return nl_error(L, S, "arange: too many elements, or not a number");
  count = count < 0 ? 0 : (double)(int64_t)(count + 1e-9) + 1;
  if (dtype < 0) dtype = whole ? NEAP_I64 : NEAP_F32;
  h = nl_newhandle(L, S);
  t = nx_new(S->C, dtype, 1, &(int64_t){(int64_t)count});
  nl_check(L, S);
  for (int64_t i = 0; i < t->len; i++) {
    char *at = t->data + i * (int64_t)nx_dtype_size(dtype);
    if (whole) nx_put_integer(t, at, (int64_t)first + i * (int64_t)step);
    else nx_put_number(t, at, first + (double)i * step);
  }
  if (requires) nx_require(S->C, t, 1);
  return nl_result(L, S, h, t, mark);
}


/* _version(x): how often its elements were changed in place */
static int n_version (lua_State *L) {
  nl_state *S = nl_S(L);
  nx_tensor *t = nl_checktensor(L, S, 1);
  lua_pushinteger(L, t->store ? (lua_Integer)t->store->version : 0);
  return 1;
}


/*
** x:to("float64"), with the type alone as in to{dtype = ...}; the same
** tensor when there is nothing to do. The operation itself is 'cast'.
*/
static int t_to (lua_State *L) {
  nl_state *S = nl_S(L);
  nx_tensor *t = nl_checktensor(L, S, 1);
  size_t mark = S->mark;
  const char *name;
  nl_tensor *h;
  int dtype, tried = 0;
  nx_tensor *y;
  if (lua_istable(L, 2)) lua_getfield(L, 2, "dtype");
  else lua_pushvalue(L, 2);
  name = lua_tostring(L, -1);
  dtype = name ? nx_dtype_named(name) : -1;
  if (dtype < 0)
    return nl_error(L, S, "to: expected the name of a type such as "
                    "\"float32\" or \"int64\", not %s",
                    name ? name : luaL_typename(L, 2));
  if (dtype == t->dtype) {
    lua_settop(L, 1);
    return 1;
  }
  h = nl_newhandle(L, S);
  do y = nx_to(S->C, t, dtype); while (!y && nl_again(L, S, &tried));
  return nl_result(L, S, h, y, mark);
}


static void push_grad (lua_State *L, nl_state *S, nx_tensor *t) {
  int tried = 0;
  nx_tensor *g;
  do g = nx_grad_of(t); while (!g && nl_again(L, S, &tried));
  nl_check(L, S);
  nl_pushheld(L, S, g);
}

/*
** x.name: a method, or what the tensor is. _grad_part: of the gradient, all
** elements that may be other than 0.
*/
static int property (lua_State *L, nl_state *S, nx_tensor *t,
                     const char *name) {
  if (strcmp(name, "shape") == 0) push_shape(L, t);
  else if (strcmp(name, "dtype") == 0)
    lua_pushstring(L, nx_dtype_name(t->dtype));
  else if (strcmp(name, "grad") == 0) push_grad(L, S, t);
  else if (strcmp(name, "_grad_part") == 0) {
    const nx_rows *r = nx_row_grad(t);
    nl_pushheld(L, S, r ? r->values : nx_grad_of(t));
  }
  else if (strcmp(name, "requires_grad") == 0)
    lua_pushboolean(L, nx_requires(t));
  else if (strcmp(name, "is_leaf") == 0)
    lua_pushboolean(L, !t->link || nx_trace_of(t)->node == NULL);
  else if (strcmp(name, "ndim") == 0) lua_pushinteger(L, t->ndim);
  else if (strcmp(name, "is_parameter") == 0)
    lua_pushboolean(L, (t->flags & NX_LEARNED) != 0);
  else return 0;
  return 1;
}

/* x.T, x.mT: dimensions in reverse, the last two exchanged */
static int transposed (lua_State *L, nl_state *S, nx_tensor *t,
                       const char *name) {
  size_t mark = S->mark;
  nx_ints order = {t->ndim, {0}};
  nl_tensor *h;
  int matrix = *name == 'm';
  if (strcmp(matrix ? name + 1 : name, "T") != 0) return 0;
  if (matrix && t->ndim < 2)
    return nl_error(L, S, "mT: the tensor has %d dimensions, expected two or "
                    "more", t->ndim);
  for (int d = 0; d < t->ndim; d++)
    order.v[d] = !matrix ? t->ndim - 1 - d
               : d < t->ndim - 2 ? d : 2 * t->ndim - 3 - d;
  h = nl_newhandle(L, S);
  return nl_result(L, S, h, nx_permute(S->C, t, order), mark);
}

static int t_index (lua_State *L) {
  nl_state *S = nl_S(L);
  if (lua_type(L, 2) == LUA_TSTRING) {
    nx_tensor *t;
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(2)) != LUA_TNIL) return 1;
    t = nl_checktensor(L, S, 1);
    if (property(L, S, t, lua_tostring(L, 2)) ||
        transposed(L, S, t, lua_tostring(L, 2))) return 1;
    return nl_error(L, S, "a tensor has no field '%s'", lua_tostring(L, 2));
  }
  return nl_index(L, S);
}


static int set_property (lua_State *L, nl_state *S, nx_tensor *t,
                         const char *name) {
  if (strcmp(name, "grad") == 0) {
    nx_tensor *g = lua_isnil(L, 3) ? NULL : nl_checktensor(L, S, 3);
    nx_set_grad(S->C, t, g);
    nl_check(L, S);
    if (g) nl_adopt(L, 3, g);
  }
  else if (strcmp(name, "requires_grad") == 0) {
    nx_require(S->C, t, lua_toboolean(L, 3));
    nl_check(L, S);
  }
  else return nl_error(L, S, "the field '%s' of a tensor cannot be set",
                       name);
  return 0;
}

static int t_newindex (lua_State *L) {
  nl_state *S = nl_S(L);
  if (lua_type(L, 2) == LUA_TSTRING)
    return set_property(L, S, nl_checktensor(L, S, 1), lua_tostring(L, 2));
  return nl_newindex(L, S);
}


static int t_no_order (lua_State *L) {
  nl_state *S = nl_S(L);
  return nl_error(L, S, "tensors cannot be compared with < and <= (Lua makes "
                  "one boolean of it); use x:lt(y), x:le(y), x:gt(y), "
                  "x:ge(y)");
}


static const luaL_Reg methods[] = {
  {"item", t_item}, {"size", t_size}, {"numel", t_numel}, {"dim", t_dim},
  {"stride", t_stride}, {"is_contiguous", t_is_contiguous},
  {"totable", t_totable}, {"contiguous", t_contiguous},
  {"detach", t_detach}, {NULL, NULL}
};

static const luaL_Reg meta[] = {
  {"__len", t_len}, {"__tostring", t_tostring}, {"__newindex", t_newindex},
  {"__lt", t_no_order}, {"__le", t_no_order}, {NULL, NULL}
};

static const luaL_Reg functions[] = {
  {"tensor", n_tensor}, {"arange", n_arange}, {"_version", n_version},
  {"set_printoptions", n_set_printoptions},
  {NULL, NULL}
};


/*
** neap.Tensor is the table of methods. The metatable is found by its own
** address: no name to look up on each call.
*/
void nl_open_tensor (lua_State *L, nl_state *S) {
  nl_setfuncs(L, S, functions);
  lua_createtable(L, 0, 1);
  lua_pushvalue(L, -1);
  lua_setfield(L, -3, "_shape_meta");
  lua_rawsetp(L, LUA_REGISTRYINDEX, &shape_meta_key);
  lua_newtable(L);                               /* metatable */
  S->tensor_meta = lua_topointer(L, -1);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, S->tensor_meta);
  nl_setfuncs(L, S, meta);
  lua_pushcfunction(L, tensor_gc);
  lua_setfield(L, -2, "__gc");
  lua_pushliteral(L, "neap.Tensor");
  lua_setfield(L, -2, "__name");
  lua_pushliteral(L, "neap.Tensor");
  lua_setfield(L, -2, "__metatable");
  lua_newtable(L);                               /* methods */
  nl_setfuncs(L, S, methods);
  lua_pushlightuserdata(L, S);
  lua_pushvalue(L, -2);
  lua_pushcclosure(L, t_index, 2);
  lua_setfield(L, -3, "__index");
  lua_pushvalue(L, -1);
  lua_setfield(L, -4, "Tensor");                 /* neap.Tensor */
  lua_pushvalue(L, -2);
  lua_setfield(L, -4, "_tensor_meta");
  lua_pop(L, 2);
}

/* After the operations: what replaces or completes them. */
void nl_finish_tensor (lua_State *L, nl_state *S) {
  static const char *const operators[][2] = {
    {"__add", "add"}, {"__sub", "sub"}, {"__mul", "mul"}, {"__div", "div"},
    {"__idiv", "floor_divide"}, {"__mod", "remainder"}, {"__pow", "pow"},
    {"__band", "bitwise_and"}, {"__bor", "bitwise_or"},
    {"__bxor", "bitwise_xor"}, {"__shl", "bitwise_left_shift"},
    {"__shr", "bitwise_right_shift"}
  };
  static const luaL_Reg to[] = {{"to", t_to}, {NULL, NULL}};
  lua_getfield(L, -1, "Tensor");
  nl_setfuncs(L, S, to);
  lua_getfield(L, -2, "_tensor_meta");
  for (size_t i = 0; i < sizeof(operators) / sizeof(operators[0]); i++) {
    lua_getfield(L, -2, operators[i][1]);
    lua_setfield(L, -2, operators[i][0]);
  }
  lua_pop(L, 2);
}
