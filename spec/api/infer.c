/*
** What a host demands of plans, for each model file given:
**
**   infer CHECK model.safetensors ...
**
** Checks: arena, quiet, failing, threads, again, lends, rows, memory.
** Compiled as C99 and run by infer_spec.lua.
*/
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "neap.h"

static void fail (const char *what, const char *why) {
  printf("failed: %s: %s\n", what, why);
  exit(1);
}


/*
** An allocator that counts, and fails when it is told to.
*/
static long held, countdown = -1;

static void *counting (void *ud, void *block, size_t old, size_t size,
                       size_t align) {
  void *fresh;
  (void)ud;
  if (size == 0) {
    held -= (long)old;
    free(block);
    return NULL;
  }
  if (countdown == 0) return NULL;
  if (countdown > 0) countdown--;
  if (posix_memalign(&fresh, align, size) != 0) return NULL;
  held += (long)size;
  if (block != NULL) {
    memcpy(fresh, block, old < size ? old : size);
    held -= (long)old;
    free(block);
  }
  return fresh;
}

static neap_rt *open_runtime (void) {
  neap_config c;
  neap_config_init(&c);
  c.alloc = counting;
  c.threads = 1;
  return neap_open(&c);
}


static void fill (neap_plan *p, unsigned seed) {
  neap_view v;
  for (int i = 0; i < neap_plan_inputs(p); i++) {
    int64_t n = 1;
    neap_plan_input(p, i, &v);
    for (int d = 0; d < v.ndim; d++) n *= v.shape[d];
    for (int64_t k = 0; k < n; k++) {
      seed = seed * 1664525u + 1013904223u;
      if (v.dtype == NEAP_F32)
        ((float *)v.data)[k] = (float)(seed >> 8) / (1 << 24) - 0.5f;
      else if (v.dtype == NEAP_F64)
        ((double *)v.data)[k] = (double)(seed >> 8) / (1 << 24) - 0.5;
      else if (v.dtype == NEAP_I64)
        ((int64_t *)v.data)[k] = 1 + (seed >> 8) % 4;
    }
  }
}

/* a number that changes with any bit of the outputs */
static uint64_t digest (neap_plan *p) {
  uint64_t h = 1469598103934665603u;
  neap_view v;
  for (int i = 0; i < neap_plan_outputs(p); i++) {
    size_t n = v.dtype == NEAP_F32 ? 4 : 8;
    neap_plan_output(p, i, &v);
    n = v.dtype == NEAP_F32 ? 4 : 8;
    for (int d = 0; d < v.ndim; d++) n *= (size_t)v.shape[d];
    for (size_t k = 0; k < n; k++)
      h = (h ^ ((unsigned char *)v.data)[k]) * 1099511628211u;
  }
  return h;
}

static neap_model *open_model (neap_ctx *C, const char *path) {
  neap_model *m = neap_model_open(C, path);
  if (m == NULL) fail(path, neap_message(C));
  return m;
}


/* The bytes told are exact, and nothing beside them is touched. */
static void arena (const char *path) {
  neap_rt *rt = open_runtime();
  neap_ctx *C = neap_ctx_open(rt);
  neap_model *m = open_model(C, path);
  size_t n = neap_plan_size(C, m, 0, NULL);
  unsigned char *block;
  long before;
  neap_plan *p;
  if (n == 0 || posix_memalign((void **)&block, NEAP_ALIGN, n + 128) != 0)
    fail(path, neap_message(C));
  memset(block, 0xA5, n + 128);
  if (neap_plan_new(C, m, 0, NULL, block + 64, n - 1) != NULL ||
      neap_status(C) != NEAP_ELIMIT) fail(path, "one byte less was enough");
  neap_clear(C);
  if (neap_plan_new(C, m, 0, NULL, block + 65, n) != NULL ||
      neap_status(C) != NEAP_EARG) fail(path, "an odd address was taken");
  neap_clear(C);
  before = held;
  p = neap_plan_new(C, m, 0, NULL, block + 64, n);
  if (p == NULL) fail(path, neap_message(C));
  before = held;
  fill(p, 1);
  for (int i = 0; i < 2000; i++)
    if (neap_plan_run(p) != NEAP_OK) fail(path, neap_plan_message(p));
  if (held != before) fail(path, "a run asked the host for memory");
  for (int i = 0; i < 64; i++)
    if (block[i] != 0xA5 || block[64 + n + i] != 0xA5)
      fail(path, "bytes beside the arena were written");
  printf("arena of %zu bytes\n", n);
  neap_plan_free(p);
  neap_model_unref(m);
  free(block);
  neap_ctx_close(C);
  if (neap_close(rt) != NEAP_OK || held != 0) fail(path, "memory is left");
}


