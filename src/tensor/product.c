/*
** Matrix products: which kernel, and how they are cut over threads.
**
** The cut depends on the sizes alone, so results have the same bits with
** any number of threads. Every piece packs its part of both operands anew,
** so pieces grow with the product (measured on squares: 64 pays up to 200
** and costs 6 % at 256; 128 costs 8 % at 512 and 1024, 256 costs 3 %).
*/
#include <math.h>
#include "base/threads.h"
#include "tensor/blas.h"
#include "tensor/dtype.h"
#include "tensor/packs.h"

/* The least edge of a piece and its operations, up to 'work' operations. */
static const struct grid { double work; int64_t edge; double piece; }
grids[] = {{1.6e7, 64, 2e6}, {6.4e7, 128, 4e6}, {INFINITY, 256, 4e6}};

#define MOST_PIECES 16
#define BATCH_WORK 5e5         /* multiply-adds of a piece of a batch */

/*
** Multiply-adds below which our own kernel is faster than a call of the
** library; above, the library is (measured: spec/bench/RESULTS.md).
*/
#define SMALL_WORK 2.2e6

typedef struct task {
  nx_ctx *C;
  const nx_kernels *K;
  int dtype, activation, own, add;
  const char *bias;
  nx_matrix a, b, c;
  int64_t down, across;        /* pieces */
  int64_t rows, cols;          /* of a piece */
} task;


nx_matrix nx_matrix_of (const nx_tensor *t) {
  nx_matrix m;
  int n = t->ndim;
  m.data = t->data;
  m.rows = t->shape[n - 2];
  m.cols = t->shape[n - 1];
  m.rs = t->stride[n - 2];
  m.cs = t->stride[n - 1];
  return m;
}


nx_matrix nx_transposed (nx_matrix m) {
  nx_matrix t = m;
  t.rows = m.cols;
  t.cols = m.rows;
  t.rs = m.cs;
  t.cs = m.rs;
  return t;
}


static nx_matrix part (nx_matrix m, int64_t size, int64_t row, int64_t rows,
                       int64_t col, int64_t cols) {
  m.data += (row * m.rs + col * m.cs) * size;
  m.rows = rows;
  m.cols = cols;
  return m;
}


/*
** BLAS chooses its instructions itself, when it is loaded: who asks for
** narrower ones gets our product.
*/
static int wants_own (const nx_ctx *C, int dtype, double work) {
  return !nx_is_float(dtype) || C->rt->deterministic ||
         C->rt->isa != C->rt->widest || work <= SMALL_WORK;
}


static void multiply (const task *t, nx_matrix a, nx_matrix b, nx_matrix c) {
  if (!t->own && nx_blas_product(t->dtype, &a, &b, &c, t->add)) return;
  t->K->product((size_t)c.rows, (size_t)c.cols, (size_t)a.cols,
                a.data, a.rs, a.cs, b.data, b.rs, b.cs, c.data, c.rs, t->add);
}


static void product_piece (void *arg, int64_t i, int place) {
  const task *t = arg;
  int64_t size = (int64_t)nx_dtype_size(t->dtype), k = t->a.cols;
  int64_t row = i / t->across * t->rows, col = i % t->across * t->cols;
  int64_t rows = t->c.rows - row < t->rows ? t->c.rows - row : t->rows;
  int64_t cols = t->c.cols - col < t->cols ? t->c.cols - col : t->cols;
  nx_matrix c = part(t->c, size, row, rows, col, cols);
  (void)place;
  multiply(t, part(t->a, size, row, rows, 0, k),
           part(t->b, size, 0, k, col, cols), c);
  if (t->bias || t->activation)
    t->K->finish((size_t)rows, (size_t)cols, c.data, c.rs,
                 t->bias ? t->bias + col * size : NULL, t->activation);
}


/*
** Rows are cut before columns: pieces then share no cache line of c.
*/
static void cut (task *t) {
  double work = 2.0 * (double)t->c.rows * (double)t->c.cols *
                (double)t->a.cols;
  const struct grid *g = grids;
  int64_t want, most;
  while (work > g->work) g++;
  want = (int64_t)(work / g->piece);
  if (want < 1) want = 1;
  if (want > MOST_PIECES) want = MOST_PIECES;
  most = t->c.rows / g->edge;
  t->down = want < most ? want : (most > 0 ? most : 1);
  most = t->c.cols / g->edge;
  want /= t->down;
  t->across = want < most ? want : (most > 0 ? most : 1);
  if (t->across < 1) t->across = 1;
  t->rows = (t->c.rows + t->down - 1) / t->down;
  t->cols = (t->c.cols + t->across - 1) / t->across;
  t->cols = (t->cols + 31) / 32 * 32;
  t->down = (t->c.rows + t->rows - 1) / t->rows;
  t->across = (t->c.cols + t->cols - 1) / t->cols;
}


