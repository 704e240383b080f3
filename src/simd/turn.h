/*
** A square tile turned over: rows become columns.
*/
#ifndef nx_turn_h
#define nx_turn_h

#include <stddef.h>
#include <stdint.h>

#define NX_TILE 16

/*
** dst[r][c] = src[c][r] for elements of 'size' bytes; rows of dst lie 'ds'
** bytes apart, those of src 'ss'. rows, cols <= NX_TILE.
*/
void nx_turn_tile (size_t size, char *dst, ptrdiff_t ds, const char *src,
                   ptrdiff_t ss, int rows, int cols);

#endif
