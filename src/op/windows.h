/*
** Arguments of operations on windows: one entry for each dimension of the
** image.
*/
#ifndef nx_windows_h
#define nx_windows_h

#include "grad/op.h"

typedef struct nx_windows_args {
  nx_ints kernel, stride, padding, dilation;
  nx_ints size;                /* of the result: windows, or the image */
  int indices;                 /* max_windows: also where they were */
  int64_t base;
} nx_windows_args;

#endif
