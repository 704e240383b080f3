/*
** Layer trees of model files (the key "neap.module"), made again without
** Lua: layers that are written in C, with the options and tensors of the
** file.
*/
#ifndef nx_tree_h
#define nx_tree_h

#include "io/json.h"
#include "nn/module.h"

/* The tensor of a name in the file (borrowed), or NULL. */
typedef nx_tensor *nx_stored_fn (void *ud, const char *name);

/*
** The module, in eval mode, whose parameters and buffers share the memory
** of the file's tensors. One reference belongs to the caller; NULL leaves
** the error, which names layers that only Lua can make.
*/
nx_module *nx_tree_read (nx_ctx *C, const char *text, size_t size,
                         nx_stored_fn *stored, void *ud);

/*
** The text of a tree (as nx_tree_read reads it, and Lua) of layers that are
** written in C. Tensors are told apart from their second names by the
** caller: 'tied' lists pairs of names, second and first.
*/
int nx_tree_put (nx_ctx *C, nx_module *m, int tied,
                 const char *const *names, nx_text *out);

#endif
