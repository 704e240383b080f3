/*
** The BLAS library behind one door.
*/
#include <limits.h>
#include <stdatomic.h>
#include "tensor/blas.h"

#if defined(NX_BLAS)
#include <cblas.h>

/* OpenBLAS has these; another BLAS has its own environment variables. */
extern void openblas_set_num_threads (int) __attribute__((weak));
extern int openblas_get_num_threads (void) __attribute__((weak));
extern char *openblas_get_corename (void) __attribute__((weak));

/*
** The number of OpenBLAS threads belongs to the process, so does the count
** of those who changed it: the only state here that is not a runtime's.
** 'lock' is held for a few instructions.
*/
static atomic_flag lock = ATOMIC_FLAG_INIT;
static int users, saved;

static void locked (void) {
  while (atomic_flag_test_and_set_explicit(&lock, memory_order_acquire)) {}
}

static void unlocked (void) {
  atomic_flag_clear_explicit(&lock, memory_order_release);
}


const char *nx_blas_name (void) {
  return openblas_get_corename ? openblas_get_corename() : "blas";
}


void nx_blas_begin (void) {
  if (!openblas_get_num_threads || !openblas_set_num_threads) return;
  locked();
  if (users++ == 0) {
    saved = openblas_get_num_threads();
    if (saved != 1) openblas_set_num_threads(1);
  }
  unlocked();
}


void nx_blas_end (void) {
  if (!openblas_get_num_threads || !openblas_set_num_threads) return;
  locked();
  if (--users == 0 && saved != 1) openblas_set_num_threads(saved);
  unlocked();
}


/*
** How BLAS sees a matrix: contiguous rows, or contiguous columns
** (transposed). A single row or column is either.
*/
static int layout (const nx_matrix *m, CBLAS_TRANSPOSE *t, int *ld) {
  int64_t rs = m->rows == 1 ? (m->cols > 1 ? m->cols : 1) : m->rs;
  int64_t cs = m->cols == 1 ? (m->rows > 1 ? m->rows : 1) : m->cs;
  if ((m->cs == 1 || m->cols == 1) && rs >= m->cols && rs <= INT_MAX) {
    *t = CblasNoTrans;
    *ld = (int)(rs > 0 ? rs : 1);
    return 1;
  }
  if ((m->rs == 1 || m->rows == 1) && cs >= m->rows && cs <= INT_MAX) {
    *t = CblasTrans;
    *ld = (int)(cs > 0 ? cs : 1);
    return 1;
  }
  return 0;
}


int nx_blas_product (int dtype, const nx_matrix *a, const nx_matrix *b,
                     const nx_matrix *c, int add) {
  CBLAS_TRANSPOSE ta, tb, tc;
  int lda, ldb, ldc, m, n, k;
  if (c->rows > INT_MAX || c->cols > INT_MAX || a->cols > INT_MAX) return 0;
  if (!layout(a, &ta, &lda) || !layout(b, &tb, &ldb)) return 0;
  if (!layout(c, &tc, &ldc) || tc != CblasNoTrans) return 0;
  m = (int)c->rows;
  n = (int)c->cols;
  k = (int)a->cols;
  if (dtype == NEAP_F64)
    cblas_dgemm(CblasRowMajor, ta, tb, m, n, k, 1, (const void *)a->data,
                lda, (const void *)b->data, ldb, add, (void *)c->data, ldc);
  else
    cblas_sgemm(CblasRowMajor, ta, tb, m, n, k, 1, (const void *)a->data,
                lda, (const void *)b->data, ldb, add, (void *)c->data, ldc);
  return 1;
}

#else

const char *nx_blas_name (void) { return "none"; }
void nx_blas_begin (void) {}
void nx_blas_end (void) {}

int nx_blas_product (int dtype, const nx_matrix *a, const nx_matrix *b,
                     const nx_matrix *c, int add) {
  (void)dtype; (void)a; (void)b; (void)c; (void)add;
  return 0;
}

#endif
