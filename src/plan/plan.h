/*
** Planned inference: a graph whose shapes are known becomes a list of
** steps over one piece of memory, which runs without asking for anything.
*/
#ifndef nx_plan_h
#define nx_plan_h

#include "plan/arena.h"
#include "plan/graph.h"
#include "tensor/packs.h"

typedef struct nx_plan nx_plan;

/*
** A plan of a recorded graph, whose weights must stay, and those of them
** that somebody packed ('shared', or NULL); all that it needs
** comes from 'memory' (of 'size' bytes, aligned to NX_ALIGN) or, if that is
** NULL, from the runtime of C, which also gets the error. It was run once,
** for inputs of 'fill', when it is ready.
*/
nx_plan *nx_plan_new (nx_ctx *C, const nx_graph *g, const nx_packs *shared,
                      int64_t fill, void *memory, size_t size);
void nx_plan_free (nx_plan *p);                       /* NULL is fine */
size_t nx_plan_bytes (const nx_plan *p);

int nx_plan_inputs (const nx_plan *p);
int nx_plan_outputs (const nx_plan *p);
/* Where they are now: borrowed tensors. */
const nx_tensor *nx_plan_input (const nx_plan *p, int i);
const nx_tensor *nx_plan_output (const nx_plan *p, int i);
/* Memory of the host in place of an input or output; NULL: the plan's own
   again. */
int nx_plan_bind (nx_plan *p, int output, int i, void *data);

/* Fewer rows (places of the first dimension of the inputs) than planned, or
   all again: only they are computed, in the same places. */
int nx_plan_rows (nx_plan *p, int64_t rows);
int64_t nx_plan_most_rows (const nx_plan *p);

/* All steps, or those that are left; 0, or an error. */
int nx_plan_run (nx_plan *p);
/* Steps until the time is spent: 1 if some are left. Without a clock, one
   step. */
int nx_plan_step (nx_plan *p, uint64_t budget_ns,
                  uint64_t (*now_ns) (void *ud), void *ud);
int nx_plan_pieces (const nx_plan *p);

/* What goes on from run to run: bytes of it, to and from memory. */
size_t nx_plan_state_bytes (const nx_plan *p);
void nx_plan_save_state (const nx_plan *p, void *out);
void nx_plan_load_state (nx_plan *p, const void *in);
void nx_plan_reset (nx_plan *p);      /* also forgets a run half done */

/* Its own context, with its error. */
nx_ctx *nx_plan_context (nx_plan *p);

const nx_rt *nx_plan_runtime (const nx_plan *p);      /* the one around */

/* What it uses is given back at its end: release(held). */
void nx_plan_hold (nx_plan *p, void *held, void (*release) (void *held));

#endif
