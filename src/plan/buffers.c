/*
** Where results lie.
*/
#include <stdlib.h>
#include <string.h>
#include "plan/buffers.h"

typedef struct buffer {
  int wire, first, last;       /* calls between which it lives */
  size_t size, place;
} buffer;


static size_t bytes_of (const nx_tensor *t) {
  size_t n = (size_t)t->len * nx_dtype_size(t->dtype);
  return (n + NX_ALIGN - 1) / NX_ALIGN * NX_ALIGN;
}

static int has_buffer (const nx_graph *g, int i) {
  const nx_wire *w = &g->wires[i];
  if (w->root != i || w->t == NULL || w->origin != NX_RESULT) return 0;
  for (int k = 0; k < g->noutputs; k++)
    if (g->wires[g->outputs[k]].root == i) return 0;
  return 1;
}


static void live (buffer *b, const int *of, int wire, int call) {
  buffer *own = of[wire] < 0 ? NULL : &b[of[wire]];
  if (own == NULL) return;
  if (call < own->first) own->first = call;
  if (call > own->last) own->last = call;
}

/* of[i]: the buffer of a wire, -1: none */
static int find_lives (const nx_graph *g, buffer *b, int *of) {
  int n = 0;
  for (int i = 0; i < g->nwires; i++) {
    of[i] = -1;
    if (has_buffer(g, i)) {
      b[n].wire = i;
      b[n].size = bytes_of(g->wires[i].t);
      b[n].first = g->ncalls;
      b[n].last = -1;
      of[i] = n++;
    }
    else if (g->wires[i].root < i) of[i] = of[g->wires[i].root];
  }
  for (int k = 0; k < g->ncalls; k++) {
    const nx_call *c = &g->calls[k];
    for (int i = 0; i < c->nin; i++)
      if (c->in[i] >= 0) live(b, of, c->in[i], k);
    for (int i = 0; i < c->nout; i++) live(b, of, c->out + i, k);
  }
  return n;
}


static int by_size (const void *x, const void *y) {
  const buffer *a = x, *b = y;
  if (a->size != b->size) return a->size < b->size ? 1 : -1;
  return a->wire < b->wire ? -1 : 1;
}

static int meet (const buffer *a, const buffer *b) {
  return a->first <= b->last && b->first <= a->last;
}

/*
** The lowest gap among those that were placed and live at the same time:
** the largest buffers choose first.
*/
static size_t lowest (const buffer *b, int n, const buffer *own) {
  size_t place = 0;
  for (int again = 1; again;) {
    again = 0;
    for (int i = 0; i < n; i++)
      if (meet(&b[i], own) && place < b[i].place + b[i].size &&
          b[i].place < place + own->size) {
        place = b[i].place + b[i].size;
        again = 1;
      }
  }
  return place;
}


int nx_place_buffers (nx_ctx *C, const nx_graph *g, size_t *place,
                      size_t *total) {
  size_t n = (size_t)g->nwires;
  buffer *b = nx_alloc(C, n * sizeof(*b));
  int *of = nx_alloc(C, n * sizeof(*of)), count = 0;
  *total = 0;
  if (b && of) count = find_lives(g, b, of);
  if (b) qsort(b, (size_t)count, sizeof(*b), by_size);
  for (size_t i = 0; i < n; i++) place[i] = NX_NOWHERE;
  for (int i = 0; i < count; i++) {
    b[i].place = lowest(b, i, &b[i]);
    place[b[i].wire] = b[i].place;
    if (b[i].place + b[i].size > *total) *total = b[i].place + b[i].size;
  }
  nx_free(C, b, n * sizeof(*b));
  nx_free(C, of, n * sizeof(*of));
  return nx_status(C);
}
