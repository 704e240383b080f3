/*
** Loops over raw arrays. A kernel never allocates, never starts a thread
** and never fails. The same bodies (types.h) are compiled for float and
** double and for each instruction set.
*/
#ifndef nx_kernels_h
#define nx_kernels_h

#include <stddef.h>
#include <stdint.h>
#include "base/cpu.h"
#include "base/random.h"

/*
** Elementwise: p[0] is the result, p[1] ... are the operands; bit i of
** 'fixed' says that p[i] is one element for all. 'c' holds constants.
** The result may be the same array as an operand.
*/
typedef void nx_map_fn (size_t n, void *const *p, unsigned fixed,
                        const double *c);

/* One row to one element. */
typedef void nx_fold_fn (size_t n, const void *x, void *y);

/* One row to its largest (smallest) element and its first position; NaN
   counts as both. */
typedef void nx_best_fn (size_t n, const void *x, void *value, int64_t *at);

/* One row to one row; 'g' is only for gradients. */
typedef void nx_row_fn (size_t n, const void *g, const void *x, void *y);

/* y = coef * exp(x - shift) */
typedef void nx_softened_fn (size_t n, const void *x, double shift,
                             double coef, void *y);

/* Numbers from a stream; a and b as the distribution has it. */
typedef void nx_fill_fn (size_t n, nx_draw d, double a, double b, void *y);

/* y = x * scale where the stream keeps the element, else 0. */
typedef void nx_drop_fn (size_t n, nx_draw d, double keep, double scale,
                         const void *x, void *y);

/*
** C (m x n, rows 'ldc' apart) = A B, or C + A B with 'add'. A and B are
** given by the distance of their rows and columns. An element is one
** chain of multiply-adds over k, in order, whatever m and n are.
*/
typedef void nx_product_fn (size_t m, size_t n, size_t k,
                            const void *a, ptrdiff_t rsa, ptrdiff_t csa,
                            const void *b, ptrdiff_t rsb, ptrdiff_t csb,
                            void *c, ptrdiff_t ldc, int add);

/*
** The same with B packed before by nx_pack_fn, for products that use it
** again and again. Packed, B takes k times n elements, n rounded up to a
** multiple of 'cols' of the tiles. Rows of A are 'lda' apart.
*/
typedef void nx_pack_fn (size_t n, size_t k, const void *b, ptrdiff_t rsb,
                         ptrdiff_t csb, void *packed);
typedef void nx_packed_fn (size_t m, size_t n, size_t k, const void *a,
                           ptrdiff_t lda, const void *packed, void *c,
                           ptrdiff_t ldc, int add);

/* Cells of recurrent layers: see cells.h. */
enum {
  NX_CELL_G, NX_CELL_H0, NX_CELL_H, NX_CELL_C0, NX_CELL_C,
  NX_CELL_DH, NX_CELL_DC, NX_CELL_GY, NX_CELL_DG, NX_CELL_PARTS
};
typedef void nx_cell_fn (size_t rows, size_t n, void *const *p,
                         const ptrdiff_t *step);

/* A block of attention: see attention.h. */
typedef struct nx_attend {
  size_t rows, cols;           /* queries and keys */
  void *s;                     /* scores */
  ptrdiff_t lds;
  const void *mask;            /* numbers to add, or NULL */
  ptrdiff_t ldm;
  int causal;                  /* row r sees 'limit' + r columns */
  ptrdiff_t limit;
  double scale;
  void *max, *sum;             /* of each row */
  void *y;                     /* outputs so far, or gradients */
  ptrdiff_t ldy;
  size_t width;
} nx_attend;
typedef void nx_attend_fn (const nx_attend *a);

/* Each row of C: activation(row + bias); 'bias' may be NULL. */
typedef void nx_finish_fn (size_t m, size_t n, void *c, ptrdiff_t ldc,
                           const void *bias, int activation);

#define NX_ACTIVATIONS "none relu tanh sigmoid"
enum { NX_NONE, NX_RELU, NX_TANH, NX_SIGMOID };

