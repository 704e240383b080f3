/*
** The names of all types, for fields that choose one.
*/
#ifndef nx_fill_h
#define nx_fill_h

#include "neap.h"

#define NX_DTYPE_WORD(id, name, bytes) name " "
#define NX_DTYPES NEAP_DTYPE_LIST(NX_DTYPE_WORD)

#endif
