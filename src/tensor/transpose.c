/*
** Transposing copies. Element by element, every read or every write would
** touch another cache line; a tile is read along one dimension and written
** along the other, so that each line is touched once.
*/
#include "simd/turn.h"
#include "tensor/dtype.h"
#include "tensor/transpose.h"
#include "tensor/walk.h"

#define TILE NX_TILE

/* src is contiguous along dimension 'along', dst along 'across' */
typedef struct turn {
  char *dst;
  const char *src;
  int ndim, size;
  int64_t shape[NEAP_MAXDIM];          /* of all other dimensions */
  int64_t ds[NEAP_MAXDIM], ss[NEAP_MAXDIM];
  int64_t rows, cols;                  /* along, across */
  int64_t drow, scol;                  /* bytes */
  int64_t strips;                      /* of TILE rows */
} turn;


/* a strip: TILE rows of one plane, all columns */
static void turn_strips (void *arg, int64_t first, int64_t last) {
  const turn *t = arg;
  for (int64_t i = first; i < last; i++) {
    int64_t row = i % t->strips * TILE, rest = i / t->strips;
    int64_t rows = t->rows - row < TILE ? t->rows - row : TILE;
    char *dst = t->dst + row * t->drow;
    const char *src = t->src + row * t->size;
    for (int d = t->ndim - 1; d >= 0; d--) {
      dst += rest % t->shape[d] * t->ds[d];
      src += rest % t->shape[d] * t->ss[d];
      rest /= t->shape[d];
    }
    for (int64_t c = 0; c < t->cols; c += TILE)
      nx_turn_tile((size_t)t->size, dst + c * t->size, t->drow,
                   src + c * t->scol, t->scol, (int)rows,
                   (int)(t->cols - c < TILE ? t->cols - c : TILE));
  }
}


static int contiguous_dim (const nx_tensor *t) {
  for (int d = t->ndim - 1; d >= 0; d--)
    if (t->stride[d] == 1 && t->shape[d] > 1) return d;
  return -1;
}

int nx_copy_tiles (nx_ctx *C, nx_tensor *dst, const nx_tensor *src) {
  int along, across;
  int64_t planes = 1;
  turn t;
  if (dst->dtype != src->dtype || !nx_same_shape(dst, src)) return 0;
  along = contiguous_dim(src);
  across = contiguous_dim(dst);
  if (along < 0 || across < 0 || along == across || src->shape[along] < 4 ||
      src->shape[across] < 4) return 0;
  t.size = (int)nx_dtype_size(src->dtype);
  t.ndim = 0;
  for (int d = 0; d < src->ndim; d++) {
    if (d == along || d == across) continue;
    t.shape[t.ndim] = src->shape[d];
    t.ds[t.ndim] = dst->stride[d] * t.size;
    t.ss[t.ndim++] = src->stride[d] * t.size;
    planes *= src->shape[d];
  }
  t.dst = dst->data;
  t.src = src->data;
  t.rows = src->shape[along];
  t.cols = src->shape[across];
  t.drow = dst->stride[along] * t.size;
  t.scol = src->stride[across] * t.size;
  t.strips = (t.rows + TILE - 1) / TILE;
  nx_pieces(C, planes * t.strips, TILE * t.cols, turn_strips, &t);
  return 1;
}
