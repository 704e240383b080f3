/*
** The thread pool.
**
** The caller writes a task and raises 'round'; workers that see a new
** round take job numbers from 'next' until none is left. Workers wait
** spinning for a short while, since the next task of a training step
** follows within microseconds, then sleep on a condition.
*/
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include "base/os.h"
#include "base/threads.h"

#define MAX_THREADS 256
#define SPIN_NS 30000

struct nx_pool {
  nx_account *memory;
  void (*parallel) (void *ud, int n, void (*job) (void *arg, int i),
                    void *arg);         /* the host's, or NULL */
  void *ud;
  atomic_int wanted;           /* threads, the caller included */
  atomic_int started;          /* workers that run */
  long process;                /* where they run: not in a forked child */
  pthread_t worker[MAX_THREADS];
  pthread_mutex_t lock;        /* guards sleeping and waking */
  pthread_cond_t wake;
  pthread_mutex_t busy;        /* one parallel region at a time */
  atomic_uint round;
  atomic_int sleeping, quit;
  atomic_int active;           /* workers inside the current task */
  atomic_int helpers;          /* places left for workers in it */
  nx_job *job;
  void *arg;
  int64_t count;
  _Atomic int64_t next;
};


static inline void relax (void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}


static void take_jobs (nx_pool *p, int place) {
  int64_t i;
  while ((i = atomic_fetch_add_explicit(&p->next, 1, memory_order_relaxed))
         < p->count)
    p->job(p->arg, i, place);
}


/*
** Waits for a round after 'seen'; returns it.
*/
static unsigned next_round (nx_pool *p, unsigned seen) {
  uint64_t end = nx_clock_ns() + SPIN_NS;
  unsigned now;
  do {
    for (int i = 0; i < 64; i++) {
      now = atomic_load_explicit(&p->round, memory_order_acquire);
      if (now != seen) return now;
      relax();
    }
  } while (nx_clock_ns() < end);
  pthread_mutex_lock(&p->lock);
  atomic_fetch_add(&p->sleeping, 1);
  while ((now = atomic_load(&p->round)) == seen && !atomic_load(&p->quit))
    pthread_cond_wait(&p->wake, &p->lock);
  atomic_fetch_sub(&p->sleeping, 1);
  pthread_mutex_unlock(&p->lock);
  return now;
}


static void *work (void *arg) {
  nx_pool *p = arg;
  unsigned seen = 0;
  int place;
  while (!atomic_load(&p->quit)) {
    seen = next_round(p, seen);
    /* the task is open while there are places: joining is counted before
       looking, so the caller never leaves while we are inside */
    atomic_fetch_add(&p->active, 1);
    place = atomic_fetch_sub(&p->helpers, 1);
    if (place > 0) take_jobs(p, place);
    atomic_fetch_sub(&p->active, 1);
  }
  return NULL;
}


/*
** In the child of a fork there are no workers, and the locks are as they
** happened to be: it works alone and leaves them alone.
*/
static int forked (const nx_pool *p) {
  return p->started > 0 && p->process != nx_process_id();
}


static void stop_workers (nx_pool *p) {
  if (p->started > 0) {
    pthread_mutex_lock(&p->lock);
    atomic_store(&p->quit, 1);
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
    for (int i = 0; i < p->started; i++) pthread_join(p->worker[i], NULL);
  }
  p->started = 0;
  atomic_store(&p->quit, 0);
}


static void start_workers (nx_pool *p) {
  p->process = nx_process_id();
  atomic_store(&p->helpers, 0);
  atomic_store(&p->round, 0);
  while (p->started < p->wanted - 1 &&
         pthread_create(&p->worker[p->started], NULL, work, p) == 0)
    p->started++;
  if (p->started < p->wanted - 1)         /* the system has no more */
    p->wanted = p->started + 1;
}


nx_pool *nx_pool_new (nx_account *m, const neap_config *c) {
  nx_pool *p = nx_raw_alloc(m, sizeof(*p));
  if (p == NULL) return NULL;
  memset(p, 0, sizeof(*p));
  p->memory = m;
  p->parallel = c->parallel;
  p->ud = c->ud;
  pthread_mutex_init(&p->lock, NULL);
  pthread_mutex_init(&p->busy, NULL);
  pthread_cond_init(&p->wake, NULL);
  nx_pool_set_threads(p, c->threads);
  return p;
}


void nx_pool_free (nx_account *m, nx_pool *p) {
  if (!forked(p)) {
    stop_workers(p);
    pthread_mutex_destroy(&p->lock);
    pthread_mutex_destroy(&p->busy);
    pthread_cond_destroy(&p->wake);
  }
  nx_raw_free(m, p, sizeof(*p));
}


int nx_pool_threads (const nx_pool *p) { return p->wanted; }


void nx_pool_set_threads (nx_pool *p, int threads) {
  if (threads <= 0) threads = nx_processors();
  if (threads > MAX_THREADS) threads = MAX_THREADS;
  if (forked(p)) return;
  pthread_mutex_lock(&p->busy);
  stop_workers(p);
  p->wanted = threads;
  pthread_mutex_unlock(&p->busy);
}


static void run_alone (nx_job *job, void *arg, int64_t n) {
  for (int64_t i = 0; i < n; i++) job(arg, i, 0);
}


static void share (nx_pool *p, int64_t n, int places, nx_job *job,
                   void *arg) {
  int helpers = p->started < places - 1 ? p->started : places - 1;
  p->job = job;
  p->arg = arg;
  p->count = n;
  atomic_store(&p->next, 0);
  atomic_store(&p->helpers, helpers);
  atomic_fetch_add(&p->round, 1);
  if (atomic_load(&p->sleeping) > 0) {
    pthread_mutex_lock(&p->lock);
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
  }
  take_jobs(p, 0);
  atomic_store(&p->helpers, 0);           /* no one may join any more */
  while (atomic_load(&p->active) > 0) relax();
}


/*
** The host's workers: each of its jobs takes numbers until none is left.
*/
typedef struct lent {
  nx_job *job;
  void *arg;
  int64_t count;
  _Atomic int64_t next;
} lent;

static void lent_job (void *arg, int place) {
  lent *t = arg;
  int64_t i;
  while ((i = atomic_fetch_add_explicit(&t->next, 1, memory_order_relaxed))
         < t->count)
    t->job(t->arg, i, place);
}

static void share_with_host (nx_pool *p, int64_t n, int places, nx_job *job,
                             void *arg) {
  lent t;
  int jobs = p->wanted < places ? p->wanted : places;
  t.job = job;
  t.arg = arg;
  t.count = n;
  atomic_init(&t.next, 0);
  if (jobs > n) jobs = (int)n;
  p->parallel(p->ud, jobs, lent_job, &t);
}


void nx_parallel_within (nx_pool *p, int64_t n, int places, nx_job *job,
                         void *arg) {
  if (p->parallel && n > 1 && p->wanted > 1 && places > 1) {
    share_with_host(p, n, places, job, arg);
    return;
  }
  if (n <= 1 || p->wanted <= 1 || places <= 1 || forked(p) ||
      pthread_mutex_trylock(&p->busy) != 0) {
    run_alone(job, arg, n);       /* also when another thread has the pool */
    return;
  }
  if (p->started == 0) start_workers(p);
  share(p, n, places, job, arg);
  pthread_mutex_unlock(&p->busy);
}


void nx_parallel (nx_pool *p, int64_t n, nx_job *job, void *arg) {
  nx_parallel_within(p, n, MAX_THREADS, job, arg);
}
