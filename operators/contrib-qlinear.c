/* com.microsoft's quantised elementwise operators, pooling and concatenation: dequantise, compute, quantise again.
 *
 *   QLinearAdd, QLinearMul           A, A_scale, A_zero?, B, B_scale, B_zero?, C_scale, C_zero?   (broadcasting)
 *   QLinearSigmoid, -LeakyRelu, -Softmax, -AveragePool, -GlobalAveragePool   X, X_scale, X_zero?, Y_scale, Y_zero?
 *   QLinearConcat                    Y_scale, Y_zero, then (tensor, scale, zero) for each part
 */
#include "../base/pmath.h"
#include "activation.h"
#include "softmax.h"
#include "tables.h"
#include "window.h"

#include <string.h>

enum { X, X_SCALE, X_ZERO, Y_SCALE, Y_ZERO };

static enum farm_status check_quantised(const struct shape_call *call, int first, int values) {
  for (int i = first; i < first + values; i += 3) {
    TRY(nn_check_type(call, i, NN_BYTES));
    TRY(nn_check_type(call, i + 1, NN_TYPE(F32)));
    TRY(nn_check_single(call, i + 1));
    TRY(nn_check_single(call, i + 2));
  }
  return FARM_OK;
}

static enum farm_status load_quantised(const struct reference_call *call, struct arena *scratch, int input, double **out) {
  const struct tensor *x = call->inputs[input];
  double scale = nn_scalar(nn_in(call, input + 1), 1), zero = nn_scalar(nn_in(call, input + 2), 0);
  TRY(nn_load(scratch, x, out));
  int64_t elems = tensor_elems(x);
  for (int64_t i = 0; i < elems; i++) (*out)[i] = ((*out)[i] - zero) * scale;
  return FARM_OK;
}

static void store_quantised(const struct reference_call *call, int scale_input, double *values) {
  struct tensor *y = call->outputs[0];
  float scale = (float)nn_scalar(nn_in(call, scale_input), 1);
  double zero = nn_scalar(nn_in(call, scale_input + 1), 0);
  int64_t elems = tensor_elems(y);
  for (int64_t i = 0; i < elems; i++) values[i] = nn_quantize_value((float)values[i], scale, zero, y->dtype);
  nn_store(y, values);
}

/* ---- two operands ---- */
static enum farm_status binary_shape(struct shape_call *call) {
  struct tensor out = {0};
  TRY(check_quantised(call, 0, 6));
  TRY(nn_check_same_type(call, 0, 3));
  TRY(nn_check_single(call, 6));
  TRY(nn_check_single(call, 7));
  nn_output(call, 0, nn_dtype(call, 0), -1, NULL);
  if (nn_rank(call, 0) < 0 || nn_rank(call, 3) < 0) return FARM_OK;
  TRY(shape_broadcast(nn_type(call, 0), nn_type(call, 3), &out));
  nn_output(call, 0, nn_dtype(call, 0), out.rank, out.dims);
  return FARM_OK;
}

static int64_t broadcast_at(const struct tensor *out, const struct tensor *in, int64_t i) {
  int64_t at = 0, stride = 1;
  for (int axis = out->rank - 1, own = in->rank - 1; own >= 0; i /= out->dims[axis], axis--, own--) {
    if (in->dims[own] != 1) at += i % out->dims[axis] * stride;
    stride *= in->dims[own];
  }
  return at;
}

static enum farm_status binary_run(struct reference_call *call, struct arena *scratch, bool multiply) {
  double *a = NULL, *b = NULL, *values = NULL;
  TRY(reference_output(call, 0));
  int64_t elems = tensor_elems(call->outputs[0]);
  TRY(load_quantised(call, scratch, 0, &a));
  TRY(load_quantised(call, scratch, 3, &b));
  TRY(nn_alloc(scratch, elems, sizeof *values, &values));
  for (int64_t i = 0; i < elems; i++) {
    double x = a[broadcast_at(call->outputs[0], call->inputs[0], i)], y = b[broadcast_at(call->outputs[0], call->inputs[3], i)];
    values[i] = multiply ? x * y : x + y;
  }
  store_quantised(call, 6, values);
  return FARM_OK;
}

static enum farm_status add_reference_body(struct reference_call *call, struct arena *scratch) {
  return binary_run(call, scratch, false);
}
static enum farm_status mul_reference_body(struct reference_call *call, struct arena *scratch) {
  return binary_run(call, scratch, true);
}
NN_REFERENCE(add_reference)
NN_REFERENCE(mul_reference)

/* ---- one operand ---- */
static enum farm_status unary_check(const struct shape_call *call) {
  TRY(check_quantised(call, X, 3));
  TRY(nn_check_single(call, Y_SCALE));
  return nn_check_single(call, Y_ZERO);
}

static enum farm_status unary_shape(struct shape_call *call) {
  TRY(unary_check(call));
  shape_same_as_input(call, 0, X);
  return FARM_OK;
}

static double sigmoid(double x, double alpha) {
  (void)alpha;
  return activation_sigmoid(x);
}

