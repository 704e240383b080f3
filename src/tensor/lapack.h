/*
** LAPACK behind one door: factorisations of dense matrices in double
** precision, as it stores them, column after column. All give 0, or what
** LAPACK says is wrong: a number above 0 names the column where the matrix
** is not what it must be.
*/
#ifndef nx_lapack_h
#define nx_lapack_h

int nx_lapack_present (void);

/* a = P L U; piv: n ints */
int nx_lapack_lu (int n, double *a, int *piv);
/* b (n x k) = a^-1 b, or a^-T b with 'transposed' */
int nx_lapack_lu_solve (int n, int k, const double *a, const int *piv,
                        double *b, int transposed);
/* the lower triangle of a becomes L with a = L L^T */
int nx_lapack_cholesky (int n, double *a);
/* b (n x k) = a^-1 b for a triangle of a */
int nx_lapack_triangle (int n, int k, const double *a, double *b, int upper,
                        int transposed, int unit);
/* R above the diagonal of a (m x n); then the first k columns of Q in a.
   'work': nx_lapack_qr_work doubles; tau: min(m, n) */
int nx_lapack_qr_work (int m, int n);
int nx_lapack_qr (int m, int n, double *a, double *tau, double *work,
                  int room);
int nx_lapack_q (int m, int k, double *a, const double *tau, double *work,
                 int room);
/* eigenvalues w, rising, and vectors in the columns of a, whose lower
   triangle is read. Work: nx_lapack_eigen_work doubles and ints. */
void nx_lapack_eigen_work (int n, int *doubles, int *ints);
int nx_lapack_eigen (int n, double *a, double *w, double *work, int room,
                     int *iwork, int iroom);
/* a (m x n) = u s vt with k = min(m, n) columns of u, rows of vt; iwork:
   8 k ints */
int nx_lapack_svd_work (int m, int n);
int nx_lapack_svd (int m, int n, double *a, double *s, double *u, double *vt,
                   double *work, int room, int *iwork);

#endif
