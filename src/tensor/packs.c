/*
** Packed matrices, kept or not.
*/
#include <string.h>
#include "base/scratch.h"
#include "tensor/dtype.h"
#include "tensor/packs.h"

typedef struct range { const char *low, *high; } range;

typedef struct kept {
  nx_matrix m;
  nx_tensor *packed;
} kept;

struct nx_packs {
  nx_ctx *C;
  const nx_packs *shared;
  range *ranges;
  kept *kept;
  int nranges, nkept, range_room, kept_room;
};


nx_packs *nx_packs_new (nx_ctx *C, const nx_packs *shared) {
  nx_packs *p = nx_alloc(C, sizeof(*p));
  if (p == NULL) return NULL;
  memset(p, 0, sizeof(*p));
  p->C = C;
  p->shared = shared;
  return p;
}

void nx_packs_free (nx_packs *p) {
  if (p == NULL) return;
  for (int i = 0; i < p->nkept; i++) nx_unref(p->kept[i].packed);
  nx_free(p->C, p->ranges, (size_t)p->range_room * sizeof(*p->ranges));
  nx_free(p->C, p->kept, (size_t)p->kept_room * sizeof(*p->kept));
  nx_free(p->C, p, sizeof(*p));
}


/* room for one more of n */
static void *grow (nx_ctx *C, void *block, int n, int *room, size_t size) {
  int more = *room ? 2 * *room : 16;
  void *fresh;
  if (n < *room) return block;
  fresh = nx_realloc(C, block, (size_t)*room * size, (size_t)more * size);
  if (fresh) *room = more;
  return fresh;
}

int nx_packs_add (nx_packs *p, const nx_tensor *t) {
  range *r = grow(p->C, p->ranges, p->nranges, &p->range_room, sizeof(*r));
  if (r == NULL) return nx_status(p->C);
  p->ranges = r;
  r[p->nranges].low = t->data;
  r[p->nranges++].high = t->data + t->len *
                         (int64_t)nx_dtype_size(t->dtype);
  return 0;
}


static int is_kept (const nx_packs *p, const char *data) {
  for (int i = 0; p && i < p->nranges; i++)
    if (data >= p->ranges[i].low && data < p->ranges[i].high) return 1;
  return 0;
}

nx_tensor *nx_packed_matrix (nx_ctx *C, int dtype, nx_matrix m) {
  const nx_kernels *K = nx_kernels_for(C, dtype);
  int64_t tile = K->cols, n = (m.cols + tile - 1) / tile * tile * m.rows;
  nx_tensor *t = nx_new(C, dtype, 1, &n);
  if (t) K->pack((size_t)m.cols, (size_t)m.rows, m.data, m.rs, m.cs, t->data);
  return t;
}


/*
** A matrix that is kept, or some columns of one, from a panel's first on:
** panels lie one after the other.
*/
static const char *part_of (const kept *k, const nx_matrix *m, int64_t size,
                            int64_t panel) {
  ptrdiff_t behind = m->data - k->m.data;
  int64_t step = k->m.cs * size, column;
  if (m->rows != k->m.rows || m->rs != k->m.rs || m->cs != k->m.cs ||
      behind < 0 || step == 0 || behind % step != 0) return NULL;
  column = behind / step;
  if (column % panel != 0 || column + m->cols > k->m.cols) return NULL;
  if (column + m->cols < k->m.cols && m->cols % panel != 0) return NULL;
  return k->packed->data + column * m->rows * size;
}

static const char *look (const nx_packs *p, const nx_matrix *m, int64_t size,
                         int64_t panel) {
  const char *found = NULL;
  for (; p && found == NULL; p = p->shared)
    for (int i = 0; i < p->nkept && found == NULL; i++)
      found = part_of(&p->kept[i], m, size, panel);
  return found;
}


static int keep (nx_packs *p, int dtype, nx_matrix m) {
  kept *k = grow(p->C, p->kept, p->nkept, &p->kept_room, sizeof(*k));
  if (k == NULL) return nx_status(p->C);
  p->kept = k;
  k += p->nkept;
  k->m = m;
  k->packed = nx_keep(nx_packed_matrix(p->C, dtype, m));
  if (k->packed) p->nkept++;
  return nx_status(p->C);
}

/* It stays, whatever becomes of what else is made meanwhile. */
int nx_packs_keep (nx_packs *p, int dtype, nx_matrix m) {
  nx_scratch *held = nx_scratch_pause(p->C);
  int status = keep(p, dtype, m);
  nx_scratch_resume(p->C, held);
  return status;
}

const char *nx_packed_kept (nx_ctx *C, int dtype, nx_matrix m) {
  nx_packs *p = C->packs;
  int64_t size = (int64_t)nx_dtype_size(dtype);
  int64_t panel = nx_kernels_for(C, dtype)->cols;
  const char *found = look(p, &m, size, panel);
  if (found || !is_kept(p, m.data)) return found;
  if (nx_packs_keep(p, dtype, m)) return NULL;
  return p->kept[p->nkept - 1].packed->data;
}

const char *nx_packed_data (nx_ctx *C, int dtype, nx_matrix m) {
  const char *found = C->packs ? nx_packed_kept(C, dtype, m) : NULL;
  nx_tensor *t;
  if (found || nx_status(C)) return found;
  t = nx_packed_matrix(C, dtype, m);
  return t ? t->data : NULL;
}
