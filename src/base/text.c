/*
** Text that grows. Errors stay in the context; the text is then as it was.
*/
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "base/text.h"


void nx_text_open (nx_ctx *C, nx_text *t) {
  memset(t, 0, sizeof(*t));
  t->C = C;
}


void nx_text_close (nx_text *t) {
  nx_free(t->C, t->s, t->room);
  t->s = NULL;
  t->n = t->room = 0;
}


static int reserve (nx_text *t, size_t more) {
  size_t room = t->room ? t->room : 256;
  char *s;
  while (room < t->n + more + 1) room *= 2;
  if (room == t->room) return 0;
  s = nx_realloc(t->C, t->s, t->room, room);
  if (s == NULL) return nx_status(t->C);
  t->s = s;
  t->room = room;
  return 0;
}


int nx_text_add (nx_text *t, const char *s, size_t n) {
  if (nx_status(t->C) || reserve(t, n)) return nx_status(t->C);
  memcpy(t->s + t->n, s, n);
  t->n += n;
  t->s[t->n] = '\0';
  return 0;
}


int nx_text_put (nx_text *t, const char *fmt, ...) {
  char small[512];
  va_list ap;
  int n;
  va_start(ap, fmt);
  n = vsnprintf(small, sizeof(small), fmt, ap);
  va_end(ap);
  if (n < 0) return nx_fail(t->C, NEAP_EARG, "text cannot be formatted");
  if ((size_t)n < sizeof(small)) return nx_text_add(t, small, (size_t)n);
  if (nx_status(t->C) || reserve(t, (size_t)n)) return nx_status(t->C);
  va_start(ap, fmt);
  vsnprintf(t->s + t->n, (size_t)n + 1, fmt, ap);
  va_end(ap);
  t->n += (size_t)n;
  return 0;
}
