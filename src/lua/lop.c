/*
** One function behind every operation. The description that the compiler
** made of its inputs and fields is prepared once, when the library opens,
** and is an upvalue of the closure.
*/
#include <stdio.h>
#include <string.h>
#include "grad/tape.h"
#include "lua/lneap.h"

#define MAXITEMS 32
#define MAXINPUTS 10           /* named ones; a list may have any number */
#define MAXRESULTS 4           /* that a call shows; the same */

/* What stands at a position of a call: an input or a field. */
typedef struct item {
  const nx_field *field;       /* NULL: an input */
  int input;
} item;

typedef struct opinfo {
  const nx_op *op;
  item items[MAXITEMS];
  int nitems, nin;
  int list;                    /* inputs are a list */
  int results, many;           /* results to show; they are a list */
  int inplace;
} opinfo;

/* One call: what was given so far. */
union opargs { char bytes[640]; double d; int64_t i; void *p; };

typedef struct opcall {
  const opinfo *info;
  union opargs args;
  nx_tensor *in[MAXINPUTS];
  nx_tensor **list;            /* of list inputs */
  int nlist;
  nx_tensor *into;             /* option 'out', and the table that has it */
  int options;
  nl_generator *generator;
  int requires_grad;
  unsigned given;              /* fields that had a position */
} opcall;


static nx_tensor *to_input (lua_State *L, nl_state *S, const opcall *c,
                            int input, int i) {
  nx_tensor *t = nl_totensor(L, S, i);
  char name[32];
  if (t != NULL) return t;
  switch (lua_type(L, i)) {
    case LUA_TNUMBER:
      return lua_isinteger(L, i)
             ? nx_from_integer(S->C, lua_tointeger(L, i))
             : nx_from_number(S->C, lua_tonumber(L, i));
    case LUA_TBOOLEAN: return nx_from_boolean(S->C, lua_toboolean(L, i));
    default:
      nl_error(L, S, "%s: %s must be a tensor or a number, not %s",
                 c->info->op->name,
                 nx_names_at(c->info->op->inputs, input, name),
                 luaL_typename(L, i));
      return NULL;
  }
}


static void set_input (lua_State *L, nl_state *S, opcall *c, int input,
                       int i) {
  if (!lua_isnoneornil(L, i)) c->in[input] = to_input(L, S, c, input, i);
}


/*
** A list of tensors: the array of pointers is a userdata on the stack,
** the tensors stay in the Lua table.
*/
static void set_list (lua_State *L, nl_state *S, opcall *c, int i) {
  lua_Integer n = (lua_Integer)lua_rawlen(L, i);
  if (n == 0)
    nl_error(L, S, "%s: the list of tensors is empty", c->info->op->name);
  c->nlist = (int)n;
  c->list = lua_newuserdatauv(L, (size_t)n * sizeof(*c->list), 0);
  for (lua_Integer k = 1; k <= n; k++) {
    lua_rawgeti(L, i, k);
    c->list[k - 1] = nl_totensor(L, S, -1);
    if (c->list[k - 1] == NULL)
      nl_error(L, S, "%s: entry %I of the list is %s, not a tensor",
                 c->info->op->name, k, luaL_typename(L, -1));
    lua_pop(L, 1);
  }
}


/* the same for tensors that stand one after the other; gives the next */
static int set_tensors (lua_State *L, nl_state *S, opcall *c, int i,
                        int top) {
  int n = 0;
  while (i + n <= top && nl_totensor(L, S, i + n)) n++;
  c->nlist = n;
  c->list = lua_newuserdatauv(L, (size_t)n * sizeof(*c->list), 0);
  lua_insert(L, 1);            /* out of the way of what is read next */
  for (int k = 0; k < n; k++) c->list[k] = nl_totensor(L, S, i + 1 + k);
  return i + n;
}


static int has_names (lua_State *L, int i) {
  lua_pushnil(L);
  while (lua_next(L, i)) {
    lua_pop(L, 1);
    if (lua_type(L, -1) == LUA_TSTRING) {
      lua_pop(L, 1);
      return 1;
    }
  }
  return 0;
}