static double leaky_relu(double x, double alpha) { return x < 0 ? alpha * x : x; }

static enum farm_status unary_run(struct reference_call *call, struct arena *scratch, double (*apply)(double, double)) {
  double *values = NULL, alpha = (double)attr_float(call->attrs, "alpha", 0.01f);
  TRY(reference_output(call, 0));
  TRY(load_quantised(call, scratch, X, &values));
  int64_t elems = tensor_elems(call->inputs[X]);
  for (int64_t i = 0; i < elems; i++) values[i] = apply(values[i], alpha);
  store_quantised(call, Y_SCALE, values);
  return FARM_OK;
}

static enum farm_status sigmoid_reference_body(struct reference_call *call, struct arena *scratch) {
  return unary_run(call, scratch, sigmoid);
}
static enum farm_status leaky_reference_body(struct reference_call *call, struct arena *scratch) {
  return unary_run(call, scratch, leaky_relu);
}
NN_REFERENCE(sigmoid_reference)
NN_REFERENCE(leaky_reference)

static enum farm_status softmax_shape(struct shape_call *call) {
  int axis;
  if (nn_rank(call, X) > 0) TRY(shape_axis(attr_int(call->attrs, "axis", -1), nn_rank(call, X), &axis));
  return unary_shape(call);
}

static enum farm_status softmax_reference_body(struct reference_call *call, struct arena *scratch) {
  const struct tensor *x = call->inputs[X];
  double *values = NULL;
  int axis = 0;
  TRY(reference_output(call, 0));
  TRY(load_quantised(call, scratch, X, &values));
  if (x->rank > 0) TRY(shape_axis(attr_int(call->attrs, "axis", -1), x->rank, &axis));
  bool flat = attr_int(call->attrs, "opset", 13) < 13;
  int64_t count = x->rank == 0 ? 1 : flat ? nn_product(x, axis, x->rank) : x->dims[axis], elems = tensor_elems(x);
  int64_t inner = x->rank == 0 || flat ? 1 : nn_product(x, axis + 1, x->rank);
  for (int64_t i = 0; elems && i < elems / count; i++)
    softmax_line(values + i / inner * count * inner + i % inner, count, inner, false);
  store_quantised(call, Y_SCALE, values);
  return FARM_OK;
}
NN_REFERENCE(softmax_reference)

/* ---- pooling: [n][c][d...], or [n][d...][c] with channels_last ---- */
static bool channels_last(const struct attrs *attrs) { return attr_int(attrs, "channels_last", 0) != 0; }

static enum farm_status pool_window(const struct attrs *attrs, const struct tensor *x, bool global, struct window *out) {
  const int64_t *in = x->dims + (channels_last(attrs) ? 1 : 2);
  if (global) {
    *out = (struct window){.axes = x->rank - 2};
    for (int i = 0; i < out->axes; i++) {
      out->in[i] = out->kernel[i] = in[i];
      out->out[i] = out->stride[i] = out->dilation[i] = 1;
    }
    return FARM_OK;
  }
  TRY(window_read(attrs, x->rank - 2, NULL, out));
  for (int i = 0; i < out->axes; i++) FAIL_IF(out->kernel[i] < 0, FARM_INVALID, "kernel_shape is required");
  return window_slide(out, in, attr_int(attrs, "ceil_mode", 0) != 0);
}

static bool is_global(const struct operator_row *row) { return strcmp(row->name, "QLinearGlobalAveragePool") == 0; }

static enum farm_status pool_shape(struct shape_call *call) {
  struct window window;
  int64_t dims[TENSOR_MAX_RANK];
  int rank = nn_rank(call, X);
  TRY(unary_check(call));
  nn_output(call, 0, nn_dtype(call, X), -1, NULL);
  if (rank < 0) return FARM_OK;
  TRY(nn_check_rank(call, X, 3, TENSOR_MAX_RANK));
  TRY(pool_window(call->attrs, nn_type(call, X), is_global(call->row), &window));
  bool last = channels_last(call->attrs);
  dims[0] = nn_dim(call, X, 0), dims[last ? rank - 1 : 1] = nn_dim(call, X, last ? rank - 1 : 1);
  for (int i = 0; i < rank - 2; i++) dims[i + (last ? 1 : 2)] = window.out[i];
  nn_output(call, 0, nn_dtype(call, X), rank, dims);
  return FARM_OK;
}

static double window_mean(const struct window *window, const double *x, int64_t step, const int64_t *site, bool count_padding) {
  int64_t tap[WINDOW_MAX] = {0}, count = 0;
  double sum = 0;
  do {
    int64_t offset = window_offset(window, site, tap);
    if (offset >= 0) sum += x[offset * step];
    count += offset >= 0 || count_padding;
  } while (window_next(window->axes, window->kernel, tap));
  return count ? sum / (double)count : 0;
}