/*
** Row 'row' of a column by column search: where it beats 'best', it takes
** its place and is noted in 'at'.
*/
typedef void nx_rival_fn (size_t n, const void *x, uint32_t row, void *best,
                          uint32_t *at);

/* One row to the sum of squared distances from 'shift'. */
typedef void nx_around_fn (size_t n, const void *x, double shift, void *y);

/* One row to mean 0 and variance 1, and its gradient: see normalise.h. */
typedef void nx_normalise_fn (size_t n, const void *x, const void *w,
                              const void *b, int centre, double eps,
                              void *y, void *mean, void *rstd);
typedef void nx_normalise_grad_fn (size_t n, const void *g, const void *x,
                                   const void *w, int centre, double mean,
                                   double rstd, void *gx, void *gw,
                                   void *gb);

/* Neighbours in a row of an image: where they begin, how many. */
typedef struct nx_run { ptrdiff_t from; size_t length; } nx_run;

/* Convolutions: see convolve.h. */
typedef void nx_lay_fn (size_t rows, size_t n, const void *x, ptrdiff_t xs,
                        void *y, ptrdiff_t ys);
typedef void nx_deal_fn (size_t rows, size_t n, const void *x, ptrdiff_t xs,
                         void *y, ptrdiff_t ys, ptrdiff_t odd);
typedef void nx_collect_fn (size_t k, const ptrdiff_t *tap, const void *x,
                            size_t runs, const nx_run *run, void *out);
typedef void nx_spread_fn (size_t k, const ptrdiff_t *tap, void *x,
                           size_t runs, const nx_run *run,
                           const void *from);
typedef void nx_patch_fn (size_t mr, size_t n, size_t k, const void *a,
                          const void *b, void *c, ptrdiff_t ldc,
                          const void *start, int relu);
typedef void nx_sweep_fn (size_t mr, size_t n, int halves, size_t k,
                          const void *a, const ptrdiff_t *tap, const void *x,
                          const ptrdiff_t *at, void *c, ptrdiff_t ldc,
                          const void *start, int relu);
typedef void nx_weigh_fn (size_t m, size_t n, const ptrdiff_t *tap,
                          const void *x, size_t rows, const ptrdiff_t *row,
                          size_t cols, const void *g, void *c);

/* Sums of a row of gradients, added to out[0], out[1]: see normalise.h. */
typedef void nx_gradient_sums_fn (size_t n, const void *g, const void *x,
                         const void *y, double shift, double *out);

/* All kernels: kind, name. A table may lack some (NULL). */
#define NX_KERNEL_LIST(X) \
  X(map, add) X(map, sub) X(map, mul) X(map, div) \
  X(map, maximum) X(map, minimum) X(map, clamp) \
  X(map, select)         /* y = p1 (bytes) ? p2 : p3 */ \
  X(map, scale)          /* y = c0 x + c1 */ \
  X(map, muladd)         /* y = p1 p2 + p3 */ \
  X(map, affine)         /* y = c0 (p1 - c2) + c1 */ \
  X(map, affine_relu) \
  X(map, mix)            /* y = c0 p1 + c1 (p2 - c3) + c2 */ \
  X(map, lerp)           /* y = p1 + p3 (p2 - p1) */ \
  X(map, square_from)    /* y = p1 + (p2 - p3)^2 */ \
  X(map, blend)          /* y = p1 p2 + p3 p4 + p5 */ \
  X(map, eq) X(map, ne) X(map, lt) X(map, le) X(map, gt) X(map, ge) \
  X(map, neg) X(map, abs) X(map, sign) X(map, square) X(map, sqrt) \
  X(map, rsqrt) X(map, reciprocal) X(map, exp) X(map, expm1) X(map, log) \
  X(map, log1p) X(map, sin) X(map, cos) X(map, erf) X(map, floor) \
  X(map, ceil) X(map, round) X(map, trunc) X(map, frac) \
  X(map, relu) X(map, tanh) X(map, sigmoid) X(map, silu) X(map, gelu) \
  X(map, gelu_tanh) X(map, mish) X(map, elu) X(map, celu) X(map, selu) \
  X(map, leaky_relu) X(map, hardtanh) X(map, hardswish) \
  X(map, hardsigmoid) X(map, softplus) X(map, logsigmoid) \
  X(map, softsign) X(map, tanhshrink) X(map, softshrink) \
  X(map, elastic_shrink) \
  X(map, hardshrink) X(map, threshold) \
  X(fold, sum) X(fold, sum_squares) X(fold, sum_abs) X(fold, prod) \
  X(fold, largest) X(fold, smallest) X(fold, logsumexp) \
  X(around, squares_around) \
  X(best, max) X(best, min) \
  X(rival, max_rival) X(rival, min_rival) \
  X(row, softmax) X(row, log_softmax) \
  X(row, cumsum) X(row, cumprod) \
  X(softened, softened) \
  X(normalise, normalise) \
  X(fill, uniform) X(fill, normal) \
  X(drop, drop) \
  X(product, product) X(pack, pack) X(packed, packed) \
  X(cell, rnn_tanh) X(cell, rnn_relu) X(cell, lstm) X(cell, gru) \
  X(attend, attend) \
  X(finish, finish) \
  X(lay, lay) X(deal, deal) \
  X(collect, collect) X(patch, patch) X(sweep, sweep)

