/*
** x[...] and x[...] = value: numbers, ranges, new axes, the ellipsis.
**
** An index of several dimensions is a table, one entry for each:
**   3, -1        a position; the dimension goes away
**   {}           all positions
**   {a, b}       from a to b, both included; clamped like string.sub
**   {a, b, s}    every s-th of them
**   newaxis      a new dimension of size 1
**   ellipsis     as many dimensions as are left
*/
#include <string.h>
#include "lua/lneap.h"
#include "grad/tape.h"

static const char newaxis_key = 0, ellipsis_key = 0;

/* What an index comes to: a slice, and where new dimensions go. */
typedef struct place {
  slice_args s;
  int newaxis[NEAP_MAXDIM], nnew;        /* before which kept dimension */
  int single;                            /* every dimension has a position */
} place;


static int is_key (lua_State *L, int i, const char *key) {
  return lua_type(L, i) == LUA_TLIGHTUSERDATA &&
         lua_touserdata(L, i) == (const void *)key;
}


static lua_Integer whole (lua_State *L, nl_state *S, int i,
                          const char *what) {
  int ok = 0;
  lua_Integer v = 0;
  if (lua_type(L, i) == LUA_TNUMBER) v = lua_tointegerx(L, i, &ok);
  if (!ok) {
    if (lua_type(L, i) == LUA_TNUMBER)
      nl_error(L, S, "%s must be an integer, not %f", what,
               lua_tonumber(L, i));
    nl_error(L, S, "%s must be an integer, not %s", what,
             luaL_typename(L, i));
  }
  return v;
}


static void position (lua_State *L, nl_state *S, const nx_tensor *t, int d,
                      int i, place *p) {
  lua_Integer v = whole(L, S, i, "an index");
  int64_t at = v > 0 ? v - 1 : v;
  if (v == 0) nl_error(L, S, "index 0: positions count from 1 (or from the "
                       "end with -1)");
  nx_position(S->C, "index", t, d, &at);
  nl_check(L, S);
  p->s.start.v[d] = at;
  p->s.count.v[d] = 1;
  p->s.drop.v[d] = 1;
}


static lua_Integer entry (lua_State *L, nl_state *S, int i, int k) {
  lua_Integer v;
  lua_rawgeti(L, i, k);
  v = whole(L, S, lua_gettop(L), "an entry of a range");
  lua_pop(L, 1);
  return v;
}

static void range (lua_State *L, nl_state *S, const nx_tensor *t, int d,
                   int i, place *p) {
  int64_t size = t->shape[d], n = (int64_t)lua_rawlen(L, i), a, b, step = 1;
  if (n == 0) {
    if (lua_next(L, (lua_pushnil(L), i)))
      nl_error(L, S, "a range is a list of numbers, {first, last, step}");
    return;
  }
  if (n == 1)
    nl_error(L, S, "the range {%I} has one entry: write %I for a position, "
             "{%I, -1} for all from there on", entry(L, S, i, 1),
             entry(L, S, i, 1), entry(L, S, i, 1));
  if (n > 3) nl_error(L, S, "a range has at most 3 entries");
  a = entry(L, S, i, 1);
  b = entry(L, S, i, 2);
  if (n == 3) step = entry(L, S, i, 3);
  if (step < 1) nl_error(L, S, "the step of a range must be positive");
  if (a == 0 || b < -size - 1) a = a == 0 ? 1 : a;
  if (a < 0) a = a < -size ? 1 : a + size + 1;
  if (b < 0) b += size + 1;
  if (b > size) b = size;
  p->s.start.v[d] = a - 1;
  p->s.step.v[d] = step;
  p->s.count.v[d] = b < a ? 0 : (b - a) / step + 1;
  if (p->s.count.v[d] == 0) p->s.start.v[d] = 0;
}


static void read_entries (lua_State *L, nl_state *S, const nx_tensor *t,
                          int i, place *p) {
  int n = (int)lua_rawlen(L, i), d = 0, kept = 0, used = 0;
  for (int k = 1; k <= n; k++) {
    lua_rawgeti(L, i, k);
    used += !is_key(L, -1, &newaxis_key) && !is_key(L, -1, &ellipsis_key);
    lua_pop(L, 1);
  }
  if (used > t->ndim) {
    char text[NX_SHAPE_TEXT];
    nl_error(L, S, "an index of %d dimensions for a tensor of %d (%s)", used,
             t->ndim, nx_shape_of(t, text));
  }
  for (int k = 1; k <= n; k++) {
    int at;
    lua_rawgeti(L, i, k);
    at = lua_gettop(L);
    if (is_key(L, at, &newaxis_key)) {
      if (p->nnew == NEAP_MAXDIM) nl_error(L, S, "too many new axes");
      p->newaxis[p->nnew++] = kept;
    }
    else if (is_key(L, at, &ellipsis_key)) {
      kept += t->ndim - used;
      d += t->ndim - used;
      used = t->ndim;
    }
    else if (lua_type(L, at) == LUA_TTABLE) {
      range(L, S, t, d++, at, p);
      kept++;
    }
    else if (lua_type(L, at) == LUA_TNUMBER) position(L, S, t, d++, at, p);
    else
      nl_error(L, S, "entry %d of the index is %s, expected a number or a "
               "range", k, luaL_typename(L, at));
    lua_pop(L, 1);
  }
}


