/* Depthwise convolution in nchw: what the driver (dw-nchw.c) asks of an instruction set (dw-nchw.inc).
 *
 * A band is some rows of one output plane. The input rows under it are first copied with their padding, columns apart by their
 * phase modulo the stride, so that the inner loop has no edges and always loads whole vectors:
 *
 *   stride 2, padding 1    row  a b c d e      phase 0:  0 b d 0 …
 *                                              phase 1:  a c e 0 …      output o of tap s: phase s % 2, place o + s / 2
 */
#ifndef KERNELS_CPU_CONV_DW_NCHW_H
#define KERNELS_CPU_CONV_DW_NCHW_H

#include "conv.h"

enum dw_nchw_param {
  DW_NCHW_PARAM_OH, // output rows computed together
  DW_NCHW_PARAM_OW, // vectors along the row computed together
  DW_NCHW_PARAM_KB  // copied rows of a band, in KiB
};
enum { DW_NCHW_MOST_ROWS = 4, DW_NCHW_MOST_TOGETHER = 8 };

struct dw_band {
  const struct conv_shape *shape;
  const float *x;       // the plane [h][w]
  const float *weights; // [r][s]
  int64_t first, last;  // rows of the output
  int64_t phase, row;   // floats of a phase, of a copied row: [stride_w][phase]
  float *copy;          // [copied rows][row]
  const int64_t *taps;  // [s] where in a copied row output column 0 meets the tap
  struct tile_end end;  // at the plane's first pixel; bias and its like are one number
};

struct dw_nchw_set {
  int lanes;
  void (*band)(const struct dw_band *band, int rows, int vectors);
};
extern const struct dw_nchw_set dw_nchw__avx2, dw_nchw__avx512, dw_nchw__wide, dw_nchw__baseline;

#endif
