/*
** The Lua files of the library, embedded by src/gen/embed.lua.
*/
#ifndef lembed_h
#define lembed_h

#include <stddef.h>
#include <lua.h>

typedef struct nl_file {
  const char *module;          /* "neap.data" */
  const char *chunk;           /* "@neap/data.lua" */
  const char *text;
  size_t size;
} nl_file;

/* Lets 'require' find them. */
void nl_preload (lua_State *L);

extern const nl_file nl_files[];   /* module NULL ends the list */

#endif
