/*
** The lattice of a convolution: an image laid out with the room around it
** that the kernel reaches, so that the element which a tap meets lies at a
** fixed distance from the place of the result, and neighbours in a row of
** results meet neighbours.
**
** With a stride s along the last dimension a row is kept as s parts: the
** elements 0, s, 2s, ..., then 1, s + 1, ...; a step of the result is then
** one element again. Where nothing of this changes the order, the image
** itself is its lattice ('bare').
**
** Dimensions are depth, height, width; what a convolution lacks of them
** has size 1.
*/
#ifndef nx_lattice_h
#define nx_lattice_h

#include "grad/op.h"

typedef struct nx_lattice {
  int64_t in[3];               /* sizes of the image */
  int64_t out[3];              /* of the result */
  int64_t kernel[3], stride[3], dilation[3];
  int64_t first[3];            /* where the lattice begins in the image */
  int64_t part, row, plane, channel;   /* elements from one to the next */
  int64_t taps, places;        /* of the kernel, of the result */
  int bare;
} nx_lattice;

/*
** Completes a lattice whose sizes, strides, dilations and first places are
** set. Fails when it is too large with so many channels.
*/
int nx_lattice_plan (nx_ctx *C, const char *who, int64_t channels,
                     nx_lattice *l);

/*
** Bands: rows of the result (planes, where it has more than one), whose
** lattices are laid out alone. nx_lattice_low gives the distances in a
** lattice that is made for so many rows, nx_lattice_band the part of it for
** rows [from, to).
*/
nx_lattice nx_lattice_low (const nx_lattice *l, int64_t lines);
nx_lattice nx_lattice_band (const nx_lattice *l, int64_t from, int64_t to);
/* How many rows (or planes) of the result there are. */
int64_t nx_lattice_lines (const nx_lattice *l);

/* Memory for n distances. */
nx_tensor *nx_distances (nx_ctx *C, int64_t n);
/* Distances of the taps of 'channels' channels. */
void nx_lattice_taps (const nx_lattice *l, int64_t channels, ptrdiff_t *tap);
/* Where the place of a result lies. */
ptrdiff_t nx_lattice_place (const nx_lattice *l, int64_t place);
/* 'n' places from 'place' on as runs; at most n of them. Returns how many. */
size_t nx_lattice_runs (const nx_lattice *l, int64_t place, int64_t n,
                        nx_run *run);

/*
** Lays channels of an image out into 'lattice', whose elements beside the
** image are left alone: they are what they were from the start. Returns
** where the lattice is: in the image itself where it is bare. 'size': bytes
** of an element.
*/
const char *nx_lattice_lay (const nx_kernels *K, const nx_lattice *l,
                            int64_t channels, int64_t size,
                            const char *image, char *lattice);
/* Zeros into the rows beside the image, which are other ones in each
   band. */
void nx_lattice_edge (const nx_lattice *l, int64_t channels, int64_t size,
                      char *lattice);
/* And back; what the lattice does not reach becomes 0. */
void nx_lattice_read (const nx_lattice *l, int64_t channels, int64_t size,
                      const char *lattice, char *image);

#endif
