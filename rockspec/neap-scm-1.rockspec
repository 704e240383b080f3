rockspec_format = "3.0"
package = "neap"
version = "scm-1"
source = { url = "git+file://." }
description = {
  summary = "Deep learning for Lua 5.4 with a C core that people embed",
  detailed = [[Tensors with automatic gradients, layers, losses and
optimisers at the speed of the machine, in a module without other needs than
a BLAS and zlib (both may be left out).]],
  license = "MIT"
}
dependencies = { "lua ~> 5.4" }
build = {
  type = "make",
  build_target = "rock",
  install_target = "rock-install",
  build_variables = {
    CC = "$(CC)", LUA = "$(LUA)", LUA_CFLAGS = "-I$(LUA_INCDIR)"
  },
  install_variables = { LIBDIR = "$(LIBDIR)" }
}
