/*
** The operating system (POSIX).
*/
#define _GNU_SOURCE           /* sched_getaffinity, ftruncate, ... */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <locale.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "base/os.h"


/*
** A large block is cut from 2 MiB pages: the first touch of each page costs
** a visit to the kernel, and there are 512 times fewer of them.
*/
#define LARGE_PAGE ((size_t)2 << 20)

void *nx_os_alloc (size_t size, size_t align) {
  void *p;
  if (size >= 2 * LARGE_PAGE) align = LARGE_PAGE;
  if (size > SIZE_MAX - align) return NULL;
  size = (size + align - 1) / align * align;
  if (posix_memalign(&p, align, size) != 0) return NULL;
#if defined(MADV_HUGEPAGE)
  if (align == LARGE_PAGE) madvise(p, size, MADV_HUGEPAGE);
#endif
  return p;
}

void nx_os_free (void *block) { free(block); }


/* The host may have set a locale in which 0.5 is written 0,5. */
double nx_strtod (const char *text, char **end) {
  locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0), old;
  double x;
  if (c == (locale_t)0) return strtod(text, end);
  old = uselocale(c);
  x = strtod(text, end);
  uselocale(old);
  freelocale(c);
  return x;
}


double nx_log_gamma (double x) {
  int sign;
  return lgamma_r(x, &sign);
}


uint64_t nx_clock_ns (void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}


int nx_processors (void) {
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return CPU_COUNT(&set);
#endif
  long n = sysconf(_SC_NPROCESSORS_ONLN);
  return n > 0 && n < INT_MAX ? (int)n : 1;
}


long nx_process_id (void) { return (long)getpid(); }

const char *nx_getenv (const char *name) { return getenv(name); }


static size_t resident_now (void) {
#if defined(__linux__)
  long pages = 0;
  FILE *f = fopen("/proc/self/statm", "r");
  if (f == NULL) return 0;
  if (fscanf(f, "%*s %ld", &pages) != 1) pages = 0;
  fclose(f);
  return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE);
#else
  return 0;
#endif
}


size_t nx_resident_bytes (int peak) {
  struct rusage r;
  if (!peak) return resident_now();
  if (getrusage(RUSAGE_SELF, &r) != 0) return 0;
#if defined(__APPLE__)
  return (size_t)r.ru_maxrss;
#else
  return (size_t)r.ru_maxrss * 1024;
#endif
}


int nx_terminal_columns (void) {
  struct winsize w;
  const char *term = getenv("TERM");
  if (!isatty(STDERR_FILENO)) return 0;
  if (term == NULL || strcmp(term, "dumb") == 0) return 0;
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &w) != 0 || w.ws_col == 0) return 80;
  return w.ws_col;
}


static int io_error (nx_ctx *C, const char *what, const char *path) {
  return nx_fail(C, NEAP_EIO, "cannot %s '%s': %s", what, path,
                 strerror(errno));
}


/*
** Reads until 'size' bytes or the end; short reads and signals are normal.
*/
static int read_all (int fd, char *p, size_t size) {
  while (size > 0) {
    ssize_t n = read(fd, p, size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return -1;
    if (n == 0) {
      errno = EIO;             /* shorter than it was a moment ago */
      return -1;
    }
    p += n;
    size -= (size_t)n;
  }
  return 0;
}


void *nx_read_file (nx_ctx *C, const char *path, size_t *size) {
  struct stat st;
  void *p = NULL;
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);  /* or a pipe
                                                    would make us wait */
  if (fd < 0) {
    io_error(C, "open", path);
    return NULL;
  }
  if (fstat(fd, &st) != 0) io_error(C, "read", path);
  else if (!S_ISREG(st.st_mode))
    nx_fail(C, NEAP_EIO, "cannot read '%s': not a regular file", path);
  else if ((p = nx_alloc(C, st.st_size ? (size_t)st.st_size : 1)) != NULL) {
    *size = (size_t)st.st_size;
    if (read_all(fd, p, *size) != 0) {
      io_error(C, "read", path);
      nx_free(C, p, *size ? *size : 1);
      p = NULL;
    }
  }
  close(fd);
  return p;
}


int nx_writer_open (nx_ctx *C, nx_writer *w, const char *path) {
  memset(w, 0, sizeof(*w));
  w->C = C;
  w->fd = -1;
  w->room = strlen(path) + 32;
  w->path = nx_alloc(C, w->room);
  w->temporary = nx_alloc(C, w->room);
  if (nx_status(C)) return nx_status(C);
  snprintf(w->path, w->room, "%s", path);
  for (int i = 0; w->fd < 0 && i < 100; i++) {    /* a name of our own */
    snprintf(w->temporary, w->room, "%s.%ld.%d.tmp", path, nx_process_id(),
             i);
    w->fd = open(w->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
                 0666);
    if (w->fd < 0 && errno != EEXIST) break;
  }
  if (w->fd < 0) io_error(C, "write", path);
  return nx_status(C);
}


int nx_writer_put (nx_writer *w, const void *data, size_t size) {
  const char *p = data;
  while (size > 0 && nx_status(w->C) == 0) {
    ssize_t n = write(w->fd, p, size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return io_error(w->C, "write", w->path);
    p += n;
    size -= (size_t)n;
  }
  return nx_status(w->C);
}


/*
** A rename is only safe from a power cut when the folder is flushed too.
*/
static void flush_folder (const char *path, char *work) {
  char *slash;
  int fd;
  strcpy(work, path);
  slash = strrchr(work, '/');
  if (slash == NULL) strcpy(work, ".");
  else slash[slash == work] = '\0';
  fd = open(work, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  fsync(fd);
  close(fd);
}


int nx_writer_close (nx_writer *w) {
  nx_ctx *C = w->C;
  int created = w->fd >= 0;
  if (created) {
    if (nx_status(C) == 0 && fsync(w->fd) != 0)
      io_error(C, "write", w->path);
    if (close(w->fd) != 0 && nx_status(C) == 0)
      io_error(C, "write", w->path);
    if (nx_status(C) == 0 && rename(w->temporary, w->path) != 0)
      io_error(C, "replace", w->path);
    if (nx_status(C) == 0) flush_folder(w->path, w->temporary);
    else unlink(w->temporary);
  }
  nx_free(C, w->path, w->room);
  nx_free(C, w->temporary, w->room);
  w->fd = -1;
  w->path = w->temporary = NULL;
  return nx_status(C);
}
