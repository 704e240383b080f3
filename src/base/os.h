/*
** The operating system: time, environment, files, terminal.
*/
#ifndef nx_os_h
#define nx_os_h

#include "base/context.h"

/* Blocks of the C library; large ones on large pages, where there are. */
void *nx_os_alloc (size_t size, size_t align);
void nx_os_free (void *block);

/* strtod with a decimal point, whatever the locale */
double nx_strtod (const char *text, char **end);

/* log |gamma(x)|, without the C library's global sign */
double nx_log_gamma (double x);

uint64_t nx_clock_ns (void);                    /* monotonic */
int nx_processors (void);                       /* that we may use */
long nx_process_id (void);
const char *nx_getenv (const char *name);
size_t nx_resident_bytes (int peak);            /* 0: not known */

/* Columns of the terminal behind stderr; 0 if it is none. */
int nx_terminal_columns (void);

/*
** The whole file, in a block from nx_alloc of exactly '*size' bytes (of
** one byte when the file is empty). NULL leaves the error.
*/
void *nx_read_file (nx_ctx *C, const char *path, size_t *size);

/*
** Replaces a file as a whole: everything is written to a temporary file
** beside it, flushed to the disk and renamed. Whatever fails or is killed
** on the way, 'path' holds the old contents or the new, complete ones.
*/
typedef struct nx_writer {
  nx_ctx *C;
  int fd;
  char *path, *temporary;
  size_t room;                                  /* of each of the two */
} nx_writer;

int nx_writer_open (nx_ctx *C, nx_writer *w, const char *path);
int nx_writer_put (nx_writer *w, const void *data, size_t size);
/* keeps the new contents if no error has happened, else the old ones */
int nx_writer_close (nx_writer *w);

#endif
