/*
** Counter-based random numbers: Philox 4x32-10 (Salmon, Moraes, Dror,
** Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
**
** A generator is a key and a counter, nothing else: any part of a stream
** can be made by any thread, again and in any order. One counter value
** gives four 32-bit words.
*/
#ifndef nx_random_h
#define nx_random_h

#include <stdint.h>

typedef struct nx_generator {
  uint64_t key, counter;
} nx_generator;

/* A reserved part of a stream, as operations keep it. */
typedef nx_generator nx_draw;

/* The counter of a draw that has not been taken yet. */
#define NX_NOT_DRAWN UINT64_MAX
#define NX_FRESH ((nx_draw){0, NX_NOT_DRAWN})   /* the context's next part */

/*
** Numbers come in batches of NX_BATCH counters, so that every vector
** width gives the same stream: word w of counter c of a batch is its
** number w * NX_BATCH + c.
*/
#define NX_BATCH 16

void nx_philox (uint64_t key, uint64_t counter, uint32_t out[4]);

/* Takes 'counters' from the stream, whole batches. */
nx_draw nx_reserve (nx_generator *g, uint64_t counters);

/* One number in [0, 1) for host-side decisions; takes a whole batch. */
double nx_random_number (nx_generator *g);

#endif