static enum farm_status pool_reference_body(struct reference_call *call, struct arena *scratch) {
  const struct tensor *x = call->inputs[X];
  struct window window;
  double *values = NULL, *out = NULL;
  bool last = channels_last(call->attrs), padding = attr_int(call->attrs, "count_include_pad", 0) != 0;
  TRY(pool_window(call->attrs, x, is_global(call->row), &window));
  TRY(reference_output(call, 0));
  int64_t elems = tensor_elems(call->outputs[0]), channels = x->dims[last ? x->rank - 1 : 1];
  int64_t sites = window_sites(&window), spatial = tensor_dims_product(window.in, window.axes);
  TRY(load_quantised(call, scratch, X, &values));
  TRY(nn_alloc(scratch, elems, sizeof *out, &out));
  for (int64_t i = 0; i < elems && spatial > 0; i++) {
    int64_t site[WINDOW_MAX], n = i / (channels * sites), channel = last ? i % channels : i / sites % channels;
    window_split(window.axes, window.out, last ? i / channels % sites : i % sites, site);
    const double *plane = values + n * channels * spatial + (last ? channel : channel * spatial);
    out[i] = window_mean(&window, plane, last ? channels : 1, site, padding);
  }
  store_quantised(call, Y_SCALE, out);
  return FARM_OK;
}
NN_REFERENCE(pool_reference)

/* ---- concatenation ---- */
static enum farm_status concat_shape(struct shape_call *call) {
  int rank = nn_rank(call, 2), axis = 0;
  int64_t dims[TENSOR_MAX_RANK], sum = 0;
  FAIL_IF(call->input_count < 5 || (call->input_count - 2) % 3, FARM_INVALID, "%d inputs are no list of parts",
          call->input_count);
  TRY(check_quantised(call, 2, call->input_count - 2));
  nn_output(call, 0, nn_dtype(call, 2), -1, NULL);
  for (int i = 2; i < call->input_count; i += 3) FAIL_IF(!nn_given(call, i), FARM_INVALID, "a part is missing");
  for (int i = 2; i < call->input_count; i += 3)
    if (nn_rank(call, i) < 0) return FARM_OK;
  TRY(shape_axis(attr_int(call->attrs, "axis", 0), rank, &axis));
  for (int i = 0; i < rank; i++) dims[i] = nn_dim(call, 2, i);
  for (int i = 2; i < call->input_count; i += 3) {
    TRY(nn_check_rank(call, i, rank, rank));
    for (int k = 0; k < rank; k++)
      if (k != axis) TRY(nn_dim_merge(dims[k], nn_dim(call, i, k), &dims[k]));
    TRY(nn_dim_add(sum, nn_dim(call, i, axis), &sum));
  }
  dims[axis] = sum;
  nn_output(call, 0, nn_dtype(call, 2), rank, dims);
  return FARM_OK;
}

static enum farm_status concat_reference_body(struct reference_call *call, struct arena *scratch) {
  double *out = NULL;
  int axis = 0;
  TRY(reference_output(call, 0));
  const struct tensor *y = call->outputs[0];
  TRY(shape_axis(attr_int(call->attrs, "axis", 0), y->rank, &axis));
  TRY(nn_alloc(scratch, tensor_elems(y), sizeof *out, &out));
  int64_t row = nn_product(y, axis, y->rank), first = 0;
  for (int i = 2; i < call->input_count && tensor_elems(y) > 0; i += 3) {
    const struct tensor *part = call->inputs[i];
    double *values = NULL;
    int64_t own = nn_product(part, axis, part->rank);
    TRY(load_quantised(call, scratch, i, &values));
    for (int64_t o = 0; o < tensor_elems(y) / row; o++)
      memcpy(out + o * row + first, values + o * own, (size_t)own * sizeof *out);
    first += own;
  }
  store_quantised(call, 0, out);
  return FARM_OK;
}
NN_REFERENCE(concat_reference)

const struct operator_row operators_contrib_qlinear[] = {
    {"com.microsoft", "QLinearAdd", 1, 7, 8, 1, 1, 0, 0, binary_shape, add_reference},
    {"com.microsoft", "QLinearMul", 1, 7, 8, 1, 1, 0, 0, binary_shape, mul_reference},
    {"com.microsoft", "QLinearSigmoid", 1, 4, 5, 1, 1, 0, 0, unary_shape, sigmoid_reference},
    {"com.microsoft", "QLinearLeakyRelu", 1, 4, 5, 1, 1, 0, 0, unary_shape, leaky_reference},
    {"com.microsoft", "QLinearSoftmax", 1, 5, 5, 1, 1, 0, 0, softmax_shape, softmax_reference},
    {"com.microsoft", "QLinearAveragePool", 1, 4, 5, 1, 1, 0, 0, pool_shape, pool_reference},
    {"com.microsoft", "QLinearGlobalAveragePool", 1, 5, 5, 1, 1, 0, 0, pool_shape, pool_reference},
    {"com.microsoft", "QLinearConcat", 1, 5, -1, 1, 1, OPERATOR_VARIADIC, 0, concat_shape, concat_reference},
};
OPERATOR_ROWS(contrib_qlinear);
