/*
** x[...] and x[...] = value: numbers, ranges, new axes, the ellipsis,
** tensors of positions, masks.
**
** An index of several dimensions is a table, one entry for each:
**   3, -1        a position; the dimension goes away
**   {}           all positions
**   {a, b}       from a to b, both included; clamped like string.sub
**   {a, b, s}    every s-th of them
**   newaxis      a new dimension of size 1
**   ellipsis     as many dimensions as are left
**   ids          a tensor of positions; several broadcast together
**   mask         a tensor of bool for as many dimensions as it has: the
**                positions where it is true
**
** Numbers, ranges and new axes are seen to first, as a view; then tensors
** of positions take elements of it.
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
  int whole;                             /* the slice is all of x */
  nx_tensor *at[NEAP_MAXDIM];            /* positions ... */
  int dim[NEAP_MAXDIM], nat;             /* ... for these dimensions of x */
  nx_tensor *mask;                       /* a single one for all of x */
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
  if (at == t->shape[d] && d == 0 && lua_gettop(L) == 2)
    nl_error(L, S, "index: position %I is outside dimension 1 of size %I "
             "(pairs(x) or x:rows() iterate; ipairs looks one too far)", v,
             (lua_Integer)t->shape[d]);
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


static void add_positions (lua_State *L, nl_state *S, place *p, int d,
                           nx_tensor *at) {
  if (p->nat == NEAP_MAXDIM) nl_error(L, S, "too many tensors in an index");
  p->at[p->nat] = at;
  p->dim[p->nat++] = d;
}

/*
** A tensor as an entry for dimension d; gives how many it stands for. A
** mask becomes one tensor of positions for each of its dimensions.
*/
static int tensor_entry (lua_State *L, nl_state *S, const nx_tensor *x,
                         int d, nx_tensor *t, place *p) {
  char xt[NX_SHAPE_TEXT], mt[NX_SHAPE_TEXT];
  nx_tensor *rows;
  if (t->dtype != NEAP_BOOL) {
    if (!nx_is_whole(t->dtype))
      nl_error(L, S, "an index is a tensor of %s, expected integers (use "
               ":to(\"int64\")) or a mask of bool", nx_dtype_name(t->dtype));
    add_positions(L, S, p, d, t);
    return 1;
  }
  if (t->ndim == 0)
    nl_error(L, S, "a mask has no dimensions; use its :item() in an if");
  for (int i = 0; i < t->ndim; i++)
    if (d + i >= x->ndim || t->shape[i] != x->shape[d + i])
      nl_error(L, S, "the mask is %s and does not fit dimension %d of x, "
               "which is %s", nx_shape_of(t, mt), d + i + 1,
               nx_shape_of(x, xt));
  rows = nx_nonzero(S->C, t, 1);
  for (int i = 0; i < t->ndim; i++)
    add_positions(L, S, p, d + i, nx_select(S->C, rows, 1, i));
  nl_check(L, S);
  return t->ndim;
}


/* how many dimensions an entry at 'i' stands for */
static int entry_dims (lua_State *L, nl_state *S, int i) {
  nx_tensor *t = nl_totensor(L, S, i);
  if (t && t->dtype == NEAP_BOOL) return t->ndim;
  return !is_key(L, i, &newaxis_key) && !is_key(L, i, &ellipsis_key);
}

static void read_entry (lua_State *L, nl_state *S, const nx_tensor *t, int i,
                        int k, int hidden, place *p, int *d, int *kept) {
  nx_tensor *at;
  if (is_key(L, i, &newaxis_key)) {
    if (p->nnew == NEAP_MAXDIM) nl_error(L, S, "too many new axes");
    p->newaxis[p->nnew++] = *kept;
  }
  else if (is_key(L, i, &ellipsis_key)) {
    *kept += hidden;
    *d += hidden;
  }
  else if ((at = nl_totensor(L, S, i)) != NULL) {
    int n = tensor_entry(L, S, t, *d, at, p);
    *d += n;
    *kept += n;
  }
  else if (lua_type(L, i) == LUA_TTABLE) {
    range(L, S, t, (*d)++, i, p);
    (*kept)++;
  }
  else if (lua_type(L, i) == LUA_TNUMBER) position(L, S, t, (*d)++, i, p);
  else
    nl_error(L, S, "entry %d of the index is %s, expected a number, a range "
             "or a tensor", k, luaL_typename(L, i));
}