/*
** In a process that may only write and end, with malloc and locks counted
** (sanitizers have their own).
*/
static volatile long events;
#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
void *__libc_malloc (size_t n);
void *malloc (size_t n) { events++; return __libc_malloc(n); }

int pthread_mutex_lock (pthread_mutex_t *m) {
  static int (*real) (pthread_mutex_t *);
  events++;
  if (real == NULL)
    real = (int (*) (pthread_mutex_t *))dlsym(RTLD_NEXT,
                                              "pthread_mutex_lock");
  return real(m);
}
#endif

#if !defined(RUNS)
#define RUNS 3000
#endif

static void quiet (const char *path) {
  neap_rt *rt = open_runtime();
  neap_ctx *C = neap_ctx_open(rt);
  neap_model *m = open_model(C, path);
  neap_plan *p = neap_plan_new(C, m, 0, NULL, NULL, 0);
  pid_t child;
  int status = 0;
  if (p == NULL) fail(path, neap_message(C));
  fflush(stdout);
  child = fork();
  if (child == 0) {
    long before = events;
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
    for (int i = 0; i < RUNS; i++)
      if (neap_plan_run(p) != NEAP_OK) syscall(SYS_exit, 2);
    syscall(SYS_exit, events != before ? 3 : 0);
  }
  waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) fail(path, "a run called the system");
  if (WEXITSTATUS(status) == 3) fail(path, "a run took memory or a lock");
  if (WEXITSTATUS(status) != 0) fail(path, "a run failed");
  printf("quiet\n");
  neap_plan_free(p);
  neap_model_unref(m);
  neap_ctx_close(C);
  neap_close(rt);
}


/* Every request for memory fails once: a sentence, no leak, and it works
   afterwards. */
static int attempt (const char *path) {
  neap_rt *rt = open_runtime();
  neap_ctx *C = rt ? neap_ctx_open(rt) : NULL;
  neap_model *m = C ? neap_model_open(C, path) : NULL;
  neap_plan *p = m ? neap_plan_new(C, m, 0, NULL, NULL, 0) : NULL;
  int good = p && neap_plan_run(p) == NEAP_OK;
  if (!good && C && (neap_status(C) != NEAP_ENOMEM ||
                     *neap_message(C) == '\0'))
    fail(path, neap_message(C));
  neap_plan_free(p);
  neap_model_unref(m);
  neap_ctx_close(C);
  if (rt && neap_close(rt) != NEAP_OK) fail(path, "still in use");
  if (held != 0) fail(path, "memory is left after a failure");
  return good;
}

static void failing (const char *path) {
  long n = 0;
  do {
    countdown = n++;
  } while (!attempt(path));
  countdown = -1;
  printf("%ld requests failed, one by one\n", n - 1);
}


/* One model, many threads, a plan each: the same bits. */
typedef struct worker {
  neap_rt *rt;
  neap_model *m;
  uint64_t digest;
} worker;

static void *work (void *arg) {
  worker *w = arg;
  neap_ctx *C = neap_ctx_open(w->rt);
  neap_plan *p = neap_plan_new(C, w->m, 0, NULL, NULL, 0);
  for (int i = 0; p && i < 300; i++) {
    neap_plan_reset(p);
    fill(p, 5);
    neap_plan_run(p);
  }
  w->digest = p ? digest(p) : 0;
  neap_plan_free(p);
  neap_ctx_close(C);
  return NULL;
}