/* What only training needs: gradients, and steps of optimisers. */
#define NX_LEARN_LIST(X) \
  /* of the activations: p1 is gy, p2 is y or x */ \
  X(map, relu_grad) X(map, tanh_grad) X(map, sigmoid_grad) \
  X(map, silu_grad) X(map, gelu_grad) X(map, gelu_tanh_grad) \
  X(map, mish_grad) X(map, elu_grad) X(map, celu_grad) X(map, selu_grad) \
  X(map, leaky_relu_grad) X(map, hardtanh_grad) X(map, hardswish_grad) \
  X(map, hardsigmoid_grad) X(map, softplus_grad) X(map, logsigmoid_grad) \
  X(map, softsign_grad) X(map, tanhshrink_grad) X(map, softshrink_grad) \
  X(map, hardshrink_grad) X(map, threshold_grad) \
  X(map, elastic_slope) \
  X(map, mix_relu)       /* mix, with p1 only where p3 > 0 */ \
  X(row, softmax_grad) X(row, log_softmax_grad) \
  X(normalise_grad, normalise_grad) X(gradient_sums, gradient_sums) \
  X(cell, rnn_tanh_back) X(cell, rnn_relu_back) X(cell, lstm_back) \
  X(cell, gru_back) X(attend, attend_again) X(attend, attend_slope) \
  X(spread, spread) X(weigh, weigh) \
  X(map, sgd)            /* see optim/sgd.c */ \
  X(map, adam)           /* see optim/adam.c */ \
  X(map, nadam) X(map, adagrad) X(map, adadelta) X(map, rmsprop) \
  X(map, adamax) X(map, rprop) X(map, lion)

/* Of whole numbers only. */
#define NX_WHOLE_LIST(X) \
  X(map, bit_and) X(map, bit_or) X(map, bit_xor) X(map, bit_not) \
  X(map, shift_left) X(map, shift_right) \
  X(map, floor_divide) X(map, trunc_divide) X(map, remainder) \
  X(map, fmod) X(map, power)

typedef struct nx_kernels {
#define NX_X(kind, name) nx_##kind##_fn *name;
  NX_KERNEL_LIST(NX_X)
  NX_LEARN_LIST(NX_X)
  NX_WHOLE_LIST(NX_X)
#undef NX_X
  int lanes;                   /* of a vector */
  int rows, cols;              /* of the tiles of products in registers */
} nx_kernels;

/* Kernels of one instruction set; 'wide' for double. */
const nx_kernels *nx_kernels_get (int isa, int wide);

#endif
