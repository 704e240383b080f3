/*
** Tensors as text: rows in braces, columns aligned, long ones shortened
** to their ends.
*/
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "tensor/dtype.h"
#include "tensor/print.h"

#define THRESHOLD 1000         /* elements from which on ends are shown */
#define EDGE 3                 /* how many of each end */

typedef struct style {
  const nx_tensor *t;
  nx_text *text;
  int shorten, width;
  int decimals, exponent;      /* of real numbers */
} style;


static void format (const style *s, const char *at, char *out,
                    size_t room) {
  const nx_tensor *t = s->t;
  if (t->dtype == NEAP_BOOL) snprintf(out, room, *at ? "true" : "false");
  else if (nx_is_whole(t->dtype) || t->dtype == NEAP_I8)
    snprintf(out, room, "%lld", (long long)nx_get_integer(t, at));
  else {
    double x = nx_get_number(t, at);
    if (x != x) snprintf(out, room, "nan");
    else if (isinf(x)) snprintf(out, room, x > 0 ? "inf" : "-inf");
    else if (s->exponent) snprintf(out, room, "%.4e", x);
    else snprintf(out, room, "%.*f", s->decimals, x);
  }
}


/* calls f for every element that is shown */
typedef void each_fn (style *s, const char *at);

static void each_shown (style *s, int dim, const char *at, each_fn *f) {
  const nx_tensor *t = s->t;
  int64_t n, step;
  if (dim == t->ndim) {
    f(s, at);
    return;
  }
  n = t->shape[dim];
  step = t->stride[dim] * (int64_t)nx_dtype_size(t->dtype);
  for (int64_t i = 0; i < n; i++) {
    if (s->shorten && n > 2 * EDGE && i == EDGE) i = n - EDGE;
    each_shown(s, dim + 1, at + i * step, f);
  }
}


/*
** Whole numbers have no decimals, others four, and all an exponent when
** they are far apart or from 1.
*/
static void note_size (style *s, const char *at) {
  double x = fabs(nx_get_number(s->t, at));
  if (x != x || isinf(x)) return;
  if (x != floor(x)) s->decimals = 4;
  if (x >= 1e8 || (x != 0 && x < 1e-4)) s->exponent = 1;
}

static void note_width (style *s, const char *at) {
  char out[64];
  int n;
  format(s, at, out, sizeof(out));
  n = (int)strlen(out);
  if (n > s->width) s->width = n;
}


static void put_element (style *s, const char *at) {
  char out[64];
  format(s, at, out, sizeof(out));
  nx_text_put(s->text, "%*s", s->width, out);
}

static void put_level (style *s, int dim, const char *at) {
  const nx_tensor *t = s->t;
  int64_t n, step;
  int rows = t->ndim - dim > 1;            /* of rows, not of numbers */
  if (dim == t->ndim) {
    put_element(s, at);
    return;
  }
  n = t->shape[dim];
  step = t->stride[dim] * (int64_t)nx_dtype_size(t->dtype);
  nx_text_put(s->text, "{");
  for (int64_t i = 0; i < n; i++) {
    if (i > 0 && !rows) nx_text_put(s->text, ", ");
    if (i > 0 && rows) {
      nx_text_put(s->text, ",");
      for (int k = 0; k < t->ndim - dim - 1; k++) nx_text_put(s->text, "\n");
      nx_text_put(s->text, "%*s", dim + 1, "");
    }
    if (s->shorten && n > 2 * EDGE && i == EDGE) {
      if (rows) nx_text_put(s->text, "...\n%*s", dim + 1, "");
      else nx_text_put(s->text, "..., ");
      i = n - EDGE;
    }
    put_level(s, dim + 1, at + i * step);
  }
  nx_text_put(s->text, "}");
}


int nx_print (nx_text *text, const nx_tensor *t, int requires_grad) {
  char shape[NX_SHAPE_TEXT];
  style s = {t, text, t->len > THRESHOLD, 0, 0, 0};
  if (!nx_is_whole(t->dtype)) each_shown(&s, 0, t->data, note_size);
  each_shown(&s, 0, t->data, note_width);
  put_level(&s, 0, t->data);
  nx_text_put(text, t->ndim > 1 ? "\n" : " ");
  return nx_text_put(text, "[%s %s%s]", nx_dtype_name(t->dtype),
                     nx_shape_of(t, shape),
                     requires_grad ? ", requires_grad" : "");
}
