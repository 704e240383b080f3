/*
** What operations that are made of others share: short names for them.
*/
#ifndef nx_composed_h
#define nx_composed_h

#include "ops.h"

#define NUM(v) nx_from_number(C, v)
#define ADD(a, b) nx_add(C, a, b)
#define SUB(a, b) nx_sub(C, a, b)
#define MUL(a, b) nx_mul(C, a, b)
#define DIV(a, b) nx_div(C, a, b)

#endif