static void read_entries (lua_State *L, nl_state *S, const nx_tensor *t,
                          int i, place *p) {
  int n = (int)lua_rawlen(L, i), d = 0, kept = 0, used = 0, dots = 0;
  for (int k = 1; k <= n; k++) {
    lua_rawgeti(L, i, k);
    used += entry_dims(L, S, lua_gettop(L));
    dots += is_key(L, -1, &ellipsis_key);
    lua_pop(L, 1);
  }
  if (used > t->ndim) {
    char text[NX_SHAPE_TEXT];
    nl_error(L, S, "an index of %d dimensions for a tensor of %d (%s)", used,
             t->ndim, nx_shape_of(t, text));
  }
  if (dots > 1) nl_error(L, S, "an index has one ellipsis at most");
  for (int k = 1; k <= n; k++) {
    lua_rawgeti(L, i, k);
    read_entry(L, S, t, lua_gettop(L), k, t->ndim - used, p, &d, &kept);
    lua_pop(L, 1);
  }
}


static void read_place (lua_State *L, nl_state *S, const nx_tensor *t,
                        int i, place *p) {
  nx_tensor *at = nl_totensor(L, S, i);
  memset(p, 0, sizeof(*p));
  nx_slice_all(t, &p->s);
  if (at && at->dtype == NEAP_BOOL && nx_same_shape(at, t)) p->mask = at;
  else if (at) {
    if (t->ndim == 0) nl_error(L, S, "a 0-d tensor has no positions (use "
                               "t:item())");
    tensor_entry(L, S, t, 0, at, p);
  }
  else if (lua_type(L, i) == LUA_TTABLE) read_entries(L, S, t, i, p);
  else if (lua_type(L, i) == LUA_TNUMBER) {
    if (t->ndim == 0) nl_error(L, S, "a 0-d tensor has no positions (use "
                               "t:item())");
    position(L, S, t, 0, i, p);
  }
  else if (is_key(L, i, &newaxis_key)) {
    p->newaxis[p->nnew++] = 0;
  }
  else if (!is_key(L, i, &ellipsis_key))
    nl_error(L, S, "an index must be a number, a table or a tensor, not %s%s",
             luaL_typename(L, i), lua_isboolean(L, i)
             ? " (== compares no elements; x:eq(y) is a mask)" : "");
  p->single = p->nnew == 0 && p->nat == 0 && p->mask == NULL;
  p->whole = p->nnew == 0;
  for (int d = 0; d < t->ndim; d++) {
    p->single &= p->s.drop.v[d] == 1;
    p->whole &= p->s.drop.v[d] == 0 && p->s.count.v[d] == t->shape[d] &&
                p->s.step.v[d] == 1;
  }
}


/*
** The dimensions that tensors of positions are for, in the view that
** remains after numbers and new axes.
*/
static void dims_in_view (const place *p, nx_take_args *a) {
  a->accumulate = 0;
  a->base = 1;
  a->dims.n = p->nat;
  for (int i = 0; i < p->nat; i++) {
    int kept = 0, axes = 0;
    for (int d = 0; d < p->dim[i]; d++) kept += !p->s.drop.v[d];
    for (int k = 0; k < p->nnew; k++) axes += p->newaxis[k] <= kept;
    a->dims.v[i] = kept + axes;
  }
}

/* rows by one tensor of positions, which may have any shape */
static nx_tensor *take_rows (nx_ctx *C, nx_tensor *v, int64_t dim,
                             nx_tensor *at) {
  int64_t shape[2 * NEAP_MAXDIM];
  int n = 0;
  nx_tensor *flat, *y;
  if (at->ndim == 1) return nx_index_select(C, v, dim, at, 1);
  flat = nx_reshape(C, at, 1, &at->len);
  y = nx_index_select(C, v, dim, flat, 1);
  if (y == NULL) return NULL;
  for (int d = 0; d < dim; d++) shape[n++] = v->shape[d];
  for (int d = 0; d < at->ndim; d++) shape[n++] = at->shape[d];
  for (int d = (int)dim + 1; d < v->ndim; d++) shape[n++] = v->shape[d];
  if (n <= NEAP_MAXDIM) return nx_reshape(C, y, n, shape);
  nx_fail(C, NEAP_ESHAPE, "index: more than %d dimensions", NEAP_MAXDIM);
  return NULL;
}

