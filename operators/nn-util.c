/* See nn-util.h. Dims come from outside: nothing here believes a rank or multiplies without a check. */
#include "nn-util.h"

#include "../base/pmath.h"

#include <string.h>

const struct tensor *nn_type(const struct shape_call *call, int input) {
  return input < call->input_count && call->inputs[input] ? &call->inputs[input]->type : NULL;
}

bool nn_given(const struct shape_call *call, int input) { return nn_type(call, input) != NULL; }

int nn_rank(const struct shape_call *call, int input) {
  const struct tensor *type = nn_type(call, input);
  return type ? type->rank : -1;
}

int64_t nn_dim(const struct shape_call *call, int input, int axis) {
  const struct tensor *type = nn_type(call, input);
  return type && axis >= 0 && axis < type->rank ? type->dims[axis] : DIM_UNKNOWN;
}

enum dtype nn_dtype(const struct shape_call *call, int input) {
  const struct tensor *type = nn_type(call, input);
  return type ? type->dtype : DTYPE_NONE;
}

enum farm_status nn_check_type(const struct shape_call *call, int input, uint32_t allowed) {
  enum dtype dtype = nn_dtype(call, input);
  if (dtype == DTYPE_NONE) return FARM_OK;
  FAIL_IF(!(allowed >> dtype & 1), FARM_INVALID, "input %d cannot be %s", input, dtype_name(dtype));
  return FARM_OK;
}

enum farm_status nn_check_same_type(const struct shape_call *call, int a, int b) {
  enum dtype x = nn_dtype(call, a), y = nn_dtype(call, b);
  FAIL_IF(x != DTYPE_NONE && y != DTYPE_NONE && x != y, FARM_INVALID, "inputs %d and %d differ in type: %s and %s", a, b,
          dtype_name(x), dtype_name(y));
  return FARM_OK;
}

enum farm_status nn_check_rank(const struct shape_call *call, int input, int least, int most) {
  int rank = nn_rank(call, input);
  if (rank < 0) return FARM_OK;
  FAIL_IF(rank < least || rank > most, FARM_INVALID, "input %d has rank %d, not %d to %d", input, rank, least, most);
  return FARM_OK;
}

enum farm_status nn_check_dim(const struct shape_call *call, int input, int axis, int64_t want) {
  int64_t dim = nn_dim(call, input, axis);
  FAIL_IF(dim >= 0 && want >= 0 && dim != want, FARM_INVALID, "input %d has %lld elements along axis %d, not %lld", input,
          (long long)dim, axis, (long long)want);
  return FARM_OK;
}

enum farm_status nn_check_vector(const struct shape_call *call, int input, int64_t want) {
  TRY(nn_check_rank(call, input, 1, 1));
  return nn_check_dim(call, input, 0, want);
}

enum farm_status nn_check_single(const struct shape_call *call, int input) {
  const struct tensor *type = nn_type(call, input);
  if (!type || type->rank < 0) return FARM_OK;
  for (int i = 0; i < type->rank; i++)
    FAIL_IF(type->dims[i] >= 0 && type->dims[i] != 1, FARM_INVALID, "input %d must have one element", input);
  return FARM_OK;
}

enum farm_status nn_dim_merge(int64_t a, int64_t b, int64_t *out) {
  FAIL_IF(a >= 0 && b >= 0 && a != b, FARM_INVALID, "dimensions %lld and %lld should be the same", (long long)a, (long long)b);
  *out = a >= 0 || (b < 0 && a != DIM_UNKNOWN) ? a : b;
  return FARM_OK;
}

enum farm_status nn_dim_multiply(int64_t a, int64_t b, int64_t *out) {
  if (a == 1 || b == 1) return *out = a == 1 ? b : a, FARM_OK;
  if (a == 0 || b == 0) return *out = 0, FARM_OK;
  if (a < 0 || b < 0) return *out = DIM_UNKNOWN, FARM_OK;
  FAIL_IF(__builtin_mul_overflow(a, b, out), FARM_INVALID, "a dimension overflows");
  return FARM_OK;
}

enum farm_status nn_dim_add(int64_t a, int64_t b, int64_t *out) {
  if (a == 0 || b == 0) return *out = a == 0 ? b : a, FARM_OK;
  if (a < 0 || b < 0) return *out = DIM_UNKNOWN, FARM_OK;
  FAIL_IF(__builtin_add_overflow(a, b, out), FARM_INVALID, "a dimension overflows");
  return FARM_OK;
}

void nn_output(struct shape_call *call, int output, enum dtype dtype, int rank, const int64_t *dims) {
  if (output >= call->output_count) return;
  struct tensor *type = &call->outputs[output].type;
  type->dtype = dtype;
  type->rank = rank;
  for (int i = 0; i < rank; i++) type->dims[i] = dims[i];
}

bool nn_known_ints(const struct shape_call *call, int input, int64_t *out, int most, int *out_count) {
  if (!nn_given(call, input)) return false;
  const struct shape_info *info = call->inputs[input];
  if (!info->constant) return shape_known_ints(info, out, most, out_count);
  int64_t elems = tensor_elems(info->constant);
  if (elems < 0 || elems > most || (elems && !info->constant->data) || dtype_bits(info->constant->dtype) == 0) return false;
  for (int64_t i = 0; i < elems; i++) out[i] = dtype_load_i64(info->constant->dtype, info->constant->data, i);
  *out_count = (int)elems;
  return true;
}