static void threads (const char *path) {
  neap_rt *rt = neap_open(NULL);
  neap_ctx *C = neap_ctx_open(rt);
  neap_model *m = open_model(C, path);
  pthread_t thread[8];
  worker w[8];
  for (int i = 0; i < 8; i++) {
    w[i].rt = rt;
    w[i].m = neap_model_ref(m);
    pthread_create(&thread[i], NULL, work, &w[i]);
  }
  for (int i = 0; i < 8; i++) {
    pthread_join(thread[i], NULL);
    neap_model_unref(w[i].m);
    if (w[i].digest == 0 || w[i].digest != w[0].digest)
      fail(path, "threads differ");
  }
  if (neap_close(rt) != NEAP_EBUSY) fail(path, "closed while in use");
  neap_model_unref(m);
  neap_ctx_close(C);
  if (neap_close(rt) != NEAP_OK) fail(path, "still in use");
  printf("8 threads\n");
}


/* Slices, states and memory of the host give the same bits. */
static uint64_t three_runs (neap_plan *p, int sliced) {
  uint64_t h = 0;
  neap_plan_reset(p);
  for (int i = 0; i < 3; i++) {
    fill(p, (unsigned)i);
    if (sliced) while (neap_plan_step(p, 0) == NEAP_AGAIN) {}
    else neap_plan_run(p);
    h = h * 31 + digest(p);
  }
  return h;
}

static void again (const char *path) {
  neap_rt *rt = neap_open(NULL);
  neap_ctx *C = neap_ctx_open(rt);
  neap_model *m = open_model(C, path);
  neap_plan *p = neap_plan_new(C, m, 0, NULL, NULL, 0);
  uint64_t want = three_runs(p, 0), h;
  size_t size = neap_plan_state_size(p);
  char *state = malloc(size + 1);
  neap_view v;
  void *in, *out;
  double worst;
  if (three_runs(p, 1) != want) fail(path, "slices differ");
  if (neap_plan_save_state(p, state, size + 1) != NEAP_EARG ||
      neap_plan_save_state(p, state, size) != NEAP_OK)
    fail(path, "the state was not saved");
  fill(p, 9);
  neap_plan_run(p);
  h = digest(p);
  neap_plan_load_state(p, state, size);
  fill(p, 9);
  neap_plan_run(p);
  if (digest(p) != h) fail(path, "a restored state differs");
  neap_plan_input(p, 0, &v);
  in = calloc(1, (size_t)1 << 20);
  out = calloc(1, (size_t)1 << 20);
  if (neap_plan_bind_input(p, 0, in) != NEAP_OK ||
      neap_plan_bind_output(p, 0, out) != NEAP_OK)
    fail(path, neap_plan_message(p));
  if (three_runs(p, 0) != want) fail(path, "bound memory differs");
  neap_plan_output(p, 0, &v);
  if (v.data != out) fail(path, "the output is elsewhere");
  if (neap_plan_bind_input(p, 99, in) != NEAP_EARG) fail(path, "input 99");
  neap_plan_bind_input(p, 0, NULL);
  neap_plan_bind_output(p, 0, NULL);
  if (three_runs(p, 0) != want) fail(path, "its own memory differs");
  if (neap_model_check(C, m, &worst) != 1 || worst > 1e-6)
    fail(path, "the example of the file differs");
  printf("again\n");
  free(in);
  free(out);
  free(state);
  neap_plan_free(p);
  neap_model_unref(m);
  neap_ctx_close(C);
  neap_close(rt);
}


/*
** What a host lends: workers (here: one after the other, from the last), a
** clock (here: one that jumps), an ear.
*/
static int jobs, lines;
static uint64_t clock_ns;

static void workers (void *ud, int n, void (*job) (void *arg, int i),
                     void *arg) {
  (void)ud;
  for (int i = n - 1; i >= 0; i--) job(arg, i);
  jobs += n;
}

static uint64_t jumping (void *ud) {
  (void)ud;
  return clock_ns += 1000;
}

