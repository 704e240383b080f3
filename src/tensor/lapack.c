/*
** LAPACK behind one door.
*/
#include "tensor/lapack.h"

#if defined(NX_BLAS)

/* its own names; another library may lack them */
#define ROUTINE(name, ...) \
extern void name (__VA_ARGS__) __attribute__((weak));

ROUTINE(dgetrf_, const int *, const int *, double *, const int *, int *,
        int *)
ROUTINE(dgetrs_, const char *, const int *, const int *, const double *,
        const int *, const int *, double *, const int *, int *)
ROUTINE(dpotrf_, const char *, const int *, double *, const int *, int *)
ROUTINE(dtrtrs_, const char *, const char *, const char *, const int *,
        const int *, const double *, const int *, double *, const int *,
        int *)
ROUTINE(dgeqrf_, const int *, const int *, double *, const int *, double *,
        double *, const int *, int *)
ROUTINE(dorgqr_, const int *, const int *, const int *, double *,
        const int *, const double *, double *, const int *, int *)
ROUTINE(dsyevd_, const char *, const char *, const int *, double *,
        const int *, double *, double *, const int *, int *, const int *,
        int *)
ROUTINE(dgesdd_, const char *, const int *, const int *, double *,
        const int *, double *, double *, const int *, double *, const int *,
        double *, const int *, int *, int *)


int nx_lapack_present (void) {
  return dgetrf_ && dgetrs_ && dpotrf_ && dtrtrs_ && dgeqrf_ && dorgqr_ &&
         dsyevd_ && dgesdd_;
}

/* a leading dimension is at least 1 */
static int lead (int n) { return n > 0 ? n : 1; }

int nx_lapack_lu (int n, double *a, int *piv) {
  int ld = lead(n), info = 0;
  dgetrf_(&n, &n, a, &ld, piv, &info);
  return info;
}

int nx_lapack_lu_solve (int n, int k, const double *a, const int *piv,
                        double *b, int transposed) {
  int ld = lead(n), info = 0;
  dgetrs_(transposed ? "T" : "N", &n, &k, a, &ld, piv, b, &ld, &info);
  return info;
}

int nx_lapack_cholesky (int n, double *a) {
  int ld = lead(n), info = 0;
  dpotrf_("L", &n, a, &ld, &info);
  return info;
}

int nx_lapack_triangle (int n, int k, const double *a, double *b, int upper,
                        int transposed, int unit) {
  int ld = lead(n), info = 0;
  dtrtrs_(upper ? "U" : "L", transposed ? "T" : "N", unit ? "U" : "N", &n,
          &k, a, &ld, b, &ld, &info);
  return info;
}

int nx_lapack_qr_work (int m, int n) {
  int k = m < n ? m : n, ld = lead(m), query = -1, info = 0;
  double a = 0, one = 0, two = 0;
  dgeqrf_(&m, &n, &a, &ld, &a, &one, &query, &info);
  dorgqr_(&m, &k, &k, &a, &ld, &a, &two, &query, &info);
  return (int)(one > two ? one : two) + 1;
}

int nx_lapack_qr (int m, int n, double *a, double *tau, double *work,
                  int room) {
  int ld = lead(m), info = 0;
  dgeqrf_(&m, &n, a, &ld, tau, work, &room, &info);
  return info;
}

int nx_lapack_q (int m, int k, double *a, const double *tau, double *work,
                 int room) {
  int ld = lead(m), info = 0;
  dorgqr_(&m, &k, &k, a, &ld, tau, work, &room, &info);
  return info;
}

void nx_lapack_eigen_work (int n, int *doubles, int *ints) {
  int ld = lead(n), query = -1, info = 0;
  double a = 0, w = 0, size = 0;
  dsyevd_("V", "L", &n, &a, &ld, &w, &size, &query, ints, &query, &info);
  *doubles = (int)size + 1;
}

int nx_lapack_eigen (int n, double *a, double *w, double *work, int room,
                     int *iwork, int iroom) {
  int ld = lead(n), info = 0;
  dsyevd_("V", "L", &n, a, &ld, w, work, &room, iwork, &iroom, &info);
  return info;
}

int nx_lapack_svd_work (int m, int n) {
  int ld = lead(m), k = lead(m < n ? m : n), query = -1, info = 0, none = 0;
  double a = 0, size = 0;
  dgesdd_("S", &m, &n, &a, &ld, &a, &a, &ld, &a, &k, &size, &query, &none,
          &info);
  return (int)size + 1;
}

int nx_lapack_svd (int m, int n, double *a, double *s, double *u, double *vt,
                   double *work, int room, int *iwork) {
  int ld = lead(m), k = lead(m < n ? m : n), info = 0;
  dgesdd_("S", &m, &n, a, &ld, s, u, &ld, vt, &k, work, &room, iwork, &info);
  return info;
}

#else

int nx_lapack_present (void) { return 0; }

/* never called where it is not present */
int nx_lapack_lu (int n, double *a, int *piv) {
  (void)n; (void)a; (void)piv;
  return -1;
}
int nx_lapack_lu_solve (int n, int k, const double *a, const int *piv,
                        double *b, int transposed) {
  (void)n; (void)k; (void)a; (void)piv; (void)b; (void)transposed;
  return -1;
}
int nx_lapack_cholesky (int n, double *a) {
  (void)n; (void)a;
  return -1;
}
int nx_lapack_triangle (int n, int k, const double *a, double *b, int upper,
                        int transposed, int unit) {
  (void)n; (void)k; (void)a; (void)b; (void)upper; (void)transposed;
  (void)unit;
  return -1;
}
int nx_lapack_qr_work (int m, int n) {
  (void)m; (void)n;
  return 0;
}
int nx_lapack_qr (int m, int n, double *a, double *tau, double *work,
                  int room) {
  (void)m; (void)n; (void)a; (void)tau; (void)work; (void)room;
  return -1;
}
int nx_lapack_q (int m, int k, double *a, const double *tau, double *work,
                 int room) {
  (void)m; (void)k; (void)a; (void)tau; (void)work; (void)room;
  return -1;
}
void nx_lapack_eigen_work (int n, int *doubles, int *ints) {
  (void)n;
  *doubles = *ints = 0;
}
int nx_lapack_eigen (int n, double *a, double *w, double *work, int room,
                     int *iwork, int iroom) {
  (void)n; (void)a; (void)w; (void)work; (void)room; (void)iwork;
  (void)iroom;
  return -1;
}
int nx_lapack_svd_work (int m, int n) {
  (void)m; (void)n;
  return 0;
}
int nx_lapack_svd (int m, int n, double *a, double *s, double *u, double *vt,
                   double *work, int room, int *iwork) {
  (void)m; (void)n; (void)a; (void)s; (void)u; (void)vt; (void)work;
  (void)room; (void)iwork;
  return -1;
}

#endif
