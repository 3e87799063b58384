/* See resample.h. Outside the input the edge element repeats, unless exclude_outside takes its weight away. */
#include "resample.h"

#include "../base/pmath.h"

#include <string.h>

static const double SOURCE_MOST = 1e15; // beyond any input, and safely an integer

/* Where output coordinate i falls in the input. */
static double source_of(const struct resample *r, const struct resample_axis *a, int64_t i) {
  double x = (double)i, in = (double)a->in, resized = a->scale * in;
  switch (r->coordinates) {
  case RESAMPLE_ASYMMETRIC:
    return x / a->scale;
  case RESAMPLE_ALIGN_CORNERS:
    return resized == 1 ? 0 : x * (in - 1) / (resized - 1);
  case RESAMPLE_PYTORCH_HALF_PIXEL:
    return resized == 1 ? -0.5 : (x + 0.5) / a->scale - 0.5;
  case RESAMPLE_TF_HALF_PIXEL_FOR_NN:
    return (x + 0.5) / a->scale;
  case RESAMPLE_HALF_PIXEL_SYMMETRIC:
    return in / 2 * (1 - (double)a->out / resized) + (x + 0.5) / a->scale - 0.5;
  case RESAMPLE_CROP: {
    double width = (a->roi_end - a->roi_start) * (in - 1);
    return a->roi_start * (in - 1) + (resized == 1 ? width / 2 : x * width / (resized - 1));
  }
  default:
    return (x + 0.5) / a->scale - 0.5;
  }
}

static double nearest_of(const struct resample *r, double x, double scale) {
  switch (r->nearest) {
  case RESAMPLE_PREFER_CEIL:
    return pmath_floor(x + 0.5);
  case RESAMPLE_FLOOR:
    return pmath_floor(x);
  case RESAMPLE_CEIL:
    return pmath_ceil(x);
  case RESAMPLE_SIMPLE:
    return scale < 1 ? pmath_ceil(x) : pmath_floor(x);
  default:
    return pmath_ceil(x - 0.5);
  }
}

static double cubic_weight(double distance, double a) {
  double x = distance < 0 ? -distance : distance;
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

static double weight_of(const struct resample *r, double distance) {
  if (r->mode == RESAMPLE_CUBIC) return cubic_weight(distance, r->cubic);
  double size = distance < 0 ? -distance : distance;
  return size < 1 ? 1 - size : 0;
}

struct taps {
  int64_t first; // input coordinate of the first; may lie outside
  int count;
  double *weights;
};

static int taps_most(const struct resample *r, double scale) {
  double radius = r->mode == RESAMPLE_CUBIC ? 2 : 1, squeeze = r->antialias && scale < 1 ? scale : 1;
  return r->mode == RESAMPLE_NEAREST ? 1 : (int)pmath_ceil(2 * radius / squeeze) + 1;
}

static void taps_fill(const struct resample *r, const struct resample_axis *a, double x, int most, struct taps *out) {
  double squeeze = r->antialias && a->scale < 1 ? a->scale : 1, radius = (r->mode == RESAMPLE_CUBIC ? 2 : 1) / squeeze, sum = 0;
  if (r->mode == RESAMPLE_NEAREST) {
    out->first = (int64_t)nearest_of(r, x, a->scale), out->count = 1, out->weights[0] = 1;
    return;
  }
  out->first = (int64_t)(pmath_floor(x - radius) + 1), out->count = most - 1;
  for (int i = 0; i < out->count; i++) {
    int64_t at = out->first + i;
    bool outside = r->exclude_outside && (at < 0 || at >= a->in);
    sum += out->weights[i] = outside ? 0 : weight_of(r, ((double)at - x) * squeeze);
  }
  for (int i = 0; i < out->count && sum != 0; i++) out->weights[i] /= sum;
}

static void taps_apply(const struct taps *taps, int64_t in, int64_t inner, const double *x, double *y) {
  memset(y, 0, (size_t)inner * sizeof *y);
  for (int i = 0; i < taps->count; i++) {
    int64_t at = taps->first + i;
    at = at < 0 ? 0 : at >= in ? in - 1 : at;
    if (taps->count == 1)
      memcpy(y, x + at * inner, (size_t)inner * sizeof *y);
    else if (taps->weights[i] != 0)
      for (int64_t j = 0; j < inner; j++) y[j] += taps->weights[i] * x[at * inner + j];
  }
}

enum farm_status resample_axis_run(const struct resample *r, const struct resample_axis *a, int64_t outer, int64_t inner,
                                   const double *x, double *y, struct arena *scratch) {
  FAIL_IF(!(a->scale > 1e-6 && a->scale < 1e9), FARM_INVALID, "a scale of %g is out of range", a->scale);
  int most = taps_most(r, a->scale);
  struct taps taps = {0};
  TRY(nn_alloc(scratch, most, sizeof *taps.weights, &taps.weights));
  for (int64_t i = 0; i < a->out; i++) {
    double source = source_of(r, a, i);
    bool outside = r->coordinates == RESAMPLE_CROP && !(source >= 0 && source <= (double)(a->in - 1));
    source = source < -SOURCE_MOST ? -SOURCE_MOST : source > SOURCE_MOST ? SOURCE_MOST : source;
    if (!outside) taps_fill(r, a, source, most, &taps);
    for (int64_t o = 0; o < outer; o++) {
      double *row = y + (o * a->out + i) * inner;
      if (!outside) taps_apply(&taps, a->in, inner, x + o * a->in * inner, row);
      for (int64_t j = 0; outside && j < inner; j++) row[j] = r->extrapolation;
    }
  }
  return FARM_OK;
}