static void hear (void *ud, const char *text) {
  (void)ud;
  lines += *text != '\0';
}

static uint64_t squared (neap_ctx *C) {
  int64_t shape[2] = {640, 640};
  neap_tensor *x = neap_new(C, NEAP_F32, 2, shape), *in[2], *y = NULL;
  uint64_t h = 1469598103934665603u;
  neap_view v;
  neap_look(x, &v);
  for (int i = 0; i < 640 * 640; i++)
    ((float *)v.data)[i] = (float)(i * 7 % 1013) / 1013;
  in[0] = in[1] = x;
  neap_apply(C, "matmul", NULL, 2, in, 1, &y);
  if (y == NULL) fail("matmul", neap_message(C));
  neap_look(y, &v);
  for (size_t k = 0; k < 640 * 640 * sizeof(float); k++)
    h = (h ^ ((unsigned char *)v.data)[k]) * 1099511628211u;
  neap_unref(x);
  neap_unref(y);
  return h;
}

static void lends (const char *path) {
  neap_config c;
  uint64_t h[2];
  neap_rt *rt;
  neap_ctx *C;
  neap_plan *p;
  neap_model *m;
  int slices[2] = {0, 0};
  jobs = lines = 0;
  for (int i = 0; i < 2; i++) {
    neap_config_init(&c);
    c.deterministic = 1;
    c.threads = i ? 4 : 1;
    if (i) c.parallel = workers;
    c.log = hear;
    c.now_ns = jumping;
    rt = neap_open(&c);
    C = neap_ctx_open(rt);
    h[i] = squared(C);
    m = open_model(C, path);
    p = neap_plan_new(C, m, 0, NULL, NULL, 0);
    neap_model_unref(m);
    do slices[i]++;                      /* each look takes a microsecond */
    while (neap_plan_step(p, i ? 1 : 1000000000) == NEAP_AGAIN);
    if (neap_close(rt) != NEAP_EBUSY) fail(path, "closed while in use");
    neap_plan_free(p);
    neap_ctx_close(C);
    if (neap_close(rt) != NEAP_OK) fail(path, "still in use");
  }
  if (h[0] != h[1] || jobs == 0) fail(path, "other workers, other bits");
  if (lines != 2) fail(path, "nothing was heard");
  if (slices[0] != 1 || slices[1] < 2) fail(path, "another clock");
  printf("lent\n");
}


/*
** From memory: copied, which may then go, or where it is, in pages that
** nobody can write.
*/
static uint64_t run_model (neap_ctx *C, neap_model *m, const char *path) {
  neap_plan *p = m ? neap_plan_new(C, m, 0, NULL, NULL, 0) : NULL;
  uint64_t h;
  if (p == NULL) fail(path, neap_message(C));
  fill(p, 5);
  if (neap_plan_run(p) != NEAP_OK) fail(path, neap_plan_message(p));
  h = digest(p);
  neap_plan_free(p);
  return h;
}

static void memory (const char *path) {
  neap_rt *rt = open_runtime();
  neap_ctx *C = neap_ctx_open(rt);
  int file = open(path, O_RDONLY);
  size_t size = (size_t)lseek(file, 0, SEEK_END);
  void *pages = mmap(NULL, size, PROT_READ, MAP_PRIVATE, file, 0);
  char *copy = malloc(size);
  neap_model *m;
  long copied, before = held;
  uint64_t h;
  if (pages == MAP_FAILED) fail(path, "no pages");
  memcpy(copy, pages, size);
  m = neap_model_bytes(C, copy, size);
  memset(copy, 0, size);
  free(copy);
  copied = held - before;
  h = run_model(C, m, path);
  neap_model_unref(m);
  before = held;
  m = neap_model_borrow(C, pages, size);
  if (held - before >= copied) fail(path, "borrowed, it takes no less");
  if (run_model(C, m, path) != h) fail(path, "borrowed, it gives other bits");
  neap_model_unref(m);
  m = neap_model_open(C, path);
  if (run_model(C, m, path) != h) fail(path, "opened, it gives other bits");
  neap_model_unref(m);
  munmap(pages, size);
  close(file);
  printf("borrowed\n");
  neap_ctx_close(C);
  if (neap_close(rt) != NEAP_OK || held != 0) fail(path, "memory is left");
}


