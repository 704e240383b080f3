/*
** Bindings: what their files share.
**
** A Lua state has one runtime and one context ('nl_state'). Handles count
** as users of it, since at the end of a state Lua finalizes in any order.
*/
#ifndef lneap_h
#define lneap_h

#include <lauxlib.h>
#include <lua.h>
#include "base/fields.h"
#include "nn/module.h"
#include "optim/optimizer.h"
#include "tensor/print.h"

typedef struct nl_state {
  nx_rt *rt;
  nx_ctx *C;
  int handles;                 /* live userdata that need this */
  int closed;                  /* its own userdata is gone */
  lua_State *thread;           /* whose modes are in force */
  lua_State *main;             /* lives as long as the state */
  nx_node *running;            /* the operation in Lua whose backward runs */
  int raised;                  /* an error of a function called by C waits */
  struct nl_scope *scope;      /* the innermost that is open in it */
  const void *tensor_meta;     /* identity of the metatables */
  const void *module_meta;
  const void *generator_meta;
  size_t mark;                 /* scope of the running function */
  size_t small;                /* bytes to be told as Lua's own */
  size_t fresh;                /* bytes the collector has not heard of */
  size_t since;                /* bytes of tensors since the last cycle */
  size_t live;                 /* bytes in use after it */
  size_t debt;                 /* bytes since the last slice of a cycle */
  int retries;                 /* try again after a collection */
  int unguarded;               /* a model being recorded may read numbers */
  nx_print_style print;        /* how tensors are shown */
} nl_state;

typedef struct nl_scope nl_scope;

/* A handle of a tensor; NULL when its scope ended. */
typedef struct nl_tensor nl_tensor;
struct nl_tensor {
  nl_state *S;
  const void *kind;            /* its metatable: tells it from others */
  nx_tensor *t;
  nl_scope *scope;             /* whose list it is in, or NULL */
  nl_tensor *next, **back;     /* in that list */
};

typedef struct nl_module {
  nl_state *S;
  nx_module *m;
} nl_module;

typedef struct nl_generator {
  nl_state *S;
  nx_generator g;
} nl_generator;

/* The state: of functions registered with nl_setfuncs it is an upvalue. */
#define nl_S(L) nl_enter(L, lua_touserdata(L, lua_upvalueindex(1)))
nl_state *nl_enter (lua_State *L, nl_state *S);
void nl_unuse (nl_state *S);   /* a handle is gone */
void nl_setfuncs (lua_State *L, nl_state *S, const luaL_Reg *l);
/* Pushes the registry's table for 'key', made on first use. */
void nl_registry (lua_State *L, const void *key, const char *mode);

/*
** On entry, nl_S notes in S->mark where the scope of C tensors stands;
** raising an error frees what was made since. (Finalizers may run inside a
** function and move the mark up: functions keep a copy of it and pop the
** scope to that.)
*/
int nl_error (lua_State *L, nl_state *S, const char *fmt, ...);
/* Raises the context's error, if there is one, at the user's line. */
void nl_check (lua_State *L, nl_state *S);
int nl_raise (lua_State *L, nl_state *S);
/*
** After an error that more memory could cure: forgets it, collects, and
** says true once.
*/
int nl_again (lua_State *L, nl_state *S, int *tried);

/* A handle without a tensor: made before the tensor, so nothing is lost. */
nl_tensor *nl_newhandle (lua_State *L, nl_state *S);
/* Fills it (takes a reference of its own). */
void nl_fill (nl_state *S, nl_tensor *h, nx_tensor *t);
/* Empties it before its time: the collector has less to do. */
void nl_release (nl_state *S, nl_tensor *h);
/* Tells the collector what was filled; it may run any finalizer. */
void nl_tell (lua_State *L, nl_state *S);
/* Fills the handle on the top of the stack with 't' and ends the scope
   that began at 'mark': the last act of a function. */
int nl_result (lua_State *L, nl_state *S, nl_tensor *h, nx_tensor *t,
               size_t mark);
/* The same for several: handles for at most 'room', of which n are used. */
void nl_newhandles (lua_State *L, nl_state *S, int n, nl_tensor **h);
int nl_results (lua_State *L, nl_state *S, int room, nl_tensor **h, int n,
                nx_tensor **t, size_t mark);
/* Fails if the table at 'i' has other string keys than those in "a b c". */
void nl_onlykeys (lua_State *L, nl_state *S, const char *who, int i,
                  const char *keys);