static void read_place (lua_State *L, nl_state *S, const nx_tensor *t,
                        int i, place *p) {
  memset(p, 0, sizeof(*p));
  nx_slice_all(t, &p->s);
  if (lua_type(L, i) == LUA_TTABLE) read_entries(L, S, t, i, p);
  else if (lua_type(L, i) == LUA_TNUMBER) {
    if (t->ndim == 0) nl_error(L, S, "a 0-d tensor has no positions (use "
                               "t:item())");
    position(L, S, t, 0, i, p);
  }
  else if (is_key(L, i, &newaxis_key)) {
    p->newaxis[p->nnew++] = 0;
  }
  else if (!is_key(L, i, &ellipsis_key))
    nl_error(L, S, "an index must be a number or a table, not %s",
             luaL_typename(L, i));
  p->single = p->nnew == 0;
  for (int d = 0; d < t->ndim; d++) p->single &= p->s.drop.v[d] == 1;
}


static nx_tensor *add_axes (nx_ctx *C, nx_tensor *v, const place *p) {
  int64_t shape[2 * NEAP_MAXDIM];
  int n = 0, next = 0;
  if (v == NULL || p->nnew == 0) return v;
  for (int d = 0; d <= v->ndim; d++) {
    while (next < p->nnew && p->newaxis[next] == d) {
      shape[n++] = 1;
      next++;
    }
    if (d < v->ndim) shape[n++] = v->shape[d];
  }
  if (n > NEAP_MAXDIM) {
    nx_fail(C, NEAP_ESHAPE, "index: more than %d dimensions", NEAP_MAXDIM);
    return NULL;
  }
  return nx_reshape(C, v, n, shape);
}


static void push_number (lua_State *L, const nx_tensor *t, const place *p) {
  const char *at = t->data;
  for (int d = 0; d < t->ndim; d++)
    at += p->s.start.v[d] * t->stride[d] * (int64_t)nx_dtype_size(t->dtype);
  if (t->dtype == NEAP_BOOL) lua_pushboolean(L, *at != 0);
  else if (nx_is_whole(t->dtype) || t->dtype == NEAP_I8)
    lua_pushinteger(L, nx_get_integer(t, at));
  else lua_pushnumber(L, nx_get_number(t, at));
}


/*
** A single element is a Lua number, unless it carries a gradient.
*/
int nl_index (lua_State *L, nl_state *S) {
  nx_tensor *t = nl_checktensor(L, S, 1), *v;
  size_t mark = S->mark;
  nl_tensor *h;
  place p;
  read_place(L, S, t, 2, &p);
  if (p.single && !nx_requires(t)) {
    push_number(L, t, &p);
    return 1;
  }
  h = nl_newhandle(L, S);
  v = add_axes(S->C, nx_slice(S->C, t, &p.s), &p);
  return nl_result(L, S, h, v, mark);
}


/* Without the tape, one element is written at once. */
static int set_number (lua_State *L, nx_tensor *t, const place *p) {
  char *at = t->data;
  int isint;
  lua_Integer v;
  if (!p->single || nx_requires(t)) return 0;
  if (lua_type(L, 3) != LUA_TNUMBER && lua_type(L, 3) != LUA_TBOOLEAN)
    return 0;
  for (int d = 0; d < t->ndim; d++) {
    if (t->stride[d] == 0 && t->shape[d] > 1) return 0;      /* expanded */
    at += p->s.start.v[d] * t->stride[d] * (int64_t)nx_dtype_size(t->dtype);
  }
  if (lua_isboolean(L, 3)) nx_put_integer(t, at, lua_toboolean(L, 3));
  else {
    v = lua_tointegerx(L, 3, &isint);
    if (isint) nx_put_integer(t, at, v);
    else nx_put_number(t, at, lua_tonumber(L, 3));
  }
  t->store->version++;
  return 1;
}


static nx_tensor *value_at (lua_State *L, nl_state *S, int i) {
  nx_tensor *v = nl_totensor(L, S, i);
  if (v) return v;
  if (lua_isboolean(L, i)) return nx_from_integer(S->C, lua_toboolean(L, i));
  if (lua_type(L, i) != LUA_TNUMBER)
    nl_error(L, S, "a tensor or a number can be assigned, not %s",
             luaL_typename(L, i));
  return lua_isinteger(L, i) ? nx_from_integer(S->C, lua_tointeger(L, i))
                             : nx_from_number(S->C, lua_tonumber(L, i));
}

int nl_newindex (lua_State *L, nl_state *S) {
  nx_tensor *t = nl_checktensor(L, S, 1), *in[2], *out;
  size_t mark = S->mark;
  int tried = 0;
  place p;
  read_place(L, S, t, 2, &p);
  if (p.nnew) return nl_error(L, S, "a new axis cannot be assigned to");
  if (set_number(L, t, &p)) return 0;
  in[0] = t;
  in[1] = value_at(L, S, 3);
  nl_check(L, S);
  while (nx_apply_all(S->C, &nx_op_slice_scatter, &p.s, 2, in,
                      NX_IN_PLACE, 1,
                      &out) < 0 && nl_again(L, S, &tried)) {}
  nl_check(L, S);
  nx_pop(S->C, mark, NULL);
  return 0;
}


void nl_open_index (lua_State *L, nl_state *S) {
  (void)S;
  lua_pushlightuserdata(L, (void *)(uintptr_t)&newaxis_key);
  lua_setfield(L, -2, "newaxis");
  lua_pushlightuserdata(L, (void *)(uintptr_t)&ellipsis_key);
  lua_setfield(L, -2, "ellipsis");
}