static nx_tensor *take (nx_ctx *C, nx_tensor *v, const place *p) {
  nx_take_args a;
  if (v == NULL || p->nat == 0) return v;
  dims_in_view(p, &a);
  if (p->nat == 1) return take_rows(C, v, a.dims.v[0], p->at[0]);
  return nx_take(C, v, &a, p->nat, p->at);
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


static void push_number (lua_State *L, nl_state *S, const nx_tensor *t,
                         const place *p) {
  const char *at = t->data;
  for (int d = 0; d < t->ndim; d++)
    at += p->s.start.v[d] * t->stride[d] * (int64_t)nx_dtype_size(t->dtype);
  nl_may_read(L, S, t);
  nl_pushelement(L, t, at);
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
    push_number(L, S, t, &p);
    return 1;
  }
  h = nl_newhandle(L, S);
  if (p.mask) v = nx_masked_select(S->C, t, p.mask);
  else {
    v = p.whole ? t : add_axes(S->C, nx_slice(S->C, t, &p.s), &p);
    v = take(S->C, v, &p);
    if (v == t) v = nx_slice(S->C, t, &p.s);
  }
  return nl_result(L, S, h, v, mark);
}


/* Without the tape, one element is written at once. */
static int set_number (lua_State *L, nl_state *S, nx_tensor *t,
                       const place *p) {
  char *at = t->data;
  if (!p->single || nx_requires(t)) return 0;
  if (lua_type(L, 3) != LUA_TNUMBER && lua_type(L, 3) != LUA_TBOOLEAN)
    return 0;
  for (int d = 0; d < t->ndim; d++) {
    if (t->stride[d] == 0 && t->shape[d] > 1) return 0;      /* expanded */
    at += p->s.start.v[d] * t->stride[d] * (int64_t)nx_dtype_size(t->dtype);
  }
  if (lua_isboolean(L, 3)) nx_put_integer(t, at, lua_toboolean(L, 3));
  else if (lua_isinteger(L, 3)) {
    if (!nx_fits(t->dtype, lua_tointeger(L, 3)))
      nl_error(L, S, "%I does not fit %s", lua_tointeger(L, 3),
               nx_dtype_name(t->dtype));
    nx_put_integer(t, at, lua_tointeger(L, 3));
  }
  else nx_put_number(t, at, lua_tonumber(L, 3));
  t->store->version++;
  return 1;
}


static nx_tensor *value_at (lua_State *L, nl_state *S, int i) {
  nx_tensor *v = nl_totensor(L, S, i);
  if (v) return v;
  if (lua_isboolean(L, i)) return nx_from_boolean(S->C, lua_toboolean(L, i));
  if (lua_type(L, i) != LUA_TNUMBER)
    nl_error(L, S, "a tensor or a number can be assigned, not %s",
             luaL_typename(L, i));
  return lua_isinteger(L, i) ? nx_from_integer(S->C, lua_tointeger(L, i))
                             : nx_from_number(S->C, lua_tonumber(L, i));
}

/*
** x with the value in its place, by one operation in place on x: a mask, a
** part, elements by positions. A part of which elements are meant is taken
** out, changed and put back.
*/
static int put (nx_ctx *C, nx_tensor *t, const place *p, nx_tensor *value) {
  nx_tensor *in[NEAP_MAXDIM + 2], *v, *out;
  slice_args s = p->s;
  nx_take_args a;
  in[0] = t;
  if (p->mask && value->ndim == 0) {
    in[1] = p->mask;
    in[2] = value->link ? value : nx_typed(C, value, t->dtype);
    return nx_apply_all(C, &nx_op_masked_fill, NULL, 3, in, NX_IN_PLACE, 1,
                        &out);
  }
  in[1] = value;
  if (p->nat == 0)
    return nx_apply_all(C, &nx_op_slice_scatter, &s, 2, in, NX_IN_PLACE, 1,
                        &out);
  dims_in_view(p, &a);
  if (p->whole) {
    for (int i = 0; i < p->nat; i++) in[i + 2] = p->at[i];
    return nx_apply_all(C, &nx_op_index_put, &a, p->nat + 2, in,
                        NX_IN_PLACE, 1, &out);
  }
  v = nx_slice(C, t, &s);
  in[1] = nx_put(C, v, value, &a, p->nat, p->at);
  if (in[1] == NULL) return -1;
  return nx_apply_all(C, &nx_op_slice_scatter, &s, 2, in, NX_IN_PLACE, 1,
                      &out);
}

int nl_newindex (lua_State *L, nl_state *S) {
  nx_tensor *t = nl_checktensor(L, S, 1), *value;
  size_t mark = S->mark;
  int tried = 0;
  place p;
  read_place(L, S, t, 2, &p);
  if (p.nnew) return nl_error(L, S, "a new axis cannot be assigned to");
  if (set_number(L, S, t, &p)) return 0;
  value = value_at(L, S, 3);
  nl_check(L, S);
  if (p.mask && value->ndim > 0) {     /* positions instead */
    tensor_entry(L, S, t, 0, p.mask, &p);
    p.mask = NULL;
  }
  while (put(S->C, t, &p, value) < 0 && nl_again(L, S, &tried)) {}
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
