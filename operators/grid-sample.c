/* GridSample and AffineGrid: sampling an input [n][c][d...] at the points of a grid [n][d'...][axes], and making such a grid
 * from affine maps. A point's last axis comes first (x, y, z); -1 and 1 are the borders of the input.
 */
#include "../base/pmath.h"
#include "shape-util.h"
#include "tables.h"
#include "window.h"

#include <string.h>

enum sample_mode { SAMPLE_LINEAR, SAMPLE_NEAREST, SAMPLE_CUBIC };
enum sample_padding { PAD_ZEROS, PAD_BORDER, PAD_REFLECTION };
enum { TAPS_MOST = 4 };

struct sampler {
  enum sample_mode mode;
  enum sample_padding padding;
  bool align;
  int axes;
  int64_t dims[WINDOW_MAX];
};

static enum farm_status named(const struct attrs *attrs, const char *attr, const char *const *names, int count, int *out) {
  const char *text = attr_string(attrs, attr, names[0]);
  for (int i = 0; i < count; i++)
    if (strcmp(names[i], text) == 0) return *out = i, FARM_OK;
  return status_set(FARM_INVALID, "%s is \"%s\"", attr, text);
}

static enum farm_status sampler_read(const struct attrs *attrs, const struct tensor *x, struct sampler *out) {
  static const char *const modes[] = {"linear", "nearest", "cubic", "bilinear", "bicubic"}, *const paddings[] = {
                                                                                                "zeros", "border", "reflection"};
  static const enum sample_mode meanings[] = {SAMPLE_LINEAR, SAMPLE_NEAREST, SAMPLE_CUBIC, SAMPLE_LINEAR, SAMPLE_CUBIC};
  int mode = 0, padding = 0;
  TRY(named(attrs, "mode", modes, 5, &mode));
  TRY(named(attrs, "padding_mode", paddings, 3, &padding));
  *out =
      (struct sampler){meanings[mode], (enum sample_padding)padding, attr_int(attrs, "align_corners", 0) != 0, x->rank - 2, {0}};
  memcpy(out->dims, x->dims + 2, (size_t)out->axes * sizeof *out->dims);
  return FARM_OK;
}

static enum farm_status grid_shape(struct shape_call *call) {
  struct sampler sampler;
  int rank = nn_rank(call, 0);
  int64_t dims[TENSOR_MAX_RANK];
  TRY(nn_check_type(call, 0, NN_NUMBERS | NN_TYPE(BOOL)));
  TRY(nn_check_type(call, 1, NN_FLOATS));
  TRY(nn_check_rank(call, 0, 3, TENSOR_MAX_RANK));
  if (rank < 0) rank = nn_rank(call, 1);
  nn_output(call, 0, nn_dtype(call, 0), -1, NULL);
  if (rank < 0) return FARM_OK;
  TRY(nn_check_rank(call, 1, rank, rank));
  if (nn_rank(call, 0) >= 0) TRY(sampler_read(call->attrs, nn_type(call, 0), &sampler));
  TRY(nn_check_dim(call, 1, 0, nn_dim(call, 0, 0)));
  TRY(nn_check_dim(call, 1, rank - 1, rank - 2));
  for (int i = 0; i < rank; i++) {
    dims[i] = i == 1 ? nn_dim(call, 0, 1) : i ? nn_dim(call, 1, i - 1) : nn_dim(call, 0, 0);
    FAIL_IF(i > 1 && nn_dim(call, 0, i) == 0, FARM_INVALID, "there is nothing to sample along axis %d", i);
  }
  nn_output(call, 0, nn_dtype(call, 0), rank, dims);
  return FARM_OK;
}

static double reflect(double x, double low, double high) {
  double range = high - low, beyond = x < low ? low - x : x - high;
  if (x >= low && x <= high) return x;
  if (!(range > 0)) return low;
  double turns = pmath_floor(beyond / range), rest = beyond - turns * range;
  bool from_near = pmath_fmod(turns, 2) == 0;
  return (x < low) == from_near ? low + rest : high - rest;
}

