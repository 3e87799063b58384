/* Convolution by itself: geometry from attributes and shapes (which may be unknown), and the sums. Conv, ConvTranspose,
 * ConvInteger, QLinearConv and FusedConv add their bias, zero points and rounding around it.
 */
#ifndef OPERATORS_CONVOLVE_H
#define OPERATORS_CONVOLVE_H

#include "window.h"

struct convolution {
  struct window window;
  bool transposed;
  int64_t batch, groups, in_channels, out_channels; // channels of all groups together; may be unknown in shape inference
  int rank;                                         // of x, w and the output; -1 unknown
  const double *x;                                  // [batch][in_channels][in...]
  const double *w;                                  // [out_channels][in_channels/groups][kernel...], or transposed:
                                                    // [in_channels][out_channels/groups][kernel...]
  void *context;
  /* Sums of `count` neighbouring outputs of one channel, the first at element `first` of the output. */
  void (*write)(void *context, int64_t first, int64_t channel, int count, const double *sums);
};

/* Fills the geometry; x, w, context and write are the caller's. */
enum farm_status convolution_read(const struct attrs *attrs, const struct tensor *x, const struct tensor *w, bool transposed,
                                  struct convolution *out);
/* The shape function around it: output 0 of `dtype`; a bias (index -1: none) has a value per output channel. */
enum farm_status convolution_shape(struct shape_call *call, int x, int w, int bias, bool transposed, enum dtype dtype);
enum farm_status convolution_run(const struct convolution *convolution, struct arena *scratch);

#endif