/*
** Few rows by a matrix that never changes: it is packed already. Products
** of more rows pack as they go, one whose columns lie right need not.
*/
#define FEW_ROWS 32

static int multiply_kept (const task *t) {
  const char *b;
  if (t->a.rows > FEW_ROWS || t->a.cs != 1 || t->b.cs == 1) return 0;
  b = nx_packed_kept(t->C, t->dtype, t->b);
  if (b == NULL) return 0;
  t->K->packed((size_t)t->c.rows, (size_t)t->c.cols, (size_t)t->a.cols,
               t->a.data, t->a.rs, b, t->c.data, t->c.rs, t->add);
  if (t->bias || t->activation)
    t->K->finish((size_t)t->c.rows, (size_t)t->c.cols, t->c.data, t->c.rs,
                 t->bias, t->activation);
  return 1;
}

static void run (nx_ctx *C, int dtype, nx_matrix a, nx_matrix b, nx_matrix c,
                 const void *bias, int activation, int add) {
  task t;
  double work = (double)c.rows * (double)c.cols * (double)a.cols;
  if (c.rows == 0 || c.cols == 0) return;
  t.C = C;
  t.K = nx_kernels_for(C, dtype);
  t.dtype = dtype;
  t.activation = activation;
  t.add = add;
  t.bias = bias;
  t.a = a;
  t.b = b;
  t.c = c;
  if (C->packs && multiply_kept(&t)) return;
  t.own = wants_own(C, dtype, work);
  cut(&t);
  if (!t.own) nx_blas_begin();
  nx_parallel(C->rt->pool, t.down * t.across, product_piece, &t);
  if (!t.own) nx_blas_end();
}


void nx_product (nx_ctx *C, int dtype, nx_matrix a, nx_matrix b,
                 nx_matrix c, const void *bias, int activation) {
  run(C, dtype, a, b, c, bias, activation, 0);
}

void nx_product_add (nx_ctx *C, int dtype, nx_matrix a, nx_matrix b,
                     nx_matrix c) {
  run(C, dtype, a, b, c, NULL, NX_NONE, 1);
}


typedef struct batch {
  task t;
  nx_nth_fn *nth;
  const void *arg;
  int64_t n, per;
} batch;

static void batch_piece (void *arg, int64_t i, int place) {
  const batch *s = arg;
  int64_t last = (i + 1) * s->per < s->n ? (i + 1) * s->per : s->n;
  (void)place;
  for (int64_t j = i * s->per; j < last; j++) {
    nx_matrix a, b, c;
    s->nth(s->arg, j, &a, &b, &c);
    multiply(&s->t, a, b, c);
  }
}


void nx_products (nx_ctx *C, int dtype, int64_t n, nx_nth_fn *nth,
                  const void *arg) {
  nx_matrix a, b, c;
  double work;
  batch s;
  if (n == 0) return;
  nth(arg, 0, &a, &b, &c);
  if (c.rows == 0 || c.cols == 0) return;
  work = (double)c.rows * (double)c.cols * (double)a.cols;
  if (n < 4 && work > SMALL_WORK) {         /* few and large: cut each */
    for (int64_t i = 0; i < n; i++) {
      nth(arg, i, &a, &b, &c);
      nx_product(C, dtype, a, b, c, NULL, NX_NONE);
    }
    return;
  }
  s.t.C = C;
  s.t.K = nx_kernels_for(C, dtype);
  s.t.dtype = dtype;
  s.t.add = 0;
  s.t.own = wants_own(C, dtype, work);
  s.nth = nth;
  s.arg = arg;
  s.n = n;
  s.per = (int64_t)(BATCH_WORK / (work + 1));
  if (s.per < 1) s.per = 1;
  if (!s.t.own) nx_blas_begin();
  nx_parallel(C->rt->pool, (n + s.per - 1) / s.per, batch_piece, &s);
  if (!s.t.own) nx_blas_end();
}
