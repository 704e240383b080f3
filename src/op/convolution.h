/*
** What the three sums of a convolution share.
**
** With x the image, w the weights and y the result, over batch, groups,
** channels, places p and taps t (Goodfellow, Bengio, Courville 2016,
** equation 9.6: the kernel is not turned over):
**
**   convolve           y[p] = sum w[t] x[p s + t d - pad]
**   convolve_image     x = what y gives back through w (its gradient for x)
**   convolve_kernel    w = what y and x give (its gradient for w)
**
** Each is linear in both of its inputs, and the gradients of each are the
** two others, so that derivatives of any order exist.
*/
#ifndef nx_convolution_h
#define nx_convolution_h

#include "op/lattice.h"

/*
** Arguments, one entry for each dimension of the image. 'size' is what
** cannot be told from the inputs: the sizes of the result, of the image, or
** of the kernel.
*/
typedef struct convolution_args {
  nx_ints stride, padding, dilation, size;
  int64_t groups;
  int activation;              /* of convolve */
} convolution_args;

extern const nx_field nx_convolution_fields[];

/* The arguments are lists for so many dimensions, and make sense. */
int nx_convolution_lists (nx_ctx *C, const nx_node *n, int dims);

/*
** The lattice of a node that is one of the sums; x, w and y are its inputs
** and result in their roles (shapes only). Fails when they do not fit.
*/
int nx_convolution_lattice (nx_ctx *C, const nx_node *n, const nx_tensor *x,
                            const nx_tensor *w, const nx_tensor *y,
                            nx_lattice *l);

/*
** Arguments of conv1d, conv_transpose1d and their kin, which count as the
** user does: one entry may stand for all dimensions, padding for words.
*/
typedef struct nx_conv_args {
  nx_ints stride, padding, output_padding, dilation;
  int64_t groups;
  int activation;
} nx_conv_args;

#define NX_PADDING_WORDS "valid same"
#define NX_PADDING_VALID NX_WORD(0)
#define NX_PADDING_SAME NX_WORD(1)

/*
** Weights as a sum reads them: for each group (and each of some sets in it)
** 'rows' results from 'channels' channels with 'taps' taps each; distances
** in elements.
*/
typedef struct nx_weights {
  const char *data;
  int64_t groups, sets, rows, channels, taps;
  int64_t group, set, row, channel, tap;
} nx_weights;

/* Those of a dense tensor (out, in / groups, ...), for a convolution. */
nx_weights nx_weights_of (const nx_tensor *w, int64_t groups);

/*
** Packed for tiles: for each group and set, blocks of K->rows results; a
** block has these results' weights for each tap of each channel, zeros
** behind.
*/
nx_tensor *nx_weights_pack (nx_ctx *C, int dtype, const nx_weights *w);

/*
** How many rows of results make a band: enough work for a piece, and a
** lattice that the second cache holds. Returns how many bands there are.
*/
int64_t nx_lattice_cut (const nx_lattice *l, const nx_weights *w,
                        int64_t size, int64_t *lines);

/* y = activation(w x + bias) for dense x and y; 'bias' may be NULL. */
int nx_convolve_into (nx_ctx *C, const nx_lattice *l, const nx_weights *w,
                      nx_tensor *x, nx_tensor *bias, nx_tensor *y, int relu);

#endif
