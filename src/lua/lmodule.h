/*
** What the files of modules share.
*/
#ifndef lmodule_h
#define lmodule_h

#include "lua/lneap.h"

/* Pushes a child's handle and lets the parent's handle keep it alive. */
void nl_pushchild (lua_State *L, nl_state *S, int parent, const nx_slot *s);

/* self.name = the tensor (or nil) at 'value', as a parameter or buffer. */
void nl_setslot (lua_State *L, nl_state *S, int self, nx_slot_kind kind,
                 const char *name, int value);

/* Methods about what a module contains, into the table on the top. */
void nl_open_content (lua_State *L, nl_state *S);
/* Pushes what a parameter is that is computed of others. */
int nl_pushcomputed (lua_State *L, nl_state *S, nx_module *m,
                     const char *name);
/* Methods about such parameters, into the table on the top. */
void nl_open_reparam (lua_State *L, nl_state *S);
/* nn.Parameter */
void nl_setparameter (lua_State *L, nl_state *S, int nn);

#endif
