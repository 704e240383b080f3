/*
** Tensors as text: rows in braces, columns aligned, long ones shortened
** to their ends, wide ones broken into lines.
*/
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "tensor/dtype.h"
#include "tensor/print.h"

const nx_print_style nx_print_default = {4, 1000, 3, 79, NX_SCI_AUTO};

typedef struct printer {
  const nx_tensor *t;
  const nx_print_style *style;
  nx_text *text;
  int shorten, width;
  int decimals, exponent;      /* of real numbers */
  size_t line;                 /* where the current line begins */
} printer;

#define FIELD 80               /* room for a number */


static void format (const printer *p, const char *at, char *out) {
  const nx_tensor *t = p->t;
  if (t->dtype == NEAP_BOOL) snprintf(out, FIELD, *at ? "true" : "false");
  else if (nx_is_whole(t->dtype) || t->dtype == NEAP_I8)
    snprintf(out, FIELD, "%lld", (long long)nx_get_integer(t, at));
  else {
    double x = nx_get_number(t, at);
    if (x != x) snprintf(out, FIELD, "nan");
    else if (isinf(x)) snprintf(out, FIELD, x > 0 ? "inf" : "-inf");
    else if (p->exponent || fabs(x) >= 1e17)
      snprintf(out, FIELD, "%.*e", p->style->precision, x);
    else snprintf(out, FIELD, "%.*f", p->decimals, x);
  }
}


static int cuts (const printer *p, int64_t n, int64_t i) {
  return p->shorten && n > 2 * p->style->edgeitems &&
         i == p->style->edgeitems;
}

/* calls f for every element that is shown */
typedef void each_fn (printer *p, const char *at);

static void each_shown (printer *p, int dim, const char *at, each_fn *f) {
  const nx_tensor *t = p->t;
  int64_t n, step;
  if (dim == t->ndim) {
    f(p, at);
    return;
  }
  n = t->shape[dim];
  step = t->stride[dim] * (int64_t)nx_dtype_size(t->dtype);
  for (int64_t i = 0; i < n; i++) {
    if (cuts(p, n, i)) i = n - p->style->edgeitems;
    each_shown(p, dim + 1, at + i * step, f);
  }
}


/*
** As many decimals as the element with the most needs (of those allowed);
** exponents when numbers are far apart or from 1.
*/
static void note_size (printer *p, const char *at) {
  double x = fabs(nx_get_number(p->t, at));
  char out[FIELD];
  int n;
  if (x != x || isinf(x)) return;
  if (p->style->sci_mode == NX_SCI_AUTO &&
      (x >= 1e8 || (x != 0 && x < 1e-4))) p->exponent = 1;
  if (x >= 1e17) return;               /* whole, and too long for 'out' */
  snprintf(out, sizeof(out), "%.*f", p->style->precision, x);
  n = (int)strlen(out);
  while (n > 0 && out[n - 1] == '0') n--;
  n -= (int)strcspn(out, ".,") + 1;    /* digits behind the point */
  if (n > p->decimals) p->decimals = n;
}

static void note_width (printer *p, const char *at) {
  char out[FIELD];
  int n;
  format(p, at, out);
  n = (int)strlen(out);
  if (n > p->width) p->width = n;
}


static void new_line (printer *p, int dim) {
  nx_text_put(p->text, "\n");
  p->line = p->text->n;
  nx_text_put(p->text, "%*s", dim + 1, "");
}

static void put_element (printer *p, const char *at) {
  char out[FIELD];
  format(p, at, out);
  nx_text_put(p->text, "%*s", p->width, out);
}

/* a row of numbers, broken where a line would be too long */
static void put_row (printer *p, int dim, const char *at) {
  const nx_tensor *t = p->t;
  int64_t n = t->shape[dim];
  int64_t step = t->stride[dim] * (int64_t)nx_dtype_size(t->dtype);
  for (int64_t i = 0; i < n; i++) {
    int gap = cuts(p, n, i);
    size_t wanted = (size_t)p->width + (gap ? 5 : 0) + 1;
    if (i > 0) nx_text_put(p->text, ",");
    if (i > 0 && p->text->n - p->line + 1 + wanted >
                 (size_t)p->style->linewidth) new_line(p, dim);
    else if (i > 0) nx_text_put(p->text, " ");
    if (gap) {
      nx_text_put(p->text, "..., ");
      i = n - p->style->edgeitems;
    }
    put_element(p, at + i * step);
  }
}

static void put_level (printer *p, int dim, const char *at) {
  const nx_tensor *t = p->t;
  int64_t n, step;
  if (dim == t->ndim) {
    put_element(p, at);
    return;
  }
  n = t->shape[dim];
  step = t->stride[dim] * (int64_t)nx_dtype_size(t->dtype);
  nx_text_put(p->text, "{");
  if (dim == t->ndim - 1) put_row(p, dim, at);
  else
    for (int64_t i = 0; i < n; i++) {
      if (i > 0) {
        nx_text_put(p->text, ",");
        for (int k = 0; k < t->ndim - dim - 2; k++)
          nx_text_put(p->text, "\n");
        new_line(p, dim);
      }
      if (cuts(p, n, i)) {
        nx_text_put(p->text, "...");
        new_line(p, dim);
        i = n - p->style->edgeitems;
      }
      put_level(p, dim + 1, at + i * step);
    }
  nx_text_put(p->text, "}");
}


int nx_print (nx_text *text, const nx_tensor *t, int requires_grad,
              const nx_print_style *style) {
  char shape[NX_SHAPE_TEXT];
  printer p = {t, style, text, t->len > style->threshold, 0, 0,
               style->sci_mode == NX_SCI_ALWAYS, text->n};
  if (!nx_is_whole(t->dtype)) each_shown(&p, 0, t->data, note_size);
  each_shown(&p, 0, t->data, note_width);
  put_level(&p, 0, t->data);
  nx_text_put(text, t->ndim > 1 ? "\n" : " ");
  return nx_text_put(text, "[%s %s%s]", nx_dtype_name(t->dtype),
                     nx_shape_of(t, shape),
                     requires_grad ? ", requires_grad" : "");
}
