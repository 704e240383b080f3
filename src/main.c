/*
** neap: Lua 5.4 with the library inside.
**
**   neap [options] [script [arguments]]
*/
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include "lua/lembed.h"
#include "lua/lneap.h"

static lua_State *running;               /* for the signal handler only */

static void stop_hook (lua_State *L, lua_Debug *ar) {
  (void)ar;
  lua_sethook(L, NULL, 0, 0);
  luaL_error(L, "interrupted!");
}

/* the first Ctrl-C raises an error in the script, the second ends it */
static void on_interrupt (int sig) {
  signal(sig, SIG_DFL);
  lua_sethook(running, stop_hook,
              LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT, 1);
}


static int message_handler (lua_State *L) {
  const char *msg = lua_tostring(L, 1);
  if (msg == NULL) {
    if (luaL_callmeta(L, 1, "__tostring") && lua_isstring(L, -1)) return 1;
    msg = lua_pushfstring(L, "(error object is a %s value)",
                          luaL_typename(L, 1));
  }
  luaL_traceback(L, L, msg, 1);
  return 1;
}

static int protected_call (lua_State *L, int nargs, int nresults) {
  int base = lua_gettop(L) - nargs, status;
  lua_pushcfunction(L, message_handler);
  lua_insert(L, base);
  running = L;
  signal(SIGINT, on_interrupt);
  status = lua_pcall(L, nargs, nresults, base);
  signal(SIGINT, SIG_DFL);
  lua_remove(L, base);
  return status;
}

static int report (lua_State *L, int status) {
  if (status != LUA_OK) {
    const char *msg = lua_tostring(L, -1);
    fprintf(stderr, "neap: %s\n", msg ? msg : "(error without a message)");
    fflush(stderr);
    lua_pop(L, 1);
  }
  return status;
}

static int run_chunk (lua_State *L, int status) {
  if (status == LUA_OK) status = protected_call(L, 0, 0);
  return report(L, status);
}

static int run_text (lua_State *L, const char *text) {
  return run_chunk(L, luaL_loadbuffer(L, text, strlen(text),
                                      "=(command line)"));
}


static void usage (void) {
  fputs("usage: neap [options] [script [arguments]]\n"
        "  -e chunk  run the text 'chunk', where 'neap' is loaded\n"
        "  -i        go interactive after the script\n"
        "  -l name   require library 'name' into global 'name'\n"
        "  -v        show version information\n"
        "  -         run standard input\n", stderr);
}

static void version (void) {
  printf("neap %s, %s\n", neap_version(), LUA_RELEASE);
  fflush(stdout);
}


/*
** The table 'arg': the script is 0, what comes before it negative.
*/
static void make_arg (lua_State *L, char **argv, int argc, int script) {
  if (script == argc) script = 0;
  lua_createtable(L, argc, 1);
  for (int i = 0; i < argc; i++) {
    lua_pushstring(L, argv[i]);
    lua_rawseti(L, -2, i - script);
  }
  lua_setglobal(L, "arg");
}

static int require_global (lua_State *L, const char *name) {
  int status;
  lua_getglobal(L, "require");
  lua_pushstring(L, name);
  status = protected_call(L, 1, 1);
  if (status == LUA_OK) {
    lua_setglobal(L, name);
    return 0;
  }
  return report(L, status);
}

static int run_script (lua_State *L, char **argv, int n) {
  const char *name = strcmp(argv[0], "-") == 0 ? NULL : argv[0];
  int status = luaL_loadfile(L, name);
  if (status == LUA_OK) {
    luaL_checkstack(L, n + 3, "too many arguments");
    for (int i = 1; i < n; i++) lua_pushstring(L, argv[i]);
    status = protected_call(L, n - 1, LUA_MULTRET);
  }
  return report(L, status);
}


/*
** The interactive mode is written in Lua: neap/repl.lua.
*/
static int interactive (lua_State *L) {
  lua_getglobal(L, "require");
  lua_pushliteral(L, "neap.repl");
  if (protected_call(L, 1, 1) != LUA_OK) return report(L, 1);
  return report(L, lua_pcall(L, 0, 0, 0));
}


typedef struct settings {
  int interactive, version, executed, script, bad;
} settings;

/* options before the script; -e and -l are done in their order */
static settings read_options (lua_State *L, int argc, char **argv) {
  settings s = {0, 0, 0, argc, 0};
  for (int i = 1; i < argc && !s.bad; i++) {
    const char *a = argv[i];
    if (a[0] != '-' || a[1] == '\0') {
      s.script = i;
      break;
    }
    if (strcmp(a, "--") == 0) {
      s.script = i + 1;
      break;
    }
    if (strcmp(a, "-i") == 0) s.interactive = s.version = 1;
    else if (strcmp(a, "-v") == 0) s.version = 1;
    else if (a[1] == 'e' || a[1] == 'l') {
      const char *value = a[2] ? a + 2 : argv[++i];
      if (value == NULL) s.bad = 1;
      else if (a[1] == 'l') s.bad = L && require_global(L, value);
      else {
        s.executed = 1;
        s.bad = L && (require_global(L, "neap") || run_text(L, value));
      }
    }
    else s.bad = 1;
  }
  return s;
}


static int start (lua_State *L) {
  int argc = (int)lua_tointeger(L, 1);
  char **argv = lua_touserdata(L, 2);
  settings s = read_options(NULL, argc, argv);
  if (s.bad) {
    usage();
    return 0;
  }
  luaL_openlibs(L);
  nl_preload(L);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_pushcfunction(L, luaopen_neap);
  lua_setfield(L, -2, "neap");
  lua_pop(L, 1);
  make_arg(L, argv, argc, s.script);
  if (s.version && !s.interactive) version();
  if (read_options(L, argc, argv).bad) return 0;
  if (s.script < argc &&
      run_script(L, argv + s.script, argc - s.script) != LUA_OK) return 0;
  if (s.interactive || (s.script == argc && !s.executed && !s.version)) {
    if (interactive(L)) return 0;
  }
  lua_pushboolean(L, 1);
  return 1;
}


int main (int argc, char **argv) {
  int status, ok;
  lua_State *L = luaL_newstate();
  if (L == NULL) {
    fputs("neap: not enough memory\n", stderr);
    return EXIT_FAILURE;
  }
  lua_pushcfunction(L, start);
  lua_pushinteger(L, argc);
  lua_pushlightuserdata(L, argv);
  status = lua_pcall(L, 2, 1, 0);
  ok = lua_toboolean(L, -1);
  report(L, status);
  lua_close(L);
  return status == LUA_OK && ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
