/*
** One pool of threads for a runtime. Idle threads sleep; small work never
** wakes one; a child after fork works alone.
*/
#ifndef nx_threads_h
#define nx_threads_h

#include "base/memory.h"

typedef struct nx_pool nx_pool;
/* 'place' tells the threads of one task from each other: the caller is 0 */
typedef void nx_job (void *arg, int64_t i, int place);

/* Of a configuration: its threads, which count the caller (0: one for each
   processor), or the host's own workers. */
nx_pool *nx_pool_new (nx_account *m, const neap_config *c);
void nx_pool_free (nx_account *m, nx_pool *p);

int nx_pool_threads (const nx_pool *p);
void nx_pool_set_threads (nx_pool *p, int threads);

/*
** Runs job(arg, 0) ... job(arg, n - 1), in any order, on any threads, and
** returns when all are done. Jobs must not depend on each other.
*/
void nx_parallel (nx_pool *p, int64_t n, nx_job *job, void *arg);
/* The same on at most so many threads, whose places are below 'places'. */
void nx_parallel_within (nx_pool *p, int64_t n, int places, nx_job *job,
                         void *arg);

#endif
