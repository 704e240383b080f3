/*
** Tensors as text.
*/
#ifndef nx_print_h
#define nx_print_h

#include "base/text.h"
#include "tensor/tensor.h"

enum { NX_SCI_AUTO = -1, NX_SCI_NEVER, NX_SCI_ALWAYS };

typedef struct nx_print_style {
  int precision;               /* digits behind the point, at most */
  int64_t threshold;           /* elements from which on ends are shown */
  int edgeitems;               /* how many of each end */
  int linewidth;               /* columns */
  int sci_mode;                /* numbers with exponents */
} nx_print_style;

/* 4 digits, 1000 elements, 3 of each end, 79 columns, exponents where
   numbers are far from 1 */
extern const nx_print_style nx_print_default;

/* Rows of numbers in braces, shortened, then type and shape. */
int nx_print (nx_text *text, const nx_tensor *t, int requires_grad,
              const nx_print_style *style);

#endif
