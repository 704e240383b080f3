/*
** Tensors as text.
*/
#ifndef nx_print_h
#define nx_print_h

#include "base/text.h"
#include "tensor/tensor.h"

/* Rows of numbers in braces, shortened, then type and shape. */
int nx_print (nx_text *text, const nx_tensor *t, int requires_grad);

#endif