/* Pushes the one handle of a parameter, buffer or gradient (or nil). */
void nl_pushheld (lua_State *L, nl_state *S, nx_tensor *t);
/* The handle at 'i' becomes the one of a held tensor. */
void nl_adopt (lua_State *L, int i, nx_tensor *t);
nx_tensor *nl_totensor (lua_State *L, nl_state *S, int i);   /* or NULL */
/* A tensor or a list of tensors, as an array in a userdata that is pushed. */
nx_tensor **nl_tensors (lua_State *L, nl_state *S, int i, int *n);
nx_tensor *nl_checktensor (lua_State *L, nl_state *S, int i);
nl_module *nl_tomodule (lua_State *L, nl_state *S, int i);   /* or NULL */
nx_module *nl_checkmodule (lua_State *L, nl_state *S, int i);
void nl_pushmodule (lua_State *L, nl_state *S, nx_module *m);
nl_generator *nl_togenerator (lua_State *L, nl_state *S, int i);

/*
** Lua functions that C calls in the middle of its work: errors wait in the
** registry until nl_check_raised, with the context's own error as a sign.
*/
typedef struct nl_callback nl_callback;
nl_callback *nl_callback_new (lua_State *L, nl_state *S, int i);
void nl_callback_release (void *callback);
/* Runs body(L) with a light userdata 'ud' as its only argument; it must not
   be called but by C that checks the context afterwards. */
int nl_protected (nl_state *S, lua_CFunction body, void *ud);
/* Raises what waits, or the context's error. */
void nl_check_raised (lua_State *L, nl_state *S);

/* One element as a Lua value. */
void nl_pushelement (lua_State *L, const nx_tensor *t, const char *at);
/* Fails where a model is being recorded and its program wants to see numbers
   that depend on its inputs: no graph could show what comes of that. */
void nl_may_read (lua_State *L, nl_state *S, const nx_tensor *t);

/* Lua values and fields. */
void nl_value (lua_State *L, nl_state *S, int i, nx_value *v);
void nl_setfield (lua_State *L, nl_state *S, const char *who,
                  const nx_field *f, void *args, int i);
/* Pushes the value of a field; nil if it has none. */
void nl_pushfield (lua_State *L, nl_state *S, const nx_field *f,
                   const void *args);
/* Options by name, from the table at 'i'. */
void nl_readnamed (lua_State *L, nl_state *S, const char *who,
                   const nx_field *f, void *args, int i);
/* Positional arguments from 'first' on, and a last table of options. */
void nl_readfields (lua_State *L, nl_state *S, const char *who,
                    const nx_field *f, void *args, int first);

/*
** A block of zeros in a userdata that is closed by 'gc' when the function
** ends, also by an error.
*/
void *nl_newclosing (lua_State *L, size_t size, lua_CFunction gc);

/* What opens: each adds to the table on the top of the stack. */
void nl_open_tensor (lua_State *L, nl_state *S);
void nl_finish_tensor (lua_State *L, nl_state *S);   /* after the ops */
void nl_open_index (lua_State *L, nl_state *S);
void nl_open_ops (lua_State *L, nl_state *S);
void nl_open_grad (lua_State *L, nl_state *S);
void nl_open_callback (lua_State *L, nl_state *S);
void nl_open_scope (lua_State *L, nl_state *S);
void nl_open_random (lua_State *L, nl_state *S);
void nl_open_module (lua_State *L, nl_state *S);
void nl_open_stream (lua_State *L, nl_state *S);
void nl_open_plan (lua_State *L, nl_state *S);
void nl_open_optim (lua_State *L, nl_state *S);
void nl_open_file (lua_State *L, nl_state *S);
void nl_open_csv (lua_State *L, nl_state *S);
void nl_open_system (lua_State *L, nl_state *S);
void nl_open_test (lua_State *L, nl_state *S);

/* Indexing, for the metatable of tensors. */
int nl_index (lua_State *L, nl_state *S);
int nl_newindex (lua_State *L, nl_state *S);

/* A new handle belongs to the open scope, if any; until it ends. */
void nl_scope_add (nl_state *S, nl_tensor *h);
void nl_scope_remove (nl_tensor *h);
/* Modes of another coroutine come into force. */
void nl_switch (lua_State *L, nl_state *S);

NEAP_API int luaopen_neap (lua_State *L);

#endif
