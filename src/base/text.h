/*
** Text that grows: file headers, printed tensors.
*/
#ifndef nx_text_h
#define nx_text_h

#include "base/context.h"

typedef struct nx_text {
  nx_ctx *C;
  char *s;                 /* always ends in a zero, NULL when empty */
  size_t n, room;
} nx_text;

void nx_text_open (nx_ctx *C, nx_text *t);
void nx_text_close (nx_text *t);
int nx_text_add (nx_text *t, const char *s, size_t n);
int nx_text_put (nx_text *t, const char *fmt, ...) NX_PRINTF(2, 3);

#endif
