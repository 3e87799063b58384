/* Resize (opset 10 and later) and Upsample: output shape from scales or sizes, then one resampling pass per axis that changes. */
#include "resample.h"
#include "shape-util.h"
#include "tables.h"

#include <string.h>

static const int64_t SIZE_MOST = (int64_t)1 << 32;

struct resize {
  struct resample resample;
  struct resample_axis axes[TENSOR_MAX_RANK];
  int listed[TENSOR_MAX_RANK], listed_count; // the axes that scales, sizes and roi speak of
  int rank;
};

static enum farm_status named(const struct attrs *attrs, const char *attr, const char *const *names, int count, int otherwise,
                              int *out) {
  const char *text = attr_string(attrs, attr, names[otherwise]);
  for (int i = 0; i < count; i++)
    if (strcmp(names[i], text) == 0) return *out = i, FARM_OK;
  return status_set(FARM_INVALID, "%s is \"%s\"", attr, text);
}

static const char *const mode_names[] = {"nearest", "linear", "cubic", "bilinear"};
static const char *const coordinate_names[] = {"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel",  "align_corners",
                                               "asymmetric", "tf_crop_and_resize",   "tf_half_pixel_for_nn"};
static const char *const nearest_names[] = {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"};
static const char *const policy_names[] = {"stretch", "not_larger", "not_smaller"};

static bool is_old(const struct operator_row *row) { return row->since_version < 11 || row->name[0] == 'U'; }

static enum farm_status resample_read(const struct operator_row *row, const struct attrs *attrs, struct resample *out) {
  int mode = 0, coordinates = RESAMPLE_ASYMMETRIC, nearest = RESAMPLE_SIMPLE;
  TRY(named(attrs, "mode", mode_names, 4, 0, &mode));
  if (!is_old(row)) {
    TRY(named(attrs, "coordinate_transformation_mode", coordinate_names, 7, 0, &coordinates));
    TRY(named(attrs, "nearest_mode", nearest_names, 4, 0, &nearest));
  }
  *out = (struct resample){.mode = mode == 3 ? RESAMPLE_LINEAR : (enum resample_mode)mode,
                           .coordinates = (enum resample_coordinates)coordinates,
                           .nearest = (enum resample_nearest)nearest,
                           .cubic = (double)attr_float(attrs, "cubic_coeff_a", -0.75f),
                           .extrapolation = (double)attr_float(attrs, "extrapolation_value", 0),
                           .exclude_outside = attr_int(attrs, "exclude_outside", 0) != 0,
                           .antialias = attr_int(attrs, "antialias", 0) != 0};
  return FARM_OK;
}

static enum farm_status resize_read(const struct operator_row *row, const struct attrs *attrs, const struct tensor *x,
                                    struct resize *out) {
  int64_t axes[TENSOR_MAX_RANK];
  uint32_t seen = 0;
  *out = (struct resize){.rank = x->rank};
  TRY(resample_read(row, attrs, &out->resample));
  for (int i = 0; i < x->rank; i++) out->axes[i] = (struct resample_axis){x->dims[i], x->dims[i], 1, 0, 1};
  const struct attr *attr = is_old(row) ? NULL : attr_find(attrs, "axes");
  bool all = !attr || attr->type != ATTR_INTS;
  FAIL_IF(!all && attr->count > x->rank, FARM_INVALID, "%d axes for rank %d", attr->count, x->rank);
  out->listed_count = all ? x->rank : attr_ints(attrs, "axes", axes, TENSOR_MAX_RANK);
  for (int i = 0; i < out->listed_count; i++) {
    out->listed[i] = i;
    if (!all) TRY(shape_axis(axes[i], x->rank, &out->listed[i]));
    FAIL_IF(seen >> out->listed[i] & 1, FARM_INVALID, "axes names axis %d twice", out->listed[i]);
    seen |= 1u << out->listed[i];
  }
  return FARM_OK;
}

static enum farm_status resize_by_scales(struct resize *r, const double *scales, int count) {
  FAIL_IF(count != r->listed_count, FARM_INVALID, "%d scales for %d axes", count, r->listed_count);
  for (int i = 0; i < count; i++) {
    struct resample_axis *axis = &r->axes[r->listed[i]];
    FAIL_IF(!(scales[i] > 1e-6 && scales[i] < 1e9), FARM_INVALID, "a scale of %g is out of range", scales[i]);
    axis->scale = scales[i];
    if (axis->in < 0)
      axis->out = scales[i] == 1 ? axis->in : DIM_UNKNOWN;
    else {
      FAIL_IF(axis->in > SIZE_MOST, FARM_INVALID, "a dimension of %lld is too large", (long long)axis->in);
      axis->out = (int64_t)((float)axis->in * (float)scales[i]);
    }
  }
  return FARM_OK;
}

/* One scale for all listed axes, the least or the largest; sizes are rounded, halves up. */
static enum farm_status resize_keep_ratio(struct resize *r, bool not_larger) {
  double scale = 0;
  bool known = true;
  for (int i = 0; i < r->listed_count; i++) {
    const struct resample_axis *axis = &r->axes[r->listed[i]];
    known = known && axis->in > 0 && axis->out >= 0;
    double own = axis->in > 0 ? (double)axis->out / (double)axis->in : 0;
    if (i == 0 || (not_larger ? own < scale : own > scale)) scale = own;
  }
  for (int i = 0; i < r->listed_count; i++) {
    struct resample_axis *axis = &r->axes[r->listed[i]];
    double out = scale * (double)axis->in + 0.5;
    FAIL_IF(known && out > (double)SIZE_MOST, FARM_INVALID, "a size of %g is too large", out);
    axis->out = known ? (int64_t)out : DIM_UNKNOWN;
    axis->scale = scale;
  }
  return FARM_OK;
}

static enum farm_status resize_by_sizes(struct resize *r, const struct attrs *attrs, const int64_t *sizes, int count) {
  int policy = 0;
  FAIL_IF(count != r->listed_count, FARM_INVALID, "%d sizes for %d axes", count, r->listed_count);
  TRY(named(attrs, "keep_aspect_ratio_policy", policy_names, 3, 0, &policy));
  for (int i = 0; i < count; i++) {
    struct resample_axis *axis = &r->axes[r->listed[i]];
    FAIL_IF(sizes[i] > SIZE_MOST || axis->in > SIZE_MOST, FARM_INVALID, "a size of %lld is too large", (long long)sizes[i]);
    axis->out = sizes[i];
    axis->scale = axis->in > 0 && axis->out > 0 ? (double)axis->out / (double)axis->in : 1;
  }
  return policy ? resize_keep_ratio(r, policy == 1) : FARM_OK;
}

static int scales_input(const struct operator_row *row) { return is_old(row) ? 1 : 2; }

static bool is_given(const struct shape_call *call, int input) { // an empty tensor is as good as none
  return nn_given(call, input) && !(nn_rank(call, input) >= 1 && nn_dim(call, input, 0) == 0);
}

static enum farm_status scales_of(const struct shape_call *call, double *out, int *out_count) {
  float attribute[TENSOR_MAX_RANK];
  *out_count = -1;
  if (call->row->name[0] == 'U' && call->row->since_version < 9) {
    const struct attr *attr = attr_find(call->attrs, "scales");
    FAIL_IF(!attr || attr->type != ATTR_FLOATS || attr->count > TENSOR_MAX_RANK, FARM_INVALID, "scales is required");
    *out_count = attr_floats(call->attrs, "scales", attribute, TENSOR_MAX_RANK);
    for (int i = 0; i < *out_count; i++) out[i] = (double)attribute[i];
  } else if (is_given(call, scales_input(call->row)) &&
             !nn_known_doubles(call, scales_input(call->row), out, TENSOR_MAX_RANK, out_count)) {
    *out_count = -1;
  }
  return FARM_OK;
}

static enum farm_status resize_shape(struct shape_call *call) {
  struct resize resize;
  double scales[TENSOR_MAX_RANK];
  int64_t dims[TENSOR_MAX_RANK], sizes[TENSOR_MAX_RANK];
  int count, rank = nn_rank(call, 0), scale_index = scales_input(call->row);
  TRY(nn_check_type(call, 0, NN_NUMBERS | NN_TYPE(BOOL)));
  nn_output(call, 0, nn_dtype(call, 0), -1, NULL);
  if (rank < 0) return FARM_OK;
  TRY(resize_read(call->row, call->attrs, nn_type(call, 0), &resize));
  TRY(scales_of(call, scales, &count));
  bool by_sizes = !is_old(call->row) && is_given(call, 3);
  FAIL_IF(by_sizes && is_given(call, scale_index), FARM_INVALID, "scales and sizes exclude each other");
  FAIL_IF(!by_sizes && call->row->since_version != 7 && !is_given(call, scale_index), FARM_INVALID,
          "scales or sizes are required");
  int listed = resize.listed_count;
  for (int i = 0; i < listed; i++) dims[resize.listed[i]] = DIM_UNKNOWN;
  if (by_sizes) TRY(nn_check_rank(call, 3, 1, 1));
  bool known = by_sizes ? shape_content_dims(call->inputs[3], sizes, TENSOR_MAX_RANK, &count) : count >= 0;
  if (known) TRY(by_sizes ? resize_by_sizes(&resize, call->attrs, sizes, count) : resize_by_scales(&resize, scales, count));
  for (int i = 0; i < listed && !known; i++) resize.axes[resize.listed[i]].out = DIM_UNKNOWN;
  for (int i = 0; i < rank; i++) {
    dims[i] = resize.axes[i].out;
    FAIL_IF(dims[i] > 0 && resize.axes[i].in == 0, FARM_INVALID, "an empty axis cannot grow");
  }
  nn_output(call, 0, nn_dtype(call, 0), rank, dims);
  return FARM_OK;
}

/* The same from real tensors: the shape function has accepted them. */
static enum farm_status resize_plan(const struct reference_call *call, struct resize *out) {
  const struct tensor *sizes = is_old(call->row) ? NULL : nn_in(call, 3), *scales = nn_in(call, scales_input(call->row));
  double factor[TENSOR_MAX_RANK];
  int64_t size[TENSOR_MAX_RANK];
  float attribute[TENSOR_MAX_RANK];
  TRY(resize_read(call->row, call->attrs, call->inputs[0], out));
  const struct tensor *source = sizes && tensor_elems(sizes) > 0 ? sizes : scales;
  int count = source ? (int)tensor_elems(source) : attr_floats(call->attrs, "scales", attribute, TENSOR_MAX_RANK);
  FAIL_IF(count < 0 || count > TENSOR_MAX_RANK, FARM_INVALID, "%d scales or sizes", count);
  for (int i = 0; i < count; i++) {
    if (source == sizes && source)
      size[i] = dtype_load_i64(source->dtype, source->data, i);
    else
      factor[i] = source ? dtype_load_f64(source->dtype, source->data, i) : (double)attribute[i];
  }
  return source == sizes && source ? resize_by_sizes(out, call->attrs, size, count) : resize_by_scales(out, factor, count);
}

static enum farm_status resize_crop(const struct reference_call *call, struct resize *r) {
  const struct tensor *roi = is_old(call->row) ? NULL : nn_in(call, 1);
  if (r->resample.coordinates != RESAMPLE_CROP) return FARM_OK;
  FAIL_IF(!roi || tensor_elems(roi) != 2 * r->listed_count, FARM_INVALID, "roi needs two values per axis");
  for (int i = 0; i < r->listed_count; i++) {
    r->axes[r->listed[i]].roi_start = dtype_load_f64(roi->dtype, roi->data, i);
    r->axes[r->listed[i]].roi_end = dtype_load_f64(roi->dtype, roi->data, r->listed_count + i);
  }
  return FARM_OK;
}

static bool axis_changes(const struct resize *r, const struct resample_axis *axis) {
  bool crops = r->resample.coordinates == RESAMPLE_CROP && (axis->roi_start != 0 || axis->roi_end != 1);
  return axis->in != axis->out || axis->scale != 1 || crops;
}

static enum farm_status resize_reference_body(struct reference_call *call, struct arena *scratch) {
  struct resize r;
  double *values = NULL;
  TRY(resize_plan(call, &r));
  TRY(resize_crop(call, &r));
  for (int i = 0; i < r.rank; i++) call->outputs[0]->dims[i] = r.axes[i].out;
  TRY(reference_output(call, 0));
  if (tensor_elems(call->outputs[0]) == 0) return FARM_OK;
  TRY(nn_load(scratch, call->inputs[0], &values));
  int64_t outer = 1, inner = nn_product(call->inputs[0], 0, r.rank);
  for (int i = 0; i < r.rank; outer *= r.axes[i].out, i++) {
    double *next = NULL;
    inner /= r.axes[i].in;
    if (!axis_changes(&r, &r.axes[i])) continue;
    TRY(nn_alloc(scratch, outer * r.axes[i].out * inner, sizeof *next, &next));
    TRY(resample_axis_run(&r.resample, &r.axes[i], outer, inner, values, next, scratch));
    values = next;
  }
  nn_store(call->outputs[0], values);
  return FARM_OK;
}
NN_REFERENCE(resize_reference)

const struct operator_row operators_resize[] = {
    {"", "Resize", 10, 2, 2, 1, 1, 0, 1 << 1, resize_shape, resize_reference},
    {"", "Resize", 11, 3, 4, 1, 1, 0, 1 << 2 | 1 << 3, resize_shape, resize_reference},
    {"", "Resize", 13, 1, 4, 1, 1, 0, 1 << 2 | 1 << 3, resize_shape, resize_reference},
    {"", "Resize", 18, 1, 4, 1, 1, 0, 1 << 2 | 1 << 3, resize_shape, resize_reference},
    {"", "Resize", 19, 1, 4, 1, 1, 0, 1 << 2 | 1 << 3, resize_shape, resize_reference},
    {"", "Upsample", 7, 1, 1, 1, 1, 0, 0, resize_shape, resize_reference},
    {"", "Upsample", 9, 2, 2, 1, 1, 0, 1 << 1, resize_shape, resize_reference},
};
OPERATOR_ROWS(resize);
