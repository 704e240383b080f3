/*
** What operations on tables of rows share.
*/
#ifndef nx_embedding_h
#define nx_embedding_h

#include "grad/op.h"

/* Fails unless input i is a table: (embeddings, size), of real numbers. */
int nx_want_table (nx_ctx *C, const nx_node *n, int i);

/* The option padding_idx as a row from 0, or -1: none. Fails when the table
   has no such row. */
int nx_padding (nx_ctx *C, const nx_node *n, int64_t given, int64_t rows,
                int64_t *row);

#endif