static void set_option (lua_State *L, nl_state *S, opcall *c,
                        const char *key, int i) {
  const nx_op *op = c->info->op;
  const nx_field *f = nx_field_find(op->fields, key);
  int input;
  if (f != NULL && f->kind == NX_KIND_DRAW) {
    c->generator = nl_togenerator(L, S, i);
    if (c->generator == NULL)
      nl_error(L, S, "%s: generator must come from neap.generator",
                 op->name);
  }
  else if (f != NULL && f->kind != NX_KIND_BASE) {
    if (c->given >> (f - op->fields) & 1)
      nl_error(L, S, "%s: %s is given twice", op->name, key);
    nl_setfield(L, S, op->name, f, c->args.bytes, i);
  }
  else if ((input = nx_names_find(op->inputs, key)) >= 0) {
    if (c->info->list && lua_istable(L, i)) set_list(L, S, c, i);
    else set_input(L, S, c, input, i);
  }
  else if (*op->inputs == '\0' && strcmp(key, "requires_grad") == 0)
    c->requires_grad = lua_toboolean(L, i);
  else if (!c->info->inplace && strcmp(key, "out") == 0) {
    c->into = nl_totensor(L, S, i);
    if (c->into == NULL)
      nl_error(L, S, "%s: out must be a tensor, not %s", op->name,
               luaL_typename(L, i));
  }
  else {
    char more[128];
    snprintf(more, sizeof(more), "%s%s", *op->inputs ? op->inputs
             : "requires_grad", c->info->inplace ? "" : " out");
    nx_fields_unknown(S->C, op->name, op->fields, more, key);
    nl_raise(L, S);
  }
}


static void set_options (lua_State *L, nl_state *S, opcall *c, int i) {
  c->options = i;
  lua_pushnil(L);
  while (lua_next(L, i)) {
    int value = lua_gettop(L);
    if (lua_type(L, -2) == LUA_TSTRING)
      set_option(L, S, c, lua_tostring(L, -2), value);
    if (lua_gettop(L) > value) {           /* a list left its array */
      lua_insert(L, i + 1);
      value++;
    }
    lua_settop(L, value - 1);
  }
}


/*
** A table is a list where a list is wanted (with options among it), else
** options. An empty one is a list only where there is no default.
*/
static int wants_list (const item *it, const opinfo *info) {
  if (it == NULL) return 0;
  if (it->field == NULL) return info->list;
  return it->field->kind == NX_KIND_INTS ||
         it->field->kind == NX_KIND_LIST || it->field->kind == NX_KIND_DIMS;
}

static void read_table (lua_State *L, nl_state *S, opcall *c,
                        const item *it, int i, int last) {
  int names = has_names(L, i);
  if (wants_list(it, c->info) &&
      (lua_rawlen(L, i) > 0 || (!names && it->field &&
                                it->field->fallback == NX_REQUIRED &&
                                it->field->kind != NX_KIND_DIMS))) {
    if (it->field == NULL) set_list(L, S, c, i);
    else nl_setfield(L, S, c->info->op->name, it->field, c->args.bytes, i);
  }
  else if (lua_rawlen(L, i) > 0 || !last)
    nl_error(L, S, "%s: argument %d is a table, expected %s",
               c->info->op->name, i, it && it->field == NULL ? "a tensor"
               : it ? it->field->name : "nothing more");
  if (names) set_options(L, S, c, i);
}


/*
** Sizes and dimensions may be given one by one, zeros(2, 3), where nothing
** that follows could take a number.
*/
static int takes_rest (const opinfo *info, int at) {
  const item *it = &info->items[at], *next = it + 1;
  if (it->field == NULL || (it->field->kind != NX_KIND_INTS &&
                            it->field->kind != NX_KIND_DIMS)) return 0;
  if (at + 1 == info->nitems) return 1;
  return next->field && (next->field->kind == NX_KIND_BOOL ||
                         next->field->kind == NX_KIND_ENUM);
}

static int read_sizes (lua_State *L, nl_state *S, opcall *c,
                       const nx_field *f, int i, int top) {
  nx_value v;
  nx_value_clear(&v);
  v.tag = NX_IS_INTS;
  while (i <= top && lua_isinteger(L, i)) {
    if (v.n == NEAP_MAXDIM)
      nl_error(L, S, "%s: more than %d sizes", c->info->op->name,
                 NEAP_MAXDIM);
    v.whole[v.n++] = lua_tointeger(L, i++);
  }
  nx_field_set(S->C, c->info->op->name, f, c->args.bytes, &v);
  nl_check(L, S);
  return i;
}


