/*
** A graph as a picture, for Graphviz.
*/
#ifndef nx_picture_h
#define nx_picture_h

#include "base/text.h"
#include "grad/op.h"

/*
** The text of a picture in the DOT language of what 'root' was computed
** from: operations as ovals, leaves as boxes with their shapes; leaves that
** are among 'named' have their names.
*/
int nx_picture (nx_text *text, nx_tensor *root, int n,
                nx_tensor *const *named, const char *const *names);

#endif
