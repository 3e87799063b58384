/* Depthwise convolution in nhwc: what the driver (dw.c) asks of an instruction set (dw.inc). */
#ifndef KERNELS_CPU_CONV_DW_H
#define KERNELS_CPU_CONV_DW_H

#include "conv.h"

enum { DW_BLOCK_LANES = 16 }; // channels of packed weights are padded to whole blocks

enum dw_param { DW_PARAM_OW }; // output pixels computed together

/* One line of output: pixels [0, out_w) of all channels. */
struct dw_line {
  const struct conv_shape *shape;
  const float *x;       // the image [h][w][c]
  const float *weights; // [r][s][padded c]
  int64_t padded_c;
  int64_t oh;
  int64_t r_first, r_last; // taps of the window that are inside vertically
  struct tile_end end;     // at the line's first pixel, c_stride = c
};

/* What an instruction set offers: lines with 2, 4 and 8 pixels together. */
struct dw_set {
  int lanes;
  void (*line)(const struct dw_line *line, int pixels);
};
extern const struct dw_set dw__avx2, dw__avx512, dw__wide, dw__baseline;

#endif