/* The element that index `at` means along an axis; -1: a zero. */
static int64_t element_of(const struct sampler *s, int64_t at, int64_t dim) {
  if (at >= 0 && at < dim) return at;
  if (s->padding == PAD_ZEROS) return -1;
  double x = s->padding == PAD_BORDER ? (double)at : reflect((double)at, s->align ? 0 : -0.5, (double)dim - (s->align ? 1 : 0.5));
  return x < 0 ? 0 : x > (double)(dim - 1) ? dim - 1 : (int64_t)x;
}

struct axis_taps {
  int count;
  int64_t at[TAPS_MOST]; // -1: outside
  double weight[TAPS_MOST];
};

static double cubic(double x) { // Keys, a = -0.75
  x = x < 0 ? -x : x;
  return x <= 1 ? (1.25 * x - 2.25) * x * x + 1 : x < 2 ? ((-0.75 * x + 3.75) * x - 6) * x + 3 : 0;
}

static void axis_taps(const struct sampler *s, double point, int64_t dim, struct axis_taps *out) {
  double size = (double)dim, x = s->align ? (point + 1) / 2 * (size - 1) : ((point + 1) * size - 1) / 2;
  double low = s->align ? 0 : -0.5, high = s->align ? size - 1 : size - 0.5;
  if (!(x > -1e9 && x < 1e12)) x = x > 0 ? 1e12 : -1e9; // also NaN
  if (s->mode == SAMPLE_NEAREST) x = pmath_round_even((double)(float)x);
  if (s->padding == PAD_BORDER && (x < low || x > high)) x = x < 0 ? 0 : x > size - 1 ? size - 1 : x;
  if (s->padding == PAD_REFLECTION) x = reflect(x, low, high);
  double base = pmath_floor(x);
  out->count = s->mode == SAMPLE_NEAREST ? 1 : s->mode == SAMPLE_LINEAR ? 2 : 4;
  for (int i = 0; i < out->count; i++) {
    double at = base + i - (s->mode == SAMPLE_CUBIC), distance = x - at;
    out->at[i] = element_of(s, (int64_t)at, dim);
    out->weight[i] = s->mode == SAMPLE_NEAREST ? 1
                     : s->mode == SAMPLE_CUBIC ? cubic(distance)
                                               : 1 - (distance < 0 ? -distance : distance);
  }
}

/* The sum over all combinations of taps, first axis outermost. */
static double sample(const struct sampler *s, const double *x, const struct axis_taps *taps, int axis) {
  double sum = 0;
  int64_t below = tensor_dims_product(s->dims + axis + 1, s->axes - axis - 1);
  for (int i = 0; i < taps[axis].count; i++) {
    if (taps[axis].at[i] < 0) continue;
    const double *at = x + taps[axis].at[i] * below;
    sum += taps[axis].weight[i] * (axis == s->axes - 1 ? *at : sample(s, at, taps, axis + 1));
  }
  return sum;
}

static enum farm_status grid_reference_body(struct reference_call *call, struct arena *scratch) {
  const struct tensor *x = call->inputs[0], *grid = call->inputs[1];
  struct sampler s;
  double *values = NULL, *points = NULL, *out = NULL;
  TRY(sampler_read(call->attrs, x, &s));
  TRY(reference_output(call, 0));
  int64_t elems = tensor_elems(call->outputs[0]);
  if (elems == 0) return FARM_OK;
  TRY(nn_load(scratch, x, &values));
  TRY(nn_load(scratch, grid, &points));
  TRY(nn_alloc(scratch, elems, sizeof *out, &out));
  int64_t sites = nn_product(grid, 1, grid->rank - 1), channels = x->dims[1], spatial = nn_product(x, 2, x->rank);
  for (int64_t i = 0; i < x->dims[0] * sites; i++) {
    struct axis_taps taps[WINDOW_MAX];
    for (int axis = 0; axis < s.axes; axis++) axis_taps(&s, points[i * s.axes + s.axes - 1 - axis], s.dims[axis], &taps[axis]);
    for (int64_t c = 0; c < channels; c++) {
      int64_t plane = i / sites * channels + c;
      out[plane * sites + i % sites] = sample(&s, values + plane * spatial, taps, 0);
    }
  }
  nn_store(call->outputs[0], out);
  return FARM_OK;
}
NN_REFERENCE(grid_reference)