bool nn_known_doubles(const struct shape_call *call, int input, double *out, int most, int *out_count) {
  const struct tensor *constant = nn_given(call, input) ? call->inputs[input]->constant : NULL;
  int64_t elems = constant ? tensor_elems(constant) : -1;
  if (elems < 0 || elems > most || (elems && !constant->data) || dtype_bits(constant->dtype) == 0) return false;
  for (int64_t i = 0; i < elems; i++) out[i] = dtype_load_f64(constant->dtype, constant->data, i);
  *out_count = (int)elems;
  return true;
}

enum farm_status nn_shape_float_map(struct shape_call *call) {
  TRY(nn_check_type(call, 0, NN_FLOATS));
  shape_same_as_input(call, 0, 0);
  return FARM_OK;
}

enum farm_status nn_run(struct reference_call *call, nn_body_fn body) {
  struct arena scratch = {0};
  enum farm_status status = body(call, &scratch);
  arena_free(&scratch);
  return status;
}

const struct tensor *nn_in(const struct reference_call *call, int input) {
  return input < call->input_count ? call->inputs[input] : NULL;
}

struct tensor *nn_out(const struct reference_call *call, int output) {
  return output < call->output_count ? call->outputs[output] : NULL;
}

enum farm_status nn_alloc(struct arena *scratch, int64_t count, size_t bytes, void *out) {
  FAIL_IF(count < 0, FARM_INVALID, "a negative count");
  void *memory = arena_alloc_array(scratch, count ? (size_t)count : 1, bytes);
  if (!memory) return FARM_NO_MEMORY;
  memcpy(out, &memory, sizeof memory);
  return FARM_OK;
}

enum farm_status nn_load_range(const struct tensor *tensor, int64_t first, int64_t count, double *out) {
  if (tensor->dtype == DTYPE_F32) {
    const float *x = (const float *)tensor->data + first;
    for (int64_t i = 0; i < count; i++) out[i] = (double)x[i];
    return FARM_OK;
  }
  FAIL_IF(dtype_bits(tensor->dtype) == 0, FARM_INVALID, "%s elements are no numbers", dtype_name(tensor->dtype));
  for (int64_t i = 0; i < count; i++) out[i] = dtype_load_f64(tensor->dtype, tensor->data, first + i);
  return FARM_OK;
}

enum farm_status nn_load(struct arena *scratch, const struct tensor *tensor, double **out) {
  *out = NULL;
  if (!tensor) return FARM_OK;
  int64_t elems = tensor_elems(tensor);
  double *values = NULL;
  TRY(nn_alloc(scratch, elems, sizeof *values, &values));
  TRY(nn_load_range(tensor, 0, elems, values));
  *out = values;
  return FARM_OK;
}

void nn_store_range(struct tensor *tensor, int64_t first, int64_t count, const double *values) {
  if (tensor->dtype == DTYPE_F32) {
    float *y = (float *)tensor->data + first;
    for (int64_t i = 0; i < count; i++) y[i] = (float)values[i];
    return;
  }
  for (int64_t i = 0; i < count; i++) dtype_store_f64(tensor->dtype, tensor->data, first + i, values[i]);
}

void nn_store(struct tensor *tensor, const double *values) { nn_store_range(tensor, 0, tensor_elems(tensor), values); }

double nn_scalar(const struct tensor *tensor, double otherwise) {
  if (!tensor || !tensor->data || tensor_elems(tensor) < 1) return otherwise;
  return dtype_load_f64(tensor->dtype, tensor->data, 0);
}

int64_t nn_integer(const struct tensor *tensor, int64_t otherwise) {
  if (!tensor || !tensor->data || tensor_elems(tensor) < 1) return otherwise;
  return dtype_load_i64(tensor->dtype, tensor->data, 0);
}

int64_t nn_product(const struct tensor *tensor, int first, int last) {
  int64_t product = 1;
  for (int i = first; i < last; i++) product *= tensor->dims[i];
  return product;
}

void nn_integer_range(enum dtype type, double *out_low, double *out_high) {
  int bits = dtype_bits(type);
  bool is_signed = dtype_class(type) == DTYPE_CLASS_INT;
  *out_low = is_signed ? -pmath_ldexp(1, bits - 1) : 0;
  *out_high = pmath_ldexp(1, is_signed ? bits - 1 : bits) - 1;
}

static double saturate(double value, enum dtype type) {
  double low, high;
  nn_integer_range(type, &low, &high);
  return value < low ? low : value > high ? high : value;
}

double nn_quantize_value(float x, float scale, double zero_point, enum dtype type) {
  double value = pmath_round_even((double)(x / scale)) + zero_point;
  return value == value ? saturate(value, type) : zero_point;
}

void nn_dynamic_range(const double *values, int64_t count, float *out_scale, float *out_zero_point) {
  float low = 0, high = 0;
  for (int64_t i = 0; i < count; i++) {
    float value = (float)values[i];
    low = value < low ? value : low, high = value > high ? value : high;
  }
  float scale = (high - low) / 255;
  double zero = scale == 0 ? 0 : pmath_round_even((double)((0 - low) / scale));
  *out_scale = scale == 0 ? 1 : scale;
  *out_zero_point = (float)saturate(zero, DTYPE_U8);
}

double nn_requantize(double sum, float multiplier, double zero_point, enum dtype type) {
  double value = pmath_round_even((double)((float)sum * multiplier)) + zero_point;
  return value == value ? saturate(value, type) : zero_point;
}