static void read_call (lua_State *L, nl_state *S, opcall *c) {
  const opinfo *info = c->info;
  int top = lua_gettop(L), next = 0, i = 1;
  while (i <= top) {
    const item *it = next < info->nitems ? &info->items[next] : NULL;
    if (lua_type(L, i) == LUA_TTABLE) {
      read_table(L, S, c, it, i, i == top);
      if (wants_list(it, info)) next++;
      i++;
      continue;
    }
    if (it == NULL && lua_isnil(L, i)) {           /* no options */
      i++;
      continue;
    }
    if (it == NULL) nl_error(L, S, "%s: too many arguments", info->op->name);
    next++;
    if (it->field) c->given |= 1u << (it->field - info->op->fields);
    if (it->field == NULL && info->list) {
      if (nl_totensor(L, S, i) == NULL)
        nl_error(L, S, "%s: argument %d must be a list of tensors",
                 info->op->name, i);
      i = set_tensors(L, S, c, i, top) + 1;
      top++;
    }
    else if (it->field == NULL) set_input(L, S, c, it->input, i++);
    else if (lua_isinteger(L, i) && takes_rest(info, next - 1))
      i = read_sizes(L, S, c, it->field, i, top);
    else nl_setfield(L, S, info->op->name, it->field, c->args.bytes, i++);
  }
}


/*
** Random operations draw from the given generator for once. The operation
** may change its arguments: it gets a copy, since it may run again.
*/
static int apply (nl_state *S, opcall *c, int room, nx_tensor **out) {
  const opinfo *info = c->info;
  union opargs args;
  nx_generator own = S->C->random;
  int recording = S->C->recording, n;
  int mode = info->inplace ? NX_IN_PLACE : c->into ? NX_INTO : NX_NEW;
  if (c->generator) S->C->random = c->generator->g;
  if (info->op->flags & NX_INITIALISER) S->C->recording = 0;
  memcpy(args.bytes, c->args.bytes, info->op->argsize);
  n = nx_apply_all(S->C, info->op, args.bytes,
                   info->list ? c->nlist : info->nin,
                   info->list ? c->list : c->in, mode, room, out);
  S->C->recording = recording;
  if (c->generator) {
    c->generator->g = S->C->random;
    S->C->random = own;
  }
  if (n > 0 && c->requires_grad) nx_require(S->C, out[0], 1);
  return n;
}


/* tries once more when memory was short; raises what went wrong */
static int apply_checked (lua_State *L, nl_state *S, opcall *c, int room,
                          nx_tensor **out) {
  int n, tried = 0;
  do n = apply(S, c, room, out); while (n < 0 && nl_again(L, S, &tried));
  nl_check(L, S);
  return n;
}


static int call_inplace (lua_State *L, nl_state *S, opcall *c) {
  size_t mark = S->mark;
  nx_tensor *out[1];
  if (nl_totensor(L, S, 1) == NULL)
    return nl_error(L, S, "%s_: the first argument must be a tensor",
                    c->info->op->name);
  apply_checked(L, S, c, 1, out);
  nx_pop(S->C, mark, NULL);
  lua_settop(L, 1);
  return 1;
}


static int call_into (lua_State *L, nl_state *S, opcall *c) {
  size_t mark = S->mark;
  nx_tensor *out[1] = {c->into};
  apply_checked(L, S, c, 1, out);
  nx_pop(S->C, mark, NULL);
  lua_getfield(L, c->options, "out");
  return 1;
}


/*
** A list of results. How many there are is known only afterwards, but
** handles must be there before the tensors: the operation runs twice.
** (Those with a list of results are views: they cost little.)
*/
static int call_list (lua_State *L, nl_state *S, opcall *c) {
  size_t mark = S->mark;
  nx_tensor **out;
  nl_tensor **h;
  int n = apply_checked(L, S, c, 0, NULL), list;
  nx_pop(S->C, mark, NULL);
  out = lua_newuserdatauv(L, ((size_t)n + 1) * sizeof(*out), 0);
  h = lua_newuserdatauv(L, ((size_t)n + 1) * sizeof(*h), 0);
  lua_createtable(L, n, 0);
  list = lua_gettop(L);
  for (int i = 0; i < n; i++) {
    h[i] = nl_newhandle(L, S);
    lua_rawseti(L, list, i + 1);
  }
  apply_checked(L, S, c, n, out);
  for (int i = 0; i < n; i++) nl_fill(S, h[i], out[i]);
  nx_pop(S->C, mark, NULL);
  nl_tell(L, S);
  for (int i = 0; i < n; i++) nl_scope_add(S, h[i]);
  return 1;
}


static int call_new (lua_State *L, nl_state *S, opcall *c) {
  size_t mark = S->mark;
  int room = c->info->results, n;
  nl_tensor *h[MAXRESULTS];
  nx_tensor *out[MAXRESULTS];
  nl_newhandles(L, S, room, h);
  n = apply_checked(L, S, c, room, out);
  if (n > room) n = room;                  /* others are the gradient's */
  return nl_results(L, S, room, h, n, out, mark);
}


