/*
** A game at 60 frames a second: a heavy model gets half a millisecond of
** each frame and answers when it is done; a small recurrent one runs every
** frame and is rolled back when the net says that the past was different.
**
**   ./game_loop heavy.safetensors rollback.safetensors
*/
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "neap.h"

#define BUDGET 500000          /* nanoseconds of a frame for the heavy one */
#define FRAMES 600
#define LATE 300               /* the frame that turns out to be wrong */

static double now (void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static neap_plan *open_plan (neap_ctx *C, const char *path) {
  neap_model *m = neap_model_open(C, path);
  neap_plan *p = m ? neap_plan_new(C, m, 0, NULL, NULL, 0) : NULL;
  neap_model_unref(m);                   /* the plan keeps it */
  if (p) return p;
  fprintf(stderr, "game_loop: %s\n", neap_message(C));
  exit(1);
}

static float *input (neap_plan *p) {
  neap_view v;
  neap_plan_input(p, 0, &v);
  return v.data;
}

static const float *output (neap_plan *p) {
  neap_view v;
  neap_plan_output(p, 0, &v);
  return v.data;
}

/* a frame of the small model: what a player did, as numbers */
static void act (neap_plan *p, int frame, float change) {
  float *x = input(p);
  for (int i = 0; i < 8; i++)
    x[i] = (float)((frame * 7 + i * 3) % 11) / 11 + change;
  neap_plan_run(p);
}


static int slices (neap_plan *heavy) {
  double longest = 0, all = 0, whole;
  float once[16];
  int frames = 0, same;
  neap_code status;
  for (int i = 0; i < 256 * 64; i++) input(heavy)[i] = (float)(i % 13) / 13;
  whole = now();
  neap_plan_run(heavy);
  whole = now() - whole;
  memcpy(once, output(heavy), sizeof(once));
  do {
    double start = now(), spent;
    status = neap_plan_step(heavy, BUDGET);
    spent = now() - start;
    all += spent;
    if (spent > longest) longest = spent;
    frames++;
  } while (status == NEAP_AGAIN);
  same = memcmp(once, output(heavy), sizeof(once)) == 0;
  printf("at once %.1f ms; in %d frames %.1f ms, the longest slice %.0f us; "
         "%s bits\n", whole * 1e3, frames, all * 1e3, longest * 1e6,
         same ? "the same" : "OTHER");
  return same;
}

static int rollback (neap_plan *p) {
  size_t size = neap_plan_state_size(p);
  char *saved = malloc(size);
  float last[4], again[4], changed[4];
  neap_plan_reset(p);
  for (int frame = 0; frame < FRAMES; frame++) {
    if (frame == LATE) neap_plan_save_state(p, saved, size);
    act(p, frame, 0);
  }
  memcpy(last, output(p), sizeof(last));
  for (int pass = 0; pass < 2; pass++) {
    neap_plan_load_state(p, saved, size);
    for (int frame = LATE; frame < FRAMES; frame++)
      act(p, frame, pass ? 0.5f : 0.0f);
    memcpy(pass ? changed : again, output(p), sizeof(last));
  }
  free(saved);
  printf("state %d bytes; replayed %d frames: %s bits, with other input %s\n",
         (int)size, FRAMES - LATE,
         memcmp(last, again, sizeof(last)) == 0 ? "the same" : "OTHER",
         memcmp(last, changed, sizeof(last)) == 0 ? "NO CHANGE" : "others");
  return memcmp(last, again, sizeof(last)) == 0 &&
         memcmp(last, changed, sizeof(last)) != 0;
}


int main (int argc, char **argv) {
  neap_rt *rt = neap_open(NULL);
  neap_ctx *C = neap_ctx_open(rt);
  neap_plan *heavy = open_plan(C, argc > 1 ? argv[1] : "");
  neap_plan *small = open_plan(C, argc > 2 ? argv[2] : "");
  int good = slices(heavy);
  good = rollback(small) && good;
  neap_plan_free(heavy);
  neap_plan_free(small);
  neap_ctx_close(C);
  return neap_close(rt) != NEAP_OK || !good;
}
