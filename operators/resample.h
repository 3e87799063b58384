/* Resampling one axis at a time: for every output coordinate a few input coordinates with weights. */
#ifndef OPERATORS_RESAMPLE_H
#define OPERATORS_RESAMPLE_H

#include "nn-util.h"

enum resample_mode { RESAMPLE_NEAREST, RESAMPLE_LINEAR, RESAMPLE_CUBIC };
enum resample_coordinates {
  RESAMPLE_HALF_PIXEL,
  RESAMPLE_HALF_PIXEL_SYMMETRIC,
  RESAMPLE_PYTORCH_HALF_PIXEL,
  RESAMPLE_ALIGN_CORNERS,
  RESAMPLE_ASYMMETRIC,
  RESAMPLE_CROP,                 // tf_crop_and_resize
  RESAMPLE_TF_HALF_PIXEL_FOR_NN, // half_pixel that is not moved back
};
enum resample_nearest { RESAMPLE_PREFER_FLOOR, RESAMPLE_PREFER_CEIL, RESAMPLE_FLOOR, RESAMPLE_CEIL, RESAMPLE_SIMPLE };

struct resample {
  enum resample_mode mode;
  enum resample_coordinates coordinates;
  enum resample_nearest nearest;
  double cubic, extrapolation;
  bool exclude_outside, antialias;
};

struct resample_axis {
  int64_t in, out;
  double scale, roi_start, roi_end;
};

/* y[outer][out][inner] from x[outer][in][inner]. in > 0. */
enum farm_status resample_axis_run(const struct resample *resample, const struct resample_axis *axis, int64_t outer,
                                   int64_t inner, const double *x, double *y, struct arena *scratch);

#endif