/*
** Fewer rows than planned: only they are computed, with the same bits, and
** without memory of the host.
*/
static void check_rows (neap_plan *p, const char *path, int64_t rows,
                        const unsigned char *want) {
  neap_view v;
  size_t row, n;
  if (neap_plan_rows(p, rows) != NEAP_OK) fail(path, neap_plan_message(p));
  neap_plan_output(p, 0, &v);
  if (v.shape[0] != rows) fail(path, "the output shows other rows");
  row = (size_t)v.stride[0] * 4;
  n = (size_t)rows * row;
  memset(v.data, 0xA5, 40 * row);
  if (neap_plan_run(p) != NEAP_OK) fail(path, neap_plan_message(p));
  if (memcmp(v.data, want, n) != 0) fail(path, "other bits");
  for (size_t i = n; i < 40 * row; i++)
    if (((unsigned char *)v.data)[i] != 0xA5) fail(path, "too many rows");
}

static void rows (const char *path) {
  neap_rt *rt = open_runtime();
  neap_ctx *C = neap_ctx_open(rt);
  neap_model *m = open_model(C, path);
  neap_plan *p = neap_plan_new(C, m, 0, NULL, NULL, 0);
  unsigned char *want;
  float *own, *other;
  neap_view x, y;
  long before;
  if (p == NULL) fail(path, neap_message(C));
  fill(p, 3);
  if (neap_plan_run(p) != NEAP_OK) fail(path, neap_plan_message(p));
  neap_plan_input(p, 0, &x);
  neap_plan_output(p, 0, &y);
  if (x.shape[0] != 40 || y.shape[0] != 40) fail(path, "not of 40 rows");
  want = malloc(40 * (size_t)y.stride[0] * 4);
  memcpy(want, y.data, 40 * (size_t)y.stride[0] * 4);
  before = held;
  for (int64_t n = 1; n <= 40; n++) check_rows(p, path, n, want);
  other = malloc(40 * (size_t)y.stride[0] * 4);
  own = malloc(40 * (size_t)x.stride[0] * 4);
  memcpy(own, x.data, 40 * (size_t)x.stride[0] * 4);
  neap_plan_rows(p, 7);
  if (neap_plan_bind_input(p, 0, own) || neap_plan_bind_output(p, 0, other))
    fail(path, neap_plan_message(p));
  for (int64_t n = 40; n >= 1; n -= 3) check_rows(p, path, n, want);
  if (held != before) fail(path, "rows asked the host for memory");
  if (neap_plan_rows(p, 0) != NEAP_EARG || neap_plan_rows(p, 41) != NEAP_EARG)
    fail(path, "0 or 41 rows were taken");
  neap_plan_rows(p, 40);
  if (neap_plan_step(p, 0) == NEAP_AGAIN &&
      neap_plan_rows(p, 3) != NEAP_EBUSY) fail(path, "changed in a run");
  printf("rows: %s\n", neap_plan_message(p));
  neap_plan_free(p);
  neap_model_unref(m);
  neap_ctx_close(C);
  if (neap_close(rt) != NEAP_OK || held != 0) fail(path, "memory is left");
  free(want);
  free(own);
  free(other);
}

int main (int argc, char **argv) {
  static const struct { const char *name; void (*run) (const char *); }
  checks[] = {{"arena", arena}, {"quiet", quiet}, {"failing", failing},
              {"threads", threads}, {"again", again}, {"lends", lends},
              {"rows", rows}, {"memory", memory}};
  for (size_t c = 0; c < sizeof(checks) / sizeof(*checks); c++)
    for (int i = 2; i < argc; i++)
      if (strcmp(argv[1], checks[c].name) == 0) checks[c].run(argv[i]);
  printf("done\n");
  return 0;
}