static int call_op (lua_State *L) {
  nl_state *S = nl_S(L);
  opcall c;
  c.info = lua_touserdata(L, lua_upvalueindex(2));
  c.nlist = 0;
  c.list = NULL;
  c.into = NULL;
  c.generator = NULL;
  c.requires_grad = 0;
  c.given = 0;
  memset(c.in, 0, sizeof(c.in));
  memset(c.args.bytes, 0, c.info->op->argsize);   /* also what no field is */
  nx_fields_default(S->C, c.info->op->fields, c.args.bytes);
  read_call(L, S, &c);
  if (c.info->op->fields)
    nx_fields_check(S->C, c.info->op->name, c.info->op->fields,
                    c.args.bytes);
  nl_check(L, S);
  if (c.info->inplace) return call_inplace(L, S, &c);
  if (c.into) return call_into(L, S, &c);
  if (c.info->many) return call_list(L, S, &c);
  return call_new(L, S, &c);
}


/*
** Preparing the description.
*/
static void add_item (opinfo *o, const nx_field *f, int input) {
  o->items[o->nitems].field = f;
  o->items[o->nitems++].input = input;
}

static void order_of_call (opinfo *o) {
  const nx_op *op = o->op;
  char name[32];
  int optional, list, n;
  if (op->call == NULL) {
    for (int i = 0; i < o->nin; i++) add_item(o, NULL, i);
    for (const nx_field *f = op->fields; f && f->name; f++)
      if (f->kind != NX_KIND_BASE && f->kind != NX_KIND_DRAW)
        add_item(o, f, 0);
    return;
  }
  n = nx_names_count(op->call, &optional, &list);
  for (int i = 0; i < n; i++) {
    int input = nx_names_find(op->inputs, nx_names_at(op->call, i, name));
    add_item(o, input < 0 ? nx_field_find(op->fields, name) : NULL, input);
  }
}

static void prepare (opinfo *o, const nx_op *op, int inplace) {
  int optional;
  memset(o, 0, sizeof(*o));
  o->op = op;
  o->inplace = inplace;
  o->nin = nx_names_count(op->inputs, &optional, &o->list);
  for (const char *p = op->outputs; *p; ) {
    size_t n = strcspn(p, " ");
    o->results += p[n - 1] != '~';
    o->many |= p[n - 1] == '*';
    p += n + (p[n] == ' ');
  }
  order_of_call(o);
}


static void push_op (lua_State *L, nl_state *S, const nx_op *op,
                     int inplace) {
  lua_pushlightuserdata(L, S);
  prepare(lua_newuserdatauv(L, sizeof(opinfo), 0), op, inplace);
  lua_pushcclosure(L, call_op, 2);
}

/* table[name] = function, for the table at 'at' */
static void set_op (lua_State *L, int at, const char *name, int inplace) {
  lua_pushvalue(L, -1);
  lua_pushfstring(L, "%s%s", name, inplace ? "_" : "");
  lua_insert(L, -2);
  lua_rawset(L, at);
}


/*
** Every operation as a function of neap and of neap.nn.functional, as a
** method, and in place where it can be; starting values in neap.nn.init.
*/
void nl_open_ops (lua_State *L, nl_state *S) {
  int neap = lua_gettop(L), methods, functional, init;
  lua_getfield(L, neap, "Tensor");
  methods = lua_gettop(L);
  lua_newtable(L);
  functional = lua_gettop(L);
  lua_newtable(L);
  init = lua_gettop(L);
  for (const nx_op *const *p = nx_ops; *p != NULL; p++) {
    const nx_op *op = *p;
    if (op->flags & NX_INNER) continue;
    push_op(L, S, op, 0);
    if (!(op->flags & NX_INITIALISER)) {
      set_op(L, neap, op->name, 0);
      set_op(L, functional, op->name, 0);
      if (*op->inputs) set_op(L, methods, op->name, 0);
    }
    lua_pop(L, 1);
    if (op->flags & NX_INPLACE) {
      push_op(L, S, op, 1);
      if (op->flags & NX_INITIALISER) set_op(L, init, op->name, 1);
      else set_op(L, methods, op->name, 1);
      lua_pop(L, 1);
    }
  }
  lua_setfield(L, neap, "_init");
  lua_setfield(L, neap, "_functional");
  lua_settop(L, neap);
}
