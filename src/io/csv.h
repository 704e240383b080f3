/*
** CSV and its kin: records of cells, columns of one kind each.
**
** A file is read twice: nx_csv_open counts records and finds what each
** column holds, nx_csv_read fills tensors.
*/
#ifndef nx_csv_h
#define nx_csv_h

#include "io/source.h"
#include "io/vocabulary.h"
#include "tensor/tensor.h"

/*
** What a column may hold. The order is that of widening: a column is the
** least that all its cells fit; text fits everything.
*/
#define NX_CSV_KIND_LIST(X) \
  X(EMPTY, "empty")            /* no cell has anything */ \
  X(BOOL, "bool")              /* true, false in any case */ \
  X(INTEGER, "int64") X(REAL, "float64") X(TEXT, "category")

typedef enum nx_csv_kind {
#define NX_X(id, name) NX_CSV_##id,
  NX_CSV_KIND_LIST(NX_X)
#undef NX_X
  NX_CSV_NKINDS
} nx_csv_kind;

const char *nx_csv_kind_name (nx_csv_kind kind);

typedef struct nx_csv_options {
  char separator;              /* 0: the one that fits the first line */
  char quote;
  char point;                  /* of decimals; 0: a dot, or a comma where
                                  that makes numbers of words */
  char comment;                /* lines that begin with it; 0: none */
  int header;                  /* the first record has names; -1: look */
  int64_t skip, most;          /* lines to skip; records to read, < 0: all */
  int ragged;                  /* records that are too short or too long: */
#define NX_RAGGED "error fill drop"
  const char *missing;         /* words for nothing among numbers */
} nx_csv_options;

typedef struct nx_csv_cell {
  const char *s;
  size_t n;
  int quoted, escaped;         /* a quote inside is doubled */
} nx_csv_cell;

/* What was found of a column. */
typedef struct nx_csv_column {
  char *name;
  size_t length;
  nx_csv_kind kind;
  int64_t empty, marked;       /* cells with nothing; with a word for it */
  int64_t numbers, words;      /* cells, counted until words prevail */
  nx_csv_cell word;            /* the first one, in the file */
  int64_t word_line;
  int commas;                  /* all its words are numbers with a comma */
} nx_csv_column;

typedef struct nx_csv {
  nx_source source;
  nx_csv_options o;
  const char *p, *end;         /* the next record */
  int64_t line, record_line;   /* at p; where the last record began */
  nx_csv_cell *cells;
  size_t ncells, cell_room;
  nx_csv_column *columns;
  size_t ncolumns;
  int guess_point;             /* the decimal point was not told */
  int marked_numbers;          /* a number is among the words for nothing */
  const char *first;           /* the first record of data */
  int64_t first_line, records;
} nx_csv;

/* Takes over the source. Close in any case. */
int nx_csv_open (nx_csv *v, nx_source *s, const nx_csv_options *o);
void nx_csv_close (nx_csv *v);

/* What is done with a cell that has nothing. */
#define NX_MISSING "error nan fill drop"
enum { NX_MISSING_ERROR, NX_MISSING_NAN, NX_MISSING_FILL, NX_MISSING_DROP };

/* What to make of a column. */
typedef struct nx_csv_target {
  size_t column;
  nx_csv_kind kind;            /* EMPTY becomes REAL */
  int missing;
  double fill;
  nx_vocabulary *words;        /* of a category: starts with those known */
  int closed;                  /* others are an error */
  nx_tensor *tensor;           /* out: one dimension */
} nx_csv_target;

/*
** Fills the targets; tensors are in the current scope. Categories are
** numbered from the context's base: as their words were known, or, if none
** was, in the order of their bytes.
*/
int nx_csv_read (nx_csv *v, nx_csv_target *targets, size_t n);

/* For the reader of columns: the next record that has as many cells as
   there are columns, in v->cells. 1, 0 at the end, -1 with an error. */
int nx_csv_next (nx_csv *v);
void nx_csv_rewind (nx_csv *v);
/* What a cell is. */
nx_csv_kind nx_csv_classify (const nx_csv *v, const nx_csv_cell *c,
                             int64_t *i, double *x);
/* Fails with the place of a cell. */
int nx_csv_fail (nx_csv *v, size_t column, const char *fmt, ...)
  NX_PRINTF(3, 4);

#endif