/* ---- AffineGrid: theta [n][axes][axes + 1], size (n, c, d...) ─► [n][d...][axes] ---- */
static enum farm_status affine_shape(struct shape_call *call) {
  int64_t size[TENSOR_MAX_RANK], dims[TENSOR_MAX_RANK];
  int count = 0, axes;
  TRY(nn_check_type(call, 0, NN_FLOATS));
  TRY(nn_check_type(call, 1, NN_TYPE(I64)));
  TRY(nn_check_rank(call, 0, 3, 3));
  TRY(nn_check_rank(call, 1, 1, 1));
  nn_output(call, 0, nn_dtype(call, 0), -1, NULL);
  if (!nn_given(call, 1) || !shape_content_dims(call->inputs[1], size, TENSOR_MAX_RANK, &count)) return FARM_OK;
  FAIL_IF(count != 4 && count != 5, FARM_INVALID, "size has %d elements, not 4 or 5", count);
  axes = count - 2;
  TRY(nn_check_dim(call, 0, 0, size[0]));
  TRY(nn_check_dim(call, 0, 1, axes));
  TRY(nn_check_dim(call, 0, 2, axes + 1));
  dims[0] = size[0], dims[axes + 1] = axes;
  for (int i = 0; i < axes; i++) dims[i + 1] = size[i + 2];
  nn_output(call, 0, nn_dtype(call, 0), axes + 2, dims);
  return FARM_OK;
}

static double grid_coordinate(int64_t i, int64_t dim, bool align) {
  if (align) return dim > 1 ? -1 + 2 * (double)i / (double)(dim - 1) : -1;
  return (2 * (double)i + 1) / (double)dim - 1;
}

static enum farm_status affine_reference_body(struct reference_call *call, struct arena *scratch) {
  const struct tensor *theta = call->inputs[0], *size = call->inputs[1];
  struct tensor *y = call->outputs[0];
  bool align = attr_int(call->attrs, "align_corners", 0) != 0;
  int axes = (int)theta->dims[1];
  double *maps = NULL, *out = NULL;
  y->rank = axes + 2, y->dims[0] = theta->dims[0], y->dims[axes + 1] = axes;
  for (int i = 0; i < axes; i++) y->dims[i + 1] = dtype_load_i64(size->dtype, size->data, i + 2);
  TRY(reference_output(call, 0));
  TRY(nn_load(scratch, theta, &maps));
  TRY(nn_alloc(scratch, tensor_elems(y), sizeof *out, &out));
  int64_t sites = nn_product(y, 1, axes + 1), points = tensor_elems(y) / axes;
  for (int64_t i = 0; i < points; i++) {
    int64_t at[WINDOW_MAX];
    window_split(axes, y->dims + 1, i % sites, at);
    const double *map = maps + i / sites * axes * (axes + 1);
    for (int row = 0; row < axes; row++, map += axes + 1) {
      double sum = map[axes];
      for (int k = 0; k < axes; k++) sum += map[k] * grid_coordinate(at[axes - 1 - k], y->dims[axes - k], align);
      out[i * axes + row] = sum;
    }
  }
  nn_store(y, out);
  return FARM_OK;
}
NN_REFERENCE(affine_reference)

const struct operator_row operators_grid_sample[] = {
    {"", "GridSample", 16, 2, 2, 1, 1, 0, 0, grid_shape, grid_reference},
    {"", "GridSample", 20, 2, 2, 1, 1, 0, 0, grid_shape, grid_reference},
    {"", "GridSample", 22, 2, 2, 1, 1, 0, 0, grid_shape, grid_reference},
    {"", "AffineGrid", 20, 2, 2, 1, 1, 0, 1 << 1, affine_shape, affine_reference},
};
OPERATOR_ROWS(grid_sample);
