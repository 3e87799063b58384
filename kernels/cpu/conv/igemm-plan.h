/* What an nhwc convolution over register tiles and its parameters come to. */
#ifndef KERNELS_CPU_CONV_IGEMM_PLAN_H
#define KERNELS_CPU_CONV_IGEMM_PLAN_H

#include "conv.h"

/* Workspace:   [ zeros | padded x | packed weights (if no constant) | row pointers of thread 0 | of thread 1 | … ] */
struct igemm_plan {
  struct conv_shape shape;
  int mr, nr;
  bool joined; // a window row is one position
  bool copied; // of a padded copy
  bool prefetch;
  int64_t positions, depth;   // per output pixel, and floats behind each
  int64_t padded_h, padded_w; // of the copy
  int64_t tiles, panels;      // of all pixels by mr, of a group's channels by nr
  int64_t mc_tiles;
  int64_t chunk_positions, chunk_depth; // a chunk is several whole positions, or a part of one
  size_t zero_bytes, padded_bytes, weights_bytes, rows_bytes;
};
struct igemm_plan igemm_plan_of(const struct problem *problem, const struct variant *variant);

#endif
